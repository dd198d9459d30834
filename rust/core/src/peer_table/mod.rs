//! The peers of a server: found by their remote address, pending ones in the order of their first packets, and when the next of
//! them may have been idle for too long.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::sync::{Arc, Weak};

use hashbrown::hash_table::{Entry as Place, HashTable, OccupiedEntry};

use crate::inbox::Inbox;
use crate::locks::{Mutex, MutexGuard, rank};
use crate::queue::{PacketMeta, QueueCounts, RemoteAddr};
use crate::waiters::WaiterId;

mod demux;
#[cfg(test)]
mod tests;

/// How many peers may be pending, as in the engine.
const MAX_PENDING: usize = 16;

/// Below this many unused places in the table, or deadlines of peers that are gone, tidying up does not pay.
const SLACK: usize = 64;

/// How many deadlines one call looks at: thousands may fall due at the same moment.
const MAX_DEADLINES_PER_CALL: usize = 500;

/// The [sink](crate::sink::Sink) of a server. Its lock is held for a batch at a time by the thread that delivers.
#[derive(Debug, Default)]
pub(crate) struct PeerTable {
    entries: Mutex<Entries, { rank::PEER_TABLE }>,
}

/// What the lock of a [`PeerTable`] guards.
#[derive(Debug)]
pub(crate) struct Entries {
    /// Whether the server listens. Otherwise there is no entry, and none is made.
    is_open: bool,
    /// By the hashes of their remote addresses.
    table: HashTable<Entry>,
    /// The standard library's hash, with a random key for each table, so that addresses that collide cannot be chosen.
    hasher: RandomState,
    /// The peers that were not accepted yet, oldest first.
    pending: VecDeque<RemoteAddr>,
    max_pending: usize,
    /// How many peers there have been. The number of a peer tells it from a later one with the same address.
    made: WaiterId,
    /// What all queues together have counted, those that are gone included.
    counts: QueueCounts,
    /// Packets that no peer has got.
    dropped: u64,
    /// After how many microseconds an accepted peer that sends nothing times out; 0 for never.
    idle_timeout: u64,
    /// One for each accepted peer, while there is a time-out: the peer cannot have been idle for long enough before. Some belong to
    /// peers that are gone.
    deadlines: BinaryHeap<Reverse<IdleDeadline>>,
    /// No peer counts as idle before this time.
    idle_since: u64,
}

/// Small, so that finding one touches little memory.
#[derive(Debug)]
struct Entry {
    remote: RemoteAddr,
    id: WaiterId,
    inbox: Arc<Inbox>,
    /// The peer, once it is accepted.
    peer: Option<Weak<dyn AcceptedPeer>>,
}

/// A peer that a server has accepted.
pub(crate) trait AcceptedPeer: Send + Sync + std::fmt::Debug {
    /// Called, without a lock, when the server has removed the peer.
    fn detached(&self, why: Detachment);
}

/// Why a server has removed a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detachment {
    /// The server was stopped.
    Stopped,
    /// The peer has sent nothing for so many milliseconds.
    Idle { msec: u64 },
}

/// A peer that is being accepted.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) remote: RemoteAddr,
    pub(crate) id: WaiterId,
    pub(crate) inbox: Arc<Inbox>,
}

/// An entry that was found.
type Found<'a> = (&'a Inbox, WaiterId);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct IdleDeadline {
    at: u64,
    id: WaiterId,
    remote: RemoteAddr,
}

impl Default for Entries {
    fn default() -> Self {
        Self {
            is_open: false,
            table: HashTable::new(),
            hasher: RandomState::new(),
            pending: VecDeque::new(),
            max_pending: MAX_PENDING,
            made: 0,
            counts: QueueCounts::default(),
            dropped: 0,
            idle_timeout: 0,
            deadlines: BinaryHeap::new(),
            idle_since: 0,
        }
    }
}

impl PeerTable {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Entries, { rank::PEER_TABLE }> {
        self.entries.lock()
    }

    /// The server begins to listen.
    pub(crate) fn open(&self) {
        self.lock().is_open = true;
    }

    /// The server listens no more. Removes and closes all; returns the peers that were accepted.
    pub(crate) fn drain(&self) -> Vec<Weak<dyn AcceptedPeer>> {
        let mut entries = self.lock();
        entries.is_open = false;
        entries.pending.clear();
        entries.deadlines = BinaryHeap::new();
        let all = mem::take(&mut entries.table);
        // Under the lock: a peer that leaves meanwhile waits for it, and may open its inbox again afterwards.
        let close = |entry: Entry| {
            entry.inbox.close();
            entry.peer
        };
        all.into_iter().filter_map(close).collect()
    }

    /// Removes an accepted peer, whose inbox is closed already.
    pub(crate) fn remove(&self, remote: &RemoteAddr, id: WaiterId) {
        let mut entries = self.lock();
        // Another peer may have that address by now.
        if let Some(entry) = entries.find_entry(remote).filter(|entry| entry.get().id == id) {
            entry.remove();
            entries.tidy();
        }
    }

    /// Lowers or raises how many peers may be pending. Those that are too many now are removed and closed, newest first; their
    /// packets count as dropped.
    pub(crate) fn set_max_pending(&self, max: usize) {
        let mut entries = self.lock();
        entries.max_pending = max;
        let kept = max.min(entries.pending.len());
        let too_many = entries.pending.split_off(kept);
        for remote in too_many.iter().rev() {
            let Some(entry) = entries.find_entry(remote).map(|entry| entry.remove().0) else { continue };
            let lost = *entry.inbox.lock().queue.counts();
            entry.inbox.close();
            entries.dropped += lost.packets;
            entries.counts.add_change(lost, QueueCounts { dropped: lost.dropped, ..QueueCounts::default() });
        }
    }
}

impl Entries {
    /// The hash that [`find`](Self::find) needs. To compute it beforehand for all addresses lets the processor look up several at
    /// once.
    fn hash(&self, remote: &RemoteAddr) -> u64 {
        self.hasher.hash_one(remote)
    }

    /// The peer with that address.
    fn find(&self, hash: u64, remote: &RemoteAddr) -> Option<Found<'_>> {
        self.table.find(hash, |entry| entry.remote == *remote).map(Entry::found)
    }

    fn find_entry(&mut self, remote: &RemoteAddr) -> Option<OccupiedEntry<'_, Entry>> {
        self.table.find_entry(self.hasher.hash_one(remote), |entry| entry.remote == *remote).ok()
    }

    /// The peer that the sender of `packet` has; a sender without one gets a pending peer. `None` if too many are pending.
    fn find_or_add(&mut self, packet: PacketMeta) -> Option<Found<'_>> {
        let remote = packet.remote();
        let is_full = self.is_full();
        let Self { table, hasher, .. } = self;
        let hash = |remote: &RemoteAddr| hasher.hash_one(remote);
        match table.entry(hash(&remote), |entry| entry.remote == remote, |entry| hash(&entry.remote)) {
            Place::Occupied(entry) => Some(entry.into_mut().found()),
            Place::Vacant(_) if is_full => None,
            Place::Vacant(place) => {
                self.made += 1;
                self.pending.push_back(remote);
                let entry = Entry { remote, id: self.made, inbox: Inbox::accepted(packet), peer: None };
                Some(place.insert(entry).into_mut().found())
            }
        }
    }

    /// Whether no new peer is let in.
    fn is_full(&self) -> bool {
        !self.is_open || self.pending.len() >= self.max_pending
    }

    /// What all queues together have counted.
    pub(crate) fn counts(&self) -> QueueCounts {
        self.counts
    }

    /// How many packets no peer has got.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Takes the peer that has been pending for longest. `now` is in microseconds, as packets' times.
    pub(crate) fn accept(&mut self, now: u64) -> Option<Accepted> {
        let remote = self.pending.pop_front()?;
        let entry = self.find_entry(&remote)?;
        let Entry { id, ref inbox, .. } = *entry.get();
        let accepted = Accepted { remote, id, inbox: Arc::clone(inbox) };
        let at = accepted.inbox.lock().note_received(now) + self.idle_timeout;
        if self.idle_timeout > 0 {
            if self.deadlines.len() > 2 * self.table.len() + SLACK {
                self.restart_deadlines();
            } else {
                self.deadlines.push(Reverse(IdleDeadline { at, id, remote }));
            }
        }
        Some(accepted)
    }

    /// Ties an accepted peer to its entry; `false` if the server was stopped in between.
    pub(crate) fn attach(&mut self, accepted: &Accepted, peer: Weak<dyn AcceptedPeer>) -> bool {
        let entry = self.find_entry(&accepted.remote).filter(|entry| entry.get().id == accepted.id);
        let is_there = entry.is_some();
        if let Some(mut entry) = entry {
            entry.get_mut().peer = Some(peer);
        }
        is_there
    }

    /// Gives memory back when most peers are gone.
    fn tidy(&mut self) {
        let Self { table, hasher, .. } = self;
        if table.capacity() > 4 * table.len() + SLACK {
            table.shrink_to(2 * table.len(), |entry| hasher.hash_one(entry.remote));
        }
    }

    /// How many accepted peers there are.
    pub(crate) fn accepted_count(&self) -> usize {
        self.table.len() - self.pending.len()
    }

    /// The inboxes of all accepted peers.
    pub(crate) fn accepted_inboxes(&self) -> Vec<Arc<Inbox>> {
        self.accepted().map(|entry| Arc::clone(&entry.inbox)).collect()
    }

    fn accepted(&self) -> impl Iterator<Item = &Entry> {
        let pending: HashSet<_> = self.pending.iter().collect();
        self.table.iter().filter(move |entry| !pending.contains(&entry.remote))
    }

    pub(crate) fn max_pending(&self) -> usize {
        self.max_pending
    }

    /// In microseconds; 0 for never.
    pub(crate) fn idle_timeout(&self) -> u64 {
        self.idle_timeout
    }

    pub(crate) fn set_idle_timeout(&mut self, usec: u64) {
        self.idle_timeout = usec;
        self.restart_deadlines();
    }

    /// Computes the deadlines of all accepted peers anew.
    fn restart_deadlines(&mut self) {
        let timeout = self.idle_timeout;
        let deadline = |entry: &Entry| {
            let Entry { remote, id, ref inbox, .. } = *entry;
            Reverse(IdleDeadline { at: inbox.lock().last_received() + timeout, id, remote })
        };
        self.deadlines = self.accepted().filter(|_| timeout > 0).map(deadline).collect();
    }

    /// When a peer may time out next.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.deadlines.peek().map(|next| next.0.at)
    }

    /// Removes and closes the accepted peers that were idle for too long, judged by the packets that had arrived `until` then. Looks
    /// at a bounded number of peers, so there may be more.
    pub(crate) fn time_out(&mut self, until: u64) -> Vec<Weak<dyn AcceptedPeer>> {
        let mut idle = Vec::new();
        let mut looked_at = 0;
        while looked_at < MAX_DEADLINES_PER_CALL
            && self.next_deadline().is_some_and(|at| at <= until)
            && let Some(Reverse(mut deadline)) = self.deadlines.pop()
        {
            let (idle_since, timeout) = (self.idle_since, self.idle_timeout);
            let entry = self.find_entry(&deadline.remote).filter(|entry| entry.get().id == deadline.id);
            let Some(entry) = entry else { continue };
            looked_at += 1;
            deadline.at = entry.get().inbox.lock().last_received().max(idle_since) + timeout;
            if deadline.at <= until {
                let (entry, _) = entry.remove();
                entry.inbox.close();
                idle.extend(entry.peer);
            } else {
                self.deadlines.push(Reverse(deadline));
            }
        }
        self.tidy();
        idle
    }

    /// Restarts the idle time of all peers.
    pub(crate) fn restart_idle_timers(&mut self, now: u64) {
        self.idle_since = now;
    }
}

impl Entry {
    fn found(&self) -> Found<'_> {
        (&self.inbox, self.id)
    }
}

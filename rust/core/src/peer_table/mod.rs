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

mod accepted;
mod admission;
mod demux;
mod listing;
mod ready;
mod signals;
#[cfg(test)]
mod tests;

pub(crate) use accepted::{AcceptedPeer, Detachment};
use admission::Admission;
use ready::Ready;
use signals::Signals;

/// How many peers may be pending, as in the engine.
const MAX_PENDING: usize = 16;

/// Below this many unused places in the table, or deadlines of peers that are gone, tidying up does not pay.
const SLACK: usize = 64;

/// How many deadlines [`Entries::time_out`] looks at while it has the lock: thousands may fall due at the same moment, and packets
/// are delivered in between.
pub(crate) const DEADLINES_PER_CALL: usize = 100;

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
    admission: Admission,
    /// How many bytes the queue of each peer may hold; 0 for the default.
    queue_size: usize,
    /// How many peers there have been. The number of a peer tells it from a later one with the same address.
    made: WaiterId,
    /// What all queues together have counted since the last reset, those that are gone included.
    counts: QueueCounts,
    /// Packets that no peer has got, and how many they were at the last reset.
    dropped: u64,
    dropped_before: u64,
    /// After how many microseconds an accepted peer that sends nothing times out; 0 for never.
    idle_timeout: u64,
    /// One for each accepted peer, while there is a time-out: the peer cannot have been idle for long enough before. Some belong to
    /// peers that are gone.
    deadlines: BinaryHeap<Reverse<IdleDeadline>>,
    /// No peer counts as idle before this time.
    idle_since: u64,
    ready: Ready,
    signals: Signals,
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

/// A peer that is being accepted.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) remote: RemoteAddr,
    pub(crate) id: WaiterId,
    pub(crate) inbox: Arc<Inbox>,
}

/// An entry that was found.
type Found<'a> = (&'a Arc<Inbox>, WaiterId);

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
            admission: Admission::default(),
            queue_size: 0,
            made: 0,
            counts: QueueCounts::default(),
            dropped: 0,
            dropped_before: 0,
            idle_timeout: 0,
            deadlines: BinaryHeap::new(),
            idle_since: 0,
            ready: Ready::default(),
            signals: Signals::default(),
        }
    }
}

impl PeerTable {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Entries, { rank::PEER_TABLE }> {
        self.entries.lock()
    }

    /// The server begins to listen.
    pub(crate) fn open(&self) {
        let mut entries = self.lock();
        entries.is_open = true;
        entries.admission.begin_period();
    }

    /// The server listens no more. Removes and closes all; returns the peers that were accepted.
    pub(crate) fn drain(&self) -> Vec<Weak<dyn AcceptedPeer>> {
        let mut entries = self.lock();
        entries.is_open = false;
        entries.drop_pending(0);
        entries.deadlines = BinaryHeap::new();
        entries.ready = Ready::default();
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
            let (entry, _) = entry.remove();
            entries.unmark_ready(&entry.inbox);
            entries.tidy();
        }
    }

    /// Whether a peer was accepted for that address.
    pub(crate) fn has_accepted(&self, remote: &RemoteAddr) -> bool {
        let entries = self.lock();
        let entry = entries.table.find(entries.hash(remote), |entry| entry.remote == *remote);
        entry.is_some_and(|entry| entry.peer.is_some())
    }

    /// Lowers or raises how many peers may be pending. Those that are too many now are dropped, newest first.
    pub(crate) fn set_max_pending(&self, max: usize) {
        let mut entries = self.lock();
        entries.max_pending = max;
        entries.drop_pending(max);
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
                self.admission.count();
                self.signals.note_pending();
                self.pending.push_back(remote);
                let inbox = Inbox::accepted(packet, self.queue_size);
                let entry = Entry { remote, id: self.made, inbox, peer: None };
                Some(place.insert(entry).into_mut().found())
            }
        }
    }

    /// Whether no new peer is let in.
    fn is_full(&self) -> bool {
        let max = self.max_pending;
        !self.is_open || self.pending.len() >= max || self.admission.is_over(max)
    }

    /// The server was polled, or its mode has changed: so it may let in new peers, see [`Admission`].
    pub(crate) fn note_poll(&mut self, in_background: bool) {
        self.admission.note_poll(in_background);
    }

    /// Removes and closes the pending peers beyond the first `kept`, newest first. Their packets count as dropped.
    fn drop_pending(&mut self, kept: usize) {
        let too_many = self.pending.split_off(kept.min(self.pending.len()));
        for remote in too_many.iter().rev() {
            let Some(entry) = self.find_entry(remote).map(|entry| entry.remove().0) else { continue };
            self.unmark_ready(&entry.inbox);
            let mut contents = entry.inbox.lock();
            let before = contents.queue.full_tally();
            contents.discard_queued();
            let mut after = contents.queue.full_tally();
            drop(contents);
            entry.inbox.close();
            // Not by its queue.
            self.dropped += after.dropped - before.dropped;
            after.dropped = before.dropped;
            self.counts.add_change(before, after);
        }
    }

    /// Lets the server be marked in [`pending_signals`](crate::pending_signals) by this token. The first one stays.
    pub(crate) fn set_token(&mut self, token: u64) {
        self.signals.set_token(token, self.pending.len());
    }

    /// How many peers have become pending since this was last called, and are still.
    pub(crate) fn take_connected(&mut self) -> usize {
        self.signals.take_connected().min(self.pending.len())
    }

    /// Records peers that have timed out and are closed.
    pub(crate) fn note_timed_out(&mut self, peers: Vec<Weak<dyn AcceptedPeer>>) {
        self.signals.note_timed_out(peers);
    }

    /// The peers that have timed out since this was last called.
    pub(crate) fn take_timed_out(&mut self) -> Vec<Weak<dyn AcceptedPeer>> {
        self.signals.take_timed_out()
    }

    /// What all queues together have counted since the last reset.
    pub(crate) fn counts(&self) -> QueueCounts {
        self.counts
    }

    /// How many packets no peer has got.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The same, since the last reset.
    pub(crate) fn dropped_since_reset(&self) -> u64 {
        self.dropped - self.dropped_before
    }

    /// Sets the counts to zero. Takes time for each peer.
    pub(crate) fn reset_counts(&mut self) {
        self.counts = QueueCounts::default();
        self.dropped_before = self.dropped;
        for inbox in self.table.iter().map(|entry| &entry.inbox).filter(|inbox| inbox.may_have_queued()) {
            inbox.lock().queue.note_sum_reset();
        }
    }

    /// Sets how many bytes the queue of each peer may hold, from now on; 0 for the default. What is queued beyond that is dropped and
    /// counted, see [`Queue::set_size`](crate::queue::Queue::set_size).
    pub(crate) fn set_queue_size(&mut self, bytes: usize) {
        self.queue_size = bytes;
        let Self { table, counts, .. } = self;
        for entry in table.iter() {
            let mut contents = entry.inbox.lock();
            // A closed one is about to be removed.
            if contents.is_open() {
                let before = contents.queue.full_tally();
                contents.queue.set_size(bytes);
                counts.add_change(before, contents.queue.full_tally());
            }
        }
    }

    pub(crate) fn pending_count(&self) -> usize {
        self.pending.len()
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
    /// at up to [`DEADLINES_PER_CALL`] peers; whether there are more to look at.
    pub(crate) fn time_out(&mut self, until: u64) -> (Vec<Weak<dyn AcceptedPeer>>, bool) {
        let mut idle = Vec::new();
        let mut looked_at = 0;
        let is_due = |entries: &Self| entries.next_deadline().is_some_and(|at| at <= until);
        while looked_at < DEADLINES_PER_CALL
            && is_due(self)
            && let Some(Reverse(mut deadline)) = self.deadlines.pop()
        {
            looked_at += 1;
            let (idle_since, timeout) = (self.idle_since, self.idle_timeout);
            let entry = self.find_entry(&deadline.remote).filter(|entry| entry.get().id == deadline.id);
            let Some(entry) = entry else { continue };
            deadline.at = entry.get().inbox.lock().last_received().max(idle_since) + timeout;
            if entry.get().peer.is_none() {
                // It is being accepted at this moment.
                deadline.at = deadline.at.max(until + timeout);
            }
            if deadline.at <= until {
                let (entry, _) = entry.remove();
                entry.inbox.close();
                self.unmark_ready(&entry.inbox);
                idle.extend(entry.peer);
            } else {
                self.deadlines.push(Reverse(deadline));
            }
        }
        self.tidy();
        (idle, is_due(self))
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

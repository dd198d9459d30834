//! Who belongs to a server: found by where their packets come from, those that wait to be taken in order, and the next who
//! may have been silent for too long.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::sync::Arc;

use hashbrown::hash_table::{Entry, HashTable, OccupiedEntry};
use parking_lot::{Mutex, MutexGuard};

use crate::peer::Peer;
use crate::queue::RemoteAddr;
use crate::wait::Who;

/// How many peers may be pending, as in the engine.
const MAX_PENDING: usize = 16;

/// The least that is worth putting in order: empty places in the table, and appointments with those who are gone.
const SLACK: usize = 64;

/// How many are looked at in one go: thousands may have come at the same moment.
const AT_ONCE: usize = 500;

/// The members of a server. Locked by whoever deals packets out, for a batch at a time.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    members: Mutex<Members>,
}

#[derive(Debug)]
pub(crate) struct Members {
    /// Whether there may be any: the server listens.
    gathered: bool,
    /// By the hashes of their origins.
    table: HashTable<Member>,
    /// The standard library's: keyed with a number of each table's own that nobody outside knows, so nobody can choose
    /// addresses that collide.
    hasher: RandomState,
    /// Those that were not taken yet, oldest first.
    pending: VecDeque<RemoteAddr>,
    max_pending: usize,
    /// How many members there have been.
    made: Who,
    /// Packets that no member has got.
    dropped: u64,
    /// After how many microseconds of silence a member is to go; 0 for never.
    timeout: u64,
    /// When to look at whom: while there is a timeout, one for each who was taken, at a time before which they cannot have
    /// been silent for long enough. (And some for those who are gone.)
    appointments: BinaryHeap<Reverse<Appointment>>,
    /// Nobody counts as having been silent before this.
    forgiven: u64,
}

/// Small, so that to find one touches little memory.
#[derive(Debug)]
struct Member {
    origin: RemoteAddr,
    peer: Arc<Peer>,
    number: Who,
}

/// A member, and which it is.
pub(crate) type Found<'a> = (&'a Peer, Who);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Appointment {
    at: u64,
    number: Who,
    origin: RemoteAddr,
}

impl Member {
    fn found(&self) -> Found<'_> {
        (&self.peer, self.number)
    }
}

impl Default for Members {
    fn default() -> Self {
        Self {
            gathered: false,
            table: HashTable::new(),
            hasher: RandomState::new(),
            pending: VecDeque::new(),
            max_pending: MAX_PENDING,
            made: 0,
            dropped: 0,
            timeout: 0,
            appointments: BinaryHeap::new(),
            forgiven: 0,
        }
    }
}

impl Crowd {
    pub(crate) fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock()
    }

    /// The server begins to listen.
    pub(crate) fn gather(&self) {
        self.members().gathered = true;
    }

    /// The server listens no more. All who were members.
    pub(crate) fn disband(&self) -> Vec<Arc<Peer>> {
        let mut members = self.members();
        members.gathered = false;
        members.pending.clear();
        members.appointments = BinaryHeap::new();
        let all = mem::take(&mut members.table);
        drop(members);
        all.into_iter().map(|member| member.peer).collect()
    }
}

impl Members {
    /// What [`find`](Self::find) wants to know, beside the origin: to have it beforehand for all who are looked for lets the
    /// processor look for several at once.
    pub(crate) fn hash(&self, origin: &RemoteAddr) -> u64 {
        self.hasher.hash_one(origin)
    }

    /// The peer to whom packets from there belong.
    pub(crate) fn find(&self, hash: u64, origin: &RemoteAddr) -> Option<Found<'_>> {
        self.table.find(hash, |member| member.origin == *origin).map(Member::found)
    }

    fn entry(&mut self, origin: &RemoteAddr) -> Option<OccupiedEntry<'_, Member>> {
        self.table.find_entry(self.hasher.hash_one(origin), |member| member.origin == *origin).ok()
    }

    /// Likewise; whoever is not known yet becomes a pending member, made by `newcomer` with its number. `None` where too many
    /// are pending.
    pub(crate) fn admit(
        &mut self,
        origin: RemoteAddr,
        newcomer: impl FnOnce(Who) -> Option<Arc<Peer>>,
    ) -> Option<Found<'_>> {
        let is_full = self.is_full();
        let Self { table, hasher, .. } = self;
        let hash = |origin: &RemoteAddr| hasher.hash_one(origin);
        match table.entry(hash(&origin), |member| member.origin == origin, |member| hash(&member.origin)) {
            Entry::Occupied(entry) => Some(entry.into_mut().found()),
            Entry::Vacant(_) if is_full => None,
            Entry::Vacant(place) => {
                self.made += 1;
                let peer = newcomer(self.made)?;
                self.pending.push_back(origin);
                Some(place.insert(Member { origin, peer, number: self.made }).into_mut().found())
            }
        }
    }

    /// Whether nobody new is let in.
    pub(crate) fn is_full(&self) -> bool {
        !self.gathered || self.pending.len() >= self.max_pending
    }

    /// Notes packets that no member has got.
    pub(crate) fn drop_packets(&mut self, packets: usize) {
        self.dropped += packets as u64;
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Takes the one that has been pending for longest. `now` is in microseconds, as packets' times.
    pub(crate) fn take(&mut self, now: u64) -> Option<Arc<Peer>> {
        let origin = self.pending.pop_front()?;
        let (peer, number) = self.entry(&origin).map(|entry| (Arc::clone(&entry.get().peer), entry.get().number))?;
        let at = peer.heard_at(now) + self.timeout;
        if self.timeout > 0 {
            if self.appointments.len() > 2 * self.table.len() + SLACK {
                self.make_appointments();
            } else {
                self.appointments.push(Reverse(Appointment { at, number, origin }));
            }
        }
        Some(peer)
    }

    /// Forgets a member who was taken.
    pub(crate) fn forget(&mut self, origin: &RemoteAddr, number: Who) {
        // Somebody else may be there by now.
        if let Some(entry) = self.entry(origin).filter(|entry| entry.get().number == number) {
            entry.remove();
            self.tidy();
        }
    }

    /// Gives memory back when most of a crowd is gone.
    fn tidy(&mut self) {
        let Self { table, hasher, .. } = self;
        if table.capacity() > 4 * table.len() + SLACK {
            table.shrink_to(2 * table.len(), |member| hasher.hash_one(member.origin));
        }
    }

    /// How many were taken and have not left.
    pub(crate) fn taken(&self) -> usize {
        self.table.len() - self.pending.len()
    }

    pub(crate) fn all_taken(&self) -> Vec<Arc<Peer>> {
        self.each_taken().map(|member| Arc::clone(&member.peer)).collect()
    }

    fn each_taken(&self) -> impl Iterator<Item = &Member> {
        let pending: HashSet<_> = self.pending.iter().collect();
        self.table.iter().filter(move |member| !pending.contains(&member.origin))
    }

    pub(crate) fn max_pending(&self) -> usize {
        self.max_pending
    }

    /// Those that are too many now, newest first.
    pub(crate) fn set_max_pending(&mut self, max: usize) -> Vec<Arc<Peer>> {
        self.max_pending = max;
        let too_many = self.pending.split_off(max.min(self.pending.len()));
        too_many.iter().rev().filter_map(|origin| Some(self.entry(origin)?.remove().0.peer)).collect()
    }

    pub(crate) fn timeout(&self) -> u64 {
        self.timeout
    }

    pub(crate) fn set_timeout(&mut self, usec: u64) {
        self.timeout = usec;
        self.make_appointments();
    }

    /// With everybody who was taken, and nobody else.
    fn make_appointments(&mut self) {
        let timeout = self.timeout;
        let appointment = |member: &Member| {
            let Member { origin, ref peer, number } = *member;
            Reverse(Appointment { at: peer.heard() + timeout, number, origin })
        };
        self.appointments = self.each_taken().filter(|_| timeout > 0).map(appointment).collect();
    }

    /// Whether somebody is to be looked at by now.
    pub(crate) fn is_anybody_due(&self, now: u64) -> bool {
        self.appointments.peek().is_some_and(|next| next.0.at <= now)
    }

    /// Takes out those who have been silent for too long, as far as it is known: until then. Some of them, if there are many to
    /// be looked at.
    pub(crate) fn take_silent(&mut self, until: u64) -> Vec<Arc<Peer>> {
        let mut silent = Vec::new();
        let mut others = 0;
        while silent.len() + others < AT_ONCE
            && self.is_anybody_due(until)
            && let Some(Reverse(mut appointment)) = self.appointments.pop()
        {
            let (forgiven, timeout) = (self.forgiven, self.timeout);
            let entry = self.entry(&appointment.origin).filter(|entry| entry.get().number == appointment.number);
            let Some(entry) = entry else { continue };
            appointment.at = entry.get().peer.heard().max(forgiven) + timeout;
            if appointment.at <= until {
                silent.push(entry.remove().0.peer);
            } else {
                others += 1;
                self.appointments.push(Reverse(appointment));
            }
        }
        self.tidy();
        silent
    }

    /// Has nobody count as having been silent before `now`.
    pub(crate) fn forgive(&mut self, now: u64) {
        self.forgiven = now;
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::queue::PacketMeta;

    fn crowd(max_pending: usize) -> Members {
        Members { gathered: true, max_pending, ..Members::default() }
    }

    fn origin(from: u16) -> RemoteAddr {
        PacketMeta::new(1, SocketAddr::from(([127, 0, 0, 1], from)), 0).remote()
    }

    /// Whether somebody gets it.
    fn hear(members: &mut Members, from: u16, at: u64) -> bool {
        let heard = members.admit(origin(from), |_| Some(Peer::new()));
        heard.map(|(peer, _)| peer.heard_at(at)).is_some()
    }

    /// Takes all who are pending.
    fn take_all(members: &mut Members, now: u64) -> Vec<Arc<Peer>> {
        std::iter::from_fn(|| members.take(now)).collect()
    }

    #[test]
    fn one_address_is_one_member_pending_and_taken() {
        let mut members = crowd(2);
        assert!(hear(&mut members, 1, 0) && hear(&mut members, 1, 0) && hear(&mut members, 2, 0));
        assert_eq!((members.pending.len(), members.taken()), (2, 0));
        assert_eq!(take_all(&mut members, 0).len(), 2);
        assert!(hear(&mut members, 1, 0));
        assert_eq!((members.pending.len(), members.taken()), (0, 2));
    }

    #[test]
    fn strangers_without_end_leave_nothing_behind() {
        let mut members = crowd(3);
        for from in 1..=10 {
            hear(&mut members, from, 0);
            take_all(&mut members, 0);
        }
        for from in 11..60_000 {
            assert_eq!(hear(&mut members, from, 0), from < 14);
        }
        assert_eq!((members.pending.len(), members.taken()), (3, 10));
        assert!(members.table.capacity() < 2 * SLACK);
        assert!((1..=13).all(|from| hear(&mut members, from, 0)), "those who were there are still heard");
    }

    #[test]
    fn lowering_the_limit_drops_the_newest_that_are_too_many_and_raising_it_none() {
        let mut members = crowd(5);
        (1..=5).for_each(|from| assert!(hear(&mut members, from, 0)));
        assert_eq!(members.set_max_pending(20).len(), 0);
        assert_eq!(members.set_max_pending(3).len(), 2);
        assert_eq!(members.pending, [1, 2, 3].map(origin));
        assert!(!hear(&mut members, 4, 0));
        assert_eq!(members.set_max_pending(0).len(), 3);
        assert!(!members.has_pending() && members.table.is_empty());
    }

    #[test]
    fn who_was_forgotten_is_new_and_forgetting_the_old_again_does_not_touch_the_new() {
        let mut members = crowd(5);
        hear(&mut members, 1, 0);
        take_all(&mut members, 0);
        members.forget(&origin(1), 1);
        assert_eq!(members.taken(), 0);
        hear(&mut members, 1, 0);
        assert_eq!((members.pending.len(), members.made), (1, 2));
        members.forget(&origin(1), 1);
        assert_eq!(members.table.len(), 1);
    }

    #[test]
    fn the_silent_go_when_their_time_is_over_and_no_sooner() {
        let mut members = crowd(10);
        members.set_timeout(100);
        (1..=3).for_each(|from| assert!(hear(&mut members, from, 10)));
        let [first, second, _third] = take_all(&mut members, 20).try_into().unwrap_or_else(|_| panic!("three"));
        hear(&mut members, 2, 90);
        hear(&mut members, 3, 119);
        assert!(!members.is_anybody_due(119) && members.is_anybody_due(120));
        assert_eq!(members.take_silent(119).len(), 0);
        let silent = members.take_silent(120);
        assert!(matches!(&silent[..], [one] if Arc::ptr_eq(one, &first)));
        assert_eq!(members.take_silent(189).len(), 0);
        let silent = members.take_silent(200);
        assert!(matches!(&silent[..], [one] if Arc::ptr_eq(one, &second)));
        assert_eq!(members.taken(), 1);
    }

    #[test]
    fn a_timeout_counts_for_those_who_are_there_already_and_not_for_those_who_are_pending() {
        let mut members = crowd(10);
        hear(&mut members, 1, 10);
        take_all(&mut members, 10);
        hear(&mut members, 2, 10);
        members.set_timeout(100);
        assert_eq!(members.take_silent(1_000).len(), 1);
        members.set_timeout(0);
        take_all(&mut members, 1_000);
        assert!(!members.is_anybody_due(u64::MAX));
        assert_eq!(members.taken(), 1);
    }

    #[test]
    fn what_is_forgiven_counts_as_no_silence() {
        let mut members = crowd(10);
        members.set_timeout(100);
        hear(&mut members, 1, 0);
        take_all(&mut members, 0);
        members.forgive(500);
        assert_eq!(members.take_silent(599).len(), 0);
        assert_eq!(members.take_silent(600).len(), 1);
    }

    #[test]
    fn those_who_come_and_go_leave_no_memory_behind() {
        let mut members = crowd(10);
        members.set_timeout(1_000_000_000);
        for number in 1..10_000 {
            hear(&mut members, 1, 0);
            take_all(&mut members, 0);
            members.forget(&origin(1), number);
        }
        assert!(members.appointments.len() <= SLACK + 1);
        for from in 1..5_000 {
            hear(&mut members, from, 0);
            take_all(&mut members, 0);
        }
        let all: Vec<_> = members.table.iter().map(|member| (member.origin, member.number)).collect();
        for (origin, number) in all {
            members.forget(&origin, number);
        }
        assert!(members.table.capacity() <= 2 * SLACK);
    }
}

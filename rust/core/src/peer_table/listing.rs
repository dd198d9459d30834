//! Which peers have packets queued: found without looking at the others.

use std::cmp::Reverse;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Weak};

use hashbrown::hash_table::HashTable;

use super::ready::Mark;
use super::{AcceptedPeer, Entries, Entry};

impl Entries {
    /// Adds what a batch has brought.
    pub(super) fn add_ready(&mut self, marks: &[Mark], serial: u32) {
        self.ready.serial = serial;
        self.ready.marks.extend_from_slice(marks);
    }

    /// To be called when a peer was removed.
    pub(super) fn check_ready(&mut self) {
        let Self { table, hasher, ready, .. } = self;
        ready.check_some(|mark| find(table, hasher, mark).is_some());
    }

    /// The accepted peers that have packets queued, in the order in which the oldest of these have come. Takes time for peers that
    /// have got packets since this was last called, and for those that have some still.
    ///
    /// To be dropped without a lock: these may be the last references.
    pub(crate) fn ready(&mut self) -> Vec<Arc<dyn AcceptedPeer>> {
        let Self { table, hasher, ready, .. } = self;
        let serial = ready.serial;
        let mut found = Vec::with_capacity(ready.marks.len());
        ready.marks.retain(|mark| {
            let Some(entry) = find(table, hasher, mark) else { return false };
            let mut contents = entry.inbox.lock();
            let Some(arrival) = contents.queue.front_arrival() else {
                contents.is_marked_ready = false;
                return false;
            };
            // Packets that have come at the same microsecond are told apart by this, as far as the first of each queue goes.
            let age = serial.wrapping_sub(contents.first_serial);
            drop(contents);
            if let Some(peer) = entry.peer.as_ref().and_then(Weak::upgrade) {
                found.push(((arrival, Reverse(age)), peer));
            }
            true
        });
        found.sort_unstable_by_key(|(order, _)| *order);
        found.into_iter().map(|(_, peer)| peer).collect()
    }
}

/// The entry of a peer that was marked, unless it is gone.
fn find<'a>(table: &'a HashTable<Entry>, hasher: &RandomState, (remote, id): &Mark) -> Option<&'a Entry> {
    table.find(hasher.hash_one(remote), |entry| entry.remote == *remote).filter(|entry| entry.id == *id)
}

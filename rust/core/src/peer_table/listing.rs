//! Which peers have packets queued: found without looking at the others.

use std::cmp::Reverse;
use std::sync::{Arc, Weak};

use super::ready::Mark;
use super::{AcceptedPeer, Entries};
use crate::inbox::Inbox;

impl Entries {
    /// Adds what a batch has brought.
    pub(super) fn add_ready(&mut self, marks: impl IntoIterator<Item = Mark>, serial: u32) {
        self.ready.serial = serial;
        self.ready.marks.extend(marks);
    }

    /// To be called when a peer was removed.
    pub(super) fn unmark_ready(&mut self, removed: &Inbox) {
        removed.lock().is_marked_ready = false;
        self.ready.check_some();
    }

    /// The accepted peers that have packets queued, in the order in which the oldest of these have come. Takes time for peers that
    /// have got packets since this was last called, and for those that have some still.
    ///
    /// To be dropped without a lock: these may be the last references.
    pub(crate) fn ready(&mut self) -> Vec<Arc<dyn AcceptedPeer>> {
        let marks: Vec<_> = self.list_ready(|mark| Some((mark.remote, mark.id)));
        let peer = |(remote, id)| {
            let found = self.table.find(self.hash(&remote), |entry| entry.remote == remote);
            found.filter(|entry| entry.id == id)?.peer.as_ref().and_then(Weak::upgrade)
        };
        marks.into_iter().filter_map(peer).collect()
    }

    /// The tokens of the same peers, of those that have one. Touches nothing of a peer but its inbox.
    pub(crate) fn ready_tokens(&mut self) -> Vec<u64> {
        self.list_ready(|mark| mark.inbox.token())
    }

    /// What `of` makes of the marks of the peers that have packets queued, in the order in which the oldest of these have come.
    fn list_ready<T>(&mut self, of: impl Fn(&Mark) -> Option<T>) -> Vec<T> {
        let serial = self.ready.serial;
        let mut found = Vec::with_capacity(self.ready.marks.len());
        // With thousands of peers none is in a cache, see `dispatch`.
        self.ready.marks.iter().for_each(|mark| mark.inbox.prefetch());
        self.ready.marks.retain(|mark| {
            let mut contents = mark.inbox.lock();
            if !contents.is_marked_ready {
                return false;
            }
            let Some(arrival) = contents.queue.front_arrival() else {
                contents.is_marked_ready = false;
                return false;
            };
            // Packets that have come at the same microsecond are told apart by this, as far as the first of each queue goes.
            let age = serial.wrapping_sub(contents.first_serial);
            drop(contents);
            found.extend(of(mark).map(|listed| ((arrival, Reverse(age)), listed)));
            true
        });
        found.sort_unstable_by_key(|(order, _)| *order);
        found.into_iter().map(|(_, listed)| listed).collect()
    }
}

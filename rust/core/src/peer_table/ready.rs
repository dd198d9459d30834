//! Which peers have packets queued: found without looking at the others.

use std::sync::Arc;

use crate::inbox::{Contents, Inbox};
use crate::queue::RemoteAddr;
use crate::waiters::WaiterId;

/// A peer whose queue was empty when a packet came.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) remote: RemoteAddr,
    pub(super) id: WaiterId,
    /// So that the list of ready peers needs no look-up by address. It is kept a little longer than the peer, see
    /// [`Ready::check_some`].
    pub(super) inbox: Arc<Inbox>,
}

/// How many marks are looked at when a peer is removed.
const CHECKS: usize = 4;

/// Below this many unused places, giving memory back does not pay.
const SLACK: usize = 64;

/// Every peer that has packets queued is marked once. A mark stays until the list is asked for and the queue is empty then, or the
/// peer is removed: then the inbox tells that it is not marked, and what is left of the mark is removed later.
#[derive(Debug, Default)]
pub(super) struct Ready {
    marks: Vec<Mark>,
    /// How often a packet has come to an empty queue. Wraps around.
    pub(super) serial: u32,
    /// The next mark that [`check_some`](Self::check_some) looks at.
    next: usize,
}

impl Ready {
    /// To be called when a peer was removed, whose mark stays: looks at some of the marks, in turn, and removes those of peers that are
    /// gone. So there are at most about a third more marks than peers, and no call takes long.
    pub(super) fn check_some(&mut self) {
        for _ in 0..CHECKS {
            match self.marks.get(self.next) {
                None => self.next = 0,
                Some(mark) if mark.inbox.lock().is_marked_ready => self.next += 1,
                Some(_) => drop(self.marks.swap_remove(self.next)),
            }
        }
        if self.marks.capacity() > 4 * self.marks.len() + SLACK {
            self.marks.shrink_to(2 * self.marks.len());
        }
    }
}

impl Ready {
    pub(super) fn serial(&self) -> u32 {
        self.serial
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.marks.len()
    }
}

/// To be called before a packet is queued: notes when the first of the packets that are queued came, after so many others, which is
/// counted. Whether the peer is to be marked.
pub(super) fn note_arrival(contents: &mut Contents, serial: &mut u32) -> bool {
    if contents.queue.len() > 0 {
        return false;
    }
    *serial = serial.wrapping_add(1);
    contents.first_serial = *serial;
    !std::mem::replace(&mut contents.is_marked_ready, true)
}

impl Entries {
    /// Adds what a batch has brought.
    pub(super) fn add_ready(&mut self, marks: &[Mark], serial: u32) {
        self.ready.serial = serial;
        self.ready.marks.extend_from_slice(marks);
        if self.ready.marks.len() > 2 * self.table.len() + SLACK {
            self.forget_removed();
        }
    }

    /// Removes the marks of peers that are gone. Gives memory back.
    pub(super) fn forget_removed(&mut self) {
        let Self { table, hasher, ready, .. } = self;
        ready.marks.retain(|mark| super::find_marked(table, hasher, mark).is_some());
        ready.marks.shrink_to(2 * ready.marks.len());
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
            let Some(entry) = super::find_marked(table, hasher, mark) else { return false };
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

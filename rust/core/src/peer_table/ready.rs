//! Marks of the peers that have packets queued.

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
    pub(super) marks: Vec<Mark>,
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

/// To be called before a packet is queued: if it is the first one in the queue, counts it in `serial` and notes that number. Whether
/// the peer is to be marked.
pub(super) fn note_first(contents: &mut Contents, serial: &mut u32) -> bool {
    if contents.queue.len() > 0 {
        return false;
    }
    *serial = serial.wrapping_add(1);
    contents.first_serial = *serial;
    !std::mem::replace(&mut contents.is_marked_ready, true)
}

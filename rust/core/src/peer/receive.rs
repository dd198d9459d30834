//! Receiving: from the socket into the inbox, and out of it.

use super::Peer;
use crate::endpoint::{Budget, Hint, Reader};
use crate::error::{Error, Operation, Reason, Result};
use crate::inbox::{Contents, Taken};
use crate::queue::Packet;
use crate::sys;

impl Peer {
    /// Reads what the socket holds into the queue; how many packets can be taken.
    ///
    /// Reading stops when the queue is full; the rest waits in the kernel. One call reads no more than the kernel's buffer can have
    /// held when it began.
    pub fn poll(&self) -> Result<usize> {
        self.diagnostics.recorded(self.available().ok_or_else(not_open))
    }

    /// How many packets can be taken, all that have arrived included; `None` when the peer is closed. In background mode, and for a
    /// server's peer, all that have been read.
    #[must_use]
    #[inline]
    pub fn available(&self) -> Option<usize> {
        if self.inbox.is_read_externally() { self.inbox.count() } else { self.read_available() }
    }

    #[inline(never)]
    fn read_available(&self) -> Option<usize> {
        let mut budget = Budget::default();
        let mut hint = Hint::Unknown;
        // Each batch is read under locks of its own, so that a full buffer does not keep other threads waiting.
        loop {
            let state = self.state.read();
            let own = state.socket.transport.own()?;
            let progress = own.endpoint.read(Reader::Caller, hint);
            if !budget.allows_more(&progress) {
                return Some(progress.available);
            }
            // After a full batch, asking whether there is more costs as much as finding out by receiving.
            hint = Hint::Readable;
        }
    }

    /// Starts to load what counting and taking packets need of the peer, beside its queue, into the processor's cache.
    pub fn prefetch(&self) {
        sys::prefetch(&self.inbox);
    }

    /// Takes the oldest packet; `Ok(None)` when there is none.
    pub fn take(&self) -> Result<Option<Packet>> {
        self.take_by(Contents::take)
    }

    /// Takes the oldest packet; `Ok(None)` when there is none. A packet of at most `buffer`'s capacity is copied there, which costs
    /// less than sharing the queue's memory if it is small.
    pub fn take_or_copy(&self, buffer: &mut Vec<u8>) -> Result<Option<Taken>> {
        self.take_by(|contents| contents.take_or_copy(buffer))
    }

    fn take_by<T>(&self, mut take: impl FnMut(&mut Contents) -> Option<T>) -> Result<Option<T>> {
        {
            let mut inbox = self.inbox.lock();
            if let Some(packet) = take(&mut inbox) {
                return Ok(Some(packet));
            }
            if !inbox.is_open() {
                drop(inbox);
                return self.diagnostics.recorded(Err(not_open()));
            }
            if self.inbox.is_read_externally() {
                inbox.queue.note_empty_read();
                return Ok(None);
            }
        }
        let mut budget = Budget::default();
        let state = self.state.read();
        if let Some(own) = state.socket.transport.own() {
            // A batch may consist of errors, or of packets from other addresses from before the peer was connected.
            loop {
                let progress = own.endpoint.read(Reader::Caller, Hint::Unknown);
                if progress.available > 0 || !budget.allows_more(&progress) {
                    break;
                }
            }
        }
        drop(state);
        Ok(take(&mut self.inbox.lock()))
    }

    /// Has [`take_pending_signals`](crate::take_pending_signals) return this peer if packets are queued, as if they had just
    /// arrived.
    pub fn mark_queued(&self) {
        self.inbox.mark_queued();
    }

    /// Whether packets have arrived in the background since this was last called, and are still queued: how many can be taken.
    pub fn take_pending_signal(&self) -> Option<usize> {
        let in_background = self.inbox.is_read_externally() && {
            let state = self.state.read();
            state.socket.transport.endpoint().is_some_and(|(endpoint, _)| endpoint.is_in_background())
        };
        self.inbox.take_pending_signal().filter(|_| in_background)
    }
}

fn not_open() -> Error {
    Error::new(Operation::Receive, "", Reason::NotOpen)
}

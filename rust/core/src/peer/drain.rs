//! Taking many packets in one call.

use super::Peer;
use crate::arena_pool::ArenaLease;
use crate::endpoint::{Direct, Hint, Messages, PERSISTENT_ERRORS, Reader, kernel_cost};
use crate::error::{Error, Operation, Reason, Result};
use crate::queue::{Packet, PacketMeta};
use crate::sink::Received;

/// Packets that lie back to back, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct PacketRun<'a> {
    /// Their bytes.
    pub bytes: &'a [u8],
    /// The metadata of each.
    pub metas: &'a [PacketMeta],
    /// How many more packets follow with the next runs, as far as is known, so that room can be made for all at once.
    pub following: usize,
}

impl<'a> PacketRun<'a> {
    /// Each packet by itself.
    pub fn packets(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.bytes;
        self.metas.iter().map(move |meta| {
            let packet;
            (packet, rest) = rest.split_at_checked(meta.length()).unwrap_or_default();
            packet
        })
    }
}

/// Taking many packets, run after run, see [`Peer::take_many`]. No lock is held between two runs. When this is dropped, the
/// metadata of what was taken becomes the peer's [`batch`](Peer::batch). It is to be followed to its end: packets that were read and
/// are not taken by then count as dropped.
///
/// While the queue is empty, packets come straight from where the kernel has put them.
#[derive(Debug)]
pub struct Drain<'a> {
    peer: &'a Peer,
    /// How many packets may still be taken.
    left: usize,
    /// How many bytes may still be taken and read, so that a flood does not keep a call busy that reads the socket.
    budget: usize,
    socket_is_empty: bool,
    /// How many reads in a row have failed.
    errors: u32,
    /// What is known about the socket, if it is not empty.
    hint: Hint,
    metas: Vec<PacketMeta>,
    /// What was taken from the queue last.
    run: Packet,
    /// What was read last, straight from the socket, and how many messages of it have been handed out.
    lease: Option<ArenaLease>,
    direct: Vec<DirectMessage>,
    next: usize,
    /// [`Queue::resets`](crate::queue::Queue::resets) when these were counted.
    resets: u32,
    /// See [`PacketRun::following`].
    following: usize,
    lacks_memory: bool,
}

/// A message, or its beginning, that is handed out without being queued.
#[derive(Clone, Copy, Debug)]
struct DirectMessage {
    slot: usize,
    packets: usize,
    bytes: usize,
    meta: PacketMeta,
}

impl Peer {
    /// Begins to take up to `max` packets (`None`: all there are now).
    pub fn take_many(&self, max: Option<usize>) -> Result<Drain<'_>> {
        let mut inbox = self.inbox.lock();
        let Some(available) = inbox.available() else {
            drop(inbox);
            return self.diagnostics.recorded(Err(Error::new(Operation::Receive, "", Reason::NotOpen)));
        };
        let metas = inbox.take_batch_memory();
        let bound = inbox.queue.bound();
        drop(inbox);
        let is_read_externally = self.inbox.is_read_externally();
        let (most, budget) = if is_read_externally {
            // What is queued now is bounded, and what follows is not taken.
            (available, usize::MAX)
        } else {
            let read_limit = self.state.read().socket.transport.own().map_or(0, |own| own.endpoint.read_limit());
            (usize::MAX, bound.saturating_add(read_limit))
        };
        Ok(Drain {
            peer: self,
            left: max.map_or(most, |max| max.min(most)),
            budget,
            socket_is_empty: is_read_externally,
            errors: 0,
            hint: Hint::Unknown,
            metas,
            run: Packet::default(),
            lease: None,
            direct: Vec::new(),
            next: 0,
            resets: 0,
            following: 0,
            lacks_memory: false,
        })
    }
}

impl Drain<'_> {
    /// The next packets; `None` when there are no more, or when there is no memory for their metadata. Then
    /// [`last_error`](Peer::last_error) says so; packets that were queued stay so, the others count as dropped.
    #[expect(clippy::should_implement_trait, reason = "an iterator's items could not borrow from it")]
    pub fn next(&mut self) -> Option<PacketRun<'_>> {
        let taken = self.metas.len();
        loop {
            if let Some(message) = self.direct.get(self.next).copied() {
                self.next += 1;
                return self.run_of(message);
            }
            if self.take_from_queue()? {
                let metas = self.metas.get(taken..).unwrap_or_default();
                return Some(PacketRun { bytes: &self.run, metas, following: self.following });
            }
            if !self.read_direct() {
                return None;
            }
        }
    }

    /// Whether there were any. `None` when as many were taken as were asked for.
    fn take_from_queue(&mut self) -> Option<bool> {
        if self.left == 0 {
            return None;
        }
        let taken = self.metas.len();
        let mut inbox = self.peer.inbox.lock();
        inbox.queue.promote();
        let Some(run) = inbox.queue.pop_run(self.left, &mut self.metas) else {
            if inbox.queue.len() > 0 {
                drop(inbox);
                self.note_missing_memory();
                return None;
            }
            if self.socket_is_empty && taken == 0 {
                inbox.queue.note_empty_read();
            }
            return Some(false);
        };
        inbox.set_last_taken(self.metas.last().copied());
        self.following = inbox.queue.len().min(self.left - (self.metas.len() - taken));
        drop(inbox);
        self.left -= self.metas.len() - taken;
        self.spend(kernel_cost(run.len()));
        self.run = run;
        Some(true)
    }

    /// Reads a batch from the socket to hand it out as it is. What is more than may be taken goes to the queue. Whether to go on.
    fn read_direct(&mut self) -> bool {
        if self.socket_is_empty || self.left == 0 {
            return false;
        }
        let peer = self.peer;
        let state = peer.state.read();
        let Some(own) = state.socket.transport.own() else { return false };
        if peer.incoming.get().is_some_and(|incoming| incoming.is_active()) {
            // What is received may have to be held back, so it comes by way of the queue.
            let progress = own.endpoint.read(Reader::Caller, self.hint);
            self.errors = if progress.has_failed { self.errors + 1 } else { 0 };
            self.socket_is_empty = progress.is_last || self.errors >= PERSISTENT_ERRORS;
            self.hint = Hint::Readable;
            self.spend(progress.cost());
            return true;
        }
        self.direct.clear();
        self.next = 0;
        let most = self.left;
        let adopt = |messages: &Messages<'_>| peer.adopt(messages, &mut self.left, &mut self.direct);
        match own.endpoint.read_direct(self.lease.get_or_insert_with(ArenaLease::get), most, self.hint, adopt) {
            // Another thread has read them meanwhile.
            Direct::Queued => true,
            Direct::Nothing => false,
            Direct::Messages { adopted: (following, resets), more, has_failed, cost } => {
                (self.following, self.resets) = (following, resets);
                self.errors = if has_failed { self.errors + 1 } else { 0 };
                self.socket_is_empty = !more || self.errors >= PERSISTENT_ERRORS;
                // After a full batch, asking whether there is more costs as much as finding out by receiving.
                self.hint = Hint::Readable;
                self.spend(cost);
                true
            }
        }
    }

    fn run_of(&mut self, message: DirectMessage) -> Option<PacketRun<'_>> {
        if self.metas.try_reserve(message.packets).is_err() {
            self.next -= 1;
            self.left = 0;
            self.note_missing_memory();
            return None;
        }
        let bytes = self.lease.as_ref().map_or(&[][..], |lease| lease.bytes(message.slot));
        let bytes = bytes.get(..message.bytes).unwrap_or_default();
        let taken = self.metas.len();
        self.metas.resize(taken + message.packets, message.meta);
        if let Some(last) = self.metas.last_mut() {
            *last = message.last_meta();
        }
        self.following -= message.packets;
        let metas = self.metas.get(taken..).unwrap_or_default();
        Some(PacketRun { bytes, metas, following: self.following })
    }

    /// Whether it has ended because there was no memory for the metadata of more packets.
    #[must_use]
    pub fn lacks_memory(&self) -> bool {
        self.lacks_memory
    }

    fn note_missing_memory(&mut self) {
        self.lacks_memory = true;
        self.peer.diagnostics.record(&Error::new(Operation::Receive, "", Reason::OutOfMemory));
    }

    fn spend(&mut self, cost: usize) {
        self.budget = self.budget.saturating_sub(cost);
        if self.budget == 0 {
            self.left = 0;
        }
    }
}

impl DirectMessage {
    /// The first `packets` datagrams of a message.
    fn new(message: &Received<'_>, packets: usize) -> Self {
        Self { slot: message.slot, packets, bytes: message.length_of(packets), meta: message.meta }
    }

    /// Of the last datagram, which may be shorter than the others.
    fn last_meta(&self) -> PacketMeta {
        self.meta.with_length(self.bytes - (self.packets - 1) * self.meta.length())
    }
}

impl Peer {
    /// Sorts out which of the messages that were read are handed out, of at most `left` packets, and queues the rest. How many
    /// packets are handed out, [`Queue::resets`](crate::queue::Queue::resets) then, and whether any was queued.
    fn adopt(
        &self,
        messages: &Messages<'_>,
        left: &mut usize,
        direct: &mut Vec<DirectMessage>,
    ) -> ((usize, u32), bool) {
        let mut handed_out = 0;
        let mut any_queued = false;
        let mut inbox = self.inbox.lock();
        for message in &messages.accepted {
            let count = message.count();
            let packets = count.min(*left);
            *left -= packets;
            handed_out += packets;
            if packets > 0 {
                let taken = DirectMessage::new(message, packets);
                inbox.queue.counts().add_many(packets, taken.bytes);
                inbox.set_last_taken(Some(taken.last_meta()));
                direct.push(taken);
            }
            if packets < count {
                inbox.file(message, packets);
                any_queued = true;
            }
        }
        ((handed_out, inbox.queue.resets()), any_queued)
    }
}

impl Drop for Drain<'_> {
    fn drop(&mut self) {
        let untaken = self.direct.get(self.next..).unwrap_or_default();
        let packets = untaken.iter().map(|message| message.packets).sum();
        let bytes = untaken.iter().map(|message| message.bytes).sum();
        let mut inbox = self.peer.inbox.lock();
        inbox.queue.discard_taken(packets, bytes, self.resets);
        inbox.set_batch(std::mem::take(&mut self.metas));
    }
}

//! The inbox of one peer: what has been received and not yet taken, and what was taken last.

use std::ops::{Deref, DerefMut};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use crate::arrivals::ArrivalId;
use crate::locks::{Mutex, MutexGuard, rank};
use crate::pending_signals;
use crate::queue::{MAX_EMPTY_READS, OverflowPolicy, Packet, PacketMeta, Queue};
use crate::sink::{Batch, Delivery, Demand, Received, Sink, Wake};
use crate::sys::{self, Source};

/// The size of messages beyond which the lock is offered to other threads after each of them.
const LARGE_MESSAGE: usize = 2_048;

/// [`Inbox::count`] needs the lock: what was kept aside may fit by now.
const ASK: u32 = u32::MAX;

/// The peer is closed.
const CLOSED: u32 = u32::MAX - 1;

/// How many bytes of an inbox, from its start on, delivering a packet needs, and taking it.
const HOT: usize = 312;

/// What an [`Arc`] keeps before its contents, in bytes.
const ARC_COUNTS: usize = 2 * size_of::<usize>();

/// The [sink](Sink) of one peer.
#[derive(Debug)]
// What delivering and taking a packet needs comes first, and the counts of the `Arc` lie before it: with thousands of peers of a server,
// none is in the processor's cache.
#[repr(C)]
pub(crate) struct Inbox {
    /// How many packets can be taken, [`CLOSED`], or [`ASK`].
    published: AtomicU32,
    /// Where the server last received a packet for this peer, if it is told: the bits of an [`ArrivalId`].
    arrival: AtomicU32,
    /// What [`pending_signals`] calls this peer.
    token: OnceLock<u64>,
    /// Whether packets come without this peer reading a socket: by the reactor, or by the server that the peer belongs to. A
    /// stale answer does no harm, since any thread may read the queue and the socket.
    is_read_externally: AtomicBool,
    /// How often in a row [`count`](Self::count) has found the queue empty. Threads that ask at the same moment may count as one.
    empty_counts: AtomicU8,
    contents: Mutex<Contents, { rank::INBOX }>,
}

/// What the lock of an inbox guards.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Contents {
    is_open: bool,
    /// Whether this peer is marked in [`pending_signals`].
    has_pending_signal: bool,
    /// Whether the server has this peer in its list of those that have packets queued.
    pub(crate) is_marked_ready: bool,
    drop_notice: DropNotice,
    /// How many packets had come to empty queues of the server's peers when the first of those that are queued now did.
    pub(crate) first_serial: u32,
    /// When the server last received a packet for this peer, also one that was dropped, or when the peer was accepted, if that was
    /// later. In microseconds, as packets' times.
    last_received: u64,
    /// The packet that was taken last.
    last_taken: Option<PacketMeta>,
    pub(crate) queue: Queue,
    /// The packets that were taken by the last call that takes many.
    batch: Option<Arc<Vec<PacketMeta>>>,
}

/// How far it is known that the queue has dropped a packet since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum DropNotice {
    #[default]
    None,
    /// The peer was marked for it in [`pending_signals`].
    Marked,
    Taken,
}

/// A packet that was taken by [`Peer::take_or_copy`](crate::Peer::take_or_copy).
#[derive(Debug)]
pub enum Taken {
    /// Its bytes are in the buffer.
    Copied,
    /// Its bytes are in the queue's memory.
    Shared(Packet),
}

/// The lock of an inbox. When it is given back, [`Inbox::count`] tells what was changed.
pub(crate) struct ContentsGuard<'a> {
    contents: MutexGuard<'a, Contents, { rank::INBOX }>,
    inbox: &'a Inbox,
}

impl ContentsGuard<'_> {
    /// Offers the lock to other threads.
    fn bump(guard: &mut Self) {
        guard.publish();
        MutexGuard::bump(&mut guard.contents);
    }

    fn publish(&self) {
        let published = self.contents.published();
        self.inbox.published.store(published, Ordering::Release);
        if published > 0 {
            self.inbox.empty_counts.store(0, Ordering::Relaxed);
        }
    }

    /// Marks the peer for the first drop of its queue.
    #[cold]
    fn mark_drop(&mut self) {
        if let Some(token) = self.inbox.token.get() {
            self.contents.drop_notice = DropNotice::Marked;
            pending_signals::mark(std::slice::from_ref(token));
        }
    }
}

impl Deref for ContentsGuard<'_> {
    type Target = Contents;

    fn deref(&self) -> &Contents {
        &self.contents
    }
}

impl DerefMut for ContentsGuard<'_> {
    fn deref_mut(&mut self) -> &mut Contents {
        &mut self.contents
    }
}

impl Drop for ContentsGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // Before the lock is given back, so that the last change is published last.
        self.publish();
        if self.contents.queue.has_dropped() && self.contents.drop_notice == DropNotice::None {
            self.mark_drop();
        }
    }
}

impl Inbox {
    /// The inbox of a peer that a server has for the sender of a packet, with a queue of so many bytes, or of the default size.
    pub(crate) fn accepted(packet: PacketMeta, queue_size: usize) -> Arc<Self> {
        let mut queue = Queue::default();
        queue.reset(0);
        queue.set_size(queue_size);
        queue.set_low_memory(true);
        // Before the first packet is taken, the sender is known all the same.
        let last_taken = Some(PacketMeta::new(0, packet.sender(), 0));
        Arc::new(Self {
            published: AtomicU32::new(0),
            empty_counts: AtomicU8::new(0),
            arrival: AtomicU32::new(packet.arrival().to_bits()),
            contents: Mutex::new(Contents { is_open: true, queue, last_taken, ..Contents::default() }),
            is_read_externally: AtomicBool::new(true),
            token: OnceLock::new(),
        })
    }

    /// Starts to load what delivering and taking a packet needs into the processor's cache.
    pub(crate) fn prefetch(&self) {
        sys::prefetch_memory(ptr::from_ref(self).cast::<u8>().wrapping_sub(ARC_COUNTS), ARC_COUNTS + HOT);
    }

    pub(crate) fn lock(&self) -> ContentsGuard<'_> {
        ContentsGuard { contents: self.contents.lock(), inbox: self }
    }

    /// Notes where a packet for this peer has arrived.
    pub(crate) fn note_arrival(&self, arrival: ArrivalId) {
        if !arrival.is_none() {
            self.arrival.store(arrival.to_bits(), Ordering::Relaxed);
        }
    }

    /// Whether it is known where a packet for this peer has arrived.
    pub(crate) fn has_arrival(&self) -> bool {
        !ArrivalId::from_bits(self.arrival.load(Ordering::Relaxed)).is_none()
    }

    /// What an answer to the peer's client is sent from: the address that the client's latest packet was sent to. `None` where the system
    /// decides.
    pub(crate) fn answer_from(&self) -> Option<Source> {
        ArrivalId::from_bits(self.arrival.load(Ordering::Relaxed)).answer()
    }

    pub(crate) fn try_lock(&self) -> Option<ContentsGuard<'_>> {
        Some(ContentsGuard { contents: self.contents.try_lock()?, inbox: self })
    }

    /// How many packets can be taken without reading a socket; `None` when the peer is closed. Takes the lock only where there is
    /// overflow, or when the queue was found empty so often that it gives its memory back.
    #[inline]
    pub(crate) fn count(&self) -> Option<usize> {
        match self.published.load(Ordering::Acquire) {
            0 => {
                let empty_counts = self.empty_counts.load(Ordering::Relaxed).saturating_add(1);
                self.empty_counts.store(empty_counts, Ordering::Relaxed);
                if empty_counts == MAX_EMPTY_READS { self.count_and_shrink() } else { Some(0) }
            }
            CLOSED => None,
            ASK => self.lock().available(),
            count => Some(count as usize),
        }
    }

    #[cold]
    #[inline(never)]
    fn count_and_shrink(&self) -> Option<usize> {
        let mut contents = self.lock();
        contents.queue.shrink_if_empty();
        contents.available()
    }

    /// Opens an empty queue of `queue_size` bytes; with 0, of what `recv_buf_size` asks for.
    pub(crate) fn open(&self, recv_buf_size: usize, queue_size: usize) {
        let mut contents = self.lock();
        contents.queue.reset(recv_buf_size);
        contents.queue.set_size(queue_size);
        contents.queue.forget_drops();
        contents.drop_notice = DropNotice::None;
        contents.is_open = true;
    }

    /// Whether anything may be queued. For a thread that keeps others from adding.
    pub(crate) fn may_have_queued(&self) -> bool {
        !matches!(self.published.load(Ordering::Acquire), 0 | CLOSED)
    }

    /// Drops what is queued. What was taken last is kept.
    pub(crate) fn close(&self) {
        self.set_read_externally(false);
        let mut contents = self.lock();
        contents.queue.reset(0);
        contents.is_open = false;
    }

    pub(crate) fn is_read_externally(&self) -> bool {
        self.is_read_externally.load(Ordering::Relaxed)
    }

    pub(crate) fn set_read_externally(&self, externally: bool) {
        self.is_read_externally.store(externally, Ordering::Relaxed);
    }

    /// Lets the peer be marked in [`pending_signals`] by this token. The first one stays.
    pub(crate) fn set_token(&self, token: u64) {
        // A second thread that comes here at the same time brings the same token.
        let _ = self.token.set(token);
        // A queue that has dropped before is marked when its lock is given back.
        drop(self.lock());
    }

    pub(crate) fn token(&self) -> Option<u64> {
        self.token.get().copied()
    }

    /// Whether the queue has dropped a packet since it was opened. `true` once.
    pub(crate) fn take_drop_notice(&self) -> bool {
        let mut contents = self.lock();
        let is_new = contents.queue.has_dropped() && contents.drop_notice != DropNotice::Taken;
        if is_new {
            contents.drop_notice = DropNotice::Taken;
        }
        is_new
    }

    /// Marks the peer as having a signal to emit, if packets are queued.
    pub(crate) fn mark_queued(&self) {
        let token = {
            let mut contents = self.lock();
            if contents.queue.len() == 0 { None } else { self.take_mark(&mut contents) }
        };
        pending_signals::mark(token.as_slice());
    }

    /// Marks the peer as having a signal of another kind to emit.
    pub(crate) fn mark(&self) {
        pending_signals::mark(self.token.get().map_or(&[], std::slice::from_ref));
    }

    /// Whether packets have arrived without being read by a call of this peer since this was last called, and are still queued: how
    /// many can be taken.
    pub(crate) fn take_pending_signal(&self) -> Option<usize> {
        let mut contents = self.lock();
        let is_pending = std::mem::take(&mut contents.has_pending_signal);
        contents.available().filter(|count| is_pending && *count > 0)
    }

    /// The token to mark the peer by, unless it is marked already or has no token yet.
    pub(crate) fn take_mark(&self, contents: &mut Contents) -> Option<u64> {
        let token = self.token.get().filter(|_| !contents.has_pending_signal)?;
        contents.has_pending_signal = true;
        Some(*token)
    }
}

impl Default for Inbox {
    /// A closed one.
    fn default() -> Self {
        Self {
            published: AtomicU32::new(CLOSED),
            empty_counts: AtomicU8::new(0),
            arrival: AtomicU32::default(),
            contents: Mutex::default(),
            is_read_externally: AtomicBool::new(false),
            token: OnceLock::new(),
        }
    }
}

impl Contents {
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// What [`Inbox::count`] is to find.
    fn published(&self) -> u32 {
        match u32::try_from(self.queue.len()) {
            _ if !self.is_open => CLOSED,
            Ok(count) if self.queue.has_no_overflow() && count < CLOSED => count,
            _ => ASK,
        }
    }

    /// How many packets can be taken; `None` when the peer is closed.
    #[inline]
    pub(crate) fn available(&mut self) -> Option<usize> {
        self.queue.promote();
        self.is_open.then(|| self.queue.len())
    }

    /// Takes the oldest packet.
    pub(crate) fn take(&mut self) -> Option<Packet> {
        if self.queue.len() == 0 {
            self.queue.promote();
        }
        let (packet, meta) = self.queue.pop()?;
        self.last_taken = Some(meta);
        Some(packet)
    }

    /// Takes the oldest packet. A small one is copied, see [`Queue::pop_or_copy`].
    #[inline]
    pub(crate) fn take_or_copy(&mut self, buffer: &mut Vec<u8>) -> Option<Taken> {
        if self.queue.len() == 0 {
            self.queue.promote();
        }
        let (packet, meta) = self.queue.pop_or_copy(buffer)?;
        self.last_taken = Some(meta);
        Some(packet.map_or(Taken::Copied, Taken::Shared))
    }

    /// Drops all that is queued. It counts as dropped by the queue, and what was read and kept aside for want of room does too.
    pub(crate) fn discard_queued(&mut self) {
        self.queue.discard_all();
    }

    pub(crate) fn last_taken(&self) -> Option<PacketMeta> {
        self.last_taken
    }

    pub(crate) fn set_last_taken(&mut self, meta: Option<PacketMeta>) {
        if meta.is_some() {
            self.last_taken = meta;
        }
    }

    pub(crate) fn batch(&self) -> Option<Arc<Vec<PacketMeta>>> {
        self.batch.clone()
    }

    /// An empty list for the metadata of the next batch, in the memory of the last one if no other thread uses that.
    pub(crate) fn take_batch_memory(&mut self) -> Vec<PacketMeta> {
        let mut metas = self.batch.take().and_then(Arc::into_inner).unwrap_or_default();
        metas.clear();
        metas
    }

    pub(crate) fn set_batch(&mut self, mut metas: Vec<PacketMeta>) {
        // Memory that is left over after a burst is given back.
        let slack = if self.queue.is_low_memory() { 16 } else { 256 };
        if metas.capacity() > 4 * metas.len() + slack {
            metas.shrink_to(2 * metas.len());
        }
        self.batch = Some(Arc::new(metas));
    }

    pub(crate) fn last_received(&self) -> u64 {
        self.last_received
    }

    /// Counts as having received something at `time`, unless it has later; when it last has.
    pub(crate) fn note_received(&mut self, time: u64) -> u64 {
        self.last_received = self.last_received.max(time);
        self.last_received
    }

    /// Counts a message as dropped that has come to a closed peer.
    pub(crate) fn count_as_dropped(&mut self, message: &Received<'_>) {
        self.queue.counts().dropped += message.count() as u64;
    }

    /// Queues the datagrams of a message, from number `from` on. What does not fit is kept aside, or the oldest packets are
    /// dropped, as the policy says.
    pub(crate) fn file(&mut self, message: &Received<'_>, from: usize) {
        if self.queue.policy() == OverflowPolicy::DropOldest {
            self.file_or_drop(message, from);
        } else {
            message.datagrams(from).for_each(|(datagram, meta)| self.queue.push_or_overflow(datagram, meta));
        }
    }

    /// The same, but what does not fit is dropped, or the oldest packets are.
    pub(crate) fn file_or_drop(&mut self, message: &Received<'_>, from: usize) {
        message.datagrams(from).for_each(|(datagram, meta)| self.queue.push_or_drop(datagram, meta));
    }
}

impl Sink for Inbox {
    fn demand(&self) -> Demand {
        let mut contents = self.lock();
        contents.queue.promote();
        let available = contents.queue.len();
        if available == 0 {
            contents.queue.note_empty_read();
        }
        let room = match contents.queue.policy() {
            OverflowPolicy::DropNewest => contents.queue.room(),
            OverflowPolicy::DropOldest => Some(usize::MAX),
        };
        Demand { available, room, least_cost: 0, is_due: false }
    }

    fn deliver(&self, batch: &Batch<'_>) -> Delivery {
        let mut contents = self.lock();
        for message in &batch.messages {
            // A closed peer holds nothing. The endpoint that has read this batch is being closed.
            if !contents.is_open() {
                contents.count_as_dropped(message);
                continue;
            }
            if batch.in_background {
                contents.file_or_drop(message, 0);
            } else {
                contents.file(message, 0);
            }
            // A thread that wants a packet need not wait for the whole batch.
            if batch.in_background && message.bytes.len() > LARGE_MESSAGE {
                ContentsGuard::bump(&mut contents);
            }
        }
        let available = contents.queue.len();
        let token = if batch.in_background { self.take_mark(&mut contents) } else { None };
        drop(contents);
        pending_signals::mark(token.as_slice());
        Delivery { available, wake: Wake::All, next_due: None }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn what_comes_while_the_peer_is_being_closed_counts_as_dropped() {
        let inbox = Inbox::default();
        inbox.open(0, 0);
        let deliver = || {
            let meta = PacketMeta::new(3, SocketAddr::from(([127, 0, 0, 1], 1)), 0);
            let received = Received { bytes: b"abcabc", meta, slot: 0 };
            for in_background in [false, true] {
                inbox.deliver(&Batch { messages: [received, received].into_iter().collect(), in_background });
            }
        };
        deliver();
        inbox.close();
        deliver();
        let counts = *inbox.lock().queue.counts();
        assert_eq!((counts.packets, counts.bytes, counts.dropped), (8, 24, 8));
        assert!(!inbox.take_drop_notice(), "a larger queue would not have helped");
        assert_eq!(inbox.count(), None);
    }
}

//! The packets that were received and not yet taken, in order of arrival and bounded in bytes.
//!
//! | module | what it has |
//! |---|---|
//! | [`meta`] | sender, time and length of a packet, and the form in which they are queued |
//! | [`arrivals`] | where the packets have arrived |
//! | [`chunk`] | the memory for payloads; a [`Packet`] that is taken shares it instead of copying |
//! | [`limit`] | how many bytes the queue may hold, and dropping what is queued |

mod arrivals;
mod chunk;
mod limit;
mod meta;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::mem;

use arrivals::Arrivals;
pub use chunk::Packet;
use chunk::{CHUNK_SIZES, Chunk, PACKETS_PER_CHUNK};
pub(crate) use meta::RemoteAddr;
use meta::{Header, OVERHEAD, cost};
pub use meta::{MAX_DATAGRAM, PacketMeta};

use crate::arrivals::ArrivalId;

/// The size of the smallest ring. Peers that were not opened by `bind` have it too.
const MIN_RING: usize = 65_536;

/// The size of the largest ring that can be asked for: the next power of two above 1 GiB.
const MAX_RING: usize = 1 << 31;

/// How many empty chunks are kept for reuse: one to be filled next, and those that one thread may have packets of.
const MAX_SPARES: usize = 5;

/// A queue that holds this much memory or less, in bytes, gives none back when it becomes empty.
const KEPT_MEMORY: usize = 4_096;

/// After how many reads in a row that find the queue empty it gives all its memory back: about a second at 60 frames
/// per second.
pub(crate) const MAX_EMPTY_READS: u8 = 64;

/// Which packets a full queue drops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OverflowPolicy {
    /// The packet that arrives.
    #[default]
    DropNewest,
    /// The packets that were queued first.
    DropOldest,
}

/// How many packets and bytes have entered a queue, and how many packets it has dropped.
///
/// A packet that enters and is dropped later counts as dropped only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct QueueCounts {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) dropped: u64,
}

impl QueueCounts {
    pub(crate) fn add(&mut self, length: usize) {
        self.add_many(1, length);
    }

    pub(crate) fn add_many(&mut self, packets: usize, bytes: usize) {
        self.packets += packets as u64;
        self.bytes += bytes as u64;
    }

    /// Adds the difference between two states of other counts.
    pub(crate) fn add_change(&mut self, before: Self, after: Self) {
        // Negative differences occur: a queue that drops old packets may have fewer packets afterwards.
        let add = |sum: &mut u64, before, after: u64| *sum = sum.wrapping_add(after.wrapping_sub(before));
        add(&mut self.packets, before.packets, after.packets);
        add(&mut self.bytes, before.bytes, after.bytes);
        add(&mut self.dropped, before.dropped, after.dropped);
    }

    /// Counts packets that had entered as dropped.
    fn discard(&mut self, packets: usize, bytes: usize) {
        self.packets -= packets as u64;
        self.bytes -= bytes as u64;
        self.dropped += packets as u64;
    }
}

/// Packets in order of arrival, bounded in bytes. Allocates memory as packets arrive, and gives it back after a burst.
///
/// The fields that adding and taking a packet need come first and close together: with thousands of peers of a server, each
/// packet is in another queue, none of which is in the processor's cache.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Queue {
    /// How many packets can be taken.
    available: u32,
    /// How many packets behind these were read but exceed the bound. They cannot be taken and are not counted until
    /// [`promote`](Self::promote) finds room for them, as if they were still in the kernel's buffer.
    overflow: u32,
    /// The largest value of `used` since the queue was last empty.
    peak: u32,
    /// How many reads in a row have found the queue empty.
    empty_reads: u8,
    policy: OverflowPolicy,
    /// Whether the queue keeps at most [`KEPT_MEMORY`] when it becomes empty. For the peers of a server, of which there
    /// may be thousands.
    low_memory: bool,
    /// Whether the queue has dropped a packet for want of room since this was last [set](Self::forget_drops) to `false`.
    has_dropped: bool,
    /// What the available packets cost.
    used: usize,
    /// What the available packets may cost at most.
    bound: usize,
    /// The time of arrival of the packet that was taken last.
    front_time: u64,
    /// The time of arrival of the packet that was added last.
    back_time: u64,
    /// How many of the available packets, from the oldest on, were counted before the counts were last reset.
    counted_before: u32,
    /// The same for the sum over all peers of a server, which is reset by itself.
    summed_before: u32,
    /// The newest packets.
    last: Chunk,
    /// The chunks before `last`. Each has at least one packet that was not taken.
    chunks: VecDeque<Chunk>,
    arrivals: Arrivals,
    counts: QueueCounts,
    /// Chunks without remaining packets, for reuse.
    spares: Vec<Chunk>,
    /// Where the overflow begins: the index of its chunk (`chunks.len()` is `last`), and the index of the packet there.
    overflow_start: (usize, usize),
    /// What was counted before the counts were last reset.
    before_reset: QueueCounts,
    /// How often the counts were reset.
    resets: u32,
    /// The packets that were dropped after the sum over all peers of a server was reset, and had entered before.
    dropped_from_before: QueueCounts,
    /// The bound that follows from the `recv_buf_size` of `bind`.
    default_bound: usize,
}

impl Queue {
    /// Empties the queue, gives its memory back, switches low memory off, and sets the bound from the `recv_buf_size`
    /// of `bind`, in bytes.
    ///
    /// As in the engine, this gives a ring of the next power of two above `recv_buf_size`, of which one byte stays
    /// free.
    pub(crate) fn reset(&mut self, recv_buf_size: usize) {
        let ring = (recv_buf_size.min(MAX_RING - 1) + 1).next_power_of_two().max(MIN_RING);
        self.default_bound = ring - 1;
        self.bound = self.default_bound;
        self.low_memory = false;
        self.clear();
    }

    /// Empties the queue and gives its memory back.
    pub(crate) fn clear(&mut self) {
        let Self { policy, low_memory, has_dropped, bound, counts, before_reset, resets, .. } = *self;
        let Self { dropped_from_before, default_bound, .. } = *self;
        let kept = Self { policy, low_memory, has_dropped, bound, counts, before_reset, resets, ..Self::default() };
        *self = Self { dropped_from_before, default_bound, ..kept };
    }

    /// Sets whether the queue keeps at most 4,096 bytes of memory when it becomes empty.
    pub(crate) fn set_low_memory(&mut self, low_memory: bool) {
        self.low_memory = low_memory;
    }

    pub(crate) fn is_low_memory(&self) -> bool {
        self.low_memory
    }

    /// What the available packets may cost together: each its length and 24 bytes.
    pub(crate) fn bound(&self) -> usize {
        self.bound
    }

    pub(crate) fn policy(&self) -> OverflowPolicy {
        self.policy
    }

    pub(crate) fn set_policy(&mut self, policy: OverflowPolicy) {
        self.policy = policy;
    }

    /// The counts since the last reset.
    pub(crate) fn counts(&mut self) -> &mut QueueCounts {
        &mut self.counts
    }

    /// Counts for [`QueueCounts::add_change`]: the change while packets are added is right even if the counts were
    /// reset in between or old packets are dropped that were counted before.
    pub(crate) fn tally(&self) -> QueueCounts {
        // Only DropOldest changes what `full_tally` reads, which is less likely to be in the processor's cache.
        if self.policy == OverflowPolicy::DropOldest { self.full_tally() } else { self.counts }
    }

    /// The same for changes of any kind. A packet that entered before the sum was [reset](Self::note_sum_reset) stays in that
    /// sum, so it is not taken off the next one when it is dropped.
    pub(crate) fn full_tally(&self) -> QueueCounts {
        let mut tally = self.total_counts();
        tally.packets += self.dropped_from_before.packets;
        tally.bytes += self.dropped_from_before.bytes;
        tally
    }

    /// To be called when the sum over all peers of a server is reset.
    pub(crate) fn note_sum_reset(&mut self) {
        self.summed_before = self.available;
    }

    /// The counts since the queue was created.
    pub(crate) fn total_counts(&self) -> QueueCounts {
        let QueueCounts { packets, bytes, dropped } = self.counts;
        let before = self.before_reset;
        QueueCounts {
            packets: before.packets + packets,
            bytes: before.bytes + bytes,
            dropped: before.dropped + dropped,
        }
    }

    /// Sets the counts to zero.
    pub(crate) fn reset_counts(&mut self) {
        self.before_reset = self.total_counts();
        self.counts = QueueCounts::default();
        self.counted_before = self.available;
        self.resets = self.resets.wrapping_add(1);
    }

    /// How often the counts were reset, for [`discard_taken`](Self::discard_taken).
    pub(crate) fn resets(&self) -> u32 {
        self.resets
    }

    /// Counts packets as dropped that were counted as received when there had been so many resets, without being queued.
    pub(crate) fn discard_taken(&mut self, packets: usize, bytes: usize, resets: u32) {
        if resets == self.resets {
            self.counts.discard(packets, bytes);
        } else {
            self.discard_from_before(packets, bytes);
        }
    }

    /// Counts packets as dropped now that had entered before the counts were reset.
    fn discard_from_before(&mut self, packets: usize, bytes: usize) {
        self.before_reset.packets -= packets as u64;
        self.before_reset.bytes -= bytes as u64;
        self.counts.dropped += packets as u64;
    }

    /// How many packets can be taken.
    pub(crate) fn len(&self) -> usize {
        self.available as usize
    }

    /// Whether every packet can be taken.
    pub(crate) fn has_no_overflow(&self) -> bool {
        self.overflow == 0
    }

    /// How many bytes the queue has room for; `None` if there is overflow.
    pub(crate) fn room(&self) -> Option<usize> {
        (self.overflow == 0).then(|| self.bound.saturating_sub(self.used))
    }

    /// Loads what adding a packet needs into the processor's cache.
    pub(crate) fn prefetch(&self) {
        self.last.prefetch();
    }

    /// Makes packets of the overflow available, oldest first, while they fit.
    pub(crate) fn promote(&mut self) {
        while self.overflow > 0 {
            let (chunk, index) = self.overflow_start;
            let Some(header) = self.chunks.get(chunk).unwrap_or(&self.last).header(index) else {
                // The end of the chunk: continue with the next one.
                self.overflow_start = (chunk + 1, 0);
                continue;
            };
            let length = header.length();
            if !self.fits(length) {
                return;
            }
            self.overflow -= 1;
            self.overflow_start.1 += 1;
            self.count_entry(length);
        }
    }

    /// Adds a packet. If it does not fit, or there is overflow already, it becomes overflow. If there is no memory for it, it is
    /// dropped.
    pub(crate) fn push_or_overflow(&mut self, payload: &[u8], meta: PacketMeta) {
        let enters = self.overflow == 0 && self.fits(payload.len());
        if !self.store(payload, meta) {
            self.counts.dropped += 1;
            return;
        }
        if enters {
            self.count_entry(payload.len());
            return;
        }
        if self.overflow == 0 {
            self.overflow_start = (self.chunks.len(), self.last.len() - 1);
        }
        self.overflow += 1;
    }

    /// Adds a packet. If it does not fit, the [policy](Self::policy) decides: either this packet is dropped, or the
    /// oldest ones until it fits. Overflow comes first, and is subject to the same policy. If there is no memory for the packet, it
    /// is dropped.
    pub(crate) fn push_or_drop(&mut self, payload: &[u8], meta: PacketMeta) {
        self.promote();
        if self.policy == OverflowPolicy::DropOldest {
            while self.overflow > 0 || !self.fits(payload.len()) {
                self.has_dropped = true;
                self.drop_oldest();
                self.promote();
            }
        } else if self.overflow > 0 || !self.fits(payload.len()) {
            self.has_dropped = true;
            self.counts.dropped += 1;
            return;
        }
        if self.store(payload, meta) {
            self.count_entry(payload.len());
        } else {
            self.counts.dropped += 1;
        }
    }

    /// Takes the oldest packet.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<(Packet, PacketMeta)> {
        if self.available == 0 {
            return None;
        }
        let (packet, header) = self.front_mut().take()?;
        self.front_time = header.time_after(self.front_time);
        self.count_exit(1, packet.len());
        let arrival = self.arrivals.pop();
        Some((packet, header.at(self.front_time, arrival)))
    }

    /// Takes the oldest packet. One of at most `buffer`'s capacity is copied there, and then there is no [`Packet`]: for a small
    /// packet that costs less than sharing the memory does, which takes two atomic operations.
    #[inline]
    pub(crate) fn pop_or_copy(&mut self, buffer: &mut Vec<u8>) -> Option<(Option<Packet>, PacketMeta)> {
        if self.available == 0 {
            return None;
        }
        let chunk = self.front_mut();
        if chunk.next_length()? > buffer.capacity() {
            return self.pop().map(|(packet, meta)| (Some(packet), meta));
        }
        let header = chunk.copy_next(buffer)?;
        self.front_time = header.time_after(self.front_time);
        self.count_exit(1, header.length());
        let arrival = self.arrivals.pop();
        Some((None, header.at(self.front_time, arrival)))
    }

    /// Takes up to `max` of the oldest packets, as many as are stored back to back. Returns their payloads as one
    /// packet and appends the metadata of each to `metas`; `None` if there is no packet or `max` is 0. As many fewer as there is no
    /// memory for in `metas`.
    pub(crate) fn pop_run(&mut self, max: usize, metas: &mut Vec<PacketMeta>) -> Option<Packet> {
        let max = max.min(self.len()).min(PACKETS_PER_CHUNK);
        let max = if metas.try_reserve(max).is_ok() { max } else { max.min(metas.capacity() - metas.len()) };
        let mut time = self.front_time;
        let Self { chunks, last, arrivals, .. } = self;
        let (packet, headers) = chunks.front_mut().unwrap_or(last).take_run(max)?;
        let count = headers.len();
        let mut meta = |header: &Header, arrival| {
            time = header.time_after(time);
            header.at(time, arrival)
        };
        // Most queues are not told any, which is then asked once.
        if arrivals.are_none() {
            metas.extend(headers.iter().map(|header| meta(header, ArrivalId::NONE)));
        } else {
            metas.extend(headers.iter().map(|header| meta(header, arrivals.pop())));
        }
        self.front_time = time;
        self.count_exit(count, packet.len());
        Some(packet)
    }

    /// To be called when the socket was read and the queue is still empty; ignored if it is not. After 64 such calls in
    /// a row the queue gives all its memory back.
    pub(crate) fn note_empty_read(&mut self) {
        if self.available > 0 || self.overflow > 0 {
            return;
        }
        self.empty_reads = self.empty_reads.saturating_add(1);
        if self.empty_reads == MAX_EMPTY_READS {
            self.clear();
        }
    }

    /// Gives all memory back if the queue is empty.
    pub(crate) fn shrink_if_empty(&mut self) {
        if self.available == 0 && self.overflow == 0 {
            self.clear();
        }
    }

    /// The chunk of the oldest packet.
    fn front_mut(&mut self) -> &mut Chunk {
        self.chunks.front_mut().unwrap_or(&mut self.last)
    }

    /// Whether a packet of `length` bytes fits. An empty queue takes any packet; otherwise a packet larger than the
    /// bound could never be received.
    fn fits(&self, length: usize) -> bool {
        self.available == 0 || self.used + cost(length) <= self.bound
    }

    /// Counts a stored packet as available.
    fn count_entry(&mut self, length: usize) {
        self.available += 1;
        self.used += cost(length);
        self.peak = self.peak.max(u32::try_from(self.used).unwrap_or(u32::MAX));
        self.empty_reads = 0;
        self.counts.add(length);
    }

    /// Counts `packets` of the oldest chunk, of `bytes` in all, as no longer available. Removes the chunk if it has no
    /// others.
    #[inline]
    fn count_exit(&mut self, packets: usize, bytes: usize) {
        // At most `available`, so it fits.
        let exits = u32::try_from(packets).unwrap_or(u32::MAX);
        self.available = self.available.saturating_sub(exits);
        self.counted_before = self.counted_before.saturating_sub(exits);
        self.summed_before = self.summed_before.saturating_sub(exits);
        self.used -= bytes + packets * OVERHEAD;
        if self.front_mut().is_taken() {
            self.remove_front_chunk();
        }
    }

    /// Stores a packet behind all others. The caller counts it. Returns `false` if there is no memory for it.
    #[inline]
    fn store(&mut self, payload: &[u8], meta: PacketMeta) -> bool {
        if self.available == 0 && self.overflow == 0 {
            self.front_time = meta.time_usec();
            self.back_time = meta.time_usec();
            self.recycle_last();
        }
        let header = meta.header_after(self.back_time);
        if !self.last.push(payload, header) && !self.store_in_fresh_chunk(payload, header) {
            return false;
        }
        // `available` and `overflow` do not count this packet yet.
        if !self.arrivals.push(meta.arrival(), self.available as usize + self.overflow as usize) {
            self.last.pop_last();
            return false;
        }
        self.back_time = header.time_after(self.back_time);
        true
    }

    fn store_in_fresh_chunk(&mut self, payload: &[u8], header: Header) -> bool {
        let Some(mut chunk) = self.fresh_chunk(payload.len()) else { return false };
        if self.chunks.try_reserve(1).is_err() || !chunk.push(payload, header) {
            return false;
        }
        let full = mem::replace(&mut self.last, chunk);
        if full.is_taken() {
            self.keep_spare(full);
        } else {
            self.chunks.push_back(full);
        }
        true
    }

    /// Empties the last chunk of an empty queue, or makes it a spare if a packet of it still exists.
    fn recycle_last(&mut self) {
        if !self.last.recycle() {
            let in_use = mem::take(&mut self.last);
            self.keep_spare(in_use);
        }
    }

    /// An empty chunk for at least `needed` bytes: the largest free spare, or a new chunk as large as what is queued,
    /// within [`CHUNK_SIZES`]. `None` if there is no memory for it.
    fn fresh_chunk(&mut self, needed: usize) -> Option<Chunk> {
        let free = self.spares.iter_mut().enumerate().filter_map(|(i, spare)| spare.recycle().then_some((i, spare)));
        let largest = free.max_by_key(|(_, spare)| spare.capacity());
        if let Some((index, _)) = largest.filter(|(_, spare)| spare.capacity() >= needed) {
            return Some(self.spares.swap_remove(index));
        }
        let queued = self.used - self.len() * OVERHEAD;
        // A chunk is full at this size if packets stay as large as they are.
        let usable = (queued / self.len().max(1) + 1) * PACKETS_PER_CHUNK;
        let preferred = needed.max(queued.min(usable).clamp(*CHUNK_SIZES.start(), *CHUNK_SIZES.end()));
        Chunk::with_capacity(preferred).or_else(|| Chunk::with_capacity(needed))
    }

    /// Drops the oldest packet.
    fn drop_oldest(&mut self) {
        let (is_counted_before, is_summed_before) = (self.counted_before > 0, self.summed_before > 0);
        let Some(header) = self.front_mut().skip() else { return };
        let length = header.length();
        self.front_time = header.time_after(self.front_time);
        self.count_exit(1, length);
        self.arrivals.pop();
        if is_summed_before {
            self.dropped_from_before.add(length);
        }
        if is_counted_before {
            self.discard_from_before(1, length);
        } else {
            self.counts.discard(1, length);
        }
    }

    /// Removes the oldest chunk, all of whose packets were taken.
    #[inline(never)]
    fn remove_front_chunk(&mut self) {
        if let Some(chunk) = self.chunks.pop_front() {
            self.overflow_start.0 = self.overflow_start.0.saturating_sub(1);
            self.keep_spare(chunk);
        } else {
            self.trim();
        }
    }

    /// Keeps a chunk without remaining packets for reuse.
    fn keep_spare(&mut self, chunk: Chunk) {
        if self.spares.len() < MAX_SPARES && chunk.capacity() > 0 {
            self.spares.push(chunk);
        }
    }

    /// To be called when the queue has become empty: gives back memory in excess of four times what was used since it
    /// was last empty.
    fn trim(&mut self) {
        let peak = mem::take(&mut self.peak) as usize;
        let enough = if self.low_memory { KEPT_MEMORY } else { KEPT_MEMORY.max(peak.saturating_mul(4)) };
        let mut held = self.last.held();
        if held <= enough && self.spares.is_empty() {
            return;
        }
        if held > enough {
            self.last = Chunk::default();
            held = 0;
        }
        self.spares.retain(|spare| {
            let keep = held + spare.held() <= enough;
            held += if keep { spare.held() } else { 0 };
            keep
        });
    }

    /// The memory that the queue occupies, in bytes.
    #[cfg(test)]
    fn held(&self) -> usize {
        self.chunks.iter().chain(&self.spares).chain([&self.last]).map(Chunk::held).sum()
    }
}

//! The packets that have been received and not yet been taken.
//!
//! They lie in chunks of memory, in order of arrival. A packet that is taken is not copied out: its chunk is handed out
//! with it ([`Packet`]), stays as it is for as long as anyone holds on to it, and is used again when nobody does.

use std::collections::VecDeque;
use std::iter;
use std::mem;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::ops::Deref;
use std::sync::Arc;

use crate::sys;

/// The largest UDP payload of all: over IPv6; IPv4's is 65,507.
pub const MAX_DATAGRAM: usize = 65_527;

const _: () = assert!(MAX_DATAGRAM <= u16::MAX as usize, "a header keeps a packet's length in as much");

/// What a packet costs beyond its length. The engine stores 16 bytes of address, 4 of port and 4 of length in front of
/// each packet; the same sum here makes the same `recv_buf_size` hold the same packets.
const OVERHEAD: usize = size_of::<Header>();
const _: () = assert!(OVERHEAD == 24, "the engine's figure, which scripts count on");

/// The smallest bound; also that of a socket which `bind` did not open.
const MIN_RING: usize = 65_536;

/// The largest bound that can be asked for: the next power of two above 1 GiB.
const MAX_RING: usize = 1 << 31;

/// The smallest and the largest chunk, in bytes of payload. In between they grow with what is queued. (A chunk holds any
/// packet, whatever its size.)
const CHUNK: std::ops::RangeInclusive<usize> = 256..=262_144;

/// How many packets a chunk holds at most, however small they are.
const PACKETS_PER_CHUNK: usize = 2_048;

/// How many chunks are kept for what comes next: the one that is filled, and as many as one thread may have in hand.
const SPARES: usize = 5;

/// Below this many bytes there is no point in giving memory back.
const KEPT: usize = 4_096;

/// How often in a row a queue is found empty before it gives its memory back: about a second of frames.
const QUIET: u8 = 64;

/// What a full queue gives up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OverflowPolicy {
    /// What arrives.
    #[default]
    DropNewest,
    /// What has waited longest.
    DropOldest,
}

/// A packet that was taken. Its bytes stay as they are for as long as this lives.
#[derive(Clone, Debug, Default)]
pub struct Packet {
    chunk: Arc<[u8]>,
    start: usize,
    length: usize,
}

impl Deref for Packet {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // Inside the chunk by construction; written so that it cannot panic.
        self.chunk.get(self.start..).and_then(|bytes| bytes.get(..self.length)).unwrap_or_default()
    }
}

/// Where a packet came from, when, and how long it is.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    header: Header,
    time: u64,
}

impl Stamp {
    pub(crate) fn new(length: usize, sender: SocketAddr, time: u64) -> Self {
        Self { header: Header::new(length, sender), time }
    }

    /// As this one, but of a packet of another length.
    pub(crate) fn with_length(self, length: usize) -> Self {
        Self { header: Header { length: to_length(length), ..self.header }, ..self }
    }

    /// Who sent the packet, to be told from others.
    pub(crate) fn origin(&self) -> Origin {
        Origin { ip: self.header.ip, port: self.header.port }
    }

    /// Who sent the packet; IPv4 plainly, also on a dual-stack socket.
    #[must_use]
    pub fn sender(&self) -> SocketAddr {
        self.header.sender()
    }

    /// When it arrived, in microseconds since the origin that was set by [`set_clock_origin`](crate::set_clock_origin).
    #[must_use]
    pub fn time_usec(&self) -> u64 {
        self.time
    }

    /// How many bytes it has.
    #[must_use]
    pub fn length(&self) -> usize {
        self.header.length()
    }
}

/// Who sends, in a form that can be compared: the address, with its scope if it is link-local, and the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Origin {
    ip: [u8; 16],
    port: u16,
}

/// What is kept of a queued packet beside its payload.
#[derive(Clone, Copy, Debug)]
struct Header {
    /// IPv4 addresses are mapped into IPv6. The scope of a link-local address is written into bytes 4 to 8, which are
    /// zero in such addresses (RFC 4291; in one that is forged, they are lost).
    ip: [u8; 16],
    /// By how many microseconds it came later than the packet before.
    gap: i32,
    port: u16,
    /// At most [`MAX_DATAGRAM`].
    length: u16,
}

const SCOPE: std::ops::Range<usize> = 4..8;

impl Header {
    fn new(length: usize, sender: SocketAddr) -> Self {
        let ip = match sender {
            SocketAddr::V4(sender) => sender.ip().to_ipv6_mapped().octets(),
            SocketAddr::V6(sender) => {
                let mut ip = sender.ip().octets();
                if sender.ip().is_unicast_link_local() {
                    ip[SCOPE].copy_from_slice(&sender.scope_id().to_be_bytes());
                }
                ip
            }
        };
        Self { ip, gap: 0, port: sender.port(), length: to_length(length) }
    }

    fn length(&self) -> usize {
        self.length.into()
    }

    fn sender(&self) -> SocketAddr {
        let mut octets = self.ip;
        let mut scope = [0; 4];
        if Ipv6Addr::from(octets).is_unicast_link_local() {
            octets[SCOPE].swap_with_slice(&mut scope);
        }
        match IpAddr::from(octets).to_canonical() {
            IpAddr::V4(ip) => SocketAddr::new(ip.into(), self.port),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, self.port, 0, u32::from_be_bytes(scope)).into(),
        }
    }
}

fn to_length(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

/// What a packet of `length` bytes costs.
fn cost(length: usize) -> usize {
    length + OVERHEAD
}

/// Payloads back to back, and their headers.
#[derive(Debug, Default)]
struct Chunk {
    /// The memory, and how much of it is used.
    bytes: Arc<[u8]>,
    filled: usize,
    headers: Vec<Header>,
    /// The first packet that was not taken, and where its payload begins.
    next: usize,
    start: usize,
}

impl Chunk {
    fn with_capacity(bytes: usize) -> Self {
        Self { bytes: iter::repeat_n(0, bytes).collect(), ..Self::default() }
    }

    /// Adds a packet, if there is room for it and nobody has one of this chunk in hand.
    fn push(&mut self, payload: &[u8], header: Header) -> bool {
        if self.headers.len() == PACKETS_PER_CHUNK {
            return false;
        }
        let end = self.filled + payload.len();
        let Some(place) = Arc::get_mut(&mut self.bytes).and_then(|bytes| bytes.get_mut(self.filled..end)) else {
            return false;
        };
        place.copy_from_slice(payload);
        self.filled = end;
        self.headers.push(header);
        true
    }

    /// Makes it empty for what comes next, unless somebody has a packet of it in hand.
    fn recycle(&mut self) -> bool {
        let is_free = self.bytes.is_empty() || Arc::get_mut(&mut self.bytes).is_some();
        if is_free {
            self.headers.clear();
            (self.filled, self.next, self.start) = (0, 0, 0);
        }
        is_free
    }

    fn is_taken(&self) -> bool {
        self.next == self.headers.len()
    }

    /// The memory that it holds on to.
    fn held(&self) -> usize {
        self.bytes.len() + self.headers.capacity() * OVERHEAD
    }
}

/// How many packets and bytes have entered a queue, and how many it has given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) dropped: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, length: usize) {
        self.packets += 1;
        self.bytes += length as u64;
    }

    pub(crate) fn add_many(&mut self, packets: usize, bytes: usize) {
        self.packets += packets as u64;
        self.bytes += bytes as u64;
    }

    /// Adds by how much other counts have changed.
    pub(crate) fn add_change(&mut self, before: Self, after: Self) {
        // A queue that gives up old packets may hold fewer in the end.
        let add = |sum: &mut u64, before, after: u64| *sum = sum.wrapping_add(after.wrapping_sub(before));
        add(&mut self.packets, before.packets, after.packets);
        add(&mut self.bytes, before.bytes, after.bytes);
        add(&mut self.dropped, before.dropped, after.dropped);
    }

    /// Packets that had entered are given up after all.
    pub(crate) fn give_up(&mut self, packets: usize, bytes: usize) {
        self.packets -= packets as u64;
        self.bytes -= bytes as u64;
        self.dropped += packets as u64;
    }
}

/// Packets in order of arrival, bounded in bytes. Takes memory only as packets come, and gives it back when a burst is
/// over.
///
/// What adding a packet needs comes first, and takes little room: of thousands of queues, each packet goes to another one,
/// which lies in no cache.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Queue {
    /// The newest packets.
    last: Chunk,
    /// Those before them. None of these chunks is taken altogether.
    chunks: VecDeque<Chunk>,
    /// What the packets that can be taken cost, and what they may cost together.
    used: usize,
    bound: usize,
    /// When the packet came that was taken last, and the one that was added last.
    front_time: u64,
    back_time: u64,
    counts: Counts,
    /// How many packets can be taken.
    available: u32,
    /// How many packets lie behind these that were read but did not fit. They enter when there is room; as far as anyone
    /// can tell they still wait in the kernel.
    held_back: u32,
    /// The most that the packets cost since the queue was last empty.
    peak: u32,
    /// How often in a row the queue was found empty.
    quiet: u8,
    policy: OverflowPolicy,
    /// Whether it keeps next to no memory when it has become empty: one of thousands.
    lean: bool,
    /// Taken altogether, and kept for what comes next.
    spares: Vec<Chunk>,
    /// Where the first of those that are held back lies: the number of its chunk, and its number in there.
    edge: (usize, usize),
    /// What was counted before counting began anew.
    forgotten: Counts,
    /// How many of the packets, the oldest ones, have been counted before counting began anew.
    counted_before: usize,
}

impl Queue {
    /// Empties the queue, gives its memory back and sets its bound from what a script asked `bind` for.
    ///
    /// The engine takes the next power of two *above* that as the size of a ring, of which one byte stays free.
    pub(crate) fn reset(&mut self, recv_buf_size: i64) {
        let asked = usize::try_from(recv_buf_size).unwrap_or(0).min(MAX_RING - 1);
        let ring = (asked + 1).next_power_of_two().max(MIN_RING);
        self.bound = ring - 1;
        self.lean = false;
        self.clear();
    }

    /// Empties the queue, and gives its memory back.
    pub(crate) fn clear(&mut self) {
        let Self { bound, counts, policy, lean, forgotten, .. } = *self;
        *self = Self { bound, counts, policy, lean, forgotten, ..Self::default() };
    }

    /// Has it keep next to no memory when it has become empty, until it is reset.
    pub(crate) fn make_lean(&mut self) {
        self.lean = true;
    }

    pub(crate) fn is_lean(&self) -> bool {
        self.lean
    }

    /// What the packets that can be taken may cost together.
    pub(crate) fn bound(&self) -> usize {
        self.bound
    }

    pub(crate) fn policy(&self) -> OverflowPolicy {
        self.policy
    }

    pub(crate) fn set_policy(&mut self, policy: OverflowPolicy) {
        self.policy = policy;
    }

    /// What has entered so far, and what was given up.
    pub(crate) fn counts(&mut self) -> &mut Counts {
        &mut self.counts
    }

    /// Counts by whose change it can be seen what a packet has brought about, wherever counting began anew.
    pub(crate) fn tally(&self) -> Counts {
        // Only old packets may have been counted before; and that lies farther away.
        if self.policy == OverflowPolicy::DropOldest { self.total_counts() } else { self.counts }
    }

    /// What was counted since the queue was made.
    pub(crate) fn total_counts(&self) -> Counts {
        let Counts { packets, bytes, dropped } = self.counts;
        let before = self.forgotten;
        Counts { packets: before.packets + packets, bytes: before.bytes + bytes, dropped: before.dropped + dropped }
    }

    /// Counts from zero again.
    pub(crate) fn reset_counts(&mut self) {
        self.forgotten = self.total_counts();
        self.counts = Counts::default();
        self.counted_before = self.len();
    }

    /// How many packets can be taken.
    pub(crate) fn len(&self) -> usize {
        self.available as usize
    }

    /// What may still enter; `None` when something waits already that does not fit.
    pub(crate) fn room(&self) -> Option<usize> {
        (self.held_back == 0).then(|| self.bound.saturating_sub(self.used))
    }

    /// Has what adding a packet needs fetched into the processor's cache.
    pub(crate) fn prefetch(&self) {
        let Chunk { bytes, filled, headers, .. } = &self.last;
        sys::prefetch(bytes.get(..1).unwrap_or_default());
        sys::prefetch(bytes.get(*filled..*filled + 1).unwrap_or_default());
        sys::prefetch(headers.last_chunk::<1>().map_or(&[][..], |last| last));
    }

    /// Lets those in that were held back and fit by now.
    pub(crate) fn admit(&mut self) {
        while self.held_back > 0 {
            let (chunk, index) = self.edge;
            let Some(header) = self.chunks.get(chunk).unwrap_or(&self.last).headers.get(index) else {
                // Past the end of its chunk: it is the first of the next one.
                self.edge = (chunk + 1, 0);
                continue;
            };
            let length = header.length();
            if !self.fits(length) {
                return;
            }
            self.held_back -= 1;
            self.edge.1 += 1;
            self.entered(length);
        }
    }

    /// Adds a packet. One that does not fit waits aside, to enter when there is room.
    pub(crate) fn push_or_hold_back(&mut self, payload: &[u8], stamp: Stamp) {
        if self.held_back == 0 && self.fits(payload.len()) {
            self.store(payload, stamp);
            self.entered(payload.len());
        } else {
            self.store(payload, stamp);
            if self.held_back == 0 {
                self.edge = (self.chunks.len(), self.last.headers.len() - 1);
            }
            self.held_back += 1;
        }
    }

    /// Adds a packet. When it does not fit, one is given up: this one, or the oldest until it fits.
    pub(crate) fn push_or_drop(&mut self, payload: &[u8], stamp: Stamp) {
        self.admit();
        if self.policy == OverflowPolicy::DropOldest {
            while self.held_back > 0 || !self.fits(payload.len()) {
                self.drop_oldest();
                self.admit();
            }
        } else if self.held_back > 0 || !self.fits(payload.len()) {
            self.counts.dropped += 1;
            return;
        }
        self.store(payload, stamp);
        self.entered(payload.len());
    }

    /// Takes the oldest packet.
    pub(crate) fn pop(&mut self) -> Option<(Packet, Stamp)> {
        if self.available == 0 {
            return None;
        }
        let chunk = self.front();
        let (bytes, start) = (Arc::clone(&chunk.bytes), chunk.start);
        let stamp = self.pop_front()?;
        Some((Packet { chunk: bytes, start, length: stamp.length() }, stamp))
    }

    /// Takes up to `max` of the oldest packets, as many as lie back to back: their bytes as if they were one packet; their
    /// stamps are added to `stamps`. `None` when there are none, or `max` is 0.
    pub(crate) fn pop_run(&mut self, max: usize, stamps: &mut Vec<Stamp>) -> Option<Packet> {
        let chunk = self.front();
        let count = max.min(self.len()).min(chunk.headers.len() - chunk.next);
        if count == 0 {
            return None;
        }
        let (bytes, start) = (Arc::clone(&chunk.bytes), chunk.start);
        let mut length = 0;
        stamps.reserve(count);
        for _ in 0..count {
            let stamp = self.pop_front()?;
            length += stamp.length();
            stamps.push(stamp);
        }
        Some(Packet { chunk: bytes, start, length })
    }

    /// Called when the socket was read and the queue is empty all the same. A queue that stays empty for a while gives
    /// all its memory back.
    pub(crate) fn note_quiet(&mut self) {
        self.quiet = self.quiet.saturating_add(1);
        if self.quiet == QUIET && self.held_back == 0 {
            self.clear();
        }
    }

    /// Where the oldest packets lie.
    fn front(&self) -> &Chunk {
        self.chunks.front().unwrap_or(&self.last)
    }

    /// Whether a packet may enter. An empty queue takes any packet, else one that is larger than the bound could never
    /// be received.
    fn fits(&self, length: usize) -> bool {
        self.available == 0 || self.used + cost(length) <= self.bound
    }

    /// A packet can be taken from now on.
    fn entered(&mut self, length: usize) {
        self.available += 1;
        self.used += cost(length);
        self.peak = self.peak.max(u32::try_from(self.used).unwrap_or(u32::MAX));
        self.quiet = 0;
        self.counts.add(length);
    }

    /// Puts a packet behind all others.
    fn store(&mut self, payload: &[u8], mut stamp: Stamp) {
        if self.available == 0 && self.held_back == 0 {
            self.front_time = stamp.time;
            self.back_time = stamp.time;
            self.begin_anew();
        }
        let gap = i128::from(stamp.time) - i128::from(self.back_time);
        // Of packets that came more than half an hour apart the later one gets too early a time; its successors do not.
        let gap = i32::try_from(gap).unwrap_or(if gap > 0 { i32::MAX } else { i32::MIN });
        self.back_time = self.back_time.saturating_add_signed(gap.into());
        stamp.header.gap = gap;
        if !self.last.push(payload, stamp.header) {
            let mut chunk = self.fresh_chunk(payload.len());
            chunk.push(payload, stamp.header);
            let full = mem::replace(&mut self.last, chunk);
            if full.is_taken() {
                self.put_aside(full);
            } else {
                self.chunks.push_back(full);
            }
        }
    }

    /// Empties the chunk that is left of what was taken, for what comes next, or puts it aside if it is still in hand.
    fn begin_anew(&mut self) {
        if !self.last.recycle() {
            let in_hand = mem::take(&mut self.last);
            self.put_aside(in_hand);
        }
    }

    /// An empty chunk with room for `needed` bytes at least, and as much as is queued already.
    fn fresh_chunk(&mut self, needed: usize) -> Chunk {
        let free = self.spares.iter_mut().enumerate().filter_map(|(i, spare)| spare.recycle().then_some((i, spare)));
        let largest = free.max_by_key(|(_, spare)| spare.bytes.len());
        if let Some((index, _)) = largest.filter(|(_, spare)| spare.bytes.len() >= needed) {
            return self.spares.swap_remove(index);
        }
        let payload = self.used - self.len() * OVERHEAD;
        // Nor more than as many packets as it may hold will need.
        let likely = (payload / self.len().max(1) + 1) * PACKETS_PER_CHUNK;
        Chunk::with_capacity(needed.max(payload.min(likely).clamp(*CHUNK.start(), *CHUNK.end())))
    }

    /// Takes the header of the oldest packet off. There must be one that is available.
    fn pop_front(&mut self) -> Option<Stamp> {
        let chunk = self.chunks.front_mut().unwrap_or(&mut self.last);
        let header = *chunk.headers.get(chunk.next)?;
        let length = header.length();
        chunk.next += 1;
        chunk.start += length;
        self.front_time = self.front_time.saturating_add_signed(header.gap.into());
        self.available -= 1;
        self.counted_before = self.counted_before.saturating_sub(1);
        self.used -= cost(length);
        if chunk.is_taken() {
            self.retire();
        }
        Some(Stamp { header, time: self.front_time })
    }

    /// Gives the oldest packet up.
    fn drop_oldest(&mut self) {
        let is_counted = self.counted_before == 0;
        match self.pop_front() {
            Some(stamp) if is_counted => self.counts.give_up(1, stamp.length()),
            Some(stamp) => {
                self.forgotten.give_up(1, stamp.length());
                self.forgotten.dropped -= 1;
                self.counts.dropped += 1;
            }
            None => {}
        }
    }

    /// The oldest chunk was taken altogether.
    fn retire(&mut self) {
        if let Some(chunk) = self.chunks.pop_front() {
            self.edge.0 = self.edge.0.saturating_sub(1);
            self.put_aside(chunk);
        } else {
            self.settle();
        }
    }

    /// Makes a spare of a chunk that was taken altogether.
    fn put_aside(&mut self, chunk: Chunk) {
        if self.spares.len() < SPARES && !chunk.bytes.is_empty() {
            self.spares.push(chunk);
        }
    }

    /// Called when the queue has become empty: gives back memory for which the time since it was last empty had no use.
    fn settle(&mut self) {
        let peak = mem::take(&mut self.peak) as usize;
        let enough = if self.lean { KEPT } else { KEPT.max(peak.saturating_mul(4)) };
        let mut held = self.last.held();
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

    /// The memory that the queue holds on to.
    #[cfg(test)]
    fn held(&self) -> usize {
        self.chunks.iter().chain(&self.spares).chain([&self.last]).map(Chunk::held).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn sender(port: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, port).into()
    }

    fn queue(recv_buf_size: i64) -> Queue {
        let mut queue = Queue::default();
        queue.reset(recv_buf_size);
        queue
    }

    fn stamp(payload: &[u8], port: u16) -> Stamp {
        Stamp::new(payload.len(), sender(port), 0)
    }

    fn push(queue: &mut Queue, payload: &[u8], port: u16) {
        queue.push_or_hold_back(payload, stamp(payload, port));
    }

    fn taken(queue: &mut Queue) -> Option<Vec<u8>> {
        queue.pop().map(|(packet, _)| packet.to_vec())
    }

    /// Pushes packets of `length` bytes until one is held back; how many can be taken then.
    fn fill(queue: &mut Queue, length: usize) -> usize {
        while queue.room().is_some() {
            push(queue, &vec![7; length], 1);
        }
        queue.len()
    }

    /// Packets that name themselves, of `length` bytes.
    fn numbered(number: u32, length: usize) -> Vec<u8> {
        let mut payload = number.to_le_bytes().to_vec();
        payload.resize(length, 0);
        payload
    }

    #[test]
    fn the_bound_is_the_engines() {
        for (asked, bound) in [
            (i64::MIN, 65_535),
            (-1, 65_535),
            (0, 65_535),
            (16, 65_535),
            (65_535, 65_535),
            (65_536, 131_071),
            (131_071, 131_071),
            (131_072, 262_143),
            (i64::MAX, (1 << 31) - 1),
        ] {
            assert_eq!(queue(asked).bound(), bound, "{asked}");
        }
    }

    #[test]
    fn holds_as_many_packets_as_the_engine() {
        assert_eq!(fill(&mut queue(65_536), 1_000), 127);
        assert_eq!(fill(&mut queue(0), 1_000), 63);
        assert_eq!(fill(&mut queue(0), 0), 65_535 / 24);
    }

    #[test]
    fn packets_that_did_not_fit_enter_in_order_when_there_is_room() {
        let mut queue = queue(0);
        let held = fill(&mut queue, 1_000);
        // Many may wait aside: the kernel gives them by the batch.
        for number in 0..100 {
            push(&mut queue, &numbered(number, 1_000 + number as usize), 2);
        }
        assert_eq!((queue.len(), queue.room()), (held, None));
        assert_eq!(queue.counts().packets, held as u64);
        assert!(taken(&mut queue).is_some());
        assert_eq!(queue.len(), held - 1);
        queue.admit();
        assert_eq!(queue.len(), held, "one of the same size takes its place");
        for _ in 0..held {
            assert_eq!(taken(&mut queue).unwrap(), vec![7; 1_000]);
            queue.admit();
        }
        for number in 0..100 {
            assert_eq!(taken(&mut queue).unwrap(), numbered(number, 1_000 + number as usize));
            queue.admit();
        }
        assert_eq!((queue.len(), queue.room()), (0, Some(65_535)));
    }

    #[test]
    fn packets_come_out_whole_and_in_order_one_by_one_and_in_runs() {
        let mut queue = queue(0);
        let mut stamps = Vec::new();
        for round in 0..200_u16 {
            let lengths = (0..5_u16).map(|i| usize::from(round * 13 + i * 7) % 2_000);
            let payloads: Vec<_> = lengths
                .enumerate()
                .map(|(i, length)| vec![((usize::from(round) + i) % 251).to_le_bytes()[0]; length])
                .collect();
            for (port, payload) in (0..).zip(&payloads) {
                push(&mut queue, payload, port);
            }
            let mut joined = Vec::new();
            stamps.clear();
            if round % 2 == 0 {
                while let Some((packet, stamp)) = queue.pop() {
                    joined.extend_from_slice(&packet);
                    stamps.push(stamp);
                }
            } else {
                while let Some(run) = queue.pop_run(usize::from(round % 4), &mut stamps) {
                    joined.extend_from_slice(&run);
                }
            }
            assert_eq!(joined, payloads.concat());
            assert!(stamps.iter().map(Stamp::length).eq(payloads.iter().map(Vec::len)));
            assert!(stamps.iter().map(Stamp::sender).eq((0..5).map(sender)));
        }
        assert!(queue.pop().is_none());
        assert!(queue.pop_run(usize::MAX, &mut stamps).is_none());
    }

    #[test]
    fn a_packet_in_hand_stays_as_it_is_whatever_comes_later() {
        let mut queue = queue(0);
        let mut in_hand = Vec::new();
        for number in 0..5_000 {
            push(&mut queue, &numbered(number, 100), 1);
            let (packet, _) = queue.pop().unwrap();
            in_hand.push((number, packet));
            if in_hand.len() > 7 {
                let (number, packet) = in_hand.remove(number as usize % 7);
                assert_eq!(*packet, numbered(number, 100));
            }
        }
    }

    #[test]
    fn a_packet_larger_than_the_bound_still_gets_through() {
        for policy in [OverflowPolicy::DropNewest, OverflowPolicy::DropOldest] {
            let mut queue = queue(0);
            queue.set_policy(policy);
            let payload = vec![1; MAX_DATAGRAM];
            queue.push_or_drop(&payload, stamp(&payload, 1));
            assert_eq!(queue.len(), 1);
            assert_eq!(taken(&mut queue).unwrap().len(), MAX_DATAGRAM);
        }
    }

    #[test]
    fn a_full_queue_gives_up_what_its_policy_says_and_counts_it() {
        for (policy, kept) in [(OverflowPolicy::DropNewest, 0..63), (OverflowPolicy::DropOldest, 37..100)] {
            let mut queue = queue(0);
            queue.set_policy(policy);
            for number in 0..100 {
                let payload = numbered(number, 1_000);
                queue.push_or_drop(&payload, stamp(&payload, 1));
            }
            assert_eq!(*queue.counts(), Counts { packets: 63, bytes: 63_000, dropped: 37 });
            for number in kept {
                assert_eq!(taken(&mut queue).unwrap(), numbered(number, 1_000), "{policy:?}");
            }
            assert_eq!(queue.len(), 0);
        }
    }

    #[test]
    fn what_was_counted_before_counting_began_anew_is_not_given_up_twice() {
        let mut queue = queue(0);
        queue.set_policy(OverflowPolicy::DropOldest);
        let payload = [0; 1_000];
        for _ in 0..63 {
            queue.push_or_drop(&payload, stamp(&payload, 1));
        }
        queue.reset_counts();
        for _ in 0..10 {
            queue.push_or_drop(&payload, stamp(&payload, 1));
        }
        assert_eq!(*queue.counts(), Counts { packets: 10, bytes: 10_000, dropped: 10 });
        assert!(taken(&mut queue).is_some());
        for _ in 0..60 {
            queue.push_or_drop(&payload, stamp(&payload, 1));
        }
        // 52 old ones were left, so some of the new ones went as well.
        assert_eq!(*queue.counts(), Counts { packets: 63, bytes: 63_000, dropped: 10 + 59 });
        // In all 63 and 70 packets came.
        assert_eq!(queue.total_counts(), Counts { packets: 133 - 69, bytes: 64_000, dropped: 69 });
    }

    #[test]
    fn what_waited_aside_comes_before_what_is_pushed_later_also_where_that_drops() {
        for (policy, left) in [(OverflowPolicy::DropNewest, 0..65), (OverflowPolicy::DropOldest, 3..66)] {
            let mut queue = queue(0);
            for number in 0..65 {
                push(&mut queue, &numbered(number, 1_000), 1);
            }
            queue.set_policy(policy);
            let payload = numbered(65, 1_000);
            queue.push_or_drop(&payload, stamp(&payload, 1));
            for number in left {
                queue.admit();
                assert_eq!(taken(&mut queue).unwrap(), numbered(number, 1_000), "{policy:?}");
            }
            queue.admit();
            assert_eq!(queue.len(), 0);
        }
    }

    #[test]
    fn times_come_out_as_they_went_in() {
        let mut queue = queue(0);
        let times = [5, 5, 6, 1_000_000, 999_999, 7_000_000_000, 7_000_000_001, 20_000_000_000, 3];
        for time in times {
            queue.push_or_hold_back(b"x", Stamp::new(1, sender(1), time));
        }
        let out: Vec<_> = iter::from_fn(|| queue.pop()).map(|(_, stamp)| stamp.time_usec()).collect();
        // More than half an hour apart: too early, and right again with the next ones.
        let step = i32::MAX as u64;
        assert_eq!(out[..5], times[..5]);
        assert_eq!(out[5], 999_999 + step);
        assert!(out[6] > out[5] && out[6] < times[6]);
        let late = Stamp::new(1, sender(1), 42);
        queue.push_or_hold_back(b"x", late);
        assert_eq!(queue.pop().unwrap().1.time_usec(), 42, "an empty queue begins anew");
    }

    /// Fills a queue with packets of `length` bytes, and takes all of them out again.
    fn burst(queue: &mut Queue, length: usize) {
        assert!(fill(queue, length) > 0);
        let most = queue.bound() + MAX_DATAGRAM;
        assert!(queue.held() <= most * 2, "{} bytes held, {most} allowed", queue.held());
        while queue.pop().is_some() {
            queue.admit();
        }
    }

    #[test]
    fn a_full_queue_takes_little_more_memory_than_its_bound() {
        for length in [0, 1, 64, 1_200, 33_000, MAX_DATAGRAM] {
            let mut queue = queue((8 << 20) - 1);
            fill(&mut queue, length);
            let most = queue.bound() * 5 / 4 + 4 * CHUNK.end();
            assert!(queue.held() <= most, "{length}: {} bytes held, {most} allowed", queue.held());
        }
    }

    #[test]
    fn after_a_burst_little_traffic_holds_little_memory() {
        for length in [0, 1_200] {
            let mut queue = queue(1 << 20);
            burst(&mut queue, length);
            for _ in 0..2 {
                push(&mut queue, b"quiet", 1);
                queue.pop();
            }
            assert!(queue.held() <= KEPT, "{length}: {}", queue.held());
        }
    }

    #[test]
    fn after_a_burst_silence_holds_no_memory() {
        for length in [0, 1_200] {
            let mut queue = queue(1 << 20);
            burst(&mut queue, length);
            for _ in 0..QUIET {
                queue.note_quiet();
            }
            assert_eq!(queue.held(), 0);
            assert_eq!(queue.bound(), (2 << 20) - 1);
        }
    }

    #[test]
    fn a_lean_queue_holds_next_to_no_memory_once_it_is_empty() {
        for length in [0, 1, 1_200] {
            let mut queue = queue(0);
            queue.make_lean();
            burst(&mut queue, length);
            assert!(queue.held() <= KEPT, "{length}: {}", queue.held());
            queue.clear();
            burst(&mut queue, length);
            assert!(queue.held() <= KEPT, "it stays so: {}", queue.held());
        }
    }

    #[test]
    fn steady_traffic_allocates_nothing() {
        let mut queue = queue(0);
        let mut in_hand = Packet::default();
        let mut chunks = Vec::new();
        for round in 0..100 {
            for _ in 0..50 {
                push(&mut queue, &[1; 64], 1);
            }
            while let Some((packet, _)) = queue.pop() {
                let chunk = Arc::as_ptr(&packet.chunk);
                if !chunks.contains(&chunk) {
                    assert!(round < 10, "a new chunk in round {round}");
                    chunks.push(chunk);
                }
                in_hand = packet;
            }
        }
        assert_eq!(in_hand.len(), 64);
    }

    #[test]
    fn the_sender_is_kept_whole() {
        for address in ["10.1.2.3:4", "[2001:db8::1]:65535", "[fe80::1%7]:9", "[fe80::a:b:c:d]:1"] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(Stamp::new(1, address, 0).sender(), address);
        }
    }

    #[test]
    fn clearing_forgets_the_packets_and_keeps_bound_policy_and_counts() {
        let mut queue = queue(65_536);
        queue.set_policy(OverflowPolicy::DropOldest);
        fill(&mut queue, 1_000);
        queue.clear();
        assert_eq!((queue.len(), queue.held()), (0, 0));
        assert_eq!(queue.bound(), 131_071);
        assert_eq!(queue.policy(), OverflowPolicy::DropOldest);
        assert_eq!(queue.counts().packets, 127);
    }
}

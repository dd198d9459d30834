//! The packets that have been received and not yet been taken.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

/// The largest UDP payload of all: over IPv6; IPv4's is 65,507.
pub const MAX_DATAGRAM: usize = 65_527;

/// What a packet costs beyond its length. The engine stores 16 bytes of address, 4 of port and 4 of length in front of
/// each packet; the same sum here makes the same `recv_buf_size` hold the same packets.
const OVERHEAD: usize = size_of::<Packet>();
const _: () = assert!(OVERHEAD == 24, "the engine's figure, which scripts count on");

/// The smallest bound; also that of a socket which `bind` did not open.
const MIN_RING: usize = 65_536;

/// The largest bound that can be asked for: the next power of two above 1 GiB.
const MAX_RING: usize = 1 << 31;

/// Below this many bytes there is no point in giving memory back.
const KEPT: usize = 4_096;

/// How often in a row a queue is found empty before it gives its memory back: about a second of frames.
const QUIET: u32 = 64;

/// Packets in order of arrival, bounded in bytes. Takes memory only as packets come, and gives it back when a burst is
/// over.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// The payloads, back to back.
    bytes: VecDeque<u8>,
    packets: VecDeque<Packet>,
    /// A packet that was read but did not fit: the first to enter when there is room. It is not available yet; as far
    /// as anyone can tell it still waits in the kernel.
    deferred: Option<(Packet, Box<[u8]>)>,
    /// What the queued packets may cost together.
    bound: usize,
    /// The most bytes of payload, and the most packets, that were queued since the queue was last empty.
    peak: (usize, usize),
    /// How often in a row the queue was found empty.
    quiet: u32,
}

/// Where a packet came from, and how long it is.
#[derive(Clone, Copy, Debug)]
struct Packet {
    /// IPv4 addresses are mapped into IPv6.
    ip: [u8; 16],
    scope: u32,
    port: u16,
    /// At most [`MAX_DATAGRAM`].
    length: u16,
}

impl Packet {
    fn new(length: usize, sender: SocketAddr) -> Self {
        let (ip, scope) = match sender {
            SocketAddr::V4(sender) => (sender.ip().to_ipv6_mapped(), 0),
            SocketAddr::V6(sender) => (*sender.ip(), sender.scope_id()),
        };
        Self { ip: ip.octets(), scope, port: sender.port(), length: u16::try_from(length).unwrap_or(u16::MAX) }
    }

    fn length(&self) -> usize {
        self.length.into()
    }

    fn sender(&self) -> SocketAddr {
        match IpAddr::from(self.ip).to_canonical() {
            IpAddr::V4(ip) => SocketAddr::new(ip.into(), self.port),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, self.port, 0, self.scope).into(),
        }
    }
}

/// What a packet of `length` bytes costs.
fn cost(length: usize) -> usize {
    length + OVERHEAD
}

impl Queue {
    /// Empties the queue, gives its memory back and sets its bound from what a script asked `bind` for.
    ///
    /// The engine takes the next power of two *above* that as the size of a ring, of which one byte stays free.
    pub(crate) fn reset(&mut self, recv_buf_size: i64) {
        let asked = usize::try_from(recv_buf_size).unwrap_or(0).min(MAX_RING - 1);
        let ring = (asked + 1).next_power_of_two().max(MIN_RING);
        *self = Self { bound: ring - 1, ..Self::default() };
    }

    /// Empties the queue; the bound stays.
    pub(crate) fn clear(&mut self) {
        *self = Self { bound: self.bound, ..Self::default() };
    }

    /// What the queued packets may cost together.
    #[cfg(test)]
    fn bound(&self) -> usize {
        self.bound
    }

    /// How many packets can be taken.
    pub(crate) fn len(&self) -> usize {
        self.packets.len()
    }

    /// Makes ready for [`push`](Self::push): lets a deferred packet in, and tells whether another may be read.
    pub(crate) fn accepts(&mut self) -> bool {
        if let Some((packet, payload)) = self.deferred.take() {
            if self.fits(packet.length()) {
                self.store(packet, &payload);
            } else {
                self.deferred = Some((packet, payload));
            }
        }
        self.deferred.is_none()
    }

    /// Adds a packet; one that does not fit is kept aside and enters when there is room. Only after
    /// [`accepts`](Self::accepts) said yes; otherwise the packet is lost.
    pub(crate) fn push(&mut self, payload: &[u8], sender: SocketAddr) {
        debug_assert!(self.deferred.is_none(), "push without accepts");
        let payload = &payload[..payload.len().min(MAX_DATAGRAM)];
        let packet = Packet::new(payload.len(), sender);
        if self.fits(packet.length()) {
            self.store(packet, payload);
        } else {
            self.deferred = Some((packet, payload.into()));
        }
    }

    /// Moves the oldest packet into `into`, replacing what was there; its sender, or `None` when there is no packet.
    pub(crate) fn pop(&mut self, into: &mut Vec<u8>) -> Option<SocketAddr> {
        let packet = self.packets.pop_front()?;
        let length = packet.length();
        into.clear();
        let (front, back) = self.bytes.as_slices();
        let in_front = length.min(front.len());
        into.extend_from_slice(&front[..in_front]);
        into.extend_from_slice(&back[..length - in_front]);
        self.bytes.drain(..length);
        if self.packets.is_empty() {
            self.settle();
        }
        Some(packet.sender())
    }

    /// Called when the socket was read and the queue is empty all the same. A queue that stays empty for a while gives
    /// all its memory back.
    pub(crate) fn note_quiet(&mut self) {
        self.quiet = self.quiet.saturating_add(1);
        if self.quiet == QUIET && self.held() > KEPT {
            self.clear();
        }
    }

    /// Whether a packet may enter. An empty queue takes any packet, else one that is larger than the bound could never
    /// be received.
    fn fits(&self, length: usize) -> bool {
        self.packets.is_empty() || self.used() + cost(length) <= self.bound
    }

    fn used(&self) -> usize {
        self.bytes.len() + self.packets.len() * OVERHEAD
    }

    /// The memory that the queue holds on to.
    fn held(&self) -> usize {
        self.bytes.capacity() + self.packets.capacity() * OVERHEAD
    }

    fn store(&mut self, packet: Packet, payload: &[u8]) {
        // Both grow by doubling, but not past the bound, which they cannot fill.
        grow(&mut self.bytes, payload.len(), self.bound);
        self.bytes.extend(payload);
        grow(&mut self.packets, 1, self.bound / OVERHEAD);
        self.packets.push_back(packet);
        self.peak = (self.peak.0.max(self.bytes.len()), self.peak.1.max(self.packets.len()));
        self.quiet = 0;
    }

    /// Called when the queue has become empty: gives back memory for which the time since it was last empty had no use.
    fn settle(&mut self) {
        let (bytes, packets) = std::mem::take(&mut self.peak);
        if self.held() > KEPT && bytes + packets * OVERHEAD < self.held() / 4 {
            self.bytes.shrink_to(bytes * 2);
            self.packets.shrink_to(packets * 2);
        }
    }
}

/// Makes room for `more`, doubling up to `limit`, and beyond it only as far as needed.
fn grow<T>(queue: &mut VecDeque<T>, more: usize, limit: usize) {
    let needed = queue.len() + more;
    if needed > queue.capacity() {
        let capacity = (queue.capacity() * 2).min(limit).max(needed);
        queue.reserve_exact(capacity - queue.len());
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

    /// Pushes packets of `length` bytes until one is deferred; how many can be taken then.
    fn fill(queue: &mut Queue, length: usize) -> usize {
        while queue.accepts() {
            queue.push(&vec![7; length], sender(1));
        }
        queue.len()
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
    fn the_packet_that_did_not_fit_enters_when_there_is_room() {
        let mut queue = queue(0);
        let held = fill(&mut queue, 1_000);
        let mut packet = Vec::new();
        assert!(queue.pop(&mut packet).is_some());
        assert_eq!(queue.len(), held - 1);
        assert!(queue.accepts());
        assert_eq!(queue.len(), held);
    }

    #[test]
    fn packets_come_out_whole_and_in_order_also_around_the_rings_end() {
        let mut queue = queue(0);
        let mut packet = Vec::new();
        for round in 0..200_u16 {
            for i in 0..5_u16 {
                assert!(queue.accepts());
                let length = usize::from(round * 13 + i * 7) % 2_000;
                queue.push(&vec![((round + i) % 251).to_le_bytes()[0]; length], sender(i));
            }
            for i in 0..5_u16 {
                assert_eq!(queue.pop(&mut packet), Some(sender(i)));
                let length = usize::from(round * 13 + i * 7) % 2_000;
                assert_eq!(packet, vec![((round + i) % 251).to_le_bytes()[0]; length]);
            }
        }
        assert_eq!(queue.pop(&mut packet), None);
    }

    #[test]
    fn a_packet_larger_than_the_bound_still_gets_through() {
        let mut queue = queue(0);
        assert!(queue.accepts());
        queue.push(&vec![1; MAX_DATAGRAM], sender(1));
        assert_eq!(queue.len(), 1);
        let mut packet = Vec::new();
        assert!(queue.pop(&mut packet).is_some());
        assert_eq!(packet.len(), MAX_DATAGRAM);
    }

    /// Fills a queue with packets of `length` bytes, and takes all of them out again.
    fn burst(queue: &mut Queue, length: usize) {
        assert!(fill(queue, length) > 0);
        let most = queue.bound() + MAX_DATAGRAM;
        assert!(queue.held() <= most * 2, "{} bytes held, {most} allowed", queue.held());
        let mut packet = Vec::new();
        while queue.pop(&mut packet).is_some() {
            queue.accepts();
        }
    }

    #[test]
    fn after_a_burst_little_traffic_holds_little_memory() {
        for length in [0, 1_200] {
            let mut queue = queue(1 << 20);
            burst(&mut queue, length);
            let mut packet = Vec::new();
            for _ in 0..2 {
                assert!(queue.accepts());
                queue.push(b"quiet", sender(1));
                queue.pop(&mut packet);
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
    fn the_sender_is_kept_whole() {
        for address in ["10.1.2.3:4", "[2001:db8::1]:65535", "[fe80::1%7]:9"] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(Packet::new(0, address).sender(), address);
        }
    }

    #[test]
    fn clearing_forgets_the_packets_and_keeps_the_bound() {
        let mut queue = queue(65_536);
        fill(&mut queue, 1_000);
        queue.clear();
        assert_eq!(queue.len(), 0);
        assert_eq!(queue.bound(), 131_071);
        assert_eq!(queue.bytes.capacity(), 0);
    }
}

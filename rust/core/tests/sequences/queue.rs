//! The model of a receive queue: the packets, what they cost, and three counts.

use std::collections::VecDeque;
use std::net::SocketAddr;

use packet_peer_udp_core::OverflowPolicy;

/// What a packet costs beside its length.
const OVERHEAD: usize = 24;

#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) payload: Vec<u8>,
    pub(crate) sender: SocketAddr,
    /// In which step of the sequence it was sent.
    pub(crate) step: usize,
    /// Whether the peer's counts were reset since it was counted, and whether the server's were.
    is_counted_before: bool,
    is_summed_before: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) received: u64,
    pub(crate) bytes: u64,
    pub(crate) dropped: u64,
}

/// Whether the queue has dropped for want of room since it was opened, and whether that was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Notice {
    #[default]
    None,
    Due,
    Told,
}

#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) packets: VecDeque<Packet>,
    pub(crate) bound: usize,
    default_bound: usize,
    pub(crate) policy: OverflowPolicy,
    pub(crate) counts: Counts,
    /// What this queue has added to the counts of its server.
    pub(crate) sum: Counts,
    notice: Notice,
}

impl Packet {
    pub(crate) fn new(payload: Vec<u8>, sender: SocketAddr, step: usize) -> Self {
        Self { payload, sender, step, is_counted_before: false, is_summed_before: false }
    }

    fn cost(&self) -> usize {
        self.payload.len() + OVERHEAD
    }
}

impl Counts {
    /// How many packets have come to the queue, however they left it.
    pub(crate) fn handled(self) -> u64 {
        self.received + self.dropped
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        let Self { received, bytes, dropped } = other;
        Self { received: self.received + received, bytes: self.bytes + bytes, dropped: self.dropped + dropped }
    }
}

/// The engine's ring: the next power of two above `recv_buf_size`, at least 65,536; one byte stays free.
fn ring(recv_buf_size: usize) -> usize {
    let mut ring = 65_536;
    while ring <= recv_buf_size {
        ring *= 2;
    }
    ring - 1
}

impl Queue {
    /// Of a closed peer.
    pub(crate) fn new() -> Self {
        let bound = 0;
        let counts = Counts::default();
        let (policy, notice) = (OverflowPolicy::DropNewest, Notice::None);
        Self { packets: VecDeque::new(), bound, default_bound: 0, policy, counts, sum: counts, notice }
    }

    pub(crate) fn open(&mut self, recv_buf_size: usize, queue_size: usize) {
        self.packets.clear();
        self.default_bound = ring(recv_buf_size);
        self.bound = if queue_size == 0 { self.default_bound } else { queue_size };
        self.notice = Notice::None;
    }

    pub(crate) fn close(&mut self) {
        self.packets.clear();
        self.bound = ring(0);
    }

    fn used(&self) -> usize {
        self.packets.iter().map(Packet::cost).sum()
    }

    /// An empty queue takes any packet.
    pub(crate) fn fits(&self, packet: &Packet) -> bool {
        self.packets.is_empty() || self.used() + packet.cost() <= self.bound
    }

    pub(crate) fn push(&mut self, packet: Packet) {
        self.count_taken_directly(&packet);
        self.packets.push_back(packet);
    }

    /// Counts a packet that was handed out without being queued.
    pub(crate) fn count_taken_directly(&mut self, packet: &Packet) {
        for counts in [&mut self.counts, &mut self.sum] {
            counts.received += 1;
            counts.bytes += packet.payload.len() as u64;
        }
    }

    /// What does not fit is dropped, or the oldest packets are until it does.
    pub(crate) fn push_or_drop(&mut self, packet: Packet) {
        while self.policy == OverflowPolicy::DropOldest && !self.fits(&packet) {
            let oldest = self.packets.pop_front().unwrap();
            self.count_dropped(&oldest);
            self.note_drop();
        }
        if self.fits(&packet) {
            self.push(packet);
        } else {
            self.counts.dropped += 1;
            self.sum.dropped += 1;
            self.note_drop();
        }
    }

    /// Counts a packet as dropped that had been counted as received.
    fn count_dropped(&mut self, packet: &Packet) {
        let Self { counts, sum, .. } = self;
        for (counts, is_older) in [(counts, packet.is_counted_before), (sum, packet.is_summed_before)] {
            counts.dropped += 1;
            if !is_older {
                counts.received -= 1;
                counts.bytes -= packet.payload.len() as u64;
            }
        }
    }

    fn note_drop(&mut self) {
        if self.notice == Notice::None {
            self.notice = Notice::Due;
        }
    }

    /// It was told that the queue has dropped.
    pub(crate) fn note_told(&mut self) {
        self.notice = Notice::Told;
    }

    pub(crate) fn take_drop_notice(&mut self) -> bool {
        let is_due = self.notice == Notice::Due;
        if is_due {
            self.notice = Notice::Told;
        }
        is_due
    }

    /// Sets the bound; 0 for what `bind` has asked for. One packet stays, however large.
    pub(crate) fn set_size(&mut self, bytes: usize) {
        self.bound = if bytes == 0 { self.default_bound } else { bytes };
        while self.used() > self.bound && self.packets.len() > 1 {
            let dropped = match self.policy {
                OverflowPolicy::DropOldest => self.packets.pop_front(),
                OverflowPolicy::DropNewest => self.packets.pop_back(),
            };
            self.count_dropped(&dropped.unwrap());
            self.note_drop();
        }
    }

    /// Drops and counts all packets, which is no want of room.
    pub(crate) fn discard(&mut self) {
        while let Some(packet) = self.packets.pop_front() {
            self.count_dropped(&packet);
        }
    }

    pub(crate) fn reset_counts(&mut self) {
        self.counts = Counts::default();
        self.packets.iter_mut().for_each(|packet| packet.is_counted_before = true);
    }

    pub(crate) fn reset_sum(&mut self) {
        self.sum = Counts::default();
        self.packets.iter_mut().for_each(|packet| packet.is_summed_before = true);
    }
}

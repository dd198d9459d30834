//! Statistics of a peer or a server, as its user gets them.

use std::ops::AddAssign;

use crate::link::counts::LinkStats;

/// What a peer has counted since it was made, or since [`Peer::reset_stats`](crate::Peer::reset_stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Stats {
    pub packets_sent: u64,
    pub bytes_sent: u64,
    /// Packets that entered the queue and were not dropped there.
    pub packets_received: u64,
    pub bytes_received: u64,
    /// Packets that a full queue dropped.
    pub packets_dropped_queue: u64,
    /// Packets that the kernel dropped because its buffer was full. Linux and Android only (`SO_MEMINFO`), else 0; a lower
    /// bound, since datagrams that the kernel has coalesced count as one.
    pub packets_dropped_kernel: u64,
    /// Calls that did not send all that they were given.
    pub send_errors: u64,
    /// Receives that failed, mostly because another host reported that a datagram sent to it was refused (ICMP).
    pub receive_errors: u64,
    pub send_syscalls: u64,
    pub receive_syscalls: u64,
    /// What link conditions have done, in both directions.
    pub conditions: LinkStats,
}

/// What a peer has counted since it was made, also before [`Peer::reset_stats`](crate::Peer::reset_stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Totals {
    pub packets_in: u64,
    pub packets_out: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// By the queue, and by the kernel where the platform tells.
    pub packets_dropped: u64,
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.packets_in += other.packets_in;
        self.packets_out += other.packets_out;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.packets_dropped += other.packets_dropped;
    }
}

impl Stats {
    /// The difference to `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            packets_sent: self.packets_sent.saturating_sub(before.packets_sent),
            bytes_sent: self.bytes_sent.saturating_sub(before.bytes_sent),
            packets_received: self.packets_received.saturating_sub(before.packets_received),
            bytes_received: self.bytes_received.saturating_sub(before.bytes_received),
            packets_dropped_queue: self.packets_dropped_queue.saturating_sub(before.packets_dropped_queue),
            packets_dropped_kernel: self.packets_dropped_kernel.saturating_sub(before.packets_dropped_kernel),
            send_errors: self.send_errors.saturating_sub(before.send_errors),
            receive_errors: self.receive_errors.saturating_sub(before.receive_errors),
            send_syscalls: self.send_syscalls.saturating_sub(before.send_syscalls),
            receive_syscalls: self.receive_syscalls.saturating_sub(before.receive_syscalls),
            conditions: self.conditions.since(before.conditions),
        }
    }
}

//! What a relay counts in each of its two directions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::diagnostics::Diagnostics;
use crate::queue::QueueCounts;
use crate::sink::Received;
use crate::stats::Stats;

/// What a relay has counted since it was made, or since [`Proxy::reset_stats`](crate::Proxy::reset_stats), over all of its clients, those
/// that are gone included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProxyStats {
    /// What clients have sent.
    pub to_target: DirectionStats,
    /// What the target has sent.
    pub to_client: DirectionStats,
    /// How often the target's host has reported that it refuses what is sent there, because nothing receives on that port, or that it
    /// cannot be reached (ICMP). The client learns nothing of it. The kernel keeps one report at a time, so several may count as one;
    /// Windows tells of none.
    pub refused: u64,
}

/// The packets of one direction. While no packet is on its way through the relay, `packets_in + duplicated` is
/// `packets_out + lost + dropped + waiting`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirectionStats {
    /// Packets that the relay has received.
    pub packets_in: u64,
    /// Packets that the kernel has taken to send.
    pub packets_out: u64,
    /// The payloads of the packets received.
    pub bytes_in: u64,
    /// The payloads of the packets sent.
    pub bytes_out: u64,
    /// See [`LinkStats::lost`](crate::LinkStats::lost).
    pub lost: u64,
    /// See [`LinkStats::duplicated`](crate::LinkStats::duplicated).
    pub duplicated: u64,
    /// See [`LinkStats::reordered`](crate::LinkStats::reordered).
    pub reordered: u64,
    /// See [`LinkStats::corrupted`](crate::LinkStats::corrupted).
    pub corrupted: u64,
    /// See [`LinkStats::dropped`](crate::LinkStats::dropped). Besides, packets of a client that was not let in or is gone, and those that
    /// the kernel has refused to send.
    pub dropped: u64,
    /// Packets that are held back now.
    pub waiting: u64,
}

impl DirectionStats {
    /// The difference to `before`, except of what is held back now.
    fn since(self, before: Self) -> Self {
        Self {
            packets_in: self.packets_in.saturating_sub(before.packets_in),
            packets_out: self.packets_out.saturating_sub(before.packets_out),
            bytes_in: self.bytes_in.saturating_sub(before.bytes_in),
            bytes_out: self.bytes_out.saturating_sub(before.bytes_out),
            lost: self.lost.saturating_sub(before.lost),
            duplicated: self.duplicated.saturating_sub(before.duplicated),
            reordered: self.reordered.saturating_sub(before.reordered),
            corrupted: self.corrupted.saturating_sub(before.corrupted),
            dropped: self.dropped.saturating_sub(before.dropped),
            waiting: self.waiting,
        }
    }
}

/// Both directions. They outlive the sockets.
#[derive(Debug)]
pub(super) struct Ways {
    pub(super) to_target: Way,
    pub(super) to_client: Way,
    before_reset: Mutex<ProxyStats>,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Way {
    /// What is sent, what link conditions do to it, and errors.
    pub(super) diagnostics: Arc<Diagnostics>,
    packets_in: AtomicU64,
    bytes_in: AtomicU64,
    /// Packets that were neither sent nor given to a line.
    dropped: AtomicU64,
}

impl Default for Ways {
    fn default() -> Self {
        let to_target = Way::new(Diagnostics::default());
        let to_client = Way::new(Diagnostics::with_errors_of(&to_target.diagnostics));
        Self { to_target, to_client, before_reset: Mutex::default() }
    }
}

impl Ways {
    /// Keeps the last error of both directions, and of the calls.
    pub(super) fn diagnostics(&self) -> &Diagnostics {
        &self.to_target.diagnostics
    }

    /// Since they were last reset.
    pub(super) fn stats(&self) -> ProxyStats {
        let before = self.before_reset.lock();
        let stats = self.stats_since_made();
        ProxyStats {
            to_target: stats.to_target.since(before.to_target),
            to_client: stats.to_client.since(before.to_client),
            refused: stats.refused.saturating_sub(before.refused),
        }
    }

    pub(super) fn reset(&self) {
        let mut before = self.before_reset.lock();
        *before = self.stats_since_made();
    }

    fn stats_since_made(&self) -> ProxyStats {
        let (to_target, of_target) = self.to_target.stats();
        ProxyStats { to_target, to_client: self.to_client.stats().0, refused: of_target.receive_errors }
    }
}

impl Way {
    fn new(diagnostics: Diagnostics) -> Self {
        Self {
            diagnostics: Arc::new(diagnostics),
            packets_in: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    /// Counts what was received.
    pub(super) fn count_in(&self, messages: &[Received<'_>]) {
        let bytes: usize = messages.iter().map(|message| message.bytes.len()).sum();
        self.packets_in.fetch_add(packets(messages), Ordering::Relaxed);
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts what was received and goes nowhere.
    pub(super) fn count_dropped(&self, messages: &[Received<'_>]) {
        self.dropped.fetch_add(packets(messages), Ordering::Relaxed);
    }

    fn stats(&self) -> (DirectionStats, Stats) {
        let stats = self.diagnostics.stats(QueueCounts::default(), 0);
        let link = stats.conditions;
        let direction = DirectionStats {
            packets_in: self.packets_in.load(Ordering::Relaxed),
            packets_out: stats.packets_sent,
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: stats.bytes_sent,
            lost: link.lost,
            duplicated: link.duplicated,
            reordered: link.reordered,
            corrupted: link.corrupted,
            // Each datagram that the kernel refuses is one error.
            dropped: self.dropped.load(Ordering::Relaxed) + link.dropped + stats.send_errors,
            waiting: link.waiting,
        };
        (direction, stats)
    }
}

fn packets(messages: &[Received<'_>]) -> u64 {
    messages.iter().map(|message| message.count() as u64).sum()
}

//! What a peer has counted.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Peer;
use crate::sys;

/// What has happened to a peer since it was made, or since [`Peer::reset_stats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Stats {
    pub packets_sent: u64,
    pub bytes_sent: u64,
    /// What has entered the queue and was not given up there.
    pub packets_received: u64,
    pub bytes_received: u64,
    /// What a full queue has given up.
    pub packets_dropped_queue: u64,
    /// What the kernel has dropped because its buffer was full, where it tells (Linux: `SO_MEMINFO`); a lower bound where
    /// it had joined packets.
    pub packets_dropped_kernel: u64,
    /// Calls that could not send all that they were given.
    pub send_errors: u64,
    /// How often receiving failed: answers of other hosts that something sent to them was refused, mostly.
    pub receive_errors: u64,
    pub send_syscalls: u64,
    pub receive_syscalls: u64,
}

/// What a peer has moved since it was made, whatever was reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Totals {
    pub packets_in: u64,
    pub packets_out: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// By the queue, and by the kernel where it tells.
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
    fn since(self, before: Self) -> Self {
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
        }
    }
}

impl Peer {
    /// What has happened so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.all_stats().since(*self.forgotten.lock())
    }

    /// What has happened since the peer was made.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let received = self.inbox.lock().queue.total_counts();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            packets_in: received.packets,
            packets_out: count(&self.sending.alone) + count(&self.sending.packets),
            bytes_in: received.bytes,
            bytes_out: count(&self.sending.bytes),
            packets_dropped: received.dropped + self.kernel_drops(),
        }
    }

    /// What the kernel has dropped at this peer's own sockets.
    pub(crate) fn kernel_drops(&self) -> u64 {
        let link = self.link.read();
        link.kernel_drops + link.state.socket().map_or(0, |socket| sys::kernel_drops(socket.io()))
    }

    /// Counts from zero again.
    pub fn reset_stats(&self) {
        self.inbox.lock().queue.reset_counts();
        let mut all = self.all_stats();
        // These have just begun anew.
        (all.packets_received, all.bytes_received, all.packets_dropped_queue) = (0, 0, 0);
        *self.forgotten.lock() = all;
    }

    fn all_stats(&self) -> Stats {
        let packets_dropped_kernel = self.kernel_drops();
        let receive_syscalls = self.receiver.lock().system_calls;
        let received = *self.inbox.lock().queue.counts();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let alone = count(&self.sending.alone);
        Stats {
            packets_sent: alone + count(&self.sending.packets),
            bytes_sent: count(&self.sending.bytes),
            packets_received: received.packets,
            bytes_received: received.bytes,
            packets_dropped_queue: received.dropped,
            packets_dropped_kernel,
            send_errors: count(&self.sending.errors),
            receive_errors: count(&self.receive_errors),
            send_syscalls: alone + count(&self.sending.more_system_calls),
            receive_syscalls,
        }
    }
}

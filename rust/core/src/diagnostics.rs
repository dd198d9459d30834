//! What a peer or a server counts, and what its last failed call ran into.
//!
//! An endpoint shares the diagnostics of the peer or server that has opened it, so that they outlive the socket.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::error::{Error, Operation, Result};
use crate::link::counts::LinkCounts;
use crate::queue::QueueCounts;
use crate::stats::{Stats, Totals};

/// The longest message that is kept, in characters.
const LONGEST_MESSAGE: usize = 500;

/// What the last failed call ran into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastError {
    /// The system's code, 0 where the system was not asked.
    pub code: i32,
    /// The operation, and the system's words.
    pub message: String,
}

/// Counters that any thread may change at any time, and the last error.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    last_error: Arc<Mutex<LastError>>,
    receive_errors: AtomicU64,
    /// Changed only by the thread that holds an endpoint's receiver.
    receive_system_calls: AtomicU64,
    /// Packets that were sent one by one, with one system call each.
    single_packets: AtomicU64,
    /// Packets that were sent in batches.
    batch_packets: AtomicU64,
    bytes_sent: AtomicU64,
    send_errors: AtomicU64,
    /// System calls beyond those of `single_packets`.
    other_send_system_calls: AtomicU64,
    /// What link conditions have done.
    link: Arc<LinkCounts>,
    /// The counters when they were last reset.
    before_reset: Mutex<Stats>,
}

impl Diagnostics {
    /// With counters of link conditions that there are already.
    pub(crate) fn with_link(link: Arc<LinkCounts>) -> Self {
        Self { link, ..Self::default() }
    }

    /// With the last error of another, so that of both only the last one is kept.
    pub(crate) fn with_errors_of(other: &Self) -> Self {
        Self { last_error: Arc::clone(&other.last_error), ..Self::default() }
    }

    pub(crate) fn link(&self) -> &Arc<LinkCounts> {
        &self.link
    }

    pub(crate) fn last_error(&self) -> LastError {
        self.last_error.lock().clone()
    }

    /// Keeps an error for [`last_error`](Self::last_error).
    pub(crate) fn record(&self, error: &Error) {
        let mut message = error.to_string();
        // The message quotes what a script has passed, which may be of any length.
        if let Some((end, _)) = message.char_indices().nth(LONGEST_MESSAGE) {
            message.truncate(end);
            message.push('…');
        }
        *self.last_error.lock() = LastError { code: error.os_code(), message };
    }

    /// Keeps the error of a result, if it is one.
    pub(crate) fn recorded<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result {
            self.record(error);
        }
        result
    }

    /// As [`recorded`](Self::recorded), for a send: a failure is counted too.
    pub(crate) fn recorded_send<T>(&self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.count_send_error();
        }
        self.recorded(result)
    }

    /// Keeps a message about something that the system was not asked for.
    pub(crate) fn record_misuse(&self, message: &str) {
        *self.last_error.lock() = LastError { code: 0, message: message.to_owned() };
    }

    /// Counts failed receives; `last` is the error of the last of them.
    pub(crate) fn record_receive_errors(&self, count: u64, last: io::Error) {
        add(&self.receive_errors, count);
        self.record(&Error::os(Operation::Receive, "", last));
    }

    /// Counts a failed receive without keeping its error.
    pub(crate) fn count_receive_error(&self) {
        add(&self.receive_errors, 1);
    }

    /// Counts system calls that receive. The caller holds the receiver, so no other thread adds at the same time.
    pub(crate) fn count_receive_system_calls(&self, count: usize) {
        let before = self.receive_system_calls.load(Ordering::Relaxed);
        self.receive_system_calls.store(before + count as u64, Ordering::Relaxed);
    }

    /// Counts a packet that was sent by a system call of its own.
    pub(crate) fn count_single_send(&self, bytes: usize) {
        add(&self.single_packets, 1);
        add(&self.bytes_sent, bytes as u64);
    }

    pub(crate) fn count_batch_send(&self, packets: usize, bytes: usize, system_calls: u64) {
        add(&self.batch_packets, packets as u64);
        add(&self.bytes_sent, bytes as u64);
        add(&self.other_send_system_calls, system_calls);
    }

    /// Counts a packet of a server's peer that was sent together with those of others. The server counts the system call.
    pub(crate) fn count_shared_send(&self, bytes: usize) {
        add(&self.batch_packets, 1);
        add(&self.bytes_sent, bytes as u64);
    }

    /// Counts a system call that sent nothing.
    pub(crate) fn count_vain_send(&self) {
        add(&self.other_send_system_calls, 1);
    }

    pub(crate) fn count_send_error(&self) {
        add(&self.send_errors, 1);
    }

    /// Counts datagrams that are not sent, and keeps the reason.
    pub(crate) fn record_dropped(&self, error: &Error, count: usize) {
        add(&self.send_errors, count as u64);
        self.record(error);
    }

    /// The counters since they were last reset. The queue and the kernel count by themselves.
    pub(crate) fn stats(&self, received: QueueCounts, kernel_drops: u64) -> Stats {
        self.stats_since_made(received, kernel_drops).since(*self.before_reset.lock())
    }

    /// Resets the counters. The queue's must have been reset just before, so of these only its own reset counts.
    pub(crate) fn reset(&self, kernel_drops: u64) {
        *self.before_reset.lock() = self.stats_since_made(QueueCounts::default(), kernel_drops);
    }

    fn stats_since_made(&self, received: QueueCounts, kernel_drops: u64) -> Stats {
        let single = get(&self.single_packets);
        Stats {
            packets_sent: single + get(&self.batch_packets),
            bytes_sent: get(&self.bytes_sent),
            packets_received: received.packets,
            bytes_received: received.bytes,
            packets_dropped_queue: received.dropped,
            packets_dropped_kernel: kernel_drops,
            send_errors: get(&self.send_errors),
            receive_errors: get(&self.receive_errors),
            send_syscalls: single + get(&self.other_send_system_calls),
            receive_syscalls: get(&self.receive_system_calls),
            conditions: self.link.stats(),
        }
    }

    /// The counters since the peer was made.
    pub(crate) fn totals(&self, received: QueueCounts, kernel_drops: u64) -> Totals {
        let stats = self.stats_since_made(received, kernel_drops);
        Totals {
            packets_in: stats.packets_received,
            packets_out: stats.packets_sent,
            bytes_in: stats.bytes_received,
            bytes_out: stats.bytes_sent,
            packets_dropped: stats.packets_dropped_queue + kernel_drops,
        }
    }
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

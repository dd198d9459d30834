//! What a call that reads an endpoint asks for, what comes of it, and how much it may read.

use super::backoff::PERSISTENT_ERRORS;
use crate::queue::MAX_DATAGRAM;
use crate::sys;

/// By how much a kernel may overfill its buffer: it takes one more datagram while there is any room.
pub(super) const LARGEST_COST: usize = kernel_cost(MAX_DATAGRAM);

/// What is known about whether a socket is readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hint {
    Unknown,
    /// It is, very likely: so trying to receive is cheaper than asking.
    Readable,
}

/// The thread that reads a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// One that takes packets. Reads nothing while the reactor does.
    Caller,
    /// One in the wait of that number.
    Wait(u64),
}

/// The outcome of a read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    /// How many packets can be taken now, where the sink belongs to one peer; else 0.
    pub(crate) available: usize,
    /// Whether there is nothing more to read now: nothing has arrived, or there is no room for it.
    pub(crate) is_last: bool,
    /// Whether there was an error and nothing else.
    pub(crate) has_failed: bool,
    /// What the messages that were read have occupied in the kernel, at least.
    pub(super) cost: usize,
    /// What the kernel's buffer can hold, in the same measure.
    pub(super) limit: usize,
}

impl Progress {
    /// What the messages that were read have occupied in the kernel, at least.
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    pub(super) fn nothing(available: usize) -> Self {
        Self { available, is_last: true, has_failed: false, cost: 0, limit: 0 }
    }
}

/// How much one call may read. What arrives after the call is left to the next one: a flood must not keep a call busy.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Budget {
    spent: usize,
    /// How many reads in a row have failed.
    errors: u32,
}

impl Budget {
    /// Whether the call may go on after a read: not once it has read as much as the kernel's buffer can have held when the call
    /// began, nor after [`PERSISTENT_ERRORS`].
    pub(crate) fn allows_more(&mut self, progress: &Progress) -> bool {
        self.spent += progress.cost;
        self.errors = if progress.has_failed { self.errors + 1 } else { 0 };
        !progress.is_last && self.spent <= progress.limit && !self.has_only_errors()
    }

    /// Whether the call has ended in [`PERSISTENT_ERRORS`].
    pub(crate) fn has_only_errors(&self) -> bool {
        self.errors >= PERSISTENT_ERRORS
    }
}

/// How much of the kernel's receive buffer a message of `length` bytes occupies, at least.
pub(crate) const fn kernel_cost(length: usize) -> usize {
    length + sys::KERNEL_OVERHEAD
}

/// The outcome of [`Endpoint::read_direct`](super::Endpoint::read_direct).
pub(crate) enum Direct<T> {
    /// The sink has packets, which come first.
    Queued,
    Nothing,
    Messages {
        adopted: T,
        /// Whether there may be more.
        more: bool,
        /// Whether there was an error and nothing else.
        has_failed: bool,
        /// What the messages have occupied in the kernel, at least.
        cost: usize,
    },
}

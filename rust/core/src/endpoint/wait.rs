//! Waiting for a packet on an endpoint's socket.
//!
//! `waiters/model` mirrors this loop, and checks it in every interleaving: keep both alike.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Endpoint;
use super::progress::{Budget, Hint, Reader};
use crate::socket::Socket;
use crate::sys::Waker;
use crate::waiters::{Entered, Standing, WaitEnd, WaiterId};

/// A wait that has begun and is to be [followed](Endpoint::wait) to its end, or that has ended at once.
pub(crate) enum BegunWait {
    Waits { id: u64, waker: Arc<Waker> },
    Ended(WaitEnd),
}

impl Endpoint {
    /// Whether `has_packet`, after a look at the socket. An interruption that is pending counts as taken.
    pub(crate) fn look(&self, waiter: WaiterId, has_packet: impl Fn() -> bool) -> WaitEnd {
        if self.attention().waiters.take_interruption(waiter) {
            return WaitEnd::Interrupted;
        }
        let is_ready = has_packet() || self.read_until(Reader::Caller, Hint::Unknown, &has_packet);
        if is_ready { WaitEnd::Ready } else { WaitEnd::TimedOut }
    }

    /// Blocks until `has_packet`, at most for `timeout` (`None`: without limit). If no other thread does so yet, this one reads the
    /// socket meanwhile, also in background mode.
    ///
    /// The caller holds no lock.
    pub(crate) fn wait(
        &self,
        begun: BegunWait,
        has_packet: impl Fn() -> bool,
        timeout: Option<Duration>,
    ) -> io::Result<WaitEnd> {
        let (id, waker) = match begun {
            BegunWait::Waits { id, waker } => (id, waker),
            BegunWait::Ended(end) => return Ok(end),
        };
        // A timeout beyond the clock's range is none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        // From here on, a thread that delivers a packet wakes this one. One that did so before has left the packet in the queue, so
        // the queue is looked at before the first sleep. The socket need not be: if it is readable, the sleep ends at once.
        let mut slept = Ok(false);
        loop {
            let standing = self.attention().waiters.look(id);
            let end = match (standing, slept) {
                (Standing::Ended(end), _) => Some(Ok(end)),
                (_, Err(error)) => Some(Err(error)),
                (Standing::Waits { is_reader }, Ok(is_readable)) => {
                    let is_over = deadline.is_some_and(|deadline| Instant::now() >= deadline);
                    let hint = if is_readable { Hint::Readable } else { Hint::Unknown };
                    let reads = (is_reader && is_readable) || is_over;
                    if has_packet() || (reads && self.read_until(Reader::Wait(id), hint, &has_packet)) {
                        Some(Ok(WaitEnd::Ready))
                    } else {
                        is_over.then_some(Ok(WaitEnd::TimedOut))
                    }
                }
            };
            if let Some(end) = end {
                return self.end_wait(id).map_or(end, Ok);
            }
            slept = waker.sleep(deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())));
        }
    }

    /// Reads until `has_packet` or there is no more to read. A batch may consist of errors, or of packets for other peers.
    fn read_until(&self, reader: Reader, mut hint: Hint, has_packet: &impl Fn() -> bool) -> bool {
        let mut budget = Budget::default();
        loop {
            let progress = self.read(reader, hint);
            if has_packet() {
                return true;
            }
            if !budget.allows_more(&progress) {
                return false;
            }
            hint = Hint::Unknown;
        }
    }

    /// Begins a wait, which must be followed to its end. The caller may hold the state of the peer that waits.
    pub(crate) fn begin_wait(&self, waiter: WaiterId) -> io::Result<BegunWait> {
        let socket = self.shared_socket.read();
        let Some(socket) = socket.as_deref().map(Socket::io) else { return Ok(BegunWait::Ended(WaitEnd::Closed)) };
        let mut attention = self.attention();
        match attention.waiters.enter(waiter, socket)? {
            Entered::Waiting { id, waker, is_reader } => {
                if let Some(registration) = attention.registration.as_ref().filter(|_| is_reader) {
                    registration.pause(socket);
                }
                self.waits.store(attention.waiters.len(), Ordering::Relaxed);
                Ok(BegunWait::Waits { id, waker })
            }
            Entered::Interrupted => Ok(BegunWait::Ended(WaitEnd::Interrupted)),
            Entered::Closed => Ok(BegunWait::Ended(WaitEnd::Closed)),
        }
    }

    /// Ends a wait from the waiting thread's side; how another thread had ended it, if one had.
    fn end_wait(&self, id: u64) -> Option<WaitEnd> {
        let socket = self.shared_socket.read();
        let socket = socket.as_deref().map(Socket::io);
        let mut attention = self.attention();
        let left = attention.waiters.leave(id, socket);
        if left.is_reader_missing
            && let (Some(registration), Some(socket)) = (&attention.registration, socket)
        {
            registration.resume(socket);
        }
        self.waits.store(attention.waiters.len(), Ordering::Relaxed);
        drop(attention);
        if left.ended.is_some() {
            self.wait_left.notify_all();
        }
        left.ended
    }
}

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

impl Endpoint {
    /// Blocks until `has_packet`, at most for `timeout` (`None`: without limit; zero: only looks). If no other thread does so yet,
    /// this one reads the socket meanwhile, also in background mode.
    ///
    /// The caller holds no lock.
    pub(crate) fn wait(
        &self,
        waiter: WaiterId,
        has_packet: impl Fn() -> bool,
        timeout: Option<Duration>,
    ) -> io::Result<WaitEnd> {
        if self.attention().waiters.take_interruption(waiter) {
            return Ok(WaitEnd::Interrupted);
        }
        if timeout == Some(Duration::ZERO) {
            let is_ready = has_packet() || self.read_until(Reader::Caller, Hint::Unknown, &has_packet);
            return Ok(if is_ready { WaitEnd::Ready } else { WaitEnd::TimedOut });
        }
        // A timeout beyond the clock's range is none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let (id, waker) = match self.begin_wait(waiter)? {
            Ok(begun) => begun,
            Err(end) => return Ok(end),
        };
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

    fn begin_wait(&self, waiter: WaiterId) -> io::Result<Result<(u64, Arc<Waker>), WaitEnd>> {
        let socket = self.shared_socket.read();
        let Some(socket) = socket.as_deref().map(Socket::io) else { return Ok(Err(WaitEnd::Closed)) };
        let mut attention = self.attention();
        match attention.waiters.enter(waiter, socket)? {
            Entered::Waiting { id, waker, is_reader } => {
                if let Some(registration) = attention.registration.as_ref().filter(|_| is_reader) {
                    registration.pause(socket);
                }
                self.waits.store(attention.waiters.len(), Ordering::Relaxed);
                Ok(Ok((id, waker)))
            }
            Entered::Interrupted => Ok(Err(WaitEnd::Interrupted)),
            Entered::Closed => Ok(Err(WaitEnd::Closed)),
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

//! Waiting for a packet on an endpoint's socket.
//!
//! `waiters/model` mirrors this loop, and checks it in every interleaving: keep both alike.

use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Endpoint;
use super::backoff::Backoff;
use super::progress::{Budget, Hint, Reader};
use crate::socket::Socket;
use crate::sys::{self, Waker};
use crate::waiters::{Entered, Prepared, Standing, WaitEnd, WaiterId};

/// How long a thread sleeps at a time where no timer could be set for what is held back.
const LOOK: Duration = Duration::from_millis(5);

/// A wait that has begun and is to be [followed](Endpoint::wait) to its end, or that has ended at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BegunWait {
    Waits(u64),
    Ended(WaitEnd),
}

/// What is known about the socket after a sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slept {
    /// Nothing: the thread has not slept yet, or the system may not have told.
    Unknown,
    /// It is readable.
    Readable,
    /// The thread was not woken by the socket.
    Otherwise,
}

/// What came of reading for a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Packet,
    Nothing,
    /// Nothing but errors, so that reading on makes no sense.
    Errors,
}

impl Endpoint {
    /// Whether `has_packet`, after a look at the socket. An interruption that is pending counts as taken.
    pub(crate) fn look(&self, waiter: WaiterId, has_packet: impl Fn() -> bool) -> WaitEnd {
        if self.attention().waiters.take_interruption(waiter) {
            return WaitEnd::Interrupted;
        }
        let is_ready = has_packet() || self.read_until(Reader::Caller, Hint::Unknown, &has_packet) == Found::Packet;
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
        let id = match begun {
            BegunWait::Waits(id) => id,
            BegunWait::Ended(end) => return Ok(end),
        };
        // A timeout beyond the clock's range is none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        // From here on, a thread that delivers a packet wakes this one. One that did so before has left the packet in the queue, so
        // the queue is looked at before the first sleep. The socket is too, since a sleep takes a descriptor, and more system calls.
        let mut slept = Slept::Unknown;
        let mut backoff = Backoff::default();
        loop {
            let standing = self.attention().waiters.look(id);
            let mut pause = None;
            let end = match standing {
                Standing::Ended(end) => Some(end),
                Standing::Waits { is_reader } => {
                    let is_over = deadline.is_some_and(|deadline| Instant::now() >= deadline);
                    let hint = if slept == Slept::Readable { Hint::Readable } else { Hint::Unknown };
                    let reads = slept == Slept::Unknown || (is_reader && slept == Slept::Readable) || is_over;
                    let found = match reads {
                        _ if has_packet() => Found::Packet,
                        true => self.read_until(Reader::Wait(id), hint, &has_packet),
                        false => Found::Nothing,
                    };
                    match found {
                        Found::Errors => pause = Some(backoff.next_pause()),
                        _ if reads => backoff.reset(),
                        _ => {}
                    }
                    if found == Found::Packet { Some(WaitEnd::Ready) } else { is_over.then_some(WaitEnd::TimedOut) }
                }
            };
            if let Some(end) = end {
                return Ok(self.end_wait(id).unwrap_or(end));
            }
            slept = match self.sleep(id, deadline, pause) {
                Ok(slept) => slept,
                Err(error) => return self.end_wait(id).ok_or(error),
            };
        }
    }

    /// Has the thread of the wait `id` sleep, at most until `deadline`. With a `pause` it sleeps for that long without the socket.
    fn sleep(&self, id: u64, deadline: Option<Instant>, pause: Option<Duration>) -> io::Result<Slept> {
        let Prepared::Sleeps { waker, is_reader } = self.prepare_sleep(id, pause.is_none())? else {
            return Ok(Slept::Otherwise);
        };
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        // Where the system may fail to tell of a packet, the reader looks by itself now and then.
        let most = pause.or(if is_reader { sys::LONGEST_SLEEP } else { None });
        // Where nothing tells when what is held back is due, the thread looks for it.
        let most = if self.lacks_timer.load(Ordering::Relaxed) {
            Some(most.map_or(LOOK, |most| most.min(LOOK)))
        } else {
            most
        };
        let (timeout, is_cut) = match (left, most) {
            (Some(left), Some(most)) if most >= left => (Some(left), false),
            (left, None) => (left, false),
            (_, most) => (most, true),
        };
        let start = Instant::now();
        let is_readable = waker.sleep(timeout)?;
        Ok(match most.filter(|_| is_cut) {
            _ if is_readable => Slept::Readable,
            Some(most) if start.elapsed() >= most => Slept::Unknown,
            _ => Slept::Otherwise,
        })
    }

    /// Reads until `has_packet` or there is no more to read. A batch may consist of errors, or of packets for other peers.
    fn read_until(&self, reader: Reader, mut hint: Hint, has_packet: &impl Fn() -> bool) -> Found {
        let mut budget = Budget::default();
        loop {
            let progress = self.read(reader, hint);
            if has_packet() {
                return Found::Packet;
            }
            if !budget.allows_more(&progress) {
                return if budget.has_only_errors() { Found::Errors } else { Found::Nothing };
            }
            hint = Hint::Unknown;
        }
    }

    /// Begins a wait, which must be followed to its end. The caller may hold the state of the peer that waits.
    pub(crate) fn begin_wait(&self, waiter: WaiterId) -> BegunWait {
        let mut attention = self.attention();
        let entered = attention.waiters.enter(waiter);
        self.waits.store(attention.waiters.len(), Ordering::Relaxed);
        match entered {
            Entered::Waiting(id) => BegunWait::Waits(id),
            Entered::Interrupted => BegunWait::Ended(WaitEnd::Interrupted),
            Entered::Closed => BegunWait::Ended(WaitEnd::Closed),
        }
    }

    /// Lets a waiting thread go to sleep, unless there is something to look at.
    fn prepare_sleep(&self, id: u64, with_socket: bool) -> io::Result<Prepared<Waker>> {
        let socket = self.shared_socket.read();
        let socket = socket.as_deref().map(Socket::io);
        let mut attention = self.attention();
        let had_reader = attention.waiters.has_reader();
        let prepared = attention.waiters.prepare(id, socket, with_socket)?;
        let becomes_reader = !had_reader && attention.waiters.has_reader();
        if let (true, Some(registration), Some(socket)) = (becomes_reader, &attention.registration, socket) {
            registration.pause(socket);
        }
        Ok(prepared)
    }

    /// Ends a wait from the waiting thread's side; how another thread had ended it, if one had.
    fn end_wait(&self, id: u64) -> Option<WaitEnd> {
        let socket = self.shared_socket.read();
        let socket = socket.as_deref().map(Socket::io);
        let mut attention = self.attention();
        let left = attention.waiters.leave(id, socket);
        if let (true, Some(socket)) = (left.is_reader_missing, socket) {
            attention.resume(socket);
        }
        self.waits.store(attention.waiters.len(), Ordering::Relaxed);
        drop(attention);
        if left.ended.is_some() {
            self.wait_left.notify_all();
        }
        left.ended
    }
}

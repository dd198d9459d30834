//! Every platform other than Linux and Android: a `polling::Poller`. Unit tests compile it on every platform.

use std::fmt;
use std::io;
use std::net::UdpSocket;
use std::num::NonZeroUsize;
use std::time::Duration;

use parking_lot::Mutex;
use polling::{Event, Events, PollMode, Poller};

/// The longest timeout that is passed to the system: some systems reject very long ones. A longer sleep ends early.
const MAX_TIMEOUT: Duration = Duration::from_hours(1);

/// See [`sys`](crate::sys).
pub(crate) struct Waker {
    poller: Poller,
    /// Locked by the thread that sleeps.
    events: Mutex<Events>,
}

impl Waker {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { poller: Poller::new()?, events: Mutex::new(Events::with_capacity(NonZeroUsize::MIN)) })
    }

    pub(crate) fn watch(&self, socket: &UdpSocket) -> io::Result<()> {
        // Level-triggered: if another thread has received the packet, nothing has to be re-armed.
        // SAFETY: the socket must be removed before it is closed. The contract of `watch` demands the same of its caller, see
        // `sys`.
        unsafe { self.poller.add_with_mode(socket, Event::readable(0), PollMode::Level) }
    }

    pub(crate) fn unwatch(&self, socket: &UdpSocket) {
        // This fails only if the socket is not watched.
        let _ = self.poller.delete(socket);
        // Windows holds the socket until a wait has reported the end of the poll. A thread that sleeps does that wait;
        // if none does, it happens here.
        if let Some(mut events) = self.events.try_lock() {
            events.clear();
            let _ = self.poller.wait(&mut events, Some(Duration::ZERO));
            // This wait may have consumed a pending wake-up.
            self.wake();
        }
    }

    pub(crate) fn sleep(&self, timeout: Option<Duration>) -> io::Result<bool> {
        let mut events = self.events.lock();
        events.clear();
        self.poller.wait(&mut events, timeout.map(|timeout| timeout.min(MAX_TIMEOUT)))?;
        Ok(!events.is_empty())
    }

    pub(crate) fn wake(&self) {
        // This fails only if the system's own notification does (a pipe, a completion port), which no caller can repair.
        let _ = self.poller.notify();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker").finish_non_exhaustive()
    }
}

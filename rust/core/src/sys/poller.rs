//! Sleeping until a socket is readable, where the platform has nothing that is called directly: by `polling`.

use std::fmt;
use std::io;
use std::net::UdpSocket;
use std::num::NonZeroUsize;
use std::time::Duration;

use parking_lot::Mutex;
use polling::{Event, Events, PollMode, Poller};

/// The longest that a system is asked to sleep at a stretch: not every one takes a time that is very far away.
const LONGEST: Duration = Duration::from_hours(1);

/// See the module [`sys`](super).
pub(crate) struct Sleeper {
    poller: Poller,
    /// Only the one who sleeps uses it.
    events: Mutex<Events>,
}

impl Sleeper {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { poller: Poller::new()?, events: Mutex::new(Events::with_capacity(NonZeroUsize::MIN)) })
    }

    pub(crate) fn watch(&self, socket: &UdpSocket) -> io::Result<()> {
        // Level-triggered: a wake-up that found nothing (another thread was faster) needs no rearming.
        // SAFETY: the socket has to be taken out before it is dropped: that is `watch`'s own condition, see the module
        // `sys`.
        unsafe { self.poller.add_with_mode(socket, Event::readable(0), PollMode::Level) }
    }

    pub(crate) fn unwatch(&self, socket: &UdpSocket) {
        // This fails only where the socket is not watched, which is what is wanted.
        let _ = self.poller.delete(socket);
        // On Windows the socket is held until somebody has seen that it is not watched any more: whoever sleeps; or nobody
        // does, and then it is done here.
        if let Some(mut events) = self.events.try_lock() {
            events.clear();
            let _ = self.poller.wait(&mut events, Some(Duration::ZERO));
            // That may have been somebody's call to wake up.
            self.wake();
        }
    }

    pub(crate) fn sleep(&self, timeout: Option<Duration>) -> io::Result<bool> {
        let mut events = self.events.lock();
        events.clear();
        self.poller.wait(&mut events, timeout.map(|timeout| timeout.min(LONGEST)))?;
        Ok(!events.is_empty())
    }

    pub(crate) fn wake(&self) {
        // This fails only where the system's own notification does (a pipe, a completion port), and then there is nothing
        // that a caller could do about it.
        let _ = self.poller.notify();
    }
}

impl fmt::Debug for Sleeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleeper").finish_non_exhaustive()
    }
}

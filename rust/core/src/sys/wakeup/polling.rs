//! Every platform other than Linux and Android: a `polling::Poller`. Unit tests compile it on every platform.
//!
//! Where the process has no descriptor left for the poller, the thread sleeps on a condition, and tries to receive after every slice
//! of the time.

use std::fmt;
use std::io;
use std::net::UdpSocket;
use std::num::NonZeroUsize;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use polling::{Event, Events, PollMode, Poller};

/// The longest timeout that is passed to the system: some systems reject very long ones. A longer sleep ends early.
const MAX_TIMEOUT: Duration = Duration::from_hours(1);

/// How long a thread without a poller sleeps at a time.
const SLICE: Duration = Duration::from_millis(5);

/// See [`sys`](crate::sys).
pub(crate) enum Waker {
    Prompt {
        poller: Poller,
        /// Locked by the thread that sleeps.
        events: Mutex<Events>,
    },
    InSlices(Slices),
}

/// What a thread sleeps with that has no poller.
#[derive(Debug, Default)]
pub(crate) struct Slices {
    state: Mutex<SlicesState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct SlicesState {
    is_woken: bool,
    watches: bool,
}

impl Waker {
    #[expect(clippy::unnecessary_wraps, reason = "the contract of `sys`")]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(match Poller::new() {
            Ok(poller) => Self::Prompt { poller, events: Mutex::new(Events::with_capacity(NonZeroUsize::MIN)) },
            Err(_) => Self::InSlices(Slices::default()),
        })
    }

    #[cfg(test)]
    #[expect(clippy::unnecessary_wraps, reason = "as `new`")]
    pub(crate) fn without_descriptor() -> io::Result<Self> {
        Ok(Self::InSlices(Slices::default()))
    }

    pub(crate) fn is_prompt(&self) -> bool {
        matches!(self, Self::Prompt { .. })
    }

    pub(crate) fn watch(&self, socket: &UdpSocket) -> io::Result<()> {
        let poller = match self {
            Self::Prompt { poller, .. } => poller,
            Self::InSlices(slices) => {
                slices.state.lock().watches = true;
                return Ok(());
            }
        };
        // Level-triggered: if another thread has received the packet, nothing has to be re-armed.
        // SAFETY: the socket must be removed before it is closed. The contract of `watch` demands the same of its caller, see
        // `sys`.
        unsafe { poller.add_with_mode(socket, Event::readable(0), PollMode::Level) }
    }

    pub(crate) fn unwatch(&self, socket: &UdpSocket) {
        let (poller, events) = match self {
            Self::Prompt { poller, events } => (poller, events),
            Self::InSlices(slices) => {
                slices.state.lock().watches = false;
                return;
            }
        };
        // This fails only if the socket is not watched.
        let _ = poller.delete(socket);
        // Windows holds the socket until a wait has reported the end of the poll. A thread that sleeps does that wait;
        // if none does, it happens here.
        if let Some(mut events) = events.try_lock() {
            events.clear();
            let _ = poller.wait(&mut events, Some(Duration::ZERO));
            // This wait may have consumed a pending wake-up.
            self.wake();
        }
    }

    pub(crate) fn sleep(&self, timeout: Option<Duration>) -> io::Result<bool> {
        match self {
            Self::Prompt { poller, events } => {
                let mut events = events.lock();
                events.clear();
                poller.wait(&mut events, timeout.map(|timeout| timeout.min(MAX_TIMEOUT)))?;
                Ok(!events.is_empty())
            }
            Self::InSlices(slices) => Ok(slices.sleep(timeout)),
        }
    }

    pub(crate) fn wake(&self) {
        match self {
            Self::Prompt { poller, .. } => {
                // This fails only if the system's own notification does (a pipe, a completion port), which no caller can repair.
                let _ = poller.notify();
            }
            Self::InSlices(slices) => {
                slices.state.lock().is_woken = true;
                slices.changed.notify_all();
            }
        }
    }
}

impl Slices {
    /// Sleeps for one slice at most. Whether the socket is readable is not known, so the caller is told to try.
    fn sleep(&self, timeout: Option<Duration>) -> bool {
        let mut state = self.state.lock();
        let slice = timeout.map_or(SLICE, |timeout| timeout.min(SLICE));
        self.changed.wait_while_for(&mut state, |state| !state.is_woken, slice);
        state.is_woken = false;
        state.watches
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker").finish_non_exhaustive()
    }
}

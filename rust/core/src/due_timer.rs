//! A timer for the next of many things that fall due.

use std::io;
use std::sync::Weak;
use std::time::{Duration, Instant};

use crate::clock;
use crate::locks::{Mutex, rank};
use crate::reactor::{self, OnTimer, Timer};

/// How long after one time the timer fires again at the earliest. So that of many packets that are due one after the other, several are
/// handled at once: each costs less then, and none is later than this.
const MIN_PAUSE_NSEC: u64 = 100_000;

/// What the timer is set again for where the system could not set it, so that the next call tries again.
const NOT_SET: u64 = u64::MAX;

/// Calls its target when the earliest of the times is due that it was [set](Self::set) to, and then no more until it is set again.
pub(crate) struct DueTimer {
    target: Weak<dyn OnTimer>,
    state: Mutex<State, { rank::LINK_TIMER }>,
}

struct State {
    /// The time that the timer is set to.
    due: u64,
    timer: Option<Timer>,
    /// When it last fired.
    fired: u64,
}

impl std::fmt::Debug for DueTimer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DueTimer").finish_non_exhaustive()
    }
}

impl DueTimer {
    pub(crate) fn new(target: Weak<dyn OnTimer>) -> Self {
        Self { target, state: Mutex::new(State { due: NOT_SET, timer: None, fired: 0 }) }
    }

    /// Has the target called at `due`, on the clock of [`clock::now_nsec`], or up to 0.1 ms later.
    ///
    /// Fails where the process has no thread or descriptor left for the reactor: then the target is not called, and what is due must be
    /// found otherwise.
    pub(crate) fn set(&self, due: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.due <= due {
            return Ok(());
        }
        let at = due.max(state.fired.saturating_add(MIN_PAUSE_NSEC));
        let remaining = Duration::from_nanos(at.saturating_sub(clock::now_nsec()));
        let Some(at) = Instant::now().checked_add(remaining) else { return Ok(()) };
        match reactor::set_timer(at, Weak::clone(&self.target)) {
            Ok(timer) => {
                state.due = due;
                state.timer = Some(timer);
                Ok(())
            }
            Err(error) => {
                state.due = NOT_SET;
                state.timer = None;
                Err(error)
            }
        }
    }

    /// To be called by the target first.
    pub(crate) fn note_fired(&self) {
        let mut state = self.state.lock();
        state.due = NOT_SET;
        state.timer = None;
        state.fired = clock::now_nsec();
    }

    pub(crate) fn cancel(&self) {
        let mut state = self.state.lock();
        state.due = NOT_SET;
        state.timer = None;
    }
}

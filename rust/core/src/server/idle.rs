//! Closing the peers that were idle for too long.

use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{IdleTimer, Inner, detach, now};
use crate::locks::MutexGuard;
use crate::peer_table::{DEADLINES_PER_CALL, Detachment};
use crate::reactor::{self, OnTimer};

/// How long an idle timer waits at least, so that peers whose packets are still unread do not keep the reactor busy.
const MIN_IDLE_TIMER: Duration = Duration::from_millis(5);

/// How many deadlines the reactor's thread looks at before it turns to its sockets again: about a millisecond of work.
const DEADLINES_IN_TURN: usize = 200;

impl Inner {
    /// Restarts the idle time of all peers if the server was not polled for so long that the kernel has dropped packets: these may be from
    /// peers that seem to be idle.
    pub(super) fn excuse_unread(&self, timeout: u64) {
        let now = now();
        let pause = now.saturating_sub(self.polled_at.swap(now, Ordering::Relaxed));
        let in_background = self.endpoint().is_some_and(|endpoint| endpoint.is_in_background());
        if pause < timeout / 2 || in_background {
            return;
        }
        let drops = self.kernel_drops();
        if self.kernel_drops.swap(drops, Ordering::Relaxed) < drops {
            self.table().lock().restart_idle_timers(now);
        }
    }

    /// Closes the peers that were idle for too long, after a look at `most` deadlines or a few more; whether more are due. Between two
    /// short rounds no lock is held.
    pub(super) fn close_idle(&self, most: usize) -> bool {
        let is_any_due = self.table().lock().next_deadline().is_some_and(|at| at <= now());
        let Some(endpoint) = self.endpoint().filter(|_| is_any_due) else { return false };
        let Some(until) = endpoint.drained_until() else { return false };
        let mut looked_at = 0;
        loop {
            let mut entries = self.table().lock();
            let (idle, any_more) = entries.time_out(until);
            let msec = entries.idle_timeout() / 1_000;
            // A thread that waits to deliver packets comes first.
            MutexGuard::unlock_fair(entries);
            detach(&idle, Detachment::Idle { msec });
            self.table().lock().note_timed_out(idle);
            looked_at += DEADLINES_PER_CALL;
            if !any_more || looked_at >= most {
                return any_more;
            }
        }
    }

    /// Sets the timer for the next deadline, in background mode. Otherwise [`poll`](super::Server::poll) closes idle peers.
    pub(super) fn set_idle_timer(&self) {
        self.set_idle_timer_after(MIN_IDLE_TIMER);
    }

    /// The same, for a deadline that may be due: after `least` at least.
    fn set_idle_timer_after(&self, least: Duration) {
        // Before the endpoint is looked at, so that a server which is stopped meanwhile keeps no timer.
        let mut timer = self.idle_timer.lock();
        let deadline = self.table().lock().next_deadline();
        let in_background = self.endpoint().is_some_and(|endpoint| endpoint.is_in_background());
        let Some(deadline) = deadline.filter(|_| in_background) else {
            *timer = None;
            return;
        };
        if timer.as_ref().is_some_and(|timer| timer.deadline <= deadline) {
            return;
        }
        let remaining = Duration::from_micros(deadline.saturating_sub(now())).max(least);
        let target: Weak<dyn OnTimer> = Weak::<Self>::clone(&self.me);
        // The reactor's thread runs already, so this does not fail. If it did, poll() would still close idle peers.
        *timer = Instant::now()
            .checked_add(remaining)
            .and_then(|at| reactor::set_timer(at, target).ok())
            .map(|timer| IdleTimer { deadline, _timer: timer });
    }
}

impl OnTimer for Inner {
    fn on_timer(&self) {
        *self.idle_timer.lock() = None;
        let any_more = self.close_idle(DEADLINES_IN_TURN);
        self.set_idle_timer_after(if any_more { Duration::ZERO } else { MIN_IDLE_TIMER });
    }
}

//! Arrival times of packets, on the clock of the game (`Time.get_ticks_usec()`).

use std::sync::atomic::{AtomicU64, Ordering};

use crate::sys;

/// Two comparisons of the clocks that differ by at most this count as equal. Reading both clocks takes much less; if the thread
/// loses the processor in between, it takes much longer.
const SAME_NSEC: u64 = 20_000;

/// How often the clocks are compared at most until two comparisons in a row are equal.
const ATTEMPTS: usize = 4;

/// What [`clock_nsec`] is ahead of the system's clock, which begins at the start of the machine or even of this library: 36 years. An
/// origin that lies before that could else not be told.
const BEFORE_ALL: u64 = 1 << 60;

/// By how much the real time was ahead at the last comparison, in nanoseconds.
static AHEAD: AtomicU64 = AtomicU64::new(0);

/// The origin of the game's clock, in nanoseconds of the system's clock.
static ORIGIN: AtomicU64 = AtomicU64::new(0);

/// Sets the moment from which arrival times are counted, as [`clock_nsec`] tells it.
pub fn set_clock_origin(nsec: u64) {
    ORIGIN.store(nsec, Ordering::Relaxed);
}

/// Now, in nanoseconds, on the system's clock that arrival times are counted on (Linux and Android:
/// `CLOCK_MONOTONIC_RAW`; elsewhere that of [`std::time::Instant`]). Its zero lies decades back, before every origin.
#[must_use]
pub fn clock_nsec() -> u64 {
    BEFORE_ALL + sys::ticks_nsec()
}

/// Now, in nanoseconds since the clock's origin: the clock of packets' times.
pub(crate) fn now_nsec() -> u64 {
    let now = clock_nsec().saturating_sub(ORIGIN.load(Ordering::Relaxed));
    #[cfg(any(test, fuzzing))]
    let now = shift::shifted(now);
    now
}

/// A clock that jumps, for tests; for the calling thread only.
#[cfg(any(test, fuzzing))]
pub(crate) mod shift {
    use std::cell::Cell;

    thread_local! {
        static SHIFT: Cell<i64> = const { Cell::new(0) };
    }

    pub(super) fn shifted(now: u64) -> u64 {
        now.saturating_add_signed(SHIFT.get())
    }

    /// Sets by how many nanoseconds this thread's clock is ahead.
    pub(crate) fn set(nsec: i64) {
        SHIFT.set(nsec);
    }
}

/// The system's clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clocks {
    ticks: u64,
    real_time: u64,
}

impl Clocks {
    pub(crate) fn now() -> Self {
        let before = AHEAD.load(Ordering::Relaxed);
        let clocks = Self::agreed(before, Self::read);
        if clocks.ahead().abs_diff(before) > SAME_NSEC {
            AHEAD.store(clocks.ahead(), Ordering::Relaxed);
        }
        clocks
    }

    /// Reads the game's clock first, so that no arrival time is later than the read.
    fn read() -> Self {
        Self { ticks: clock_nsec(), real_time: sys::real_time_nsec() }
    }

    /// A reading in which the thread has not lost the processor between the two clocks: one that is ahead by as much as the one
    /// before. After the real time was set, all readings are ahead by another amount, so the second of these counts.
    fn agreed(mut before: u64, mut read: impl FnMut() -> Self) -> Self {
        let mut clocks = read();
        for _ in 1..ATTEMPTS {
            if clocks.ahead().abs_diff(before) <= SAME_NSEC {
                break;
            }
            before = clocks.ahead();
            clocks = read();
        }
        clocks
    }

    fn ahead(&self) -> u64 {
        self.real_time.wrapping_sub(self.ticks)
    }

    /// The arrival time of a packet that was read just before, in microseconds since the clock's origin. `real_time` is the kernel's
    /// receive time in nanoseconds; without it, the packet counts as having arrived now.
    pub(crate) fn time_of(&self, real_time: Option<u64>) -> u64 {
        self.time_since(ORIGIN.load(Ordering::Relaxed), real_time)
    }

    fn time_since(&self, origin: u64, real_time: Option<u64>) -> u64 {
        // Zero for a packet from the future, which occurs when the clock was set back meanwhile.
        let age = real_time.map_or(0, |time| self.real_time.saturating_sub(time));
        let time = self.ticks.saturating_sub(age);
        time.saturating_sub(origin) / 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result for readings that are ahead by these amounts, and how many of them were needed.
    fn agreed(before: u64, ahead: &[u64]) -> (u64, usize) {
        let mut count = 0;
        let clocks = Clocks::agreed(before, || {
            count += 1;
            Clocks { ticks: 1_000, real_time: 1_000 + ahead[count - 1] }
        });
        (clocks.ahead(), count)
    }

    #[test]
    fn the_origin_may_lie_before_the_clock_began() {
        // A game that has run for a year when the library is loaded, and asks for the time at once.
        const YEAR: u64 = 365 * 24 * 3_600 * 1_000_000;
        let origin = clock_nsec().saturating_sub(YEAR * 1_000);
        let clocks = Clocks::now();
        let now = clocks.time_since(origin, None);
        assert!((YEAR..YEAR + 60_000_000).contains(&now), "{now}");
        // A packet that was received 5 ms before.
        assert_eq!(clocks.time_since(origin, Some(clocks.real_time - 5_000_000)), now - 5_000);
    }

    #[test]
    fn a_reading_that_was_torn_apart_is_taken_again() {
        const USUAL: u64 = 5_000_000_000;
        const TORN: u64 = USUAL + 3_000_000;
        assert_eq!(agreed(USUAL, &[USUAL + 100]), (USUAL + 100, 1));
        assert_eq!(agreed(USUAL, &[TORN, USUAL, USUAL + 1]), (USUAL + 1, 3));
        // The first reading of all, and one after the clock was set.
        assert_eq!(agreed(0, &[USUAL, USUAL + 7]), (USUAL + 7, 2));
        // Bounded, if no two readings agree.
        assert_eq!(agreed(0, &[USUAL, TORN, USUAL, TORN]).1, ATTEMPTS);
    }
}

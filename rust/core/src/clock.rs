//! When packets arrive, on the clock that the game goes by.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::sys;

/// How far apart two comparisons of the clocks may be that are taken to be the same: reading both takes much less, and losing
/// the processor in between much longer.
const SAME_NSEC: u64 = 20_000;

/// How often the clocks are compared, at most, until two comparisons in a row are the same.
const ATTEMPTS: usize = 4;

/// By how much the real time was ahead when the clocks were compared lately.
static AHEAD: AtomicU64 = AtomicU64::new(0);

/// Where the game's clock begins, in nanoseconds of the system's clock.
static ORIGIN: AtomicU64 = AtomicU64::new(0);

/// Sets the moment from which arrival times are counted, as [`clock_nsec`] tells it.
pub fn set_clock_origin(nsec: u64) {
    ORIGIN.store(nsec, Ordering::Relaxed);
}

/// Now, in nanoseconds, on the system's clock that arrival times are counted on (Linux and Android:
/// `CLOCK_MONOTONIC_RAW`; elsewhere that of [`std::time::Instant`]).
#[must_use]
pub fn clock_nsec() -> u64 {
    sys::ticks_nsec()
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

    /// The game's clock is read first: so no packet ever seems to have come later than it was read.
    fn read() -> Self {
        Self { ticks: sys::ticks_nsec(), real_time: sys::real_time_nsec() }
    }

    /// A reading that was not torn apart by the thread's losing the processor between the two clocks: one that is ahead by as
    /// much as the one before. (The real time may be set, and then it is ahead by another amount for good.)
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

    /// When a packet came that was read just before: at `real_time`, in nanoseconds of the kernel's clock, or just now
    /// where the kernel does not tell. In microseconds since the clock's origin.
    pub(crate) fn time_of(&self, real_time: Option<u64>) -> u64 {
        // In the future when somebody has set the clock back meanwhile.
        let age = real_time.map_or(0, |time| self.real_time.saturating_sub(time));
        let time = self.ticks.saturating_sub(age);
        time.saturating_sub(ORIGIN.load(Ordering::Relaxed)) / 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is agreed on of readings that are ahead by so much, and how many were needed.
    fn agreed(before: u64, ahead: &[u64]) -> (u64, usize) {
        let mut count = 0;
        let clocks = Clocks::agreed(before, || {
            count += 1;
            Clocks { ticks: 1_000, real_time: 1_000 + ahead[count - 1] }
        });
        (clocks.ahead(), count)
    }

    #[test]
    fn a_reading_that_was_torn_apart_is_taken_again() {
        const USUAL: u64 = 5_000_000_000;
        const TORN: u64 = USUAL + 3_000_000;
        assert_eq!(agreed(USUAL, &[USUAL + 100]), (USUAL + 100, 1));
        assert_eq!(agreed(USUAL, &[TORN, USUAL, USUAL + 1]), (USUAL + 1, 3));
        // The first of all, and one after somebody has set the clock.
        assert_eq!(agreed(0, &[USUAL, USUAL + 7]), (USUAL + 7, 2));
        // It has to end some time.
        assert_eq!(agreed(0, &[USUAL, TORN, USUAL, TORN]).1, ATTEMPTS);
    }
}

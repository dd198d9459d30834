//! When packets arrive, on the clock that the game goes by.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::sys;

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
pub(crate) struct Clocks {
    ticks: u64,
    real_time: u64,
}

impl Clocks {
    /// The game's clock is read first: so no packet ever seems to have come later than it was read.
    pub(crate) fn now() -> Self {
        Self { ticks: sys::ticks_nsec(), real_time: sys::real_time_nsec() }
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

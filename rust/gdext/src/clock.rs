//! The core's clock and the engine's: the same one, with different beginnings.

use godot::classes::Time;
use godot::obj::Singleton;
use packet_peer_udp_core::clock_nsec;

/// How often the beginning is measured; the best counts.
const ATTEMPTS: u32 = 5;

/// How often the engine's clock is read, at most, until it has moved on; it does so within a microsecond.
const PATIENCE: u32 = 10_000;

/// The beginning of `Time.get_ticks_usec()`, on the core's clock. A little late if anything: so what came in does not seem
/// to have come later than it did.
pub(crate) fn origin_nsec() -> u64 {
    let time = Time::singleton();
    let measure = |_| {
        // When it has just moved on, the engine's clock is known to less than the microsecond that it counts in.
        let before = time.get_ticks_usec();
        let ticks = (0..PATIENCE).map(|_| time.get_ticks_usec()).find(|ticks| *ticks != before).unwrap_or(before);
        clock_nsec().saturating_sub(ticks * 1_000)
    };
    (0..ATTEMPTS).map(measure).min().unwrap_or(0)
}

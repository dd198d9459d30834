//! The core's clock and the engine's: the same clock, with different origins.

use godot::classes::Time;
use godot::obj::Singleton;
use packet_peer_udp_core::clock_nsec;

/// How often the origin is measured; the earliest result counts.
const ATTEMPTS: u32 = 5;

/// How often the engine's clock is read, at most, until it changes, which takes at most a microsecond.
const READS: u32 = 10_000;

/// The origin of `Time.get_ticks_usec()` on the core's clock. An error makes it later, never earlier, so that no packet seems
/// to have arrived later than it did.
pub(crate) fn origin_nsec() -> u64 {
    let time = Time::singleton();
    let measure = |_| {
        // Just after a change, the engine's clock is known more precisely than to the microsecond in which it counts.
        let before = time.get_ticks_usec();
        let ticks = (0..READS).map(|_| time.get_ticks_usec()).find(|ticks| *ticks != before).unwrap_or(before);
        clock_nsec().saturating_sub(ticks * 1_000)
    };
    (0..ATTEMPTS).map(measure).min().unwrap_or(0)
}

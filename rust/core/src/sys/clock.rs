//! The clock that receive times refer to.

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since the Unix epoch on the system's real-time clock, which jumps when it is set.
pub(crate) fn real_time_nsec() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

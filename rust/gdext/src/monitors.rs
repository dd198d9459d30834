//! The traffic of all peers, as custom monitors of `Performance`: in the editor's debugger, and for scripts.
//!
//! They need no counters of their own: once a second the counters of all peers are added up, over several frames if there are
//! many peers.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use godot::classes::Performance;
use godot::prelude::*;
use packet_peer_udp_core::Totals;
use parking_lot::Mutex;

use crate::registry::Registered;
use crate::shared::{PEERS, SERVERS, Shared};

const SECOND: Duration = Duration::from_secs(1);

/// How many peers are added up in a frame; each takes one or two microseconds. If more than [`PART`] times as many are left,
/// one in [`PART`] of them, so that the sum is done within the second.
const PEERS_A_FRAME: usize = 100;
const PART: usize = 20;

/// The value of a monitor.
type Value = fn() -> u64;

/// The monitors' names and values.
const MONITORS: [(&str, Value); 5] = [
    ("udp_rs/packets_in_per_sec", || LAST.lock().per_second.packets_in),
    ("udp_rs/packets_out_per_sec", || LAST.lock().per_second.packets_out),
    ("udp_rs/bytes_in_per_sec", || LAST.lock().per_second.bytes_in),
    ("udp_rs/bytes_out_per_sec", || LAST.lock().per_second.bytes_out),
    ("udp_rs/packets_dropped", || LAST.lock().totals.packets_dropped),
];

static LAST: LazyLock<Mutex<Sample>> = LazyLock::new(|| Mutex::new(Sample::first(Instant::now(), Totals::default())));

/// The state at the end of a second.
struct Sample {
    at: Instant,
    totals: Totals,
    /// The traffic of that second.
    per_second: Totals,
}

impl Sample {
    fn first(at: Instant, totals: Totals) -> Self {
        Self { at, totals, per_second: Totals::default() }
    }

    fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.at) >= SECOND
    }

    /// The next sample. A second ends with a frame, so it is longer than a second: rates are divided by its true length.
    fn next(&self, at: Instant, totals: Totals) -> Self {
        let passed = at.duration_since(self.at).as_nanos().max(1);
        let rate = |now: u64, before: u64| {
            let moved = u128::from(now.saturating_sub(before));
            u64::try_from((moved * SECOND.as_nanos() + passed / 2) / passed).unwrap_or(u64::MAX)
        };
        let per_second = Totals {
            packets_in: rate(totals.packets_in, self.totals.packets_in),
            packets_out: rate(totals.packets_out, self.totals.packets_out),
            bytes_in: rate(totals.bytes_in, self.totals.bytes_in),
            bytes_out: rate(totals.bytes_out, self.totals.bytes_out),
            packets_dropped: rate(totals.packets_dropped, self.totals.packets_dropped),
        };
        Self { at, totals, per_second }
    }
}

/// The sum over all peers that existed when it was begun.
struct Sum {
    since: Instant,
    /// The peers that are not added yet.
    left: Vec<Arc<Shared>>,
    totals: Totals,
}

/// The sum that has been begun. Taken out while peers are added, so that no peer is dropped under this lock.
static SUM: Mutex<Option<Sum>> = Mutex::new(None);

impl Sum {
    fn new(since: Instant) -> Self {
        let (left, mut totals) = PEERS.all();
        let (servers, of_freed_servers) = SERVERS.all();
        totals += of_freed_servers;
        for server in servers {
            totals += server.totals();
        }
        Self { since, left, totals }
    }

    /// Adds some peers; whether these were the last.
    fn add_some(&mut self) -> bool {
        let some = PEERS_A_FRAME.max(self.left.len() / PART);
        for shared in self.left.drain(self.left.len().saturating_sub(some)..) {
            self.totals += shared.totals();
        }
        self.left.is_empty()
    }
}

/// Adds the monitors. To be undone by [`remove`].
pub(crate) fn add() {
    let mut sum = Sum::new(Instant::now());
    while !sum.add_some() {}
    *LAST.lock() = Sample::first(sum.since, sum.totals);
    let mut performance = Performance::singleton();
    for (name, value) in MONITORS {
        if !performance.has_custom_monitor(name) {
            let value = Callable::from_sync_fn(name, move |_| i64::try_from(value()).unwrap_or(i64::MAX));
            performance.add_custom_monitor(name, &value);
        }
    }
}

pub(crate) fn remove() {
    let unfinished = SUM.lock().take();
    drop(unfinished);
    let mut performance = Performance::singleton();
    for (name, _) in MONITORS {
        // This also runs in an engine that quits before it has added them.
        if performance.has_custom_monitor(name) {
            performance.remove_custom_monitor(name);
        }
    }
}

/// Continues the sum, or begins one when a second is over. To be called once a frame, on the main thread.
pub(crate) fn sample() {
    let unfinished = SUM.lock().take();
    let begin = || {
        let now = Instant::now();
        let is_over = LAST.lock().is_over(now);
        is_over.then(|| Sum::new(now))
    };
    let Some(mut sum) = unfinished.or_else(begin) else { return };
    if sum.add_some() {
        let mut last = LAST.lock();
        *last = last.next(sum.since, sum.totals);
    } else {
        *SUM.lock() = Some(sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_traffic_divided_by_the_time_that_has_passed() {
        let start = Instant::now();
        let first = Sample::first(start, Totals { packets_in: 1_000, ..Totals::default() });
        assert!(!first.is_over(start + SECOND / 2));
        assert!(first.is_over(start + SECOND));

        let totals = Totals { packets_in: 1_300, bytes_in: 15_001, packets_out: 7, ..Totals::default() };
        let next = first.next(start + SECOND * 3 / 2, totals);
        let expected = Totals { packets_in: 200, bytes_in: 10_001, packets_out: 5, ..Totals::default() };
        assert_eq!(next.per_second, expected);
        // A full queue that drops packets that it had counted counts backwards; that is a rate of 0.
        let last = next.next(start + SECOND * 3, Totals { packets_in: 1_200, ..totals });
        assert_eq!(last.per_second, Totals::default());
    }
}

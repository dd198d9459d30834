//! What all peers do, as custom monitors of `Performance`: in the editor's debugger, and for scripts.
//!
//! Nothing is counted for them: once a second what the peers have counted anyway is added up, of many peers in several frames.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use godot::classes::Performance;
use godot::prelude::*;
use packet_peer_udp_core::Totals;
use parking_lot::Mutex;

use crate::registry::{self, Shared};

const SECOND: Duration = Duration::from_secs(1);

/// How many peers are added up in a frame: to ask each takes a microsecond or two. Of very many, one in [`PART`] of those that
/// are left, so that it comes to an end before the second does.
const PEERS_A_FRAME: usize = 100;
const PART: usize = 20;

/// What a monitor shows.
type Value = fn() -> u64;

/// The monitors, and what each tells.
const MONITORS: [(&str, Value); 5] = [
    ("udp_rs/packets_in_per_sec", || LAST.lock().per_second.packets_in),
    ("udp_rs/packets_out_per_sec", || LAST.lock().per_second.packets_out),
    ("udp_rs/bytes_in_per_sec", || LAST.lock().per_second.bytes_in),
    ("udp_rs/bytes_out_per_sec", || LAST.lock().per_second.bytes_out),
    ("udp_rs/packets_dropped", || LAST.lock().totals.packets_dropped),
];

static LAST: LazyLock<Mutex<Sample>> = LazyLock::new(|| Mutex::new(Sample::first(Instant::now(), Totals::default())));

/// How things stood when a second was over.
struct Sample {
    at: Instant,
    totals: Totals,
    /// What that second has brought.
    per_second: Totals,
}

impl Sample {
    fn first(at: Instant, totals: Totals) -> Self {
        Self { at, totals, per_second: Totals::default() }
    }

    fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.at) >= SECOND
    }

    /// The next one. A second lasts as long as the frame in which it ends, so it is divided by its true length.
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

/// The sum over all peers that there were when it was begun.
struct Sum {
    since: Instant,
    left: Vec<Arc<Shared>>,
    totals: Totals,
}

/// The sum that is being made; not while it is being made longer, so that no peer is let go of under this lock.
static SUM: Mutex<Option<Sum>> = Mutex::new(None);

impl Sum {
    fn new(since: Instant) -> Self {
        let (left, mut totals) = registry::all();
        // Of a server's packets its peers tell, but for those that no peer has got.
        totals.packets_dropped += registry::servers().iter().map(|shared| shared.server.drops()).sum::<u64>();
        Self { since, left, totals }
    }

    /// Adds some more peers; whether these were the last.
    fn go_on(&mut self) -> bool {
        let some = PEERS_A_FRAME.max(self.left.len() / PART);
        for shared in self.left.drain(self.left.len().saturating_sub(some)..) {
            self.totals += shared.peer.totals();
        }
        self.left.is_empty()
    }
}

/// Adds the monitors. To be undone by [`remove`].
pub(crate) fn add() {
    let mut sum = Sum::new(Instant::now());
    while !sum.go_on() {}
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
        // Where the engine was given no time to begin, there are none.
        if performance.has_custom_monitor(name) {
            performance.remove_custom_monitor(name);
        }
    }
}

/// Adds up, when a second is over. Called once a frame, on the main thread.
pub(crate) fn sample() {
    let unfinished = SUM.lock().take();
    let begin = || {
        let now = Instant::now();
        let is_over = LAST.lock().is_over(now);
        is_over.then(|| Sum::new(now))
    };
    let Some(mut sum) = unfinished.or_else(begin) else { return };
    if sum.go_on() {
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
    fn a_rate_is_what_a_second_would_have_brought() {
        let start = Instant::now();
        let first = Sample::first(start, Totals { packets_in: 1_000, ..Totals::default() });
        assert!(!first.is_over(start + SECOND / 2));
        assert!(first.is_over(start + SECOND));

        let totals = Totals { packets_in: 1_300, bytes_in: 15_001, packets_out: 7, ..Totals::default() };
        let next = first.next(start + SECOND * 3 / 2, totals);
        let expected = Totals { packets_in: 200, bytes_in: 10_001, packets_out: 5, ..Totals::default() };
        assert_eq!(next.per_second, expected);
        // A full queue that gives up what it had taken counts backwards; that is no rate.
        let last = next.next(start + SECOND * 3, Totals { packets_in: 1_200, ..totals });
        assert_eq!(last.per_second, Totals::default());
    }
}

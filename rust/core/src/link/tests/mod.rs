//! Tests of lines and lanes, without a clock and without sockets.

mod decisions;
mod distributions;
mod incoming;
mod properties;

use super::conditions::Conditions;
use super::draws::{Direction, LineId};
use super::line::{Arrival, Fate, Line};

const LINE: LineId = LineId { direction: Direction::Out, number: 0 };

const NSEC_PER_MSEC: u64 = 1_000_000;

/// How many packets the distributions are taken from.
const PACKETS: usize = 100_000;

/// The line of a seed.
fn line(seed: i64) -> Line {
    Line::new(seed, LINE)
}

/// What becomes of that many packets of 100 bytes, one each second.
fn fates(conditions: &Conditions, count: usize) -> Vec<Fate> {
    let mut line = line(conditions.rng_seed);
    (0..count as u64).map(|second| line.pass(conditions, 100, second * 1_000 * NSEC_PER_MSEC).packet).collect()
}

fn arrival(fate: Fate) -> Option<Arrival> {
    match fate {
        Fate::Delivered(arrival) => Some(arrival),
        Fate::Lost | Fate::Dropped => None,
    }
}

//! What happens to the packets of a line, and when they come out of it.
//!
//! Neither reads a clock nor keeps a payload: a [`Line`] is told the length of a packet and when it has come.

use super::conditions::Conditions;
use super::draws::{Generator, LineId, WayDraws};

/// What IPv4 and UDP add to a payload, in bytes.
const HEADERS: u64 = 28;

const NSEC_PER_MSEC: u64 = 1_000_000;

/// One direction of a link, between two ends.
#[derive(Debug)]
pub(crate) struct Line {
    generator: Generator,
    /// Gilbert's state: whether packets are lost now. `None` before the first packet.
    is_bad: Option<bool>,
    /// Until when the serial line transmits what has come so far; and what is left of a nanosecond then, in parts of which there are as
    /// many as kilobits per second.
    busy_until: u64,
    busy_rest: u64,
    /// The latest time at which a packet is due that was not held back by `reorder`.
    last_due: u64,
    /// When the first packet came, from which stalls are counted.
    began: Option<u64>,
}

/// What happens to a packet, and to its copy if it is delivered twice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Passage {
    pub(crate) packet: Fate,
    pub(crate) copy: Option<Fate>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fate {
    Lost,
    /// It is too large, or would wait for too long.
    Dropped,
    Delivered(Arrival),
}

/// How a packet comes out of the line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Arrival {
    /// When it is due.
    pub(crate) due: u64,
    /// Whether it was held back by `reorder`, or overtakes a packet that came before.
    pub(crate) is_reordered: bool,
    /// Which bit of the payload is flipped.
    pub(crate) flipped_bit: Option<usize>,
}

impl Line {
    pub(crate) fn new(seed: i64, id: LineId) -> Self {
        Self {
            generator: Generator::new(seed, id),
            is_bad: None,
            busy_until: 0,
            busy_rest: 0,
            last_due: 0,
            began: None,
        }
    }

    /// A new line in place of this one. Packets keep the order that they have to those of this one.
    pub(crate) fn restarted(&self, seed: i64, id: LineId) -> Self {
        Self { last_due: self.last_due, ..Self::new(seed, id) }
    }

    /// Sends a packet of so many bytes through the line at `now`, which must not go back.
    pub(crate) fn pass(&mut self, conditions: &Conditions, length: usize, now: u64) -> Passage {
        let draws = self.generator.next_packet();
        let began = *self.began.get_or_insert(now);
        // Before anything else, so that the state goes on whatever becomes of the packet.
        let is_lost = self.is_lost(conditions, draws.loss);
        let is_duplicated = draws.duplicate < conditions.duplicate;
        let fate = |line: &mut Self, way| line.way(conditions, length, now, began, WayDraws::new(way));
        let packet = match conditions.max_packet_size {
            max if max > 0 && length > max => Fate::Dropped,
            _ if conditions.blackout || is_lost => Fate::Lost,
            _ => fate(self, draws.ways[0]),
        };
        let is_copied = is_duplicated && matches!(packet, Fate::Delivered(_));
        Passage { packet, copy: is_copied.then(|| fate(self, draws.ways[1])) }
    }

    /// Where a packet passes as it is: when it is due, behind those that were delayed before it.
    pub(crate) fn due_in_order(&mut self, now: u64) -> u64 {
        self.last_due = self.last_due.max(now);
        self.last_due
    }

    /// Gilbert's model: in the bad state every packet is lost, in the good one none. `draw` is from 0 to 1.
    fn is_lost(&mut self, conditions: &Conditions, draw: f64) -> bool {
        let loss = conditions.loss.clamp(0.0, 1.0);
        if loss <= 0.0 || loss >= 1.0 || conditions.loss_burst.is_nan() || conditions.loss_burst <= 1.0 {
            let is_lost = draw < loss;
            self.is_bad = Some(is_lost);
            return is_lost;
        }
        // In balance, `loss * to_good` of the packets leave the bad state, and `(1 - loss) * to_bad` enter it. The second is at most 1.
        let odds = loss / (1.0 - loss);
        let to_good = conditions.loss_burst.max(odds).recip();
        let bad = match self.is_bad {
            None => draw < loss,
            Some(true) => draw >= to_good,
            Some(false) => draw < odds * to_good,
        };
        self.is_bad = Some(bad);
        bad
    }

    fn way(&mut self, conditions: &Conditions, length: usize, now: u64, began: u64, mut draws: WayDraws) -> Fate {
        let Some(transmitted) = self.transmit(conditions, length, now) else { return Fate::Dropped };
        let jitter = if conditions.jitter_msec > 0.0 { draws.jitter(conditions.jitter) } else { 0.0 };
        let delay = nsec(conditions.latency_msec + conditions.jitter_msec.max(0.0) * jitter);
        let undisturbed = transmitted.saturating_add(delay);
        let mut due = after_stall(conditions, undisturbed, began);
        let mut is_reordered = false;
        if conditions.jitter_reorders {
            is_reordered = due < self.last_due;
        } else {
            due = due.max(self.last_due);
        }
        self.last_due = self.last_due.max(due);
        if draws.reorder < conditions.reorder {
            due = after_stall(conditions, due.saturating_add(nsec(conditions.reorder_delay_msec)), began);
            is_reordered = true;
        }
        let bits = length * 8;
        let flips = draws.corrupt < conditions.corrupt && bits > 0;
        let flipped_bit = flips.then(|| usize::try_from(draws.bit % bits as u64).unwrap_or(0));
        Fate::Delivered(Arrival { due, is_reordered, flipped_bit })
    }

    /// When the last bit of the packet is through the serial line; `None` if it would have to wait for too long.
    fn transmit(&mut self, conditions: &Conditions, length: usize, now: u64) -> Option<u64> {
        if conditions.bandwidth_kbps == 0 {
            return Some(now);
        }
        let start = self.busy_until.max(now);
        if start - now > conditions.queue_limit_msec.saturating_mul(NSEC_PER_MSEC) {
            return None;
        }
        if start > self.busy_until {
            self.busy_rest = 0;
        }
        // A kilobit per second is a bit per millisecond.
        let parts = ((length as u64 + HEADERS) * 8 * NSEC_PER_MSEC).saturating_add(self.busy_rest);
        self.busy_until = start.saturating_add(parts / conditions.bandwidth_kbps);
        self.busy_rest = parts % conditions.bandwidth_kbps;
        Some(self.busy_until.saturating_add(u64::from(self.busy_rest > 0)))
    }
}

/// What is due while the line stalls is due when the stall ends.
fn after_stall(conditions: &Conditions, due: u64, began: u64) -> u64 {
    let interval = conditions.spike_interval_msec.saturating_mul(NSEC_PER_MSEC);
    let stall = conditions.spike_msec.saturating_mul(NSEC_PER_MSEC).min(interval);
    let since = due.saturating_sub(began);
    // The first stall comes after one interval.
    if stall == 0 || since < interval {
        return due;
    }
    let left = stall.saturating_sub(since % interval);
    due.saturating_add(left)
}

/// Negative times, and those that are no number, count as 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and what is negative counts as 0"
)]
fn nsec(msec: f64) -> u64 {
    (msec * 1_000_000.0) as u64
}

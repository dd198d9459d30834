//! What a user sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

/// The shape of the spread of delays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Jitter {
    /// Between minus and plus [`Conditions::jitter_msec`], all equally likely.
    Uniform,
    /// A normal distribution of which [`Conditions::jitter_msec`] is the standard deviation.
    #[default]
    Normal,
    /// The distribution `paretonormal` of Linux' netem, scaled by [`Conditions::jitter_msec`]: most delays are near the middle, and a few
    /// are much longer.
    LongTail,
}

/// What happens to the packets of one direction of a link. The [default](Self::default) lets every packet pass at once.
///
/// Shares are from 0 to 1; a value beyond counts as the nearest of these. A negative time, or one that is no number, counts as 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// The share of packets that is lost.
    pub loss: f64,
    /// How many packets are lost in a row, on average. 1: each independently of the others. More: Gilbert's model of two states, with
    /// the same share. A share that needs longer runs has longer ones: on average at least `loss / (1 - loss)`.
    pub loss_burst: f64,
    /// The share that is delivered twice. The copy takes its own way.
    pub duplicate: f64,
    /// The delay.
    pub latency_msec: f64,
    /// The spread of the delay.
    pub jitter_msec: f64,
    /// Its shape.
    pub jitter: Jitter,
    /// Whether a packet with a shorter delay overtakes one with a longer delay. Otherwise packets keep their order.
    pub jitter_reorders: bool,
    /// The share that is held back for [`reorder_delay_msec`](Self::reorder_delay_msec) more, so that later packets overtake it.
    pub reorder: f64,
    /// See [`reorder`](Self::reorder).
    pub reorder_delay_msec: f64,
    /// The rate of a serial line in 1,000 bits per second, counting 28 bytes a packet beside its payload; 0 for no limit.
    pub bandwidth_kbps: u64,
    /// How long a packet may wait for that line to be free. One that would wait longer is dropped.
    pub queue_limit_msec: u64,
    /// The line stalls once in this time, from its first packet on; 0 for never.
    pub spike_interval_msec: u64,
    /// For how long it stalls, at most for one interval. Then it delivers at once what has waited.
    pub spike_msec: u64,
    /// Packets with a larger payload, in bytes, are dropped; 0 for no limit.
    pub max_packet_size: usize,
    /// The share in which one random bit is flipped.
    pub corrupt: f64,
    /// Whether every packet is lost.
    pub blackout: bool,
    /// The same seed gives the same decisions for the same sequence of packets; 0: different ones each time.
    pub rng_seed: i64,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            loss: 0.0,
            loss_burst: 1.0,
            duplicate: 0.0,
            latency_msec: 0.0,
            jitter_msec: 0.0,
            jitter: Jitter::Normal,
            jitter_reorders: false,
            reorder: 0.0,
            reorder_delay_msec: 10.0,
            bandwidth_kbps: 0,
            queue_limit_msec: 200,
            spike_interval_msec: 0,
            spike_msec: 0,
            max_packet_size: 0,
            corrupt: 0.0,
            blackout: false,
            rng_seed: 0,
        }
    }
}

impl Conditions {
    /// Whether every packet passes at once and as it is.
    pub(crate) fn are_none(&self) -> bool {
        let has_spikes = self.spike_interval_msec > 0 && self.spike_msec > 0;
        let shares = [self.loss, self.duplicate, self.reorder, self.corrupt, self.latency_msec, self.jitter_msec];
        shares.iter().all(|share| *share <= 0.0)
            && self.bandwidth_kbps == 0
            && self.max_packet_size == 0
            && !has_spikes
            && !self.blackout
    }
}

/// Conditions that several lines may share and that may be changed at any time, from any thread. A change applies to the packets that
/// come after it; a blackout applies also to those that are held back and fall due while it lasts.
#[derive(Debug, Default)]
pub struct SharedConditions {
    values: RwLock<Conditions>,
    /// How often they were changed, so that a line that is up to date reads nothing else.
    version: AtomicU64,
}

impl SharedConditions {
    /// Conditions to be shared.
    #[must_use]
    pub fn new(values: Conditions) -> Arc<Self> {
        Arc::new(Self { values: RwLock::new(values), version: AtomicU64::new(0) })
    }

    /// As they are now.
    #[must_use]
    pub fn get(&self) -> Conditions {
        *self.values.read()
    }

    /// Changes them for all lines.
    pub fn change(&self, change: impl FnOnce(&mut Conditions)) {
        let mut values = self.values.write();
        change(&mut values);
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Changes with every change.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// As they are now, and their version.
    pub(crate) fn snapshot(&self) -> (Conditions, u64) {
        let values = self.values.read();
        (*values, self.version())
    }
}

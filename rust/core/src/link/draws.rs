//! The random numbers of a packet.
//!
//! The line's generator (xoshiro256++) gives one number for each packet, which seeds a generator of the packet's own (splitmix64). All draws of
//! a packet have fixed places in its sequence, whether they are needed or not. So a decision depends on the seed, on the line and on which
//! packet of the line it is about, and not on which other conditions are set: with the same seed, the same packets are lost with jitter and
//! without.
//!
//! Both generators and the distributions give the same numbers on every platform.

use std::f64::consts::FRAC_1_SQRT_2;

use rand_distr::{Distribution, StandardNormal, StandardUniform};
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use rand_xoshiro::{SplitMix64, Xoshiro256PlusPlus};

use super::conditions::Jitter;

/// Tells the lines of one seed apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineId {
    pub(crate) direction: Direction,
    /// Of a server's peers and a relay's clients: which one. Else 0.
    pub(crate) number: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// What a peer sends, or a relay sends to its target.
    Out,
    /// What a peer receives, or a relay sends to a client.
    In,
}

/// The generator of a line.
#[derive(Clone, Debug)]
pub(crate) struct Generator(Xoshiro256PlusPlus);

impl Generator {
    /// With the seed 0 a different one each time.
    pub(crate) fn new(seed: i64, line: LineId) -> Self {
        let direction = match line.direction {
            Direction::Out => 0,
            Direction::In => 1,
        };
        let seed = if seed == 0 { entropy() } else { SplitMix64::seed_from_u64(seed.cast_unsigned()).next_u64() };
        Self(Xoshiro256PlusPlus::seed_from_u64(seed ^ (line.number << 1 | direction)))
    }

    /// The numbers of the next packet.
    pub(crate) fn next_packet(&mut self) -> PacketDraws {
        let mut generator = SplitMix64::seed_from_u64(self.0.next_u64());
        PacketDraws {
            loss: share(&mut generator),
            duplicate: share(&mut generator),
            ways: [generator.next_u64(), generator.next_u64()],
        }
    }
}

/// What is drawn for a packet, and for the ways that it and its copy take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PacketDraws {
    /// From 0 to 1, without 1.
    pub(crate) loss: f64,
    pub(crate) duplicate: f64,
    /// The seeds of the [`WayDraws`].
    pub(crate) ways: [u64; 2],
}

/// What is drawn for the way of a packet or of its copy.
#[derive(Debug)]
pub(crate) struct WayDraws {
    pub(crate) reorder: f64,
    pub(crate) corrupt: f64,
    /// Chooses the bit.
    pub(crate) bit: u64,
    /// For the jitter, which takes as many numbers as its distribution needs: so it comes last.
    rest: SplitMix64,
}

impl WayDraws {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rest = SplitMix64::seed_from_u64(seed);
        Self { reorder: share(&mut rest), corrupt: share(&mut rest), bit: rest.next_u64(), rest }
    }

    /// A deviation from the mean delay, in units of [`Conditions::jitter_msec`](super::conditions::Conditions::jitter_msec).
    pub(crate) fn jitter(&mut self, shape: Jitter) -> f64 {
        match shape {
            Jitter::Uniform => 2.0 * share(&mut self.rest) - 1.0,
            Jitter::Normal => StandardNormal.sample(&mut self.rest),
            Jitter::LongTail => pareto_normal(StandardNormal.sample(&mut self.rest)),
        }
    }
}

/// The quantile of netem's distribution `paretonormal` at the place at which a normal distribution has the quantile `normal`.
///
/// A quarter of the normal quantile, and three quarters of that of a Pareto distribution (shape 3, scale 1) after its mean of 1.5 was taken
/// off and it was multiplied by 4/3; netem's table holds this part below 4, and its first and last entries bound the normal one. The
/// result has the mean -0.025 and the standard deviation 0.83, as netem's table has, and is between -1.5 and 3.9.
fn pareto_normal(normal: f64) -> f64 {
    /// The normal quantiles of the first and the last entry of netem's table.
    const ENDS: (f64, f64) = (-4.0088, 3.5227);
    let normal = normal.clamp(ENDS.0, ENDS.1);
    let above = libm::erfc(normal * FRAC_1_SQRT_2) / 2.0;
    let pareto = above.recip();
    0.25 * normal + (libm::cbrt(pareto) - 1.5).min(3.0)
}

/// From 0 to 1, without 1.
fn share(generator: &mut SplitMix64) -> f64 {
    StandardUniform.sample(generator)
}

/// A seed that differs each time: the standard library's random keys of hash maps.
fn entropy() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}

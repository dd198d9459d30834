//! Shares and distributions, each from 100,000 packets. The seeds are fixed, so a test either always passes or never does.

use std::time::Duration;

use super::super::conditions::Jitter;
use super::*;

/// How many standard deviations on both sides make an interval of 99.9 %.
const INTERVAL: f64 = 3.291;

/// What the Kolmogorov-Smirnov statistic exceeds in 0.1 % of samples, times the root of their number.
const KOLMOGOROV_SMIRNOV: f64 = 1.949;

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn share(count: usize, all: usize) -> f64 {
    count as f64 / all as f64
}

fn root_of(count: usize) -> f64 {
    share(count, 1).sqrt()
}

/// The lengths of the runs of lost packets.
fn runs(fates: &[Fate]) -> Vec<usize> {
    fates.chunk_by(|one, next| one == next).filter(|run| run[0] == Fate::Lost).map(<[Fate]>::len).collect()
}

fn is_lost(fate: &Fate) -> bool {
    *fate == Fate::Lost
}

/// Loss without delay, so that what is delivered differs in its time only.
fn lossy(loss: f64, loss_burst: f64) -> Vec<Fate> {
    let conditions = Conditions { loss, loss_burst, rng_seed: 16, ..Conditions::default() };
    let same = |fate: Fate| if is_lost(&fate) { fate } else { Fate::Dropped };
    fates(&conditions, PACKETS).into_iter().map(same).collect()
}

#[test]
fn independent_loss_has_its_share() {
    for loss in [0.001, 0.01, 0.05, 0.3, 0.5, 0.9, 0.999] {
        let lost = lossy(loss, 1.0).iter().filter(|fate| is_lost(fate)).count();
        let deviation = (loss * (1.0 - loss)).sqrt() / root_of(PACKETS);
        let found = share(lost, PACKETS);
        assert!((found - loss).abs() <= INTERVAL * deviation, "{loss}: {found}");
    }
}

#[test]
fn independent_loss_has_no_memory() {
    let fates = lossy(0.2, 1.0);
    let after_loss = fates.windows(2).filter(|pair| is_lost(&pair[0]));
    let (count, lost) =
        after_loss.fold((0, 0), |(count, lost), pair| (count + 1, lost + usize::from(is_lost(&pair[1]))));
    let deviation = (0.2_f64 * 0.8).sqrt() / root_of(count);
    assert!((share(lost, count) - 0.2).abs() <= INTERVAL * deviation);
}

#[test]
fn bursts_have_the_share_and_the_mean_length() {
    for (loss, burst) in [(0.01, 2.0), (0.05, 4.0), (0.1, 10.0), (0.3, 3.0), (0.5, 1.5), (0.08, 4.0)] {
        let fates = lossy(loss, burst);
        // Of a chain of two states, in which a packet has this correlation with the next one.
        let correlation = 1.0 - 1.0 / burst - loss / (burst * (1.0 - loss));
        let deviation = (loss * (1.0 - loss) * (1.0 + correlation) / (1.0 - correlation)).sqrt() / root_of(PACKETS);
        let found = share(fates.iter().filter(|fate| is_lost(fate)).count(), PACKETS);
        assert!((found - loss).abs() <= INTERVAL * deviation, "{loss} in bursts of {burst}: {found}");

        let runs = runs(&fates);
        let mean = share(runs.iter().sum(), runs.len());
        // Geometric.
        let deviation = (burst * (burst - 1.0)).sqrt() / root_of(runs.len());
        assert!((mean - burst).abs() <= INTERVAL * deviation, "{loss} in bursts of {burst}: {mean}");

        // The lengths themselves: the share of runs longer than n is (1 - 1 / burst)^n.
        for length in [1, 2, 5] {
            let longer = (1.0 - 1.0 / burst).powi(length);
            let found = share(runs.iter().filter(|run| **run > length.unsigned_abs() as usize).count(), runs.len());
            let deviation = (longer * (1.0 - longer)).sqrt() / root_of(runs.len());
            assert!((found - longer).abs() <= INTERVAL * deviation, "{loss} in bursts of {burst}, {length}: {found}");
        }
    }
}

#[test]
fn a_share_that_needs_longer_bursts_is_kept_all_the_same() {
    let fates = lossy(0.75, 2.0);
    let lost = share(fates.iter().filter(|fate| is_lost(fate)).count(), PACKETS);
    assert!((lost - 0.75).abs() < 0.01, "{lost}");
    let runs = runs(&fates);
    let mean = share(runs.iter().sum(), runs.len());
    // Between two bursts there is at least one packet that is not lost.
    assert!((mean - 3.0).abs() < 0.1, "{mean}");
}

#[test]
fn all_and_none_are_exact() {
    assert!(lossy(1.0, 1.0).iter().all(is_lost) && lossy(1.0, 5.0).iter().all(is_lost));
    assert!(!lossy(0.0, 1.0).iter().any(is_lost) && !lossy(0.0, 5.0).iter().any(is_lost));
}

#[test]
fn duplicates_held_back_and_corrupted_packets_have_their_shares() {
    let conditions = Conditions {
        duplicate: 0.05,
        reorder: 0.1,
        reorder_delay_msec: 3.0,
        corrupt: 0.02,
        rng_seed: 17,
        ..Conditions::default()
    };
    let mut line = line(17);
    let mut counts = [0; 3];
    let mut bits = [0_usize; 800];
    for second in 0..PACKETS as u64 {
        let now = second * 1_000 * NSEC_PER_MSEC;
        let passage = line.pass(&conditions, 100, now);
        let arrival = arrival(passage.packet).unwrap();
        assert_eq!(arrival.due - now, if arrival.is_reordered { 3 * NSEC_PER_MSEC } else { 0 });
        counts[0] += usize::from(passage.copy.is_some());
        counts[1] += usize::from(arrival.is_reordered);
        counts[2] += usize::from(arrival.flipped_bit.is_some());
        if let Some(bit) = arrival.flipped_bit {
            bits[bit] += 1;
        }
    }
    for (count, wanted) in counts.into_iter().zip([0.05_f64, 0.1, 0.02]) {
        let deviation = (wanted * (1.0 - wanted)).sqrt() / root_of(PACKETS);
        assert!((share(count, PACKETS) - wanted).abs() <= INTERVAL * deviation, "{count}, {wanted}");
    }
    // Each bit of the payload is as likely: chi-squared with 799 degrees of freedom, at 99.9 %.
    let expected = share(counts[2], bits.len());
    let chi_squared: f64 = bits.iter().map(|count| (share(*count, 1) - expected).powi(2) / expected).sum();
    assert!(chi_squared < 929.0, "{chi_squared}");
}

/// Delays in units of the jitter, sorted.
fn delays(jitter: Jitter, jitter_reorders: bool) -> Vec<f64> {
    let conditions = Conditions {
        latency_msec: 100.0,
        jitter_msec: 10.0,
        jitter,
        jitter_reorders,
        rng_seed: 18,
        ..Conditions::default()
    };
    let fates = fates(&conditions, PACKETS);
    let delay = |(second, fate): (u64, Fate)| {
        let nsec = arrival(fate).unwrap().due - second * 1_000 * NSEC_PER_MSEC;
        (Duration::from_nanos(nsec).as_secs_f64() * 1_000.0 - 100.0) / 10.0
    };
    let mut delays: Vec<f64> = (0..).zip(fates).map(delay).collect();
    delays.sort_by(f64::total_cmp);
    delays
}

/// The largest difference between the distribution of a sorted sample and another one.
fn distance(sample: &[f64], distribution: impl Fn(f64) -> f64) -> f64 {
    let all = sample.len();
    let gaps = sample.iter().enumerate().map(|(below, x)| {
        let expected = distribution(*x);
        (expected - share(below, all)).abs().max((share(below + 1, all) - expected).abs())
    });
    gaps.fold(0.0, f64::max)
}

fn normal(x: f64) -> f64 {
    libm::erfc(-x / 2.0_f64.sqrt()) / 2.0
}

#[test]
fn jitter_has_its_distributions() {
    let limit = KOLMOGOROV_SMIRNOV / root_of(PACKETS);
    for reorders in [false, true] {
        let uniform = distance(&delays(Jitter::Uniform, reorders), |x| f64::midpoint(x, 1.0).clamp(0.0, 1.0));
        assert!(uniform < limit, "uniform: {uniform}");
        let normal = distance(&delays(Jitter::Normal, reorders), normal);
        assert!(normal < limit, "normal: {normal}");
    }
}

/// Quantiles of the table `paretonormal` that iproute2 installs for netem, in units of the jitter.
const PARETO_NORMAL: [(f64, f64); 13] = [
    (0.001, -1.2717),
    (0.01, -1.0802),
    (0.05, -0.8944),
    (0.10, -0.7849),
    (0.25, -0.5679),
    (0.50, -0.2400),
    (0.75, 0.2560),
    (0.90, 0.9740),
    (0.95, 1.6246),
    (0.98, 2.6963),
    (0.99, 3.5817),
    (0.995, 3.6422),
    (0.999, 3.7594),
];

#[test]
fn the_long_tail_is_that_of_netem() {
    let delays = delays(Jitter::LongTail, false);
    // The table has 4,096 entries, and a quantile between two of them is either.
    let limit = KOLMOGOROV_SMIRNOV / root_of(PACKETS) + 1.0 / 4_096.0;
    for (share_below, quantile) in PARETO_NORMAL {
        let below = share(delays.iter().filter(|delay| **delay <= quantile).count(), PACKETS);
        assert!((below - share_below).abs() < limit, "{quantile}: {below} instead of {share_below}");
    }
    let mean = delays.iter().sum::<f64>() / share(PACKETS, 1);
    let variance = delays.iter().map(|delay| (delay - mean).powi(2)).sum::<f64>() / share(PACKETS, 1);
    assert!((mean + 0.0253).abs() < 0.01 && (variance.sqrt() - 0.834).abs() < 0.01, "{mean}, {variance}");
    assert!(delays[0] > -1.503 && delays[PACKETS - 1] < 3.881);
}

#[test]
fn no_delay_is_negative() {
    let conditions = Conditions {
        latency_msec: 1.0,
        jitter_msec: 50.0,
        jitter_reorders: true,
        rng_seed: 1,
        ..Conditions::default()
    };
    let due = fates(&conditions, 1_000).into_iter().map(|fate| arrival(fate).unwrap().due);
    assert!((0..).zip(due).all(|(second, due): (u64, u64)| due >= second * 1_000 * NSEC_PER_MSEC));
}

#[test]
fn a_serial_line_has_its_rate() {
    for (kbps, length) in [(64, 100), (1_000, 1_200), (100_000, 64), (1_000_000, 1_472), (10_000_000, 0)] {
        let conditions = Conditions { bandwidth_kbps: kbps, queue_limit_msec: u64::MAX, ..Conditions::default() };
        let mut line = line(1);
        let mut due = 0;
        for _ in 0..PACKETS {
            due = arrival(line.pass(&conditions, length, 0).packet).unwrap().due;
        }
        let bits = share(PACKETS * (length + 28) * 8, 1);
        let rate = bits / (Duration::from_nanos(due).as_secs_f64() * 1_000.0);
        let wanted = share(usize::try_from(kbps).unwrap(), 1);
        assert!((rate / wanted - 1.0).abs() < 0.01, "{kbps} kbit/s: {rate}");
    }
}

#[test]
fn the_queue_limit_holds_to_the_packet() {
    // A packet of 1,000 bits takes a millisecond.
    let conditions = Conditions { bandwidth_kbps: 1_000, queue_limit_msec: 200, ..Conditions::default() };
    let mut line = line(1);
    let mut pass =
        |now: u64| arrival(line.pass(&conditions, 97, now * NSEC_PER_MSEC).packet).map(|arrival| arrival.due);
    for before in 0..=200 {
        assert_eq!(pass(0), Some((before + 1) * NSEC_PER_MSEC), "it waits for {before} ms");
    }
    assert_eq!([pass(0), pass(0)], [None, None]);
    // One is through after a millisecond, so there is room for one.
    assert_eq!([pass(1), pass(1)], [Some(202 * NSEC_PER_MSEC), None]);
    assert_eq!(pass(500), Some(501 * NSEC_PER_MSEC));
}

#[test]
fn a_stalling_line_delivers_at_once_what_has_waited() {
    let conditions =
        Conditions { latency_msec: 5.0, spike_interval_msec: 100, spike_msec: 30, ..Conditions::default() };
    let mut line = line(1);
    let mut pass = |msec: u64| {
        let now = (1_000 + msec) * NSEC_PER_MSEC;
        arrival(line.pass(&conditions, 97, now).packet).map(|arrival| arrival.due / NSEC_PER_MSEC - 1_000)
    };
    // The first stall begins an interval after the first packet.
    let found = [0, 20, 94, 95, 110, 124, 125, 200, 300].map(|msec| pass(msec).unwrap());
    assert_eq!(found, [5, 25, 99, 130, 130, 130, 130, 230, 330]);
}

#[test]
fn a_line_that_would_stall_for_ever_delivers_once_in_an_interval() {
    let conditions = Conditions { spike_interval_msec: 100, spike_msec: 1_000, ..Conditions::default() };
    let mut line = line(1);
    let due = [0, 50, 100, 150, 250]
        .map(|msec| arrival(line.pass(&conditions, 97, msec * NSEC_PER_MSEC).packet).unwrap().due / NSEC_PER_MSEC);
    assert_eq!(due, [0, 50, 200, 200, 300]);
}

#[test]
fn a_packet_that_is_too_large_is_dropped() {
    let conditions = Conditions { max_packet_size: 1_200, ..Conditions::default() };
    let mut line = line(1);
    let is_dropped = |length| line.pass(&conditions, length, 0).packet == Fate::Dropped;
    assert_eq!([0, 1_200, 1_201, 65_507].map(is_dropped), [false, false, true, true]);
}

#[test]
fn order_is_kept_when_conditions_change_in_a_stall() {
    let stalling = Conditions {
        latency_msec: 5.0,
        spike_interval_msec: 100,
        spike_msec: 30,
        rng_seed: 1,
        ..Conditions::default()
    };
    let mut line = line(1);
    let pass = |line: &mut Line, conditions: &Conditions, msec: u64| {
        arrival(line.pass(conditions, 97, msec * NSEC_PER_MSEC).packet).unwrap().due / NSEC_PER_MSEC
    };
    assert_eq!([0, 110].map(|msec| pass(&mut line, &stalling, msec)), [5, 130]);
    let steady = Conditions { spike_msec: 0, ..stalling };
    assert_eq!(pass(&mut line, &steady, 112), 130);
    let mut restarted = line.restarted(2, LINE);
    assert_eq!(pass(&mut restarted, &stalling, 114), 130);
}

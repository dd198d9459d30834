//! Any conditions, any packets.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::conditions::{Jitter, SharedConditions};
use super::super::counts::LinkCounts;
use super::super::lane::{Entered, Lane, OVERHEAD, SharedLimit};
use super::super::store::Store;
use super::*;

fn msec() -> impl Strategy<Value = f64> {
    prop_oneof![3 => Just(0.0), 3 => 0.0..200.0, 1 => 0.0..1.0e7, 1 => any::<f64>()]
}

fn share() -> impl Strategy<Value = f64> {
    prop_oneof![3 => Just(0.0), 3 => 0.0..=1.0, 1 => Just(1.0), 1 => any::<f64>()]
}

fn count(most: u64) -> impl Strategy<Value = u64> {
    prop_oneof![2 => Just(0), 3 => 1..most, 1 => any::<u64>()]
}

/// Also such as no script can set.
fn any_conditions() -> impl Strategy<Value = Conditions> {
    let shares = (share(), prop_oneof![Just(1.0), 1.0..20.0, any::<f64>()], share(), share(), share());
    let jitter = prop_oneof![Just(Jitter::Uniform), Just(Jitter::Normal), Just(Jitter::LongTail)];
    let times = (msec(), msec(), jitter, any::<bool>(), msec());
    let line = (count(10_000), count(500), count(1_000), count(500));
    let rest = (0..2_000_usize, any::<bool>(), any::<i64>());
    (shares, times, line, rest).prop_map(|(shares, times, line, rest)| Conditions {
        loss: shares.0,
        loss_burst: shares.1,
        duplicate: shares.2,
        reorder: shares.3,
        corrupt: shares.4,
        latency_msec: times.0,
        jitter_msec: times.1,
        jitter: times.2,
        jitter_reorders: times.3,
        reorder_delay_msec: times.4,
        bandwidth_kbps: line.0,
        queue_limit_msec: line.1,
        spike_interval_msec: line.2,
        spike_msec: line.3,
        max_packet_size: if rest.0 < 1_000 { 0 } else { rest.0 },
        blackout: rest.1 && rest.0 % 4 == 0,
        rng_seed: rest.2,
    })
}

/// Lengths, and the times between packets in nanoseconds.
fn packets() -> impl Strategy<Value = Vec<(usize, u64)>> {
    let gap = prop_oneof![Just(0), 0..1_000_000_u64, 0..100_000_000_u64];
    vec((prop_oneof![0..1_500_usize, Just(65_507)], gap), 1..200)
}

/// Whole milliseconds as nanoseconds.
fn nsec(msec: u64) -> u64 {
    msec.saturating_mul(NSEC_PER_MSEC)
}

/// What a valid time is in nanoseconds, rounded down.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
fn nsec_of(msec: f64) -> u64 {
    (msec * 1.0e6) as u64
}

proptest! {
    #[test]
    fn no_packet_is_early_or_later_than_its_conditions_say(conditions in any_conditions(), packets in packets()) {
        let mut line = line(conditions.rng_seed);
        let mut now = nsec(1_000);
        let mut latest = 0;
        let mut last_in_order = 0;
        for (length, gap) in packets {
            now += gap;
            let passage = line.pass(&conditions, length, now);
            let is_too_large = conditions.max_packet_size > 0 && length > conditions.max_packet_size;
            prop_assert!(!is_too_large || passage.packet == Fate::Dropped);
            prop_assert!(is_too_large || !conditions.blackout || passage.packet == Fate::Lost);
            for arrival in [Some(passage.packet), passage.copy].into_iter().flatten().filter_map(arrival) {
                let jitter = if conditions.jitter_msec > 0.0 { conditions.jitter_msec } else { 0.0 };
                let delay = if jitter > 0.0 { 0 } else { nsec_of(conditions.latency_msec) };
                prop_assert!(arrival.due >= now.saturating_add(delay));
                let bits = (length as u64 + 28) * 8;
                let least = (bits * NSEC_PER_MSEC).checked_div(conditions.bandwidth_kbps).unwrap_or(0);
                prop_assert!(arrival.due >= now.saturating_add(least));
                // 9 standard deviations: what a generator of 64 bits can draw at most.
                let transmission = match conditions.bandwidth_kbps {
                    0 => 0,
                    kbps => nsec(conditions.queue_limit_msec).saturating_add((bits * NSEC_PER_MSEC).div_ceil(kbps)),
                };
                let spread = nsec_of(conditions.latency_msec + 9.0 * jitter);
                let own = now.saturating_add(transmission).saturating_add(spread).saturating_add(1);
                latest = latest.max(own);
                let held_back = nsec_of(conditions.reorder_delay_msec);
                let stalled = nsec(conditions.spike_msec.min(conditions.spike_interval_msec));
                // One that is held back may meet a stall twice.
                let stalls = stalled.saturating_mul(2);
                prop_assert!(arrival.due <= latest.saturating_add(held_back).saturating_add(stalls));
                if !conditions.jitter_reorders && !arrival.is_reordered {
                    prop_assert!(arrival.due >= last_in_order);
                    last_in_order = arrival.due;
                }
                prop_assert!(arrival.flipped_bit.is_none_or(|bit| bit < length * 8));
            }
        }
    }

    #[test]
    fn every_packet_is_accounted_for_and_memory_is_bounded(
        all in vec(any_conditions(), 1..4),
        packets in packets(),
        limit in prop_oneof![Just(0_usize), 100..20_000_usize],
        shared in prop_oneof![Just(usize::MAX), 100..20_000_usize],
        ends in any::<bool>(),
    ) {
        let conditions = SharedConditions::new(all[0]);
        let counts = Arc::<LinkCounts>::default();
        let of_all = SharedLimit::new(shared);
        let mut lane = Lane::new(Arc::clone(&conditions), LINE, Arc::clone(&counts)).sharing(Arc::clone(&of_all));
        lane.set_limit(limit);
        let mut store = Store::default();
        let most = if limit == 0 { 4 << 20 } else { limit }.min(shared);
        let mut now = nsec(1_000);
        let (mut came, mut out) = (0, 0);
        let mut largest = 0;
        let step = packets.len() / all.len() + 1;
        let count = packets.len();
        for (index, (length, gap)) in packets.into_iter().enumerate() {
            if index > 0 && index % step == 0 {
                conditions.change(|values| *values = all[index / step]);
            }
            now += gap;
            came += 1;
            let bytes = vec![u8::try_from(index % 251).unwrap(); length];
            out += u64::from(lane.enter(&mut store, &bytes, &index, now) == Entered::Passes);
            // An empty lane takes any packet.
            largest = largest.max(length + OVERHEAD);
            prop_assert!(lane.held() <= most.max(largest) && lane.held() <= shared);
            if ends && index + 1 == count {
                lane.end(now);
                store.expedite(now, |_| true);
            }
            let mut last = 0;
            while let Some(packet) = store.take_due(now) {
                prop_assert!(packet.due <= now && packet.due >= last);
                last = packet.due;
                let flipped: u32 = packet.bytes.iter().map(|byte| (byte ^ u8::try_from(packet.tag % 251).unwrap()).count_ones()).sum();
                prop_assert!(flipped <= 1, "{flipped} bits");
                out += u64::from(lane.leave(&packet));
                store.recycle(packet.bytes);
            }
            let stats = counts.stats();
            prop_assert_eq!(came + stats.duplicated, out + stats.lost + stats.dropped + stats.waiting);
        }
        prop_assert!(!ends || counts.stats().waiting == 0);
        while let Some(packet) = store.take_next() {
            lane.drop_held(&packet);
        }
        let stats = counts.stats();
        prop_assert_eq!(came + stats.duplicated, out + stats.lost + stats.dropped);
        prop_assert_eq!((lane.held(), of_all.held(), stats.waiting), (0, 0, 0));
    }
}

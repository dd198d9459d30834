//! The same seed, the same decisions.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::super::conditions::Jitter;
use super::*;

/// All effects at once, and all that change decisions.
fn everything(jitter: Jitter) -> Conditions {
    Conditions {
        loss: 0.1,
        loss_burst: 3.0,
        duplicate: 0.1,
        latency_msec: 80.0,
        jitter_msec: 20.0,
        jitter,
        jitter_reorders: true,
        reorder: 0.1,
        reorder_delay_msec: 30.0,
        corrupt: 0.1,
        max_packet_size: 1_400,
        rng_seed: 2_026,
        ..Conditions::default()
    }
}

/// What becomes of packets of many sizes that come when `at` says, written out with delays instead of times.
fn decisions(conditions: &Conditions, id: LineId, count: u64, at: impl Fn(u64) -> u64) -> String {
    let mut line = Line::new(conditions.rng_seed, id);
    let mut text = String::new();
    for index in 0..count {
        let length = usize::try_from(index * 37 % 1_500).unwrap();
        let now = at(index);
        let passage = line.pass(conditions, length, now);
        let _ = write!(text, "{index} {length}");
        for fate in [Some(passage.packet), passage.copy].into_iter().flatten() {
            let _ = match fate {
                Fate::Lost => write!(text, " lost"),
                Fate::Dropped => write!(text, " dropped"),
                Fate::Delivered(Arrival { due, flipped_bit, .. }) => {
                    let flipped = flipped_bit.map_or(String::new(), |bit| format!(" (bit {bit} flipped)"));
                    write!(text, " after {} ns{flipped}", due - now)
                }
            };
        }
        text.push('\n');
    }
    text
}

/// A second between two packets, so that no order has to be kept.
fn seconds(index: u64) -> u64 {
    index * 1_000 * NSEC_PER_MSEC
}

#[test]
fn the_decisions_of_a_seed_are_those_of_every_version_and_platform() {
    let mut text = String::new();
    for jitter in [Jitter::Uniform, Jitter::Normal, Jitter::LongTail] {
        let _ = writeln!(text, "# {jitter:?}");
        text += &decisions(&everything(jitter), LINE, 200, seconds);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/link/tests/decisions.txt");
    if env::var_os("UPDATE_DECISIONS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    // Git may have written other ends of lines.
    let golden = fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    for (number, (found, wanted)) in text.lines().zip(golden.lines()).enumerate() {
        assert_eq!(found, wanted, "line {} of {}", number + 1, path.display());
    }
    assert_eq!(text.lines().count(), golden.lines().count());
}

#[test]
fn decisions_do_not_depend_on_the_clock() {
    let conditions = everything(Jitter::Normal);
    let slowly = decisions(&conditions, LINE, 1_000, seconds);
    let quickly = decisions(&conditions, LINE, 1_000, |index| index * 1_000);
    let all_at_once = decisions(&conditions, LINE, 1_000, |_| u64::MAX / 2);
    assert_eq!(slowly, quickly);
    assert_eq!(slowly, all_at_once);
}

#[test]
fn lines_and_seeds_differ() {
    let conditions = everything(Jitter::Normal);
    let of = |id, seed| decisions(&Conditions { rng_seed: seed, ..conditions }, id, 100, seconds);
    let mut all: Vec<String> = Vec::new();
    for number in 0..4 {
        for direction in [Direction::Out, Direction::In] {
            all.extend([1, 2, -1, i64::MIN, i64::MAX].map(|seed| of(LineId { direction, number }, seed)));
        }
    }
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count);
}

#[test]
fn without_a_seed_each_line_differs() {
    let conditions = Conditions { rng_seed: 0, ..everything(Jitter::Normal) };
    assert_ne!(decisions(&conditions, LINE, 100, seconds), decisions(&conditions, LINE, 100, seconds));
}

#[test]
fn one_effect_does_not_change_what_the_others_decide() {
    let lost = |conditions: &Conditions| {
        let is_lost = |fate: Fate| fate == Fate::Lost;
        fates(conditions, 2_000).into_iter().map(is_lost).collect::<Vec<_>>()
    };
    let all = Conditions { max_packet_size: 0, ..everything(Jitter::Normal) };
    let only_loss = Conditions { loss: 0.1, loss_burst: 3.0, rng_seed: all.rng_seed, ..Conditions::default() };
    assert_eq!(lost(&all), lost(&only_loss));
    let delays = |conditions: &Conditions| {
        fates(conditions, 2_000).into_iter().map(|fate| arrival(fate).map(|arrival| arrival.due)).collect::<Vec<_>>()
    };
    let undisturbed = Conditions { corrupt: 0.0, duplicate: 0.0, ..all };
    assert_eq!(delays(&all), delays(&undisturbed));
    // More loss loses what less loss has lost, and more.
    let more = lost(&Conditions { loss: 0.3, loss_burst: 1.0, ..only_loss });
    let less = lost(&Conditions { loss: 0.1, loss_burst: 1.0, ..only_loss });
    assert!(less.iter().zip(&more).all(|(less, more)| *more || !less));
}

#[test]
fn a_blackout_does_not_change_what_comes_after_it() {
    let conditions = everything(Jitter::Normal);
    let blackout = Conditions { blackout: true, ..conditions };
    let mut lines = [line(2_026), line(2_026)];
    for index in 0..300 {
        let now = seconds(index);
        let in_blackout = (100..200).contains(&index);
        let undisturbed = lines[0].pass(&conditions, 100, now);
        let disturbed = lines[1].pass(if in_blackout { &blackout } else { &conditions }, 100, now);
        assert_eq!(disturbed.packet == Fate::Lost, in_blackout || undisturbed.packet == Fate::Lost);
        assert!(in_blackout || disturbed == undisturbed, "packet {index}");
    }
}

//! A counter of the kernel's that has 32 bits, continued in 64.

use std::sync::atomic::{AtomicU64, Ordering};

/// By how much a thread that was interrupted between asking the kernel and noting the answer may be behind.
const MOST_BEHIND: u32 = 1 << 20;

/// Continues where the kernel's counter begins again, if it is noted at least once in 4,293,918,720 steps.
#[derive(Debug, Default)]
pub(crate) struct Widened(AtomicU64);

impl Widened {
    /// The whole count, where the kernel says `count` now.
    pub(crate) fn note(&self, count: u32) -> u64 {
        let continued = |before: u64| {
            #[expect(clippy::cast_possible_truncation, reason = "the kernel's part of it")]
            let step = count.wrapping_sub(before as u32);
            (step <= u32::MAX - MOST_BEHIND).then_some(before + u64::from(step))
        };
        // Another thread may have noted a later answer.
        match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, continued) {
            Ok(before) => continued(before).unwrap_or(before),
            Err(newest) => newest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_goes_on_where_the_kernels_begins_again() {
        let drops = Widened::default();
        let mut whole = 0_u64;
        for step in [0, 1, 3_000_000_000, 1_294_967_294, 1, 5, u64::from(u32::MAX - MOST_BEHIND), 7] {
            whole += step;
            #[expect(clippy::cast_possible_truncation, reason = "as the kernel counts")]
            let count = whole as u32;
            assert_eq!(drops.note(count), whole);
        }
    }

    #[test]
    fn an_answer_that_is_older_than_the_last_changes_nothing() {
        let drops = Widened::default();
        assert_eq!(drops.note(1 << 31), 1 << 31);
        assert_eq!(drops.note(u32::MAX), u64::from(u32::MAX));
        assert_eq!(drops.note(9), u64::from(u32::MAX) + 10);
        assert_eq!(drops.note(u32::MAX - 5), u64::from(u32::MAX) + 10);
        assert_eq!(drops.note(8), u64::from(u32::MAX) + 10);
        assert_eq!(drops.note(10), u64::from(u32::MAX) + 11);
    }
}

//! How long a socket is left alone that gives nothing but errors.

use std::time::Duration;

/// The first pause.
const SHORTEST: Duration = Duration::from_millis(10);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(1);

/// A report of another host comes once, so a socket has one at a time. So many errors in a row are not reports: the interface is gone,
/// or the descriptor was closed by other code. The socket stays readable, and whoever waits for that would run without end.
pub(crate) const PERSISTENT_ERRORS: u32 = 8;

/// The pauses between attempts, each twice as long as the one before.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// The pause after one more attempt that gave nothing but errors.
    pub(super) fn next_pause(&mut self) -> Duration {
        let pause = SHORTEST.saturating_mul(1 << self.attempts.min(16)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        pause
    }

    /// An attempt has not failed.
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_second_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::default();
        for msec in [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000] {
            assert_eq!(backoff.next_pause(), Duration::from_millis(msec));
        }
        (0..100).for_each(|_| assert_eq!(backoff.next_pause(), LONGEST));
        backoff.reset();
        assert_eq!(backoff.next_pause(), SHORTEST);
    }
}

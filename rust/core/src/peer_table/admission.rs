//! How many new peers a server lets in, so that a loop that accepts them ends however fast new addresses send.

use crate::frames;

/// Counts the peers that were let in during a period.
///
/// Polled, a period begins with each poll. In background mode it begins with a frame, and with a poll that is not the first one of
/// its frame: a program without frames has only polls.
#[derive(Debug, Default)]
pub(super) struct Admission {
    let_in: usize,
    frame: u64,
    /// The frame of the last poll.
    polled_in: Option<u64>,
}

impl Admission {
    /// Whether no more peers are let in during this period, of which each may have `max`.
    pub(super) fn is_over(&self, max: usize) -> bool {
        self.let_in >= max
    }

    pub(super) fn count(&mut self) {
        self.let_in += 1;
    }

    pub(super) fn begin_period(&mut self) {
        self.let_in = 0;
    }

    pub(super) fn note_poll(&mut self, in_background: bool) {
        let last = self.polled_in.replace(frames::current());
        if !in_background || last == self.polled_in {
            self.begin_period();
        }
    }

    /// To be called before packets of new addresses are delivered in background mode.
    pub(super) fn note_frame(&mut self) {
        let frame = frames::current();
        if frame != self.frame {
            self.frame = frame;
            self.begin_period();
        }
    }
}

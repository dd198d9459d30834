//! Lines in Godot's log about misuse: what was called, with what, and what to do instead.

use std::fmt::Display;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use godot::global::godot_error;
use parking_lot::Mutex;

/// How long a line of one member is not repeated.
const QUIET: Duration = Duration::from_secs(1);

/// Remembers, for one peer, what was printed lately. Costs nothing until something is.
#[derive(Default)]
pub(crate) struct Reporter {
    printed: Mutex<Vec<Printed>>,
}

struct Printed {
    member: &'static str,
    at: Instant,
    /// The line itself would be long to keep.
    line: u64,
}

/// Which lines of a member are held back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// The same line within a second: for members that `PacketPeerUDP` has too, where it prints each time.
    SameLine,
    /// Any line within a second: for members that only we have.
    AnyLine,
}

impl Reporter {
    /// Prints `PacketPeerUdpRs.<member>(): <text>` as an error, unless it is held back.
    ///
    /// Printing runs whatever `Logger`s the game has added, which may call this very peer: call this with no lock and no
    /// borrow held.
    pub(crate) fn print(&self, member: &'static str, limit: Limit, text: &dyn Display) {
        let line = format!("PacketPeerUdpRs.{member}(): {text}");
        if self.admits(member, limit, &line, Instant::now()) {
            godot_error!("{line}");
        }
    }

    fn admits(&self, member: &'static str, limit: Limit, line: &str, now: Instant) -> bool {
        let mut hasher = DefaultHasher::new();
        line.hash(&mut hasher);
        let new = Printed { member, at: now, line: hasher.finish() };
        let mut printed = self.printed.lock();
        let Some(last) = printed.iter_mut().find(|last| last.member == member) else {
            printed.push(new);
            return true;
        };
        let recent = now.duration_since(last.at) < QUIET;
        if recent && (limit == Limit::AnyLine || last.line == new.line) {
            return false;
        }
        *last = new;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_line_is_printed_once_a_second() {
        let reporter = Reporter::default();
        let start = Instant::now();
        assert!(reporter.admits("put_packet", Limit::SameLine, "a", start));
        assert!(!reporter.admits("put_packet", Limit::SameLine, "a", start + QUIET / 2));
        assert!(reporter.admits("put_packet", Limit::SameLine, "b", start + QUIET / 2));
        assert!(reporter.admits("bind", Limit::SameLine, "a", start));
        assert!(reporter.admits("put_packet", Limit::SameLine, "b", start + QUIET * 2));
    }

    #[test]
    fn a_new_member_prints_once_a_second_whatever_the_line() {
        let reporter = Reporter::default();
        let start = Instant::now();
        assert!(reporter.admits("poll", Limit::AnyLine, "a", start));
        assert!(!reporter.admits("poll", Limit::AnyLine, "b", start + QUIET / 2));
        assert!(reporter.admits("poll", Limit::AnyLine, "b", start + QUIET));
    }
}

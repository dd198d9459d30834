//! Whether a line about misuse is printed in Godot's log: the same line at most once a second, and of each member only a few.

use std::fmt::Display;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use godot::global::godot_error;
use parking_lot::Mutex;

/// How long printed lines are remembered.
const WINDOW: Duration = Duration::from_secs(1);

/// How many characters of a line are printed, at most.
const LONGEST_LINE: usize = 600;

/// Remembers the lines that one object has printed. Allocates nothing before the first.
pub(crate) struct Reporter {
    class: &'static str,
    /// See [`note_destination_port`](Self::note_destination_port); 0 for a port that there is.
    destination_port: AtomicI64,
    members: Mutex<Vec<Member>>,
}

/// What one member has printed since its window began.
struct Member {
    name: &'static str,
    since: Instant,
    /// Hashes of the lines, which are shorter than the lines.
    lines: Vec<u64>,
}

/// How much a member may print in a [`WINDOW`]. The same line is never printed twice in one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Five different lines: for members that `PacketPeerUDP` has too, which prints at each call.
    Native,
    /// One line: for members that only our classes have.
    Ours,
}

/// Whether a line is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admitted {
    No,
    Yes,
    /// Yes, and it is the last of this member in this window.
    AsTheLast,
}

impl Limit {
    fn lines(self) -> usize {
        match self {
            Self::Native => 5,
            Self::Ours => 1,
        }
    }
}

impl Reporter {
    /// For an object of the class `class`.
    pub(crate) fn new(class: &'static str) -> Self {
        Self { class, destination_port: AtomicI64::new(0), members: Mutex::default() }
    }

    /// Remembers the port of a destination that a script has set. As with the engine's class, one that is out of range is no error
    /// before a send fails.
    pub(crate) fn note_destination_port(&self, port: i64) {
        let noted = if u16::try_from(port).is_ok() { 0 } else { port };
        self.destination_port.store(noted, Ordering::Relaxed);
    }

    /// The port of the destination, if it is out of range.
    pub(crate) fn odd_destination_port(&self) -> Option<i64> {
        Some(self.destination_port.load(Ordering::Relaxed)).filter(|port| *port != 0)
    }

    /// Prints `<class>.<member>(): <text>` as an error, within the limit.
    ///
    /// Printing runs the `Logger`s that the game has added, and they may call methods of the same object: call this with no
    /// lock and no borrow held.
    pub(crate) fn print(&self, member: &'static str, limit: Limit, text: &dyn Display) {
        self.print_line(member, limit, &format!("{}.{member}(): {text}", self.class));
    }

    /// Likewise for a property, with [`Limit::Ours`].
    pub(crate) fn print_of_property(&self, property: &'static str, text: &dyn Display) {
        self.print_line(property, Limit::Ours, &format!("{}.{property}: {text}", self.class));
    }

    fn print_line(&self, member: &'static str, limit: Limit, line: &str) {
        // A line names the values that a script has passed, which may be of any length.
        let cut = line.char_indices().nth(LONGEST_LINE).map(|(end, _)| format!("{}…", &line[..end]));
        let line = cut.as_deref().unwrap_or(line);
        match self.admits(member, limit, line, Instant::now()) {
            Admitted::No => {}
            Admitted::Yes => godot_error!("{line}"),
            Admitted::AsTheLast => {
                godot_error!("{line} (Further messages of this method are held back for one second.)");
            }
        }
    }

    fn admits(&self, name: &'static str, limit: Limit, line: &str, now: Instant) -> Admitted {
        let mut hasher = DefaultHasher::new();
        line.hash(&mut hasher);
        let line = hasher.finish();

        let mut members = self.members.lock();
        let index = members.iter().position(|member| member.name == name).unwrap_or_else(|| {
            members.push(Member { name, since: now, lines: Vec::new() });
            members.len() - 1
        });
        let member = &mut members[index];
        if now.duration_since(member.since) >= WINDOW {
            member.since = now;
            member.lines.clear();
        }
        if member.lines.len() == limit.lines() || member.lines.contains(&line) {
            return Admitted::No;
        }
        member.lines.push(line);
        if limit == Limit::Native && member.lines.len() == limit.lines() { Admitted::AsTheLast } else { Admitted::Yes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use Admitted::{AsTheLast, No, Yes};

    /// Which of `lines`, printed one after the other at the same moment, are admitted.
    fn admitted(reporter: &Reporter, limit: Limit, lines: &[&str], now: Instant) -> Vec<Admitted> {
        lines.iter().map(|line| reporter.admits("member", limit, line, now)).collect()
    }

    #[test]
    fn the_same_line_is_printed_once_a_second() {
        let reporter = Reporter::new("Class");
        let start = Instant::now();
        assert_eq!(admitted(&reporter, Limit::Native, &["a", "a", "b", "a", "b"], start), [Yes, No, Yes, No, No]);
        assert_eq!(reporter.admits("other member", Limit::Native, "a", start), Yes);
        assert_eq!(admitted(&reporter, Limit::Native, &["a", "a"], start + WINDOW), [Yes, No]);
    }

    #[test]
    fn lines_that_change_each_time_are_printed_a_few_times_a_second_and_the_last_says_so() {
        let reporter = Reporter::new("Class");
        assert_eq!(
            admitted(&reporter, Limit::Native, &["1", "2", "3", "4", "5", "6", "1"], Instant::now()),
            [Yes, Yes, Yes, Yes, AsTheLast, No, No]
        );
    }

    #[test]
    fn a_new_member_prints_one_line_a_second() {
        let reporter = Reporter::new("Class");
        let start = Instant::now();
        assert_eq!(admitted(&reporter, Limit::Ours, &["a", "b"], start), [Yes, No]);
        assert_eq!(admitted(&reporter, Limit::Ours, &["b"], start + WINDOW), [Yes]);
    }
}

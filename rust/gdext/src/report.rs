//! Lines in Godot's log about misuse: what was called, with what, and what to do instead.

use std::fmt::Display;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use godot::global::godot_error;
use parking_lot::Mutex;

/// The time in which what is printed is counted.
const WINDOW: Duration = Duration::from_secs(1);

/// How many characters of a line are printed.
const LONGEST_LINE: usize = 600;

/// Remembers, for one object, what was printed lately. Costs nothing until something is.
pub(crate) struct Reporter {
    class: &'static str,
    members: Mutex<Vec<Member>>,
}

/// What one member has printed since its window began.
struct Member {
    name: &'static str,
    since: Instant,
    /// The lines, as hashes: they would be long to keep.
    lines: Vec<u64>,
}

/// How much a member may print in a [`WINDOW`]. The same line is never printed twice in one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// A few different lines: for members that `PacketPeerUDP` has too, and where it prints each time.
    Native,
    /// One line: for members that only we have.
    Ours,
}

/// Whether a line is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admitted {
    No,
    Yes,
    /// Yes, and no other of this member in this window.
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
    /// For an object of that class.
    pub(crate) fn new(class: &'static str) -> Self {
        Self { class, members: Mutex::default() }
    }

    /// Prints `<class>.<member>(): <text>` as an error, unless it is held back.
    ///
    /// Printing runs whatever `Logger`s the game has added, which may call this very peer: call this with no lock and no
    /// borrow held.
    pub(crate) fn print(&self, member: &'static str, limit: Limit, text: &dyn Display) {
        self.print_line(member, limit, &format!("{}.{member}(): {text}", self.class));
    }

    /// Likewise, for a property: one that only we have.
    pub(crate) fn print_of_property(&self, property: &'static str, text: &dyn Display) {
        self.print_line(property, Limit::Ours, &format!("{}.{property}: {text}", self.class));
    }

    fn print_line(&self, member: &'static str, limit: Limit, line: &str) {
        // What a script has given is named, however long it is.
        let cut = line.char_indices().nth(LONGEST_LINE).map(|(end, _)| format!("{}…", &line[..end]));
        let line = cut.as_deref().unwrap_or(line);
        match self.admits(member, limit, line, Instant::now()) {
            Admitted::No => {}
            Admitted::Yes => godot_error!("{line}"),
            Admitted::AsTheLast => godot_error!("{line} (What else this method has to say is held back for a second.)"),
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

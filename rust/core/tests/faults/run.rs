//! One run of a scenario with one fault, and the judgement of what has come of it.

use std::fmt::Display;
use std::time::{Duration, Instant};

use packet_peer_udp_core::{Error, LastError, Reason};

use super::inject::{self, Fired};

/// Longer than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(10);

/// A run of a scenario.
pub(crate) struct Run {
    /// The last errors of the objects that the scenario uses.
    pub(crate) witnesses: Vec<Box<dyn Fn() -> LastError>>,
    /// What a call has answered with the fault's error.
    pub(crate) reported: usize,
    /// Whether the fault's error was kept as a last error.
    pub(crate) noted: bool,
    /// What is done, for messages.
    pub(crate) step: String,
}

impl Run {
    pub(crate) fn new() -> Self {
        Self { witnesses: Vec::new(), reported: 0, noted: false, step: String::new() }
    }

    /// Has the run look at the last errors of an object.
    pub(crate) fn watch(&mut self, last_error: impl Fn() -> LastError + 'static) {
        self.witnesses.push(Box::new(last_error));
    }

    fn look(&mut self) {
        let Some(Fired { code, .. }) = inject::fired() else { return };
        self.noted |= self.witnesses.iter().any(|last_error| is_of(code, &last_error()));
    }

    /// Notes an error that an object has handed out by itself.
    pub(crate) fn note(&mut self, error: &Error) {
        let Some(Fired { code, .. }) = inject::fired() else { panic!("{}: {error}, without a fault", self.step) };
        assert!(mentions(code, error), "{}: the fault is {code}, the error: {error}", self.step);
        self.noted = true;
    }

    /// Calls the library. A failure must be due to the fault and say so; then the call is repeated, first as long as the fault lasts and
    /// once more, and at last without it, which must succeed. `failed` is called after each failure.
    pub(crate) fn call_or<T>(
        &mut self,
        step: impl Display,
        mut call: impl FnMut() -> Result<T, Error>,
        mut failed: impl FnMut(),
    ) -> T {
        self.step = step.to_string();
        for attempt in 0.. {
            let result = inject::counted(&mut call);
            self.look();
            match result {
                Ok(value) => return value,
                Err(error) => {
                    assert!(attempt < 3, "{step}: fails after the fault: {error}");
                    let Some(Fired { code, .. }) = inject::fired() else { panic!("{step}: {error}, without a fault") };
                    assert!(mentions(code, &error), "{step}: the fault is {code}, the error: {error}");
                    self.reported += 1;
                    if attempt > 0 {
                        inject::lift();
                    }
                    failed();
                }
            }
        }
        unreachable!()
    }

    pub(crate) fn call<T>(&mut self, step: impl Display, call: impl FnMut() -> Result<T, Error>) -> T {
        self.call_or(step, call, || {})
    }

    /// Calls what cannot fail.
    pub(crate) fn plain<T>(&mut self, step: impl Display, call: impl FnOnce() -> T) -> T {
        self.step = step.to_string();
        let result = inject::counted(call);
        self.look();
        result
    }

    /// Repeats a call of the library until it answers true.
    pub(crate) fn until(&mut self, step: impl Display, mut condition: impl FnMut() -> bool) {
        self.step = step.to_string();
        let start = Instant::now();
        while !inject::counted(&mut condition) {
            self.look();
            assert!(start.elapsed() < LONG, "{step}: does not happen");
            std::thread::sleep(Duration::from_micros(50));
        }
        self.look();
    }
}

/// Whether an error names the fault: by the system's code, or by what the code means.
fn mentions(code: i32, error: &Error) -> bool {
    let is_no_address = matches!(error.reason, Reason::NoSuchAddress) && code == libc::EADDRNOTAVAIL;
    // To find an index, the C library opens a socket, and has an error of its own where it gets none.
    let is_unlisted = matches!(error.reason, Reason::NoInterfaceList(_)) && error.os_code() == libc::ENOENT;
    is_no_address || is_unlisted || error.os_code() == code
}

fn is_of(code: i32, last: &LastError) -> bool {
    last.code == code && last.message.contains(&words(code))
}

fn words(code: i32) -> String {
    std::io::Error::from_raw_os_error(code).to_string()
}

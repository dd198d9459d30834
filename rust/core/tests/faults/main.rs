//! Every system call of a scenario fails once, with each of its errors, and then without end until the call of the library is over. A
//! call that fails says so, with the system's error; what does not fail has done what it says; no descriptor, thread or memory is lost;
//! nothing hangs or panics; and everything works again on the same objects.
//!
//! Usually some of the errors of each call are tried; with `FAULTS=long` in the environment all. `FAULTS_ONLY=words` chooses scenarios,
//! and `FAULTS_PART=0/3` the first, fourth, … of them; `FAULTS_SURVIVORS=1` prints which faults nothing has told of.
//! Where the system does not permit filters of system calls, or where another one has been installed that gets in the way, nothing is
//! tested, and a line says why. `scripts/faults.sh` makes a table of the lines that begin with `faults:`.
#![cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::env;
use std::fmt::{Display, Write};
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use packet_peer_udp_core::shut_down;
use parking_lot::Mutex;

mod inject;
mod run;
mod scenarios;
mod survivors;

use inject::{Class, Fault, Fired};
use run::Run;
use scenarios::Scenario;

/// A run that takes longer hangs.
const HANGS: Duration = Duration::from_secs(40);

/// How many failures are printed.
const MOST_FAILURES: usize = 200;

/// Bytes that are allocated.
static ALLOCATED: AtomicI64 = AtomicI64::new(0);

struct Counting;

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(signed(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller keeps the promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(signed(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller keeps the promises.
        unsafe { System.dealloc(pointer, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn signed(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(0)
}

/// What panics have said, also those of the library's threads.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// What the process has, when no object of a scenario is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Resources {
    descriptors: usize,
    threads: usize,
}

fn resources() -> Resources {
    let count = |folder| fs::read_dir(folder).unwrap().count();
    Resources { descriptors: count("/proc/self/fd"), threads: count("/proc/self/task") }
}

/// What has come of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// The call of the library has failed, with the fault's error.
    Reported,
    /// The library has gone on, and has kept the error.
    Noted,
    /// The library has gone on without a word.
    Survived,
    /// The call was not made this time.
    Missed,
}

/// One run with a fault; what is wrong, if anything is.
fn run_once(scenario: &Scenario, fault: Option<Fault>) -> Result<(Outcome, [usize; 2]), String> {
    let mut counts = [0; 2];
    let mut outcome = Outcome::Missed;
    let mut step = String::new();
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        let mut play = (scenario.make)();
        let mut run = Run::new();
        inject::arm(fault);
        let played = panic::catch_unwind(AssertUnwindSafe(|| play(&mut run)));
        counts = inject::disarm();
        *LAST.lock() = (inject::fired(), inject::codes_of_target());
        step.clone_from(&run.step);
        if let Err(payload) = played {
            panic::resume_unwind(payload);
        }
        outcome = match inject::fired() {
            None => Outcome::Missed,
            Some(_) if run.reported > 0 => Outcome::Reported,
            Some(_) if run.noted => Outcome::Noted,
            Some(_) => Outcome::Survived,
        };
        let mut again = Run::new();
        // Without a fault, every call must succeed.
        inject::arm(None);
        let played = panic::catch_unwind(AssertUnwindSafe(|| play(&mut again)));
        inject::disarm();
        if let Err(payload) = played {
            step = format!("without the fault, {}", again.step);
            panic::resume_unwind(payload);
        }
    }));
    inject::disarm();
    shut_down();
    let panics = std::mem::take(&mut *PANICS.lock());
    match result {
        Ok(()) if panics.is_empty() => Ok((outcome, counts)),
        _ => Err(format!("{step}: {}", panics.join("; "))),
    }
}

/// What a scenario's runs have come to.
#[derive(Default)]
struct Tally {
    sites: usize,
    outcomes: BTreeMap<Outcome, usize>,
    /// By the system call that has failed.
    survivors: BTreeMap<String, usize>,
    failures: Vec<String>,
}

struct Suite {
    is_long: bool,
}

/// What runs now, and since when. The text has its memory from the start, so that it is no growth.
static RUNNING: Mutex<Option<(String, Instant)>> = Mutex::new(None);

fn note_running(what: impl Display) {
    let mut running = RUNNING.lock();
    let (text, since) = running.get_or_insert_with(|| (String::with_capacity(4_096), Instant::now()));
    text.clear();
    let _ = write!(text, "{what}");
    *since = Instant::now();
}

/// Ends the process where a run hangs.
fn watch_over() {
    inject::is_of_test();
    loop {
        thread::sleep(Duration::from_secs(1));
        match &*RUNNING.lock() {
            Some((what, since)) if since.elapsed() > HANGS => {
                println!("faults: FAILED: it hangs: {what}");
                std::process::exit(1);
            }
            _ => {}
        }
    }
}

impl Suite {
    fn play(&self, scenario: &Scenario) -> Tally {
        let mut tally = Tally::default();
        // What is made once, and how many calls there are. Those of the background thread depend on the time.
        let mut counts = [0; 2];
        for _ in 0..3 {
            note_running(format_args!("{}, without a fault", scenario.name));
            match run_once(scenario, None) {
                Ok((_, these)) => counts = [counts[0].max(these[0]), counts[1].max(these[1])],
                Err(words) => {
                    tally.failures.push(format!("{}, without a fault: {words}", scenario.name));
                    return tally;
                }
            }
        }
        for class in [Class::Caller, Class::Background] {
            for number in 1..=counts[class as usize] {
                tally.sites += 1;
                self.play_number(scenario, class, number, &mut tally);
                if tally.failures.len() >= MOST_FAILURES {
                    return tally;
                }
            }
        }
        tally
    }

    /// Has one call of a scenario fail in all ways.
    fn play_number(&self, scenario: &Scenario, class: Class, number: usize, tally: &mut Tally) {
        // In the short form one error for each call, once or without end.
        let forms = if self.is_long { vec![false, true] } else { vec![number.is_multiple_of(2)] };
        for persistent in forms {
            for index in 0.. {
                let code = if self.is_long { index } else { number * 3 };
                let fault = Fault { class, number, code, wraps: !self.is_long, persistent };
                let codes = Self::play_fault(scenario, fault, tally);
                if codes.is_none_or(|codes| index + 1 >= codes || !self.is_long) {
                    break;
                }
            }
        }
    }

    /// How many codes the call has.
    fn play_fault(scenario: &Scenario, fault: Fault, tally: &mut Tally) -> Option<usize> {
        note_running(format_args!("{}, {fault:?}", scenario.name));
        let (resources_before, allocated_before) = (resources(), ALLOCATED.load(Ordering::Relaxed));
        let result = run_once(scenario, Some(fault));
        // The second play has reset them.
        let (fired, codes) = *LAST.lock();
        let what = format!("{}, {} ({fault:?})", scenario.name, fired.map_or_else(String::new, describe));
        let outcome = match result {
            Ok((outcome, _)) => outcome,
            Err(words) => {
                tally.failures.push(format!("{what}: {words}"));
                return codes;
            }
        };
        *tally.outcomes.entry(outcome).or_default() += 1;
        if let (Outcome::Survived, Some(fired)) = (outcome, fired) {
            match survivors::reason(scenario.name, fired) {
                Some(_) => *tally.survivors.entry(describe(fired)).or_default() += 1,
                None => tally.failures.push(format!("{what}: nothing has told of it")),
            }
        }
        let start = Instant::now();
        let is_left =
            |now: Resources| now.descriptors != resources_before.descriptors || now.threads > resources_before.threads;
        while is_left(resources()) {
            // A thread that was joined may be listed for a moment.
            if start.elapsed() > Duration::from_secs(2) {
                tally.failures.push(format!("{what}: {resources_before:?} before, {:?} after", resources()));
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
        if ALLOCATED.load(Ordering::Relaxed) > allocated_before {
            Self::check_growth(scenario, fault, &what, tally);
        }
        codes
    }

    /// More memory is in use than before. A leak grows with every run; what is made once does not.
    fn check_growth(scenario: &Scenario, fault: Fault, what: &str, tally: &mut Tally) {
        let mut last = ALLOCATED.load(Ordering::Relaxed);
        let mut growth = Vec::new();
        for _ in 0..5 {
            note_running(format_args!("{what}, again"));
            if run_once(scenario, Some(fault)).is_err() {
                return;
            }
            let now = ALLOCATED.load(Ordering::Relaxed);
            growth.push(now - last);
            last = now;
            if now <= last - growth[growth.len() - 1] {
                return;
            }
        }
        tally.failures.push(format!("{what}: memory grows with every run, by {growth:?} bytes"));
    }
}

fn describe(fired: Fired) -> String {
    let Fired { call, detail, code } = fired;
    let words = std::io::Error::from_raw_os_error(code).to_string();
    let words = words.split(" (os").next().unwrap_or_default().to_owned();
    match detail {
        (0, 0) => format!("{}: {words}", inject::name(call)),
        (level, name) => format!("{}({level}, {name}): {words}", inject::name(call)),
    }
}

/// The call that has failed in the last run, and how many codes it has.
static LAST: Mutex<(Option<Fired>, Option<usize>)> = Mutex::new((None, None));

#[test]
fn every_system_call_may_fail() {
    if let Err(error) = inject::install() {
        println!("faults: skipped: the system does not permit a filter of system calls: {error}");
        return;
    }
    if let Err(words) = inject::works() {
        println!("faults: skipped: {words}");
        return;
    }
    panic::set_hook(Box::new(|info| PANICS.lock().push(info.to_string().replace('\n', " "))));
    thread::spawn(watch_over);
    let is_long = env::var("FAULTS").is_ok_and(|form| form == "long");
    let only = env::var("FAULTS_ONLY").unwrap_or_default();
    let suite = Suite { is_long };
    let mut chosen = scenarios::all();
    chosen.retain(|scenario| scenario.name.contains(&only) && (is_long || !only.is_empty() || scenario.is_short));
    if let Ok(part) = env::var("FAULTS_PART") {
        let (part, parts): (usize, usize) =
            part.split_once('/').map(|(part, parts)| (part.parse().unwrap(), parts.parse().unwrap())).unwrap();
        chosen = chosen.into_iter().skip(part).step_by(parts).collect();
    }
    let mut failures = Vec::new();
    for scenario in &chosen {
        let start = Instant::now();
        let tally = suite.play(scenario);
        let of = |outcome| tally.outcomes.get(&outcome).copied().unwrap_or(0);
        let [reported, noted, survived, missed] =
            [Outcome::Reported, Outcome::Noted, Outcome::Survived, Outcome::Missed].map(of);
        println!(
            "faults:\t{}\t{}\t{}\t{reported}\t{noted}\t{survived}\t{missed}\t{}\t{}",
            scenario.name,
            tally.sites,
            reported + noted + survived,
            tally.failures.len(),
            start.elapsed().as_millis(),
        );
        if env::var_os("FAULTS_SURVIVORS").is_some() {
            for (what, times) in &tally.survivors {
                println!("survived: {times} × {what}");
            }
        }
        for failure in tally.failures.iter().take(MOST_FAILURES) {
            println!("faults: FAILED: {failure}");
        }
        failures.extend(tally.failures);
    }
    let _ = panic::take_hook();
    assert!(failures.is_empty(), "{} faults were not answered as they should be, see above", failures.len());
}

//! How many sequences are run, and how often each call succeeded and failed.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestRunner};

use crate::common::LONG;

/// How many sequences there are of peers and of servers, together, unless `SEQUENCES` says otherwise. What is not Linux for x86 is often
/// emulated, which takes many times as long.
const SEQUENCES: u32 = if cfg!(all(target_os = "linux", target_arch = "x86_64")) { 2_000 } else { 200 };

/// While a sequence is shortened that has failed, nothing is waited for longer: many of its parts may wait in vain.
const SHORT: Duration = Duration::from_millis(300);

thread_local! {
    static HAS_FAILED: Cell<bool> = const { Cell::new(false) };
}

/// For how long something is waited for that has to come.
pub(crate) fn patience() -> Duration {
    if HAS_FAILED.get() { SHORT } else { LONG }
}

/// How often each call has succeeded and failed.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<BTreeMap<&'static str, (u64, u64)>>);

impl Tally {
    pub(crate) fn add(&self, call: &'static str, has_succeeded: bool) {
        let mut tally = self.0.lock();
        let (succeeded, failed) = tally.entry(call).or_default();
        *(if has_succeeded { succeeded } else { failed }) += 1;
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// Runs `percent` of the sequences, and prints what was called.
pub(crate) fn run<T: Debug>(
    title: &'static str,
    source_file: &'static str,
    percent: u32,
    sequences: &impl Strategy<Value = Vec<T>>,
    test: impl Fn(&[T], &Tally) -> Result<(), TestCaseError>,
) {
    let all = number("SEQUENCES").map_or(SEQUENCES, |count| count as u32);
    let cases = (u64::from(all) * u64::from(percent)).div_ceil(100) as u32;
    let seed = number("SEQUENCES_SEED").unwrap_or_else(any_seed);
    let config = Config {
        cases,
        source_file: Some(source_file),
        test_name: Some(title),
        rng_seed: RngSeed::Fixed(seed),
        // Without optimisation the default one takes longer than the calls.
        rng_algorithm: RngAlgorithm::XorShift,
        max_shrink_iters: 5_000,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let tally = Tally::default();
    let start = Instant::now();
    let run_one = |sequence: Vec<T>| {
        let result = test(&sequence, &tally);
        HAS_FAILED.set(HAS_FAILED.get() || result.is_err());
        result
    };
    if let Err(error) = runner.run(sequences, run_one) {
        panic!("{title}, seed {seed}: {error}");
    }
    let tally = tally.0.into_inner();
    let calls: u64 = tally.values().map(|(succeeded, failed)| succeeded + failed).sum();
    let seconds = start.elapsed().as_secs_f64();
    println!("sequences of {title}: {cases} with {calls} calls, seed {seed}, {seconds:.1} s");
    for (call, (succeeded, failed)) in tally {
        println!("sequences of {title}: {call}: {succeeded} succeeded, {failed} failed");
    }
}

/// A seed from the clock and the process.
fn any_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_nanos() as u64 ^ u64::from(std::process::id())
}

/// Fails the sequence.
macro_rules! ensure {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err(TestCaseError::fail(format!($($words)+)));
        }
    };
}
pub(crate) use ensure;

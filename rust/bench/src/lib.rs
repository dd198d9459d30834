//! Measuring several things in turn, so that whatever else the machine does meets all of them alike.

use std::io;
use std::time::Duration;

/// How many packets a burst has, as in the engine's part of the benchmark (`godot-project/bench/`): what a socket's
/// buffer holds by default, also at 1,200 bytes.
pub const BURST: usize = 64;

/// The payload sizes that are measured, in bytes.
pub const SIZES: [usize; 3] = [64, 512, 1_200];

/// One figure, measured in every round.
#[derive(Debug)]
pub struct Row {
    /// What it is.
    pub name: &'static str,
    /// The packets' payload, in bytes.
    pub size: usize,
    /// What one packet (or one call) took, in microseconds, round by round.
    samples: Vec<f64>,
}

impl Row {
    /// A row without samples.
    #[must_use]
    pub fn new(name: &'static str, size: usize) -> Self {
        Self { name, size, samples: Vec::new() }
    }

    /// Adds a round in which `count` packets took `time`.
    pub fn add(&mut self, time: Duration, count: usize) {
        #[expect(clippy::cast_precision_loss, reason = "a handful of packets")]
        self.samples.push(time.as_secs_f64() * 1e6 / count as f64);
    }

    /// Forgets the samples.
    pub fn forget(&mut self) {
        self.samples.clear();
    }

    /// The median in microseconds; 0 where nothing was measured.
    #[must_use]
    pub fn median(&self) -> f64 {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => 0.0,
            length if length % 2 == 1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        }
    }

    /// The row as a line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        format!(r#"{{"row": "{}", "size": {}, "usec": {:.4}}}"#, self.name, self.size, self.median())
    }
}

/// A benchmark: what it does in a round fills its rows.
pub trait Measured {
    /// Does everything once.
    fn round(&mut self) -> io::Result<()>;
    /// What came of it.
    fn rows(&self) -> &[Row];
    /// Forgets what was measured.
    fn forget(&mut self);
}

/// Lets each have a round in turn, `rounds` times, after a few that warm up and do not count.
pub fn in_turn(all: &mut [Box<dyn Measured>], rounds: usize) -> io::Result<()> {
    for _ in 0..rounds.div_ceil(20) {
        all.iter_mut().try_for_each(|one| one.round())?;
    }
    for one in all.iter_mut() {
        one.forget();
    }
    for _ in 0..rounds {
        all.iter_mut().try_for_each(|one| one.round())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row_of(microseconds: &[u64]) -> Row {
        let mut row = Row::new("row", 64);
        for time in microseconds {
            row.add(Duration::from_micros(time * 4), 4);
        }
        row
    }

    #[test]
    fn the_median_is_the_middle_of_the_samples_per_packet() {
        for (samples, median) in [(&[][..], 0.0), (&[3], 3.0), (&[9, 1, 2], 2.0), (&[9, 1, 2, 4], 3.0)] {
            assert!((row_of(samples).median() - median).abs() < 1e-9, "{samples:?}");
        }
    }

    #[test]
    fn warming_up_does_not_count() {
        struct Counted(Vec<Row>, u64);
        impl Measured for Counted {
            fn round(&mut self) -> io::Result<()> {
                self.1 += 1;
                self.0[0].add(Duration::from_micros(self.1), 1);
                Ok(())
            }
            fn rows(&self) -> &[Row] {
                &self.0
            }
            fn forget(&mut self) {
                self.0.iter_mut().for_each(Row::forget);
            }
        }
        let mut all: Vec<Box<dyn Measured>> = vec![Box::new(Counted(vec![Row::new("row", 64)], 0))];
        in_turn(&mut all, 3).unwrap();
        // One round to warm up, then those that took 2, 3 and 4 microseconds.
        assert!((all[0].rows()[0].median() - 3.0).abs() < 1e-9);
    }
}

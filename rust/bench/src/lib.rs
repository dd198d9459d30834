//! Interleaved measurement: benchmarks take turns, so that load from other programs affects all of them alike.

use std::io;
use std::time::Duration;

/// Packets per burst, as in the engine's part of the benchmark (`godot-project/bench/`). A socket's default receive buffer
/// holds that many, also at 1,200 bytes.
pub const BURST: usize = 64;

/// The measured payload sizes, in bytes.
pub const SIZES: [usize; 3] = [64, 512, 1_200];

/// One figure: a sample per round.
#[derive(Debug)]
pub struct Row {
    /// The row's name in the output.
    pub name: &'static str,
    /// The payload size, in bytes.
    pub size: usize,
    /// Microseconds per packet or per call, one sample per round.
    samples: Vec<f64>,
}

impl Row {
    /// A row without samples.
    #[must_use]
    pub fn new(name: &'static str, size: usize) -> Self {
        Self { name, size, samples: Vec::new() }
    }

    /// Adds the sample of a round in which `count` packets took `time`.
    pub fn add(&mut self, time: Duration, count: usize) {
        #[expect(clippy::cast_precision_loss, reason = "at most a few thousand packets")]
        self.samples.push(time.as_secs_f64() * 1e6 / count as f64);
    }

    /// Discards the samples.
    pub fn clear(&mut self) {
        self.samples.clear();
    }

    /// The median of the samples in microseconds, 0 if there are none.
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

/// A benchmark: each round adds a sample to each of its rows.
pub trait Benchmark {
    /// Runs once and adds the samples.
    fn round(&mut self) -> io::Result<()>;
    /// The rows with all samples so far.
    fn rows(&self) -> &[Row];
    /// Discards the samples of all rows.
    fn clear(&mut self);
}

/// Runs `rounds` rounds; in each, every benchmark runs once. Warm-up rounds before them (5 %) leave no samples.
pub fn run_interleaved(all: &mut [Box<dyn Benchmark>], rounds: usize) -> io::Result<()> {
    for _ in 0..rounds.div_ceil(20) {
        all.iter_mut().try_for_each(|one| one.round())?;
    }
    for one in all.iter_mut() {
        one.clear();
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
    fn warm_up_rounds_leave_no_samples() {
        struct Counted(Vec<Row>, u64);
        impl Benchmark for Counted {
            fn round(&mut self) -> io::Result<()> {
                self.1 += 1;
                self.0[0].add(Duration::from_micros(self.1), 1);
                Ok(())
            }
            fn rows(&self) -> &[Row] {
                &self.0
            }
            fn clear(&mut self) {
                self.0.iter_mut().for_each(Row::clear);
            }
        }
        let mut all: Vec<Box<dyn Benchmark>> = vec![Box::new(Counted(vec![Row::new("row", 64)], 0))];
        run_interleaved(&mut all, 3).unwrap();
        // One warm-up round of 1 microsecond, then rounds of 2, 3 and 4 microseconds.
        assert!((all[0].rows()[0].median() - 3.0).abs() < 1e-9);
    }
}

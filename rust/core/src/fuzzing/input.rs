//! The bytes of a fuzzer, as numbers and choices.

use crate::link::conditions::{Conditions, Jitter};

/// Reads its bytes from the front. After its end come zeros, so that a shortened input is an input too.
pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(super) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    pub(super) fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    pub(super) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// Less than `count`.
    pub(super) fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count
    }

    pub(super) fn choice<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    /// Small numbers more often than large ones.
    fn number(&mut self) -> u64 {
        match self.below(8) {
            0 | 1 => 0,
            2 | 3 => u64::from(self.byte()),
            4 | 5 => u64::from(self.u16()),
            6 => u64::MAX - u64::from(self.byte()),
            _ => self.u64(),
        }
    }

    fn share(&mut self) -> f64 {
        match self.below(8) {
            0..=2 => 0.0,
            3 => 1.0,
            4..=6 => f64::from(self.byte()) / 255.0,
            _ => f64::from_bits(self.u64()),
        }
    }

    fn msec(&mut self) -> f64 {
        match self.below(8) {
            0..=2 => 0.0,
            3 | 4 => f64::from(self.byte()),
            5 => f64::from(self.u16()) / 256.0,
            6 => f64::from(self.u16()) * 1e4,
            _ => f64::from_bits(self.u64()),
        }
    }

    /// Any conditions, also such as no script can set.
    pub(super) fn conditions(&mut self) -> Conditions {
        // Most of them are about one thing.
        let mut conditions = Conditions { rng_seed: i64::from(self.byte()) + 1, ..Conditions::default() };
        for _ in 0..=self.below(4) {
            match self.below(14) {
                0 => conditions.loss = self.share(),
                1 => conditions.loss_burst = self.msec(),
                2 => conditions.duplicate = self.share(),
                3 => conditions.latency_msec = self.msec(),
                4 => conditions.jitter_msec = self.msec(),
                5 => conditions.jitter = self.choice(&[Jitter::Uniform, Jitter::Normal, Jitter::LongTail]),
                6 => conditions.jitter_reorders = self.flag(),
                7 => (conditions.reorder, conditions.reorder_delay_msec) = (self.share(), self.msec()),
                8 => conditions.bandwidth_kbps = self.number(),
                9 => conditions.queue_limit_msec = self.number(),
                10 => (conditions.spike_interval_msec, conditions.spike_msec) = (self.number(), self.number()),
                11 => conditions.max_packet_size = usize::from(self.byte()) * 8,
                12 => conditions.corrupt = self.share(),
                _ => conditions.blackout = self.flag(),
            }
        }
        conditions
    }

    /// Conditions that keep the order and the bytes of packets, and delay none for longer than a test lasts.
    pub(super) fn mild_conditions(&mut self) -> Conditions {
        let msec = |input: &mut Self| f64::from(input.byte() % 16) / 4.0;
        let mut conditions = Conditions { rng_seed: i64::from(self.byte()) + 1, ..Conditions::default() };
        for _ in 0..=self.below(3) {
            match self.below(7) {
                0 => conditions.loss = f64::from(self.byte()) / 255.0,
                1 => conditions.duplicate = f64::from(self.byte()) / 255.0,
                2 => conditions.latency_msec = msec(self),
                3 => conditions.jitter_msec = msec(self),
                4 => conditions.bandwidth_kbps = u64::from(self.u16()),
                5 => conditions.max_packet_size = usize::from(self.byte()) * 8,
                _ => conditions.blackout = self.flag(),
            }
        }
        conditions
    }
}

/// Whether all packets keep their order.
pub(super) fn keep_order(conditions: &Conditions) -> bool {
    !conditions.jitter_reorders && (conditions.reorder.is_nan() || conditions.reorder <= 0.0)
}

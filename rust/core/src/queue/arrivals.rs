//! Where the packets of a queue have arrived, for queues that are told.

use std::collections::VecDeque;

use crate::arrivals::ArrivalId;

/// When the queue becomes empty, memory for more runs than this is given back.
const KEPT_RUNS: usize = 16;

/// The arrivals of a queue's packets. Most queues are not told any, so these take 8 bytes.
#[derive(Debug, Default)]
pub(super) struct Arrivals(Option<Box<Runs>>);

/// The arrivals, oldest first, each with the number of packets in a row that have it. Mostly there is one run.
#[derive(Debug, Default)]
struct Runs(VecDeque<(ArrivalId, u32)>);

impl Arrivals {
    /// Adds that of the packet behind `stored` others. Returns `false` if there is no memory for it.
    #[inline]
    pub(super) fn push(&mut self, arrival: ArrivalId, stored: usize) -> bool {
        if arrival.is_none() && self.0.is_none() {
            return true;
        }
        self.push_told(arrival, stored)
    }

    #[cold]
    #[inline(never)]
    fn push_told(&mut self, arrival: ArrivalId, stored: usize) -> bool {
        if stored == 0 {
            if arrival.is_none() {
                // Where packets arrive is not told any more.
                self.0 = None;
                return true;
            }
            self.shrink();
        }
        let Runs(runs) = &mut **self.0.get_or_insert_default();
        if runs.try_reserve(2).is_err() {
            return false;
        }
        if runs.is_empty() && stored > 0 {
            runs.push_back((ArrivalId::NONE, u32::try_from(stored).unwrap_or(u32::MAX)));
        }
        match runs.back_mut() {
            Some((last, count)) if *last == arrival => *count += 1,
            _ => runs.push_back((arrival, 1)),
        }
        true
    }

    /// Whether none is kept, so that all are [`ArrivalId::NONE`].
    pub(super) fn are_none(&self) -> bool {
        self.0.is_none()
    }

    /// Removes that of the oldest packet.
    #[inline]
    pub(super) fn pop(&mut self) -> ArrivalId {
        if self.0.is_none() { ArrivalId::NONE } else { self.pop_told() }
    }

    #[cold]
    #[inline(never)]
    fn pop_told(&mut self) -> ArrivalId {
        let Some(Runs(runs)) = self.0.as_deref_mut() else { return ArrivalId::NONE };
        let Some((arrival, count)) = runs.front_mut() else { return ArrivalId::NONE };
        let arrival = *arrival;
        *count -= 1;
        if *count == 0 {
            runs.pop_front();
        }
        arrival
    }

    /// Gives memory back after a burst.
    fn shrink(&mut self) {
        if let Some(Runs(runs)) = self.0.as_deref_mut()
            && runs.capacity() > 4 * KEPT_RUNS
        {
            runs.shrink_to(KEPT_RUNS);
        }
    }
}

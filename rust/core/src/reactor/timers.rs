//! A heap of timers.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Instant;

/// Timers with a target each. Cancelled ones stay in the heap until their time comes or they are the next; a target is dropped
/// at once.
#[derive(Debug)]
pub(super) struct Timers<T> {
    heap: BinaryHeap<Reverse<(Instant, u64)>>,
    targets: HashMap<u64, T>,
    next_id: u64,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), targets: HashMap::new(), next_id: 0 }
    }
}

impl<T> Timers<T> {
    /// Adds a timer; its number.
    pub(super) fn add(&mut self, at: Instant, target: T) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.heap.push(Reverse((at, id)));
        self.targets.insert(id, target);
        id
    }

    /// The target, if the timer had not fired yet.
    pub(super) fn cancel(&mut self, id: u64) -> Option<T> {
        let target = self.targets.remove(&id);
        if self.heap.len() > 2 * self.targets.len() + 64 {
            self.heap.retain(|Reverse((_, id))| self.targets.contains_key(id));
        }
        target
    }

    /// When the next timer fires.
    pub(super) fn next_at(&mut self) -> Option<Instant> {
        while let Some(Reverse((at, id))) = self.heap.peek() {
            if self.targets.contains_key(id) {
                return Some(*at);
            }
            self.heap.pop();
        }
        None
    }

    /// Takes a timer that is due by `now`, the earliest first.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<T> {
        while self.next_at().is_some_and(|at| at <= now) {
            let target = self.heap.pop().and_then(|Reverse((_, id))| self.targets.remove(&id));
            if target.is_some() {
                return target;
            }
        }
        None
    }

    pub(super) fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timers_fire_in_the_order_of_their_times_and_not_before() {
        let start = Instant::now();
        let at = |msec| start + Duration::from_millis(msec);
        let mut timers = Timers::default();
        for (msec, name) in [(30, "third"), (10, "first"), (20, "second"), (20, "second again")] {
            timers.add(at(msec), name);
        }
        assert_eq!(timers.next_at(), Some(at(10)));
        assert_eq!(timers.take_due(at(9)), None);
        assert_eq!(timers.take_due(at(20)), Some("first"));
        assert_eq!(timers.take_due(at(20)), Some("second"));
        assert_eq!(timers.take_due(at(20)), Some("second again"));
        assert_eq!(timers.take_due(at(20)), None);
        assert_eq!(timers.take_due(at(99)), Some("third"));
        assert!(timers.is_empty() && timers.next_at().is_none());
    }

    #[test]
    fn a_cancelled_timer_does_not_fire_and_leaves_no_memory() {
        let start = Instant::now();
        let mut timers = Timers::default();
        let kept = timers.add(start, 0);
        for number in 1..10_000 {
            let id = timers.add(start, number);
            assert_eq!(timers.cancel(id), Some(number));
            assert_eq!(timers.cancel(id), None);
        }
        assert!(timers.heap.len() < 100, "{}", timers.heap.len());
        assert_eq!(timers.take_due(start), Some(0));
        assert_eq!(timers.cancel(kept), None);
        assert_eq!(timers.take_due(start), None);
    }
}

//! What link conditions hold back, and the timer of it, step by step as in [`due_timer`](crate::due_timer) and `link::incoming`; a change
//! there is to be made here too. What is held and not delivered in the end is reported as a deadlock.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use loom::sync::Mutex;
use loom::thread::spawn;

use super::super::OnTimer;
use super::poller::now;
use super::thread::{Timer, lock, set_timer};
use super::{Counter, LATER, SOON, check};

const MIN_PAUSE: Duration = Duration::from_micros(100);

#[derive(Default)]
struct DueTimer(Mutex<State>);

#[derive(Default)]
struct State {
    due: Option<Instant>,
    timer: Option<Timer>,
    fired: Option<Instant>,
}

impl DueTimer {
    fn set(&self, due: Instant, target: Weak<dyn OnTimer>) {
        let mut state = lock(&self.0);
        if state.due.is_some_and(|set| set <= due) {
            return;
        }
        let at = state.fired.map_or(due, |fired| due.max(fired + MIN_PAUSE));
        let timer = set_timer(at, target);
        state.due = Some(due);
        state.timer = Some(timer);
    }

    fn note_fired(&self) {
        let mut state = lock(&self.0);
        *state = State { due: None, timer: None, fired: Some(now()) };
    }

    fn cancel(&self) {
        let mut state = lock(&self.0);
        state.due = None;
        state.timer = None;
    }
}

/// Holds packets until they are due.
struct Line {
    this: Weak<Self>,
    timer: DueTimer,
    held: Mutex<Vec<Instant>>,
    delivered: Counter,
}

impl Line {
    fn new() -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            timer: DueTimer::default(),
            held: Mutex::default(),
            delivered: Counter::default(),
        })
    }

    fn set_timer(&self, due: Instant) {
        let target: Weak<dyn OnTimer> = Weak::<Self>::clone(&self.this);
        self.timer.set(due, target);
    }

    fn hold(&self, for_time: Duration) {
        let due = now() + for_time;
        lock(&self.held).push(due);
        self.set_timer(due);
    }

    /// As when the endpoint is closed. The reactor may set the timer once more; that ends when the line is dropped.
    fn end(&self) {
        let count = lock(&self.held).drain(..).count();
        self.timer.cancel();
        for _ in 0..count {
            self.delivered.increment();
        }
    }
}

impl OnTimer for Line {
    fn on_timer(&self) {
        self.timer.note_fired();
        let now = now();
        let (due, next) = {
            let mut held = lock(&self.held);
            let before = held.len();
            held.retain(|due| *due > now);
            (before - held.len(), held.iter().min().copied())
        };
        for _ in 0..due {
            self.delivered.increment();
        }
        if let Some(next) = next {
            self.set_timer(next);
        }
    }
}

#[test]
fn what_is_held_while_the_timer_fires_is_delivered() {
    check(2, || {
        let line = Line::new();
        let other = {
            let line = Arc::clone(&line);
            spawn(move || line.hold(SOON))
        };
        line.hold(SOON / 2);
        line.delivered.await_count(2);
        other.join().unwrap();
        line
    });
}

#[test]
fn what_is_due_before_all_that_is_held_is_delivered_in_time() {
    check(2, || {
        let line = Line::new();
        line.hold(LATER);
        let other = {
            let line = Arc::clone(&line);
            spawn(move || line.hold(SOON))
        };
        line.delivered.await_count(1);
        other.join().unwrap();
        line.end();
    });
}

#[test]
fn everything_is_delivered_when_conditions_end_while_the_timer_fires() {
    check(2, || {
        let line = Line::new();
        line.hold(SOON);
        let other = {
            let line = Arc::clone(&line);
            spawn(move || line.end())
        };
        line.delivered.await_count(1);
        other.join().unwrap();
    });
}

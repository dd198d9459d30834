//! Models of how the reactor's thread starts and ends while sockets are registered and timers are set, in all interleavings.
//!
//! Loom reports it as a deadlock if a thread sleeps for ever, be it the reactor's or one that waits for what the reactor should do.

use std::sync::{Arc, Weak};
use std::time::Duration;

use loom::model::Builder;
use loom::sync::{Condvar, Mutex};
use loom::thread::spawn;

use super::{OnTimer, Readable};

mod due;
mod poller;
mod thread;

use poller::{Socket, now};
use thread::{Registration, Timer, await_end, lock, register, running, set_timer, shut_down};

const SOON: Duration = Duration::from_millis(1);
/// Later than all that happens in a model.
const LATER: Duration = Duration::from_hours(1);

/// Runs a model in all interleavings that interrupt a running thread at most `preemptions` times; a thread that blocks is not
/// counted. In the end the reactor's threads have to end by themselves; what the model returns is kept until then.
fn check<T>(preemptions: usize, model: impl Fn() -> T + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(move || {
        let kept = model();
        await_end();
        shut_down();
        drop(kept);
    });
}

#[derive(Default)]
struct Counter {
    count: Mutex<usize>,
    changed: Condvar,
}

impl Counter {
    fn increment(&self) -> usize {
        let mut count = lock(&self.count);
        *count += 1;
        self.changed.notify_all();
        *count
    }

    fn await_count(&self, least: usize) {
        let mut count = lock(&self.count);
        while *count < least {
            count = self.changed.wait(count).unwrap();
        }
    }
}

struct Source {
    socket: Socket,
    reads: Counter,
}

impl Source {
    fn new() -> Arc<Self> {
        Arc::new(Self { socket: Socket::new(), reads: Counter::default() })
    }

    fn register(self: &Arc<Self>) -> Registration {
        let this = Arc::downgrade(self);
        register(&self.socket, this)
    }

    /// As long as the reactor serves this source, it reads what arrives.
    fn assert_served(&self, reads: usize) {
        self.socket.arrive();
        self.reads.await_count(reads);
    }
}

impl Readable for Source {
    fn on_readable(&self) {
        if self.socket.receive() {
            self.reads.increment();
        }
    }
}

/// Sets its timer anew each time it fires, until it has fired so many times.
struct Repeated {
    this: Weak<Self>,
    times: usize,
    timer: Mutex<Option<Timer>>,
    fired: Counter,
}

impl Repeated {
    fn new(times: usize) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            times,
            timer: Mutex::new(None),
            fired: Counter::default(),
        })
    }

    fn set(&self, after: Duration) {
        let target: Weak<dyn OnTimer> = Weak::<Self>::clone(&self.this);
        let mut timer = lock(&self.timer);
        *timer = Some(set_timer(now() + after, target));
    }
}

impl OnTimer for Repeated {
    fn on_timer(&self) {
        *lock(&self.timer) = None;
        if self.fired.increment() < self.times {
            self.set(SOON);
        }
    }
}

#[test]
fn a_registration_is_served_while_another_one_ends() {
    check(2, || {
        let [first, second] = [Source::new(), Source::new()];
        let registration = first.register();
        let other = spawn(move || {
            let registration = second.register();
            second.assert_served(1);
            registration.end(&second.socket);
            second
        });
        registration.end(&first.socket);
        (first, other.join().unwrap())
    });
}

#[test]
fn a_source_that_is_registered_again_is_served() {
    check(2, || {
        let source = Source::new();
        source.register().end(&source.socket).wait();
        let registration = source.register();
        source.assert_served(1);
        registration.end(&source.socket).wait();
    });
}

#[test]
fn a_registration_ends_while_another_one_keeps_the_thread() {
    check(3, || {
        let [first, second] = [Source::new(), Source::new()];
        let kept = second.register();
        let registration = first.register();
        first.socket.arrive();
        registration.end(&first.socket).wait();
        drop(first);
        kept.end(&second.socket).wait();
    });
}

#[test]
fn a_registration_ends_while_its_source_is_served() {
    check(3, || {
        let source = Source::new();
        let registration = source.register();
        source.socket.arrive();
        registration.end(&source.socket).wait();
    });
}

#[test]
fn a_timer_that_is_set_while_the_thread_sleeps_fires() {
    check(3, || {
        let source = Source::new();
        let repeated = Repeated::new(1);
        let registration = source.register();
        repeated.set(SOON);
        repeated.fired.await_count(1);
        registration.end(&source.socket).wait();
    });
}

#[test]
fn a_timer_that_is_set_when_one_fires_is_not_lost() {
    check(3, || {
        let source = Source::new();
        let repeated = Repeated::new(2);
        let registration = source.register();
        repeated.set(SOON);
        // The thread may find nothing to do while the timer has fired and is not set again.
        registration.end(&source.socket).wait();
        repeated.fired.await_count(2);
        shut_down();
        assert_eq!(running(), 0);
    });
}

#[test]
fn a_cancelled_timer_lets_the_thread_end() {
    check(3, || {
        let repeated = Repeated::new(1);
        repeated.set(LATER);
        *lock(&repeated.timer) = None;
    });
    check(2, || {
        let repeated = Repeated::new(1);
        repeated.set(SOON);
        *lock(&repeated.timer) = None;
    });
}

#[test]
fn an_earlier_timer_than_all_others_fires_in_time() {
    check(3, || {
        let later = Repeated::new(1);
        later.set(LATER);
        let sooner = Repeated::new(1);
        sooner.set(SOON);
        sooner.fired.await_count(1);
        *lock(&later.timer) = None;
    });
}

#[test]
fn no_thread_is_left_after_shutting_down() {
    check(3, || {
        let source = Source::new();
        let repeated = Repeated::new(2);
        let registration = source.register();
        repeated.set(SOON);
        shut_down();
        assert_eq!(running(), 0);
        registration.end(&source.socket).wait();
    });
}

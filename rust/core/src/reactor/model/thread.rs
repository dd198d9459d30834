//! The reactor, step by step as [there](crate::reactor), on a model of its poller; a change there is to be made here too. It waits
//! for the end of a registration as on a system whose pollers hold sockets, without a limit of time.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Weak};
use std::time::Instant;

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Condvar, Mutex, MutexGuard};
use loom::thread::{self, JoinHandle};

use super::super::timers::Timers;
use super::super::{OnTimer, Readable};
use super::poller::{Poller, Socket, now};

loom::lazy_static! {
    static ref THREAD: Mutex<Thread> = Mutex::new(Thread::default());
}

#[derive(Default)]
struct Thread {
    reactor: Option<(Arc<Reactor>, JoinHandle<()>)>,
    ended: Vec<JoinHandle<()>>,
    running: Arc<Running>,
}

/// How many threads have not come to their end.
#[derive(Default)]
struct Running {
    count: Mutex<usize>,
    ended: Condvar,
}

struct Reactor {
    poller: Poller,
    sources: Mutex<Sources>,
    timers: Mutex<Timers<Weak<dyn OnTimer>>>,
    generation: Mutex<u64>,
    next_generation: Condvar,
    ends: AtomicBool,
    has_ended: AtomicBool,
}

#[derive(Default)]
struct Sources {
    by_key: HashMap<usize, Weak<dyn Readable>>,
    next_key: usize,
}

pub(super) struct Registration {
    reactor: Arc<Reactor>,
    key: usize,
}

pub(super) struct Timer {
    reactor: Arc<Reactor>,
    id: u64,
}

pub(super) struct Deregistration {
    reactor: Arc<Reactor>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

pub(super) fn register(socket: &Socket, source: Weak<dyn Readable>) -> Registration {
    let mut thread = lock(&THREAD);
    let reactor = thread.started();
    let key = reactor.add(source, socket);
    Registration { reactor, key }
}

pub(super) fn set_timer(at: Instant, target: Weak<dyn OnTimer>) -> Timer {
    let (reactor, id) = lock(&THREAD).started_with(|reactor| lock(&reactor.timers).add(at, target));
    reactor.poller.notify();
    Timer { reactor, id }
}

impl Registration {
    pub(super) fn end(self, socket: &Socket) -> Deregistration {
        self.reactor.poller.delete(socket);
        lock(&self.reactor.sources).by_key.remove(&self.key);
        lock(&THREAD).end_if_idle();
        Deregistration { reactor: self.reactor }
    }
}

impl Deregistration {
    pub(super) fn wait(self) {
        let mut generation = lock(&self.reactor.generation);
        let before = *generation;
        self.reactor.poller.notify();
        while *generation == before && !self.reactor.has_ended.load(Ordering::Acquire) {
            generation = self.reactor.next_generation.wait(generation).unwrap();
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let cancelled = lock(&self.reactor.timers).cancel(self.id);
        if cancelled.is_some() {
            lock(&THREAD).end_if_idle();
        }
    }
}

impl Thread {
    fn started(&mut self) -> Arc<Reactor> {
        if let Some((reactor, _)) = &self.reactor {
            return Arc::clone(reactor);
        }
        let reactor = Arc::new(Reactor {
            poller: Poller::new(),
            sources: Mutex::default(),
            timers: Mutex::default(),
            generation: Mutex::new(0),
            next_generation: Condvar::new(),
            ends: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
        });
        let of_thread = Arc::clone(&reactor);
        let running = Arc::clone(&self.running);
        *lock(&running.count) += 1;
        let handle = thread::spawn(move || {
            of_thread.run();
            *lock(&running.count) -= 1;
            running.ended.notify_all();
        });
        self.reactor = Some((Arc::clone(&reactor), handle));
        reactor
    }

    fn started_with<T>(&mut self, add: impl FnOnce(&Reactor) -> T) -> (Arc<Reactor>, T) {
        let reactor = self.started();
        let added = add(&reactor);
        (reactor, added)
    }

    fn end_if_idle(&mut self) {
        let is_idle = |reactor: &Reactor| lock(&reactor.sources).by_key.is_empty() && lock(&reactor.timers).is_empty();
        if self.reactor.as_ref().is_some_and(|(reactor, _)| is_idle(reactor)) {
            self.end();
        }
    }

    fn end(&mut self) {
        if let Some((reactor, handle)) = self.reactor.take() {
            reactor.ends.store(true, Ordering::Release);
            reactor.poller.notify();
            self.ended.push(handle);
        }
    }
}

pub(super) fn shut_down() {
    loop {
        let ended = {
            let mut thread = lock(&THREAD);
            thread.end();
            mem::take(&mut thread.ended)
        };
        if ended.is_empty() {
            return;
        }
        for thread in ended {
            thread.join().unwrap();
        }
    }
}

impl Reactor {
    fn add(&self, source: Weak<dyn Readable>, socket: &Socket) -> usize {
        let key = {
            let mut sources = lock(&self.sources);
            let key = sources.next_key;
            sources.next_key += 1;
            sources.by_key.insert(key, source);
            key
        };
        self.poller.add(socket, key);
        key
    }

    fn run(&self) {
        while !self.ends.load(Ordering::Acquire) {
            let next_at = lock(&self.timers).next_at();
            let timeout = next_at.map(|at| at.saturating_duration_since(now()));
            let events = self.poller.wait(timeout);
            self.note_generation();
            for key in events {
                let source = lock(&self.sources).by_key.get(&key).and_then(Weak::upgrade);
                if let Some(source) = source {
                    source.on_readable();
                }
            }
            if next_at.is_some() {
                self.fire_timers();
            }
        }
        self.has_ended.store(true, Ordering::Release);
        self.note_generation();
    }

    fn fire_timers(&self) {
        let now = now();
        let mut any = false;
        let next_due = || lock(&self.timers).take_due(now);
        while let Some(target) = next_due() {
            any = true;
            if let Some(target) = target.upgrade() {
                target.on_timer();
            }
        }
        if any {
            lock(&THREAD).end_if_idle();
        }
    }

    fn note_generation(&self) {
        *lock(&self.generation) += 1;
        self.next_generation.notify_all();
    }
}

/// How many threads have not come to their end.
pub(super) fn running() -> usize {
    let running = Arc::clone(&lock(&THREAD).running);
    *lock(&running.count)
}

/// Returns when all threads have come to their end by themselves.
pub(super) fn await_end() {
    let running = Arc::clone(&lock(&THREAD).running);
    let mut count = lock(&running.count);
    while *count > 0 {
        count = running.ended.wait(count).unwrap();
    }
}

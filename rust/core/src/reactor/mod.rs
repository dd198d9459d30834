//! The one background thread of the process: it reads sockets when they become readable, and fires timers.
//!
//! It is started with the first registration or timer and ends with the last. While nothing happens it sleeps, on all sockets at
//! once. It holds no lock while it sleeps or calls back.
//!
//! `model` mirrors how the thread starts and ends, and checks it in every interleaving: keep both alike.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::mem;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use polling::{Event, Events, PollMode, Poller};

use crate::locks::{self, rank};
use crate::sys;
use crate::threads::{join, join_ended};

mod timers;

// Loom is a dependency on Linux only, see Cargo.toml.
#[cfg(test)]
#[cfg(target_os = "linux")]
mod model;

use timers::Timers;

/// The longest that [`Deregistration::wait`] waits. The thread notices at once, unless it gets no processor time.
const MAX_DEREGISTRATION_TIME: Duration = Duration::from_secs(1);

/// How long the thread rests when the system cannot tell it what has become readable.
const REST: Duration = Duration::from_millis(10);

static THREAD: locks::Mutex<Thread, { rank::REACTOR }> = locks::Mutex::new(Thread { reactor: None, ended: Vec::new() });

/// Called by the reactor's thread when a registered socket is readable. It must read a bounded amount and not block; it is called
/// again while there is more.
pub(crate) trait Readable: Send + Sync {
    fn on_readable(&self);
}

/// Called by the reactor's thread when a timer fires. It must not block.
pub(crate) trait OnTimer: Send + Sync {
    fn on_timer(&self);
}

struct Thread {
    /// The reactor, while there is a thread.
    reactor: Option<(Arc<Reactor>, JoinHandle<()>)>,
    /// Threads that were told to end and are not joined yet.
    ended: Vec<JoinHandle<()>>,
}

/// What the thread shares with those that register sockets and set timers.
struct Reactor {
    poller: Poller,
    sources: locks::Mutex<Sources, { rank::REACTOR_SOURCES }>,
    timers: locks::Mutex<Timers<Weak<dyn OnTimer>>, { rank::REACTOR_TIMERS }>,
    /// How often the thread has returned from its sleep; notified each time.
    generation: Mutex<u64>,
    next_generation: Condvar,
    /// Set by the thread itself when it starts.
    thread: OnceLock<ThreadId>,
    /// Whether the thread is to end, and whether it has.
    ends: AtomicBool,
    has_ended: AtomicBool,
}

#[derive(Default)]
struct Sources {
    by_key: HashMap<usize, Weak<dyn Readable>>,
    next_key: usize,
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor").finish_non_exhaustive()
    }
}

/// A registered socket. It must be [ended](Self::end) before the socket is closed.
#[derive(Debug)]
pub(crate) struct Registration {
    reactor: Arc<Reactor>,
    key: usize,
}

/// A timer that has been set. Dropping it cancels it.
#[derive(Debug)]
pub(crate) struct Timer {
    reactor: Arc<Reactor>,
    id: u64,
}

/// Has the thread call `source` while `socket` is readable.
///
/// The caller keeps the socket open until it has called [`Registration::end`].
pub(crate) fn register(socket: &UdpSocket, source: Weak<dyn Readable>) -> io::Result<Registration> {
    let mut thread = THREAD.lock();
    let reactor = thread.started()?;
    let added = reactor.add(source, socket);
    if added.is_err() {
        thread.end_if_idle();
    }
    added.map(|key| Registration { reactor, key })
}

/// Has the thread call `target` at `at`, once.
pub(crate) fn set_timer(at: Instant, target: Weak<dyn OnTimer>) -> io::Result<Timer> {
    let reactor = THREAD.lock().started_with(|reactor| reactor.timers.lock().add(at, target))?;
    let (reactor, id) = reactor;
    // The thread may sleep beyond that time; it does not where it sets a timer itself. If the system's notification fails, the timer
    // fires when the thread wakes next.
    if reactor.thread.get() != Some(&thread::current().id()) {
        let _ = reactor.poller.notify();
    }
    Ok(Timer { reactor, id })
}

impl Registration {
    /// Has the thread take no notice of the socket until [`resume`](Self::resume).
    pub(crate) fn pause(&self, socket: &UdpSocket) {
        // Not level-triggered: epoll tells of errors also where no event is asked for, and of one that stays without end. So it may
        // tell once more. Where the system refuses, the thread goes on reading as well, which costs time but no packets.
        let _ = self.reactor.poller.modify_with_mode(socket, Event::none(self.key), PollMode::Oneshot);
    }

    /// Has the thread take notice of the socket again.
    pub(crate) fn resume(&self, socket: &UdpSocket) {
        // The socket is registered, so this can fail only for want of memory in the kernel.
        let _ = self.reactor.poller.modify_with_mode(socket, Event::readable(self.key), PollMode::Level);
    }

    /// Has the thread call its source no longer. A call may be in progress.
    pub(crate) fn end(self, socket: &UdpSocket) -> Deregistration {
        // Fails only if the socket is not in the poller.
        let _ = self.reactor.poller.delete(socket);
        self.reactor.sources.lock().by_key.remove(&self.key);
        THREAD.lock().end_if_idle();
        Deregistration { reactor: self.reactor }
    }
}

/// The end of a registration, which the thread may not have noticed yet.
#[derive(Debug)]
pub(crate) struct Deregistration {
    reactor: Arc<Reactor>,
}

impl Deregistration {
    /// Returns when the thread does not sleep on the socket any more; for systems where that keeps its port taken. The caller holds
    /// no lock that the thread needs. At most one second; not from the thread itself, which does not sleep.
    pub(crate) fn wait(self) {
        if self.reactor.thread.get() == Some(&thread::current().id()) {
            return;
        }
        let mut generation = self.reactor.generation.lock();
        let before = *generation;
        // Fails only if the system's notification does; then the wait ends by its time.
        let _ = self.reactor.poller.notify();
        let is_asleep = |generation: &mut u64| *generation == before && !self.reactor.has_ended.load(Ordering::Acquire);
        self.reactor.next_generation.wait_while_for(&mut generation, is_asleep, MAX_DEREGISTRATION_TIME);
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let cancelled = self.reactor.timers.lock().cancel(self.id);
        if cancelled.is_some() {
            THREAD.lock().end_if_idle();
        }
    }
}

impl Thread {
    /// The reactor, whose thread is started if it does not run.
    fn started(&mut self) -> io::Result<Arc<Reactor>> {
        join_ended(&mut self.ended);
        if let Some((reactor, _)) = &self.reactor {
            return Ok(Arc::clone(reactor));
        }
        let reactor = Arc::new(Reactor {
            poller: Poller::new()?,
            sources: locks::Mutex::default(),
            timers: locks::Mutex::default(),
            generation: Mutex::new(0),
            next_generation: Condvar::new(),
            thread: OnceLock::new(),
            ends: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
        });
        let of_thread = Arc::clone(&reactor);
        let handle = thread::Builder::new().name("udp receive".to_owned()).spawn(move || of_thread.run())?;
        self.reactor = Some((Arc::clone(&reactor), handle));
        Ok(reactor)
    }

    /// The same, and what `add` makes of the reactor while it cannot end.
    fn started_with<T>(&mut self, add: impl FnOnce(&Reactor) -> T) -> io::Result<(Arc<Reactor>, T)> {
        let reactor = self.started()?;
        let added = add(&reactor);
        Ok((reactor, added))
    }

    /// Tells the thread to end if it has nothing to do.
    fn end_if_idle(&mut self) {
        let is_idle = |reactor: &Reactor| reactor.sources.lock().by_key.is_empty() && reactor.timers.lock().is_empty();
        if self.reactor.as_ref().is_some_and(|(reactor, _)| is_idle(reactor)) {
            self.end();
        }
    }

    fn end(&mut self) {
        if let Some((reactor, handle)) = self.reactor.take() {
            reactor.ends.store(true, Ordering::Release);
            let _ = reactor.poller.notify();
            self.ended.push(handle);
        }
    }
}

/// Ends the thread, and returns when it has ended. For the end of the process, or of the library. Peers that are still open then
/// receive nothing in the background any more.
pub(crate) fn shut_down() {
    // A callback in progress may start the next thread, by setting a timer.
    loop {
        let ended = {
            let mut thread = THREAD.lock();
            thread.end();
            mem::take(&mut thread.ended)
        };
        if ended.is_empty() {
            return;
        }
        ended.into_iter().for_each(join);
    }
}

impl Reactor {
    fn add(&self, source: Weak<dyn Readable>, socket: &UdpSocket) -> io::Result<usize> {
        let key = {
            let mut sources = self.sources.lock();
            let key = sources.next_key;
            sources.next_key += 1;
            sources.by_key.insert(key, source);
            key
        };
        // SAFETY: the socket must be taken out of the poller before it is dropped. `register` demands that of its callers, and
        // `Registration::end` does it. An endpoint is the only caller: it keeps the registration beside the socket and ends it in
        // `Endpoint::close`, before it drops the last reference to the socket.
        let added = unsafe { self.poller.add_with_mode(socket, Event::readable(key), PollMode::Level) };
        if added.is_err() {
            self.sources.lock().by_key.remove(&key);
        }
        added.map(|()| key)
    }

    fn run(&self) {
        let _ = self.thread.set(thread::current().id());
        let mut events = Events::new();
        let mut looked_at = Instant::now();
        while !self.ends.load(Ordering::Acquire) {
            events.clear();
            let next_at = self.timers.lock().next_at();
            let timeout = next_at.map(|at| at.saturating_duration_since(Instant::now()));
            let timeout = self.with_looks(timeout);
            if self.poller.wait(&mut events, timeout).is_err() {
                thread::sleep(REST);
            }
            self.note_generation();
            for event in events.iter() {
                let source = self.sources.lock().by_key.get(&event.key).and_then(Weak::upgrade);
                if let Some(source) = source {
                    source.on_readable();
                }
            }
            if next_at.is_some() {
                self.fire_timers();
            }
            if sys::LONGEST_SLEEP.is_some_and(|longest| looked_at.elapsed() >= longest) {
                looked_at = Instant::now();
                self.look_at_all();
            }
        }
        self.has_ended.store(true, Ordering::Release);
        self.note_generation();
    }

    /// The timeout of a sleep, cut short where the system may fail to tell of a packet.
    fn with_looks(&self, timeout: Option<Duration>) -> Option<Duration> {
        match sys::LONGEST_SLEEP {
            Some(longest) if !self.sources.lock().by_key.is_empty() => {
                Some(timeout.map_or(longest, |t| t.min(longest)))
            }
            _ => timeout,
        }
    }

    /// Calls every source, for systems that may fail to tell of a packet.
    fn look_at_all(&self) {
        let all: Vec<_> = self.sources.lock().by_key.values().filter_map(Weak::upgrade).collect();
        for source in all {
            source.on_readable();
        }
    }

    fn fire_timers(&self) {
        // A timer that is set meanwhile, for a time that has come already, is for the next round: sockets must not wait for it.
        let now = Instant::now();
        let mut any = false;
        // Without the lock, which a callback may need to set the next timer.
        let next_due = || self.timers.lock().take_due(now);
        while let Some(target) = next_due() {
            any = true;
            if let Some(target) = target.upgrade() {
                target.on_timer();
            }
        }
        if any {
            THREAD.lock().end_if_idle();
        }
    }

    fn note_generation(&self) {
        if sys::POLLER_HOLDS_SOCKETS {
            *self.generation.lock() += 1;
            self.next_generation.notify_all();
        }
    }
}

/// How many threads receive in the background at the moment: 1 while a peer or server needs it, else 0.
#[must_use]
pub fn background_threads() -> usize {
    usize::from(THREAD.lock().reactor.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// Ends a registration from the thread itself, as the last reference to a peer does that the thread drops.
    struct EndsIt {
        registered: Mutex<Option<(Registration, UdpSocket)>>,
        took: Mutex<mpsc::Sender<Duration>>,
    }

    impl Readable for EndsIt {
        fn on_readable(&self) {
            let Some((registration, socket)) = self.registered.lock().take() else { return };
            let start = Instant::now();
            registration.end(&socket).wait();
            drop(socket);
            let _ = self.took.lock().send(start.elapsed());
        }
    }

    #[test]
    fn the_thread_does_not_wait_for_itself() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let (took, tells) = mpsc::channel();
        let source = Arc::new(EndsIt { registered: Mutex::new(None), took: Mutex::new(took) });
        {
            let mut registered = source.registered.lock();
            let weak: Weak<dyn Readable> = Arc::downgrade(&source) as _;
            let registration = register(&socket, weak).unwrap();
            socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
            *registered = Some((registration, socket));
        }
        let took = tells.recv_timeout(Duration::from_secs(30)).unwrap();
        assert!(took < MAX_DEREGISTRATION_TIME / 2, "{took:?}");
    }
}

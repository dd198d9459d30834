//! Pollers, sockets and time, under one lock.

use std::sync::Arc;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use loom::sync::{Condvar, Mutex, MutexGuard};

loom::lazy_static! {
    static ref WORLD: Mutex<World> = Mutex::new(World::default());
}

/// When every run of a model begins.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A sleep with a timeout of less than this lasts no time: the clock jumps. A longer one lasts until something else ends it.
const NEVER: Duration = Duration::from_secs(1);

#[derive(Default)]
struct World {
    elapsed: Duration,
    /// How many datagrams each socket has to read.
    sockets: Vec<usize>,
    pollers: Vec<PollerState>,
}

struct PollerState {
    condvar: Arc<Condvar>,
    is_notified: bool,
    /// Socket and key.
    registered: Vec<(usize, usize)>,
    /// The sockets that the sleep in progress began with: some systems keep their ports taken until it ends.
    holds: Vec<usize>,
}

fn world() -> MutexGuard<'static, World> {
    WORLD.lock().unwrap()
}

/// In place of [`Instant::now`].
pub(super) fn now() -> Instant {
    *START + world().elapsed
}

/// It fails the model if it is dropped while it is in a poller or a thread sleeps on it.
pub(super) struct Socket(usize);

impl Socket {
    pub(super) fn new() -> Self {
        let mut world = world();
        world.sockets.push(0);
        Self(world.sockets.len() - 1)
    }

    /// A datagram arrives.
    pub(super) fn arrive(&self) {
        let mut world = world();
        world.sockets[self.0] += 1;
        for poller in world.pollers.iter().filter(|poller| poller.registered.iter().any(|(id, _)| *id == self.0)) {
            poller.condvar.notify_all();
        }
    }

    /// Whether there was a datagram.
    pub(super) fn receive(&self) -> bool {
        let waiting = &mut world().sockets[self.0];
        let any = *waiting > 0;
        *waiting -= usize::from(any);
        any
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for poller in &world().pollers {
            assert!(!poller.registered.iter().any(|(id, _)| *id == self.0), "closed while it is in a poller");
            assert!(!poller.holds.contains(&self.0), "closed while a thread sleeps on it");
        }
    }
}

/// In place of [`polling::Poller`].
pub(super) struct Poller(usize);

impl Poller {
    pub(super) fn new() -> Self {
        let mut world = world();
        let condvar = Arc::new(Condvar::new());
        world.pollers.push(PollerState { condvar, is_notified: false, registered: Vec::new(), holds: Vec::new() });
        Self(world.pollers.len() - 1)
    }

    pub(super) fn add(&self, socket: &Socket, key: usize) {
        let mut world = world();
        let poller = &mut world.pollers[self.0];
        poller.registered.push((socket.0, key));
        // epoll takes notice at once, and so does kqueue.
        poller.condvar.notify_all();
    }

    pub(super) fn delete(&self, socket: &Socket) {
        world().pollers[self.0].registered.retain(|(id, _)| *id != socket.0);
    }

    pub(super) fn notify(&self) {
        let mut world = world();
        let poller = &mut world.pollers[self.0];
        poller.is_notified = true;
        poller.condvar.notify_all();
    }

    /// Sleeps until a socket is readable, [`notify`](Self::notify) is called, or the time is over; the keys of the sockets.
    pub(super) fn wait(&self, timeout: Option<Duration>) -> Vec<usize> {
        let mut world = world();
        loop {
            let World { elapsed, sockets, pollers } = &mut *world;
            let poller = &mut pollers[self.0];
            let events: Vec<_> =
                poller.registered.iter().filter(|(id, _)| sockets[*id] > 0).map(|(_, key)| *key).collect();
            let is_over = timeout.is_some_and(|timeout| timeout < NEVER);
            if poller.is_notified || !events.is_empty() || is_over {
                if !poller.is_notified && events.is_empty() {
                    *elapsed += timeout.unwrap_or_default();
                }
                poller.is_notified = false;
                poller.holds.clear();
                return events;
            }
            poller.holds.extend(poller.registered.iter().map(|(id, _)| *id));
            let condvar = Arc::clone(&poller.condvar);
            world = condvar.wait(world).unwrap();
        }
    }
}

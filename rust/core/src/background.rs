//! The one thread that receives for all peers of the process that want it.
//!
//! It is started with the first such peer and ends with the last. While nothing arrives it sleeps, on all sockets at
//! once; what arrives it reads into the peers' queues, from one socket after the other and a bounded amount from each in
//! turn. It holds no lock while it sleeps, and uses a socket only under the lock that keeps it open, as everybody does.

use std::collections::HashMap;
use std::io;
use std::mem;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use polling::{Event, Events, PollMode, Poller};

use crate::peer::Peer;
use crate::sys;
use crate::threads::{join, join_ended};

/// How many batches are read from one socket before it is the next one's turn.
const BATCHES_IN_TURN: usize = 8;

/// The longest that detaching takes for the thread to let go of a socket, on systems where that matters: it does at
/// once, unless it gets no processor time.
const LETTING_GO: Duration = Duration::from_secs(1);

/// How long the thread rests when the system cannot tell it what has arrived.
const REST: Duration = Duration::from_millis(10);

static THREAD: Mutex<Thread> = Mutex::new(Thread { hub: None, ended: Vec::new() });

/// The tokens of peers that have something new, see [`take_news`].
static NEWS: Mutex<Vec<u64>> = Mutex::new(Vec::new());
static HAS_NEWS: AtomicBool = AtomicBool::new(false);

struct Thread {
    /// Where peers attach themselves, while there is a thread.
    hub: Option<(Arc<Hub>, JoinHandle<()>)>,
    /// Threads that were told to end.
    ended: Vec<JoinHandle<()>>,
}

/// What the thread and those who attach to it share.
struct Hub {
    poller: Poller,
    peers: Mutex<Peers>,
    /// How often the thread has come back from its sleep; notified each time.
    rounds: Mutex<u64>,
    came_back: Condvar,
    /// Whether the thread is to end, and whether it sleeps no more.
    ends: AtomicBool,
    is_gone: AtomicBool,
}

#[derive(Default)]
struct Peers {
    by_key: HashMap<usize, Weak<Peer>>,
    next_key: usize,
}

/// An attached socket. [`detach`](Self::detach) it before it is closed.
#[derive(Debug)]
pub(crate) struct Attachment {
    hub: Arc<Hub>,
    key: usize,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

/// Has the thread receive for `peer` from `socket`. Starts it if it does not run.
///
/// The caller holds the lock that keeps the socket open, and calls [`Attachment::detach`] under it before closing it.
pub(crate) fn attach(peer: Weak<Peer>, socket: &UdpSocket) -> io::Result<Attachment> {
    let mut thread = THREAD.lock();
    join_ended(&mut thread.ended);
    let hub = if let Some((hub, _)) = &thread.hub {
        Arc::clone(hub)
    } else {
        let hub = Arc::new(Hub {
            poller: Poller::new()?,
            peers: Mutex::default(),
            rounds: Mutex::new(0),
            came_back: Condvar::new(),
            ends: AtomicBool::new(false),
            is_gone: AtomicBool::new(false),
        });
        let its_hub = Arc::clone(&hub);
        let handle = thread::Builder::new().name("udp receive".to_owned()).spawn(move || its_hub.run())?;
        thread.hub = Some((Arc::clone(&hub), handle));
        hub
    };
    let attached = hub.add(peer, socket);
    if attached.is_err() {
        thread.end_if_idle();
    }
    attached.map(|key| Attachment { hub, key })
}

impl Attachment {
    /// Has the thread receive from `socket` no longer. The caller holds the lock that keeps the socket open.
    pub(crate) fn detach(self, socket: &UdpSocket) -> Release {
        // This fails only where the socket is not in the poller, which is what is wanted.
        let _ = self.hub.poller.delete(socket);
        self.hub.peers.lock().by_key.remove(&self.key);
        THREAD.lock().end_if_idle();
        Release { hub: self.hub }
    }
}

/// What a detached socket may still have to wait for.
#[derive(Debug)]
pub(crate) struct Release {
    hub: Arc<Hub>,
}

impl Release {
    /// Returns when the thread does not sleep on the socket any more: for systems where that keeps its port taken. To be
    /// called with no lock that the thread needs.
    pub(crate) fn wait(self) {
        let mut rounds = self.hub.rounds.lock();
        let before = *rounds;
        // This fails only where the system's own notification does; then the wait below ends by its time.
        let _ = self.hub.poller.notify();
        let is_asleep = |rounds: &mut u64| *rounds == before && !self.hub.is_gone.load(Ordering::Acquire);
        self.hub.came_back.wait_while_for(&mut rounds, is_asleep, LETTING_GO);
    }
}

impl Thread {
    /// Tells the thread to end if nobody needs it any more.
    fn end_if_idle(&mut self) {
        if self.hub.as_ref().is_some_and(|(hub, _)| hub.peers.lock().by_key.is_empty()) {
            self.end();
        }
    }

    fn end(&mut self) {
        if let Some((hub, handle)) = self.hub.take() {
            hub.ends.store(true, Ordering::Release);
            let _ = hub.poller.notify();
            self.ended.push(handle);
        }
    }
}

/// Ends the thread, and returns when it has ended. For the end of the process, or of the library; peers that are open
/// still receive nothing in the background any more.
pub(crate) fn shut_down() {
    let ended = {
        let mut thread = THREAD.lock();
        thread.end();
        mem::take(&mut thread.ended)
    };
    ended.into_iter().for_each(join);
}

impl Hub {
    fn add(&self, peer: Weak<Peer>, socket: &UdpSocket) -> io::Result<usize> {
        let key = {
            let mut peers = self.peers.lock();
            let key = peers.next_key;
            peers.next_key += 1;
            peers.by_key.insert(key, peer);
            key
        };
        // SAFETY: the socket must be taken out of the poller before it is dropped. Who attaches one has to detach it
        // before, see `attach`; the peer keeps the attachment beside the socket, and does so wherever it drops a socket.
        let added = unsafe { self.poller.add_with_mode(socket, Event::readable(key), PollMode::Level) };
        if added.is_err() {
            self.peers.lock().by_key.remove(&key);
        }
        added.map(|()| key)
    }

    fn run(&self) {
        let mut events = Events::new();
        while !self.ends.load(Ordering::Acquire) {
            events.clear();
            if self.poller.wait(&mut events, None).is_err() {
                thread::sleep(REST);
            }
            self.note_round();
            for event in events.iter() {
                let peer = self.peers.lock().by_key.get(&event.key).and_then(Weak::upgrade);
                if let Some(peer) = peer {
                    peer.receive_in_background(BATCHES_IN_TURN);
                }
            }
        }
        self.is_gone.store(true, Ordering::Release);
        self.note_round();
    }

    fn note_round(&self) {
        if sys::POLLER_HOLDS_SOCKETS {
            *self.rounds.lock() += 1;
            self.came_back.notify_all();
        }
    }
}

/// Notes that the peers of these tokens have something that nobody was told of yet.
pub(crate) fn note_news(tokens: &[u64]) {
    if !tokens.is_empty() {
        NEWS.lock().extend_from_slice(tokens);
        HAS_NEWS.store(true, Ordering::Release);
    }
}

/// The tokens ([`Peer::set_token`]) of the peers for which packets have arrived in the background since they were last
/// asked with [`Peer::take_news`]. To be called now and then, a frame apart for instance; costs nothing when there is
/// nothing new.
#[must_use]
pub fn take_news() -> Vec<u64> {
    if !HAS_NEWS.swap(false, Ordering::AcqRel) {
        return Vec::new();
    }
    let mut news = mem::take(&mut *NEWS.lock());
    news.sort_unstable();
    news.dedup();
    news
}

/// How many threads receive in the background at the moment: 1 while any peer wants it, else 0.
#[must_use]
pub fn background_threads() -> usize {
    usize::from(THREAD.lock().hub.is_some())
}

//! Waiting for a socket to become readable, in a way that another thread can end.
//!
//! Each waiting thread has a [`Waker`] of its own, which watches the socket. A sleeper is kept for the next wait: one by
//! its peer, where it goes on watching the socket, since that is cheaper than to begin anew; and a few for any peer.
//!
//! The rule for a socket that is watched: it is taken out of every sleeper before it is closed. [`Waiters::enter`] and
//! [`Waiters::watch`] put it in, [`Waiters::leave`], [`Waiters::unwatch`] and [`Waiters::end_all`] take it out; the peer
//! calls the last of these before it drops the socket, and all of them only while it holds the lock that keeps the socket
//! open.

use std::collections::BTreeSet;
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::sys::Waker;

/// How many sleepers are kept for any peer. Each holds descriptors (one on Linux), and few threads wait at once.
const KEPT: usize = 4;

static IDLE: Mutex<Vec<Arc<Waker>>> = Mutex::new(Vec::new());

/// Gives back the system resources that waiting keeps for later. For the end of the process, or of the library.
pub(crate) fn release_idle_sleepers() {
    IDLE.lock().clear();
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitEnd {
    /// A packet can be taken.
    Ready,
    /// The time was over.
    TimedOut,
    /// Somebody called [`Peer::interrupt_wait`](crate::Peer::interrupt_wait).
    Interrupted,
    /// The peer was closed.
    Closed,
}

/// Who waits: the peer whose socket it is ([`SELF`]), or one of those that share it, by number.
pub(crate) type Who = u64;

/// See [`Who`].
pub(crate) const SELF: Who = 0;

/// The waits in progress on one socket.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    entries: Vec<Entry>,
    next_id: u64,
    /// For whom an interruption came when they did not wait: it ends their next wait.
    interrupted: BTreeSet<Who>,
    /// Kept for the next wait on this socket; may go on watching it.
    kept: Option<Watcher>,
}

/// A sleeper, and whether it watches the peer's socket. It does not where the background thread receives: that wakes who
/// waits.
#[derive(Debug)]
struct Watcher {
    sleeper: Arc<Waker>,
    watches: bool,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    who: Who,
    watcher: Watcher,
    /// Set by the one who ends the wait; the first to do so is right.
    ended: Option<WaitEnd>,
    /// Whether the socket was closed during the wait.
    closed: bool,
}

/// What [`Waiters::enter`] answers.
pub(crate) enum Entered {
    /// The wait has begun; the number is its name, and the thread is to sleep with this.
    Waiting(u64, Arc<Waker>),
    /// An interruption had been waiting for this wait.
    Interrupted,
}

impl Waiters {
    /// How many waits are in progress.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many of `who`.
    pub(crate) fn count(&self, who: Who) -> usize {
        self.entries.iter().filter(|entry| entry.who == who).count()
    }

    /// Takes an interruption that `who` has not had yet.
    pub(crate) fn take_interruption(&mut self, who: Who) -> bool {
        self.interrupted.remove(&who)
    }

    /// Begins a wait on `socket`, which stays open until [`end_all`](Self::end_all) was called with it; `None` where
    /// somebody else reads it, and wakes who waits.
    pub(crate) fn enter(&mut self, who: Who, socket: Option<&UdpSocket>) -> io::Result<Entered> {
        if self.take_interruption(who) {
            return Ok(Entered::Interrupted);
        }
        let mut watcher = match self.kept.take() {
            Some(kept) => kept,
            None => Watcher::new()?,
        };
        if let Some(socket) = socket {
            watcher.watch(socket)?;
        }
        let id = self.next_id;
        self.next_id += 1;
        let sleeper = Arc::clone(&watcher.sleeper);
        self.entries.push(Entry { id, who, watcher, ended: None, closed: false });
        Ok(Entered::Waiting(id, sleeper))
    }

    /// From now on somebody else reads `socket`, and wakes who waits.
    pub(crate) fn unwatch(&mut self, socket: &UdpSocket) {
        self.entries
            .iter_mut()
            .map(|entry| &mut entry.watcher)
            .chain(&mut self.kept)
            .for_each(|one| one.unwatch(socket));
    }

    /// From now on everyone who waits looks after `socket` himself.
    pub(crate) fn watch(&mut self, socket: &UdpSocket) {
        for entry in self.entries.iter_mut().filter(|entry| !entry.closed) {
            match entry.watcher.watch(socket) {
                // To sleep again, on the socket.
                Ok(()) => entry.watcher.sleeper.wake(),
                // Nobody would ever wake this one: whoever it is may find out by waiting again.
                Err(_) => entry.end(WaitEnd::Interrupted),
            }
        }
    }

    /// How the wait `id` was ended, if it was.
    pub(crate) fn ended(&self, id: u64) -> Option<WaitEnd> {
        self.entries.iter().find(|entry| entry.id == id).and_then(|entry| entry.ended)
    }

    /// Ends the wait `id` from the side of the one who waits; how others ended it, if they did: that comes first, or
    /// their wake-up would be lost. `socket` is the peer's, if it is open.
    pub(crate) fn leave(&mut self, id: u64, socket: Option<&UdpSocket>) -> Option<WaitEnd> {
        let index = self.entries.iter().position(|entry| entry.id == id)?;
        let Entry { mut watcher, ended, closed, .. } = self.entries.swap_remove(index);
        // (One that somebody has woken may end the next sleep too early, which does no harm.)
        if self.kept.is_none() && !closed && socket.is_some() {
            self.kept = Some(watcher);
        } else {
            if let Some(socket) = socket {
                watcher.unwatch(socket);
            }
            watcher.put_back();
        }
        ended
    }

    /// Wakes everyone but `except` to look at the queue: somebody else has read what they wait for from the socket.
    pub(crate) fn wake_others(&self, except: Option<u64>) {
        for entry in self.entries.iter().filter(|entry| Some(entry.id) != except) {
            entry.watcher.sleeper.wake();
        }
    }

    /// Wakes some of those who share the socket, but not `except`: there is something for them.
    pub(crate) fn wake_those(&self, whose: &[Who], except: Option<u64>) {
        let entries = self.entries.iter().filter(|entry| whose.contains(&entry.who) && Some(entry.id) != except);
        entries.for_each(|entry| entry.watcher.sleeper.wake());
    }

    /// Whether nobody is left who was still on his way out of a wait on a socket that is gone.
    pub(crate) fn all_ended_have_left(&self) -> bool {
        self.entries.iter().all(|entry| !entry.closed)
    }

    /// Ends every wait of `who` in progress, or else the next one.
    pub(crate) fn interrupt(&mut self, who: Who) {
        if !self.end_waits_of(who, WaitEnd::Interrupted) {
            self.interrupted.insert(who);
        }
    }

    /// Ends every wait of `who`, who leaves a socket that stays open.
    pub(crate) fn end_all_of(&mut self, who: Who) {
        self.end_waits_of(who, WaitEnd::Closed);
        self.interrupted.remove(&who);
    }

    /// Whether there was any.
    fn end_waits_of(&mut self, who: Who, how: WaitEnd) -> bool {
        let mut any = false;
        for entry in self.entries.iter_mut().filter(|entry| entry.who == who && !entry.closed) {
            any = true;
            entry.end(how);
        }
        any
    }

    /// Ends every wait in progress because `socket` is about to be closed, and takes it out of all sleepers.
    pub(crate) fn end_all(&mut self, socket: &UdpSocket) {
        for entry in self.entries.iter_mut().filter(|entry| !entry.closed) {
            entry.watcher.unwatch(socket);
            entry.closed = true;
            entry.end(WaitEnd::Closed);
        }
        if let Some(mut kept) = self.kept.take() {
            kept.unwatch(socket);
            kept.put_back();
        }
        self.interrupted.clear();
    }
}

impl Entry {
    fn end(&mut self, how: WaitEnd) {
        self.ended.get_or_insert(how);
        self.watcher.sleeper.wake();
    }
}

impl Watcher {
    /// One that was used before, or a new one.
    fn new() -> io::Result<Self> {
        let sleeper = IDLE.lock().pop();
        let sleeper = sleeper.map_or_else(|| Waker::new().map(Arc::new), Ok)?;
        Ok(Self { sleeper, watches: false })
    }

    fn watch(&mut self, socket: &UdpSocket) -> io::Result<()> {
        if !self.watches {
            self.sleeper.watch(socket)?;
            self.watches = true;
        }
        Ok(())
    }

    fn unwatch(&mut self, socket: &UdpSocket) {
        if std::mem::take(&mut self.watches) {
            self.sleeper.unwatch(socket);
        }
    }

    /// Keeps it for the next wait, of any peer.
    fn put_back(self) {
        let mut idle = IDLE.lock();
        if !self.watches && idle.len() < KEPT {
            idle.push(self.sleeper);
        }
    }
}

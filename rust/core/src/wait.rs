//! Waiting for a socket to become readable, in a way that another thread can end.
//!
//! Each waiting thread has a [`Waiter`] of its own: a poller (epoll, kqueue or Windows' equivalent) in which the socket
//! is registered for as long as the wait lasts. A registration does not keep the socket alive, so closing it frees its
//! port at once, whoever waits. Waiters are kept for the next wait, of any peer.
//!
//! The rule that makes the `unsafe` in here sound: a socket is taken out of every poller before it is closed.
//! [`Waiters::enter`] and [`Waiters::watch`] put it in, [`Waiters::leave`], [`Waiters::unwatch`] and [`Waiters::end_all`]
//! take it out; the peer calls the last of these before it drops the socket, and all of them only while it holds the lock
//! that keeps the socket open.

use std::io;
use std::net::UdpSocket;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use polling::{Event, Events, PollMode, Poller};

/// How many waiters are kept for later. Each holds descriptors (three on Linux), and few threads wait at once.
const KEPT: usize = 4;

/// The longest that a system is asked to wait at a stretch.
const LONGEST: Duration = Duration::from_hours(1);

static IDLE: Mutex<Vec<Waiter>> = Mutex::new(Vec::new());

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

/// What a thread waits with.
pub(crate) struct Waiter {
    poller: Arc<Poller>,
    events: Events,
}

impl Waiter {
    /// One that was used before, or a new one.
    pub(crate) fn get() -> io::Result<Self> {
        if let Some(waiter) = IDLE.lock().pop() {
            return Ok(waiter);
        }
        Ok(Self { poller: Arc::new(Poller::new()?), events: Events::with_capacity(NonZeroUsize::MIN) })
    }

    /// Keeps it for the next wait. Its socket must have been taken out.
    pub(crate) fn put_back(self) {
        let mut idle = IDLE.lock();
        if idle.len() < KEPT {
            idle.push(self);
        }
    }

    /// Blocks until something may have happened: a packet, an end by another thread, the deadline, or nothing at all.
    pub(crate) fn block(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        self.events.clear();
        // Nothing happening is allowed here, and not every system takes a time that is very far away.
        let timeout = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()).min(LONGEST));
        self.poller.wait(&mut self.events, timeout).map(drop)
    }
}

/// Gives back the system resources that waiting keeps for later. For the end of the process, or of the library.
pub(crate) fn release_idle_waiters() {
    IDLE.lock().clear();
}

/// The waits in progress on one peer.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    entries: Vec<Entry>,
    next_id: u64,
    /// An interruption that came when nobody waited: for the next one who does.
    interrupted: bool,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    poller: Arc<Poller>,
    /// Set by the one who ends the wait; the first to do so is right.
    ended: Option<WaitEnd>,
    /// Whether the socket is in the poller. It is not where the background thread receives: that wakes who waits.
    watches: bool,
    /// Whether the socket was closed during the wait.
    closed: bool,
}

/// What [`Waiters::enter`] answers.
pub(crate) enum Entered {
    /// The wait has begun; the number is its name.
    Waiting(u64),
    /// An interruption had been waiting for this wait.
    Interrupted,
}

impl Waiters {
    /// How many waits are in progress.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Takes an interruption that nobody has had yet.
    pub(crate) fn take_interruption(&mut self) -> bool {
        std::mem::take(&mut self.interrupted)
    }

    /// Forgets an interruption that nobody has had: the peer was opened anew.
    pub(crate) fn forget_interruption(&mut self) {
        self.interrupted = false;
    }

    /// Begins a wait on `socket`, which stays open until [`end_all`](Self::end_all) was called with it; `None` where
    /// somebody else reads it, and wakes who waits.
    pub(crate) fn enter(&mut self, waiter: &Waiter, socket: Option<&UdpSocket>) -> io::Result<Entered> {
        if self.take_interruption() {
            return Ok(Entered::Interrupted);
        }
        let id = self.next_id;
        let poller = Arc::clone(&waiter.poller);
        let mut entry = Entry { id, poller, ended: None, watches: false, closed: false };
        if let Some(socket) = socket {
            entry.watch(socket)?;
        }
        self.next_id += 1;
        self.entries.push(entry);
        Ok(Entered::Waiting(id))
    }

    /// From now on somebody else reads `socket`, and wakes who waits.
    pub(crate) fn unwatch(&mut self, socket: &UdpSocket) {
        self.entries.iter_mut().for_each(|entry| entry.unwatch(socket));
    }

    /// From now on everyone who waits looks after `socket` himself.
    pub(crate) fn watch(&mut self, socket: &UdpSocket) {
        for entry in self.entries.iter_mut().filter(|entry| !entry.closed) {
            if entry.watch(socket).is_err() {
                // Nobody would ever wake this one: whoever it is may find out by waiting again.
                entry.end(WaitEnd::Interrupted);
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
        let mut entry = self.entries.swap_remove(index);
        if let Some(socket) = socket {
            entry.unwatch(socket);
        }
        entry.ended
    }

    /// Wakes everyone but `except` to look at the queue: somebody else has read what they wait for from the socket.
    pub(crate) fn wake_others(&self, except: Option<u64>) {
        for entry in self.entries.iter().filter(|entry| Some(entry.id) != except) {
            entry.wake();
        }
    }

    /// Whether nobody is left who was still on his way out of a wait on a socket that is gone.
    pub(crate) fn all_ended_have_left(&self) -> bool {
        self.entries.iter().all(|entry| !entry.closed)
    }

    /// Ends every wait in progress, or else the next one.
    pub(crate) fn interrupt(&mut self) {
        let mut nobody = true;
        for entry in self.entries.iter_mut().filter(|entry| !entry.closed) {
            nobody = false;
            entry.end(WaitEnd::Interrupted);
        }
        self.interrupted = nobody;
    }

    /// Ends every wait in progress because `socket` is about to be closed, and takes it out of all pollers.
    pub(crate) fn end_all(&mut self, socket: &UdpSocket) {
        for entry in self.entries.iter_mut().filter(|entry| !entry.closed) {
            entry.unwatch(socket);
            entry.closed = true;
            entry.end(WaitEnd::Closed);
        }
        self.interrupted = false;
    }
}

impl Entry {
    fn watch(&mut self, socket: &UdpSocket) -> io::Result<()> {
        if !self.watches {
            // Level-triggered: a wake-up that found nothing (another thread was faster) needs no rearming.
            // SAFETY: the socket must be taken out of the poller before it is dropped. The entry says that it is in;
            // `leave` and `end_all` take it out, and the peer drops no socket before it has called `end_all` with it.
            unsafe { self.poller.add_with_mode(socket, Event::readable(0), PollMode::Level)? };
            self.watches = true;
        }
        Ok(())
    }

    fn unwatch(&mut self, socket: &UdpSocket) {
        if std::mem::take(&mut self.watches) {
            // This fails only where the socket is not in the poller, which is what is wanted.
            let _ = self.poller.delete(socket);
        }
    }

    fn end(&mut self, how: WaitEnd) {
        self.ended.get_or_insert(how);
        self.wake();
    }

    fn wake(&self) {
        // This fails only where the system's own notification does (an eventfd, a pipe, a completion port), and then there
        // is nothing that a caller could do about it.
        let _ = self.poller.notify();
    }
}

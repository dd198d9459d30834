//! The waits in progress on one socket, and who ends them.
//!
//! A thread that has looked at its queue and at the socket in vain sleeps, with a waker of its own. One of those that sleep, the
//! *reader*, watches the socket too: it reads what arrives, for every peer that shares the socket, and wakes those that got a
//! packet. The others sleep until they are woken. A reader that leaves hands its role on to another thread that sleeps, if there is
//! one; else the next one that goes to sleep becomes the reader.
//!
//! A socket that a waker watches must be taken out of it before it is closed: [`Waiters::prepare`] and the hand-over put it in,
//! [`Waiters::leave`] and [`Waiters::end_all`] take it out, and the endpoint calls the latter before it drops the socket.

use std::collections::BTreeSet;
use std::io;
use std::mem;
use std::net::UdpSocket;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::sys::Waker;

/// A waker that the process keeps for the next wait on any socket: making one takes a system call, and a descriptor on Linux, which
/// would be given back with another.
static KEPT_WAKER: Mutex<Option<Arc<Waker>>> = Mutex::new(None);

/// Frees the waker that is kept for later. For the end of the process, or of the library.
pub(crate) fn release_kept_waker() {
    KEPT_WAKER.lock().take();
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitEnd {
    /// A packet can be taken.
    Ready,
    /// The time was over.
    TimedOut,
    /// [`Peer::interrupt_wait`](crate::Peer::interrupt_wait) was called.
    Interrupted,
    /// The peer was closed.
    Closed,
}

/// On whose behalf a thread waits: the [`OWNER`] of the socket, or one of the peers that a server has accepted, by its number.
pub(crate) type WaiterId = u64;

/// See [`WaiterId`].
pub(crate) const OWNER: WaiterId = 0;

/// What a thread sleeps with: [`Waker`], or its model in tests.
pub(crate) trait Wakeable: Sized {
    type Socket: ?Sized;

    /// One that was used before, or a new one.
    fn get() -> io::Result<Arc<Self>>;
    /// Gives one back that watches nothing.
    fn put_back(waker: Arc<Self>);
    fn watch(&self, socket: &Self::Socket) -> io::Result<()>;
    fn unwatch(&self, socket: &Self::Socket);
    fn wake(&self);
}

impl Wakeable for Waker {
    type Socket = UdpSocket;

    fn get() -> io::Result<Arc<Self>> {
        let kept = KEPT_WAKER.lock().take();
        kept.map_or_else(|| Self::new().map(Arc::new), Ok)
    }

    fn put_back(waker: Arc<Self>) {
        // A waker that was woken after its last sleep ends the next sleep too early, which does no harm.
        if waker.is_prompt() {
            KEPT_WAKER.lock().get_or_insert(waker);
        }
    }

    fn watch(&self, socket: &UdpSocket) -> io::Result<()> {
        Self::watch(self, socket)
    }

    fn unwatch(&self, socket: &UdpSocket) {
        Self::unwatch(self, socket);
    }

    fn wake(&self) {
        Self::wake(self);
    }
}

/// The waits in progress on one socket.
#[derive(Debug)]
pub(crate) struct Waiters<W> {
    entries: Vec<Entry<W>>,
    next_id: u64,
    /// Whose next wait ends at once, because an interruption came while it did not wait.
    interrupted: BTreeSet<WaiterId>,
    /// Of waits that have ended between the moment at which the socket was taken for closing and [`end_all`](Self::end_all): these
    /// wakers may still watch it.
    left_behind: Vec<Watcher<W>>,
    is_closed: bool,
}

/// A waker, and whether it watches the socket.
#[derive(Debug)]
struct Watcher<W> {
    waker: Arc<W>,
    watches: bool,
}

#[derive(Debug)]
struct Entry<W> {
    id: u64,
    waiter: WaiterId,
    /// What the thread sleeps with; `None` until it has to.
    watcher: Option<Watcher<W>>,
    /// Whether the thread is to look at its queue again. Only while it has no waker, which remembers that by itself.
    is_woken: bool,
    is_reader: bool,
    /// How another thread has ended the wait; the first to end it decides.
    ended: Option<WaitEnd>,
}

/// The answer of [`Waiters::enter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entered {
    /// The wait has begun, and has this number.
    Waiting(u64),
    /// An interruption was pending.
    Interrupted,
    /// The socket is closed.
    Closed,
}

/// How a wait stands, see [`Waiters::look`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Ended(WaitEnd),
    Waits { is_reader: bool },
}

/// The answer of [`Waiters::prepare`].
pub(crate) enum Prepared<W> {
    /// The thread is not to sleep: the wait has ended, or there may be something in the queue.
    Awake,
    /// The thread is to sleep with this waker.
    Sleeps { waker: Arc<W>, is_reader: bool },
}

/// The answer of [`Waiters::leave`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// How another thread had ended the wait, if one had.
    pub(crate) ended: Option<WaitEnd>,
    /// Whether this was the reader, and there is no other thread to hand the role on to.
    pub(crate) is_reader_missing: bool,
}

impl<W> Default for Waiters<W> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            next_id: 0,
            interrupted: BTreeSet::new(),
            left_behind: Vec::new(),
            is_closed: false,
        }
    }
}

impl<W: Wakeable> Waiters<W> {
    /// How many waits are in progress.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many waits of `waiter` are in progress.
    pub(crate) fn count(&self, waiter: WaiterId) -> usize {
        self.entries.iter().filter(|entry| entry.waiter == waiter).count()
    }

    pub(crate) fn has_reader(&self) -> bool {
        self.entries.iter().any(|entry| entry.is_reader)
    }

    /// Takes an interruption that is pending for `waiter`.
    pub(crate) fn take_interruption(&mut self, waiter: WaiterId) -> bool {
        self.interrupted.remove(&waiter)
    }

    /// Begins a wait.
    pub(crate) fn enter(&mut self, waiter: WaiterId) -> Entered {
        if self.is_closed {
            return Entered::Closed;
        }
        if self.take_interruption(waiter) {
            return Entered::Interrupted;
        }
        let id = self.next_id;
        self.next_id += 1;
        self.entries.push(Entry { id, waiter, watcher: None, is_woken: false, is_reader: false, ended: None });
        Entered::Waiting(id)
    }

    /// Lets the thread of the wait `id` go to sleep, unless there is something to look at; as the reader, if there is none yet.
    /// Without `with_socket`, the reader sleeps without it this time. The caller keeps `socket` open meanwhile; it is `None` if
    /// it is being closed, which ends the wait.
    pub(crate) fn prepare(
        &mut self,
        id: u64,
        socket: Option<&W::Socket>,
        with_socket: bool,
    ) -> io::Result<Prepared<W>> {
        let has_reader = self.has_reader();
        let entry = self.entries.iter_mut().find(|entry| entry.id == id);
        let Some(entry) = entry.filter(|entry| entry.ended.is_none()) else { return Ok(Prepared::Awake) };
        let Some(socket) = socket else {
            entry.end(WaitEnd::Closed);
            return Ok(Prepared::Awake);
        };
        if mem::take(&mut entry.is_woken) {
            return Ok(Prepared::Awake);
        }
        let mut watcher = match entry.watcher.take() {
            Some(watcher) => watcher,
            None => Watcher { waker: W::get()?, watches: false },
        };
        let is_reader = entry.is_reader || !has_reader;
        let result = if is_reader && with_socket {
            watcher.watch(socket)
        } else {
            watcher.unwatch(socket);
            Ok(())
        };
        let waker = Arc::clone(&watcher.waker);
        entry.watcher = Some(watcher);
        result?;
        entry.is_reader = is_reader;
        Ok(Prepared::Sleeps { waker, is_reader })
    }

    /// How the wait `id` stands.
    pub(crate) fn look(&self, id: u64) -> Standing {
        match self.entries.iter().find(|entry| entry.id == id) {
            Some(Entry { ended: None, is_reader, .. }) => Standing::Waits { is_reader: *is_reader },
            Some(Entry { ended: Some(end), .. }) => Standing::Ended(*end),
            None => Standing::Ended(WaitEnd::Closed),
        }
    }

    /// Ends the wait `id` from the waiting thread's side. If another thread had ended it, that counts, or its interruption
    /// would be lost. `socket` is `None` if it is being closed.
    pub(crate) fn leave(&mut self, id: u64, socket: Option<&W::Socket>) -> Left {
        let Some(index) = self.entries.iter().position(|entry| entry.id == id) else {
            return Left { ended: Some(WaitEnd::Closed), is_reader_missing: false };
        };
        let Entry { watcher, is_reader, ended, .. } = self.entries.swap_remove(index);
        match (watcher, socket) {
            (None, _) => {}
            (Some(mut watcher), Some(socket)) => {
                watcher.unwatch(socket);
                watcher.put_back();
            }
            (Some(watcher), None) if self.is_closed => watcher.put_back(),
            // `end_all`, which comes next, takes the socket out.
            (Some(watcher), None) => self.left_behind.push(watcher),
        }
        let hands_over = is_reader && !self.is_closed && socket.is_some();
        Left { ended, is_reader_missing: hands_over && !socket.is_some_and(|socket| self.hand_over(socket)) }
    }

    /// Makes another sleeping thread the reader; whether there is one.
    fn hand_over(&mut self, socket: &W::Socket) -> bool {
        for entry in self.entries.iter_mut().filter(|entry| entry.ended.is_none()) {
            // A thread without a waker does not sleep yet; if it has to, it becomes the reader by itself.
            let Some(watcher) = &mut entry.watcher else { continue };
            if watcher.watch(socket).is_ok() {
                entry.is_reader = true;
                // It sleeps without the socket: it has to go back to sleep with it.
                watcher.waker.wake();
                return true;
            }
            // It would not be woken by what arrives; its thread finds out why by waiting again.
            entry.end(WaitEnd::Interrupted);
        }
        false
    }

    /// Wakes everyone but `except`, to look at the queue.
    pub(crate) fn wake_others(&mut self, except: Option<u64>) {
        self.entries.iter_mut().filter(|entry| Some(entry.id) != except).for_each(Entry::wake);
    }

    /// Wakes the waits of `waiters`, but not `except`, to look at their queues.
    pub(crate) fn wake_these(&mut self, waiters: &[WaiterId], except: Option<u64>) {
        let entries = self.entries.iter_mut();
        let woken = entries.filter(|entry| waiters.contains(&entry.waiter) && Some(entry.id) != except);
        woken.for_each(Entry::wake);
    }

    /// Ends every wait of `waiter` in progress; if there is none, the next one.
    pub(crate) fn interrupt(&mut self, waiter: WaiterId) {
        if !self.end_waits_of(waiter, WaitEnd::Interrupted) && !self.is_closed {
            self.interrupted.insert(waiter);
        }
    }

    /// Ends every wait of `waiter`, a peer that leaves a socket which stays open.
    pub(crate) fn end_all_of(&mut self, waiter: WaiterId) {
        self.end_waits_of(waiter, WaitEnd::Closed);
        self.interrupted.remove(&waiter);
    }

    /// Whether there was any.
    fn end_waits_of(&mut self, waiter: WaiterId, end: WaitEnd) -> bool {
        let mut any = false;
        for entry in self.entries.iter_mut().filter(|entry| entry.waiter == waiter) {
            any = true;
            entry.end(end);
        }
        any
    }

    /// Ends every wait, and all that are to come, because `socket` is about to be closed; takes it out of all wakers.
    pub(crate) fn end_all(&mut self, socket: &W::Socket) {
        self.is_closed = true;
        for entry in &mut self.entries {
            if let Some(watcher) = &mut entry.watcher {
                watcher.unwatch(socket);
            }
            entry.is_reader = false;
            entry.end(WaitEnd::Closed);
        }
        for mut watcher in mem::take(&mut self.left_behind) {
            watcher.unwatch(socket);
            watcher.put_back();
        }
        self.interrupted.clear();
    }
}

impl<W: Wakeable> Entry<W> {
    fn end(&mut self, end: WaitEnd) {
        self.ended.get_or_insert(end);
        self.wake();
    }

    fn wake(&mut self) {
        match &self.watcher {
            Some(watcher) => watcher.waker.wake(),
            None => self.is_woken = true,
        }
    }
}

impl<W: Wakeable> Watcher<W> {
    fn watch(&mut self, socket: &W::Socket) -> io::Result<()> {
        if !self.watches {
            self.waker.watch(socket)?;
            self.watches = true;
        }
        Ok(())
    }

    fn unwatch(&mut self, socket: &W::Socket) {
        if mem::take(&mut self.watches) {
            self.waker.unwatch(socket);
        }
    }

    fn put_back(self) {
        if !self.watches {
            W::put_back(self.waker);
        }
    }
}

// Loom is a dependency on Linux only, see Cargo.toml.
#[cfg(test)]
#[cfg(target_os = "linux")]
mod model;

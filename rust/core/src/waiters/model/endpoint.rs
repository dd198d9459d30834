//! The part of an [endpoint](crate::endpoint) that concerns waits, step by step as there; a change there is to be made here too.
//! Where platforms differ, it does what is needed where a thread that sleeps on a closed socket keeps its port taken.

use std::sync::Arc;

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Condvar, Mutex, MutexGuard, RwLock};

use super::super::{Entered, Prepared, Standing, WaitEnd, WaiterId, Waiters};
use super::kernel::{ModelWaker, Socket, is_time_over};

/// The packets that can be taken, for each waiter.
pub(super) type Inboxes = [Mutex<usize>; 3];

pub(super) struct Endpoint {
    shared_socket: RwLock<Option<Arc<Socket>>>,
    receiver: Mutex<Option<Arc<Socket>>>,
    attention: Mutex<Attention>,
    waits: AtomicUsize,
    wait_left: Condvar,
    inboxes: Arc<Inboxes>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Slept {
    Unknown,
    Readable,
    Otherwise,
}

struct Attention {
    waiters: Waiters<ModelWaker>,
    /// Whether the reactor reads the socket.
    is_registered: bool,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

impl Endpoint {
    pub(super) fn new(inboxes: &Arc<Inboxes>) -> Arc<Self> {
        let socket = Arc::new(Socket::new());
        Arc::new(Self {
            shared_socket: RwLock::new(Some(Arc::clone(&socket))),
            receiver: Mutex::new(Some(socket)),
            attention: Mutex::new(Attention { waiters: Waiters::default(), is_registered: false }),
            waits: AtomicUsize::new(0),
            wait_left: Condvar::new(),
            inboxes: Arc::clone(inboxes),
        })
    }

    pub(super) fn socket(&self) -> Option<Arc<Socket>> {
        self.shared_socket.read().unwrap().clone()
    }

    pub(super) fn start_background(&self) {
        let Some(socket) = self.socket() else { return };
        let mut attention = lock(&self.attention);
        attention.is_registered = true;
        socket.set_armed(!attention.waiters.has_reader());
    }

    /// `is_limited`: at most until [`end_time`](super::kernel::end_time) is called.
    pub(super) fn wait(&self, waiter: WaiterId, is_limited: bool) -> WaitEnd {
        let id = match self.begin_wait(waiter) {
            Ok(id) => id,
            Err(end) => return end,
        };
        let mut slept = Slept::Unknown;
        loop {
            let standing = lock(&self.attention).waiters.look(id);
            let end = match standing {
                Standing::Ended(end) => Some(end),
                Standing::Waits { is_reader } => {
                    let is_over = is_limited && is_time_over();
                    let reads = slept == Slept::Unknown || (is_reader && slept == Slept::Readable) || is_over;
                    if self.has_packet(waiter) || (reads && self.read_until(id, waiter)) {
                        Some(WaitEnd::Ready)
                    } else {
                        is_over.then_some(WaitEnd::TimedOut)
                    }
                }
            };
            if let Some(end) = end {
                return self.end_wait(id).unwrap_or(end);
            }
            slept = match self.prepare_sleep(id) {
                Prepared::Sleeps { waker, .. } if waker.sleep(is_limited) => Slept::Readable,
                Prepared::Sleeps { .. } | Prepared::Awake => Slept::Otherwise,
            };
        }
    }

    pub(super) fn has_packet(&self, waiter: WaiterId) -> bool {
        *lock(self.inbox(waiter)) > 0
    }

    fn inbox(&self, waiter: WaiterId) -> &Mutex<usize> {
        &self.inboxes[usize::try_from(waiter).unwrap()]
    }

    fn read_until(&self, id: u64, waiter: WaiterId) -> bool {
        loop {
            let is_last = !self.read(Some(id));
            if self.has_packet(waiter) {
                return true;
            }
            if is_last {
                return false;
            }
        }
    }

    /// Reads one datagram; whether there was one.
    pub(super) fn read(&self, reader: Option<u64>) -> bool {
        let receiver = lock(&self.receiver);
        let Some(to) = receiver.as_ref().and_then(|socket| socket.receive()) else { return false };
        *lock(self.inbox(to)) += 1;
        drop(receiver);
        self.wake(to, reader);
        true
    }

    /// Another thread has received a packet.
    pub(super) fn deliver(&self, to: WaiterId) {
        *lock(self.inbox(to)) += 1;
        self.wake(to, None);
    }

    fn wake(&self, to: WaiterId, except: Option<u64>) {
        if self.waits.load(Ordering::Relaxed) > 0 {
            lock(&self.attention).waiters.wake_these(&[to], except);
        }
    }

    fn begin_wait(&self, waiter: WaiterId) -> Result<u64, WaitEnd> {
        let mut attention = lock(&self.attention);
        let entered = attention.waiters.enter(waiter);
        self.waits.store(attention.waiters.len(), Ordering::Relaxed);
        match entered {
            Entered::Waiting(id) => Ok(id),
            Entered::Interrupted => Err(WaitEnd::Interrupted),
            Entered::Closed => Err(WaitEnd::Closed),
        }
    }

    fn prepare_sleep(&self, id: u64) -> Prepared<ModelWaker> {
        let socket = self.shared_socket.read().unwrap();
        let socket = socket.as_deref();
        let mut attention = lock(&self.attention);
        let had_reader = attention.waiters.has_reader();
        let prepared = attention.waiters.prepare(id, socket, true).unwrap();
        let becomes_reader = !had_reader && attention.waiters.has_reader();
        if let (true, true, Some(socket)) = (becomes_reader, attention.is_registered, socket) {
            socket.set_armed(false);
        }
        prepared
    }

    fn end_wait(&self, id: u64) -> Option<WaitEnd> {
        let socket = self.shared_socket.read().unwrap();
        let socket = socket.as_deref();
        let mut attention = lock(&self.attention);
        let left = attention.waiters.leave(id, socket);
        if left.is_reader_missing
            && attention.is_registered
            && let Some(socket) = socket
        {
            socket.set_armed(true);
        }
        self.waits.store(attention.waiters.len(), Ordering::Relaxed);
        drop(attention);
        if left.ended.is_some() {
            self.wait_left.notify_all();
        }
        left.ended
    }

    pub(super) fn interrupt(&self, waiter: WaiterId) {
        lock(&self.attention).waiters.interrupt(waiter);
    }

    pub(super) fn close(&self) {
        let socket = self.shared_socket.write().unwrap().take();
        if let Some(socket) = &socket {
            let mut attention = lock(&self.attention);
            attention.waiters.end_all(socket);
            if std::mem::take(&mut attention.is_registered) {
                socket.set_armed(false);
            }
            while attention.waiters.len() > 0 {
                attention = self.wait_left.wait(attention).unwrap();
            }
        }
        let of_receiver = lock(&self.receiver).take();
        drop((socket, of_receiver));
    }

    /// Whether the reactor or a waiting thread is told that the socket is readable.
    pub(super) fn is_attended(&self) -> bool {
        let attention = lock(&self.attention);
        attention.waiters.has_reader() || self.socket().is_none_or(|socket| socket.is_armed())
    }

    pub(super) fn waits(&self) -> usize {
        lock(&self.attention).waiters.len()
    }
}

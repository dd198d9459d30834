//! What a model's threads sleep with: wakers, sockets, time, and the reactor's interest, under one lock.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use loom::sync::{Condvar, Mutex, MutexGuard};

use super::super::{WaiterId, Wakeable};

loom::lazy_static! {
    static ref KERNEL: Mutex<Kernel> = Mutex::new(Kernel::default());
}

#[derive(Default)]
struct Kernel {
    sockets: Vec<SocketState>,
    wakers: Vec<WakerState>,
    /// Whether every timeout has passed.
    is_time_over: bool,
    /// Of the reactor's thread, if the model has one.
    reactor: Option<Arc<Condvar>>,
}

#[derive(Default)]
struct SocketState {
    /// Whom the datagrams are for that have arrived and are not read.
    datagrams: VecDeque<WaiterId>,
    /// How many datagrams were read.
    received: usize,
    /// Whether the reactor is to be told that the socket is readable.
    is_armed: bool,
}

struct WakerState {
    condvar: Arc<Condvar>,
    is_pending: bool,
    watches: Option<usize>,
    /// What the sleep in progress may end for.
    sleeps: Option<Sleep>,
}

#[derive(Clone, Copy)]
struct Sleep {
    /// The socket that was watched when the sleep began: poll(2) takes no notice of a change.
    socket: Option<usize>,
    has_timeout: bool,
}

fn kernel() -> MutexGuard<'static, Kernel> {
    KERNEL.lock().unwrap()
}

impl Kernel {
    fn is_readable(&self, socket: usize) -> bool {
        !self.sockets[socket].datagrams.is_empty()
    }

    /// Notifies the threads whose sleep ends if `ends` says so.
    fn notify(&self, ends: impl Fn(Sleep) -> bool) {
        for waker in self.wakers.iter().filter(|waker| waker.sleeps.is_some_and(&ends)) {
            waker.condvar.notify_all();
        }
    }

    fn notify_reactor(&self) {
        if let Some(reactor) = &self.reactor {
            reactor.notify_all();
        }
    }
}

/// In place of [`UdpSocket`](std::net::UdpSocket). It fails the model if it is dropped while a waker watches it or a thread sleeps
/// on it.
pub(super) struct Socket(usize);

impl Socket {
    pub(super) fn new() -> Self {
        let mut kernel = kernel();
        kernel.sockets.push(SocketState::default());
        Self(kernel.sockets.len() - 1)
    }

    /// A datagram arrives.
    pub(super) fn arrive(&self, to: WaiterId) {
        let mut kernel = kernel();
        kernel.sockets[self.0].datagrams.push_back(to);
        kernel.notify(|sleep| sleep.socket == Some(self.0));
        if kernel.sockets[self.0].is_armed {
            kernel.notify_reactor();
        }
    }

    pub(super) fn receive(&self) -> Option<WaiterId> {
        let mut kernel = kernel();
        let to = kernel.sockets[self.0].datagrams.pop_front()?;
        kernel.sockets[self.0].received += 1;
        kernel.notify_reactor();
        Some(to)
    }

    /// Whether the reactor is to be told that the socket is readable.
    pub(super) fn set_armed(&self, is_armed: bool) {
        let mut kernel = kernel();
        kernel.sockets[self.0].is_armed = is_armed;
        kernel.notify_reactor();
    }

    pub(super) fn is_armed(&self) -> bool {
        kernel().sockets[self.0].is_armed
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let kernel = kernel();
        let is_held = |waker: &WakerState| {
            waker.watches == Some(self.0) || waker.sleeps.is_some_and(|sleep| sleep.socket == Some(self.0))
        };
        assert!(!kernel.wakers.iter().any(is_held), "closed while it is watched or slept on");
        assert!(!kernel.sockets[self.0].is_armed, "closed while it is registered");
    }
}

/// In place of [`sys::Waker`](crate::sys::Waker), and as exact: a sleep that has begun takes no notice of a socket that is watched
/// later.
pub(super) struct ModelWaker(usize);

impl ModelWaker {
    /// Sleeps until the watched socket is readable (`true`), until [`wake`](Wakeable::wake) is called, or until the time is over.
    pub(super) fn sleep(&self, has_timeout: bool) -> bool {
        let mut kernel = kernel();
        let socket = kernel.wakers[self.0].watches;
        loop {
            let is_readable = socket.is_some_and(|socket| kernel.is_readable(socket));
            let is_over = has_timeout && kernel.is_time_over;
            let waker = &mut kernel.wakers[self.0];
            if waker.is_pending || is_readable || is_over {
                waker.is_pending = false;
                waker.sleeps = None;
                return is_readable;
            }
            waker.sleeps = Some(Sleep { socket, has_timeout });
            let condvar = Arc::clone(&waker.condvar);
            kernel = condvar.wait(kernel).unwrap();
        }
    }
}

impl Wakeable for ModelWaker {
    type Socket = Socket;

    fn get() -> io::Result<Arc<Self>> {
        let mut kernel = kernel();
        let condvar = Arc::new(Condvar::new());
        kernel.wakers.push(WakerState { condvar, is_pending: false, watches: None, sleeps: None });
        Ok(Arc::new(Self(kernel.wakers.len() - 1)))
    }

    fn put_back(waker: Arc<Self>) {
        assert!(kernel().wakers[waker.0].watches.is_none(), "given back while it watches");
    }

    fn watch(&self, socket: &Socket) -> io::Result<()> {
        let watches = kernel().wakers[self.0].watches.replace(socket.0);
        assert!(watches.is_none(), "watches two sockets");
        Ok(())
    }

    fn unwatch(&self, socket: &Socket) {
        let watches = kernel().wakers[self.0].watches.take();
        assert_eq!(watches, Some(socket.0), "does not watch this socket");
    }

    fn wake(&self) {
        let mut kernel = kernel();
        let waker = &mut kernel.wakers[self.0];
        waker.is_pending = true;
        if waker.sleeps.is_some() {
            waker.condvar.notify_all();
        }
    }
}

/// Lets every timeout pass.
pub(super) fn end_time() {
    let mut kernel = kernel();
    kernel.is_time_over = true;
    kernel.notify(|sleep| sleep.has_timeout);
}

pub(super) fn is_time_over() -> bool {
    kernel().is_time_over
}

/// The reactor's thread: calls back while the socket is readable and armed, until `datagrams` were read from it by any thread.
pub(super) fn run_reactor(socket: &Socket, datagrams: usize, mut on_readable: impl FnMut()) {
    let condvar = Arc::new(Condvar::new());
    loop {
        let mut kernel = kernel();
        kernel.reactor = Some(Arc::clone(&condvar));
        let is_done = |socket: &SocketState| socket.received == datagrams;
        let is_event = |socket: &SocketState| socket.is_armed && !socket.datagrams.is_empty();
        while !is_done(&kernel.sockets[socket.0]) && !is_event(&kernel.sockets[socket.0]) {
            kernel = condvar.wait(kernel).unwrap();
        }
        if is_done(&kernel.sockets[socket.0]) {
            return;
        }
        drop(kernel);
        on_readable();
    }
}

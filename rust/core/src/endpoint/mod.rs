//! An open socket: reading it into a [sink](crate::sink), waiting on it, and closing it.
//!
//! An endpoint is made with its socket and ends with it; a peer that is opened again gets a new one. The socket is used under one
//! of three locks, each of which guards a reference of its own, and is closed when all three are gone: the state of the peer or
//! server that has opened it, the receiver's, and `shared_socket`, by which the peers of a server send.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::diagnostics::Diagnostics;
use crate::due_timer::DueTimer;
use crate::locks::{self, rank};
use crate::reactor::{self, Deregistration, OnTimer, Readable, Registration, Timer};
use crate::sink::Sink;
use crate::socket::Socket;
use crate::sys::{self, Waker};
use crate::waiters::{WaiterId, Waiters};

mod backoff;
mod progress;
mod read;
mod receiver;
mod wait;

use backoff::Backoff;
pub(crate) use backoff::PERSISTENT_ERRORS;
pub(crate) use progress::{Budget, Direct, Hint, Reader, kernel_cost};
pub(crate) use receiver::Messages;
use receiver::Receiver;

/// The longest that closing waits for threads to leave their waits, on systems where a waiting thread keeps the port taken. They
/// leave at once, unless they get no processor time.
const MAX_CLOSING_TIME: Duration = Duration::from_secs(1);

/// An open socket, see the [module](self).
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// For those that send without being the socket's owner. `None` once it is closed.
    shared_socket: locks::RwLock<Option<Arc<Socket>>, { rank::SHARED_SOCKET }>,
    receiver: locks::Mutex<Receiver, { rank::RECEIVER }>,
    attention: Mutex<Attention>,
    /// How many waits are in progress. A delivery that finds none does not take the lock.
    waits: AtomicUsize,
    /// Notified when a thread leaves a wait that closing has ended.
    wait_left: Condvar,
    /// Whether the reactor reads the socket.
    in_background: AtomicBool,
    /// Whether the sink holds something back that the system lets no timer be set for. Then waiting threads look for it.
    lacks_timer: AtomicBool,
    /// Whether the reactor's last turn has ended in nothing but errors.
    is_failing: AtomicBool,
    sink: Arc<dyn Sink>,
    diagnostics: Arc<Diagnostics>,
    /// For what the sink holds back, and what it calls.
    release_timer: DueTimer,
    _release: Arc<Release>,
    closing: Mutex<Closing>,
    closed: Condvar,
    me: Weak<Endpoint>,
}

/// What is notified when the socket becomes readable: the reactor, or a waiting thread.
#[derive(Debug, Default)]
struct Attention {
    waiters: Waiters<Waker>,
    /// While the peer receives in the background. Paused while a waiting thread reads the socket, and while that gives nothing but
    /// errors.
    registration: Option<Registration>,
    /// Ends such a pause.
    pause: Option<Timer>,
    backoff: Backoff,
    /// Of the last registration, if it has ended.
    deregistration: Option<Deregistration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    Open,
    Begun,
    Done,
}

impl Endpoint {
    pub(crate) fn new(socket: Arc<Socket>, sink: Arc<dyn Sink>, diagnostics: Arc<Diagnostics>) -> Arc<Self> {
        Self::connected(socket, None, sink, diagnostics)
    }

    /// The same, of a socket that is connected already.
    pub(crate) fn connected(
        socket: Arc<Socket>,
        to: Option<SocketAddr>,
        sink: Arc<dyn Sink>,
        diagnostics: Arc<Diagnostics>,
    ) -> Arc<Self> {
        let kernel_buffer = socket.receive_buffer_size().unwrap_or(0);
        let mut receiver = Receiver::new(Arc::clone(&socket), kernel_buffer);
        receiver.connected_to = to;
        Arc::new_cyclic(|me| {
            let release = Arc::new(Release(Weak::clone(me)));
            let target: Weak<dyn OnTimer> = Arc::<Release>::downgrade(&release);
            Self {
                shared_socket: locks::RwLock::new(Some(socket)),
                receiver: locks::Mutex::new(receiver),
                attention: Mutex::default(),
                waits: AtomicUsize::new(0),
                wait_left: Condvar::new(),
                in_background: AtomicBool::new(false),
                lacks_timer: AtomicBool::new(false),
                is_failing: AtomicBool::new(false),
                sink,
                diagnostics,
                release_timer: DueTimer::new(target),
                _release: release,
                closing: Mutex::new(Closing::Open),
                closed: Condvar::new(),
                me: Weak::clone(me),
            }
        })
    }

    /// Of the peer or server that has opened it.
    pub(crate) fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }

    /// What `with` makes of the socket; `None` once it is closed. For those that are not its owner.
    pub(crate) fn with_socket<T>(&self, with: impl FnOnce(&Socket) -> T) -> Option<T> {
        self.shared_socket.read().as_deref().map(with)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.shared_socket.read().is_none()
    }

    /// The receiving side, for changes that reading must not overlap with.
    pub(crate) fn receiver(&self) -> locks::MutexGuard<'_, Receiver, { rank::RECEIVER }> {
        self.receiver.lock()
    }

    fn attention(&self) -> MutexGuard<'_, Attention> {
        locks::check(rank::ATTENTION);
        self.attention.lock()
    }

    /// Whether the reactor reads the socket.
    pub(crate) fn is_in_background(&self) -> bool {
        self.in_background.load(Ordering::Relaxed)
    }

    /// Has the reactor read the socket from now on. `socket` is the endpoint's own.
    pub(crate) fn start_background(&self, socket: &Socket) -> io::Result<()> {
        let mut attention = self.attention();
        if attention.registration.is_none() {
            let me: Weak<dyn Readable> = Weak::<Self>::clone(&self.me);
            let registration = reactor::register(socket.io(), me)?;
            if attention.waiters.has_reader() {
                registration.pause(socket.io());
            }
            attention.registration = Some(registration);
            self.in_background.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Has the reactor read the socket no longer.
    pub(crate) fn stop_background(&self, socket: &Socket) {
        let mut attention = self.attention();
        self.in_background.store(false, Ordering::Relaxed);
        attention.pause = None;
        if let Some(registration) = attention.registration.take() {
            attention.deregistration = Some(registration.end(socket.io()));
        }
    }

    /// Closes the socket. When this returns the port is free and every wait is ending with
    /// [`WaitEnd::Closed`](crate::WaitEnd::Closed); also if another thread has begun to close it.
    ///
    /// The caller holds no lock, and its owner has let go of the socket.
    pub(crate) fn close(&self) {
        {
            let mut closing = self.closing.lock();
            if *closing != Closing::Open {
                drop(closing);
                return self.await_closed();
            }
            *closing = Closing::Begun;
        }
        let socket = self.shared_socket.write().take();
        let deregistration = socket.as_ref().and_then(|socket| self.end_attention(socket));
        if let (true, Some(deregistration)) = (sys::POLLER_HOLDS_SOCKETS, deregistration) {
            deregistration.wait();
        }
        let of_receiver = self.receiver.lock().socket.take();
        drop((socket, of_receiver));
        // It may have been set by a thread that was reading.
        self.release_timer.cancel();
        *self.closing.lock() = Closing::Done;
        self.closed.notify_all();
    }

    /// Ends all waits and the registration, before the socket is dropped.
    fn end_attention(&self, socket: &Socket) -> Option<Deregistration> {
        let mut attention = self.attention();
        attention.waiters.end_all(socket.io());
        self.in_background.store(false, Ordering::Relaxed);
        attention.pause = None;
        let ended = attention.registration.take().map(|registration| registration.end(socket.io()));
        let deregistration = ended.or(attention.deregistration.take());
        if sys::WAKER_HOLDS_SOCKETS {
            let is_waited_on = |attention: &mut Attention| attention.waiters.len() > 0;
            self.wait_left.wait_while_for(&mut attention, is_waited_on, MAX_CLOSING_TIME);
        }
        deregistration
    }

    /// To be called after each turn of the reactor at this socket; `has_only_errors`: it has read nothing else.
    ///
    /// Then the socket stays readable, so the reactor leaves it alone for a while, each time for longer.
    fn note_turn(&self, has_only_errors: bool) {
        // Without the lock in every turn but those with errors, and the first one after them.
        if !has_only_errors && !self.is_failing.load(Ordering::Relaxed) {
            return;
        }
        let socket = self.shared_socket.read();
        let Some(socket) = socket.as_deref().map(Socket::io) else { return };
        let mut attention = self.attention();
        if !has_only_errors {
            attention.backoff.reset();
        }
        self.is_failing.store(has_only_errors, Ordering::Release);
        if !has_only_errors {
            return;
        }
        let Some(registration) = &attention.registration else { return };
        registration.pause(socket);
        let me: Weak<dyn OnTimer> = Weak::<Self>::clone(&self.me);
        let at = Instant::now() + attention.backoff.next_pause();
        match reactor::set_timer(at, me) {
            Ok(timer) => attention.pause = Some(timer),
            // The reactor's thread runs already, so this does not fail. If it did, the socket would be tried without a pause.
            Err(_) => attention.resume(socket),
        }
    }

    /// Has the reactor [release](Self::release) what the sink holds back when that is due.
    fn schedule(&self, due: Option<u64>) {
        if let Some(due) = due {
            // Polled calls release what is due, too.
            self.lacks_timer.store(self.release_timer.set(due).is_err(), Ordering::Relaxed);
        }
    }

    /// Returns when the socket is closed. For an endpoint that its owner has let go of, so that a thread is about to close it.
    pub(crate) fn await_closed(&self) {
        let mut closing = self.closing.lock();
        self.closed.wait_while_for(&mut closing, |closing| *closing != Closing::Done, MAX_CLOSING_TIME);
    }

    /// Whether the socket is closed, and nothing of it is delivered any more.
    pub(crate) fn is_done(&self) -> bool {
        *self.closing.lock() == Closing::Done
    }

    /// Ends every wait of `waiter` in progress; if there is none, the next one.
    pub(crate) fn interrupt(&self, waiter: WaiterId) {
        self.attention().waiters.interrupt(waiter);
    }

    /// Ends every wait of `waiter`, a peer that leaves the socket.
    pub(crate) fn end_waits_of(&self, waiter: WaiterId) {
        self.attention().waiters.end_all_of(waiter);
    }

    /// How many waits of `waiter` are in progress.
    pub(crate) fn waits_of(&self, waiter: WaiterId) -> usize {
        self.attention().waiters.count(waiter)
    }

    /// How many waits are in progress.
    pub(crate) fn waits(&self) -> usize {
        self.attention().waiters.len()
    }
}

impl Attention {
    /// Has the reactor take notice of the socket again, unless a waiting thread reads it or it is to be left alone.
    fn resume(&self, socket: &UdpSocket) {
        if let Some(registration) =
            self.registration.as_ref().filter(|_| self.pause.is_none() && !self.waiters.has_reader())
        {
            registration.resume(socket);
        }
    }
}

impl OnTimer for Endpoint {
    fn on_timer(&self) {
        let socket = self.shared_socket.read();
        let Some(socket) = socket.as_deref().map(Socket::io) else { return };
        let mut attention = self.attention();
        attention.pause = None;
        attention.resume(socket);
    }
}

/// What the timer for what the sink holds back calls.
#[derive(Debug)]
struct Release(Weak<Endpoint>);

impl OnTimer for Release {
    fn on_timer(&self) {
        // The sink may belong to the peer's next socket by now.
        if let Some(endpoint) = self.0.upgrade().filter(|endpoint| !endpoint.is_closed()) {
            endpoint.release_timer.note_fired();
            endpoint.release();
        }
    }
}

impl Readable for Endpoint {
    fn on_readable(&self) {
        self.read_in_background();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inbox::Inbox;
    use crate::socket::options::Options;
    use crate::socket::{Opened, Setup};

    /// Longer than anything here takes.
    const LONG: Duration = Duration::from_secs(30);

    fn eventually(what: &str, condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < LONG, "did not happen: {what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// An endpoint on loopback that receives in the background, and its inbox.
    fn in_background() -> (Arc<Endpoint>, Arc<Socket>, Arc<Inbox>) {
        let options = Options::default();
        let setup = Setup { options: &options, multicast_interface: Ok(None) };
        let Opened { socket, .. } = Socket::bound(Some(([127, 0, 0, 1], 0).into()), 0, 0, setup).unwrap();
        let (socket, inbox) = (Arc::new(socket), Arc::<Inbox>::default());
        inbox.open(0, 0);
        inbox.set_read_externally(true);
        let sink: Arc<dyn Sink> = Arc::clone(&inbox) as _;
        let endpoint = Endpoint::new(Arc::clone(&socket), sink, Arc::default());
        endpoint.start_background(&socket).unwrap();
        (endpoint, socket, inbox)
    }

    #[test]
    fn the_reactor_leaves_a_failing_socket_alone_for_a_while_and_comes_back() {
        let (endpoint, socket, inbox) = in_background();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for failures in 1..4 {
            (0..failures).for_each(|_| endpoint.note_turn(true));
            sender.send_to(b"x", socket.local_addr().unwrap()).unwrap();
            eventually("the packet is received", || inbox.count() == Some(failures));
            eventually("the next pause is the shortest", || !endpoint.is_failing.load(Ordering::Acquire));
            assert_eq!(endpoint.attention().backoff.next_pause(), Duration::from_millis(10));
            endpoint.attention().backoff.reset();
        }
        drop(socket);
        endpoint.close();
        assert!(endpoint.is_done());
    }

    #[test]
    fn a_pause_ends_with_the_background_mode() {
        let (endpoint, socket, inbox) = in_background();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        endpoint.note_turn(true);
        endpoint.stop_background(&socket);
        assert!(endpoint.attention().pause.is_none());
        endpoint.start_background(&socket).unwrap();
        sender.send_to(b"x", socket.local_addr().unwrap()).unwrap();
        eventually("the packet is received", || inbox.count() == Some(1));
        drop(socket);
        endpoint.close();
    }
}

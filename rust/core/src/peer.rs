//! A peer: one socket at a time, its queue, and the threads that wait on it.

use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, RwLock, RwLockWriteGuard};

use crate::address;
use crate::background::{self, Attachment};
use crate::error::{Error, Operation, Reason, Result};
use crate::queue::{PacketMeta, Queue};
use crate::server::crowd::Crowd;
use crate::socket::{Family, Group, Opened, Socket};
use crate::sys;
use crate::wait::{SELF, Waiters};

mod dealing;
pub(crate) mod destination;
pub(crate) mod options;
pub(crate) mod receive;
pub(crate) mod send;
pub(crate) mod served;
pub(crate) mod stats;
mod waiting;

use destination::Resolving;
use options::{Options, Refusal};
use receive::Receiver;
use send::Sending;
use served::Membership;
use stats::Stats;

/// The longest that closing takes for threads to leave their waits, on systems where that matters: they do at once,
/// unless they get no processor time.
const LEAVING: Duration = Duration::from_secs(1);

/// How many characters of a message are kept.
const LONGEST_MESSAGE: usize = 500;

/// A UDP peer with the semantics of the engine's `PacketPeerUDP`, usable from any number of threads at once.
///
/// Nothing blocks but [`wait`](Self::wait) and the resolving of host names, and neither holds a lock while it does.
/// (Closing takes a moment on systems where a port is free only when those who waited have noticed.)
#[derive(Debug)]
// Three lines of the processor's cache, the first ones, hold what dealing a packet out to one of thousands of peers needs
// of it.
#[repr(C, align(64))]
pub struct Peer {
    /// Locked after `link` and `receiver`.
    inbox: Mutex<Inbox>,
    /// The peer itself, for the background thread.
    me: Weak<Peer>,
    /// What [`background::take_news`] calls this peer.
    token: OnceLock<u64>,
    // Locked in this order, top to bottom, by those who need more than one.
    link: RwLock<Link>,
    receiver: Mutex<Receiver>,
    // (`inbox`)
    waiters: Mutex<Waiters>,
    /// Notified when somebody leaves a wait that `close` ended.
    wait_left: Condvar,
    /// How many sockets are being closed while those who sleep on them leave; notified when one is closed.
    being_closed: Mutex<usize>,
    is_closed: Condvar,
    last_error: Mutex<LastError>,
    /// What the system refused when the peer was opened, and whether there is anything: who only wants to know needs no lock.
    refusals: Mutex<Vec<Refusal>>,
    has_refusals: AtomicBool,
    receive_errors: AtomicU64,
    sending: Sending,
    /// What was counted before the counters were set to zero.
    forgotten: Mutex<Stats>,
    /// Whether somebody else fills the queue, the background thread or a server: who only wants to know this needs no lock.
    /// Changed under the link's. Who goes by an old answer does no harm: the queue and the socket may be read by anyone.
    is_fed: AtomicBool,
    /// Where the socket is a server's: those among whom what it receives is dealt out.
    crowd: Option<Arc<Crowd>>,
}

/// The socket, and what outlives it. Held for reading by all who use the socket, for writing by those who open or close
/// it: so nobody uses a socket that is being closed, and it is closed when [`Peer::close`] returns.
#[derive(Debug, Default)]
struct Link {
    state: State,
    destination: Option<SocketAddr>,
    resolving: Resolving,
    options: Options,
    /// What the kernel has dropped at the sockets that are closed by now.
    kernel_drops: u64,
    /// How often the peer was closed: what began before that and is not done yet is void.
    closings: u64,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Closed,
    Open(Endpoint),
    Served(Membership),
}

#[derive(Debug)]
struct Endpoint {
    socket: Socket,
    /// The one address to send to and to receive from; `None`: send to [`Link::destination`], receive from anyone.
    connected_to: Option<SocketAddr>,
    /// The kernel's receive buffer, in bytes, as it says itself.
    kernel_buffer: usize,
    /// What `bind` asked for, 0 where it did not open the socket.
    recv_buf_size: usize,
    /// [`Link::closings`] when it was opened: tells the sockets of one peer from each other.
    opening: u64,
    /// Where the background thread receives from it.
    attachment: Option<Attachment>,
    /// Where it has done so: what may still hold the socket.
    released: Option<background::Release>,
}

impl State {
    fn endpoint(&self) -> Option<&Endpoint> {
        match self {
            Self::Open(endpoint) => Some(endpoint),
            Self::Closed | Self::Served(_) => None,
        }
    }

    fn socket(&self) -> Option<&Socket> {
        self.endpoint().map(|endpoint| &endpoint.socket)
    }

    /// Whether there is one address to send to and to receive from.
    fn is_connected(&self) -> bool {
        match self {
            Self::Closed => false,
            Self::Open(endpoint) => endpoint.connected_to.is_some(),
            Self::Served(_) => true,
        }
    }
}

#[derive(Debug, Default)]
#[repr(C)]
struct Inbox {
    /// Whether the peer is open.
    open: bool,
    /// Whether [`background::take_news`] is about to tell of this peer.
    has_news: bool,
    /// When a server has heard from the peer's sender last, also where what it sent was dropped; when it was taken, if that
    /// was later. In microseconds, as packets' times.
    heard: u64,
    queue: Queue,
    /// The packet that was taken last.
    last: Option<PacketMeta>,
    /// The packets that were taken by the last call that takes many.
    batch: Vec<PacketMeta>,
}

/// What the last failed call ran into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastError {
    /// The system's code, 0 where the system was not asked.
    pub code: i32,
    /// What was being done, and the system's words.
    pub message: String,
}

impl Peer {
    /// A closed peer. Takes no memory to speak of and no system resource until it is used.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Self::with(|_| ())
    }

    /// A closed peer, but for what `change` makes of it.
    fn with(change: impl FnOnce(&mut Self)) -> Arc<Self> {
        Arc::new_cyclic(|me| {
            let mut peer = Self {
                me: Weak::clone(me),
                token: OnceLock::new(),
                link: RwLock::default(),
                receiver: Mutex::default(),
                inbox: Mutex::default(),
                waiters: Mutex::default(),
                wait_left: Condvar::new(),
                being_closed: Mutex::new(0),
                is_closed: Condvar::new(),
                last_error: Mutex::default(),
                refusals: Mutex::default(),
                has_refusals: AtomicBool::new(false),
                receive_errors: AtomicU64::new(0),
                sending: Sending::default(),
                forgotten: Mutex::default(),
                is_fed: AtomicBool::new(false),
                crowd: None,
            };
            change(&mut peer);
            peer
        })
    }

    /// A closed peer that will have the socket of a server, and deal out among `crowd` what that receives.
    pub(crate) fn listener(crowd: Arc<Crowd>, options: Options) -> Arc<Self> {
        Self::with(|peer| {
            peer.crowd = Some(crowd);
            peer.link = RwLock::new(Link { options, ..Link::default() });
        })
    }

    /// Gives the peer the name by which [`take_news`](background::take_news) calls it. The first one stays.
    pub fn set_token(&self, token: u64) {
        // A second thread that does so at the same time gives it the same.
        let _ = self.token.set(token);
    }

    /// Opens the peer on a local port: on one address, or with `"*"` on all of both families (one dual-stack socket).
    ///
    /// Port 0 lets the system choose. `recv_buf_size` bounds the queue as the engine's ring does: the next power of two
    /// above it, at least 65,536 bytes, at 24 bytes a packet beyond its length. The kernel is asked for a buffer of
    /// that many bytes too, where its default is smaller (`SO_RCVBUF`).
    pub fn bind(&self, port: i64, address: &str, recv_buf_size: i64) -> Result<()> {
        self.await_closings();
        let mut link = self.link.write();
        self.noted(self.bind_link(&mut link, port, address, recv_buf_size))
    }

    fn bind_link(&self, link: &mut Link, port: i64, address: &str, recv_buf_size: i64) -> Result<()> {
        let fail = |reason| Error::new(Operation::Bind, address, reason);
        if link.is_open() {
            return Err(fail(Reason::AlreadyOpen));
        }
        let mut to = match address {
            "*" => None,
            _ => Some(address::parse_scoped(address).map_err(fail)?.ok_or_else(|| fail(Reason::InvalidAddress))?),
        };
        let port = u16::try_from(port).map_err(|_| fail(Reason::InvalidPort(port)))?;
        if let Some(to) = &mut to {
            to.set_port(port);
        }
        let asked = usize::try_from(recv_buf_size).unwrap_or(0);
        let opened = Socket::bound(to, port, asked, &link.options).map_err(|reason| {
            let reason = match reason {
                Reason::Os(error) if error.kind() == io::ErrorKind::AddrInUse && link.options.reuse_address => {
                    Reason::NotShared(error)
                }
                reason => reason,
            };
            Error::new(Operation::Bind, to.map_or(format!("*:{port}"), address::describe), reason)
        })?;
        self.opened(link, opened, recv_buf_size);
        Ok(())
    }

    /// Closes the peer. When this returns the port is free, nothing is queued, and every [`wait`](Self::wait) in
    /// progress is ending with [`WaitEnd::Closed`](crate::WaitEnd::Closed). The destination, the last sender and all
    /// options are kept.
    ///
    /// (Where another program is being started at that moment, it may hold the port until it has begun to run.)
    pub fn close(&self) {
        let mut link = self.link.write();
        link.closings += 1;
        link.resolving.cancel();
        self.close_link(link);
        self.await_closings();
    }

    /// Returns when no other thread is closing a socket of this peer any more. To be called without the link's lock.
    fn await_closings(&self) {
        let mut being_closed = self.being_closed.lock();
        self.is_closed.wait_while_for(&mut being_closed, |count| *count > 0, LEAVING);
    }

    fn close_link(&self, mut link: RwLockWriteGuard<'_, Link>) {
        self.leave(&mut link);
        let State::Open(mut endpoint) = mem::take(&mut link.state) else { return };
        self.inbox.lock().close();
        let orphans = self.crowd.as_ref().map(|crowd| crowd.disband());
        link.kernel_drops += sys::kernel_drops(endpoint.socket.io());
        // Before the socket is dropped: see the rules in `wait` and `background`.
        self.waiters.lock().end_all(endpoint.socket.io());
        let released = self.detach(&mut endpoint).or(endpoint.released.take());
        *self.being_closed.lock() += 1;
        if sys::WAKER_HOLDS_SOCKETS {
            // Whoever leaves a wait needs the lock for it.
            RwLockWriteGuard::unlocked(&mut link, || {
                let mut waiters = self.waiters.lock();
                self.wait_left.wait_while_for(&mut waiters, |waiters| !waiters.all_ended_have_left(), LEAVING);
            });
        }
        if let (true, Some(released)) = (sys::POLLER_HOLDS_SOCKETS, released) {
            RwLockWriteGuard::unlocked(&mut link, || released.wait());
        }
        drop(endpoint);
        drop(link);
        for orphan in orphans.into_iter().flatten() {
            orphan.leave_server();
        }
        *self.being_closed.lock() -= 1;
        self.is_closed.notify_all();
    }

    /// Joins a multicast group on an interface (`""`: the system's choice), opening the peer if it is closed.
    pub fn join_group(&self, group: &str, interface: &str) -> Result<()> {
        let fail = |reason| Error::new(Operation::JoinGroup, group, reason);
        self.own(Operation::JoinGroup, group)?;
        self.noted((|| {
            let found = find_group(group, interface).map_err(fail)?;
            let mut link = self.link.write();
            if link.state.socket().is_none() {
                self.open_for(&mut link, found.ip()).map_err(fail)?;
            }
            let State::Open(endpoint) = &mut link.state else { return Err(fail(Reason::NotOpen)) };
            endpoint.socket.change_group(&found, true).map_err(fail)
        })())
    }

    /// Leaves a multicast group on an interface. Closing the peer leaves all.
    pub fn leave_group(&self, group: &str, interface: &str) -> Result<()> {
        let fail = |reason| Error::new(Operation::LeaveGroup, group, reason);
        self.own(Operation::LeaveGroup, group)?;
        let found = find_group(group, interface);
        let mut link = self.link.write();
        self.noted((|| {
            let State::Open(endpoint) = &mut link.state else { return Err(fail(Reason::NotOpen)) };
            endpoint.socket.change_group(&found.map_err(fail)?, false).map_err(fail)
        })())
    }

    /// Whether there is a socket, its own or that of its server.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.link.read().is_open()
    }

    /// Whether the socket is connected to one address. Peers of a server always are, in effect.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.link.read().state.is_connected()
    }

    /// The socket's own address; `None` when the peer is closed.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.link.read().with_way(|way| way.endpoint.socket.local_addr().ok())?
    }

    /// The packet that was taken last: its sender, time and length; `None` before the first.
    #[must_use]
    pub fn last_taken(&self) -> Option<PacketMeta> {
        self.inbox.lock().last
    }

    /// The packets that were taken by the last [`take_many`](Self::take_many), in its order.
    #[must_use]
    pub fn batch(&self) -> Vec<PacketMeta> {
        self.inbox.lock().batch.clone()
    }

    /// What the last failed call ran into; empty when none did. A call that succeeds does not clear it.
    #[must_use]
    pub fn last_error(&self) -> LastError {
        self.last_error.lock().clone()
    }

    /// Opens an unconnected socket that can reach `ip`, on a port of the system's choice.
    fn open_for(&self, link: &mut Link, ip: IpAddr) -> std::result::Result<(), Reason> {
        let opened = Socket::open(Family::of(ip), &link.options).map_err(Reason::NoSocket)?;
        self.opened(link, opened, 0);
        Ok(())
    }

    /// Takes a new socket into use.
    fn opened(&self, link: &mut Link, Opened { socket, refused }: Opened, recv_buf_size: i64) {
        // A server that has been stopped closes its peers one after the other: this one's turn may not have come yet.
        self.leave(link);
        for refusal in refused {
            self.note_refusal(refusal);
        }
        let kernel_buffer = socket.receive_buffer_size().unwrap_or(0);
        let mut endpoint = Endpoint {
            socket,
            connected_to: None,
            kernel_buffer,
            recv_buf_size: usize::try_from(recv_buf_size).unwrap_or(0),
            opening: link.closings,
            attachment: None,
            released: None,
        };
        self.inbox.lock().open(recv_buf_size);
        self.waiters.lock().take_interruption(SELF);
        if let Some(crowd) = &self.crowd {
            crowd.gather();
        }
        if link.options.background {
            // Where there is no thread to be had, whoever wants a packet reads the socket.
            if let Err(error) = self.attach(&mut endpoint) {
                self.note_refusal(Refusal { option: "background_receive", error });
            }
        }
        link.state = State::Open(endpoint);
    }

    /// Has the background thread receive from a socket.
    fn attach(&self, endpoint: &mut Endpoint) -> Result<()> {
        if endpoint.attachment.is_none() {
            let attached = background::attach(Weak::clone(&self.me), endpoint.socket.io());
            let attached = attached.map_err(|error| Error::os(Operation::SetOption, "background_receive", error))?;
            endpoint.attachment = Some(attached);
            self.is_fed.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Has it do so no longer.
    fn detach(&self, endpoint: &mut Endpoint) -> Option<background::Release> {
        let attachment = endpoint.attachment.take()?;
        self.is_fed.store(false, Ordering::Relaxed);
        Some(attachment.detach(endpoint.socket.io()))
    }

    pub(crate) fn is_fed(&self) -> bool {
        self.is_fed.load(Ordering::Relaxed)
    }

    fn note_receive_errors(&self, count: u64, last: io::Error) {
        self.receive_errors.fetch_add(count, Ordering::Relaxed);
        self.note(&Error::os(Operation::Receive, "", last));
    }

    /// Keeps what failed for [`last_error`](Self::last_error).
    pub(crate) fn noted<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result {
            self.note(error);
        }
        result
    }

    /// Keeps what went wrong before anything was asked of this peer, for [`last_error`](Self::last_error).
    pub fn note_misuse(&self, message: &str) {
        *self.last_error.lock() = LastError { code: 0, message: message.to_owned() };
    }

    fn note(&self, error: &Error) {
        let mut message = error.to_string();
        // What a script has given is named, however long it is.
        if let Some((end, _)) = message.char_indices().nth(LONGEST_MESSAGE) {
            message.truncate(end);
            message.push('…');
        }
        *self.last_error.lock() = LastError { code: error.os_code(), message };
    }
}

impl Inbox {
    fn open(&mut self, recv_buf_size: i64) {
        self.queue.reset(usize::try_from(recv_buf_size).unwrap_or(0));
        self.open = true;
    }

    /// What was taken last is kept.
    fn close(&mut self) {
        self.queue.reset(0);
        self.open = false;
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.close();
    }
}

fn find_group(group: &str, interface: &str) -> std::result::Result<Group, Reason> {
    address::parse_ip(group).map(|ip| Group::on(ip, interface)).ok_or(Reason::InvalidAddress)
}

/// How much of its receive buffer a packet of `length` bytes takes in the kernel, at least.
const fn kernel_cost(length: usize) -> usize {
    length + sys::KERNEL_OVERHEAD
}

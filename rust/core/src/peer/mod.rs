//! The API of a peer.

use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use crate::address;
use crate::diagnostics::{Diagnostics, LastError};
use crate::endpoint::Endpoint;
use crate::error::{Error, Operation, Reason, Result};
use crate::inbox::Inbox;
use crate::link::incoming::ConditionedInbox;
use crate::locks::{ReadGuard, RwLock, WriteGuard, rank};
use crate::queue::PacketMeta;
use crate::sink::Sink;
use crate::socket::Opened;
use crate::socket::group::Group;
use crate::socket::options::Refusal;
use crate::stats::{Stats, Totals};
use crate::transport::{MulticastInterface, Outdated, SocketState, User, parse_bind_address};

mod accepted;
mod conditions;
mod destination;
pub(crate) mod drain;
mod lookup;
mod options;
mod queue;
mod receive;
pub(crate) mod send;
mod wait;

use lookup::PendingLookup;
pub use lookup::{DestinationChange, Resolved};

/// A UDP peer with the semantics of the engine's `PacketPeerUDP`, usable from any number of threads at once.
///
/// Only [`wait`](Self::wait) and the resolving of host names block, and neither holds a lock meanwhile. Closing takes a moment on
/// systems where a port is free only when the threads that wait on it have noticed.
#[derive(Debug)]
pub struct Peer {
    inbox: Arc<Inbox>,
    /// The sink of the peer's own sockets, once it has had one.
    incoming: OnceLock<Arc<ConditionedInbox>>,
    state: RwLock<PeerState, { rank::PEER }>,
    diagnostics: Arc<Diagnostics>,
    /// What the system refused when the peer was opened. `has_refusals` tells without the lock whether there is anything.
    refusals: Mutex<Vec<Refusal>>,
    has_refusals: AtomicBool,
    /// The peer itself, for the resolver.
    me: Weak<Peer>,
}

type StateReadGuard<'a> = ReadGuard<'a, PeerState, { rank::PEER }>;
type StateWriteGuard<'a> = WriteGuard<'a, PeerState, { rank::PEER }>;

/// Read by every call that uses the socket, written by those that open, close or configure it.
#[derive(Debug, Default)]
struct PeerState {
    socket: SocketState,
    destination: Option<SocketAddr>,
    lookup: PendingLookup,
    /// How often the peer was closed. A call that began before that and is not done yet is void.
    closings: u64,
}

impl Peer {
    /// A closed peer. It holds no system resource and about one KiB of memory until it is used.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Self::with(Arc::default(), PeerState::default(), Arc::default())
    }

    fn with(inbox: Arc<Inbox>, state: PeerState, diagnostics: Arc<Diagnostics>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            inbox,
            incoming: OnceLock::new(),
            state: RwLock::new(state),
            diagnostics,
            refusals: Mutex::default(),
            has_refusals: AtomicBool::new(false),
            me: Weak::clone(me),
        })
    }

    /// Lets [`take_pending_signals`](crate::take_pending_signals) return this token when the peer may have a signal to emit. The
    /// first token stays.
    pub fn enable_signals(&self, token: u64) {
        self.inbox.set_token(token);
    }

    /// Opens the peer on a local port: on one address, or with `"*"` on all of both families, by one dual-stack socket.
    ///
    /// With port 0 the system chooses one. `recv_buf_size` bounds the queue as the engine's ring does: the next power of two above
    /// it, at least 65,536 bytes, of which a packet takes its length and 24 more. The kernel is asked for a receive buffer of that
    /// many bytes too, where its default is smaller (`SO_RCVBUF`).
    pub fn bind(&self, port: u16, address: &str, recv_buf_size: usize) -> Result<()> {
        let fail = |reason| Error::new(Operation::Bind, address, reason);
        let bind = || {
            if self.is_open() {
                return Err(fail(Reason::AlreadyOpen));
            }
            let to = parse_bind_address(address).map_err(fail)?;
            self.with_interface(|state, interface| {
                if state.socket.transport.is_open() {
                    return Ok(Err(fail(Reason::AlreadyOpen)));
                }
                let opened = state.socket.bind(to, port, recv_buf_size, interface)?;
                Ok(opened.map(|opened| self.install(state, opened, recv_buf_size)))
            })
            .1
        };
        self.diagnostics.recorded(bind())
    }

    /// Calls `open` under the state's lock, with the multicast interface that was looked up before, until that is the current one.
    /// A socket that another thread is closing may still deliver what it has read, so that is waited for.
    fn with_interface<T>(
        &self,
        mut open: impl FnMut(&mut PeerState, &MulticastInterface) -> std::result::Result<T, Outdated>,
    ) -> (StateWriteGuard<'_>, T) {
        loop {
            self.await_closed();
            let interface = self.look_up_interface();
            let mut state = self.state.write();
            if !state.socket.is_closing()
                && let Ok(opened) = open(&mut state, &interface)
            {
                return (state, opened);
            }
        }
    }

    /// The multicast interface, for an open under the state's lock.
    fn look_up_interface(&self) -> MulticastInterface {
        let name = self.state.read().socket.options.multicast_interface.clone();
        MulticastInterface::look_up(name)
    }

    /// Opens the peer for `ip`, under the state's lock, unless it is open. Outdated is also what another thread is closing.
    fn open_locked(
        &self,
        state: &mut PeerState,
        ip: IpAddr,
        interface: &MulticastInterface,
    ) -> std::result::Result<std::result::Result<(), Reason>, Outdated> {
        if state.socket.transport.is_open() {
            return Ok(Ok(()));
        }
        if state.socket.is_closing() {
            return Err(Outdated);
        }
        let opened = state.socket.open_for(ip, interface)?;
        Ok(opened.map(|opened| self.install(state, opened, 0)))
    }

    /// The state, with a socket that is opened for `ip` if the peer has none of its own.
    fn opened_for(&self, ip: IpAddr) -> std::result::Result<StateWriteGuard<'_>, Reason> {
        let (state, opened) = self.with_interface(|state, interface| self.open_locked(state, ip, interface));
        opened.map(|()| state)
    }

    /// Takes a new socket into use.
    fn install(&self, state: &mut PeerState, opened: Opened, recv_buf_size: usize) {
        // A server that has been stopped detaches its peers one after the other, this one perhaps not yet.
        self.leave_server(state);
        self.inbox.open(recv_buf_size, state.socket.options.queue_size);
        let sink: Arc<dyn Sink> = Arc::clone(self.open_incoming(state)) as _;
        let mut refused = Vec::new();
        let user = User { sink, diagnostics: Arc::clone(&self.diagnostics) };
        state.socket.install(opened, recv_buf_size, user, &mut refused);
        self.note_background(state);
        for refusal in refused {
            self.record_refusal(refusal);
        }
    }

    /// Notes whether the reactor reads the socket.
    fn note_background(&self, state: &PeerState) {
        let in_background = state.socket.transport.own().is_some_and(|own| own.endpoint.is_in_background());
        self.inbox.set_read_externally(in_background);
    }

    /// Closes the peer. When this returns the port is free, nothing is queued, and every [`wait`](Self::wait) in progress is ending
    /// with [`WaitEnd::Closed`](crate::WaitEnd::Closed). The destination, the last sender and all options are kept.
    ///
    /// If the process is starting another program at that moment, the port may stay taken until that has begun to run.
    pub fn close(&self) {
        let mut state = self.state.write();
        state.closings += 1;
        state.lookup.cancel();
        self.close_socket(state);
    }

    /// Closes the socket, if there is one, or leaves the server.
    fn close_socket(&self, mut state: StateWriteGuard<'_>) {
        self.leave_server(&mut state);
        let endpoint = state.socket.take_own();
        if endpoint.is_some() {
            self.inbox.close();
            self.discard_delayed(&state);
        }
        let endpoint = endpoint.or_else(|| state.socket.closed_last());
        drop(state);
        if let Some(endpoint) = endpoint {
            Endpoint::close(&endpoint);
            // What another thread had read by then.
            let state = self.state.read();
            if !state.socket.transport.is_open() {
                self.discard_delayed(&state);
            }
        }
    }

    /// Returns when no other thread is closing a socket of this peer.
    fn await_closed(&self) {
        let endpoint = self.state.read().socket.closed_last();
        if let Some(endpoint) = endpoint {
            endpoint.await_closed();
        }
    }

    /// Joins a multicast group on an interface (`""`: the system's choice), opening the peer if it is closed.
    pub fn join_group(&self, group: &str, interface: &str) -> Result<()> {
        let fail = |reason| Error::new(Operation::JoinGroup, group, reason);
        self.check_own(Operation::JoinGroup, group)?;
        let join = || {
            let found = find_group(group, interface)?;
            let state = self.opened_for(found.ip())?;
            state.socket.transport.own().ok_or(Reason::Accepted)?.change_group(&found, true)
        };
        self.diagnostics.recorded(join().map_err(fail))
    }

    /// Leaves a multicast group on an interface. Closing the peer leaves all.
    pub fn leave_group(&self, group: &str, interface: &str) -> Result<()> {
        let fail = |reason| Error::new(Operation::LeaveGroup, group, reason);
        self.check_own(Operation::LeaveGroup, group)?;
        let found = find_group(group, interface);
        let state = self.state.read();
        let leave = || state.socket.transport.own().ok_or(Reason::NotOpen)?.change_group(&found?, false);
        self.diagnostics.recorded(leave().map_err(fail))
    }

    /// Whether there is a socket, its own or that of its server.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state.read().socket.transport.is_open()
    }

    /// Whether the socket is connected to one address, or the peer belongs to a server.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.state.read().socket.transport.is_connected()
    }

    /// The socket's own address; `None` when the peer is closed.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.state.read().socket.local_addr()
    }

    /// The packet that was taken last: its sender, time and length; `None` before the first.
    #[must_use]
    pub fn last_taken(&self) -> Option<PacketMeta> {
        self.inbox.lock().last_taken()
    }

    /// The packets that were taken by the last [`take_many`](Self::take_many), in its order.
    #[must_use]
    pub fn batch(&self) -> Arc<Vec<PacketMeta>> {
        self.inbox.lock().batch().unwrap_or_default()
    }

    /// What the last failed call ran into; empty when none failed. A call that succeeds does not clear it.
    #[must_use]
    pub fn last_error(&self) -> LastError {
        self.diagnostics.last_error()
    }

    /// Keeps an error that was found before this peer was asked for anything, for [`last_error`](Self::last_error). A bad port
    /// of a send counts as a send error, as an address that the system refuses does.
    pub fn fail<T>(&self, error: Error) -> Result<T> {
        match (error.operation, &error.reason) {
            (Operation::Send | Operation::Broadcast, Reason::InvalidPort(_)) => {
                self.diagnostics.recorded_send(Err(error))
            }
            _ => self.diagnostics.recorded(Err(error)),
        }
    }

    /// The same, for an error that is no [`Error`].
    pub fn note_misuse(&self, message: &str) {
        self.diagnostics.record_misuse(message);
    }

    /// The options that the system has refused when the peer was opened, since this was last called. The peer is open all the same,
    /// and they are set again at the next open.
    pub fn take_refusals(&self) -> Vec<Refusal> {
        // Asked after every call that may open the peer.
        if self.has_refusals.load(Ordering::Relaxed) && self.has_refusals.swap(false, Ordering::Relaxed) {
            mem::take(&mut *self.refusals.lock())
        } else {
            Vec::new()
        }
    }

    fn record_refusal(&self, refusal: Refusal) {
        self.diagnostics.record(&refusal.error);
        self.refusals.lock().push(refusal);
        self.has_refusals.store(true, Ordering::Relaxed);
    }

    /// The counters since the peer was made, or since [`reset_stats`](Self::reset_stats).
    #[must_use]
    pub fn stats(&self) -> Stats {
        let kernel_drops = self.kernel_drops();
        let received = *self.inbox.lock().queue.counts();
        self.diagnostics.stats(received, kernel_drops)
    }

    /// The counters since the peer was made.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let kernel_drops = self.kernel_drops();
        let received = self.inbox.lock().queue.total_counts();
        self.diagnostics.totals(received, kernel_drops)
    }

    /// Sets all counters to zero.
    pub fn reset_stats(&self) {
        let state = self.state.read();
        // All under one lock, so that another reset comes before or after this one.
        let mut inbox = self.inbox.lock();
        inbox.queue.reset_counts();
        self.diagnostics.reset(state.socket.kernel_drops());
    }

    fn kernel_drops(&self) -> u64 {
        self.state.read().socket.kernel_drops()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.close();
    }
}

fn find_group(group: &str, interface: &str) -> std::result::Result<Group, Reason> {
    let ip = address::parse_ip(group).ok_or(Reason::InvalidAddress)?;
    Group::on(ip, interface).map_err(Reason::NoInterfaceList)
}

//! The API of a server: one socket, and a peer for each address that sends to it.

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::clock::Clocks;
use crate::diagnostics::{Diagnostics, LastError};
use crate::endpoint::{Budget, Endpoint, Hint, Reader};
use crate::error::{Error, Operation, Reason, Result};
use crate::locks::{self, rank};
use crate::peer::Peer;
use crate::peer_table::{AcceptedPeer, Detachment, PeerTable};
use crate::reactor::Timer;
use crate::sender_lanes::{ConditionedTable, SenderLanes};
use crate::sink::Sink;
use crate::socket::options::{Options, Refusal, SocketOption};
use crate::stats::Stats;
use crate::sys;
use crate::transport::{MulticastInterface, ServerSocket, SocketState, User, parse_bind_address};

mod conditions;
mod idle;
mod send;

/// What the kernel is asked for as the receive buffer unless a script says otherwise, in bytes: all peers may send at the same moment,
/// and what does not fit is lost. The kernel uses memory for it only as packets wait.
const RECEIVE_BUFFER: usize = 4 << 20;

/// A UDP server with the semantics of the engine's `UDPServer`, usable from any number of threads at once.
///
/// An address that sends to it for the first time becomes a pending peer, up to [a number](Self::set_max_pending), until it is
/// [accepted](Self::accept). An accepted peer belongs to the server until it is closed or dropped, until it was
/// [idle](Self::set_peer_timeout_msec) for too long, or until the server is [stopped](Self::stop). Finding a packet's peer takes the
/// same time however many there are.
#[derive(Debug)]
pub struct Server(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    socket: Arc<ServerSocket>,
    diagnostics: Arc<Diagnostics>,
    refusals: Mutex<Vec<Refusal>>,
    /// When the server was last polled, in microseconds, and how many packets the kernel had dropped by then.
    polled_at: AtomicU64,
    kernel_drops: AtomicU64,
    /// In background mode, for the next peer that may be idle for too long.
    idle_timer: locks::Mutex<Option<IdleTimer>, { rank::IDLE_TIMER }>,
    me: Weak<Inner>,
}

/// A timer, and the deadline that it is for.
#[derive(Debug)]
struct IdleTimer {
    deadline: u64,
    _timer: Timer,
}

/// What a server and all of its peers have counted since the server was made, or since [`Server::reset_stats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerStats {
    /// Of all peers together, those that are gone included, and of the socket.
    pub all: Stats,
    /// Packets from addresses that got no peer because too many were pending, or whose peer was dropped while it was pending.
    pub packets_dropped_pending: u64,
}

impl Default for Server {
    fn default() -> Self {
        let options = Options { reuse_address: sys::SERVERS_SHARE_PORTS, ..Options::default() };
        let diagnostics = Arc::<Diagnostics>::default();
        let table = Arc::<PeerTable>::default();
        let lanes = SenderLanes::new(Arc::clone(&table), Arc::clone(diagnostics.link()));
        let incoming = Arc::new(ConditionedTable::new(Arc::clone(&table), lanes));
        let socket = ServerSocket { state: locks::RwLock::new(SocketState::new(options)), table, incoming };
        Self(Arc::new_cyclic(|me| Inner {
            socket: Arc::new(socket),
            diagnostics,
            refusals: Mutex::default(),
            polled_at: AtomicU64::new(0),
            kernel_drops: AtomicU64::new(0),
            idle_timer: locks::Mutex::default(),
            me: Weak::clone(me),
        }))
    }
}

impl Server {
    /// Begins to listen, on one address or with `"*"` on all of both families, as [`Peer::bind`] does.
    pub fn listen(&self, port: u16, address: &str) -> Result<()> {
        self.0.diagnostics.recorded(self.0.listen(port, address))
    }

    /// Stops listening. When this returns the port is free, and all peers are closed.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Reads what the socket holds, and gives each packet to its peer. Closes peers that were idle for too long.
    ///
    /// One call reads no more than the kernel's buffer can have held when it began. In background mode it reads nothing.
    pub fn poll(&self) -> Result<()> {
        self.0.diagnostics.recorded(self.0.poll())
    }

    /// Whether there is a socket.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.0.socket.state.read().transport.is_open()
    }

    /// The socket's own address; `None` when the server does not listen.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.0.socket.state.read().local_addr()
    }

    /// Whether there is a pending peer.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        self.0.table().lock().has_pending()
    }

    /// How many peers are pending.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.0.table().lock().pending_count()
    }

    /// The accepted peers that have packets queued now, each once, in the order in which the oldest of these have come. Takes time for
    /// the peers that have got packets since this was last called, or have some still, however many there are.
    ///
    /// Polled, these are packets that [`poll`](Self::poll) has read.
    #[must_use]
    pub fn ready_peers(&self) -> Vec<Arc<Peer>> {
        let ready = self.0.table().lock().ready();
        ready.into_iter().filter_map(as_peer).collect()
    }

    /// What [`Peer::enable_signals`] was given, of each of the [ready peers](Self::ready_peers) that have a token. With thousands of
    /// peers this costs less, since nothing of a peer is looked at but its queue.
    #[must_use]
    pub fn ready_tokens(&self) -> Vec<u64> {
        self.0.table().lock().ready_tokens()
    }

    /// Lets [`take_pending_signals`](crate::take_pending_signals) return this token when the server may have a signal to emit: see
    /// [`take_connected`](Self::take_connected) and [`take_timed_out`](Self::take_timed_out). The first token stays.
    pub fn enable_signals(&self, token: u64) {
        self.0.table().lock().set_token(token);
    }

    /// How many peers have become pending since this was last called, and are still. 0 before
    /// [`enable_signals`](Self::enable_signals).
    #[must_use]
    pub fn take_connected(&self) -> usize {
        self.0.table().lock().take_connected()
    }

    /// The peers that were closed since this was last called because they were [idle](Self::set_peer_timeout_msec) for too long.
    /// Empty before [`enable_signals`](Self::enable_signals).
    #[must_use]
    pub fn take_timed_out(&self) -> Vec<Weak<Peer>> {
        let timed_out = self.0.table().lock().take_timed_out();
        let peers = timed_out.iter().filter_map(Weak::upgrade).filter_map(as_peer);
        peers.map(|peer| Arc::downgrade(&peer)).collect()
    }

    /// Accepts the peer that has been pending for longest.
    #[must_use]
    pub fn accept(&self) -> Option<Arc<Peer>> {
        let (endpoint, accepted, conditions) = {
            // Both under the state's lock, so that the peer is one of this endpoint's.
            let state = self.0.socket.state.read();
            let endpoint = Arc::clone(&state.transport.own()?.endpoint);
            (endpoint, self.0.table().lock().accept(now())?, state.conditions.clone())
        };
        let peer = Peer::accepted(&accepted, Arc::clone(&self.0.socket), endpoint, conditions);
        self.0.set_idle_timer();
        Some(peer)
    }

    /// How many accepted peers belong to the server.
    #[must_use]
    pub fn peers(&self) -> usize {
        self.0.table().lock().accepted_count()
    }

    /// How many peers may be pending at once.
    #[must_use]
    pub fn max_pending(&self) -> usize {
        self.0.table().lock().max_pending()
    }

    /// Sets how many peers may be pending at once. The packets of more are dropped; if there are more already, these are too, newest
    /// first. With 0 no new peer is let in.
    ///
    /// This is also how many peers are let in at most between two [polls](Self::poll), in background mode between two
    /// [frames](crate::begin_frame) or between two polls of one frame. So a loop that accepts ends, however fast they come.
    pub fn set_max_pending(&self, max: u32) {
        self.0.table().set_max_pending(usize::try_from(max).unwrap_or(usize::MAX));
    }

    /// After how many milliseconds an accepted peer that sends nothing is closed; 0 for never.
    #[must_use]
    pub fn peer_timeout_msec(&self) -> u64 {
        self.0.table().lock().idle_timeout() / 1_000
    }

    /// How many bytes the queue of each peer may hold; 0 for 65,535.
    #[must_use]
    pub fn queue_size(&self) -> usize {
        self.option(|options| options.queue_size)
    }

    /// Sets how many bytes the queue of each peer may hold, also of those that there are, pending ones too; 0 for 65,535. What is
    /// queued beyond that is dropped, see [`Peer::set_queue_size`].
    pub fn set_queue_size(&self, bytes: usize) {
        // Under the state's lock, so that of two threads the same one is last for the option and for the queues.
        let mut state = self.0.socket.state.write();
        state.options.queue_size = bytes;
        self.0.socket.incoming.change(|lanes, _| lanes.set_limit(bytes));
        self.0.table().lock().set_queue_size(bytes);
    }

    /// Sets after how many milliseconds an accepted peer that sends nothing is closed; 0 for never.
    ///
    /// Such a peer has lost its destination too, so that sending by it fails. Packets that wait in the system's buffer are read first.
    /// Where the kernel tells that it has dropped packets because it was not polled for half that time (Linux), the idle time of all peers
    /// begins anew.
    pub fn set_peer_timeout_msec(&self, msec: u32) {
        self.0.table().lock().set_idle_timeout(u64::from(msec) * 1_000);
        self.0.set_idle_timer();
    }

    /// Whether packets are received in the background.
    #[must_use]
    pub fn background_receive(&self) -> bool {
        self.option(|options| options.background)
    }

    /// Has packets received in the background, as [`Peer::set_background_receive`] does, for all of the server's peers.
    pub fn set_background_receive(&self, enabled: bool) -> Result<()> {
        let result = self.0.socket.state.write().set_background(enabled);
        self.0.diagnostics.recorded(result)?;
        // A poll that is not yet known of.
        self.0.table().lock().note_poll(false);
        if enabled {
            // What is queued already was not signalled.
            let accepted = self.0.table().lock().accepted_inboxes();
            for inbox in accepted {
                inbox.mark_queued();
            }
        }
        self.0.set_idle_timer();
        Ok(())
    }

    /// See [`Peer::option`].
    pub fn option<T>(&self, read: impl FnOnce(&Options) -> T) -> T {
        read(&self.0.socket.state.read().options)
    }

    /// See [`Peer::set_option`].
    pub fn set_option(&self, option: SocketOption) -> Result<()> {
        let checked = option.check().map_err(|reason| Error::new(Operation::SetOption, option.to_string(), reason));
        let set = |interface| self.0.socket.state.write().set_option(option, interface);
        self.0.diagnostics.recorded(checked.and_then(set))
    }

    /// See [`Peer::take_refusals`].
    #[must_use]
    pub fn take_refusals(&self) -> Vec<Refusal> {
        std::mem::take(&mut *self.0.refusals.lock())
    }

    /// See [`Peer::receive_buffer_size`]. With 0 the kernel is asked for 4 MiB.
    #[must_use]
    pub fn receive_buffer_size(&self) -> usize {
        self.0.socket.state.read().receive_buffer()
    }

    /// See [`Peer::set_receive_buffer_size`].
    pub fn set_receive_buffer_size(&self, bytes: usize) -> Result<()> {
        let result = self.0.socket.state.write().set_receive_buffer(bytes);
        self.0.diagnostics.recorded(result)
    }

    /// See [`Peer::send_buffer_size`].
    #[must_use]
    pub fn send_buffer_size(&self) -> usize {
        self.0.socket.state.read().send_buffer()
    }

    /// See [`Peer::set_send_buffer_size`].
    pub fn set_send_buffer_size(&self, bytes: usize) -> Result<()> {
        let result = self.0.socket.state.write().set_send_buffer(bytes);
        self.0.diagnostics.recorded(result)
    }

    /// The counters since the server was made, or since [`reset_stats`](Self::reset_stats).
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        let state = self.0.socket.state.read();
        // All under the table's lock, so that a reset comes before or after this.
        let entries = self.0.table().lock();
        let all = self.0.diagnostics.stats(entries.counts(), state.kernel_drops());
        ServerStats { all, packets_dropped_pending: entries.dropped_since_reset() }
    }

    /// Sets all counters of [`stats`](Self::stats) to zero; those of the peers stay as they are. Packets that are queued now and dropped
    /// later count as dropped then, and as received before.
    pub fn reset_stats(&self) {
        let state = self.0.socket.state.read();
        let mut entries = self.0.table().lock();
        entries.reset_counts();
        self.0.diagnostics.reset(state.kernel_drops());
    }

    /// How many packets were dropped that were not dropped by any peer's queue, since the server was made.
    #[must_use]
    pub fn drops(&self) -> u64 {
        let dropped = self.0.table().lock().dropped();
        self.0.kernel_drops() + dropped
    }

    /// See [`Peer::last_error`].
    #[must_use]
    pub fn last_error(&self) -> LastError {
        self.0.diagnostics.last_error()
    }

    /// See [`Peer::fail`].
    pub fn fail<T>(&self, error: Error) -> Result<T> {
        self.0.diagnostics.recorded(Err(error))
    }

    /// See [`Peer::note_misuse`].
    pub fn note_misuse(&self, message: &str) {
        self.0.diagnostics.record_misuse(message);
    }

    /// How many waits of its peers are in progress.
    #[must_use]
    pub fn waits(&self) -> usize {
        self.0.endpoint().map_or(0, |endpoint| endpoint.waits())
    }
}

impl Inner {
    fn table(&self) -> &PeerTable {
        &self.socket.table
    }

    fn endpoint(&self) -> Option<Arc<Endpoint>> {
        self.socket.state.read().transport.own().map(|own| Arc::clone(&own.endpoint))
    }

    fn kernel_drops(&self) -> u64 {
        self.socket.state.read().kernel_drops()
    }

    fn listen(&self, port: u16, address: &str) -> Result<()> {
        let fail = |reason| Error::new(Operation::Bind, address, reason);
        if self.endpoint().is_some() {
            return Err(fail(Reason::AlreadyOpen));
        }
        let to = parse_bind_address(address).map_err(fail)?;
        let closed_last = self.socket.state.read().closed_last();
        if let Some(endpoint) = closed_last {
            endpoint.await_closed();
        }
        let mut state = self.socket.state.write();
        if state.transport.is_open() {
            return Err(fail(Reason::AlreadyOpen));
        }
        // A server has no multicast interface, so there is none to look up, and none that could be outdated.
        let opened = state.bind(to, port, RECEIVE_BUFFER, &MulticastInterface::default());
        let Ok(opened) = opened else { return Err(fail(Reason::NotOpen)) };
        let opened = opened?;
        opened.socket.answer_where_asked();
        let sink: Arc<dyn Sink> = Arc::<ConditionedTable>::clone(&self.socket.incoming);
        self.drop_delayed();
        self.table().open();
        let mut refused = Vec::new();
        let user = User { sink, diagnostics: Arc::clone(&self.diagnostics) };
        state.install(opened, RECEIVE_BUFFER, user, &mut refused);
        drop(state);
        for refusal in refused {
            self.diagnostics.record(&refusal.error);
            self.refusals.lock().push(refusal);
        }
        Ok(())
    }

    fn stop(&self) {
        let mut timer = self.idle_timer.lock();
        let mut state = self.socket.state.write();
        let endpoint = state.take_own();
        // Under the state's lock, since another thread may listen again as soon as that is given back.
        let peers = if endpoint.is_some() { self.table().drain() } else { Vec::new() };
        self.drop_delayed();
        let endpoint = endpoint.or_else(|| state.closed_last());
        drop(state);
        *timer = None;
        drop(timer);
        if let Some(endpoint) = endpoint {
            endpoint.close();
            // What another thread had read by then.
            let state = self.socket.state.read();
            if !state.transport.is_open() {
                self.drop_delayed();
            }
        }
        detach(&peers, Detachment::Stopped);
    }

    /// Drops what link conditions hold back of what was received.
    fn drop_delayed(&self) {
        self.socket.incoming.discard_and(SenderLanes::clear);
    }

    fn poll(&self) -> Result<()> {
        let in_background = self.endpoint().is_some_and(|endpoint| endpoint.is_in_background());
        self.table().lock().note_poll(in_background);
        let mut budget = Budget::default();
        let mut hint = Hint::Unknown;
        loop {
            let state = self.socket.state.read();
            let Some(own) = state.transport.own() else {
                return Err(Error::new(Operation::Receive, "", Reason::NotOpen));
            };
            let progress = own.endpoint.read(Reader::Caller, hint);
            if !budget.allows_more(&progress) {
                break;
            }
            hint = Hint::Readable;
        }
        let timeout = self.table().lock().idle_timeout();
        if timeout > 0 {
            self.excuse_unread(timeout);
            self.close_idle(usize::MAX);
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn detach(peers: &[Weak<dyn AcceptedPeer>], why: Detachment) {
    for peer in peers.iter().filter_map(Weak::upgrade) {
        peer.detached(why);
    }
}

/// A peer, as the table has it.
fn as_peer(peer: Arc<dyn AcceptedPeer>) -> Option<Arc<Peer>> {
    peer.into_any().downcast().ok()
}

/// In microseconds, as packets' times.
fn now() -> u64 {
    Clocks::now().time_of(None)
}

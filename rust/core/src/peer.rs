//! A peer: one socket at a time, its queue, and the threads that wait on it.

use std::cell::RefCell;
use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, RwLock, RwLockWriteGuard};

use crate::address;
use crate::error::{Error, Operation, Reason, Result};
use crate::queue::{self, Queue};
use crate::resolve;
use crate::socket::{Family, Group, Socket};
use crate::sys;
use crate::wait::{Entered, WaitEnd, Waiter, Waiters};

/// How many packets are read from a socket before the locks are let go.
const BATCH: u32 = 128;

/// By how much a kernel may overfill its buffer: it takes a last packet while there is any room.
const LARGEST_COST: usize = kernel_cost(queue::MAX_DATAGRAM);

/// How often a send is tried before its error is taken to be its own, and not somebody's refusal of an earlier one.
const SEND_ATTEMPTS: u64 = 4;

/// The longest that closing takes for threads to leave their waits, on systems where that matters: they do at once,
/// unless they get no processor time.
const LEAVING: Duration = Duration::from_secs(1);

/// A datagram of any size fits; Windows refuses to receive into less.
const RECEIVE_BUFFER: usize = 65_536;

thread_local! {
    /// Where a thread receives datagrams before they enter a queue: one buffer for all peers.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; RECEIVE_BUFFER]);
}

/// A UDP peer with the semantics of the engine's `PacketPeerUDP`, usable from any number of threads at once.
///
/// Nothing blocks but [`wait`](Self::wait) and the resolving of host names, and neither holds a lock while it does.
/// (Closing takes a moment on systems where a port is free only when those who waited have noticed.)
#[derive(Debug, Default)]
pub struct Peer {
    // Locked in this order, top to bottom, by those who need more than one.
    link: RwLock<Link>,
    inbox: Mutex<Inbox>,
    waiters: Mutex<Waiters>,
    /// Notified when somebody leaves a wait that `close` ended.
    wait_left: Condvar,
    last_error: Mutex<LastError>,
    receive_errors: AtomicU64,
}

/// The socket, and what outlives it. Held for reading by all who use the socket, for writing by those who open or close
/// it: so nobody uses a socket that is being closed, and it is closed when [`Peer::close`] returns.
#[derive(Debug, Default)]
struct Link {
    state: State,
    destination: Option<SocketAddr>,
    broadcast: bool,
    /// How often the peer was closed: what began before that and is not done yet is void.
    closings: u64,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Closed,
    Open(Endpoint),
}

#[derive(Debug)]
struct Endpoint {
    socket: Socket,
    /// The one address to send to and to receive from; `None`: send to [`Link::destination`], receive from anyone.
    connected_to: Option<SocketAddr>,
    /// The kernel's receive buffer, in bytes, as it says itself.
    kernel_buffer: usize,
}

impl State {
    fn endpoint(&self) -> Option<&Endpoint> {
        match self {
            Self::Closed => None,
            Self::Open(endpoint) => Some(endpoint),
        }
    }

    fn socket(&self) -> Option<&Socket> {
        self.endpoint().map(|endpoint| &endpoint.socket)
    }

    fn is_connected(&self) -> bool {
        self.endpoint().is_some_and(|endpoint| endpoint.connected_to.is_some())
    }
}

/// What a read of the socket has come to.
struct Batch {
    /// What the packets have cost the kernel, at least, that were read, kept or not.
    cost: usize,
    /// Whether there is nothing more to read for now: no packet, or no room for one.
    last: bool,
}

#[derive(Debug, Default)]
struct Inbox {
    queue: Queue,
    /// Who sent the packet that was taken last.
    sender: Option<SocketAddr>,
}

/// What the last failed call ran into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastError {
    /// The system's code, 0 where the system was not asked.
    pub code: i32,
    /// What was being done, and the system's words.
    pub message: String,
}

/// What [`Peer::set_destination`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestinationChange {
    /// The destination is the new one.
    Set,
    /// The peer is connected, and its destination stays what it is connected to.
    Connected,
}

impl Peer {
    /// A closed peer. Takes no memory to speak of and no system resource until it is used.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the peer on a local port: on one address, or with `"*"` on all of both families (one dual-stack socket).
    ///
    /// Port 0 lets the system choose. `recv_buf_size` bounds the queue as the engine's ring does: the next power of two
    /// above it, at least 65,536 bytes, at 24 bytes a packet beyond its length. The kernel is asked for a buffer of
    /// that many bytes too, where its default is smaller (`SO_RCVBUF`).
    pub fn bind(&self, port: i64, address: &str, recv_buf_size: i64) -> Result<()> {
        let mut link = self.link.write();
        self.noted(self.bind_link(&mut link, port, address, recv_buf_size))
    }

    fn bind_link(&self, link: &mut Link, port: i64, address: &str, recv_buf_size: i64) -> Result<()> {
        let fail = |reason| Error::new(Operation::Bind, address, reason);
        if link.state.socket().is_some() {
            return Err(fail(Reason::AlreadyOpen));
        }
        let ip = match address {
            "*" => None,
            _ => Some(address::parse_ip(address).ok_or_else(|| fail(Reason::InvalidAddress))?),
        };
        let port = u16::try_from(port).map_err(|_| fail(Reason::InvalidPort(port)))?;
        let socket = Socket::bound(ip, port, usize::try_from(recv_buf_size).unwrap_or(0)).map_err(|reason| {
            let subject = ip.map_or(format!("*:{port}"), |ip| SocketAddr::new(ip, port).to_string());
            Error::new(Operation::Bind, subject, reason)
        })?;
        self.opened(link, socket, recv_buf_size);
        Ok(())
    }

    /// Closes the peer. When this returns the port is free, nothing is queued, and every [`wait`](Self::wait) in
    /// progress is ending with [`WaitEnd::Closed`]. The destination, the last sender and whether broadcasts are allowed
    /// are kept.
    ///
    /// (Where another program is being started at that moment, it may hold the port until it has begun to run.)
    pub fn close(&self) {
        let mut link = self.link.write();
        link.closings += 1;
        self.close_link(link);
    }

    fn close_link(&self, mut link: RwLockWriteGuard<'_, Link>) {
        let State::Open(endpoint) = mem::take(&mut link.state) else { return };
        self.inbox.lock().queue.reset(0);
        // Before the socket is dropped: see the rule in `wait`.
        self.waiters.lock().end_all(endpoint.socket.io());
        if sys::CLOSE_AWAITS_WAITS {
            // Whoever leaves a wait needs the lock for it.
            RwLockWriteGuard::unlocked(&mut link, || {
                let mut waiters = self.waiters.lock();
                self.wait_left.wait_while_for(&mut waiters, |waiters| !waiters.all_ended_have_left(), LEAVING);
            });
        }
        // Under the lock: another thread that closes the peer, too, returns when the port is free, and not before.
        drop(endpoint);
    }

    /// Connects to one address: what is sent goes there, and packets from anyone else are not received. Opens the peer
    /// if it is closed; empties the queue. A host name is resolved first, which blocks for as long as that takes; closing
    /// the peer meanwhile makes this fail with [`Reason::Closed`].
    ///
    /// Where the system refuses, the peer is closed, as the engine does.
    pub fn connect(&self, host: &str, port: i64) -> Result<()> {
        self.noted(self.connect_unnoted(host, port))
    }

    fn connect_unnoted(&self, host: &str, port: i64) -> Result<()> {
        let fail = |reason| Error::new(Operation::Connect, host, reason);
        let port = u16::try_from(port).ok().filter(|port| *port != 0).ok_or_else(|| fail(Reason::InvalidPort(port)))?;
        // A name takes its time, and who closes the peer meanwhile means this too.
        let is_name = address::parse_ip(host).is_none();
        let closings = self.link.read().closings;
        let found = resolve::addresses_of(host).map_err(fail)?;

        let mut link = self.link.write();
        if is_name && link.closings != closings {
            return Err(fail(Reason::Closed));
        }
        let family = link.state.socket().map(Socket::family);
        let to = resolve::choose(&found, family, port).map_err(fail)?;
        if family.is_none() {
            self.open_for(&mut link, to.ip()).map_err(fail)?;
        }
        if let State::Open(endpoint) = &mut link.state {
            match endpoint.socket.connect(to) {
                Ok(peer) => endpoint.connected_to = Some(peer),
                Err(error) => {
                    let reason = endpoint.socket.refusal(to.ip(), error);
                    self.close_link(link);
                    return Err(Error::new(Operation::Connect, to.to_string(), reason));
                }
            }
        }
        link.destination = Some(to);
        self.inbox.lock().queue.clear();
        Ok(())
    }

    /// Sets where [`send`](Self::send) sends to, also while the peer is closed. A host name is resolved first, which
    /// blocks for as long as that takes; of several addresses, the first that the open socket can send to is taken.
    ///
    /// Any port is taken; as in the engine only its lower 16 bits count.
    pub fn set_destination(&self, host: &str, port: i64) -> Result<DestinationChange> {
        let fail = |reason| Error::new(Operation::SetDestination, host, reason);
        let found = self.noted(resolve::addresses_of(host).map_err(fail))?;
        let mut link = self.link.write();
        if link.state.is_connected() {
            return Ok(DestinationChange::Connected);
        }
        let family = link.state.socket().map(Socket::family);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what the engine does with a port")]
        let port = port as u16;
        link.destination = Some(self.noted(resolve::choose(&found, family, port).map_err(fail))?);
        Ok(DestinationChange::Set)
    }

    /// Sends one datagram to the destination, opening the peer if it is closed (a socket of the destination's family).
    /// Never blocks: [`Reason::Busy`] when the kernel's send buffer is full.
    pub fn send(&self, datagram: &[u8]) -> Result<()> {
        self.noted(self.send_unnoted(datagram))
    }

    fn send_unnoted(&self, datagram: &[u8]) -> Result<()> {
        let mut link = self.link.read();
        let Some(to) = link.destination else {
            return Err(Error::new(Operation::Send, "", Reason::NoDestination));
        };
        if link.state.socket().is_none() {
            drop(link);
            let mut writable = self.link.write();
            if writable.state.socket().is_none() {
                self.open_for(&mut writable, to.ip())
                    .map_err(|reason| Error::new(Operation::Send, to.to_string(), reason))?;
            }
            link = RwLockWriteGuard::downgrade(writable);
        }
        let Some(endpoint) = link.state.endpoint() else {
            // Cannot be: the peer was opened above, and the lock has been held since.
            return Err(Error::new(Operation::Send, "", Reason::NotOpen));
        };
        let result = if endpoint.connected_to.is_some() {
            self.send_connected(&endpoint.socket, datagram)
        } else {
            endpoint.socket.send_to(datagram, to)
        };
        result.map_err(|error| Error::new(Operation::Send, to.to_string(), endpoint.socket.refusal(to.ip(), error)))
    }

    /// Sends on a connected socket. There the kernel reports the refusal of an *earlier* datagram (an ICMP answer)
    /// instead of sending this one. Each such report is given once: it is counted as an error of receiving, and this
    /// datagram is sent again. What comes at every attempt is about this datagram.
    fn send_connected(&self, socket: &Socket, datagram: &[u8]) -> io::Result<()> {
        let mut reports = 0;
        let mut last_report = None;
        let result = loop {
            match socket.send(datagram) {
                Err(error) if reports + 1 < SEND_ATTEMPTS && !sys::is_full(&error) => {
                    reports += 1;
                    last_report = Some(error);
                }
                result => break result,
            }
        };
        let failed_at_every_attempt = result.as_ref().is_err_and(|error| !sys::is_full(error));
        if let (false, Some(report)) = (failed_at_every_attempt, last_report) {
            self.note_receive_errors(reports, report);
        }
        result
    }

    /// Reads what the socket holds into the queue, and tells how many packets can be taken.
    ///
    /// Reading stops when the queue is full; the rest waits in the kernel. However much arrives meanwhile, one call
    /// reads no more than the kernel's buffer can have held when it began.
    pub fn poll(&self) -> Result<usize> {
        self.noted(self.available().ok_or_else(|| Error::new(Operation::Receive, "", Reason::NotOpen)))
    }

    /// How many packets can be taken, all that have arrived included; `None` when the peer is closed.
    #[must_use]
    pub fn available(&self) -> Option<usize> {
        let mut spent = 0;
        // In batches, each under locks of its own: other threads are not kept waiting for as long as a large buffer takes.
        loop {
            let link = self.link.read();
            let endpoint = link.state.endpoint()?;
            let mut inbox = self.inbox.lock();
            let batch = self.fill(endpoint, &mut inbox, None);
            spent += batch.cost;
            // What came after the call is for the next one; else a flood could keep this one busy.
            if batch.last || spent > endpoint.kernel_buffer + LARGEST_COST {
                return Some(inbox.queue.len());
            }
        }
    }

    /// Moves the oldest packet into `into`, replacing what was there. `Ok(false)` when there is none, and then `into` is
    /// left alone.
    pub fn take(&self, into: &mut Vec<u8>) -> Result<bool> {
        let link = self.link.read();
        let Some(endpoint) = link.state.endpoint() else {
            return self.noted(Err(Error::new(Operation::Receive, "", Reason::NotOpen)));
        };
        let mut inbox = self.inbox.lock();
        if inbox.queue.len() == 0 {
            self.fill(endpoint, &mut inbox, None);
        }
        let Some(sender) = inbox.queue.pop(into) else { return Ok(false) };
        inbox.sender = Some(sender);
        Ok(true)
    }

    /// As [`wait`](Self::wait), with the time in milliseconds; -1 for as long as it takes.
    pub fn wait_msec(&self, timeout: i64) -> Result<WaitEnd> {
        match u64::try_from(timeout) {
            Ok(msec) => self.wait(Some(Duration::from_millis(msec))),
            Err(_) if timeout == -1 => self.wait(None),
            Err(_) => self.noted(Err(Error::new(Operation::Wait, "", Reason::InvalidTimeout(timeout)))),
        }
    }

    /// Blocks until a packet can be taken, at most for `timeout` (`None`: for as long as it takes; zero: not at all).
    ///
    /// Ended by [`close`](Self::close) and by [`interrupt_wait`](Self::interrupt_wait). While threads wait, every other
    /// method works as if nobody did. A report that some earlier datagram was refused does not end a wait.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<WaitEnd> {
        self.noted(self.wait_unnoted(timeout))
    }

    fn wait_unnoted(&self, timeout: Option<Duration>) -> Result<WaitEnd> {
        let fail = |error| Error::os(Operation::Wait, "", error);
        // A time too far away to be told is for ever.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let (mut waiter, id) = {
            let link = self.link.read();
            let Some(endpoint) = link.state.endpoint() else {
                return Err(Error::new(Operation::Wait, "", Reason::NotOpen));
            };
            if self.waiters.lock().take_interruption() {
                return Ok(WaitEnd::Interrupted);
            }
            if self.has_packet(endpoint, None) {
                return Ok(WaitEnd::Ready);
            }
            if timeout == Some(Duration::ZERO) {
                return Ok(WaitEnd::TimedOut);
            }
            let waiter = Waiter::get().map_err(fail)?;
            match self.waiters.lock().enter(&waiter, endpoint.socket.io()).map_err(fail)? {
                Entered::Waiting(id) => (waiter, id),
                Entered::Interrupted => {
                    waiter.put_back();
                    return Ok(WaitEnd::Interrupted);
                }
            }
        };
        // From here on, whoever else reads packets from the socket wakes this thread. Those who did so before it was
        // known to wait have left them in the queue, so that is looked at before the thread blocks.
        let mut blocked = Ok(());
        let end = loop {
            let link = self.link.read();
            let ended = self.waiters.lock().ended(id);
            let end = match (ended, link.state.endpoint()) {
                (Some(end), _) => Some(Ok(end)),
                // Not ended: the socket is still the one that the wait began on.
                (None, Some(endpoint)) => {
                    if let Err(error) = blocked {
                        Some(Err(fail(error)))
                    } else if self.has_packet(endpoint, Some(id)) {
                        Some(Ok(WaitEnd::Ready))
                    } else if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                        Some(Ok(WaitEnd::TimedOut))
                    } else {
                        None
                    }
                }
                // Cannot be: closing a peer ends its waits.
                (None, None) => Some(Ok(WaitEnd::Closed)),
            };
            if let Some(end) = end {
                let ended = self.waiters.lock().leave(id, link.state.socket().map(Socket::io));
                self.wait_left.notify_all();
                break ended.map_or(end, Ok);
            }
            drop(link);
            blocked = waiter.block(deadline);
        };
        if end.is_ok() {
            waiter.put_back();
        }
        end
    }

    /// Ends every [`wait`](Self::wait) in progress with [`WaitEnd::Interrupted`]; when there is none, the next one. So
    /// a wake-up is never lost, whether it comes before the wait or after. Opening the peer again forgets it.
    pub fn interrupt_wait(&self) {
        self.waiters.lock().interrupt();
    }

    /// Joins a multicast group on an interface (`""`: the system's choice), opening the peer if it is closed.
    pub fn join_group(&self, group: &str, interface: &str) -> Result<()> {
        let fail = |reason| Error::new(Operation::JoinGroup, group, reason);
        self.noted((|| {
            let found = find_group(group, interface).map_err(fail)?;
            let mut link = self.link.write();
            if link.state.socket().is_none() {
                self.open_for(&mut link, found.ip()).map_err(fail)?;
            }
            let socket = link.state.socket().ok_or_else(|| fail(Reason::NotOpen))?;
            socket.change_group(&found, true).map_err(fail)
        })())
    }

    /// Leaves a multicast group on an interface. Closing the peer leaves all.
    pub fn leave_group(&self, group: &str, interface: &str) -> Result<()> {
        let fail = |reason| Error::new(Operation::LeaveGroup, group, reason);
        let found = find_group(group, interface);
        let link = self.link.read();
        self.noted((|| {
            let socket = link.state.socket().ok_or_else(|| fail(Reason::NotOpen))?;
            socket.change_group(&found.map_err(fail)?, false).map_err(fail)
        })())
    }

    /// Allows or forbids sending to broadcast addresses (`SO_BROADCAST`), now and whenever the peer is opened again.
    pub fn set_broadcast(&self, enabled: bool) -> Result<()> {
        let mut link = self.link.write();
        link.broadcast = enabled;
        let Some(socket) = link.state.socket() else { return Ok(()) };
        let result = socket.set_broadcast(enabled);
        self.noted(result.map_err(|error| Error::os(Operation::SetBroadcast, "", error)))
    }

    /// Whether there is a socket.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.link.read().state.socket().is_some()
    }

    /// Whether the socket is connected to one address.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.link.read().state.is_connected()
    }

    /// The socket's own address; `None` when the peer is closed.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.link.read().state.socket()?.local_addr().ok()
    }

    /// Who sent the packet that was taken last; `None` before the first.
    #[must_use]
    pub fn sender(&self) -> Option<SocketAddr> {
        self.inbox.lock().sender
    }

    /// What the last failed call ran into; empty when none did. A call that succeeds does not clear it.
    #[must_use]
    pub fn last_error(&self) -> LastError {
        self.last_error.lock().clone()
    }

    /// How often receiving failed: answers of other hosts that something sent to them was refused, mostly.
    #[must_use]
    pub fn receive_errors(&self) -> u64 {
        self.receive_errors.load(Ordering::Relaxed)
    }

    /// How many waits are in progress.
    #[must_use]
    pub fn waits(&self) -> usize {
        self.waiters.lock().len()
    }

    /// Opens an unconnected socket that can reach `ip`, on a port of the system's choice.
    fn open_for(&self, link: &mut Link, ip: IpAddr) -> std::result::Result<(), Reason> {
        let socket = Socket::open(Family::of(ip)).map_err(Reason::NoSocket)?;
        self.opened(link, socket, 0);
        Ok(())
    }

    /// Takes a new socket into use.
    fn opened(&self, link: &mut Link, socket: Socket, recv_buf_size: i64) {
        if link.broadcast {
            // The only system that refuses has no broadcasts; sending one then fails, with its words.
            let _ = socket.set_broadcast(true);
        }
        let kernel_buffer = socket.receive_buffer_size().unwrap_or(0);
        self.inbox.lock().queue.reset(recv_buf_size);
        self.waiters.lock().forget_interruption();
        link.state = State::Open(Endpoint { socket, connected_to: None, kernel_buffer });
    }

    /// Whether a packet can be taken. `wait` is the wait that asks, if it is one.
    fn has_packet(&self, endpoint: &Endpoint, wait: Option<u64>) -> bool {
        let mut inbox = self.inbox.lock();
        self.fill(endpoint, &mut inbox, wait);
        inbox.queue.len() > 0
    }

    /// Reads a batch of packets from the socket into the queue: until the socket is empty, the queue is full, or the
    /// batch is. Whoever waits for such packets is told, except the wait that calls this itself.
    fn fill(&self, endpoint: &Endpoint, inbox: &mut Inbox, wait: Option<u64>) -> Batch {
        let queue = &mut inbox.queue;
        let before = queue.len();
        let mut batch = Batch { cost: 0, last: false };
        SCRATCH.with_borrow_mut(|buffer| {
            for _ in 0..BATCH {
                if !queue.accepts() {
                    batch.last = true;
                    return;
                }
                match endpoint.socket.receive(buffer) {
                    Ok((length, sender)) => {
                        batch.cost += kernel_cost(length);
                        // The kernel filters too, but only what arrives after the socket was connected.
                        if endpoint.connected_to.is_none_or(|peer| is_same_host_and_port(sender, peer)) {
                            queue.push(&buffer[..length], sender);
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        batch.last = true;
                        return;
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        // As an empty packet, so that errors without end come to one all the same.
                        batch.cost += kernel_cost(0);
                        self.note_receive_errors(1, error);
                    }
                }
            }
        });
        if queue.len() == 0 {
            queue.note_quiet();
        } else if queue.len() > before {
            self.waiters.lock().wake_others(wait);
        }
        batch
    }

    fn note_receive_errors(&self, count: u64, last: io::Error) {
        self.receive_errors.fetch_add(count, Ordering::Relaxed);
        self.note(&Error::os(Operation::Receive, "", last));
    }

    /// Keeps what failed for [`last_error`](Self::last_error).
    fn noted<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result {
            self.note(error);
        }
        result
    }

    fn note(&self, error: &Error) {
        *self.last_error.lock() = LastError { code: error.os_code(), message: error.to_string() };
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

/// The scope of an address is not compared: a system may leave it out of one of the two.
fn is_same_host_and_port(one: SocketAddr, other: SocketAddr) -> bool {
    one.ip() == other.ip() && one.port() == other.port()
}

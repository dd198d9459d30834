//! A relay between clients and a target that know nothing of it: `UdpLinkProxy`.
//!
//! | module | what it has |
//! |---|---|
//! | [`way`] | what is counted in each direction |
//! | [`client`] | a client, which is the sink of its own socket |
//! | [`table`] | the clients by address, and which of them may be silent |
//! | [`relay`] | a relay in operation, which is the sink of the listening socket |

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroU16;
use std::sync::{Arc, Weak};

use crate::address;
use crate::diagnostics::LastError;
use crate::endpoint::Endpoint;
use crate::error::{Error, Operation, Reason, Result};
use crate::link::conditions::SharedConditions;
use crate::locks::{Mutex, rank};
use crate::names;
use crate::sink::Sink;
use crate::socket::Socket;
use crate::transport::{MulticastInterface, SocketState, parse_bind_address};

mod client;
mod relay;
mod table;
mod way;

use relay::Relay;
use table::Settings;
use way::Ways;
pub use way::{DirectionStats, ProxyStats};

/// What the kernel is asked for as the receive buffer of the listening socket, in bytes, as that of a server.
const RECEIVE_BUFFER: usize = 4 << 20;

/// A relay: it passes on what clients send to it to a target, and back, subject to link conditions. It runs on the background thread.
/// Usable from any number of threads at once.
///
/// Each address that sends to it becomes a client, up to [a number](Self::set_max_clients), with a port of its own to the target, until it
/// was silent for [too long](Self::set_client_timeout_msec) or the relay is [stopped](Self::stop). Where there are no conditions, whole
/// batches are passed on. With conditions, each client has a line of its own in each direction, which holds back at most 4 MiB, and all of
/// them together 64 MiB.
///
/// The target's host may report that it refuses what it is sent (ICMP). To the client, that is silence.
#[derive(Debug, Default)]
pub struct Proxy {
    state: Mutex<State, { rank::RELAY }>,
    ways: Arc<Ways>,
}

#[derive(Debug, Default)]
struct State {
    settings: Settings,
    running: Option<Running>,
    /// The relay that was stopped last. Its ports may not be free yet.
    stopped_last: Weak<Relay>,
    /// How often it was stopped.
    stops: u64,
}

#[derive(Debug)]
struct Running {
    relay: Arc<Relay>,
    endpoint: Arc<Endpoint>,
    socket: Arc<Socket>,
}

impl Proxy {
    /// Begins to listen on one address, or with `"*"` on all of both families, as [`Peer::bind`](crate::Peer::bind) does, and to pass on
    /// what is sent there to the target.
    ///
    /// A host name is resolved first, which blocks for as long as that takes; if the relay is stopped meanwhile, this fails with
    /// [`Reason::Closed`]. Of several addresses, the first that the listening socket can send to is used. Fails with
    /// [`Reason::AlreadyOpen`] if it runs.
    pub fn start(
        &self,
        target_host: &str,
        target_port: NonZeroU16,
        listen_port: u16,
        listen_address: &str,
    ) -> Result<()> {
        let result = self.try_start(target_host, target_port.get(), listen_port, listen_address);
        self.ways.diagnostics().recorded(result)
    }

    /// Stops. When this returns all ports are free, and what was held back is dropped and counted.
    pub fn stop(&self) {
        let mut state = self.state.lock();
        state.stops += 1;
        let running = state.running.take();
        if let Some(running) = &running {
            state.stopped_last = Arc::downgrade(&running.relay);
        }
        let stopped_last = state.stopped_last.upgrade();
        drop(state);
        match running {
            Some(Running { relay, endpoint, socket }) => {
                drop(socket);
                relay.stop(&endpoint);
            }
            // Another thread may be stopping it.
            None => stopped_last.iter().for_each(|relay| relay.await_stopped()),
        }
    }

    /// Whether it listens.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state.lock().running.is_some()
    }

    /// The address that it listens on; `None` when it does not run.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.state.lock().running.as_ref()?.socket.local_addr().ok()
    }

    /// How many clients there are.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.state.lock().running.as_ref().map_or(0, |running| running.relay.clients())
    }

    /// The conditions of what is sent to the target.
    #[must_use]
    pub fn to_target_conditions(&self) -> Option<Arc<SharedConditions>> {
        self.state.lock().settings.to_target.clone()
    }

    /// Sets the conditions of what is sent to the target, and begins a new line for each client. Without any, what is held back is sent at
    /// once. They stay when it is stopped.
    pub fn set_to_target_conditions(&self, conditions: Option<Arc<SharedConditions>>) {
        self.set(true, false, |settings| settings.to_target = conditions);
    }

    /// The conditions of what is sent to the clients.
    #[must_use]
    pub fn to_client_conditions(&self) -> Option<Arc<SharedConditions>> {
        self.state.lock().settings.to_client.clone()
    }

    /// Sets the conditions of what is sent to the clients, as [`set_to_target_conditions`](Self::set_to_target_conditions) does.
    pub fn set_to_client_conditions(&self, conditions: Option<Arc<SharedConditions>>) {
        self.set(false, true, |settings| settings.to_client = conditions);
    }

    /// After how many milliseconds a client is forgotten that sends nothing and is sent nothing; 0 for never.
    #[must_use]
    pub fn client_timeout_msec(&self) -> u32 {
        self.state.lock().settings.client_timeout_msec
    }

    /// Sets after how many milliseconds a client is forgotten that sends nothing and is sent nothing; 0 for never. A client of which
    /// something is held back is not silent. If a forgotten client sends again, it is a new one, with another port.
    pub fn set_client_timeout_msec(&self, msec: u32) {
        self.set(false, false, |settings| settings.client_timeout_msec = msec);
    }

    /// How many clients there may be.
    #[must_use]
    pub fn max_clients(&self) -> usize {
        self.state.lock().settings.max_clients
    }

    /// Sets how many clients there may be. The packets of more are dropped and counted. If there are more already, these stay.
    pub fn set_max_clients(&self, max: u32) {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        self.set(false, false, |settings| settings.max_clients = max);
    }

    /// The counters since the relay was made, or since [`reset_stats`](Self::reset_stats).
    #[must_use]
    pub fn stats(&self) -> ProxyStats {
        self.ways.stats()
    }

    /// Sets all counters of [`stats`](Self::stats) to zero, except of what is held back: that counts as received before, and as sent, lost
    /// or dropped when it is.
    pub fn reset_stats(&self) {
        self.ways.reset();
    }

    /// What the last failed call ran into, or the last packet that could not be passed on.
    #[must_use]
    pub fn last_error(&self) -> LastError {
        self.ways.diagnostics().last_error()
    }

    /// See [`Peer::fail`](crate::Peer::fail).
    pub fn fail<T>(&self, error: Error) -> Result<T> {
        self.ways.diagnostics().recorded(Err(error))
    }

    /// See [`Peer::note_misuse`](crate::Peer::note_misuse).
    pub fn note_misuse(&self, message: &str) {
        self.ways.diagnostics().record_misuse(message);
    }

    fn set(&self, to_target: bool, to_client: bool, change: impl FnOnce(&mut Settings)) {
        let mut state = self.state.lock();
        change(&mut state.settings);
        // Under the state's lock, so that of two threads the same one is last for the settings and for the relay.
        if let Some(running) = &state.running {
            running.relay.set(&state.settings, to_target, to_client);
        }
    }

    fn try_start(&self, host: &str, target_port: u16, listen_port: u16, listen_address: &str) -> Result<()> {
        let no_bind = |reason| Error::new(Operation::Bind, listen_address, reason);
        let no_target = |reason| Error::new(Operation::SetDestination, host, reason);
        let (is_running, stops) = {
            let state = self.state.lock();
            (state.running.is_some(), state.stops)
        };
        if is_running {
            return Err(no_bind(Reason::AlreadyOpen));
        }
        let listen_to = parse_bind_address(listen_address).map_err(no_bind)?;
        let addresses = match names::cached_destination(host).map_err(no_target)? {
            Some(addresses) => addresses,
            None => names::resolve(host).map_err(|words| no_target(Reason::Unresolvable(words)))?,
        };
        let stopped_last = self.state.lock().stopped_last.upgrade();
        if let Some(relay) = stopped_last {
            relay.await_stopped();
        }
        let mut state = self.state.lock();
        if state.running.is_some() {
            return Err(no_bind(Reason::AlreadyOpen));
        }
        if state.stops != stops {
            return Err(no_bind(Reason::Closed));
        }
        // There is no multicast interface that could be outdated.
        let interface = MulticastInterface::default();
        let opened = SocketState::default().bind(listen_to, listen_port, RECEIVE_BUFFER, &interface);
        let Ok(opened) = opened else { return Err(no_bind(Reason::NotOpen)) };
        let socket = Arc::new(opened?.socket);
        socket.answer_where_asked();
        let target = names::choose(&addresses, Some(socket.family()), target_port).map_err(no_target)?;
        let local = socket.local_addr().map_err(|error| no_bind(Reason::Os(error)))?;
        if is_own(local, target) {
            // As it would if the target had the port already.
            let error = io::Error::new(io::ErrorKind::AddrInUse, "the target has this port; choose another one");
            return Err(Error::os(Operation::Bind, address::describe(local), error));
        }
        let relay = Relay::new(Arc::clone(&socket), target, state.settings.clone(), Arc::clone(&self.ways));
        let sink: Arc<dyn Sink> = Arc::<Relay>::clone(&relay);
        let endpoint = Endpoint::new(Arc::clone(&socket), sink, Arc::clone(&self.ways.to_client.diagnostics));
        relay.listen(&endpoint);
        endpoint.start_background(&socket).map_err(|error| no_bind(Reason::Os(error)))?;
        state.running = Some(Running { relay, endpoint, socket });
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Whether what is sent to `target` comes to the socket that listens on `local`.
fn is_own(local: SocketAddr, target: SocketAddr) -> bool {
    let (here, there) = (local.ip(), target.ip());
    // Only to an address of this machine can a socket be bound.
    let is_local = || UdpSocket::bind(SocketAddr::new(there, 0)).is_ok();
    let is_here = here == there || there.is_unspecified() && here.is_loopback() || here.is_unspecified() && is_local();
    local.port() == target.port() && is_here
}

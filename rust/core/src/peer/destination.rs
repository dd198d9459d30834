//! Where a peer sends to: an address or a name, resolved in the call or meanwhile.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Weak;

use super::lookup::{DestinationChange, Lookup, Purpose, Resolved};
use super::{Peer, StateWriteGuard};
use crate::address;
use crate::error::{Error, Operation, Reason, Result};
use crate::names;
use crate::resolver::{self, OnResolved};
use crate::socket::Socket;
use crate::transport::{MulticastInterface, Transport};

/// The addresses of a host, and the state under whose lock one of them is to be used.
struct Found<'a> {
    state: StateWriteGuard<'a>,
    addresses: Vec<SocketAddr>,
    /// Whether the peer was closed while the resolver was asked.
    was_closed: bool,
}

impl Peer {
    /// Connects to one address: datagrams are sent there, and datagrams from elsewhere are not received. Opens the peer if it is
    /// closed. What is queued is dropped, and counts as dropped by the queue; what the kernel holds is received if it is from that
    /// address, and otherwise dropped without being counted. (Windows discards what it holds.)
    ///
    /// A connected peer connects anew: it keeps its port, and the system chooses the local address for the new way, unless
    /// [`bind`](Self::bind) has named one. (macOS chooses it in any case.) Where the system has chosen the port, Linux takes it away
    /// for a moment; what arrives then is lost, and if another socket takes the port, this fails.
    ///
    /// A host name is resolved first, which blocks for as long as that takes. If the peer is closed meanwhile this fails with
    /// [`Reason::Closed`]; if a newer call sets a destination, with [`Reason::Superseded`]. Where the system refuses, the peer is
    /// closed, as by the engine.
    pub fn connect(&self, host: &str, port: NonZeroU16) -> Result<()> {
        let fail = |reason| Error::new(Operation::Connect, host, reason);
        self.check_own(Operation::Connect, host)?;
        let connect = || {
            let interface = self.look_up_interface();
            let purpose = Purpose::Connect { port: port.get() };
            let found = self.find(host, purpose).map_err(fail)?;
            if found.was_closed {
                return Err(fail(Reason::Closed));
            }
            self.apply(found.state, host, purpose, &found.addresses, &interface, None).1
        };
        self.diagnostics.recorded(connect())
    }

    /// Sets the destination of [`send`](Self::send), also while the peer is closed.
    ///
    /// A host name is resolved first, which blocks for as long as that takes; if a newer call sets a destination meanwhile, this
    /// fails with [`Reason::Superseded`]. Of several addresses, the first that the open socket can send to is used. As the resolver
    /// does, this takes the number of an interface behind every IPv6 address (`::1%1`); it has an effect where the address is valid
    /// on one link only.
    pub fn set_destination(&self, host: &str, port: u16) -> Result<DestinationChange> {
        let set = || {
            let purpose = Purpose::SetDestination { port };
            let found = self.find(host, purpose).map_err(|reason| Error::new(purpose.operation(), host, reason))?;
            if found.state.socket.transport.is_connected() {
                return Ok(DestinationChange::Connected);
            }
            let interface = MulticastInterface::default();
            let applied = self.apply(found.state, host, purpose, &found.addresses, &interface, None);
            applied.1.map(|()| DestinationChange::Set)
        };
        self.diagnostics.recorded(set())
    }

    /// Whether the destination is this numeric address already, and setting it again would change nothing. Allocates nothing, so
    /// that scripts may set their destination before every packet.
    #[must_use]
    pub fn has_destination(&self, host: &str, port: u16) -> bool {
        let Some(ip) = address::parse_ip(host) else { return false };
        let state = self.state.read();
        let is_same = state.destination.is_some_and(|to| to.ip() == ip && to.port() == port && !address::has_scope(to));
        is_same && !state.lookup.is_pending() && !state.socket.transport.is_connected()
    }

    /// As [`connect`](Self::connect), but returns at once. [`take_resolved`](Self::take_resolved) tells the outcome, and
    /// [`take_pending_signals`](crate::take_pending_signals) that there is one. An error is about the arguments.
    ///
    /// A newer call, also of those that block, and closing the peer cancel it: then there is no outcome. An address that need not be
    /// looked up is connected to in the call.
    pub fn connect_async(&self, host: &str, port: NonZeroU16) -> Result<()> {
        self.check_own(Operation::Connect, host)?;
        self.diagnostics.recorded(self.begin(host, Purpose::Connect { port: port.get() })).map(drop)
    }

    /// As [`set_destination`](Self::set_destination), but returns at once, as [`connect_async`](Self::connect_async) does. On a
    /// connected peer, the outcome is [`Reason::Connected`].
    pub fn set_destination_async(&self, host: &str, port: u16) -> Result<DestinationChange> {
        self.diagnostics.recorded(self.begin(host, Purpose::SetDestination { port }))
    }

    /// Cancels the look-up in progress, as a newer call does.
    pub fn cancel_resolving(&self) {
        self.state.write().lookup.begin();
    }

    /// Whether a name is being looked up for [`connect_async`](Self::connect_async) or
    /// [`set_destination_async`](Self::set_destination_async).
    #[must_use]
    pub fn is_resolving(&self) -> bool {
        self.state.read().lookup.is_resolving()
    }

    /// The outcome of the last call that did not block, once.
    pub fn take_resolved(&self) -> Option<Resolved> {
        // Asked for whenever the peer may have a signal to emit, mostly because of packets.
        if !self.state.read().lookup.has_resolved() {
            return None;
        }
        self.state.write().lookup.take_resolved()
    }

    fn begin(&self, host: &str, purpose: Purpose) -> Result<DestinationChange> {
        let fail = |reason| Error::new(purpose.operation(), host, reason);
        let cached = purpose.cached(host);
        let interface = self.look_up_interface();
        let mut state = self.state.write();
        let call = state.lookup.begin();
        let cached = cached.map_err(fail)?;
        if matches!(purpose, Purpose::SetDestination { .. }) && state.socket.transport.is_connected() {
            let error = fail(Reason::Connected);
            self.diagnostics.record(&error);
            self.finish(state, Resolved { address: None, error: Some(error) });
            return Ok(DestinationChange::Connected);
        }
        if let Some(found) = cached {
            self.conclude(state, call, (host, purpose), &found, &interface);
            return Ok(DestinationChange::Set);
        }
        let on_resolved: Weak<dyn OnResolved> = Weak::<Self>::clone(&self.me);
        let guard = resolver::look_up(host, on_resolved).map_err(|error| fail(Reason::NoThread(error)))?;
        state.lookup.start(Lookup { guard, host: host.to_owned(), purpose });
        Ok(DestinationChange::Set)
    }

    /// Uses the addresses that were found, and stores the outcome of the call.
    fn conclude<'a>(
        &'a self,
        state: StateWriteGuard<'a>,
        call: u64,
        (host, purpose): (&str, Purpose),
        found: &[SocketAddr],
        interface: &MulticastInterface,
    ) {
        let closings = state.closings;
        let (address, result) = self.apply(state, host, purpose, found, interface, Some((call, closings)));
        let error = self.diagnostics.recorded(result).err();
        let state = self.state.write();
        if state.lookup.calls == call && state.closings == closings {
            self.finish(state, Resolved { address, error });
        }
    }

    fn finish(&self, mut state: StateWriteGuard<'_>, resolved: Resolved) {
        state.lookup.finish(resolved);
        drop(state);
        self.inbox.mark();
    }

    /// The addresses of `host`. Asks the resolver, and blocks, if they are not cached.
    fn find(&self, host: &str, purpose: Purpose) -> std::result::Result<Found<'_>, Reason> {
        let cached = purpose.cached(host);
        let mut state = self.state.write();
        let (call, closings) = (state.lookup.begin(), state.closings);
        if let Some(addresses) = cached? {
            return Ok(Found { state, addresses, was_closed: false });
        }
        state.lookup.blocking += 1;
        drop(state);
        let answer = names::resolve(host);
        let mut state = self.state.write();
        state.lookup.blocking -= 1;
        let addresses = answer.map_err(Reason::Unresolvable)?;
        if state.lookup.calls != call {
            return Err(Reason::Superseded);
        }
        let was_closed = state.closings != closings;
        Ok(Found { state, addresses, was_closed })
    }

    /// Sets the destination, or connects. Also returns the address that was chosen. `unless_after` is the last call and closing before
    /// this one: if there is a newer one before the peer can be opened, nothing is done.
    fn apply<'a>(
        &'a self,
        mut state: StateWriteGuard<'a>,
        host: &str,
        purpose: Purpose,
        found: &[SocketAddr],
        interface: &MulticastInterface,
        unless_after: Option<(u64, u64)>,
    ) -> (Option<SocketAddr>, Result<()>) {
        let family = state.socket.transport.own().map(|own| Socket::family(&own.socket));
        let to = match names::choose(found, family, purpose.port()) {
            Ok(to) => to,
            Err(reason) => return (None, Err(Error::new(purpose.operation(), host, reason))),
        };
        let result = match purpose {
            Purpose::SetDestination { .. } => {
                state.destination = Some(to);
                Ok(())
            }
            Purpose::Connect { .. } => self.connect_to(state, host, to, interface, unless_after),
        };
        (Some(to), result)
    }

    fn connect_to<'a>(
        &'a self,
        mut state: StateWriteGuard<'a>,
        host: &str,
        to: SocketAddr,
        interface: &MulticastInterface,
        unless_after: Option<(u64, u64)>,
    ) -> Result<()> {
        let fail = |reason| Error::new(Operation::Connect, host, reason);
        if let Ok(opened) = self.open_locked(&mut state, to.ip(), interface) {
            opened.map_err(fail)?;
        } else {
            // The multicast interface was set meanwhile, so the new one has to be looked up without the lock; or another thread is
            // closing the socket.
            drop(state);
            let (opened_state, opened) = self.with_interface(|state, interface| {
                let last = (state.lookup.calls, state.closings);
                if unless_after.is_some_and(|before| before != last) {
                    return Ok(Err(Reason::Superseded));
                }
                self.open_locked(state, to.ip(), interface)
            });
            opened.map_err(fail)?;
            state = opened_state;
        }
        if state.socket.transport.own().is_some() {
            // What is held is dropped before the socket has another target, where the thread that sends it would send it.
            state.socket.discard_outgoing();
        }
        let Transport::Own(own) = &mut state.socket.transport else {
            return Err(fail(Reason::Accepted));
        };
        if let Err(reason) = own.connect(to) {
            self.close_socket(state);
            return Err(Error::new(Operation::Connect, address::describe(to), reason));
        }
        state.destination = Some(to);
        self.discard_incoming();
        self.inbox.lock().discard_queued();
        Ok(())
    }
}

impl OnResolved for Peer {
    fn on_resolved(&self, id: u64, answer: &std::result::Result<Vec<SocketAddr>, String>) {
        let interface = self.look_up_interface();
        let state = self.state.write();
        let Some(lookup) = state.lookup.get(id) else { return };
        let (host, purpose, call) = (lookup.host.clone(), lookup.purpose, state.lookup.calls);
        match answer {
            Ok(found) => self.conclude(state, call, (&host, purpose), found, &interface),
            Err(words) => {
                let error = Error::new(purpose.operation(), host, Reason::Unresolvable(words.clone()));
                self.diagnostics.record(&error);
                self.finish(state, Resolved { address: None, error: Some(error) });
            }
        }
    }
}

//! Where a peer sends to: an address or a name, resolved in the call or meanwhile.

use std::net::SocketAddr;
use std::sync::Weak;

use parking_lot::RwLockWriteGuard;

use super::{Link, Peer, State};
use crate::address;
use crate::background;
use crate::error::{Error, Operation, Reason, Result};
use crate::resolve;
use crate::resolver::{self, Ticket};
use crate::socket::Socket;

/// What [`Peer::set_destination`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestinationChange {
    /// The destination is the new one, or will be when its name is resolved.
    Set,
    /// The peer is connected, and its destination stays what it is connected to.
    Connected,
}

/// What came of a [`Peer::set_destination_async`] or [`Peer::connect_async`].
#[derive(Debug)]
pub struct Resolved {
    /// The address that was found; `None` where there is none.
    pub address: Option<SocketAddr>,
    /// What failed, if something did.
    pub error: Option<Error>,
}

/// What is to be done with an address that was found.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    SetDestination { port: u16 },
    Connect { port: u16 },
}

/// A name that is being looked up.
#[derive(Debug)]
struct Lookup {
    ticket: Ticket,
    host: String,
    purpose: Purpose,
}

/// How far the calls that set a destination have come.
#[derive(Debug, Default)]
pub(super) struct Resolving {
    /// How many there were: a name that was looked up for an older one is of no use.
    calls: u64,
    lookup: Option<Lookup>,
    /// For [`Peer::take_resolved`].
    resolved: Option<Resolved>,
}

impl Resolving {
    /// Begins a call: the one before is of no interest any more.
    fn begin(&mut self) -> u64 {
        self.cancel();
        self.calls += 1;
        self.calls
    }

    /// Calls off what is not done yet, and what nobody was told of.
    pub(super) fn cancel(&mut self) {
        self.lookup = None;
        self.resolved = None;
    }
}

impl Purpose {
    fn operation(self) -> Operation {
        match self {
            Self::SetDestination { .. } => Operation::SetDestination,
            Self::Connect { .. } => Operation::Connect,
        }
    }

    /// Any port is taken; as in the engine only its lower 16 bits count.
    fn set_destination(port: i64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what the engine does with a port")]
        let port = port as u16;
        Self::SetDestination { port }
    }

    fn connect(port: i64) -> std::result::Result<Self, Reason> {
        address::port_to_reach(port).map(|port| Self::Connect { port })
    }
}

/// The addresses of a host, and the link to use one of them with.
struct Found<'a> {
    link: RwLockWriteGuard<'a, Link>,
    addresses: Vec<SocketAddr>,
    /// Whether the peer was closed while the resolver was asked.
    was_closed: bool,
}

impl Peer {
    /// Connects to one address: what is sent goes there, and packets from anyone else are not received. Opens the peer
    /// if it is closed; empties the queue. A host name is resolved first, which blocks for as long as that takes; closing
    /// the peer meanwhile makes this fail with [`Reason::Closed`], and a newer call with [`Reason::Superseded`].
    ///
    /// Where the system refuses, the peer is closed, as the engine does.
    pub fn connect(&self, host: &str, port: i64) -> Result<()> {
        let fail = |reason| Error::new(Operation::Connect, host, reason);
        self.own(Operation::Connect, host)?;
        self.noted((|| {
            let purpose = self.valid(Purpose::connect(port)).map_err(fail)?;
            let found = self.find(host).map_err(fail)?;
            if found.was_closed {
                return Err(fail(Reason::Closed));
            }
            self.apply(found.link, host, purpose, &found.addresses).1
        })())
    }

    /// Sets where [`send`](Self::send) sends to, also while the peer is closed. A host name is resolved first, which
    /// blocks for as long as that takes (a newer call meanwhile makes this fail with [`Reason::Superseded`]); of several
    /// addresses, the first that the open socket can send to is taken.
    ///
    /// Any port is taken; as in the engine only its lower 16 bits count.
    pub fn set_destination(&self, host: &str, port: i64) -> Result<DestinationChange> {
        self.noted((|| {
            let found = self.find(host).map_err(|reason| Error::new(Operation::SetDestination, host, reason))?;
            if found.link.state.is_connected() {
                return Ok(DestinationChange::Connected);
            }
            let purpose = Purpose::set_destination(port);
            self.apply(found.link, host, purpose, &found.addresses).1.map(|()| DestinationChange::Set)
        })())
    }

    /// As [`connect`](Self::connect), but returns at once: what came of it is told by [`take_resolved`](Self::take_resolved),
    /// for which [`take_news`](crate::take_news) calls. An error is one of the arguments.
    ///
    /// A newer call, also of the ones that do block, or closing the peer calls it off: nothing is told of it then. An address
    /// that need not be looked up is connected to in the call.
    pub fn connect_async(&self, host: &str, port: i64) -> Result<()> {
        let fail = |reason| Error::new(Operation::Connect, host, reason);
        self.own(Operation::Connect, host)?;
        let purpose = self.valid(Purpose::connect(port)).map_err(fail);
        self.noted(purpose.and_then(|purpose| self.begin(host, purpose))).map(drop)
    }

    /// As [`set_destination`](Self::set_destination), but returns at once, as [`connect_async`](Self::connect_async) does.
    /// On a connected peer, what is told of it is [`Reason::Connected`].
    pub fn set_destination_async(&self, host: &str, port: i64) -> Result<DestinationChange> {
        self.noted(self.begin(host, Purpose::set_destination(port)))
    }

    /// Whether a name is being looked up for [`connect_async`](Self::connect_async) or
    /// [`set_destination_async`](Self::set_destination_async).
    #[must_use]
    pub fn is_resolving(&self) -> bool {
        self.link.read().resolving.lookup.is_some()
    }

    /// What came of the last call that did not block, once.
    pub fn take_resolved(&self) -> Option<Resolved> {
        // Asked for whenever there is something new to this peer, and most of that is packets.
        self.link.read().resolving.resolved.as_ref()?;
        self.link.write().resolving.resolved.take()
    }

    fn begin(&self, host: &str, purpose: Purpose) -> Result<DestinationChange> {
        let fail = |reason| Error::new(purpose.operation(), host, reason);
        let at_hand = resolve::at_hand(host);
        let mut link = self.link.write();
        let call = link.resolving.begin();
        let at_hand = at_hand.map_err(fail)?;
        if matches!(purpose, Purpose::SetDestination { .. }) && link.state.is_connected() {
            let error = fail(Reason::Connected);
            self.note(&error);
            self.tell(&mut link, Resolved { address: None, error: Some(error) });
            return Ok(DestinationChange::Connected);
        }
        if let Some(found) = at_hand {
            self.conclude(link, call, host, purpose, &found);
        } else {
            let ticket = resolver::look_up(host, Weak::clone(&self.me));
            let ticket = ticket.map_err(|error| fail(Reason::NoThread(error)))?;
            link.resolving.lookup = Some(Lookup { ticket, host: host.to_owned(), purpose });
        }
        Ok(DestinationChange::Set)
    }

    /// Called when the resolver has answered for a ticket.
    pub(crate) fn resolved(&self, ticket: u64, answer: &std::result::Result<Vec<SocketAddr>, String>) {
        let mut link = self.link.write();
        let Some(lookup) = link.resolving.lookup.as_ref().filter(|lookup| lookup.ticket.id() == ticket) else { return };
        let (host, purpose, call) = (lookup.host.clone(), lookup.purpose, link.resolving.calls);
        match answer {
            Ok(found) => self.conclude(link, call, &host, purpose, found),
            Err(words) => {
                let error = Error::new(purpose.operation(), host, Reason::Unresolvable(words.clone()));
                self.note(&error);
                self.tell(&mut link, Resolved { address: None, error: Some(error) });
            }
        }
    }

    /// Does what is to be done with addresses that were found, and tells of it.
    fn conclude(
        &self,
        link: RwLockWriteGuard<'_, Link>,
        call: u64,
        host: &str,
        purpose: Purpose,
        found: &[SocketAddr],
    ) {
        let closings = link.closings;
        let (address, result) = self.apply(link, host, purpose, found);
        let error = self.noted(result).err();
        let mut link = self.link.write();
        if link.resolving.calls == call && link.closings == closings {
            self.tell(&mut link, Resolved { address, error });
        }
    }

    fn tell(&self, link: &mut Link, resolved: Resolved) {
        link.resolving.lookup = None;
        link.resolving.resolved = Some(resolved);
        if let Some(token) = self.token.get() {
            background::note_news(&[*token]);
        }
    }

    /// A call with a port that cannot be is a call, too.
    fn valid(&self, purpose: std::result::Result<Purpose, Reason>) -> std::result::Result<Purpose, Reason> {
        purpose.inspect_err(|_| _ = self.link.write().resolving.begin())
    }

    /// The addresses of `host`; asks the resolver, and blocks, where they are not at hand.
    fn find(&self, host: &str) -> std::result::Result<Found<'_>, Reason> {
        let at_hand = resolve::at_hand(host);
        let mut link = self.link.write();
        let (call, closings) = (link.resolving.begin(), link.closings);
        if let Some(addresses) = at_hand? {
            return Ok(Found { link, addresses, was_closed: false });
        }
        drop(link);
        let addresses = resolve::ask(host).map_err(Reason::Unresolvable)?;
        let link = self.link.write();
        if link.resolving.calls != call {
            return Err(Reason::Superseded);
        }
        let was_closed = link.closings != closings;
        Ok(Found { link, addresses, was_closed })
    }

    /// Sets the destination, or connects; also says to which address.
    fn apply(
        &self,
        mut link: RwLockWriteGuard<'_, Link>,
        host: &str,
        purpose: Purpose,
        found: &[SocketAddr],
    ) -> (Option<SocketAddr>, Result<()>) {
        let (Purpose::SetDestination { port } | Purpose::Connect { port }) = purpose;
        let family = link.state.socket().map(Socket::family);
        let to = match resolve::choose(found, family, port) {
            Ok(to) => to,
            Err(reason) => return (None, Err(Error::new(purpose.operation(), host, reason))),
        };
        let result = match purpose {
            Purpose::SetDestination { .. } => {
                link.destination = Some(to);
                Ok(())
            }
            Purpose::Connect { .. } => self.connect_to(link, host, to),
        };
        (Some(to), result)
    }

    fn connect_to(&self, mut link: RwLockWriteGuard<'_, Link>, host: &str, to: SocketAddr) -> Result<()> {
        if link.state.socket().is_none() {
            self.open_for(&mut link, to.ip()).map_err(|reason| Error::new(Operation::Connect, host, reason))?;
        }
        if let State::Open(endpoint) = &mut link.state {
            match endpoint.socket.connect(to) {
                Ok(peer) => endpoint.connected_to = Some(peer),
                Err(error) => {
                    let reason = endpoint.socket.refusal(to, error);
                    self.close_link(link);
                    return Err(Error::new(Operation::Connect, address::describe(to), reason));
                }
            }
        }
        link.destination = Some(to);
        self.inbox.lock().queue.clear();
        Ok(())
    }
}

//! How the datagrams of a peer get to the kernel and back: by a socket of its own, or by that of its server.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use crate::diagnostics::Diagnostics;
use crate::endpoint::Endpoint;
use crate::error::{Reason, Result as CallResult};
use crate::inbox::Inbox;
use crate::link::conditions::SharedConditions;
use crate::link::outgoing::Outgoing;
use crate::locks::{RwLock, rank};
use crate::peer_table::PeerTable;
use crate::queue::RemoteAddr;
use crate::route::{Origin, Route};
use crate::sender_lanes::ConditionedTable;
use crate::sink::Sink;
use crate::socket::Socket;
use crate::socket::group::Group;
use crate::socket::options::Options;
use crate::sys::{Payloads, Source};
use crate::waiters::{OWNER, WaiterId};

mod conditions;
mod opening;
mod state;

pub(crate) use opening::{MulticastInterface, Outdated, User, parse_bind_address};

/// What a peer and a server have in common: a transport that is opened and closed, and the options that outlive it.
#[derive(Debug, Default)]
pub(crate) struct SocketState {
    /// A server's is never `Shared`.
    pub(crate) transport: Transport,
    pub(crate) options: Options,
    pub(crate) conditions: LinkSettings,
    /// What holds back what is sent, once there were conditions for it. Not of a server, whose peers have their own.
    pub(crate) outgoing: Option<Arc<Outgoing>>,
    /// What the kernel has dropped at the sockets that are closed by now.
    kernel_drops_before: u64,
    /// The endpoint that was closed last. Its port may not be free yet.
    closed_last: Weak<Endpoint>,
}

/// The conditions of the link, for what is sent and for what is received. Of a server: what its peers start with.
#[derive(Clone, Debug, Default)]
pub(crate) struct LinkSettings {
    pub(crate) send: Option<Arc<SharedConditions>>,
    pub(crate) receive: Option<Arc<SharedConditions>>,
}

/// What a peer sends by, and the conditions on it.
#[derive(Clone, Copy)]
pub(crate) struct SendPath<'a> {
    pub(crate) route: Route<'a>,
    outgoing: Option<&'a Outgoing>,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) enum Transport {
    #[default]
    Closed,
    Own(Own),
    Shared(ServerLink),
}

/// A socket of a peer's or server's own.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) socket: Arc<Socket>,
    /// The one address to send to and to receive from; `None`: any.
    pub(crate) connected_to: Option<SocketAddr>,
    /// What datagrams leave from, see [`SocketOption::SourceAddress`](crate::SocketOption::SourceAddress).
    source: Option<Source>,
    /// Whether the socket is bound to every address, or not bound, so that the source has an effect.
    is_wildcard: bool,
    /// What `bind` asked for as the receive buffer, in bytes; 0 where it did not open the socket.
    recv_buf_size: usize,
}

/// What ties a peer to the server that has accepted it.
#[derive(Debug)]
pub(crate) struct ServerLink {
    pub(crate) server: Arc<ServerSocket>,
    /// The server's endpoint when the peer was accepted. If it is closed, the server was stopped since.
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) remote: RemoteAddr,
    pub(crate) id: WaiterId,
    /// Of the peer. It knows where the last packet arrived.
    pub(crate) inbox: Arc<Inbox>,
}

/// The part of a server that its peers use.
#[derive(Debug)]
pub(crate) struct ServerSocket {
    pub(crate) state: RwLock<SocketState, { rank::SERVER }>,
    pub(crate) table: Arc<PeerTable>,
    /// The sink of its endpoints: the table, and the link conditions of what its peers receive.
    pub(crate) incoming: Arc<ConditionedTable>,
}

impl SendPath<'_> {
    /// Sends a datagram. An error is the caller's to record.
    #[inline]
    pub(crate) fn send_one(&self, diagnostics: &Diagnostics, to: SocketAddr, datagram: &[u8]) -> CallResult<()> {
        match self.outgoing {
            None => self.route.send_one(diagnostics, to, datagram),
            Some(outgoing) => outgoing.send_one(&self.route, to, datagram),
        }
    }

    /// Sends datagrams in order; how many were taken. An error is recorded.
    pub(crate) fn send_all(&self, diagnostics: &Diagnostics, to: SocketAddr, payloads: &Payloads<'_>) -> usize {
        match self.outgoing {
            None => self.route.send_all(diagnostics, to, payloads),
            Some(outgoing) => outgoing.send_all(&self.route, to, payloads),
        }
    }

    /// The same, from what `origin` says.
    pub(crate) fn from<'b>(self, origin: Origin<'b>) -> SendPath<'b>
    where
        Self: 'b,
    {
        SendPath { route: Route { origin, ..self.route }, ..self }
    }
}

impl SocketState {
    /// What `with` makes of what the peer sends by; `None` where there is no open socket.
    #[inline]
    pub(crate) fn with_path<T>(&self, with: impl FnOnce(SendPath<'_>) -> T) -> Option<T> {
        let outgoing = self.outgoing.as_deref().filter(|outgoing| !outgoing.is_over());
        self.transport.with_route(|route| with(SendPath { route, outgoing }))
    }
}

impl Transport {
    /// What `with` makes of what the peer sends by; `None` where there is no open socket.
    pub(crate) fn with_route<T>(&self, with: impl FnOnce(Route<'_>) -> T) -> Option<T> {
        match self {
            Self::Closed => None,
            Self::Own(own) => Some(with(Route {
                socket: &own.socket,
                connected_to: own.connected_to,
                origin: own.source.as_ref().filter(|_| own.is_wildcard).map_or(Origin::System, Origin::Chosen),
                server: None,
            })),
            Self::Shared(link) => link.endpoint.with_socket(|socket| {
                let origin = if link.inbox.has_arrival() { Origin::Asked(&link.inbox) } else { Origin::System };
                with(Route { socket, connected_to: None, origin, server: Some(link.endpoint.diagnostics()) })
            }),
        }
    }

    pub(crate) fn own(&self) -> Option<&Own> {
        match self {
            Self::Own(own) => Some(own),
            Self::Closed | Self::Shared(_) => None,
        }
    }

    pub(crate) fn link(&self) -> Option<&ServerLink> {
        match self {
            Self::Shared(link) => Some(link),
            Self::Closed | Self::Own(_) => None,
        }
    }

    /// The endpoint that the peer waits on, and as which waiter.
    pub(crate) fn endpoint(&self) -> Option<(&Arc<Endpoint>, WaiterId)> {
        match self {
            Self::Closed => None,
            Self::Own(own) => Some((&own.endpoint, OWNER)),
            Self::Shared(link) => Some((&link.endpoint, link.id)),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Closed => false,
            Self::Own(_) => true,
            Self::Shared(link) => !link.endpoint.is_closed(),
        }
    }

    /// Whether there is one address to send to and to receive from.
    pub(crate) fn is_connected(&self) -> bool {
        match self {
            Self::Closed => false,
            Self::Own(own) => own.connected_to.is_some(),
            Self::Shared(_) => true,
        }
    }
}

impl Own {
    /// Takes a new socket into use.
    pub(crate) fn new(
        socket: Socket,
        recv_buf_size: usize,
        sink: Arc<dyn Sink>,
        diagnostics: Arc<Diagnostics>,
    ) -> Self {
        let socket = Arc::new(socket);
        let endpoint = Endpoint::new(Arc::clone(&socket), sink, diagnostics);
        let is_wildcard = socket.is_wildcard();
        Self { endpoint, socket, connected_to: None, source: None, is_wildcard, recv_buf_size }
    }

    /// Connects the socket, also if it is connected already. The port stays, but not what the system has chosen as the local
    /// address for the way to the address before.
    pub(crate) fn connect(&mut self, to: SocketAddr) -> Result<(), Reason> {
        // Reading must not overlap: what is received afterwards is from that address.
        let mut receiver = self.endpoint.receiver();
        if self.connected_to.is_some() {
            self.socket.disconnect().map_err(Reason::Os)?;
        }
        let peer = self.socket.connect(to).map_err(|error| self.socket.refusal(to, error))?;
        receiver.connected_to = Some(peer);
        drop(receiver);
        self.connected_to = Some(peer);
        Ok(())
    }

    pub(crate) fn change_group(&self, group: &Group, join: bool) -> Result<(), Reason> {
        let mut receiver = self.endpoint.receiver();
        self.socket.change_group(group, join)?;
        receiver.memberships.record(group, join);
        Ok(())
    }

    pub(crate) fn set_background(&self, enabled: bool) -> io::Result<()> {
        if enabled {
            self.endpoint.start_background(&self.socket)?;
            // What is due, and had no room while the peer was polled.
            self.endpoint.release();
            return Ok(());
        }
        self.endpoint.stop_background(&self.socket);
        Ok(())
    }

    /// Asks for a receive buffer of so many bytes; with 0 for what `bind` has asked for.
    pub(crate) fn resize_receive_buffer(&self, size: usize) -> io::Result<()> {
        self.socket.resize_receive_buffer(size, self.recv_buf_size)?;
        self.endpoint.receiver().kernel_buffer = self.socket.receive_buffer_size().unwrap_or(0);
        Ok(())
    }
}

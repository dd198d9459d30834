//! How the datagrams of a peer get to the kernel and back: by a socket of its own, or by that of its server.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use crate::diagnostics::Diagnostics;
use crate::endpoint::Endpoint;
use crate::error::Reason;
use crate::inbox::Inbox;
use crate::locks::{RwLock, rank};
use crate::peer_table::PeerTable;
use crate::queue::RemoteAddr;
use crate::sink::Sink;
use crate::socket::Socket;
use crate::socket::group::Group;
use crate::socket::options::Options;
use crate::sys::{self, Source};
use crate::waiters::{OWNER, WaiterId};

mod opening;
mod state;

pub(crate) use opening::{MulticastInterface, Outdated, User, parse_bind_address};

/// What a peer and a server have in common: a transport that is opened and closed, and the options that outlive it.
#[derive(Debug, Default)]
pub(crate) struct SocketState {
    /// A server's is never `Shared`.
    pub(crate) transport: Transport,
    pub(crate) options: Options,
    /// What the kernel has dropped at the sockets that are closed by now.
    kernel_drops_before: u64,
    /// The endpoint that was closed last. Its port may not be free yet.
    closed_last: Weak<Endpoint>,
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
}

/// What a peer sends by.
#[derive(Clone, Copy)]
pub(crate) struct Route<'a> {
    pub(crate) socket: &'a Socket,
    pub(crate) connected_to: Option<SocketAddr>,
    /// What datagrams leave from, where they are not sent to `connected_to`.
    pub(crate) origin: Origin<'a>,
    /// Where the socket is a server's: counts what its peers send.
    pub(crate) server: Option<&'a Diagnostics>,
}

/// Who decides what a datagram leaves from.
#[derive(Clone, Copy)]
pub(crate) enum Origin<'a> {
    System,
    /// [`SocketOption::SourceAddress`](crate::SocketOption::SourceAddress).
    Chosen(&'a Source),
    /// A copy of a broadcast, by the interface that it is for.
    Interface(&'a Source),
    /// The client of a server's peer, by where it has sent to.
    Asked(&'a Inbox),
}

impl Route<'_> {
    /// What a datagram leaves from; `None`: the system decides.
    pub(crate) fn source(&self) -> Option<Source> {
        match self.origin {
            Origin::System => None,
            Origin::Chosen(source) | Origin::Interface(source) => Some(*source),
            Origin::Asked(inbox) => inbox.answer_from(),
        }
    }

    /// Whether a send that failed with `error` is to be repeated without the source: this machine may have lost the address that the
    /// client has sent to. An address that a script has chosen is not replaced by another.
    pub(crate) fn may_drop_source(&self, error: &io::Error) -> bool {
        matches!(self.origin, Origin::Asked(_)) && sys::is_source_gone(error)
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
            return self.endpoint.start_background(&self.socket);
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

//! Sending: one datagram, or many with few system calls.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::{NonZeroU16, NonZeroUsize};

use super::{Peer, PeerState, StateReadGuard, StateWriteGuard};
use crate::address;
use crate::error::{Error, Operation, Reason, Result};
use crate::interface::{self, Broadcast};
use crate::route::{Origin, Route};
use crate::sys::{self, Payloads, Source};
use crate::transport::SendPath;

/// The largest payload that IPv4 carries. IPv6 carries 20 bytes more; packets that must get through by either stay below this.
pub const MAX_PAYLOAD_IPV4: usize = sys::MAX_PAYLOAD_IPV4;

impl Peer {
    /// Sends one datagram to the destination. Opens the peer if it is closed, with a socket of the destination's family. Never
    /// blocks: [`Reason::Busy`] when the kernel's send buffer is full.
    pub fn send(&self, datagram: &[u8]) -> Result<()> {
        let sent = self.to_destination(|path, to| path.send_one(&self.diagnostics, to, datagram));
        self.diagnostics.recorded_send(sent.flatten())
    }

    /// Sends one datagram to a numeric address; the destination stays as it is. Opens the peer if it is closed. The system refuses
    /// port 0. [`Reason::Connected`] on a connected peer.
    pub fn send_to(&self, datagram: &[u8], ip: &str, port: u16) -> Result<()> {
        let fail = |reason| Error::new(Operation::Send, ip, reason);
        self.check_own(Operation::Send, ip)?;
        let send = || {
            let mut to = address::parse_scoped(ip).map_err(fail)?.ok_or_else(|| fail(Reason::InvalidAddress))?;
            to.set_port(port);
            let state = self.open_to_send(to.ip())?;
            if state.socket.transport.is_connected() {
                return Err(fail(Reason::Connected));
            }
            by_path(&state, |path| path.send_one(&self.diagnostics, to, datagram))
        };
        self.diagnostics.recorded_send(send())
    }

    /// Sends one datagram to the directed broadcast address of every interface that has one, and by that interface, also where two
    /// have the same range; how many were sent. Opens the peer if it is closed. Where the kernel refuses one, or its list of
    /// interfaces, [`last_error`](Self::last_error) says why.
    ///
    /// Broadcasts must be [enabled](Self::set_broadcast). [`Reason::Connected`] on a connected peer, [`Reason::WrongFamily`] on one
    /// that has IPv6 only.
    pub fn send_broadcast(&self, datagram: &[u8], port: NonZeroU16) -> Result<usize> {
        let fail = |reason| Error::new(Operation::Broadcast, "", reason);
        self.check_own(Operation::Broadcast, "")?;
        let open = || {
            if !self.option(|options| options.broadcast) {
                return Err(fail(Reason::NoBroadcast));
            }
            let networks = interface::broadcasts();
            let state = self.open_to_send(Ipv4Addr::BROADCAST.into())?;
            if state.socket.transport.is_connected() {
                return Err(fail(Reason::Connected));
            }
            let reaches = |route: Route<'_>| route.socket.family().reaches(Ipv4Addr::BROADCAST.into());
            if state.socket.transport.with_route(reaches) != Some(true) {
                return Err(fail(Reason::WrongFamily(None)));
            }
            Ok((state, networks))
        };
        let (state, networks) = self.diagnostics.recorded_send(open())?;
        let networks = match networks {
            Ok(networks) if networks.is_empty() => self.diagnostics.recorded(Err(fail(Reason::NoInterface))),
            Ok(networks) => Ok(networks),
            Err(error) => self.diagnostics.recorded(Err(fail(Reason::Os(error)))),
        };
        // One leaves from an address of its interface, unless the socket is bound to another one.
        let bound_to = state.socket.local_addr().map(|address| address.ip()).filter(|ip| !ip.is_unspecified());
        let send = |network: &Broadcast| {
            let to = SocketAddr::from((network.address, port.get()));
            let source = Source { ip: bound_to, interface: network.interface };
            let origin = Origin::Interface(&source);
            by_path(&state, |path| path.from(origin).send_one(&self.diagnostics, to, datagram))
        };
        let is_sent = |network: &&Broadcast| self.diagnostics.recorded_send(send(network)).is_ok();
        Ok(networks.unwrap_or_default().iter().filter(is_sent).count())
    }

    /// Sends many datagrams to the destination, in order; how many the kernel took. If it refuses one, the rest is not sent, and
    /// [`last_error`](Self::last_error) says why.
    pub fn send_many(&self, datagrams: &[&[u8]]) -> Result<usize> {
        self.send_payloads(&Payloads::Each(datagrams))
    }

    /// Cuts `data` into datagrams of `segment` bytes, of which the last may be shorter, and sends them as
    /// [`send_many`](Self::send_many) does, without copying.
    pub fn send_segmented(&self, data: &[u8], segment: NonZeroUsize) -> Result<usize> {
        self.send_payloads(&Payloads::Segmented { data, segment: segment.get() })
    }

    fn send_payloads(&self, payloads: &Payloads<'_>) -> Result<usize> {
        self.diagnostics.recorded_send(self.to_destination(|path, to| path.send_all(&self.diagnostics, to, payloads)))
    }

    /// Calls `send` with what the peer sends by, which is opened if it is closed, and the destination.
    fn to_destination<T>(&self, send: impl Fn(SendPath<'_>, SocketAddr) -> T) -> Result<T> {
        let no_destination = || Error::new(Operation::Send, "", Reason::NoDestination);
        {
            let state = self.state.read();
            let to = state.destination.ok_or_else(no_destination)?;
            if let Some(sent) = state.socket.with_path(|path| send(path, to)) {
                return Ok(sent);
            }
        }
        loop {
            let to = self.state.read().destination.ok_or_else(no_destination)?;
            let state = self.open_to_send(to.ip())?;
            // Its server may be stopped in between; then the peer opens a socket of its own.
            if let Some(sent) = state.socket.with_path(|path| send(path, to)) {
                return Ok(sent);
            }
        }
    }

    /// The state, with an open socket; if the peer is closed it is opened for `ip`.
    fn open_to_send(&self, ip: IpAddr) -> Result<StateReadGuard<'_>> {
        let state = self.state.read();
        if state.socket.transport.is_open() {
            return Ok(state);
        }
        drop(state);
        let opened = self.opened_for(ip).map_err(|reason| Error::new(Operation::Send, ip.to_string(), reason))?;
        Ok(StateWriteGuard::downgrade(opened))
    }
}

/// What `send` makes of what the peer sends by, which the caller has opened. If that is a server's socket, the server may have been
/// stopped in between.
fn by_path<T>(state: &PeerState, send: impl FnOnce(SendPath<'_>) -> Result<T>) -> Result<T> {
    let not_open = || Err(Error::new(Operation::Send, "", Reason::NotOpen));
    state.socket.with_path(send).unwrap_or_else(not_open)
}

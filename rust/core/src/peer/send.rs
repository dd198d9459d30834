//! Sending: one datagram, or many with few system calls.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::{NonZeroU16, NonZeroUsize};

use super::{Peer, PeerState, StateReadGuard, StateWriteGuard};
use crate::address;
use crate::error::{Error, Operation, Reason, Result};
use crate::interface::{self, Broadcast};
use crate::socket::options;
use crate::sys::{self, Cause, Payloads, Source};
use crate::transport::{Origin, Route};

/// How often a send on a connected socket is tried, as long as the errors may be reports about earlier datagrams.
const SEND_ATTEMPTS: u64 = 4;

/// The largest payload that IPv4 carries. IPv6 carries 20 bytes more; packets that must get through by either stay below this.
pub const MAX_PAYLOAD_IPV4: usize = sys::MAX_PAYLOAD_IPV4;

/// Errors of a connected socket that may be reports about earlier datagrams.
#[derive(Default)]
struct Reports {
    count: u64,
    last: Option<io::Error>,
}

impl Peer {
    /// Sends one datagram to the destination. Opens the peer if it is closed, with a socket of the destination's family. Never
    /// blocks: [`Reason::Busy`] when the kernel's send buffer is full.
    pub fn send(&self, datagram: &[u8]) -> Result<()> {
        let sent = self.to_destination(|route, to| self.send_one(route, to, datagram));
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
            by_route(&state, |route| self.send_one(route, to, datagram))
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
            by_route(&state, |route| self.send_one(Route { origin: Origin::Interface(&source), ..route }, to, datagram))
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
        self.diagnostics.recorded_send(self.to_destination(|route, to| self.send_all(route, to, payloads)))
    }

    /// Calls `send` with what the peer sends by, which is opened if it is closed, and the destination.
    fn to_destination<T>(&self, send: impl Fn(Route<'_>, SocketAddr) -> T) -> Result<T> {
        let no_destination = || Error::new(Operation::Send, "", Reason::NoDestination);
        {
            let state = self.state.read();
            let to = state.destination.ok_or_else(no_destination)?;
            if let Some(sent) = state.socket.transport.with_route(|route| send(route, to)) {
                return Ok(sent);
            }
        }
        loop {
            let to = self.state.read().destination.ok_or_else(no_destination)?;
            let state = self.open_to_send(to.ip())?;
            // Its server may be stopped in between; then the peer opens a socket of its own.
            if let Some(sent) = state.socket.transport.with_route(|route| send(route, to)) {
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

    fn send_one(&self, route: Route<'_>, to: SocketAddr, datagram: &[u8]) -> Result<()> {
        let result = match (route.connected_to, route.origin) {
            (Some(to), _) => self.send_connected(route, to, datagram),
            (None, Origin::System) => route.socket.send_to(datagram, to),
            (None, _) => self.send_from(route, to, datagram),
        };
        let server = route.server;
        if let Err(error) = result {
            self.diagnostics.count_vain_send();
            if let Some(server) = server {
                server.count_vain_send();
                server.count_send_error();
            }
            return Err(refused(route, to, error));
        }
        self.diagnostics.count_single_send(datagram.len());
        if let Some(server) = server {
            server.count_single_send(datagram.len());
        }
        Ok(())
    }

    #[inline(never)]
    fn send_from(&self, route: Route<'_>, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        let Some(source) = route.source() else { return route.socket.send_to(datagram, to) };
        match route.socket.send_from(datagram, to, source) {
            Err(error) if route.may_drop_source(&error) => {
                self.diagnostics.count_vain_send();
                if let Some(server) = route.server {
                    server.count_vain_send();
                }
                route.socket.send_to(datagram, to)
            }
            result => result,
        }
    }

    /// Sends on a socket that is connected to `to`. There the kernel reports that an *earlier* datagram was refused (ICMP) instead
    /// of sending this one, each report once. A report counts as a receive error, and this datagram is sent again. An error that
    /// no report causes, or that comes at every attempt, is about this datagram.
    fn send_connected(&self, route: Route<'_>, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        let mut reports = Reports::default();
        loop {
            match route.socket.send(datagram) {
                Err(error) if reports.may_be_one(&error, to, datagram.len()) => {
                    self.diagnostics.count_vain_send();
                    reports.add(error);
                }
                Err(error) if !sys::is_full(&error) => return Err(error),
                result => {
                    self.record_reports(&mut reports);
                    return result;
                }
            }
        }
    }

    fn send_all(&self, route: Route<'_>, to: SocketAddr, payloads: &Payloads<'_>) -> usize {
        let connected = route.connected_to;
        let mut system_calls = 0;
        let mut sent = 0;
        let mut source = route.source();
        let mut reports = Reports::default();
        loop {
            let outcome = route.socket.send_batch(connected.is_none().then_some(to), payloads, sent, source);
            if outcome.packets > 0 {
                self.record_reports(&mut reports);
            }
            sent += outcome.packets;
            system_calls += outcome.system_calls;
            match outcome.error {
                None => break,
                Some(error) if source.is_some() && route.may_drop_source(&error) => source = None,
                Some(error)
                    if connected.is_some_and(|to| reports.may_be_one(&error, to, length_at(payloads, sent))) =>
                {
                    reports.add(error);
                }
                Some(error) => {
                    let mut error = refused(route, connected.unwrap_or(to), error);
                    // As scripts count: the first one has index 0.
                    error.subject = format!("{} (the packet at index {sent} of {})", error.subject, payloads.len());
                    let _ = self.diagnostics.recorded_send::<()>(Err(error));
                    if let Some(server) = route.server {
                        server.count_send_error();
                    }
                    break;
                }
            }
        }
        let bytes = payloads.bytes(sent);
        self.diagnostics.count_batch_send(sent, bytes, system_calls);
        if let Some(server) = route.server {
            server.count_batch_send(sent, bytes, system_calls);
        }
        sent
    }

    /// A datagram was sent, or refused for want of room: so the reports were about earlier datagrams.
    fn record_reports(&self, reports: &mut Reports) {
        if let Some(last) = reports.last.take() {
            self.diagnostics.record_receive_errors(reports.count, last);
            reports.count = 0;
        }
    }
}

impl Reports {
    /// Whether the error of a send of `length` bytes may be a report, so that the datagram is to be sent again.
    fn may_be_one(&self, error: &io::Error, to: SocketAddr, length: usize) -> bool {
        self.count + 1 < SEND_ATTEMPTS && sys::may_be_report(error, to, length)
    }

    fn add(&mut self, error: io::Error) {
        self.count += 1;
        self.last = Some(error);
    }
}

fn length_at(payloads: &Payloads<'_>, index: usize) -> usize {
    payloads.get(index).map_or(0, <[u8]>::len)
}

/// What `send` makes of what the peer sends by, which the caller has opened. If that is a server's socket, the server may have been
/// stopped in between.
fn by_route<T>(state: &PeerState, send: impl FnOnce(Route<'_>) -> Result<T>) -> Result<T> {
    let not_open = || Err(Error::new(Operation::Send, "", Reason::NotOpen));
    state.socket.transport.with_route(send).unwrap_or_else(not_open)
}

fn refused(route: Route<'_>, to: SocketAddr, error: io::Error) -> Error {
    let reason = route.socket.refusal(to, error);
    let (Origin::Chosen(source), None, Reason::Os(error)) = (route.origin, route.connected_to, &reason) else {
        return Error::new(Operation::Send, address::describe(to), reason);
    };
    let ip = source.ip.map_or(String::new(), |ip| format!(" from {ip}"));
    let subject = format!("{}{ip}", address::describe(to));
    if sys::is_source_gone(error) && matches!(options::check_source(*source), Err(Reason::NoSuchAddress)) {
        return Error::new(Operation::Send, subject, Reason::NoSuchAddress);
    }
    match reason {
        Reason::Os(error) if sys::cause(&error) == Cause::Invalid => {
            Error::new(Operation::Send, subject, Reason::BadSource(error))
        }
        reason => Error::new(Operation::Send, address::describe(to), reason),
    }
}

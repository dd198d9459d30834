//! Sending: one datagram, or many with few system calls.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{RwLockReadGuard, RwLockWriteGuard};

use super::served::Way;
use super::{Endpoint, Link, Peer};
use crate::error::{Error, Operation, Reason, Result};
use crate::socket::Socket;
use crate::sys::{self, Payloads};
use crate::{address, interfaces};

/// How often a send is tried before its error is taken to be its own, and not somebody's refusal of an earlier one.
const SEND_ATTEMPTS: u64 = 4;

/// The largest payload that IPv4 carries. IPv6 could carry 20 bytes more; scripts that must reach everybody count on this.
pub const MAX_PAYLOAD_IPV4: i64 = 65_507;

/// What has been sent. Changed by any thread at any time, so these are the only counters that are atomic.
#[derive(Debug, Default)]
pub(super) struct Sending {
    /// Packets that went out with others.
    pub(super) packets: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) errors: AtomicU64,
    /// Beyond one for each packet that was sent alone, see [`alone`](Self::alone).
    pub(super) more_system_calls: AtomicU64,
    /// How many of the packets went out alone, with a system call each.
    pub(super) alone: AtomicU64,
}

/// Errors of a connected socket that may be somebody's refusal of an earlier datagram.
struct Reports {
    count: u64,
    last: Option<io::Error>,
}

impl Peer {
    /// Sends one datagram to the destination, opening the peer if it is closed (a socket of the destination's family).
    /// Never blocks: [`Reason::Busy`] when the kernel's send buffer is full.
    pub fn send(&self, datagram: &[u8]) -> Result<()> {
        self.counted(self.send_to_destination(datagram))
    }

    fn send_to_destination(&self, datagram: &[u8]) -> Result<()> {
        self.to_destination(|way, to| self.send_one(way, to, datagram))?
    }

    /// Sends one datagram to a numeric address, leaving the destination as it is; opens the peer if it is closed. Port
    /// 0 is the system's to refuse. [`Reason::Connected`] on a connected peer.
    pub fn send_to(&self, datagram: &[u8], ip: &str, port: i64) -> Result<()> {
        let fail = |reason| Error::new(Operation::Send, ip, reason);
        self.own(Operation::Send, ip)?;
        self.counted((|| {
            let mut to = address::parse_scoped(ip).map_err(fail)?.ok_or_else(|| fail(Reason::InvalidAddress))?;
            to.set_port(u16::try_from(port).map_err(|_| fail(Reason::InvalidPort(port)))?);
            let link = self.link_to_send(to.ip())?;
            if link.state.is_connected() {
                return Err(fail(Reason::Connected));
            }
            by_way(&link, |way| self.send_one(way, to, datagram))
        })())
    }

    /// Sends one datagram to the directed broadcast address of every interface that has one, opening the peer if it is closed;
    /// how many were sent. Where the kernel refuses one, [`last_error`](Self::last_error) says why.
    ///
    /// Broadcasts must be [enabled](Self::set_broadcast); [`Reason::Connected`] on a connected peer,
    /// [`Reason::WrongFamily`] on one that has IPv6 only.
    pub fn send_broadcast(&self, datagram: &[u8], port: i64) -> Result<usize> {
        let fail = |reason| Error::new(Operation::Broadcast, "", reason);
        self.own(Operation::Broadcast, "")?;
        let (link, to) = self.counted((|| {
            let port = address::port_to_reach(port).map_err(fail)?;
            if !self.link.read().options.broadcast {
                return Err(fail(Reason::NoBroadcast));
            }
            let to: Vec<_> =
                interfaces::broadcast_addresses().into_iter().map(|ip| SocketAddr::from((ip, port))).collect();
            let link = self.link_to_send(Ipv4Addr::BROADCAST.into())?;
            if link.state.is_connected() {
                return Err(fail(Reason::Connected));
            }
            let family = link.state.socket().map(Socket::family);
            if !family.is_some_and(|family| family.reaches(Ipv4Addr::BROADCAST.into())) {
                return Err(fail(Reason::WrongFamily(None)));
            }
            Ok((link, to))
        })())?;
        if to.is_empty() {
            self.note(&fail(Reason::NoInterface));
        }
        let send = |to: &SocketAddr| by_way(&link, |way| self.send_one(way, *to, datagram));
        Ok(to.iter().filter(|to| self.counted(send(to)).is_ok()).count())
    }

    /// Sends many datagrams to the destination, in order; how many the kernel took. When it refuses one, the rest is not
    /// sent, and [`last_error`](Self::last_error) says why.
    pub fn send_many(&self, datagrams: &[&[u8]]) -> Result<usize> {
        self.send_payloads(&Payloads::Each(datagrams))
    }

    /// Cuts `data` into datagrams of `segment` bytes (1 to 65,507; the last may be shorter) and sends them as
    /// [`send_many`](Self::send_many) does, without copying.
    pub fn send_segmented(&self, data: &[u8], segment: i64) -> Result<usize> {
        let valid = usize::try_from(segment).ok().filter(|_| (1..=MAX_PAYLOAD_IPV4).contains(&segment));
        let Some(segment) = valid else {
            return self.noted(Err(Error::new(Operation::Send, "", Reason::InvalidSegment(segment))));
        };
        self.send_payloads(&Payloads::Segmented { data, segment })
    }

    fn send_payloads(&self, payloads: &Payloads<'_>) -> Result<usize> {
        self.counted(self.to_destination(|way, to| self.send_all(way, to, payloads)))
    }

    /// Has something sent by the socket that the peer goes by, opening it if it is closed, to the destination.
    fn to_destination<T>(&self, send: impl Fn(&Way<'_>, SocketAddr) -> T) -> Result<T> {
        loop {
            let (link, to) = self.link_to_destination()?;
            if let Some(done) = link.with_way(|way| send(way, to)) {
                return Ok(done);
            }
            // Its server was stopped just now: the peer opens a socket of its own.
        }
    }

    fn send_all(&self, way: &Way<'_>, to: SocketAddr, payloads: &Payloads<'_>) -> usize {
        let endpoint = way.endpoint;
        let mut system_calls = 0;
        let mut sent = 0;
        let mut reports = Reports::new();
        loop {
            let to = endpoint.connected_to.is_none().then_some(to);
            let outcome = endpoint.socket.send_batch(to, payloads, sent);
            if outcome.packets > 0 {
                self.note_reports(&mut reports);
            }
            sent += outcome.packets;
            system_calls += outcome.system_calls;
            match outcome.error {
                None => break,
                Some(error) if endpoint.connected_to.is_some() && reports.may_be_one(&error) => reports.add(error),
                Some(error) => {
                    let mut error = refused(endpoint, to.or(endpoint.connected_to), error);
                    error.subject = format!("{} (packet {sent} of {})", error.subject, payloads.len());
                    // What came at every attempt is about this datagram.
                    let _ = self.counted::<()>(Err(error));
                    way.count_for_server(|sending| add(&sending.errors, 1));
                    break;
                }
            }
        }
        let bytes = payloads.bytes(sent);
        way.count(&self.sending, |sending| {
            add(&sending.packets, sent as u64);
            add(&sending.bytes, bytes as u64);
            add(&sending.more_system_calls, system_calls);
        });
        sent
    }

    fn send_one(&self, way: &Way<'_>, to: SocketAddr, datagram: &[u8]) -> Result<()> {
        let endpoint = way.endpoint;
        let result = if endpoint.connected_to.is_some() {
            self.send_connected(endpoint, datagram)
        } else {
            endpoint.socket.send_to(datagram, to)
        };
        match result {
            Ok(()) => {
                way.count(&self.sending, |sending| {
                    add(&sending.alone, 1);
                    add(&sending.bytes, datagram.len() as u64);
                });
                Ok(())
            }
            Err(error) => {
                way.count(&self.sending, |sending| add(&sending.more_system_calls, 1));
                way.count_for_server(|sending| add(&sending.errors, 1));
                Err(refused(endpoint, Some(to), error))
            }
        }
    }

    /// Sends on a connected socket. There the kernel reports the refusal of an *earlier* datagram (an ICMP answer)
    /// instead of sending this one. Each such report is given once: it is counted as an error of receiving, and this
    /// datagram is sent again. What comes at every attempt is about this datagram.
    fn send_connected(&self, endpoint: &Endpoint, datagram: &[u8]) -> io::Result<()> {
        let mut reports = Reports::new();
        loop {
            match endpoint.socket.send(datagram) {
                Err(error) if reports.may_be_one(&error) => {
                    self.sending.more_system_calls.fetch_add(1, Ordering::Relaxed);
                    reports.add(error);
                }
                Err(error) if !sys::is_full(&error) => return Err(error),
                result => {
                    self.note_reports(&mut reports);
                    return result;
                }
            }
        }
    }

    /// Something could be sent, or was refused for want of room: so what was reported before was about earlier datagrams.
    fn note_reports(&self, reports: &mut Reports) {
        if let Some(last) = reports.last.take() {
            self.note_receive_errors(reports.count, last);
            reports.count = 0;
        }
    }

    /// The link, with a socket that can be sent from, and the destination.
    fn link_to_destination(&self) -> Result<(RwLockReadGuard<'_, Link>, SocketAddr)> {
        let link = self.link.read();
        let Some(to) = link.destination else {
            return Err(Error::new(Operation::Send, "", Reason::NoDestination));
        };
        if link.is_open() {
            return Ok((link, to));
        }
        drop(link);
        self.link_to_send(to.ip()).map(|link| (link, to))
    }

    /// The link; its socket is opened if the peer is closed, for `ip`.
    fn link_to_send(&self, ip: IpAddr) -> Result<RwLockReadGuard<'_, Link>> {
        let link = self.link.read();
        if link.is_open() {
            return Ok(link);
        }
        drop(link);
        let mut link = self.link.write();
        if !link.is_open() {
            self.open_for(&mut link, ip).map_err(|reason| Error::new(Operation::Send, ip.to_string(), reason))?;
        }
        Ok(RwLockWriteGuard::downgrade(link))
    }

    /// Counts a send that failed, and keeps why.
    fn counted<T>(&self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.sending.errors.fetch_add(1, Ordering::Relaxed);
        }
        self.noted(result)
    }
}

impl Reports {
    fn new() -> Self {
        Self { count: 0, last: None }
    }

    fn may_be_one(&self, error: &io::Error) -> bool {
        self.count + 1 < SEND_ATTEMPTS && !sys::is_full(error)
    }

    fn add(&mut self, error: io::Error) {
        self.count += 1;
        self.last = Some(error);
    }
}

/// What `send` makes of the socket, which whoever calls this has opened, and held the lock since. (A server may have been
/// stopped in between.)
fn by_way<T>(link: &Link, send: impl FnOnce(&Way<'_>) -> Result<T>) -> Result<T> {
    let not_open = || Err(Error::new(Operation::Send, "", Reason::NotOpen));
    link.with_way(send).unwrap_or_else(not_open)
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

fn refused(endpoint: &Endpoint, to: Option<SocketAddr>, error: io::Error) -> Error {
    match to {
        Some(to) => Error::new(Operation::Send, address::describe(to), endpoint.socket.refusal(to, error)),
        None => Error::os(Operation::Send, "", error),
    }
}

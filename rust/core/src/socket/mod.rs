//! One UDP socket: made, configured and used without ever blocking.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::num::NonZeroU8;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arrayvec::ArrayVec;
use socket2::{Domain, Protocol, SockRef, Type};

use crate::error::{Error, Operation, Reason};
use crate::sys::{Cause, Interface, IoMode, Payloads, Sent, Source, Target};
use crate::{address, sys};

pub(crate) mod group;
pub(crate) mod options;
#[cfg(test)]
mod tests;
mod widened;

use group::Group;
use options::{Checked, Options, Refusal, SocketOption};
use widened::Widened;

/// How many copies of a datagram go into one call of [`sys::send_to_each`]: as many as Linux takes at once.
const COPIES: usize = 64;

/// The address families that a socket sends to and receives from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
    /// Both, through one IPv6 socket.
    Dual,
}

impl Family {
    /// The family of sockets made to reach `ip`.
    pub(crate) fn of(ip: IpAddr) -> Self {
        if ip.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    fn every_address(self, port: u16) -> SocketAddr {
        match self {
            Self::V4 => (Ipv4Addr::UNSPECIFIED, port).into(),
            Self::V6 | Self::Dual => (Ipv6Addr::UNSPECIFIED, port).into(),
        }
    }

    /// Whether a socket of this family can send to `ip`.
    pub(crate) fn reaches(self, ip: IpAddr) -> bool {
        self == Self::Dual || self == Self::of(ip)
    }
}

/// An open, non-blocking UDP socket. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct Socket {
    io: UdpSocket,
    family: Family,
    /// The address that the socket was bound to, with the port that was asked for; every address if it was not bound.
    bound_to: SocketAddr,
    io_mode: IoMode,
    /// Datagrams of this many bytes or more are sent without segmentation, see [`sys::send_batch`].
    gso_limit: AtomicUsize,
    /// Who wants to be told where packets arrive.
    arrivals: Arrivals,
    drops: Widened,
    /// The sizes of the kernel's buffers before any was asked for, in its own figure.
    default_receive_buffer: usize,
    default_send_buffer: usize,
}

/// Who wants to be told where packets arrive. Changed under the lock of the state that owns the socket.
#[derive(Debug, Default)]
struct Arrivals {
    /// [`SocketOption::PacketInfo`].
    by_option: AtomicBool,
    /// [`Socket::answer_where_asked`].
    to_answer: AtomicBool,
    /// The socket has joined a group, see [`Memberships`](group::Memberships).
    by_group: AtomicBool,
}

impl Arrivals {
    fn all(&self) -> [&AtomicBool; 3] {
        [&self.by_option, &self.to_answer, &self.by_group]
    }
}

/// A new socket, and the options that the system refused to set on it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) socket: Socket,
    pub(crate) refused: Vec<Refusal>,
}

/// What a new socket is set up with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup<'a> {
    pub(crate) options: &'a Options,
    /// The interface that [`Options::multicast_interface`] names, if there is one, or why that is not known. It is looked up beforehand,
    /// because listing interfaces may block and sockets are opened under a lock.
    pub(crate) multicast_interface: Result<Option<Interface>, &'a io::Error>,
}

impl Setup<'_> {
    /// As [`SocketOption::check`], but lists no interfaces.
    fn check(&self, option: &SocketOption) -> Result<Checked, Reason> {
        match option {
            SocketOption::MulticastInterface(name) if !name.is_empty() => {
                let found = self.multicast_interface.map_err(|error| Reason::NoInterfaceList(copy_of(error)))?;
                let interface = found.ok_or_else(|| Reason::UnknownInterface(name.clone()))?;
                Ok(Checked { interface, ..Checked::default() })
            }
            SocketOption::SourceAddress(_) => Ok(Checked { source: self.options.source, ..Checked::default() }),
            _ => option.check(),
        }
    }
}

/// The same error: it has a code of the system, or only a kind.
fn copy_of(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}

impl Opened {
    /// Sets options; records those that the system refuses.
    fn apply(&mut self, setup: Setup<'_>, options: impl Iterator<Item = SocketOption>) {
        for option in options {
            if let Err(reason) = setup.check(&option).and_then(|checked| self.socket.set(&option, checked)) {
                let error = Error::new(Operation::SetOption, option.to_string(), reason);
                self.refused.push(Refusal { option: option.name(), error });
            }
        }
    }
}

impl Socket {
    /// Makes a socket that is not bound yet; on a platform that needs a bound one, it is bound to any port. So it is if it is to
    /// share its port, where the system would choose one that others share.
    pub(crate) fn open(family: Family, setup: Setup<'_>) -> io::Result<Opened> {
        let chooses = sys::CHOOSES_SHARED_PORTS && setup.options.sharing().next().is_some();
        let mut opened = Self::make_with(family, 0, setup, !chooses)?;
        if sys::BIND_BEFORE_USE || chooses {
            opened.socket.bind_to(opened.socket.bound_to)?;
        }
        if chooses {
            opened.apply(setup, setup.options.sharing());
        }
        Ok(opened)
    }

    /// Makes a socket that is bound to `to`, or with `None` to `port` on every address of both families. The kernel is
    /// asked for a receive buffer of `receive_buffer` bytes, unless the options say otherwise.
    ///
    /// Where the machine has no IPv6, `None` means every IPv4 address; not where it lacks descriptors or memory at the moment.
    pub(crate) fn bound(
        to: Option<SocketAddr>,
        port: u16,
        receive_buffer: usize,
        setup: Setup<'_>,
    ) -> Result<Opened, Reason> {
        let family = to.map_or(Family::Dual, |to| Family::of(to.ip()));
        let chooses = port == 0 && sys::CHOOSES_SHARED_PORTS;
        let made = Self::make_with(family, receive_buffer, setup, !chooses);
        let bound = made.map(|mut opened| {
            opened.socket.bound_to = to.unwrap_or(family.every_address(port));
            let bound = opened.socket.bind_to(opened.socket.bound_to);
            if chooses {
                opened.apply(setup, setup.options.sharing());
            }
            (bound, opened)
        });
        match (bound, to) {
            (Ok((Ok(()), opened)), _) => return Ok(opened),
            (Ok((Err(error), _)), Some(to)) if address::lacks_scope(to) => return Err(Reason::NoScope(error)),
            (Ok((Err(error), _)), Some(_)) => return Err(Reason::Os(error)),
            (Ok((Err(error), _)), None) if error.kind() != io::ErrorKind::AddrNotAvailable => {
                return Err(Reason::Os(error));
            }
            (Err(error), Some(_)) => return Err(Reason::NoSocket(error)),
            // A socket for IPv4 alone would be deaf to IPv6, and nothing would tell of it.
            (Err(error), None) if is_shortage(&error) => return Err(Reason::NoSocket(error)),
            // IPv6 is there but has no addresses (some containers), or it is not there at all.
            _ => {}
        }
        Self::bound(Some((Ipv4Addr::UNSPECIFIED, port).into()), port, receive_buffer, setup)
    }

    /// Makes a socket with the options applied. Where the options give no size for the receive buffer, the kernel is asked for
    /// `receive_buffer` bytes, and never for less than its default. Unless it `shares`, the options that share a port are left
    /// out.
    fn make_with(family: Family, receive_buffer: usize, setup: Setup<'_>, shares: bool) -> io::Result<Opened> {
        let options = setup.options;
        let make = || Self::make(family, options.reuse_address && shares);
        let mut socket = make()?;
        if options.receive_buffer > 0 {
            ask(options.receive_buffer, |size| SockRef::from(&socket.io).set_recv_buffer_size(size));
        } else if receive_buffer.saturating_mul(sys::BUFFER_SIZE_FACTOR) > socket.default_receive_buffer {
            ask(receive_buffer.min(i32::MAX as usize), |size| SockRef::from(&socket.io).set_recv_buffer_size(size));
            // Where the system's limit is below the default, asking for more has shrunk the buffer for good: start over.
            if socket.receive_buffer_size()? < socket.default_receive_buffer {
                socket = make()?;
            }
        }
        if options.send_buffer > 0 {
            ask(options.send_buffer, |size| SockRef::from(&socket.io).set_send_buffer_size(size));
        }
        if options.broadcast {
            // Only a system without broadcasts refuses; sending one then fails, with its own error.
            let _ = socket.set_broadcast(true);
        }
        let mut opened = Opened { socket, refused: Vec::new() };
        let sharing: Vec<_> = options.sharing().collect();
        opened.apply(setup, options.changed().filter(|option| shares || !sharing.contains(option)));
        Ok(opened)
    }

    fn make(family: Family, reuse_address: bool) -> io::Result<Self> {
        let domain = if family == Family::V4 { Domain::IPV4 } else { Domain::IPV6 };
        let socket = socket2::Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        if family != Family::V4 {
            socket.set_only_v6(family == Family::V6)?;
        }
        socket.set_nonblocking(true)?;
        sys::prepare(&socket, reuse_address)?;
        let default_receive_buffer = socket.recv_buffer_size()?;
        let default_send_buffer = socket.send_buffer_size()?;
        let io = socket.into();
        let io_mode = sys::prepare_io_mode(&io, sys::wanted_io_mode());
        let gso_limit = AtomicUsize::new(usize::MAX);
        let arrivals = Arrivals::default();
        let bound_to = family.every_address(0);
        let drops = Widened::default();
        Ok(Self {
            io,
            family,
            bound_to,
            io_mode,
            gso_limit,
            arrivals,
            drops,
            default_receive_buffer,
            default_send_buffer,
        })
    }

    fn bind_to(&self, address: SocketAddr) -> io::Result<()> {
        SockRef::from(&self.io).bind(&address.into())
    }

    pub(crate) fn family(&self) -> Family {
        self.family
    }

    /// The socket itself, to register with a poller.
    pub(crate) fn io(&self) -> &UdpSocket {
        &self.io
    }

    /// How many packets the kernel has dropped since the socket was made, see [`sys::kernel_drops`].
    pub(crate) fn kernel_drops(&self) -> u64 {
        self.drops.note(sys::kernel_drops(&self.io))
    }

    /// Connects to the one address to send to and receive from. Returns it as the kernel took it: `0.0.0.0` becomes
    /// `127.0.0.1`, for example.
    pub(crate) fn connect(&self, to: SocketAddr) -> io::Result<SocketAddr> {
        self.io.connect(self.fitted(to))?;
        self.io.peer_addr().map(address::to_canonical)
    }

    /// Dissolves the association of [`connect`](Self::connect), so that the next one chooses the local address anew. The port
    /// stays: where the system takes it away, the socket is bound again, which fails if another socket has taken the port.
    pub(crate) fn disconnect(&self) -> io::Result<()> {
        let port = self.io.local_addr()?.port();
        sys::disconnect(&self.io)?;
        if self.io.local_addr()?.port() == port {
            return Ok(());
        }
        let mut to = self.bound_to;
        to.set_port(port);
        self.bind_to(to)
    }

    /// Sends to the connected peer.
    pub(crate) fn send(&self, datagram: &[u8]) -> io::Result<()> {
        self.io.send(datagram).map(drop)
    }

    /// Sends to `to`. Where the socket does not have the address's family, the kernel refuses.
    pub(crate) fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.io.send_to(datagram, self.fitted(to)).map(drop)
    }

    /// The same, from an address of this machine.
    pub(crate) fn send_from(&self, datagram: &[u8], to: SocketAddr, source: Source) -> io::Result<()> {
        sys::send_from(&self.io, datagram, self.fitted(to), source)
    }

    /// Sends datagrams from number `from` on, to `to` or (`None`) to the connected peer, until the kernel refuses one. The source has
    /// an effect with `to` only.
    pub(crate) fn send_batch(
        &self,
        to: Option<SocketAddr>,
        payloads: &Payloads<'_>,
        from: usize,
        source: Option<Source>,
    ) -> Sent {
        let to = to.map(|to| self.fitted(to));
        sys::send_batch(&self.io, to, payloads, from, source, self.io_mode, &self.gso_limit)
    }

    /// Sends a copy of a datagram to each target in order, until the kernel refuses one.
    pub(crate) fn send_to_each(&self, datagram: &[u8], targets: &[Target]) -> Sent {
        let mut sent = Sent::default();
        for chunk in targets.chunks(COPIES) {
            let fitted = |target: &Target| Target { to: self.fitted(target.to), source: target.source };
            let chunk: ArrayVec<Target, COPIES> = chunk.iter().map(fitted).collect();
            let Sent { packets, system_calls, error } = sys::send_to_each(&self.io, datagram, &chunk, self.io_mode);
            sent.packets += packets;
            sent.system_calls += system_calls;
            sent.error = error;
            if sent.error.is_some() {
                break;
            }
        }
        sent
    }

    /// How datagrams pass between this socket and the kernel.
    pub(crate) fn io_mode(&self) -> IoMode {
        self.io_mode
    }

    /// Has packets tell where they arrived, or no longer.
    fn set_packet_info(&self, enabled: bool) -> io::Result<()> {
        let before = self.arrivals.by_option.swap(enabled, Ordering::Relaxed);
        let result = self.receive_arrivals();
        if result.is_err() {
            self.arrivals.by_option.store(before, Ordering::Relaxed);
        }
        result
    }

    /// Has packets tell where they arrived, if this is a socket on a wildcard address, so that answers can leave from there. Where the
    /// system does not tell, it chooses.
    pub(crate) fn answer_where_asked(&self) {
        if self.is_wildcard() {
            self.arrivals.to_answer.store(true, Ordering::Relaxed);
            if self.receive_arrivals().is_err() {
                self.arrivals.to_answer.store(false, Ordering::Relaxed);
            }
        }
    }

    fn receive_arrivals(&self) -> io::Result<()> {
        sys::receive_arrival(&self.io, self.arrivals.all().iter().any(|wanted| wanted.load(Ordering::Relaxed)))
    }

    /// Whether the kernel tells of some packets where they arrived.
    pub(crate) fn is_told_arrivals(&self) -> bool {
        self.arrivals.all().iter().any(|wanted| wanted.load(Ordering::Relaxed))
    }

    /// Whether packets are to keep where they arrived.
    pub(crate) fn keeps_arrivals(&self) -> bool {
        let Arrivals { by_option, to_answer, .. } = &self.arrivals;
        by_option.load(Ordering::Relaxed) || to_answer.load(Ordering::Relaxed)
    }

    /// Whether the socket receives by every address of the machine: it was bound so, or not at all.
    pub(crate) fn is_wildcard(&self) -> bool {
        self.bound_to.ip().is_unspecified()
    }

    /// The reason for the system's refusal to send or connect to `address`.
    pub(crate) fn refusal(&self, address: SocketAddr, error: io::Error) -> Reason {
        if sys::is_full(&error) {
            Reason::Busy(error)
        } else if !self.family.reaches(address.ip()) {
            Reason::WrongFamily(Some(error))
        } else if address::lacks_scope(address) {
            Reason::NoScope(error)
        } else {
            Reason::Os(error)
        }
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr().map(address::to_canonical)
    }

    /// `SO_BROADCAST`. IPv6 has no broadcasts: nothing is done on such a socket.
    pub(crate) fn set_broadcast(&self, enabled: bool) -> io::Result<()> {
        if self.family == Family::V6 { Ok(()) } else { self.io.set_broadcast(enabled) }
    }

    /// Sets an option, whose [check](SocketOption::check) gave `checked`. On a dual-stack socket it is set for both families.
    /// Where the system has it for one of them only, that is enough: macOS takes no IPv4 options on such a socket.
    pub(crate) fn set(&self, option: &SocketOption, checked: Checked) -> Result<(), Reason> {
        let socket = SockRef::from(&self.io);
        let interface = checked.interface;
        let done = match option {
            SocketOption::ReuseAddress(enabled) => socket.set_reuse_address(*enabled),
            SocketOption::ReusePort(enabled) => sys::set_reuse_port(&self.io, *enabled),
            SocketOption::TimeToLive(None) => self.set_default_hops(),
            SocketOption::TimeToLive(Some(hops)) => {
                let hops = NonZeroU8::get(*hops).into();
                self.for_family(|| socket.set_ttl_v4(hops), || socket.set_unicast_hops_v6(hops))
            }
            SocketOption::TrafficClass(class) => self.for_family(
                || socket.set_tos_v4((*class).into()),
                || sys::set_traffic_class_v6(&self.io, (*class).into()),
            ),
            SocketOption::MulticastTimeToLive(hops) => self.for_family(
                || socket.set_multicast_ttl_v4((*hops).into()),
                || socket.set_multicast_hops_v6((*hops).into()),
            ),
            SocketOption::MulticastLoopback(enabled) => {
                self.for_family(|| socket.set_multicast_loop_v4(*enabled), || socket.set_multicast_loop_v6(*enabled))
            }
            // An interface without an IPv4 address gives an IPv4 datagram no source address.
            SocketOption::MulticastInterface(name) if self.family == Family::V4 && interface.ipv4.is_none() => {
                return Err(Reason::UnknownInterface(name.clone()));
            }
            SocketOption::MulticastInterface(_) => self.for_family(
                || sys::set_multicast_interface_v4(&self.io, interface),
                || socket.set_multicast_if_v6(interface.index.unwrap_or(0)),
            ),
            SocketOption::PacketInfo(enabled) => self.set_packet_info(*enabled),
            // Nothing to set on the socket: each datagram asks for it.
            SocketOption::SourceAddress(_) => {
                return checked.source.map_or(Ok(()), options::check_source);
            }
        };
        done.map_err(Reason::Os)
    }

    /// The system's own hop limits.
    fn set_default_hops(&self) -> io::Result<()> {
        let socket = SockRef::from(&self.io);
        let default = |domain, ask: fn(&socket2::Socket) -> io::Result<u32>| match sys::DEFAULT_HOPS {
            Some(number) => Ok(number),
            // A new socket has the system's default.
            None => ask(&socket2::Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?),
        };
        self.for_family(
            || socket.set_ttl_v4(default(Domain::IPV4, socket2::Socket::ttl_v4)?),
            || socket.set_unicast_hops_v6(default(Domain::IPV6, socket2::Socket::unicast_hops_v6)?),
        )
    }

    fn for_family(&self, v4: impl Fn() -> io::Result<()>, v6: impl Fn() -> io::Result<()>) -> io::Result<()> {
        match self.family {
            Family::V4 => v4(),
            Family::V6 => v6(),
            Family::Dual => {
                let of_v6 = v6();
                sys::of_both(of_v6, v4())
            }
        }
    }

    /// The kernel's receive buffer in bytes, in the system's own figure (`SO_RCVBUF`; Linux counts double).
    pub(crate) fn receive_buffer_size(&self) -> io::Result<usize> {
        SockRef::from(&self.io).recv_buffer_size()
    }

    /// The kernel's send buffer in bytes (`SO_SNDBUF`), likewise.
    pub(crate) fn send_buffer_size(&self) -> io::Result<usize> {
        SockRef::from(&self.io).send_buffer_size()
    }

    /// Asks for a receive buffer of `size` bytes; with 0 for what [`bound`](Self::bound) makes when asked for `otherwise`.
    pub(crate) fn resize_receive_buffer(&self, size: usize, otherwise: usize) -> io::Result<()> {
        let unasked = otherwise.min(i32::MAX as usize).max(self.default_receive_buffer / sys::BUFFER_SIZE_FACTOR);
        SockRef::from(&self.io).set_recv_buffer_size(if size == 0 { unasked } else { size })
    }

    /// Asks for a send buffer of `size` bytes; with 0 for the default.
    pub(crate) fn resize_send_buffer(&self, size: usize) -> io::Result<()> {
        let default = self.default_send_buffer / sys::BUFFER_SIZE_FACTOR;
        SockRef::from(&self.io).set_send_buffer_size(if size == 0 { default } else { size })
    }

    /// Joins (or leaves) a multicast group.
    pub(crate) fn change_group(&self, group: &Group, join: bool) -> Result<(), Reason> {
        if !self.family.reaches(group.ip()) {
            return Err(Reason::WrongFamily(None));
        }
        match group {
            Group::V4 { interface: Err(unknown), .. } => return Err(Reason::UnknownInterface(unknown.clone())),
            Group::V4 { group, interface: Ok(interface) } => sys::change_group_v4(&self.io, *group, *interface, join),
            Group::V6 { group, index } => {
                let change = if join { UdpSocket::join_multicast_v6 } else { UdpSocket::leave_multicast_v6 };
                change(&self.io, group, *index)
            }
        }
        .map_err(Reason::Os)?;
        if join {
            sys::receive_own_groups_only(&self.io);
            self.arrivals.by_group.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// An address in the form that this socket takes.
    fn fitted(&self, to: SocketAddr) -> SocketAddr {
        if self.family == Family::Dual { address::to_mapped(to) } else { to }
    }
}

/// Whether the system lacks something at the moment: then the machine may well have IPv6.
fn is_shortage(error: &io::Error) -> bool {
    matches!(sys::cause(error), Cause::NoDescriptor | Cause::NoRoom)
}

/// Asks for a buffer. Linux grants what its limit allows; a system that refuses instead (macOS) is asked for half as much,
/// until it grants.
fn ask(mut size: usize, set: impl Fn(usize) -> io::Result<()>) {
    while size > 0 && set(size).is_err() {
        size /= 2;
    }
}

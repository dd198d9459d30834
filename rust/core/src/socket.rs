//! One UDP socket: made, configured and used without ever blocking.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, SockRef, Type};

use crate::error::Reason;
use crate::peer::options::Options;
use crate::sys::{Path, Payloads, Sent};
use crate::{address, interfaces, sys};

/// What a socket can talk to.
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
    path: Path,
    /// The kernel's buffers as they were when nobody had asked for any size, in its own figure.
    default_receive_buffer: usize,
    default_send_buffer: usize,
}

impl Socket {
    /// Makes a socket that is not bound yet (where the platform wants one to be: bound to any port).
    pub(crate) fn open(family: Family, options: &Options) -> io::Result<Self> {
        let socket = Self::make_with(family, 0, options)?;
        if sys::BIND_BEFORE_USE {
            socket.bind_to(socket.unspecified(), 0)?;
        }
        Ok(socket)
    }

    /// Makes a socket that is bound to `port` on `ip`, or with `None` on every address of both families. The kernel is
    /// asked for a receive buffer of `receive_buffer` bytes, unless the options say otherwise.
    ///
    /// Where the machine has no IPv6, `None` means every IPv4 address.
    pub(crate) fn bound(
        ip: Option<IpAddr>,
        port: u16,
        receive_buffer: usize,
        options: &Options,
    ) -> Result<Self, Reason> {
        let family = ip.map_or(Family::Dual, Family::of);
        let made = Self::make_with(family, receive_buffer, options);
        let bound = made.map(|socket| (socket.bind_to(ip.unwrap_or(socket.unspecified()), port), socket));
        match bound {
            Ok((Ok(()), socket)) => return Ok(socket),
            Ok((Err(error), _)) if ip.is_some() || error.kind() != io::ErrorKind::AddrNotAvailable => {
                return Err(Reason::Os(error));
            }
            Err(error) if ip.is_some() => return Err(Reason::NoSocket(error)),
            // IPv6 is there but has no addresses (some containers), or it is not there at all.
            _ => {}
        }
        Self::bound(Some(Ipv4Addr::UNSPECIFIED.into()), port, receive_buffer, options)
    }

    /// Makes a socket with the options applied. Without one for its receive buffer, that is as large as the kernel grants
    /// of `receive_buffer`, and never smaller than its default.
    fn make_with(family: Family, receive_buffer: usize, options: &Options) -> io::Result<Self> {
        let mut socket = Self::make(family)?;
        if options.receive_buffer > 0 {
            ask(options.receive_buffer, |size| SockRef::from(&socket.io).set_recv_buffer_size(size));
        } else if receive_buffer.saturating_mul(sys::BUFFER_FIGURE) > socket.default_receive_buffer {
            ask(receive_buffer.min(i32::MAX as usize), |size| SockRef::from(&socket.io).set_recv_buffer_size(size));
            // Where the limit is below the default, asking for more has got less, and there is no way back.
            if socket.receive_buffer_size()? < socket.default_receive_buffer {
                socket = Self::make(family)?;
            }
        }
        if options.send_buffer > 0 {
            ask(options.send_buffer, |size| SockRef::from(&socket.io).set_send_buffer_size(size));
        }
        if options.broadcast {
            // The only system that refuses has no broadcasts; sending one then fails, with its words.
            let _ = socket.set_broadcast(true);
        }
        Ok(socket)
    }

    fn make(family: Family) -> io::Result<Self> {
        let domain = if family == Family::V4 { Domain::IPV4 } else { Domain::IPV6 };
        let socket = socket2::Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        if family != Family::V4 {
            socket.set_only_v6(family == Family::V6)?;
        }
        socket.set_nonblocking(true)?;
        sys::prepare(&socket)?;
        let default_receive_buffer = socket.recv_buffer_size()?;
        let default_send_buffer = socket.send_buffer_size()?;
        let io = socket.into();
        let path = sys::prepare_path(&io, sys::wanted_path());
        Ok(Self { io, family, path, default_receive_buffer, default_send_buffer })
    }

    fn bind_to(&self, ip: IpAddr, port: u16) -> io::Result<()> {
        SockRef::from(&self.io).bind(&SocketAddr::new(ip, port).into())
    }

    fn unspecified(&self) -> IpAddr {
        match self.family {
            Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::V6 | Family::Dual => Ipv6Addr::UNSPECIFIED.into(),
        }
    }

    pub(crate) fn family(&self) -> Family {
        self.family
    }

    /// The socket itself, to register with a poller.
    pub(crate) fn io(&self) -> &UdpSocket {
        &self.io
    }

    /// Fixes the one peer to send to and receive from; its address as the kernel took it (`0.0.0.0` becomes
    /// `127.0.0.1`, for one).
    pub(crate) fn connect(&self, to: SocketAddr) -> io::Result<SocketAddr> {
        self.io.connect(self.fitted(to))?;
        self.io.peer_addr().map(address::to_canonical)
    }

    /// Sends to the connected peer.
    pub(crate) fn send(&self, datagram: &[u8]) -> io::Result<()> {
        self.io.send(datagram).map(drop)
    }

    /// Sends to `to`. An address of a family that the socket does not have is the kernel's to refuse, in its words.
    pub(crate) fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.io.send_to(datagram, self.fitted(to)).map(drop)
    }

    /// Sends datagrams from number `from` on, to `to` or (`None`) to the connected peer, until the kernel refuses one.
    pub(crate) fn send_batch(&self, to: Option<SocketAddr>, payloads: &Payloads<'_>, from: usize) -> Sent {
        sys::send_batch(&self.io, to.map(|to| self.fitted(to)), payloads, from, self.path)
    }

    /// How datagrams pass between this socket and the kernel.
    pub(crate) fn path(&self) -> Path {
        self.path
    }

    /// What it means that the system refused to send or connect to `ip`.
    pub(crate) fn refusal(&self, ip: IpAddr, error: io::Error) -> Reason {
        if sys::is_full(&error) {
            Reason::Busy(error)
        } else if self.family.reaches(ip) {
            Reason::Os(error)
        } else {
            Reason::WrongFamily(Some(error))
        }
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr().map(address::to_canonical)
    }

    /// `SO_BROADCAST`. IPv6 has no broadcasts: nothing is done on such a socket.
    pub(crate) fn set_broadcast(&self, enabled: bool) -> io::Result<()> {
        if self.family == Family::V6 { Ok(()) } else { self.io.set_broadcast(enabled) }
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
        let unasked = otherwise.min(i32::MAX as usize).max(self.default_receive_buffer / sys::BUFFER_FIGURE);
        SockRef::from(&self.io).set_recv_buffer_size(if size == 0 { unasked } else { size })
    }

    /// Asks for a send buffer of `size` bytes; with 0 for the default.
    pub(crate) fn resize_send_buffer(&self, size: usize) -> io::Result<()> {
        let default = self.default_send_buffer / sys::BUFFER_FIGURE;
        SockRef::from(&self.io).set_send_buffer_size(if size == 0 { default } else { size })
    }

    /// Joins (or leaves) a multicast group.
    pub(crate) fn change_group(&self, group: &Group, join: bool) -> Result<(), Reason> {
        if !self.family.reaches(group.ip()) {
            return Err(Reason::WrongFamily(None));
        }
        match group {
            Group::V4 { interface: Err(unknown), .. } => return Err(Reason::UnknownInterface(unknown.clone())),
            Group::V4 { group, interface: Ok(ip) } => {
                let change = if join { UdpSocket::join_multicast_v4 } else { UdpSocket::leave_multicast_v4 };
                change(&self.io, group, ip)
            }
            Group::V6 { group, index } => {
                let change = if join { UdpSocket::join_multicast_v6 } else { UdpSocket::leave_multicast_v6 };
                change(&self.io, group, *index)
            }
        }
        .map_err(Reason::Os)
    }

    /// An address in the form that this socket takes.
    fn fitted(&self, to: SocketAddr) -> SocketAddr {
        if self.family == Family::Dual { address::to_mapped(to) } else { to }
    }
}

/// Asks for a buffer. Linux grants what its limit allows; a system that refuses instead (macOS) is asked for half, and half
/// again.
fn ask(mut size: usize, set: impl Fn(usize) -> io::Result<()>) {
    while size > 0 && set(size).is_err() {
        size /= 2;
    }
}

/// A multicast group on an interface.
#[derive(Debug)]
pub(crate) enum Group {
    V4 {
        group: Ipv4Addr,
        /// The address by which the system knows the interface; or a name that no interface with such an address has.
        interface: Result<Ipv4Addr, String>,
    },
    V6 {
        group: Ipv6Addr,
        index: u32,
    },
}

impl Group {
    /// The group `ip` on the interface of that name; `""` leaves the choice to the system. Asks the system for its
    /// interfaces, which may take a while.
    ///
    /// As the engine does it: an IPv4 group needs an interface with an IPv4 address; for an IPv6 group an interface
    /// that is not known is left to the system as well.
    pub(crate) fn on(ip: IpAddr, interface: &str) -> Self {
        match ip {
            IpAddr::V4(group) if interface.is_empty() => Self::V4 { group, interface: Ok(Ipv4Addr::UNSPECIFIED) },
            IpAddr::V4(group) => {
                Self::V4 { group, interface: interfaces::ipv4_of(interface).ok_or_else(|| interface.to_owned()) }
            }
            IpAddr::V6(group) if interface.is_empty() => Self::V6 { group, index: 0 },
            IpAddr::V6(group) => Self::V6 { group, index: interfaces::index_of(interface).unwrap_or(0) },
        }
    }

    pub(crate) fn ip(&self) -> IpAddr {
        match self {
            Self::V4 { group, .. } => (*group).into(),
            Self::V6 { group, .. } => (*group).into(),
        }
    }
}

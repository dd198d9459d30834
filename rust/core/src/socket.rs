//! One UDP socket: made, configured and used without ever blocking.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::AtomicUsize;

use socket2::{Domain, Protocol, SockRef, Type};

use crate::error::{Error, Operation, Reason};
use crate::peer::options::{Options, Refusal, SocketOption};
use crate::sys::{IoMode, Payloads, Sent};
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
    mode: IoMode,
    /// See `sys::send_batch`.
    gso_limit: AtomicUsize,
    /// The IPv6 groups that were joined, and on which interfaces; 0 for the system's choice.
    groups: Vec<(Ipv6Addr, u32)>,
    /// The kernel's buffers as they were when nobody had asked for any size, in its own figure.
    default_receive_buffer: usize,
    default_send_buffer: usize,
}

/// A socket that was made, and which of the options that it was to have the system refused.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) socket: Socket,
    pub(crate) refused: Vec<Refusal>,
}

impl Opened {
    /// Sets options, and keeps those that the system refuses.
    fn apply(&mut self, options: impl Iterator<Item = SocketOption>) {
        for option in options {
            if let Err(reason) = option.check().and_then(|interface| self.socket.set(&option, interface)) {
                let error = Error::new(Operation::SetOption, option.to_string(), reason);
                self.refused.push(Refusal { option: option.name(), error });
            }
        }
    }
}

impl Socket {
    /// Makes a socket that is not bound yet (where the platform wants one to be: bound to any port).
    pub(crate) fn open(family: Family, options: &Options) -> io::Result<Opened> {
        let opened = Self::make_with(family, 0, options, true)?;
        if sys::BIND_BEFORE_USE {
            opened.socket.bind_to(opened.socket.every_address(0))?;
        }
        Ok(opened)
    }

    /// Makes a socket that is bound to `to`, or with `None` to `port` on every address of both families. The kernel is
    /// asked for a receive buffer of `receive_buffer` bytes, unless the options say otherwise.
    ///
    /// Where the machine has no IPv6, `None` means every IPv4 address.
    pub(crate) fn bound(
        to: Option<SocketAddr>,
        port: u16,
        receive_buffer: usize,
        options: &Options,
    ) -> Result<Opened, Reason> {
        let family = to.map_or(Family::Dual, |to| Family::of(to.ip()));
        let chooses = port == 0 && sys::CHOOSES_SHARED_PORTS;
        let made = Self::make_with(family, receive_buffer, options, !chooses);
        let bound = made.map(|mut opened| {
            let bound = opened.socket.bind_to(to.unwrap_or(opened.socket.every_address(port)));
            if chooses {
                opened.apply(options.sharing());
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
            // IPv6 is there but has no addresses (some containers), or it is not there at all.
            _ => {}
        }
        Self::bound(Some((Ipv4Addr::UNSPECIFIED, port).into()), port, receive_buffer, options)
    }

    /// Makes a socket with the options applied. Without one for its receive buffer, that is as large as the kernel grants
    /// of `receive_buffer`, and never smaller than its default. Where it is not to share its port yet, without the options
    /// that say so.
    fn make_with(family: Family, receive_buffer: usize, options: &Options, shares: bool) -> io::Result<Opened> {
        let make = || Self::make(family, options.reuse_address && shares);
        let mut socket = make()?;
        if options.receive_buffer > 0 {
            ask(options.receive_buffer, |size| SockRef::from(&socket.io).set_recv_buffer_size(size));
        } else if receive_buffer.saturating_mul(sys::BUFFER_SIZE_FACTOR) > socket.default_receive_buffer {
            ask(receive_buffer.min(i32::MAX as usize), |size| SockRef::from(&socket.io).set_recv_buffer_size(size));
            // Where the limit is below the default, asking for more has got less, and there is no way back.
            if socket.receive_buffer_size()? < socket.default_receive_buffer {
                socket = make()?;
            }
        }
        if options.send_buffer > 0 {
            ask(options.send_buffer, |size| SockRef::from(&socket.io).set_send_buffer_size(size));
        }
        if options.broadcast {
            // The only system that refuses has no broadcasts; sending one then fails, with its words.
            let _ = socket.set_broadcast(true);
        }
        let mut opened = Opened { socket, refused: Vec::new() };
        let sharing: Vec<_> = options.sharing().collect();
        opened.apply(options.unusual().filter(|option| shares || !sharing.contains(option)));
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
        let mode = sys::prepare_io_mode(&io, sys::wanted_io_mode());
        let gso_limit = AtomicUsize::new(usize::MAX);
        Ok(Self { io, family, mode, gso_limit, groups: Vec::new(), default_receive_buffer, default_send_buffer })
    }

    fn bind_to(&self, address: SocketAddr) -> io::Result<()> {
        SockRef::from(&self.io).bind(&address.into())
    }

    fn every_address(&self, port: u16) -> SocketAddr {
        match self.family {
            Family::V4 => (Ipv4Addr::UNSPECIFIED, port).into(),
            Family::V6 | Family::Dual => (Ipv6Addr::UNSPECIFIED, port).into(),
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
        sys::send_batch(&self.io, to.map(|to| self.fitted(to)), payloads, from, self.mode, &self.gso_limit)
    }

    /// How datagrams pass between this socket and the kernel.
    pub(crate) fn io_mode(&self) -> IoMode {
        self.mode
    }

    /// What it means that the system refused to send or connect to `address`.
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

    /// Sets an option, which was [checked](SocketOption::check) with that result. On a dual-stack socket it counts for both
    /// families, or for the one that takes it: macOS lets such a socket have no options of IPv4.
    pub(crate) fn set(&self, option: &SocketOption, interface: sys::Interface) -> Result<(), Reason> {
        let socket = SockRef::from(&self.io);
        // (Negative values do not come here; see above.)
        let number = |value: i64| u32::try_from(value).unwrap_or(0);
        let done = match option {
            SocketOption::ReuseAddress(enabled) => socket.set_reuse_address(*enabled),
            SocketOption::ReusePort(enabled) => sys::set_reuse_port(&self.io, *enabled),
            SocketOption::TimeToLive(0) => self.set_default_hops(),
            SocketOption::TimeToLive(hops) => {
                self.for_family(|| socket.set_ttl_v4(number(*hops)), || socket.set_unicast_hops_v6(number(*hops)))
            }
            SocketOption::TrafficClass(class) => self.for_family(
                || socket.set_tos_v4(number(*class)),
                || sys::set_traffic_class_v6(&self.io, number(*class)),
            ),
            SocketOption::MulticastTimeToLive(hops) => self.for_family(
                || socket.set_multicast_ttl_v4(number(*hops)),
                || socket.set_multicast_hops_v6(number(*hops)),
            ),
            SocketOption::MulticastLoopback(enabled) => {
                self.for_family(|| socket.set_multicast_loop_v4(*enabled), || socket.set_multicast_loop_v6(*enabled))
            }
            // Without an IPv4 address nothing could be sent from it.
            SocketOption::MulticastInterface(name) if self.family == Family::V4 && interface.ipv4.is_none() => {
                return Err(Reason::UnknownInterface(name.clone()));
            }
            SocketOption::MulticastInterface(_) => self.for_family(
                || sys::set_multicast_interface_v4(&self.io, interface),
                || socket.set_multicast_if_v6(interface.index.unwrap_or(0)),
            ),
        };
        done.map_err(Reason::Os)
    }

    /// The system's own hop limits.
    fn set_default_hops(&self) -> io::Result<()> {
        let socket = SockRef::from(&self.io);
        let default = |domain, ask: fn(&socket2::Socket) -> io::Result<u32>| match sys::DEFAULT_HOPS {
            Some(number) => Ok(number),
            // A new socket has what it is.
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
                v4().or(of_v6)
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
    pub(crate) fn change_group(&mut self, group: &Group, join: bool) -> Result<(), Reason> {
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
        }
        if let Group::V6 { group, index } = group {
            if join {
                self.groups.push((*group, *index));
            } else if let Some(left) = self.membership(*group, *index) {
                self.groups.remove(left);
            }
        }
        Ok(())
    }

    /// Which of several memberships in a group the kernel has ended: the newest by that interface. 0 stands for any.
    fn membership(&self, group: Ipv6Addr, index: u32) -> Option<usize> {
        let newest = |index: u32| self.groups.iter().rposition(|joined| *joined == (group, index));
        let newest_of_all = || self.groups.iter().rposition(|(joined, _)| *joined == group);
        if index == 0 { newest_of_all() } else { newest(index).or_else(|| newest(0)) }
    }

    /// Whether a message that arrived so (see [`sys::Message::arrival`]) was meant for this socket: not where it was sent to
    /// a group of which this is no member, or not on that interface.
    pub(crate) fn is_meant(&self, arrival: Option<(Ipv6Addr, u32)>) -> bool {
        // Asked for every message, and told only to members of IPv6 groups.
        arrival.is_none_or(|(to, interface)| {
            let is_joined = |(group, index): &(Ipv6Addr, u32)| *group == to && (*index == interface || *index == 0);
            !to.is_multicast() || self.groups.iter().any(is_joined)
        })
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
        /// An interface that has an IPv4 address, or the name that no such interface has.
        interface: Result<sys::Interface, String>,
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
            IpAddr::V4(group) if interface.is_empty() => Self::V4 { group, interface: Ok(sys::Interface::ANY) },
            IpAddr::V4(group) => {
                let found = interfaces::find(interface).filter(|found| found.ipv4.is_some());
                Self::V4 { group, interface: found.ok_or_else(|| interface.to_owned()) }
            }
            IpAddr::V6(group) if interface.is_empty() => Self::V6 { group, index: 0 },
            IpAddr::V6(group) => {
                Self::V6 { group, index: interfaces::find(interface).and_then(|found| found.index).unwrap_or(0) }
            }
        }
    }

    pub(crate) fn ip(&self) -> IpAddr {
        match self {
            Self::V4 { group, .. } => (*group).into(),
            Self::V6 { group, .. } => (*group).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_to_a_group_is_meant_for_its_members_by_interface() {
        let Ok(Opened { mut socket, .. }) = Socket::open(Family::V6, &Options::default()) else { return };
        let group: Ipv6Addr = "ff15::4d02".parse().unwrap();
        let elsewhere: Ipv6Addr = "ff15::4d03".parse().unwrap();
        assert!(socket.is_meant(None));
        assert!(socket.is_meant(Some((Ipv6Addr::LOCALHOST, 7))));
        assert!(!socket.is_meant(Some((group, 7))));
        socket.groups = vec![(group, 7), (elsewhere, 0)];
        assert!(socket.is_meant(Some((group, 7))));
        assert!(!socket.is_meant(Some((group, 8))));
        assert!(socket.is_meant(Some((elsewhere, 8))));
        assert!(socket.is_meant(Some((Ipv6Addr::LOCALHOST, 8))));
    }

    #[test]
    fn what_is_left_is_what_the_kernel_leaves() {
        let Ok(Opened { mut socket, .. }) = Socket::open(Family::V6, &Options::default()) else { return };
        let (one, other) = (Ipv6Addr::from(1), Ipv6Addr::from(2));
        socket.groups = vec![(one, 7), (one, 8), (other, 9), (one, 0)];
        assert_eq!(socket.membership(one, 7), Some(0));
        assert_eq!(socket.membership(one, 0), Some(3));
        assert_eq!(socket.membership(one, 9), Some(3));
        assert_eq!(socket.membership(other, 0), Some(2));
        assert_eq!(socket.membership(other, 7), None);
    }

    fn options() -> Options {
        Options {
            reuse_address: true,
            reuse_port: sys::HAS_REUSE_PORT,
            time_to_live: 9,
            traffic_class: 0xb8,
            multicast_time_to_live: 3,
            multicast_loopback: false,
            ..Options::default()
        }
    }

    fn check(socket: &Socket, options: &Options) {
        let number = |value: i64| u32::try_from(value).unwrap();
        let socket_ref = SockRef::from(&socket.io);
        assert_eq!(socket_ref.reuse_address().unwrap(), options.reuse_address);
        #[cfg(unix)]
        assert_eq!(socket_ref.reuse_port().unwrap(), options.reuse_port);
        // (A dual-stack socket takes options of IPv4 as well on Linux and Windows.)
        if socket.family != Family::V6 && !(socket.family == Family::Dual && cfg!(target_vendor = "apple")) {
            assert_eq!(socket_ref.ttl_v4().unwrap(), number(options.time_to_live));
            assert_eq!(socket_ref.multicast_ttl_v4().unwrap(), number(options.multicast_time_to_live));
            assert_eq!(socket_ref.multicast_loop_v4().unwrap(), options.multicast_loopback);
            #[cfg(unix)]
            assert_eq!(socket_ref.tos_v4().unwrap(), number(options.traffic_class));
        }
        if socket.family != Family::V4 {
            assert_eq!(socket_ref.unicast_hops_v6().unwrap(), number(options.time_to_live));
            assert_eq!(socket_ref.multicast_hops_v6().unwrap(), number(options.multicast_time_to_live));
            assert_eq!(socket_ref.multicast_loop_v6().unwrap(), options.multicast_loopback);
            #[cfg(any(target_os = "linux", target_os = "android"))]
            assert_eq!(socket_ref.tclass_v6().unwrap(), number(options.traffic_class));
        }
    }

    #[test]
    fn the_kernel_has_what_was_asked_for_however_a_socket_is_made() {
        let to = |text: &str| Some(text.parse().unwrap());
        for bind in [None, to("127.0.0.1:0"), to("[::1]:0")] {
            match Socket::bound(bind, 0, 0, &options()) {
                Ok(opened) => {
                    assert!(opened.refused.iter().all(|refusal| cfg!(windows) && refusal.option == "traffic_class"));
                    check(&opened.socket, &options());
                }
                Err(reason) => assert!(bind == to("[::1]:0"), "{reason:?}"),
            }
        }
        for family in [Family::V4, Family::V6] {
            if let Ok(opened) = Socket::open(family, &options()) {
                check(&opened.socket, &options());
            }
        }
    }

    #[test]
    fn the_system_has_its_own_hop_limit_back_with_0() {
        for family in [Family::V4, Family::V6, Family::Dual] {
            let Ok(Opened { socket, .. }) = Socket::make_with(family, 0, &Options::default(), true) else { continue };
            let hops = || {
                let socket_ref = SockRef::from(&socket.io);
                (socket_ref.ttl_v4().ok(), socket_ref.unicast_hops_v6().ok())
            };
            let before = hops();
            socket.set(&SocketOption::TimeToLive(3), sys::Interface::ANY).unwrap();
            assert_ne!(hops(), before, "{family:?}");
            socket.set(&SocketOption::TimeToLive(0), sys::Interface::ANY).unwrap();
            assert_eq!(hops(), before, "{family:?}");
        }
    }
}

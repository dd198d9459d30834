//! The options that a script may set at any time. They are kept when the peer is closed and applied at every open.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::num::NonZeroU8;

use crate::error::{Error, Reason};
use crate::sys::{self, Interface, Source};
use crate::{address, interface};

/// The options of a peer or a server.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct Options {
    pub(crate) broadcast: bool,
    pub(crate) background: bool,
    /// The sizes that the kernel is asked for, in bytes; 0 for its default.
    pub(crate) receive_buffer: usize,
    pub(crate) send_buffer: usize,
    /// How many bytes the receive queue may hold; 0 for what `bind` asks for.
    pub(crate) queue_size: usize,
    /// See [`SocketOption::ReuseAddress`].
    pub reuse_address: bool,
    /// See [`SocketOption::ReusePort`].
    pub reuse_port: bool,
    /// See [`SocketOption::TimeToLive`].
    pub time_to_live: Option<NonZeroU8>,
    /// See [`SocketOption::TrafficClass`].
    pub traffic_class: u8,
    /// See [`SocketOption::MulticastTimeToLive`].
    pub multicast_time_to_live: u8,
    /// See [`SocketOption::MulticastLoopback`].
    pub multicast_loopback: bool,
    /// See [`SocketOption::MulticastInterface`].
    pub multicast_interface: String,
    /// See [`SocketOption::PacketInfo`].
    pub packet_info: bool,
    /// See [`SocketOption::SourceAddress`].
    pub source_address: String,
    /// The address that `source_address` names.
    pub(crate) source: Option<Source>,
}

/// An option of a socket, with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketOption {
    /// Whether other sockets that set it too may have the same port (`SO_REUSEADDR`). A unicast datagram then goes to one of
    /// them (on Linux to the one that was bound last); multicasts and broadcasts go to all.
    ReuseAddress(bool),
    /// Whether other sockets of the same user that set it too may have the same port (`SO_REUSEPORT`). Linux distributes
    /// datagrams among them by sender. Windows does not have it.
    ReusePort(bool),
    /// The hop limit of unicast datagrams (`IP_TTL`, `IPV6_UNICAST_HOPS`); `None` for the system's default.
    TimeToLive(Option<NonZeroU8>),
    /// The TOS or traffic-class byte (`IP_TOS`, `IPV6_TCLASS`).
    TrafficClass(u8),
    /// The hop limit of multicasts (`IP_MULTICAST_TTL`, `IPV6_MULTICAST_HOPS`). With 0 they stay on this machine, with 1 on
    /// this network.
    MulticastTimeToLive(u8),
    /// Whether members on this machine receive the multicasts of this socket (`IP_MULTICAST_LOOP`, `IPV6_MULTICAST_LOOP`). On
    /// Windows, for IPv4, it decides whether this socket receives those of this machine.
    MulticastLoopback(bool),
    /// The interface that multicasts leave by (`IP_MULTICAST_IF`, `IPV6_MULTICAST_IF`); empty for the system's choice.
    MulticastInterface(String),
    /// Whether packets tell the [address](crate::PacketMeta::local) that they were sent to and the
    /// [interface](crate::PacketMeta::interface) by which they came (`IP_PKTINFO`, `IPV6_RECVPKTINFO`).
    PacketInfo(bool),
    /// The numeric address of this machine that datagrams leave from; empty: the routing table decides. It has an effect on a socket
    /// that is not connected and was bound to a wildcard address or not bound, for destinations of its address family, and not on
    /// broadcasts to every interface. While no interface has the address, sending fails with [`Reason::NoSuchAddress`].
    SourceAddress(String),
}

/// What [`SocketOption::check`] has found out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checked {
    /// The interface of [`SocketOption::MulticastInterface`].
    pub(crate) interface: Interface,
    /// The address of [`SocketOption::SourceAddress`].
    pub(crate) source: Option<Source>,
}

impl Default for Checked {
    fn default() -> Self {
        Self { interface: Interface::ANY, source: None }
    }
}

/// An option that the system refused when a peer or a server was opened.
#[derive(Debug)]
pub struct Refusal {
    /// Its name, as that of a script's property.
    pub option: &'static str,
    /// Why.
    pub error: Error,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            broadcast: false,
            background: false,
            receive_buffer: 0,
            send_buffer: 0,
            queue_size: 0,
            reuse_address: false,
            reuse_port: false,
            time_to_live: None,
            traffic_class: 0,
            multicast_time_to_live: 1,
            multicast_loopback: true,
            multicast_interface: String::new(),
            packet_info: false,
            source_address: String::new(),
            source: None,
        }
    }
}

impl Options {
    /// The options whose values differ from those of a new socket.
    pub(crate) fn changed(&self) -> impl Iterator<Item = SocketOption> {
        let with_default = self.all().into_iter().zip(Self::default().all());
        with_default.filter(|(option, default)| option != default).map(|(option, _)| option)
    }

    /// Those of the [changed](Self::changed) options that let other sockets have the same port.
    pub(crate) fn sharing(&self) -> impl Iterator<Item = SocketOption> {
        let shares =
            |option: &SocketOption| matches!(option, SocketOption::ReuseAddress(_) | SocketOption::ReusePort(_));
        self.changed().filter(shares)
    }

    fn all(&self) -> [SocketOption; 9] {
        [
            SocketOption::ReuseAddress(self.reuse_address),
            SocketOption::ReusePort(self.reuse_port),
            SocketOption::TimeToLive(self.time_to_live),
            SocketOption::TrafficClass(self.traffic_class),
            SocketOption::MulticastTimeToLive(self.multicast_time_to_live),
            SocketOption::MulticastLoopback(self.multicast_loopback),
            SocketOption::MulticastInterface(self.multicast_interface.clone()),
            SocketOption::PacketInfo(self.packet_info),
            SocketOption::SourceAddress(self.source_address.clone()),
        ]
    }

    /// Stores the value of an option, whose [check](SocketOption::check) gave `checked`.
    pub(crate) fn store(&mut self, option: SocketOption, checked: Checked) {
        match option {
            SocketOption::ReuseAddress(enabled) => self.reuse_address = enabled,
            SocketOption::ReusePort(enabled) => self.reuse_port = enabled,
            SocketOption::TimeToLive(hops) => self.time_to_live = hops,
            SocketOption::TrafficClass(class) => self.traffic_class = class,
            SocketOption::MulticastTimeToLive(hops) => self.multicast_time_to_live = hops,
            SocketOption::MulticastLoopback(enabled) => self.multicast_loopback = enabled,
            SocketOption::MulticastInterface(name) => self.multicast_interface = name,
            SocketOption::PacketInfo(enabled) => self.packet_info = enabled,
            SocketOption::SourceAddress(address) => {
                self.source_address = address;
                self.source = checked.source;
            }
        }
    }
}

impl SocketOption {
    /// Its name, as that of a script's property.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ReuseAddress(_) => "reuse_address",
            Self::ReusePort(_) => "reuse_port",
            Self::TimeToLive(_) => "time_to_live",
            Self::TrafficClass(_) => "traffic_class",
            Self::MulticastTimeToLive(_) => "multicast_time_to_live",
            Self::MulticastLoopback(_) => "multicast_loopback",
            Self::MulticastInterface(_) => "multicast_interface",
            Self::PacketInfo(_) => "packet_info",
            Self::SourceAddress(_) => "source_address",
        }
    }

    /// Whether this system could set the value on some socket, and the interface or address that it names. May list the system's
    /// interfaces, so it must not be called under a lock.
    pub(crate) fn check(&self) -> Result<Checked, Reason> {
        match self {
            Self::MulticastInterface(name) if !name.is_empty() => {
                let found = interface::find(name).map_err(Reason::NoInterfaceList)?;
                let interface = found.ok_or_else(|| Reason::UnknownInterface(name.clone()))?;
                Ok(Checked { interface, ..Checked::default() })
            }
            Self::SourceAddress(text) if !text.is_empty() => {
                let source = source_of(address::parse_scoped(text)?.ok_or(Reason::InvalidAddress)?);
                check_source(source)?;
                let of_loopback = Ipv4Addr::new(127, 255, 255, 255);
                let is_broadcast = |ip| ip == of_loopback || interface::broadcast_addresses().contains(&ip);
                if matches!(source.ip, Some(IpAddr::V4(ip)) if is_broadcast(ip)) {
                    return Err(Reason::NoSuchAddress);
                }
                Ok(Checked { source: Some(source), ..Checked::default() })
            }
            Self::ReusePort(true) if !sys::HAS_REUSE_PORT => Err(Reason::Os(io::ErrorKind::Unsupported.into())),
            _ => Ok(Checked::default()),
        }
    }
}

fn source_of(address: SocketAddr) -> Source {
    let interface = if let SocketAddr::V6(v6) = address { v6.scope_id() } else { 0 };
    Source { ip: Some(address.ip()), interface }
}

/// Fails if this machine does not have the address. Asks by binding a socket to it, which also knows the addresses that no interface
/// lists: those of loopback, and of networks that are routed to this machine.
pub(crate) fn check_source(source: Source) -> Result<(), Reason> {
    let Some(ip) = source.ip else { return Ok(()) };
    let address = match ip {
        IpAddr::V6(ip) => SocketAddrV6::new(ip, 0, 0, source.interface).into(),
        IpAddr::V4(_) => SocketAddr::new(ip, 0),
    };
    // A wildcard address or a group can be bound to, but nothing comes from there.
    let is_sendable = sys::Arrival::at(ip, 0).source.is_some();
    match UdpSocket::bind(address) {
        Ok(_) if is_sendable => Ok(()),
        Err(error) if address::lacks_scope(address) => Err(Reason::NoScope(error)),
        Ok(_) => Err(Reason::NoSuchAddress),
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => Err(Reason::NoSuchAddress),
        // Not about the address: no socket could be made, for example.
        Err(error) => Err(Reason::Os(error)),
    }
}

impl fmt::Display for SocketOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::ReuseAddress(value)
            | Self::ReusePort(value)
            | Self::MulticastLoopback(value)
            | Self::PacketInfo(value) => {
                write!(f, "{name} to {value}")
            }
            Self::TimeToLive(value) => write!(f, "{name} to {}", value.map_or(0, NonZeroU8::get)),
            Self::TrafficClass(value) | Self::MulticastTimeToLive(value) => write!(f, "{name} to {value}"),
            Self::MulticastInterface(value) | Self::SourceAddress(value) => write!(f, "{name} to {value:?}"),
        }
    }
}

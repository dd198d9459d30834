//! The options that a script may set at any time. They are kept when the peer is closed and applied at every open.

use std::fmt;
use std::io;
use std::num::NonZeroU8;

use crate::error::{Error, Reason};
use crate::interface;
use crate::sys::{self, Interface};

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

    fn all(&self) -> [SocketOption; 7] {
        [
            SocketOption::ReuseAddress(self.reuse_address),
            SocketOption::ReusePort(self.reuse_port),
            SocketOption::TimeToLive(self.time_to_live),
            SocketOption::TrafficClass(self.traffic_class),
            SocketOption::MulticastTimeToLive(self.multicast_time_to_live),
            SocketOption::MulticastLoopback(self.multicast_loopback),
            SocketOption::MulticastInterface(self.multicast_interface.clone()),
        ]
    }

    /// Stores the value of an option.
    pub(crate) fn store(&mut self, option: SocketOption) {
        match option {
            SocketOption::ReuseAddress(enabled) => self.reuse_address = enabled,
            SocketOption::ReusePort(enabled) => self.reuse_port = enabled,
            SocketOption::TimeToLive(hops) => self.time_to_live = hops,
            SocketOption::TrafficClass(class) => self.traffic_class = class,
            SocketOption::MulticastTimeToLive(hops) => self.multicast_time_to_live = hops,
            SocketOption::MulticastLoopback(enabled) => self.multicast_loopback = enabled,
            SocketOption::MulticastInterface(name) => self.multicast_interface = name,
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
        }
    }

    /// Whether this system could set the value on some socket, and the interface that it names. May list the system's
    /// interfaces, so it must not be called under a lock.
    pub(crate) fn check(&self) -> Result<Interface, Reason> {
        match self {
            Self::MulticastInterface(name) if !name.is_empty() => {
                interface::find(name).ok_or_else(|| Reason::UnknownInterface(name.clone()))
            }
            Self::ReusePort(true) if !sys::HAS_REUSE_PORT => Err(Reason::Os(io::ErrorKind::Unsupported.into())),
            _ => Ok(Interface::ANY),
        }
    }
}

impl fmt::Display for SocketOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::ReuseAddress(value) | Self::ReusePort(value) | Self::MulticastLoopback(value) => {
                write!(f, "{name} to {value}")
            }
            Self::TimeToLive(value) => write!(f, "{name} to {}", value.map_or(0, NonZeroU8::get)),
            Self::TrafficClass(value) | Self::MulticastTimeToLive(value) => write!(f, "{name} to {value}"),
            Self::MulticastInterface(value) => write!(f, "{name} to {value:?}"),
        }
    }
}

//! The error type: the operation, its subject, and the reason with the system's own error.
//!
//! Written out, an error has the system's words and, after a semicolon, what to do about it: the system's code chooses that. The remedy
//! names methods and properties as scripts have them.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::sys::{self, Cause};

/// A call that failed.
#[derive(Debug)]
pub struct Error {
    /// The operation that failed.
    pub operation: Operation,
    /// Its subject: an address, a host name, a group. Empty if there is none.
    pub subject: String,
    /// Why it failed.
    pub reason: Reason,
}

/// The operation of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Binding to a local port.
    Bind,
    /// Connecting to a host.
    Connect,
    /// Setting the destination of what is sent.
    SetDestination,
    /// Allowing broadcasts.
    SetBroadcast,
    /// Setting an option, which the subject names.
    SetOption,
    /// Joining a multicast group.
    JoinGroup,
    /// Leaving a multicast group.
    LeaveGroup,
    /// Sending a datagram.
    Send,
    /// Sending a datagram to the broadcast address of every interface.
    Broadcast,
    /// Receiving datagrams.
    Receive,
    /// Waiting for a datagram.
    Wait,
}

/// Why an operation failed.
#[derive(Debug)]
pub enum Reason {
    /// The peer is closed.
    NotOpen,
    /// The peer is open already.
    AlreadyOpen,
    /// The peer was closed before this was done.
    Closed,
    /// A newer call has set a destination before this was done.
    Superseded,
    /// The peer is connected, so it sends to no other address.
    Connected,
    /// The peer belongs to a server, whose socket this would change.
    Accepted,
    /// The element at this index, counted from 0, is no open peer of the server.
    NotOfServer(usize),
    /// There is no destination to send to.
    NoDestination,
    /// The text is not an address that this operation takes.
    InvalidAddress,
    /// The port is out of range.
    InvalidPort(i64),
    /// The size of segments is out of range.
    InvalidSegment(i64),
    /// The value of an option is out of range.
    OutOfRange(i64),
    /// Broadcasts are not enabled.
    NoBroadcast,
    /// No interface that is up has a broadcast address.
    NoInterface,
    /// The time to wait is negative and not -1.
    InvalidTimeout(i64),
    /// No socket could be made; the system's own error.
    NoSocket(io::Error),
    /// The port is taken by a socket that does not share it; the system's own error.
    NotShared(io::Error),
    /// No thread could be started; the system's own error.
    NoThread(io::Error),
    /// The system's resolver does not know the name; its own words.
    Unresolvable(String),
    /// No interface of that name has a fitting address.
    UnknownInterface(String),
    /// The system does not list its interfaces, so that one could not be looked up; its own error.
    NoInterfaceList(io::Error),
    /// The address is valid on one interface only, and does not name it; the system's own error.
    NoScope(io::Error),
    /// The address is of no interface of this machine.
    NoSuchAddress,
    /// The system does not send from the source address that was chosen to this destination; its own error.
    BadSource(io::Error),
    /// There is not enough memory.
    OutOfMemory,
    /// The address is of a family that the socket does not have; the system's own error, where it was asked.
    WrongFamily(Option<io::Error>),
    /// The kernel's send buffer is full; nothing was sent.
    Busy(io::Error),
    /// The system refused; its own error.
    Os(io::Error),
}

impl Error {
    /// An error that the system was not asked about, or whose [`Reason`] holds the system's own.
    pub fn new(operation: Operation, subject: impl Into<String>, reason: Reason) -> Self {
        Self { operation, subject: subject.into(), reason }
    }

    pub(crate) fn os(operation: Operation, subject: impl Into<String>, error: io::Error) -> Self {
        Self::new(operation, subject, Reason::Os(error))
    }

    /// The system's error code (`errno`, or Winsock's), 0 where the system was not asked.
    #[must_use]
    pub fn os_code(&self) -> i32 {
        match &self.reason {
            Reason::Busy(error)
            | Reason::BadSource(error)
            | Reason::NoScope(error)
            | Reason::NoSocket(error)
            | Reason::NoThread(error)
            | Reason::NoInterfaceList(error)
            | Reason::NotShared(error)
            | Reason::Os(error)
            | Reason::WrongFamily(Some(error)) => error.raw_os_error().unwrap_or(0),
            _ => 0,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.operation {
            Operation::Bind => "binding to",
            Operation::Connect => "connecting to",
            Operation::SetDestination => "setting the destination to",
            Operation::SetBroadcast => "allowing broadcasts",
            Operation::SetOption => "setting",
            Operation::JoinGroup => "joining the group",
            Operation::LeaveGroup => "leaving the group",
            Operation::Send if self.subject.is_empty() && !matches!(self.reason, Reason::InvalidAddress) => "sending",
            Operation::Send => "sending to",
            Operation::Broadcast => "broadcasting",
            Operation::Receive => "receiving",
            Operation::Wait => "waiting",
        })?;
        match &self.reason {
            // Text that is no address is quoted: it may be empty, or anything else.
            Reason::InvalidAddress if self.operation != Operation::SetOption => write!(f, " {:?}", self.subject)?,
            _ if self.subject.is_empty() => {}
            _ => write!(f, " {}", self.subject)?,
        }
        f.write_str(": ")?;
        match &self.reason {
            Reason::NotOpen => f.write_str("it is not open"),
            Reason::Closed => f.write_str("it was closed meanwhile"),
            Reason::Superseded => f.write_str("a newer call has set another destination meanwhile"),
            Reason::AlreadyOpen => f.write_str("it is open already"),
            Reason::Connected => f.write_str("the peer is connected, and sends to nobody by address"),
            Reason::Accepted => f.write_str("the peer belongs to a server"),
            Reason::NotOfServer(index) => write!(f, "the peer at index {index} is no open peer of this server"),
            Reason::InvalidSegment(size) => write!(f, "packets of {size} bytes cannot be; 1 to 65507 can"),
            Reason::OutOfRange(value) => write!(f, "{value} is out of range"),
            Reason::NoBroadcast => f.write_str("broadcasts are not enabled"),
            Reason::NoInterface => f.write_str("no interface that is up has a broadcast address"),
            Reason::NoDestination => f.write_str("no destination is set"),
            Reason::InvalidAddress if matches!(self.operation, Operation::Connect | Operation::SetDestination) => {
                f.write_str("neither an address nor a host name")
            }
            Reason::InvalidAddress => f.write_str("not a valid address"),
            Reason::InvalidPort(port) => write!(f, "port {port} is out of range"),
            Reason::InvalidTimeout(msec) => {
                write!(f, "a timeout of {msec} ms makes no sense; -1 is as long as it takes")
            }
            Reason::NoScope(error) => write!(
                f,
                "{error}; a link-local address needs the interface that it is good on, as in fe80::1%{}",
                if sys::SCOPES_HAVE_NAMES { "eth0" } else { "12" }
            ),
            Reason::NotShared(error) => {
                write!(
                    f,
                    "{error}; another socket has this port and does not share it: choose another port, or let that socket share too"
                )
            }
            Reason::NoThread(error) => {
                write!(f, "no thread could be started: {error}; end threads that are not needed")
            }
            Reason::NoSocket(error) => write!(f, "no socket could be opened: {error}"),
            Reason::Unresolvable(detail) => f.write_str(detail),
            Reason::UnknownInterface(name) => write!(f, "no interface {name:?} with a fitting address"),
            Reason::NoInterfaceList(error) => write!(f, "the system does not list its interfaces: {error}"),
            Reason::NoSuchAddress => f.write_str("no interface of this machine has that address"),
            Reason::BadSource(error) => {
                write!(f, "{error}; packets of source_address do not get there; set it to another address, or to \"\"")
            }
            Reason::OutOfMemory => f.write_str("there is not enough memory"),
            Reason::WrongFamily(None) => f.write_str("the socket is of the other address family"),
            Reason::WrongFamily(Some(error)) => write!(f, "the socket is of the other address family: {error}"),
            Reason::Busy(error) => write!(f, "the send buffer is full: {error}"),
            Reason::Os(error) => error.fmt(f),
        }?;
        match self.remedy() {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl Error {
    /// What to do about an error of the system; `None` where its words say it, or nothing is known.
    fn remedy(&self) -> Option<&'static str> {
        let (Reason::Os(error) | Reason::NoSocket(error)) = &self.reason else { return None };
        let cause = sys::cause(error);
        match (cause, self.operation) {
            // Needed for sockets, for the background thread and for a wait.
            (Cause::NoDescriptor, _) => {
                Some("close sockets or files that are no longer needed, or raise the limit (ulimit -n)")
            }
            (Cause::NoFamily, _) => Some("this machine does not have that address family"),
            (_, Operation::Bind) => self.remedy_of_bind(cause),
            (_, Operation::Send | Operation::Connect | Operation::Broadcast) => self.remedy_of_send(cause),
            (_, Operation::JoinGroup) => self.remedy_of_join(cause),
            (_, Operation::LeaveGroup) => {
                Some("only a group that was joined, and on the interface where it was, can be left")
            }
            (_, Operation::SetOption) => self.remedy_of_option(cause),
            (Cause::Refused, Operation::Receive) => Some("nothing receives on a port that a packet was sent to"),
            (Cause::NoHost | Cause::NoRoute, Operation::Receive) => {
                Some("a host that a packet was sent to cannot be reached")
            }
            _ => None,
        }
    }

    fn remedy_of_bind(&self, cause: Cause) -> Option<&'static str> {
        let has_low_port = self.port().is_some_and(|port| port < 1024);
        match cause {
            Cause::AddressInUse => Some("another socket has this port; choose another one, or 0 for any that is free"),
            Cause::NoSuchAddress => {
                Some("no interface has this address; use one of IP.get_local_addresses(), or \"*\" for all")
            }
            Cause::NotAllowed if has_low_port => {
                Some("on this system, ports below 1024 need a privilege; choose another one")
            }
            Cause::NotAllowed => Some("another program may have this port to itself; choose another one"),
            _ => None,
        }
    }

    fn remedy_of_send(&self, cause: Cause) -> Option<&'static str> {
        let to = self.address().map(|to| to.ip());
        let is_multicast = to.is_some_and(|to| to.is_multicast());
        // First: which code port 0 gets depends on the platform.
        if self.port() == Some(0) {
            return Some("no packet can be sent to port 0; use 1 to 65535");
        }
        match cause {
            Cause::TooLarge => Some(
                "a packet carries at most 65,507 bytes over IPv4 and 65,527 over IPv6, and a broadcast what fits into one \
                 frame of the network (mostly 1,472)",
            ),
            Cause::NotAllowed if to == Some(Ipv4Addr::BROADCAST.into()) => Some(
                "broadcasts must be enabled first: call set_broadcast_enabled(true); put_packet_broadcast() reaches every \
                 network of this machine",
            ),
            Cause::NotAllowed if to.is_none_or(|to| to.is_ipv4()) => Some(
                "if this is a broadcast address, broadcasts must be enabled first: call set_broadcast_enabled(true)",
            ),
            Cause::Filtered | Cause::NotAllowed => Some("a firewall of this machine forbids it"),
            Cause::NoRoute | Cause::NoDevice | Cause::NoSuchAddress if is_multicast => {
                Some("no route leads to this group; set multicast_interface")
            }
            Cause::NoRoute if to == Some(Ipv4Addr::BROADCAST.into()) => Some(
                "no route leads there; put_packet_broadcast() sends by every interface, after set_broadcast_enabled(true)",
            ),
            Cause::NoRoute => Some("no route leads there; check the address and the machine's network"),
            Cause::NoHost => Some("the host cannot be reached; check the address, and whether the host is on"),
            Cause::Refused => Some("nothing receives on that port"),
            Cause::NoSuchAddress => Some("no free port is left; close sockets that are no longer needed"),
            Cause::Invalid => Some(
                "the address cannot be reached from the one that the peer is bound to (127.0.0.1 and ::1 reach this machine \
                 only); bind it to \"*\"",
            ),
            _ => None,
        }
    }

    fn remedy_of_join(&self, cause: Cause) -> Option<&'static str> {
        let group: Option<IpAddr> = self.subject.parse().ok();
        match cause {
            _ if group.is_some_and(|group| !group.is_multicast()) => {
                Some("it is no multicast address; use one of 224.0.0.0 to 239.255.255.255, or one that begins with ff")
            }
            Cause::NoRoom if group.is_some_and(|group| group.is_ipv6()) => Some(
                "too many groups on one socket; leave some, or use another peer (Linux: net.core.optmem_max is the limit)",
            ),
            Cause::NoRoom => Some(
                "too many groups on one socket; leave some, or use another peer (Linux: net.ipv4.igmp_max_memberships is the \
                 limit)",
            ),
            Cause::AddressInUse => Some("it has been joined on this interface already"),
            Cause::NoDevice | Cause::NoSuchAddress | Cause::NoRoute => {
                Some("the system chooses no interface; name one that IP.get_local_interfaces() lists")
            }
            _ => None,
        }
    }

    fn remedy_of_option(&self, cause: Cause) -> Option<&'static str> {
        let is = |option: &str| self.subject.starts_with(option);
        match cause {
            Cause::Invalid if is("reuse_address") || is("reuse_port") => Some("set it before the socket is opened"),
            Cause::NotSupported => Some("this platform does not have it"),
            Cause::NoRoom if is("receive_buffer_size") || is("send_buffer_size") => Some("ask for less"),
            Cause::NoDevice | Cause::NoSuchAddress if is("multicast_interface") => {
                Some("the interface is gone; IP.get_local_interfaces() lists those that there are")
            }
            _ => None,
        }
    }

    /// The address that the subject begins with, if it is one with a port.
    fn address(&self) -> Option<SocketAddr> {
        self.subject.split(' ').next()?.parse().ok()
    }

    /// The port that the subject begins with, also after an address with the name of an interface, or `*`.
    fn port(&self) -> Option<u16> {
        self.subject.split(' ').next()?.rsplit_once(':')?.1.parse().ok()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.reason {
            Reason::Busy(error)
            | Reason::BadSource(error)
            | Reason::NoScope(error)
            | Reason::NoSocket(error)
            | Reason::NoThread(error)
            | Reason::NoInterfaceList(error)
            | Reason::NotShared(error)
            | Reason::Os(error)
            | Reason::WrongFamily(Some(error)) => Some(error),
            _ => None,
        }
    }
}

/// The result of every call of this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes of this platform.
    #[cfg(unix)]
    mod code {
        pub(super) use libc::{
            EACCES as NOT_ALLOWED, EADDRINUSE as IN_USE, EADDRNOTAVAIL as NO_ADDRESS, EAFNOSUPPORT as NO_FAMILY,
            EHOSTUNREACH as NO_HOST, EINVAL as INVALID, EMFILE as NO_DESCRIPTOR, EMSGSIZE as TOO_LARGE,
            ENETUNREACH as NO_ROUTE, ENOBUFS as NO_ROOM, ENOPROTOOPT as NOT_SUPPORTED,
        };
    }
    #[cfg(windows)]
    mod code {
        pub(super) use windows_sys::Win32::Networking::WinSock::{
            WSAEACCES as NOT_ALLOWED, WSAEADDRINUSE as IN_USE, WSAEADDRNOTAVAIL as NO_ADDRESS,
            WSAEAFNOSUPPORT as NO_FAMILY, WSAEHOSTUNREACH as NO_HOST, WSAEINVAL as INVALID, WSAEMFILE as NO_DESCRIPTOR,
            WSAEMSGSIZE as TOO_LARGE, WSAENETUNREACH as NO_ROUTE, WSAENOBUFS as NO_ROOM,
            WSAENOPROTOOPT as NOT_SUPPORTED,
        };
    }

    #[test]
    fn the_code_of_the_system_chooses_the_remedy() {
        use Operation::{Bind, Connect, JoinGroup, LeaveGroup, Send, SetOption, Wait};
        for (operation, subject, code, remedy) in [
            (Bind, "*:4433", code::IN_USE, "another socket has this port"),
            (Bind, "192.0.2.1:0", code::NO_ADDRESS, "no interface has this address"),
            (Bind, "*:80", code::NOT_ALLOWED, "ports below 1024"),
            (Bind, "[::1]:8080", code::NOT_ALLOWED, "another program"),
            (Send, "127.0.0.1:9", code::TOO_LARGE, "65,507 bytes over IPv4"),
            (Send, "127.0.0.1:9 (the packet at index 2 of 3)", code::TOO_LARGE, "65,507 bytes over IPv4"),
            (Send, "255.255.255.255:9", code::NOT_ALLOWED, "put_packet_broadcast()"),
            (Send, "10.0.0.255:9", code::NOT_ALLOWED, "set_broadcast_enabled(true)"),
            (Send, "[2001:db8::1]:9", code::NOT_ALLOWED, "a firewall"),
            (Send, "10.0.0.1:9", code::NO_ROUTE, "no route leads there; check the address"),
            (Send, "255.255.255.255:9", code::NO_ROUTE, "put_packet_broadcast()"),
            (Send, "239.1.2.3:9", code::NO_ROUTE, "set multicast_interface"),
            (Send, "10.0.0.1:9", code::NO_HOST, "the host cannot be reached"),
            // Port 0 has another code on each platform.
            (Send, "127.0.0.1:0", code::INVALID, "port 0; use 1 to 65535"),
            (Send, "[fe80::1%eth0]:0", code::NO_ADDRESS, "port 0; use 1 to 65535"),
            (Send, "10.0.0.1:9", code::INVALID, "bind it to \"*\""),
            (Connect, "10.0.0.255:9", code::NOT_ALLOWED, "set_broadcast_enabled(true)"),
            (Connect, "10.0.0.1:9", code::NO_ADDRESS, "no free port is left"),
            (JoinGroup, "239.1.2.3", code::NO_ROOM, "net.ipv4.igmp_max_memberships"),
            (JoinGroup, "ff15::1", code::NO_ROOM, "net.core.optmem_max"),
            (JoinGroup, "239.1.2.3", code::NO_ADDRESS, "name one that IP.get_local_interfaces() lists"),
            (JoinGroup, "239.1.2.3", code::IN_USE, "joined on this interface already"),
            (JoinGroup, "127.0.0.1", code::NO_ADDRESS, "no multicast address"),
            (JoinGroup, "127.0.0.1", code::INVALID, "no multicast address"),
            (LeaveGroup, "239.1.2.3", code::NO_ADDRESS, "only a group that was joined"),
            (SetOption, "reuse_address to true", code::INVALID, "set it before the socket is opened"),
            (SetOption, "traffic_class to 8", code::NOT_SUPPORTED, "this platform does not have it"),
            (SetOption, "send_buffer_size to 8", code::NO_ROOM, "ask for less"),
            (SetOption, "background_receive", code::NO_DESCRIPTOR, "close sockets"),
            (Wait, "", code::NO_DESCRIPTOR, "close sockets"),
            (Connect, "::1", code::NO_FAMILY, "does not have that address family"),
        ] {
            let error = Error::os(operation, subject, io::Error::from_raw_os_error(code));
            let text = error.to_string();
            assert!(text.contains(remedy), "{text:?} lacks {remedy:?}");
            assert!(text.contains(&code.to_string()), "{text:?}");
        }
    }

    #[test]
    fn an_error_of_which_nothing_is_known_has_the_words_of_the_system_only() {
        let error = Error::os(Operation::Send, "127.0.0.1:9", io::Error::other("words"));
        assert_eq!(error.to_string(), "sending to 127.0.0.1:9: words");
    }
}

//! The error type: the operation, its subject, and the reason with the system's own error.

use std::fmt;
use std::io;

use crate::sys;

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
    /// The address is valid on one interface only, and does not name it; the system's own error.
    NoScope(io::Error),
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
            | Reason::NoScope(error)
            | Reason::NoSocket(error)
            | Reason::NoThread(error)
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
            Reason::InvalidAddress => write!(f, " {:?}", self.subject)?,
            _ if self.subject.is_empty() => {}
            _ => write!(f, " {}", self.subject)?,
        }
        f.write_str(": ")?;
        match &self.reason {
            Reason::NotOpen => f.write_str("the peer is not open"),
            Reason::Closed => f.write_str("the peer was closed meanwhile"),
            Reason::Superseded => f.write_str("a newer call has set another destination meanwhile"),
            Reason::AlreadyOpen => f.write_str("it is open already"),
            Reason::Connected => f.write_str("the peer is connected, and sends to nobody by address"),
            Reason::Accepted => f.write_str("the peer belongs to a server"),
            Reason::NotOfServer(index) => write!(f, "element {index} is no open peer of this server"),
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
                write!(f, "{error}; every socket on a port that is shared must have been bound so")
            }
            Reason::NoThread(error) => write!(f, "no thread could be started: {error}"),
            Reason::NoSocket(error) => write!(f, "no socket could be opened: {error}"),
            Reason::Unresolvable(detail) => f.write_str(detail),
            Reason::UnknownInterface(name) => write!(f, "no interface {name:?} with a fitting address"),
            Reason::WrongFamily(None) => f.write_str("the socket is of the other address family"),
            Reason::WrongFamily(Some(error)) => write!(f, "the socket is of the other address family: {error}"),
            Reason::Busy(error) => write!(f, "the send buffer is full: {error}"),
            // The system's words for a broadcast that is not allowed do not say what is missing.
            Reason::Os(error)
                if error.kind() == io::ErrorKind::PermissionDenied
                    && matches!(self.operation, Operation::Send | Operation::Connect) =>
            {
                write!(f, "{error}; if this is a broadcast address, broadcasts must be enabled first")
            }
            Reason::Os(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.reason {
            Reason::Busy(error)
            | Reason::NoScope(error)
            | Reason::NoSocket(error)
            | Reason::NoThread(error)
            | Reason::NotShared(error)
            | Reason::Os(error)
            | Reason::WrongFamily(Some(error)) => Some(error),
            _ => None,
        }
    }
}

/// The result of every call of this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

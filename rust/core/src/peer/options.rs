//! What a script may set, at any time: kept when the peer is closed, and applied whenever it is opened.

use std::fmt;
use std::io;
use std::mem;
use std::sync::atomic::Ordering;

use super::{Endpoint, Link, Peer, State};
use crate::error::{Error, Operation, Reason, Result};
use crate::interfaces;
use crate::queue::OverflowPolicy;
use crate::socket::Socket;
use crate::sys;

/// What is applied to every socket of a peer.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are options, each for itself")]
pub struct Options {
    pub(crate) broadcast: bool,
    pub(crate) background: bool,
    /// What the kernel is asked for, in bytes; 0 for its default.
    pub(crate) receive_buffer: usize,
    pub(crate) send_buffer: usize,
    /// See [`SocketOption::ReuseAddress`].
    pub reuse_address: bool,
    /// See [`SocketOption::ReusePort`].
    pub reuse_port: bool,
    /// See [`SocketOption::TimeToLive`].
    pub time_to_live: i64,
    /// See [`SocketOption::TrafficClass`].
    pub traffic_class: i64,
    /// See [`SocketOption::MulticastTimeToLive`].
    pub multicast_time_to_live: i64,
    /// See [`SocketOption::MulticastLoopback`].
    pub multicast_loopback: bool,
    /// See [`SocketOption::MulticastInterface`].
    pub multicast_interface: String,
}

/// An option of a socket, with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketOption {
    /// Whether other sockets that want it too may have the same port (`SO_REUSEADDR`). What is sent to one address then goes
    /// to one of them (on Linux to the one that was bound last), multicasts and broadcasts go to all.
    ReuseAddress(bool),
    /// Whether other sockets of the same user that want it too may have the same port (`SO_REUSEPORT`); Linux deals what
    /// comes out to them, by sender. Not on Windows.
    ReusePort(bool),
    /// The hop limit of unicast (`IP_TTL`, `IPV6_UNICAST_HOPS`), 1 to 255; 0 for the system's.
    TimeToLive(i64),
    /// The byte that tells routers how urgent it is (`IP_TOS`, `IPV6_TCLASS`), 0 to 255.
    TrafficClass(i64),
    /// The hop limit of multicasts (`IP_MULTICAST_TTL`, `IPV6_MULTICAST_HOPS`), 0 to 255. At 0 they stay on this machine, at
    /// 1 on this network.
    MulticastTimeToLive(i64),
    /// Whether members on this machine receive multicasts of this socket (`IP_MULTICAST_LOOP`, `IPV6_MULTICAST_LOOP`). (On
    /// Windows it is whether this socket receives those of this machine.)
    MulticastLoopback(bool),
    /// The interface that multicasts leave by (`IP_MULTICAST_IF`, `IPV6_MULTICAST_IF`); empty for the system's choice.
    MulticastInterface(String),
}

/// An option that the system refused when a peer was opened.
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
            reuse_address: false,
            reuse_port: false,
            time_to_live: 0,
            traffic_class: 0,
            multicast_time_to_live: 1,
            multicast_loopback: true,
            multicast_interface: String::new(),
        }
    }
}

impl Options {
    /// Those that a new socket does not have by itself.
    pub(crate) fn unusual(&self) -> impl Iterator<Item = SocketOption> {
        let with_usual = self.all().into_iter().zip(Self::default().all());
        with_usual.filter(|(option, usual)| option != usual).map(|(option, _)| option)
    }

    /// Those of them that let others have the same port.
    pub(crate) fn sharing(&self) -> impl Iterator<Item = SocketOption> {
        let shares =
            |option: &SocketOption| matches!(option, SocketOption::ReuseAddress(_) | SocketOption::ReusePort(_));
        self.unusual().filter(shares)
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

    fn keep(&mut self, option: SocketOption) {
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

    /// Whether the value could be right for some socket of this machine, and the interface that it names. Asks the system for
    /// its interfaces, which may take a while.
    pub(crate) fn check(&self) -> std::result::Result<sys::Interface, Reason> {
        match self {
            Self::TimeToLive(value) | Self::TrafficClass(value) | Self::MulticastTimeToLive(value)
                if !(0..=255).contains(value) =>
            {
                Err(Reason::OutOfRange(*value))
            }
            Self::MulticastInterface(name) if !name.is_empty() => {
                interfaces::find(name).ok_or_else(|| Reason::UnknownInterface(name.clone()))
            }
            Self::ReusePort(true) if !sys::HAS_REUSE_PORT => Err(Reason::Os(io::ErrorKind::Unsupported.into())),
            _ => Ok(sys::Interface::ANY),
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
            Self::TimeToLive(value) | Self::TrafficClass(value) | Self::MulticastTimeToLive(value) => {
                write!(f, "{name} to {value}")
            }
            Self::MulticastInterface(value) => write!(f, "{name} to {value:?}"),
        }
    }
}

impl Link {
    /// Whether options are the peer's to set, and not those of the server that it belongs to.
    fn owner(&self) -> std::result::Result<(), Reason> {
        if self.listener().is_some() { Err(Reason::Served) } else { Ok(()) }
    }
}

impl Peer {
    /// What `read` finds among the options that are set; those of a server's peer are the server's.
    pub fn option<T>(&self, read: impl FnOnce(&Options) -> T) -> T {
        let link = self.link.read();
        match link.listener() {
            Some(listener) => read(&listener.link.read().options),
            None => read(&link.options),
        }
    }

    /// Sets an option, now and whenever the peer is opened again. Where the system refuses, or the value makes no sense, it
    /// stays as it was.
    pub fn set_option(&self, option: SocketOption) -> Result<()> {
        let set = || {
            let interface = option.check()?;
            let link = self.link.write();
            link.owner()?;
            link.state.socket().map_or(Ok(()), |socket| socket.set(&option, interface))?;
            Ok(link)
        };
        let set = set().map_err(|reason| Error::new(Operation::SetOption, option.to_string(), reason));
        self.noted(set)?.options.keep(option);
        Ok(())
    }

    /// The options that the system refused when the peer was opened, since this was last asked. It is open all the same, and
    /// they will be tried again.
    pub fn take_refusals(&self) -> Vec<Refusal> {
        // Asked after every call that may open the peer.
        if self.has_refusals.load(Ordering::Relaxed) && self.has_refusals.swap(false, Ordering::Relaxed) {
            mem::take(&mut *self.refusals.lock())
        } else {
            Vec::new()
        }
    }

    pub(super) fn note_refusal(&self, refusal: Refusal) {
        self.note(&refusal.error);
        self.refusals.lock().push(refusal);
        self.has_refusals.store(true, Ordering::Relaxed);
    }

    /// Allows or forbids sending to broadcast addresses (`SO_BROADCAST`), now and whenever the peer is opened again.
    pub fn set_broadcast(&self, enabled: bool) -> Result<()> {
        let mut link = self.link.write();
        self.noted(link.owner().map_err(|reason| Error::new(Operation::SetBroadcast, "", reason)))?;
        link.options.broadcast = enabled;
        let Some(socket) = link.state.socket() else { return Ok(()) };
        let result = socket.set_broadcast(enabled);
        self.noted(result.map_err(|error| Error::os(Operation::SetBroadcast, "", error)))
    }

    /// Whether the background thread receives for this peer whenever it is open.
    #[must_use]
    pub fn background_receive(&self) -> bool {
        self.option(|options| options.background)
    }

    /// Has the background thread receive for this peer, now and whenever it is opened again, or no longer. Nothing is lost
    /// or reordered by that.
    ///
    /// Fails where the system has no thread to give, or nothing to wake it by.
    pub fn set_background_receive(&self, enabled: bool) -> Result<()> {
        let mut link = self.link.write();
        self.noted(link.owner().map_err(|reason| unset("background_receive", enabled, reason)))?;
        if let State::Open(endpoint) = &mut link.state {
            if enabled {
                self.noted(self.attach(endpoint))?;
                self.waiters.lock().unwatch(endpoint.socket.io());
                // What is queued already has been told to nobody.
                self.note_queued();
            } else if let Some(released) = self.detach(endpoint) {
                endpoint.released = Some(released);
                self.waiters.lock().watch(endpoint.socket.io());
            }
        }
        link.options.background = enabled;
        Ok(())
    }

    /// What a full queue gives up.
    #[must_use]
    pub fn overflow_policy(&self) -> OverflowPolicy {
        self.inbox.lock().queue.policy()
    }

    /// Sets what a full queue gives up.
    ///
    /// With [`OverflowPolicy::DropNewest`], and where receiving is not in the background, a full queue is not read into:
    /// then what the kernel's buffer does not hold either is dropped there.
    pub fn set_overflow_policy(&self, policy: OverflowPolicy) {
        self.inbox.lock().queue.set_policy(policy);
    }

    /// The kernel's receive buffer in bytes, in the system's own figure (`SO_RCVBUF`; Linux doubles what it is asked for).
    /// While the peer is closed, what will be asked for; 0 for the default.
    #[must_use]
    pub fn receive_buffer_size(&self) -> usize {
        self.granted(Socket::receive_buffer_size, |options| options.receive_buffer)
    }

    /// Asks the kernel for a receive buffer of so many bytes, now and whenever the peer is opened again; 0 for what it
    /// has without being asked. This then counts, and not what `bind` is given. How much is granted is the kernel's
    /// decision (Linux: `net.core.rmem_max` at most).
    pub fn set_receive_buffer_size(&self, bytes: i64) -> Result<()> {
        let asked = self.noted(buffer_size("receive_buffer_size", bytes))?;
        let mut link = self.link.write();
        self.noted(link.owner().map_err(|reason| unset("receive_buffer_size", asked, reason)))?;
        if let State::Open(endpoint) = &mut link.state {
            let Endpoint { socket, recv_buf_size, kernel_buffer, .. } = endpoint;
            let result = socket.resize_receive_buffer(asked, *recv_buf_size);
            self.noted(result.map_err(|error| unset("receive_buffer_size", asked, Reason::Os(error))))?;
            *kernel_buffer = socket.receive_buffer_size().unwrap_or(0);
        }
        link.options.receive_buffer = asked;
        Ok(())
    }

    /// As [`receive_buffer_size`](Self::receive_buffer_size), for what is sent (`SO_SNDBUF`).
    #[must_use]
    pub fn send_buffer_size(&self) -> usize {
        self.granted(Socket::send_buffer_size, |options| options.send_buffer)
    }

    /// As [`set_receive_buffer_size`](Self::set_receive_buffer_size), for what is sent (Linux: `net.core.wmem_max` at
    /// most).
    pub fn set_send_buffer_size(&self, bytes: i64) -> Result<()> {
        let asked = self.noted(buffer_size("send_buffer_size", bytes))?;
        let mut link = self.link.write();
        self.noted(link.owner().map_err(|reason| unset("send_buffer_size", asked, reason)))?;
        if let Some(socket) = link.state.socket() {
            let result = socket.resize_send_buffer(asked);
            self.noted(result.map_err(|error| unset("send_buffer_size", asked, Reason::Os(error))))?;
        }
        link.options.send_buffer = asked;
        Ok(())
    }

    /// The size of a buffer: what the system has granted, or else what it will be asked for.
    fn granted(&self, size: impl Fn(&Socket) -> io::Result<usize>, asked: impl Fn(&Options) -> usize) -> usize {
        let granted = self.link.read().with_way(|way| size(&way.endpoint.socket).ok()).flatten();
        granted.unwrap_or_else(|| self.option(asked))
    }
}

/// The system takes an `int`.
fn buffer_size(option: &str, bytes: i64) -> Result<usize> {
    let asked = i32::try_from(bytes).ok().and_then(|bytes| usize::try_from(bytes).ok());
    asked.ok_or_else(|| Error::new(Operation::SetOption, format!("{option} to {bytes}"), Reason::OutOfRange(bytes)))
}

fn unset(option: &str, value: impl fmt::Display, reason: Reason) -> Error {
    Error::new(Operation::SetOption, format!("{option} to {value}"), reason)
}

//! Opening, closing and configuring the socket of a peer or a server.
//!
//! All of this is called under the lock of the peer's or server's state, so nothing here blocks: interfaces and names are looked up
//! beforehand, and [`Endpoint::close`] is called afterwards.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Weak};

use super::opening::{BindAddress, MulticastInterface, Outdated, User};
use super::{Own, ServerLink, SocketState, Transport};
use crate::address;
use crate::endpoint::Endpoint;
use crate::error::{Error, Operation, Reason, Result};
use crate::socket::options::{Checked, Options, Refusal, SocketOption};
use crate::socket::{Family, Opened, Setup, Socket};

impl SocketState {
    /// Closed, with these options.
    pub(crate) fn new(options: Options) -> Self {
        Self { options, ..Self::default() }
    }

    /// Of a peer that a server has accepted.
    pub(crate) fn accepted(link: ServerLink) -> Self {
        Self { transport: Transport::Shared(link), ..Self::default() }
    }

    /// What `read` finds among the options. Those of a server's peer are the server's.
    pub(crate) fn with_options<T>(&self, read: impl FnOnce(&Options) -> T) -> T {
        match self.transport.link() {
            Some(link) => read(&link.server.state.read().options),
            None => read(&self.options),
        }
    }

    fn setup<'a>(&'a self, interface: &'a MulticastInterface) -> std::result::Result<Setup<'a>, Outdated> {
        let setup = Setup { options: &self.options, multicast_interface: interface.found.as_ref().map(|found| *found) };
        if interface.is_current(&self.options) { Ok(setup) } else { Err(Outdated) }
    }

    /// Makes a socket that is bound to a port. The state is unchanged until it is [installed](Self::install).
    pub(crate) fn bind(
        &self,
        to: BindAddress,
        port: u16,
        recv_buf_size: usize,
        interface: &MulticastInterface,
    ) -> std::result::Result<Result<Opened>, Outdated> {
        let setup = self.setup(interface)?;
        let to = to.map(|mut to| {
            to.set_port(port);
            to
        });
        Ok(Socket::bound(to, port, recv_buf_size, setup).map_err(|reason| {
            let reason = match reason {
                Reason::Os(error) if error.kind() == io::ErrorKind::AddrInUse && self.options.reuse_address => {
                    Reason::NotShared(error)
                }
                reason => reason,
            };
            Error::new(Operation::Bind, to.map_or(format!("*:{port}"), address::describe), reason)
        }))
    }

    /// Makes an unconnected socket that can reach `ip`, on a port of the system's choice.
    pub(crate) fn open_for(
        &self,
        ip: IpAddr,
        interface: &MulticastInterface,
    ) -> std::result::Result<std::result::Result<Opened, Reason>, Outdated> {
        Ok(Socket::open(Family::of(ip), self.setup(interface)?).map_err(Reason::NoSocket))
    }

    /// Takes a new socket into use; the options that the system refuses to set on it are added to `refused`.
    pub(crate) fn install(&mut self, opened: Opened, recv_buf_size: usize, user: User, refused: &mut Vec<Refusal>) {
        refused.extend(opened.refused);
        let mut own = Own::new(opened.socket, recv_buf_size, user.sink, user.diagnostics);
        own.source = self.options.source;
        if self.options.background
            && let Err(error) = own.set_background(true)
        {
            // Without a thread, the calls that want packets read the socket.
            refused.push(Refusal { option: "background_receive", error: no_background(error) });
        }
        self.transport = Transport::Own(own);
        self.attach_outgoing();
    }

    /// Takes the peer's own socket out of use, if it has one. The caller closes the endpoint once it has let go of its locks.
    pub(crate) fn take_own(&mut self) -> Option<Arc<Endpoint>> {
        self.transport.own()?;
        let Transport::Own(Own { endpoint, socket, .. }) = std::mem::take(&mut self.transport) else { return None };
        self.kernel_drops_before += socket.kernel_drops();
        self.closed_last = Arc::downgrade(&endpoint);
        Some(endpoint)
    }

    /// The endpoint that was closed last. Another thread may not have closed it altogether.
    pub(crate) fn closed_last(&self) -> Option<Arc<Endpoint>> {
        Weak::upgrade(&self.closed_last)
    }

    /// Whether another thread is closing that endpoint.
    pub(crate) fn is_closing(&self) -> bool {
        self.closed_last().is_some_and(|endpoint| !endpoint.is_done())
    }

    /// What the kernel has dropped at this peer's own sockets.
    pub(crate) fn kernel_drops(&self) -> u64 {
        self.kernel_drops_before + self.transport.own().map_or(0, |own| own.socket.kernel_drops())
    }

    /// Fails if the options are those of the server that the peer belongs to.
    fn check_owner(&self) -> std::result::Result<(), Reason> {
        if self.transport.link().is_some() { Err(Reason::Accepted) } else { Ok(()) }
    }

    /// Sets an option, which was [checked](SocketOption::check). If the system refuses it stays as it was.
    pub(crate) fn set_option(&mut self, option: SocketOption, checked: Checked) -> Result<()> {
        let set = || {
            self.check_owner()?;
            self.transport.own().map_or(Ok(()), |own| own.socket.set(&option, checked))
        };
        set().map_err(|reason| refused(option.clone(), reason))?;
        self.options.store(option, checked);
        if let Transport::Own(own) = &mut self.transport {
            own.source = self.options.source;
        }
        Ok(())
    }

    pub(crate) fn set_broadcast(&mut self, enabled: bool) -> Result<()> {
        self.check_owner().map_err(|reason| Error::new(Operation::SetBroadcast, "", reason))?;
        self.options.broadcast = enabled;
        let result = self.transport.own().map_or(Ok(()), |own| own.socket.set_broadcast(enabled));
        result.map_err(|error| Error::os(Operation::SetBroadcast, "", error))
    }

    /// Has the reactor read the socket, or no longer, now and at every later open.
    pub(crate) fn set_background(&mut self, enabled: bool) -> Result<()> {
        self.check_owner().map_err(|reason| refused(format_args!("background_receive to {enabled}"), reason))?;
        self.transport.own().map_or(Ok(()), |own| own.set_background(enabled)).map_err(no_background)?;
        self.options.background = enabled;
        Ok(())
    }

    pub(crate) fn set_receive_buffer(&mut self, bytes: usize) -> Result<()> {
        let set = || {
            self.check_owner()?;
            self.transport.own().map_or(Ok(()), |own| own.resize_receive_buffer(bytes)).map_err(Reason::Os)
        };
        set().map_err(|reason| refused(format_args!("receive_buffer_size to {bytes}"), reason))?;
        self.options.receive_buffer = bytes;
        Ok(())
    }

    pub(crate) fn set_send_buffer(&mut self, bytes: usize) -> Result<()> {
        let set = || {
            self.check_owner()?;
            self.transport.own().map_or(Ok(()), |own| own.socket.resize_send_buffer(bytes)).map_err(Reason::Os)
        };
        set().map_err(|reason| refused(format_args!("send_buffer_size to {bytes}"), reason))?;
        self.options.send_buffer = bytes;
        Ok(())
    }

    /// The receive buffer that the system has granted; while closed, what it will be asked for.
    pub(crate) fn receive_buffer(&self) -> usize {
        let granted = self.transport.with_route(|route| route.socket.receive_buffer_size().ok()).flatten();
        granted.unwrap_or_else(|| self.with_options(|options| options.receive_buffer))
    }

    /// The send buffer, likewise.
    pub(crate) fn send_buffer(&self) -> usize {
        let granted = self.transport.with_route(|route| route.socket.send_buffer_size().ok()).flatten();
        granted.unwrap_or_else(|| self.with_options(|options| options.send_buffer))
    }

    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.transport.with_route(|route| route.socket.local_addr().ok())?
    }
}

fn refused(option: impl fmt::Display, reason: Reason) -> Error {
    Error::new(Operation::SetOption, option.to_string(), reason)
}

fn no_background(error: io::Error) -> Error {
    Error::os(Operation::SetOption, "background_receive", error)
}

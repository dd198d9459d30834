//! What a script may set, at any time: kept when the peer is closed, and applied whenever it is opened.

use super::{Endpoint, Peer, State};
use crate::error::{Error, Operation, Reason, Result};
use crate::queue::OverflowPolicy;
use crate::socket::Socket;

/// What is applied to every socket of a peer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    pub(crate) broadcast: bool,
    pub(crate) background: bool,
    /// What the kernel is asked for, in bytes; 0 for its default.
    pub(crate) receive_buffer: usize,
    pub(crate) send_buffer: usize,
}

impl Peer {
    /// Allows or forbids sending to broadcast addresses (`SO_BROADCAST`), now and whenever the peer is opened again.
    pub fn set_broadcast(&self, enabled: bool) -> Result<()> {
        let mut link = self.link.write();
        link.options.broadcast = enabled;
        let Some(socket) = link.state.socket() else { return Ok(()) };
        let result = socket.set_broadcast(enabled);
        self.noted(result.map_err(|error| Error::os(Operation::SetBroadcast, "", error)))
    }

    /// Whether the background thread receives for this peer whenever it is open.
    #[must_use]
    pub fn background_receive(&self) -> bool {
        self.link.read().options.background
    }

    /// Has the background thread receive for this peer, now and whenever it is opened again, or no longer. Nothing is lost
    /// or reordered by that.
    ///
    /// Fails where the system has no thread to give, or nothing to wake it by.
    pub fn set_background_receive(&self, enabled: bool) -> Result<()> {
        let mut link = self.link.write();
        if let State::Open(endpoint) = &mut link.state {
            if enabled {
                self.noted(self.attach(endpoint))?;
                self.waiters.lock().unwatch(endpoint.socket.io());
                // What is queued already has been told to nobody.
                let is_queued = self.inbox.lock().queue.len() > 0;
                if is_queued {
                    self.note_news();
                }
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
        let link = self.link.read();
        granted(link.state.socket().map(Socket::receive_buffer_size), link.options.receive_buffer)
    }

    /// Asks the kernel for a receive buffer of so many bytes, now and whenever the peer is opened again; 0 for what it
    /// has without being asked. This then counts, and not what `bind` is given. How much is granted is the kernel's
    /// decision (Linux: `net.core.rmem_max` at most).
    pub fn set_receive_buffer_size(&self, bytes: i64) -> Result<()> {
        let asked = self.noted(buffer_size("receive_buffer_size", bytes))?;
        let mut link = self.link.write();
        if let State::Open(endpoint) = &mut link.state {
            let Endpoint { socket, recv_buf_size, kernel_buffer, .. } = endpoint;
            let result = socket.resize_receive_buffer(asked, *recv_buf_size);
            self.noted(result.map_err(|error| refused("receive_buffer_size", asked, error)))?;
            *kernel_buffer = socket.receive_buffer_size().unwrap_or(0);
        }
        link.options.receive_buffer = asked;
        Ok(())
    }

    /// As [`receive_buffer_size`](Self::receive_buffer_size), for what is sent (`SO_SNDBUF`).
    #[must_use]
    pub fn send_buffer_size(&self) -> usize {
        let link = self.link.read();
        granted(link.state.socket().map(Socket::send_buffer_size), link.options.send_buffer)
    }

    /// As [`set_receive_buffer_size`](Self::set_receive_buffer_size), for what is sent (Linux: `net.core.wmem_max` at
    /// most).
    pub fn set_send_buffer_size(&self, bytes: i64) -> Result<()> {
        let asked = self.noted(buffer_size("send_buffer_size", bytes))?;
        let mut link = self.link.write();
        if let Some(socket) = link.state.socket() {
            let result = socket.resize_send_buffer(asked);
            self.noted(result.map_err(|error| refused("send_buffer_size", asked, error)))?;
        }
        link.options.send_buffer = asked;
        Ok(())
    }
}

fn granted(size: Option<std::io::Result<usize>>, asked: usize) -> usize {
    size.map_or(asked, |size| size.unwrap_or(asked))
}

/// The system takes an `int`.
fn buffer_size(option: &str, bytes: i64) -> Result<usize> {
    let asked = i32::try_from(bytes).ok().and_then(|bytes| usize::try_from(bytes).ok());
    asked.ok_or_else(|| Error::new(Operation::SetOption, option, Reason::InvalidSize(bytes)))
}

fn refused(option: &str, asked: usize, error: std::io::Error) -> Error {
    Error::os(Operation::SetOption, format!("{option} to {asked}"), error)
}

//! The options of a peer: kept when it is closed, and applied at every open.

use super::Peer;
use crate::error::{Error, Operation, Result};
use crate::queue::OverflowPolicy;
use crate::socket::options::{Options, SocketOption};

impl Peer {
    /// What `read` finds among the options. Those of a server's peer are the server's.
    pub fn option<T>(&self, read: impl FnOnce(&Options) -> T) -> T {
        self.state.read().socket.with_options(read)
    }

    /// Sets an option, now and at every later open. If the system refuses, the option stays as it was.
    pub fn set_option(&self, option: SocketOption) -> Result<()> {
        // First: what the system has does not matter for a server's peer.
        self.check_own(Operation::SetOption, &option.to_string())?;
        let checked = option.check().map_err(|reason| Error::new(Operation::SetOption, option.to_string(), reason));
        let set = |interface| self.state.write().socket.set_option(option, interface);
        self.diagnostics.recorded(checked.and_then(set))
    }

    /// Allows or forbids sending to broadcast addresses (`SO_BROADCAST`), now and at every later open.
    pub fn set_broadcast(&self, enabled: bool) -> Result<()> {
        let result = self.state.write().socket.set_broadcast(enabled);
        self.diagnostics.recorded(result)
    }

    /// Whether packets are received in the background whenever the peer is open.
    #[must_use]
    pub fn background_receive(&self) -> bool {
        self.option(|options| options.background)
    }

    /// Has packets received in the background, now and whenever the peer is open, or no longer. No packet is lost or reordered by
    /// that.
    ///
    /// Fails where the system has no thread, or no descriptor to wake it by.
    pub fn set_background_receive(&self, enabled: bool) -> Result<()> {
        let mut state = self.state.write();
        let result = state.socket.set_background(enabled);
        if state.socket.transport.link().is_none() {
            self.note_background(&state);
        }
        drop(state);
        if result.is_ok() && enabled {
            // What is queued already was not signalled.
            self.inbox.mark_queued();
        }
        self.diagnostics.recorded(result)
    }

    /// What a full queue drops.
    #[must_use]
    pub fn overflow_policy(&self) -> OverflowPolicy {
        self.inbox.lock().queue.policy()
    }

    /// Sets what a full queue drops.
    ///
    /// With [`OverflowPolicy::DropNewest`], and not in the background, a full queue is not read into; then the kernel drops what its
    /// buffer does not hold.
    pub fn set_overflow_policy(&self, policy: OverflowPolicy) {
        self.inbox.lock().queue.set_policy(policy);
    }

    /// The kernel's receive buffer in bytes, in the system's own figure (`SO_RCVBUF`; Linux doubles what it is asked for). While the
    /// peer is closed, what will be asked for; 0 for the default.
    #[must_use]
    pub fn receive_buffer_size(&self) -> usize {
        self.state.read().socket.receive_buffer()
    }

    /// Asks the kernel for a receive buffer of so many bytes, at most [`i32::MAX`], now and at every later open; 0 for its default.
    /// This counts before what `bind` is given. The kernel decides how much it grants (Linux: `net.core.rmem_max` at most).
    pub fn set_receive_buffer_size(&self, bytes: usize) -> Result<()> {
        let result = self.state.write().socket.set_receive_buffer(bytes);
        self.diagnostics.recorded(result)
    }

    /// As [`receive_buffer_size`](Self::receive_buffer_size), for sending (`SO_SNDBUF`).
    #[must_use]
    pub fn send_buffer_size(&self) -> usize {
        self.state.read().socket.send_buffer()
    }

    /// As [`set_receive_buffer_size`](Self::set_receive_buffer_size), for sending (Linux: `net.core.wmem_max` at most).
    pub fn set_send_buffer_size(&self, bytes: usize) -> Result<()> {
        let result = self.state.write().socket.set_send_buffer(bytes);
        self.diagnostics.recorded(result)
    }
}

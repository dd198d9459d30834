//! How many bytes a peer's queue may hold, and that it has dropped packets.

use super::Peer;
use crate::error::{Error, Operation, Reason, Result};

impl Peer {
    /// How many bytes the queue may hold, of which a packet takes its length and 24 more; 0 for what [`bind`](Self::bind) asks for.
    /// Of a server's peer: what the server says.
    #[must_use]
    pub fn queue_size(&self) -> usize {
        self.option(|options| options.queue_size)
    }

    /// Sets how many bytes the queue may hold, now and at every later open; 0 for what [`bind`](Self::bind) asks for. An empty queue
    /// takes any packet all the same.
    ///
    /// If more is queued already, the [policy](Self::overflow_policy) decides what is dropped: the newest packets, or the oldest
    /// ones, until the rest fits. They count as dropped by the queue. [`Reason::Accepted`] for a server's peer.
    pub fn set_queue_size(&self, bytes: usize) -> Result<()> {
        let mut state = self.state.write();
        if state.socket.transport.link().is_some() {
            let error = Error::new(Operation::SetOption, format!("queue_size to {bytes}"), Reason::Accepted);
            return self.diagnostics.recorded(Err(error));
        }
        state.socket.options.queue_size = bytes;
        self.limit_delayed(&state);
        let mut inbox = self.inbox.lock();
        if inbox.is_open() {
            inbox.queue.set_size(bytes);
        }
        Ok(())
    }

    /// How many bytes the queue may hold now.
    #[must_use]
    pub fn queue_limit(&self) -> usize {
        self.inbox.lock().queue.bound()
    }

    /// Whether the queue has dropped a packet for want of room since the peer was opened, in any mode. `true` once per open; then
    /// [`take_pending_signals`](crate::take_pending_signals) has returned the peer's token.
    pub fn take_drop_notice(&self) -> bool {
        self.inbox.take_drop_notice()
    }

    /// What [`enable_signals`](Self::enable_signals) was given.
    #[must_use]
    pub fn token(&self) -> Option<u64> {
        self.inbox.token()
    }
}

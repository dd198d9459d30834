//! Waiting for a packet.

use std::sync::Arc;
use std::time::Duration;

use super::Peer;
use crate::error::{Error, Operation, Reason, Result};
use crate::waiters::WaitEnd;

impl Peer {
    /// Blocks until a packet can be taken, at most for `timeout` (`None`: without limit; zero: only looks).
    ///
    /// Ended by [`close`](Self::close) and by [`interrupt_wait`](Self::interrupt_wait). While threads wait, every other method works
    /// as if none did. A report that an earlier datagram was refused does not end a wait. A server's peer reads the server's socket
    /// meanwhile, for all peers of the server.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<WaitEnd> {
        let endpoint = {
            let state = self.state.read();
            state.socket.transport.endpoint().map(|(endpoint, waiter)| (Arc::clone(endpoint), waiter))
        };
        let Some((endpoint, waiter)) = endpoint.filter(|(endpoint, _)| !endpoint.is_closed()) else {
            return self.diagnostics.recorded(Err(Error::new(Operation::Wait, "", Reason::NotOpen)));
        };
        let has_packet = || self.inbox.lock().available().is_some_and(|count| count > 0);
        let end = endpoint.wait(waiter, has_packet, timeout);
        self.diagnostics.recorded(end.map_err(|error| Error::os(Operation::Wait, "", error)))
    }

    /// Ends every [`wait`](Self::wait) in progress with [`WaitEnd::Interrupted`]; if there is none, the next one, so that no wake-up
    /// is lost. Opening the peer again forgets it.
    pub fn interrupt_wait(&self) {
        if let Some((endpoint, waiter)) = self.state.read().socket.transport.endpoint() {
            endpoint.interrupt(waiter);
        }
    }

    /// How many waits are in progress.
    #[must_use]
    pub fn waits(&self) -> usize {
        let state = self.state.read();
        state.socket.transport.endpoint().map_or(0, |(endpoint, waiter)| endpoint.waits_of(waiter))
    }
}

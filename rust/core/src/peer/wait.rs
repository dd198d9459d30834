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
    ///
    /// A thread that has to sleep needs a descriptor for as long as it sleeps (Linux: an eventfd; one that the process keeps serves
    /// the next wait). If the process has none left, it looks every few milliseconds whether the wait has ended.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<WaitEnd> {
        let has_packet = || self.inbox.lock().available().is_some_and(|count| count > 0);
        let wait = || {
            let state = self.state.read();
            let endpoint = state.socket.transport.endpoint().filter(|(endpoint, _)| !endpoint.is_closed());
            let not_open = || Error::new(Operation::Wait, "", Reason::NotOpen);
            let (endpoint, waiter) = endpoint.ok_or_else(not_open)?;
            if timeout == Some(Duration::ZERO) {
                return Ok(endpoint.look(waiter, has_packet));
            }
            // Under the state's lock: a peer that leaves its server ends the waits that have begun, and others begin no more.
            let begun = endpoint.begin_wait(waiter);
            let endpoint = Arc::clone(endpoint);
            drop(state);
            let fail = |error| Error::os(Operation::Wait, "", error);
            endpoint.wait(begun, has_packet, timeout).map_err(fail)
        };
        self.diagnostics.recorded(wait())
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

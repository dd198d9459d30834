//! Waiting for a packet.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use super::receive::Guess;
use super::{Endpoint, Peer};
use crate::error::{Error, Operation, Reason, Result};
use crate::socket::Socket;
use crate::wait::{Entered, WaitEnd};

impl Peer {
    /// As [`wait`](Self::wait), with the time in milliseconds; -1 for as long as it takes.
    pub fn wait_msec(&self, timeout: i64) -> Result<WaitEnd> {
        match u64::try_from(timeout) {
            Ok(msec) => self.wait(Some(Duration::from_millis(msec))),
            Err(_) if timeout == -1 => self.wait(None),
            Err(_) => self.noted(Err(Error::new(Operation::Wait, "", Reason::InvalidTimeout(timeout)))),
        }
    }

    /// Blocks until a packet can be taken, at most for `timeout` (`None`: for as long as it takes; zero: not at all).
    ///
    /// Ended by [`close`](Self::close) and by [`interrupt_wait`](Self::interrupt_wait). While threads wait, every other
    /// method works as if nobody did. A report that some earlier datagram was refused does not end a wait.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<WaitEnd> {
        self.noted(self.wait_unnoted(timeout))
    }

    fn wait_unnoted(&self, timeout: Option<Duration>) -> Result<WaitEnd> {
        let fail = |error| Error::os(Operation::Wait, "", error);
        // A time too far away to be told is for ever.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let (id, sleeper) = {
            let link = self.link.read();
            let Some(endpoint) = link.state.endpoint() else {
                return Err(Error::new(Operation::Wait, "", Reason::NotOpen));
            };
            let mut waiters = self.waiters.lock();
            if waiters.take_interruption() {
                return Ok(WaitEnd::Interrupted);
            }
            if timeout == Some(Duration::ZERO) {
                drop(waiters);
                let is_ready = self.has_packet(endpoint, None, Guess::Maybe);
                return Ok(if is_ready { WaitEnd::Ready } else { WaitEnd::TimedOut });
            }
            match waiters.enter(endpoint.watched()).map_err(fail)? {
                Entered::Waiting(id, sleeper) => (id, sleeper),
                Entered::Interrupted => return Ok(WaitEnd::Interrupted),
            }
        };
        // From here on, whoever else reads packets from the socket wakes this thread. Those who did so before it was
        // known to wait have left them in the queue, so that is looked at before the thread sleeps. The socket is not: if
        // there is something in it, the thread does not get to sleep.
        let mut slept = Ok(false);
        loop {
            let link = self.link.read();
            let ended = self.waiters.lock().ended(id);
            let end = match (ended, link.state.endpoint()) {
                (Some(end), _) => Some(Ok(end)),
                // Not ended: the socket is still the one that the wait began on.
                (None, Some(endpoint)) => {
                    let is_over = deadline.is_some_and(|deadline| Instant::now() >= deadline);
                    let guess = match slept {
                        Ok(true) => Guess::Yes,
                        Ok(false) if is_over => Guess::Maybe,
                        _ => Guess::No,
                    };
                    if let Err(error) = slept {
                        Some(Err(fail(error)))
                    } else if self.has_packet(endpoint, Some(id), guess) {
                        Some(Ok(WaitEnd::Ready))
                    } else if is_over {
                        Some(Ok(WaitEnd::TimedOut))
                    } else {
                        None
                    }
                }
                // Cannot be: closing a peer ends its waits.
                (None, None) => Some(Ok(WaitEnd::Closed)),
            };
            if let Some(end) = end {
                let ended = self.waiters.lock().leave(id, link.state.socket().map(Socket::io));
                if ended.is_some() {
                    // Whoever closes the peer may wait for it.
                    self.wait_left.notify_all();
                }
                return ended.map_or(end, Ok);
            }
            drop(link);
            slept = sleeper.sleep(deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())));
        }
    }

    /// Ends every [`wait`](Self::wait) in progress with [`WaitEnd::Interrupted`]; when there is none, the next one. So
    /// a wake-up is never lost, whether it comes before the wait or after. Opening the peer again forgets it.
    pub fn interrupt_wait(&self) {
        self.waiters.lock().interrupt();
    }

    /// How many waits are in progress.
    #[must_use]
    pub fn waits(&self) -> usize {
        self.waiters.lock().len()
    }
}

impl Endpoint {
    /// The socket, if those who wait have to look after it themselves.
    fn watched(&self) -> Option<&UdpSocket> {
        self.attachment.is_none().then(|| self.socket.io())
    }
}

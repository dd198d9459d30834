//! Waiting for a packet.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::receive::Guess;
use super::{Endpoint, Peer};
use crate::error::{Error, Operation, Reason, Result};
use crate::socket::Socket;
use crate::wait::{Entered, WaitEnd, Waiters, Who};

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
    ///
    /// A server's peer reads the server's socket meanwhile, for all of its peers.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<WaitEnd> {
        self.noted(self.wait_unnoted(timeout))
    }

    fn wait_unnoted(&self, timeout: Option<Duration>) -> Result<WaitEnd> {
        let fail = |error| Error::os(Operation::Wait, "", error);
        // A time too far away to be told is for ever.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let not_open = || Error::new(Operation::Wait, "", Reason::NotOpen);
        let (host, id, sleeper) = {
            let link = self.link.read();
            // Where it has a socket, or whoever has it for this peer.
            let host = link.listener().map(Arc::clone);
            let who = link.who();
            // For `host` as well: who closes that ends all waits there, and who takes this peer from it, this peer's.
            let entered = link.with_way(|way| {
                let endpoint = way.endpoint;
                let mut waiters = self.host(host.as_deref()).waiters.lock();
                if waiters.take_interruption(who) {
                    return Ok(Err(WaitEnd::Interrupted));
                }
                if timeout == Some(Duration::ZERO) {
                    drop(waiters);
                    let is_ready = self.has_packet(self.host(host.as_deref()), endpoint, None, Guess::Maybe);
                    return Ok(Err(if is_ready { WaitEnd::Ready } else { WaitEnd::TimedOut }));
                }
                Ok(match waiters.enter(who, endpoint.watched()).map_err(fail)? {
                    Entered::Waiting(id, sleeper) => Ok((id, sleeper)),
                    Entered::Interrupted => Err(WaitEnd::Interrupted),
                })
            });
            match entered.ok_or_else(not_open)?? {
                Ok((id, sleeper)) => (host, id, sleeper),
                Err(end) => return Ok(end),
            }
        };
        let host = self.host(host.as_deref());
        // From here on, whoever else reads packets from the socket wakes this thread. Those who did so before it was
        // known to wait have left them in the queue, so that is looked at before the thread sleeps. The socket is not: if
        // there is something in it, the thread does not get to sleep.
        let mut slept = Ok(false);
        loop {
            let link = host.link.read();
            let ended = host.waiters.lock().ended(id);
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
                    } else if self.has_packet(host, endpoint, Some(id), guess) {
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
                let ended = host.waiters.lock().leave(id, link.state.socket().map(Socket::io));
                if ended.is_some() {
                    // Whoever closes the peer may wait for it.
                    host.wait_left.notify_all();
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
        self.with_waiters(Waiters::interrupt);
    }

    /// How many waits are in progress.
    #[must_use]
    pub fn waits(&self) -> usize {
        self.with_waiters(|waiters, who| waiters.count(who))
    }

    /// The waits on the socket that this peer goes by, and as whom it waits there.
    fn with_waiters<T>(&self, with: impl FnOnce(&mut Waiters, Who) -> T) -> T {
        let link = self.link.read();
        with(&mut link.listener().map_or(self, |listener| listener).waiters.lock(), link.who())
    }

    fn host<'a>(&'a self, listener: Option<&'a Self>) -> &'a Self {
        listener.unwrap_or(self)
    }
}

impl Endpoint {
    /// The socket, if those who wait have to look after it themselves.
    fn watched(&self) -> Option<&UdpSocket> {
        self.attachment.is_none().then(|| self.socket.io())
    }
}

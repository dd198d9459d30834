//! A peer that a server has made: it has no socket of its own. What it sends goes out by the server's, and what comes from its
//! one sender the server puts into its queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};

use super::send::Sending;
use super::{Endpoint, Inbox, Link, Peer, State};
use crate::address;
use crate::error::{Error, Operation, Reason, Result};
use crate::queue::{PacketMeta, Queue, QueueCounts, RemoteAddr};
use crate::wait::{SELF, Who};

/// What ties a peer to the server that has made it.
#[derive(Debug)]
pub(crate) struct Membership {
    /// The peer that has the server's socket.
    listener: Arc<Peer>,
    pub(crate) origin: RemoteAddr,
    /// Which of the peers it is that this server has made so far, from 1 on.
    pub(crate) number: Who,
    /// [`Endpoint::opening`] of the listener's socket then: if there is another by now, the server was stopped meanwhile.
    opening: u64,
}

/// What a peer sends by.
pub(super) struct Way<'a> {
    pub(super) endpoint: &'a Endpoint,
    /// Where it is the server's: counts what its peers send.
    server: Option<&'a Sending>,
}

impl Way<'_> {
    /// Notes what was sent, or failed to be, with the peer and with its server.
    pub(super) fn count(&self, of_peer: &Sending, add: impl Fn(&Sending)) {
        add(of_peer);
        self.count_for_server(add);
    }

    /// Likewise, where the peer has counted it.
    pub(super) fn count_for_server(&self, add: impl FnOnce(&Sending)) {
        if let Some(of_server) = self.server {
            add(of_server);
        }
    }
}

impl Link {
    /// What `with` makes of the socket that the peer goes by, its own or its server's; `None` where there is none.
    pub(super) fn with_way<T>(&self, with: impl FnOnce(&Way<'_>) -> T) -> Option<T> {
        match &self.state {
            State::Closed => None,
            State::Open(endpoint) => Some(with(&Way { endpoint, server: None })),
            State::Served(member) => {
                let link = member.listener.link.read();
                let endpoint = link.state.endpoint().filter(|endpoint| endpoint.opening == member.opening)?;
                Some(with(&Way { endpoint, server: Some(&member.listener.sending) }))
            }
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.with_way(|_| ()).is_some()
    }

    /// The server's side of it, where the peer belongs to one.
    pub(super) fn listener(&self) -> Option<&Arc<Peer>> {
        match &self.state {
            State::Served(member) => Some(&member.listener),
            State::Closed | State::Open(_) => None,
        }
    }

    /// As whom the peer waits, see [`Who`].
    pub(super) fn who(&self) -> Who {
        match &self.state {
            State::Served(member) => member.number,
            State::Closed | State::Open(_) => SELF,
        }
    }
}

impl Peer {
    /// A peer for the sender of a packet that `listener` has received by the socket of that `opening`.
    pub(super) fn served(listener: Arc<Self>, opening: u64, packet: PacketMeta, number: Who) -> Arc<Self> {
        let sender = packet.sender();
        let member = Membership { listener, origin: packet.remote(), number, opening };
        let mut queue = Queue::default();
        queue.reset(0);
        queue.set_low_memory(true);
        // Nothing was taken yet, and yet it is known who it will be from.
        let last = Some(PacketMeta::new(0, sender, 0));
        Self::with(|peer| {
            peer.link =
                RwLock::new(Link { state: State::Served(member), destination: Some(sender), ..Link::default() });
            peer.inbox = Mutex::new(Inbox { queue, open: true, last, ..Inbox::default() });
            peer.is_fed = AtomicBool::new(true);
        })
    }

    /// Whether it was handed out by a server and still belongs to it.
    #[must_use]
    pub fn is_served(&self) -> bool {
        self.link.read().listener().is_some()
    }

    /// Fails where the peer belongs to a server, which decides such things.
    pub(super) fn own(&self, operation: Operation, subject: &str) -> Result<()> {
        let is_served = self.is_served();
        self.noted(if is_served { Err(Error::new(operation, subject, Reason::Served)) } else { Ok(()) })
    }

    /// Closes a pending peer of this listener that is to be dropped; how many packets are dropped with it.
    pub(crate) fn disown(&self, pending: &Self) -> usize {
        let lost = *pending.inbox.lock().queue.counts();
        pending.leave_server();
        self.inbox
            .lock()
            .queue
            .counts()
            .add_change(lost, QueueCounts { dropped: lost.dropped, ..QueueCounts::default() });
        usize::try_from(lost.packets).unwrap_or(usize::MAX)
    }

    /// How many waits there are on the socket, of this peer and those that share it.
    pub(crate) fn all_waits(&self) -> usize {
        self.waiters.lock().len()
    }

    /// Closes the peer if it belongs to a server, which was stopped or wants it no more.
    pub(crate) fn leave_server(&self) {
        if self.leave(&mut self.link.write()) {
            self.note_misuse("the peer's server has closed it: the server was stopped");
        }
    }

    /// Closes the peer if it belongs to a server, which has heard nothing from its sender for so many milliseconds.
    pub(crate) fn fall_silent(&self, msec: u64) {
        let mut link = self.link.write();
        if self.leave(&mut link) {
            // Nobody was told, and whoever goes on sending would open a socket that the other end does not know.
            let sender = link.destination.take().map_or(String::new(), address::describe);
            self.note_misuse(&format!("the peer's server has closed it: {sender} was silent for {msec} ms"));
        }
    }

    /// Whether it belonged to one.
    pub(super) fn leave(&self, link: &mut Link) -> bool {
        if link.listener().is_none() {
            return false;
        }
        let State::Served(member) = std::mem::take(&mut link.state) else { return false };
        self.inbox.lock().close();
        self.is_fed.store(false, Ordering::Relaxed);
        member.listener.waiters.lock().end_all_of(member.number);
        if let Some(crowd) = &member.listener.crowd {
            crowd.members().forget(&member.origin, member.number);
        }
        true
    }
}

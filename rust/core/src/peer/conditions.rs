//! Link conditions of a peer.

use std::sync::Arc;

use super::{Peer, PeerState};
use crate::endpoint::Endpoint;
use crate::error::{Error, Operation, Reason, Result};
use crate::link::conditions::SharedConditions;
use crate::link::incoming::{Conditioned, ConditionedInbox, OneLane};

impl Peer {
    /// The conditions of what the peer sends; `None`: a packet is sent at once.
    #[must_use]
    pub fn send_conditions(&self) -> Option<Arc<SharedConditions>> {
        self.state.read().socket.conditions.send.clone()
    }

    /// Sets them, now and at every later open. This begins a new line, whose decisions begin anew; what is held back stays due when it is.
    /// With `None` it is sent at once.
    ///
    /// Sending by the peer then succeeds whatever becomes of the packet, except where the system would refuse it at once. It is sent when
    /// it is due, by the background thread: what the system refuses then is counted as a send error. Closing the peer, and connecting
    /// it, drop what is held back.
    pub fn set_send_conditions(&self, conditions: Option<Arc<SharedConditions>>) {
        self.state.write().socket.set_send_conditions(conditions, &self.diagnostics);
    }

    /// Sends a datagram by the server that listens by `endpoint`; [`Reason::NotOpen`] if the peer does not belong to it any more.
    pub(crate) fn send_by(&self, endpoint: &Arc<Endpoint>, datagram: &[u8]) -> Result<()> {
        let not_open = || Error::new(Operation::Send, "", Reason::NotOpen);
        let state = self.state.read();
        let is_its = state.socket.transport.link().is_some_and(|link| Arc::ptr_eq(&link.endpoint, endpoint));
        let to = state.destination.filter(|_| is_its).ok_or_else(not_open)?;
        let sent = state.socket.with_path(|path| path.send_one(&self.diagnostics, to, datagram));
        self.diagnostics.recorded_send(sent.unwrap_or_else(|| Err(not_open())))
    }

    /// Whether what is sent may be held back.
    pub(crate) fn is_delayed(&self) -> bool {
        self.state.read().socket.outgoing.as_ref().is_some_and(|outgoing| !outgoing.is_over())
    }

    /// The conditions of what the peer receives; `None`: a packet is received when it arrives.
    #[must_use]
    pub fn receive_conditions(&self) -> Option<Arc<SharedConditions>> {
        self.state.read().socket.conditions.receive.clone()
    }

    /// Sets them, now and at every later open, as [`set_send_conditions`](Self::set_send_conditions) does. A packet enters the queue when it
    /// is due, and counts as having arrived then.
    pub fn set_receive_conditions(&self, conditions: Option<Arc<SharedConditions>>) {
        let mut state = self.state.write();
        state.socket.conditions.receive.clone_from(&conditions);
        if let Some(link) = state.socket.transport.link() {
            let counts = self.diagnostics.link();
            link.server.incoming.change(|lanes, store| lanes.set(store, (link.remote, link.id), conditions, counts));
        } else if let Some(incoming) = self.incoming.get() {
            self.set_incoming(incoming, &state);
        }
        let endpoint = state.socket.transport.endpoint().map(|(endpoint, _)| Arc::clone(endpoint));
        drop(state);
        // What is held back may be due by now.
        if let Some(endpoint) = endpoint {
            Endpoint::release(&endpoint);
        }
    }

    /// The sink of a new socket, whose line begins.
    pub(super) fn open_incoming(&self, state: &PeerState) -> &Arc<ConditionedInbox> {
        let new = || Arc::new(Conditioned::new(Arc::clone(&self.inbox), OneLane::default()));
        let incoming = self.incoming.get_or_init(new);
        self.discard_delayed(state);
        self.set_incoming(incoming, state);
        incoming
    }

    fn set_incoming(&self, incoming: &ConditionedInbox, state: &PeerState) {
        let conditions = state.socket.conditions.receive.clone();
        incoming.change(|lanes, store| {
            lanes.set(store, conditions, self.diagnostics.link());
            lanes.set_limit(state.socket.options.queue_size);
        });
    }

    /// Applies the size of the queue, which is also the most that is held back.
    pub(super) fn limit_delayed(&self, state: &PeerState) {
        state.socket.limit_outgoing();
        if let Some(incoming) = self.incoming.get() {
            incoming.change(|lanes, _| lanes.set_limit(state.socket.options.queue_size));
        }
    }

    /// Drops what is held back in both directions.
    pub(super) fn discard_delayed(&self, state: &PeerState) {
        state.socket.discard_outgoing();
        self.discard_incoming();
    }

    pub(super) fn discard_incoming(&self) {
        if let Some(incoming) = self.incoming.get() {
            incoming.discard();
        }
    }
}

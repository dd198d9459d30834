//! Link conditions of a server: what its peers start with.

use std::sync::Arc;

use super::Server;
use crate::endpoint::Endpoint;
use crate::link::conditions::SharedConditions;

impl Server {
    /// The conditions of what the server's peers send, with which they start.
    #[must_use]
    pub fn send_conditions(&self) -> Option<Arc<SharedConditions>> {
        self.0.socket.state.read().conditions.send.clone()
    }

    /// Sets them for the peers that are accepted from now on, see [`Peer::set_send_conditions`](crate::Peer::set_send_conditions).
    pub fn set_send_conditions(&self, conditions: Option<Arc<SharedConditions>>) {
        self.0.socket.state.write().conditions.send = conditions;
    }

    /// The conditions of what the server's peers receive, with which they start.
    #[must_use]
    pub fn receive_conditions(&self) -> Option<Arc<SharedConditions>> {
        self.0.socket.state.read().conditions.receive.clone()
    }

    /// Sets them for all senders that no peer is accepted for yet, as [`Peer::set_receive_conditions`](crate::Peer::set_receive_conditions)
    /// does. The first packet of a sender is subject to them, so a peer becomes pending when that packet has come through.
    pub fn set_receive_conditions(&self, conditions: Option<Arc<SharedConditions>>) {
        let mut state = self.0.socket.state.write();
        state.conditions.receive.clone_from(&conditions);
        self.0.socket.incoming.change(|lanes, store| lanes.set_default(store, conditions));
        let endpoint = state.transport.own().map(|own| Arc::clone(&own.endpoint));
        drop(state);
        // What is held back may be due by now.
        if let Some(endpoint) = endpoint {
            Endpoint::release(&endpoint);
        }
    }
}

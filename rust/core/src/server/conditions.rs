//! Link conditions of a server: what its peers start with.

use std::sync::Arc;

use super::Server;
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

    /// Sets them for the senders that come from now on, and for the peers that are accepted from now on. The first packet of a sender is
    /// subject to them, so a peer becomes pending when that packet has come through.
    pub fn set_receive_conditions(&self, conditions: Option<Arc<SharedConditions>>) {
        let mut state = self.0.socket.state.write();
        state.conditions.receive.clone_from(&conditions);
        self.0.socket.incoming.change(|lanes, _| lanes.set_default(conditions));
    }
}

//! A peer that a server has accepted. It has no socket of its own: it sends by the server's, and the server delivers the packets of
//! its one sender into its inbox.

use std::any::Any;
use std::sync::{Arc, Weak};

use super::{Peer, PeerState};
use crate::address;
use crate::diagnostics::Diagnostics;
use crate::endpoint::Endpoint;
use crate::error::{Error, Operation, Reason, Result};
use crate::link::store::Store;
use crate::peer_table::{Accepted, AcceptedPeer, Detachment};
use crate::queue::PacketMeta;
use crate::sender_lanes::SenderLanes;
use crate::sys::Target;
use crate::transport::{LinkSettings, ServerLink, ServerSocket, SocketState, Transport};

impl Peer {
    /// The peer for an entry of a server's table.
    pub(crate) fn accepted(
        accepted: &Accepted,
        server: Arc<ServerSocket>,
        endpoint: Arc<Endpoint>,
        conditions: LinkSettings,
    ) -> Arc<Self> {
        let destination = accepted.inbox.lock().last_taken().map(|sender| sender.sender());
        let table = Arc::clone(&server.table);
        let inbox = Arc::clone(&accepted.inbox);
        let link = ServerLink { server, endpoint, remote: accepted.remote, id: accepted.id, inbox };
        let accept = |lanes: &mut SenderLanes, store: &mut Store<PacketMeta>| {
            lanes.accept(store, (accepted.remote, accepted.id), conditions.receive.clone())
        };
        let diagnostics = Arc::new(Diagnostics::with_link(link.server.incoming.change(accept)));
        let mut socket = SocketState::accepted(link);
        socket.conditions.receive = conditions.receive;
        if conditions.send.is_some() {
            socket.set_send_conditions(conditions.send, &diagnostics);
        }
        let state = PeerState { socket, destination, ..PeerState::default() };
        let peer = Self::with(Arc::clone(&accepted.inbox), state, diagnostics);
        let weak: Weak<dyn AcceptedPeer> = Weak::<Self>::clone(&peer.me);
        let is_attached = table.lock().attach(accepted, weak);
        if !is_attached {
            peer.detached(Detachment::Stopped);
        }
        peer
    }

    /// Whether the peer was accepted by a server and still belongs to it.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.state.read().socket.transport.link().is_some()
    }

    /// Where the server that listens by `endpoint` sends to for this peer; `None` if the peer does not belong to it.
    pub(crate) fn target_by(&self, endpoint: &Arc<Endpoint>) -> Option<Target> {
        let state = self.state.read();
        let link = state.socket.transport.link().filter(|link| Arc::ptr_eq(&link.endpoint, endpoint))?;
        Some(Target { to: state.destination?, source: link.inbox.answer_from() })
    }

    /// Counts a packet that the server has sent to this peer.
    pub(crate) fn count_shared_send(&self, bytes: usize) {
        self.diagnostics.count_shared_send(bytes);
    }

    /// Counts a packet that the system has refused to send to this peer.
    pub(crate) fn count_refused_send(&self, error: &Error) {
        self.diagnostics.count_send_error();
        self.diagnostics.record(error);
    }

    /// Fails if the peer belongs to a server, which decides such things.
    pub(super) fn check_own(&self, operation: Operation, subject: &str) -> Result<()> {
        if !self.is_accepted() {
            return Ok(());
        }
        self.diagnostics.recorded(Err(Error::new(operation, subject, Reason::Accepted)))
    }

    /// Closes the peer if it belongs to a server; whether it did.
    pub(super) fn leave_server(&self, state: &mut PeerState) -> bool {
        if state.socket.transport.link().is_none() {
            return false;
        }
        let Transport::Shared(link) = std::mem::take(&mut state.socket.transport) else { return false };
        self.inbox.close();
        state.socket.discard_outgoing();
        link.endpoint.end_waits_of(link.id);
        link.server.table.remove(&link.remote, link.id);
        if link.server.incoming.is_active() {
            link.server.incoming.change(|lanes, _| lanes.remove(&link.remote, link.id));
        }
        true
    }
}

impl AcceptedPeer for Peer {
    fn detached(&self, why: Detachment) {
        let mut state = self.state.write();
        if !self.leave_server(&mut state) {
            return;
        }
        let message = match why {
            Detachment::Stopped => "the peer's server has closed it: the server was stopped".to_owned(),
            Detachment::Idle { msec } => {
                // The script was not told, and a send would open a socket that the other end does not know.
                let sender = state.destination.take().map_or(String::new(), address::describe);
                format!("the peer's server has closed it: {sender} was silent for {msec} ms")
            }
        };
        // Before the state is unlocked: a caller that finds the peer closed also finds the reason.
        self.diagnostics.record_misuse(&message);
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

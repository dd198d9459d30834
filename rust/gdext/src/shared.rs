//! The shared parts of the registered classes' objects: what their methods use, from any thread and without a borrow.

use std::sync::Arc;

use packet_peer_udp_core::{Peer, Refusal, Server, Totals};

use crate::messages;
use crate::registry::{Registered, Registry};
use crate::report::Reporter;

/// The shared part of a `PacketPeerUdpRs`.
pub(crate) struct Shared {
    pub(crate) peer: Arc<Peer>,
    pub(crate) reporter: Reporter,
}

/// The shared part of a `UdpServerRs`.
pub(crate) struct SharedServer {
    pub(crate) server: Server,
    pub(crate) reporter: Reporter,
}

/// Every `PacketPeerUdpRs`.
pub(crate) static PEERS: Registry<Shared> = Registry::new();

/// Every `UdpServerRs`.
pub(crate) static SERVERS: Registry<SharedServer> = Registry::new();

impl Shared {
    pub(crate) fn new(peer: Arc<Peer>) -> Arc<Self> {
        Arc::new(Self { peer, reporter: Reporter::new("PacketPeerUdpRs") })
    }

    /// Prints which options the system refused when the peer was opened, if any. For every call that may open it.
    pub(crate) fn report_refusals(&self) {
        self.report(&self.peer.take_refusals());
    }

    /// Prints which options the system refused.
    pub(crate) fn report(&self, refusals: &[Refusal]) {
        report(&self.reporter, refusals);
    }
}

impl Default for SharedServer {
    fn default() -> Self {
        Self { server: Server::default(), reporter: Reporter::new("UdpServerRs") }
    }
}

impl SharedServer {
    /// Lets [`take_pending_signals`](packet_peer_udp_core::take_pending_signals) return this token when the server may have a signal
    /// to emit.
    pub(crate) fn enable_signals(&self, token: u64) {
        self.server.enable_signals(token);
    }

    /// As [`Shared::report_refusals`].
    pub(crate) fn report_refusals(&self) {
        report(&self.reporter, &self.server.take_refusals());
    }
}

fn report(reporter: &Reporter, refusals: &[Refusal]) {
    for refusal in refusals {
        reporter.print_of_property(refusal.option, &messages::refused_option(&refusal.error));
    }
}

impl Registered for Shared {
    fn registry() -> &'static Registry<Self> {
        &PEERS
    }

    fn close(&self) {
        self.peer.close();
    }

    fn waits(&self) -> usize {
        self.peer.waits()
    }

    fn prefetch(&self) {
        self.peer.prefetch();
    }

    fn totals(&self) -> Totals {
        self.peer.totals()
    }
}

impl Registered for SharedServer {
    fn registry() -> &'static Registry<Self> {
        &SERVERS
    }

    fn close(&self) {
        self.server.stop();
    }

    fn waits(&self) -> usize {
        self.server.waits()
    }

    /// No script has so many servers that this pays.
    fn prefetch(&self) {}

    /// What passes through a server counts with its peers, except packets that were dropped before they reached one.
    fn totals(&self) -> Totals {
        Totals { packets_dropped: self.server.drops(), ..Totals::default() }
    }
}

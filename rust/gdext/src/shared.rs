//! The shared parts of the registered classes' objects: what their methods use, from any thread and without a borrow.

use std::mem;
use std::sync::Arc;

use godot::classes::Resource;
use godot::obj::Gd;
use packet_peer_udp_core::{Conditions, Peer, Proxy, Refusal, Server, SharedConditions as CoreConditions, Totals};
use parking_lot::Mutex;

use crate::messages;
use crate::registry::{Reference, Registered, Registry, SlotTable};
use crate::report::Reporter;

/// The shared part of a `PacketPeerUdpRs`.
pub(crate) struct Shared {
    pub(crate) peer: Arc<Peer>,
    pub(crate) links: Mutex<Links>,
    pub(crate) reporter: Reporter,
}

/// The shared part of a `UdpServerRs`.
pub(crate) struct SharedServer {
    pub(crate) server: Server,
    pub(crate) links: Mutex<Links>,
    pub(crate) reporter: Reporter,
}

/// The shared part of a `UdpLinkProxy`.
pub(crate) struct SharedProxy {
    pub(crate) proxy: Proxy,
    pub(crate) links: Mutex<Links>,
    pub(crate) reporter: Reporter,
}

/// The shared part of a `UdpLinkConditions`.
pub(crate) struct SharedConditions {
    /// What the core reads.
    values: Arc<CoreConditions>,
    /// The object's instance id.
    id: u64,
    pub(crate) reporter: Reporter,
}

/// The objects that a script has assigned as link conditions; what the core has is theirs. Their lock is taken before any of the core's,
/// which gets its part under it: so they agree. No reference is dropped under it, since dropping the last one frees the object.
#[derive(Clone, Default)]
pub(crate) struct Links {
    pub(crate) send: Option<Reference>,
    pub(crate) receive: Option<Reference>,
}

/// Every `PacketPeerUdpRs`.
pub(crate) static PEERS: Registry<Shared> = Registry::new();

/// Every `UdpServerRs`.
pub(crate) static SERVERS: Registry<SharedServer> = Registry::new();

/// Every `UdpLinkProxy`.
pub(crate) static PROXIES: Registry<SharedProxy> = Registry::new();

/// Every `UdpLinkConditions`.
pub(crate) static CONDITIONS: Registry<SharedConditions> = Registry::new();

impl Shared {
    /// `links` is what the peer has in the core already.
    pub(crate) fn new(peer: Arc<Peer>, links: Links) -> Arc<Self> {
        Arc::new(Self { peer, links: Mutex::new(links), reporter: Reporter::new("PacketPeerUdpRs") })
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
        Self { server: Server::default(), links: Mutex::default(), reporter: Reporter::new("UdpServerRs") }
    }
}

impl Default for SharedProxy {
    fn default() -> Self {
        Self { proxy: Proxy::default(), links: Mutex::default(), reporter: Reporter::new("UdpLinkProxy") }
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

impl SharedConditions {
    /// Of the object that has this id.
    pub(crate) fn new(id: u64) -> Arc<Self> {
        Arc::new(Self { values: Arc::default(), id, reporter: Reporter::new("UdpLinkConditions") })
    }

    pub(crate) fn values(&self) -> &Arc<CoreConditions> {
        &self.values
    }

    pub(crate) fn get(&self) -> Conditions {
        self.values.get()
    }

    /// Emits the resource's signal `changed`, which runs scripts. Not while the object is being freed.
    pub(crate) fn emit_changed(&self) {
        let Some((object, _)) = CONDITIONS.find(self.id) else { return };
        if let Ok(mut resource) = object.try_to::<Gd<Resource>>() {
            resource.emit_changed();
        }
    }
}

fn release(links: &Mutex<Links>) {
    let released = mem::take(&mut *links.lock());
    drop(released);
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

    fn slots() -> &'static SlotTable<Self> {
        static SLOTS: SlotTable<Shared> = SlotTable::new();
        &SLOTS
    }

    fn close(&self) {
        self.peer.close();
        release(&self.links);
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

    fn slots() -> &'static SlotTable<Self> {
        static SLOTS: SlotTable<SharedServer> = SlotTable::new();
        &SLOTS
    }

    fn close(&self) {
        self.server.stop();
        release(&self.links);
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

impl Registered for SharedProxy {
    fn registry() -> &'static Registry<Self> {
        &PROXIES
    }

    fn slots() -> &'static SlotTable<Self> {
        static SLOTS: SlotTable<SharedProxy> = SlotTable::new();
        &SLOTS
    }

    fn close(&self) {
        self.proxy.stop();
        release(&self.links);
    }

    fn waits(&self) -> usize {
        0
    }

    /// No script has so many relays that this pays.
    fn prefetch(&self) {}

    /// The monitors are of what the game sends and receives, which a relay only passes on.
    fn totals(&self) -> Totals {
        Totals::default()
    }
}

impl Registered for SharedConditions {
    fn registry() -> &'static Registry<Self> {
        &CONDITIONS
    }

    fn slots() -> &'static SlotTable<Self> {
        static SLOTS: SlotTable<SharedConditions> = SlotTable::new();
        &SLOTS
    }

    /// It has no socket.
    fn close(&self) {}

    fn waits(&self) -> usize {
        0
    }

    /// Nothing is called for many of them at once.
    fn prefetch(&self) {}

    fn totals(&self) -> Totals {
        Totals::default()
    }
}

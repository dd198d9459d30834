//! The link conditions of peers, those that a server's peers start with, and those of a relay.

use std::mem;
use std::sync::Arc;

use godot::obj::Gd;
use packet_peer_udp_core::SharedConditions as CoreConditions;
use parking_lot::Mutex;

use crate::registry::Reference;
use crate::shared::{CONDITIONS, Links, Shared, SharedProxy, SharedServer};
use crate::udp_link_conditions::UdpLinkConditions;

/// What has link conditions for both directions.
pub(crate) trait HasLinks {
    fn links(&self) -> &Mutex<Links>;
    fn set_send_conditions(&self, conditions: Option<Arc<CoreConditions>>);
    fn set_receive_conditions(&self, conditions: Option<Arc<CoreConditions>>);
}

impl HasLinks for Shared {
    fn links(&self) -> &Mutex<Links> {
        &self.links
    }

    fn set_send_conditions(&self, conditions: Option<Arc<CoreConditions>>) {
        self.peer.set_send_conditions(conditions);
    }

    fn set_receive_conditions(&self, conditions: Option<Arc<CoreConditions>>) {
        self.peer.set_receive_conditions(conditions);
    }
}

impl HasLinks for SharedServer {
    fn links(&self) -> &Mutex<Links> {
        &self.links
    }

    fn set_send_conditions(&self, conditions: Option<Arc<CoreConditions>>) {
        self.server.set_send_conditions(conditions);
    }

    fn set_receive_conditions(&self, conditions: Option<Arc<CoreConditions>>) {
        self.server.set_receive_conditions(conditions);
    }
}

/// What a relay sends goes to its target, and what it receives comes from there and goes to a client.
impl HasLinks for SharedProxy {
    fn links(&self) -> &Mutex<Links> {
        &self.links
    }

    fn set_send_conditions(&self, conditions: Option<Arc<CoreConditions>>) {
        self.proxy.set_to_target_conditions(conditions);
    }

    fn set_receive_conditions(&self, conditions: Option<Arc<CoreConditions>>) {
        self.proxy.set_to_client_conditions(conditions);
    }
}

/// What scripts assign, and get.
type Assigned = Option<Gd<UdpLinkConditions>>;

pub(crate) fn get_send_conditions(owner: &impl HasLinks) -> Assigned {
    let reference = owner.links().lock().send.clone();
    reference.and_then(|reference| reference.to_gd())
}

pub(crate) fn get_receive_conditions(owner: &impl HasLinks) -> Assigned {
    let reference = owner.links().lock().receive.clone();
    reference.and_then(|reference| reference.to_gd())
}

#[expect(clippy::needless_pass_by_value, reason = "as the methods have it")]
pub(crate) fn set_send_conditions(owner: &impl HasLinks, conditions: Assigned) {
    let (reference, conditions) = found(&conditions);
    let mut links = owner.links().lock();
    let previous = mem::replace(&mut links.send, reference);
    owner.set_send_conditions(conditions);
    drop(links);
    // Without the lock: this may free the resource, which runs its script.
    drop(previous);
}

#[expect(clippy::needless_pass_by_value, reason = "as the methods have it")]
pub(crate) fn set_receive_conditions(owner: &impl HasLinks, conditions: Assigned) {
    let (reference, conditions) = found(&conditions);
    let mut links = owner.links().lock();
    let previous = mem::replace(&mut links.receive, reference);
    owner.set_receive_conditions(conditions);
    drop(links);
    // As above.
    drop(previous);
}

/// A reference to the resource, and what it has for the core.
fn found(conditions: &Assigned) -> (Option<Reference>, Option<Arc<CoreConditions>>) {
    let found = conditions.as_ref().and_then(|object| CONDITIONS.reference(object));
    found.map(|(reference, shared)| (reference, Arc::clone(shared.values()))).unzip()
}

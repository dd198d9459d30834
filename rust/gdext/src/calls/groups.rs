//! Multicast groups and broadcasts.

use godot::builtin::{GString, PackedStringArray};
use godot::global::Error as GodotError;
use packet_peer_udp_core::broadcast_addresses;

use super::outcome::to_error;
use crate::convert::Text;
use crate::messages;
use crate::report::Limit;
use crate::shared::Shared;

pub(crate) fn join_multicast_group(shared: &Shared, address: &GString, interface: &GString) -> GodotError {
    let result = shared.peer.join_group(&Text::from(address), &Text::from(interface));
    to_error(shared, "join_multicast_group", Limit::Native, result, |error| Some(messages::group(error)))
}

pub(crate) fn leave_multicast_group(shared: &Shared, address: &GString, interface: &GString) -> GodotError {
    let result = shared.peer.leave_group(&Text::from(address), &Text::from(interface));
    to_error(shared, "leave_multicast_group", Limit::Native, result, |error| Some(messages::group(error)))
}

pub(crate) fn set_broadcast_enabled(shared: &Shared, enabled: bool) {
    if let Err(error) = shared.peer.set_broadcast(enabled) {
        shared.reporter.print("set_broadcast_enabled", Limit::Native, &messages::set_broadcast(&error));
    }
}

pub(crate) fn get_broadcast_addresses() -> PackedStringArray {
    broadcast_addresses().iter().map(|ip| GString::from(&ip.to_string())).collect()
}

//! Multicast groups and broadcasts.

use std::sync::LazyLock;

use godot::builtin::{GString, PackedStringArray};
use godot::global::Error as GodotError;
use packet_peer_udp_core::broadcast_addresses;

use super::outcome::to_error;
use crate::convert::Text;
use crate::messages;
use crate::report::{Limit, Reporter};
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
    /// It belongs to no object.
    static REPORTER: LazyLock<Reporter> = LazyLock::new(|| Reporter::new("PacketPeerUdpRs"));

    let found = broadcast_addresses();
    if found.is_empty()
        && let Some(text) = messages::no_interface_list()
    {
        REPORTER.print("get_broadcast_addresses", Limit::Ours, &text);
    }
    found.iter().map(|ip| GString::from(&ip.to_string())).collect()
}

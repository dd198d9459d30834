//! Where packets are sent to: connecting and setting the destination, at once or when a name has been looked up.

use std::num::NonZeroU16;

use godot::builtin::GString;
use godot::global::Error as GodotError;
use packet_peer_udp_core::{DestinationChange, Error, Operation, Peer, Reason, Result};

use super::outcome::to_error;
use crate::convert::{self, Text, to_godot_error, truncated_port};
use crate::messages;
use crate::report::Limit;
use crate::shared::Shared;

pub(crate) fn connect_to_host(shared: &Shared, host: &GString, port: i64) -> GodotError {
    let text = Text::from(host);
    let result = port_to_connect(&shared.peer, &text, port).and_then(|port| shared.peer.connect(&text, port));
    if result.is_ok() {
        shared.reporter.note_destination_port(port);
    }
    to_error(shared, "connect_to_host", Limit::Native, result, |error| messages::connect(error, host))
}

pub(crate) fn connect_to_host_async(shared: &Shared, host: &GString, port: i64) -> GodotError {
    let text = Text::from(host);
    let result = port_to_connect(&shared.peer, &text, port).and_then(|port| shared.peer.connect_async(&text, port));
    to_error(shared, "connect_to_host_async", Limit::Ours, result, |error| messages::connect(error, host))
}

/// The port of a call that connects. A call with a port out of range cancels a pending look-up too.
fn port_to_connect(peer: &Peer, host: &str, port: i64) -> Result<NonZeroU16> {
    convert::port_to_reach(Operation::Connect, host, port).or_else(|error| {
        if peer.is_accepted() {
            return peer.fail(Error::new(Operation::Connect, host, Reason::Accepted));
        }
        peer.cancel_resolving();
        peer.fail(error)
    })
}

pub(crate) fn set_dest_address(shared: &Shared, host: &GString, port: i64) -> GodotError {
    let text = Text::from(host);
    // Many scripts set the destination before each packet, and it is mostly the same: then nothing is allocated.
    if shared.peer.has_destination(&text, truncated_port(port)) {
        shared.reporter.note_destination_port(port);
        return GodotError::OK;
    }
    match shared.peer.set_destination(&text, truncated_port(port)) {
        Ok(DestinationChange::Set) => {
            shared.reporter.note_destination_port(port);
            GodotError::OK
        }
        Ok(DestinationChange::Connected) => {
            let text = messages::fixed_destination(&shared.peer, host, port);
            shared.reporter.print("set_dest_address", Limit::Native, &text);
            GodotError::OK
        }
        Err(error) => to_godot_error(&error),
    }
}

pub(crate) fn set_dest_address_async(shared: &Shared, host: &GString, port: i64) -> GodotError {
    let member = "set_dest_address_async";
    match shared.peer.set_destination_async(&Text::from(host), truncated_port(port)) {
        Ok(DestinationChange::Set) => {
            shared.reporter.note_destination_port(port);
            GodotError::OK
        }
        Ok(DestinationChange::Connected) => {
            shared.reporter.print(member, Limit::Ours, &messages::fixed_destination(&shared.peer, host, port));
            GodotError::OK
        }
        Err(error) => to_error(shared, member, Limit::Ours, Err(error), |error| messages::resolve(error, host)),
    }
}

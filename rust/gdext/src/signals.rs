//! The signals of the peers, emitted once a frame on the main thread.

use godot::classes::Object;
use godot::global::Error as GodotError;
use godot::prelude::*;
use packet_peer_udp_core::{Reason, Resolved, format_address, take_pending_signals};

use crate::convert::{count_to_int, to_godot_error};
use crate::messages;
use crate::report::Limit;
use crate::shared::{PEERS, Shared};

/// Emits what is pending. To be called once a frame, on the main thread.
pub(crate) fn emit() {
    let tokens = take_pending_signals();
    if tokens.is_empty() {
        return;
    }
    let packets_available = StringName::from("packets_available");
    for token in tokens {
        let Some((object, shared)) = PEERS.find(token) else { continue };
        // As an `Object`: to look up its class takes longer than all the rest.
        let Ok(mut object) = object.try_to::<Gd<Object>>() else { continue };
        // Both are taken before either is emitted: what a handler causes belongs to the next frame.
        let (count, resolved) = (shared.peer.take_pending_signal(), shared.peer.take_resolved());
        // There may be thousands of peers, most of them without a handler.
        if let Some(count) = count
            && object.has_connections(&packets_available)
        {
            object.emit_signal(&packets_available, vslice![count_to_int(count)]);
        }
        if let Some(resolved) = resolved {
            emit_host_resolved(&mut object, &shared, resolved);
        }
    }
}

fn emit_host_resolved(object: &mut Gd<Object>, shared: &Shared, resolved: Resolved) {
    let ip = resolved.address.map_or(GString::new(), |address| GString::from(&format_address(address)));
    let error = resolved.error.as_ref().map_or(GodotError::OK, to_godot_error);
    object.emit_signal("host_resolved", vslice![error, ip]);
    // Printed after the signal: printing may run a script that closes the peer, which would cancel the signal.
    shared.report_refusals();
    // Misuse was reported by the call itself, and that a name has no address is what the signal says.
    if let Some(error) = resolved.error.filter(|e| !matches!(e.reason, Reason::Connected | Reason::Unresolvable(_))) {
        shared.reporter.print("connect_to_host_async", Limit::Ours, &messages::no_connection(&error));
    }
}

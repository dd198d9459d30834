//! Sending packets.

use godot::builtin::{GString, PackedByteArray, VariantType};
use godot::global::Error as GodotError;
use godot::prelude::AnyArray;
use packet_peer_udp_core::{Error, Operation, Peer, Reason, Result};

use super::outcome::{to_count, to_error};
use crate::convert::{self, Text};
use crate::messages;
use crate::registry::InCall;
use crate::report::Limit;
use crate::shared::Shared;

/// Not a registered member: what the [virtual method](crate::virtuals) of `put_packet()` and `put_var()` does.
///
/// Before it prints, which runs scripts, it calls [`InCall::keep`].
pub(crate) fn put_packet(shared: &InCall<'_, Shared>, packet: &[u8]) -> GodotError {
    let result = shared.peer.send(packet);
    let refusals = shared.peer.take_refusals();
    if result.is_ok() && refusals.is_empty() {
        return GodotError::OK;
    }
    let shared = shared.keep();
    shared.report(&refusals);
    let message = |error: &Error| messages::put_packet(error).or_else(|| odd_port(&shared, error));
    to_error(&shared, "put_packet", Limit::Native, result, message)
}

pub(crate) fn send_to(shared: &Shared, packet: &PackedByteArray, ip: &GString, port: i64) -> GodotError {
    let peer = &shared.peer;
    let text = Text::from(ip);
    let result = match convert::port(Operation::Send, &text, port) {
        Ok(port) => peer.send_to(packet.as_slice(), &text, port),
        Err(error) => refuse(peer, error),
    };
    to_error(shared, "send_to", Limit::Ours, result, |error| messages::send_to(error, ip))
}

pub(crate) fn put_packets(shared: &Shared, packets: &AnyArray) -> i64 {
    let (Some(mut arrays), Some(mut slices)) = (with_room(packets.len()), with_room(packets.len())) else {
        let text = messages::no_memory_for_list(packets.len());
        shared.peer.note_misuse(&text);
        shared.reporter.print("put_packets", Limit::Ours, &text);
        return -1;
    };
    for (index, element) in packets.iter_shared().enumerate() {
        // The type is compared first: the engine would convert nearly anything, into an empty array if need be.
        let found = element.get_type();
        if found != VariantType::PACKED_BYTE_ARRAY {
            let text = messages::no_packet(index, format_args!("{found:?}"));
            shared.peer.note_misuse(&text);
            shared.reporter.print("put_packets", Limit::Ours, &text);
            return -1;
        }
        arrays.push(element.to::<PackedByteArray>());
    }
    slices.extend(arrays.iter().map(PackedByteArray::as_slice));
    let result = shared.peer.send_many(&slices);
    report_odd_port(shared, "put_packets", &result, slices.len());
    to_count(shared, "put_packets", result, messages::send_many)
}

/// An empty list with room for so many elements; `None` if there is no memory for it.
pub(super) fn with_room<T>(elements: usize) -> Option<Vec<T>> {
    let mut list = Vec::new();
    list.try_reserve_exact(elements).ok()?;
    Some(list)
}

pub(crate) fn put_segmented(shared: &Shared, data: &PackedByteArray, segment_size: i64) -> i64 {
    let result = match convert::segment_size(segment_size) {
        Ok(size) => shared.peer.send_segmented(data.as_slice(), size),
        Err(error) => shared.peer.fail(error),
    };
    let packets = convert::segment_size(segment_size).map_or(0, |size| data.len().div_ceil(size.get()));
    report_odd_port(shared, "put_segmented", &result, packets);
    to_count(shared, "put_segmented", result, messages::send_many)
}

pub(crate) fn put_packet_broadcast(shared: &Shared, packet: &PackedByteArray, port: i64) -> i64 {
    let peer = &shared.peer;
    let result = match convert::port_to_reach(Operation::Broadcast, "", port) {
        Ok(port) => peer.send_broadcast(packet.as_slice(), port),
        Err(error) => refuse(peer, error),
    };
    to_count(shared, "put_packet_broadcast", result, messages::send_many)
}

/// What is printed where the system has refused a packet to a destination whose port was given out of range.
fn odd_port(shared: &Shared, error: &Error) -> Option<String> {
    let port = shared.reporter.odd_destination_port()?;
    matches!(error.reason, Reason::Os(_)).then(|| messages::destination_port(port, &error.to_string()))
}

/// The same for a batch of `packets` packets.
fn report_odd_port(shared: &Shared, member: &'static str, result: &Result<usize>, packets: usize) {
    if let (Some(port), Ok(sent)) = (shared.reporter.odd_destination_port(), result)
        && *sent < packets
    {
        let reason = shared.peer.last_error().message;
        shared.reporter.print(member, Limit::Ours, &messages::destination_port(port, &reason));
    }
}

/// Fails with `error`, unless the peer is a server's: that comes before any argument out of range.
fn refuse<T>(peer: &Peer, error: Error) -> Result<T> {
    let Error { operation, subject, .. } = &error;
    peer.fail(if peer.is_accepted() { Error::new(*operation, subject.as_str(), Reason::Accepted) } else { error })
}

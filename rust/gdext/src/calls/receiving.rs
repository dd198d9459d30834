//! Taking packets, and what is known of the ones that were taken.

use std::net::SocketAddr;

use godot::builtin::{Array, GString, PackedByteArray, PackedInt32Array, PackedInt64Array, PackedStringArray};
use godot::global::Error as GodotError;
use packet_peer_udp_core::{Drain, PacketMeta, format_address, interface_text};

use crate::arrays::{Joined, Packets};
use crate::convert::{self, to_godot_error};
use crate::messages;
use crate::report::Limit;
use crate::shared::Shared;

pub(crate) fn poll(shared: &Shared) -> GodotError {
    match shared.peer.poll() {
        Ok(_) => GodotError::OK,
        Err(error) => {
            shared.reporter.print("poll", Limit::Ours, &messages::NOT_OPEN);
            to_godot_error(&error)
        }
    }
}

pub(crate) fn get_packets(shared: &Shared, max_packets: i64) -> Array<PackedByteArray> {
    let mut packets = Packets::new();
    if let Some(mut drain) = take_many(shared, "get_packets", max_packets) {
        while let Some(run) = drain.next() {
            packets.append(&run);
        }
        report_missing_memory(shared, "get_packets", &drain);
    }
    report_lost(shared, "get_packets", packets.lost(), "packets");
    packets.finish()
}

pub(crate) fn get_packets_joined(shared: &Shared, max_packets: i64) -> PackedByteArray {
    let mut joined = Joined::default();
    if let Some(mut drain) = take_many(shared, "get_packets_joined", max_packets) {
        while let Some(run) = drain.next() {
            joined.append(run.bytes);
        }
        report_missing_memory(shared, "get_packets_joined", &drain);
    }
    report_lost(shared, "get_packets_joined", joined.lost(), "bytes");
    joined.finish()
}

fn report_missing_memory(shared: &Shared, member: &'static str, drain: &Drain<'_>) {
    if drain.lacks_memory() {
        shared.reporter.print(member, Limit::Ours, &messages::NO_MEMORY_FOR_METADATA);
    }
}

/// Prints that the engine had no memory for some of what was taken, if so.
fn report_lost(shared: &Shared, member: &'static str, lost: usize, unit: &str) {
    if lost > 0 {
        let text = messages::no_memory_for_packets(lost, unit);
        shared.peer.note_misuse(&text);
        shared.reporter.print(member, Limit::Ours, &text);
    }
}

/// Begins to take packets; prints what is wrong if that cannot be.
fn take_many<'a>(shared: &'a Shared, member: &'static str, max_packets: i64) -> Option<Drain<'a>> {
    let Ok(max) = convert::max_packets(max_packets) else {
        let text = messages::max_packets(max_packets);
        shared.peer.note_misuse(&text);
        shared.reporter.print(member, Limit::Ours, &text);
        return None;
    };
    let drain = shared.peer.take_many(max);
    if drain.is_err() {
        shared.reporter.print(member, Limit::Ours, &messages::NOT_OPEN);
    }
    drain.ok()
}

pub(crate) fn get_batch_ips(shared: &Shared) -> PackedStringArray {
    texts(shared, |packet| Some(packet.sender()))
}

pub(crate) fn get_batch_local_ips(shared: &Shared) -> PackedStringArray {
    texts(shared, PacketMeta::local)
}

/// An address of each packet of the last batch as text, without its port; `""` for none.
fn texts(shared: &Shared, address: impl Fn(&PacketMeta) -> Option<SocketAddr>) -> PackedStringArray {
    let mut last = (None, GString::new());
    let mut text_of = |packet: &PacketMeta| {
        let mut address = address(packet);
        if let Some(address) = &mut address {
            address.set_port(0);
        }
        // Packets with the same address mostly follow one another, and the engine shares equal strings.
        if last.0 != address {
            last = (address, address.map_or(GString::new(), |address| GString::from(&format_address(address))));
        }
        last.1.clone()
    };
    shared.peer.batch().iter().map(&mut text_of).collect()
}

pub(crate) fn get_batch_ports(shared: &Shared) -> PackedInt32Array {
    shared.peer.batch().iter().map(|packet| i32::from(packet.sender().port())).collect()
}

pub(crate) fn get_batch_times_usec(shared: &Shared) -> PackedInt64Array {
    shared.peer.batch().iter().map(|packet| packet.time_usec().cast_signed()).collect()
}

pub(crate) fn get_batch_sizes(shared: &Shared) -> PackedInt32Array {
    shared.peer.batch().iter().map(|packet| i32::try_from(packet.length()).unwrap_or(i32::MAX)).collect()
}

pub(crate) fn get_packet_ip(shared: &Shared) -> GString {
    shared.peer.last_taken().map_or(GString::new(), |packet| GString::from(&format_address(packet.sender())))
}

pub(crate) fn get_packet_port(shared: &Shared) -> i64 {
    shared.peer.last_taken().map_or(0, |packet| packet.sender().port().into())
}

pub(crate) fn get_packet_time_usec(shared: &Shared) -> i64 {
    shared.peer.last_taken().map_or(0, |packet| packet.time_usec().cast_signed())
}

pub(crate) fn get_packet_local_ip(shared: &Shared) -> GString {
    let local = shared.peer.last_taken().and_then(|packet| packet.local());
    local.map_or(GString::new(), |address| GString::from(&format_address(address)))
}

pub(crate) fn get_packet_interface(shared: &Shared) -> GString {
    let interface = shared.peer.last_taken().and_then(|packet| packet.interface());
    interface.map_or(GString::new(), |index| GString::from(&interface_text(index)))
}

//! The peers of a server: taking them, those that have packets, and one packet to many.

use std::sync::Arc;

use godot::builtin::{Array, PackedByteArray};
use godot::obj::Gd;
use godot::prelude::AnyArray;
use packet_peer_udp_core::{Peer, Reason};

use super::sending::with_room;
use crate::arrays;
use crate::convert::count_to_int;
use crate::messages;
use crate::packet_peer::PacketPeerUdpRs;
use crate::registry;
use crate::report::Limit;
use crate::shared::{PEERS, SharedServer};

pub(crate) fn take_connection(shared: &SharedServer) -> Option<Gd<PacketPeerUdpRs>> {
    let server = &shared.server;
    let (peer, links) = {
        // Of one moment: the peer starts with what the server has when it is accepted.
        let links = shared.links.lock();
        (server.accept()?, links.clone())
    };
    let object = Gd::from_init_fn(|base| PacketPeerUdpRs::new(base, Arc::clone(&peer), links));
    PEERS.note_instance(&object);
    // Only now: from here on a signal may be pending, and emitting it refers to the object, which must be complete for that.
    peer.enable_signals(registry::id_of(&object));
    if server.background_receive() {
        peer.mark_queued();
    }
    Some(object)
}

pub(crate) fn get_ready_peers(shared: &SharedServer) -> Array<Gd<PacketPeerUdpRs>> {
    // A peer that is being freed is not found. Another thread may have taken one that has no token yet.
    let objects = PEERS.find_each(&shared.server.ready_tokens());
    // SAFETY: only objects of the class `PacketPeerUdpRs` are in `PEERS`.
    unsafe { arrays::of_objects(objects) }
}

pub(crate) fn put_packet_to(shared: &SharedServer, peers: &AnyArray, packet: &PackedByteArray) -> i64 {
    let fail = |text: String| {
        shared.server.note_misuse(&text);
        shared.reporter.print("put_packet_to", Limit::Ours, &text);
        -1
    };
    let no_memory = || messages::no_memory_for_list(peers.len());
    let Some(mut found) = with_room(peers.len()) else { return fail(no_memory()) };
    if let Err(index) = PEERS.get_each(arrays::object_ids(peers), &mut found) {
        return fail(messages::no_peer(index));
    }
    let Some(mut targets) = with_room::<&Peer>(found.len()) else { return fail(no_memory()) };
    targets.extend(found.iter().map(|one| &*one.peer));
    match shared.server.send_to_peers(&targets, packet.as_slice()) {
        Ok(0) if !peers.is_empty() => {
            let text = messages::sent_to_nobody(&shared.server.last_error().message);
            shared.reporter.print("put_packet_to", Limit::Ours, &text);
            0
        }
        Ok(count) => count_to_int(count),
        Err(error) => {
            let is_open = match error.reason {
                Reason::NotOfServer(index) => targets.get(index).is_some_and(|peer| peer.is_open()),
                _ => false,
            };
            shared.reporter.print("put_packet_to", Limit::Ours, &messages::put_packet_to(&error, is_open));
            -1
        }
    }
}

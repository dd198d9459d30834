//! How addresses that send to a server become pending and accepted peers, and what an accepted peer may change. What is described
//! here in the words of the engine's `UDPServer` is compared with it by the test scenes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;

#[macro_use]
mod common;

use common::{Setup, accept, await_available, client, eventually, join, next, nonzero, port, server_port, take};
use packet_peer_udp_core::{DestinationChange, Peer, Reason, Server, format_address};

fn is_refused_as_accepted<T: std::fmt::Debug>(result: packet_peer_udp_core::Result<T>) -> bool {
    matches!(result.unwrap_err().reason, Reason::Accepted)
}

for_servers!(a_sender_becomes_pending_and_its_packets_wait_in_order);
fn a_sender_becomes_pending_and_its_packets_wait_in_order(setup: Setup) {
    let server = setup.server();
    let client = client(&server, setup.family);
    for payload in [b"one".as_slice(), b"two", b"three"] {
        client.send(payload).unwrap();
    }
    assert!(setup.is_background() || server.accept().is_none(), "the server was not polled");
    eventually("a peer is pending", || server.poll().is_ok() && server.has_pending());
    let peer = server.accept().unwrap();
    assert_eq!(format_address(peer.last_taken().unwrap().sender()), setup.family.written);
    assert_eq!(peer.last_taken().unwrap().sender().port(), port(&client));
    assert!(peer.is_open() && peer.is_connected() && peer.is_accepted());
    assert_eq!(port(&peer), server_port(&server));
    await_available(&server, &peer, 3);
    assert_eq!([(); 3].map(|()| take(&peer).unwrap()), [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
    assert_eq!(take(&peer), None);
    peer.send(b"back").unwrap();
    assert_eq!(next(&client), b"back");
    assert_eq!(client.last_taken().unwrap().sender().port(), server_port(&server));
    assert_eq!(server.peers(), 1);
}

for_servers!(an_accepted_peer_does_not_change_what_is_its_servers);
fn an_accepted_peer_does_not_change_what_is_its_servers(setup: Setup) {
    let reach = setup.family.reach;
    let server = setup.server();
    let (client, peer) = join(&server, setup.family);
    assert!(matches!(peer.bind(0, "*", 0).unwrap_err().reason, Reason::AlreadyOpen));
    assert!(is_refused_as_accepted(peer.connect(reach, nonzero(1))));
    assert!(is_refused_as_accepted(peer.connect("not an address", nonzero(1))));
    assert!(is_refused_as_accepted(peer.connect_async(reach, nonzero(1))));
    assert!(is_refused_as_accepted(peer.join_group("239.1.2.3", "")));
    assert!(is_refused_as_accepted(peer.leave_group("239.1.2.3", "")));
    assert!(is_refused_as_accepted(peer.send_to(b"x", reach, 1)));
    assert!(is_refused_as_accepted(peer.send_broadcast(b"x", nonzero(1))));
    assert!(is_refused_as_accepted(peer.set_broadcast(true)));
    assert!(is_refused_as_accepted(peer.set_background_receive(true)));
    assert!(is_refused_as_accepted(peer.set_receive_buffer_size(1)));
    assert!(is_refused_as_accepted(peer.set_send_buffer_size(1)));
    assert_eq!(peer.set_destination(reach, 1).unwrap(), DestinationChange::Connected);
    for in_background in [!setup.is_background(), setup.is_background()] {
        server.set_background_receive(in_background).unwrap();
        assert_eq!(peer.background_receive(), in_background, "the peer has the server's options");
    }
    assert_eq!(peer.receive_buffer_size(), server.receive_buffer_size());
    assert_eq!(peer.option(|options| options.reuse_address), !cfg!(windows), "as the engine's servers");
    peer.send(b"as before").unwrap();
    assert_eq!(next(&client), b"as before");
}

for_servers!(packets_of_too_many_pending_senders_are_dropped_and_counted);
fn packets_of_too_many_pending_senders_are_dropped_and_counted(setup: Setup) {
    let server = setup.server();
    let (client, peer) = join(&server, setup.family);
    server.set_max_pending(3);
    let senders: Vec<_> = (0..50).map(|_| common::client(&server, setup.family)).collect();
    for sender in &senders {
        sender.send(b"one").unwrap();
        sender.send(b"two").unwrap();
    }
    eventually("all packets are read", || {
        server.poll().unwrap();
        server.stats().packets_dropped_pending == 2 * 47 && server.stats().all.packets_received == 1 + 2 * 3
    });
    client.send(b"still here").unwrap();
    await_available(&server, &peer, 1);
    assert_eq!(server.stats().all.packets_received, 1 + 2 * 3 + 1);
    server.set_max_pending(1);
    assert_eq!(server.stats().packets_dropped_pending, 2 * 49);
    assert_eq!(server.stats().all.packets_received, 1 + 2 + 1);
    let first = accept(&server);
    assert_eq!(first.last_taken().unwrap().sender().port(), port(&senders[0]));
    assert!(server.accept().is_none());
    senders[7].send(b"once more").unwrap();
    let another = accept(&server);
    assert_eq!(take(&another).unwrap(), b"once more");
    assert_eq!(server.peers(), 3);
    drop(another);
    assert_eq!(server.peers(), 2, "a peer that is dropped leaves the server");
    assert_eq!(server.max_pending(), 1);
}

for_servers!(a_server_shares_its_port_with_servers_and_with_no_other_peer);
fn a_server_shares_its_port_with_servers_and_with_no_other_peer(setup: Setup) {
    let bind = setup.family.bind;
    let server = setup.server();
    let at = server_port(&server);
    let alone = Peer::new();
    assert!(alone.bind(at, bind, 0).is_err());
    let second = Server::default();
    // On Windows the engine's servers share with none.
    assert_eq!(second.listen(at, bind).is_ok(), !cfg!(windows));
    second.stop();
    assert!(server.listen(0, bind).is_err(), "it listens already");
    assert_eq!(server_port(&server), at);
}

for_servers!(the_system_does_not_choose_a_port_that_a_server_has);
fn the_system_does_not_choose_a_port_that_a_server_has(setup: Setup) {
    // Elsewhere, the system may choose a port that is shared. On Windows none is.
    if cfg!(any(target_os = "linux", windows)) {
        let servers: Vec<_> = (0..200).map(|_| setup.server()).collect();
        let ports: HashSet<_> = servers.iter().map(server_port).collect();
        assert_eq!(ports.len(), servers.len());
    }
}

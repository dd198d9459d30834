//! One datagram to many peers of a server.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

#[macro_use]
mod common;

use common::{Setup, join, next, take};
use packet_peer_udp_core::{Peer, Reason, Server};

/// The index of the element that the server has refused; `None` if it has refused for another reason.
fn refused(server: &Server, peers: &[&Peer]) -> Option<usize> {
    match server.send_to_peers(peers, b"nobody gets this").unwrap_err().reason {
        Reason::NotOfServer(index) => Some(index),
        _ => None,
    }
}

fn refs(peers: &[Arc<Peer>]) -> Vec<&Peer> {
    peers.iter().map(Arc::as_ref).collect()
}

for_servers!(each_of_the_peers_gets_a_copy);
fn each_of_the_peers_gets_a_copy(setup: Setup) {
    let server = setup.server();
    // More than one system call takes.
    let (clients, peers): (Vec<_>, Vec<_>) = (0..100).map(|_| join(&server, setup.family)).unzip();
    let before = server.stats().all;
    assert_eq!(server.send_to_peers(&refs(&peers), b"state").unwrap(), 100);
    for client in &clients {
        assert_eq!(next(client), b"state");
        assert_eq!(client.last_taken().unwrap().sender().port(), common::server_port(&server));
    }
    for peer in &peers {
        let stats = peer.stats();
        assert_eq!((stats.packets_sent, stats.bytes_sent, stats.send_errors), (1, 5, 0));
    }
    let stats = server.stats().all;
    assert_eq!((stats.packets_sent - before.packets_sent, stats.bytes_sent - before.bytes_sent), (100, 500));
    let calls = stats.send_syscalls - before.send_syscalls;
    assert!(calls <= 100 && (!cfg!(target_os = "linux") || calls == 2), "{calls} system calls");

    assert_eq!(server.send_to_peers(&[], b"nobody").unwrap(), 0);
    assert_eq!(server.send_to_peers(&[&peers[3], &peers[3]], b"").unwrap(), 2, "empty, and twice to one peer");
    assert_eq!([next(&clients[3]), next(&clients[3])], [b"", b""]);
    assert!(clients.iter().all(|client| take(client).is_none()));
}

for_servers!(an_element_that_is_no_open_peer_of_the_server_is_refused_and_nothing_is_sent);
fn an_element_that_is_no_open_peer_of_the_server_is_refused_and_nothing_is_sent(setup: Setup) {
    let (server, another) = (setup.server(), setup.server());
    let (client, peer) = join(&server, setup.family);
    let (_, of_another) = join(&another, setup.family);
    let (_, closed) = join(&server, setup.family);
    closed.close();
    assert_eq!(refused(&server, &[&peer, &of_another]), Some(1));
    assert_eq!(refused(&server, &[&closed, &peer]), Some(0));
    assert_eq!(refused(&server, &[&peer, &peer, &client]), Some(2));
    // A peer with a socket of its own is none of the server's.
    closed.bind(0, setup.family.bind, 0).unwrap();
    assert_eq!(refused(&server, &[&peer, &closed]), Some(1));
    assert!(server.last_error().message.contains("index 1"), "{:?}", server.last_error());
    assert_eq!((server.stats().all.packets_sent, take(&client)), (0, None));
    server.stop();
    assert!(matches!(server.send_to_peers(&[&peer], b"x").unwrap_err().reason, Reason::NotOpen));
    server.listen(0, setup.family.bind).unwrap();
    assert_eq!(refused(&server, &[&peer]), Some(0));
}

for_servers!(a_refused_datagram_is_counted_for_each_peer);
fn a_refused_datagram_is_counted_for_each_peer(setup: Setup) {
    let server = setup.server();
    let (clients, peers): (Vec<_>, Vec<_>) = (0..3).map(|_| join(&server, setup.family)).unzip();
    // Larger than any datagram, so that the system refuses each copy.
    assert_eq!(server.send_to_peers(&refs(&peers), &vec![0; 70_000]).unwrap(), 0);
    for peer in &peers {
        let stats = peer.stats();
        assert_eq!((stats.packets_sent, stats.send_errors), (0, 1));
        assert_ne!(peer.last_error().code, 0);
    }
    assert_eq!(server.stats().all.send_errors, 3);
    assert!(server.last_error().message.contains("index 2 of 3"), "{:?}", server.last_error());
    assert!(clients.iter().all(|client| take(client).is_none()));
    assert_eq!(server.send_to_peers(&refs(&peers), b"small").unwrap(), 3);
}

/// Only Linux has more loopback addresses than one without being configured.
#[cfg(target_os = "linux")]
#[test]
fn each_copy_leaves_from_the_address_that_its_client_has_sent_to() {
    for mode in [common::Mode::Polled, common::Mode::Background] {
        let setup = Setup { family: common::Family::DUAL_FROM_IPV4, mode, kind: common::Kind::Accepted };
        let server = setup.server();
        let addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.77", "::1"];
        let reached = |address: &&str| !address.contains(':') || common::has_ipv6();
        let join = |address| {
            // A connected peer hears nothing from another address.
            let client = Peer::new();
            client.connect(address, common::nonzero(common::server_port(&server))).unwrap();
            client.send(b"hello").unwrap();
            (client, common::accept(&server))
        };
        let (clients, peers): (Vec<_>, Vec<_>) = addresses.into_iter().filter(reached).map(join).unzip();
        assert_eq!(server.send_to_peers(&refs(&peers), b"state").unwrap(), peers.len());
        for client in &clients {
            assert_eq!(next(client), b"state");
        }
    }
}

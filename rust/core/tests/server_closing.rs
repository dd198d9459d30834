//! How a peer leaves its server, how a server stops, and how idle peers are closed. That the port is free afterwards is tested in
//! `freed_ports.rs`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::thread;
use std::time::Duration;

#[macro_use]
mod common;

use common::{Setup, accept, await_available, client, eventually, join, next, port, server_port, take};
use packet_peer_udp_core::{Reason, clock_nsec};

/// On a busy machine a thread may pause for some hundred milliseconds, which must not make a client idle.
const TIMEOUT_MSEC: u32 = 600;

for_servers!(a_closed_peer_is_an_ordinary_peer_and_its_client_becomes_pending_again);
fn a_closed_peer_is_an_ordinary_peer_and_its_client_becomes_pending_again(setup: Setup) {
    let server = setup.server();
    let (client, peer) = join(&server, setup.family);
    client.send(b"lost").unwrap();
    await_available(&server, &peer, 1);
    peer.close();
    assert_eq!((peer.is_open(), peer.is_connected(), peer.is_accepted()), (false, false, false));
    assert_eq!((peer.available(), server.peers()), (None, 0));
    assert!(!peer.background_receive() && !peer.option(|options| options.reuse_address));

    client.send(b"again").unwrap();
    let successor = accept(&server);
    assert_eq!(take(&successor).unwrap(), b"again");
    // Closing the old peer once more changes nothing for the server and the new peer.
    peer.close();
    assert_eq!(server.peers(), 1);
    assert!(successor.is_open());

    // The old peer has kept its destination.
    peer.send(b"from elsewhere").unwrap();
    assert_eq!(next(&client), b"from elsewhere");
    assert_ne!(client.last_taken().unwrap().sender().port(), server_port(&server));
    assert!(peer.is_open() && !peer.is_connected());
    client.send_to(b"there", setup.family.reach, port(&peer)).unwrap();
    assert_eq!(next(&peer), b"there");
}

for_servers!(stopping_closes_all_peers);
fn stopping_closes_all_peers(setup: Setup) {
    let server = setup.server();
    let (client, peer) = join(&server, setup.family);
    let pending = common::client(&server, setup.family);
    pending.send(b"hello").unwrap();
    eventually("a peer is pending", || server.poll().is_ok() && server.has_pending());
    client.send(b"unread").unwrap();
    await_available(&server, &peer, 1);
    server.stop();
    server.stop();
    assert!(!server.is_listening() && !server.has_pending() && server.accept().is_none());
    assert!(matches!(server.poll().unwrap_err().reason, Reason::NotOpen));
    assert_eq!((peer.is_open(), peer.available(), server.peers()), (false, None, 0));
    assert!(peer.last_error().message.contains("the server was stopped"), "{:?}", peer.last_error());

    server.listen(0, setup.family.bind).unwrap();
    client.set_destination(setup.family.reach, server_port(&server)).unwrap();
    client.send(b"after").unwrap();
    assert_eq!(take(&accept(&server)).unwrap(), b"after");
    assert!(!peer.is_open());
}

for_servers!(a_server_and_its_peers_may_be_dropped_in_any_order);
fn a_server_and_its_peers_may_be_dropped_in_any_order(setup: Setup) {
    let server = setup.server();
    let (_client, peer) = join(&server, setup.family);
    let weak = Arc::downgrade(&peer);
    drop(server);
    assert!(!peer.is_open());
    drop(peer);
    eventually("the peer is freed", || weak.upgrade().is_none());

    let server = setup.server();
    let (client, peer) = join(&server, setup.family);
    let weak = Arc::downgrade(&peer);
    peer.close();
    drop(peer);
    eventually("the peer is freed", || weak.upgrade().is_none());
    client.send(b"hello").unwrap();
    drop(accept(&server));
    assert_eq!(server.peers(), 0);
}

for_servers!(a_peer_that_is_idle_for_too_long_is_closed_and_may_come_again);
fn a_peer_that_is_idle_for_too_long_is_closed_and_may_come_again(setup: Setup) {
    let server = setup.server();
    let start = clock_nsec();
    let (client, peer) = join(&server, setup.family);
    let (alive, its_peer) = join(&server, setup.family);
    server.set_peer_timeout_msec(TIMEOUT_MSEC);
    eventually("the idle peer is closed", || {
        alive.send(b"here").unwrap();
        // In background mode no call is needed for it.
        if !setup.is_background() {
            server.poll().unwrap();
        }
        while take(&its_peer).is_some() {}
        !peer.is_open()
    });
    assert!(clock_nsec() - start >= u64::from(TIMEOUT_MSEC) * 1_000_000, "closed too early");
    assert_eq!(peer.available(), None);
    let expected = format!("was silent for {TIMEOUT_MSEC} ms");
    eventually("the peer says why", || peer.last_error().message.contains(&expected));
    // A script that does not notice opens no socket by sending on.
    assert!(matches!(peer.send(b"still there?").unwrap_err().reason, Reason::NoDestination));
    assert!(!peer.is_open());
    assert!(its_peer.is_open());
    assert_eq!(server.peers(), 1);
    client.send(b"back").unwrap();
    assert_eq!(take(&accept(&server)).unwrap(), b"back");
    assert_eq!(server.peer_timeout_msec(), TIMEOUT_MSEC.into());
}

for_setups!(a_peer_whose_packets_are_unread_is_not_idle: accepted_polled = Polled Accepted);
fn a_peer_whose_packets_are_unread_is_not_idle(setup: Setup) {
    let server = setup.server();
    let (client, peer) = join(&server, setup.family);
    let (_, idle) = join(&server, setup.family);
    server.set_peer_timeout_msec(TIMEOUT_MSEC);
    let start = clock_nsec();
    // The server is not polled for longer than the timeout, while the client goes on sending.
    while clock_nsec() - start < u64::from(TIMEOUT_MSEC) * 1_200_000 {
        client.send(b"x").unwrap();
        assert!(peer.is_open());
        thread::sleep(Duration::from_millis(20));
    }
    server.poll().unwrap();
    assert!(peer.is_open() && !idle.is_open());
}

/// The clients are gone when they are accepted, and told apart by their addresses, of which only Linux has so many.
#[cfg(target_os = "linux")]
fn many_peers_that_are_silent_at_once_are_closed_in_one_go(mode: common::Mode) {
    const MANY: u32 = 2_000;
    let setup = Setup { family: common::Family::IPV4, mode, kind: common::Kind::Accepted };
    let server = setup.server();
    let join = |number| {
        let client = std::net::UdpSocket::bind((std::net::Ipv4Addr::from(0x7f01_0001 + number), 0)).unwrap();
        client.send_to(b"x", (setup.family.reach, server_port(&server))).unwrap();
        accept(&server)
    };
    let peers: Vec<_> = (0..MANY).map(join).collect();
    thread::sleep(Duration::from_millis(50));
    // All of them are due.
    let start = clock_nsec();
    server.set_peer_timeout_msec(20);
    if setup.is_background() {
        // Without the pauses in which the reactor would wait for a timer.
        eventually("all are closed", || peers.iter().all(|peer| !peer.is_open()));
    } else {
        server.poll().unwrap();
        assert_eq!(server.peers(), 0, "one call closes all");
        assert!(peers.iter().all(|peer| !peer.is_open()));
    }
    let msec = (clock_nsec() - start) / 1_000_000;
    assert!(msec < 2_000, "closing {MANY} peers took {msec} ms");
}

#[cfg(target_os = "linux")]
#[test]
fn many_peers_that_are_silent_at_once_are_closed_by_one_poll() {
    many_peers_that_are_silent_at_once_are_closed_in_one_go(common::Mode::Polled);
}

#[cfg(target_os = "linux")]
#[test]
fn many_peers_that_are_silent_at_once_are_closed_in_the_background_without_pauses() {
    many_peers_that_are_silent_at_once_are_closed_in_one_go(common::Mode::Background);
}

for_servers!(a_client_that_was_never_accepted_is_not_idle);
fn a_client_that_was_never_accepted_is_not_idle(setup: Setup) {
    let server = setup.server();
    server.set_peer_timeout_msec(50);
    let client = client(&server, setup.family);
    client.send(b"hello").unwrap();
    eventually("a peer is pending", || server.poll().is_ok() && server.has_pending());
    thread::sleep(Duration::from_millis(100));
    server.poll().unwrap();
    server.set_peer_timeout_msec(0);
    let peer = server.accept().unwrap();
    assert_eq!(take(&peer).unwrap(), b"hello");
}

for_servers!(a_peer_is_closed_for_its_silence_though_nobody_speaks);
fn a_peer_is_closed_for_its_silence_though_nobody_speaks(setup: Setup) {
    let server = setup.server();
    let (_client, peer) = join(&server, setup.family);
    let (_other, other) = join(&server, setup.family);
    server.set_peer_timeout_msec(TIMEOUT_MSEC);
    eventually("both are closed", || {
        if !setup.is_background() {
            server.poll().unwrap();
        }
        !peer.is_open() && !other.is_open()
    });
}

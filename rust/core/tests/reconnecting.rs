//! Connecting a peer that is connected already: it sends by the new way, and keeps its port.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::IpAddr;
use std::sync::Arc;

#[macro_use]
mod common;

use common::{Family, Mode, Setup, bound, eventually, next, nonzero, port, sender_to, take};
use packet_peer_udp_core::{Peer, Reason};

/// Connects `peer` to `remote`, which is reached by `reach`, and has a packet go each way.
fn check_way(peer: &Peer, remote: &Peer, reach: &str) {
    peer.connect(reach, nonzero(port(remote))).unwrap();
    assert_eq!(peer.local_addr().unwrap().ip(), reach.parse::<IpAddr>().unwrap(), "the way to {reach}");
    peer.send(reach.as_bytes()).unwrap();
    assert_eq!(next(remote), reach.as_bytes());
    let from = remote.last_taken().unwrap().sender();
    assert_eq!((from.ip(), from.port()), (reach.parse().unwrap(), port(peer)));
    remote.set_destination(reach, from.port()).unwrap();
    remote.send(b"answer").unwrap();
    assert_eq!(next(peer), b"answer");
}

for_setups!(a_peer_of_both_families_connects_to_one_after_the_other: polled = Polled Own, background = Background Own);
fn a_peer_of_both_families_connects_to_one_after_the_other(setup: Setup) {
    // Wine keeps the local address of the first connect.
    if !common::has_ipv6() || cfg!(windows) {
        return;
    }
    let (first, second) = (bound("127.0.0.1"), bound("::1"));
    let peer = Setup { family: Family::DUAL_FROM_IPV4, ..setup }.receiver(0);
    let at = port(&peer);
    for _ in 0..3 {
        check_way(&peer, &first, "127.0.0.1");
        check_way(&peer, &second, "::1");
        assert_eq!(port(&peer), at);
    }
}

for_own_sockets!(connecting_again_keeps_the_port_however_it_was_chosen);
fn connecting_again_keeps_the_port_however_it_was_chosen(setup: Setup) {
    let reach = setup.family.reach;
    let (first, second) = (bound(reach), bound(reach));
    // Chosen by the system in bind.
    let by_bind = setup.receiver(0);
    // Chosen by the system when the peer connects.
    let by_connect = Peer::new();
    by_connect.set_background_receive(setup.mode == Mode::Background).unwrap();
    by_connect.connect(reach, nonzero(port(&first))).unwrap();
    // Asked for: this one shares the port, so that it need not be free.
    let by_number = Peer::new();
    by_number.set_option(packet_peer_udp_core::SocketOption::ReuseAddress(true)).unwrap();
    by_number.set_background_receive(setup.mode == Mode::Background).unwrap();
    by_number.bind(port(&by_connect) ^ 1, setup.family.bind, 0).unwrap_or_else(|_| {
        by_number.bind(0, setup.family.bind, 0).unwrap();
    });
    for peer in [by_bind, by_connect, by_number] {
        let at = port(&peer);
        for _ in 0..3 {
            check_way(&peer, &first, reach);
            check_way(&peer, &second, reach);
            assert_eq!(port(&peer), at);
        }
        assert_eq!(peer.stats().send_errors, 0);
    }
}

for_own_sockets!(a_packet_of_the_new_sender_is_kept_or_counted);
fn a_packet_of_the_new_sender_is_kept_or_counted(setup: Setup) {
    let Setup { family, .. } = setup;
    let (first, second) = (bound(family.reach), bound(family.reach));
    for is_connected in [false, true] {
        let peer = setup.receiver(0);
        if is_connected && cfg!(target_os = "linux") {
            // Datagrams of the second one do not arrive while the peer is connected to the first.
            peer.connect(family.reach, nonzero(port(&first))).unwrap();
        }
        let sender = if is_connected { &first } else { &second };
        sender.set_destination(family.reach, port(&peer)).unwrap();
        sender.send(b"queued").unwrap();
        eventually("the packet is queued", || peer.available() == Some(1));
        sender.send(b"in the kernel").unwrap();
        if setup.mode == Mode::Background {
            eventually("the packet is queued", || peer.available() == Some(2));
        }
        peer.connect(family.reach, nonzero(port(sender))).unwrap();
        let queued = if setup.mode == Mode::Background { 2 } else { 1 };
        assert_eq!(peer.stats().packets_dropped_queue, queued, "what was queued is counted");
        assert_eq!(peer.stats().packets_received, 0);
        sender.send(b"wanted").unwrap();
        let mut got = next(&peer);
        // Windows discards what it holds, Wine does not.
        if setup.mode == Mode::Polled && (!cfg!(windows) || got != b"wanted") {
            assert_eq!(got, b"in the kernel", "what was not read yet is kept");
            got = next(&peer);
        }
        assert_eq!(got, b"wanted");
        assert_eq!(take(&peer), None);
    }
}

for_setups!(the_other_family_is_refused_and_closes_the_peer: polled = Polled Own, background = Background Own);
fn the_other_family_is_refused_and_closes_the_peer(setup: Setup) {
    let (bind, other) = if setup.family.bind == "*" {
        return;
    } else if setup.family == Family::IPV4 {
        ("127.0.0.1", "::1")
    } else {
        ("::1", "127.0.0.1")
    };
    let first = bound(bind);
    let peer = setup.receiver(0);
    peer.connect(bind, nonzero(port(&first))).unwrap();
    let error = peer.connect(other, nonzero(9)).unwrap_err();
    assert!(matches!(error.reason, Reason::WrongFamily(_)), "{error}");
    assert!(!peer.is_open());
}

/// Runs `ip` with these words.
fn ip(words: &str) {
    let status = std::process::Command::new("ip").args(words.split_whitespace()).status().unwrap();
    assert!(status.success(), "ip {words}");
}

fn local_ip(peer: &Peer) -> String {
    peer.local_addr().unwrap().ip().to_string()
}

#[test]
#[ignore = "needs interfaces of its own: scripts/namespace_tests.sh makes them"]
fn connecting_again_after_the_machines_address_has_changed() {
    ip("address add 10.78.0.1/24 dev near");
    for background in [false, true] {
        let peers: [Arc<Peer>; 3] = [bound("*"), bound("0.0.0.0"), Peer::new()];
        for peer in peers {
            peer.set_background_receive(background).unwrap();
            peer.connect("10.78.0.9", nonzero(9)).unwrap();
            let at = port(&peer);
            assert_eq!(local_ip(&peer), "10.78.0.1");
            ip("address del 10.78.0.1/24 dev near");
            ip("address add 10.78.0.2/24 dev near");
            peer.connect("10.78.0.9", nonzero(9)).unwrap();
            assert_eq!((local_ip(&peer).as_str(), port(&peer)), ("10.78.0.2", at));
            peer.send(b"x").unwrap();
            ip("address del 10.78.0.2/24 dev near");
            ip("address add 10.78.0.1/24 dev near");
        }
    }
    ip("address del 10.78.0.1/24 dev near");
}

#[test]
#[ignore = "needs interfaces of its own: scripts/namespace_tests.sh makes them"]
fn connecting_again_by_another_interface() {
    ip("address add fe80::78:1/64 dev near nodad");
    ip("address add fe80::78:2/64 dev far nodad");
    ip("address add 10.78.1.1/24 dev near");
    ip("address add 10.78.2.1/24 dev far");
    for background in [false, true] {
        for peer in [bound("*"), Peer::new(), bound("::")] {
            peer.set_background_receive(background).unwrap();
            peer.connect("fe80::78:9%near", nonzero(9)).unwrap();
            let at = port(&peer);
            assert_eq!(local_ip(&peer), "fe80::78:1");
            peer.connect("fe80::78:8%far", nonzero(9)).unwrap();
            assert_eq!((local_ip(&peer).as_str(), port(&peer)), ("fe80::78:2", at));
            peer.connect("::1", nonzero(9)).unwrap();
            assert_eq!((local_ip(&peer).as_str(), port(&peer)), ("::1", at));
        }
        for peer in [bound("*"), bound("0.0.0.0"), Peer::new()] {
            peer.set_background_receive(background).unwrap();
            for (to, from) in [("127.0.0.1", "127.0.0.1"), ("10.78.1.9", "10.78.1.1"), ("10.78.2.9", "10.78.2.1")] {
                peer.connect(to, nonzero(9)).unwrap();
                assert_eq!(local_ip(&peer), from);
            }
        }
    }
    for words in ["fe80::78:1/64 dev near", "fe80::78:2/64 dev far", "10.78.1.1/24 dev near", "10.78.2.1/24 dev far"] {
        ip(&format!("address del {words}"));
    }
}

for_families!(what_others_have_sent_before_is_not_received);
fn what_others_have_sent_before_is_not_received(family: Family) {
    let (first, second) = (bound(family.reach), bound(family.reach));
    let peer = bound(family.bind);
    peer.connect(family.reach, nonzero(port(&first))).unwrap();
    first.set_destination(family.reach, port(&peer)).unwrap();
    first.send(b"in the kernel").unwrap();
    let other = sender_to(&peer, family.reach);
    let _ = other.send(b"from elsewhere");
    peer.connect(family.reach, nonzero(port(&second))).unwrap();
    second.set_destination(family.reach, port(&peer)).unwrap();
    second.send(b"wanted").unwrap();
    assert_eq!(next(&peer), b"wanted");
    assert_eq!(take(&peer), None);
}

//! Multicast groups and broadcasts, as far as one host shows them. Two hosts are tested in the engine: `scripts/network_tests.sh`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[macro_use]
mod common;

use common::{Setup, bound, eventually, has_ipv6, next, nonzero, port};
use packet_peer_udp_core::{Peer, Reason, broadcast_addresses};

/// The system's choice of an interface needs a route for multicast; loopback's own is always there.
const INTERFACE: &str = if cfg!(target_os = "linux") { "lo" } else { "" };

#[test]
fn groups_are_joined_once_and_left_once() {
    let peer = bound("0.0.0.0");
    assert!(matches!(peer.join_group("nonsense", "").unwrap_err().reason, Reason::InvalidAddress));
    let error = peer.join_group("224.0.0.251", "no-such-if").unwrap_err();
    assert!(matches!(error.reason, Reason::UnknownInterface(_)), "{error}");
    assert!(matches!(peer.join_group("ff02::fb", "").unwrap_err().reason, Reason::WrongFamily(None)));
    assert!(matches!(peer.join_group("127.0.0.1", INTERFACE).unwrap_err().reason, Reason::Os(_)));
    peer.join_group("239.7.7.7", INTERFACE).unwrap();
    assert!(matches!(peer.join_group("239.7.7.7", INTERFACE).unwrap_err().reason, Reason::Os(_)));
    peer.leave_group("239.7.7.7", INTERFACE).unwrap();
    assert!(matches!(peer.leave_group("239.7.7.7", INTERFACE).unwrap_err().reason, Reason::Os(_)));
}

#[test]
fn joining_a_group_opens_a_closed_peer() {
    let peer = Peer::new();
    assert!(peer.join_group("nonsense", INTERFACE).is_err());
    assert!(!peer.is_open());
    peer.join_group("239.7.7.7", INTERFACE).unwrap();
    assert!(peer.is_open());
    assert_eq!(peer.available(), Some(0));
    assert_eq!(peer.stats().receive_errors, 0);
}

for_own_sockets!(broadcasts_are_sent_only_when_allowed);
fn broadcasts_are_sent_only_when_allowed(setup: Setup) {
    // Elsewhere loopback has no broadcast address. A socket that is bound to one address receives no broadcasts.
    if !cfg!(target_os = "linux") || setup.family.reach != "127.0.0.1" {
        return;
    }
    let receiver = bound(if setup.family.bind == "*" { "*" } else { "0.0.0.0" });
    receiver.set_background_receive(setup.is_background()).unwrap();
    let sender = Peer::new();
    sender.set_destination("127.255.255.255", port(&receiver)).unwrap();
    assert!(matches!(sender.send(b"x").unwrap_err().reason, Reason::Os(_)));
    sender.set_broadcast(true).unwrap();
    sender.send(b"hello all").unwrap();
    assert_eq!(next(&receiver), b"hello all");
    sender.close();
    sender.send(b"still allowed").unwrap();
    assert_eq!(next(&receiver), b"still allowed");
    sender.set_broadcast(false).unwrap();
    assert!(sender.send(b"x").is_err());
}

#[test]
fn a_refused_broadcast_says_what_it_needs() {
    let peer = bound("127.0.0.1");
    assert!(matches!(peer.send_broadcast(b"x", nonzero(9)).unwrap_err().reason, Reason::NoBroadcast));
    peer.set_broadcast(true).unwrap();
    peer.connect("127.0.0.1", nonzero(9)).unwrap();
    assert!(matches!(peer.send_broadcast(b"x", nonzero(9)).unwrap_err().reason, Reason::Connected));
    assert_eq!(peer.stats().packets_sent, 0);
    if has_ipv6() {
        let peer = bound("::1");
        peer.set_broadcast(true).unwrap();
        assert!(matches!(peer.send_broadcast(b"x", nonzero(9)).unwrap_err().reason, Reason::WrongFamily(None)));
    }
}

#[test]
fn a_broadcast_opens_a_closed_peer_and_goes_to_every_network() {
    let peer = Peer::new();
    peer.set_broadcast(true).unwrap();
    let sent = peer.send_broadcast(b"x", nonzero(9)).unwrap();
    assert!(peer.is_open());
    assert_eq!(peer.stats().packets_sent, sent as u64);
    assert!(sent == broadcast_addresses().len() || !peer.last_error().message.is_empty());
    assert!(sent > 0 || peer.last_error().message.contains("broadcast"));
}

#[test]
#[cfg(target_os = "linux")]
fn a_peer_that_is_bound_to_one_address_broadcasts_from_no_other() {
    let peer = bound("127.0.0.1");
    peer.set_broadcast(true).unwrap();
    let networks = broadcast_addresses().len();
    // Linux refuses to send packets of a loopback address to a network.
    assert_eq!(peer.send_broadcast(b"x", nonzero(9)).unwrap(), 0);
    assert!(peer.stats().packets_sent == 0 && peer.stats().send_errors >= networks as u64);
}

/// How many packets have arrived at an interface.
fn arrived_at(interface: &str) -> u64 {
    let table = std::fs::read_to_string("/proc/self/net/dev").unwrap();
    let line = table.lines().find_map(|line| line.trim().strip_prefix(interface)?.strip_prefix(':')).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[ignore = "needs interfaces of its own: scripts/namespace_tests.sh makes a place for them"]
fn a_broadcast_leaves_by_every_interface_also_where_two_have_the_same_range() {
    let ip = |words: &str| {
        let status = std::process::Command::new("ip").args(words.split_whitespace()).status().unwrap();
        assert!(status.success(), "ip {words}");
    };
    for (near, far, address) in [("twin1", "out1", "10.79.1.1/24"), ("twin2", "out2", "10.79.1.3/24")] {
        ip(&format!("link add {near} type veth peer name {far}"));
        ip(&format!("address add {address} dev {near}"));
        ip(&format!("link set {near} up"));
        ip(&format!("link set {far} up"));
    }
    let probe = bound("*");
    probe.set_broadcast(true).unwrap();
    let reached = || probe.send_broadcast(b"x", nonzero(7050)).unwrap();
    let others = broadcast_addresses().len() - 1;
    // A new interface takes a moment to come up.
    eventually("both interfaces are up", || reached() == others + 2);
    assert_eq!(broadcast_addresses().iter().filter(|address| address.to_string() == "10.79.1.255").count(), 1);
    for sender in [bound("*"), bound("0.0.0.0"), Peer::new()] {
        for background in [false, true] {
            sender.set_background_receive(background).unwrap();
            sender.set_broadcast(true).unwrap();
            let before = [arrived_at("out1"), arrived_at("out2")];
            for _ in 0..100 {
                assert_eq!(sender.send_broadcast(b"x", nonzero(7050)).unwrap(), others + 2);
            }
            let after = [arrived_at("out1"), arrived_at("out2")];
            // (The kernel sends some of its own.)
            assert!((100..150).contains(&(after[0] - before[0])), "{before:?} {after:?}");
            assert!((100..150).contains(&(after[1] - before[1])), "{before:?} {after:?}");
        }
    }
    ip("link del twin1");
    ip("link del twin2");
}

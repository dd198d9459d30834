//! Host names: resolved in the call, or without blocking. All of these names are known to the machine itself; what needs a slow name
//! server is in `name_server.rs`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

#[macro_use]
mod common;

use common::{Family, bound, eventually, next, nonzero, port, resolved};
use packet_peer_udp_core::{DestinationChange, Peer, Reason, resolver_threads};

/// A name that does not exist, as every resolver knows without asking: its label is too long (RFC 1035, section 2.3.4).
fn impossible(number: usize) -> String {
    format!("{number:x>64}.example")
}

#[test]
fn connect_resolves_names_and_refuses_what_is_none() {
    let peer = Peer::new();
    for host in ["", " ", "a b", "*", "::zz"] {
        assert!(matches!(peer.connect(host, nonzero(9)).unwrap_err().reason, Reason::InvalidAddress), "{host:?}");
    }
    assert!(matches!(peer.connect("no-such-host.invalid", nonzero(9)).unwrap_err().reason, Reason::Unresolvable(_)));
    assert!(!peer.is_open());
    peer.connect("localhost", nonzero(9)).unwrap();
    assert!(peer.is_connected());
}

for_families!(a_destination_may_name_an_interface_by_its_number);
fn a_destination_may_name_an_interface_by_its_number(family: Family) {
    let pair = family.pair();
    let text = format!("{}%1", family.reach);
    for is_async in [false, true] {
        let set = |text: &str| {
            pair.sender.set_destination(family.reach, 9).unwrap();
            let to = port(&pair.receiver);
            if is_async { pair.sender.set_destination_async(text, to) } else { pair.sender.set_destination(text, to) }
        };
        if family.reach.contains(':') {
            assert_eq!(set(&text).unwrap(), DestinationChange::Set);
            pair.sender.send(b"x").unwrap();
            assert_eq!(pair.next(), b"x");
        } else {
            assert!(matches!(set(&text).unwrap_err().reason, Reason::InvalidAddress));
        }
        assert!(matches!(set(&format!("{}%lo", family.reach)).unwrap_err().reason, Reason::InvalidAddress));
    }
    // The engine connects to an address only, and binds to one only.
    let peer = Peer::new();
    assert!(matches!(peer.connect(&text, nonzero(9)).unwrap_err().reason, Reason::InvalidAddress));
    assert!(matches!(peer.connect_async(&text, nonzero(9)).unwrap_err().reason, Reason::InvalidAddress));
    assert!(matches!(peer.bind(0, &text, 0).unwrap_err().reason, Reason::InvalidAddress));
    assert!(matches!(peer.send_to(b"x", &text, 9).unwrap_err().reason, Reason::InvalidAddress));
}

for_families!(an_unresolvable_destination_changes_nothing);
fn an_unresolvable_destination_changes_nothing(family: Family) {
    let pair = family.pair();
    for host in ["", "*", "a b", "no-such-host.invalid"] {
        assert!(pair.sender.set_destination(host, 9).is_err(), "{host:?}");
    }
    pair.sender.send(b"still there").unwrap();
    assert_eq!(pair.next(), b"still there");
}

for_families!(a_numeric_address_is_used_at_once_and_reported_once);
fn a_numeric_address_is_used_at_once_and_reported_once(family: Family) {
    let receiver = bound(family.bind);
    let to = SocketAddr::new(family.reach.parse().unwrap(), port(&receiver));
    let peer = Peer::new();
    let change = peer.set_destination_async(family.reach, to.port()).unwrap();
    assert_eq!(change, DestinationChange::Set);
    assert!(!peer.is_resolving());
    peer.send(b"set").unwrap();
    assert_eq!(next(&receiver), b"set");
    let outcome = resolved(&peer);
    assert!(outcome.error.is_none());
    assert_eq!(outcome.address, Some(to));

    peer.connect_async(family.reach, nonzero(to.port())).unwrap();
    assert!(peer.is_connected());
    assert!(resolved(&peer).error.is_none());
    // The destination of a connected peer stays.
    let change = peer.set_destination_async("127.0.0.2", 9).unwrap();
    assert_eq!(change, DestinationChange::Connected);
    assert!(matches!(resolved(&peer).error.unwrap().reason, Reason::Connected));
}

#[test]
fn a_name_is_resolved_without_blocking() {
    // Of both families: which address "localhost" has depends on the machine.
    let receiver = bound("*");
    let peer = Peer::new();
    peer.connect_async("localhost", nonzero(port(&receiver))).unwrap();
    let outcome = resolved(&peer);
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert!(outcome.address.unwrap().ip().is_loopback());
    assert!(peer.is_connected());
    peer.send(b"hello").unwrap();
    assert_eq!(next(&receiver), b"hello");
    // A socket of one family takes an address of that family, if there is one.
    let v4 = bound("127.0.0.1");
    v4.set_destination_async("localhost", port(&receiver)).unwrap();
    assert!(resolved(&v4).address.unwrap().is_ipv4());
}

#[test]
fn invalid_arguments_are_refused_at_once() {
    let peer = Peer::new();
    for host in ["", "*", "a b", "fe80::1%"] {
        assert!(matches!(peer.connect_async(host, nonzero(9)).unwrap_err().reason, Reason::InvalidAddress));
        assert!(matches!(peer.set_destination_async(host, 9).unwrap_err().reason, Reason::InvalidAddress));
    }
    assert!(!peer.is_resolving());
    assert!(peer.take_resolved().is_none());
}

for_families!(a_name_that_does_not_resolve_changes_nothing);
fn a_name_that_does_not_resolve_changes_nothing(family: Family) {
    let pair = family.pair();
    let peer = &pair.sender;
    peer.set_destination_async(&impossible(1), 9).unwrap();
    let outcome = resolved(peer);
    assert!(matches!(outcome.error.unwrap().reason, Reason::Unresolvable(_)));
    assert_eq!(outcome.address, None);
    assert!(peer.last_error().message.contains(&impossible(1)));
    peer.send(b"as before").unwrap();
    assert_eq!(pair.next(), b"as before");
}

#[test]
fn a_refused_address_closes_the_peer_and_is_reported() {
    let peer = bound("127.0.0.1");
    peer.connect_async("::1", nonzero(9)).unwrap();
    let outcome = resolved(&peer);
    assert!(matches!(outcome.error.unwrap().reason, Reason::WrongFamily(_)));
    assert_eq!(outcome.address.unwrap().to_string(), "[::1]:9");
    assert!(!peer.is_open());
}

#[test]
fn each_later_call_cancels_a_look_up() {
    type Later = fn(&Peer);
    let later: [Later; 6] = [
        |peer| peer.close(),
        |peer| drop(peer.set_destination("127.0.0.1", 9)),
        |peer| drop(peer.connect("127.0.0.1", nonzero(9))),
        |peer| peer.cancel_resolving(),
        |peer| drop(peer.set_destination("", 9)),
        |peer| drop(peer.set_destination_async("", 9)),
    ];
    for (number, later) in later.into_iter().enumerate() {
        for host in ["127.0.0.1", "localhost"] {
            let peer = Peer::new();
            peer.set_destination_async(host, 9).unwrap();
            later(&peer);
            assert!(!peer.is_resolving());
            // The resolver's answer is not reported.
            eventually("the resolver has answered", || resolver_threads() == 0);
            assert!(peer.take_resolved().is_none(), "{number} {host}");
        }
    }
}

#[test]
fn peers_may_be_dropped_while_their_names_are_looked_up() {
    for round in 0..100 {
        let peer = Peer::new();
        peer.set_destination_async(&impossible(round), 9).unwrap();
        peer.connect_async("localhost", nonzero(9)).unwrap();
    }
    eventually("the resolver has answered", || resolver_threads() == 0);
}

//! Socket options, broadcasts and scopes, over real sockets on loopback. What needs a network of two hosts is tested in the
//! engine: `scripts/network_tests.sh`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroU8;
use std::sync::Arc;

mod common;

use common::{bound, flavours, next, nonzero, pair, port};
use packet_peer_udp_core::{Peer, Reason, SocketOption, broadcast_addresses};

/// A closed peer, and one that is open in each way that this machine knows.
fn peers() -> Vec<Arc<Peer>> {
    let mut peers: Vec<_> = flavours().iter().map(|flavour| bound(flavour.bind)).collect();
    peers.push(Peer::new());
    peers
}

#[test]
fn every_number_of_the_range_is_set_and_kept_across_close() {
    for peer in peers() {
        for value in [0, 7, 255] {
            peer.set_option(SocketOption::TimeToLive(NonZeroU8::new(value))).unwrap();
            peer.set_option(SocketOption::MulticastTimeToLive(value)).unwrap();
            // Windows refuses it on a socket that has IPv6 only.
            let class = peer.set_option(SocketOption::TrafficClass(value));
            assert!(class.is_ok() || cfg!(windows), "{class:?}");
            peer.close();
            let hops = peer.option(|options| (options.time_to_live, options.multicast_time_to_live));
            assert_eq!(hops, (NonZeroU8::new(value), value));
            assert!(cfg!(windows) || peer.option(|options| options.traffic_class) == value);
        }
    }
}

#[test]
fn an_interface_that_is_not_there_changes_nothing() {
    for peer in peers() {
        let error = peer.set_option(SocketOption::MulticastInterface("no-such-interface".to_owned())).unwrap_err();
        assert!(matches!(error.reason, Reason::UnknownInterface(_)), "{error}");
        assert!(peer.option(|options| options.multicast_interface.is_empty()));
        // That the system picks one is what it does anyway.
        peer.set_option(SocketOption::MulticastInterface(String::new())).unwrap();
    }
}

#[test]
fn two_peers_share_a_port_only_if_both_want_it() {
    for flavour in flavours() {
        let shared = |reuse: bool| {
            let peer = Peer::new();
            peer.set_option(SocketOption::ReuseAddress(reuse)).unwrap();
            peer
        };
        let first = shared(true);
        first.bind(0, flavour.bind, 65_536).unwrap();
        let second = shared(true);
        second.bind(port(&first), flavour.bind, 65_536).unwrap();
        assert_eq!(port(&first), port(&second));
        let third = shared(false);
        assert!(third.bind(port(&first), flavour.bind, 65_536).is_err());

        // It is remembered, and a port that nobody shares stays whole.
        second.close();
        let alone = bound(flavour.bind);
        assert!(second.bind(port(&alone), flavour.bind, 65_536).is_err());
        second.bind(port(&first), flavour.bind, 65_536).unwrap();
    }
}

#[test]
fn a_shared_port_is_shared_by_those_who_say_so() {
    let peers: Vec<_> = (0..3).map(|_| Peer::new()).collect();
    if cfg!(windows) {
        let error = peers[0].set_option(SocketOption::ReusePort(true)).unwrap_err();
        assert!(!peers[0].option(|options| options.reuse_port), "{error}");
        return;
    }
    for peer in &peers[..2] {
        peer.set_option(SocketOption::ReusePort(true)).unwrap();
    }
    peers[0].bind(0, "127.0.0.1", 65_536).unwrap();
    peers[1].bind(port(&peers[0]), "127.0.0.1", 65_536).unwrap();
    assert!(peers[2].bind(port(&peers[0]), "127.0.0.1", 65_536).is_err());
}

#[test]
fn options_disturb_no_packet() {
    for flavour in flavours() {
        let (sender, receiver) = pair(flavour);
        for option in [
            SocketOption::TimeToLive(NonZeroU8::new(1)),
            SocketOption::TimeToLive(NonZeroU8::new(255)),
            SocketOption::TimeToLive(None),
            SocketOption::MulticastTimeToLive(0),
            SocketOption::MulticastTimeToLive(255),
            SocketOption::MulticastLoopback(false),
            SocketOption::MulticastLoopback(true),
        ] {
            sender.set_option(option.clone()).unwrap();
            sender.send(option.to_string().as_bytes()).unwrap();
            assert_eq!(next(&receiver), option.to_string().as_bytes());
            // Applied anew at every open.
            sender.close();
            sender.send(b"again").unwrap();
            assert_eq!(next(&receiver), b"again");
        }
        assert!(sender.take_refusals().is_empty());
    }
}

#[test]
fn broadcasting_says_what_it_needs() {
    let peer = bound("127.0.0.1");
    assert!(matches!(peer.send_broadcast(b"x", nonzero(9)).unwrap_err().reason, Reason::NoBroadcast));
    peer.set_broadcast(true).unwrap();
    peer.connect("127.0.0.1", nonzero(9)).unwrap();
    assert!(matches!(peer.send_broadcast(b"x", nonzero(9)).unwrap_err().reason, Reason::Connected));
    assert_eq!(peer.stats().packets_sent, 0);
    if flavours().len() > 2 {
        let peer = bound("::1");
        peer.set_broadcast(true).unwrap();
        assert!(matches!(peer.send_broadcast(b"x", nonzero(9)).unwrap_err().reason, Reason::WrongFamily(None)));
    }
    // It opens a closed peer, and sends as many as there are networks, or says why not.
    let peer = Peer::new();
    peer.set_broadcast(true).unwrap();
    let sent = peer.send_broadcast(b"x", nonzero(9)).unwrap();
    assert!(peer.is_open());
    assert_eq!(peer.stats().packets_sent, sent as u64);
    assert!(sent == broadcast_addresses().len() || !peer.last_error().message.is_empty());
    assert!(sent > 0 || peer.last_error().message.contains("broadcast"));
}

#[test]
fn a_scope_that_is_no_interface_is_refused() {
    let peer = Peer::new();
    let unknown = "fe80::1%no-such-interface";
    assert!(matches!(peer.send_to(b"x", unknown, 9).unwrap_err().reason, Reason::UnknownInterface(_)));
    assert!(matches!(peer.connect(unknown, nonzero(9)).unwrap_err().reason, Reason::UnknownInterface(_)));
    assert!(matches!(peer.set_destination(unknown, 9).unwrap_err().reason, Reason::UnknownInterface(_)));
    assert!(matches!(peer.bind(0, unknown, 0).unwrap_err().reason, Reason::UnknownInterface(_)));
    assert!(!peer.is_open());
}

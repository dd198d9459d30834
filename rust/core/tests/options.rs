//! Socket options: set on open and closed peers, kept across close, applied at every open. What needs a network of two hosts is
//! tested in the engine: `scripts/network_tests.sh`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroU8;

#[macro_use]
mod common;

use common::{Family, Setup, bound, nonzero};
use packet_peer_udp_core::{Peer, Reason, SocketOption};

for_families!(every_number_of_the_range_is_set_and_kept_across_close);
fn every_number_of_the_range_is_set_and_kept_across_close(family: Family) {
    for peer in [bound(family.bind), Peer::new()] {
        for value in [0, 7, 255] {
            peer.set_option(SocketOption::TimeToLive(NonZeroU8::new(value))).unwrap();
            peer.set_option(SocketOption::MulticastTimeToLive(value)).unwrap();
            // Windows refuses any but 0 on a socket that has IPv6 only.
            let class = peer.set_option(SocketOption::TrafficClass(value));
            assert!(class.is_ok() || (cfg!(windows) && value != 0), "{value}: {class:?}");
            peer.close();
            let hops = peer.option(|options| (options.time_to_live, options.multicast_time_to_live));
            assert_eq!(hops, (NonZeroU8::new(value), value));
            assert!(cfg!(windows) || peer.option(|options| options.traffic_class) == value);
            peer.bind(0, family.bind, 0).unwrap();
            assert!(cfg!(windows) || peer.take_refusals().is_empty());
        }
    }
}

for_families!(an_unknown_interface_changes_nothing);
fn an_unknown_interface_changes_nothing(family: Family) {
    for peer in [bound(family.bind), Peer::new()] {
        let error = peer.set_option(SocketOption::MulticastInterface("no-such-interface".to_owned())).unwrap_err();
        assert!(matches!(error.reason, Reason::UnknownInterface(_)), "{error}");
        assert!(peer.option(|options| options.multicast_interface.is_empty()));
        // The system's choice, which is the default.
        peer.set_option(SocketOption::MulticastInterface(String::new())).unwrap();
    }
}

for_own_sockets!(options_do_not_disturb_packets);
fn options_do_not_disturb_packets(setup: Setup) {
    let pair = setup.pair();
    for option in [
        SocketOption::TimeToLive(NonZeroU8::new(1)),
        SocketOption::TimeToLive(NonZeroU8::new(255)),
        SocketOption::TimeToLive(None),
        SocketOption::MulticastTimeToLive(0),
        SocketOption::MulticastTimeToLive(255),
        SocketOption::MulticastLoopback(false),
        SocketOption::MulticastLoopback(true),
    ] {
        pair.sender.set_option(option.clone()).unwrap();
        pair.sender.send(option.to_string().as_bytes()).unwrap();
        assert_eq!(pair.next(), option.to_string().as_bytes());
        // Every open applies the options again.
        pair.sender.close();
        pair.sender.send(b"again").unwrap();
        assert_eq!(pair.next(), b"again");
    }
    assert!(pair.sender.take_refusals().is_empty());
}

for_families!(buffer_sizes_are_requested_at_every_open_and_read_back);
fn buffer_sizes_are_requested_at_every_open_and_read_back(family: Family) {
    type Set = fn(&Peer, usize) -> packet_peer_udp_core::Result<()>;
    type Get = fn(&Peer) -> usize;
    let kinds: [(Set, Get); 2] = [
        (Peer::set_receive_buffer_size, Peer::receive_buffer_size),
        (Peer::set_send_buffer_size, Peer::send_buffer_size),
    ];
    for (set, get) in kinds {
        let peer = Peer::new();
        assert_eq!(get(&peer), 0);
        peer.bind(0, family.bind, 0).unwrap();
        let default = get(&peer);
        assert!(default > 0);
        set(&peer, 20_000).unwrap();
        let granted = get(&peer);
        assert!((20_000..=40_000).contains(&granted) && granted != default, "{granted}");
        peer.close();
        assert_eq!(get(&peer), 20_000, "the size is kept");
        peer.bind(0, family.bind, 1 << 20).unwrap();
        assert_eq!(get(&peer), granted, "the size comes before what bind asks for");
        set(&peer, 0).unwrap();
        assert!(get(&peer) >= default);
        peer.close();
        assert_eq!(get(&peer), 0);
    }
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

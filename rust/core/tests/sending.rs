//! Sending: one datagram or many, to the destination or elsewhere, and what is refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Instant;

#[macro_use]
mod common;

use common::{Family, Kind, LONG, Setup, bound, next, nonzero, port, size};
use packet_peer_udp_core::{Peer, Reason};

/// A datagram that IPv4 does not carry, and IPv6 neither.
const TOO_LARGE: usize = 65_508 + 20;

/// Checks that `receiver` gets what `sender` sends, with one call or many, up to a datagram that is refused.
fn check_sending(sender: &Peer, receiver: &Peer) {
    let large = vec![0; TOO_LARGE];
    let error = sender.send(&large).unwrap_err();
    assert!(matches!(error.reason, Reason::Os(_)), "{error}");
    assert_eq!(sender.send_many(&[b"a", b"b", &large, b"c"]).unwrap(), 2);
    assert_ne!(sender.last_error().code, 0);
    assert_eq!((next(receiver), next(receiver)), (b"a".to_vec(), b"b".to_vec()));
    assert_eq!(sender.send_many(&[]).unwrap(), 0);
    assert_eq!(sender.send_segmented(&[], size(5)).unwrap(), 0);
    assert_eq!(sender.send_many(&[b"", b"x", b""]).unwrap(), 3);
    assert_eq!((next(receiver), next(receiver), next(receiver)), (vec![], b"x".to_vec(), vec![]));
    assert_eq!(sender.send_segmented(b"aabbc", size(2)).unwrap(), 3);
    assert_eq!((next(receiver), next(receiver), next(receiver)), (b"aa".to_vec(), b"bb".to_vec(), b"c".to_vec()));
}

for_every_peer!(sending_stops_at_what_the_system_refuses);
fn sending_stops_at_what_the_system_refuses(setup: Setup) {
    let pair = setup.pair();
    check_sending(&pair.sender, &pair.receiver);
    // Now in the other direction: by the socket of the receiver, or of its server.
    pair.connect_back();
    check_sending(&pair.receiver, &pair.sender);
    if setup.kind == Kind::Own {
        pair.sender.connect(setup.family.reach, nonzero(port(&pair.receiver))).unwrap();
        check_sending(&pair.sender, &pair.receiver);
    }
}

#[test]
fn many_datagrams_need_a_destination() {
    let error = Peer::new().send_many(&[b"x"]).unwrap_err();
    assert!(matches!(error.reason, Reason::NoDestination), "{error}");
}

for_families!(ipv4_carries_65507_bytes_and_ipv6_20_more);
fn ipv4_carries_65507_bytes_and_ipv6_20_more(family: Family) {
    let pair = family.pair();
    let most = if family.reach == Family::IPV4.reach { 65_507 } else { 65_527 };
    pair.sender.send(&vec![7; most]).unwrap();
    assert_eq!(pair.next(), vec![7; most]);
    assert!(pair.sender.send(&vec![7; most + 1]).is_err());
}

for_every_peer!(a_datagram_that_is_too_large_costs_one_system_call);
fn a_datagram_that_is_too_large_costs_one_system_call(setup: Setup) {
    let pair = setup.pair();
    pair.connect_back();
    let connected = Peer::new();
    connected.connect(setup.family.reach, nonzero(port(&pair.receiver))).unwrap();
    let large = vec![0; TOO_LARGE];
    for peer in [&pair.sender, &pair.receiver, &connected] {
        peer.reset_stats();
        peer.send(&large).unwrap_err();
        assert_eq!(peer.stats().send_syscalls, 1);
        assert_eq!(peer.send_many(&[&large]).unwrap(), 0);
        assert_eq!(peer.stats().send_syscalls, 2);
        assert_eq!((peer.stats().send_errors, peer.stats().receive_errors), (2, 0));
    }
}

for_own_sockets!(sending_elsewhere_leaves_the_destination_unchanged);
fn sending_elsewhere_leaves_the_destination_unchanged(setup: Setup) {
    let reach = setup.family.reach;
    let pair = setup.pair();
    let other = bound(setup.family.bind);
    pair.sender.send_to(b"other", reach, port(&other)).unwrap();
    pair.sender.send_to(b"", reach, port(&other)).unwrap();
    pair.sender.send(b"usual").unwrap();
    assert_eq!((next(&other), next(&other), pair.next()), (b"other".to_vec(), vec![], b"usual".to_vec()));
    for ip in ["localhost", "", "1.2.3"] {
        let error = pair.sender.send_to(b"x", ip, 1).unwrap_err();
        assert!(matches!(error.reason, Reason::InvalidAddress), "{error}");
    }
    pair.sender.connect(reach, nonzero(port(&pair.receiver))).unwrap();
    let error = pair.sender.send_to(b"x", reach, port(&other)).unwrap_err();
    assert!(matches!(error.reason, Reason::Connected), "{error}");
}

for_every_peer!(the_receiver_answers_by_its_socket);
fn the_receiver_answers_by_its_socket(setup: Setup) {
    let pair = setup.pair();
    pair.sender.send(b"question").unwrap();
    assert_eq!(pair.next(), b"question");
    pair.connect_back();
    pair.receiver.send(b"answer").unwrap();
    assert_eq!(next(&pair.sender), b"answer");
    assert_eq!(pair.sender.last_taken().unwrap().sender().port(), port(&pair.receiver));
}

#[test]
#[ignore = "needs an address whose packets stay in the kernel: scripts/namespace_tests.sh makes one"]
fn a_full_send_buffer_is_busy_and_does_not_block() {
    let unanswered = std::env::var("UNANSWERED_ADDRESS").unwrap();
    let peer: Arc<Peer> = Peer::new();
    peer.set_destination(&unanswered, 9).unwrap();
    let start = Instant::now();
    let error = (0..10_000).find_map(|_| peer.send(&[0; 1_200]).err()).unwrap();
    assert!(matches!(error.reason, Reason::Busy(_)), "{error}");
    assert_ne!(error.os_code(), 0);
    assert!(start.elapsed() < LONG, "sending blocked");
    assert!(peer.last_error().message.contains("full"));
}

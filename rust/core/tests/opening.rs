//! What opens a peer, on which address and port, and what a closed one keeps. Binding a freed port again is in `freed_ports.rs`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

#[macro_use]
mod common;

use common::{Family, Setup, bound, eventually, has_ipv6, next, nonzero, port, sender_to};
use packet_peer_udp_core::{Operation, Peer, Reason, SocketOption};

#[test]
fn a_new_peer_is_closed_and_has_nothing() {
    let peer = Peer::new();
    assert!(!peer.is_open() && !peer.is_connected());
    assert_eq!(peer.available(), None);
    assert_eq!(peer.local_addr(), None);
    assert!(peer.last_taken().is_none());
    assert_eq!(peer.last_error().code, 0);
    assert_eq!(peer.last_error().message, "");
    assert!(matches!(peer.poll().unwrap_err().reason, Reason::NotOpen));
    assert!(matches!(peer.take().unwrap_err().reason, Reason::NotOpen));
    assert!(matches!(peer.wait(None).unwrap_err().reason, Reason::NotOpen));
    assert!(matches!(peer.send(b"x").unwrap_err().reason, Reason::NoDestination));
    assert!(matches!(peer.leave_group("224.0.0.251", "").unwrap_err().reason, Reason::NotOpen));
    peer.close();
    peer.interrupt_wait();
}

#[test]
fn a_refused_bind_leaves_the_peer_closed() {
    let peer = Peer::new();
    for address in ["", "localhost", "1.2.3", "256.0.0.1", "nonsense"] {
        assert!(matches!(peer.bind(0, address, 0).unwrap_err().reason, Reason::InvalidAddress), "{address:?}");
    }
    // TEST-NET-1 (RFC 5737): no machine has this address.
    assert!(matches!(peer.bind(0, "192.0.2.1", 0).unwrap_err().reason, Reason::Os(_)));
    assert!(!peer.is_open());
    assert_ne!(peer.last_error().code, 0);
    assert!(peer.last_error().message.contains("192.0.2.1"));
}

for_own_sockets!(a_port_belongs_to_one_peer_at_a_time);
fn a_port_belongs_to_one_peer_at_a_time(setup: Setup) {
    let Setup { family, .. } = setup;
    let first = setup.receiver(0);
    let second = Peer::new();
    for address in [family.bind, family.reach, "*"] {
        let error = second.bind(port(&first), address, 0).unwrap_err();
        assert!(matches!((error.operation, &error.reason), (Operation::Bind, Reason::Os(_))), "{address}: {error}");
    }
    assert!(matches!(first.bind(0, family.bind, 0).unwrap_err().reason, Reason::AlreadyOpen));
    assert!(first.is_open() && !second.is_open());
}

for_families!(two_peers_share_a_port_only_if_both_allow_it);
fn two_peers_share_a_port_only_if_both_allow_it(family: Family) {
    let sharing = |reuse: bool| {
        let peer = Peer::new();
        peer.set_option(SocketOption::ReuseAddress(reuse)).unwrap();
        peer
    };
    let first = sharing(true);
    first.bind(0, family.bind, 65_536).unwrap();
    let second = sharing(true);
    second.bind(port(&first), family.bind, 65_536).unwrap();
    assert_eq!(port(&first), port(&second));
    let third = sharing(false);
    assert!(third.bind(port(&first), family.bind, 65_536).is_err());

    // The option is kept, and a port whose peer does not allow it is not shared.
    second.close();
    let alone = bound(family.bind);
    assert!(second.bind(port(&alone), family.bind, 65_536).is_err());
    second.bind(port(&first), family.bind, 65_536).unwrap();
}

for_families!(a_reused_port_is_shared_by_peers_that_allow_it);
fn a_reused_port_is_shared_by_peers_that_allow_it(family: Family) {
    let peers: Vec<_> = (0..3).map(|_| Peer::new()).collect();
    if cfg!(windows) {
        let error = peers[0].set_option(SocketOption::ReusePort(true)).unwrap_err();
        assert!(!peers[0].option(|options| options.reuse_port), "{error}");
        return;
    }
    for peer in &peers[..2] {
        peer.set_option(SocketOption::ReusePort(true)).unwrap();
    }
    peers[0].bind(0, family.bind, 65_536).unwrap();
    peers[1].bind(port(&peers[0]), family.bind, 65_536).unwrap();
    assert!(peers[2].bind(port(&peers[0]), family.bind, 65_536).is_err());
}

for_families!(each_call_that_opens_a_peer_opens_it_once);
fn each_call_that_opens_a_peer_opens_it_once(family: Family) {
    type Open = fn(&Peer, Family, u16);
    let opens: [Open; 4] = [
        |peer, family, to| {
            peer.set_destination(family.reach, to).unwrap();
            peer.send(b"x").unwrap();
        },
        |peer, family, to| {
            peer.set_destination(family.reach, to).unwrap();
            assert_eq!(peer.send_many(&[b"x"]).unwrap(), 1);
        },
        |peer, family, to| peer.send_to(b"x", family.reach, to).unwrap(),
        |peer, family, to| {
            peer.connect(family.reach, nonzero(to)).unwrap();
            peer.send(b"x").unwrap();
        },
    ];
    let target = bound(family.bind);
    for open in opens {
        let peer = Peer::new();
        open(&peer, family, port(&target));
        assert!(peer.is_open());
        assert_ne!(port(&peer), 0);
        assert_eq!(next(&target), b"x");
        assert_eq!(target.last_taken().unwrap().sender().port(), port(&peer));
        assert!(matches!(peer.bind(0, "*", 0).unwrap_err().reason, Reason::AlreadyOpen));
    }
}

#[test]
fn a_socket_of_one_family_does_not_reach_the_other() {
    if !has_ipv6() {
        return;
    }
    for (bind, other) in [("0.0.0.0", "::1"), ("127.0.0.1", "::1"), ("::", "127.0.0.1"), ("::1", "127.0.0.1")] {
        let peer = bound(bind);
        peer.set_destination(other, 9).unwrap();
        let error = peer.send(b"x").unwrap_err();
        assert!(matches!(error.reason, Reason::WrongFamily(Some(_))), "{bind}: {error}");
        assert!(peer.connect(other, nonzero(9)).is_err());
        assert!(!peer.is_open(), "as in the engine, a refused connect closes");
    }
}

for_own_sockets!(a_closed_peer_keeps_its_destination_and_last_sender_and_nothing_else);
fn a_closed_peer_keeps_its_destination_and_last_sender_and_nothing_else(setup: Setup) {
    let Setup { family, .. } = setup;
    let pair = setup.pair();
    let (sender, receiver): (&Arc<Peer>, &Arc<Peer>) = (&pair.sender, &pair.receiver);
    sender.send(b"first").unwrap();
    pair.next();
    sender.send(b"second").unwrap();
    eventually("the packet is queued", || receiver.available() == Some(1));
    let from = receiver.last_taken().map(|meta| meta.sender());
    assert!(from.is_some());
    receiver.close();
    assert_eq!(receiver.last_taken().map(|meta| meta.sender()), from);
    receiver.bind(0, family.bind, 0).unwrap();
    assert_eq!(receiver.available(), Some(0), "nothing is left of what was queued");

    sender.close();
    sender.set_destination(family.reach, port(receiver)).unwrap();
    sender.close();
    sender.send(b"third").unwrap();
    assert_eq!(next(receiver), b"third");
    sender_to(receiver, family.reach).send(b"fourth").unwrap();
    assert_eq!(next(receiver), b"fourth");
}

/// Where a socket shares its port, Linux may choose one that others share. Other systems take the option before binding only.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_peer_that_opens_by_sending_has_a_port_of_its_own() {
    let receiver = bound("127.0.0.1");
    let open = || {
        let peer = Peer::new();
        peer.set_option(SocketOption::ReuseAddress(true)).unwrap();
        peer.set_destination("127.0.0.1", port(&receiver)).unwrap();
        peer.send(b"x").unwrap();
        peer
    };
    // Enough for two of them to meet, among the 28,000 ports that Linux chooses from.
    let peers: Vec<_> = (0..600).map(|_| open()).collect();
    let mut ports: Vec<_> = peers.iter().map(|peer| port(peer)).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), peers.len());
}

//! Connected peers: they receive from one address only, and do without reports about earlier datagrams.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

#[macro_use]
mod common;

use common::{Family, LONG, Setup, bound, eventually, next, nonzero, port, sender_to, take, waiting};
use packet_peer_udp_core::{DestinationChange, Peer, SocketOption, WaitEnd};

fn sharing() -> Arc<Peer> {
    let peer = Peer::new();
    peer.set_option(SocketOption::ReuseAddress(true)).unwrap();
    peer
}

/// A peer that holds a port at which datagrams are refused, because it is connected elsewhere. No other socket is given that port
/// meanwhile, except one that shares it.
fn refusing(family: Family) -> Arc<Peer> {
    let peer = sharing();
    peer.bind(0, family.reach, 0).unwrap();
    peer.connect(family.reach, nonzero(9)).unwrap();
    peer
}

/// Listens at the port of a refusing peer.
fn listening_instead(refusing: &Peer, family: Family) -> Arc<Peer> {
    let at = port(refusing);
    // Elsewhere, which of two sockets gets a datagram is up to the system.
    if !cfg!(target_os = "linux") {
        refusing.close();
    }
    let peer = sharing();
    peer.bind(at, family.bind, 0).unwrap();
    peer
}

for_own_sockets!(a_connected_peer_receives_only_from_its_remote_address);
fn a_connected_peer_receives_only_from_its_remote_address(setup: Setup) {
    let Setup { family, .. } = setup;
    let remote = bound(family.reach);
    let other = bound(family.reach);
    let peer = setup.receiver(0);
    for sender in [&remote, &other] {
        sender.set_destination(family.reach, port(&peer)).unwrap();
    }
    remote.send(b"queued").unwrap();
    eventually("the packet is queued", || peer.available() == Some(1));
    other.send(b"still in the kernel").unwrap();
    peer.connect(family.reach, nonzero(port(&remote))).unwrap();
    assert!(peer.is_connected());
    other.send(b"too late").unwrap();
    remote.send(b"wanted").unwrap();
    assert_eq!(next(&peer), b"wanted");
    assert_eq!(peer.available(), Some(0));
    peer.send(b"answer").unwrap();
    assert_eq!(next(&remote), b"answer");
    assert_eq!(peer.set_destination(family.reach, 9).unwrap(), DestinationChange::Connected);
}

for_own_sockets!(packets_from_before_the_connection_do_not_hide_later_ones);
fn packets_from_before_the_connection_do_not_hide_later_ones(setup: Setup) {
    let Setup { family, .. } = setup;
    let (receiver, remote) = (setup.receiver(0), bound(family.reach));
    let other = sender_to(&receiver, family.reach);
    for _ in 0..40 {
        other.send(b"from another sender").unwrap();
    }
    let to = port(&receiver);
    receiver.connect(family.reach, nonzero(port(&remote))).unwrap();
    remote.set_destination(family.reach, to).unwrap();
    remote.send(b"wanted").unwrap();
    eventually("the packet arrives", || receiver.wait(Some(Duration::ZERO)).unwrap() == WaitEnd::Ready);
    assert_eq!(take(&receiver).unwrap(), b"wanted");
}

for_own_sockets!(refused_datagrams_disturb_neither_sending_nor_waiting);
fn refused_datagrams_disturb_neither_sending_nor_waiting(setup: Setup) {
    let Setup { family, .. } = setup;
    let refusing = refusing(family);
    let peer = setup.receiver(0);
    peer.connect(family.reach, nonzero(port(&refusing))).unwrap();
    for _ in 0..10 {
        peer.send(b"refused").unwrap();
    }
    assert_eq!(peer.wait(Some(Duration::from_millis(20))).unwrap(), WaitEnd::TimedOut);
    assert_eq!(peer.available(), Some(0));
    if cfg!(target_os = "linux") {
        eventually("the refusals are counted", || peer.poll().is_ok() && peer.stats().receive_errors > 0);
        assert!(peer.last_error().message.contains("refused"), "{:?}", peer.last_error());
    }
    // From now on the port accepts datagrams.
    let listener = listening_instead(&refusing, family);
    peer.send(b"accepted").unwrap();
    assert_eq!(next(&listener), b"accepted");
    assert_eq!(peer.stats().send_errors, 0);
}

for_own_sockets!(a_peer_that_was_refused_hears_what_comes_later);
fn a_peer_that_was_refused_hears_what_comes_later(setup: Setup) {
    let Setup { family, .. } = setup;
    let refusing = refusing(family);
    let peer = setup.receiver(0);
    peer.connect(family.reach, nonzero(port(&refusing))).unwrap();
    for _ in 0..3 {
        peer.send(b"refused").unwrap();
        assert_eq!(peer.wait(Some(Duration::from_millis(10))).unwrap(), WaitEnd::TimedOut);
    }
    let listener = listening_instead(&refusing, family);
    listener.set_destination(family.reach, port(&peer)).unwrap();
    let start = Instant::now();
    for _ in 0..3 {
        let wait = waiting(&peer);
        thread::sleep(Duration::from_millis(20));
        listener.send(b"for the wait").unwrap();
        assert_eq!(wait.end(), WaitEnd::Ready);
        assert_eq!(take(&peer).unwrap(), b"for the wait");
        listener.send(b"without a wait").unwrap();
        eventually("the packet arrives", || peer.available() == Some(1));
        assert_eq!(take(&peer).unwrap(), b"without a wait");
    }
    assert!(start.elapsed() < LONG / 3, "it hears late: {:?}", start.elapsed());
}

for_own_sockets!(many_datagrams_reach_a_peer_that_refused_earlier_ones);
fn many_datagrams_reach_a_peer_that_refused_earlier_ones(setup: Setup) {
    let Setup { family, .. } = setup;
    let refusing = refusing(family);
    let sender = setup.receiver(0);
    sender.connect(family.reach, nonzero(port(&refusing))).unwrap();
    for _ in 0..3 {
        // Each is refused; the reports come with later calls.
        assert_eq!(sender.send_many(&[b"x"]).unwrap(), 1);
    }
    let listener = listening_instead(&refusing, family);
    assert_eq!(sender.send_many(&[b"1", b"2", b"3"]).unwrap(), 3);
    assert_eq!((next(&listener), next(&listener), next(&listener)), (b"1".to_vec(), b"2".to_vec(), b"3".to_vec()));
    assert_eq!(sender.stats().send_errors, 0);
}

for_families!(a_closed_peer_connects_too);
fn a_closed_peer_connects_too(family: Family) {
    let remote = bound(family.bind);
    let peer = Peer::new();
    peer.connect(family.reach, nonzero(port(&remote))).unwrap();
    assert!(peer.is_open() && peer.is_connected());
    peer.send(b"x").unwrap();
    assert_eq!(next(&remote), b"x");
    assert_eq!(port(&peer), remote.last_taken().unwrap().sender().port());
}

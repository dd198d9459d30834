//! Which peers have a signal to emit: those that received in the background. The list is one per process, so the tests take turns,
//! and no other test is in this binary.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[macro_use]
mod common;

use common::{Kind, Setup, eventually, sender_to, take};
use packet_peer_udp_core::take_pending_signals;
use parking_lot::Mutex;

static TURNS: Mutex<()> = Mutex::new(());

const TOKEN: u64 = 77;

/// Returns when the peer with the token is marked, and no other.
fn await_signal() {
    eventually("the peer is marked", || {
        let marked = take_pending_signals();
        assert!(marked.is_empty() || marked == [TOKEN], "{marked:?}");
        !marked.is_empty()
    });
}

for_background_peers!(a_signal_is_reported_once_and_only_for_queued_packets);
fn a_signal_is_reported_once_and_only_for_queued_packets(setup: Setup) {
    let _turn = TURNS.lock();
    let pair = setup.pair();
    let peer = &pair.receiver;
    let _ = take_pending_signals();
    peer.enable_signals(TOKEN);
    pair.sender.send(b"1").unwrap();
    pair.sender.send(b"2").unwrap();
    pair.await_available(2);
    await_signal();
    assert_eq!(peer.take_pending_signal(), Some(2));
    assert_eq!(peer.take_pending_signal(), None);
    assert_eq!(take_pending_signals(), []);
    pair.sender.send(b"3").unwrap();
    pair.await_available(3);
    await_signal();
    while take(peer).is_some() {}
    assert_eq!(peer.take_pending_signal(), None, "the packets have been taken");
}

for_polled_peers!(what_is_queued_before_background_mode_is_signalled_once);
fn what_is_queued_before_background_mode_is_signalled_once(setup: Setup) {
    let _turn = TURNS.lock();
    let pair = setup.pair();
    let peer = &pair.receiver;
    let _ = take_pending_signals();
    peer.enable_signals(TOKEN);
    pair.sender.send(b"x").unwrap();
    pair.await_available(1);
    assert_eq!(take_pending_signals(), [], "polled peers have no signals");
    pair.set_background(true);
    assert_eq!(take_pending_signals(), [TOKEN]);
    assert_eq!(peer.take_pending_signal(), Some(1));
    pair.sender.send(b"y").unwrap();
    pair.await_available(2);
    await_signal();
    assert_eq!(peer.take_pending_signal(), Some(2));
    assert_eq!(peer.take_pending_signal(), None);
}

for_setups!(a_peer_that_is_reopened_is_marked_once: own_background = Background Own);
fn a_peer_that_is_reopened_is_marked_once(setup: Setup) {
    let _turn = TURNS.lock();
    let pair = setup.pair();
    let peer = &pair.receiver;
    let _ = take_pending_signals();
    peer.enable_signals(TOKEN);
    pair.sender.send(b"y").unwrap();
    pair.await_available(1);
    for _ in 0..3 {
        peer.close();
        peer.bind(0, setup.family.bind, 0).unwrap();
        sender_to(peer, setup.family.reach).send(b"z").unwrap();
        pair.await_available(1);
    }
    await_signal();
    assert_eq!(take_pending_signals(), []);
}

for_background_peers!(packets_from_before_signals_were_enabled_are_marked_on_request);
fn packets_from_before_signals_were_enabled_are_marked_on_request(setup: Setup) {
    let _turn = TURNS.lock();
    let pair = setup.pair();
    let _ = take_pending_signals();
    pair.receiver.mark_queued();
    pair.sender.send(b"x").unwrap();
    pair.await_available(1);
    assert_eq!(take_pending_signals(), []);
    pair.receiver.enable_signals(TOKEN);
    // The first token stays.
    pair.receiver.enable_signals(TOKEN + 1);
    pair.receiver.mark_queued();
    assert_eq!(take_pending_signals(), [TOKEN]);
    assert_eq!(pair.receiver.take_pending_signal(), Some(1));
    if setup.kind == Kind::Accepted {
        pair.receiver.close();
        assert_eq!(pair.receiver.take_pending_signal(), None);
    }
}

//! The background thread comes with the first peer that needs it and goes with the last. There is one per process, so the tests take
//! turns, and no other test is in this binary.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::thread;

#[macro_use]
mod common;

use common::{Kind, LONG, Setup, eventually, join};
use packet_peer_udp_core::{Peer, WaitEnd, background_threads};
use parking_lot::Mutex;

static TURNS: Mutex<()> = Mutex::new(());

/// When the thread itself drops the last reference to a peer, it ends a moment later.
fn await_no_thread() {
    eventually("the thread ends", || background_threads() == 0);
}

for_setups!(the_thread_comes_with_the_first_peer_and_goes_with_the_last: own_background = Background Own);
fn the_thread_comes_with_the_first_peer_and_goes_with_the_last(setup: Setup) {
    let _turn = TURNS.lock();
    await_no_thread();
    let peers: Vec<_> = (0..50).map(|_| setup.receiver(0)).collect();
    assert_eq!(background_threads(), 1);
    let closed = Peer::new();
    closed.set_background_receive(true).unwrap();
    for (index, peer) in peers.iter().enumerate() {
        assert_eq!(background_threads(), 1);
        // Each way of leaving.
        if index % 2 == 0 { peer.close() } else { peer.set_background_receive(false).unwrap() }
    }
    await_no_thread();
    closed.bind(0, setup.family.bind, 0).unwrap();
    assert_eq!(background_threads(), 1, "the option is applied when the peer is opened");
    drop(closed);
    await_no_thread();
    assert!(peers[0].background_receive(), "the option is kept");
}

for_setups!(a_server_needs_the_thread_only_in_background_mode: accepted_polled = Polled Accepted);
fn a_server_needs_the_thread_only_in_background_mode(setup: Setup) {
    let _turn = TURNS.lock();
    await_no_thread();
    let server = setup.server();
    server.set_peer_timeout_msec(60_000);
    let (_client, peer) = join(&server, setup.family);
    assert_eq!(background_threads(), 0);
    server.set_background_receive(true).unwrap();
    assert_eq!(background_threads(), 1);
    server.set_background_receive(false).unwrap();
    await_no_thread();
    server.set_background_receive(true).unwrap();
    assert_eq!(background_threads(), 1);
    server.stop();
    await_no_thread();
    assert!(!peer.is_open());
}

for_background_peers!(many_peers_come_and_go_under_traffic);
fn many_peers_come_and_go_under_traffic(setup: Setup) {
    let _turn = TURNS.lock();
    let rounds = if setup.kind == Kind::Own { 40 } else { 20 };
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..rounds {
                    let pair = setup.pair_with_buffer(1 << 20);
                    for _ in 0..20 {
                        pair.sender.send(b"x").unwrap();
                    }
                    assert_eq!(pair.receiver.wait(Some(LONG)).unwrap(), WaitEnd::Ready);
                }
            });
        }
    });
    await_no_thread();
}

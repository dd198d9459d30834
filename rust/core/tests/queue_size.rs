//! How many bytes a queue may hold, set at any time, and the notice that it has dropped packets.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Mutex, MutexGuard, PoisonError};

#[macro_use]
mod common;

use common::{Kind, Pair, Setup, eventually, take};
use packet_peer_udp_core::{OverflowPolicy, Reason, take_pending_signals};

/// What a packet of 76 bytes costs.
const COST: usize = 100;

/// Signals are taken for the whole process, so the tests take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sets the size of the receiver's queue, which is its server's.
fn set_size(pair: &Pair, bytes: usize) {
    match &pair.server {
        Some(server) => server.set_queue_size(bytes),
        None => pair.receiver.set_queue_size(bytes).unwrap(),
    }
    assert_eq!(pair.receiver.queue_size(), bytes);
}

/// Sends packets with these numbers, which are read.
fn send(pair: &Pair, numbers: std::ops::Range<u8>) {
    let before = pair.receiver.stats();
    let count = numbers.len() as u64;
    for number in numbers {
        pair.sender.send(&[number; COST - 24]).unwrap();
    }
    let policy = pair.receiver.overflow_policy();
    if pair.setup.kind == Kind::Own && !pair.setup.is_background() && policy == OverflowPolicy::DropNewest {
        // What does not fit waits in the kernel.
        pair.poll();
        return;
    }
    eventually("the packets are read", || {
        pair.poll();
        let stats = pair.receiver.stats();
        let entered = stats.packets_received + stats.packets_dropped_queue;
        entered - before.packets_received - before.packets_dropped_queue == count
    });
}

fn queued(pair: &Pair) -> Vec<u8> {
    std::iter::from_fn(|| take(&pair.receiver)).map(|packet| packet[0]).collect()
}

for_every_peer!(a_size_holds_at_once_and_drops_by_the_policy);
fn a_size_holds_at_once_and_drops_by_the_policy(setup: Setup) {
    let _turn = turn();
    for policy in [OverflowPolicy::DropNewest, OverflowPolicy::DropOldest] {
        let pair = setup.pair();
        pair.receiver.set_overflow_policy(policy);
        send(&pair, 0..10);
        pair.await_available(10);
        set_size(&pair, 4 * COST + 99);
        let expected = if policy == OverflowPolicy::DropNewest { [0, 1, 2, 3] } else { [6, 7, 8, 9] };
        assert_eq!(queued(&pair), expected, "{policy:?}");
        let stats = pair.receiver.stats();
        assert_eq!((stats.packets_received, stats.packets_dropped_queue), (4, 6), "{policy:?}");
        if let Some(server) = &pair.server {
            assert_eq!((server.stats().all.packets_received, server.stats().all.packets_dropped_queue), (5, 6));
        }
        // An empty queue takes any packet.
        set_size(&pair, 1);
        send(&pair, 10..11);
        pair.await_available(1);
        assert_eq!(queued(&pair), [10]);
        // 0 is what it was before.
        set_size(&pair, 0);
        send(&pair, 20..220);
        pair.await_available(200);
    }
}

for_own_sockets!(a_size_is_kept_at_every_open);
fn a_size_is_kept_at_every_open(setup: Setup) {
    let _turn = turn();
    let pair = setup.pair();
    set_size(&pair, 2 * COST);
    let Pair { receiver, .. } = pair;
    receiver.close();
    assert_eq!(receiver.queue_size(), 2 * COST);
    receiver.set_overflow_policy(OverflowPolicy::DropOldest);
    receiver.bind(0, setup.family.bind, 1 << 20).unwrap();
    let pair = Pair { sender: common::sender_to(&receiver, setup.family.reach), receiver, server: None, setup };
    send(&pair, 0..5);
    assert_eq!(queued(&pair), [3, 4]);
    // Set while it is closed.
    pair.receiver.close();
    set_size(&pair, 3 * COST);
    pair.receiver.set_destination(setup.family.reach, common::port(&common::bound(setup.family.reach))).unwrap();
    pair.receiver.send(b"opens it").unwrap();
    assert_eq!(pair.receiver.queue_size(), 3 * COST);
    pair.sender.set_destination(setup.family.reach, common::port(&pair.receiver)).unwrap();
    send(&pair, 0..5);
    assert_eq!(queued(&pair), [2, 3, 4]);
}

for_every_peer!(far_more_than_the_default_fits);
fn far_more_than_the_default_fits(setup: Setup) {
    let _turn = turn();
    let pair = setup.pair();
    set_size(&pair, 3_000 * COST);
    for burst in 0..15 {
        for _ in 0..200 {
            pair.sender.send(&[7; COST - 24]).unwrap();
        }
        // What is queued is not taken, but the kernel's buffer is emptied.
        pair.await_available((burst + 1) * 200);
    }
    assert_eq!(pair.receiver.stats().packets_dropped_queue, 0);
    assert_eq!(queued(&pair).len(), 3_000);
}

for_servers!(a_peer_of_a_server_has_the_size_of_its_server);
fn a_peer_of_a_server_has_the_size_of_its_server(setup: Setup) {
    let _turn = turn();
    let server = setup.server();
    server.set_queue_size(3 * COST);
    let pending = common::client(&server, setup.family);
    for number in 0..10 {
        pending.send(&[number; COST - 24]).unwrap();
    }
    eventually("the packets are read", || {
        server.poll().unwrap();
        let stats = server.stats().all;
        (stats.packets_received, stats.packets_dropped_queue) == (3, 7)
    });
    // A pending peer's queue shrinks too.
    server.set_queue_size(2 * COST);
    let stats = server.stats().all;
    assert_eq!((stats.packets_received, stats.packets_dropped_queue), (2, 8));
    let peer = server.accept().unwrap();
    assert_eq!((peer.queue_size(), peer.available()), (2 * COST, Some(2)));
    let error = peer.set_queue_size(1).unwrap_err();
    assert!(matches!(error.reason, Reason::Accepted) && error.to_string().contains("queue_size to 1"), "{error}");
    peer.close();
    assert_eq!(peer.queue_size(), 0, "it is an ordinary peer now");
}

for_every_peer!(the_first_drop_since_the_open_is_noticed_once);
fn the_first_drop_since_the_open_is_noticed_once(setup: Setup) {
    let _turn = turn();
    let pair = setup.pair();
    pair.receiver.enable_signals(700);
    assert_eq!(pair.receiver.token(), Some(700));
    let _ = take_pending_signals();
    // Polled, a queue that drops the newest is not read into.
    pair.receiver.set_overflow_policy(OverflowPolicy::DropOldest);
    set_size(&pair, 3 * COST);
    send(&pair, 0..3);
    assert!(!pair.receiver.take_drop_notice());
    let _ = take_pending_signals();
    while pair.receiver.take_pending_signal().is_some() {}
    send(&pair, 3..5);
    assert_eq!(take_pending_signals(), [700]);
    assert!(pair.receiver.take_drop_notice());
    send(&pair, 5..10);
    set_size(&pair, COST);
    assert!(!pair.receiver.take_drop_notice(), "once per open");
}

for_every_peer!(a_shrunk_queue_notices_what_it_drops);
fn a_shrunk_queue_notices_what_it_drops(setup: Setup) {
    let _turn = turn();
    let pair = setup.pair();
    send(&pair, 0..5);
    pair.await_available(5);
    let _ = take_pending_signals();
    set_size(&pair, 5 * COST);
    assert!(!pair.receiver.take_drop_notice(), "all fit");
    set_size(&pair, 4 * COST);
    // The token may come after the drop.
    pair.receiver.enable_signals(701);
    assert_eq!(take_pending_signals(), [701]);
    assert!(pair.receiver.take_drop_notice());
    if setup.kind == Kind::Own {
        pair.receiver.close();
        pair.receiver.bind(0, setup.family.bind, 0).unwrap();
        assert!(!pair.receiver.take_drop_notice(), "of the last open");
    }
}

for_every_peer!(all_that_is_queued_is_taken_at_once_however_small_the_queue);
fn all_that_is_queued_is_taken_at_once_however_small_the_queue(setup: Setup) {
    let _turn = turn();
    let pair = setup.pair();
    // Packets that come one after the other, and grow, lie in pieces of memory of their own.
    let lengths = [0, 257, 1, 600];
    set_size(&pair, lengths.iter().map(|length| length + 24).sum());
    for most in [None, Some(100)] {
        for (index, length) in lengths.into_iter().enumerate() {
            pair.sender.send(&vec![5; length]).unwrap();
            pair.await_available(index + 1);
        }
        let mut drain = pair.receiver.take_many(most).unwrap();
        let mut taken = Vec::new();
        while let Some(run) = drain.next() {
            taken.extend(run.packets().map(<[u8]>::len));
        }
        drop(drain);
        assert_eq!(taken, lengths, "{most:?}");
        assert_eq!(pair.receiver.available(), Some(0));
    }
}

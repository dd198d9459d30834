//! What a full queue does: polled it leaves the newest packets in the kernel; in the background and for accepted peers it drops.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[macro_use]
mod common;

use common::{Family, Kind, Setup, await_available, eventually, join, take};
use packet_peer_udp_core::OverflowPolicy;

/// How many packets of 1,000 bytes the smallest queue holds: each takes 24 more, of 65,535.
const HELD: u8 = 63;

/// A few more, which the kernel's buffer holds too.
const SENT: u8 = 80;

for_families!(a_full_queue_leaves_the_rest_in_the_kernel);
fn a_full_queue_leaves_the_rest_in_the_kernel(family: Family) {
    let pair = family.pair();
    let datagram = [5; 1_000];
    for _ in 0..150 {
        pair.sender.send(&datagram).unwrap();
        pair.poll();
    }
    pair.await_available(127);
    for _ in 0..150 {
        assert_eq!(pair.next(), datagram);
        assert!(pair.receiver.available().is_some());
    }
    assert_eq!(pair.receiver.available(), Some(0));
}

for_every_peer!(packets_that_do_not_fit_follow_the_policy);
fn packets_that_do_not_fit_follow_the_policy(setup: Setup) {
    // Polled, and with a socket of its own, a peer does not read the newest packets before there is room.
    let waits_in_kernel = setup.kind == Kind::Own && !setup.is_background();
    for policy in [OverflowPolicy::DropNewest, OverflowPolicy::DropOldest] {
        let pair = setup.pair_with_buffer(0);
        pair.receiver.set_overflow_policy(policy);
        for number in 0..SENT {
            pair.sender.send(&[number; 1_000]).unwrap();
        }
        let (kept, dropped) = match policy {
            OverflowPolicy::DropNewest if waits_in_kernel => (0..SENT, 0),
            OverflowPolicy::DropNewest => (0..HELD, SENT - HELD),
            OverflowPolicy::DropOldest => (SENT - HELD..SENT, SENT - HELD),
        };
        let stats = || pair.receiver.stats();
        eventually("the queue is full", || {
            pair.poll();
            pair.receiver.available() == Some(HELD.into()) && stats().packets_dropped_queue == dropped.into()
        });
        // What waits aside is not counted as received.
        assert_eq!((stats().packets_received, stats().bytes_received), (HELD.into(), u64::from(HELD) * 1_000));
        for number in kept {
            assert_eq!(pair.next(), vec![number; 1_000], "{policy:?}");
        }
        assert_eq!(take(&pair.receiver), None);
        assert_eq!(stats().packets_dropped_queue, dropped.into());
    }
}

for_servers!(a_full_queue_of_one_peer_costs_the_others_nothing);
fn a_full_queue_of_one_peer_costs_the_others_nothing(setup: Setup) {
    let server = setup.server();
    let (flooder, its_peer) = join(&server, setup.family);
    let (client, peer) = join(&server, setup.family);
    for _ in 0..100 {
        flooder.send(&[7; 1_000]).unwrap();
        server.poll().unwrap();
    }
    client.send(b"for me").unwrap();
    await_available(&server, &peer, 1);
    eventually("the rest is dropped", || {
        server.poll().unwrap();
        its_peer.stats().packets_dropped_queue == 37
    });
    assert_eq!(its_peer.available(), Some(63), "as in the engine");
    assert_eq!(server.stats().all.packets_dropped_queue, 37);
    assert_eq!(server.stats().all.packets_received, 2 + 63 + 1);

    its_peer.set_overflow_policy(OverflowPolicy::DropOldest);
    for _ in 0..10 {
        flooder.send(&[8; 1_000]).unwrap();
    }
    eventually("the oldest have made room", || {
        server.poll().unwrap();
        its_peer.stats().packets_dropped_queue == 47
    });
    let stats = server.stats().all;
    assert_eq!((stats.packets_received, stats.packets_dropped_queue), (2 + 63 + 1, 47));
}

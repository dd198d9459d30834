//! The counters of peers and servers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[macro_use]
mod common;

use common::{Kind, Setup, await_available, bound, eventually, join, sender_to, size};
use packet_peer_udp_core::ServerStats;

for_every_peer!(statistics_agree_with_what_was_sent);
fn statistics_agree_with_what_was_sent(setup: Setup) {
    let pair = setup.pair_with_buffer(1 << 20);
    for length in 1..=100 {
        pair.sender.send(&vec![0; length]).unwrap();
    }
    pair.sender.send_many(&[b"a", b"bc"]).unwrap();
    assert!(pair.sender.send(&vec![0; 65_528]).is_err());
    pair.await_available(102);
    let sent = pair.sender.stats();
    assert_eq!((sent.packets_sent, sent.bytes_sent, sent.send_errors), (102, 5_053, 1));
    assert!(sent.send_syscalls >= 102 && sent.send_syscalls <= 103, "{sent:?}");
    let received = pair.receiver.stats();
    assert_eq!((received.packets_received, received.bytes_received), (102, 5_053));
    let lost = (received.packets_dropped_queue, received.packets_dropped_kernel, received.receive_errors);
    assert_eq!(lost, (0, 0, 0));
    // An accepted peer's packets are read by its server.
    let reads = pair.server.as_ref().map_or(received, |server| server.stats().all).receive_syscalls;
    assert!(reads > 0);
    pair.receiver.reset_stats();
    assert_eq!((pair.receiver.stats().packets_received, pair.receiver.stats().bytes_received), (0, 0));
    assert_eq!(pair.receiver.available(), Some(102), "the packets are still there");
    let totals = pair.receiver.totals();
    let before = if setup.kind == Kind::Accepted { (1, 5) } else { (0, 0) };
    assert_eq!((totals.packets_in, totals.bytes_in), (102 + before.0, 5_053 + before.1));
}

for_servers!(a_server_counts_for_all_its_peers_also_for_closed_ones);
fn a_server_counts_for_all_its_peers_also_for_closed_ones(setup: Setup) {
    let server = setup.server();
    let pairs: Vec<_> = (0..3).map(|_| join(&server, setup.family)).collect();
    for (index, (client, peer)) in pairs.iter().enumerate() {
        peer.send_segmented(&vec![0; 100 * (index + 1)], size(100)).unwrap();
        peer.send(b"x").unwrap();
        client.send(b"four").unwrap();
        await_available(&server, peer, 1);
        assert_eq!(peer.stats().packets_sent, index as u64 + 2);
        assert!(peer.send(&vec![0; 70_000]).is_err());
    }
    for (_, peer) in &pairs {
        peer.close();
    }
    let stats = server.stats();
    assert_eq!((stats.all.packets_sent, stats.all.bytes_sent), (1 + 2 + 3 + 3, 603));
    assert_eq!((stats.all.packets_received, stats.all.bytes_received), (6, 3 * 9));
    assert_eq!((stats.all.send_errors, stats.packets_dropped_pending), (3, 0));
    assert!(stats.all.send_syscalls >= 9 && stats.all.receive_syscalls > 0);
    assert_eq!(server.drops(), 0);
}

for_background_peers!(polling_in_background_mode_makes_no_system_call);
fn polling_in_background_mode_makes_no_system_call(setup: Setup) {
    let pair = setup.pair();
    if let Some(server) = &pair.server {
        server.set_peer_timeout_msec(60_000);
    }
    pair.sender.send(b"x").unwrap();
    eventually("the packet arrives without a poll", || pair.receiver.available() == Some(1));
    let calls =
        || pair.server.as_ref().map_or_else(|| pair.receiver.stats(), |server| server.stats().all).receive_syscalls;
    // The background thread may still make a call or two of its own.
    eventually("a hundred polls make no system call", || {
        let before = calls();
        (0..100).for_each(|_| pair.poll());
        calls() == before
    });
}

#[test]
fn counters_that_are_reset_while_packets_are_taken_do_not_underflow() {
    let receiver = bound("127.0.0.1");
    let sender = sender_to(&receiver, "127.0.0.1");
    for number in 0..5 {
        sender.send(&[number; 10]).unwrap();
    }
    // One run is taken, the others are given up: they were counted before.
    let mut drain = receiver.take_many(None).unwrap();
    eventually("a packet arrives", || {
        let is_taken = drain.next().is_some();
        if !is_taken {
            drain = receiver.take_many(None).unwrap();
        }
        is_taken
    });
    receiver.reset_stats();
    drop(drain);
    let stats = receiver.stats();
    assert!(stats.packets_received <= 5 && stats.bytes_received <= 50, "{stats:?}");
}

for_servers!(a_server_resets_all_of_its_counters_and_none_of_its_peers);
fn a_server_resets_all_of_its_counters_and_none_of_its_peers(setup: Setup) {
    let server = setup.server();
    let (client, peer) = join(&server, setup.family);
    peer.send(b"x").unwrap();
    assert!(peer.send(&vec![0; 70_000]).is_err());
    server.set_max_pending(0);
    common::client(&server, setup.family).send(b"nobody").unwrap();
    client.send(b"unread").unwrap();
    await_available(&server, &peer, 1);
    eventually("the stranger is dropped", || server.poll().is_ok() && server.stats().packets_dropped_pending == 1);
    eventually("the counters are zero", || {
        // In the background, a call that finds nothing may come late.
        server.reset_stats();
        server.stats() == ServerStats::default()
    });
    let of_peer = peer.stats();
    assert_eq!((of_peer.packets_received, of_peer.packets_sent, of_peer.send_errors), (2, 1, 1));
    assert_eq!(server.drops(), 1, "since the server was made");
    client.send(b"four").unwrap();
    peer.send(b"five!").unwrap();
    await_available(&server, &peer, 2);
    let all = server.stats().all;
    assert_eq!((all.packets_received, all.bytes_received, all.packets_sent, all.bytes_sent), (1, 4, 1, 5));
}

#[test]
fn what_a_call_gives_up_counts_as_dropped_on_the_side_of_the_reset_where_that_happens() {
    let receiver = bound("127.0.0.1");
    let sender = sender_to(&receiver, "127.0.0.1");
    for number in 0..5 {
        sender.send(&[number; 10]).unwrap();
    }
    // A look at the queue would read them into it.
    std::thread::sleep(std::time::Duration::from_millis(20));
    let mut drain = receiver.take_many(None).unwrap();
    assert!(drain.next().is_some());
    let counted = receiver.stats().packets_received;
    receiver.reset_stats();
    sender.send(b"after").unwrap();
    drop(drain);
    let (stats, totals) = (receiver.stats(), receiver.totals());
    assert_eq!((stats.packets_received, stats.bytes_received), (0, 0));
    assert_eq!(stats.packets_dropped_queue, counted - 1);
    assert_eq!((totals.packets_in, totals.bytes_in, totals.packets_dropped), (1, 10, counted - 1));
}

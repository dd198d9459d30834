//! Link conditions of what a peer receives: own sockets and a server's peers, polled and in the background.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[macro_use]
mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::traffic::{number_of, numbered, stream, take_exactly};
use common::{Kind, LONG, Pair, Setup, accept, client, eventually, port, take, waiting_for};
use packet_peer_udp_core::{Conditions, LinkStats, Peer, SharedConditions, WaitEnd};

const DELAY: Duration = Duration::from_millis(30);

fn delayed() -> Conditions {
    Conditions { latency_msec: 30.0, ..Conditions::default() }
}

/// Sets the receiver's conditions, and returns them.
fn set(pair: &Pair, conditions: Conditions) -> Arc<SharedConditions> {
    let shared = SharedConditions::new(conditions);
    pair.receiver.set_receive_conditions(Some(Arc::clone(&shared)));
    shared
}

fn link(peer: &Peer) -> LinkStats {
    peer.stats().conditions
}

/// Returns when the line has got `count` packets, which it has lost, dropped or holds.
fn await_entered(pair: &Pair, count: u64) {
    eventually("the line has all packets", || {
        pair.poll();
        let LinkStats { lost, dropped, waiting, .. } = link(&pair.receiver);
        lost + dropped + waiting == count
    });
}

for_every_peer!(a_packet_is_received_when_it_is_due);
fn a_packet_is_received_when_it_is_due(setup: Setup) {
    let pair = setup.pair();
    set(&pair, delayed());
    let sent_at = Instant::now();
    for number in 0..20 {
        pair.sender.send(&numbered(number)).unwrap();
    }
    await_entered(&pair, 20);
    assert_eq!(pair.receiver.available(), Some(0));
    let got = take_exactly(&pair, 20, 0);
    assert!(sent_at.elapsed() >= DELAY);
    let numbers: Vec<_> = got.iter().map(|packet| number_of(packet)).collect();
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
    assert_eq!(link(&pair.receiver), LinkStats::default());
    assert_eq!(pair.receiver.stats().packets_received, 20);
}

for_every_peer!(a_packet_has_the_time_at_which_it_was_due);
fn a_packet_has_the_time_at_which_it_was_due(setup: Setup) {
    let pair = setup.pair();
    pair.sender.send(b"before").unwrap();
    assert_eq!(pair.next(), b"before");
    let before = pair.receiver.last_taken().unwrap().time_usec();
    set(&pair, delayed());
    pair.sender.send(b"delayed").unwrap();
    assert_eq!(pair.next(), b"delayed");
    let taken = pair.receiver.last_taken().unwrap();
    assert!(taken.time_usec() >= before + 30_000);
    assert_eq!(taken.sender().port(), port(&pair.sender));
}

for_every_peer!(a_wait_ends_when_the_packet_is_due);
fn a_wait_ends_when_the_packet_is_due(setup: Setup) {
    let pair = setup.pair();
    set(&pair, delayed());
    let wait = waiting_for(&pair.receiver, Some(LONG));
    let sent_at = Instant::now();
    pair.sender.send(b"x").unwrap();
    assert_eq!(wait.end(), WaitEnd::Ready);
    assert!(sent_at.elapsed() >= DELAY);
    assert_eq!(take(&pair.receiver).unwrap(), b"x");
    // One that is shorter than the delay.
    pair.sender.send(b"y").unwrap();
    assert_eq!(pair.receiver.wait(Some(DELAY / 10)).unwrap(), WaitEnd::TimedOut);
    assert_eq!(pair.next(), b"y");
}

for_every_peer!(conditions_that_do_nothing_change_nothing);
fn conditions_that_do_nothing_change_nothing(setup: Setup) {
    let pair = setup.pair();
    set(&pair, Conditions::default());
    stream(&pair, 2_000, None);
    assert_eq!(link(&pair.receiver), LinkStats::default());
}

for_every_peer!(a_stream_is_whole_and_in_order_while_conditions_come_and_go);
fn a_stream_is_whole_and_in_order_while_conditions_come_and_go(setup: Setup) {
    let pair = setup.pair();
    let conditions = SharedConditions::new(Conditions { latency_msec: 2.0, jitter_msec: 2.0, ..Conditions::default() });
    let receiver = Arc::clone(&pair.receiver);
    let meanwhile = move || {
        receiver.set_receive_conditions(Some(Arc::clone(&conditions)));
        std::thread::yield_now();
        conditions.change(|values| values.jitter_msec = 3.0 - values.jitter_msec);
        std::thread::yield_now();
        receiver.set_receive_conditions(None);
        std::thread::yield_now();
    };
    stream(&pair, 2_000, Some(&meanwhile));
}

for_every_peer!(every_packet_is_accounted_for);
fn every_packet_is_accounted_for(setup: Setup) {
    let pair = setup.pair();
    set(
        &pair,
        Conditions {
            loss: 0.3,
            loss_burst: 3.0,
            duplicate: 0.2,
            corrupt: 0.1,
            reorder: 0.1,
            latency_msec: 2.0,
            jitter_msec: 2.0,
            max_packet_size: 1_000,
            rng_seed: 3,
            ..Conditions::default()
        },
    );
    let mut sent = 0;
    for round in 0..20 {
        for size in 0..40_usize {
            pair.sender.send(&vec![1; size * 30]).unwrap();
            sent += 1;
        }
        // The system's buffer and the queue hold them all.
        eventually("all of a round has come out", || {
            pair.poll();
            let stats = pair.receiver.stats();
            let LinkStats { lost, duplicated, dropped, waiting, .. } = stats.conditions;
            let out = stats.packets_received + stats.packets_dropped_queue;
            assert!(out + lost + dropped + waiting <= sent + duplicated, "round {round}");
            sent + duplicated == out + lost + dropped && waiting == 0
        });
        while take(&pair.receiver).is_some() {}
    }
    let stats = link(&pair.receiver);
    assert!(stats.lost > 0 && stats.duplicated > 0 && stats.corrupted > 0 && stats.reordered > 0 && stats.dropped > 0);
    if let Some(server) = &pair.server {
        assert_eq!(server.stats().all.conditions, stats);
    }
    pair.receiver.reset_stats();
    assert_eq!(link(&pair.receiver), LinkStats::default());
}

for_every_peer!(no_conditions_deliver_at_once_what_is_held_back);
fn no_conditions_deliver_at_once_what_is_held_back(setup: Setup) {
    let pair = setup.pair();
    set(&pair, Conditions { latency_msec: 1e7, ..Conditions::default() });
    for number in 0..30 {
        pair.sender.send(&numbered(number)).unwrap();
    }
    await_entered(&pair, 30);
    let wait = waiting_for(&pair.receiver, Some(LONG));
    pair.receiver.set_receive_conditions(None);
    assert_eq!(wait.end(), WaitEnd::Ready);
    let got = take_exactly(&pair, 30, 1);
    assert!(got.iter().enumerate().all(|(number, packet)| number_of(packet) == number));
    assert_eq!(link(&pair.receiver).waiting, 0);
    pair.sender.send(b"x").unwrap();
    assert_eq!(pair.next(), b"x");
}

for_every_peer!(a_change_takes_effect_at_once);
fn a_change_takes_effect_at_once(setup: Setup) {
    let pair = setup.pair();
    let conditions = set(&pair, Conditions { blackout: true, ..Conditions::default() });
    pair.sender.send(b"lost").unwrap();
    await_entered(&pair, 1);
    conditions.change(|values| values.blackout = false);
    pair.sender.send(b"not lost").unwrap();
    assert_eq!(pair.next(), b"not lost");
    assert_eq!(link(&pair.receiver).lost, 1);
}

for_every_peer!(what_is_due_in_a_blackout_is_lost);
fn what_is_due_in_a_blackout_is_lost(setup: Setup) {
    let pair = setup.pair();
    let conditions = set(&pair, delayed());
    pair.sender.send(b"in the air").unwrap();
    await_entered(&pair, 1);
    conditions.change(|values| values.blackout = true);
    eventually("it is lost", || {
        pair.poll();
        link(&pair.receiver) == LinkStats { lost: 1, ..LinkStats::default() }
    });
    assert_eq!(pair.receiver.available(), Some(0));
}

for_every_peer!(more_than_the_queue_size_is_not_held_back);
fn more_than_the_queue_size_is_not_held_back(setup: Setup) {
    let pair = setup.pair();
    // Ten packets of 1,000 bytes, which take 128 more each.
    match &pair.server {
        Some(server) => server.set_queue_size(11_280),
        None => pair.receiver.set_queue_size(11_280).unwrap(),
    }
    set(&pair, Conditions { latency_msec: 1e7, ..Conditions::default() });
    for _ in 0..25 {
        pair.sender.send(&[0; 1_000]).unwrap();
    }
    await_entered(&pair, 25);
    assert_eq!(link(&pair.receiver), LinkStats { waiting: 10, dropped: 15, ..LinkStats::default() });
}

for_every_peer!(closing_drops_what_is_held_back);
fn closing_drops_what_is_held_back(setup: Setup) {
    let pair = setup.pair();
    set(&pair, delayed());
    for _ in 0..10 {
        pair.sender.send(b"x").unwrap();
    }
    await_entered(&pair, 10);
    pair.receiver.close();
    if let Some(server) = &pair.server {
        // What is on its way to a server's peer comes to the server, as that of a new sender.
        eventually("a peer is pending", || {
            server.poll().unwrap();
            server.has_pending() && server.stats().all.conditions.waiting == 0
        });
        server.stop();
    }
    let stats = pair.server.as_ref().map_or_else(|| pair.receiver.stats(), |server| server.stats().all);
    let link = stats.conditions;
    assert_eq!(link.waiting, 0);
    assert_eq!(link.dropped, if setup.kind == Kind::Own { 10 } else { 0 });
}

for_own_sockets!(conditions_are_kept_when_the_peer_is_opened_again);
fn conditions_are_kept_when_the_peer_is_opened_again(setup: Setup) {
    let pair = setup.pair();
    let conditions = set(&pair, Conditions { loss: 0.5, rng_seed: 7, ..Conditions::default() });
    let pattern = || {
        let sender = common::sender_to(&pair.receiver, setup.family.reach);
        pair.receiver.reset_stats();
        for number in 0..50 {
            sender.send(&numbered(number)).unwrap();
        }
        let mut got = Vec::new();
        eventually("all packets are lost or received", || {
            pair.poll();
            got.extend(std::iter::from_fn(|| take(&pair.receiver)).map(|packet| number_of(&packet)));
            got.last() == Some(&49) || got.len() as u64 + link(&pair.receiver).lost == 50
        });
        got
    };
    let first = pattern();
    pair.receiver.close();
    pair.receiver.bind(0, setup.family.bind, 65_536).unwrap();
    assert!(Arc::ptr_eq(&conditions, &pair.receiver.receive_conditions().unwrap()));
    // A new line begins, and with the same seed it decides the same.
    assert_eq!(pattern(), first);
    assert!(first.len() > 10 && first.len() < 40);
}

for_own_sockets!(connecting_again_drops_what_is_held_back);
fn connecting_again_drops_what_is_held_back(setup: Setup) {
    let pair = setup.pair();
    set(&pair, delayed());
    pair.sender.send(b"of before").unwrap();
    await_entered(&pair, 1);
    let other = common::bound(setup.family.reach);
    pair.receiver.connect(setup.family.reach, common::nonzero(port(&other))).unwrap();
    assert_eq!(link(&pair.receiver), LinkStats { dropped: 1, ..LinkStats::default() });
    assert_eq!(pair.receiver.wait(Some(DELAY * 2)).unwrap(), WaitEnd::TimedOut);
}

for_servers!(a_new_sender_is_pending_when_its_first_packet_has_come_through);
fn a_new_sender_is_pending_when_its_first_packet_has_come_through(setup: Setup) {
    let server = setup.server();
    let conditions = SharedConditions::new(delayed());
    server.set_receive_conditions(Some(Arc::clone(&conditions)));
    let newcomer = client(&server, setup.family);
    let sent_at = Instant::now();
    newcomer.send(b"first").unwrap();
    let peer = accept(&server);
    assert!(sent_at.elapsed() >= DELAY);
    assert_eq!(take(&peer).unwrap(), b"first");
    assert!(Arc::ptr_eq(&peer.receive_conditions().unwrap(), &conditions));
    // The next one takes the same line, and its own conditions can be taken off.
    newcomer.send(b"second").unwrap();
    eventually("it is held back", || {
        server.poll().unwrap();
        link(&peer).waiting == 1
    });
    peer.set_receive_conditions(None);
    assert_eq!(common::next(&peer), b"second");
    assert_eq!(server.stats().all.conditions.waiting, 0);

    // Peers that there are keep what they have.
    server.set_receive_conditions(Some(SharedConditions::new(Conditions { loss: 1.0, ..Conditions::default() })));
    newcomer.send(b"third").unwrap();
    assert_eq!(common::next(&peer), b"third");
    let lost = client(&server, setup.family);
    lost.send(b"x").unwrap();
    eventually("a new sender's packet is lost", || {
        server.poll().unwrap();
        server.stats().all.conditions.lost == 1
    });
    assert!(!server.has_pending());
}

for_servers!(each_sender_has_a_line_of_its_own);
fn each_sender_has_a_line_of_its_own(setup: Setup) {
    let server = setup.server();
    server.set_receive_conditions(Some(SharedConditions::new(Conditions {
        loss: 0.5,
        rng_seed: 11,
        ..Conditions::default()
    })));
    let mut patterns = Vec::new();
    for _ in 0..3 {
        let sender = client(&server, setup.family);
        for number in 0..60 {
            sender.send(&numbered(number)).unwrap();
        }
        let peer = accept(&server);
        let mut got = Vec::new();
        eventually("all packets are lost or received", || {
            server.poll().unwrap();
            got.extend(std::iter::from_fn(|| take(&peer)).map(|packet| number_of(&packet)));
            got.len() as u64 + link(&peer).lost == 60
        });
        patterns.push(got);
    }
    assert!(patterns[0] != patterns[1] && patterns[1] != patterns[2] && patterns[0] != patterns[2]);
}

for_servers!(forged_senders_fill_no_memory);
fn forged_senders_fill_no_memory(setup: Setup) {
    if !setup.family.reach.starts_with("127.") {
        return;
    }
    let server = setup.server();
    server
        .set_receive_conditions(Some(SharedConditions::new(Conditions { latency_msec: 1e7, ..Conditions::default() })));
    let port = common::server_port(&server);
    let mut sent = 0;
    // 5,000 senders of 127.0.0.0/8, and none has a peer.
    for high in 1..=20 {
        for low in 1..=250 {
            let sender = std::net::UdpSocket::bind((format!("127.1.{high}.{low}"), 0)).unwrap();
            sender.send_to(&[0; 100], ("127.0.0.1", port)).unwrap();
            sent += 1;
        }
        eventually("all are held back or dropped", || {
            server.poll().unwrap();
            let stats = server.stats().all.conditions;
            stats.waiting + stats.dropped == sent
        });
    }
    let stats = server.stats().all.conditions;
    assert_eq!((stats.waiting, stats.dropped), (4_096, 5_000 - 4_096));
    server.stop();
    assert_eq!(server.stats().all.conditions, LinkStats { dropped: 5_000, ..LinkStats::default() });
}

for_every_peer!(a_burst_after_a_stall_keeps_its_order);
fn a_burst_after_a_stall_keeps_its_order(setup: Setup) {
    let pair = setup.pair();
    set(&pair, Conditions { spike_interval_msec: 1, spike_msec: 1, latency_msec: 20.0, ..Conditions::default() });
    for number in 0..100 {
        pair.sender.send(&numbered(number)).unwrap();
    }
    let got = take_exactly(&pair, 100, 2);
    assert!(got.iter().enumerate().all(|(number, packet)| number_of(packet) == number));
}

for_own_sockets!(an_empty_line_takes_any_packet);
fn an_empty_line_takes_any_packet(setup: Setup) {
    let pair = setup.pair();
    pair.receiver.set_queue_size(1_000).unwrap();
    set(&pair, Conditions { latency_msec: 1.0, ..Conditions::default() });
    pair.sender.send(&[7; 1_200]).unwrap();
    assert_eq!(pair.next(), [7; 1_200]);
}

#[test]
fn what_was_due_while_a_polled_queue_was_full_comes_when_packets_are_received_in_the_background() {
    let receiver = common::bound("127.0.0.1");
    let sender = common::sender_to(&receiver, "127.0.0.1");
    let conditions = Conditions { latency_msec: 100.0, ..Conditions::default() };
    receiver.set_receive_conditions(Some(SharedConditions::new(conditions)));
    let sent = 240;
    for round in 1..=8 {
        (0..30).for_each(|_| sender.send(&[0; 1_000]).unwrap());
        eventually("they are read", || {
            receiver.poll().unwrap();
            link(&receiver).waiting + receiver.stats().packets_received >= round * 30
        });
    }
    let sent_by = Instant::now();
    eventually("the queue is full, and all is due", || {
        receiver.poll().unwrap();
        receiver.available() == Some(127) && sent_by.elapsed() > Duration::from_millis(120)
    });
    assert!(link(&receiver).waiting > 0);
    receiver.set_background_receive(true).unwrap();
    let mut got = 0;
    eventually("all are received or dropped", || {
        got += std::iter::from_fn(|| take(&receiver)).count() as u64;
        let stats = receiver.stats();
        got + stats.packets_dropped_queue + stats.conditions.dropped == sent
    });
}

for_servers!(a_pending_peer_is_subject_to_new_conditions);
fn a_pending_peer_is_subject_to_new_conditions(setup: Setup) {
    let server = setup.server();
    let newcomer = client(&server, setup.family);
    newcomer.send(b"first").unwrap();
    eventually("a peer is pending", || {
        server.poll().unwrap();
        server.has_pending()
    });
    server.set_receive_conditions(Some(SharedConditions::new(Conditions { blackout: true, ..Conditions::default() })));
    newcomer.send(b"lost").unwrap();
    eventually("it is lost", || {
        server.poll().unwrap();
        server.stats().all.conditions.lost == 1
    });
    let peer = server.accept().unwrap();
    assert_eq!(take(&peer).unwrap(), b"first");
    assert!(take(&peer).is_none());
}

for_servers!(the_next_peer_of_an_address_has_counters_of_its_own);
fn the_next_peer_of_an_address_has_counters_of_its_own(setup: Setup) {
    let server = setup.server();
    let conditions = SharedConditions::new(delayed());
    server.set_receive_conditions(Some(Arc::clone(&conditions)));
    let sender = client(&server, setup.family);
    sender.send(b"hello").unwrap();
    let first = accept(&server);
    conditions.change(|values| values.blackout = true);
    for _ in 0..5 {
        sender.send(b"lost").unwrap();
    }
    eventually("they are lost", || {
        server.poll().unwrap();
        link(&first).lost == 5
    });
    conditions.change(|values| values.blackout = false);
    sender.send(b"held back").unwrap();
    eventually("it is held back", || {
        server.poll().unwrap();
        link(&first).waiting == 1
    });
    first.close();
    let second = accept(&server);
    assert_eq!(take(&second).unwrap(), b"held back");
    assert_eq!(link(&second), LinkStats::default());
    assert_eq!(link(&first), LinkStats { lost: 5, ..LinkStats::default() });
    assert_eq!(server.stats().all.conditions.waiting, 0);
}

for_servers!(a_server_that_listens_again_and_again_loses_track_of_nothing);
fn a_server_that_listens_again_and_again_loses_track_of_nothing(setup: Setup) {
    let server = setup.server();
    server
        .set_receive_conditions(Some(SharedConditions::new(Conditions { latency_msec: 1.0, ..Conditions::default() })));
    let port = common::server_port(&server);
    let is_done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let sender = std::net::UdpSocket::bind((setup.family.reach, 0)).unwrap();
                while !is_done.load(std::sync::atomic::Ordering::Relaxed) {
                    // Refused where the server does not listen at that moment.
                    let _ = sender.send_to(b"x", (setup.family.reach, port));
                }
            });
        }
        for _ in 0..100 {
            let _ = server.poll();
            server.stop();
            assert_eq!(server.stats().all.conditions.waiting, 0);
            server.listen(port, setup.family.bind).unwrap();
        }
        is_done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    server.stop();
    assert_eq!(server.stats().all.conditions.waiting, 0);
    // A new client is heard.
    server.listen(0, setup.family.bind).unwrap();
    let newcomer = client(&server, setup.family);
    newcomer.send(b"hello").unwrap();
    assert_eq!(take(&accept(&server)).unwrap(), b"hello");
}

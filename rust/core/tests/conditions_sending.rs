//! Link conditions of what a peer sends: by a socket of its own, and by a server's.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[macro_use]
mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::traffic::{number_of, numbered};
use common::{Family, Kind, LONG, Pair, Setup, bound, eventually, next, nonzero, port, size, take};
use packet_peer_udp_core::{Conditions, LinkStats, Peer, Reason, SharedConditions, WaitEnd};

const DELAY: Duration = Duration::from_millis(30);

fn delayed() -> Conditions {
    Conditions { latency_msec: 30.0, ..Conditions::default() }
}

/// The peer that is tested, which sends to the pair's sender.
fn pair(setup: Setup) -> Pair {
    let pair = setup.pair();
    pair.connect_back();
    pair
}

fn set(peer: &Peer, conditions: Conditions) -> Arc<SharedConditions> {
    let shared = SharedConditions::new(conditions);
    peer.set_send_conditions(Some(Arc::clone(&shared)));
    shared
}

fn link(peer: &Peer) -> LinkStats {
    peer.stats().conditions
}

fn take_all(peer: &Peer, count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|_| next(peer)).collect()
}

for_every_peer!(a_packet_is_sent_when_it_is_due);
fn a_packet_is_sent_when_it_is_due(setup: Setup) {
    let pair = pair(setup);
    set(&pair.receiver, delayed());
    let sent_at = Instant::now();
    for number in 0..100 {
        pair.receiver.send(&numbered(number)).unwrap();
    }
    assert_eq!(link(&pair.receiver).waiting, 100);
    assert_eq!(pair.receiver.stats().packets_sent, 0);
    let got = take_all(&pair.sender, 100);
    assert!(sent_at.elapsed() >= DELAY);
    assert!(got.iter().enumerate().all(|(number, packet)| number_of(packet) == number));
    // What is sent counts when the system has taken it, a moment after it is no longer held.
    let all = pair.server.as_ref();
    eventually("all are counted", || {
        let is_summed = all.is_none_or(|server| server.stats().all.packets_sent == 100);
        link(&pair.receiver).waiting == 0 && pair.receiver.stats().packets_sent == 100 && is_summed
    });
    let stats = pair.receiver.stats();
    assert_eq!((stats.packets_sent, stats.send_errors), (100, 0));
    assert_eq!(stats.conditions, LinkStats::default());
    // What is due together is sent together, where the platform can.
    #[cfg(target_os = "linux")]
    if std::env::var_os(packet_peer_udp_core::IO_MODE_VARIABLE).is_none() {
        assert!(stats.send_syscalls < 100, "{}", stats.send_syscalls);
    }
}

for_every_peer!(all_ways_to_send_are_delayed);
fn all_ways_to_send_are_delayed(setup: Setup) {
    let pair = pair(setup);
    set(&pair.receiver, delayed());
    let sent_at = Instant::now();
    pair.receiver.send(b"one").unwrap();
    assert_eq!(pair.receiver.send_many(&[b"two", b"three"]).unwrap(), 2);
    assert_eq!(pair.receiver.send_segmented(b"fourfivesix", size(4)).unwrap(), 3);
    let mut expected: Vec<&[u8]> = vec![b"one", b"two", b"three", b"four", b"five", b"six"];
    if setup.kind == Kind::Own {
        pair.receiver.send_to(b"seven", setup.family.reach, port(&pair.sender)).unwrap();
        expected.push(b"seven");
    }
    if let Some(server) = &pair.server {
        assert_eq!(server.send_to_peers(&[&pair.receiver], b"eight").unwrap(), 1);
        expected.push(b"eight");
    }
    assert_eq!(link(&pair.receiver).waiting, expected.len() as u64);
    assert_eq!(take_all(&pair.sender, expected.len()), expected);
    assert!(sent_at.elapsed() >= DELAY);
}

for_own_sockets!(a_connected_peer_sends_when_it_is_due);
fn a_connected_peer_sends_when_it_is_due(setup: Setup) {
    let other = bound(setup.family.reach);
    let peer = Peer::new();
    peer.connect(setup.family.reach, nonzero(port(&other))).unwrap();
    set(&peer, delayed());
    let sent_at = Instant::now();
    peer.send(b"x").unwrap();
    assert_eq!(peer.send_many(&[b"y", b"z"]).unwrap(), 2);
    assert_eq!(take_all(&other, 3), [b"x", b"y", b"z"]);
    assert!(sent_at.elapsed() >= DELAY);
}

for_every_peer!(every_packet_is_accounted_for);
fn every_packet_is_accounted_for(setup: Setup) {
    let pair = pair(setup);
    let conditions = set(
        &pair.receiver,
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
    let mut received = 0;
    for round in 0..20_u32 {
        for number in 0..10_usize {
            pair.receiver.send(&vec![1; number * 120]).unwrap();
        }
        let many = [[2; 50]; 10];
        let many: Vec<&[u8]> = many.iter().map(<[u8; 50]>::as_slice).collect();
        assert_eq!(pair.receiver.send_many(&many).unwrap(), 10);
        sent += 20;
        // Also when they change in the middle.
        conditions.change(|values| values.latency_msec = f64::from(round % 5));
        if round % 7 == 6 {
            pair.receiver.set_send_conditions(None);
            pair.receiver.set_send_conditions(Some(Arc::clone(&conditions)));
        }
        eventually("all are counted", || {
            received += std::iter::from_fn(|| take(&pair.sender)).count() as u64;
            let stats = pair.receiver.stats();
            let LinkStats { lost, duplicated, dropped, waiting, .. } = stats.conditions;
            sent + duplicated == stats.packets_sent + lost + dropped + waiting
        });
    }
    // A packet is held back no longer a moment before it is sent.
    eventually("nothing is held back, and all are counted", || {
        let stats = pair.receiver.stats();
        let LinkStats { lost, duplicated, dropped, waiting, .. } = stats.conditions;
        waiting == 0 && sent + duplicated == stats.packets_sent + lost + dropped
    });
    let stats = pair.receiver.stats();
    let LinkStats { lost, duplicated, dropped, corrupted, reordered, .. } = stats.conditions;
    assert!(lost > 0 && duplicated > 0 && dropped > 0 && corrupted > 0 && reordered > 0);
    eventually("all that was sent is received", || {
        received += std::iter::from_fn(|| take(&pair.sender)).count() as u64;
        received == stats.packets_sent
    });
    if let Some(server) = &pair.server {
        assert_eq!(server.stats().all.conditions, stats.conditions);
    }
}

for_every_peer!(no_conditions_send_at_once_what_is_held_back);
fn no_conditions_send_at_once_what_is_held_back(setup: Setup) {
    let pair = pair(setup);
    set(&pair.receiver, Conditions { latency_msec: 1e7, ..Conditions::default() });
    for number in 0..50 {
        pair.receiver.send(&numbered(number)).unwrap();
    }
    pair.receiver.set_send_conditions(None);
    pair.receiver.send(&numbered(50)).unwrap();
    let got = take_all(&pair.sender, 51);
    assert!(got.iter().enumerate().all(|(number, packet)| number_of(packet) == number));
    eventually("nothing is held back", || link(&pair.receiver).waiting == 0);
    assert_eq!(link(&pair.receiver), LinkStats::default());
}

for_every_peer!(closing_drops_what_is_held_back);
fn closing_drops_what_is_held_back(setup: Setup) {
    let pair = pair(setup);
    set(&pair.receiver, delayed());
    for _ in 0..10 {
        pair.receiver.send(b"x").unwrap();
    }
    pair.receiver.close();
    assert_eq!(link(&pair.receiver), LinkStats { dropped: 10, ..LinkStats::default() });
    assert_eq!(pair.sender.wait(Some(DELAY * 2)).unwrap(), WaitEnd::TimedOut);
    // The next socket has a line of its own.
    pair.receiver.set_destination(setup.family.reach, port(&pair.sender)).unwrap();
    pair.receiver.send(b"y").unwrap();
    assert_eq!(next(&pair.sender), b"y");
}

for_families!(a_stopped_server_drops_what_its_peers_hold_back);
fn a_stopped_server_drops_what_its_peers_hold_back(family: Family) {
    let setup = Setup { family, mode: common::Mode::Polled, kind: Kind::Accepted };
    let pair = pair(setup);
    set(&pair.receiver, delayed());
    pair.receiver.send(b"x").unwrap();
    let server = pair.server.as_ref().unwrap();
    server.stop();
    assert_eq!(server.stats().all.conditions, LinkStats { dropped: 1, ..LinkStats::default() });
}

for_servers!(a_servers_peers_start_with_its_conditions);
fn a_servers_peers_start_with_its_conditions(setup: Setup) {
    let server = setup.server();
    let conditions = SharedConditions::new(Conditions { loss: 1.0, ..Conditions::default() });
    server.set_send_conditions(Some(Arc::clone(&conditions)));
    let (one, peer) = common::join(&server, setup.family);
    assert!(Arc::ptr_eq(&peer.send_conditions().unwrap(), &conditions));
    peer.send(b"lost").unwrap();
    assert_eq!(link(&peer).lost, 1);
    // Only those that come later.
    server.set_send_conditions(None);
    let (other, next_peer) = common::join(&server, setup.family);
    assert!(next_peer.send_conditions().is_none() && peer.send_conditions().is_some());
    // One copy by each way.
    assert_eq!(server.send_to_peers(&[&peer, &next_peer, &peer, &next_peer], b"copy").unwrap(), 4);
    assert_eq!(take_all(&other, 2), [b"copy", b"copy"]);
    assert_eq!(link(&peer).lost, 3);
    assert_eq!(one.available(), Some(0));
    assert_eq!(server.stats().all.conditions.lost, 3);
}

#[test]
fn what_the_system_refuses_is_refused_at_once() {
    let peer = bound("127.0.0.1");
    set(&peer, delayed());
    peer.set_destination("127.0.0.1", 9).unwrap();
    let error = peer.send(&vec![0; 65_508]).unwrap_err();
    assert!(matches!(error.reason, Reason::Os(_)), "{error}");
    // Wine takes a datagram to port 0.
    let refuses_port_0 = cfg!(not(windows));
    assert_eq!(peer.send_to(b"x", "127.0.0.1", 0).is_err(), refuses_port_0);
    assert_eq!(peer.send_many(&[b"x", &vec![0; 65_508], b"y"]).unwrap(), 1);
    assert!(peer.last_error().message.contains("index 1 of 3"), "{}", peer.last_error().message);
    assert!(peer.set_destination("::1", 9).is_ok() && peer.send(b"x").is_err());
    assert_eq!(peer.stats().send_errors, 3 + u64::from(refuses_port_0));
}

#[test]
fn what_is_held_is_never_sent_to_the_next_target() {
    let (first, second) = (bound("127.0.0.1"), bound("127.0.0.1"));
    let peer = Peer::new();
    set(&peer, Conditions { latency_msec: 0.1, ..Conditions::default() });
    let rounds = if cfg!(windows) { 50 } else { 1_000 };
    for round in 0..rounds {
        peer.connect("127.0.0.1", nonzero(port(&first))).unwrap();
        peer.send_many(&[b"to the first".as_slice(); 20]).unwrap();
        // About when the background thread sends them.
        let until = Instant::now() + Duration::from_micros(80 + round % 40 * 5);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        peer.connect("127.0.0.1", nonzero(port(&second))).unwrap();
        assert!(take(&second).is_none(), "round {round}: a packet for the first target");
        while take(&first).is_some() {}
    }
    peer.set_send_conditions(None);
    peer.send(b"to the second").unwrap();
    assert_eq!(next(&second), b"to the second");
}

#[test]
fn a_refusal_by_the_other_host_is_counted_and_ends_nothing() {
    let (gone, target) = (bound("127.0.0.1"), bound("127.0.0.1"));
    let peer = Peer::new();
    peer.connect("127.0.0.1", nonzero(port(&gone))).unwrap();
    gone.close();
    set(&peer, Conditions { latency_msec: 1.0, ..Conditions::default() });
    for _ in 0..20 {
        peer.send(b"x").unwrap();
        eventually("it is sent", || link(&peer).waiting == 0);
    }
    peer.connect("127.0.0.1", nonzero(port(&target))).unwrap();
    peer.send(b"y").unwrap();
    assert_eq!(next(&target), b"y");
    assert_eq!(link(&peer), LinkStats::default());
}

#[test]
fn the_seed_decides_alike_polled_and_in_the_background_and_in_both_ends() {
    let conditions =
        SharedConditions::new(Conditions { loss: 0.4, duplicate: 0.2, rng_seed: 5, ..Conditions::default() });
    let pattern = |background: bool| {
        let receiver = bound("127.0.0.1");
        let sender = common::sender_to(&receiver, "127.0.0.1");
        receiver.set_background_receive(background).unwrap();
        receiver.set_receive_conditions(Some(Arc::clone(&conditions)));
        for number in 0..100 {
            sender.send(&numbered(number)).unwrap();
        }
        let mut got = Vec::new();
        eventually("all are lost or received", || {
            got.extend(std::iter::from_fn(|| take(&receiver)).map(|packet| number_of(&packet)));
            100 + link(&receiver).duplicated == got.len() as u64 + link(&receiver).lost
        });
        got
    };
    let polled = pattern(false);
    assert_eq!(polled, pattern(true));
    assert_eq!(polled, pattern(false));
    assert!(polled.len() > 40);
}

#[test]
fn a_full_send_line_drops_the_newest() {
    let other = bound("127.0.0.1");
    let peer = common::sender_to(&other, "127.0.0.1");
    peer.set_queue_size(11_280).unwrap();
    let conditions = set(&peer, Conditions { latency_msec: 1e7, ..Conditions::default() });
    for number in 0..12 {
        let mut packet = numbered(number);
        packet.resize(1_000, 0);
        peer.send(&packet).unwrap();
    }
    assert_eq!(link(&peer), LinkStats { waiting: 10, dropped: 2, ..LinkStats::default() });
    conditions.change(|values| values.latency_msec = 0.0);
    peer.set_send_conditions(None);
    let got = take_all(&other, 10);
    assert!(got.iter().enumerate().all(|(number, packet)| packet[0] == u8::try_from(number).unwrap()));
}

#[test]
fn the_bandwidth_spreads_a_burst() {
    let other = bound("127.0.0.1");
    let peer = common::sender_to(&other, "127.0.0.1");
    // A packet of 97 bytes takes a millisecond.
    set(&peer, Conditions { bandwidth_kbps: 1_000, queue_limit_msec: 50, ..Conditions::default() });
    let (sent_at, before) = (Instant::now(), packet_peer_udp_core::clock_nsec() / 1_000);
    for _ in 0..100 {
        peer.send(&[7; 97]).unwrap();
    }
    let dropped = link(&peer).dropped;
    let took = u64::try_from(sent_at.elapsed().as_millis()).unwrap();
    assert!((100 - 51 - took - 1..=100 - 51).contains(&dropped), "{dropped} dropped, {took} ms");
    let count = 100 - usize::try_from(dropped).unwrap();
    let mut times = Vec::new();
    for _ in 0..count {
        assert_eq!(other.wait(Some(LONG)).unwrap(), WaitEnd::Ready);
        take(&other).unwrap();
        times.push(other.last_taken().unwrap().time_usec());
    }
    assert!(sent_at.elapsed() >= Duration::from_millis(count as u64));
    // Each is sent when its last bit is through, and none early.
    assert!((1_u64..).zip(&times).all(|(number, time)| *time + 1 >= before + number * 1_000), "{before}: {times:?}");
}

#[test]
fn a_dropped_peer_leaves_nothing_behind() {
    let other = bound("127.0.0.1");
    for _ in 0..50 {
        let peer = common::sender_to(&other, "127.0.0.1");
        set(&peer, Conditions { latency_msec: 1.0, ..Conditions::default() });
        peer.send(b"x").unwrap();
    }
    eventually("the thread ends", || packet_peer_udp_core::background_threads() == 0);
}

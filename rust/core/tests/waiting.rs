//! Waiting for a packet, and what ends a wait. How closing frees a port under waiting threads is in `freed_ports.rs`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

#[macro_use]
mod common;

use common::{
    Kind, LONG, SetOnDrop, Setup, Waiting, eventually, join, next, port, sender_to, several_waiting, take, waiting,
    waiting_for,
};
use packet_peer_udp_core::{Reason, WaitEnd};

for_every_peer!(a_wait_is_ready_at_once_or_ends_in_time);
fn a_wait_is_ready_at_once_or_ends_in_time(setup: Setup) {
    let pair = setup.pair();
    assert_eq!(pair.receiver.wait(Some(Duration::ZERO)).unwrap(), WaitEnd::TimedOut);
    let start = Instant::now();
    assert_eq!(pair.receiver.wait(Some(Duration::from_millis(50))).unwrap(), WaitEnd::TimedOut);
    assert!(start.elapsed() >= Duration::from_millis(50));
    pair.sender.send(b"x").unwrap();
    pair.await_available(1);
    assert_eq!(Waiting::start(&pair.receiver, None).end(), WaitEnd::Ready, "a queued packet is ready");
    assert_eq!(Waiting::start(&pair.receiver, Some(Duration::MAX)).end(), WaitEnd::Ready);
    assert_eq!(pair.receiver.wait(Some(Duration::ZERO)).unwrap(), WaitEnd::Ready);
    assert_eq!(pair.receiver.available(), Some(1), "a wait takes nothing");
}

for_every_peer!(a_wait_may_be_unlimited);
fn a_wait_may_be_unlimited(setup: Setup) {
    let pair = setup.pair();
    // The last two are beyond the range of the clock.
    for timeout in [None, Some(Duration::from_millis(u64::MAX)), Some(Duration::MAX)] {
        let wait = waiting_for(&pair.receiver, timeout);
        pair.receiver.interrupt_wait();
        assert_eq!(wait.end(), WaitEnd::Interrupted);
        let wait = waiting_for(&pair.receiver, timeout);
        pair.sender.send(b"x").unwrap();
        assert_eq!(wait.end(), WaitEnd::Ready);
        assert_eq!(take(&pair.receiver).unwrap(), b"x");
    }
}

for_every_peer!(a_packet_ends_every_wait_also_through_switches);
fn a_packet_ends_every_wait_also_through_switches(setup: Setup) {
    let pair = setup.pair();
    let before = setup.is_background();
    for during in [before, !before] {
        for _ in 0..5 {
            pair.set_background(before);
            let waits = several_waiting(&pair.receiver, 3);
            pair.set_background(during);
            pair.sender.send(b"x").unwrap();
            for wait in waits {
                assert_eq!(wait.end(), WaitEnd::Ready, "{before} {during}");
            }
            assert_eq!(take(&pair.receiver).unwrap(), b"x");
        }
        let wait = waiting(&pair.receiver);
        pair.receiver.interrupt_wait();
        assert_eq!(wait.end(), WaitEnd::Interrupted);
    }
    let wait = waiting(&pair.receiver);
    pair.receiver.close();
    assert_eq!(wait.end(), WaitEnd::Closed);
}

for_every_peer!(a_packet_that_another_thread_has_read_ends_every_wait);
fn a_packet_that_another_thread_has_read_ends_every_wait(setup: Setup) {
    let pair = setup.pair();
    for _ in 0..20 {
        let waits: Vec<_> = (0..2)
            .map(|_| {
                let receiver = Arc::clone(&pair.receiver);
                thread::spawn(move || receiver.wait(Some(LONG)).unwrap())
            })
            .collect();
        let start = Instant::now();
        pair.sender.send(b"x").unwrap();
        // Counting moves the packet from the kernel to the queue, while the threads are on some part of their way into the waits.
        pair.await_available(1);
        for wait in waits {
            assert_eq!(wait.join().unwrap(), WaitEnd::Ready);
        }
        assert!(start.elapsed() < LONG, "a wait found the packet only at its end");
        assert_eq!(take(&pair.receiver).unwrap(), b"x");
    }
}

for_every_peer!(closing_ends_every_wait);
fn closing_ends_every_wait(setup: Setup) {
    for _ in 0..5 {
        let pair = setup.pair();
        let waits = several_waiting(&pair.receiver, 3);
        pair.receiver.close();
        for wait in waits {
            assert_eq!(wait.end(), WaitEnd::Closed);
        }
        assert!(matches!(pair.receiver.wait(None).unwrap_err().reason, Reason::NotOpen));
    }
}

for_own_sockets!(a_wait_does_not_go_on_with_the_next_socket);
fn a_wait_does_not_go_on_with_the_next_socket(setup: Setup) {
    let Setup { family, .. } = setup;
    let peer = setup.receiver(0);
    for _ in 0..10 {
        let wait = waiting(&peer);
        peer.close();
        peer.bind(0, family.bind, 0).unwrap();
        sender_to(&peer, family.reach).send(b"for the next").unwrap();
        assert_eq!(wait.end(), WaitEnd::Closed);
        assert_eq!(next(&peer), b"for the next");
    }
}

for_every_peer!(an_interruption_ends_every_wait_or_else_the_next_one);
fn an_interruption_ends_every_wait_or_else_the_next_one(setup: Setup) {
    let pair = setup.pair();
    let peer = &pair.receiver;
    for _ in 0..10 {
        let waits = several_waiting(peer, 4);
        peer.interrupt_wait();
        for wait in waits {
            assert_eq!(wait.end(), WaitEnd::Interrupted);
        }
        assert_eq!(peer.wait(Some(Duration::ZERO)).unwrap(), WaitEnd::TimedOut, "no interruption is left");
    }
    peer.interrupt_wait();
    peer.interrupt_wait();
    assert_eq!(Waiting::start(peer, None).end(), WaitEnd::Interrupted);
    assert_eq!(peer.wait(Some(Duration::ZERO)).unwrap(), WaitEnd::TimedOut);
    if setup.kind == Kind::Own {
        peer.interrupt_wait();
        peer.close();
        peer.bind(0, setup.family.bind, 0).unwrap();
        assert_eq!(peer.wait(Some(Duration::ZERO)).unwrap(), WaitEnd::TimedOut, "opening drops the interruption");
    }
}

for_every_peer!(no_interruption_is_lost_to_a_packet_that_arrives_at_the_same_time);
fn no_interruption_is_lost_to_a_packet_that_arrives_at_the_same_time(setup: Setup) {
    let pair = setup.pair();
    let receiver = &pair.receiver;
    let done = AtomicBool::new(false);
    let (interrupted, interruptions) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                match receiver.wait(Some(LONG)).unwrap() {
                    WaitEnd::Ready => drop(receiver.take()),
                    end => interrupted.send(end).unwrap(),
                }
            }
        });
        let _done = SetOnDrop(&done);
        for _ in 0..200 {
            pair.sender.send(b"x").unwrap();
            receiver.interrupt_wait();
            assert_eq!(interruptions.recv_timeout(LONG).unwrap(), WaitEnd::Interrupted);
        }
        done.store(true, Ordering::Relaxed);
        receiver.interrupt_wait();
    });
}

for_every_peer!(other_calls_do_not_wait_for_waiting_threads);
fn other_calls_do_not_wait_for_waiting_threads(setup: Setup) {
    let pair = setup.pair();
    let peer = &pair.receiver;
    let waits = several_waiting(peer, 3);
    let start = Instant::now();
    pair.connect_back();
    if setup.kind == Kind::Own {
        peer.set_broadcast(true).unwrap();
    }
    assert!(peer.is_open());
    assert_eq!(peer.available(), Some(0));
    peer.send(b"x").unwrap();
    assert_eq!(next(&pair.sender), b"x");
    pair.sender.send(b"ends the waits").unwrap();
    eventually("the packet is taken", || take(peer).is_some());
    assert!(start.elapsed() < LONG, "a call lasted as long as the waits");
    peer.close();
    for wait in waits {
        assert!(matches!(wait.end(), WaitEnd::Ready | WaitEnd::Closed));
    }
}

for_polled_peers!(an_accepted_peer_reads_the_socket_only_when_it_waits);
fn an_accepted_peer_reads_the_socket_only_when_it_waits(setup: Setup) {
    let pair = setup.pair();
    pair.sender.send(b"x").unwrap();
    if setup.kind == Kind::Accepted {
        assert_eq!(pair.receiver.available(), Some(0));
        assert_eq!(take(&pair.receiver), None);
    }
    assert_eq!(pair.receiver.wait(Some(LONG)).unwrap(), WaitEnd::Ready);
    assert_eq!(pair.receiver.available(), Some(1));
}

for_servers!(a_waiting_peer_reads_for_all_and_is_woken_for_itself);
fn a_waiting_peer_reads_for_all_and_is_woken_for_itself(setup: Setup) {
    let server = setup.server();
    let pairs: Vec<_> = (0..4).map(|_| join(&server, setup.family)).collect();
    let (first, others) = pairs.split_first().unwrap();
    let one = waiting(&first.1);
    let two = waiting(&others[0].1);
    for (client, _) in &others[1..] {
        client.send(b"for another").unwrap();
    }
    eventually("the others have theirs", || others[1..].iter().all(|(_, peer)| peer.available() == Some(1)));
    assert!(!one.is_finished() && !two.is_finished());
    first.0.send(b"for the first").unwrap();
    assert_eq!(one.end(), WaitEnd::Ready);
    others[0].0.send(b"for the second").unwrap();
    assert_eq!(two.end(), WaitEnd::Ready);
    assert_eq!(take(&first.1).unwrap(), b"for the first");

    let unconnected = common::client(&server, setup.family);
    unconnected.send(b"hello").unwrap();
    eventually("a wait reads the packet of a new sender", || {
        assert_eq!(first.1.wait(Some(Duration::from_millis(1))).unwrap(), WaitEnd::TimedOut);
        server.has_pending()
    });
}

for_servers!(what_ends_the_wait_of_one_peer_does_not_end_those_of_others);
fn what_ends_the_wait_of_one_peer_does_not_end_those_of_others(setup: Setup) {
    let server = setup.server();
    let (_client, peer) = join(&server, setup.family);
    let (_other_client, other) = join(&server, setup.family);
    assert_eq!(peer.wait(Some(Duration::ZERO)).unwrap(), WaitEnd::TimedOut);
    assert_eq!(peer.wait(Some(Duration::from_millis(5))).unwrap(), WaitEnd::TimedOut);

    let (one, two) = (waiting(&peer), waiting(&other));
    peer.interrupt_wait();
    assert_eq!(one.end(), WaitEnd::Interrupted);
    peer.interrupt_wait();
    assert_eq!(peer.wait(Some(LONG)).unwrap(), WaitEnd::Interrupted, "an interruption is not lost");
    assert!(!two.is_finished());

    let one = waiting(&peer);
    peer.close();
    assert_eq!(one.end(), WaitEnd::Closed);
    assert!(matches!(peer.wait(None).unwrap_err().reason, Reason::NotOpen));
    assert!(!two.is_finished());

    let (client, again) = join(&server, setup.family);
    assert_ne!(port(&client), 0);
    let one = waiting(&again);
    server.stop();
    assert_eq!([one, two].map(Waiting::end), [WaitEnd::Closed; 2]);
    assert_eq!(server.waits(), 0);
}

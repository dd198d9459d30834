//! Many threads that use one peer or one server at once.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[macro_use]
mod common;

use common::traffic::{Pace, number_of, numbered, repeat_until};
use common::{LONG, SetOnDrop, Setup, nonzero, take};
use packet_peer_udp_core::{Peer, WaitEnd};
use parking_lot::Mutex;

for_every_peer!(threads_that_share_a_peer_take_each_packet_once_and_whole);
fn threads_that_share_a_peer_take_each_packet_once_and_whole(setup: Setup) {
    const PACKETS: usize = if cfg!(windows) { 500 } else { 2_000 };
    let pair = setup.pair();
    let receiver = &pair.receiver;
    let seen: Vec<AtomicUsize> = (0..PACKETS).map(|_| AtomicUsize::new(0)).collect();
    // Never more than the queue and the kernel hold.
    let pace = Pace::new(50);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    while let Some(packet) = take(receiver) {
                        seen[number_of(&packet)].fetch_add(1, Ordering::Relaxed);
                        pace.add(1);
                    }
                    let end = receiver.wait(Some(Duration::from_millis(10))).unwrap();
                    assert!(matches!(end, WaitEnd::Ready | WaitEnd::TimedOut), "{end:?}");
                }
            });
        }
        let _done = SetOnDrop(&done);
        for number in 0..PACKETS {
            pace.await_room(number);
            pair.sender.send(&numbered(number)).unwrap();
        }
        let deadline = Instant::now() + LONG;
        while pace.received() < PACKETS {
            assert!(Instant::now() < deadline, "only {} have arrived", pace.received());
            thread::sleep(Duration::from_millis(1));
        }
    });
    assert!(seen.iter().all(|times| times.load(Ordering::Relaxed) == 1));
}

for_own_sockets!(six_threads_may_do_anything_to_one_peer_at_once);
fn six_threads_may_do_anything_to_one_peer_at_once(setup: Setup) {
    let Setup { family, .. } = setup;
    let peer = Peer::new();
    peer.set_background_receive(setup.is_background()).unwrap();
    let until = Instant::now() + Duration::from_millis(300);
    thread::scope(|scope| {
        for role in 0..6 {
            let peer = &peer;
            scope.spawn(move || {
                while Instant::now() < until {
                    // What each call answers depends on the other threads. What counts is that each answers.
                    match role {
                        0 => drop(peer.bind(0, family.bind, 0)),
                        1 => peer.close(),
                        2 => drop(peer.connect(family.reach, nonzero(9))),
                        3 => drop(peer.set_destination(family.reach, 9).and_then(|_| peer.send(b"x"))),
                        4 => drop(peer.wait(Some(Duration::from_millis(1))).map(|_| peer.take())),
                        _ => {
                            peer.interrupt_wait();
                            drop(peer.join_group("224.0.0.251", ""));
                            let _ = peer.available();
                        }
                    }
                }
            });
        }
    });
    peer.close();
    assert_eq!(peer.waits(), 0);
    peer.bind(0, family.bind, 0).unwrap();
}

for_servers!(threads_may_do_anything_to_a_server_and_its_peers_at_once);
fn threads_may_do_anything_to_a_server_and_its_peers_at_once(setup: Setup) {
    let Setup { family, .. } = setup;
    let rounds = if cfg!(windows) { 20 } else { 60 };
    let server = setup.server();
    let done = AtomicBool::new(false);
    let peers = Mutex::new(Vec::new());
    let send = || {
        let socket = UdpSocket::bind((family.reach, 0)).unwrap();
        if let Some(at) = server.local_addr() {
            let _ = socket.send_to(b"hello", (family.reach, at.port()));
            let _ = socket.send_to(b"again", (family.reach, at.port()));
        }
    };
    let accept = || {
        let _ = server.poll();
        if let Some(peer) = server.accept() {
            let _ = peer.send(b"welcome");
            peers.lock().push(peer);
        }
    };
    let wait = || {
        let last = peers.lock().last().cloned();
        if let Some(peer) = last {
            let _ = peer.wait(Some(Duration::from_millis(2)));
            let _ = peer.take();
        }
    };
    let close = || {
        let peer = peers.lock().pop();
        if let Some(peer) = peer {
            peer.interrupt_wait();
            peer.close();
        }
    };
    let roles: [&(dyn Fn() + Sync); 6] = [&send, &accept, &accept, &wait, &wait, &close];
    thread::scope(|scope| {
        let _done = SetOnDrop(&done);
        for role in roles {
            let done = &done;
            scope.spawn(move || repeat_until(done, role));
        }
        for round in 0..rounds {
            server.set_background_receive((round % 2 == 0) != setup.is_background()).unwrap();
            server.set_max_pending(round % 5);
            server.set_peer_timeout_msec(round % 3);
            thread::sleep(Duration::from_millis(2));
            if round % 10 == 9 {
                server.stop();
                server.listen(0, family.bind).unwrap();
            }
        }
    });
    server.stop();
    assert_eq!((server.peers(), server.waits()), (0, 0));
    assert!(peers.lock().iter().all(|peer| !peer.is_accepted()));
}

//! What a peer does, over real sockets on loopback. Ports are the system's choice. What could hang is bounded in time,
//! or is ended by the test itself.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

mod common;

use common::{LONG, V4, bound, eventually, flavours, next, nonzero, pair, port, sender_to, take, waiting};
use packet_peer_udp_core::{DestinationChange, Operation, Peer, Reason, WaitEnd, format_address};

#[test]
fn datagrams_of_every_size_arrive_whole_from_a_known_sender() {
    for flavour in flavours() {
        let (sender, receiver) = pair(flavour);
        for size in [0, 1, 511, 512, 1_472, 1_473, 8_000, 60_000, 65_507] {
            let datagram: Vec<u8> = (0..size).map(|i: u32| (i % 251).to_le_bytes()[0]).collect();
            sender.send(&datagram).unwrap();
            assert_eq!(next(&receiver), datagram, "{flavour:?}");
            let from = receiver.last_taken().unwrap().sender();
            assert_eq!(format_address(from), flavour.written);
            assert_eq!(from.port(), port(&sender));
        }
        let error = sender.send(&vec![0; 65_508 + 20]).unwrap_err();
        assert!(matches!(error.reason, Reason::Os(_)), "{flavour:?}: {error}");
    }
}

#[test]
fn a_closed_peer_has_nothing_and_says_so() {
    let peer = Peer::new();
    assert!(!peer.is_open() && !peer.is_connected());
    assert_eq!(peer.available(), None);
    assert_eq!(peer.local_addr(), None);
    assert!(peer.last_taken().is_none());
    assert_eq!(peer.last_error().code, 0);
    assert_eq!(peer.last_error().message, "");
    assert!(matches!(peer.poll().unwrap_err().reason, Reason::NotOpen));
    assert!(matches!(peer.take().unwrap_err().reason, Reason::NotOpen));
    assert!(matches!(peer.wait(None).unwrap_err().reason, Reason::NotOpen));
    assert!(matches!(peer.send(b"x").unwrap_err().reason, Reason::NoDestination));
    assert!(matches!(peer.leave_group("224.0.0.251", "").unwrap_err().reason, Reason::NotOpen));
    peer.close();
    peer.interrupt_wait();
}

#[test]
fn bind_refuses_what_is_no_address_or_port_and_stays_closed() {
    let peer = Peer::new();
    for address in ["", "localhost", "1.2.3", "256.0.0.1", "nonsense"] {
        assert!(matches!(peer.bind(0, address, 0).unwrap_err().reason, Reason::InvalidAddress), "{address:?}");
    }
    // TEST-NET-1: nobody's address.
    assert!(matches!(peer.bind(0, "192.0.2.1", 0).unwrap_err().reason, Reason::Os(_)));
    assert!(!peer.is_open());
    assert_ne!(peer.last_error().code, 0);
    assert!(peer.last_error().message.contains("192.0.2.1"));
}

#[test]
fn a_port_is_had_by_one_peer_at_a_time() {
    let first = bound("127.0.0.1");
    let second = Peer::new();
    for address in ["127.0.0.1", "*"] {
        let error = second.bind(port(&first), address, 0).unwrap_err();
        assert!(matches!((error.operation, &error.reason), (Operation::Bind, Reason::Os(_))), "{address}: {error}");
    }
    assert!(matches!(first.bind(0, "127.0.0.1", 0).unwrap_err().reason, Reason::AlreadyOpen));
    let freed = port(&first);
    first.close();
    second.bind(freed, "127.0.0.1", 0).unwrap();
}

#[test]
fn whatever_opens_a_peer_opens_it_once() {
    let target = bound("127.0.0.1");
    let sent = sender_to(&target, "127.0.0.1");
    sent.send(b"x").unwrap();
    let connected = Peer::new();
    connected.connect("127.0.0.1", nonzero(port(&target))).unwrap();
    for peer in [&sent, &connected] {
        assert!(peer.is_open());
        assert_ne!(port(peer), 0);
        assert!(matches!(peer.bind(0, "*", 0).unwrap_err().reason, Reason::AlreadyOpen));
    }
}

#[test]
fn a_socket_of_one_family_does_not_reach_the_other() {
    if flavours().len() < 4 {
        return;
    }
    for (bind, other) in [("0.0.0.0", "::1"), ("::", "127.0.0.1")] {
        let peer = bound(bind);
        peer.set_destination(other, 9).unwrap();
        let error = peer.send(b"x").unwrap_err();
        assert!(matches!(error.reason, Reason::WrongFamily(Some(_))), "{bind}: {error}");
        assert!(peer.connect(other, nonzero(9)).is_err());
        assert!(!peer.is_open(), "as in the engine, a refused connect closes");
    }
}

#[test]
fn a_closed_peer_keeps_its_destination_and_sender_and_nothing_else() {
    let (sender, receiver) = pair(V4);
    sender.send(b"first").unwrap();
    next(&receiver);
    sender.send(b"second").unwrap();
    eventually("the packet is queued", || receiver.available() == Some(1));
    let from = receiver.last_taken().map(|stamp| stamp.sender());
    receiver.close();
    assert_eq!(receiver.last_taken().map(|stamp| stamp.sender()), from);
    receiver.bind(0, "127.0.0.1", 0).unwrap();
    assert_eq!(receiver.available(), Some(0), "nothing stale");

    sender.close();
    sender.set_destination("127.0.0.1", port(&receiver)).unwrap();
    sender.close();
    sender.send(b"third").unwrap();
    assert_eq!(next(&receiver), b"third");
}

#[test]
fn a_connected_peer_hears_only_its_peer_and_forgets_what_came_before() {
    for flavour in flavours() {
        let friend = bound(flavour.reach);
        let stranger = bound(flavour.reach);
        let peer = bound(flavour.bind);
        for other in [&friend, &stranger] {
            other.set_destination(flavour.reach, port(&peer)).unwrap();
        }
        friend.send(b"queued").unwrap();
        eventually("it is queued", || peer.available() == Some(1));
        stranger.send(b"still in the kernel").unwrap();
        peer.connect(flavour.reach, nonzero(port(&friend))).unwrap();
        assert!(peer.is_connected());
        stranger.send(b"too late").unwrap();
        friend.send(b"wanted").unwrap();
        assert_eq!(next(&peer), b"wanted", "{flavour:?}");
        assert_eq!(peer.available(), Some(0));
        peer.send(b"answer").unwrap();
        assert_eq!(next(&friend), b"answer");
        assert_eq!(peer.set_destination(flavour.reach, 9).unwrap(), DestinationChange::Connected);
    }
}

#[test]
fn a_refused_datagram_disturbs_neither_sending_nor_waiting() {
    for flavour in flavours().into_iter().filter(|flavour| flavour.bind != "*") {
        let gone = bound(flavour.bind);
        let nobody = port(&gone);
        gone.close();
        let peer = Peer::new();
        peer.connect(flavour.reach, nonzero(nobody)).unwrap();
        for _ in 0..10 {
            peer.send(b"anyone?").unwrap();
        }
        assert_eq!(peer.wait(Some(Duration::from_millis(20))).unwrap(), WaitEnd::TimedOut);
        assert_eq!(peer.available(), Some(0));
        // Somebody listens now: the next datagram gets there, and the answer comes back.
        gone.bind(nobody, flavour.bind, 0).unwrap();
        peer.send(b"now?").unwrap();
        assert_eq!(next(&gone), b"now?");
        if cfg!(target_os = "linux") {
            assert!(peer.stats().receive_errors > 0, "{flavour:?}");
            assert!(peer.last_error().message.contains("refused"), "{:?}", peer.last_error());
        }
    }
}

#[test]
fn connect_takes_names_and_refuses_what_can_be_none() {
    let peer = Peer::new();
    for host in ["", " ", "a b", "*", "::zz"] {
        assert!(matches!(peer.connect(host, nonzero(9)).unwrap_err().reason, Reason::InvalidAddress), "{host:?}");
    }
    assert!(matches!(peer.connect("no-such-host.invalid", nonzero(9)).unwrap_err().reason, Reason::Unresolvable(_)));
    assert!(!peer.is_open());
    peer.connect("localhost", nonzero(9)).unwrap();
    assert!(peer.is_connected());
}

#[test]
fn an_unresolvable_destination_changes_nothing() {
    let (sender, receiver) = pair(V4);
    for host in ["", "*", "a b", "no-such-host.invalid"] {
        assert!(sender.set_destination(host, 9).is_err(), "{host:?}");
    }
    sender.send(b"still there").unwrap();
    assert_eq!(next(&receiver), b"still there");
}

#[test]
fn a_full_queue_leaves_the_rest_in_the_kernel() {
    let (sender, receiver) = pair(V4);
    let datagram = [5; 1_000];
    // A little more than the queue holds; the kernel's buffer takes the rest.
    for _ in 0..150 {
        sender.send(&datagram).unwrap();
        receiver.poll().unwrap();
    }
    assert_eq!(receiver.available(), Some(127));
    let mut taken = 0;
    while receiver.available() != Some(0) {
        assert_eq!(take(&receiver).unwrap(), datagram);
        taken += 1;
    }
    assert_eq!(taken, 150);
}

#[test]
fn counting_sees_what_came_since() {
    let (sender, receiver) = pair(V4);
    for (more, all) in [(3, 3), (2, 5)] {
        for _ in 0..more {
            sender.send(b"x").unwrap();
        }
        eventually("all are counted", || receiver.available() == Some(all));
    }
}

#[test]
fn a_flood_fills_the_queue_and_no_more() {
    let (sender, receiver) = pair(V4);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // A full buffer is part of a flood.
                let _ = sender.send(&[0; 8]);
            }
        });
        for _ in 0..100 {
            let queued = receiver.available().unwrap();
            assert!(queued <= 131_071 / 24, "{queued}");
            for _ in 0..queued {
                take(&receiver).unwrap();
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn wait_answers_at_once_or_in_time() {
    let (sender, receiver) = pair(V4);
    assert_eq!(receiver.wait(Some(Duration::ZERO)).unwrap(), WaitEnd::TimedOut);
    let start = Instant::now();
    assert_eq!(receiver.wait(Some(Duration::from_millis(50))).unwrap(), WaitEnd::TimedOut);
    assert!(start.elapsed() >= Duration::from_millis(50));
    sender.send(b"x").unwrap();
    eventually("it is queued", || receiver.available() == Some(1));
    assert_eq!(receiver.wait(None).unwrap(), WaitEnd::Ready, "what is queued is ready");
    assert_eq!(receiver.wait(Some(Duration::MAX)).unwrap(), WaitEnd::Ready);
}

#[test]
fn a_timeout_beyond_the_clocks_range_is_none() {
    let peer = bound("127.0.0.1");
    let wait = thread::spawn({
        let peer = Arc::clone(&peer);
        move || peer.wait(Some(Duration::from_millis(u64::MAX))).unwrap()
    });
    eventually("the wait begins", || peer.waits() == 1);
    peer.interrupt_wait();
    assert_eq!(wait.join().unwrap(), WaitEnd::Interrupted);
}

#[test]
fn a_wait_that_timed_out_keeps_no_port() {
    let peer = bound("127.0.0.1");
    let same = port(&peer);
    for _ in 0..20 {
        assert_eq!(peer.wait(Some(Duration::from_millis(1))).unwrap(), WaitEnd::TimedOut);
        peer.close();
        peer.bind(same, "127.0.0.1", 0).unwrap();
    }
}

#[test]
fn a_packet_ends_a_wait() {
    for flavour in flavours() {
        let (sender, receiver) = pair(flavour);
        let wait = waiting(&receiver);
        sender.send(b"x").unwrap();
        assert_eq!(wait.join().unwrap(), WaitEnd::Ready, "{flavour:?}");
    }
}

#[test]
fn a_packet_that_another_thread_read_from_the_socket_ends_a_wait_too() {
    let (sender, receiver) = pair(V4);
    let start = Instant::now();
    for _ in 0..100 {
        let waits: Vec<_> = (0..2)
            .map(|_| {
                thread::spawn({
                    let receiver = Arc::clone(&receiver);
                    move || receiver.wait(Some(LONG)).unwrap()
                })
            })
            .collect();
        sender.send(b"x").unwrap();
        // Counting moves it from the kernel to the queue, at some moment of the others' way into their waits.
        eventually("it is queued", || receiver.available() == Some(1));
        for wait in waits {
            assert_eq!(wait.join().unwrap(), WaitEnd::Ready);
        }
        assert!(start.elapsed() < LONG, "found at the end of the time, not told");
        assert_eq!(take(&receiver).unwrap(), b"x");
    }
}

#[test]
fn close_ends_every_wait_and_frees_the_port_at_once() {
    let peer = bound("127.0.0.1");
    let same = port(&peer);
    let other = Peer::new();
    for _ in 0..200 {
        let waits: Vec<_> = (0..3).map(|_| waiting(&peer)).collect();
        peer.close();
        other.bind(same, "127.0.0.1", 0).unwrap();
        for wait in waits {
            assert_eq!(wait.join().unwrap(), WaitEnd::Closed);
        }
        other.close();
        peer.bind(same, "127.0.0.1", 0).unwrap();
    }
}

#[test]
fn no_waiter_sees_the_next_socket() {
    let peer = Peer::new();
    for _ in 0..100 {
        peer.bind(0, "127.0.0.1", 0).unwrap();
        let wait = waiting(&peer);
        peer.close();
        peer.bind(0, "127.0.0.1", 0).unwrap();
        let sender = sender_to(&peer, "127.0.0.1");
        sender.send(b"for the next").unwrap();
        assert_eq!(wait.join().unwrap(), WaitEnd::Closed);
        assert_eq!(next(&peer), b"for the next");
        peer.close();
    }
}

#[test]
fn an_interruption_ends_every_wait_or_else_the_next_one() {
    let peer = bound("127.0.0.1");
    for _ in 0..100 {
        let waits: Vec<_> = (0..4).map(|_| waiting(&peer)).collect();
        peer.interrupt_wait();
        for wait in waits {
            assert_eq!(wait.join().unwrap(), WaitEnd::Interrupted);
        }
        assert_eq!(peer.wait(Some(Duration::ZERO)).unwrap(), WaitEnd::TimedOut, "nothing is left over");
    }
    peer.interrupt_wait();
    peer.interrupt_wait();
    assert_eq!(peer.wait(None).unwrap(), WaitEnd::Interrupted);
    assert_eq!(peer.wait(Some(Duration::ZERO)).unwrap(), WaitEnd::TimedOut);
    peer.interrupt_wait();
    peer.close();
    peer.bind(0, "127.0.0.1", 0).unwrap();
    assert_eq!(peer.wait(Some(Duration::ZERO)).unwrap(), WaitEnd::TimedOut, "opening forgets it");
}

#[test]
fn no_interruption_is_lost_to_a_packet_that_comes_at_the_same_time() {
    let (sender, receiver) = pair(V4);
    let skipped = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                match receiver.wait(None).unwrap() {
                    WaitEnd::Ready => drop(receiver.take()),
                    _ => drop(skipped.fetch_add(1, Ordering::Relaxed)),
                }
            }
        });
        for interruption in 1..=2_000 {
            sender.send(b"x").unwrap();
            receiver.interrupt_wait();
            eventually("the interruption arrives", || skipped.load(Ordering::Relaxed) >= interruption);
        }
        stop.store(true, Ordering::Relaxed);
        receiver.interrupt_wait();
    });
}

#[test]
fn everything_works_while_threads_wait() {
    let peer = bound("127.0.0.1");
    let sender = sender_to(&peer, "127.0.0.1");
    let sink = bound("127.0.0.1");
    let waits: Vec<_> = (0..3).map(|_| waiting(&peer)).collect();
    let start = Instant::now();
    peer.set_destination("127.0.0.1", port(&sink)).unwrap();
    peer.set_broadcast(true).unwrap();
    assert!(peer.is_open());
    assert_eq!(peer.available(), Some(0));
    peer.send(b"x").unwrap();
    sender.send(b"wakes them").unwrap();
    eventually("it is taken", || take(&peer).is_some());
    assert!(start.elapsed() < LONG / 10, "something waited for those who wait");
    peer.close();
    for wait in waits {
        assert!(matches!(wait.join().unwrap(), WaitEnd::Ready | WaitEnd::Closed));
    }
}

#[test]
fn threads_that_share_a_peer_take_each_packet_once_and_whole() {
    const PACKETS: usize = 20_000;
    let (sender, receiver) = pair(V4);
    let seen: Vec<AtomicUsize> = (0..PACKETS).map(|_| AtomicUsize::new(0)).collect();
    let done = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while done.load(Ordering::Relaxed) < PACKETS {
                    if let Some(packet) = take(&receiver) {
                        let number = u32::from_le_bytes(packet[..4].try_into().unwrap());
                        let fill = packet[0] ^ 0x5a;
                        assert!(packet[4..].iter().all(|byte| *byte == fill), "torn");
                        assert_eq!(packet.len(), 4 + number as usize % 700);
                        seen[number as usize].fetch_add(1, Ordering::Relaxed);
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        for number in 0..PACKETS {
            // Never more on the way than queue and kernel hold.
            eventually("they keep up", || number < done.load(Ordering::Relaxed) + 50);
            let mut packet = u32::try_from(number).unwrap().to_le_bytes().to_vec();
            packet.resize(4 + number % 700, packet[0] ^ 0x5a);
            sender.send(&packet).unwrap();
        }
    });
    assert!(seen.iter().all(|times| times.load(Ordering::Relaxed) == 1));
}

#[test]
fn six_threads_may_do_anything_to_one_peer_at_once() {
    let peer = Peer::new();
    let until = Instant::now() + Duration::from_secs(1);
    thread::scope(|scope| {
        for role in 0..6 {
            let peer = &peer;
            scope.spawn(move || {
                while Instant::now() < until {
                    // What each answers depends on the others; that each answers is what is asked for here.
                    match role {
                        0 => drop(peer.bind(0, "127.0.0.1", 0)),
                        1 => peer.close(),
                        2 => drop(peer.connect("127.0.0.1", nonzero(9))),
                        3 => drop(peer.set_destination("127.0.0.1", 9).and_then(|_| peer.send(b"x"))),
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
    peer.bind(0, "127.0.0.1", 0).unwrap();
}

#[test]
fn groups_are_joined_once_and_left_once() {
    // The system's choice of an interface needs a route for multicast; loopback's own is always there.
    let interface = if cfg!(target_os = "linux") { "lo" } else { "" };
    let peer = bound("0.0.0.0");
    assert!(matches!(peer.join_group("nonsense", "").unwrap_err().reason, Reason::InvalidAddress));
    let error = peer.join_group("224.0.0.251", "no-such-if").unwrap_err();
    assert!(matches!(error.reason, Reason::UnknownInterface(_)), "{error}");
    assert!(matches!(peer.join_group("ff02::fb", "").unwrap_err().reason, Reason::WrongFamily(None)));
    assert!(matches!(peer.join_group("127.0.0.1", interface).unwrap_err().reason, Reason::Os(_)));
    peer.join_group("239.7.7.7", interface).unwrap();
    assert!(matches!(peer.join_group("239.7.7.7", interface).unwrap_err().reason, Reason::Os(_)));
    peer.leave_group("239.7.7.7", interface).unwrap();
    assert!(matches!(peer.leave_group("239.7.7.7", interface).unwrap_err().reason, Reason::Os(_)));
}

#[test]
fn a_group_opens_a_closed_peer() {
    let interface = if cfg!(target_os = "linux") { "lo" } else { "" };
    let peer = Peer::new();
    assert!(peer.join_group("nonsense", interface).is_err());
    assert!(!peer.is_open());
    peer.join_group("239.7.7.7", interface).unwrap();
    assert!(peer.is_open());
    assert_eq!(peer.available(), Some(0));
    assert_eq!(peer.stats().receive_errors, 0);
}

#[test]
fn broadcasts_are_sent_only_when_allowed() {
    if !cfg!(target_os = "linux") {
        return; // Elsewhere loopback has no broadcast address.
    }
    let receiver = bound("0.0.0.0");
    let sender = Peer::new();
    sender.set_destination("127.255.255.255", port(&receiver)).unwrap();
    assert!(matches!(sender.send(b"x").unwrap_err().reason, Reason::Os(_)));
    sender.set_broadcast(true).unwrap();
    sender.send(b"hello all").unwrap();
    assert_eq!(next(&receiver), b"hello all");
    sender.close();
    sender.send(b"still allowed").unwrap();
    assert_eq!(next(&receiver), b"still allowed");
    sender.set_broadcast(false).unwrap();
    assert!(sender.send(b"x").is_err());
}

#[test]
#[ignore = "needs an address whose packets stay in the kernel: scripts/namespace_tests.sh makes one"]
fn a_full_send_buffer_is_busy_not_a_hang() {
    let unanswered = std::env::var("UNANSWERED_ADDRESS").unwrap();
    let peer = Peer::new();
    peer.set_destination(&unanswered, 9).unwrap();
    let start = Instant::now();
    let error = (0..10_000).find_map(|_| peer.send(&[0; 1_200]).err()).unwrap();
    assert!(matches!(error.reason, Reason::Busy(_)), "{error}");
    assert_ne!(error.os_code(), 0);
    assert!(start.elapsed() < LONG / 5, "sending blocked");
    assert!(peer.last_error().message.contains("full"));
}

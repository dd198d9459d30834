//! A server and its peers; each polled and in the background where that makes a difference. What is told here in the words of
//! the engine's `UDPServer` is compared with it by the test scenes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::cast_possible_truncation, reason = "small numbers")]

use std::collections::HashSet;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

mod common;

use common::{Flavour, LONG, V4, bound, eventually, flavours, next, nonzero, port, size, take, waiting};
use packet_peer_udp_core::{
    DestinationChange, OverflowPolicy, Peer, Reason, Server, WaitEnd, clock_nsec, take_pending_signals,
};
use parking_lot::Mutex;

/// There is one background thread per process: tests that tell its news take turns.
static ALONE: Mutex<()> = Mutex::new(());

const MODES: [bool; 2] = [false, true];

/// How often a client sends in the longer tests. (Windows' tests run under wine, which takes its time.)
const MANY: u32 = if cfg!(windows) { 200 } else { 2_000 };

fn listening(flavour: Flavour, in_background: bool) -> Server {
    let server = Server::default();
    server.listen(0, flavour.bind).unwrap();
    server.set_background_receive(in_background).unwrap();
    server
}

fn server_port(server: &Server) -> u16 {
    server.local_addr().unwrap().port()
}

/// Somebody who sends to the server.
fn client(server: &Server, flavour: Flavour) -> Arc<Peer> {
    let client = Peer::new();
    client.set_destination(flavour.reach, server_port(server)).unwrap();
    client
}

/// Polls until there is somebody to take.
fn taken(server: &Server) -> Arc<Peer> {
    let mut peer = None;
    eventually("somebody is pending", || {
        server.poll().unwrap();
        peer = server.accept();
        peer.is_some()
    });
    peer.unwrap()
}

/// A client and its peer, both sides having heard of each other.
fn joined(server: &Server, flavour: Flavour) -> (Arc<Peer>, Arc<Peer>) {
    let client = client(server, flavour);
    client.send(b"hello").unwrap();
    let peer = taken(server);
    assert_eq!(take(&peer).unwrap(), b"hello");
    assert_eq!(peer.last_taken().unwrap().sender().port(), client.local_addr().unwrap().port());
    (client, peer)
}

/// Polls until the peer has so many packets.
fn arrived(server: &Server, peer: &Peer, count: usize) {
    eventually("all have arrived", || {
        server.poll().unwrap();
        peer.available() == Some(count)
    });
}

fn is_refused_as_accepted<T: std::fmt::Debug>(result: packet_peer_udp_core::Result<T>) -> bool {
    matches!(result.unwrap_err().reason, Reason::Accepted)
}

#[test]
fn who_sends_is_pending_and_what_they_have_sent_waits_in_order() {
    for in_background in MODES {
        for flavour in flavours() {
            let server = listening(flavour, in_background);
            let client = client(&server, flavour);
            for payload in [b"one".as_slice(), b"two", b"three"] {
                client.send(payload).unwrap();
            }
            assert!(in_background || server.accept().is_none(), "nobody has polled");
            eventually("somebody is pending", || server.poll().is_ok() && server.has_pending());
            let peer = server.accept().unwrap();
            assert_eq!(packet_peer_udp_core::format_address(peer.last_taken().unwrap().sender()), flavour.written);
            assert_eq!(peer.last_taken().unwrap().sender().port(), port(&client));
            assert!(peer.is_open() && peer.is_connected() && peer.is_accepted());
            assert_eq!(port(&peer), server_port(&server));
            arrived(&server, &peer, 3);
            assert_eq!([(); 3].map(|()| take(&peer).unwrap()), [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
            assert_eq!(take(&peer), None);
            peer.send(b"back").unwrap();
            assert_eq!(next(&client), b"back");
            assert_eq!(client.last_taken().unwrap().sender().port(), server_port(&server));
            assert_eq!(server.peers(), 1);
        }
    }
}

#[test]
fn a_peer_does_not_read_the_socket_unless_it_waits() {
    let server = listening(V4, false);
    let (client, peer) = joined(&server, V4);
    client.send(b"x").unwrap();
    assert_eq!(peer.available(), Some(0));
    assert_eq!(peer.wait(Some(LONG)).unwrap(), WaitEnd::Ready);
    assert_eq!(peer.available(), Some(1));
}

#[test]
fn a_waiting_peer_reads_for_all_and_wakes_for_its_own() {
    for in_background in MODES {
        let server = listening(V4, in_background);
        let pairs: Vec<_> = (0..4).map(|_| joined(&server, V4)).collect();
        let (first, others) = pairs.split_first().unwrap();
        let handle = waiting(&first.1);
        let more = waiting(&others[0].1);
        for (client, _) in &others[1..] {
            client.send(b"for another").unwrap();
        }
        eventually("the others have theirs", || others[1..].iter().all(|(_, peer)| peer.available() == Some(1)));
        assert!(!handle.is_finished() && !more.is_finished());
        first.0.send(b"for the first").unwrap();
        assert_eq!(handle.join().unwrap(), WaitEnd::Ready);
        others[0].0.send(b"for the second").unwrap();
        assert_eq!(more.join().unwrap(), WaitEnd::Ready);
        let stranger = client(&server, V4);
        stranger.send(b"hello").unwrap();
        eventually("a stranger is heard by one who waits", || {
            assert!(take(&first.1).is_none_or(|packet| packet == b"for the first"));
            assert_eq!(first.1.wait(Some(Duration::from_millis(1))).unwrap(), WaitEnd::TimedOut);
            server.has_pending()
        });
    }
}

#[test]
fn whatever_ends_a_wait_of_a_peer_says_so() {
    for in_background in MODES {
        let server = listening(V4, in_background);
        let (_client, peer) = joined(&server, V4);
        let (_other_client, other) = joined(&server, V4);
        assert_eq!(peer.wait(Some(Duration::ZERO)).unwrap(), WaitEnd::TimedOut);
        assert_eq!(peer.wait(Some(Duration::from_millis(5))).unwrap(), WaitEnd::TimedOut);

        let (one, two) = (waiting(&peer), waiting(&other));
        peer.interrupt_wait();
        assert_eq!(one.join().unwrap(), WaitEnd::Interrupted);
        peer.interrupt_wait();
        assert_eq!(peer.wait(Some(LONG)).unwrap(), WaitEnd::Interrupted, "none is lost");
        assert!(!two.is_finished(), "it is nobody else's");

        let one = waiting(&peer);
        peer.close();
        assert_eq!(one.join().unwrap(), WaitEnd::Closed);
        assert!(matches!(peer.wait(None).unwrap_err().reason, Reason::NotOpen));
        assert!(!two.is_finished());

        let (_client, again) = joined(&server, V4);
        let one = waiting(&again);
        server.stop();
        assert_eq!([one, two].map(|handle| handle.join().unwrap()), [WaitEnd::Closed; 2]);
        assert_eq!(server.waits(), 0);
    }
}

#[test]
fn waits_go_on_when_receiving_goes_to_the_background_and_back() {
    let server = listening(V4, false);
    let (client, peer) = joined(&server, V4);
    for in_background in [true, false] {
        let handle = waiting(&peer);
        server.set_background_receive(in_background).unwrap();
        client.send(b"x").unwrap();
        assert_eq!(handle.join().unwrap(), WaitEnd::Ready);
        assert_eq!(take(&peer).unwrap(), b"x");
    }
}

#[test]
fn what_is_the_servers_a_peer_does_not_change() {
    let server = listening(V4, false);
    let (client, peer) = joined(&server, V4);
    assert!(matches!(peer.bind(0, "*", 0).unwrap_err().reason, Reason::AlreadyOpen));
    assert!(is_refused_as_accepted(peer.connect("127.0.0.1", nonzero(1))));
    assert!(is_refused_as_accepted(peer.connect("not an address", nonzero(1))));
    assert!(is_refused_as_accepted(peer.connect_async("127.0.0.1", nonzero(1))));
    assert!(is_refused_as_accepted(peer.join_group("239.1.2.3", "")));
    assert!(is_refused_as_accepted(peer.leave_group("239.1.2.3", "")));
    assert!(is_refused_as_accepted(peer.send_to(b"x", "127.0.0.1", 1)));
    assert!(is_refused_as_accepted(peer.send_broadcast(b"x", nonzero(1))));
    assert!(is_refused_as_accepted(peer.set_broadcast(true)));
    assert!(is_refused_as_accepted(peer.set_background_receive(true)));
    assert!(is_refused_as_accepted(peer.set_receive_buffer_size(1)));
    assert!(is_refused_as_accepted(peer.set_send_buffer_size(1)));
    assert_eq!(peer.set_destination("127.0.0.1", 1).unwrap(), DestinationChange::Connected);
    server.set_background_receive(true).unwrap();
    assert!(peer.background_receive(), "it tells the server's");
    assert_eq!(peer.receive_buffer_size(), server.receive_buffer_size());
    assert!(peer.option(|options| options.reuse_address));
    peer.send(b"as before").unwrap();
    assert_eq!(next(&client), b"as before");
}

#[test]
fn a_closed_peer_is_a_peer_like_any_and_its_client_a_stranger() {
    for in_background in MODES {
        let server = listening(V4, in_background);
        let (client, peer) = joined(&server, V4);
        client.send(b"lost").unwrap();
        arrived(&server, &peer, 1);
        peer.close();
        assert_eq!((peer.is_open(), peer.is_connected(), peer.is_accepted()), (false, false, false));
        assert_eq!((peer.available(), server.peers()), (None, 0));
        assert!(!peer.background_receive() && !peer.option(|options| options.reuse_address));

        client.send(b"again").unwrap();
        let anew = taken(&server);
        assert_eq!(take(&anew).unwrap(), b"again");
        // The old one is nothing to the server, nor is it to the new one.
        peer.close();
        assert_eq!(server.peers(), 1);

        // It has kept its destination.
        peer.send(b"from elsewhere").unwrap();
        assert_eq!(next(&client), b"from elsewhere");
        assert_ne!(client.last_taken().unwrap().sender().port(), server_port(&server));
        assert!(peer.is_open() && !peer.is_connected());
        client.send_to(b"there", "127.0.0.1", port(&peer)).unwrap();
        assert_eq!(next(&peer), b"there");
    }
}

#[test]
fn stopping_closes_all_and_frees_the_port() {
    for in_background in MODES {
        let server = listening(V4, in_background);
        let (client, peer) = joined(&server, V4);
        let stranger = crate::client(&server, V4);
        stranger.send(b"hello").unwrap();
        eventually("a stranger is pending", || server.poll().is_ok() && server.has_pending());
        client.send(b"unread").unwrap();
        arrived(&server, &peer, 1);
        let at = server_port(&server);
        server.stop();
        server.stop();
        assert!(!server.is_listening() && !server.has_pending() && server.accept().is_none());
        assert!(matches!(server.poll().unwrap_err().reason, Reason::NotOpen));
        assert_eq!((peer.is_open(), peer.available(), server.peers()), (false, None, 0));
        assert!(peer.last_error().message.contains("the server was stopped"), "{:?}", peer.last_error());
        // As a socket that shares it with nobody.
        let other = Peer::new();
        other.bind(at, "127.0.0.1", 0).unwrap();
        other.close();

        server.listen(at, "127.0.0.1").unwrap();
        client.send(b"after").unwrap();
        let anew = taken(&server);
        assert_eq!(take(&anew).unwrap(), b"after");
        assert!(!peer.is_open());
    }
}

#[test]
fn a_server_and_its_peers_may_go_in_any_order() {
    for in_background in MODES {
        let server = listening(V4, in_background);
        let (_client, peer) = joined(&server, V4);
        let weak = Arc::downgrade(&peer);
        drop(server);
        assert!(!peer.is_open());
        drop(peer);
        assert!(weak.upgrade().is_none(), "nobody holds it any more");

        let server = listening(V4, in_background);
        let (client, peer) = joined(&server, V4);
        let weak = Arc::downgrade(&peer);
        peer.close();
        drop(peer);
        eventually("the background thread lets go of it", || weak.upgrade().is_none());
        client.send(b"hello").unwrap();
        drop(taken(&server));
    }
}

#[test]
fn strangers_who_are_too_many_are_dropped_and_counted() {
    for in_background in MODES {
        let server = listening(V4, in_background);
        let (client, peer) = joined(&server, V4);
        server.set_max_pending(3);
        let strangers: Vec<_> = (0..50).map(|_| crate::client(&server, V4)).collect();
        for stranger in &strangers {
            stranger.send(b"one").unwrap();
            stranger.send(b"two").unwrap();
        }
        eventually("all are read", || {
            server.poll().unwrap();
            server.stats().packets_dropped_pending == 2 * 47
        });
        client.send(b"still here").unwrap();
        arrived(&server, &peer, 1);
        assert_eq!(server.stats().all.packets_received, 1 + 2 * 3 + 1);
        server.set_max_pending(1);
        assert_eq!(server.stats().packets_dropped_pending, 2 * 49);
        assert_eq!(server.stats().all.packets_received, 1 + 2 + 1);
        let first = taken(&server);
        assert_eq!(first.last_taken().unwrap().sender().port(), port(&strangers[0]));
        assert!(server.accept().is_none());
        strangers[7].send(b"once more").unwrap();
        let another = taken(&server);
        assert_eq!(take(&another).unwrap(), b"once more");
        assert_eq!(server.peers(), 3);
        drop(another);
        assert_eq!(server.peers(), 2, "a peer that is dropped leaves the server");
        assert_eq!(server.max_pending(), 1);
    }
}

#[test]
fn a_peer_whose_queue_is_full_loses_what_is_too_much_and_nobody_else_does() {
    for in_background in MODES {
        let server = listening(V4, in_background);
        let (greedy, its_peer) = joined(&server, V4);
        let (client, peer) = joined(&server, V4);
        for _ in 0..100 {
            greedy.send(&[7; 1_000]).unwrap();
            server.poll().unwrap();
        }
        client.send(b"for me").unwrap();
        arrived(&server, &peer, 1);
        assert_eq!(its_peer.available(), Some(63), "as in the engine");
        assert_eq!(its_peer.stats().packets_dropped_queue, 37);
        assert_eq!(server.stats().all.packets_dropped_queue, 37);
        assert_eq!(server.stats().all.packets_received, 2 + 63 + 1);

        its_peer.set_overflow_policy(OverflowPolicy::DropOldest);
        for _ in 0..10 {
            greedy.send(&[8; 1_000]).unwrap();
        }
        eventually("the oldest have made room", || {
            server.poll().unwrap();
            its_peer.stats().packets_dropped_queue == 47
        });
        let stats = server.stats().all;
        assert_eq!((stats.packets_received, stats.packets_dropped_queue), (2 + 63 + 1, 47));
    }
}

#[test]
fn statistics_are_those_of_all_peers_together_also_when_they_are_gone() {
    let server = listening(V4, false);
    let pairs: Vec<_> = (0..3).map(|_| joined(&server, V4)).collect();
    for (index, (client, peer)) in pairs.iter().enumerate() {
        peer.send_segmented(&vec![0; 100 * (index + 1)], size(100)).unwrap();
        peer.send(b"x").unwrap();
        client.send(b"four").unwrap();
        arrived(&server, peer, 1);
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

#[test]
fn in_the_background_polling_asks_the_system_for_nothing() {
    let server = listening(V4, true);
    let (client, peer) = joined(&server, V4);
    server.set_peer_timeout_msec(60_000);
    client.send(b"x").unwrap();
    eventually("it arrives by itself", || peer.available() == Some(1));
    let before = server.stats().all.receive_syscalls;
    (0..100).for_each(|_| server.poll().unwrap());
    assert_eq!(server.stats().all.receive_syscalls, before);
}

#[test]
fn datagrams_that_the_kernel_has_joined_are_one_peers_all() {
    for in_background in MODES {
        for flavour in flavours() {
            let server = listening(flavour, in_background);
            let pairs: Vec<_> = (0..3).map(|_| joined(&server, flavour)).collect();
            for (mark, (client, _)) in pairs.iter().enumerate() {
                let data: Vec<u8> = (0..30_u8).flat_map(|number| [[mark as u8, number]; 50].concat()).collect();
                assert_eq!(client.send_segmented(&data, size(100)).unwrap(), 30);
            }
            for (mark, (_, peer)) in pairs.iter().enumerate() {
                arrived(&server, peer, 30);
                for number in 0..30 {
                    assert_eq!(take(peer).unwrap(), [[mark as u8, number]; 50].concat());
                }
            }
        }
    }
}

/// Clients that send numbered packets from a thread of their own, and a check that each peer gets its own in order, until it
/// has them all; `meanwhile` runs until then.
fn crowd(server: &Server, clients: u32, meanwhile: impl Fn() + Sync) {
    const AHEAD: usize = 100;
    let pairs: Vec<_> = (0..clients).map(|_| joined(server, V4)).collect();
    let (got, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut sent = 0;
            for number in 0..MANY {
                for (client, _) in &pairs {
                    client.send(&number.to_le_bytes()).unwrap();
                    sent += 1;
                    eventually("the server keeps up", || sent < got.load(Ordering::Relaxed) + AHEAD);
                }
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                meanwhile();
            }
        });
        let mut expected = vec![0; pairs.len()];
        eventually("all have come", || {
            server.poll().unwrap();
            for (expected, (_, peer)) in expected.iter_mut().zip(&pairs) {
                while let Some(packet) = take(peer) {
                    assert_eq!(packet, u32::to_le_bytes(*expected));
                    *expected += 1;
                    got.fetch_add(1, Ordering::Relaxed);
                }
            }
            expected.iter().all(|number| *number == MANY)
        });
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_crowd_is_told_apart_and_loses_nothing() {
    for in_background in MODES {
        crowd(&listening(V4, in_background), 20, thread::yield_now);
    }
}

#[test]
fn going_to_the_background_and_back_under_traffic_loses_and_reorders_nothing() {
    let server = listening(V4, false);
    let on = AtomicBool::new(false);
    crowd(&server, 5, || {
        server.set_background_receive(!on.fetch_xor(true, Ordering::Relaxed)).unwrap();
        thread::yield_now();
    });
}

#[test]
fn strangers_and_those_who_leave_do_not_disturb_a_crowd() {
    for in_background in MODES {
        let server = listening(V4, in_background);
        let hermit = bound("127.0.0.1");
        crowd(&server, 5, || {
            hermit.send_to(b"hello", "127.0.0.1", server_port(&server)).unwrap();
            if let Some(peer) = server.accept() {
                peer.close();
            }
            thread::yield_now();
        });
    }
}

#[test]
fn who_is_silent_for_too_long_is_closed_and_new_when_heard_again() {
    for in_background in MODES {
        let server = listening(V4, in_background);
        let (client, peer) = joined(&server, V4);
        let (alive, its_peer) = joined(&server, V4);
        server.set_peer_timeout_msec(300);
        let begun = clock_nsec();
        eventually("the silent one is closed", || {
            alive.send(b"here").unwrap();
            thread::sleep(Duration::from_millis(2));
            // In the background, no call is needed for it.
            if !in_background {
                server.poll().unwrap();
            }
            while take(&its_peer).is_some() {}
            !peer.is_open()
        });
        assert!(clock_nsec() - begun > 200_000_000);
        assert_eq!(peer.available(), None);
        assert!(peer.last_error().message.contains("was silent for 300 ms"), "{:?}", peer.last_error());
        // Who does not notice opens no socket by sending on.
        assert!(matches!(peer.send(b"still there?").unwrap_err().reason, Reason::NoDestination));
        assert!(!peer.is_open());
        assert!(its_peer.is_open());
        assert_eq!(server.peers(), 1);
        client.send(b"back").unwrap();
        assert_eq!(take(&taken(&server)).unwrap(), b"back");
        assert_eq!(server.peer_timeout_msec(), 300);
    }
}

#[test]
fn packets_that_wait_to_be_read_are_no_silence() {
    let server = listening(V4, false);
    let (client, peer) = joined(&server, V4);
    let (_, silent) = joined(&server, V4);
    server.set_peer_timeout_msec(200);
    let start = clock_nsec();
    // Nobody polls for longer than the time, while it goes on sending.
    while clock_nsec() - start < 400_000_000 {
        client.send(b"x").unwrap();
        assert!(peer.is_open());
        thread::sleep(Duration::from_millis(10));
    }
    server.poll().unwrap();
    assert!(peer.is_open() && !silent.is_open());
}

#[test]
fn in_the_background_peers_that_have_a_name_are_news() {
    let _alone = ALONE.lock();
    let server = listening(V4, false);
    let (client, peer) = joined(&server, V4);
    peer.enable_signals(71);
    client.send(b"one").unwrap();
    arrived(&server, &peer, 1);
    assert!(!take_pending_signals().contains(&71), "polled, nobody is told");
    server.set_background_receive(true).unwrap();
    assert!(take_pending_signals().contains(&71), "what is queued already is told");
    assert_eq!(peer.take_pending_signal(), Some(1));
    client.send(b"two").unwrap();
    eventually("the next is told as well", || take_pending_signals().contains(&71));
    assert_eq!(peer.take_pending_signal(), Some(2));
    assert_eq!(peer.take_pending_signal(), None);
    let (other, its_peer) = joined(&server, V4);
    other.send(b"x").unwrap();
    eventually("it has come", || its_peer.available() == Some(1));
    its_peer.enable_signals(72);
    its_peer.mark_queued();
    assert!(take_pending_signals().contains(&72));
}

#[test]
fn a_server_shares_its_port_unless_told_otherwise_and_none_gets_one_by_chance() {
    let server = listening(V4, false);
    let at = server_port(&server);
    let alone = Peer::new();
    assert!(alone.bind(at, "127.0.0.1", 0).is_err());
    let second = Server::default();
    second.listen(at, "127.0.0.1").unwrap();
    second.stop();
    // (Where it is not known what else could be done, a system may choose a port that is shared.)
    if cfg!(target_os = "linux") {
        let all: Vec<_> = (0..500).map(|_| listening(V4, false)).collect();
        let ports: HashSet<_> = all.iter().map(server_port).collect();
        assert_eq!(ports.len(), all.len());
    }
    assert!(server.listen(0, "127.0.0.1").is_err(), "it listens already");
    assert_eq!(server_port(&server), at);
}

#[test]
fn threads_that_do_everything_at_once_come_to_an_end() {
    let rounds = if cfg!(windows) { 20 } else { 200 };
    let server = listening(V4, false);
    let at = server.local_addr().unwrap();
    let done = AtomicBool::new(false);
    let peers = Mutex::new(Vec::new());
    let go_on = |work: &(dyn Fn() + Sync)| {
        while !done.load(Ordering::Relaxed) {
            work();
            thread::yield_now();
        }
    };
    let sender = || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let _ = socket.send_to(b"hello", at);
        let _ = socket.send_to(b"again", at);
    };
    let poller = || {
        let _ = server.poll();
        if let Some(peer) = server.accept() {
            let _ = peer.send(b"welcome");
            peers.lock().push(peer);
        }
    };
    let waiter = || {
        let last = peers.lock().last().cloned();
        if let Some(peer) = last {
            let _ = peer.wait(Some(Duration::from_millis(2)));
            let _ = peer.take();
        }
    };
    let closer = || {
        let peer = peers.lock().pop();
        if let Some(peer) = peer {
            peer.interrupt_wait();
            peer.close();
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| go_on(&sender));
        scope.spawn(|| go_on(&poller));
        scope.spawn(|| go_on(&poller));
        scope.spawn(|| go_on(&waiter));
        scope.spawn(|| go_on(&waiter));
        scope.spawn(|| go_on(&closer));
        for round in 0..rounds {
            server.set_background_receive(round % 2 == 0).unwrap();
            server.set_max_pending(round % 5);
            server.set_peer_timeout_msec(round % 3);
            thread::sleep(Duration::from_millis(2));
            if round % 10 == 9 {
                server.stop();
                // Another test's socket may have been given the port meanwhile.
                eventually("the port is free", || server.listen(at.port(), "127.0.0.1").is_ok());
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    server.stop();
    assert_eq!((server.peers(), server.waits()), (0, 0));
    assert!(peers.lock().iter().all(|peer| !peer.is_accepted()));
}

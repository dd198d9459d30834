//! What may happen between the steps of a close, a stop or an accept while another thread calls. Each test repeats a race for some
//! rounds; the faults that these tests were written for showed within the first few dozen. The tests take turns, because some bind
//! a port again that was free for a moment, which another test could have got from the system.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

mod common;

use common::{LONG, SetOnDrop, bound, eventually, port};
use packet_peer_udp_core::{OverflowPolicy, Peer, Server, ServerStats, SocketOption, WaitEnd, begin_frame};

const ROUNDS: usize = if cfg!(windows) { 5 } else { 100 };

/// Enough peers that stopping their server takes a moment.
const PEERS: usize = if cfg!(windows) { 20 } else { 200 };

static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn server_port(server: &Server) -> u16 {
    server.local_addr().unwrap().port()
}

fn send_to_server(client: &UdpSocket, server: &Server) {
    client.send_to(b"hello", ("127.0.0.1", server_port(server))).unwrap();
}

fn client() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

fn listening() -> Arc<Server> {
    let server = Server::default();
    server.set_option(SocketOption::ReuseAddress(false)).unwrap();
    server.listen(0, "127.0.0.1").unwrap();
    Arc::new(server)
}

/// Clients, and their accepted peers.
fn accepted(server: &Server, count: usize) -> Vec<(UdpSocket, Arc<Peer>)> {
    let accept_one = |_| {
        let client = client();
        send_to_server(&client, server);
        let mut peer = None;
        eventually("the client is accepted", || {
            server.poll().unwrap();
            peer = server.accept();
            peer.is_some()
        });
        let peer = peer.unwrap();
        while peer.take().unwrap().is_some() {}
        (client, peer)
    };
    (0..count).map(accept_one).collect()
}

/// Starts a thread that stops the server; returns when the server listens no more, while the thread may be at work still.
fn stopping(server: &Arc<Server>) -> thread::JoinHandle<()> {
    let other = Arc::clone(server);
    let stopping = thread::spawn(move || other.stop());
    while server.is_listening() {
        thread::yield_now();
    }
    stopping
}

#[test]
fn a_stop_during_another_returns_when_the_port_is_free_and_all_peers_are_closed() {
    let _turn = turn();
    for _ in 0..=ROUNDS / 10 {
        let server = listening();
        let at = server_port(&server);
        let peers = accepted(&server, PEERS);
        let stopping = stopping(&server);
        server.stop();
        assert!(peers.iter().all(|(_, peer)| !peer.is_open()));
        server.listen(at, "127.0.0.1").unwrap();
        stopping.join().unwrap();
        send_to_server(&client(), &server);
        eventually("a new client is let in", || {
            server.poll().unwrap();
            server.has_pending()
        });
    }
}

#[test]
fn a_server_that_listens_again_while_it_is_stopped_lets_clients_in() {
    let _turn = turn();
    let done = AtomicBool::new(false);
    for _ in 0..=ROUNDS / 5 {
        let server = listening();
        server.set_background_receive(true).unwrap();
        server.set_peer_timeout_msec(60_000);
        done.store(false, Ordering::Relaxed);
        thread::scope(|scope| {
            // These hold the table and the timer, so that the stop is slow.
            for _ in 0..4 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        server.set_peer_timeout_msec(60_000);
                        let _ = server.stats();
                    }
                });
            }
            let stopping = stopping(&server);
            server.listen(0, "127.0.0.1").unwrap();
            stopping.join().unwrap();
            done.store(true, Ordering::Relaxed);
        });
        send_to_server(&client(), &server);
        eventually("a new client is let in", || server.has_pending());
    }
}

#[test]
fn a_peer_that_is_bound_while_another_thread_closes_it_gets_its_port_again() {
    let _turn = turn();
    for _ in 0..ROUNDS * 10 {
        let peer = bound("127.0.0.1");
        let at = port(&peer);
        let other = Arc::clone(&peer);
        let closing = thread::spawn(move || other.close());
        while peer.is_open() {
            thread::yield_now();
        }
        peer.bind(at, "127.0.0.1", 0).unwrap();
        closing.join().unwrap();
    }
}

/// Closes a peer again and again that is flooded and read by another thread; it must yield no packet then.
fn closed_peer_is_empty(peer: &Peer, rounds: usize) {
    peer.bind(0, "127.0.0.1", 65_536).unwrap();
    let at = port(peer);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let socket = client();
            while !done.load(Ordering::Relaxed) {
                let _ = socket.send_to(&[7; 200], ("127.0.0.1", at));
            }
        });
        for _ in 0..rounds {
            thread::sleep(Duration::from_micros(300));
            peer.close();
            let taken = peer.take();
            // Another program may have taken the port meanwhile; then there is nothing to flood.
            let bound = peer.bind(at, "127.0.0.1", 65_536);
            if taken.is_ok() || bound.is_err() {
                done.store(true, Ordering::Relaxed);
                assert!(taken.is_err(), "a closed peer has a packet");
                return;
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_peer_that_is_closed_while_the_background_reads_is_empty() {
    let _turn = turn();
    let peer = Peer::new();
    peer.set_background_receive(true).unwrap();
    closed_peer_is_empty(&peer, ROUNDS * 5);
}

#[test]
fn a_peer_that_is_closed_while_a_waiting_thread_reads_is_empty() {
    let _turn = turn();
    let peer = Peer::new();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let _ = peer.wait(Some(Duration::from_millis(5)));
                // It takes nothing: that could come between the close and the look of the other thread.
            }
        });
        closed_peer_is_empty(&peer, ROUNDS * 5);
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn closing_an_accepted_peer_ends_a_wait_that_is_just_beginning() {
    let _turn = turn();
    let server = listening();
    for round in 0..ROUNDS * 5 {
        let (_client, peer) = accepted(&server, 1).remove(0);
        let start = Barrier::new(2);
        thread::scope(|scope| {
            let wait = scope.spawn(|| {
                start.wait();
                peer.wait(Some(LONG))
            });
            start.wait();
            for _ in 0..round % 60 {
                thread::yield_now();
            }
            peer.close();
            // Closed before the wait began, or during the wait.
            assert_ne!(wait.join().unwrap().unwrap_or(WaitEnd::Closed), WaitEnd::TimedOut, "round {round}");
        });
    }
}

#[test]
fn a_peer_that_is_accepted_while_the_server_is_stopped_and_listens_again_is_open_or_gone() {
    let _turn = turn();
    let server = listening();
    server.set_background_receive(true).unwrap();
    let done = AtomicBool::new(false);
    let (accepted, received) = mpsc::channel::<Arc<Peer>>();
    thread::scope(|scope| {
        for _ in 0..4 {
            let (accepted, server, done) = (accepted.clone(), &server, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    if let Some(peer) = server.accept() {
                        accepted.send(peer).unwrap();
                    }
                }
            });
        }
        let client = client();
        for _ in 0..ROUNDS * 2 {
            server.stop();
            server.listen(0, "127.0.0.1").unwrap();
            send_to_server(&client, &server);
            let peer = received.recv_timeout(LONG);
            if !peer.as_ref().is_ok_and(|peer| peer.is_open()) {
                done.store(true, Ordering::Relaxed);
                panic!("accepted: {peer:?}");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_peer_that_is_bound_again_while_its_server_stops_stays_open() {
    let _turn = turn();
    for _ in 0..=ROUNDS / 20 {
        let server = listening();
        let peers = accepted(&server, PEERS);
        let other = Arc::clone(&server);
        let stopping = thread::spawn(move || other.stop());
        while server.peers() > 0 {
            thread::yield_now();
        }
        for (_, peer) in &peers {
            peer.close();
            peer.bind(0, "127.0.0.1", 0).unwrap();
        }
        stopping.join().unwrap();
        for (client, peer) in &peers {
            client.send_to(b"x", ("127.0.0.1", port(peer))).unwrap();
            assert_eq!(peer.wait(Some(LONG)).unwrap(), WaitEnd::Ready);
            assert!(peer.take().unwrap().is_some());
        }
    }
}

#[test]
fn a_packet_that_comes_while_its_peer_is_closed_or_pending_is_counted_once() {
    let _turn = turn();
    let server = listening();
    server.set_background_receive(true).unwrap();
    let sent = ROUNDS * 200;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _done = SetOnDrop(&done);
        // Accepts and closes, so that every packet may meet a peer in any state.
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    begin_frame();
                    if let Some(peer) = server.accept() {
                        thread::yield_now();
                        peer.close();
                    }
                }
            });
        }
        scope.spawn(|| {
            for round in 0.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                server.set_max_pending(round % 5);
                server.set_queue_size(200 + 50 * usize::try_from(round % 7).unwrap());
                thread::sleep(Duration::from_micros(100));
            }
        });
        let counted = || {
            let stats = server.stats();
            let all = stats.all;
            all.packets_received
                + all.packets_dropped_queue
                + all.packets_dropped_kernel
                + stats.packets_dropped_pending
        };
        let clients: Vec<_> = (0..8).map(|_| client()).collect();
        for number in 0..sent {
            send_to_server(&clients[number * 5 % 8], &server);
        }
        eventually("every packet is counted", || counted() >= sent as u64);
        done.store(true, Ordering::Relaxed);
        assert_eq!(counted(), sent as u64);
    });
    let stats = server.stats();
    assert!(stats.all.packets_received <= sent as u64 && stats.all.bytes_received == stats.all.packets_received * 5);
}

#[test]
fn counters_that_are_reset_in_the_middle_of_anything_count_what_comes_after() {
    let _turn = turn();
    let server = listening();
    server.set_background_receive(true).unwrap();
    let pairs = accepted(&server, 4);
    server.set_queue_size(150);
    let sent = ROUNDS * 300;
    let limit = 2 * sent as u64;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _done = SetOnDrop(&done);
        scope.spawn(|| {
            for number in 0..sent {
                send_to_server(&pairs[number % 4].0, &server);
            }
            done.store(true, Ordering::Relaxed);
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for (index, (_, peer)) in pairs.iter().enumerate() {
                    let _ = peer.take();
                    let is_even = index.is_multiple_of(2);
                    peer.set_overflow_policy(if is_even {
                        OverflowPolicy::DropOldest
                    } else {
                        OverflowPolicy::DropNewest
                    });
                    peer.reset_stats();
                }
            }
        });
        while !done.load(Ordering::Relaxed) {
            server.reset_stats();
            let ServerStats { all, packets_dropped_pending } = server.stats();
            let of_peers = pairs.iter().map(|(_, peer)| peer.stats()).chain([all]);
            for stats in of_peers {
                let counts =
                    [stats.packets_received, stats.packets_dropped_queue, stats.bytes_received, stats.receive_syscalls];
                assert!(counts.iter().all(|count| *count <= 5 * limit), "{stats:?}");
            }
            assert_eq!(packets_dropped_pending, 0);
        }
    });
    // What is queued now was received before the reset, and is dropped after it.
    let is_read = || server.stats().all.receive_syscalls;
    eventually("all is read", || {
        let before = is_read();
        thread::sleep(Duration::from_millis(10));
        before == is_read()
    });
    let queued: usize = pairs.iter().map(|(_, peer)| peer.available().unwrap()).sum();
    server.reset_stats();
    assert_eq!(server.stats(), ServerStats::default());
    server.set_queue_size(1);
    let left: usize = pairs.iter().map(|(_, peer)| peer.available().unwrap()).sum();
    let all = server.stats().all;
    assert_eq!((all.packets_received, all.bytes_received), (0, 0));
    assert_eq!(all.packets_dropped_queue, (queued - left) as u64);
}

#[test]
fn a_peer_that_is_opened_while_another_thread_closes_it_gets_nothing_of_the_socket_before() {
    let _turn = turn();
    for round in 0..ROUNDS / 2 {
        let peer = bound("127.0.0.1");
        peer.set_background_receive(round % 2 == 0).unwrap();
        let at = port(&peer);
        let sink = client();
        let to = std::num::NonZeroU16::new(sink.local_addr().unwrap().port()).unwrap();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let _done = SetOnDrop(&done);
            // Packets of the size at which delivering takes longest.
            scope.spawn(|| {
                let client = client();
                while !done.load(Ordering::Relaxed) {
                    let _ = client.send_to(&[0; 9_000], ("127.0.0.1", at));
                }
            });
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let _ = peer.wait(Some(Duration::from_millis(1)));
                }
            });
            eventually("packets arrive", || peer.stats().packets_received > 0);
            scope.spawn(|| peer.close());
            while peer.is_open() {
                thread::yield_now();
            }
            if round % 4 < 2 {
                peer.send_to(b"x", "127.0.0.1", to.get()).unwrap();
            } else {
                peer.connect("127.0.0.1", to).unwrap();
            }
            // The system may have given it the same port again.
            if port(&peer) != at {
                let queued = peer.stats().packets_received;
                thread::sleep(Duration::from_millis(2));
                peer.reset_stats();
                assert!(peer.available().is_none_or(|count| count == 0), "round {round}: {queued} before");
            }
        });
    }
}

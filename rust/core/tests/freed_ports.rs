//! The port of a closed peer or a stopped server is free at once, whatever was going on. Here, and nowhere else, tests bind a port
//! again that was free for a moment. So that no other socket of this process gets it in between, the tests take turns; a socket of
//! another process is given just that port once in some ten thousand times.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

#[macro_use]
mod common;

use common::{
    Kind, LONG, Mode, SetOnDrop, Setup, Waiting, accept, eventually, join, port, server_port, several_waiting, take,
    waiting,
};
use packet_peer_udp_core::{Operation, Peer, WaitEnd};
use parking_lot::Mutex;

static TURNS: Mutex<()> = Mutex::new(());

/// Binds a port that has just been freed.
fn bind_again(peer: &Peer, at: u16, setup: Setup) {
    peer.bind(at, setup.family.bind, 0).unwrap_or_else(|error| panic!("port {at} is not free: {error}"));
}

for_own_sockets!(a_port_is_free_at_once_after_each_way_of_receiving);
fn a_port_is_free_at_once_after_each_way_of_receiving(setup: Setup) {
    type Receive = fn(&Peer);
    let ways: [Receive; 4] = [
        |_| {},
        |peer| assert_eq!(peer.available(), Some(0)),
        |peer| assert_eq!(peer.wait(Some(Duration::from_millis(1))).unwrap(), WaitEnd::TimedOut),
        |peer| {
            let was = peer.background_receive();
            peer.set_background_receive(!was).unwrap();
            peer.set_background_receive(was).unwrap();
        },
    ];
    let _turn = TURNS.lock();
    let peer = setup.receiver(0);
    let at = port(&peer);
    let other = Peer::new();
    for _ in 0..3 {
        for receive in ways {
            receive(&peer);
            peer.close();
            bind_again(&other, at, setup);
            other.close();
            bind_again(&peer, at, setup);
        }
    }
}

for_own_sockets!(closing_frees_the_port_at_once_while_threads_wait);
fn closing_frees_the_port_at_once_while_threads_wait(setup: Setup) {
    let _turn = TURNS.lock();
    let peer = setup.receiver(0);
    let at = port(&peer);
    let other = Peer::new();
    for _ in 0..15 {
        let waits = several_waiting(&peer, 3);
        peer.close();
        bind_again(&other, at, setup);
        for wait in waits {
            assert_eq!(wait.end(), WaitEnd::Closed);
        }
        other.close();
        bind_again(&peer, at, setup);
    }
}

for_own_sockets!(the_port_is_free_when_any_of_several_calls_to_close_returns);
fn the_port_is_free_when_any_of_several_calls_to_close_returns(setup: Setup) {
    let _turn = TURNS.lock();
    let peer = setup.receiver(0);
    let at = port(&peer);
    for _ in 0..15 {
        let waits = several_waiting(&peer, 3);
        thread::scope(|scope| {
            scope.spawn(|| peer.close());
            peer.close();
            bind_again(&Peer::new(), at, setup);
        });
        assert!(waits.into_iter().map(Waiting::end).all(|end| end == WaitEnd::Closed));
        bind_again(&peer, at, setup);
    }
}

for_own_sockets!(the_port_is_free_at_once_under_traffic);
fn the_port_is_free_at_once_under_traffic(setup: Setup) {
    let _turn = TURNS.lock();
    let peer = setup.receiver(1 << 20);
    let at = port(&peer);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _done = SetOnDrop(&done);
        scope.spawn(|| {
            let socket = UdpSocket::bind((setup.family.reach, 0)).unwrap();
            while !done.load(Ordering::Relaxed) {
                let _ = socket.send_to(b"x", (setup.family.reach, at));
            }
        });
        for _ in 0..6 {
            let closed = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| take_until_closed(&peer, &closed));
                eventually("traffic arrives", || peer.stats().packets_received > 0);
                closed.store(true, Ordering::Relaxed);
                peer.close();
                assert!(peer.available().is_none());
                bind_again(&peer, at, setup);
                peer.reset_stats();
            });
        }
    });
}

/// Waits and takes until the peer is closed. The last wait may find the peer open again.
fn take_until_closed(peer: &Peer, closed: &AtomicBool) {
    while !closed.load(Ordering::Relaxed) {
        match peer.wait(Some(LONG)) {
            Ok(WaitEnd::Ready) => drop(peer.take()),
            Ok(WaitEnd::Closed) => return,
            Ok(end) => panic!("{end:?}"),
            // The peer was closed when the wait began.
            Err(error) => return assert_eq!(error.operation, Operation::Wait),
        }
    }
}

for_servers!(the_port_of_a_stopped_server_is_free_at_once);
fn the_port_of_a_stopped_server_is_free_at_once(setup: Setup) {
    let _turn = TURNS.lock();
    let server = setup.server();
    let (client, peer) = join(&server, setup.family);
    let at = server_port(&server);
    for _ in 0..5 {
        let wait = waiting(&peer_of(&server, setup));
        server.stop();
        // A peer that shares its port with no other socket.
        let other = Peer::new();
        bind_again(&other, at, setup);
        other.close();
        assert_eq!(wait.end(), WaitEnd::Closed);
        server.listen(at, setup.family.bind).unwrap();
        client.send(b"after").unwrap();
        assert_eq!(take(&accept(&server)).unwrap(), b"after");
        assert!(!peer.is_open());
    }
    assert_eq!((setup.kind, server.background_receive()), (Kind::Accepted, setup.mode == Mode::Background));
}

fn peer_of(server: &packet_peer_udp_core::Server, setup: Setup) -> std::sync::Arc<Peer> {
    join(server, setup.family).1
}

//! Starting and stopping a relay, and a target that goes and comes again. Tests bind a port again that was free for a moment, so they take
//! turns, as in `freed_ports.rs`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroU16;
use std::thread;
use std::time::Duration;

mod common;

use common::{LONG, eventually, nonzero};
use packet_peer_udp_core::{Conditions, Operation, Proxy, Reason, SharedConditions};
use parking_lot::Mutex;

static TURNS: Mutex<()> = Mutex::new(());

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket
}

fn port(socket: &UdpSocket) -> NonZeroU16 {
    nonzero(socket.local_addr().unwrap().port())
}

fn client_of(proxy: &Proxy) -> UdpSocket {
    let client = socket();
    client.connect(proxy.local_addr().unwrap()).unwrap();
    client
}

fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2_048];
    let (length, sender) = socket.recv_from(&mut buffer).unwrap();
    (buffer[..length].to_vec(), sender)
}

#[test]
fn a_refusal_is_silence_and_is_counted_and_the_target_may_come_again() {
    let _turn = TURNS.lock();
    for delay in [None, Some(2.0)] {
        let (proxy, target) = (Proxy::default(), socket());
        let conditions =
            delay.map(|latency_msec| SharedConditions::new(Conditions { latency_msec, ..Conditions::default() }));
        proxy.set_to_target_conditions(conditions);
        proxy.start("127.0.0.1", port(&target), 0, "127.0.0.1").unwrap();
        let client = client_of(&proxy);
        client.send(b"before").unwrap();
        let (_, by) = receive(&target);
        let at = target.local_addr().unwrap();
        drop(target);
        let mut sent = 1;
        eventually("refusals are counted", || {
            client.send(b"nobody there").unwrap();
            sent += 1;
            // Not every system tells.
            proxy.stats().refused > 3 || !cfg!(target_os = "linux") && sent > 20
        });
        if cfg!(target_os = "linux") {
            assert!(proxy.last_error().message.contains("refused"), "{:?}", proxy.last_error());
        }
        client.set_nonblocking(true).unwrap();
        assert!(client.recv(&mut [0; 10]).is_err());
        client.set_nonblocking(false).unwrap();
        eventually("all are sent", || proxy.stats().to_target.packets_out == sent);

        let target = UdpSocket::bind(at).unwrap();
        target.set_read_timeout(Some(LONG)).unwrap();
        client.send(b"after").unwrap();
        // By the same port: the client was not forgotten. No packet that comes now is lost to an old report.
        assert_eq!(receive(&target), (b"after".to_vec(), by));
        target.send_to(b"answer", by).unwrap();
        assert_eq!(receive(&client).0, b"answer");
        eventually("it counts as sent", || proxy.stats().to_target.packets_out == sent + 1);
        let stats = proxy.stats().to_target;
        assert_eq!((stats.packets_in, stats.dropped), (sent + 1, 0));
        assert_eq!(proxy.clients(), 1);
    }
}

#[test]
fn a_refused_batch_is_sent_all_the_same() {
    let _turn = TURNS.lock();
    let target = socket();
    let at = target.local_addr().unwrap();
    drop(target);
    let proxy = Proxy::default();
    proxy.start("127.0.0.1", nonzero(at.port()), 0, "127.0.0.1").unwrap();
    let client = client_of(&proxy);
    for sent in 1..=100 {
        (0..10).for_each(|_| assert_eq!(client.send(b"x").unwrap(), 1));
        eventually("all are sent", || proxy.stats().to_target.packets_out == sent * 10);
    }
    assert!(proxy.stats().refused > 0 || !cfg!(target_os = "linux"));
    assert_eq!(proxy.stats().to_target.dropped, 0);
}

#[test]
fn the_port_is_free_when_stop_returns() {
    let _turn = TURNS.lock();
    let target = socket();
    let proxy = Proxy::default();
    proxy.start("127.0.0.1", port(&target), 0, "127.0.0.1").unwrap();
    let at = proxy.local_addr().unwrap();
    for round in 0..100_u32 {
        let client = client_of(&proxy);
        client.send(&round.to_le_bytes()).unwrap();
        let (packet, by) = receive(&target);
        assert_eq!(packet, round.to_le_bytes());
        proxy.stop();
        assert!(!proxy.is_running() && proxy.local_addr().is_none());
        drop((UdpSocket::bind(at).unwrap(), UdpSocket::bind(by).unwrap()));
        proxy.start("127.0.0.1", port(&target), at.port(), "127.0.0.1").unwrap();
        assert_eq!(proxy.local_addr(), Some(at));
    }
    assert_eq!(proxy.stats().to_target.packets_in, 100);
}

#[test]
fn a_relay_that_is_dropped_stops() {
    let _turn = TURNS.lock();
    let target = socket();
    for _ in 0..20 {
        let proxy = Proxy::default();
        proxy.start("127.0.0.1", port(&target), 0, "127.0.0.1").unwrap();
        let at = proxy.local_addr().unwrap();
        client_of(&proxy).send(b"x").unwrap();
        let (_, by) = receive(&target);
        drop(proxy);
        drop((UdpSocket::bind(at).unwrap(), UdpSocket::bind(by).unwrap()));
    }
}

#[test]
fn two_threads_that_stop_both_find_the_port_free() {
    let _turn = TURNS.lock();
    let target = socket();
    for _ in 0..50 {
        let proxy = Proxy::default();
        proxy.start("127.0.0.1", port(&target), 0, "127.0.0.1").unwrap();
        let at = proxy.local_addr().unwrap();
        for _ in 0..5 {
            client_of(&proxy).send(b"x").unwrap();
        }
        let bound = Mutex::new(());
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    proxy.stop();
                    let _one = bound.lock();
                    drop(UdpSocket::bind(at).unwrap());
                });
            }
        });
    }
}

#[test]
fn what_cannot_start_says_why() {
    let _turn = TURNS.lock();
    let target = socket();
    let at = port(&target);
    let proxy = Proxy::default();
    let start = |host: &str, listen_port, listen: &str| {
        let error = proxy.start(host, at, listen_port, listen).unwrap_err();
        assert_eq!(proxy.last_error().message, error.to_string());
        assert!(!proxy.is_running());
        error
    };
    let error = start("127.0.0.1", 0, "nowhere");
    assert!(matches!((error.operation, &error.reason), (Operation::Bind, Reason::InvalidAddress)), "{error}");
    let error = start("127.0.0.1", 0, "192.0.2.1");
    assert!(matches!((error.operation, &error.reason), (Operation::Bind, Reason::Os(_))), "{error}");
    let error = start("a b", 0, "127.0.0.1");
    assert!(matches!((error.operation, &error.reason), (Operation::SetDestination, Reason::InvalidAddress)), "{error}");
    let error = start("no-such-host.invalid", 0, "127.0.0.1");
    assert!(matches!(error.reason, Reason::Unresolvable(_)), "{error}");
    // The target has the port.
    let error = start("127.0.0.1", at.get(), "127.0.0.1");
    assert!(matches!((error.operation, &error.reason), (Operation::Bind, Reason::Os(_))), "{error}");
    // The target is not there yet, and the relay would take its place.
    drop(target);
    for listen in ["127.0.0.1", "*"] {
        let error = start("127.0.0.1", at.get(), listen);
        assert!(matches!((error.operation, &error.reason), (Operation::Bind, Reason::Os(_))), "{error}");
        assert!(error.to_string().contains("the target"), "{error}");
    }
    proxy.start("127.0.0.1", at, 0, "127.0.0.1").unwrap();
    let before = proxy.local_addr();
    let error = proxy.start("127.0.0.1", at, 0, "127.0.0.1").unwrap_err();
    assert!(matches!(error.reason, Reason::AlreadyOpen), "{error}");
    assert_eq!(proxy.local_addr(), before);
    proxy.stop();
    proxy.stop();
}

#[test]
fn a_stop_cancels_a_start_that_resolves_a_name() {
    let _turn = TURNS.lock();
    let proxy = Proxy::default();
    thread::scope(|scope| {
        let start = scope.spawn(|| proxy.start("no-such-host.invalid", nonzero(9), 0, "127.0.0.1"));
        while !start.is_finished() {
            proxy.stop();
            thread::sleep(Duration::from_millis(1));
        }
        let error = start.join().unwrap().unwrap_err();
        assert!(matches!(error.reason, Reason::Unresolvable(_) | Reason::Closed), "{error}");
    });
    assert!(!proxy.is_running());
}

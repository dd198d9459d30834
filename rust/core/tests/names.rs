//! Host names and what is done with them: in the call, or meanwhile. Most that is told of here asks nobody but this machine;
//! what needs a name server that can be slow is run by `scripts/namespace_tests.sh`, one test at a time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::UdpSocket;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

mod common;

use common::{LONG, bound, eventually, next, nonzero, port};
use packet_peer_udp_core::{DestinationChange, Peer, Reason, Resolved, WaitEnd, resolver_threads};

/// A name that cannot be, as every resolver knows without asking: its label is too long (RFC 1035, section 2.3.4).
fn impossible(number: usize) -> String {
    format!("{number:x>64}.example")
}

/// What came of the last call, waited for.
fn resolved(peer: &Peer) -> Resolved {
    let mut found = None;
    eventually("the answer", || {
        found = peer.take_resolved();
        found.is_some()
    });
    assert!(!peer.is_resolving());
    assert!(peer.take_resolved().is_none(), "told twice");
    found.unwrap()
}

#[test]
fn a_numeric_address_is_used_at_once_and_told_of_once() {
    let receiver = bound("127.0.0.1");
    let peer = Peer::new();
    let change = peer.set_destination_async("127.0.0.1", port(&receiver)).unwrap();
    assert_eq!(change, DestinationChange::Set);
    assert!(!peer.is_resolving());
    peer.send(b"set").unwrap();
    assert_eq!(next(&receiver), b"set");
    let told = resolved(&peer);
    assert!(told.error.is_none());
    assert_eq!(told.address.unwrap().to_string(), format!("127.0.0.1:{}", port(&receiver)));

    peer.connect_async("127.0.0.1", nonzero(port(&receiver))).unwrap();
    assert!(peer.is_connected());
    assert!(resolved(&peer).error.is_none());
    // A connected peer's destination stays.
    let change = peer.set_destination_async("127.0.0.2", 9).unwrap();
    assert_eq!(change, DestinationChange::Connected);
    assert!(matches!(resolved(&peer).error.unwrap().reason, Reason::Connected));
}

#[test]
fn a_name_is_looked_up_meanwhile() {
    // Either family: what "localhost" is, is the machine's affair.
    let receiver = bound("*");
    let peer = Peer::new();
    peer.connect_async("localhost", nonzero(port(&receiver))).unwrap();
    let told = resolved(&peer);
    assert!(told.error.is_none(), "{:?}", told.error);
    assert!(told.address.unwrap().ip().is_loopback());
    assert!(peer.is_connected());
    peer.send(b"hello").unwrap();
    assert_eq!(next(&receiver), b"hello");
    // For a socket of one family, an address of that family is taken, where there is one.
    let v4 = bound("127.0.0.1");
    v4.set_destination_async("localhost", port(&receiver)).unwrap();
    assert!(resolved(&v4).address.unwrap().is_ipv4());
}

#[test]
fn what_is_wrong_with_the_arguments_is_answered_at_once() {
    let peer = Peer::new();
    for host in ["", "*", "a b", "fe80::1%"] {
        assert!(matches!(peer.connect_async(host, nonzero(9)).unwrap_err().reason, Reason::InvalidAddress));
        assert!(matches!(peer.set_destination_async(host, 9).unwrap_err().reason, Reason::InvalidAddress));
    }
    assert!(!peer.is_resolving());
    assert!(peer.take_resolved().is_none());
}

#[test]
fn a_name_that_does_not_resolve_changes_nothing() {
    let receiver = bound("127.0.0.1");
    let peer = Peer::new();
    peer.set_destination("127.0.0.1", port(&receiver)).unwrap();
    peer.set_destination_async(&impossible(1), 9).unwrap();
    let told = resolved(&peer);
    assert!(matches!(told.error.unwrap().reason, Reason::Unresolvable(_)));
    assert_eq!(told.address, None);
    assert!(peer.last_error().message.contains(&impossible(1)));
    peer.send(b"as before").unwrap();
    assert_eq!(next(&receiver), b"as before");
}

#[test]
fn a_refused_address_closes_the_peer_and_is_told() {
    let peer = bound("127.0.0.1");
    peer.connect_async("::1", nonzero(9)).unwrap();
    let told = resolved(&peer);
    assert!(matches!(told.error.unwrap().reason, Reason::WrongFamily(_)));
    assert_eq!(told.address.unwrap().to_string(), "[::1]:9");
    assert!(!peer.is_open());
}

#[test]
fn whatever_comes_next_calls_it_off() {
    type Next = fn(&Peer);
    let next: [Next; 6] = [
        |peer| peer.close(),
        |peer| drop(peer.set_destination("127.0.0.1", 9)),
        |peer| drop(peer.connect("127.0.0.1", nonzero(9))),
        |peer| peer.cancel_resolving(),
        |peer| drop(peer.set_destination("", 9)),
        |peer| drop(peer.set_destination_async("", 9)),
    ];
    for (number, next) in next.into_iter().enumerate() {
        for host in ["127.0.0.1", "localhost"] {
            let peer = Peer::new();
            peer.set_destination_async(host, 9).unwrap();
            next(&peer);
            assert!(!peer.is_resolving());
            // Whatever the resolver does now, nobody is told.
            eventually("the resolver is done", || resolver_threads() == 0);
            assert!(peer.take_resolved().is_none(), "{number} {host}");
        }
    }
}

#[test]
fn peers_may_go_while_their_names_are_looked_up() {
    for round in 0..100 {
        let peer = Peer::new();
        peer.set_destination_async(&impossible(round), 9).unwrap();
        peer.connect_async("localhost", nonzero(9)).unwrap();
    }
    eventually("the resolver is done", || resolver_threads() == 0);
}

/// An answer to a query: `10.1.2.3` for whatever name, and no IPv6 address.
fn answer_to(query: &[u8]) -> Vec<u8> {
    // The query itself, marked as an answer; for an IPv4 address (type 1, four bytes before the end) with one.
    let is_ipv4 = query[query.len() - 3] == 1;
    let mut answer = query.to_vec();
    answer[2..4].copy_from_slice(&[0x81, 0x80]);
    answer[6..12].copy_from_slice(&[0, u8::from(is_ipv4), 0, 0, 0, 0]);
    if is_ipv4 {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 1, 2, 3]);
    }
    answer
}

fn name_server_socket() -> UdpSocket {
    let server = UdpSocket::bind("127.0.0.1:53").unwrap();
    server.set_read_timeout(Some(LONG)).unwrap();
    server
}

/// A name server that answers, but only when `release` lets it. Gives each query's arrival.
fn name_server(queries: mpsc::Sender<()>, release: mpsc::Receiver<()>) -> thread::JoinHandle<()> {
    let server = name_server_socket();
    thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, client)) = server.recv_from(&mut query) {
            if queries.send(()).is_err() || release.recv_timeout(LONG).is_err() {
                return;
            }
            server.send_to(&answer_to(&query[..length]), client).unwrap();
        }
    })
}

#[test]
#[ignore = "is a name server: scripts/namespace_tests.sh lets it be one"]
fn closing_voids_a_connect_that_looks_its_name_up_and_nothing_waits_for_it() {
    let (query, queries) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let server = name_server(query, released);
    let peer = bound("127.0.0.1");
    let connect = thread::spawn({
        let peer = Arc::clone(&peer);
        move || peer.connect("somewhere.example", nonzero(9))
    });
    queries.recv_timeout(LONG).unwrap();
    // The name is being looked up. Everything else answers.
    let start = Instant::now();
    assert_eq!(peer.available(), Some(0));
    assert_eq!(peer.wait(Some(Duration::ZERO)).unwrap(), WaitEnd::TimedOut);
    peer.send_to(b"to itself", "127.0.0.1", port(&peer)).unwrap();
    assert_eq!(next(&peer), b"to itself");
    peer.close();
    assert!(start.elapsed() < LONG / 10, "something waited for the name");
    // However often the resolver asks.
    while !connect.is_finished() {
        let _ = release.send(());
        let _ = queries.recv_timeout(Duration::from_millis(1));
    }
    assert!(matches!(connect.join().unwrap().unwrap_err().reason, Reason::Closed));
    assert!(!peer.is_open());

    // The answer is remembered: the name server is gone, and the name is known all the same.
    drop((release, queries));
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"end", "127.0.0.1:53").unwrap();
    server.join().unwrap();
    peer.set_destination("somewhere.example", 9).unwrap();
}

#[test]
#[ignore = "is a name server: scripts/namespace_tests.sh lets it be one"]
fn many_slow_names_take_few_threads_and_are_called_off_at_once() {
    let (query, queries) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let server = name_server(query, released);
    let start = Instant::now();
    let peers: Vec<_> = (0..200)
        .map(|number| {
            let peer = Peer::new();
            peer.set_destination_async(&format!("host{number}.example"), 9).unwrap();
            assert!(peer.is_resolving());
            peer
        })
        .collect();
    // Whoever wants the same name shares the answer.
    let other = Peer::new();
    other.set_destination_async("host0.example", 9).unwrap();
    queries.recv_timeout(LONG).unwrap();
    assert!((1..=8).contains(&resolver_threads()), "{} threads", resolver_threads());
    for peer in &peers[1..] {
        peer.close();
        assert!(!peer.is_resolving());
    }
    assert!(start.elapsed() < LONG / 10, "something waited for a name");
    while other.is_resolving() || peers[0].is_resolving() {
        let _ = release.send(());
        let _ = queries.recv_timeout(Duration::from_millis(1));
    }
    for peer in [&peers[0], &other] {
        assert_eq!(resolved(peer).address.unwrap().to_string(), "10.1.2.3:9");
    }
    assert!(peers[1..].iter().all(|peer| peer.take_resolved().is_none()));
    while resolver_threads() > 0 {
        let _ = release.send(());
        let _ = queries.recv_timeout(Duration::from_millis(1));
    }
    drop((release, queries));
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"end", "127.0.0.1:53").unwrap();
    server.join().unwrap();
}

#[test]
#[ignore = "is a name server: scripts/namespace_tests.sh lets it be one"]
fn names_that_nobody_wants_any_more_keep_nobody_waiting() {
    let server = name_server_socket();
    let mut unanswered = Vec::new();
    let peer = Peer::new();
    // More than are asked for at once.
    for number in 0..12 {
        let name = format!("silent{number}");
        peer.set_destination_async(&format!("{name}.example"), 9).unwrap();
        loop {
            let mut query = [0; 512];
            let (length, client) = server.recv_from(&mut query).unwrap();
            let is_it = query.windows(name.len()).any(|part| part == name.as_bytes());
            unanswered.push((query[..length].to_vec(), client));
            if is_it {
                break;
            }
        }
    }
    assert_eq!(resolver_threads(), 12);
    // In the hosts file, so the server is not needed for it.
    peer.set_destination_async("localhost", 9).unwrap();
    assert!(resolved(&peer).address.unwrap().ip().is_loopback());
    // Whoever asks again is answered at once.
    server.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    while resolver_threads() > 0 {
        for (query, client) in unanswered.drain(..) {
            server.send_to(&answer_to(&query), client).unwrap();
        }
        let mut query = [0; 512];
        if let Ok((length, client)) = server.recv_from(&mut query) {
            unanswered.push((query[..length].to_vec(), client));
        }
    }
    assert!(peer.take_resolved().is_none());
}

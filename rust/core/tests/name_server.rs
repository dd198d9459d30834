//! What a slow name server delays, and what it does not. The tests are the name server: `scripts/namespace_tests.sh` runs them, one at
//! a time, in a network of their own whose resolver asks 127.0.0.1.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::UdpSocket;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

#[macro_use]
mod common;

use common::{LONG, bound, next, nonzero, port, resolved};
use packet_peer_udp_core::{Peer, Reason, WaitEnd, resolver_threads};

/// An answer to a query: `10.1.2.3` for every name, and no IPv6 address.
fn answer_to(query: &[u8]) -> Vec<u8> {
    // The query itself, marked as an answer. If it asks for an IPv4 address (type 1, four bytes before the end), one follows.
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

/// A name server in a thread, which answers each query only when it is told to.
struct NameServer {
    /// One message per query that has come.
    queries: mpsc::Receiver<()>,
    /// One message per answer that may be sent.
    release: mpsc::Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl NameServer {
    fn start() -> Self {
        let server = name_server_socket();
        let (query, queries) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok((length, client)) = server.recv_from(&mut buffer) {
                if query.send(()).is_err() || released.recv_timeout(LONG).is_err() {
                    return;
                }
                server.send_to(&answer_to(&buffer[..length]), client).unwrap();
            }
        });
        Self { queries, release, thread }
    }

    fn await_query(&self) {
        self.queries.recv_timeout(LONG).unwrap();
    }

    /// Answers all queries, however many the resolver sends, until the condition holds.
    fn answer_until(&self, is_done: impl Fn() -> bool) {
        while !is_done() {
            let _ = self.release.send(());
            let _ = self.queries.recv_timeout(Duration::from_millis(1));
        }
    }

    fn stop(self) {
        let Self { queries, release, thread } = self;
        drop((queries, release));
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"end", "127.0.0.1:53").unwrap();
        thread.join().unwrap();
    }
}

#[test]
#[ignore = "is a name server: scripts/namespace_tests.sh runs it as one"]
fn closing_ends_a_connect_that_looks_its_name_up_and_no_call_waits_for_it() {
    let server = NameServer::start();
    let peer = bound("127.0.0.1");
    let connect = thread::spawn({
        let peer = Arc::clone(&peer);
        move || peer.connect("somewhere.example", nonzero(9))
    });
    server.await_query();
    // The name is being looked up. Every other call answers.
    assert_eq!(peer.available(), Some(0));
    assert_eq!(peer.wait(Some(Duration::ZERO)).unwrap(), WaitEnd::TimedOut);
    peer.send_to(b"to itself", "127.0.0.1", port(&peer)).unwrap();
    assert_eq!(next(&peer), b"to itself");
    peer.close();
    assert!(!connect.is_finished(), "a call waited for the name");
    server.answer_until(|| connect.is_finished());
    assert!(matches!(connect.join().unwrap().unwrap_err().reason, Reason::Closed));
    assert!(!peer.is_open());

    // The answer is cached: the name server is gone, and the name is known all the same.
    server.stop();
    peer.set_destination("somewhere.example", 9).unwrap();
}

#[test]
#[ignore = "is a name server: scripts/namespace_tests.sh runs it as one"]
fn many_slow_names_take_few_threads_and_are_cancelled_at_once() {
    let server = NameServer::start();
    let peers: Vec<_> = (0..200)
        .map(|number| {
            let peer = Peer::new();
            peer.set_destination_async(&format!("host{number}.example"), 9).unwrap();
            assert!(peer.is_resolving());
            peer
        })
        .collect();
    // A peer that wants the same name shares the answer.
    let other = Peer::new();
    other.set_destination_async("host0.example", 9).unwrap();
    server.await_query();
    assert!((1..=8).contains(&resolver_threads()), "{} threads", resolver_threads());
    for peer in &peers[1..] {
        peer.close();
        assert!(!peer.is_resolving());
    }
    assert!(peers[0].is_resolving() && other.is_resolving(), "a call waited for a name");
    server.answer_until(|| !other.is_resolving() && !peers[0].is_resolving());
    for peer in [&peers[0], &other] {
        assert_eq!(resolved(peer).address.unwrap().to_string(), "10.1.2.3:9");
    }
    assert!(peers[1..].iter().all(|peer| peer.take_resolved().is_none()));
    server.answer_until(|| resolver_threads() == 0);
    server.stop();
}

#[test]
#[ignore = "is a name server: scripts/namespace_tests.sh runs it as one"]
fn cancelled_names_do_not_delay_others() {
    let server = name_server_socket();
    let mut unanswered = Vec::new();
    let peer = Peer::new();
    // More names than the resolver asks for at once, of which each cancels the one before.
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
    // This name is in the hosts file, so the name server is not asked.
    peer.set_destination_async("localhost", 9).unwrap();
    assert!(resolved(&peer).address.unwrap().ip().is_loopback());
    // From now on each query is answered at once.
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

//! What a server has to signal: newcomers, and peers that were silent for too long.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

#[macro_use]
mod common;

use common::{Setup, client, eventually, join};
use packet_peer_udp_core::{Server, take_pending_signals};

/// Signals are taken for the whole process, so the tests take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// So many newcomers, whose packets are read.
fn newcomers(server: &Server, setup: Setup, count: usize) {
    let before = server.stats();
    let read = |stats: packet_peer_udp_core::ServerStats| stats.all.packets_received + stats.packets_dropped_pending;
    for _ in 0..count {
        client(server, setup.family).send(b"hello").unwrap();
    }
    eventually("the packets are read", || {
        server.poll().unwrap();
        read(server.stats()) == read(before) + count as u64
    });
}

for_servers!(newcomers_are_signalled_while_they_are_pending);
fn newcomers_are_signalled_while_they_are_pending(setup: Setup) {
    let _turn = turn();
    let _ = take_pending_signals();
    let server = setup.server();
    newcomers(&server, setup, 2);
    assert_eq!((server.take_connected(), take_pending_signals()), (0, vec![]), "nothing is recorded yet");
    // Those that are pending already count.
    server.enable_signals(900);
    assert_eq!((server.take_connected(), take_pending_signals()), (2, vec![900]));
    assert_eq!((server.take_connected(), take_pending_signals()), (0, vec![]));
    newcomers(&server, setup, 3);
    assert_eq!(take_pending_signals(), [900]);
    assert_eq!(server.take_connected(), 3);
    newcomers(&server, setup, 2);
    (0..6).for_each(|_| drop(server.accept().unwrap()));
    assert_eq!(take_pending_signals(), [900]);
    assert_eq!(server.take_connected(), 1, "the other is accepted");
    newcomers(&server, setup, 1);
    server.stop();
    assert_eq!(server.take_connected(), 0);
}

for_servers!(peers_that_were_silent_for_too_long_are_signalled);
fn peers_that_were_silent_for_too_long_are_signalled(setup: Setup) {
    let _turn = turn();
    let server = setup.server();
    server.enable_signals(901);
    let pairs: Vec<_> = (0..5).map(|_| join(&server, setup.family)).collect();
    let _ = (take_pending_signals(), server.take_connected());
    assert!(server.take_timed_out().is_empty());
    pairs[0].1.close();
    server.set_peer_timeout_msec(50);
    let mut timed_out = Vec::new();
    let mut marked = Vec::new();
    eventually("all are closed", || {
        if !setup.is_background() {
            server.poll().unwrap();
        }
        marked.extend(take_pending_signals());
        timed_out.extend(server.take_timed_out());
        timed_out.len() == 4
    });
    marked.extend(take_pending_signals());
    assert!(!marked.is_empty() && marked.iter().all(|token| *token == 901), "{marked:?}");
    assert!(pairs.iter().all(|(_, peer)| !peer.is_open()));
    for (_, peer) in &pairs[1..] {
        let found = timed_out.iter().filter(|one| one.upgrade().is_some_and(|one| Arc::ptr_eq(&one, peer)));
        assert_eq!(found.count(), 1);
    }
    assert!(server.take_timed_out().is_empty());
}

for_servers!(peers_that_nobody_asks_about_leave_no_memory);
fn peers_that_nobody_asks_about_leave_no_memory(setup: Setup) {
    let _turn = turn();
    let server = setup.server();
    server.enable_signals(902);
    server.set_peer_timeout_msec(1);
    for _ in 0..20 {
        newcomers(&server, setup, 1);
        let accepted = server.accept().unwrap();
        eventually("it is closed", || {
            thread::sleep(Duration::from_millis(2));
            server.poll().unwrap();
            !accepted.is_open()
        });
    }
    // Only a peer that still exists is worth a signal.
    assert!(server.take_timed_out().is_empty());
}

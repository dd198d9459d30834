//! How many newcomers a server lets in between two polls, or two frames: a loop that accepts them ends however fast they come.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

#[macro_use]
mod common;

use common::{SetOnDrop, Setup, eventually, server_port};
use packet_peer_udp_core::{Peer, Server, begin_frame};

/// The default number of peers that may be pending.
const MAX: usize = 16;

/// Frames are counted for the whole process, so the tests take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn newcomer(server: &Server, setup: Setup) -> UdpSocket {
    let socket = UdpSocket::bind((setup.family.reach, 0)).unwrap();
    socket.send_to(b"let me in", (setup.family.reach, server_port(server))).unwrap();
    socket
}

/// How many packets the server has read.
fn read(server: &Server) -> u64 {
    let stats = server.stats();
    stats.all.packets_received + stats.packets_dropped_pending
}

/// Lets `count` newcomers send one packet each, which the server reads in one period; how many of them can be accepted, each as soon as
/// it is pending.
fn accepted_of(server: &Server, setup: Setup, count: usize) -> usize {
    let mut accepted = 0;
    for _ in 0..count {
        let before = read(server);
        let newcomer = newcomer(server, setup);
        eventually("the packet is read", || read(server) > before);
        accepted += usize::from(server.accept().is_some());
        drop(newcomer);
    }
    accepted
}

for_setups!(a_frame_lets_in_as_many_as_may_be_pending: accepted_background = Background Accepted);
fn a_frame_lets_in_as_many_as_may_be_pending(setup: Setup) {
    let _turn = turn();
    let server = setup.server();
    assert_eq!(accepted_of(&server, setup, 3 * MAX), MAX);
    let over = u64::try_from(2 * MAX).unwrap();
    assert_eq!(server.stats().packets_dropped_pending, over, "the others are counted");
    begin_frame();
    assert_eq!(accepted_of(&server, setup, 2 * MAX), MAX);
    // The first poll of a frame lets in no more: the frame already did.
    server.poll().unwrap();
    assert_eq!(accepted_of(&server, setup, 2), 0);
    // A program without frames has only polls.
    server.poll().unwrap();
    assert_eq!(accepted_of(&server, setup, 2 * MAX), MAX);
    begin_frame();
    server.set_max_pending(3);
    assert_eq!(accepted_of(&server, setup, MAX), 3);
    server.set_max_pending(0);
    begin_frame();
    assert_eq!(accepted_of(&server, setup, 5), 0);
}

for_setups!(a_poll_lets_in_as_many_as_may_be_pending: accepted_polled = Polled Accepted);
fn a_poll_lets_in_as_many_as_may_be_pending(setup: Setup) {
    let _turn = turn();
    let server = setup.server();
    for _ in 0..3 {
        let _newcomers: Vec<_> = (0..2 * MAX).map(|_| newcomer(&server, setup)).collect();
        let before = read(&server);
        eventually("the packets are read", || {
            begin_frame();
            server.poll().unwrap();
            read(&server) == before + 2 * MAX as u64
        });
        let accepted = std::iter::from_fn(|| server.accept()).count();
        assert_eq!(accepted, MAX, "a frame is no poll");
    }
}

for_setups!(a_waiting_thread_lets_in_no_more_than_a_poll: accepted_polled = Polled Accepted);
fn a_waiting_thread_lets_in_no_more_than_a_poll(setup: Setup) {
    let _turn = turn();
    let server = setup.server();
    let (_client, peer) = common::join(&server, setup.family);
    server.poll().unwrap();
    let mut accepted = 0;
    for _ in 0..2 * MAX {
        let before = read(&server);
        let _newcomer = newcomer(&server, setup);
        eventually("the packet is read", || {
            let _ = peer.wait(Some(Duration::from_millis(1))).unwrap();
            read(&server) > before
        });
        accepted += usize::from(server.accept().is_some());
    }
    assert_eq!(accepted, MAX);
}

for_servers!(an_accepting_loop_ends_during_a_flood);
fn an_accepting_loop_ends_during_a_flood(setup: Setup) {
    let _turn = turn();
    let server = setup.server();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _done = SetOnDrop(&done);
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                drop(newcomer(&server, setup));
            }
        });
        let mut all: Vec<Arc<Peer>> = Vec::new();
        for _ in 0..20 {
            begin_frame();
            server.poll().unwrap();
            let before = all.len();
            while let Some(peer) = server.accept() {
                all.push(peer);
                thread::sleep(Duration::from_micros(200));
                // Those that were pending before, and those of this frame. A loop without end would fill the memory.
                assert!(all.len() <= before + 2 * MAX, "{} were accepted in one loop", all.len() - before);
            }
            thread::sleep(Duration::from_millis(2));
        }
        assert!(all.len() > 20, "only {} were accepted", all.len());
    });
}

for_servers!(setting_the_limit_again_or_higher_drops_nobody);
fn setting_the_limit_again_or_higher_drops_nobody(setup: Setup) {
    let _turn = turn();
    let server = setup.server();
    let newcomers: Vec<_> = (0..5).map(|_| newcomer(&server, setup)).collect();
    eventually("the packets are read", || {
        server.poll().unwrap();
        read(&server) == 5
    });
    for max in [16, 16, 17, 5, 5, 100] {
        server.set_max_pending(max);
    }
    let accepted = std::iter::from_fn(|| server.accept());
    let order: Vec<_> = accepted.map(|peer| peer.last_taken().unwrap().sender().port()).collect();
    let expected: Vec<_> = newcomers.iter().map(|one| one.local_addr().unwrap().port()).collect();
    assert_eq!(order, expected);
    assert_eq!(server.stats().packets_dropped_pending, 0);
}

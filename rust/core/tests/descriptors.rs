//! A wait holds no descriptor once it is over, and does without one where the process has none left. The descriptors are those of the
//! whole process, so the tests take turns, and no other test is in this binary.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, File};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

#[macro_use]
mod common;

use common::{Kind, LONG, Setup, Waiting, join, several_waiting, take, waiting};
use packet_peer_udp_core::{Peer, WaitEnd};
use parking_lot::Mutex;

static TURNS: Mutex<()> = Mutex::new(());

/// How many descriptors the process has open. The listing itself needs one.
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count() - 1
}

/// How many wakers are kept for later waits, of any peer.
const KEPT: usize = 1;

for_every_peer!(no_descriptor_is_left_by_waits);
fn no_descriptor_is_left_by_waits(setup: Setup) {
    let _turn = TURNS.lock();
    let pairs: Vec<_> = (0..30).map(|_| setup.pair()).collect();
    let before = descriptors();
    for pair in &pairs {
        // One that sleeps until its time is over, one that finds a packet in the queue or in the kernel, and one that looks.
        assert_eq!(pair.receiver.wait(Some(Duration::from_millis(1))).unwrap(), WaitEnd::TimedOut);
        pair.sender.send(b"x").unwrap();
        assert_eq!(pair.receiver.wait(Some(LONG)).unwrap(), WaitEnd::Ready);
        assert_eq!(pair.receiver.wait(Some(LONG)).unwrap(), WaitEnd::Ready);
        assert_eq!(take(&pair.receiver).unwrap(), b"x");
        assert_eq!(pair.receiver.wait(Some(Duration::ZERO)).unwrap(), WaitEnd::TimedOut);
        let waits = several_waiting(&pair.receiver, 3);
        pair.receiver.interrupt_wait();
        assert!(waits.into_iter().map(Waiting::end).all(|end| end == WaitEnd::Interrupted));
    }
    // (The senders were opened by their first packet.)
    let opened = pairs.iter().filter(|pair| pair.setup.kind == Kind::Own).count();
    // The background thread of the test before may have closed its descriptors meanwhile.
    let left = descriptors().saturating_sub(before + opened);
    assert!(left <= KEPT, "{left} descriptors are left by the waits of {} peers", pairs.len());
}

for_every_peer!(a_packet_that_is_there_is_found_without_a_descriptor);
fn a_packet_that_is_there_is_found_without_a_descriptor(setup: Setup) {
    let _turn = TURNS.lock();
    let pair = setup.pair();
    pair.sender.send(b"x").unwrap();
    let end = without_descriptors(|| pair.receiver.wait(Some(LONG)).map_err(|error| error.to_string()));
    assert_eq!(end, Ok(WaitEnd::Ready));
    assert_eq!(take(&pair.receiver).unwrap(), b"x");
}

for_every_peer!(a_wait_sleeps_without_a_descriptor);
fn a_wait_sleeps_without_a_descriptor(setup: Setup) {
    let _turn = TURNS.lock();
    let pair = setup.pair();
    pair.sender.send(b"opens the sender").unwrap();
    pair.await_available(1);
    assert!(take(&pair.receiver).is_some());
    let peer = &pair.receiver;
    without_descriptors(|| {
        let start = Instant::now();
        assert_eq!(peer.wait(Some(Duration::from_millis(30))).unwrap(), WaitEnd::TimedOut);
        assert!(start.elapsed() >= Duration::from_millis(30));

        let waits = several_waiting(peer, 3);
        thread::sleep(Duration::from_millis(20));
        pair.sender.send(b"x").unwrap();
        assert!(waits.into_iter().map(Waiting::end).all(|end| end == WaitEnd::Ready));
        assert_eq!(take(peer).unwrap(), b"x");

        let waits = several_waiting(peer, 2);
        thread::sleep(Duration::from_millis(20));
        peer.interrupt_wait();
        assert!(waits.into_iter().map(Waiting::end).all(|end| end == WaitEnd::Interrupted));

        let wait = waiting(peer);
        thread::sleep(Duration::from_millis(20));
        peer.close();
        assert_eq!(wait.end(), WaitEnd::Closed);
        assert!(start.elapsed() < LONG);
    });
}

for_servers!(waits_of_several_peers_go_on_without_a_descriptor);
fn waits_of_several_peers_go_on_without_a_descriptor(setup: Setup) {
    let _turn = TURNS.lock();
    let server = setup.server();
    let pairs: Vec<_> = (0..3).map(|_| join(&server, setup.family)).collect();
    without_descriptors(|| {
        let waits: Vec<_> = pairs.iter().map(|(_, peer)| waiting(peer)).collect();
        for ((client, peer), wait) in pairs.iter().zip(waits) {
            client.send(b"x").unwrap();
            assert_eq!(wait.end(), WaitEnd::Ready);
            assert_eq!(take(peer).unwrap(), b"x");
        }
    });
}

/// Calls `then` while the process can open no descriptor.
fn without_descriptors<T>(then: impl FnOnce() -> T) -> T {
    // A waker may be kept; it is in use meanwhile.
    let keeper = Peer::new();
    keeper.bind(0, "127.0.0.1", 0).unwrap();
    let wait = waiting(&keeper);
    thread::sleep(Duration::from_millis(20));
    let limit = Limit::lower();
    let result = then();
    drop(limit);
    keeper.close();
    let _ = wait.end();
    result
}

/// The limit of open descriptors, until it is dropped: no more than there are.
struct Limit {
    before: libc::rlimit,
    _holes: Vec<File>,
}

impl Limit {
    fn lower() -> Self {
        let before = limit();
        // The limit is on the number of a descriptor, so there must be no free number below it.
        let highest = fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str().and_then(|name| name.parse::<u64>().ok()));
        let most = highest.max().unwrap() + 1;
        set_limit(libc::rlimit { rlim_cur: most, ..before });
        let holes = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        Self { before, _holes: holes }
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        set_limit(self.before);
    }
}

fn limit() -> libc::rlimit {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for a write.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }, 0);
    limit
}

fn set_limit(limit: libc::rlimit) {
    // SAFETY: the call only reads `limit`.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
}

#[test]
fn the_tests_notice_a_missing_descriptor() {
    let _turn = TURNS.lock();
    let error = without_descriptors(|| File::open("/dev/null").map(drop).unwrap_err());
    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
    let error = without_descriptors(|| Peer::new().bind(0, "127.0.0.1", 0).unwrap_err());
    assert_eq!(error.os_code(), libc::EMFILE);
    let _: Arc<Peer> = common::bound("127.0.0.1");
}

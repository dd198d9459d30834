//! A socket that gives nothing but errors does not keep a thread busy. Another file stands in for such a socket: a pipe that is always
//! readable, and that no datagram can be received from. Its descriptor is replaced, so the tests take turns, and no other test is in
//! this binary.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{PipeReader, PipeWriter, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

#[macro_use]
mod common;

use common::{LONG, Mode, Setup, bound, next, sender_to, take};
use packet_peer_udp_core::{Peer, WaitEnd};
use parking_lot::Mutex;

static TURNS: Mutex<()> = Mutex::new(());

/// How often one attempt fails before it is given up.
const AT_ONCE: u64 = 8;

fn sockets() -> BTreeSet<RawFd> {
    let number = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.unwrap();
        let is_socket = fs::read_link(entry.path()).is_ok_and(|target| target.to_string_lossy().starts_with("socket:"));
        is_socket.then(|| entry.file_name().to_string_lossy().parse().unwrap())
    };
    fs::read_dir("/proc/self/fd").unwrap().filter_map(number).collect()
}

fn duplicate(from: RawFd, to: RawFd) {
    // SAFETY: takes no pointer. The caller closes `to`, a descriptor that a peer owns and that stays open under the same number.
    assert!(unsafe { libc::dup2(from, to) } >= 0);
}

/// A polled peer whose socket can be replaced by a pipe.
struct Broken {
    peer: Arc<Peer>,
    descriptor: RawFd,
    /// Another descriptor of the socket.
    socket: RawFd,
    pipe: (PipeReader, PipeWriter),
}

impl Broken {
    fn new(setup: Setup) -> Self {
        let before = sockets();
        let peer = bound(setup.family.bind);
        let descriptor = *sockets().difference(&before).next().unwrap();
        // SAFETY: takes no pointer.
        let socket = unsafe { libc::dup(descriptor) };
        let mut pipe = std::io::pipe().unwrap();
        pipe.1.write_all(b"x").unwrap();
        Self { peer, descriptor, socket, pipe }
    }

    fn break_it(&self) {
        duplicate(self.pipe.0.as_raw_fd(), self.descriptor);
    }

    fn mend(&self) {
        duplicate(self.socket, self.descriptor);
    }

    fn errors(&self) -> u64 {
        self.peer.stats().receive_errors
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        self.peer.close();
        // SAFETY: the descriptor is this value's own.
        unsafe { libc::close(self.socket) };
    }
}

for_setups!(a_call_gives_up_and_works_again_when_the_socket_does: polled = Polled Own);
fn a_call_gives_up_and_works_again_when_the_socket_does(setup: Setup) {
    let _turn = TURNS.lock();
    let broken = Broken::new(setup);
    let peer = &broken.peer;
    let sender = sender_to(peer, setup.family.reach);
    broken.break_it();
    // Asking whether there is something fails as well as receiving it.
    let most = 2 * AT_ONCE;
    for round in 1..4 {
        assert_eq!(peer.available(), Some(0));
        assert!(broken.errors() <= round * most, "{} errors", broken.errors());
    }
    peer.reset_stats();
    assert!(take(peer).is_none());
    assert!(peer.take_many(None).unwrap().next().is_none());
    assert_eq!(peer.wait(Some(Duration::ZERO)).unwrap(), WaitEnd::TimedOut);
    assert!(broken.errors() <= 3 * most, "{} errors", broken.errors());
    assert_eq!(peer.last_error().code, libc::ENOTSOCK);
    broken.mend();
    sender.send(b"x").unwrap();
    assert_eq!(next(peer), b"x");
}

for_setups!(a_wait_pauses_and_goes_on_when_the_socket_works_again: polled = Polled Own);
fn a_wait_pauses_and_goes_on_when_the_socket_works_again(setup: Setup) {
    let _turn = TURNS.lock();
    let broken = Broken::new(setup);
    let sender = sender_to(&broken.peer, setup.family.reach);
    broken.break_it();
    let start = Instant::now();
    assert_eq!(broken.peer.wait(Some(Duration::from_millis(300))).unwrap(), WaitEnd::TimedOut);
    assert!(start.elapsed() >= Duration::from_millis(300));
    // After 0, 10, 30, 70, 150 and 300 ms.
    assert!((AT_ONCE..=6 * 2 * AT_ONCE).contains(&broken.errors()), "{} errors", broken.errors());
    thread::scope(|scope| {
        let wait = scope.spawn(|| broken.peer.wait(Some(LONG)).unwrap());
        thread::sleep(Duration::from_millis(50));
        broken.mend();
        sender.send(b"x").unwrap();
        assert_eq!(wait.join().unwrap(), WaitEnd::Ready);
    });
    assert!(start.elapsed() < LONG);
    assert_eq!(take(&broken.peer).unwrap(), b"x");
    // Interrupting and closing end a pause.
    broken.break_it();
    for end in [WaitEnd::Interrupted, WaitEnd::Closed] {
        let wait = common::waiting(&broken.peer);
        thread::sleep(Duration::from_millis(30));
        if end == WaitEnd::Interrupted {
            broken.peer.interrupt_wait();
        } else {
            broken.peer.close();
        }
        assert_eq!(wait.end(), end);
    }
}

for_setups!(the_background_thread_pauses_and_serves_others_meanwhile: background = Background Own);
fn the_background_thread_pauses_and_serves_others_meanwhile(setup: Setup) {
    let _turn = TURNS.lock();
    let broken = Broken::new(setup);
    let peer = &broken.peer;
    broken.break_it();
    assert_eq!(setup.mode, Mode::Background);
    let other = setup.receiver(0);
    let start = Instant::now();
    peer.set_background_receive(true).unwrap();
    let sender = sender_to(&other, setup.family.reach);
    common::eventually("the error is noticed", || broken.errors() >= AT_ONCE);
    assert_eq!(peer.last_error().code, libc::ENOTSOCK);
    // It is counted each time, but kept only once.
    peer.note_misuse("another error");
    while start.elapsed() < Duration::from_millis(400) {
        let sent = Instant::now();
        sender.send(b"x").unwrap();
        assert_eq!(next(&other), b"x");
        assert!(sent.elapsed() < Duration::from_millis(200), "the other peer is served late");
        thread::sleep(Duration::from_millis(5));
    }
    let rounds = 2 + (start.elapsed().as_millis() / 10).ilog2();
    let errors = broken.errors();
    assert!(errors >= 3 * AT_ONCE && errors <= u64::from(rounds) * AT_ONCE, "{errors} errors in {:?}", start.elapsed());
    assert_eq!(peer.last_error().message, "another error");
    // While it is left alone, options are set, waits end, and the peer is closed as ever.
    let wait = common::waiting(peer);
    peer.interrupt_wait();
    assert_eq!(wait.end(), WaitEnd::Interrupted);
    peer.set_background_receive(false).unwrap();
    peer.set_background_receive(true).unwrap();
    assert!(broken.errors() < 1_000);
}

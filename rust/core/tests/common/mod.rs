//! What the tests share: the setups that a behaviour is tested in, peers on loopback, and waiting.
//!
//! A behaviour has one body, which takes a [`Setup`] or a [`Family`]. A macro of `setups.rs` above the body makes the tests
//! of it, one for each setup in which the behaviour holds: `body::own_polled::ipv4` and so on.
#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::must_use_candidate,
    missing_docs,
    reason = "each test binary uses some of it"
)]

use std::num::{NonZeroU16, NonZeroUsize};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use packet_peer_udp_core::{Peer, Resolved, Server, WaitEnd};

#[macro_use]
mod setups;
pub mod traffic;

pub use setups::{Family, Kind, Mode, Setup, has_ipv6};

/// Longer than anything here takes, also on a machine with much else to do. A test that waits for this long has failed.
pub const LONG: Duration = Duration::from_secs(30);

/// Between two looks at a condition that nothing tells of.
const PAUSE: Duration = Duration::from_millis(1);

/// A peer that sends, and a peer that receives from it: one with a socket of its own, or one that a server has accepted.
pub struct Pair {
    pub sender: Arc<Peer>,
    pub receiver: Arc<Peer>,
    pub server: Option<Server>,
    pub setup: Setup,
}

impl Pair {
    /// Reads the socket where no background thread does: the server's, or the receiver's own.
    pub fn poll(&self) {
        match &self.server {
            Some(server) => server.poll().unwrap(),
            None => drop(self.receiver.poll().unwrap()),
        }
    }

    /// Returns when exactly `count` packets can be taken.
    pub fn await_available(&self, count: usize) {
        eventually(&format!("{count} packets can be taken"), || {
            self.poll();
            self.receiver.available() == Some(count)
        });
    }

    /// The next packet, waited for.
    pub fn next(&self) -> Vec<u8> {
        next(&self.receiver)
    }

    /// Has the receiver, and its server if it has one, receive in the background or no longer.
    pub fn set_background(&self, enabled: bool) {
        match &self.server {
            Some(server) => server.set_background_receive(enabled).unwrap(),
            None => self.receiver.set_background_receive(enabled).unwrap(),
        }
    }

    /// Makes the sender, which is opened for it, the destination of the receiver. Of an accepted peer it is already.
    pub fn connect_back(&self) {
        if self.setup.kind == Kind::Own {
            if !self.sender.is_open() {
                self.sender.bind(0, self.setup.family.reach, 0).unwrap();
            }
            self.receiver.set_destination(self.setup.family.reach, port(&self.sender)).unwrap();
        }
    }
}

pub fn bound(address: &str) -> Arc<Peer> {
    let peer = Peer::new();
    peer.bind(0, address, 65_536).unwrap();
    peer
}

pub fn port(peer: &Peer) -> u16 {
    peer.local_addr().unwrap().port()
}

pub fn server_port(server: &Server) -> u16 {
    server.local_addr().unwrap().port()
}

/// A size of segments.
pub fn size(segment: usize) -> NonZeroUsize {
    NonZeroUsize::new(segment).unwrap()
}

/// A port to connect to.
pub fn nonzero(port: u16) -> NonZeroU16 {
    NonZeroU16::new(port).unwrap()
}

/// A peer that sends to `to`.
pub fn sender_to(to: &Peer, reach: &str) -> Arc<Peer> {
    let peer = Peer::new();
    peer.set_destination(reach, port(to)).unwrap();
    peer
}

/// A peer that sends to a server.
pub fn client(server: &Server, family: Family) -> Arc<Peer> {
    let client = Peer::new();
    client.set_destination(family.reach, server_port(server)).unwrap();
    client
}

/// Polls until a peer is pending, and accepts it.
pub fn accept(server: &Server) -> Arc<Peer> {
    let mut peer = None;
    eventually("a peer is pending", || {
        server.poll().unwrap();
        peer = server.accept();
        peer.is_some()
    });
    peer.unwrap()
}

/// A client and its accepted peer, which has taken the client's first packet.
pub fn join(server: &Server, family: Family) -> (Arc<Peer>, Arc<Peer>) {
    let client = client(server, family);
    client.send(b"hello").unwrap();
    let peer = accept(server);
    assert_eq!(take(&peer).unwrap(), b"hello");
    assert_eq!(peer.last_taken().unwrap().sender().port(), port(&client));
    (client, peer)
}

/// Polls until exactly `count` packets can be taken from an accepted peer.
pub fn await_available(server: &Server, peer: &Peer, count: usize) {
    eventually(&format!("{count} packets can be taken"), || {
        server.poll().unwrap();
        peer.available() == Some(count)
    });
}

/// The next packet, waited for.
pub fn next(peer: &Peer) -> Vec<u8> {
    assert_eq!(peer.wait(Some(LONG)).unwrap(), WaitEnd::Ready);
    take(peer).unwrap()
}

/// The next packet, if there is one.
pub fn take(peer: &Peer) -> Option<Vec<u8>> {
    peer.take().unwrap().map(|packet| packet.to_vec())
}

/// Returns when the condition holds. For what no call waits for.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < deadline, "did not happen in {LONG:?}: {what}");
        thread::sleep(PAUSE);
    }
}

/// The outcome of the last call that did not block, waited for.
pub fn resolved(peer: &Peer) -> Resolved {
    let mut outcome = None;
    eventually("the look-up ends", || {
        outcome = peer.take_resolved();
        outcome.is_some()
    });
    assert!(!peer.is_resolving());
    assert!(peer.take_resolved().is_none(), "reported twice");
    outcome.unwrap()
}

/// A thread that waits on a peer.
pub struct Waiting {
    thread: thread::JoinHandle<()>,
    end: mpsc::Receiver<WaitEnd>,
}

impl Waiting {
    /// Starts a thread that waits on `peer`.
    pub fn start(peer: &Arc<Peer>, timeout: Option<Duration>) -> Self {
        let peer = Arc::clone(peer);
        let (sender, end) = mpsc::channel();
        let thread = thread::spawn(move || sender.send(peer.wait(timeout).unwrap()).unwrap());
        Self { thread, end }
    }

    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// How the wait ended. Fails if it does not end, also if it is unlimited.
    pub fn end(self) -> WaitEnd {
        let end = self.end.recv_timeout(2 * LONG).unwrap();
        self.thread.join().unwrap();
        end
    }
}

/// Starts a thread that waits on `peer` for at most [`LONG`]; returns when the wait has begun.
pub fn waiting(peer: &Arc<Peer>) -> Waiting {
    waiting_for(peer, Some(LONG))
}

/// The same, with another limit.
pub fn waiting_for(peer: &Arc<Peer>, timeout: Option<Duration>) -> Waiting {
    let others = peer.waits();
    let wait = Waiting::start(peer, timeout);
    eventually("the wait begins", || peer.waits() > others);
    wait
}

/// The same as [`waiting`], for several threads.
pub fn several_waiting(peer: &Arc<Peer>, count: usize) -> Vec<Waiting> {
    let others = peer.waits();
    let waits = (0..count).map(|_| Waiting::start(peer, Some(LONG))).collect();
    eventually("the waits begin", || peer.waits() == others + count);
    waits
}

/// Sets a flag when it is dropped, also by a panic, so that the threads that look at the flag end.
pub struct SetOnDrop<'a>(pub &'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

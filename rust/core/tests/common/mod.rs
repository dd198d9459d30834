//! What the tests share: peers on loopback, and waiting for what comes.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::must_use_candidate,
    missing_docs,
    reason = "each test binary uses some of it"
)]

use std::net::UdpSocket;
use std::num::{NonZeroU16, NonZeroUsize};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use packet_peer_udp_core::{Peer, WaitEnd};

/// Longer than anything here takes; a test that waits for so long has failed.
pub const LONG: Duration = Duration::from_secs(10);

/// What a peer is bound to, and how others reach it.
#[derive(Clone, Copy, Debug)]
pub struct Flavour {
    pub bind: &'static str,
    pub reach: &'static str,
    /// How the sender's address is written.
    pub written: &'static str,
}

pub const V4: Flavour = Flavour { bind: "127.0.0.1", reach: "127.0.0.1", written: "127.0.0.1" };
pub const V6: Flavour = Flavour { bind: "::1", reach: "::1", written: "0:0:0:0:0:0:0:1" };
pub const DUAL_FROM_V4: Flavour = Flavour { bind: "*", reach: "127.0.0.1", written: "127.0.0.1" };
pub const DUAL_FROM_V6: Flavour = Flavour { bind: "*", reach: "::1", written: "0:0:0:0:0:0:0:1" };

/// Every flavour that this machine has.
pub fn flavours() -> Vec<Flavour> {
    let has_ipv6 = UdpSocket::bind("[::1]:0").is_ok();
    if !has_ipv6 {
        eprintln!("this machine has no IPv6: only IPv4 is tested");
    }
    if has_ipv6 { vec![V4, V6, DUAL_FROM_V4, DUAL_FROM_V6] } else { vec![V4, DUAL_FROM_V4] }
}

pub fn bound(address: &str) -> Arc<Peer> {
    let peer = Peer::new();
    peer.bind(0, address, 65_536).unwrap();
    peer
}

pub fn port(peer: &Peer) -> u16 {
    peer.local_addr().unwrap().port()
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

pub fn pair(flavour: Flavour) -> (Arc<Peer>, Arc<Peer>) {
    let receiver = bound(flavour.bind);
    let sender = sender_to(&receiver, flavour.reach);
    (sender, receiver)
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

pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < deadline, "never came: {what}");
        thread::yield_now();
    }
}

/// Starts a thread that waits on `peer`; returns when the wait has begun.
pub fn waiting(peer: &Arc<Peer>) -> thread::JoinHandle<WaitEnd> {
    let others = peer.waits();
    let handle = thread::spawn({
        let peer = Arc::clone(peer);
        move || peer.wait(None).unwrap()
    });
    eventually("the wait begins", || peer.waits() > others);
    handle
}

//! Packets that tell which they are, and the sockets at the other end, which are the standard library's.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use proptest::prelude::*;

use crate::run::patience;

/// How many bytes of packets may wait in the kernel's buffer, by an estimate of what they take there: less than any system gives a
/// socket, so that the kernel drops none.
pub(crate) const KERNEL_ROOM: usize = if cfg!(target_os = "linux") { 100_000 } else { 30_000 };

/// More than any datagram carries.
pub(crate) const TOO_LONG: usize = 65_528;

/// What a packet takes in the kernel's buffer.
pub(crate) fn kernel_cost(length: usize) -> usize {
    2 * length + 1_024
}

/// The payload of packet number `number`: no two packets of a sequence of the same length are alike, unless they are of a few bytes.
pub(crate) fn payload(number: usize, length: usize) -> Vec<u8> {
    let mut payload = (number as u32).to_le_bytes().to_vec();
    payload.resize(length.max(4), (number * 31 + 7) as u8);
    payload.truncate(length);
    payload
}

/// Lengths of packets: mostly small ones, some as large as a frame, few larger, of what macOS sends by default.
pub(crate) fn lengths() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(0_usize), 8 => 1..40_usize, 4 => 40..1_500_usize, 1 => 1_500..9_000_usize]
}

/// A socket at the other end.
#[derive(Debug)]
pub(crate) struct Far {
    pub(crate) socket: UdpSocket,
    pub(crate) address: SocketAddr,
}

impl Far {
    pub(crate) fn new(ip: &str) -> Self {
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        socket.set_read_timeout(Some(patience())).unwrap();
        let address = socket.local_addr().unwrap();
        Self { socket, address }
    }

    /// The next packet, waited for, and its sender.
    pub(crate) fn receive(&self) -> io::Result<(Vec<u8>, SocketAddr)> {
        let mut buffer = vec![0; 65_536];
        let (length, sender) = self.socket.recv_from(&mut buffer)?;
        buffer.truncate(length);
        Ok((buffer, sender))
    }

    /// Whether a packet is there.
    pub(crate) fn has_more(&self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        let has_more = self.socket.recv_from(&mut [0; 4]).is_ok();
        self.socket.set_nonblocking(false).unwrap();
        has_more
    }
}

/// Calls `condition` until it holds, without sleeping at first; whether it did in time.
pub(crate) fn comes_true(mut condition: impl FnMut() -> bool) -> bool {
    let start = std::time::Instant::now();
    while !condition() {
        let passed = start.elapsed();
        if passed > patience() {
            return false;
        }
        if passed > Duration::from_micros(50) {
            std::thread::sleep(Duration::from_micros(20));
        } else {
            std::thread::yield_now();
        }
    }
    true
}

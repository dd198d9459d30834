//! What the targets with sockets share: addresses, payloads, and waiting.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

/// Longer than anything here takes, also on a busy machine.
pub(super) const LONG: Duration = Duration::from_secs(20);

/// Of a payload: which run, which sender, which number.
pub(super) const HEAD: usize = 9;

/// The packets of one run, which are told from those of others by a number: a port may belong to another socket by the time that a packet
/// comes.
pub(super) struct Run(u32);

impl Run {
    pub(super) fn new() -> Self {
        static RUNS: AtomicU32 = AtomicU32::new(1);
        // Several processes may run at once.
        Self(RUNS.fetch_add(1, Ordering::Relaxed) ^ std::process::id() << 16)
    }

    /// A payload of at least [`HEAD`] bytes, or an empty one.
    pub(super) fn payload(&self, sender: u8, number: u32, length: usize) -> Vec<u8> {
        if length == 0 {
            return Vec::new();
        }
        let mut payload = Vec::with_capacity(length.max(HEAD));
        payload.extend(self.0.to_le_bytes());
        payload.push(sender);
        payload.extend(number.to_le_bytes());
        payload.extend((HEAD..length).map(|at| (at + number as usize).to_le_bytes()[0]));
        payload
    }

    /// The sender and the number of a payload of this run. Fails where the payload is not as it was sent.
    pub(super) fn read(&self, payload: &[u8]) -> Option<(u8, u32)> {
        let head: &[u8; HEAD] = payload.first_chunk()?;
        if head[..4] != self.0.to_le_bytes() {
            return None;
        }
        let number = u32::from_le_bytes(head[5..].try_into().unwrap());
        assert!(payload == self.payload(head[4], number, payload.len()), "packet {number} of {} is damaged", head[4]);
        Some((head[4], number))
    }
}

/// The address that the sockets of a run have. Where every address of 127.0.0.0/8 is this machine's, one that other programs do not use.
pub(super) fn address() -> Ipv4Addr {
    if cfg!(any(target_os = "linux", target_os = "android")) {
        Ipv4Addr::new(127, 77, 13, 5)
    } else {
        Ipv4Addr::LOCALHOST
    }
}

/// A socket that does not block.
pub(super) fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((address(), 0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    // As far as the system grants it.
    let _ = SockRef::from(&socket).set_recv_buffer_size(4 << 20);
    socket
}

/// What is there to receive.
pub(super) fn receive_all(socket: &UdpSocket) -> Vec<(Vec<u8>, SocketAddr)> {
    let mut buffer = vec![0; 65_536];
    let mut all = Vec::new();
    loop {
        match socket.recv_from(&mut buffer) {
            Ok((length, from)) => all.push((buffer[..length].to_vec(), from)),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return all,
            // A report about an earlier packet.
            Err(_) => {}
        }
    }
}

/// Returns when `is_so`. Fails with `what` if that takes too long.
pub(super) fn eventually(what: impl Fn() -> String, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    let mut looks = 0_u32;
    while !is_so() {
        assert!(start.elapsed() < LONG, "{}", what());
        looks += 1;
        if looks < 20 {
            thread::yield_now();
        } else {
            thread::sleep(Duration::from_micros(200));
        }
    }
}

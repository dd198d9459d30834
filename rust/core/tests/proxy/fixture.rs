//! A relay with a target, and what each test asserts about its counters.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::num::NonZeroU16;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use packet_peer_udp_core::{DirectionStats, Proxy, ProxyStats};

use crate::common::{LONG, eventually};

/// How many packets may be on their way, so that no buffer of the kernel overflows.
const AHEAD: u64 = 60;

/// A socket on `ip`, whose receives fail after [`LONG`].
pub(crate) fn socket(ip: &str) -> UdpSocket {
    let socket = UdpSocket::bind((ip.parse::<IpAddr>().unwrap(), 0)).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket
}

pub(crate) fn port(socket: &UdpSocket) -> NonZeroU16 {
    NonZeroU16::new(socket.local_addr().unwrap().port()).unwrap()
}

/// The next packet and its sender, waited for.
pub(crate) fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 65_536];
    let (length, sender) = socket.recv_from(&mut buffer).unwrap();
    buffer.truncate(length);
    (buffer, sender)
}

/// The packets that are there.
pub(crate) fn receive_all(socket: &UdpSocket) -> Vec<Vec<u8>> {
    socket.set_nonblocking(true).unwrap();
    let mut buffer = vec![0; 65_536];
    let all = std::iter::from_fn(|| socket.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec())).collect();
    socket.set_nonblocking(false).unwrap();
    all
}

/// Sends packets of one byte, their number.
pub(crate) fn send_numbers(count: u8, send: impl Fn(&[u8]) -> std::io::Result<usize>) {
    for number in 0..count {
        assert_eq!(send(&[number]).unwrap(), 1);
    }
}

pub(crate) fn is_balanced(stats: &DirectionStats) -> bool {
    stats.packets_in + stats.duplicated == stats.packets_out + stats.lost + stats.dropped + stats.waiting
}

/// The counters, once they account for every packet of both directions: a packet may have come to its receiver before it counts as sent.
pub(crate) fn balanced(proxy: &Proxy) -> ProxyStats {
    let mut stats = proxy.stats();
    let start = Instant::now();
    while !(is_balanced(&stats.to_target) && is_balanced(&stats.to_client)) {
        assert!(start.elapsed() < LONG, "{stats:?}");
        thread::sleep(Duration::from_millis(1));
        stats = proxy.stats();
    }
    stats
}

/// A relay that listens on 127.0.0.1, and its target on the same machine.
pub(crate) struct Relayed {
    pub(crate) proxy: Proxy,
    pub(crate) target: UdpSocket,
}

impl Relayed {
    pub(crate) fn new() -> Self {
        Self::with(Proxy::default())
    }

    pub(crate) fn with(proxy: Proxy) -> Self {
        let target = socket("127.0.0.1");
        proxy.start("127.0.0.1", port(&target), 0, "127.0.0.1").unwrap();
        Self { proxy, target }
    }

    /// A socket that is connected to the relay.
    pub(crate) fn client(&self) -> UdpSocket {
        let client = socket("127.0.0.1");
        client.connect(self.proxy.local_addr().unwrap()).unwrap();
        client
    }

    /// A client that the target knows, and the address by which it does.
    pub(crate) fn greeted(&self) -> (UdpSocket, SocketAddr) {
        let client = self.client();
        client.send(b"hello").unwrap();
        let (hello, address) = receive(&self.target);
        assert_eq!(hello, b"hello");
        (client, address)
    }

    /// Returns when the relay has received so many packets from clients, and has passed on those that it does not hold back.
    pub(crate) fn await_in(&self, count: u64) {
        eventually(&format!("{count} packets come from clients"), || {
            let stats = self.proxy.stats().to_target;
            stats.packets_in == count && is_balanced(&stats)
        });
    }

    /// Returns when nothing is held back any more.
    pub(crate) fn await_empty(&self) -> ProxyStats {
        eventually("nothing is held back", || {
            let stats = self.proxy.stats();
            stats.to_target.waiting == 0
                && stats.to_client.waiting == 0
                && is_balanced(&stats.to_target)
                && is_balanced(&stats.to_client)
        });
        balanced(&self.proxy)
    }

    /// Sends numbered packets of 4 bytes from `client`; takes what comes to the target meanwhile, until nothing is held back.
    pub(crate) fn send_numbered(&self, client: &UdpSocket, numbers: Range<u32>) -> Vec<u32> {
        let before = self.proxy.stats().to_target.packets_in;
        let mut came = Vec::new();
        let count = u64::from(numbers.end - numbers.start);
        for (sent, number) in (1..).zip(numbers) {
            client.send(&number.to_le_bytes()).unwrap();
            if sent % AHEAD == 0 {
                self.await_in(before + sent);
                // What is held may come at once, and the target's buffer must hold it.
                eventually("no more is held than fits", || {
                    came.extend(self.take_numbers());
                    self.proxy.stats().to_target.waiting <= AHEAD
                });
            }
        }
        self.await_in(before + count);
        self.await_idle(&mut came);
        came
    }

    /// Takes what comes to the target, until nothing is held back.
    pub(crate) fn await_idle(&self, came: &mut Vec<u32>) {
        eventually("nothing is held back", || {
            came.extend(self.take_numbers());
            thread::sleep(Duration::from_millis(1));
            let stats = self.proxy.stats().to_target;
            stats.waiting == 0 && is_balanced(&stats)
        });
        came.extend(self.take_numbers());
    }

    pub(crate) fn take_numbers(&self) -> Vec<u32> {
        receive_all(&self.target).iter().map(|packet| u32::from_le_bytes(packet[..].try_into().unwrap())).collect()
    }
}

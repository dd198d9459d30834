//! Tests of the datagram backend of this platform, in every mode that it has.

mod addresses;
#[cfg(unix)]
mod kernel;
mod receiving;
mod segmentation;
mod sending;

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::AtomicUsize;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Type};

use super::{Arena, BEST_IO_MODE, IoMode, Payloads, SLOTS, Sent, is_empty, is_readable, prepare_io_mode, send_batch};

/// A test fails if it waits longer than this.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The largest datagram over IPv4, in bytes.
const LARGEST: usize = 65_507;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Family {
    V4,
    V6,
    /// A dual-stack receiver with an IPv4 sender.
    Dual,
}

const FAMILIES: [Family; 3] = [Family::V4, Family::V6, Family::Dual];

/// A sender and a receiver in one mode.
struct Pair {
    mode: IoMode,
    sender: UdpSocket,
    gso_limit: AtomicUsize,
    receiver: UdpSocket,
    /// The receiver's address, as the sender uses it.
    to: SocketAddr,
    arena: Arena,
    has_receive_times: bool,
}

impl Pair {
    fn new(family: Family, mode: IoMode) -> Self {
        let ip: IpAddr = if family == Family::V6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
        let sender = socket(ip);
        let receiver = if family == Family::Dual { socket(Ipv6Addr::UNSPECIFIED.into()) } else { socket(ip) };
        let to = SocketAddr::new(ip, receiver.local_addr().unwrap().port());
        // The system may grant less, but enough for all datagrams that a test has in flight.
        SockRef::from(&receiver).set_recv_buffer_size(4 << 20).unwrap();
        SockRef::from(&sender).set_send_buffer_size(4 << 20).unwrap();
        assert_eq!(prepare_io_mode(&receiver, mode), mode, "this system does not support the mode under test");
        assert_eq!(prepare_io_mode(&sender, mode), mode);
        let has_receive_times = has_receive_times(&sender);
        Self {
            mode,
            sender,
            gso_limit: AtomicUsize::new(usize::MAX),
            receiver,
            to,
            arena: Arena::new(),
            has_receive_times,
        }
    }

    fn connected(self) -> Self {
        self.sender.connect(self.to).unwrap();
        self
    }

    /// The address to pass to `send_batch`.
    fn destination(&self) -> Option<SocketAddr> {
        if self.sender.peer_addr().is_ok() { None } else { Some(self.to) }
    }

    fn send_from(&self, payloads: &Payloads<'_>, from: usize) -> Sent {
        send_batch(&self.sender, self.destination(), payloads, from, None, self.mode, &self.gso_limit)
    }

    /// Sends all of `payloads` and returns the number of system calls.
    fn send(&self, payloads: &Payloads<'_>) -> u64 {
        let sent = self.send_from(payloads, 0);
        assert!(sent.error.is_none(), "{sent:?}");
        assert_eq!(sent.packets, payloads.len());
        sent.system_calls
    }

    /// Receives once, as soon as there is a message. Returns the datagrams and the number of messages.
    fn receive(&mut self, limit: usize) -> (Vec<Vec<u8>>, usize) {
        let deadline = Instant::now() + TIMEOUT;
        let messages = loop {
            match self.arena.receive(&self.receiver, self.mode, limit, false) {
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    assert!(Instant::now() < deadline, "no message arrives");
                    thread::yield_now();
                }
                Err(error) => panic!("{error}"),
            }
        };
        assert!((1..=limit).contains(&messages));
        assert!(self.arena.late_error().is_none());
        let source = self.sender.local_addr().unwrap();
        let mut datagrams = Vec::new();
        for index in 0..messages {
            let message = self.arena.message(index);
            assert_eq!(self.arena.bytes(index), message.bytes);
            assert_eq!(message.sender.ip().to_canonical(), source.ip());
            assert_eq!(message.sender.port(), source.port());
            let tells_times = self.mode > IoMode::Portable || cfg!(target_vendor = "apple");
            assert_eq!(message.real_time.is_some(), tells_times && self.has_receive_times);
            if message.bytes.is_empty() {
                assert_eq!(message.segment, 0);
                datagrams.push(Vec::new());
            } else {
                datagrams.extend(message.bytes.chunks(message.segment).map(<[u8]>::to_vec));
            }
        }
        (datagrams, messages)
    }

    /// Sends `payloads`, receives them and compares. Returns the number of system calls for sending and of messages received.
    fn pass(&mut self, payloads: &Payloads<'_>) -> (u64, usize) {
        let calls = self.send(payloads);
        (calls, self.expect(payloads))
    }

    /// Receives `payloads` and nothing else. Returns the number of messages.
    fn expect(&mut self, payloads: &Payloads<'_>) -> usize {
        let mut messages = 0;
        let mut arrived = VecDeque::new();
        for index in 0..payloads.len() {
            if arrived.is_empty() {
                let (datagrams, more) = self.receive(SLOTS);
                arrived.extend(datagrams);
                messages += more;
            }
            let datagram: Vec<u8> = arrived.pop_front().unwrap();
            assert!(datagram == payloads.get(index).unwrap(), "{:?}, index {index}: {}", self.mode, datagram.len());
        }
        assert!(arrived.is_empty(), "more datagrams arrived than were sent");
        assert!(self.is_empty());
        messages
    }

    fn is_empty(&mut self) -> bool {
        let error = self.arena.receive(&self.receiver, self.mode, 1, false).unwrap_err();
        error.kind() == io::ErrorKind::WouldBlock
    }

    fn await_arrival(&self) {
        let deadline = Instant::now() + TIMEOUT;
        while is_empty(&self.receiver).unwrap() {
            assert!(Instant::now() < deadline);
        }
    }

    fn await_readable(&self) {
        let deadline = Instant::now() + TIMEOUT;
        while !is_readable(&self.receiver).unwrap() {
            assert!(Instant::now() < deadline);
        }
    }
}

/// Whether the system has receive times. An emulator may lack them (qemu's user-mode emulation refuses the option).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn has_receive_times(socket: &UdpSocket) -> bool {
    super::unix::ffi::set_flag(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, true).is_ok()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn has_receive_times(_: &UdpSocket) -> bool {
    true
}

fn socket(ip: IpAddr) -> UdpSocket {
    let domain = if ip.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = socket2::Socket::new(domain, Type::DGRAM, None).unwrap();
    if ip.is_ipv6() {
        socket.set_only_v6(!ip.is_unspecified()).unwrap();
    }
    socket.set_nonblocking(true).unwrap();
    socket.bind(&SocketAddr::new(ip, 0).into()).unwrap();
    socket.into()
}

/// The modes that this platform has.
fn modes() -> impl Iterator<Item = IoMode> {
    [IoMode::Portable, IoMode::Batch, IoMode::Offload].into_iter().filter(|mode| *mode <= BEST_IO_MODE)
}

/// Runs `test` in each mode and address family, with and without a connected sender.
fn for_each_pair(test: impl Fn(&mut Pair)) {
    for mode in modes() {
        for family in FAMILIES {
            test(&mut Pair::new(family, mode));
            test(&mut Pair::new(family, mode).connected());
        }
    }
}

/// Bytes that depend on their position, so that a test notices swapped or shifted ones.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at ^ (at >> 8) ^ (at >> 16)).to_le_bytes()[0]).collect()
}

/// Datagrams of these lengths, with different bytes.
fn datagrams(lengths: &[usize]) -> Vec<Vec<u8>> {
    lengths.iter().enumerate().map(|(index, length)| bytes(length + index).split_off(index)).collect()
}

fn slices(datagrams: &[Vec<u8>]) -> Vec<&[u8]> {
    datagrams.iter().map(Vec::as_slice).collect()
}

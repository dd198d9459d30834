//! Many packets per system call, and how many packets the kernel buffers.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use libc::{c_int, c_void, iovec, mmsghdr, sockaddr_in, socklen_t};
use packet_peer_udp_bench::{BURST, Benchmark, Row};

use crate::{pair, receive_all};

/// The largest UDP payload over IPv4, in bytes.
const MAX_PAYLOAD: usize = 65_507;

/// [`buffered`] ends when no packet has come for this long.
const QUIET: Duration = Duration::from_millis(200);

/// One burst per `sendmmsg` and per `recvmmsg`. With offload, the burst is sent as few messages as possible.
pub(crate) struct Batches {
    sender: UdpSocket,
    receiver: UdpSocket,
    outgoing: Messages,
    incoming: Messages,
    bytes: usize,
    rows: [Row; 2],
}

impl Batches {
    /// Packets of `size` bytes, one message each.
    pub(crate) fn new(size: usize) -> io::Result<Self> {
        let (sender, receiver) = pair()?;
        let to = receiver.local_addr()?;
        Ok(Self {
            sender,
            receiver,
            outgoing: Messages::new(&[size; BURST], Some(to)),
            incoming: Messages::new(&[2_048; BURST], None),
            bytes: BURST * size,
            rows: [Row::new("send_batch", size), Row::new("receive_batch", size)],
        })
    }

    /// Packets of `size` bytes; the kernel segments (`UDP_SEGMENT`) and coalesces (`UDP_GRO`) them.
    pub(crate) fn with_offload(size: usize) -> io::Result<Self> {
        let mut batches = Self::new(size)?;
        let segment = c_int::try_from(size).map_err(io::Error::other)?;
        set_option(&batches.sender, libc::SOL_UDP, libc::UDP_SEGMENT, segment)?;
        set_option(&batches.receiver, libc::SOL_UDP, libc::UDP_GRO, 1)?;
        let most = MAX_PAYLOAD / size * size;
        let mut lengths = vec![most; BURST * size / most];
        let rest = BURST * size % most;
        lengths.extend((rest > 0).then_some(rest));
        batches.outgoing = Messages::new(&lengths, Some(batches.receiver.local_addr()?));
        batches.incoming = Messages::new(&[65_536; 4], None);
        batches.rows = [Row::new("send_offload", size), Row::new("receive_offload", size)];
        Ok(batches)
    }
}

impl Benchmark for Batches {
    fn round(&mut self) -> io::Result<()> {
        let start = Instant::now();
        self.outgoing.send(&self.sender)?;
        let sent = Instant::now();
        receive_all(self.bytes, || self.incoming.receive(&self.receiver))?;
        let received = sent.elapsed();
        self.rows[0].add(sent - start, BURST);
        self.rows[1].add(received, BURST);
        Ok(())
    }

    fn rows(&self) -> &[Row] {
        &self.rows
    }

    fn clear(&mut self) {
        self.rows.iter_mut().for_each(Row::clear);
    }
}

/// The arguments of `sendmmsg` and `recvmmsg`, allocated once.
struct Messages {
    headers: Vec<mmsghdr>,
    // The headers point into these three. They are not modified after construction, so the pointers stay valid as long as
    // `self` lives.
    _iovecs: Vec<iovec>,
    _payloads: Vec<Vec<u8>>,
    _addresses: Vec<sockaddr_in>,
}

impl Messages {
    /// Messages of these lengths in bytes: to send to `to`, an IPv4 address, or, without one, to receive into.
    fn new(lengths: &[usize], to: Option<SocketAddr>) -> Self {
        let mut payloads: Vec<Vec<u8>> = lengths.iter().map(|length| vec![7; *length]).collect();
        let mut iovecs: Vec<iovec> = payloads
            .iter_mut()
            .map(|payload| iovec { iov_base: payload.as_mut_ptr().cast(), iov_len: payload.len() })
            .collect();
        let mut addresses = vec![to_sockaddr(to); lengths.len()];
        let headers = iovecs
            .iter_mut()
            .zip(&mut addresses)
            .map(|(iovec, address)| {
                // SAFETY: all zeroes is a valid value of a C structure of numbers and pointers: no address, no iovecs.
                let mut header: mmsghdr = unsafe { std::mem::zeroed() };
                header.msg_hdr.msg_name = ptr::from_mut(address).cast();
                header.msg_hdr.msg_namelen = ADDRESS_LENGTH;
                header.msg_hdr.msg_iov = iovec;
                header.msg_hdr.msg_iovlen = 1;
                header
            })
            .collect();
        Self { headers, _iovecs: iovecs, _payloads: payloads, _addresses: addresses }
    }

    fn send(&mut self, socket: &UdpSocket) -> io::Result<()> {
        let mut from = 0;
        while from < self.headers.len() {
            let rest = &mut self.headers[from..];
            let count = rest.len().try_into().unwrap_or(u32::MAX);
            // SAFETY: `count` headers begin at the pointer. Each refers to one iovec and one address of the stated lengths,
            // in heap memory that stays in place as long as `self` lives (see the fields). The kernel writes only to
            // `msg_len`.
            let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), count, 0) };
            from += usize::try_from(sent).map_err(|_| io::Error::last_os_error())?;
        }
        Ok(())
    }

    /// Receives what is there; returns the bytes of payload.
    fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        let count = self.headers.len().try_into().unwrap_or(u32::MAX);
        // SAFETY: as in `send`. The kernel writes at most as many bytes as each iovec and each address has, and sets the
        // addresses' lengths to that of an IPv4 address, which they have already.
        let got = unsafe { libc::recvmmsg(socket.as_raw_fd(), self.headers.as_mut_ptr(), count, 0, ptr::null_mut()) };
        let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
        Ok(self.headers[..got].iter().map(|header| header.msg_len as usize).sum())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "16")]
const ADDRESS_LENGTH: socklen_t = size_of::<sockaddr_in>() as socklen_t;

#[expect(clippy::cast_possible_truncation, reason = "2")]
const INTERNET: libc::sa_family_t = libc::AF_INET as libc::sa_family_t;

fn to_sockaddr(address: Option<SocketAddr>) -> sockaddr_in {
    // SAFETY: all zeroes is a valid value of a C structure of numbers.
    let mut raw: sockaddr_in = unsafe { std::mem::zeroed() };
    if let Some(SocketAddr::V4(address)) = address {
        raw.sin_family = INTERNET;
        raw.sin_port = address.port().to_be();
        raw.sin_addr.s_addr = u32::from_ne_bytes(address.ip().octets());
    }
    raw
}

/// The result of [`buffered`].
pub(crate) struct Buffered {
    /// Packets that were received after all were sent.
    pub(crate) packets: usize,
    /// Packets that were sent.
    pub(crate) sent: usize,
    /// The receive buffer's size as the kernel reports it, in bytes.
    pub(crate) buffer: c_int,
}

/// Sends 20,000 packets of `size` bytes to a socket that asks for a receive buffer of 64 MiB, then counts those that the
/// kernel has kept.
pub(crate) fn buffered(size: usize) -> io::Result<Buffered> {
    let (sender, receiver) = pair()?;
    set_option(&receiver, libc::SOL_SOCKET, libc::SO_RCVBUF, 64 << 20)?;
    let to = receiver.local_addr()?;
    let payload = vec![7; size];
    let sent = 20_000;
    for _ in 0..sent {
        sender.send_to(&payload, to)?;
    }
    let mut packets = 0;
    let mut buffer = [0; 2_048];
    let mut last_received = Instant::now();
    loop {
        match receiver.recv(&mut buffer) {
            Ok(_) => {
                packets += 1;
                last_received = Instant::now();
            }
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            // A busy kernel may deliver packets after the send has returned.
            Err(_) if last_received.elapsed() > QUIET => break,
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
    Ok(Buffered { packets, sent, buffer: get_option(&receiver, libc::SOL_SOCKET, libc::SO_RCVBUF)? })
}

fn set_option(socket: &UdpSocket, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: the kernel reads `INT_LENGTH` bytes at the pointer, which refers to an int of that size.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, ptr::from_ref(&value).cast::<c_void>(), INT_LENGTH)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn get_option(socket: &UdpSocket, level: c_int, name: c_int) -> io::Result<c_int> {
    let mut value: c_int = 0;
    let mut length = INT_LENGTH;
    // SAFETY: the kernel writes at most `INT_LENGTH` bytes at the pointer, which refers to an int of that size.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, name, ptr::from_mut(&mut value).cast::<c_void>(), &raw mut length)
    };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

#[expect(clippy::cast_possible_truncation, reason = "4")]
const INT_LENGTH: socklen_t = size_of::<c_int>() as socklen_t;

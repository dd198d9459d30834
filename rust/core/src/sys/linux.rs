//! Linux and Android: many datagrams per system call (`recvmmsg`, `sendmmsg`), and those of one size joined and cut by the
//! kernel (`UDP_GRO` since Linux 5.0, `UDP_SEGMENT` since 4.18; udp(7)).

use std::alloc::{self, Layout};
use std::io;
use std::mem::{self, MaybeUninit, offset_of};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};

use libc::{c_int, c_void};
use socket2::{InterfaceIndexOrAddress, SockAddr, SockRef};

use super::portable;
use crate::interfaces::Found;

use super::{Message, Path, Payloads, SLOT, SLOT_STRIDE, SLOTS, Sent};

pub(crate) const BEST_PATH: Path = Path::Offload;

/// As of Linux 6.
pub(crate) const CHOOSES_SHARED_PORTS: bool = true;

/// libc does not name it for Android; the number is that of all processors that Android runs on.
#[cfg(target_os = "android")]
const SO_MEMINFO: c_int = 55;
#[cfg(not(target_os = "android"))]
use libc::SO_MEMINFO;

/// What `SO_MEMINFO` fills, and where in it the drops are (`linux/sock_diag.h`).
const MEMINFO_FIGURES: usize = 9;
const MEMINFO_DROPS: usize = 8;

/// The most bytes in one message, joined or not: what fits into an IPv4 packet. (IPv6 takes 20 more; that is not worth
/// looking at the address.)
const MAX_MESSAGE: usize = 65_507;

/// The most datagrams that every kernel cuts one message into (`UDP_MAX_SEGMENTS`).
const MAX_SEGMENTS: usize = 64;

/// The most messages in one call to `sendmmsg`, and pieces of memory that they may refer to together.
const SEND_MESSAGES: usize = 64;
const SEND_PIECES: usize = 1024;

pub(crate) fn prepare_path(socket: &UdpSocket, wanted: Path) -> Path {
    if wanted == Path::Portable || !has_batches(socket) {
        return Path::Portable;
    }
    // Where the kernel refuses, messages come without a time.
    let _ = set_flag(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, true);
    // A kernel that does not know UDP_SEGMENT would send all at once, as one datagram: so it is asked first.
    if wanted == Path::Offload
        && option::<c_int>(socket, libc::SOL_UDP, libc::UDP_SEGMENT).is_ok()
        && set_flag(socket, libc::SOL_UDP, libc::UDP_GRO, true).is_ok()
    {
        Path::Offload
    } else {
        Path::Batch
    }
}

/// Whether the kernel (or what stands in for it, or a filter before it) lets the batch calls through: tried with no
/// message.
fn has_batches(socket: &UdpSocket) -> bool {
    let fd = socket.as_raw_fd();
    let none = ptr::null_mut();
    // SAFETY: the descriptor is that of `socket`, which is borrowed and so stays open. The call is told of no message, so
    // it reads and writes none; a null timeout is allowed and means none.
    let receives = unsafe { libc::recvmmsg(fd, none, 0, libc::MSG_DONTWAIT as _, ptr::null_mut()) };
    // SAFETY: as above.
    let sends = unsafe { libc::sendmmsg(fd, none, 0, libc::MSG_DONTWAIT as _) };
    receives == 0 && sends == 0
}

pub(crate) fn kernel_drops(socket: &UdpSocket) -> u64 {
    let figures = option::<[u32; MEMINFO_FIGURES]>(socket, libc::SOL_SOCKET, SO_MEMINFO);
    figures.map_or(0, |figures| u64::from(figures[MEMINFO_DROPS]))
}

/// `CLOCK_MONOTONIC_RAW`, as the engine.
pub(crate) fn ticks_nsec() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid place to write a time to. (It cannot fail: every kernel that std supports has this clock.)
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_RAW, &raw mut now) };
    nanoseconds(&now).unwrap_or(0)
}

/// What [`Arena`] refers the kernel to. Plain numbers and pointers, for which all zeroes are valid.
#[repr(C)]
struct Memory {
    messages: [libc::mmsghdr; SLOTS],
    pieces: [libc::iovec; SLOTS],
    /// The larger of the two kinds of sender; see [`sender`].
    senders: [libc::sockaddr_in6; SLOTS],
    controls: [Control; SLOTS],
    slots: [[u8; SLOT_STRIDE]; SLOTS],
}

/// Room for what comes with a message: its time, the size of its segments, and where it was sent to. In units that align a
/// `cmsghdr`.
type Control = [usize; CONTROL_ROOM.div_ceil(size_of::<usize>())];
// SAFETY: only computes, for sizes far from overflowing.
const TIME_ROOM: usize = unsafe { libc::CMSG_SPACE(length::<libc::timespec>()) } as usize;
// SAFETY: as above.
const SEGMENT_ROOM: usize = unsafe { libc::CMSG_SPACE(length::<c_int>()) } as usize;
// SAFETY: as above.
const ARRIVAL_ROOM: usize = unsafe { libc::CMSG_SPACE(length::<libc::in6_pktinfo>()) } as usize;
const CONTROL_ROOM: usize = TIME_ROOM + SEGMENT_ROOM + ARRIVAL_ROOM;
const _: () = assert!(align_of::<Control>() >= align_of::<libc::cmsghdr>());

/// See the module [`sys`](super).
pub(crate) struct Arena {
    /// Made by [`map_memory`] and owned. Nothing but this pointer, and those within [`Memory`] that are made from it,
    /// refers to it between calls; references exist only within a method, or, shared, as long as the arena is borrowed.
    memory: NonNull<Memory>,
    /// How many messages the kernel has written.
    received: usize,
    /// For [`Path::Portable`]; made when that is first used.
    portable: Option<portable::Arena>,
    is_portable: bool,
}

// SAFETY: the arena owns its memory, alone, and nothing in it belongs to a thread.
unsafe impl Send for Arena {}

impl Arena {
    pub(crate) fn new() -> Self {
        let memory = map_memory();
        let all = memory.as_ptr();
        // SAFETY: just made, zeroed, which is a valid value of all that is in it, and nothing else refers to it. (The
        // pointers that are stored below are made from `all`, not from this reference, so they stay valid when it ends.)
        let headers = unsafe { &mut *all };
        for index in 0..SLOTS {
            let at = |field: usize, size: usize| all.wrapping_byte_add(field + index * size);
            let piece = &mut headers.pieces[index];
            piece.iov_base = at(offset_of!(Memory, slots), SLOT_STRIDE).cast();
            piece.iov_len = SLOT;
            let header = &mut headers.messages[index].msg_hdr;
            header.msg_iov = at(offset_of!(Memory, pieces), size_of::<libc::iovec>()).cast();
            header.msg_iovlen = 1;
            header.msg_name = at(offset_of!(Memory, senders), size_of::<libc::sockaddr_in6>()).cast();
            header.msg_control = at(offset_of!(Memory, controls), size_of::<Control>()).cast();
            reset(header);
        }
        Self { memory, received: 0, portable: None, is_portable: false }
    }

    pub(crate) fn receive(&mut self, socket: &UdpSocket, path: Path, limit: usize) -> io::Result<usize> {
        self.is_portable = path == Path::Portable;
        if self.is_portable {
            return self.portable.get_or_insert_with(portable::Arena::new).receive(socket, path, limit);
        }
        // SAFETY: the arena is borrowed mutably, so no other reference into the memory exists (see the field).
        let memory = unsafe { self.memory.as_mut() };
        for message in &mut memory.messages[..self.received] {
            reset(&mut message.msg_hdr);
        }
        self.received = 0;
        let messages = self.memory.as_ptr().wrapping_byte_add(offset_of!(Memory, messages)).cast();
        let limit = count_of(limit.clamp(1, SLOTS));
        loop {
            // SAFETY: the descriptor is that of `socket`, which is borrowed and so stays open. `messages` are `SLOTS` or
            // more headers within the memory that the arena owns; their pointers lead to places of their own in the same
            // memory, made from the same pointer, with lengths that `new` and `reset` have set to what is there. No
            // reference into the memory is used after this call that was made before it.
            let count = unsafe {
                libc::recvmmsg(socket.as_raw_fd(), messages, limit, libc::MSG_DONTWAIT as _, ptr::null_mut())
            };
            match usize::try_from(count) {
                Ok(0) => return Err(io::ErrorKind::WouldBlock.into()),
                Ok(count) => {
                    self.received = count;
                    return Ok(count);
                }
                Err(_) => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
            }
        }
    }

    pub(crate) fn late_error(&mut self) -> Option<io::Error> {
        // The kernel keeps what ends a batch early for the next call.
        self.portable.as_mut().filter(|_| self.is_portable)?.late_error()
    }

    pub(crate) fn message(&self, index: usize) -> Message<'_> {
        if let (true, Some(portable)) = (self.is_portable, &self.portable) {
            return portable.message(index);
        }
        // SAFETY: the kernel writes only within `receive`, which borrows the arena mutably; until then all is only read.
        let memory = unsafe { self.memory.as_ref() };
        let message = &memory.messages[..self.received][index];
        let length = message.msg_len as usize;
        let told = told(&message.msg_hdr);
        Message {
            bytes: &memory.slots[index][..length],
            segment: told.segment.unwrap_or(length).min(length),
            sender: sender(&memory.senders[index]),
            real_time: told.time,
            arrival: told.arrival,
        }
    }

    pub(crate) fn bytes(&self, index: usize) -> &[u8] {
        if let (true, Some(portable)) = (self.is_portable, &self.portable) {
            return portable.bytes(index);
        }
        // SAFETY: as in `message`.
        let memory = unsafe { self.memory.as_ref() };
        let length = memory.messages[..self.received][index].msg_len as usize;
        &memory.slots[index][..length]
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the memory was mapped by `map_memory` with this size, and is not used again.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), size_of::<Memory>()) };
    }
}

/// Zeroed memory. Not from the allocator, which may take it from what was used and freed before: zeroing that would make
/// all of it resident.
fn map_memory() -> NonNull<Memory> {
    let size = size_of::<Memory>();
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: asks for new memory anywhere, which touches none that is in use.
    let memory = unsafe { libc::mmap(ptr::null_mut(), size, protection, flags, -1, 0) };
    // (A page is aligned for anything.)
    match NonNull::new(memory.cast()) {
        Some(mapped) if memory != libc::MAP_FAILED => mapped,
        _ => alloc::handle_alloc_error(Layout::new::<Memory>()),
    }
}

/// Sets what the kernel changes when it receives a message.
fn reset(header: &mut libc::msghdr) {
    header.msg_namelen = length::<libc::sockaddr_in6>() as libc::socklen_t;
    header.msg_controllen = size_of::<Control>() as _;
}

/// The sender that the kernel wrote.
fn sender(address: &libc::sockaddr_in6) -> SocketAddr {
    if c_int::from(address.sin6_family) == libc::AF_INET6 {
        let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
        let port = u16::from_be(address.sin6_port);
        return SocketAddrV6::new(ip, port, address.sin6_flowinfo, address.sin6_scope_id).into();
    }
    // SAFETY: `sockaddr_in` is not longer than `sockaddr_in6`, wants no larger alignment, and consists of integers.
    let address = unsafe { &*ptr::from_ref(address).cast::<libc::sockaddr_in>() };
    SocketAddrV4::new(Ipv4Addr::from(address.sin_addr.s_addr.to_ne_bytes()), u16::from_be(address.sin_port)).into()
}

/// What the kernel tells with a received message.
#[derive(Default)]
struct Told {
    time: Option<u64>,
    /// The size of the datagrams that it has joined.
    segment: Option<usize>,
    arrival: Option<(Ipv6Addr, u32)>,
}

fn told(header: &libc::msghdr) -> Told {
    let mut told = Told::default();
    // SAFETY: `header` is one that `recvmmsg` has filled: its control pointer and length describe memory that the arena
    // owns, and the kernel has written well-formed entries there.
    let mut entry = unsafe { libc::CMSG_FIRSTHDR(header) };
    // SAFETY: null, or an entry within that memory, aligned as the memory and the kernel's rules make it.
    while let Some(head) = unsafe { entry.as_ref() } {
        // SAFETY: the data of an entry that exists begins within the same memory.
        let data = unsafe { libc::CMSG_DATA(entry) };
        match (head.cmsg_level, head.cmsg_type) {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) if holds::<libc::timespec>(head) => {
                // SAFETY: the entry holds as many bytes; any are a valid `timespec`.
                told.time = nanoseconds(&unsafe { data.cast::<libc::timespec>().read_unaligned() });
            }
            (libc::SOL_UDP, libc::UDP_GRO) if holds::<c_int>(head) => {
                // SAFETY: the entry holds as many bytes; any are a valid integer.
                let size = unsafe { data.cast::<c_int>().read_unaligned() };
                told.segment = usize::try_from(size).ok().filter(|size| *size > 0);
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) if holds::<libc::in6_pktinfo>(head) => {
                // SAFETY: the entry holds as many bytes; any are valid, since it consists of integers.
                let info = unsafe { data.cast::<libc::in6_pktinfo>().read_unaligned() };
                #[allow(clippy::unnecessary_cast, reason = "libc has another type for it on Android")]
                let interface = info.ipi6_ifindex as u32;
                told.arrival = Some((info.ipi6_addr.s6_addr.into(), interface));
            }
            _ => {}
        }
        // SAFETY: as for the first; `entry` is an entry of `header`.
        entry = unsafe { libc::CMSG_NXTHDR(header, entry) };
    }
    told
}

/// Whether an entry holds a `T` and nothing else.
fn holds<T>(head: &libc::cmsghdr) -> bool {
    // SAFETY: only computes, for a size far from overflowing.
    head.cmsg_len as u64 == u64::from(unsafe { libc::CMSG_LEN(length::<T>()) })
}

fn nanoseconds(time: &libc::timespec) -> Option<u64> {
    u64::try_from(time.tv_sec).ok()?.checked_mul(1_000_000_000)?.checked_add(u64::try_from(time.tv_nsec).ok()?)
}

pub(crate) fn send_batch(
    socket: &UdpSocket,
    to: Option<SocketAddr>,
    payloads: &Payloads<'_>,
    from: usize,
    path: Path,
) -> Sent {
    if path == Path::Portable {
        return portable::send_batch(socket, to, payloads, from, path);
    }
    let to = to.map(SockAddr::from);
    // Datagrams as long as this are not joined. The kernel does not cut what would have to be fragmented as well, or on
    // some ways to the network (IPsec, no checksums) anything.
    let mut uncut = if path == Path::Offload { usize::MAX } else { 0 };
    let mut sent = Sent::default();
    while payloads.get(from + sent.packets).is_some() {
        let attempt = send_once(socket, to.as_ref(), payloads, from + sent.packets, uncut);
        sent.system_calls += 1;
        match attempt {
            Ok(packets) => sent.packets += packets,
            Err((error, _)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err((error, Some(segment))) if is_about_cutting(&error) => uncut = segment,
            Err((error, _)) => {
                sent.error = Some(error);
                break;
            }
        }
    }
    sent
}

/// Whether sending the same datagrams one by one may succeed; else it will say what is wrong in earnest. Not so where the
/// error says that there is no room now, or is about datagrams sent earlier.
fn is_about_cutting(error: &io::Error) -> bool {
    !matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::ENOBUFS | libc::ECONNREFUSED))
}

/// One call to `sendmmsg`, for datagrams from number `first` on. How many datagrams the kernel took (at least one); or the
/// error, and if it was about datagrams to be cut, their size.
fn send_once(
    socket: &UdpSocket,
    to: Option<&SockAddr>,
    payloads: &Payloads<'_>,
    first: usize,
    uncut: usize,
) -> Result<usize, (io::Error, Option<usize>)> {
    // Uninitialised, and no more of it is touched than is used.
    let mut runs = [const { MaybeUninit::<Run>::uninit() }; SEND_MESSAGES];
    let mut pieces = [const { MaybeUninit::<libc::iovec>::uninit() }; SEND_PIECES];
    let mut controls = [const { MaybeUninit::<Cut>::uninit() }; SEND_MESSAGES];
    let mut messages = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; SEND_MESSAGES];

    // What goes into each message. The memory is laid out here; the pointers to it are made when nothing moves any more.
    let mut next = first;
    let mut used = 0;
    let mut count = 0;
    while count < SEND_MESSAGES {
        let Some(run) = Run::at(payloads, next, uncut) else { break };
        let needed = if matches!(payloads, Payloads::Cut { .. }) { 1 } else { run.packets };
        if used + needed > SEND_PIECES {
            break;
        }
        match *payloads {
            Payloads::Cut { data, segment } => {
                let start = next * segment.max(1);
                pieces[used].write(piece(&data[start..start + run.bytes]));
            }
            Payloads::Each(payloads) => {
                for (slot, payload) in pieces[used..].iter_mut().zip(&payloads[next..next + run.packets]) {
                    slot.write(piece(payload));
                }
            }
        }
        if run.packets > 1 {
            controls[count].write(Cut::into(run.segment));
        }
        next += run.packets;
        used += needed;
        runs[count].write(Run { pieces: needed, ..run });
        count += 1;
    }

    let mut at_piece = pieces.as_mut_ptr().cast::<libc::iovec>();
    let controls = controls.as_mut_ptr().cast::<Cut>();
    for index in 0..count {
        // SAFETY: written above for each index below `count`.
        let run = unsafe { runs[index].assume_init_ref() };
        // SAFETY: a header of integers and raw pointers, for which zero is a valid value. (Field by field, because some
        // platforms have padding there that cannot be named.)
        let mut message: libc::mmsghdr = unsafe { mem::zeroed() };
        let header = &mut message.msg_hdr;
        if let Some(to) = to {
            header.msg_name = to.as_ptr().cast_mut().cast();
            header.msg_namelen = to.len();
        }
        header.msg_iov = at_piece;
        header.msg_iovlen = run.pieces as _;
        at_piece = at_piece.wrapping_add(run.pieces);
        if run.packets > 1 {
            header.msg_control = controls.wrapping_add(index).cast();
            header.msg_controllen = size_of::<Cut>() as _;
        }
        messages[index].write(message);
    }

    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the descriptor is that of `socket`, which is borrowed and so stays open. `messages` has `count` headers that
    // were written above. Their pointers lead to `to`, `pieces`, `controls` and, through the pieces, to the payloads, all of
    // which outlive the call, were written as far as the lengths say, and are only read by it.
    let taken =
        unsafe { libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr().cast(), count_of(count), flags as _) };
    // SAFETY: the callers give a `first` that exists, so there is at least one message.
    let head = unsafe { runs[0].assume_init_ref() };
    match usize::try_from(taken) {
        Err(_) => Err((io::Error::last_os_error(), (head.packets > 1).then_some(head.segment))),
        Ok(taken) => {
            // SAFETY: the kernel took no more messages than there were; each was written above.
            Ok(runs[..taken.min(count)].iter().map(|run| unsafe { run.assume_init_ref() }.packets).sum())
        }
    }
}

/// Datagrams that go into one message.
#[derive(Clone, Copy)]
struct Run {
    packets: usize,
    /// The length of each but the last.
    segment: usize,
    bytes: usize,
    /// In how many pieces the bytes lie in memory.
    pieces: usize,
}

impl Run {
    /// The longest that begins with datagram number `first`; `None` if there is none. Datagrams of `uncut` bytes and more
    /// are alone.
    fn at(payloads: &Payloads<'_>, first: usize, uncut: usize) -> Option<Self> {
        let segment = payloads.get(first)?.len();
        let mut run = Self { packets: 1, segment, bytes: segment, pieces: 1 };
        if segment == 0 || segment >= uncut {
            return Some(run);
        }
        let most = MAX_SEGMENTS.min(MAX_MESSAGE / segment);
        match *payloads {
            // (The last one may be shorter than it was cut.)
            Payloads::Cut { data, segment: cut } if segment == cut => {
                let rest = data.len() - first * segment;
                run.packets = most.min(rest.div_ceil(segment)).max(1);
                run.bytes = rest.min(run.packets * segment);
            }
            Payloads::Cut { .. } => {}
            Payloads::Each(payloads) => {
                for payload in &payloads[first + 1..] {
                    let length = payload.len();
                    if length == 0
                        || length > segment
                        || run.packets == MAX_SEGMENTS
                        || run.bytes + length > MAX_MESSAGE
                    {
                        break;
                    }
                    run.packets += 1;
                    run.bytes += length;
                    if length < segment {
                        break;
                    }
                }
            }
        }
        Some(run)
    }
}

fn piece(bytes: &[u8]) -> libc::iovec {
    libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast::<c_void>(), iov_len: bytes.len() }
}

/// What tells the kernel to cut a message: a control entry, as `CMSG_DATA` and its like lay it out.
#[repr(C)]
struct Cut {
    head: libc::cmsghdr,
    segment: u16,
}

// SAFETY: only computes, for a size far from overflowing.
const CUT_ROOM: usize = unsafe { libc::CMSG_SPACE(length::<u16>()) } as usize;
// SAFETY: as above.
const CUT_DATA: usize = unsafe { libc::CMSG_LEN(0) } as usize;
const _: () = assert!(size_of::<Cut>() == CUT_ROOM && offset_of!(Cut, segment) == CUT_DATA);

impl Cut {
    fn into(segment: usize) -> Self {
        // SAFETY: integers, for which zero is a valid value. (Padding, as above.)
        let mut head: libc::cmsghdr = unsafe { mem::zeroed() };
        // SAFETY: only computes, for a size far from overflowing.
        head.cmsg_len = unsafe { libc::CMSG_LEN(length::<u16>()) } as _;
        head.cmsg_level = libc::SOL_UDP;
        head.cmsg_type = libc::UDP_SEGMENT;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "what is longer than half of `MAX_MESSAGE` is alone, uncut"
        )]
        let segment = segment as u16;
        Self { head, segment }
    }
}

/// The size of a `T`, as the system wants it.
#[expect(clippy::cast_possible_truncation, reason = "all types here are small")]
const fn length<T>() -> u32 {
    size_of::<T>() as u32
}

/// A number of messages, as the system wants it.
#[expect(clippy::cast_possible_truncation, reason = "no more than there are slots, or than `SEND_MESSAGES`")]
const fn count_of(messages: usize) -> u32 {
    messages as u32
}

/// By index: two interfaces may have the same address.
pub(crate) fn change_group_v4(socket: &UdpSocket, group: Ipv4Addr, interface: Found, join: bool) -> io::Result<()> {
    let socket = SockRef::from(socket);
    let interface = InterfaceIndexOrAddress::Index(interface.index.unwrap_or(0));
    if join { socket.join_multicast_v4_n(&group, &interface) } else { socket.leave_multicast_v4_n(&group, &interface) }
}

/// Likewise (`ip_mreqn`, ip(7)).
pub(crate) fn set_multicast_interface_v4(socket: &UdpSocket, interface: Found) -> io::Result<()> {
    let address = |ip: Option<Ipv4Addr>| libc::in_addr { s_addr: ip.map_or(0, |ip| u32::from_ne_bytes(ip.octets())) };
    let chosen = libc::ip_mreqn {
        imr_multiaddr: address(None),
        // What an unbound socket then sends from.
        imr_address: address(interface.ipv4),
        imr_ifindex: c_int::try_from(interface.index.unwrap_or(0)).unwrap_or(0),
    };
    set_option(socket, libc::IPPROTO_IP, libc::IP_MULTICAST_IF, &chosen)
}

/// Linux gives a socket by default what is sent to any group that any socket of the machine has joined; of IPv6, also what
/// came by an interface on which only others have.
pub(crate) fn hear_own_groups_only(socket: &UdpSocket) {
    // One of them fails on a socket of the other family. Where the other one does (IPV6_MULTICAST_ALL came with Linux 4.20),
    // the socket hears too much, but it hears.
    let _ = set_flag(socket, libc::IPPROTO_IP, libc::IP_MULTICAST_ALL, false);
    let _ = set_flag(socket, libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_ALL, false);
    let _ = set_flag(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, true);
}

/// Turns an option on or off.
fn set_flag(socket: &UdpSocket, level: c_int, name: c_int, enabled: bool) -> io::Result<()> {
    set_option::<c_int>(socket, level, name, &enabled.into())
}

/// Sets an option to what the kernel takes for it.
fn set_option<T: Copy>(socket: &UdpSocket, level: c_int, name: c_int, value: &T) -> io::Result<()> {
    let size = length::<T>() as libc::socklen_t;
    // SAFETY: the descriptor is that of `socket`, which is borrowed and so stays open; the value lives through the call,
    // and the kernel reads no more of it than its size.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, ptr::from_ref(value).cast(), size) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Reads an option that consists of integers.
fn option<T: Integers>(socket: &UdpSocket, level: c_int, name: c_int) -> io::Result<T> {
    let mut value = T::default();
    let mut size = length::<T>() as libc::socklen_t;
    // SAFETY: the descriptor is that of `socket`, which is borrowed and so stays open; the kernel writes no more than the
    // `size` bytes of `value`, of which any are valid (see the trait).
    let result = unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut size) };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

/// Types for which any bytes are a valid value.
trait Integers: Default {}
impl Integers for c_int {}
impl Integers for [u32; MEMINFO_FIGURES] {}

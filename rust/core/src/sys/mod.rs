//! What differs between platforms, behind one interface. Nothing outside this module asks which platform it is on.
//!
//! Each platform's file provides:
//!
//! - `fn prepare(socket: &socket2::Socket, reuse_address: bool) -> io::Result<()>`: called on each new socket, before it is
//!   bound; sets what this platform needs so that a UDP socket behaves like everybody else's, and has its port to itself
//!   unless `reuse_address` says otherwise (`SO_REUSEADDR`).
//! - `const HAS_REUSE_PORT: bool`, `fn set_reuse_port(socket: &UdpSocket, enabled: bool) -> io::Result<()>`: `SO_REUSEPORT`.
//! - `const DEFAULT_HOPS: Option<u32>`: what `IP_TTL` and `IPV6_UNICAST_HOPS` take for the system's own hop limit, where they
//!   do.
//! - `fn set_traffic_class_v6(socket: &UdpSocket, class: u32) -> io::Result<()>`: `IPV6_TCLASS`.
//! - `fn interface_index(name: &str) -> Option<u32>`: the index of the interface of that name, where the system tells quickly;
//!   `None` also where it does not.
//! - `fn interface_name(index: u32) -> Option<String>`: the name of an interface; used where scopes have names.
//! - `const SCOPES_HAVE_NAMES: bool`: whether the interface of a link-local address is written as a name, or as a number.
//! - `const BIND_BEFORE_USE: bool`: whether a socket that is opened by something other than `bind` must be bound before
//!   it can receive or join a group.
//! - `const POLLER_HOLDS_SOCKETS: bool`, `const SLEEPER_HOLDS_SOCKETS: bool`: whether a socket's port is free only after
//!   those have noticed who sleep on it with a `polling::Poller`, or with a `Sleeper`.
//! - `const BUFFER_FIGURE: usize`: how many times what it was asked for a buffer's size is in the system's own figure.
//! - `const KERNEL_OVERHEAD: usize`: what a packet in the kernel's receive buffer takes there beyond its length, at least.
//! - `fn is_full(error: &io::Error) -> bool`: whether a send failed because the kernel has no room for it just now.
//! - `const RESOLVER_FLAGS: i32`: `ai_flags` for `getaddrinfo`.
//! - `fn is_readable(socket: &UdpSocket) -> io::Result<bool>`: whether receiving would give a datagram, also an empty one.
//!   May say yes for nothing, never no for something. An error is one that receiving would have given, and is given once.
//! - `fn pin_library() -> bool`: keeps the library that this code is in where it is until the process ends; whether that
//!   could be done.
//!
//! # Many datagrams at once, and what else Linux has of its own
//!
//! `linux` (Linux and Android) and `elsewhere` (all others) each provide:
//!
//! - `const BEST_PATH: Path`: the best that this platform's code knows.
//! - `const CHOOSES_SHARED_PORTS: bool`: whether the system, when it is to choose a port for a socket that shares its port, may
//!   choose one that others share already; then it is to share it only afterwards.
//! - `fn prepare_path(socket: &UdpSocket, wanted: Path) -> Path`: called once for a new socket, with the path that it is to
//!   use. Turns on what the path needs: the kernel's receive times, and joining for [`Path::Offload`]. Returns the path
//!   that the socket can really use (on an old kernel less than was wanted), which is to be handed to all below. Never
//!   fails.
//! - `struct Arena`: memory that datagrams are received into, shared by all peers in turn. About [`SLOTS`] times 64 KiB of
//!   address space, of which only what is touched becomes resident. It is `Send`, and has
//!   - `fn new() -> Self`;
//!   - `fn receive(&mut self, socket: &UdpSocket, path: Path, limit: usize) -> io::Result<usize>`: receives up to `limit`
//!     (1 to [`SLOTS`]) messages that wait in `socket`, never blocks. Returns how many; they stay until the next call.
//!     Fewer than `limit`: there was nothing more, or an error came after them (see `late_error`). `WouldBlock` when there
//!     was none. `Interrupted` is retried inside; any other error is as the system gave it, and then there is no message;
//!   - `fn late_error(&mut self) -> Option<io::Error>`: the error that ended the last `receive` after its messages, once.
//!     Where the system keeps it for the next `receive` instead, there is none;
//!   - `fn message(&self, index: usize) -> Message<'_>`: one of the messages of the last `receive`;
//!   - `fn bytes(&self, index: usize) -> &[u8]`: the payload alone, which takes less time.
//! - `fn send_batch(socket: &UdpSocket, to: Option<SocketAddr>, payloads: &Payloads<'_>, from: usize, path: Path) -> Sent`:
//!   sends `payloads` from number `from` on, in order, to `to` (`None`: to the connected peer). Never blocks; stops at the
//!   first that the kernel refuses.
//! - `fn change_group_v4(socket: &UdpSocket, group: Ipv4Addr, interface: Found, join: bool) -> io::Result<()>`: joins or
//!   leaves a group on an interface.
//! - `fn set_multicast_interface_v4(socket: &UdpSocket, interface: Found) -> io::Result<()>`: `IP_MULTICAST_IF`; for an
//!   interface without an IPv4 address the system picks one, or that interface is used with another's address.
//! - `fn hear_own_groups_only(socket: &UdpSocket)`: called when the socket joins a group: from then on it receives what is
//!   sent to the groups that it is a member of, and not what other sockets have joined. Where the system does not look at the
//!   interface as well (IPv6 on Linux), messages tell their [`arrival`](Message::arrival) from then on.
//! - `fn kernel_drops(socket: &UdpSocket) -> u64`: how many datagrams the kernel has dropped because this socket's buffer
//!   was full; 0 where it does not tell. Joined ones count as one.
//! - `fn ticks_nsec() -> u64`: now, in nanoseconds, on the clock that the engine's `Time.get_ticks_usec()` counts, with
//!   another origin.
//!
//! # Sleeping
//!
//! `alarm` (Linux and Android) and `poller` (all others) each provide `struct Sleeper`, which is `Send` and `Sync`: what one
//! thread sleeps with until a socket is readable, or another thread wakes it.
//!
//! - `fn new() -> io::Result<Self>`
//! - `fn watch(&self, socket: &UdpSocket) -> io::Result<()>`: from now on the socket wakes the sleeper as long as it is
//!   readable; a sleep in progress may take no notice, so wake it. It must be taken out again before it is dropped, and be
//!   watched only once at a time. One socket at most.
//! - `fn unwatch(&self, socket: &UdpSocket)`
//! - `fn sleep(&self, timeout: Option<Duration>) -> io::Result<bool>`: sleeps, for one thread at a time. Whether the socket
//!   has become readable; `false` when somebody called `wake`, when the time is over, or for no reason.
//! - `fn wake(&self)`: ends the sleep in progress, or else the next one.
//!
//! macOS has `recvmsg_x` and `sendmsg_x` for this, but they are private interfaces: not used.

use std::env;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::ptr;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

mod portable;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{
    BIND_BEFORE_USE, BUFFER_FIGURE, DEFAULT_HOPS, HAS_REUSE_PORT, KERNEL_OVERHEAD, POLLER_HOLDS_SOCKETS,
    RESOLVER_FLAGS, SCOPES_HAVE_NAMES, SLEEPER_HOLDS_SOCKETS, interface_index, interface_name, is_full, is_readable,
    pin_library, prepare, set_reuse_port, set_traffic_class_v6,
};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{
    BIND_BEFORE_USE, BUFFER_FIGURE, DEFAULT_HOPS, HAS_REUSE_PORT, KERNEL_OVERHEAD, POLLER_HOLDS_SOCKETS,
    RESOLVER_FLAGS, SCOPES_HAVE_NAMES, SLEEPER_HOLDS_SOCKETS, interface_index, interface_name, is_full, is_readable,
    pin_library, prepare, set_reuse_port, set_traffic_class_v6,
};

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use linux::{
    Arena, BEST_PATH, CHOOSES_SHARED_PORTS, change_group_v4, hear_own_groups_only, kernel_drops, prepare_path,
    send_batch, set_multicast_interface_v4, ticks_nsec,
};

#[cfg(any(target_os = "linux", target_os = "android"))]
mod alarm;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use alarm::Sleeper;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod poller;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use poller::Sleeper;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod elsewhere;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use elsewhere::{
    Arena, BEST_PATH, CHOOSES_SHARED_PORTS, change_group_v4, hear_own_groups_only, kernel_drops, prepare_path,
    send_batch, set_multicast_interface_v4, ticks_nsec,
};

#[cfg(test)]
mod tests;

/// How many messages one call receives at most.
pub(crate) const SLOTS: usize = 16;

/// Room for one message: no datagram is longer, nor what the kernel joins.
const SLOT: usize = 1 << 16;

/// From one slot to the next. A little more than a slot, so that the beginnings of the slots, which every packet uses, do
/// not fall into the same few sets of the processor's cache (which repeat every 4 KiB or so).
const SLOT_STRIDE: usize = SLOT + 4096 / SLOTS;

/// How datagrams pass between a socket and the kernel; each does what the ones before it do, and more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    /// One system call per datagram: works everywhere.
    Portable,
    /// Many datagrams per system call (Linux, Android: `recvmmsg`, `sendmmsg`).
    Batch,
    /// The kernel also joins and cuts datagrams of one size (Linux, Android: `UDP_GRO`, `UDP_SEGMENT`).
    Offload,
}

/// The environment variable that names the best path that sockets may use: `portable`, `batch` or `offload`. To test
/// each of them, and to go round something broken.
pub const PATH_VARIABLE: &str = "PACKET_PEER_UDP_RS_PATH";

/// What [`PATH_VARIABLE`] says, asked once; the best of all where it is not set. An error is a text that names no path, and
/// counts for nothing.
pub fn path_limit() -> Result<Path, &'static str> {
    static LIMIT: LazyLock<Result<Path, String>> = LazyLock::new(|| {
        let Some(name) = env::var_os(PATH_VARIABLE) else { return Ok(Path::Offload) };
        match name.to_str() {
            Some("portable") => Ok(Path::Portable),
            Some("batch") => Ok(Path::Batch),
            Some("offload") => Ok(Path::Offload),
            _ => Err(name.to_string_lossy().into_owned()),
        }
    });
    LIMIT.as_ref().copied().map_err(String::as_str)
}

/// The path that a new socket is to use, if it can.
pub(crate) fn wanted_path() -> Path {
    path_limit().unwrap_or(BEST_PATH).min(BEST_PATH)
}

/// One message that was received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    /// The payload; several datagrams back to back where the kernel has joined them.
    pub(crate) bytes: &'a [u8],
    /// The length of each of them; only the last may be shorter. 0 only where `bytes` is empty, which is one empty datagram.
    pub(crate) segment: usize,
    /// As the kernel gave it: on a dual-stack socket, an IPv4 sender is mapped.
    pub(crate) sender: SocketAddr,
    /// When the kernel received it, on the clock of [`real_time_nsec`]; `None` where it does not tell.
    pub(crate) real_time: Option<u64>,
    /// Where it was sent to and by which interface it came (its index), if that was [asked for](self) and it is IPv6.
    pub(crate) arrival: Option<(Ipv6Addr, u32)>,
}

/// What is to be sent, in order.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Payloads<'a> {
    /// Each slice is a datagram.
    Each(&'a [&'a [u8]]),
    /// `data` in pieces of `segment` bytes (1 or more); the last may be shorter. Without data there is no piece.
    Cut { data: &'a [u8], segment: usize },
}

impl<'a> Payloads<'a> {
    /// How many datagrams.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Each(payloads) => payloads.len(),
            Self::Cut { data, segment } => data.len().div_ceil((*segment).max(1)),
        }
    }

    /// How many bytes the first `count` datagrams have together.
    pub(crate) fn bytes(&self, count: usize) -> usize {
        match self {
            Self::Each(payloads) => payloads.iter().take(count).map(|payload| payload.len()).sum(),
            Self::Cut { data, segment } => data.len().min(count.saturating_mul((*segment).max(1))),
        }
    }

    /// Datagram number `index`.
    pub(crate) fn get(&self, index: usize) -> Option<&'a [u8]> {
        match *self {
            Self::Each(payloads) => payloads.get(index).copied(),
            Self::Cut { data, segment } => {
                let segment = segment.max(1);
                let rest = data.get(index.checked_mul(segment)?..)?;
                if rest.is_empty() { None } else { Some(&rest[..segment.min(rest.len())]) }
            }
        }
    }
}

/// How far a [`send_batch`] has come.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// How many datagrams the kernel took.
    pub(crate) packets: usize,
    /// How often it was called.
    pub(crate) system_calls: u64,
    /// Why it took no more. An error that was about earlier datagrams (a refused port's ICMP answer) is told where it meets
    /// the first datagram of a system call; where it meets a later one, that one is sent again and the error is lost.
    pub(crate) error: Option<io::Error>,
}

/// Now, in nanoseconds of the system's real-time clock (which may be set, and then jumps).
pub(crate) fn real_time_nsec() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The size of a line of the processor's cache; a guess that does no harm.
const CACHE_LINE: usize = 64;

/// Has the processor fetch a value into its cache, where it can be told to, and goes on meanwhile.
pub(crate) fn prefetch<T: ?Sized>(value: &T) {
    let start = ptr::from_ref(value).cast::<u8>();
    for line in (0..size_of_val(value)).step_by(CACHE_LINE) {
        let place = start.wrapping_add(line);
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: changes nothing and reads no value, whatever the address; every x86-64 processor has the instruction.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(place.cast()) };
        }
        #[cfg(target_arch = "aarch64")]
        {
            // SAFETY: likewise; every AArch64 processor has it.
            unsafe {
                std::arch::asm!("prfm pldl1keep, [{}]", in(reg) place, options(nostack, readonly, preserves_flags))
            };
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let _ = place;
    }
}

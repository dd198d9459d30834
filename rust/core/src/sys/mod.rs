//! The platforms behind one contract. Code outside this module does not ask which platform it runs on.
//!
//! This module imports nothing from the rest of the crate. Its submodules share the values in `types` and `io_mode`.
//!
//! # Sockets, interfaces and the library: `unix` and `windows`
//!
//! - `fn prepare(socket: &socket2::Socket, reuse_address: bool) -> io::Result<()>`: configures a new socket before it is
//!   bound. Afterwards the socket has the behaviour that UDP sockets have on Linux: its port is exclusive unless
//!   `reuse_address` sets `SO_REUSEADDR`.
//! - `const HAS_REUSE_PORT: bool`: whether the platform has `SO_REUSEPORT`.
//! - `const SERVERS_SHARE_PORTS: bool`: whether the engine's `UDPServer` sets `SO_REUSEADDR`.
//! - `fn set_reuse_port(socket: &UdpSocket, enabled: bool) -> io::Result<()>`: sets `SO_REUSEPORT`. Without the option,
//!   enabling it fails with `Unsupported`.
//! - `const DEFAULT_HOPS: Option<u32>`: the value of `IP_TTL` and `IPV6_UNICAST_HOPS` that selects the system's default hop
//!   limit; `None` if there is no such value.
//! - `fn set_traffic_class_v6(socket: &UdpSocket, class: u32) -> io::Result<()>`: sets `IPV6_TCLASS`.
//! - `fn interfaces() -> io::Result<Vec<if_addrs::Interface>>`: the interfaces, an entry for each of their addresses. May take
//!   milliseconds.
//! - `fn interface_index(name: &str) -> io::Result<Option<u32>>`: the index of the interface `name`. `None` if there is no such
//!   interface, or if the platform has no fast look-up; an error if the system does not tell.
//! - `fn interface_name(index: u32) -> Option<String>`: the name of an interface; always `None` unless `SCOPES_HAVE_NAMES`.
//! - `const SCOPES_HAVE_NAMES: bool`: whether the scope of a link-local address is written as an interface name (`true`) or as
//!   an interface index (`false`).
//! - `const BIND_BEFORE_USE: bool`: whether a socket must be bound before it can receive or join a group.
//! - `const POLLER_HOLDS_SOCKETS: bool`: whether a closed socket keeps its port until a thread that waits on it through a
//!   `polling::Poller` has returned from that wait.
//! - `const WAKER_HOLDS_SOCKETS: bool`: the same for a thread that sleeps on the socket through a [`Waker`].
//! - `const LONGEST_SLEEP: Option<Duration>`: how long a thread sleeps on a socket at most before it tries to receive, because the
//!   system may fail to tell of a packet; `None` where it does not fail.
//! - `const BUFFER_SIZE_FACTOR: usize`: the size that `SO_RCVBUF` and `SO_SNDBUF` read back, divided by the size that was
//!   set.
//! - `const KERNEL_OVERHEAD: usize`: the least number of bytes that a packet occupies in the kernel's receive buffer in
//!   addition to its payload.
//! - `fn is_full(error: &io::Error) -> bool`: whether a send failed because the kernel has no room at the moment.
//! - `fn may_be_report(error: &io::Error, to: SocketAddr, length: usize) -> bool`: whether the error of a send of `length` bytes on
//!   a socket that is connected to `to` may be the report of another host about an *earlier* datagram (ICMP). If so, the datagram
//!   was not sent, and sending it again may succeed.
//! - `fn disconnect(socket: &UdpSocket) -> io::Result<()>`: dissolves the association that `connect` has made, so that the next
//!   `connect` chooses the local address anew. The socket may have lost its port afterwards; then it is to be bound again.
//! - `const RESOLVER_FLAGS: i32`: the `ai_flags` for `getaddrinfo`.
//! - `fn is_readable(socket: &UdpSocket) -> io::Result<bool>`: whether a receive would return a datagram, which may be empty.
//!   It never returns `false` while a datagram is queued; it may return `true` while none is. An error is the socket's pending
//!   error, which this call clears.
//! - `fn receive_arrival(socket: &UdpSocket, enabled: bool) -> io::Result<()>`: whether the kernel tells where messages
//!   have arrived. On a dual-stack socket for both address families. Fails where the system has no such option.
//! - `fn receive_one(socket: &UdpSocket, buffer: &mut [u8], with_arrival: bool) -> io::Result<ReceivedOne>`: receives one datagram
//!   into a buffer that is large enough for any, without blocking. `with_arrival` tells whether `receive_arrival` was called.
//! - `fn send_from(socket: &UdpSocket, datagram: &[u8], to: SocketAddr, source: Source) -> io::Result<()>`: sends one datagram
//!   from an address of this machine, by an interface, or both, without blocking. A source of another address family than `to`
//!   is ignored.
//! - `fn is_source_gone(error: &io::Error) -> bool`: whether a send with a [`Source`] may have failed because this machine does
//!   not have that address or interface. Other causes can have the same error, so the caller sends again without it.
//! - `fn is_empty(socket: &UdpSocket) -> io::Result<bool>`: whether no datagram is queued, for certain. It may cost as much as
//!   receiving one. Errors are those of `is_readable`.
//! - `fn receive_times(socket: &UdpSocket)`: has messages tell their [receive time](Message::real_time), where the system does; not
//!   on Linux and Android, whose datagram backend does so.
//! - `fn pin_library() -> bool`: keeps the library that contains this code loaded until the process ends. Returns whether that
//!   succeeded.
//!
//! # Datagrams, groups and clocks: `linux` (Linux and Android) and `fallback` (all other platforms)
//!
//! - `const BEST_IO_MODE: IoMode`: the best mode that the backend implements.
//! - `fn prepare_io_mode(socket: &UdpSocket, wanted: IoMode) -> IoMode`: called once for a new socket. Enables what the
//!   mode needs: receive times, and joined datagrams for [`IoMode::Offload`]. Returns the best mode up to `wanted` that
//!   the kernel supports; the other functions take that mode. Never fails.
//! - `struct Arena`: memory for received datagrams, shared by all sockets of a thread. It reserves about [`SLOTS`] times
//!   64 KiB of address space, of which only the touched pages become resident. It is `Send`.
//!   - `fn new() -> Self`
//!   - `fn receive(&mut self, socket: &UdpSocket, mode: IoMode, limit: usize, with_arrival: bool) -> io::Result<usize>`: receives
//!     up to `limit` (1 to [`SLOTS`]) queued messages, without blocking, and returns their number. The messages stay in the
//!     arena until the next call. `with_arrival` tells whether `receive_arrival` was called. If there are fewer than `limit`, the
//!     socket had no more or an error followed them (see `late_error`). If there is none, the call fails: with `WouldBlock` if
//!     the socket is empty, otherwise with the system's error. `Interrupted` is retried.
//!   - `fn late_error(&mut self) -> Option<io::Error>`: takes the error that followed the messages of the last `receive`.
//!     Always `None` where the kernel reports such an error at the next receive.
//!   - `fn message(&self, index: usize) -> Message<'_>`: a message of the last `receive`.
//!   - `fn arrival(&self, index: usize) -> Option<Arrival>`: where that message has arrived. Only after `receive_arrival`, and for
//!     IPv6 also after `receive_own_groups_only`; `None` where the kernel does not report it.
//!   - `fn bytes(&self, index: usize) -> &[u8]`: only the payload of that message, which is faster.
//! - `fn send_batch(socket: &UdpSocket, to: Option<SocketAddr>, payloads: &Payloads<'_>, from: usize, source: Option<Source>,
//!   mode: IoMode, gso_limit: &AtomicUsize) -> Sent`: sends `payloads` in order, from index `from` on, to `to` (`None`: to the
//!   connected address), without blocking. Stops at the first datagram that the kernel refuses. A `source` of another address
//!   family than `to`, or without `to`, is ignored.
//!   - `gso_limit` belongs to the socket and is `usize::MAX` for a new one. Datagrams of that many bytes or more are sent
//!     without segmentation. When the kernel refuses to segment datagrams that it then accepts one by one, the call lowers
//!     the limit, so that later calls do not repeat the refused system call: to the size of these datagrams if the reason
//!     may be their size, otherwise to 0. Only [`IoMode::Offload`] uses the limit.
//! - `fn send_to_each(socket: &UdpSocket, datagram: &[u8], targets: &[Target], mode: IoMode) -> Sent`: sends a copy of `datagram`
//!   to each target in order, without blocking. Stops at the first one that the kernel refuses: [`Sent::packets`] is its index.
//! - `const CHOOSES_SHARED_PORTS: bool`: whether binding to port 0 may select a port that other sockets share, if the socket
//!   already has `SO_REUSEADDR` or `SO_REUSEPORT`. If so, these options are to be set after binding.
//! - `fn change_group_v4(socket: &UdpSocket, group: Ipv4Addr, interface: Interface, join: bool) -> io::Result<()>`: joins or
//!   leaves a multicast group on an interface.
//! - `fn set_multicast_interface_v4(socket: &UdpSocket, interface: Interface) -> io::Result<()>`: sets `IP_MULTICAST_IF`. For
//!   an interface without an IPv4 address, Linux sends from another address of the machine; other systems select another
//!   interface.
//! - `fn receive_own_groups_only(socket: &UdpSocket)`: called when the socket joins a group. Afterwards it receives multicast
//!   datagrams only of groups that it has joined. Where the kernel does not compare the interface as well (IPv6 on Linux),
//!   messages tell where they have arrived afterwards, so that the caller can compare it.
//! - `fn kernel_drops(socket: &UdpSocket) -> u32`: how many messages the kernel has dropped, modulo 2³², because the socket's receive buffer
//!   was full; joined datagrams count as one. 0 where the kernel does not report it.
//! - `fn ticks_nsec() -> u64`: nanoseconds on the clock of the engine's `Time.get_ticks_usec()`, with another origin.
//!
//! # Sleeping: `wakeup`
//!
//! `struct Waker` lets one thread sleep until a socket is readable or another thread wakes it. It is `Send` and `Sync`.
//!
//! - `fn new() -> io::Result<Self>`: where the process has no descriptor left, one that sleeps in slices of a few milliseconds.
//! - `fn is_prompt(&self) -> bool`: whether it does not sleep in slices.
//! - `fn watch(&self, socket: &UdpSocket) -> io::Result<()>`: watches a socket, at most one at a time. The caller must unwatch
//!   it before it is closed. A sleep in progress need not notice the socket: call `wake` afterwards.
//! - `fn unwatch(&self, socket: &UdpSocket)`
//! - `fn sleep(&self, timeout: Option<Duration>) -> io::Result<bool>`: sleeps until the watched socket is readable (`true`),
//!   until `wake` is called or `timeout` has passed (`false`). It may also return `false` early for no reason, and `true` where
//!   it is not prompt. Only one thread may sleep at a time.
//! - `fn wake(&self)`: ends the sleep in progress; if there is none, the next sleep ends at once.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod fallback;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;

mod cause;
mod clock;
mod io_mode;
mod portable;
mod prefetch;
mod types;
mod wakeup;

#[cfg(test)]
mod tests;

/// Compares the parser of control messages with a simple one, for a control buffer with these bytes.
#[cfg(all(unix, any(test, fuzzing)))]
pub(crate) use unix::reference::check as check_control;

#[cfg(unix)]
use unix as socket_backend;
#[cfg(windows)]
use windows as socket_backend;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
use fallback as datagram_backend;
#[cfg(any(target_os = "linux", target_os = "android"))]
use linux as datagram_backend;

pub(crate) use cause::{Cause, cause, of_both};
pub(crate) use clock::real_time_nsec;
pub(crate) use datagram_backend::{
    Arena, BEST_IO_MODE, CHOOSES_SHARED_PORTS, change_group_v4, kernel_drops, prepare_io_mode, receive_own_groups_only,
    send_batch, send_to_each, set_multicast_interface_v4, ticks_nsec,
};
pub use io_mode::{IO_MODE_VARIABLE, IoMode, io_mode_limit};
pub(crate) use prefetch::prefetch;
pub use prefetch::prefetch_memory;
pub(crate) use socket_backend::{
    BIND_BEFORE_USE, BUFFER_SIZE_FACTOR, DEFAULT_HOPS, HAS_REUSE_PORT, KERNEL_OVERHEAD, LONGEST_SLEEP,
    POLLER_HOLDS_SOCKETS, RESOLVER_FLAGS, SCOPES_HAVE_NAMES, SERVERS_SHARE_PORTS, WAKER_HOLDS_SOCKETS, disconnect,
    interface_index, interface_name, interfaces, is_empty, is_full, is_readable, is_source_gone, may_be_report,
    pin_library, prepare, receive_arrival, send_from, set_reuse_port, set_traffic_class_v6,
};
pub(crate) use types::{Arrival, Interface, MAX_PAYLOAD_IPV4, Message, Payloads, SLOTS, Sent, Source, Target};
pub(crate) use wakeup::Waker;

/// The mode that a new socket asks for: the best one that the platform has and [`IO_MODE_VARIABLE`] allows.
pub(crate) fn wanted_io_mode() -> IoMode {
    io_mode_limit().unwrap_or(BEST_IO_MODE).min(BEST_IO_MODE)
}

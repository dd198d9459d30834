//! Linux, Android, macOS, iOS and the BSDs.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr;

/// The kernel binds a socket at its first send or connect.
pub(crate) const BIND_BEFORE_USE: bool = false;

/// Neither epoll nor kqueue keeps a socket alive.
pub(crate) const POLLER_HOLDS_SOCKETS: bool = false;

/// poll(2) does.
pub(crate) const SLEEPER_HOLDS_SOCKETS: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Linux counts its own bookkeeping, and for that doubles what it is asked for (socket(7)).
pub(crate) const BUFFER_FIGURE: usize = if cfg!(any(target_os = "linux", target_os = "android")) { 2 } else { 1 };

/// Linux charges the whole of its `sk_buff` (768 bytes and more where this was measured); elsewhere some bytes of address.
pub(crate) const KERNEL_OVERHEAD: usize = if cfg!(any(target_os = "linux", target_os = "android")) { 512 } else { 16 };

/// Only address families that the machine has an address of, as the engine's own resolver asks.
pub(crate) const RESOLVER_FLAGS: i32 = libc::AI_ADDRCONFIG;

/// Nothing: a new UDP socket is as it should be.
#[expect(clippy::unnecessary_wraps, reason = "the interface of `sys`; it can fail elsewhere")]
pub(crate) fn prepare(_socket: &socket2::Socket) -> io::Result<()> {
    Ok(())
}

/// `EAGAIN`, or `ENOBUFS`, which macOS and the BSDs say when an interface's queue is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::ENOBUFS)
}

/// Receives nothing, without taking it away: the cheapest way to ask (`FIONREAD` knows neither errors nor empty datagrams).
pub(crate) fn is_readable(socket: &UdpSocket) -> io::Result<bool> {
    let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
    // SAFETY: the descriptor is that of `socket`, which is borrowed and so stays open; nothing is written to a buffer of no
    // length, so the pointer to it may be null.
    let answer = unsafe { libc::recv(socket.as_raw_fd(), ptr::null_mut(), 0, flags) };
    if answer >= 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(false),
        // It has not said no.
        io::ErrorKind::Interrupted => Ok(true),
        _ => Err(error),
    }
}

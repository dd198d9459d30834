//! Linux, Android, macOS, iOS and the BSDs.

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr;

use socket2::SockRef;

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

/// ip(7), and RFC 3493, section 5.1.
pub(crate) const DEFAULT_HOPS: Option<u32> =
    if cfg!(any(target_os = "linux", target_os = "android")) { Some(u32::MAX) } else { None };

pub(crate) const HAS_REUSE_PORT: bool = true;

/// As the system writes them, and its resolver reads them.
pub(crate) const SCOPES_HAVE_NAMES: bool = true;

/// Nothing, or the port is shared: a new UDP socket is as it should be.
pub(crate) fn prepare(socket: &socket2::Socket, reuse_address: bool) -> io::Result<()> {
    if reuse_address { socket.set_reuse_address(true) } else { Ok(()) }
}

/// `SO_REUSEPORT`.
pub(crate) fn set_reuse_port(socket: &UdpSocket, enabled: bool) -> io::Result<()> {
    SockRef::from(socket).set_reuse_port(enabled)
}

/// `IPV6_TCLASS`.
pub(crate) fn set_traffic_class_v6(socket: &UdpSocket, class: u32) -> io::Result<()> {
    SockRef::from(socket).set_tclass_v6(class)
}

/// `if_nametoindex`(3).
pub(crate) fn interface_index(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: the name is a string with a zero at its end, which lives through the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (index != 0).then_some(index)
}

/// `if_indextoname`(3).
pub(crate) fn interface_name(index: u32) -> Option<String> {
    let mut name = [0; libc::IF_NAMESIZE];
    // SAFETY: the buffer has room for the longest name and the zero at its end, which is all that is written.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr()) };
    // SAFETY: where it was found, the buffer holds a string with a zero at its end, and nobody changes it.
    (!found.is_null()).then(|| unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned())
}

/// dlopen(3), `RTLD_NODELETE`.
pub(crate) fn pin_library() -> bool {
    let mut found = MaybeUninit::<libc::Dl_info>::uninit();
    let here: *const libc::c_void = (pin_library as fn() -> bool as *const ()).cast();
    // SAFETY: the address is only looked up; `found` is a valid place to write to.
    if unsafe { libc::dladdr(here, found.as_mut_ptr()) } == 0 {
        return false;
    }
    // SAFETY: dladdr has filled it in, as it says by not returning 0.
    let name = unsafe { found.assume_init() }.dli_fname;
    // SAFETY: the name is a string of the dynamic linker's own, which lives as long as the library. With RTLD_NOLOAD nothing
    // is loaded and no code runs; the handle is never closed, which is what is wanted.
    let handle = unsafe { libc::dlopen(name, libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE) };
    !handle.is_null()
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

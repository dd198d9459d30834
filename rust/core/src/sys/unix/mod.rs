//! The socket backend of Linux, Android, macOS, iOS and the BSDs.

pub(super) mod cmsg;
pub(super) mod ffi;
mod message;
mod pktinfo;
#[cfg(any(test, fuzzing))]
pub(super) mod reference;

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::Duration;

use socket2::SockRef;

pub(crate) use message::{is_source_gone, receive_arrival, receive_one, send_from};

use super::types::{MAX_PAYLOAD_IPV4, MAX_PAYLOAD_IPV6};

/// The kernel binds a socket at its first send or connect.
pub(crate) const BIND_BEFORE_USE: bool = false;

/// Neither epoll nor kqueue keeps a socket alive.
pub(crate) const POLLER_HOLDS_SOCKETS: bool = false;

/// On Linux the waker uses poll(2), which keeps the socket alive while it sleeps.
pub(crate) const WAKER_HOLDS_SOCKETS: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// epoll, kqueue and poll(2) tell of every packet that is not read.
pub(crate) const LONGEST_SLEEP: Option<Duration> = None;

/// Linux doubles the requested size, to have room for its bookkeeping (socket(7)).
pub(crate) const BUFFER_SIZE_FACTOR: usize = if cfg!(any(target_os = "linux", target_os = "android")) { 2 } else { 1 };

/// Linux charges the whole `sk_buff`: at least 768 bytes in measurements, depending on the kernel's configuration. Other
/// systems charge the sender's address.
pub(crate) const KERNEL_OVERHEAD: usize = if cfg!(any(target_os = "linux", target_os = "android")) { 512 } else { 16 };

/// Resolves only to address families that the machine has an address of, as the engine's resolver does.
pub(crate) const RESOLVER_FLAGS: i32 = libc::AI_ADDRCONFIG;

/// -1 on Linux, see ip(7) and RFC 3493, section 5.1.
pub(crate) const DEFAULT_HOPS: Option<u32> =
    if cfg!(any(target_os = "linux", target_os = "android")) { Some(u32::MAX) } else { None };

pub(crate) const HAS_REUSE_PORT: bool = true;

pub(crate) const SERVERS_SHARE_PORTS: bool = true;

/// The system's resolver reads and writes names.
pub(crate) const SCOPES_HAVE_NAMES: bool = true;

/// macOS and the BSDs refuse datagrams that are larger than the send buffer, whose default is 9,216 bytes
/// (`net.inet.udp.maxdgram`); what a datagram asks for in control messages needs room too. They send at once, so that a larger buffer
/// takes no memory.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const SEND_BUFFER: usize = 2 << 16;

pub(crate) fn prepare(socket: &socket2::Socket, reuse_address: bool) -> io::Result<()> {
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    if socket.send_buffer_size()? < SEND_BUFFER {
        // If the system refuses, large datagrams cannot be sent.
        let _ = socket.set_send_buffer_size(SEND_BUFFER);
    }
    if reuse_address { socket.set_reuse_address(true) } else { Ok(()) }
}

pub(crate) fn set_reuse_port(socket: &UdpSocket, enabled: bool) -> io::Result<()> {
    SockRef::from(socket).set_reuse_port(enabled)
}

pub(crate) fn set_traffic_class_v6(socket: &UdpSocket, class: u32) -> io::Result<()> {
    SockRef::from(socket).set_tclass_v6(class)
}

/// By getifaddrs(3).
pub(crate) fn interfaces() -> io::Result<Vec<if_addrs::Interface>> {
    if_addrs::get_if_addrs()
}

/// `if_nametoindex`(3).
pub(crate) fn interface_index(name: &str) -> io::Result<Option<u32>> {
    let Ok(name) = CString::new(name) else { return Ok(None) };
    // SAFETY: `name` is a string that ends with a zero byte and outlives the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index != 0 {
        return Ok(Some(index));
    }
    let error = io::Error::last_os_error();
    let is_unknown = matches!(error.raw_os_error(), Some(libc::ENODEV | libc::ENXIO | libc::EINVAL));
    if is_unknown { Ok(None) } else { Err(error) }
}

/// `if_indextoname`(3).
pub(crate) fn interface_name(index: u32) -> Option<String> {
    let mut name = [0; libc::IF_NAMESIZE];
    // SAFETY: the call writes at most `IF_NAMESIZE` bytes, which is the size of the buffer.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr()) };
    // SAFETY: if the call has succeeded, the buffer holds a string that ends with a zero byte. Nothing modifies it meanwhile.
    (!found.is_null()).then(|| unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned())
}

/// Opens the library again with `RTLD_NODELETE`, see dlopen(3).
pub(crate) fn pin_library() -> bool {
    let mut library = MaybeUninit::<libc::Dl_info>::uninit();
    let address_inside: *const libc::c_void = (pin_library as fn() -> bool as *const ()).cast();
    // SAFETY: the call does not dereference the address; `library` is valid for a write.
    if unsafe { libc::dladdr(address_inside, library.as_mut_ptr()) } == 0 {
        return false;
    }
    // SAFETY: dladdr has not returned 0, so it has filled in the structure.
    let name = unsafe { library.assume_init() }.dli_fname;
    // SAFETY: the dynamic linker owns the name, which lives as long as the library. With RTLD_NOLOAD the call loads nothing
    // and runs no code. The handle is never closed, so the library stays loaded.
    let handle = unsafe { libc::dlopen(name, libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE) };
    !handle.is_null()
}

/// `EAGAIN`; on macOS and the BSDs also `ENOBUFS`, which reports a full interface queue.
pub(crate) fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::ENOBUFS)
}

/// Connects to an address of the family `AF_UNSPEC`.
///
/// Linux (connect(2), `udp_disconnect` of `net/ipv4/udp.c`) resets the local address unless it was bound to, resets the interface of
/// a link-local address, and takes the port away if the system has chosen it. The BSDs and macOS dissolve the association at the
/// begin of every connect, keep the port and reset the local address, also one that was bound to; then they refuse the address
/// (macOS, connect(2): "the error EAFNOSUPPORT will be harmlessly returned"; `EINVAL` where the length is compared first).
pub(crate) fn disconnect(socket: &UdpSocket) -> io::Result<()> {
    const { assert!(libc::AF_UNSPEC == 0) };
    // SAFETY: a structure of integers, for which zero is a valid value.
    let nowhere: libc::sockaddr = unsafe { std::mem::zeroed() };
    // SAFETY: `socket` is borrowed, so its descriptor stays open. The call reads as many bytes of `nowhere` as its size.
    let result = unsafe { libc::connect(socket.as_raw_fd(), ptr::from_ref(&nowhere), ffi::length::<libc::sockaddr>()) };
    if result == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    let is_harmless = matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EINVAL | libc::ENOTCONN));
    if is_harmless && !cfg!(any(target_os = "linux", target_os = "android")) { Ok(()) } else { Err(error) }
}

/// Linux: the errors that `icmp_err_convert` (`net/ipv4/icmp.c`), `icmpv6_err_convert` (`net/ipv6/icmp.c`) and `__udp4_lib_err` make of
/// an ICMP message. The BSDs and macOS: those of `inetctlerrmap` (`netinet/ip_input.c`), which are some of these.
pub(crate) fn may_be_report(error: &io::Error, to: SocketAddr, length: usize) -> bool {
    match error.raw_os_error() {
        Some(
            libc::ECONNREFUSED
            | libc::EHOSTUNREACH
            | libc::ENETUNREACH
            | libc::EHOSTDOWN
            | libc::ENOPROTOOPT
            | libc::EOPNOTSUPP
            | libc::EPROTO,
        ) => true,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Some(libc::ENONET) => true,
        // "Administratively prohibited" over IPv6. Over IPv4 it means that broadcasts are not enabled.
        Some(libc::EACCES) => to.is_ipv6(),
        // A router has reported a smaller MTU. A datagram that no packet can hold is refused for its own size.
        Some(libc::EMSGSIZE) => length <= if to.is_ipv6() { MAX_PAYLOAD_IPV6 } else { MAX_PAYLOAD_IPV4 },
        _ => false,
    }
}

/// How many bytes `is_readable` peeks at. On Linux none, which is the cheapest test. On macOS and the BSDs receiving no bytes succeeds
/// on an empty socket (`soreceive` of their kernels). `FIONREAD` reports neither errors nor empty datagrams.
const PEEKED: usize = if cfg!(any(target_os = "linux", target_os = "android")) { 0 } else { 1 };

pub(crate) fn is_readable(socket: &UdpSocket) -> io::Result<bool> {
    let mut buffer = [0_u8; PEEKED];
    let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
    // SAFETY: `socket` is borrowed, so its descriptor stays open. The call writes at most `PEEKED` bytes to the buffer, which has as
    // many.
    let result = unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), PEEKED, flags) };
    if result >= 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(false),
        // The call has not found the socket empty.
        io::ErrorKind::Interrupted => Ok(true),
        _ => {
            // macOS and the BSDs keep the error when it is only peeked at. On Linux the call has cleared it, and another may be there.
            if cfg!(not(any(target_os = "linux", target_os = "android"))) {
                let _ = socket.take_error();
            }
            Err(error)
        }
    }
}

/// See [`sys`](crate::sys).
pub(crate) fn is_empty(socket: &UdpSocket) -> io::Result<bool> {
    is_readable(socket).map(|is_readable| !is_readable)
}

/// `SO_TIMESTAMP`: times in microseconds, on the clock of [`real_time_nsec`](crate::sys::real_time_nsec). If this fails, messages have
/// no receive time.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn receive_times(socket: &UdpSocket) {
    let _ = ffi::set_flag(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMP, true);
}

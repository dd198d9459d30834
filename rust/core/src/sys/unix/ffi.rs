//! Conversions and socket options for calls to the kernel.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;

use libc::c_int;

/// The size of a `T`, in the type that libc takes.
#[expect(clippy::cast_possible_truncation, reason = "all types that are used here are small")]
pub(crate) const fn length<T>() -> u32 {
    size_of::<T>() as u32
}

/// The room that a control message with a `T` takes (`CMSG_SPACE`).
pub(crate) const fn space<T>() -> usize {
    // SAFETY: only computes, from a size that cannot overflow.
    unsafe { libc::CMSG_SPACE(length::<T>()) as usize }
}

/// Whether the payload of a control message has the size of a `T`.
pub(crate) fn holds<T>(head: &libc::cmsghdr) -> bool {
    // SAFETY: only computes, from a size that cannot overflow.
    head.cmsg_len as u64 == u64::from(unsafe { libc::CMSG_LEN(length::<T>()) })
}

/// Sets a boolean option.
pub(crate) fn set_flag(socket: &UdpSocket, level: c_int, name: c_int, enabled: bool) -> io::Result<()> {
    set_option::<c_int>(socket, level, name, &enabled.into())
}

/// Sets an option to a value of the type that the kernel takes for it.
pub(crate) fn set_option<T: Copy>(socket: &UdpSocket, level: c_int, name: c_int, value: &T) -> io::Result<()> {
    let size = length::<T>() as libc::socklen_t;
    // SAFETY: `socket` is borrowed, so its descriptor stays open. The value outlives the call, and the kernel reads at most
    // its size.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, ptr::from_ref(value).cast(), size) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Converts a sender's address that the kernel has written.
pub(crate) fn sender(address: &libc::sockaddr_in6) -> SocketAddr {
    if c_int::from(address.sin6_family) == libc::AF_INET6 {
        let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
        let port = u16::from_be(address.sin6_port);
        return SocketAddrV6::new(ip, port, address.sin6_flowinfo, address.sin6_scope_id).into();
    }
    // SAFETY: `sockaddr_in` is no longer than `sockaddr_in6`, requires no larger alignment, and consists of integers.
    let address = unsafe { &*ptr::from_ref(address).cast::<libc::sockaddr_in>() };
    SocketAddrV4::new(Ipv4Addr::from(address.sin_addr.s_addr.to_ne_bytes()), u16::from_be(address.sin_port)).into()
}

/// The form in which `sender` expects an IPv4 address.
const _: () = assert!(size_of::<libc::sockaddr_in>() <= size_of::<libc::sockaddr_in6>());

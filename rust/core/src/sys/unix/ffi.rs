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

/// The room that a control message with a payload of so many bytes takes. The payload is in memory, in one that the kernel has written.
#[inline]
pub(crate) const fn space_of(payload: usize) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "at most the size of a control buffer")]
    let payload = payload as u32;
    // SAFETY: only computes. A result that overflows would be a wrong number.
    unsafe { libc::CMSG_SPACE(payload) as usize }
}

/// A type that consists of integers, arrays of them and padding.
///
/// # Safety
///
/// All bytes must be a valid value of the type.
pub(crate) unsafe trait Plain: Copy {}

macro_rules! plain {
    ($($(#[$attribute:meta])* $type:ty),* $(,)?) => {
        $(
            $(#[$attribute])*
            // SAFETY: an integer, or a structure that consists of integers.
            unsafe impl Plain for $type {}
        )*
    };
}

plain!(
    c_int,
    libc::cmsghdr,
    libc::in6_pktinfo,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    libc::timespec,
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    libc::timeval,
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    libc::in_pktinfo,
    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    libc::in_addr,
);

// SAFETY: an array of integers.
#[cfg(any(target_os = "linux", target_os = "android"))]
unsafe impl<const N: usize> Plain for [u32; N] {}

/// The value that the kernel has written as these bytes; `None` where they have another size.
#[inline]
pub(crate) fn plain<T: Plain>(bytes: &[u8]) -> Option<T> {
    if bytes.len() != size_of::<T>() {
        return None;
    }
    // SAFETY: there are as many bytes as the type has, all of which are valid for it (see the trait); the read requires no alignment.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
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

/// Converts a sender's address that the kernel has written, with the length that it says. Without a whole address of a family of the
/// Internet, the unspecified one.
#[inline]
pub(crate) fn sender(address: &libc::sockaddr_in6, told: libc::socklen_t) -> SocketAddr {
    let told = usize::try_from(told).unwrap_or(0);
    match c_int::from(address.sin6_family) {
        libc::AF_INET6 if told >= size_of::<libc::sockaddr_in6>() => {
            let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
            let port = u16::from_be(address.sin6_port);
            SocketAddrV6::new(ip, port, address.sin6_flowinfo, address.sin6_scope_id).into()
        }
        libc::AF_INET if told >= size_of::<libc::sockaddr_in>() => {
            // SAFETY: `sockaddr_in` is no longer than `sockaddr_in6`, requires no larger alignment, and consists of integers.
            let address = unsafe { &*ptr::from_ref(address).cast::<libc::sockaddr_in>() };
            SocketAddrV4::new(Ipv4Addr::from(address.sin_addr.s_addr.to_ne_bytes()), u16::from_be(address.sin_port))
                .into()
        }
        _ => SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0).into(),
    }
}

/// The form in which `sender` expects an IPv4 address.
const _: () = assert!(size_of::<libc::sockaddr_in>() <= size_of::<libc::sockaddr_in6>());
const _: () = assert!(align_of::<libc::sockaddr_in>() <= align_of::<libc::sockaddr_in6>());

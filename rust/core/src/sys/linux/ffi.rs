//! Conversions and socket options for calls to the kernel.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr;

use libc::c_int;

/// The size of a `T`, in the type that libc takes.
#[expect(clippy::cast_possible_truncation, reason = "all types that are used here are small")]
pub(super) const fn length<T>() -> u32 {
    size_of::<T>() as u32
}

/// A number of messages, in the type that libc takes.
#[expect(clippy::cast_possible_truncation, reason = "at most the number of slots or of messages in a send call")]
pub(super) const fn message_count(messages: usize) -> u32 {
    messages as u32
}

/// `None` if the time is negative or does not fit.
pub(super) fn nanoseconds(time: &libc::timespec) -> Option<u64> {
    u64::try_from(time.tv_sec).ok()?.checked_mul(1_000_000_000)?.checked_add(u64::try_from(time.tv_nsec).ok()?)
}

/// Sets a boolean option.
pub(super) fn set_flag(socket: &UdpSocket, level: c_int, name: c_int, enabled: bool) -> io::Result<()> {
    set_option::<c_int>(socket, level, name, &enabled.into())
}

/// Sets an option to a value of the type that the kernel takes for it.
pub(super) fn set_option<T: Copy>(socket: &UdpSocket, level: c_int, name: c_int, value: &T) -> io::Result<()> {
    let size = length::<T>() as libc::socklen_t;
    // SAFETY: `socket` is borrowed, so its descriptor stays open. The value outlives the call, and the kernel reads at most
    // its size.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, ptr::from_ref(value).cast(), size) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Reads an option that consists of integers.
pub(super) fn option<T: Integers>(socket: &UdpSocket, level: c_int, name: c_int) -> io::Result<T> {
    let mut value = T::default();
    let mut size = length::<T>() as libc::socklen_t;
    // SAFETY: `socket` is borrowed, so its descriptor stays open. The kernel writes at most `size` bytes to `value`, for which
    // all bytes are valid (see the trait).
    let result = unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut size) };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

/// A type that consists of integers.
///
/// # Safety
///
/// All bytes must be a valid value of the type.
pub(super) unsafe trait Integers: Default {}

// SAFETY: an integer.
unsafe impl Integers for c_int {}

// SAFETY: an array of integers.
unsafe impl<const N: usize> Integers for [u32; N] where Self: Default {}

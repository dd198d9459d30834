//! Conversions and socket options for calls to the kernel.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use libc::c_int;

use crate::sys::unix::ffi::{Plain, length};

/// A number of messages, in the type that libc takes.
#[expect(clippy::cast_possible_truncation, reason = "at most the number of slots or of messages in a send call")]
pub(super) const fn message_count(messages: usize) -> u32 {
    messages as u32
}

/// Reads an option that consists of integers.
pub(crate) fn option<T: Plain + Default>(socket: &UdpSocket, level: c_int, name: c_int) -> io::Result<T> {
    let mut value = T::default();
    let mut size = length::<T>() as libc::socklen_t;
    // SAFETY: `socket` is borrowed, so its descriptor stays open. The kernel writes at most `size` bytes to `value`, for which
    // all bytes are valid (see the trait).
    let result = unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut size) };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

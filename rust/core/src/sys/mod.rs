//! What differs between platforms, behind one interface. Nothing outside this module asks which platform it is on.
//!
//! Each platform's file provides:
//!
//! - `fn prepare(socket: &socket2::Socket) -> io::Result<()>`: called on each new socket, before it is bound; sets what
//!   this platform needs so that a UDP socket behaves like everybody else's.
//! - `const BIND_BEFORE_USE: bool`: whether a socket that is opened by something other than `bind` must be bound before
//!   it can receive or join a group.
//! - `const CLOSE_AWAITS_WAITS: bool`: whether a socket's port is free only after those who waited on it have noticed.
//! - `const BUFFER_FIGURE: usize`: how many times what it was asked for a buffer's size is in the system's own figure.
//! - `const KERNEL_OVERHEAD: usize`: what a packet in the kernel's receive buffer takes there beyond its length, at least.
//! - `fn is_full(error: &io::Error) -> bool`: whether a send failed because the kernel has no room for it just now.
//! - `const RESOLVER_FLAGS: i32`: `ai_flags` for `getaddrinfo`.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{
    BIND_BEFORE_USE, BUFFER_FIGURE, CLOSE_AWAITS_WAITS, KERNEL_OVERHEAD, RESOLVER_FLAGS, is_full, prepare,
};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{
    BIND_BEFORE_USE, BUFFER_FIGURE, CLOSE_AWAITS_WAITS, KERNEL_OVERHEAD, RESOLVER_FLAGS, is_full, prepare,
};

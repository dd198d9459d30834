//! Receiving with `recvmmsg`.

use std::alloc::{self, Layout};
use std::io;
use std::mem::offset_of;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};

use super::ffi::message_count;
use crate::sys::io_mode::IoMode;
use crate::sys::portable;
use crate::sys::types::{Arrival, Message, SLOT, SLOT_STRIDE, SLOTS};
use crate::sys::unix::cmsg::{ControlBuffer, arrival, control_data, written};
use crate::sys::unix::ffi::{length, sender};

/// The memory that `recvmmsg` writes to. It consists of integers and raw pointers, for which zero is a valid value.
#[repr(C)]
struct Memory {
    messages: [libc::mmsghdr; SLOTS],
    iovecs: [libc::iovec; SLOTS],
    /// Either kind of address: an IPv4 address is the smaller one. See [`sender`].
    senders: [libc::sockaddr_in6; SLOTS],
    controls: [ControlBuffer; SLOTS],
    slots: [[u8; SLOT_STRIDE]; SLOTS],
}

/// See [`sys`](crate::sys).
pub(crate) struct Arena {
    /// Owned, from [`map_memory`]. Between calls, only this pointer and the ones inside [`Memory`], which are derived from it,
    /// refer to the memory. References to it exist only inside a method, or are shared and borrow the arena.
    memory: NonNull<Memory>,
    /// The number of messages from the last `receive`.
    received: usize,
    /// For [`IoMode::Portable`]; created at its first use.
    portable: Option<Box<portable::Arena>>,
    /// Whether the last `receive` used `portable`.
    is_portable: bool,
}

// SAFETY: the arena is the only owner of its memory, and nothing in it is bound to a thread.
unsafe impl Send for Arena {}

impl Arena {
    pub(crate) fn new() -> Self {
        let memory = map_memory();
        let start = memory.as_ptr();
        // SAFETY: the memory is new, nothing else refers to it, and its zeroes are a valid value. The pointers that are stored
        // below derive from `start` and not from this reference, so they remain valid when it ends.
        let headers = unsafe { &mut *start };
        for index in 0..SLOTS {
            let at = |field: usize, size: usize| start.wrapping_byte_add(field + index * size);
            let iovec = &mut headers.iovecs[index];
            iovec.iov_base = at(offset_of!(Memory, slots), SLOT_STRIDE).cast();
            iovec.iov_len = SLOT;
            let header = &mut headers.messages[index].msg_hdr;
            header.msg_iov = at(offset_of!(Memory, iovecs), size_of::<libc::iovec>()).cast();
            header.msg_iovlen = 1;
            header.msg_name = at(offset_of!(Memory, senders), size_of::<libc::sockaddr_in6>()).cast();
            header.msg_control = at(offset_of!(Memory, controls), size_of::<ControlBuffer>()).cast();
            reset(header);
        }
        Self { memory, received: 0, portable: None, is_portable: false }
    }

    pub(crate) fn receive(
        &mut self,
        socket: &UdpSocket,
        mode: IoMode,
        limit: usize,
        with_arrival: bool,
    ) -> io::Result<usize> {
        self.is_portable = mode == IoMode::Portable;
        if self.is_portable {
            return self.portable.get_or_insert_with(|| Box::new(portable::Arena::new())).receive(
                socket,
                mode,
                limit,
                with_arrival,
            );
        }
        // SAFETY: the arena is borrowed mutably, so no other reference to the memory exists (see the field).
        let memory = unsafe { self.memory.as_mut() };
        for message in &mut memory.messages[..self.received] {
            reset(&mut message.msg_hdr);
        }
        self.received = 0;
        let messages = self.memory.as_ptr().wrapping_byte_add(offset_of!(Memory, messages)).cast();
        let limit = message_count(limit.clamp(1, SLOTS));
        loop {
            // SAFETY: `socket` is borrowed, so its descriptor stays open. `messages` points to `SLOTS` headers in the memory
            // that the arena owns, and `limit` is at most that. Their pointers derive from the same pointer and lead to
            // separate places in the same memory, with the lengths that `new` and `reset` have set. No reference to the memory
            // that was created before this call is used after it.
            let count = unsafe {
                libc::recvmmsg(socket.as_raw_fd(), messages, limit, libc::MSG_DONTWAIT as _, ptr::null_mut())
            };
            match usize::try_from(count) {
                Ok(0) => return Err(io::ErrorKind::WouldBlock.into()),
                Ok(count) => {
                    self.received = count;
                    return Ok(count);
                }
                Err(_) => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
            }
        }
    }

    pub(crate) fn late_error(&mut self) -> Option<io::Error> {
        // After `recvmmsg`, the kernel reports an error that ended the batch at the next call.
        self.portable.as_mut().filter(|_| self.is_portable)?.late_error()
    }

    pub(crate) fn message(&self, index: usize) -> Message<'_> {
        if let (true, Some(portable)) = (self.is_portable, &self.portable) {
            return portable.message(index);
        }
        // SAFETY: the kernel writes to the memory only during `receive`, which borrows the arena mutably. While this shared
        // borrow lasts, the memory is only read.
        let memory = unsafe { self.memory.as_ref() };
        let message = &memory.messages[..self.received][index];
        let length = message.msg_len as usize;
        let control = control_data(written(&memory.controls[index], message.msg_hdr.msg_controllen as _));
        Message {
            bytes: &memory.slots[index][..length],
            segment: control.segment.unwrap_or(length).min(length),
            sender: sender(&memory.senders[index], message.msg_hdr.msg_namelen),
            real_time: control.time,
        }
    }

    pub(crate) fn arrival(&self, index: usize) -> Option<Arrival> {
        if let (true, Some(portable)) = (self.is_portable, &self.portable) {
            return portable.arrival(index);
        }
        // SAFETY: as in `message`.
        let memory = unsafe { self.memory.as_ref() };
        let message = &memory.messages[..self.received][index];
        arrival(written(&memory.controls[index], message.msg_hdr.msg_controllen as _))
    }

    pub(crate) fn bytes(&self, index: usize) -> &[u8] {
        if let (true, Some(portable)) = (self.is_portable, &self.portable) {
            return portable.bytes(index);
        }
        // SAFETY: as in `message`.
        let memory = unsafe { self.memory.as_ref() };
        let length = memory.messages[..self.received][index].msg_len as usize;
        &memory.slots[index][..length]
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: `map_memory` has mapped the memory with this size, and nothing uses it afterwards.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), size_of::<Memory>()) };
    }
}

/// Zeroed memory from `mmap`, none of which is resident. The allocator could reuse freed memory instead, and zeroing that would
/// make all of it resident.
fn map_memory() -> NonNull<Memory> {
    let size = size_of::<Memory>();
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: requests new memory at any address, so it affects no memory that is in use.
    let memory = unsafe { libc::mmap(ptr::null_mut(), size, protection, flags, -1, 0) };
    // The alignment of a page is sufficient for `Memory`.
    match NonNull::new(memory.cast()) {
        Some(mapped) if memory != libc::MAP_FAILED => mapped,
        _ => alloc::handle_alloc_error(Layout::new::<Memory>()),
    }
}

/// Sets the fields that the kernel overwrites when it receives a message.
fn reset(header: &mut libc::msghdr) {
    header.msg_namelen = length::<libc::sockaddr_in6>() as libc::socklen_t;
    header.msg_controllen = size_of::<ControlBuffer>() as _;
}

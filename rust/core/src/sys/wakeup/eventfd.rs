//! Linux and Android: poll(2) on the socket and an eventfd(2).
//!
//! A sleep takes one system call, and one more if another thread ended it; `polling` takes six, because it arms a timer and
//! re-arms what has fired. epoll(7) would not keep the port of a closed socket occupied, as poll(2) does, but it takes longer
//! to wake a thread: a round trip was slower than with the engine's class.

use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

use libc::c_int;

/// In place of a descriptor: poll(2) ignores negative ones.
const NO_SOCKET: RawFd = -1;

/// See [`sys`](crate::sys).
#[derive(Debug)]
pub(crate) struct Waker {
    /// Readable while a wake-up is pending.
    eventfd: OwnedFd,
    /// Whether a wake-up is pending. Several wake-ups before the next sleep then take one system call.
    pending: AtomicBool,
    /// The watched socket, or [`NO_SOCKET`]. It is only passed to poll(2): if the descriptor names another file by then, the
    /// sleep may end early.
    socket: AtomicI32,
}

impl Waker {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer.
        let eventfd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if eventfd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call above has opened this descriptor, and nothing else owns it.
        let eventfd = unsafe { OwnedFd::from_raw_fd(eventfd) };
        Ok(Self { eventfd, pending: AtomicBool::new(false), socket: AtomicI32::new(NO_SOCKET) })
    }

    #[expect(clippy::unnecessary_wraps, reason = "the contract of `sys`; it can fail on other platforms")]
    pub(crate) fn watch(&self, socket: &UdpSocket) -> io::Result<()> {
        self.socket.store(socket.as_raw_fd(), Ordering::Release);
        Ok(())
    }

    pub(crate) fn unwatch(&self, _socket: &UdpSocket) {
        self.socket.store(NO_SOCKET, Ordering::Release);
    }

    pub(crate) fn sleep(&self, timeout: Option<Duration>) -> io::Result<bool> {
        // poll(2) takes whole milliseconds. Rounding down would end the sleep early and cost a second one.
        let timeout = timeout.map_or(-1, |timeout| {
            let msec = timeout.as_nanos().div_ceil(1_000_000);
            c_int::try_from(msec).unwrap_or(c_int::MAX)
        });
        let readable = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut entries = [readable(self.socket.load(Ordering::Acquire)), readable(self.eventfd.as_raw_fd())];
        // SAFETY: `entries` has as many entries as the second argument says, and outlives the call. The descriptors in it
        // need not be open.
        let count = unsafe { libc::poll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, timeout) };
        if count < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted { Ok(false) } else { Err(error) };
        }
        let [socket, eventfd] = entries;
        if eventfd.revents != 0 {
            self.clear_pending();
        }
        Ok(socket.revents != 0)
    }

    pub(crate) fn wake(&self) {
        if !self.pending.swap(true, Ordering::AcqRel) {
            let one: u64 = 1;
            // SAFETY: the descriptor is owned and open; the call reads eight bytes from `one`. It cannot fail: the counter
            // is at most 1, far below its limit.
            unsafe { libc::write(self.eventfd.as_raw_fd(), ptr::from_ref(&one).cast(), size_of::<u64>()) };
        }
    }

    /// Resets the eventfd, so that the next wake-up writes to it again. A wake-up between the two steps is not lost: the
    /// caller of `sleep` has yet to look for the reason of this one.
    fn clear_pending(&self) {
        let mut count: u64 = 0;
        // SAFETY: the descriptor is owned and open; the call writes eight bytes to `count`. If the counter is already 0, the
        // call fails, which changes nothing.
        unsafe { libc::read(self.eventfd.as_raw_fd(), ptr::from_mut(&mut count).cast(), size_of::<u64>()) };
        self.pending.store(false, Ordering::Release);
    }
}

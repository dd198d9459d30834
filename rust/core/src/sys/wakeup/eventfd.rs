//! Linux and Android: poll(2) on the socket and an eventfd(2).
//!
//! A sleep takes one system call, and one more if another thread ended it; `polling` takes six, because it arms a timer and
//! re-arms what has fired. epoll(7) would not keep the port of a closed socket occupied, as poll(2) does, but it takes longer
//! to wake a thread: a round trip was slower than with the engine's class.
//!
//! Where the process has no descriptor left for the eventfd, the thread sleeps with poll(2) on the socket alone, and looks after
//! every slice of the time whether it was woken.

use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

use libc::c_int;

/// How long a thread without an eventfd sleeps at a time.
const SLICE: Duration = Duration::from_millis(5);

/// In place of a descriptor: poll(2) ignores negative ones.
const NO_DESCRIPTOR: RawFd = -1;

/// See [`sys`](crate::sys).
#[derive(Debug)]
pub(crate) struct Waker {
    /// Readable while a wake-up is pending; `None` if the process had no descriptor left.
    eventfd: Option<OwnedFd>,
    /// Whether a wake-up is pending. Several wake-ups before the next sleep then take one system call.
    pending: AtomicBool,
    /// The watched socket, or [`NO_DESCRIPTOR`]. It is only passed to poll(2): if the descriptor names another file by then, the
    /// sleep may end early.
    socket: AtomicI32,
}

impl Waker {
    #[expect(clippy::unnecessary_wraps, reason = "the contract of `sys`; it can fail on other platforms")]
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer.
        let eventfd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        // SAFETY: the call above has opened this descriptor, and nothing else owns it.
        let eventfd = (eventfd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(eventfd) });
        Ok(Self { eventfd, pending: AtomicBool::new(false), socket: AtomicI32::new(NO_DESCRIPTOR) })
    }

    #[cfg(test)]
    #[expect(clippy::unnecessary_wraps, reason = "as `new`")]
    pub(crate) fn without_descriptor() -> io::Result<Self> {
        Ok(Self { eventfd: None, pending: AtomicBool::new(false), socket: AtomicI32::new(NO_DESCRIPTOR) })
    }

    pub(crate) fn is_prompt(&self) -> bool {
        self.eventfd.is_some()
    }

    #[expect(clippy::unnecessary_wraps, reason = "the contract of `sys`; it can fail on other platforms")]
    pub(crate) fn watch(&self, socket: &UdpSocket) -> io::Result<()> {
        self.socket.store(socket.as_raw_fd(), Ordering::Release);
        Ok(())
    }

    pub(crate) fn unwatch(&self, _socket: &UdpSocket) {
        self.socket.store(NO_DESCRIPTOR, Ordering::Release);
    }

    pub(crate) fn sleep(&self, timeout: Option<Duration>) -> io::Result<bool> {
        let Some(eventfd) = &self.eventfd else { return self.sleep_in_slices(timeout) };
        let (is_readable, is_woken) = self.poll(eventfd.as_raw_fd(), timeout)?;
        if is_woken {
            self.clear_pending(eventfd);
        }
        Ok(is_readable)
    }

    fn sleep_in_slices(&self, timeout: Option<Duration>) -> io::Result<bool> {
        let start = Instant::now();
        loop {
            let left = timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
            if self.pending.swap(false, Ordering::AcqRel) || left == Some(Duration::ZERO) {
                // Whether it is readable is asked for all the same.
                return Ok(self.poll(NO_DESCRIPTOR, Some(Duration::ZERO))?.0);
            }
            if self.poll(NO_DESCRIPTOR, Some(left.map_or(SLICE, |left| left.min(SLICE))))?.0 {
                return Ok(true);
            }
        }
    }

    /// Sleeps until the watched socket or the eventfd is readable; which of them is.
    fn poll(&self, eventfd: RawFd, timeout: Option<Duration>) -> io::Result<(bool, bool)> {
        // poll(2) takes whole milliseconds. Rounding down would end the sleep early and cost a second one.
        let timeout = timeout.map_or(-1, |timeout| {
            let msec = timeout.as_nanos().div_ceil(1_000_000);
            c_int::try_from(msec).unwrap_or(c_int::MAX)
        });
        let readable = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut entries = [readable(self.socket.load(Ordering::Acquire)), readable(eventfd)];
        // SAFETY: `entries` has as many entries as the second argument says, and outlives the call. The descriptors in it
        // need not be open.
        let count = unsafe { libc::poll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, timeout) };
        if count < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted { Ok((false, false)) } else { Err(error) };
        }
        let [socket, eventfd] = entries;
        Ok((socket.revents != 0, eventfd.revents != 0))
    }

    pub(crate) fn wake(&self) {
        if !self.pending.swap(true, Ordering::AcqRel)
            && let Some(eventfd) = &self.eventfd
        {
            let one: u64 = 1;
            // SAFETY: the descriptor is owned and open; the call reads eight bytes from `one`. It cannot fail: the counter
            // is at most 1, far below its limit.
            unsafe { libc::write(eventfd.as_raw_fd(), ptr::from_ref(&one).cast(), size_of::<u64>()) };
        }
    }

    /// Resets the eventfd, so that the next wake-up writes to it again. A wake-up between the two steps is not lost: the
    /// caller of `sleep` has yet to look for the reason of this one.
    fn clear_pending(&self, eventfd: &OwnedFd) {
        let mut count: u64 = 0;
        // SAFETY: the descriptor is owned and open; the call writes eight bytes to `count`. If the counter is already 0, the
        // call fails, which changes nothing.
        unsafe { libc::read(eventfd.as_raw_fd(), ptr::from_mut(&mut count).cast(), size_of::<u64>()) };
        self.pending.store(false, Ordering::Release);
    }
}

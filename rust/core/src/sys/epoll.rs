//! Sleeping until a socket is readable, on Linux and Android: epoll(7) and eventfd(2), called directly.
//!
//! `polling`, which serves elsewhere, calls the system six times for each sleep (it keeps a timer and re-arms what has
//! fired), which is more than all else that a wait does. Here it is once, and once more when somebody wakes the sleeper.

use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libc::c_int;

/// What an event is about.
const SOCKET: u64 = 0;
const WAKE: u64 = 1;

/// How many there can be at once.
const EVENTS: c_int = 2;

/// See the module [`sys`](super).
#[derive(Debug)]
pub(crate) struct Sleeper {
    epoll: OwnedFd,
    /// Readable when somebody wants the sleeper awake.
    alarm: OwnedFd,
    /// Whether it is.
    rings: AtomicBool,
}

impl Sleeper {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer.
        let epoll = owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: takes no pointer.
        let alarm = owned(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        let sleeper = Self { epoll, alarm, rings: AtomicBool::new(false) };
        sleeper.control(libc::EPOLL_CTL_ADD, sleeper.alarm.as_raw_fd(), WAKE)?;
        Ok(sleeper)
    }

    pub(crate) fn watch(&self, socket: &UdpSocket) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, socket.as_raw_fd(), SOCKET)
    }

    pub(crate) fn unwatch(&self, socket: &UdpSocket) {
        // This fails only where the socket is not watched, which is what is wanted.
        let _ = self.control(libc::EPOLL_CTL_DEL, socket.as_raw_fd(), SOCKET);
    }

    pub(crate) fn sleep(&self, timeout: Option<Duration>) -> io::Result<bool> {
        // Whole milliseconds, and rather one too many: who wakes up too early has to sleep again.
        let timeout = timeout.map_or(-1, |timeout| {
            let msec = timeout.as_nanos().div_ceil(1_000_000);
            c_int::try_from(msec).unwrap_or(c_int::MAX)
        });
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS as usize];
        // SAFETY: the descriptor is owned and open; `events` has room for as many events as are said.
        let count = unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), events.as_mut_ptr(), EVENTS, timeout) };
        let Ok(count) = usize::try_from(count) else {
            let error = io::Error::last_os_error();
            // A signal is as good as any reason to wake up.
            return if error.kind() == io::ErrorKind::Interrupted { Ok(false) } else { Err(error) };
        };
        let mut is_readable = false;
        for event in &events[..count] {
            if event.u64 == WAKE {
                self.silence();
            } else {
                is_readable = true;
            }
        }
        Ok(is_readable)
    }

    pub(crate) fn wake(&self) {
        if !self.rings.swap(true, Ordering::AcqRel) {
            let one: u64 = 1;
            // SAFETY: the descriptor is owned and open; eight bytes are read from `one`. (It cannot fail: the counter is
            // far from its end.)
            unsafe { libc::write(self.alarm.as_raw_fd(), ptr::from_ref(&one).cast(), size_of::<u64>()) };
        }
    }

    /// After this the alarm can ring again. What rings in between is not lost: whoever was woken has yet to look for why.
    fn silence(&self) {
        let mut count: u64 = 0;
        // SAFETY: the descriptor is owned and open; eight bytes are written to `count`. (It may fail where nothing rang,
        // which is what is wanted.)
        unsafe { libc::read(self.alarm.as_raw_fd(), ptr::from_mut(&mut count).cast(), size_of::<u64>()) };
        self.rings.store(false, Ordering::Release);
    }

    fn control(&self, operation: c_int, fd: c_int, about: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: about };
        // SAFETY: the descriptor is owned and open; `event` lives through the call. (A descriptor that were not open would
        // be refused.)
        let result = unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, fd, &raw mut event) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

/// What the system has just made.
fn owned(fd: c_int) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just made by the caller, open, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

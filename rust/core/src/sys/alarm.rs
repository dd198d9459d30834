//! Sleeping until a socket is readable, on Linux and Android: poll(2) and an eventfd(2), called directly.
//!
//! `polling`, which serves elsewhere, calls the system six times for each sleep (it keeps a timer, and re-arms what has
//! fired); here it is once, and once more when somebody wakes the sleeper. `epoll` would not hold on to the socket, as
//! poll(2) does, but takes so much longer to wake a thread that a round trip is slower than with the engine's class.

use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

use libc::c_int;

/// poll(2) passes over such a descriptor.
const NONE: RawFd = -1;

/// See the module [`sys`](super).
#[derive(Debug)]
pub(crate) struct Sleeper {
    /// Readable when somebody wants the sleeper awake.
    alarm: OwnedFd,
    /// Whether it is.
    rings: AtomicBool,
    /// The socket that is watched, or [`NONE`]. Only ever looked at through poll(2): if it is another file by then, the
    /// sleeper wakes up for no reason.
    socket: AtomicI32,
}

impl Sleeper {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer.
        let alarm = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if alarm < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just made, open, and nobody else's.
        let alarm = unsafe { OwnedFd::from_raw_fd(alarm) };
        Ok(Self { alarm, rings: AtomicBool::new(false), socket: AtomicI32::new(NONE) })
    }

    #[expect(clippy::unnecessary_wraps, reason = "the interface of `sys`; it can fail elsewhere")]
    pub(crate) fn watch(&self, socket: &UdpSocket) -> io::Result<()> {
        self.socket.store(socket.as_raw_fd(), Ordering::Release);
        Ok(())
    }

    pub(crate) fn unwatch(&self, _socket: &UdpSocket) {
        self.socket.store(NONE, Ordering::Release);
    }

    pub(crate) fn sleep(&self, timeout: Option<Duration>) -> io::Result<bool> {
        // Whole milliseconds, and rather one too many: who wakes up too early has to sleep again.
        let timeout = timeout.map_or(-1, |timeout| {
            let msec = timeout.as_nanos().div_ceil(1_000_000);
            c_int::try_from(msec).unwrap_or(c_int::MAX)
        });
        let look_at = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut looks = [look_at(self.socket.load(Ordering::Acquire)), look_at(self.alarm.as_raw_fd())];
        // SAFETY: `looks` has as many entries as are said, and lives through the call. (What they name need not be open.)
        let count = unsafe { libc::poll(looks.as_mut_ptr(), looks.len() as libc::nfds_t, timeout) };
        if count < 0 {
            let error = io::Error::last_os_error();
            // A signal is as good as any reason to wake up.
            return if error.kind() == io::ErrorKind::Interrupted { Ok(false) } else { Err(error) };
        }
        let [socket, alarm] = looks;
        if alarm.revents != 0 {
            self.silence();
        }
        Ok(socket.revents != 0)
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
}

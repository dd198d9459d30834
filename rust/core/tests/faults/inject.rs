//! Makes system calls fail, from below the library and all that it uses.
//!
//! A seccomp filter (seccomp(2)) on the test's thread, which threads that it starts inherit, turns the calls that [`codes`] knows into
//! signals. The handler counts the call, and either answers it with an error or has the kernel carry it out, by the one instruction that
//! the filter lets pass. So also the calls of the C library and of crates that go around it are reached, and the library is the
//! one that is shipped.
//!
//! A call counts if it is made within [`counted`], or by a thread that is none of the test's own.

use std::cell::Cell;
use std::io;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use libc::{c_int, c_long, c_void};

/// Who makes a call: the thread that uses the library, or one that the library has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Caller = 0,
    Background = 1,
}

/// Which call fails, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) class: Class,
    /// Counted from 1.
    pub(crate) number: usize,
    /// Which of the [`codes`] of that call; with `wraps`, of those without end.
    pub(crate) code: usize,
    pub(crate) wraps: bool,
    /// Whether all calls that follow and are the same system call fail too, until the fault is [lifted](lift).
    pub(crate) persistent: bool,
}

/// A call that has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fired {
    pub(crate) call: c_long,
    /// The option of setsockopt(2) and getsockopt(2), the operation of `epoll_ctl`(2) and fcntl(2), the domain of socket(2) and of a netlink socket,
    /// (0, 1) where recvmmsg(2) or sendmmsg(2) is given no message; otherwise 0.
    pub(crate) detail: (c_int, c_int),
    pub(crate) code: c_int,
}

/// The longest that a persistent fault lasts. After that, the library must go on without being asked.
const LONGEST: Duration = Duration::from_millis(8);

/// How often a persistent fault fails at most. A call that a signal has interrupted is repeated at once.
const MOST: usize = 300;

static IS_ARMED: AtomicBool = AtomicBool::new(false);
static COUNTS: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];
static TARGET: [AtomicUsize; 3] = [AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0)];
static IS_PERSISTENT: AtomicBool = AtomicBool::new(false);
static WRAPS: AtomicBool = AtomicBool::new(false);
/// Whether a persistent fault lasts.
static LASTS: AtomicBool = AtomicBool::new(false);
static FIRED_AT: AtomicU64 = AtomicU64::new(0);
static FIRED: AtomicUsize = AtomicUsize::new(0);
static FIRED_CALL: AtomicI64 = AtomicI64::new(0);
static FIRED_DETAIL: [AtomicI32; 2] = [AtomicI32::new(0), AtomicI32::new(0)];
static FIRED_CODE: AtomicI32 = AtomicI32::new(0);
/// Whether the call had fewer codes than that.
static NO_SUCH_CODE: AtomicBool = AtomicBool::new(false);
static CODES: AtomicUsize = AtomicUsize::new(0);
static LAST_SOCKET: AtomicI32 = AtomicI32::new(-1);

thread_local! {
    static IS_TESTS: Cell<bool> = const { Cell::new(false) };
    static IS_COUNTED: Cell<bool> = const { Cell::new(false) };
}

/// The errors with which a call fails, by the manual pages; those that only a wrong argument causes are left out. Empty: it is not
/// made to fail.
///
/// An `epoll_ctl` that changes or deletes an entry allocates nothing in the kernel, so that it cannot fail for want of memory. Reading and
/// writing an eventfd cannot fail either.
pub(crate) fn codes(call: c_long, detail: (c_int, c_int)) -> &'static [c_int] {
    use libc::{
        EACCES, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, ECONNREFUSED, EHOSTUNREACH, EINTR, EINVAL, EIO,
        EMFILE, EMSGSIZE, ENETUNREACH, ENFILE, ENOBUFS, ENODEV, ENOMEM, ENOPROTOOPT, ENOSPC, EPERM,
    };
    match call {
        libc::SYS_socket => &[EMFILE, ENOBUFS, EAFNOSUPPORT, ENFILE, ENOMEM, EACCES],
        libc::SYS_bind => &[EADDRINUSE, ENOBUFS, EADDRNOTAVAIL, EACCES, ENOMEM],
        libc::SYS_connect => &[ENETUNREACH, EADDRNOTAVAIL, EAGAIN, ECONNREFUSED, EHOSTUNREACH, EACCES, EPERM],
        libc::SYS_setsockopt => &[ENOPROTOOPT, ENOMEM, EPERM, EINVAL, ENOBUFS],
        libc::SYS_getsockopt => &[ENOBUFS, ENOPROTOOPT, EPERM],
        libc::SYS_getsockname | libc::SYS_getpeername => &[ENOBUFS],
        libc::SYS_sendto | libc::SYS_sendmsg | libc::SYS_sendmmsg => {
            &[EINTR, ENOBUFS, EAGAIN, ECONNREFUSED, EPERM, ENOMEM, EMSGSIZE, ENETUNREACH, EHOSTUNREACH, EIO, EINVAL]
        }
        // The C library, which lists interfaces by it, ends the process at other errors.
        libc::SYS_recvmsg if detail.0 == libc::AF_NETLINK => &[EINTR, ENOBUFS, ENOMEM],
        libc::SYS_recvfrom | libc::SYS_recvmsg | libc::SYS_recvmmsg => &[EINTR, EAGAIN, ECONNREFUSED, ENOMEM, EIO],
        libc::SYS_epoll_create1 | libc::SYS_timerfd_create => &[EMFILE, ENFILE, ENOMEM],
        libc::SYS_epoll_ctl if detail.0 == libc::EPOLL_CTL_ADD => &[ENOMEM, ENOSPC],
        libc::SYS_epoll_pwait | SYS_EPOLL_WAIT => &[EINTR],
        libc::SYS_eventfd2 => &[EMFILE, ENFILE, ENOMEM, ENODEV],
        libc::SYS_ppoll | SYS_POLL => &[EINTR, ENOMEM],
        // In builds with debug assertions, the standard library asks whether a descriptor that it closes is open.
        libc::SYS_fcntl if detail.0 == libc::F_GETFD => &[],
        // Only a filter of a sandbox refuses these.
        libc::SYS_ioctl | libc::SYS_fcntl => &[EPERM],
        // The descriptor is closed all the same, as by Linux.
        libc::SYS_close => &[EINTR, EIO],
        // As pthread_create(3) has it.
        libc::SYS_clone3 => &[EAGAIN],
        _ => &[],
    }
}

#[cfg(target_arch = "x86_64")]
const SYS_EPOLL_WAIT: c_long = libc::SYS_epoll_wait;
#[cfg(target_arch = "x86_64")]
pub(crate) const SYS_POLL: c_long = libc::SYS_poll;
// Such numbers are none of a call.
#[cfg(not(target_arch = "x86_64"))]
const SYS_EPOLL_WAIT: c_long = -1;
#[cfg(not(target_arch = "x86_64"))]
pub(crate) const SYS_POLL: c_long = -2;

/// The calls that the filter turns into signals.
const TRAPPED: &[c_long] = &[
    libc::SYS_socket,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_setsockopt,
    libc::SYS_getsockopt,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    SYS_EPOLL_WAIT,
    libc::SYS_eventfd2,
    libc::SYS_timerfd_create,
    libc::SYS_ppoll,
    SYS_POLL,
    libc::SYS_ioctl,
    libc::SYS_fcntl,
    libc::SYS_close,
];

/// The name of a call, as in the manual.
pub(crate) fn name(call: c_long) -> &'static str {
    match call {
        libc::SYS_socket => "socket",
        libc::SYS_bind => "bind",
        libc::SYS_connect => "connect",
        libc::SYS_setsockopt => "setsockopt",
        libc::SYS_getsockopt => "getsockopt",
        libc::SYS_getsockname => "getsockname",
        libc::SYS_getpeername => "getpeername",
        libc::SYS_sendto => "sendto",
        libc::SYS_sendmsg => "sendmsg",
        libc::SYS_sendmmsg => "sendmmsg",
        libc::SYS_recvfrom => "recvfrom",
        libc::SYS_recvmsg => "recvmsg",
        libc::SYS_recvmmsg => "recvmmsg",
        libc::SYS_epoll_create1 => "epoll_create1",
        libc::SYS_epoll_ctl => "epoll_ctl",
        libc::SYS_epoll_pwait | SYS_EPOLL_WAIT => "epoll_wait",
        libc::SYS_eventfd2 => "eventfd2",
        libc::SYS_timerfd_create => "timerfd_create",
        libc::SYS_ppoll | SYS_POLL => "poll",
        libc::SYS_ioctl => "ioctl",
        libc::SYS_fcntl => "fcntl",
        libc::SYS_close => "close",
        libc::SYS_clone3 => "clone3",
        _ => "?",
    }
}

// ---- what the tests call ----------------------------------------------------------------------------------------

/// Calls of `within` count, and may fail.
pub(crate) fn counted<T>(within: impl FnOnce() -> T) -> T {
    /// Also ends by a panic.
    struct End(bool);
    impl Drop for End {
        fn drop(&mut self) {
            IS_COUNTED.set(self.0);
        }
    }
    let _end = End(IS_COUNTED.replace(true));
    within()
}

/// Calls of `within` do not count, although those around them do.
pub(crate) fn uncounted<T>(within: impl FnOnce() -> T) -> T {
    let was_counted = IS_COUNTED.replace(false);
    let result = within();
    IS_COUNTED.set(was_counted);
    result
}

/// Has this thread be one of the test's own, whose calls count within [`counted`] only.
pub(crate) fn is_of_test() {
    IS_TESTS.set(true);
}

/// Begins to count; `fault` is what will fail, if anything.
pub(crate) fn arm(fault: Option<Fault>) {
    lift();
    for count in &COUNTS {
        count.store(0, SeqCst);
    }
    FIRED.store(0, SeqCst);
    NO_SUCH_CODE.store(false, SeqCst);
    CODES.store(0, SeqCst);
    let none = Fault { class: Class::Caller, number: 0, code: 0, wraps: false, persistent: false };
    let Fault { class, number, code, wraps, persistent } = fault.unwrap_or(none);
    for (target, value) in TARGET.iter().zip([class as usize, number, code]) {
        target.store(value, SeqCst);
    }
    IS_PERSISTENT.store(persistent, SeqCst);
    WRAPS.store(wraps, SeqCst);
    IS_ARMED.store(true, SeqCst);
}

/// Ends counting. How many calls were counted, by [`Class`].
pub(crate) fn disarm() -> [usize; 2] {
    lift();
    IS_ARMED.store(false, SeqCst);
    [COUNTS[0].load(SeqCst), COUNTS[1].load(SeqCst)]
}

/// Ends a persistent fault.
pub(crate) fn lift() {
    LASTS.store(false, SeqCst);
}

/// How often a call has failed since [`arm`].
pub(crate) fn times() -> usize {
    FIRED.load(SeqCst)
}

/// The call that has failed, if one has.
pub(crate) fn fired() -> Option<Fired> {
    (times() > 0).then(|| Fired {
        call: FIRED_CALL.load(SeqCst) as c_long,
        detail: (FIRED_DETAIL[0].load(SeqCst), FIRED_DETAIL[1].load(SeqCst)),
        code: FIRED_CODE.load(SeqCst),
    })
}

/// How many codes the call has that was to fail; `None` if it was not made.
pub(crate) fn codes_of_target() -> Option<usize> {
    (times() > 0 || NO_SUCH_CODE.load(SeqCst)).then(|| CODES.load(SeqCst))
}

/// The descriptor of the socket that was made last within what counts.
pub(crate) fn last_socket() -> c_int {
    LAST_SOCKET.load(SeqCst)
}

// ---- the filter -------------------------------------------------------------------------------------------------

#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".globl faults_gate",
    ".globl faults_gate_end",
    "faults_gate:",
    "mov rax, rdi",
    "mov rdi, rsi",
    "mov rsi, rdx",
    "mov rdx, rcx",
    "mov r10, r8",
    "mov r8, r9",
    "mov r9, [rsp + 8]",
    "syscall",
    "faults_gate_end:",
    "ret",
);

#[cfg(target_arch = "aarch64")]
std::arch::global_asm!(
    ".globl faults_gate",
    ".globl faults_gate_end",
    "faults_gate:",
    "mov x8, x0",
    "mov x0, x1",
    "mov x1, x2",
    "mov x2, x3",
    "mov x3, x4",
    "mov x4, x5",
    "mov x5, x6",
    "svc #0",
    "faults_gate_end:",
    "ret",
);

unsafe extern "C" {
    /// Makes a system call by the one instruction that the filter lets pass; a negative number is an error.
    fn faults_gate(call: c_long, a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) -> c_long;
    /// Where that instruction ends.
    fn faults_gate_end();
}

#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xc000_00b7;

/// Where `seccomp_data` has what the filter looks at (`linux/seccomp.h`); both processors are little-endian.
const OFFSET_CALL: u32 = 0;
const OFFSET_ARCH: u32 = 4;
const OFFSET_INSTRUCTION: u32 = 8;

fn filter() -> Vec<libc::sock_filter> {
    #[expect(clippy::cast_possible_truncation, reason = "codes of instructions have 16 bits")]
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let load = |offset| statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset);
    let equals = |k, jt, jf| libc::sock_filter { jt, jf, ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, k) };
    let answer = |k| statement(libc::BPF_RET | libc::BPF_K, k);
    let gate = faults_gate_end as *const () as u64;
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    let low = gate as u32;
    let high = (gate >> 32) as u32;
    let number = |call: c_long| u32::try_from(call).unwrap_or(u32::MAX);
    let mut program = vec![
        load(OFFSET_ARCH),
        equals(AUDIT_ARCH, 1, 0),
        answer(libc::SECCOMP_RET_ALLOW),
        load(OFFSET_INSTRUCTION),
        equals(low, 0, 3),
        load(OFFSET_INSTRUCTION + 4),
        equals(high, 0, 1),
        answer(libc::SECCOMP_RET_ALLOW),
        load(OFFSET_CALL),
    ];
    for call in TRAPPED.iter().filter(|call| **call >= 0) {
        program.push(equals(number(*call), 0, 1));
        program.push(answer(libc::SECCOMP_RET_TRAP));
    }
    program.push(answer(libc::SECCOMP_RET_ALLOW));
    program
}

/// Installs handler and filter for this thread, and for those that it starts.
pub(crate) fn install() -> io::Result<()> {
    is_of_test();
    // SAFETY: integers, a pointer and a set of signals, for all of which zero is a valid value.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = on_trap as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO;
    // SAFETY: `action` is initialised, and its handler has the signature that SA_SIGINFO asks for. Nothing else handles this signal.
    if unsafe { libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut program = filter();
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    // SAFETY: takes no pointer. The thread gains no rights by programs that it starts; it starts none.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `program` and the instructions that it leads to outlive the call, which copies them.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

// ---- the handler ------------------------------------------------------------------------------------------------

/// The registers of the interrupted thread.
struct Registers<'a>(&'a mut libc::mcontext_t);

#[cfg(target_arch = "x86_64")]
impl Registers<'_> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "registers of 64 bits")]
    fn arguments(&self) -> [usize; 6] {
        use libc::{REG_R8, REG_R9, REG_R10, REG_RDI, REG_RDX, REG_RSI};
        [REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9].map(|index| self.0.gregs[index as usize] as usize)
    }

    fn set_result(&mut self, result: c_long) {
        self.0.gregs[libc::REG_RAX as usize] = result;
    }
}

#[cfg(target_arch = "aarch64")]
impl Registers<'_> {
    #[expect(clippy::cast_possible_truncation, reason = "registers of 64 bits")]
    fn arguments(&self) -> [usize; 6] {
        std::array::from_fn(|index| self.0.regs[index] as usize)
    }

    #[expect(clippy::cast_sign_loss, reason = "an error is a negative number in an unsigned register")]
    fn set_result(&mut self, result: c_long) {
        self.0.regs[0] = result as u64;
    }
}

/// What the kernel has in a `siginfo_t` for SIGSYS.
#[repr(C)]
struct TrapInfo {
    head: [c_int; 4],
    address: usize,
    call: c_int,
    arch: u32,
}

/// Answers a call that the filter has trapped. It allocates nothing, takes no lock, and leaves `errno` alone.
extern "C" fn on_trap(_: c_int, info: *const TrapInfo, context: *mut libc::ucontext_t) {
    // SAFETY: the kernel passes the information of a trapped call, which is there while the handler runs.
    let call = c_long::from(unsafe { (*info).call });
    // SAFETY: the kernel passes the context of the interrupted thread, which nothing else refers to while the handler runs.
    let context = unsafe { &mut (*context).uc_mcontext };
    let mut registers = Registers(context);
    let arguments = registers.arguments();
    #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "these arguments are of 32 bits")]
    let detail = match call {
        libc::SYS_setsockopt | libc::SYS_getsockopt => (arguments[1] as c_int, arguments[2] as c_int),
        libc::SYS_epoll_ctl | libc::SYS_fcntl => (arguments[1] as c_int, 0),
        libc::SYS_recvmmsg | libc::SYS_sendmmsg => (0, c_int::from(arguments[2] == 0)),
        libc::SYS_recvmsg | libc::SYS_sendto if domain_of(arguments[0]) == libc::AF_NETLINK => (libc::AF_NETLINK, 0),
        libc::SYS_socket => (arguments[0] as c_int, 0),
        _ => (0, 0),
    };
    // An IPv4 socket refuses the options of IPv6 by itself, and always.
    let is_refused = call == libc::SYS_setsockopt
        && detail.0 == libc::IPPROTO_IPV6
        && IS_ARMED.load(SeqCst)
        && domain_of(arguments[0]) == libc::AF_INET;
    let code = if is_refused { 0 } else { fault_of(call, detail) };
    if code != 0 && call != libc::SYS_close {
        return registers.set_result(-c_long::from(code));
    }
    // SAFETY: the call that the thread has asked for, with its arguments; the caller has vouched for them. None of the trapped calls
    // changes the stack or does not return.
    let result = unsafe {
        faults_gate(call, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5])
    };
    if call == libc::SYS_socket && IS_COUNTED.get() {
        LAST_SOCKET.store(c_int::try_from(result).unwrap_or(-1), SeqCst);
    }
    registers.set_result(if code == 0 { result } else { -c_long::from(code) });
}

/// The address family of a socket, or 0.
fn domain_of(descriptor: usize) -> c_int {
    let mut domain: c_int = 0;
    let mut size: libc::socklen_t = 4;
    let (level, option) = (libc::SOL_SOCKET.unsigned_abs() as usize, libc::SO_DOMAIN.unsigned_abs() as usize);
    let (value, length) = ((&raw mut domain) as usize, (&raw mut size) as usize);
    // SAFETY: the call writes at most four bytes to `domain`, as `size` says.
    unsafe { faults_gate(libc::SYS_getsockopt, descriptor, level, option, value, length, 0) };
    domain
}

/// Counts a call; the error that it is to fail with, or 0.
fn fault_of(call: c_long, detail: (c_int, c_int)) -> c_int {
    let class = match (IS_TESTS.get(), IS_COUNTED.get()) {
        (true, false) => return 0,
        (true, true) => Class::Caller,
        (false, _) => Class::Background,
    };
    if !IS_ARMED.load(SeqCst) {
        return 0;
    }
    let codes = codes(call, detail);
    if codes.is_empty() {
        return 0;
    }
    let number = COUNTS[class as usize].fetch_add(1, SeqCst) + 1;
    if LASTS.load(SeqCst) {
        let age = Duration::from_nanos(now().saturating_sub(FIRED_AT.load(SeqCst)));
        if age > LONGEST || FIRED.load(SeqCst) >= MOST {
            LASTS.store(false, SeqCst);
        } else if FIRED_CALL.load(SeqCst) == call && codes.contains(&FIRED_CODE.load(SeqCst)) {
            FIRED.fetch_add(1, SeqCst);
            return FIRED_CODE.load(SeqCst);
        }
        return 0;
    }
    if class as usize != TARGET[0].load(SeqCst) || number != TARGET[1].load(SeqCst) {
        return 0;
    }
    CODES.store(codes.len(), SeqCst);
    let index = TARGET[2].load(SeqCst);
    let Some(code) = codes.get(if WRAPS.load(SeqCst) { index % codes.len() } else { index }) else {
        NO_SUCH_CODE.store(true, SeqCst);
        return 0;
    };
    FIRED_CALL.store(call, SeqCst);
    FIRED_DETAIL[0].store(detail.0, SeqCst);
    FIRED_DETAIL[1].store(detail.1, SeqCst);
    FIRED_CODE.store(*code, SeqCst);
    FIRED_AT.store(now(), SeqCst);
    FIRED.fetch_add(1, SeqCst);
    LASTS.store(IS_PERSISTENT.load(SeqCst), SeqCst);
    *code
}

/// Nanoseconds since some moment.
fn now() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is valid for a write. The call cannot fail, and may be made in a handler.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

type ThreadStart = extern "C" fn(*mut c_void) -> *mut c_void;
type PthreadCreate =
    unsafe extern "C" fn(*mut libc::pthread_t, *const libc::pthread_attr_t, ThreadStart, *mut c_void) -> c_int;

// Address and ThreadSanitizer have a function of their own, which must be called; without them, null.
std::arch::global_asm!(
    ".weak __interceptor_pthread_create",
    ".pushsection .data.rel.ro.faults, \"aw\"",
    ".balign 8",
    ".globl faults_pthread_create",
    "faults_pthread_create:",
    ".quad __interceptor_pthread_create",
    ".popsection",
);

unsafe extern "C" {
    static faults_pthread_create: Option<PthreadCreate>;
}

/// Stands in for the C library's function: it makes clone3(2) with all signals blocked, so that the filter cannot trap that.
///
/// # Safety
///
/// That of `pthread_create`(3).
// SAFETY: the linker prefers this function to the C library's, whose signature and behaviour it has.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_create(
    thread: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    start: ThreadStart,
    argument: *mut c_void,
) -> c_int {
    static REAL: LazyLock<Option<PthreadCreate>> = LazyLock::new(|| {
        // SAFETY: a constant that the linker has set.
        if let Some(of_sanitizer) = unsafe { faults_pthread_create } {
            return Some(of_sanitizer);
        }
        // SAFETY: the name ends with a zero byte.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, c"pthread_create".as_ptr()) };
        // SAFETY: null is `None`; the function of that name has this signature.
        unsafe { std::mem::transmute::<*mut c_void, Option<PthreadCreate>>(found) }
    });
    let code = fault_of(libc::SYS_clone3, (0, 0));
    match *REAL {
        _ if code != 0 => code,
        // SAFETY: the caller keeps the promises of pthread_create(3).
        Some(real) => unsafe { real(thread, attributes, start, argument) },
        None => libc::ENOSYS,
    }
}

/// Whether the mechanism works here: a call fails as asked for, and then does not.
pub(crate) fn works() -> Result<(), String> {
    let start = Instant::now();
    arm(Some(Fault { class: Class::Caller, number: 2, code: 0, wraps: false, persistent: false }));
    let results = counted(|| [0; 3].map(|_| std::net::UdpSocket::bind("127.0.0.1:0").map(drop)));
    let counts = disarm();
    let code = results[0].as_ref().err().and_then(io::Error::raw_os_error);
    let ok = (code == Some(libc::EADDRINUSE)) && results[1].is_ok() && results[2].is_ok();
    let thread = std::thread::spawn(|| 1).join();
    if ok && thread.is_ok() && start.elapsed() < Duration::from_secs(5) {
        Ok(())
    } else {
        Err(format!("a trapped call was not answered as asked for: {results:?}, {counts:?} calls"))
    }
}

//! Windows (Winsock).

use std::io;
use std::net::UdpSocket;
use std::os::windows::io::AsRawSocket;
use std::ptr;

use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::Networking::WinSock::{
    AI_ADDRCONFIG, SO_EXCLUSIVEADDRUSE, SOCKET, SOCKET_ERROR, SOL_SOCKET, WSAEINVAL, WSAENOBUFS, WSAEOPNOTSUPP,
    WSAGetLastError, WSAIoctl, setsockopt,
};
use windows_sys::Win32::System::LibraryLoader::{
    GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_PIN, GetModuleHandleExW,
};

/// Receiving on a socket that was never bound is an error here (`WSAEINVAL`).
pub(crate) const BIND_BEFORE_USE: bool = true;

/// A poll in progress refers to its socket until the thread that began it has seen it cancelled (seen under wine).
pub(crate) const POLLER_HOLDS_SOCKETS: bool = true;

/// It is a poller, too.
pub(crate) const SLEEPER_HOLDS_SOCKETS: bool = true;

/// Read back as it was set.
pub(crate) const BUFFER_FIGURE: usize = 1;

/// Not documented; a sender's address is the least.
pub(crate) const KERNEL_OVERHEAD: usize = 16;

/// Only address families that the machine has an address of, as the engine's own resolver asks.
pub(crate) const RESOLVER_FLAGS: i32 = AI_ADDRCONFIG as i32;

/// `_WSAIOW(IOC_VENDOR, 12)` and `(IOC_VENDOR, 15)` of `mswsock.h`: whether an ICMP answer to an earlier send makes a
/// later receive fail with `WSAECONNRESET` or `WSAENETRESET`.
const SIO_UDP_CONNRESET: u32 = 0x9800_000C;
const SIO_UDP_NETRESET: u32 = 0x9800_000F;

/// -1 is not documented to be taken.
pub(crate) const DEFAULT_HOPS: Option<u32> = None;

/// There is no such option; `SO_REUSEADDR` does what both do elsewhere.
pub(crate) const HAS_REUSE_PORT: bool = false;

/// Only numbers are read by the system's resolver.
pub(crate) const SCOPES_HAVE_NAMES: bool = false;

/// Turns off the reset reports, which would make receiving fail because some earlier datagram was refused somewhere;
/// and claims the port for this socket alone unless it is to be shared, which elsewhere is the rule (Winsock lets a second
/// socket take over a port on another address, `SO_EXCLUSIVEADDRUSE` does not).
pub(crate) fn prepare(socket: &socket2::Socket, reuse_address: bool) -> io::Result<()> {
    let raw = socket.as_raw_socket() as SOCKET;
    switch_off(raw, SIO_UDP_CONNRESET)?;
    switch_off(raw, SIO_UDP_NETRESET)?;
    if reuse_address {
        return socket.set_reuse_address(true);
    }
    let on: i32 = 1;
    // SAFETY: `raw` is the handle of `socket`, which is borrowed and so stays open; the option's value is an `i32` that
    // lives through the call, and its length is that of an `i32`.
    let result =
        unsafe { setsockopt(raw, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, ptr::from_ref(&on).cast(), size_of::<i32>() as i32) };
    if result == SOCKET_ERROR { Err(io::Error::last_os_error()) } else { Ok(()) }
}

pub(crate) fn set_reuse_port(_socket: &UdpSocket, enabled: bool) -> io::Result<()> {
    if enabled { Err(io::ErrorKind::Unsupported.into()) } else { Ok(()) }
}

/// Windows lets programs mark packets only through its own service for that (qWAVE); for IPv6 there is not even an option.
pub(crate) fn set_traffic_class_v6(_socket: &UdpSocket, _class: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The names that people know are not those that `if_nametoindex` takes.
pub(crate) fn interface_index(_name: &str) -> Option<u32> {
    None
}

/// Scopes are numbers.
pub(crate) fn interface_name(_index: u32) -> Option<String> {
    None
}

/// `GetModuleHandleEx`, `GET_MODULE_HANDLE_EX_FLAG_PIN`.
pub(crate) fn pin_library() -> bool {
    let here: *const u16 = (pin_library as fn() -> bool as *const ()).cast();
    let mut module: HMODULE = ptr::null_mut();
    let flags = GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS;
    // SAFETY: with FROM_ADDRESS the second argument is no string but any address in the module, which that of a function
    // is; `module` is a valid place to write to.
    let done = unsafe { GetModuleHandleExW(flags, here, &raw mut module) };
    done != 0
}

/// `WSAEWOULDBLOCK` or `WSAENOBUFS`.
pub(crate) fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(WSAENOBUFS)
}

/// Not asked: asking (`WSAPoll`) costs what trying to receive costs, and `FIONREAD` does not know empty datagrams.
#[expect(clippy::unnecessary_wraps, reason = "the interface of `sys`; it can fail elsewhere")]
pub(crate) fn is_readable(_socket: &UdpSocket) -> io::Result<bool> {
    Ok(true)
}

/// Sets a boolean control to false. Controls that this Windows (or wine) does not know are passed over: it then has
/// nothing to switch off.
fn switch_off(raw: SOCKET, control: u32) -> io::Result<()> {
    let off: u32 = 0;
    let mut returned: u32 = 0;
    // SAFETY: `raw` is an open socket (see the only caller). The input is a BOOL, 4 bytes that live through the call;
    // there is no output buffer, so its pointer is null and its length 0; `returned` is a valid place to write to. No
    // OVERLAPPED is given, so nothing is touched after the call returns.
    let result = unsafe {
        WSAIoctl(
            raw,
            control,
            ptr::from_ref(&off).cast(),
            size_of::<u32>() as u32,
            ptr::null_mut(),
            0,
            &raw mut returned,
            ptr::null_mut(),
            None,
        )
    };
    if result != SOCKET_ERROR {
        return Ok(());
    }
    // SAFETY: takes no argument and reads this thread's last Winsock error.
    match unsafe { WSAGetLastError() } {
        WSAEINVAL | WSAEOPNOTSUPP => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

//! The socket backend of Windows (Winsock).
//!
//! Since version 2004, Windows 10 can segment and join datagrams as Linux does (`UDP_SEND_MSG_SIZE`,
//! `UDP_RECV_MAX_COALESCED_SIZE`). This backend does not use that: Wine has neither option, so it could not be tested.

mod interfaces;
mod message;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::windows::io::AsRawSocket;
use std::ptr;
use std::time::Duration;

use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::Networking::WinSock::{
    AI_ADDRCONFIG, SO_EXCLUSIVEADDRUSE, SOCKET, SOCKET_ERROR, SOL_SOCKET, WSAECONNREFUSED, WSAECONNRESET, WSAEHOSTDOWN,
    WSAEHOSTUNREACH, WSAEINVAL, WSAENETRESET, WSAENETUNREACH, WSAENOBUFS, WSAEOPNOTSUPP, WSAGetLastError, WSAIoctl,
    setsockopt,
};
use windows_sys::Win32::System::LibraryLoader::{
    GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_PIN, GetModuleHandleExW,
};

pub(crate) use interfaces::interfaces;
pub(crate) use message::{is_source_gone, receive_arrival, receive_one, send_from};

/// Receiving on an unbound socket fails with `WSAEINVAL`.
pub(crate) const BIND_BEFORE_USE: bool = true;

/// A poll in progress holds its socket until the thread that started it has received the cancellation (observed in Wine).
pub(crate) const POLLER_HOLDS_SOCKETS: bool = true;

/// The waker is a poller.
pub(crate) const WAKER_HOLDS_SOCKETS: bool = true;

/// Wine tells of no packet any more after a datagram of a connected socket was refused, until something is received.
pub(crate) const LONGEST_SLEEP: Option<Duration> = Some(Duration::from_millis(100));

/// Windows reads back the size that was set.
pub(crate) const BUFFER_SIZE_FACTOR: usize = 1;

/// Not documented. Windows stores at least the sender's address.
pub(crate) const KERNEL_OVERHEAD: usize = 16;

/// Resolves only to address families that the machine has an address of, as the engine's resolver does.
pub(crate) const RESOLVER_FLAGS: i32 = AI_ADDRCONFIG as i32;

/// `_WSAIOW(IOC_VENDOR, 12)` of `mswsock.h`: whether an ICMP answer to an earlier send makes a receive fail with
/// `WSAECONNRESET`.
const SIO_UDP_CONNRESET: u32 = 0x9800_000C;

/// `_WSAIOW(IOC_VENDOR, 15)`: the same for `WSAENETRESET`.
const SIO_UDP_NETRESET: u32 = 0x9800_000F;

/// Windows documents no such value.
pub(crate) const DEFAULT_HOPS: Option<u32> = None;

/// On Windows `SO_REUSEADDR` alone has the effect of both options.
pub(crate) const HAS_REUSE_PORT: bool = false;

/// The engine's `UDPServer` does not share its port here. `SO_REUSEADDR` would also let any other program take the packets.
pub(crate) const SERVERS_SHARE_PORTS: bool = false;

/// The system's resolver reads only numbers.
pub(crate) const SCOPES_HAVE_NAMES: bool = false;

/// Turns off the errors that an ICMP answer to an earlier datagram causes in a receive. Unless the port is to be shared, sets
/// `SO_EXCLUSIVEADDRUSE`: without it, a second socket could take over the port on another address.
pub(crate) fn prepare(socket: &socket2::Socket, reuse_address: bool) -> io::Result<()> {
    let raw = socket.as_raw_socket() as SOCKET;
    disable_control(raw, SIO_UDP_CONNRESET)?;
    disable_control(raw, SIO_UDP_NETRESET)?;
    if reuse_address {
        return socket.set_reuse_address(true);
    }
    let on: i32 = 1;
    // SAFETY: `raw` is the handle of `socket`, which is borrowed and so stays open. The value is an `i32` that outlives the
    // call, and the length is that of an `i32`.
    let result =
        unsafe { setsockopt(raw, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, ptr::from_ref(&on).cast(), size_of::<i32>() as i32) };
    if result == SOCKET_ERROR { Err(io::Error::last_os_error()) } else { Ok(()) }
}

pub(crate) fn set_reuse_port(_socket: &UdpSocket, enabled: bool) -> io::Result<()> {
    if enabled { Err(io::ErrorKind::Unsupported.into()) } else { Ok(()) }
}

/// Fails except for 0, the class of every packet: Windows has no such option. Programs mark packets through the qWAVE service
/// only.
pub(crate) fn set_traffic_class_v6(_socket: &UdpSocket, class: u32) -> io::Result<()> {
    if class == 0 { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
}

/// Always `None`: `if_nametoindex` takes other names than the ones that Windows shows to users.
#[expect(clippy::unnecessary_wraps, reason = "the contract of `sys`; it can fail on other platforms")]
pub(crate) fn interface_index(_name: &str) -> io::Result<Option<u32>> {
    Ok(None)
}

pub(crate) fn interface_name(_index: u32) -> Option<String> {
    None
}

/// `GetModuleHandleEx` with `GET_MODULE_HANDLE_EX_FLAG_PIN`.
pub(crate) fn pin_library() -> bool {
    let address_inside: *const u16 = (pin_library as fn() -> bool as *const ()).cast();
    let mut module: HMODULE = ptr::null_mut();
    let flags = GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS;
    // SAFETY: with FROM_ADDRESS the second argument is not a string but any address in the module, such as that of a
    // function. `module` is valid for a write.
    let succeeded = unsafe { GetModuleHandleExW(flags, address_inside, &raw mut module) };
    succeeded != 0
}

/// `WSAEWOULDBLOCK` or `WSAENOBUFS`.
pub(crate) fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(WSAENOBUFS)
}

/// Connects to an address of zeros, which Winsock documents as the way to dissolve the association. What the kernel holds for the
/// socket is discarded by that, as by every later connect. The port stays, since the socket is bound.
#[expect(clippy::unnecessary_wraps, reason = "the contract of `sys`; it can fail on other platforms")]
pub(crate) fn disconnect(socket: &UdpSocket) -> io::Result<()> {
    let is_v4 = socket.local_addr().is_ok_and(|local| local.is_ipv4());
    let nowhere: IpAddr = if is_v4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // A connect that follows replaces the association in any case.
    let _ = socket.connect((nowhere, 0));
    Ok(())
}

/// What `send` documents as the outcome of an earlier datagram, and what Wine makes of such errors of Linux.
pub(crate) fn may_be_report(error: &io::Error, _to: SocketAddr, _length: usize) -> bool {
    matches!(
        error.raw_os_error(),
        Some(WSAECONNREFUSED | WSAECONNRESET | WSAENETRESET | WSAEHOSTUNREACH | WSAENETUNREACH | WSAEHOSTDOWN)
    )
}

/// Always `true`: `WSAPoll` costs as much as a receive, and `FIONREAD` does not report empty datagrams.
#[expect(clippy::unnecessary_wraps, reason = "the contract of `sys`; it can fail on other platforms")]
pub(crate) fn is_readable(_socket: &UdpSocket) -> io::Result<bool> {
    Ok(true)
}

/// Peeks at one byte. A longer datagram is then truncated, with an error.
#[expect(clippy::unnecessary_wraps, reason = "the contract of `sys`; it can fail on other platforms")]
pub(crate) fn is_empty(socket: &UdpSocket) -> io::Result<bool> {
    let empty = |error: io::Error| error.kind() == io::ErrorKind::WouldBlock;
    Ok(socket.peek_from(&mut [0]).is_err_and(empty))
}

/// Windows does not report them.
pub(crate) fn receive_times(_socket: &UdpSocket) {}

/// Sets a boolean control to false. Succeeds if this Windows (or Wine) does not have the control: then it does not have the
/// behaviour either.
fn disable_control(raw: SOCKET, control: u32) -> io::Result<()> {
    let off: u32 = 0;
    let mut returned: u32 = 0;
    // SAFETY: the only caller passes an open socket. The input is a BOOL of 4 bytes that outlives the call. There is no
    // output buffer, so its pointer is null and its length 0. `returned` is valid for a write. Without an OVERLAPPED, the
    // system accesses nothing after the call returns.
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

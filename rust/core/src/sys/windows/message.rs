//! One datagram with its control messages (`WSARecvMsg`, `WSASendMsg`).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::windows::io::AsRawSocket;
use std::ptr;
use std::sync::OnceLock;

use socket2::SockAddr;
use windows_sys::Win32::Networking::WinSock::{
    CMSGHDR, IN_PKTINFO, IN6_PKTINFO, IP_PKTINFO, IPPROTO_IP, IPPROTO_IPV6, IPV6_PKTINFO, LPFN_WSARECVMSG,
    SIO_GET_EXTENSION_FUNCTION_POINTER, SOCKET, SOCKET_ERROR, WSABUF, WSAEADDRNOTAVAIL, WSAEINVAL, WSAENETUNREACH,
    WSAID_WSARECVMSG, WSAIoctl, WSAMSG, WSASendMsg, setsockopt,
};

use crate::sys::types::{Arrival, ReceivedOne, Source};

/// Room for the control messages of one message: its destination or source, which a dual-stack socket may be told twice. An array
/// of `usize`, which have the alignment of a `CMSGHDR`.
type ControlBuffer = [usize; (space::<IN_PKTINFO>() + space::<IN6_PKTINFO>()) / size_of::<usize>()];
const _: () = assert!(align_of::<ControlBuffer>() >= align_of::<CMSGHDR>());

/// Where the payload of a control message begins (`WSA_CMSG_DATA`).
const PAYLOAD: usize = size_of::<CMSGHDR>().next_multiple_of(size_of::<usize>());

/// The room that a control message with a `T` takes (`WSA_CMSG_SPACE`).
const fn space<T>() -> usize {
    PAYLOAD + size_of::<T>().next_multiple_of(size_of::<usize>())
}

/// See [`sys`](crate::sys).
pub(crate) fn receive_arrival(socket: &UdpSocket, enabled: bool) -> io::Result<()> {
    // A dual-stack socket needs both. A socket of one family refuses the option of the other.
    let v4 = set_flag(socket, IPPROTO_IP, IP_PKTINFO, enabled);
    set_flag(socket, IPPROTO_IPV6, IPV6_PKTINFO, enabled).or(v4)
}

fn set_flag(socket: &UdpSocket, level: i32, name: i32, enabled: bool) -> io::Result<()> {
    let value = i32::from(enabled);
    let raw = socket.as_raw_socket() as SOCKET;
    // SAFETY: `raw` is the handle of `socket`, which is borrowed and so stays open. The value is an `i32` that outlives the
    // call, and the length is that of an `i32`.
    let result = unsafe { setsockopt(raw, level, name, ptr::from_ref(&value).cast(), size_of::<i32>() as i32) };
    if result == SOCKET_ERROR { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// See [`sys`](crate::sys).
pub(crate) fn receive_one(socket: &UdpSocket, buffer: &mut [u8], with_arrival: bool) -> io::Result<ReceivedOne> {
    let receive_message = if with_arrival { receive_function(socket) } else { None };
    let Some(receive_message) = receive_message else {
        let (length, sender) = socket.recv_from(buffer)?;
        return Ok(ReceivedOne { length, sender, real_time: None, arrival: None });
    };
    let mut control: ControlBuffer = [0; _];
    let mut length = 0;
    let mut control_length = 0;
    let receive = |address: *mut socket2::SockAddrStorage, address_length: *mut i32| {
        let mut bytes = WSABUF { len: u32::try_from(buffer.len()).unwrap_or(u32::MAX), buf: buffer.as_mut_ptr() };
        // SAFETY: socket2 passes a pointer that is valid for reads.
        let namelen = unsafe { address_length.read() };
        let mut message = WSAMSG {
            name: address.cast(),
            namelen,
            lpBuffers: &raw mut bytes,
            dwBufferCount: 1,
            Control: WSABUF { len: size_of::<ControlBuffer>() as u32, buf: control.as_mut_ptr().cast() },
            dwFlags: 0,
        };
        let raw = socket.as_raw_socket() as SOCKET;
        // SAFETY: `raw` is the handle of `socket`, which is borrowed and so stays open. The message's pointers lead to the
        // address, the buffer and the control buffer, with their lengths, and nothing else refers to these meanwhile. Without an
        // OVERLAPPED, the system accesses nothing after the call returns.
        let result = unsafe { receive_message(raw, &raw mut message, &raw mut length, ptr::null_mut(), None) };
        if result == SOCKET_ERROR {
            return Err(io::Error::last_os_error());
        }
        control_length = message.Control.len as usize;
        // SAFETY: socket2 passes a pointer that is valid for writes.
        unsafe { address_length.write(message.namelen) };
        Ok(())
    };
    // SAFETY: where `receive` succeeds, the system has written an address and `receive` its length.
    let ((), sender) = unsafe { SockAddr::try_init(receive) }?;
    let sender = sender.as_socket().ok_or(io::ErrorKind::InvalidData)?;
    let length = (length as usize).min(buffer.len());
    Ok(ReceivedOne { length, sender, real_time: None, arrival: arrival(&control, control_length) })
}

/// `WSARecvMsg`, which has to be asked for by a socket. All UDP sockets of the system have the same. Without it, arrivals are not
/// reported.
fn receive_function(socket: &UdpSocket) -> LPFN_WSARECVMSG {
    static FUNCTION: OnceLock<LPFN_WSARECVMSG> = OnceLock::new();
    let ask = || {
        let mut function: LPFN_WSARECVMSG = None;
        let name = WSAID_WSARECVMSG;
        let mut returned: u32 = 0;
        let raw = socket.as_raw_socket() as SOCKET;
        // SAFETY: `raw` is the handle of `socket`, which is borrowed and so stays open. The input is a GUID that outlives the
        // call. The output is a pointer to a function, for which null means `None`; the length is its size. Without an OVERLAPPED,
        // the system accesses nothing after the call returns.
        let result = unsafe {
            WSAIoctl(
                raw,
                SIO_GET_EXTENSION_FUNCTION_POINTER,
                (&raw const name).cast(),
                size_of_val(&name) as u32,
                (&raw mut function).cast(),
                size_of::<LPFN_WSARECVMSG>() as u32,
                &raw mut returned,
                ptr::null_mut(),
                None,
            )
        };
        if result == SOCKET_ERROR { None } else { function }
    };
    *FUNCTION.get_or_init(ask)
}

/// Reads the control messages of a received message: the first `length` bytes of `control`.
fn arrival(control: &ControlBuffer, length: usize) -> Option<Arrival> {
    let length = length.min(size_of_val(control));
    let mut found = None;
    let mut offset = 0;
    while offset + PAYLOAD <= length {
        let entry = control.as_ptr().wrapping_byte_add(offset);
        // SAFETY: a head lies in `control` from `offset` on, and all bytes are valid for it.
        let head = unsafe { entry.cast::<CMSGHDR>().read_unaligned() };
        let payload = entry.wrapping_byte_add(PAYLOAD);
        // No shorter than its head, so that the loop ends.
        if head.cmsg_len < PAYLOAD || head.cmsg_len > length - offset {
            break;
        }
        let size = head.cmsg_len - PAYLOAD;
        match (head.cmsg_level, head.cmsg_type) {
            (IPPROTO_IP, IP_PKTINFO) if size >= size_of::<IN_PKTINFO>() => {
                // SAFETY: the payload lies in `control`, has the size of the structure, and all bytes are valid for that.
                let info = unsafe { payload.cast::<IN_PKTINFO>().read_unaligned() };
                // SAFETY: all variants of the union consist of integers.
                let address = unsafe { info.ipi_addr.S_un.S_addr };
                found = Some(Arrival::at(Ipv4Addr::from(address.to_ne_bytes()).into(), info.ipi_ifindex));
            }
            (IPPROTO_IPV6, IPV6_PKTINFO) if size >= size_of::<IN6_PKTINFO>() => {
                // SAFETY: as above.
                let info = unsafe { payload.cast::<IN6_PKTINFO>().read_unaligned() };
                // SAFETY: as above.
                let address = unsafe { info.ipi6_addr.u.Byte };
                found = found.or(Some(Arrival::at(Ipv6Addr::from(address).into(), info.ipi6_ifindex)));
            }
            _ => {}
        }
        offset += head.cmsg_len.next_multiple_of(size_of::<usize>());
    }
    found
}

/// See [`sys`](crate::sys). Wine 10 ignores control messages, so there a datagram leaves from the address of the route.
pub(crate) fn send_from(socket: &UdpSocket, datagram: &[u8], to: SocketAddr, source: Source) -> io::Result<()> {
    let mut control: ControlBuffer = [0; _];
    let used = match (to.ip().to_canonical(), source.ip.map(|ip| ip.to_canonical())) {
        (IpAddr::V4(_), ip @ (Some(IpAddr::V4(_)) | None)) => {
            let mut info = IN_PKTINFO { ipi_ifindex: source.interface, ..IN_PKTINFO::default() };
            if let Some(IpAddr::V4(ip)) = ip {
                info.ipi_addr.S_un.S_addr = u32::from_ne_bytes(ip.octets());
            }
            fill(&mut control, IPPROTO_IP, IP_PKTINFO, info)
        }
        (IpAddr::V6(_), ip @ (Some(IpAddr::V6(_)) | None)) => {
            let mut info = IN6_PKTINFO { ipi6_ifindex: source.interface, ..IN6_PKTINFO::default() };
            if let Some(IpAddr::V6(ip)) = ip {
                info.ipi6_addr.u.Byte = ip.octets();
            }
            fill(&mut control, IPPROTO_IPV6, IPV6_PKTINFO, info)
        }
        _ => return socket.send_to(datagram, to).map(drop),
    };
    let to = SockAddr::from(to);
    let mut bytes = WSABUF {
        len: u32::try_from(datagram.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        buf: datagram.as_ptr().cast_mut(),
    };
    let message = WSAMSG {
        name: to.as_ptr().cast_mut().cast(),
        namelen: to.len(),
        lpBuffers: &raw mut bytes,
        dwBufferCount: 1,
        Control: WSABUF { len: used as u32, buf: control.as_mut_ptr().cast() },
        dwFlags: 0,
    };
    let mut sent = 0;
    let raw = socket.as_raw_socket() as SOCKET;
    // SAFETY: `raw` is the handle of `socket`, which is borrowed and so stays open. The message's pointers lead to the address,
    // the datagram and the control buffer, which outlive the call, have the given lengths, and are only read by it. Without an
    // OVERLAPPED, the system accesses nothing after the call returns.
    let result = unsafe { WSASendMsg(raw, &raw const message, 0, &raw mut sent, ptr::null_mut(), None) };
    if result == SOCKET_ERROR { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Writes one control message; how many bytes it takes.
fn fill<T: Copy>(control: &mut ControlBuffer, cmsg_level: i32, cmsg_type: i32, value: T) -> usize {
    const { assert!(space::<T>() <= size_of::<ControlBuffer>()) };
    let head = CMSGHDR { cmsg_len: PAYLOAD + size_of::<T>(), cmsg_level, cmsg_type };
    let start = control.as_mut_ptr();
    // SAFETY: the head and the payload lie in `control`, as the assertion tells, which is aligned as a head.
    unsafe { start.cast::<CMSGHDR>().write(head) };
    // SAFETY: as above; the write requires no alignment.
    unsafe { start.wrapping_byte_add(PAYLOAD).cast::<T>().write_unaligned(value) };
    space::<T>()
}

/// See [`sys`](crate::sys).
pub(crate) fn is_source_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(WSAEADDRNOTAVAIL | WSAEINVAL | WSAENETUNREACH))
}

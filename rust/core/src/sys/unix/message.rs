//! One datagram with its control messages (recvmsg(2), sendmsg(2)).

use std::io;
use std::mem;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;

use libc::c_int;
use socket2::SockAddr;

use super::cmsg::{ControlBuffer, EMPTY, SendControl, arrival, control_data, written};
use super::ffi::{length, sender, set_flag};
use super::pktinfo;
use crate::sys::cause::of_both;
use crate::sys::types::{ReceivedOne, Source};

/// Of systems without it, sending on a socket does not raise `SIGPIPE`.
#[cfg(not(target_vendor = "apple"))]
const SEND_FLAGS: c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
#[cfg(target_vendor = "apple")]
const SEND_FLAGS: c_int = libc::MSG_DONTWAIT;

/// See [`sys`](crate::sys).
pub(crate) fn receive_arrival(socket: &UdpSocket, enabled: bool) -> io::Result<()> {
    // A socket of one family refuses the option of the other, except that Linux takes that of IPv4 on every socket.
    let v4 = pktinfo::receive(socket, enabled);
    of_both(set_flag(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, enabled), v4)
}

/// See [`sys`](crate::sys).
pub(crate) fn receive_one(socket: &UdpSocket, buffer: &mut [u8], with_arrival: bool) -> io::Result<ReceivedOne> {
    let mut iovec = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: integers, for which zero is a valid value.
    let mut address: libc::sockaddr_in6 = unsafe { mem::zeroed() };
    let mut control = EMPTY;
    // SAFETY: a header of integers and raw pointers, for which zero is a valid value. It is not built from a literal, because
    // on some platforms it has private padding.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_name = (&raw mut address).cast();
    header.msg_namelen = length::<libc::sockaddr_in6>() as libc::socklen_t;
    header.msg_iov = &raw mut iovec;
    header.msg_iovlen = 1;
    header.msg_control = (&raw mut control).cast();
    header.msg_controllen = size_of::<ControlBuffer>() as _;
    // SAFETY: `socket` is borrowed, so its descriptor stays open. The header's pointers lead to variables of this function and
    // to the buffer, with their lengths; nothing else refers to these during the call.
    let count = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT) };
    let length = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    let control = written(&control, header.msg_controllen as _);
    let arrival = if with_arrival { arrival(control) } else { None };
    Ok(ReceivedOne {
        length,
        sender: sender(&address, header.msg_namelen),
        real_time: control_data(control).time,
        arrival,
    })
}

/// See [`sys`](crate::sys).
pub(crate) fn send_from(socket: &UdpSocket, datagram: &[u8], to: SocketAddr, source: Source) -> io::Result<()> {
    let control = SendControl::with_source(to.ip(), Some(source));
    let to = SockAddr::from(to);
    let mut iovec = libc::iovec { iov_base: datagram.as_ptr().cast_mut().cast(), iov_len: datagram.len() };
    // SAFETY: as in `receive_one`.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_name = to.as_ptr().cast_mut().cast();
    header.msg_namelen = to.len();
    header.msg_iov = &raw mut iovec;
    header.msg_iovlen = 1;
    control.attach(&mut header);
    loop {
        // SAFETY: `socket` is borrowed, so its descriptor stays open. The header's pointers lead to `to`, `iovec`, `control` and
        // the datagram, which outlive the call, are initialised up to the given lengths, and are only read by it.
        let count = unsafe { libc::sendmsg(socket.as_raw_fd(), ptr::from_ref(&header), SEND_FLAGS) };
        if count >= 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// See [`sys`](crate::sys). For an address that no interface has, Linux says `EINVAL` (IPv6, and IPv4 before Linux 6) or
/// `ENETUNREACH` (IPv4), macOS and the BSDs say `EADDRNOTAVAIL`. For an interface that does not exist, Linux says `ENODEV`, the
/// others say `ENXIO`.
pub(crate) fn is_source_gone(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EADDRNOTAVAIL | libc::EINVAL | libc::ENETUNREACH | libc::ENODEV | libc::ENXIO)
    )
}

//! The datagram backend of Linux and Android: many datagrams per system call (`recvmmsg`, `sendmmsg`), and datagrams of one
//! size that the kernel joins (`UDP_GRO`, since Linux 5.0) and segments (`UDP_SEGMENT`, since 4.18); see udp(7).

pub(super) mod ffi;
mod recv;
mod send;

use std::io;
use std::mem;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;

use libc::c_int;
use socket2::{InterfaceIndexOrAddress, SockRef};

use super::io_mode::IoMode;
use super::types::Interface;
use super::unix::cmsg::nanoseconds;
use super::unix::ffi::{set_flag, set_option};
use ffi::option;

pub(crate) use recv::Arena;
pub(crate) use send::{send_batch, send_to_each};

pub(crate) const BEST_IO_MODE: IoMode = IoMode::Offload;

/// Observed on Linux 6.
pub(crate) const CHOOSES_SHARED_PORTS: bool = true;

/// libc does not define it for Android. All processors that Android runs on have this number.
#[cfg(target_os = "android")]
pub(super) const SO_MEMINFO: c_int = 55;
#[cfg(not(target_os = "android"))]
pub(super) use libc::SO_MEMINFO;

/// The number of values in `SO_MEMINFO`, and the index of the drops among them (`linux/sock_diag.h`).
const MEMINFO_VALUES: usize = 9;
const MEMINFO_DROPS: usize = 8;

pub(crate) fn prepare_io_mode(socket: &UdpSocket, wanted: IoMode) -> IoMode {
    if wanted == IoMode::Portable || !has_batches(socket) {
        return IoMode::Portable;
    }
    // If this fails, messages have no receive time.
    let _ = set_flag(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, true);
    // A kernel without UDP_SEGMENT ignores the control message and sends everything as one datagram, so the option is
    // tested here.
    if wanted == IoMode::Offload
        && option::<c_int>(socket, libc::SOL_UDP, libc::UDP_SEGMENT).is_ok()
        && set_flag(socket, libc::SOL_UDP, libc::UDP_GRO, true).is_ok()
    {
        IoMode::Offload
    } else {
        IoMode::Batch
    }
}

/// Whether `recvmmsg` and `sendmmsg` work: an old kernel, an emulator or a seccomp filter may lack them. Tries both with no
/// messages.
fn has_batches(socket: &UdpSocket) -> bool {
    let fd = socket.as_raw_fd();
    // SAFETY: a header of integers and raw pointers, for which zero is a valid value.
    let mut message: libc::mmsghdr = unsafe { mem::zeroed() };
    // Not null: qemu's user-mode emulation refuses a null pointer even with a count of 0.
    let messages = &raw mut message;
    // SAFETY: `socket` is borrowed, so its descriptor stays open. With a count of 0 the call accesses no message. A null
    // timeout means none.
    let receives = unsafe { libc::recvmmsg(fd, messages, 0, libc::MSG_DONTWAIT as _, ptr::null_mut()) };
    // SAFETY: as above.
    let sends = unsafe { libc::sendmmsg(fd, messages, 0, libc::MSG_DONTWAIT as _) };
    receives == 0 && sends == 0
}

pub(crate) fn kernel_drops(socket: &UdpSocket) -> u32 {
    let values = option::<[u32; MEMINFO_VALUES]>(socket, libc::SOL_SOCKET, SO_MEMINFO);
    values.map_or(0, |values| values[MEMINFO_DROPS])
}

/// `CLOCK_MONOTONIC_RAW`, as in the engine.
pub(crate) fn ticks_nsec() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is valid for a write. The call cannot fail: every kernel that std supports has this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_RAW, &raw mut now) };
    nanoseconds(now.tv_sec, now.tv_nsec).unwrap_or(0)
}

/// Selects the interface by its index: two interfaces may have the same address.
pub(crate) fn change_group_v4(socket: &UdpSocket, group: Ipv4Addr, interface: Interface, join: bool) -> io::Result<()> {
    let socket = SockRef::from(socket);
    let interface = InterfaceIndexOrAddress::Index(interface.index.unwrap_or(0));
    if join { socket.join_multicast_v4_n(&group, &interface) } else { socket.leave_multicast_v4_n(&group, &interface) }
}

/// Selects the interface by its index (`ip_mreqn`, ip(7)).
pub(crate) fn set_multicast_interface_v4(socket: &UdpSocket, interface: Interface) -> io::Result<()> {
    let address = |ip: Option<Ipv4Addr>| libc::in_addr { s_addr: ip.map_or(0, |ip| u32::from_ne_bytes(ip.octets())) };
    let request = libc::ip_mreqn {
        imr_multiaddr: address(None),
        // The source address of an unbound socket.
        imr_address: address(interface.ipv4),
        imr_ifindex: c_int::try_from(interface.index.unwrap_or(0)).unwrap_or(0),
    };
    set_option(socket, libc::IPPROTO_IP, libc::IP_MULTICAST_IF, &request)
}

/// By default, Linux delivers the datagrams of every group that any socket of the machine has joined. For IPv6 it delivers
/// them from every interface on which any socket has joined the group, even with `IPV6_MULTICAST_ALL` off.
pub(crate) fn receive_own_groups_only(socket: &UdpSocket) {
    // The options of the other address family fail. `IPV6_MULTICAST_ALL` also fails before Linux 4.20; the socket then
    // receives datagrams of other groups as well.
    let _ = set_flag(socket, libc::IPPROTO_IP, libc::IP_MULTICAST_ALL, false);
    let _ = set_flag(socket, libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_ALL, false);
    let _ = set_flag(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, true);
}

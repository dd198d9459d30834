//! The datagram backend of every platform other than Linux and Android: one system call per datagram.
//!
//! macOS has `recvmsg_x` and `sendmsg_x` for batches. They are private interfaces, so this backend does not use them.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::OnceLock;
use std::time::Instant;

use socket2::SockRef;

use super::io_mode::IoMode;
use super::socket_backend;
use super::types::Interface;

pub(crate) use super::portable::{Arena, send_batch, send_to_each};

pub(crate) const BEST_IO_MODE: IoMode = IoMode::Portable;

/// Not observed. Windows and macOS require the options before binding.
pub(crate) const CHOOSES_SHARED_PORTS: bool = false;

pub(crate) fn prepare_io_mode(socket: &UdpSocket, _wanted: IoMode) -> IoMode {
    socket_backend::receive_times(socket);
    IoMode::Portable
}

/// Selects the interface by its address, which every system supports.
pub(crate) fn change_group_v4(socket: &UdpSocket, group: Ipv4Addr, interface: Interface, join: bool) -> io::Result<()> {
    let address = interface.ipv4.unwrap_or(Ipv4Addr::UNSPECIFIED);
    if join { socket.join_multicast_v4(&group, &address) } else { socket.leave_multicast_v4(&group, &address) }
}

/// Selects the interface by its address; without one, the system chooses the interface.
pub(crate) fn set_multicast_interface_v4(socket: &UdpSocket, interface: Interface) -> io::Result<()> {
    SockRef::from(socket).set_multicast_if_v4(&interface.ipv4.unwrap_or(Ipv4Addr::UNSPECIFIED))
}

/// These systems do so without an option.
pub(crate) fn receive_own_groups_only(_socket: &UdpSocket) {}

/// These systems do not report drops.
pub(crate) fn kernel_drops(_socket: &UdpSocket) -> u32 {
    0
}

/// [`Instant`] and the engine use the same clock: the performance counter on Windows, the time that the machine was awake on
/// macOS.
pub(crate) fn ticks_nsec() -> u64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    u64::try_from(ORIGIN.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

//! Neither Linux nor Android: nothing better than one system call per datagram.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::OnceLock;
use std::time::Instant;

use socket2::SockRef;

use super::Path;
use crate::interfaces::Found;

pub(crate) use super::portable::{Arena, send_batch};

pub(crate) const BEST_PATH: Path = Path::Portable;

/// Not known to; and Windows and macOS want it said before.
pub(crate) const CHOOSES_SHARED_PORTS: bool = false;

/// Nothing to prepare.
pub(crate) fn prepare_path(_socket: &UdpSocket, _wanted: Path) -> Path {
    Path::Portable
}

/// By address, which every system knows.
pub(crate) fn change_group_v4(socket: &UdpSocket, group: Ipv4Addr, interface: Found, join: bool) -> io::Result<()> {
    let address = interface.ipv4.unwrap_or(Ipv4Addr::UNSPECIFIED);
    if join { socket.join_multicast_v4(&group, &address) } else { socket.leave_multicast_v4(&group, &address) }
}

/// Likewise; an interface without an IPv4 address is as good as none.
pub(crate) fn set_multicast_interface_v4(socket: &UdpSocket, interface: Found) -> io::Result<()> {
    SockRef::from(socket).set_multicast_if_v4(&interface.ipv4.unwrap_or(Ipv4Addr::UNSPECIFIED))
}

/// It does so by itself.
pub(crate) fn hear_own_groups_only(_socket: &UdpSocket) {}

/// Not told.
pub(crate) fn kernel_drops(_socket: &UdpSocket) -> u64 {
    0
}

/// Counts what std's clock counts, as the engine does on Windows (the performance counter) and macOS (the time awake).
pub(crate) fn ticks_nsec() -> u64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    u64::try_from(ORIGIN.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

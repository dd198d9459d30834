//! The IPv4 destination of received datagrams, and the source of sent ones: the part that differs between the systems.

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub(super) use with_pktinfo::{InPktinfo, ROOM_V4, SOURCE, read, receive, source};

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(super) use with_address::{InPktinfo, ROOM_V4, SOURCE, read, receive, source};

/// Linux and macOS: `IP_PKTINFO` in both directions.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod with_pktinfo {
    use std::io;
    use std::net::{IpAddr, Ipv4Addr, UdpSocket};

    use libc::c_int;

    use crate::sys::types::Arrival;
    use crate::sys::unix::ffi::{plain, set_flag, space};

    pub(crate) type InPktinfo = libc::in_pktinfo;

    pub(crate) const SOURCE: c_int = libc::IP_PKTINFO;

    pub(crate) const ROOM_V4: usize = space::<InPktinfo>();

    pub(crate) fn receive(socket: &UdpSocket, enabled: bool) -> io::Result<()> {
        set_flag(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, enabled)
    }

    /// The request for a source. macOS ignores the address where there is an interface (`udp_check_pktinfo` of its kernel).
    #[expect(clippy::unnecessary_wraps, reason = "other systems have no request for an interface alone")]
    #[allow(clippy::cast_possible_wrap, reason = "an index is small; Linux has a signed type for it")]
    pub(crate) fn source(ip: Option<Ipv4Addr>, interface: u32) -> Option<InPktinfo> {
        let none = libc::in_addr { s_addr: 0 };
        let address = ip.map_or(none, |ip| libc::in_addr { s_addr: u32::from_ne_bytes(ip.octets()) });
        Some(InPktinfo { ipi_ifindex: interface as _, ipi_spec_dst: address, ipi_addr: none })
    }

    /// Reads a control message.
    pub(crate) fn read(kind: c_int, payload: &[u8], told: &mut Option<Arrival>) {
        if kind != libc::IP_PKTINFO {
            return;
        }
        let Some(info) = plain::<InPktinfo>(payload) else { return };
        let address = |address: libc::in_addr| Ipv4Addr::from(address.s_addr.to_ne_bytes());
        #[allow(clippy::cast_sign_loss, reason = "an index is positive; macOS has an unsigned type for it")]
        #[allow(clippy::unnecessary_cast, reason = "macOS has an unsigned type for it")]
        let mut arrival = Arrival::at(address(info.ipi_addr).into(), info.ipi_ifindex as u32);
        // Linux tells an address of the interface for a group or a broadcast, and for a directed broadcast. macOS leaves
        // the field at zero.
        let specific = address(info.ipi_spec_dst);
        if !specific.is_unspecified() {
            arrival.source = Some(IpAddr::V4(specific));
        }
        *told = Some(arrival);
    }
}

/// The BSDs: `IP_RECVDSTADDR` and `IP_RECVIF`, and `IP_SENDSRCADDR`.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
mod with_address {
    use std::io;
    use std::net::{Ipv4Addr, UdpSocket};

    use libc::c_int;

    use crate::sys::types::Arrival;
    use crate::sys::unix::ffi::{plain, set_flag, space};

    pub(crate) type InPktinfo = libc::in_addr;

    pub(crate) const SOURCE: c_int = libc::IP_SENDSRCADDR;

    pub(crate) const ROOM_V4: usize = space::<InPktinfo>() + space::<libc::sockaddr_dl>();

    pub(crate) fn receive(socket: &UdpSocket, enabled: bool) -> io::Result<()> {
        // Without the interface, its index is 0.
        let _ = set_flag(socket, libc::IPPROTO_IP, libc::IP_RECVIF, enabled);
        set_flag(socket, libc::IPPROTO_IP, libc::IP_RECVDSTADDR, enabled)
    }

    /// The request for a source; there is none for an interface.
    pub(crate) fn source(ip: Option<Ipv4Addr>, _interface: u32) -> Option<InPktinfo> {
        ip.map(|ip| libc::in_addr { s_addr: u32::from_ne_bytes(ip.octets()) })
    }

    /// Reads a control message. The kernels put the address before the interface.
    pub(crate) fn read(kind: c_int, payload: &[u8], told: &mut Option<Arrival>) {
        if kind == libc::IP_RECVDSTADDR
            && let Some(address) = plain::<libc::in_addr>(payload)
        {
            *told = Some(Arrival::at(Ipv4Addr::from(address.s_addr.to_ne_bytes()).into(), 0));
        }
        // The index follows the length and the family of a `sockaddr_dl`, one byte each.
        if let (libc::IP_RECVIF, Some(arrival), [_, _, low, high, ..]) = (kind, told, payload) {
            arrival.interface = u16::from_ne_bytes([*low, *high]).into();
        }
    }
}

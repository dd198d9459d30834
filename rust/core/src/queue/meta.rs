//! What a queue keeps of each packet besides its payload.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::ops::Range;

use crate::address;
use crate::arrivals::ArrivalId;
use crate::sys::Arrival;

/// The largest UDP payload in bytes, which only IPv6 allows; the largest of IPv4 is 65,507.
pub const MAX_DATAGRAM: usize = 65_527;

const _: () = assert!(MAX_DATAGRAM <= u16::MAX as usize, "a header stores the length in 16 bits");

/// What a queued packet costs in addition to its length, in bytes. The engine stores 16 bytes of address, 4 of port and
/// 4 of length in front of each packet. With the same sum, the same `recv_buf_size` holds the same number of packets.
pub(super) const OVERHEAD: usize = size_of::<Header>();

const _: () = assert!(OVERHEAD == 24, "scripts rely on the engine's number");

/// Where in a link-local IPv6 address a [`Header`] stores the scope.
const SCOPE: Range<usize> = 4..8;

/// What a packet of `length` bytes costs in a queue.
pub(super) fn cost(length: usize) -> usize {
    length + OVERHEAD
}

/// The sender, the time of arrival and the length of a received packet, and where it arrived.
#[derive(Clone, Copy, Debug)]
pub struct PacketMeta {
    /// As in a [`Header`].
    ip: [u8; 16],
    port: u16,
    length: u16,
    arrival: ArrivalId,
    time: u64,
}

const _: () = assert!(size_of::<PacketMeta>() == 32, "calls that take many packets keep one for each");

impl PacketMeta {
    pub(crate) fn new(length: usize, sender: SocketAddr, time: u64) -> Self {
        Self { ip: octets(sender), port: sender.port(), length: to_length(length), arrival: ArrivalId::NONE, time }
    }

    /// A copy for a packet of another length.
    pub(crate) fn with_length(self, length: usize) -> Self {
        Self { length: to_length(length), ..self }
    }

    /// A copy for a packet that counts as having arrived at that time, in microseconds.
    pub(crate) fn with_time(self, time: u64) -> Self {
        Self { time, ..self }
    }

    /// A copy for a packet that has arrived there.
    pub(crate) fn with_arrival(self, arrival: ArrivalId) -> Self {
        Self { arrival, ..self }
    }

    pub(crate) fn arrival(&self) -> ArrivalId {
        self.arrival
    }

    /// The sender as a key: two packets have the same sender if and only if these are equal.
    pub(crate) fn remote(&self) -> RemoteAddr {
        RemoteAddr { ip: self.ip, port: self.port }
    }

    /// The sender. An IPv4 address is given as such on dual-stack sockets too.
    #[must_use]
    pub fn sender(&self) -> SocketAddr {
        let mut octets = self.ip;
        let mut scope = [0; 4];
        if Ipv6Addr::from(octets).is_unicast_link_local() {
            octets[SCOPE].swap_with_slice(&mut scope);
        }
        match IpAddr::from(octets).to_canonical() {
            IpAddr::V4(ip) => SocketAddr::new(ip.into(), self.port),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, self.port, 0, u32::from_be_bytes(scope)).into(),
        }
    }

    /// The address that the packet was sent to: one of this machine, of a group, or of a broadcast. With port 0; an IPv6 address of
    /// one link has its scope. `None` unless [`SocketOption::PacketInfo`](crate::SocketOption::PacketInfo) was set when it was
    /// received, and where the system does not tell.
    #[must_use]
    pub fn local(&self) -> Option<SocketAddr> {
        let Arrival { destination, interface, .. } = self.arrival.arrival().filter(|arrival| arrival.interface != 0)?;
        Some(match destination {
            IpAddr::V6(ip) if address::is_of_one_link(ip) => SocketAddrV6::new(ip, 0, 0, interface).into(),
            ip => SocketAddr::new(ip, 0),
        })
    }

    /// The index of the interface by which the packet came; `None` where [`local`](Self::local) is. (Linux tells the address also of
    /// IPv4 packets that came before the option was set, but not the interface: so neither is given.)
    #[must_use]
    pub fn interface(&self) -> Option<u32> {
        self.arrival.arrival().map(|arrival| arrival.interface).filter(|index| *index != 0)
    }

    /// The time of arrival, in microseconds since the origin set by [`set_clock_origin`](crate::set_clock_origin).
    #[must_use]
    pub fn time_usec(&self) -> u64 {
        self.time
    }

    /// The length of the payload in bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length.into()
    }

    /// The header to queue behind a packet that arrived at `previous`.
    ///
    /// The header has room for a difference of 35 minutes in either direction; a larger one is shortened to that. So
    /// callers continue with [`Header::time_after`], not with the packet's own time: then later packets make up for the
    /// rest.
    pub(super) fn header_after(&self, previous: u64) -> Header {
        let gap = match self.time.checked_sub(previous) {
            Some(later) => i32::try_from(later).unwrap_or(i32::MAX),
            None => i32::try_from(previous - self.time).map_or(i32::MIN, |earlier| -earlier),
        };
        Header { ip: self.ip, gap, port: self.port, length: self.length }
    }
}

/// The address of a sender in a form for comparing and hashing: IP address (with the scope if it is link-local) and
/// port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RemoteAddr {
    ip: [u8; 16],
    port: u16,
}

impl Hash for RemoteAddr {
    /// Without the length of the array, which a derived one adds: every packet is hashed.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_ne_bytes(self.ip));
        state.write_u16(self.port);
    }
}

/// The form in which a queue stores a [`PacketMeta`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// IPv4 addresses are mapped into IPv6. The scope of a link-local address is stored in its bytes 4 to 8, which RFC
    /// 4291 requires to be zero. If a forged address has other values there, they are lost.
    ip: [u8; 16],
    /// The time since the arrival of the previous packet of the queue, in microseconds.
    gap: i32,
    port: u16,
    /// At most [`MAX_DATAGRAM`].
    length: u16,
}

impl Header {
    /// The length of the payload in bytes.
    pub(super) fn length(&self) -> usize {
        self.length.into()
    }

    /// The time of arrival, given that of the previous packet of the queue.
    pub(super) fn time_after(&self, previous: u64) -> u64 {
        previous.saturating_add_signed(self.gap.into())
    }

    /// The packet's metadata, given when and where it has arrived.
    pub(super) fn at(self, time: u64, arrival: ArrivalId) -> PacketMeta {
        PacketMeta { ip: self.ip, port: self.port, length: self.length, arrival, time }
    }
}

/// A sender's IP address as a [`Header`] stores it.
fn octets(sender: SocketAddr) -> [u8; 16] {
    match sender {
        SocketAddr::V4(sender) => sender.ip().to_ipv6_mapped().octets(),
        SocketAddr::V6(sender) => {
            let mut ip = sender.ip().octets();
            if sender.ip().is_unicast_link_local() {
                ip[SCOPE].copy_from_slice(&sender.scope_id().to_be_bytes());
            }
            ip
        }
    }
}

fn to_length(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

//! The values that the backends exchange with their callers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The most messages that one call of `Arena::receive` returns.
pub(crate) const SLOTS: usize = 16;

/// The size of a slot, in bytes: no datagram is longer, nor are the datagrams that the kernel joins.
pub(crate) const SLOT: usize = 1 << 16;

/// The distance between the starts of two slots, in bytes. It is not a multiple of 4 KiB: otherwise the starts of all slots,
/// which every packet uses, would compete for the same sets of the processor's cache.
pub(crate) const SLOT_STRIDE: usize = SLOT + 4096 / SLOTS;

/// The largest payload that IPv4 carries: 65,535 bytes without the headers of IP and UDP.
pub(crate) const MAX_PAYLOAD_IPV4: usize = 65_507;

/// The largest payload that IPv6 carries without jumbograms: its length does not count its own header.
#[cfg(unix)]
pub(crate) const MAX_PAYLOAD_IPV6: usize = 65_527;

/// A received message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    /// The payload. If the kernel has joined datagrams, their payloads back to back.
    pub(crate) bytes: &'a [u8],
    /// The length of each datagram in `bytes`; the last may be shorter. 0 only if `bytes` is empty, which is one empty
    /// datagram.
    pub(crate) segment: usize,
    /// The sender as the kernel reports it: on a dual-stack socket, an IPv4 address is mapped to IPv6.
    pub(crate) sender: SocketAddr,
    /// When the kernel received the message, on the clock of [`real_time_nsec`](crate::sys::real_time_nsec); `None` if the
    /// kernel does not report it.
    pub(crate) real_time: Option<u64>,
}

/// Where a message has arrived. Its addresses are IPv4 for an IPv4 datagram, on a dual-stack socket too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrival {
    /// The address that it was sent to: one of this machine, of a group, or of a broadcast.
    pub(crate) destination: IpAddr,
    /// The address of this machine that an answer may leave from: `destination` where that is a unicast address, otherwise an
    /// address of the interface (Linux, IPv4), otherwise `None`.
    pub(crate) source: Option<IpAddr>,
    /// The index of the interface that received it.
    pub(crate) interface: u32,
}

impl Arrival {
    /// For systems that report only the destination. They report a directed broadcast like a unicast address. As a source they
    /// refuse it, see [`is_source_gone`](crate::sys::is_source_gone).
    pub(crate) fn at(destination: IpAddr, interface: u32) -> Self {
        let destination = destination.to_canonical();
        let is_unicast = match destination {
            IpAddr::V4(ip) => !ip.is_multicast() && !ip.is_broadcast() && !ip.is_unspecified(),
            IpAddr::V6(ip) => !ip.is_multicast() && !ip.is_unspecified(),
        };
        Self { destination, source: is_unicast.then_some(destination), interface }
    }

    /// What an answer is sent from, so that it comes from where its receiver has sent to; `None` for the system's choice.
    pub(crate) fn answer(&self) -> Option<Source> {
        // The route to the receiver decides on the interface. A link-local address exists on one interface only.
        let is_link_local = matches!(self.source, Some(IpAddr::V6(ip)) if ip.is_unicast_link_local());
        let interface = if is_link_local { self.interface } else { 0 };
        self.source.map(|ip| Source { ip: Some(ip), interface })
    }
}

/// What a datagram is sent from. It has no effect on a datagram to the other address family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Source {
    /// An address of this machine; `None` for the system's choice.
    pub(crate) ip: Option<IpAddr>,
    /// The index of the interface to leave by; 0 for the system's choice. On macOS an interface makes the system choose the
    /// IPv4 address too.
    pub(crate) interface: u32,
}

/// Where one of several copies of a datagram goes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) to: SocketAddr,
    pub(crate) source: Option<Source>,
}

/// A datagram that was received by itself, into a buffer of the caller's.
#[derive(Debug)]
pub(crate) struct ReceivedOne {
    pub(crate) length: usize,
    pub(crate) sender: SocketAddr,
    /// See [`Message::real_time`].
    pub(crate) real_time: Option<u64>,
    pub(crate) arrival: Option<Arrival>,
}

/// The datagrams to send, in order.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Payloads<'a> {
    /// Each slice is a datagram.
    Each(&'a [&'a [u8]]),
    /// `data` is divided into datagrams of `segment` bytes (at least 1); the last may be shorter. Empty `data` is no datagram.
    Segmented { data: &'a [u8], segment: usize },
}

impl<'a> Payloads<'a> {
    /// The number of datagrams.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Each(payloads) => payloads.len(),
            Self::Segmented { data, segment } => data.len().div_ceil((*segment).max(1)),
        }
    }

    /// The number of bytes in the first `count` datagrams.
    pub(crate) fn bytes(&self, count: usize) -> usize {
        match self {
            Self::Each(payloads) => payloads.iter().take(count).map(|payload| payload.len()).sum(),
            Self::Segmented { data, segment } => data.len().min(count.saturating_mul((*segment).max(1))),
        }
    }

    /// Those after the first `count`.
    pub(crate) fn after(&self, count: usize) -> Self {
        match *self {
            Self::Each(payloads) => Self::Each(payloads.get(count..).unwrap_or_default()),
            Self::Segmented { data, segment } => {
                Self::Segmented { data: data.get(self.bytes(count)..).unwrap_or_default(), segment }
            }
        }
    }

    /// The datagram at `index`.
    pub(crate) fn get(&self, index: usize) -> Option<&'a [u8]> {
        match *self {
            Self::Each(payloads) => payloads.get(index).copied(),
            Self::Segmented { data, segment } => {
                let segment = segment.max(1);
                let rest = data.get(index.checked_mul(segment)?..)?;
                if rest.is_empty() { None } else { Some(&rest[..segment.min(rest.len())]) }
            }
        }
    }
}

/// The result of `send_batch` and `send_to_each`.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// The number of datagrams that the kernel accepted.
    pub(crate) packets: usize,
    /// The number of system calls.
    pub(crate) system_calls: u64,
    /// Why the kernel accepted no more. An error about earlier datagrams, such as the ICMP answer of a closed port, is
    /// reported if it meets the first datagram of a system call. If it meets a later one, it is lost, and that datagram is
    /// sent again.
    pub(crate) error: Option<io::Error>,
}

/// A network interface, in the forms that socket options take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interface {
    /// Its first IPv4 address, if it has one.
    pub(crate) ipv4: Option<Ipv4Addr>,
    /// Its index in the system.
    pub(crate) index: Option<u32>,
}

impl Interface {
    /// Lets the system choose the interface.
    pub(crate) const ANY: Self = Self { ipv4: Some(Ipv4Addr::UNSPECIFIED), index: Some(0) };
}

#[cfg(test)]
mod tests {
    use super::Payloads;

    #[test]
    fn payloads_give_each_datagram() {
        let payloads = Payloads::Segmented { data: b"abcdefg", segment: 3 };
        assert_eq!(payloads.len(), 3);
        assert_eq!([0, 1, 2, 3].map(|at| payloads.get(at)), [Some(&b"abc"[..]), Some(b"def"), Some(b"g"), None]);
        assert_eq!([0, 1, 2, 3, 4].map(|count| payloads.bytes(count)), [0, 3, 6, 7, 7]);
        assert_eq!(payloads.get(usize::MAX), None);
        let after = |count| payloads.after(count);
        assert_eq!([0, 2, 3, 9].map(|count| after(count).len()), [3, 1, 0, 0]);
        assert_eq!((after(1).get(0), after(2).get(0)), (Some(&b"def"[..]), Some(&b"g"[..])));
        let payloads = Payloads::Segmented { data: b"", segment: 3 };
        assert_eq!((payloads.len(), payloads.get(0), payloads.bytes(1)), (0, None, 0));
        let payloads = Payloads::Each(&[b"ab", b""]);
        assert_eq!((payloads.len(), payloads.get(1), payloads.get(2)), (2, Some(&b""[..]), None));
        assert_eq!((payloads.bytes(1), payloads.bytes(3)), (2, 2));
        assert_eq!(
            (payloads.after(1).get(0), payloads.after(1).len(), payloads.after(3).len()),
            (Some(&b""[..]), 1, 0)
        );
    }
}

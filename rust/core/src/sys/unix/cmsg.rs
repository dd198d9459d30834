//! Control messages, see cmsg(3): what the kernel reports with a received message, and what a sent one asks for.

use std::net::{IpAddr, Ipv6Addr};
use std::slice;

use libc::c_int;

use super::ffi::{length, plain, space, space_of};
use super::pktinfo::{self, InPktinfo};
use crate::sys::types::{Arrival, Source};

/// Room for the control messages of one received message: its time, its segment size and its destination, which a dual-stack
/// socket may be told twice. An array of `usize`, because these have the alignment of a `cmsghdr`.
pub(crate) type ControlBuffer = [usize; RECEIVE_ROOM.div_ceil(size_of::<usize>())];
pub(crate) const EMPTY: ControlBuffer = [0; RECEIVE_ROOM.div_ceil(size_of::<usize>())];
const RECEIVE_ROOM: usize =
    space::<libc::timespec>() + space::<c_int>() + pktinfo::ROOM_V4 + space::<libc::in6_pktinfo>();
const _: () = assert!(align_of::<ControlBuffer>() >= align_of::<libc::cmsghdr>());

/// Room for the control messages of one sent message: its source and its segment size.
const SEND_WORDS: usize = (space::<libc::in6_pktinfo>() + space::<u16>()).div_ceil(size_of::<usize>());

/// The control messages of a received message.
#[derive(Default)]
pub(crate) struct ControlData {
    /// When the kernel received it, in nanoseconds since the Unix epoch.
    pub(crate) time: Option<u64>,
    /// The size of the datagrams that the kernel has joined.
    pub(crate) segment: Option<usize>,
}

/// The length of a control message without its payload.
// SAFETY: only computes, from a size that cannot overflow.
const HEAD: usize = unsafe { libc::CMSG_LEN(0) } as usize;
const _: () = assert!(HEAD >= size_of::<libc::cmsghdr>());

/// What the kernel has written to a control buffer, given how many bytes it says that these are.
#[inline]
pub(crate) fn written(buffer: &ControlBuffer, length: usize) -> &[u8] {
    let length = length.min(size_of::<ControlBuffer>());
    // SAFETY: the buffer is borrowed and initialised, has at least so many bytes, and each byte of an integer is a valid byte.
    unsafe { slice::from_raw_parts(buffer.as_ptr().cast(), length) }
}

/// Calls `read` with the level, the type and the payload of each control message in `control`. Ends at a message that says that it is
/// longer than what is left, or shorter than its head: where the next one begins is not known then. No kernel writes such a message,
/// but nothing here depends on that.
#[inline]
pub(crate) fn for_each(control: &[u8], mut read: impl FnMut(c_int, c_int, &[u8])) {
    let mut rest = control;
    while let Some(head) = rest.get(..size_of::<libc::cmsghdr>()).and_then(plain::<libc::cmsghdr>) {
        #[allow(clippy::unnecessary_cast, reason = "it has another type on other systems")]
        let Some(payload) = rest.get(HEAD..head.cmsg_len as usize) else { return };
        read(head.cmsg_level, head.cmsg_type, payload);
        // The last one may have no padding behind it.
        rest = rest.get(space_of(payload.len())..).unwrap_or_default();
    }
}

/// When a message was received, and what it consists of, by its control messages.
#[inline]
pub(crate) fn control_data(control: &[u8]) -> ControlData {
    let mut data = ControlData::default();
    for_each(control, |level, kind, payload| match (level, kind) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
            if let Some(time) = plain::<libc::timespec>(payload) {
                data.time = nanoseconds(time.tv_sec, time.tv_nsec);
            }
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        (libc::SOL_SOCKET, libc::SCM_TIMESTAMP) => {
            if let Some(time) = plain::<libc::timeval>(payload) {
                data.time = nanoseconds(time.tv_sec, i64::from(time.tv_usec) * 1_000);
            }
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        (libc::SOL_UDP, libc::UDP_GRO) => {
            if let Some(size) = plain::<c_int>(payload) {
                data.segment = usize::try_from(size).ok().filter(|size| *size > 0);
            }
        }
        _ => {}
    });
    data
}

/// Where a message has arrived, by its control messages, if the socket is told; see [`receive_arrival`](crate::sys::receive_arrival).
pub(crate) fn arrival(control: &[u8]) -> Option<Arrival> {
    let mut arrival = None;
    for_each(control, |level, kind, payload| match (level, kind) {
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
            let info = plain::<libc::in6_pktinfo>(payload);
            // A dual-stack socket is told twice of an IPv4 datagram, here with less information.
            if let (Some(info), None) = (info, arrival) {
                #[allow(clippy::unnecessary_cast, reason = "libc has another type for it on Android")]
                let interface = info.ipi6_ifindex as u32;
                arrival = Some(Arrival::at(Ipv6Addr::from(info.ipi6_addr.s6_addr).into(), interface));
            }
        }
        (libc::IPPROTO_IP, kind) => pktinfo::read(kind, payload, &mut arrival),
        _ => {}
    });
    arrival
}

/// `None` if the time is negative or does not fit.
pub(crate) fn nanoseconds(seconds: impl TryInto<u64>, rest: impl TryInto<u64>) -> Option<u64> {
    seconds.try_into().ok()?.checked_mul(1_000_000_000)?.checked_add(rest.try_into().ok()?)
}

/// The control messages of a message to send.
#[derive(Clone, Copy)]
pub(crate) struct SendControl {
    /// Aligned as a `cmsghdr`.
    words: [usize; SEND_WORDS],
    /// How many bytes of them are used.
    used: usize,
}

impl SendControl {
    pub(crate) const EMPTY: Self = Self { words: [0; SEND_WORDS], used: 0 };

    /// Asks for a source, where it is of the address family of `to`.
    pub(crate) fn with_source(to: IpAddr, source: Option<Source>) -> Self {
        let mut control = Self::EMPTY;
        let Some(source) = source else { return control };
        match (to.to_canonical(), source.ip.map(|ip| ip.to_canonical())) {
            (IpAddr::V4(_), Some(IpAddr::V4(ip))) => control.push_v4(pktinfo::source(Some(ip), source.interface)),
            (IpAddr::V4(_), None) => control.push_v4(pktinfo::source(None, source.interface)),
            (IpAddr::V6(_), ip @ (Some(IpAddr::V6(_)) | None)) => {
                let ip = if let Some(IpAddr::V6(ip)) = ip { ip } else { Ipv6Addr::UNSPECIFIED };
                // SAFETY: a structure of integers, for which zero is a valid value.
                let mut info: libc::in6_pktinfo = unsafe { std::mem::zeroed() };
                info.ipi6_addr.s6_addr = ip.octets();
                info.ipi6_ifindex = source.interface as _;
                control.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
            }
            _ => {}
        }
        control
    }

    fn push_v4(&mut self, info: Option<InPktinfo>) {
        if let Some(info) = info {
            self.push(libc::IPPROTO_IP, pktinfo::SOURCE, info);
        }
    }

    /// Makes the kernel segment the message (`UDP_SEGMENT`). `segment` is the size of each datagram; only the last may be
    /// shorter.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn push_segment(&mut self, segment: u16) {
        self.push(libc::SOL_UDP, libc::UDP_SEGMENT, segment);
    }

    /// Adds a control message, if there is room.
    fn push<T: Copy>(&mut self, level: c_int, kind: c_int, value: T) {
        let end = self.used + space::<T>();
        if end > size_of_val(&self.words) {
            return;
        }
        // SAFETY: a structure of integers, for which zero is a valid value. It is not built from a literal, because on some
        // platforms it has private padding.
        let mut head: libc::cmsghdr = unsafe { std::mem::zeroed() };
        // SAFETY: only computes, from a size that cannot overflow.
        head.cmsg_len = unsafe { libc::CMSG_LEN(length::<T>()) } as _;
        head.cmsg_level = level;
        head.cmsg_type = kind;
        // SAFETY: only computes.
        let payload_offset = unsafe { libc::CMSG_LEN(0) } as usize;
        let start = self.words.as_mut_ptr().wrapping_byte_add(self.used);
        // SAFETY: the head and the payload lie in `words`, as the check above tells: `CMSG_SPACE` counts both. The array is
        // aligned as a `cmsghdr`, and `used` is a multiple of that alignment, since `CMSG_SPACE` is.
        unsafe { start.cast::<libc::cmsghdr>().write(head) };
        // SAFETY: as above; the write requires no alignment.
        unsafe { start.wrapping_byte_add(payload_offset).cast::<T>().write_unaligned(value) };
        self.used = end;
    }

    /// Has `header` refer to these control messages, which must outlive its use.
    pub(crate) fn attach(&self, header: &mut libc::msghdr) {
        if self.used > 0 {
            header.msg_control = self.words.as_ptr().cast_mut().cast();
            header.msg_controllen = self.used as _;
        }
    }
}

const _: () = assert!(align_of::<SendControl>() >= align_of::<libc::cmsghdr>());

//! Control messages, see cmsg(3): what the kernel reports with a received message, and what a sent one asks for.

use std::net::{IpAddr, Ipv6Addr};

use libc::c_int;

use super::ffi::{holds, length, space};
use super::pktinfo::{self, InPktinfo};
use crate::sys::types::{Arrival, Source};

/// Room for the control messages of one received message: its time, its segment size and its destination, which a dual-stack
/// socket may be told twice. An array of `usize`, because these have the alignment of a `cmsghdr`.
pub(crate) type ControlBuffer = [usize; RECEIVE_ROOM.div_ceil(size_of::<usize>())];
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

/// Calls `read` with the head and the payload of each control message of a received message. The payload has the length that its head
/// tells, less that of the head.
///
/// # Safety
///
/// The control pointer and length of `header` must describe readable memory that is aligned as [`ControlBuffer`] and holds
/// control messages from the kernel.
#[inline]
unsafe fn for_each(header: &libc::msghdr, mut read: impl FnMut(&libc::cmsghdr, *const u8)) {
    // SAFETY: the caller guarantees that the header describes readable memory with well-formed control messages.
    let mut entry = unsafe { libc::CMSG_FIRSTHDR(header) };
    // SAFETY: null, or a control message in that memory. The alignment of the memory and of the kernel's entries in it is that
    // of a `cmsghdr`.
    while let Some(head) = unsafe { entry.as_ref() } {
        // SAFETY: the payload of a control message is in the same memory.
        let payload = unsafe { libc::CMSG_DATA(entry) };
        read(head, payload);
        // SAFETY: as for the first one; `entry` is a control message of `header`.
        entry = unsafe { libc::CMSG_NXTHDR(header, entry) };
    }
}

/// When a message was received, and what it consists of.
///
/// # Safety
///
/// As of [`for_each`].
#[inline]
pub(crate) unsafe fn control_data(header: &libc::msghdr) -> ControlData {
    let mut data = ControlData::default();
    let read = |head: &libc::cmsghdr, payload: *const u8| {
        match (head.cmsg_level, head.cmsg_type) {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) if holds::<libc::timespec>(head) => {
                // SAFETY: the payload has the size of a `timespec`, for which all bytes are valid.
                let time = unsafe { payload.cast::<libc::timespec>().read_unaligned() };
                data.time = nanoseconds(time.tv_sec, time.tv_nsec);
            }
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMP) if holds::<libc::timeval>(head) => {
                // SAFETY: the payload has the size of a `timeval`, for which all bytes are valid.
                let time = unsafe { payload.cast::<libc::timeval>().read_unaligned() };
                data.time = nanoseconds(time.tv_sec, i64::from(time.tv_usec) * 1_000);
            }
            #[cfg(any(target_os = "linux", target_os = "android"))]
            (libc::SOL_UDP, libc::UDP_GRO) if holds::<c_int>(head) => {
                // SAFETY: the payload has the size of an integer, for which all bytes are valid.
                let size = unsafe { payload.cast::<c_int>().read_unaligned() };
                data.segment = usize::try_from(size).ok().filter(|size| *size > 0);
            }
            _ => {}
        }
    };
    // SAFETY: as this function's own.
    unsafe { for_each(header, read) };
    data
}

/// Where a message has arrived, if the socket is told; see [`receive_arrival`](crate::sys::receive_arrival).
///
/// # Safety
///
/// As of [`for_each`].
pub(crate) unsafe fn arrival(header: &libc::msghdr) -> Option<Arrival> {
    let mut arrival = None;
    let read = |head: &libc::cmsghdr, payload: *const u8| match (head.cmsg_level, head.cmsg_type) {
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) if holds::<libc::in6_pktinfo>(head) => {
            // SAFETY: the payload has the size of the structure, which consists of integers.
            let info = unsafe { payload.cast::<libc::in6_pktinfo>().read_unaligned() };
            #[allow(clippy::unnecessary_cast, reason = "libc has another type for it on Android")]
            let interface = info.ipi6_ifindex as u32;
            // A dual-stack socket is told twice of an IPv4 datagram, here with less information.
            if arrival.is_none() {
                arrival = Some(Arrival::at(Ipv6Addr::from(info.ipi6_addr.s6_addr).into(), interface));
            }
        }
        (libc::IPPROTO_IP, kind) => {
            // SAFETY: the payload has the length that its head tells, less that of the head.
            unsafe { pktinfo::read(kind, head, payload, &mut arrival) };
        }
        _ => {}
    };
    // SAFETY: as this function's own.
    unsafe { for_each(header, read) };
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

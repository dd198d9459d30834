//! Control messages, see cmsg(3): what the kernel reports with a received message, and the request to segment a sent one.

use std::mem::{self, offset_of};
use std::net::Ipv6Addr;

use libc::c_int;

use super::ffi::{length, nanoseconds};

/// Room for the control messages of one received message: its time, its segment size and its destination. An array of
/// `usize`, because these have the alignment of a `cmsghdr`.
pub(super) type ControlBuffer = [usize; CONTROL_ROOM.div_ceil(size_of::<usize>())];
// SAFETY: only computes, from a size that cannot overflow.
const TIME_ROOM: usize = unsafe { libc::CMSG_SPACE(length::<libc::timespec>()) } as usize;
// SAFETY: as above.
const SEGMENT_ROOM: usize = unsafe { libc::CMSG_SPACE(length::<c_int>()) } as usize;
// SAFETY: as above.
const ARRIVAL_ROOM: usize = unsafe { libc::CMSG_SPACE(length::<libc::in6_pktinfo>()) } as usize;
const CONTROL_ROOM: usize = TIME_ROOM + SEGMENT_ROOM + ARRIVAL_ROOM;
const _: () = assert!(align_of::<ControlBuffer>() >= align_of::<libc::cmsghdr>());

/// The control messages of a received message.
#[derive(Default)]
pub(super) struct ControlData {
    /// When the kernel received it, in nanoseconds since the Unix epoch.
    pub(super) time: Option<u64>,
    /// The size of the datagrams that the kernel has joined.
    pub(super) segment: Option<usize>,
    /// Its destination address and the index of the receiving interface.
    pub(super) arrival: Option<(Ipv6Addr, u32)>,
}

/// Reads the control messages of a received message.
///
/// # Safety
///
/// The control pointer and length of `header` must describe readable memory that is aligned as [`ControlBuffer`] and holds
/// control messages from the kernel.
pub(super) unsafe fn control_data(header: &libc::msghdr) -> ControlData {
    let mut data = ControlData::default();
    // SAFETY: the caller guarantees that the header describes readable memory with well-formed control messages.
    let mut entry = unsafe { libc::CMSG_FIRSTHDR(header) };
    // SAFETY: null, or a control message in that memory. The alignment of the memory and of the kernel's entries in it is that
    // of a `cmsghdr`.
    while let Some(head) = unsafe { entry.as_ref() } {
        // SAFETY: the payload of a control message is in the same memory.
        let payload = unsafe { libc::CMSG_DATA(entry) };
        match (head.cmsg_level, head.cmsg_type) {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) if holds::<libc::timespec>(head) => {
                // SAFETY: the payload has the size of a `timespec`, for which all bytes are valid.
                data.time = nanoseconds(&unsafe { payload.cast::<libc::timespec>().read_unaligned() });
            }
            (libc::SOL_UDP, libc::UDP_GRO) if holds::<c_int>(head) => {
                // SAFETY: the payload has the size of an integer, for which all bytes are valid.
                let size = unsafe { payload.cast::<c_int>().read_unaligned() };
                data.segment = usize::try_from(size).ok().filter(|size| *size > 0);
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) if holds::<libc::in6_pktinfo>(head) => {
                // SAFETY: the payload has the size of the structure, which consists of integers.
                let info = unsafe { payload.cast::<libc::in6_pktinfo>().read_unaligned() };
                #[allow(clippy::unnecessary_cast, reason = "libc has another type for it on Android")]
                let interface = info.ipi6_ifindex as u32;
                data.arrival = Some((info.ipi6_addr.s6_addr.into(), interface));
            }
            _ => {}
        }
        // SAFETY: as for the first one; `entry` is a control message of `header`.
        entry = unsafe { libc::CMSG_NXTHDR(header, entry) };
    }
    data
}

/// Whether the payload of a control message has the size of a `T`.
fn holds<T>(head: &libc::cmsghdr) -> bool {
    // SAFETY: only computes, from a size that cannot overflow.
    head.cmsg_len as u64 == u64::from(unsafe { libc::CMSG_LEN(length::<T>()) })
}

/// The control message that makes the kernel segment a message (`UDP_SEGMENT`). Its layout is the one that `CMSG_DATA`
/// computes, which the assertion below checks.
#[repr(C)]
pub(super) struct SegmentControl {
    head: libc::cmsghdr,
    segment: u16,
}

// SAFETY: only computes, from a size that cannot overflow.
const SEGMENT_CONTROL_SIZE: usize = unsafe { libc::CMSG_SPACE(length::<u16>()) } as usize;
// SAFETY: as above.
const SEGMENT_CONTROL_PAYLOAD: usize = unsafe { libc::CMSG_LEN(0) } as usize;
const _: () = assert!(
    size_of::<SegmentControl>() == SEGMENT_CONTROL_SIZE
        && offset_of!(SegmentControl, segment) == SEGMENT_CONTROL_PAYLOAD
);

impl SegmentControl {
    /// `segment` is the size of each datagram; only the last may be shorter.
    pub(super) fn new(segment: u16) -> Self {
        // SAFETY: a structure of integers, for which zero is a valid value. It is not built from a literal, because on some
        // platforms it has private padding.
        let mut head: libc::cmsghdr = unsafe { mem::zeroed() };
        // SAFETY: only computes, from a size that cannot overflow.
        head.cmsg_len = unsafe { libc::CMSG_LEN(length::<u16>()) } as _;
        head.cmsg_level = libc::SOL_UDP;
        head.cmsg_type = libc::UDP_SEGMENT;
        Self { head, segment }
    }
}

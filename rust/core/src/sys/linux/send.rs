//! Sending with `sendmmsg`: many datagrams to one address, or one datagram to many addresses.

use std::io;
use std::mem::{self, MaybeUninit};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicUsize, Ordering};

use libc::c_void;
use socket2::SockAddr;

use super::ffi::message_count;
use crate::sys::io_mode::IoMode;
use crate::sys::portable;
use crate::sys::types::{Payloads, Sent, Source, Target};
use crate::sys::unix::cmsg::SendControl;

/// The most bytes in one message, segmented or not: the payload of the largest IPv4 packet. IPv6 allows 20 more, which are
/// left unused.
const MAX_MESSAGE: usize = 65_507;

/// The most datagrams in one message that every kernel accepts (`UDP_MAX_SEGMENTS`).
const MAX_SEGMENTS: usize = 64;

/// The most messages in one call of `sendmmsg`.
const SEND_MESSAGES: usize = 64;

/// The most memory areas that the messages of one call refer to.
const SEND_IOVECS: usize = 1024;

/// See [`sys`](crate::sys).
pub(crate) fn send_batch(
    socket: &UdpSocket,
    to: Option<SocketAddr>,
    payloads: &Payloads<'_>,
    from: usize,
    source: Option<Source>,
    mode: IoMode,
    gso_limit: &AtomicUsize,
) -> Sent {
    if mode == IoMode::Portable {
        return portable::send_batch(socket, to, payloads, from, source, mode, gso_limit);
    }
    let control = to.map_or(SendControl::EMPTY, |to| SendControl::with_source(to.ip(), source));
    let to = to.map(SockAddr::from);
    let mut limit = if mode == IoMode::Offload { gso_limit.load(Ordering::Relaxed) } else { 0 };
    // The limit to keep if the kernel accepts, one by one, the datagrams that it has just refused to segment.
    let mut new_limit = None;
    let mut sent = Sent::default();
    while payloads.get(from + sent.packets).is_some() {
        let attempt = send_once(socket, to.as_ref(), payloads, from + sent.packets, limit, &control);
        sent.system_calls += 1;
        match attempt {
            Ok(packets) => {
                if let Some(new_limit) = new_limit.take() {
                    gso_limit.fetch_min(new_limit, Ordering::Relaxed);
                }
                sent.packets += packets;
            }
            Err((error, _)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err((error, Some(segment))) if may_be_about_segmentation(&error) => {
                new_limit = limit_after(&error, segment);
                limit = new_limit.unwrap_or(segment);
            }
            Err((error, _)) => {
                sent.error = Some(error);
                break;
            }
        }
    }
    sent
}

/// Whether the kernel may accept the datagrams of a refused message one by one. If it does not, it reports the actual error
/// for the first of them. An error about missing room or about earlier datagrams has nothing to do with segmentation.
fn may_be_about_segmentation(error: &io::Error) -> bool {
    !matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::ENOBUFS | libc::ECONNREFUSED))
}

/// The segmentation limit after the kernel has refused datagrams of `segment` bytes, but accepts them one by one. `None` for
/// errors that another cause may have raised for a moment, such as a packet filter or a missing route.
fn limit_after(error: &io::Error, segment: usize) -> Option<usize> {
    match error.raw_os_error()? {
        // The datagrams would have to be fragmented as well (EINVAL on older kernels). EINVAL also means that the socket sends
        // no checksums; smaller datagrams are then refused, too, and lower the limit further.
        libc::EMSGSIZE | libc::EINVAL => Some(segment),
        // The route or the device does not support segmentation, for example with IPsec.
        libc::EIO | libc::EOPNOTSUPP | libc::ENOPROTOOPT => Some(0),
        _ => None,
    }
}

/// One call of `sendmmsg` for the datagrams from index `first` on, which must exist. Each message has the control messages in
/// `control`. Returns how many datagrams the kernel
/// accepted, which is at least one. On failure, returns the error and, if the first message was to be segmented, the size of
/// its datagrams.
fn send_once(
    socket: &UdpSocket,
    to: Option<&SockAddr>,
    payloads: &Payloads<'_>,
    first: usize,
    gso_limit: usize,
    control: &SendControl,
) -> Result<usize, (io::Error, Option<usize>)> {
    // Uninitialised, because initialising arrays of this size would take longer than sending a few packets.
    let mut segmented = [const { MaybeUninit::<Segmented>::uninit() }; SEND_MESSAGES];
    let mut iovecs = [const { MaybeUninit::<libc::iovec>::uninit() }; SEND_IOVECS];
    let mut controls = [const { MaybeUninit::<SendControl>::uninit() }; SEND_MESSAGES];
    let mut messages = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; SEND_MESSAGES];

    // The content of the messages. The headers follow in a second loop, when nothing borrows the arrays mutably any more.
    let mut next = first;
    let mut used_iovecs = 0;
    let mut count = 0;
    while count < SEND_MESSAGES {
        let Some(message) = Segmented::at(payloads, next, gso_limit) else { break };
        if used_iovecs + message.iovecs > SEND_IOVECS {
            break;
        }
        match *payloads {
            Payloads::Segmented { data, segment } => {
                let start = next * segment.max(1);
                iovecs[used_iovecs].write(iovec(&data[start..start + message.bytes]));
            }
            Payloads::Each(payloads) => {
                for (slot, payload) in iovecs[used_iovecs..].iter_mut().zip(&payloads[next..next + message.packets]) {
                    slot.write(iovec(payload));
                }
            }
        }
        if message.packets > 1 {
            #[expect(clippy::cast_possible_truncation, reason = "two datagrams fit into `MAX_MESSAGE`")]
            controls[count].write(*control).push_segment(message.segment as u16);
        }
        next += message.packets;
        used_iovecs += message.iovecs;
        segmented[count].write(message);
        count += 1;
    }

    let mut iovec = iovecs.as_mut_ptr().cast::<libc::iovec>();
    for index in 0..count {
        // SAFETY: the first loop has written every element below `count`.
        let content = unsafe { segmented[index].assume_init_ref() };
        // SAFETY: a header of integers and raw pointers, for which zero is a valid value. It is not built from a literal,
        // because on some platforms it has private padding.
        let mut message: libc::mmsghdr = unsafe { mem::zeroed() };
        let header = &mut message.msg_hdr;
        if let Some(to) = to {
            header.msg_name = to.as_ptr().cast_mut().cast();
            header.msg_namelen = to.len();
        }
        header.msg_iov = iovec;
        header.msg_iovlen = content.iovecs as _;
        iovec = iovec.wrapping_add(content.iovecs);
        if content.packets > 1 {
            // SAFETY: the first loop has written the control messages of every message with more than one datagram.
            unsafe { controls[index].assume_init_ref() }.attach(header);
        } else {
            control.attach(header);
        }
        messages[index].write(message);
    }

    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: `socket` is borrowed, so its descriptor stays open. The second loop has written the first `count` headers in
    // `messages`. Their pointers lead to `to`, `iovecs`, `controls` and, through the iovecs, to the payloads. All of these
    // outlive the call, are initialised up to the given lengths, and are only read by it.
    let accepted =
        unsafe { libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr().cast(), message_count(count), flags as _) };
    // SAFETY: the datagram `first` exists, so there is at least one message.
    let head = unsafe { segmented[0].assume_init_ref() };
    match usize::try_from(accepted) {
        Err(_) => Err((io::Error::last_os_error(), (head.packets > 1).then_some(head.segment))),
        Ok(accepted) => {
            let accepted = &segmented[..accepted.min(count)];
            // SAFETY: the first loop has written every element below `count`.
            Ok(accepted.iter().map(|message| unsafe { message.assume_init_ref() }.packets).sum())
        }
    }
}

/// See [`sys`](crate::sys).
pub(crate) fn send_to_each(socket: &UdpSocket, datagram: &[u8], targets: &[Target], mode: IoMode) -> Sent {
    if mode == IoMode::Portable {
        return portable::send_to_each(socket, datagram, targets, mode);
    }
    let mut sent = Sent::default();
    while let Some(rest) = targets.get(sent.packets..).filter(|rest| !rest.is_empty()) {
        sent.system_calls += 1;
        match send_to_some(socket, datagram, &rest[..rest.len().min(SEND_MESSAGES)]) {
            Ok(packets) => sent.packets += packets,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                sent.error = Some(error);
                break;
            }
        }
    }
    sent
}

/// One call of `sendmmsg` for `targets`, which are 1 to [`SEND_MESSAGES`]. Returns how many of them the kernel accepted, which is
/// at least one.
fn send_to_some(socket: &UdpSocket, datagram: &[u8], targets: &[Target]) -> io::Result<usize> {
    let mut iovec = iovec(datagram);
    let iovec = &raw mut iovec;
    let mut addresses = [const { MaybeUninit::<SockAddr>::uninit() }; SEND_MESSAGES];
    let mut controls = [const { MaybeUninit::<SendControl>::uninit() }; SEND_MESSAGES];
    let mut messages = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; SEND_MESSAGES];
    let slots = addresses.iter_mut().zip(&mut controls).zip(&mut messages);
    for (target, ((address, control), slot)) in targets.iter().zip(slots) {
        let address = address.write(SockAddr::from(target.to));
        // SAFETY: as in `send_once`.
        let mut message: libc::mmsghdr = unsafe { mem::zeroed() };
        let header = &mut message.msg_hdr;
        header.msg_name = address.as_ptr().cast_mut().cast();
        header.msg_namelen = address.len();
        header.msg_iov = iovec;
        header.msg_iovlen = 1;
        control.write(SendControl::with_source(target.to.ip(), target.source)).attach(header);
        slot.write(message);
    }
    let count = message_count(targets.len().min(SEND_MESSAGES));
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: `socket` is borrowed, so its descriptor stays open. The loop has written the first `count` headers in `messages`.
    // Their pointers lead to `addresses`, `controls`, and through `iovec` to the datagram. All of these outlive the call, are
    // initialised up to the given lengths, and are only read by it.
    let accepted = unsafe { libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr().cast(), count, flags as _) };
    usize::try_from(accepted).map_err(|_| io::Error::last_os_error())
}

/// The content of one message: one datagram, or several that the kernel segments.
struct Segmented {
    packets: usize,
    /// The size of each datagram; the last may be shorter.
    segment: usize,
    bytes: usize,
    /// The number of memory areas that hold the bytes.
    iovecs: usize,
}

impl Segmented {
    /// As many datagrams as fit into one message, from index `first` on; `None` if there are none. Datagrams of `gso_limit`
    /// bytes or more get a message each.
    fn at(payloads: &Payloads<'_>, first: usize, gso_limit: usize) -> Option<Self> {
        let segment = payloads.get(first)?.len();
        let mut message = Self { packets: 1, segment, bytes: segment, iovecs: 1 };
        if segment == 0 || segment >= gso_limit {
            return Some(message);
        }
        match *payloads {
            Payloads::Segmented { data, segment: size } => {
                let rest = data.len() - first * size.max(1);
                let most = MAX_SEGMENTS.min(MAX_MESSAGE / segment);
                message.packets = most.min(rest.div_ceil(segment)).max(1);
                message.bytes = rest.min(message.packets * segment);
            }
            Payloads::Each(payloads) => {
                for payload in &payloads[first + 1..] {
                    let length = payload.len();
                    if length == 0
                        || length > segment
                        || message.packets == MAX_SEGMENTS
                        || message.bytes + length > MAX_MESSAGE
                    {
                        break;
                    }
                    message.packets += 1;
                    message.bytes += length;
                    if length < segment {
                        break;
                    }
                }
                message.iovecs = message.packets;
            }
        }
        Some(message)
    }
}

fn iovec(bytes: &[u8]) -> libc::iovec {
    libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast::<c_void>(), iov_len: bytes.len() }
}

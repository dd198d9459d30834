//! A second parser of control messages, to compare the first one with: without `unsafe`, without the system's macros and without haste.
#![allow(clippy::panic, reason = "it is a check")]

use std::mem::offset_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libc::c_int;

use super::cmsg::{ControlBuffer, EMPTY, arrival, control_data, written};

/// To how many bytes a control message is padded.
const ALIGNMENT: usize = if cfg!(target_vendor = "apple") { 4 } else { size_of::<usize>() };

const WIDTH: usize = size_of::<c_int>();

/// The level, the type and the payload of each control message.
fn messages(control: &[u8]) -> Vec<(c_int, c_int, &[u8])> {
    let mut found = Vec::new();
    let mut at: usize = 0;
    let padded = |length: usize| length.div_ceil(ALIGNMENT) * ALIGNMENT;
    let head = padded(size_of::<libc::cmsghdr>());
    while control.len() >= at + size_of::<libc::cmsghdr>() {
        let length = length_at(&control[at..]);
        if length < head || length > control.len() - at {
            break;
        }
        let level = number(&control[at + offset_of!(libc::cmsghdr, cmsg_level)..]);
        let kind = number(&control[at + offset_of!(libc::cmsghdr, cmsg_type)..]);
        found.push((level, kind, &control[at + head..at + length]));
        at += padded(length);
    }
    found
}

/// `cmsg_len`, whose type differs between systems.
fn length_at(head: &[u8]) -> usize {
    // The field ends where the level begins, or where padding does, in a system with small lengths.
    if cfg!(all(target_os = "linux", target_env = "musl")) || !cfg!(any(target_os = "linux", target_os = "android")) {
        number(head).cast_unsigned() as usize
    } else {
        usize::from_ne_bytes(head[..size_of::<usize>()].try_into().unwrap_or_default())
    }
}

fn number(bytes: &[u8]) -> c_int {
    c_int::from_ne_bytes(bytes[..WIDTH].try_into().unwrap_or_default())
}

/// The receive time and the segment size.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn expected_data(control: &[u8]) -> (Option<u64>, Option<usize>) {
    let (mut time, mut segment) = (None, None);
    for (level, kind, payload) in messages(control) {
        if (level, kind) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) && payload.len() == size_of::<libc::timespec>() {
            let half = payload.len() / 2;
            let part = |bytes: &[u8]| match bytes.len() {
                4 => i64::from(number(bytes)),
                _ => i64::from_ne_bytes(bytes.try_into().unwrap_or_default()),
            };
            let sum = i128::from(part(&payload[..half])) * 1_000_000_000 + i128::from(part(&payload[half..]));
            let is_valid = part(&payload[..half]) >= 0 && part(&payload[half..]) >= 0;
            time = u64::try_from(sum).ok().filter(|_| is_valid);
        } else if (level, kind) == (libc::SOL_UDP, libc::UDP_GRO) && payload.len() == WIDTH {
            segment = usize::try_from(number(payload)).ok().filter(|size| *size > 0);
        }
    }
    (time, segment)
}

/// Destination, interface, and the address of this machine that Linux tells besides.
fn expected_arrival(control: &[u8]) -> Option<(IpAddr, u32, Option<IpAddr>)> {
    let mut found = None;
    let v4 = |bytes: &[u8]| Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]);
    for (level, kind, payload) in messages(control) {
        if (level, kind) == (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) && payload.len() == 20 && found.is_none() {
            let ip = Ipv6Addr::from(<[u8; 16]>::try_from(&payload[..16]).unwrap_or_default());
            found = Some((IpAddr::V6(ip).to_canonical(), number(&payload[16..]).cast_unsigned(), None));
        }
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        if (level, kind) == (libc::IPPROTO_IP, libc::IP_PKTINFO) && payload.len() == 12 {
            let specific = Some(IpAddr::V4(v4(&payload[4..]))).filter(|ip| !ip.is_unspecified());
            found = Some((v4(&payload[8..]).into(), number(payload).cast_unsigned(), specific));
        }
        #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
        if level == libc::IPPROTO_IP {
            if kind == libc::IP_RECVDSTADDR && payload.len() == 4 {
                found = Some((v4(payload).into(), 0, None));
            } else if kind == libc::IP_RECVIF && payload.len() >= 4 {
                let index = u16::from_ne_bytes([payload[2], payload[3]]);
                found = found.map(|(ip, _, specific)| (ip, index.into(), specific));
            }
        }
    }
    found
}

/// Panics where the two parsers differ about a control buffer that begins with these bytes, and of which the kernel says that it has written
/// so many.
pub(crate) fn check(bytes: &[u8], told: usize) {
    let mut buffer: ControlBuffer = EMPTY;
    for (word, chunk) in buffer.iter_mut().zip(bytes.chunks(size_of::<usize>())) {
        let mut padded = [0; size_of::<usize>()];
        padded[..chunk.len()].copy_from_slice(chunk);
        *word = usize::from_ne_bytes(padded);
    }
    let control = written(&buffer, told);
    assert_eq!(control.len(), told.min(size_of::<ControlBuffer>()));
    // Of its own size in memory, so that a sanitizer notices a read behind its end.
    let own: Box<[u8]> = control.into();
    let data = control_data(&own);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    assert_eq!((data.time, data.segment), expected_data(&own), "{own:?}");
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = data;
    let found = arrival(&own);
    let expected = expected_arrival(&own);
    assert_eq!(
        found.map(|found| (found.destination, found.interface)),
        expected.map(|(ip, index, _)| (ip, index)),
        "{own:?}"
    );
    if let (Some(found), Some((ip, _, specific))) = (found, expected) {
        let is_unicast = match ip {
            IpAddr::V4(ip) => !ip.is_multicast() && !ip.is_broadcast() && !ip.is_unspecified(),
            IpAddr::V6(ip) => !ip.is_multicast() && !ip.is_unspecified(),
        };
        assert_eq!(found.source, specific.or(is_unicast.then_some(ip)), "{own:?}");
    }
}

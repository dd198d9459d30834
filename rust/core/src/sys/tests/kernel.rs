//! What the kernel has written is read within its bounds: every length, every type, every truncation.
//!
//! The parser of control messages is compared with a second one, [`check_control`], over all heads around the limits of its buffer; and with what
//! the kernel itself writes into buffers of every length.

use std::mem::{offset_of, size_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;

use libc::c_int;

use super::{TIMEOUT, socket};
use crate::sys::unix::cmsg::{ControlBuffer, EMPTY, arrival, control_data, written};
use crate::sys::unix::ffi::{plain, sender, set_flag, space_of};
use crate::sys::{
    Arena, IoMode, Payloads, SLOTS, check_control, interface_name, interfaces, is_readable, receive_arrival, send_batch,
};

const HEAD: usize = size_of::<libc::cmsghdr>();

/// The messages that are read, one that is not, and the lengths of their payloads.
fn kinds() -> Vec<(c_int, c_int, usize)> {
    let mut all = vec![
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, size_of::<libc::in6_pktinfo>()),
        (libc::IPPROTO_IP, libc::IP_TTL, 4),
    ];
    #[cfg(any(target_os = "linux", target_os = "android"))]
    all.extend([
        (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS, size_of::<libc::timespec>()),
        (libc::SOL_UDP, libc::UDP_GRO, size_of::<c_int>()),
        (libc::IPPROTO_IP, libc::IP_PKTINFO, size_of::<libc::in_pktinfo>()),
    ]);
    #[cfg(target_vendor = "apple")]
    all.extend([
        (libc::SOL_SOCKET, libc::SCM_TIMESTAMP, size_of::<libc::timeval>()),
        (libc::IPPROTO_IP, libc::IP_PKTINFO, size_of::<libc::in_pktinfo>()),
    ]);
    all
}

/// Writes a head at the front of `to`, as far as there is room.
fn put_head(to: &mut [u8], length: usize, level: c_int, kind: c_int) {
    let mut head = [0; HEAD];
    // The type of the length differs between systems; on all of them it is the first field.
    let length = length.to_ne_bytes();
    let width = if cfg!(any(all(target_os = "linux", not(target_env = "musl")), target_os = "android")) {
        length.len()
    } else {
        4
    };
    let from = if cfg!(target_endian = "big") { length.len() - width } else { 0 };
    head[..width].copy_from_slice(&length[from..from + width]);
    head[offset_of!(libc::cmsghdr, cmsg_level)..][..4].copy_from_slice(&level.to_ne_bytes());
    head[offset_of!(libc::cmsghdr, cmsg_type)..][..4].copy_from_slice(&kind.to_ne_bytes());
    let room = to.len().min(HEAD);
    to[..room].copy_from_slice(&head[..room]);
}

/// Lengths around everything that is a limit: those that fit, and those that are larger than any buffer.
fn lengths() -> impl Iterator<Item = usize> + Clone {
    let most = size_of::<ControlBuffer>() + 2 * HEAD;
    (0..most).chain((0..40).map(|less| usize::MAX - less)).chain([u32::MAX as usize, 1 << 31, isize::MAX as usize])
}

#[test]
fn a_head_with_any_length_in_a_buffer_of_any_length_is_read_within_it() {
    let size = size_of::<ControlBuffer>();
    let pattern: Vec<u8> = (0..size).map(|at| (at * 7 + 1).to_le_bytes()[0]).collect();
    let mut count = 0;
    for (level, kind, _) in kinds() {
        for length in lengths() {
            let mut bytes = pattern.clone();
            put_head(&mut bytes, length, level, kind);
            for told in (0..=size).chain([size + 1, usize::MAX]) {
                check_control(&bytes, told);
                count += 1;
            }
        }
    }
    assert!(count > 50_000, "{count}");
}

#[test]
fn a_second_head_with_any_length_at_any_place_is_read_within_the_buffer() {
    let size = size_of::<ControlBuffer>();
    let alignment = space_of(1) - space_of(0);
    for (first_level, first_kind, first) in kinds() {
        for (level, kind, _) in kinds() {
            for start in (0..size).step_by(alignment) {
                for length in (0..=size).chain([usize::MAX - 7, usize::MAX]) {
                    let mut bytes: Vec<u8> = (0..size).map(|at| (at * 5 + 3).to_le_bytes()[0]).collect();
                    // The first one is as it should be, or leads to where the second one is.
                    let own = HEAD + if start > HEAD { start - HEAD } else { first };
                    put_head(&mut bytes, own, first_level, first_kind);
                    put_head(&mut bytes[start..], length, level, kind);
                    check_control(&bytes, size);
                    check_control(&bytes, start + HEAD);
                    check_control(&bytes, (start + length.min(size)).min(size));
                }
            }
        }
    }
}

#[test]
fn messages_that_are_whole_are_read_as_the_systems_own_macros_read_them() {
    let mut compared = 0;
    for first in kinds() {
        for second in kinds() {
            for third in kinds() {
                let mut buffer: ControlBuffer = EMPTY;
                let mut bytes = vec![0xa5; size_of::<ControlBuffer>()];
                let mut used = 0;
                for (level, kind, payload) in [first, second, third] {
                    if used + space_of(payload) > bytes.len() {
                        break;
                    }
                    put_head(
                        &mut bytes[used..],
                        space_of(payload) - (space_of(payload) - space_of(0)) + payload,
                        level,
                        kind,
                    );
                    used += space_of(payload);
                }
                check_control(&bytes, used);
                for (word, chunk) in buffer.iter_mut().zip(bytes.chunks(size_of::<usize>())) {
                    *word = usize::from_ne_bytes(chunk.try_into().unwrap());
                }
                compared += macros_agree(&mut buffer, used);
            }
        }
    }
    assert!(compared > 100, "{compared}");
}

/// Compares with `CMSG_FIRSTHDR` and `CMSG_NXTHDR`; how many messages there are.
fn macros_agree(buffer: &mut ControlBuffer, used: usize) -> usize {
    // SAFETY: a header of integers and raw pointers, for which zero is a valid value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_control = buffer.as_mut_ptr().cast();
    header.msg_controllen = used as _;
    let mut by_macros = Vec::new();
    // SAFETY: the header describes the buffer, which holds whole messages.
    let mut entry = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
    while !entry.is_null() {
        // SAFETY: a message in the buffer, which is aligned for it.
        let head = unsafe { entry.read() };
        // SAFETY: as above.
        let payload = unsafe { libc::CMSG_DATA(entry) };
        by_macros.push((head.cmsg_level, head.cmsg_type, payload.addr() - entry.addr()));
        // SAFETY: as for the first one.
        entry = unsafe { libc::CMSG_NXTHDR(&raw const header, entry) };
    }
    let mut found = Vec::new();
    crate::sys::unix::cmsg::for_each(written(buffer, used), |level, kind, payload| {
        found.push((level, kind, space_of(0)));
        assert!(payload.iter().all(|byte| *byte == 0xa5));
    });
    assert_eq!(found, by_macros);
    found.len()
}

#[test]
fn values_are_read_only_where_they_are_whole() {
    let bytes: Vec<u8> = (1..=64).collect();
    for length in 0..=bytes.len() {
        for start in 0..=bytes.len() - length {
            // Any alignment.
            let some = &bytes[start..start + length];
            let number = plain::<c_int>(some);
            assert_eq!(number.is_some(), length == 4);
            assert!(number.is_none_or(|number| number.to_ne_bytes() == some));
            let info = plain::<libc::in6_pktinfo>(some);
            assert_eq!(info.is_some(), length == 20);
            assert!(info.is_none_or(|info| info.ipi6_addr.s6_addr == some[..16]));
            assert_eq!(plain::<libc::cmsghdr>(some).is_some(), length == HEAD);
        }
    }
}

#[test]
fn a_senders_address_is_read_by_its_family_and_only_where_it_is_whole() {
    // SAFETY: a structure of integers, for which zero is a valid value.
    let mut address: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
    address.sin6_port = 0x1234_u16.to_be();
    address.sin6_flowinfo = u32::from_ne_bytes([192, 0, 2, 7]);
    address.sin6_addr.s6_addr = Ipv6Addr::LOCALHOST.octets();
    address.sin6_scope_id = 9;
    let v6 = SocketAddr::from(SocketAddrV6::new(Ipv6Addr::LOCALHOST, 0x1234, address.sin6_flowinfo, 9));
    // The address of IPv4 lies where IPv6 has the flow.
    let v4 = SocketAddr::from(SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 7), 0x1234));
    let none = SocketAddr::from(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));
    for family in 0..=libc::sa_family_t::MAX {
        address.sin6_family = family;
        for length in (0..=size_of::<libc::sockaddr_storage>()).chain([i32::MAX as usize]) {
            let expected = match c_int::from(family) {
                libc::AF_INET6 if length >= size_of::<libc::sockaddr_in6>() => v6,
                libc::AF_INET if length >= size_of::<libc::sockaddr_in>() => v4,
                _ => none,
            };
            assert_eq!(sender(&address, length.try_into().unwrap()), expected, "family {family}, {length} bytes");
            // Others differ in nothing.
            if ![libc::AF_INET, libc::AF_INET6].contains(&c_int::from(family)) && family > 64 {
                break;
            }
        }
    }
}

/// A socket whose messages tell all that there is to tell, and one that sends to it.
fn telling(ip: IpAddr) -> (UdpSocket, UdpSocket) {
    let receiver = socket(if ip.is_ipv4() { Ipv6Addr::UNSPECIFIED.into() } else { ip });
    receive_arrival(&receiver, true).unwrap();
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let time = libc::SO_TIMESTAMPNS;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let time = libc::SO_TIMESTAMP;
    // Some emulators refuse it.
    let _ = set_flag(&receiver, libc::SOL_SOCKET, time, true);
    (receiver, socket(ip))
}

fn await_readable(socket: &UdpSocket) {
    let deadline = std::time::Instant::now() + TIMEOUT;
    while !is_readable(socket).unwrap() {
        assert!(std::time::Instant::now() < deadline);
    }
}

/// The kernel cuts control messages off where the buffer ends, and says so by `MSG_CTRUNC`.
#[test]
fn what_the_kernel_cuts_off_is_read_as_far_as_it_is_whole() {
    for ip in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
        let (receiver, other) = telling(ip);
        let to = SocketAddr::new(ip, receiver.local_addr().unwrap().port());
        let (mut cut, mut whole) = (0, 0);
        for room in 0..=size_of::<ControlBuffer>() {
            other.send_to(b"x", to).unwrap();
            await_readable(&receiver);
            let mut payload = [0_u8; 16];
            let mut iovec = libc::iovec { iov_base: payload.as_mut_ptr().cast(), iov_len: payload.len() };
            // What the kernel has not written is known by it.
            let mut buffer: ControlBuffer = [usize::MAX; _];
            // SAFETY: a header of integers and raw pointers, for which zero is a valid value.
            let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
            header.msg_iov = &raw mut iovec;
            header.msg_iovlen = 1;
            header.msg_control = (&raw mut buffer).cast();
            header.msg_controllen = room as _;
            // SAFETY: the descriptor is open. The header's pointers lead to variables of this function, with at most their lengths.
            let count = unsafe { libc::recvmsg(receiver.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT) };
            assert_eq!(count, 1);
            #[allow(clippy::unnecessary_cast, reason = "it has another type on other systems")]
            let told = header.msg_controllen as usize;
            assert!(told <= room, "{told} of {room} bytes");
            let control = written(&buffer, told);
            let bytes = control.to_vec();
            check_control(&bytes, told);
            let found = arrival(control);
            if header.msg_flags & libc::MSG_CTRUNC == 0 {
                whole += 1;
                let found = found.unwrap();
                assert_eq!((found.destination, found.source), (ip, Some(ip)), "{room} bytes");
                assert_ne!(found.interface, 0);
            } else {
                cut += 1;
                assert!(found.is_none_or(|found| found.destination == ip && found.interface > 0), "{room} bytes");
            }
            assert!(control_data(control).time.is_none_or(|time| time > 1_600_000_000_000_000_000), "{room} bytes");
        }
        assert!(cut > 20 && whole > 0, "{cut} cut off, {whole} whole");
    }
}

#[test]
fn as_many_messages_are_read_as_the_kernel_has_written() {
    let mut arena = Arena::new();
    for mode in super::modes() {
        for queued in 0..=SLOTS + 1 {
            for limit in [1, 2, SLOTS - 1, SLOTS] {
                let (receiver, other) = telling(Ipv6Addr::LOCALHOST.into());
                let to = receiver.local_addr().unwrap();
                // Of lengths that grow, so that none are joined, and that tell which one it is.
                let payloads: Vec<Vec<u8>> = (0..queued).map(|length| vec![7; length]).collect();
                let all: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
                let no_limit = std::sync::atomic::AtomicUsize::new(usize::MAX);
                let sent = send_batch(&other, Some(to), &Payloads::Each(&all), 0, None, IoMode::Portable, &no_limit);
                assert_eq!(sent.packets, queued);
                let mut arrived = 0;
                while arrived < queued {
                    await_readable(&receiver);
                    let count = arena.receive(&receiver, mode, limit, true).unwrap();
                    assert!((1..=limit).contains(&count));
                    for index in 0..count {
                        let message = arena.message(index);
                        assert_eq!(message.bytes, &payloads[arrived + index][..]);
                        assert_eq!(message.sender, other.local_addr().unwrap());
                        assert_eq!(arena.arrival(index).unwrap().destination, IpAddr::from(Ipv6Addr::LOCALHOST));
                    }
                    arrived += count;
                }
                assert!(arena.receive(&receiver, mode, limit, true).is_err());
            }
        }
    }
}

/// `SO_MEMINFO` has nine values. A kernel may have fewer or more of them; it writes as many as there is room for.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn options_of_any_length_are_read_within_their_room() {
    use crate::sys::linux::ffi::option;

    type Values = Option<Vec<u32>>;

    fn values<const N: usize>(socket: &UdpSocket) -> Values
    where
        [u32; N]: Default,
    {
        option::<[u32; N]>(socket, libc::SOL_SOCKET, crate::sys::linux::SO_MEMINFO).ok().map(|values| values.to_vec())
    }
    let socket = socket(Ipv4Addr::LOCALHOST.into());
    // An emulator may lack the option.
    let Some(all) = values::<9>(&socket) else { return };
    let each: [fn(&UdpSocket) -> Values; 14] = [
        values::<1>,
        values::<2>,
        values::<3>,
        values::<4>,
        values::<5>,
        values::<6>,
        values::<7>,
        values::<8>,
        values::<9>,
        values::<10>,
        values::<12>,
        values::<16>,
        values::<24>,
        values::<32>,
    ];
    for values in each {
        let some = values(&socket).unwrap();
        let common = some.len().min(all.len());
        assert_eq!(some[..common], all[..common]);
        // What the kernel has not written stays zero; a newer one may have a tenth value.
        assert!(some.iter().skip(16).all(|value| *value == 0), "{some:?}");
    }
    // One integer, where the kernel has one of one byte, of four, and none.
    assert!(option::<c_int>(&socket, libc::IPPROTO_IP, libc::IP_MULTICAST_LOOP).is_ok_and(|value| value & 0xff == 1));
    assert!(option::<c_int>(&socket, libc::SOL_SOCKET, libc::SO_TYPE).is_ok_and(|value| value == libc::SOCK_DGRAM));
    assert!(option::<c_int>(&socket, libc::SOL_SOCKET, 12_345).is_err());
}

#[test]
fn names_of_interfaces_are_read_whatever_the_index_is() {
    let all = interfaces().unwrap();
    let most = all.iter().filter_map(|interface| interface.index).max().unwrap_or(0);
    for index in (0..=most + 20).chain([1 << 16, i32::MAX.cast_unsigned(), 1 << 31, u32::MAX]) {
        if let Some(name) = interface_name(index) {
            assert!(!name.is_empty() && name.len() < libc::IF_NAMESIZE);
            assert_eq!(crate::sys::interface_index(&name).unwrap(), Some(index));
        } else {
            assert!(all.iter().all(|interface| interface.index != Some(index)), "interface {index}");
        }
    }
    // Names of every length, and such as no system has.
    for length in 0..=4 * libc::IF_NAMESIZE {
        assert_eq!(crate::sys::interface_index(&"~".repeat(length)).unwrap(), None);
        assert_eq!(crate::sys::interface_index(&format!("lo\0{}", "x".repeat(length))).unwrap(), None);
    }
}

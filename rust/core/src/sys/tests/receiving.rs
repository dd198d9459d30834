#[cfg(unix)]
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
#[cfg(unix)]
use std::sync::atomic::AtomicUsize;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Type};

use super::{FAMILIES, Family, Pair, TIMEOUT, datagrams, for_each_pair, modes, slices};
use crate::sys::{
    Arena, BEST_IO_MODE, IoMode, Payloads, SLOTS, is_empty, is_readable, kernel_drops, prepare, real_time_nsec,
    ticks_nsec,
};
#[cfg(unix)]
use crate::sys::{prepare_io_mode, send_batch};

#[test]
fn at_most_the_requested_number_of_messages_is_received() {
    for_each_pair(|pair| {
        let datagrams = datagrams(&[1, 2, 3, 4, 5]);
        pair.send(&Payloads::Each(&slices(&datagrams)));
        let mut arrived = Vec::new();
        for limit in [2, 1, 2] {
            pair.await_readable();
            let (more, messages) = pair.receive(limit);
            assert!(messages <= limit);
            arrived.extend(more);
        }
        while arrived.len() < 5 {
            arrived.extend(pair.receive(1).0);
        }
        assert_eq!(arrived, datagrams);
        assert!(pair.is_empty());
    });
}

#[test]
fn receive_times_lie_between_sending_and_receiving() {
    for mode in modes().filter(|mode| *mode > IoMode::Portable) {
        for family in FAMILIES {
            let mut pair = Pair::new(family, mode);
            // Repeated, because the clock may be set meanwhile, and because the kernel starts to record times a moment after
            // the option has been set.
            let deadline = Instant::now() + TIMEOUT;
            loop {
                let before = real_time_nsec();
                pair.send(&Payloads::Each(&[b"one"]));
                pair.receive(1);
                let time = pair.arena.message(0).real_time.unwrap();
                if (before..=real_time_nsec()).contains(&time) {
                    break;
                }
                assert!(Instant::now() < deadline);
            }
        }
    }
}

/// Some emulators refuse the option that asks for the times, see [`prepare_io_mode`].
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn without_receive_times_datagrams_arrive_as_usual() {
    for_each_pair(|pair| {
        // Refused where there are none.
        let _ = crate::sys::unix::ffi::set_flag(&pair.receiver, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, false);
        pair.has_receive_times = false;
        let datagrams = datagrams(&[5, 5, 3, 0]);
        pair.pass(&Payloads::Each(&slices(&datagrams)));
    });
}

#[test]
fn drops_are_counted_where_the_kernel_reports_them() {
    for mode in modes() {
        let mut pair = Pair::new(Family::V4, mode);
        SockRef::from(&pair.receiver).set_recv_buffer_size(1).unwrap();
        assert_eq!(kernel_drops(&pair.receiver), 0);
        // Of increasing sizes, so that each is a message of its own.
        let lengths: Vec<usize> = (0..200).map(|at| 500 + at).collect();
        let datagrams = datagrams(&lengths);
        let sent = pair.send(&Payloads::Each(&slices(&datagrams)));
        assert!(sent > 0);
        let mut arrived = 0;
        while let Ok(count) = pair.arena.receive(&pair.receiver, mode, SLOTS, false) {
            arrived += count as u64;
        }
        if BEST_IO_MODE > IoMode::Portable {
            assert!(arrived < 200);
            assert_eq!(u64::from(kernel_drops(&pair.receiver)), 200 - arrived);
        }
    }
}

#[test]
fn a_socket_is_readable_with_a_datagram_or_an_empty_one() {
    for_each_pair(|pair| {
        if cfg!(not(windows)) {
            assert!(!is_readable(&pair.receiver).unwrap());
        }
        for payload in [&b"packet"[..], b""] {
            pair.send(&Payloads::Each(&[payload]));
            pair.await_readable();
            assert_eq!(pair.receive(1).0, [payload]);
            if cfg!(not(windows)) {
                assert!(!is_readable(&pair.receiver).unwrap());
            }
        }
    });
}

#[test]
fn a_socket_is_empty_only_without_a_datagram() {
    for_each_pair(|pair| {
        assert!(is_empty(&pair.receiver).unwrap());
        for payload in [&b"packet"[..], b""] {
            pair.send(&Payloads::Each(&[payload]));
            pair.await_arrival();
            assert!(is_readable(&pair.receiver).unwrap());
            assert!(!is_empty(&pair.receiver).unwrap());
            assert_eq!(pair.receive(1).0, [payload]);
            assert!(is_empty(&pair.receiver).unwrap());
        }
    });
}

/// macOS grants only this much by default.
#[test]
fn the_largest_datagrams_fit_into_the_send_buffer() {
    for (domain, size) in [(Domain::IPV4, super::LARGEST), (Domain::IPV6, 65_527)] {
        let sender = socket2::Socket::new(domain, Type::DGRAM, None).unwrap();
        prepare(&sender, false).unwrap();
        let receiver =
            super::socket(if domain == Domain::IPV4 { [127, 0, 0, 1].into() } else { "::1".parse().unwrap() });
        let sent = sender.send_to(&super::bytes(size), &receiver.local_addr().unwrap().into());
        assert_eq!(sent.unwrap(), size);
    }
}

/// Not on Windows, where `prepare` turns these errors off.
#[cfg(unix)]
#[test]
fn the_error_of_a_closed_port_is_reported_once() {
    for mode in modes() {
        for ip in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            let closed = super::socket(ip).local_addr().unwrap();
            let socket = super::socket(ip);
            assert_eq!(prepare_io_mode(&socket, mode), mode);
            socket.connect(closed).unwrap();
            let gso_limit = AtomicUsize::new(usize::MAX);
            let sent = send_batch(&socket, None, &Payloads::Each(&[b"packet"]), 0, None, mode, &gso_limit);
            assert_eq!((sent.packets, sent.error.is_none()), (1, true));
            let deadline = Instant::now() + TIMEOUT;
            let error = loop {
                assert!(Instant::now() < deadline);
                if let Err(error) = is_readable(&socket) {
                    break error;
                }
            };
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
            assert_eq!(
                Arena::new().receive(&socket, mode, SLOTS, false).unwrap_err().kind(),
                std::io::ErrorKind::WouldBlock
            );
            assert!(!is_readable(&socket).unwrap());
        }
    }
}

#[test]
fn an_arena_serves_many_sockets_and_threads() {
    let mut arena = Arena::new();
    for mode in modes() {
        let pairs: Vec<Pair> = FAMILIES.into_iter().map(|family| Pair::new(family, mode)).collect();
        for (index, pair) in pairs.iter().enumerate() {
            pair.send(&Payloads::Each(&[&index.to_le_bytes()]));
        }
        arena = thread::spawn(move || {
            for (index, pair) in pairs.iter().enumerate() {
                let deadline = Instant::now() + TIMEOUT;
                while arena.receive(&pair.receiver, mode, SLOTS, false).is_err() {
                    assert!(Instant::now() < deadline);
                }
                assert_eq!(arena.message(0).bytes, index.to_le_bytes());
                assert_eq!(arena.message(0).sender.port(), pair.sender.local_addr().unwrap().port());
            }
            arena
        })
        .join()
        .unwrap();
    }
}

/// Only on Linux: other systems report resident memory in other ways.
#[cfg(target_os = "linux")]
#[test]
fn an_arena_uses_little_memory_for_small_datagrams() {
    use crate::sys::types::SLOT_STRIDE;

    // After a process has freed large blocks, its allocator may return used memory, which becomes resident when it is zeroed.
    drop((0..8).map(|_| vec![1_u8; 4 << 20]).collect::<Vec<_>>());
    let mut pair = Pair::new(Family::V4, IoMode::Offload);
    pair.send(&Payloads::Each(&[b"one"]));
    pair.receive(SLOTS);
    // SAFETY: takes and returns a number.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap();
    let mut resident = vec![0_u8; SLOTS * SLOT_STRIDE / page - 1];
    let start = pair.arena.message(0).bytes.as_ptr().addr().next_multiple_of(page);
    let start = std::ptr::without_provenance_mut(start);
    // SAFETY: accesses none of the memory, all of which belongs to the arena, and writes one byte per page to `resident`.
    let result = unsafe { libc::mincore(start, resident.len() * page, resident.as_mut_ptr()) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    let touched = resident.iter().filter(|flags| **flags & 1 == 1).count();
    assert!(touched <= resident.len() / 8, "{touched} of {} pages", resident.len());
}

#[test]
fn ticks_count_nanoseconds() {
    let (ticks, time) = (ticks_nsec(), Instant::now());
    while time.elapsed() < Duration::from_millis(20) {
        thread::yield_now();
    }
    let passed = ticks_nsec() - ticks;
    assert!((19_000_000..5_000_000_000).contains(&passed), "{passed}");
}

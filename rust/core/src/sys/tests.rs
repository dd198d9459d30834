use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Type};

use super::{
    Arena, BEST_PATH, Path, Payloads, SLOTS, is_readable, kernel_drops, prepare_path, real_time_nsec, send_batch,
    ticks_nsec,
};

/// A test that lasts longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The largest datagram over IPv4.
const LARGEST: usize = 65_507;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Flavour {
    V4,
    V6,
    /// An IPv6 socket that receives from an IPv4 one.
    Dual,
}

const FLAVOURS: [Flavour; 3] = [Flavour::V4, Flavour::V6, Flavour::Dual];

/// A sender and a receiver, for one path.
struct Pair {
    path: Path,
    sender: UdpSocket,
    receiver: UdpSocket,
    /// Where the receiver is, as the sender sees it.
    to: SocketAddr,
    arena: Arena,
}

impl Pair {
    fn new(flavour: Flavour, path: Path) -> Self {
        let ip: IpAddr = if flavour == Flavour::V6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
        let sender = socket(ip);
        let receiver = if flavour == Flavour::Dual { socket(Ipv6Addr::UNSPECIFIED.into()) } else { socket(ip) };
        let to = SocketAddr::new(ip, receiver.local_addr().unwrap().port());
        // What the system grants of it is enough for all that the tests have on the way at once.
        SockRef::from(&receiver).set_recv_buffer_size(4 << 20).unwrap();
        SockRef::from(&sender).set_send_buffer_size(4 << 20).unwrap();
        assert_eq!(prepare_path(&receiver, path), path, "this system lacks what the test is about");
        assert_eq!(prepare_path(&sender, path), path);
        Self { path, sender, receiver, to, arena: Arena::new() }
    }

    fn connected(self) -> Self {
        self.sender.connect(self.to).unwrap();
        self
    }

    /// Sends all of `payloads`, and returns in how many system calls.
    fn send(&self, payloads: &Payloads<'_>) -> u64 {
        let to = if self.sender.peer_addr().is_ok() { None } else { Some(self.to) };
        let sent = send_batch(&self.sender, to, payloads, 0, self.path);
        assert!(sent.error.is_none(), "{sent:?}");
        assert_eq!(sent.packets, payloads.len());
        sent.system_calls
    }

    /// Waits until something is there and receives once; each datagram, and how many messages they came in.
    fn receive(&mut self, limit: usize) -> (Vec<Vec<u8>>, usize) {
        let deadline = Instant::now() + PATIENCE;
        let messages = loop {
            match self.arena.receive(&self.receiver, self.path, limit) {
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    assert!(Instant::now() < deadline, "nothing arrives");
                    thread::yield_now();
                }
                Err(error) => panic!("{error}"),
            }
        };
        assert!((1..=limit).contains(&messages));
        assert!(self.arena.late_error().is_none());
        let source = self.sender.local_addr().unwrap();
        let mut datagrams = Vec::new();
        for index in 0..messages {
            let message = self.arena.message(index);
            assert_eq!(message.sender.ip().to_canonical(), source.ip());
            assert_eq!(message.sender.port(), source.port());
            assert_eq!(message.real_time.is_some(), self.path > Path::Portable);
            if message.bytes.is_empty() {
                assert_eq!(message.segment, 0);
                datagrams.push(Vec::new());
            } else {
                datagrams.extend(message.bytes.chunks(message.segment).map(<[u8]>::to_vec));
            }
        }
        (datagrams, messages)
    }

    /// Sends `payloads`, receives them, and compares. In how many system calls, and in how many messages.
    fn pass(&mut self, payloads: &Payloads<'_>) -> (u64, usize) {
        let calls = self.send(payloads);
        let mut messages = 0;
        let mut arrived = VecDeque::new();
        for index in 0..payloads.len() {
            if arrived.is_empty() {
                let (datagrams, more) = self.receive(SLOTS);
                arrived.extend(datagrams);
                messages += more;
            }
            let datagram: Vec<u8> = arrived.pop_front().unwrap();
            assert!(datagram == payloads.get(index).unwrap(), "{:?}, number {index}: {}", self.path, datagram.len());
        }
        assert!(arrived.is_empty(), "more has arrived than was sent");
        assert!(self.is_empty());
        (calls, messages)
    }

    fn is_empty(&mut self) -> bool {
        let error = self.arena.receive(&self.receiver, self.path, 1).unwrap_err();
        error.kind() == io::ErrorKind::WouldBlock
    }
}

fn socket(ip: IpAddr) -> UdpSocket {
    let domain = if ip.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = socket2::Socket::new(domain, Type::DGRAM, None).unwrap();
    if ip.is_ipv6() {
        socket.set_only_v6(!ip.is_unspecified()).unwrap();
    }
    socket.set_nonblocking(true).unwrap();
    socket.bind(&SocketAddr::new(ip, 0).into()).unwrap();
    socket.into()
}

/// All paths that this platform has.
fn paths() -> impl Iterator<Item = Path> {
    [Path::Portable, Path::Batch, Path::Offload].into_iter().filter(|path| *path <= BEST_PATH)
}

/// Runs `test` for each path and flavour, connected and not.
fn everywhere(test: impl Fn(&mut Pair)) {
    for path in paths() {
        for flavour in FLAVOURS {
            test(&mut Pair::new(flavour, path));
            test(&mut Pair::new(flavour, path).connected());
        }
    }
}

/// Bytes that differ from place to place, so that exchanged or shifted ones are seen.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at ^ (at >> 8) ^ (at >> 16)).to_le_bytes()[0]).collect()
}

/// Datagrams of these lengths, each of other bytes.
fn datagrams(lengths: &[usize]) -> Vec<Vec<u8>> {
    lengths.iter().enumerate().map(|(index, length)| bytes(length + index).split_off(index)).collect()
}

fn slices(datagrams: &[Vec<u8>]) -> Vec<&[u8]> {
    datagrams.iter().map(Vec::as_slice).collect()
}

#[test]
fn any_number_of_datagrams_of_one_size_arrives_in_order() {
    everywhere(|pair| {
        for count in [1, 2, 63, 64, 65, 130] {
            for last in [100, 1] {
                let mut lengths = vec![100; count];
                lengths[count - 1] = last;
                let datagrams = datagrams(&lengths);
                let (calls, messages) = pair.pass(&Payloads::Each(&slices(&datagrams)));
                let data = bytes(100 * (count - 1) + last);
                let cut = pair.pass(&Payloads::Cut { data: &data, segment: 100 });
                if count > 1 {
                    assert_eq!((calls, messages), cut);
                }
                match pair.path {
                    Path::Portable => assert_eq!((calls, messages), (count as u64, count)),
                    Path::Batch => assert_eq!((calls, messages), (count.div_ceil(64) as u64, count)),
                    Path::Offload => assert_eq!((calls, messages), (1, count.div_ceil(64))),
                }
            }
        }
    });
}

#[test]
fn no_more_is_joined_than_fits_into_one_packet() {
    everywhere(|pair| {
        let data = bytes(1200 * 130);
        let (calls, messages) = pair.pass(&Payloads::Cut { data: &data, segment: 1200 });
        if pair.path == Path::Offload {
            assert_eq!((calls, messages), (1, 130_usize.div_ceil(LARGEST / 1200)));
        }
    });
}

#[test]
fn datagrams_of_mixed_sizes_and_empty_ones_arrive_in_order() {
    everywhere(|pair| {
        for lengths in [
            &[0][..],
            &[0, 0, 0],
            &[100, 100, 0, 100, 100],
            &[0, 100, 100],
            &[100, 100, 0],
            &[100, 99, 98, 98, 98, 99, 99, 100, 1, 1, 0, 1, 1],
            &[1, 2, 3, 4, 5, 4, 3, 2, 1],
            &[1400, 1400, 1400, 200, 1400, 1400, 200, 200, 200, 65_507, 1],
            &[9000, 100, 9000, 9000, 9000, 9000, 9000, 9000, 9000, 9000, 9000, 9000],
        ] {
            let datagrams = datagrams(lengths);
            pair.pass(&Payloads::Each(&slices(&datagrams)));
        }
    });
}

#[test]
fn many_datagrams_of_changing_sizes_arrive_in_order() {
    everywhere(|pair| {
        let lengths: Vec<usize> = (0..300_usize).map(|at| (at / 7 * 31) % 50 + usize::from(at % 7 == 6)).collect();
        let datagrams = datagrams(&lengths);
        pair.pass(&Payloads::Each(&slices(&datagrams)));
    });
}

#[test]
fn datagrams_of_any_size_arrive_whole() {
    everywhere(|pair| {
        for segment in [1, 1023, 1024, 1472, 1473, 8000, LARGEST / 2, LARGEST / 2 + 1, 40_000, LARGEST - 1, LARGEST] {
            for length in [segment, segment * 2, segment * 3 - 1] {
                let data = bytes(length);
                let payloads = Payloads::Cut { data: &data, segment };
                pair.pass(&payloads);
                let each: Vec<&[u8]> = data.chunks(segment).collect();
                pair.pass(&Payloads::Each(&each));
            }
        }
    });
}

#[test]
fn what_is_too_large_is_refused_at_its_place_with_the_systems_own_error() {
    everywhere(|pair| {
        let to = if pair.sender.peer_addr().is_ok() { None } else { Some(pair.to) };
        let large = bytes(LARGEST + 100);
        let expected = match to {
            Some(to) => pair.sender.send_to(&large, to),
            None => pair.sender.send(&large),
        };
        let expected = expected.unwrap_err().raw_os_error();
        let datagrams = datagrams(&[10, 10, 10, LARGEST + 100, 10]);
        let payloads = slices(&datagrams);
        let payloads = Payloads::Each(&payloads);
        let sent = send_batch(&pair.sender, to, &payloads, 0, pair.path);
        assert_eq!((sent.packets, sent.error.unwrap().raw_os_error()), (3, expected));
        let sent = send_batch(&pair.sender, to, &payloads, 3, pair.path);
        assert_eq!((sent.packets, sent.error.unwrap().raw_os_error()), (0, expected));
        let sent = send_batch(&pair.sender, to, &payloads, 4, pair.path);
        assert_eq!((sent.packets, sent.error.is_none()), (1, true));
        for _ in 0..4 {
            let (datagrams, _) = pair.receive(1);
            assert!(datagrams.iter().all(|datagram| datagram.len() == 10));
            if datagrams.len() == 3 {
                break;
            }
        }
        // Two that are refused although they would be joined if they were smaller.
        let sent = send_batch(&pair.sender, to, &Payloads::Cut { data: &large, segment: large.len() }, 0, pair.path);
        assert_eq!((sent.packets, sent.error.unwrap().raw_os_error()), (0, expected));
    });
}

#[test]
fn over_ipv4_one_byte_more_than_fits_is_refused() {
    for path in paths() {
        let mut pair = Pair::new(Flavour::V4, path);
        let data = bytes(LARGEST + 1);
        let sent = send_batch(&pair.sender, Some(pair.to), &Payloads::Each(&[&data]), 0, path);
        assert_eq!(sent.packets, 0);
        assert!(sent.error.is_some());
        pair.pass(&Payloads::Each(&[&data[1..]]));
    }
}

#[test]
fn sending_begins_where_it_is_told_to() {
    everywhere(|pair| {
        let to = if pair.sender.peer_addr().is_ok() { None } else { Some(pair.to) };
        let data = bytes(1050);
        for from in [1, 9, 10, 11] {
            let sent = send_batch(&pair.sender, to, &Payloads::Cut { data: &data, segment: 100 }, from, pair.path);
            assert_eq!((sent.packets, sent.error.is_none()), (11 - from, true));
            let mut expected = data.get(100 * from..).unwrap_or_default().chunks(100).collect::<VecDeque<_>>();
            while !expected.is_empty() {
                for datagram in pair.receive(SLOTS).0 {
                    assert_eq!(Some(&datagram[..]), expected.pop_front());
                }
            }
            assert!(pair.is_empty());
        }
    });
}

#[test]
fn without_payloads_nothing_is_called() {
    everywhere(|pair| {
        for payloads in [Payloads::Each(&[]), Payloads::Cut { data: &[], segment: 10 }] {
            assert_eq!(pair.send(&payloads), 0);
        }
    });
}

#[test]
fn the_kernel_joins_what_was_sent_in_one_message() {
    if BEST_PATH < Path::Offload {
        return;
    }
    for flavour in FLAVOURS {
        let mut pair = Pair::new(flavour, Path::Offload);
        let data = bytes(1200 * 20 + 7);
        pair.send(&Payloads::Cut { data: &data, segment: 1200 });
        assert_eq!(pair.arena.receive(&pair.receiver, Path::Offload, SLOTS).unwrap(), 1);
        let message = pair.arena.message(0);
        assert_eq!(message.segment, 1200);
        assert!(message.bytes == data);
    }
}

#[test]
fn a_receiver_without_joining_gets_each_datagram() {
    for flavour in FLAVOURS {
        for path in paths() {
            let mut pair = Pair::new(flavour, path);
            let data = bytes(5000);
            let payloads = Payloads::Cut { data: &data, segment: 300 };
            send_batch(&pair.sender, Some(pair.to), &payloads, 0, BEST_PATH);
            let mut arrived = Vec::new();
            while arrived.len() < payloads.len() {
                arrived.extend(pair.receive(SLOTS).0);
            }
            assert!(data.chunks(300).eq(arrived.iter().map(Vec::as_slice)));
        }
    }
}

#[test]
fn no_more_is_received_than_was_asked_for() {
    everywhere(|pair| {
        let datagrams = datagrams(&[1, 2, 3, 4, 5]);
        pair.send(&Payloads::Each(&slices(&datagrams)));
        let mut arrived = Vec::new();
        for limit in [2, 1, 2] {
            let deadline = Instant::now() + PATIENCE;
            while !is_readable(&pair.receiver).unwrap() {
                assert!(Instant::now() < deadline);
            }
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
    for path in paths().filter(|path| *path > Path::Portable) {
        for flavour in FLAVOURS {
            let mut pair = Pair::new(flavour, path);
            // The clock that is compared with may be set meanwhile, and the kernel's stamps begin a little after they were
            // asked for: some attempts.
            let deadline = Instant::now() + PATIENCE;
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

#[test]
fn drops_are_counted_where_the_kernel_tells() {
    for path in paths() {
        let mut pair = Pair::new(Flavour::V4, path);
        SockRef::from(&pair.receiver).set_recv_buffer_size(1).unwrap();
        assert_eq!(kernel_drops(&pair.receiver), 0);
        // Of different sizes, so that each is a message.
        let lengths: Vec<usize> = (0..200).map(|at| 500 + at).collect();
        let datagrams = datagrams(&lengths);
        let sent = pair.send(&Payloads::Each(&slices(&datagrams)));
        assert!(sent > 0);
        let mut arrived = 0;
        while let Ok(count) = pair.arena.receive(&pair.receiver, path, SLOTS) {
            arrived += count as u64;
        }
        if BEST_PATH > Path::Portable {
            assert!(arrived < 200);
            assert_eq!(kernel_drops(&pair.receiver), 200 - arrived);
        }
    }
}

#[test]
fn a_socket_is_readable_with_a_packet_or_an_empty_one() {
    everywhere(|pair| {
        if cfg!(not(windows)) {
            assert!(!is_readable(&pair.receiver).unwrap());
        }
        for payload in [&b"packet"[..], b""] {
            pair.send(&Payloads::Each(&[payload]));
            let deadline = Instant::now() + PATIENCE;
            while !is_readable(&pair.receiver).unwrap() {
                assert!(Instant::now() < deadline);
            }
            assert_eq!(pair.receive(1).0, [payload]);
            if cfg!(not(windows)) {
                assert!(!is_readable(&pair.receiver).unwrap());
            }
        }
    });
}

/// (Windows is told not to report them; see its `prepare`.)
#[cfg(unix)]
#[test]
fn a_refused_ports_error_is_told_once() {
    for path in paths() {
        for ip in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            let closed = socket(ip).local_addr().unwrap();
            let socket = socket(ip);
            assert_eq!(prepare_path(&socket, path), path);
            socket.connect(closed).unwrap();
            let sent = send_batch(&socket, None, &Payloads::Each(&[b"packet"]), 0, path);
            assert_eq!((sent.packets, sent.error.is_none()), (1, true));
            let deadline = Instant::now() + PATIENCE;
            let error = loop {
                assert!(Instant::now() < deadline);
                if let Err(error) = is_readable(&socket) {
                    break error;
                }
            };
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
            assert_eq!(Arena::new().receive(&socket, path, SLOTS).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            assert!(!is_readable(&socket).unwrap());
        }
    }
}

#[test]
fn an_error_that_meets_the_first_is_told_and_ends_the_batch() {
    for path in paths() {
        let pair = Pair::new(Flavour::V4, path);
        // Port 0 of no machine can be sent to; wine takes it all the same.
        let nowhere = SocketAddr::new(pair.to.ip(), 0);
        let data = bytes(300);
        let Err(expected) = pair.sender.send_to(&data[..100], nowhere) else { continue };
        let sent = send_batch(&pair.sender, Some(nowhere), &Payloads::Cut { data: &data, segment: 100 }, 0, path);
        assert_eq!((sent.packets, sent.error.unwrap().raw_os_error()), (0, expected.raw_os_error()));
    }
}

#[test]
fn an_arena_serves_many_sockets_and_threads() {
    let mut arena = Arena::new();
    for path in paths() {
        let pairs: Vec<Pair> = FLAVOURS.into_iter().map(|flavour| Pair::new(flavour, path)).collect();
        for (index, pair) in pairs.iter().enumerate() {
            pair.send(&Payloads::Each(&[&index.to_le_bytes()]));
        }
        arena = thread::spawn(move || {
            for (index, pair) in pairs.iter().enumerate() {
                let deadline = Instant::now() + PATIENCE;
                while arena.receive(&pair.receiver, path, SLOTS).is_err() {
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

#[test]
fn the_pieces_of_payloads_are_as_they_say() {
    let payloads = Payloads::Cut { data: b"abcdefg", segment: 3 };
    assert_eq!(payloads.len(), 3);
    assert_eq!([0, 1, 2, 3].map(|at| payloads.get(at)), [Some(&b"abc"[..]), Some(b"def"), Some(b"g"), None]);
    assert_eq!(payloads.get(usize::MAX), None);
    let payloads = Payloads::Cut { data: b"", segment: 3 };
    assert_eq!((payloads.len(), payloads.get(0)), (0, None));
    let payloads = Payloads::Each(&[b"ab", b""]);
    assert_eq!((payloads.len(), payloads.get(1), payloads.get(2)), (2, Some(&b""[..]), None));
}

#[test]
fn ticks_go_on_in_nanoseconds() {
    let (ticks, time) = (ticks_nsec(), Instant::now());
    while time.elapsed() < Duration::from_millis(20) {
        thread::yield_now();
    }
    let passed = ticks_nsec() - ticks;
    assert!((19_000_000..5_000_000_000).contains(&passed), "{passed}");
}

/// (Other systems tell in other ways.)
#[cfg(target_os = "linux")]
#[test]
fn an_arena_takes_little_memory_until_it_is_used() {
    // A process that has freed large memory before may get used memory again, which zeroing makes resident.
    drop((0..8).map(|_| vec![1_u8; 4 << 20]).collect::<Vec<_>>());
    let mut pair = Pair::new(Flavour::V4, Path::Offload);
    pair.send(&Payloads::Each(&[b"one"]));
    pair.receive(SLOTS);
    // SAFETY: takes a number, and returns one.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap();
    let mut resident = vec![0_u8; SLOTS * super::SLOT_STRIDE / page - 1];
    let start = pair.arena.message(0).bytes.as_ptr().addr().next_multiple_of(page);
    let start = std::ptr::without_provenance_mut(start);
    // SAFETY: only asks about memory, all of which is that of the arena, and writes a byte per page.
    let result = unsafe { libc::mincore(start, resident.len() * page, resident.as_mut_ptr()) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    let touched = resident.iter().filter(|flags| **flags & 1 == 1).count();
    assert!(touched <= resident.len() / 8, "{touched} of {} pages", resident.len());
}

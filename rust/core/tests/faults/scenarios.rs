//! What is done with peers, servers and relays while a system call fails. Every scenario is played twice on the same objects: with
//! the fault, and then without one.

use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::num::{NonZeroU8, NonZeroU16, NonZeroUsize};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use packet_peer_udp_core::{Conditions, Peer, Proxy, Server, SharedConditions, SocketOption, WaitEnd};

use super::inject;
use super::run::{LONG, Run};

/// The objects of a scenario, ready to be played.
pub(crate) type Play = Box<dyn FnMut(&mut Run)>;

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Whether it is one of those of the short form, which together use everything.
    pub(crate) is_short: bool,
    /// Makes the objects.
    pub(crate) make: fn() -> Play,
}

pub(crate) fn all() -> Vec<Scenario> {
    let long = |name, make| Scenario { name, is_short: false, make };
    let short = |name, make| Scenario { name, is_short: true, make };
    let mut all = vec![
        long("peer, polled", || peer("127.0.0.1", false)),
        short("peer, background", || peer("127.0.0.1", true)),
        short("peer on *, polled", || peer("*", false)),
        long("peer on *, background", || peer("*", true)),
        long("connected peer, polled", || connected(false)),
        short("connected peer, background", || connected(true)),
        long("options, IPv4", || options("127.0.0.1")),
        short("options, both families", || options("*")),
        short("groups, IPv4", || groups(false)),
        short("server, polled", || server("127.0.0.1", false)),
        long("server, background", || server("127.0.0.1", true)),
        long("server on *, polled", || server("*", false)),
        short("server on *, background", || server("*", true)),
        short("link conditions, polled", || delayed(false)),
        long("link conditions, background", || delayed(true)),
        short("relay", || relay(false)),
        long("relay with conditions", || relay(true)),
    ];
    if has_ipv6() {
        all.push(long("groups, IPv6", || groups(true)));
    }
    all
}

fn has_ipv6() -> bool {
    UdpSocket::bind("[::1]:0").is_ok()
}

// ---- the other side ---------------------------------------------------------------------------------------------

/// A socket of the test.
struct Other(UdpSocket, SocketAddr);

impl Other {
    fn new(address: &str) -> Self {
        let socket = UdpSocket::bind((address, 0)).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        let address = socket.local_addr().unwrap();
        Self(socket, address)
    }

    fn port(&self) -> u16 {
        self.1.port()
    }

    fn nonzero_port(&self) -> NonZeroU16 {
        NonZeroU16::new(self.port()).unwrap()
    }

    fn send(&self, packet: &[u8], to: SocketAddr) {
        inject::uncounted(|| self.0.send_to(packet, to)).unwrap();
    }

    /// The next packet, waited for.
    fn next(&self) -> (Vec<u8>, SocketAddr) {
        let mut buffer = vec![0; 65_536];
        let (length, from) =
            inject::uncounted(|| self.0.recv_from(&mut buffer)).expect("a packet that was sent arrives");
        buffer.truncate(length);
        (buffer, from)
    }

    /// The next packet, if it is there.
    fn try_next(&self) -> Option<(Vec<u8>, SocketAddr)> {
        let mut buffer = vec![0; 65_536];
        let result = inject::uncounted(|| {
            self.0.set_nonblocking(true).unwrap();
            let result = self.0.recv_from(&mut buffer);
            self.0.set_nonblocking(false).unwrap();
            result
        });
        match result {
            Ok((length, from)) => Some((buffer[..length].to_vec(), from)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// What is left of earlier packets.
    fn drain(&self) {
        while self.try_next().is_some() {}
    }

    fn assert_empty(&self) {
        let left = self.try_next();
        assert!(left.is_none(), "a packet more than was sent: {left:?}");
    }
}

fn numbered(count: u8) -> Vec<Vec<u8>> {
    (0..count).map(|number| vec![number; 10 + usize::from(number)]).collect()
}

fn take(peer: &Peer) -> Option<Vec<u8>> {
    peer.take().expect("it is open").map(|packet| packet.to_vec())
}

/// The peer's port, as soon as the system tells it.
fn port_of(run: &mut Run, peer: &Peer) -> u16 {
    address_of(run, || peer.local_addr()).port()
}

/// An address, as soon as the system tells it.
fn address_of(run: &mut Run, ask: impl Fn() -> Option<SocketAddr>) -> SocketAddr {
    let mut address = None;
    run.until("local_addr", || {
        address = ask();
        address.is_some()
    });
    address.unwrap()
}

/// Has `from` send packets to `peer`, which must get each of them once, in order.
fn receive(run: &mut Run, peer: &Peer, from: &Other, to: SocketAddr, count: u8) {
    let packets = numbered(count);
    for packet in &packets {
        from.send(packet, to);
    }
    let got = RefCell::new(Vec::new());
    run.until(format!("receiving {count}"), || {
        if count > 3 {
            let mut drain = peer.take_many(None).expect("it is open");
            while let Some(packets) = drain.next() {
                got.borrow_mut().extend(packets.packets().map(<[u8]>::to_vec));
            }
        } else {
            got.borrow_mut().extend(take(peer));
        }
        got.borrow().len() >= packets.len()
    });
    assert_eq!(*got.borrow(), packets, "the packets that were sent");
    assert_eq!(run.plain("available", || peer.available()), Some(0), "no packet more");
    let sender = peer.last_taken().expect("one was taken").sender();
    assert_eq!(sender, from.1);
}

/// Calls `then` as soon as a thread waits on `peer`.
fn when_waiting<T>(peer: &Peer, then: impl FnOnce() + Send, wait: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        scope.spawn(|| {
            inject::is_of_test();
            let start = Instant::now();
            while peer.waits() == 0 && start.elapsed() < LONG {
                thread::sleep(Duration::from_micros(50));
            }
            then();
        });
        wait()
    })
}

/// Waits in vain, for a packet, and for an interruption.
fn waits(run: &mut Run, peer: &Peer, from: &Other, to: SocketAddr) {
    let end = run.call("a wait in vain", || peer.wait(Some(Duration::from_millis(1))));
    assert_eq!(end, WaitEnd::TimedOut);
    let end = when_waiting(
        peer,
        || from.send(b"waited for", to),
        || run.call("a wait for a packet", || peer.wait(Some(LONG))),
    );
    assert_eq!(end, WaitEnd::Ready);
    assert_eq!(run.plain("take", || take(peer)).unwrap(), b"waited for");
    let end = when_waiting(
        peer,
        || peer.interrupt_wait(),
        || run.call("a wait that is interrupted", || peer.wait(Some(LONG))),
    );
    assert_eq!(end, WaitEnd::Interrupted);
}

/// Sends one packet, many, and segments to `other`, which must get each of them once, in order.
fn send(run: &mut Run, peer: &Peer, other: &Other) {
    run.call("send", || peer.send(b"one"));
    assert_eq!(other.next().0, b"one");
    let packets = numbered(12);
    let mut sent = 0;
    while sent < packets.len() {
        let rest: Vec<&[u8]> = packets[sent..].iter().map(Vec::as_slice).collect();
        sent += partial(run, "send_many", rest.len(), || peer.send_many(&rest));
    }
    for packet in &packets {
        assert_eq!(other.next().0, *packet);
    }
    let data: Vec<u8> = (0..2_000_u32).flat_map(u32::to_le_bytes).collect();
    let segment = NonZeroUsize::new(1_000).unwrap();
    let mut sent = 0;
    while sent < data.len() / 1_000 {
        let rest = &data[sent * 1_000..];
        sent += partial(run, "send_segmented", rest.len() / 1_000, || peer.send_segmented(rest, segment));
    }
    for packet in data.chunks(1_000) {
        assert_eq!(other.next().0, packet);
    }
    other.assert_empty();
}

/// A call that sends as many packets as it can. Fewer than asked for must be due to the fault, and say so.
fn partial(
    run: &mut Run,
    step: &str,
    count: usize,
    call: impl FnMut() -> Result<usize, packet_peer_udp_core::Error>,
) -> usize {
    let before = inject::times();
    let sent = run.call(step, call);
    if sent < count {
        assert!(inject::times() > 0, "{step}: {sent} of {count} were sent, without a fault");
        assert!(run.noted || run.reported > 0, "{step}: {sent} of {count} were sent, and nothing says why");
        if inject::times() > before + 1 {
            inject::lift();
        }
    }
    sent
}

fn note_refusals(run: &mut Run, peer: &Peer) {
    for refusal in peer.take_refusals() {
        run.note(&refusal.error);
    }
}

/// Opens the peer and has it receive in the background or not, also where that was refused at first.
fn open(run: &mut Run, peer: &Arc<Peer>, address: &str, background: bool) -> u16 {
    run.call("set_background_receive", || peer.set_background_receive(background));
    run.call_or(
        "bind",
        || peer.bind(0, address, 65_536),
        || {
            assert!(!peer.is_open(), "open after a bind that has failed");
            assert_eq!(peer.local_addr(), None);
            assert_eq!(peer.available(), None);
        },
    );
    assert!(peer.is_open());
    note_refusals(run, peer);
    if background {
        run.call("set_background_receive again", || peer.set_background_receive(true));
    }
    port_of(run, peer)
}

/// Whether a peer on `*` has both families. Where the fault says that the machine has no IPv6, it has IPv4 only.
fn has_both(run: &mut Run, peer: &Peer) -> bool {
    // A datagram of the other family tells, since the socket's own address is written the same.
    let fired = inject::fired();
    let lacks = fired.is_some_and(|fired| match (fired.call, fired.code) {
        (libc::SYS_socket, code) => [libc::EAFNOSUPPORT, libc::EACCES].contains(&code),
        (libc::SYS_setsockopt | libc::SYS_fcntl | libc::SYS_ioctl | libc::SYS_getsockopt, code) => {
            ![libc::ENOBUFS, libc::ENOMEM].contains(&code)
        }
        (libc::SYS_bind, code) => code == libc::EADDRNOTAVAIL,
        _ => false,
    });
    let is_v6 = run.plain("local_addr", || peer.local_addr()).is_none_or(|address| address.is_ipv6());
    assert!(is_v6 || lacks, "IPv4 only, after {fired:?}");
    is_v6
}

// ---- the scenarios ----------------------------------------------------------------------------------------------

fn peer(address: &'static str, background: bool) -> Play {
    let peer = Peer::new();
    let v4 = Other::new("127.0.0.1");
    let v6 = (address == "*" && has_ipv6()).then(|| Other::new("::1"));
    Box::new(move |run| {
        let witness = Arc::clone(&peer);
        run.watch(move || witness.last_error());
        v4.drain();
        let port = open(run, &peer, address, background);
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        receive(run, &peer, &v4, to, 1);
        receive(run, &peer, &v4, to, 12);
        if let Some(v6) = v6.as_ref().filter(|_| has_both(run, &peer)) {
            let to = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
            receive(run, &peer, v6, to, 3);
            run.call("set_destination", || peer.set_destination("::1", v6.port()));
            run.call("send", || peer.send(b"by IPv6"));
            assert_eq!(v6.next().0, b"by IPv6");
        }
        waits(run, &peer, &v4, to);
        run.call("set_destination", || peer.set_destination("127.0.0.1", v4.port()));
        send(run, &peer, &v4);
        run.call("set_background_receive", || peer.set_background_receive(!background));
        receive(run, &peer, &v4, to, 3);
        run.call("set_background_receive", || peer.set_background_receive(background));
        receive(run, &peer, &v4, to, 3);
        run.plain("close", || peer.close());
        assert!(!peer.is_open());
    })
}

fn connected(background: bool) -> Play {
    let peer = Peer::new();
    let [first, second] = [(); 2].map(|()| Other::new("127.0.0.1"));
    Box::new(move |run| {
        let witness = Arc::clone(&peer);
        run.watch(move || witness.last_error());
        first.drain();
        second.drain();
        run.call("set_background_receive", || peer.set_background_receive(background));
        for (other, stranger) in [(&first, &second), (&second, &first)] {
            run.call_or(
                "connect",
                || peer.connect("127.0.0.1", other.nonzero_port()),
                || {
                    assert!(!peer.is_open(), "open after a connect that has failed");
                    assert!(!peer.is_connected());
                },
            );
            assert!(peer.is_connected());
            note_refusals(run, &peer);
            if background {
                run.call("set_background_receive again", || peer.set_background_receive(true));
            }
            send(run, &peer, other);
            let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port_of(run, &peer)));
            stranger.send(b"from a stranger", to);
            receive(run, &peer, other, to, 3);
            receive(run, &peer, other, to, 12);
            waits(run, &peer, other, to);
        }
        run.plain("close", || peer.close());
        assert!(!peer.is_open());
    })
}

/// The value of an option of the socket that the library has made last.
fn option_of_socket(level: i32, name: i32) -> i32 {
    let mut value: i32 = -1;
    let mut size: libc::socklen_t = 4;
    let fd = inject::last_socket();
    // SAFETY: `value` has room for the four bytes that `size` tells of. The descriptor is only asked.
    let result = unsafe { libc::getsockopt(fd, level, name, (&raw mut value).cast(), &raw mut size) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    value
}

fn options(address: &'static str) -> Play {
    let peer = Peer::new();
    let is_v4 = address != "*";
    Box::new(move |run| {
        let witness = Arc::clone(&peer);
        run.watch(move || witness.last_error());
        let hops = NonZeroU8::new(9).unwrap();
        // With the socket's options that are to have that value afterwards, and what they have before.
        let values: Vec<(SocketOption, SocketOption, i32, i32, i32)> = vec![
            (
                SocketOption::ReuseAddress(true),
                SocketOption::ReuseAddress(false),
                libc::SOL_SOCKET,
                libc::SO_REUSEADDR,
                1,
            ),
            (SocketOption::ReusePort(true), SocketOption::ReusePort(false), libc::SOL_SOCKET, libc::SO_REUSEPORT, 1),
            (SocketOption::TimeToLive(Some(hops)), SocketOption::TimeToLive(None), libc::IPPROTO_IP, libc::IP_TTL, 9),
            (SocketOption::TrafficClass(0x20), SocketOption::TrafficClass(0), libc::IPPROTO_IP, libc::IP_TOS, 0x20),
            (
                SocketOption::MulticastTimeToLive(5),
                SocketOption::MulticastTimeToLive(1),
                libc::IPPROTO_IP,
                libc::IP_MULTICAST_TTL,
                5,
            ),
            (
                SocketOption::MulticastLoopback(false),
                SocketOption::MulticastLoopback(true),
                libc::IPPROTO_IP,
                libc::IP_MULTICAST_LOOP,
                0,
            ),
            (SocketOption::PacketInfo(true), SocketOption::PacketInfo(false), libc::IPPROTO_IP, libc::IP_PKTINFO, 1),
        ];
        run.call_or("bind", || peer.bind(0, address, 0), || assert!(!peer.is_open()));
        for (option, _, level, name, value) in &values {
            let before = option_of_socket(*level, *name);
            run.call_or(
                option,
                || peer.set_option(option.clone()),
                || assert!(!is_v4 || option_of_socket(*level, *name) == before, "{option}: changed all the same"),
            );
            if is_v4 {
                assert_eq!(option_of_socket(*level, *name), *value, "{option}");
            }
        }
        run.call("broadcast", || peer.set_broadcast(true));
        assert_eq!(option_of_socket(libc::SOL_SOCKET, libc::SO_BROADCAST), 1);
        run.call("receive_buffer_size", || peer.set_receive_buffer_size(100_000));
        assert_eq!(option_of_socket(libc::SOL_SOCKET, libc::SO_RCVBUF), 200_000);
        run.call("send_buffer_size", || peer.set_send_buffer_size(50_000));
        assert_eq!(option_of_socket(libc::SOL_SOCKET, libc::SO_SNDBUF), 100_000);
        let interface = SocketOption::MulticastInterface("lo".to_owned());
        run.call_or(
            "multicast_interface",
            || peer.set_option(interface.clone()),
            || {
                assert_eq!(peer.option(|options| options.multicast_interface.clone()), "");
            },
        );
        let source = SocketOption::SourceAddress("127.0.0.1".to_owned());
        run.call_or(
            "source_address",
            || peer.set_option(source.clone()),
            || {
                assert_eq!(peer.option(|options| options.source_address.clone()), "");
            },
        );
        run.plain("close", || peer.close());
        // Looking for the address would make the last socket that is asked for its options.
        let none = SocketOption::SourceAddress(String::new());
        run.call("no source_address", || peer.set_option(none.clone()));
        // The others are set again at the next open, except for those that are refused then.
        run.call_or("bind", || peer.bind(0, address, 0), || assert!(!peer.is_open()));
        let refused: Vec<&'static str> = {
            let refusals = peer.take_refusals();
            for refusal in &refusals {
                run.note(&refusal.error);
            }
            refusals.iter().map(|refusal| refusal.option).collect()
        };
        for (option, _, level, name, value) in values.iter().filter(|_| is_v4) {
            if !refused.contains(&option.name()) {
                assert_eq!(option_of_socket(*level, *name), *value, "{option} after the next open");
            }
        }
        run.plain("close", || peer.close());
        for (_, default, ..) in &values {
            run.call(default, || peer.set_option(default.clone()));
        }
        let none = SocketOption::MulticastInterface(String::new());
        run.call("no multicast_interface", || peer.set_option(none.clone()));
        run.call("broadcast", || peer.set_broadcast(false));
        run.call("receive_buffer_size", || peer.set_receive_buffer_size(0));
        run.call("send_buffer_size", || peer.set_send_buffer_size(0));
    })
}

fn groups(is_v6: bool) -> Play {
    let peer = Peer::new();
    let (wildcard, group, local) =
        if is_v6 { ("::", "ff12::7777", "::1") } else { ("0.0.0.0", "239.255.77.1", "127.0.0.1") };
    let other = Other::new(local);
    let socket = socket2::SockRef::from(&other.0);
    if is_v6 {
        socket.set_multicast_if_v6(1).unwrap();
    } else {
        socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
    }
    Box::new(move |run| {
        let witness = Arc::clone(&peer);
        run.watch(move || witness.last_error());
        let port = open(run, &peer, wildcard, false);
        let to_group = SocketAddr::new(group.parse().unwrap(), port);
        let to_peer = SocketAddr::new(local.parse().unwrap(), port);
        run.call("join_group", || peer.join_group(group, "lo"));
        // Loopback has no route for multicasts over IPv6.
        if !is_v6 {
            receive(run, &peer, &other, to_group, 3);
        }
        run.call("leave_group", || peer.leave_group(group, "lo"));
        // A socket that the system did not let refuse the groups of others hears those that another program has joined.
        let hears_others = inject::fired().is_some_and(|fired| fired.call == libc::SYS_setsockopt);
        if !is_v6 && !hears_others {
            other.send(b"to a group that was left", to_group);
        }
        receive(run, &peer, &other, to_peer, 3);
        run.call("join_group again", || peer.join_group(group, "lo"));
        if !is_v6 {
            receive(run, &peer, &other, to_group, 3);
        }
        run.plain("close", || peer.close());
    })
}

fn server(address: &'static str, background: bool) -> Play {
    let server = Arc::new(Server::default());
    let clients = [(); 3].map(|()| Other::new("127.0.0.1"));
    Box::new(move |run| {
        let witness = Arc::clone(&server);
        run.watch(move || witness.last_error());
        clients.iter().for_each(Other::drain);
        run.call("set_background_receive", || server.set_background_receive(background));
        run.call_or(
            "listen",
            || server.listen(0, address),
            || {
                assert!(!server.is_listening(), "listens after a failure");
                assert_eq!(server.local_addr(), None);
            },
        );
        assert!(server.is_listening());
        for refusal in server.take_refusals() {
            run.note(&refusal.error);
        }
        if background {
            run.call("set_background_receive again", || server.set_background_receive(true));
        }
        let local = address_of(run, || server.local_addr());
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, local.port()));
        let mut peers: Vec<Arc<Peer>> = Vec::new();
        for (number, client) in clients.iter().enumerate() {
            client.send(&[7; 20], to);
            run.until("a peer is accepted", || {
                packet_peer_udp_core::begin_frame();
                server.poll().expect("it listens");
                peers.extend(server.accept());
                peers.len() > number
            });
            let witness = Arc::clone(&peers[number]);
            run.watch(move || witness.last_error());
            assert_eq!(run.plain("take", || take(&peers[number])).unwrap(), [7; 20]);
        }
        for (client, peer) in clients.iter().zip(&peers) {
            for packet in numbered(10) {
                client.send(&packet, to);
            }
            run.until("packets of a peer", || {
                server.poll().expect("it listens");
                peer.available() >= Some(10)
            });
            let got: Vec<_> = run.plain("take", || std::iter::from_fn(|| take(peer)).collect());
            assert_eq!(got, numbered(10));
            run.call("answer", || peer.send(b"answer"));
            assert_eq!(client.next(), (b"answer".to_vec(), to));
        }
        let packets = numbered(5);
        let mut sent = 0;
        while sent < packets.len() {
            let rest: Vec<&[u8]> = packets[sent..].iter().map(Vec::as_slice).collect();
            sent += partial(run, "send_many", rest.len(), || peers[0].send_many(&rest));
        }
        for packet in &packets {
            assert_eq!(clients[0].next().0, *packet);
        }
        to_all(run, &server, &peers, &clients);
        waits(run, &peers[0], &clients[0], to);
        run.plain("a short timeout", || server.set_peer_timeout_msec(3));
        run.until("all are idle", || {
            server.poll().expect("it listens");
            server.peers() == 0
        });
        run.plain("no timeout", || server.set_peer_timeout_msec(0));
        assert!(peers.iter().all(|peer| !peer.is_open()));
        clients[0].send(b"again", to);
        let mut again = None;
        run.until("a new peer is accepted", || {
            packet_peer_udp_core::begin_frame();
            server.poll().expect("it listens");
            again = server.accept();
            again.is_some()
        });
        run.plain("stop", || server.stop());
        assert!(!server.is_listening() && !again.unwrap().is_open());
        clients.iter().for_each(Other::assert_empty);
    })
}

/// Sends to all peers at once. A copy that was refused is sent again; no other is.
fn to_all(run: &mut Run, server: &Server, peers: &[Arc<Peer>], clients: &[Other]) {
    let refs: Vec<&Peer> = peers.iter().map(|peer| &**peer).collect();
    let before: Vec<u64> = peers.iter().map(|peer| peer.stats().packets_sent).collect();
    let sent = partial(run, "send_to_peers", refs.len(), || server.send_to_peers(&refs, b"to all"));
    inject::lift();
    let mut copies = 0;
    for ((peer, client), before) in peers.iter().zip(clients).zip(before) {
        if peer.stats().packets_sent == before {
            run.call("send", || peer.send(b"to all"));
        } else {
            copies += 1;
        }
        assert_eq!(client.next().0, b"to all");
        client.assert_empty();
    }
    assert_eq!(sent, copies, "as many as the peers have counted");
}

fn late() -> Arc<SharedConditions> {
    SharedConditions::new(Conditions { latency_msec: 1.0, ..Conditions::default() })
}

fn delayed(background: bool) -> Play {
    let peer = Peer::new();
    let other = Other::new("127.0.0.1");
    Box::new(move |run| {
        let witness = Arc::clone(&peer);
        run.watch(move || witness.last_error());
        other.drain();
        run.plain("conditions", || {
            peer.set_send_conditions(Some(late()));
            peer.set_receive_conditions(Some(late()));
        });
        let port = open(run, &peer, "127.0.0.1", background);
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        receive(run, &peer, &other, to, 3);
        receive(run, &peer, &other, to, 12);
        run.call("set_destination", || peer.set_destination("127.0.0.1", other.port()));
        for count in [1, 12] {
            // What the system refuses when it is due is counted.
            let before = peer.stats().send_errors;
            let packets = numbered(count);
            if count == 1 {
                run.call("send", || peer.send(&packets[0]));
            } else {
                let refs: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
                assert_eq!(run.call("send_many", || peer.send_many(&refs)), 12);
            }
            let mut got = Vec::new();
            run.until("what was held back arrives", || {
                got.extend(other.try_next().map(|(packet, _)| packet));
                let refused = usize::try_from(peer.stats().send_errors - before).unwrap();
                got.len() + refused >= packets.len()
            });
            let mut expected = packets.iter();
            assert!(got.iter().all(|packet| expected.any(|one| one == packet)), "in order, each once: {got:?}");
        }
        waits(run, &peer, &other, to);
        run.plain("close", || peer.close());
        assert_eq!(peer.stats().conditions.waiting, 0);
    })
}

fn relay(with_conditions: bool) -> Play {
    let proxy = Arc::new(Proxy::default());
    let target = Other::new("127.0.0.1");
    let clients = [(); 2].map(|()| Other::new("127.0.0.1"));
    Box::new(move |run| {
        let witness = Arc::clone(&proxy);
        run.watch(move || witness.last_error());
        target.drain();
        clients.iter().for_each(Other::drain);
        proxy.reset_stats();
        let conditions = with_conditions.then(late);
        run.plain("conditions", || {
            proxy.set_to_target_conditions(conditions.clone());
            proxy.set_to_client_conditions(conditions.clone());
        });
        run.call_or(
            "start",
            || proxy.start("127.0.0.1", target.nonzero_port(), 0, "127.0.0.1"),
            || {
                assert!(!proxy.is_running(), "runs after a failure");
                assert_eq!(proxy.local_addr(), None);
            },
        );
        let local = address_of(run, || proxy.local_addr());
        let to = local;
        for client in &clients {
            relayed(run, &proxy, client, to, &target);
        }
        assert_eq!(proxy.clients(), 2);
        run.plain("a short timeout", || proxy.set_client_timeout_msec(3));
        run.until("the clients are forgotten", || proxy.clients() == 0);
        run.plain("no timeout", || proxy.set_client_timeout_msec(0));
        relayed(run, &proxy, &clients[0], to, &target);
        run.plain("stop", || proxy.stop());
        assert!(!proxy.is_running());
        for way in [proxy.stats().to_target, proxy.stats().to_client] {
            let gone = way.packets_out + way.lost + way.dropped + way.waiting;
            assert_eq!(way.packets_in + way.duplicated, gone, "every packet is accounted for: {way:?}");
        }
    })
}

/// Has packets go to the target and back. One that the relay has dropped, and counted as that, is sent again.
fn relayed(run: &mut Run, proxy: &Proxy, client: &Other, to: SocketAddr, target: &Other) {
    for number in 0..2_u8 {
        let dropped = |proxy: &Proxy| {
            let stats = proxy.stats();
            stats.to_target.dropped + stats.to_client.dropped
        };
        let mut before = dropped(proxy);
        client.send(&[number], to);
        let mut back = None;
        run.until("a packet goes to the target and back", || {
            if dropped(proxy) > before {
                before = dropped(proxy);
                inject::lift();
                client.send(&[number], to);
            }
            if let Some((packet, from)) = target.try_next() {
                target.send(&packet, from);
            }
            back = client.try_next();
            back.is_some()
        });
        assert_eq!(back.unwrap(), (vec![number], to));
        client.assert_empty();
    }
}

//! Machines with several addresses: which one a packet was sent to, and which one datagrams leave from. All of 127.0.0.0/8 is this
//! machine. What needs other addresses is tested in a network namespace: `scripts/namespace_tests.sh`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::Arc;

#[macro_use]
mod common;

use common::{Family, LONG, Setup, accept, bound, eventually, has_ipv6, next, nonzero, port, server_port, size};
use packet_peer_udp_core::{Operation, PacketMeta, Peer, Reason, Server, SocketOption, interface_text};

/// Addresses of this machine. macOS has only the first of IPv4.
const IPV4: &[&str] =
    if cfg!(target_vendor = "apple") { &["127.0.0.1"] } else { &["127.0.0.1", "127.0.0.2", "127.3.2.1"] };
const IPV6: &[&str] = &["::1"];

/// Wildcard addresses, each with addresses that reach a socket that is bound to it.
fn wildcards() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut all = vec![("0.0.0.0", IPV4.to_vec()), ("*", IPV4.to_vec())];
    if has_ipv6() {
        all.extend([("*", IPV6.to_vec()), ("::", IPV6.to_vec())]);
    }
    all
}

/// Makes a test for each mode of a body that goes through the families itself.
macro_rules! polled_and_in_background {
    ($body:ident) => {
        mod $body {
            #[test]
            fn polled() {
                super::$body(false);
            }

            #[test]
            fn background() {
                super::$body(true);
            }
        }
    };
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Whether the system sends from the address that it is asked to; Wine 10 does not.
fn sends_from_any() -> bool {
    let sender = Peer::new();
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(LONG)).unwrap();
    sender.set_option(SocketOption::SourceAddress("127.0.0.2".to_owned())).unwrap();
    sender.send_to(b"x", "127.0.0.1", receiver.local_addr().unwrap().port()).unwrap();
    let from = receiver.recv_from(&mut [0; 9]).unwrap().1.ip();
    let sends = from == ip("127.0.0.2");
    assert!(sends || cfg!(windows), "sent from {from}");
    if !sends {
        eprintln!("not tested: this system ignores the source");
    }
    sends
}

fn has_several() -> bool {
    IPV4.len() > 1 && sends_from_any()
}

/// Takes `count` packets, in one of three ways; their metadata.
fn take_in_turn(peer: &Peer, count: usize, way: usize) -> Vec<PacketMeta> {
    eventually("the packets arrive", || peer.available() == Some(count));
    let mut metas = Vec::new();
    match way % 3 {
        0 => {
            for _ in 0..count {
                assert!(peer.take().unwrap().is_some());
                metas.extend(peer.last_taken());
            }
        }
        1 => {
            let mut buffer = Vec::with_capacity(64);
            for _ in 0..count {
                assert!(peer.take_or_copy(&mut buffer).unwrap().is_some());
                metas.extend(peer.last_taken());
            }
        }
        _ => {
            let mut drain = peer.take_many(None).unwrap();
            while drain.next().is_some() {}
            drop(drain);
            metas = peer.batch().to_vec();
        }
    }
    assert_eq!(metas.len(), count);
    metas
}

polled_and_in_background!(a_packet_tells_the_address_that_it_was_sent_to);
fn a_packet_tells_the_address_that_it_was_sent_to(in_background: bool) {
    let sender = UdpSocket::bind("0.0.0.0:0").unwrap();
    let sender_v6 = has_ipv6().then(|| UdpSocket::bind("[::]:0").unwrap());
    for (bind, reached) in wildcards() {
        let receiver = Peer::new();
        receiver.set_background_receive(in_background).unwrap();
        receiver.bind(0, bind, 0).unwrap();
        let send = |to: IpAddr| {
            let sender = if to.is_ipv4() { &sender } else { sender_v6.as_ref().unwrap() };
            sender.send_to(b"packet", (to, port(&receiver))).unwrap();
        };
        for way in 0..6 {
            let is_told = way < 3;
            receiver.set_option(SocketOption::PacketInfo(is_told)).unwrap();
            if way == 2 {
                // Every open asks again.
                receiver.close();
                receiver.bind(0, bind, 0).unwrap();
                assert!(receiver.option(|options| options.packet_info) && receiver.take_refusals().is_empty());
            }
            // Two in a row, so that some of the same address and some of another follow each other.
            for to in &reached {
                send(ip(to));
                send(ip(to));
            }
            let metas = take_in_turn(&receiver, 2 * reached.len(), way);
            for (index, meta) in metas.iter().enumerate() {
                let expected = is_told.then(|| SocketAddr::new(ip(reached[index / 2]), 0));
                assert_eq!(meta.local(), expected, "{bind} {way}");
                assert_eq!(meta.interface().is_some(), is_told);
                let written = meta.interface().map(interface_text);
                assert!(written.is_none_or(|text| !cfg!(target_os = "linux") || text == "lo"));
            }
        }
    }
}

for_own_sockets!(packets_queued_while_packet_info_is_switched_keep_what_they_have);
fn packets_queued_while_packet_info_is_switched_keep_what_they_have(setup: Setup) {
    let receiver = setup.receiver(0);
    let sender = common::sender_to(&receiver, setup.family.reach);
    for told in [false, true, false, true] {
        receiver.set_option(SocketOption::PacketInfo(told)).unwrap();
        let queued = receiver.available().unwrap();
        sender.send(b"packet").unwrap();
        sender.send(b"packet").unwrap();
        eventually("both are queued", || receiver.available() == Some(queued + 2));
    }
    let locals: Vec<_> = take_in_turn(&receiver, 8, 2).iter().map(PacketMeta::local).collect();
    let told = Some(SocketAddr::new(ip(setup.family.reach), 0));
    assert_eq!(locals, [None, None, told, told, None, None, told, told]);
}

/// A client that hears only the address that it has sent to.
fn connected_client(server: &Server, address: &str) -> UdpSocket {
    let client =
        UdpSocket::bind(SocketAddr::new(if address.contains(':') { ip("::") } else { ip("0.0.0.0") }, 0)).unwrap();
    client.set_read_timeout(Some(LONG)).unwrap();
    client.connect((address, server_port(server))).unwrap();
    client
}

/// Sends in each of three ways.
fn answer(peer: &Peer) {
    peer.send(b"one").unwrap();
    assert_eq!(peer.send_many(&[b"two", b"three"]).unwrap(), 2);
    assert_eq!(peer.send_segmented(b"four4five5", size(5)).unwrap(), 2);
}

fn expect_answers(client: &UdpSocket) {
    let mut buffer = [0; 16];
    for expected in ["one", "two", "three", "four4", "five5"] {
        let length = client.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], expected.as_bytes());
    }
}

polled_and_in_background!(a_server_answers_from_the_address_that_was_asked);
fn a_server_answers_from_the_address_that_was_asked(in_background: bool) {
    if !has_several() {
        return;
    }
    for (bind, reached) in wildcards() {
        let server = Server::default();
        server.set_background_receive(in_background).unwrap();
        server.listen(0, bind).unwrap();
        let mut joined = Vec::new();
        for address in reached {
            let client = connected_client(&server, address);
            client.send(b"hello").unwrap();
            let peer = accept(&server);
            assert_eq!(next(&peer), b"hello");
            // A server's peers are asked nothing about addresses.
            assert_eq!(peer.last_taken().unwrap().local(), None);
            joined.push((client, peer));
        }
        for (client, peer) in &joined {
            answer(peer);
            expect_answers(client);
            assert_eq!(peer.stats().send_errors, 0);
        }
        let peers: Vec<&Peer> = joined.iter().map(|(_, peer)| &**peer).collect();
        assert_eq!(server.send_to_peers(&peers, b"state").unwrap(), joined.len());
        for (client, _) in &joined {
            let mut buffer = [0; 16];
            let length = client.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"state");
        }
    }
}

polled_and_in_background!(an_answer_leaves_from_where_the_latest_packet_was_sent_to);
fn an_answer_leaves_from_where_the_latest_packet_was_sent_to(in_background: bool) {
    if !has_several() {
        return;
    }
    let server = Server::default();
    server.set_background_receive(in_background).unwrap();
    server.listen(0, "*").unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(LONG)).unwrap();
    let mut peer: Option<Arc<Peer>> = None;
    for address in ["127.0.0.2", "127.3.2.1", "127.0.0.1", "127.0.0.2"] {
        client.send_to(b"hello", (address, server_port(&server))).unwrap();
        let peer = peer.get_or_insert_with(|| accept(&server));
        assert_eq!(next(peer), b"hello");
        peer.send(b"answer").unwrap();
        let (_, from) = client.recv_from(&mut [0; 16]).unwrap();
        assert_eq!(from, SocketAddr::new(ip(address), server_port(&server)));
    }
}

/// The addresses that the five datagrams of [`answer`] and one of `send_to` come from.
fn sources(peer: &Peer, receiver: &UdpSocket) -> Vec<IpAddr> {
    answer(peer);
    let to = receiver.local_addr().unwrap();
    peer.send_to(b"six", &to.ip().to_string(), to.port()).unwrap();
    (0..6).map(|_| receiver.recv_from(&mut [0; 16]).unwrap().1.ip()).collect()
}

#[test]
fn datagrams_leave_from_the_source_address() {
    if !has_several() {
        return;
    }
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(LONG)).unwrap();
    let set = |peer: &Peer, address: &str| peer.set_option(SocketOption::SourceAddress(address.to_owned()));
    for bind in [Some("*"), Some("0.0.0.0"), None] {
        let peer = Peer::new();
        for address in ["127.3.2.1", "127.0.0.2", "", "::1"] {
            if address == "::1" && !has_ipv6() {
                continue;
            }
            set(&peer, address).unwrap();
            if !peer.is_open() {
                bind.map_or(Ok(()), |bind| peer.bind(0, bind, 0)).unwrap();
                peer.set_destination("127.0.0.1", receiver.local_addr().unwrap().port()).unwrap();
            }
            // The routing table decides, also where the address is of the other family.
            let expected = if address.len() > 3 { address } else { "127.0.0.1" };
            assert_eq!(sources(&peer, &receiver), [ip(expected); 6], "{bind:?} {address}");
        }
        set(&peer, "127.0.0.2").unwrap();
        peer.close();
        assert_eq!(peer.option(|options| options.source_address.clone()), "127.0.0.2");
        bind.map_or(Ok(()), |bind| peer.bind(0, bind, 0)).unwrap();
        assert_eq!(sources(&peer, &receiver), [ip("127.0.0.2"); 6], "{bind:?}");
        assert!(peer.take_refusals().is_empty());
    }
    // Bound to one address: that is the source.
    let peer = bound("127.0.0.1");
    set(&peer, "127.0.0.2").unwrap();
    peer.set_destination("127.0.0.1", receiver.local_addr().unwrap().port()).unwrap();
    assert_eq!(sources(&peer, &receiver), [ip("127.0.0.1"); 6]);
    // Connected: what the system has chosen then.
    let peer = Peer::new();
    set(&peer, "127.0.0.2").unwrap();
    peer.connect("127.0.0.1", nonzero(receiver.local_addr().unwrap().port())).unwrap();
    answer(&peer);
    assert_eq!(receiver.recv_from(&mut [0; 16]).unwrap().1.ip(), ip("127.0.0.1"));
}

for_families!(a_source_that_is_no_address_of_this_machine_is_refused);
fn a_source_that_is_no_address_of_this_machine_is_refused(family: Family) {
    for peer in [bound(family.bind), Peer::new()] {
        peer.set_option(SocketOption::SourceAddress("127.0.0.1".to_owned())).unwrap();
        let set = |text: &str| {
            let error = peer.set_option(SocketOption::SourceAddress(text.to_owned())).unwrap_err();
            assert_eq!(error.operation, Operation::SetOption);
            assert_eq!(peer.option(|options| options.source_address.clone()), "127.0.0.1");
            error.reason
        };
        for text in ["*", "localhost", "127.0.0", " 127.0.0.1", "127.0.0.1:7"] {
            assert!(matches!(set(text), Reason::InvalidAddress), "{text:?}");
        }
        // RFC 5737: an address of nobody. The others are of no interface.
        for text in ["192.0.2.7", "0.0.0.0", "239.1.2.3", "255.255.255.255"] {
            assert!(matches!(set(text), Reason::NoSuchAddress), "{text:?}");
        }
        if has_ipv6() {
            assert!(matches!(set("2001:db8::7"), Reason::NoSuchAddress));
        }
    }
}

for_servers!(the_peers_of_a_server_refuse_both_options);
fn the_peers_of_a_server_refuse_both_options(setup: Setup) {
    let pair = setup.pair();
    for option in [SocketOption::PacketInfo(true), SocketOption::SourceAddress(setup.family.reach.to_owned())] {
        let error = pair.receiver.set_option(option).unwrap_err();
        assert!(matches!(error.reason, Reason::Accepted));
    }
}

fn run(command: &str) {
    let mut words = command.split_whitespace();
    assert!(Command::new(words.next().unwrap()).args(words).status().unwrap().success(), "{command}");
}

/// Only in a network namespace: adds addresses to the loopback interface and removes them.
#[test]
#[ignore = "needs a network of its own, see scripts/namespace_tests.sh"]
fn what_is_sent_after_an_address_is_gone() {
    for (address, other, bits) in [("10.77.9.1", "10.77.9.2", 32), ("fd77::1", "fd77::2", 128)] {
        let change = |what: &str, ip: &str| run(&format!("ip address {what} {ip}/{bits} dev lo"));
        for ip in [address, other] {
            change("add", ip);
        }
        eventually("the addresses can be used", || UdpSocket::bind((other, 0)).is_ok());
        let server = Server::default();
        server.listen(0, "*").unwrap();
        let client = UdpSocket::bind((address, 0)).unwrap();
        client.set_read_timeout(Some(LONG)).unwrap();
        client.send_to(b"hello", (other, server_port(&server))).unwrap();
        let peer = accept(&server);
        assert_eq!(next(&peer), b"hello");
        let from = || client.recv_from(&mut [0; 16]).unwrap().1.ip();
        peer.send(b"answer").unwrap();
        assert_eq!(from(), ip(other));
        // A peer with a source of its own, which is not replaced.
        let chosen = Peer::new();
        chosen.set_option(SocketOption::SourceAddress(other.to_owned())).unwrap();
        let to = client.local_addr().unwrap();
        chosen.send_to(b"chosen", &to.ip().to_string(), to.port()).unwrap();
        assert_eq!(from(), ip(other));

        change("del", other);
        answer(&peer);
        let gone: Vec<_> = (0..5).map(|_| from()).collect();
        assert!(gone.iter().all(|ip| *ip != self::ip(other)), "{gone:?}");
        assert_eq!(peer.stats().send_errors, 0);
        let error = chosen.send_to(b"chosen", &to.ip().to_string(), to.port()).unwrap_err();
        assert!(matches!(error.reason, Reason::NoSuchAddress), "{error}");

        change("add", other);
        eventually("the address can be used", || UdpSocket::bind((other, 0)).is_ok());
        chosen.send_to(b"chosen", &to.ip().to_string(), to.port()).unwrap();
        assert_eq!(from(), ip(other));
        for ip in [address, other] {
            change("del", ip);
        }
    }
}

/// Only in a network namespace whose interface `near` has the IPv6 addresses `fd77:1::1` and `fd77:1::2`, and a link-local one.
#[test]
#[ignore = "needs a network of its own, see scripts/namespace_tests.sh"]
fn a_server_answers_from_each_ipv6_address() {
    let output =
        Command::new("ip").args(["-6", "-o", "address", "show", "dev", "near", "scope", "link"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let link_local = text.split_whitespace().find_map(|word| word.strip_suffix("/64")).unwrap();
    let index: u32 = text.split(':').next().unwrap().parse().unwrap();
    let server = Server::default();
    server.listen(0, "*").unwrap();
    for (address, scope) in [("fd77:1::1", 0), ("fd77:1::2", 0), (link_local, index)] {
        let to = std::net::SocketAddrV6::new(address.parse().unwrap(), server_port(&server), 0, scope);
        let client = UdpSocket::bind("[::]:0").unwrap();
        client.set_read_timeout(Some(LONG)).unwrap();
        client.connect(to).unwrap();
        client.send(b"hello").unwrap();
        let peer = accept(&server);
        assert_eq!(next(&peer), b"hello");
        answer(&peer);
        expect_answers(&client);

        let receiver = Peer::new();
        receiver.set_option(SocketOption::PacketInfo(true)).unwrap();
        receiver.bind(0, "*", 0).unwrap();
        client.connect(std::net::SocketAddrV6::new(*to.ip(), port(&receiver), 0, scope)).unwrap();
        client.send(b"packet").unwrap();
        assert_eq!(next(&receiver), b"packet");
        let local = receiver.last_taken().unwrap().local();
        assert_eq!(local, Some(std::net::SocketAddrV6::new(*to.ip(), 0, 0, scope).into()));
    }
}

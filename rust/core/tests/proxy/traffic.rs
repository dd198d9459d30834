//! Packets through a relay without conditions: all of them, whole, in order, and back to the client that asked.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::thread;

use packet_peer_udp_core::{Peer, Proxy};

use super::fixture::{Relayed, balanced, port, receive, socket};
use crate::common::traffic::stream;
use crate::common::{Family, Kind, Mode, Pair, Setup, eventually, has_ipv6, next, nonzero, size};

/// What a relay listens on, how its clients reach it, and where the target is.
const WAYS: [(&str, &str, &str); 8] = [
    ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
    ("::1", "::1", "::1"),
    ("127.0.0.1", "127.0.0.1", "::1"),
    ("::1", "::1", "127.0.0.1"),
    ("*", "127.0.0.1", "127.0.0.1"),
    ("*", "127.0.0.1", "::1"),
    ("*", "::1", "127.0.0.1"),
    ("*", "::1", "::1"),
];

#[test]
fn each_family_reaches_each_and_gets_its_answer_from_where_it_has_asked() {
    for (listen, reach, at) in WAYS {
        if (listen, reach, at) != WAYS[0] && !has_ipv6() {
            continue;
        }
        let (proxy, target) = (Proxy::default(), socket(at));
        proxy.start(at, port(&target), 0, listen).unwrap();
        let client = socket(reach);
        // A connected socket receives from nobody else.
        client.connect((reach, proxy.local_addr().unwrap().port())).unwrap();
        for length in [0, 1, 1_200, 60_000, 65_507] {
            let question = vec![length as u8; length];
            client.send(&question).unwrap();
            let (came, from) = receive(&target);
            assert_eq!(came, question);
            target.send_to(&came, from).unwrap();
            assert_eq!(receive(&client).0, question, "{listen}, {reach}, {at}");
        }
        eventually("all are counted", || proxy.stats().to_client.packets_out == 5);
        let stats = balanced(&proxy);
        for direction in [stats.to_target, stats.to_client] {
            assert_eq!((direction.packets_in, direction.packets_out), (5, 5));
            assert_eq!((direction.bytes_in, direction.bytes_out), (126_708, 126_708));
            assert_eq!(direction.dropped, 0);
        }
        assert_eq!((stats.refused, proxy.clients()), (0, 1));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn an_answer_leaves_from_the_address_asked() {
    let (proxy, target) = (Proxy::default(), socket("127.0.0.1"));
    proxy.start("127.0.0.1", port(&target), 0, "*").unwrap();
    for asked in ["127.0.0.2", "127.0.0.3"] {
        let client = socket("127.0.0.1");
        client.connect((asked, proxy.local_addr().unwrap().port())).unwrap();
        client.send(b"question").unwrap();
        let (_, from) = receive(&target);
        target.send_to(b"answer", from).unwrap();
        assert_eq!(receive(&client).0, b"answer");
    }
}

#[test]
fn a_name_is_resolved() {
    let (proxy, target) = (Proxy::default(), socket("127.0.0.1"));
    proxy.start("localhost", port(&target), 0, "127.0.0.1").unwrap();
    let client = socket("127.0.0.1");
    client.connect(proxy.local_addr().unwrap()).unwrap();
    client.send(b"x").unwrap();
    assert_eq!(receive(&target).0, b"x");
}

#[test]
fn clients_have_ports_of_their_own_and_get_their_own_answers() {
    let relayed = Relayed::new();
    let clients: Vec<_> = (0..20_u8).map(|_| relayed.client()).collect();
    let mut ports = HashSet::new();
    let mut questions = Vec::new();
    for (number, client) in (0_u8..).zip(&clients) {
        client.send(&[number]).unwrap();
        let (question, from) = receive(&relayed.target);
        assert_eq!(question, [number]);
        assert!(ports.insert(from.port()));
        questions.push((question, from));
    }
    assert_eq!(relayed.proxy.clients(), 20);
    for (question, from) in questions.iter().rev() {
        relayed.target.send_to(question, from).unwrap();
    }
    for (number, client) in (0_u8..).zip(&clients) {
        assert_eq!(receive(client).0, [number]);
        // Interleaved with the others, it keeps its port.
        client.send(&[number]).unwrap();
        assert_eq!(receive(&relayed.target).1, questions[usize::from(number)].1);
    }
}

/// A peer that sends through a relay, and the target.
fn through(proxy: &Proxy, family: Family, mode: Mode) -> Pair {
    let setup = Setup { family, mode, kind: Kind::Own };
    let receiver = setup.receiver(1 << 20);
    proxy.start(family.reach, nonzero(receiver.local_addr().unwrap().port()), 0, family.bind).unwrap();
    let sender = Peer::new();
    sender.set_destination(family.reach, proxy.local_addr().unwrap().port()).unwrap();
    Pair { sender, receiver, server: None, setup }
}

/// The other way round.
fn back(pair: Pair) -> Pair {
    pair.sender.send(b"hello").unwrap();
    assert_eq!(next(&pair.receiver), b"hello");
    let from: SocketAddr = pair.receiver.last_taken().unwrap().sender();
    pair.receiver.set_destination(&from.ip().to_string(), from.port()).unwrap();
    Pair { sender: pair.receiver, receiver: pair.sender, ..pair }
}

for_families!(ten_thousand_packets_come_whole_and_in_order);
fn ten_thousand_packets_come_whole_and_in_order(family: Family) {
    let proxy = Proxy::default();
    let pair = through(&proxy, family, Mode::Polled);
    stream(&pair, 10_000, None);
    let pair = back(pair);
    stream(&pair, 10_000, None);
    eventually("all are counted", || proxy.stats().to_client.packets_out == 10_000);
    let stats = balanced(&proxy);
    assert_eq!((stats.to_target.packets_in, stats.to_target.packets_out), (10_001, 10_001));
    assert_eq!((stats.to_client.packets_in, stats.to_client.packets_out), (10_000, 10_000));
}

for_families!(segmented_bursts_come_in_their_pieces);
fn segmented_bursts_come_in_their_pieces(family: Family) {
    let proxy = Proxy::default();
    let mut pair = through(&proxy, family, Mode::Polled);
    for _ in 0..2 {
        for round in 0..100_usize {
            let segment = 1 + round * 37 % 1_400;
            let count = 1 + round % 64;
            // The last is shorter.
            let length = (segment * count).min(60_000) - usize::from(segment > 1);
            let data: Vec<u8> = (0..length).map(|index| (index * 31 + round) as u8).collect();
            let pieces: Vec<_> = data.chunks(segment).collect();
            // Between others, which stay in their places.
            pair.sender.send(b"before").unwrap();
            assert_eq!(pair.sender.send_segmented(&data, size(segment)).unwrap(), pieces.len());
            pair.sender.send(b"after").unwrap();
            assert_eq!(next(&pair.receiver), b"before");
            for piece in pieces {
                assert!(next(&pair.receiver) == piece, "round {round}");
            }
            assert_eq!(next(&pair.receiver), b"after");
        }
        pair = back(pair);
    }
    eventually("all are counted", || {
        let stats = proxy.stats();
        stats.to_client.packets_in == stats.to_client.packets_out && stats.to_client.packets_in > 0
    });
    assert_eq!(balanced(&proxy).to_client.dropped, 0);
}

#[test]
fn streams_of_several_clients_do_not_mix() {
    let relayed = Relayed::new();
    let clients: Vec<_> = (0..5).map(|_| relayed.greeted()).collect();
    thread::scope(|scope| {
        for (client, _) in &clients {
            scope.spawn(|| {
                for number in 0..500_u32 {
                    client.send(&number.to_le_bytes()).unwrap();
                    assert_eq!(receive(client).0, number.to_le_bytes());
                }
            });
        }
        for _ in 0..clients.len() * 500 {
            let (packet, from) = receive(&relayed.target);
            relayed.target.send_to(&packet, from).unwrap();
        }
    });
    assert_eq!(relayed.proxy.clients(), clients.len());
}

//! Which address a datagram was sent to, and which one it leaves from.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::AtomicUsize;
use std::thread;
use std::time::Instant;

use super::{TIMEOUT, bytes, modes, socket};
use crate::sys::{
    Arena, Arrival, IoMode, Payloads, SLOTS, Sent, Source, Target, is_source_gone, prepare_io_mode, receive_arrival,
    send_batch, send_from, send_to_each,
};

/// Addresses of this machine. macOS has only the first on its loopback interface.
const ADDRESSES: &[&str] =
    if cfg!(target_vendor = "apple") { &["127.0.0.1", "::1"] } else { &["127.0.0.1", "127.0.0.2", "127.3.2.1", "::1"] };

fn addresses() -> impl Iterator<Item = IpAddr> {
    ADDRESSES.iter().map(|text| text.parse().unwrap())
}

/// A socket on a wildcard address that receives from `ip`, with and without the other address family.
fn wildcards(ip: IpAddr, mode: IoMode) -> Vec<UdpSocket> {
    let dual: IpAddr = Ipv6Addr::UNSPECIFIED.into();
    let own = if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { dual };
    let sockets = [own, dual].map(socket);
    for socket in &sockets {
        assert_eq!(prepare_io_mode(socket, mode), mode);
    }
    sockets.into()
}

fn reach(ip: IpAddr, socket: &UdpSocket) -> SocketAddr {
    SocketAddr::new(ip, socket.local_addr().unwrap().port())
}

/// The address in the form that `socket` sends to.
fn fitted(to: SocketAddr, socket: &UdpSocket) -> SocketAddr {
    match to.ip() {
        IpAddr::V4(ip) if socket.local_addr().unwrap().is_ipv6() => {
            SocketAddr::new(ip.to_ipv6_mapped().into(), to.port())
        }
        _ => to,
    }
}

/// The next messages: payload, sender and arrival of each.
fn next(
    arena: &mut Arena,
    socket: &UdpSocket,
    mode: IoMode,
    told: bool,
) -> Vec<(Vec<u8>, SocketAddr, Option<Arrival>)> {
    let deadline = Instant::now() + TIMEOUT;
    let count = loop {
        match arena.receive(socket, mode, SLOTS, told) {
            Ok(count) => break count,
            Err(error) => assert!(error.kind() == io::ErrorKind::WouldBlock, "{error}"),
        }
        assert!(Instant::now() < deadline, "no message arrives");
        thread::yield_now();
    };
    let message = |index| {
        let message = arena.message(index);
        let sender = SocketAddr::new(message.sender.ip().to_canonical(), message.sender.port());
        (message.bytes.to_vec(), sender, arena.arrival(index))
    };
    (0..count).map(message).collect()
}

/// Whether the system has the control messages of `WSASendMsg`; Wine 10 ignores them. If not, says so.
fn sends_from() -> bool {
    let sender = socket(Ipv4Addr::UNSPECIFIED.into());
    let receiver = socket(Ipv4Addr::LOCALHOST.into());
    let gone = Source { ip: Some(Ipv4Addr::new(192, 0, 2, 7).into()), interface: 0 };
    let ignores = cfg!(windows) && send_from(&sender, b"x", receiver.local_addr().unwrap(), gone).is_ok();
    if ignores {
        eprintln!("not tested: this system ignores the source");
    }
    !ignores
}

#[test]
fn a_message_tells_the_address_that_it_was_sent_to() {
    let mut arena = Arena::new();
    for mode in modes() {
        for ip in addresses() {
            for receiver in wildcards(ip, mode) {
                let sender = socket(if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { ip });
                for told in [false, true, false] {
                    receive_arrival(&receiver, told).unwrap();
                    sender.send_to(b"packet", reach(ip, &receiver)).unwrap();
                    let (_, _, arrival) = next(&mut arena, &receiver, mode, told).remove(0);
                    if !told {
                        assert_eq!(arrival, None);
                        continue;
                    }
                    let arrival = arrival.unwrap();
                    assert_eq!((arrival.destination, arrival.source), (ip, Some(ip)), "{mode:?} {receiver:?}");
                    assert_ne!(arrival.interface, 0);
                    assert_eq!(arrival.answer(), Some(Source { ip: Some(ip), interface: 0 }));
                }
            }
        }
    }
}

/// Sends in every way from `ip` to `to`; how many datagrams.
fn send_in_every_way(sender: &UdpSocket, to: SocketAddr, ip: IpAddr, mode: IoMode) -> usize {
    let source = Source { ip: Some(ip), interface: 0 };
    let all = |sent: Sent, count: usize| {
        assert!(sent.error.is_none(), "{sent:?}");
        assert_eq!(sent.packets, count);
        count
    };
    let gso_limit = AtomicUsize::new(usize::MAX);
    let data = bytes(1_000);
    send_from(sender, b"one", to, source).unwrap();
    let each = Payloads::Each(&[b"two", b"", b"and", b"two", b"x"]);
    let targets = [Target { to, source: Some(source) }; 3];
    1 + all(send_batch(sender, Some(to), &each, 0, Some(source), mode, &gso_limit), 5)
        + all(
            send_batch(
                sender,
                Some(to),
                &Payloads::Segmented { data: &data, segment: 300 },
                0,
                Some(source),
                mode,
                &gso_limit,
            ),
            4,
        )
        + all(send_to_each(sender, b"copy", &targets, mode), 3)
}

#[test]
fn datagrams_leave_from_the_address_that_is_asked_for() {
    if !sends_from() {
        return;
    }
    let mut arena = Arena::new();
    for mode in modes() {
        for ip in addresses() {
            for sender in wildcards(ip, mode) {
                let receiver = socket(if ip.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { ip });
                let to = fitted(receiver.local_addr().unwrap(), &sender);
                let mut expected = send_in_every_way(&sender, to, ip, mode);
                while expected > 0 {
                    for (_, from, _) in next(&mut arena, &receiver, IoMode::Portable, false) {
                        assert_eq!(from, reach(ip, &sender), "{mode:?}");
                        expected -= 1;
                    }
                }
            }
        }
    }
}

#[test]
fn a_source_of_the_other_family_is_ignored() {
    for mode in modes() {
        let sender = socket(Ipv6Addr::UNSPECIFIED.into());
        let receiver = socket(Ipv6Addr::LOCALHOST.into());
        send_in_every_way(&sender, receiver.local_addr().unwrap(), Ipv4Addr::LOCALHOST.into(), mode);
        let receiver = socket(Ipv4Addr::LOCALHOST.into());
        let to = fitted(receiver.local_addr().unwrap(), &sender);
        send_in_every_way(&sender, to, Ipv6Addr::LOCALHOST.into(), mode);
    }
}

#[test]
fn a_source_that_this_machine_does_not_have_is_told_by_the_error() {
    if !sends_from() {
        return;
    }
    // Reserved for documentation (RFC 5737, RFC 3849).
    for (ip, gone) in [("127.0.0.1", "192.0.2.7"), ("::1", "2001:db8::7")] {
        for mode in modes() {
            for sender in wildcards(ip.parse().unwrap(), mode) {
                let receiver = socket(ip.parse().unwrap());
                let to = fitted(receiver.local_addr().unwrap(), &sender);
                let source = Source { ip: Some(gone.parse().unwrap()), interface: 0 };
                let error = send_from(&sender, b"x", to, source).unwrap_err();
                assert!(is_source_gone(&error), "{error}");
                let gso_limit = AtomicUsize::new(usize::MAX);
                let payloads = Payloads::Segmented { data: b"0123456789", segment: 3 };
                let sent = send_batch(&sender, Some(to), &payloads, 0, Some(source), mode, &gso_limit);
                assert_eq!(sent.packets, 0);
                assert!(is_source_gone(&sent.error.unwrap()));
                // Nothing was learnt about segmentation.
                let sent = send_batch(&sender, Some(to), &payloads, 0, None, mode, &gso_limit);
                assert!(sent.error.is_none() && sent.packets == 4);
                if mode == IoMode::Offload {
                    assert_eq!((gso_limit.into_inner(), sent.system_calls), (usize::MAX, 1));
                }
            }
        }
    }
}

#[test]
fn copies_go_to_each_target_until_one_is_refused() {
    let mut arena = Arena::new();
    for mode in modes() {
        let sender = socket(Ipv4Addr::UNSPECIFIED.into());
        let receivers: Vec<UdpSocket> = (0..150).map(|_| socket(Ipv4Addr::LOCALHOST.into())).collect();
        let mut targets: Vec<Target> =
            receivers.iter().map(|receiver| Target { to: receiver.local_addr().unwrap(), source: None }).collect();
        let sent = send_to_each(&sender, b"state", &targets, mode);
        assert!(sent.error.is_none());
        let calls = if mode == IoMode::Portable { 150 } else { 3 };
        assert_eq!((sent.packets, sent.system_calls), (150, calls));
        for receiver in &receivers {
            assert_eq!(next(&mut arena, receiver, IoMode::Portable, false)[0].0, b"state");
        }
        let gone = Source { ip: Some(Ipv4Addr::new(192, 0, 2, 7).into()), interface: 0 };
        if !sends_from() {
            return;
        }
        for refused in [0, 1, 64, 100] {
            targets[refused].source = Some(gone);
            let sent = send_to_each(&sender, b"state", &targets, mode);
            assert_eq!(sent.packets, refused);
            assert!(is_source_gone(&sent.error.unwrap()));
            let rest = send_to_each(&sender, b"state", &targets[refused + 1..], mode);
            assert_eq!((rest.packets, rest.error.is_none()), (149 - refused, true));
            targets[refused].source = None;
            for (_, receiver) in receivers.iter().enumerate().filter(|(index, _)| *index != refused) {
                assert_eq!(next(&mut arena, receiver, IoMode::Portable, false)[0].0, b"state");
            }
        }
        assert_eq!(send_to_each(&sender, b"state", &[], mode).system_calls, 0);
    }
}

#[test]
fn an_answer_leaves_from_a_unicast_address_only() {
    let at = |ip: &str| Arrival::at(ip.parse().unwrap(), 7).answer();
    let source = |ip: &str, interface| Some(Source { ip: Some(ip.parse().unwrap()), interface });
    assert_eq!(at("192.0.2.7"), source("192.0.2.7", 0));
    assert_eq!(at("::ffff:192.0.2.7"), source("192.0.2.7", 0));
    assert_eq!(at("2001:db8::7"), source("2001:db8::7", 0));
    // Two interfaces may have the same link-local address.
    assert_eq!(at("fe80::7"), source("fe80::7", 7));
    for group in ["239.1.2.3", "255.255.255.255", "0.0.0.0", "ff02::1", "::"] {
        assert_eq!(at(group), None, "{group}");
    }
}

//! Which peers of a server have packets queued, found without asking each.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

#[macro_use]
mod common;

use common::{SetOnDrop, Setup, accept, await_available, client, eventually, join, take};
use packet_peer_udp_core::{Peer, Server};

/// Longer than the resolution of arrival times.
fn later() {
    thread::sleep(Duration::from_millis(2));
}

fn is_same(ready: &[Arc<Peer>], expected: &[&Arc<Peer>]) -> bool {
    ready.len() == expected.len() && ready.iter().zip(expected).all(|(one, other)| Arc::ptr_eq(one, other))
}

/// Sends a packet to an accepted peer, and returns when it can be taken.
fn deliver(server: &Server, (client, peer): &(Arc<Peer>, Arc<Peer>)) {
    let queued = peer.available().unwrap();
    client.send(b"x").unwrap();
    await_available(server, peer, queued + 1);
    later();
}

for_servers!(peers_with_packets_are_ready_in_the_order_of_the_packets);
fn peers_with_packets_are_ready_in_the_order_of_the_packets(setup: Setup) {
    let server = setup.server();
    let pairs: Vec<_> = (0..4).map(|_| join(&server, setup.family)).collect();
    let [a, b, c, _] = [0, 1, 2, 3].map(|index| &pairs[index].1);
    assert!(server.ready_peers().is_empty(), "all is taken");
    for index in [2, 0, 2, 1] {
        deliver(&server, &pairs[index]);
    }
    assert!(is_same(&server.ready_peers(), &[c, a, b]));
    assert!(is_same(&server.ready_peers(), &[c, a, b]), "asking changes nothing");
    // What is left of this one came after the packet of another.
    take(c).unwrap();
    assert!(is_same(&server.ready_peers(), &[a, c, b]));
    take(c).unwrap();
    take(a).unwrap();
    assert!(is_same(&server.ready_peers(), &[b]));
    deliver(&server, &pairs[0]);
    assert!(is_same(&server.ready_peers(), &[b, a]));
    // Emptied and filled again without being asked for in between.
    take(b).unwrap();
    deliver(&server, &pairs[1]);
    assert!(is_same(&server.ready_peers(), &[a, b]));
    take(a).unwrap();
    take(b).unwrap();
    assert!(server.ready_peers().is_empty());
}

for_servers!(a_pending_peer_is_ready_once_it_is_accepted);
fn a_pending_peer_is_ready_once_it_is_accepted(setup: Setup) {
    let server = setup.server();
    let first = client(&server, setup.family);
    first.send(b"one").unwrap();
    eventually("a peer is pending", || server.poll().is_ok() && server.has_pending());
    assert!(server.ready_peers().is_empty(), "it is not accepted");
    let peer = server.accept().unwrap();
    assert!(is_same(&server.ready_peers(), &[&peer]));
    take(&peer).unwrap();
    let (_, second) = join(&server, setup.family);
    assert!(second.is_open() && server.ready_peers().is_empty());
}

for_servers!(a_peer_that_is_gone_is_not_ready);
fn a_peer_that_is_gone_is_not_ready(setup: Setup) {
    let server = setup.server();
    let mut pairs: Vec<_> = (0..4).map(|_| join(&server, setup.family)).collect();
    for pair in &pairs {
        deliver(&server, pair);
    }
    assert_eq!(server.ready_peers().len(), 4);
    pairs[1].1.close();
    let (client, dropped) = pairs.remove(2);
    drop(dropped);
    assert!(is_same(&server.ready_peers(), &[&pairs[0].1, &pairs[2].1]));
    // Its address is another peer now.
    client.send(b"again").unwrap();
    let successor = accept(&server);
    assert!(is_same(&server.ready_peers(), &[&pairs[0].1, &pairs[2].1, &successor]));
    server.stop();
    assert!(server.ready_peers().is_empty());
    server.listen(0, setup.family.bind).unwrap();
    let _new = join(&server, setup.family);
    assert!(server.ready_peers().is_empty());
}

for_servers!(no_packet_is_missed_while_peers_are_filled_and_emptied);
fn no_packet_is_missed_while_peers_are_filled_and_emptied(setup: Setup) {
    const PACKETS: usize = if cfg!(windows) { 100 } else { 1_000 };
    let server = setup.server();
    let pairs: Vec<_> = (0..8).map(|_| join(&server, setup.family)).collect();
    let clients: Vec<_> = pairs.iter().map(|(client, _)| Arc::clone(client)).collect();
    let pace = common::traffic::Pace::new(100);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _done = SetOnDrop(&done);
        scope.spawn(|| {
            for number in 0..PACKETS {
                pace.await_room(number);
                clients[number * 7 % 8].send(b"x").unwrap();
            }
        });
        if setup.is_background() {
            // Takes too, so that queues become empty at any moment.
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    pace.add(usize::from(take(&pairs[3].1).is_some()));
                    thread::yield_now();
                }
            });
        }
        eventually("all packets are taken from ready peers", || {
            server.poll().unwrap();
            for peer in server.ready_peers() {
                while take(&peer).is_some() {
                    pace.add(1);
                }
            }
            pace.received() == PACKETS
        });
    });
}

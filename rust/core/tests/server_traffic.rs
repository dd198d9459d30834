//! Many clients of one server at once: each peer gets the packets of its client, all of them, in order.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::cast_possible_truncation, reason = "small numbers")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

#[macro_use]
mod common;

use common::traffic::{Pace, repeat_until};
use common::{LONG, SetOnDrop, Setup, await_available, bound, join, server_port, size, take};
use packet_peer_udp_core::{Server, WaitEnd};

/// How many packets each client sends. (Windows' tests run under wine, where each takes longer.)
const MANY: usize = if cfg!(windows) { 50 } else { 500 };

/// Lets clients send numbered packets from a thread of their own, and checks that each peer gets its own, in order, until it has
/// them all; until then another thread repeats `meanwhile`.
fn check_traffic(server: &Server, setup: Setup, clients: usize, meanwhile: Option<&(dyn Fn() + Sync)>) {
    let pairs: Vec<_> = (0..clients).map(|_| join(server, setup.family)).collect();
    let pace = Pace::new(100);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _done = SetOnDrop(&done);
        scope.spawn(|| {
            for number in 0..MANY {
                for (index, (client, _)) in pairs.iter().enumerate() {
                    pace.await_room(number * clients + index);
                    client.send(&number.to_le_bytes()).unwrap();
                }
            }
        });
        if let Some(meanwhile) = meanwhile {
            let done = &done;
            scope.spawn(move || repeat_until(done, meanwhile));
        }
        let mut expected = vec![0_usize; clients];
        while expected.iter().any(|number| *number < MANY) {
            server.poll().unwrap();
            let before = pace.received();
            for (expected, (_, peer)) in expected.iter_mut().zip(&pairs) {
                while let Some(packet) = take(peer) {
                    assert_eq!(packet, expected.to_le_bytes());
                    *expected += 1;
                    pace.add(1);
                }
            }
            if pace.received() == before {
                // The first client whose packets are not complete sends more.
                let next = expected.iter().position(|number| *number < MANY).unwrap();
                assert_eq!(pairs[next].1.wait(Some(LONG)).unwrap(), WaitEnd::Ready, "{expected:?}");
            }
        }
    });
}

for_servers!(many_clients_are_told_apart_and_lose_nothing);
fn many_clients_are_told_apart_and_lose_nothing(setup: Setup) {
    check_traffic(&setup.server(), setup, 20, None);
}

for_servers!(switching_to_the_background_and_back_loses_and_reorders_nothing);
fn switching_to_the_background_and_back_loses_and_reorders_nothing(setup: Setup) {
    let server = setup.server();
    let on = AtomicBool::new(setup.is_background());
    let switches = AtomicUsize::new(0);
    let switch = || {
        server.set_background_receive(!on.fetch_xor(true, Ordering::Relaxed)).unwrap();
        switches.fetch_add(1, Ordering::Relaxed);
    };
    // On a busy machine the traffic may be over before the other thread has had its turn.
    while switches.load(Ordering::Relaxed) <= 10 {
        check_traffic(&server, setup, 5, Some(&switch));
    }
}

for_servers!(clients_that_come_and_go_do_not_disturb_others);
fn clients_that_come_and_go_do_not_disturb_others(setup: Setup) {
    let transient = bound(setup.family.bind);
    let accepted = AtomicUsize::new(0);
    // On a busy machine the traffic may be over before the other thread has had its turn.
    while accepted.load(Ordering::Relaxed) <= 10 {
        let server = setup.server();
        let come_and_go = || {
            transient.send_to(b"hello", setup.family.reach, server_port(&server)).unwrap();
            if let Some(peer) = server.accept() {
                peer.close();
                accepted.fetch_add(1, Ordering::Relaxed);
            }
        };
        check_traffic(&server, setup, 5, Some(&come_and_go));
    }
}

for_servers!(datagrams_that_the_kernel_has_joined_belong_to_one_peer);
fn datagrams_that_the_kernel_has_joined_belong_to_one_peer(setup: Setup) {
    let server = setup.server();
    let pairs: Vec<_> = (0..3).map(|_| join(&server, setup.family)).collect();
    for (mark, (client, _)) in pairs.iter().enumerate() {
        let data: Vec<u8> = (0..30_u8).flat_map(|number| [[mark as u8, number]; 50].concat()).collect();
        assert_eq!(client.send_segmented(&data, size(100)).unwrap(), 30);
    }
    for (mark, (_, peer)) in pairs.iter().enumerate() {
        await_available(&server, peer, 30);
        for number in 0..30 {
            assert_eq!(take(peer).unwrap(), [[mark as u8, number]; 50].concat());
        }
    }
}

//! What arrives is whole, in order, and told apart by sender, size and time, in every setup and by every way of taking it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

#[macro_use]
mod common;

use common::traffic::{stream, take_exactly};
use common::{Kind, Setup, eventually, has_ipv6, port, sender_to, size};
use packet_peer_udp_core::{IO_MODE_VARIABLE, IoMode, Peer, clock_nsec, format_address, io_mode_limit};

/// Enough for several times around every buffer. (Windows' tests run under wine, where each takes longer.)
const MANY: usize = if cfg!(windows) { 500 } else { 6_000 };

#[test]
fn the_io_mode_exists() {
    assert!(io_mode_limit().is_ok(), "{IO_MODE_VARIABLE} is {:?}", io_mode_limit());
}

for_every_peer!(datagrams_of_every_size_arrive_whole_with_the_sender);
fn datagrams_of_every_size_arrive_whole_with_the_sender(setup: Setup) {
    let pair = setup.pair();
    for size in [0, 1, 511, 512, 1_472, 1_473, 8_000, 60_000, 65_507] {
        let datagram: Vec<u8> = (0..size).map(|i: u32| (i % 251).to_le_bytes()[0]).collect();
        pair.sender.send(&datagram).unwrap();
        assert_eq!(pair.next(), datagram);
        let meta = pair.receiver.last_taken().unwrap();
        assert_eq!(meta.length(), datagram.len());
        assert_eq!(format_address(meta.sender()), setup.family.written);
        assert_eq!(meta.sender().port(), port(&pair.sender));
    }
}

for_every_peer!(all_arrive_whole_and_in_order);
fn all_arrive_whole_and_in_order(setup: Setup) {
    stream(&setup.pair_with_buffer(1 << 20), MANY, None);
}

for_every_peer!(switching_to_the_background_and_back_loses_and_reorders_nothing);
fn switching_to_the_background_and_back_loses_and_reorders_nothing(setup: Setup) {
    let pair = setup.pair_with_buffer(1 << 20);
    let on = AtomicBool::new(setup.is_background());
    let switches = AtomicUsize::new(0);
    let switch = || {
        pair.set_background(!on.fetch_xor(true, Ordering::Relaxed));
        switches.fetch_add(1, Ordering::Relaxed);
    };
    // On a busy machine a stream may be over before the other thread has had its turn.
    while switches.load(Ordering::Relaxed) <= 10 {
        stream(&pair, MANY / 2, Some(&switch));
    }
}

for_every_peer!(metadata_belongs_to_its_packet);
fn metadata_belongs_to_its_packet(setup: Setup) {
    let pair = setup.pair();
    let mut senders = vec![Arc::clone(&pair.sender)];
    if setup.kind == Kind::Own {
        // An accepted peer has one sender. A dual-stack socket has senders of both families.
        let both = if setup.family.bind == "*" && has_ipv6() { ["127.0.0.1", "::1"] } else { [setup.family.reach; 2] };
        senders.extend(both.iter().cycle().take(4).map(|reach| sender_to(&pair.receiver, reach)));
    }
    let mut expected = Vec::new();
    for round in 0..40_usize {
        let sender = &senders[round * 3 % senders.len()];
        let length = round * 37 % 500;
        let batch = vec![vec![round.to_le_bytes()[0]; length]; 1 + round % 3];
        let slices: Vec<_> = batch.iter().map(Vec::as_slice).collect();
        assert_eq!(sender.send_many(&slices).unwrap(), slices.len());
        expected.extend(slices.iter().map(|_| (port(sender), length)));
    }
    pair.await_available(expected.len());
    let mut got = Vec::new();
    for _ in 0..2 {
        let lengths = take_half(&pair.receiver, expected.len());
        let batch = pair.receiver.batch();
        assert!(batch.iter().map(packet_peer_udp_core::PacketMeta::length).eq(lengths));
        assert!(batch.is_sorted_by_key(packet_peer_udp_core::PacketMeta::time_usec));
        assert_eq!(batch.last().unwrap().sender(), pair.receiver.last_taken().unwrap().sender());
        got.extend(batch.iter().map(|meta| (meta.sender().port(), meta.length())));
    }
    assert_eq!(got, expected);
}

/// Takes half of `count` packets; the length of each.
fn take_half(peer: &Peer, count: usize) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut drain = peer.take_many(Some(count.div_ceil(2))).unwrap();
    while let Some(run) = drain.next() {
        assert_eq!(run.bytes.len(), run.metas.iter().map(packet_peer_udp_core::PacketMeta::length).sum());
        lengths.extend(run.packets().map(<[u8]>::len));
    }
    lengths
}

for_every_peer!(joined_datagrams_of_every_number_and_size_are_told_apart);
fn joined_datagrams_of_every_number_and_size_are_told_apart(setup: Setup) {
    let pair = setup.pair_with_buffer(1 << 20);
    // What the kernel's buffer and the queue hold at a time, if each datagram takes 24 bytes more.
    let most = if setup.kind == Kind::Accepted { 65_535 } else { 100_000 };
    for segment in [1_usize, 2, 63, 1_200, 1_472, 8_000, 33_000] {
        for count in [1_usize, 2, 63, 64, 65, 130] {
            if (segment + 24) * count > most {
                continue;
            }
            for missing in [0, 1, segment / 2] {
                let length = segment * count - missing;
                let data: Vec<u8> = (0..length).map(|i| (i % 251).to_le_bytes()[0]).collect();
                let sent = pair.sender.send_segmented(&data, size(segment)).unwrap();
                assert_eq!(sent, length.div_ceil(segment));
                let got = take_exactly(&pair, sent, count);
                assert!(got.iter().eq(data.chunks(segment)), "{segment} {count} {missing}");
            }
        }
    }
}

for_every_peer!(counting_includes_what_has_arrived_since);
fn counting_includes_what_has_arrived_since(setup: Setup) {
    let pair = setup.pair();
    for (more, all) in [(3, 3), (2, 5)] {
        for _ in 0..more {
            pair.sender.send(b"x").unwrap();
        }
        pair.await_available(all);
    }
}

for_every_peer!(packets_have_their_time_of_arrival);
fn packets_have_their_time_of_arrival(setup: Setup) {
    /// By how much times may differ, in microseconds: they are compared by several clocks.
    const TOLERANCE: u64 = 1_000;
    let now = || clock_nsec() / 1_000;
    let pair = setup.pair();
    // The kernel begins to note times only after the first socket asks for it, some moments later.
    eventually("a packet has the time of its arrival", || {
        let before = now();
        pair.sender.send(b"x").unwrap();
        let sent = now();
        thread::sleep(Duration::from_millis(20));
        pair.next();
        let read = now();
        let time = pair.receiver.last_taken().unwrap().time_usec();
        assert!(before <= time + TOLERANCE && time <= read, "{before} {time} {read}");
        time <= sent + TOLERANCE || !cfg!(target_os = "linux") || io_mode_limit() == Ok(IoMode::Portable)
    });
}

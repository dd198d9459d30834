use std::iter;
use std::net::{Ipv4Addr, SocketAddr};

use super::*;

mod model;

fn sender(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn queue(recv_buf_size: usize) -> Queue {
    let mut queue = Queue::default();
    queue.reset(recv_buf_size);
    queue
}

fn meta(payload: &[u8], port: u16) -> PacketMeta {
    PacketMeta::new(payload.len(), sender(port), 0)
}

fn push(queue: &mut Queue, payload: &[u8], port: u16) {
    queue.push_or_overflow(payload, meta(payload, port));
}

fn taken(queue: &mut Queue) -> Option<Vec<u8>> {
    queue.pop().map(|(packet, _)| packet.to_vec())
}

/// Pushes packets of `length` bytes until one overflows. Returns how many are available then.
fn fill(queue: &mut Queue, length: usize) -> usize {
    while queue.room().is_some() {
        push(queue, &vec![7; length], 1);
    }
    queue.len()
}

/// A packet of `length` bytes, with a number to recognise it by.
fn numbered(number: u32, length: usize) -> Vec<u8> {
    let mut payload = number.to_le_bytes().to_vec();
    payload.resize(length, 0);
    payload
}

#[test]
fn the_bound_is_the_next_power_of_two_less_one() {
    for (asked, bound) in [
        (0, 65_535),
        (16, 65_535),
        (65_535, 65_535),
        (65_536, 131_071),
        (131_071, 131_071),
        (131_072, 262_143),
        ((1 << 30) - 1, (1 << 30) - 1),
        (1 << 30, (1 << 31) - 1),
        (usize::MAX, (1 << 31) - 1),
    ] {
        assert_eq!(queue(asked).bound(), bound, "{asked}");
    }
}

#[test]
fn holds_as_many_packets_as_the_engine() {
    assert_eq!(fill(&mut queue(65_536), 1_000), 127);
    assert_eq!(fill(&mut queue(0), 1_000), 63);
    assert_eq!(fill(&mut queue(0), 0), 65_535 / 24);
}

#[test]
fn overflow_is_promoted_in_order_when_there_is_room() {
    let mut queue = queue(0);
    let held = fill(&mut queue, 1_000);
    // The overflow may be long: the kernel delivers packets in batches.
    for number in 0..100 {
        push(&mut queue, &numbered(number, 1_000 + number as usize), 2);
    }
    assert_eq!((queue.len(), queue.room()), (held, None));
    assert_eq!(queue.counts().packets, held as u64);
    assert!(taken(&mut queue).is_some());
    assert_eq!(queue.len(), held - 1);
    queue.promote();
    assert_eq!(queue.len(), held, "one of the same size is promoted");
    for _ in 0..held {
        assert_eq!(taken(&mut queue).unwrap(), vec![7; 1_000]);
        queue.promote();
    }
    for number in 0..100 {
        assert_eq!(taken(&mut queue).unwrap(), numbered(number, 1_000 + number as usize));
        queue.promote();
    }
    assert_eq!((queue.len(), queue.room()), (0, Some(65_535)));
}

#[test]
fn packets_are_taken_whole_and_in_order_one_by_one_and_in_runs() {
    let mut queue = queue(0);
    let mut metas = Vec::new();
    for round in 0..200_u16 {
        let lengths = (0..5_u16).map(|i| usize::from(round * 13 + i * 7) % 2_000);
        let payloads: Vec<_> = lengths
            .enumerate()
            .map(|(i, length)| vec![((usize::from(round) + i) % 251).to_le_bytes()[0]; length])
            .collect();
        for (port, payload) in (0..).zip(&payloads) {
            push(&mut queue, payload, port);
        }
        let mut joined = Vec::new();
        metas.clear();
        if round % 2 == 0 {
            while let Some((packet, meta)) = queue.pop() {
                joined.extend_from_slice(&packet);
                metas.push(meta);
            }
        } else {
            while let Some(run) = queue.pop_run(usize::from(round % 4), &mut metas) {
                joined.extend_from_slice(&run);
            }
        }
        assert_eq!(joined, payloads.concat());
        assert!(metas.iter().map(PacketMeta::length).eq(payloads.iter().map(Vec::len)));
        assert!(metas.iter().map(PacketMeta::sender).eq((0..5).map(sender)));
    }
    assert!(queue.pop().is_none());
    assert!(queue.pop_run(usize::MAX, &mut metas).is_none());
}

#[test]
fn a_taken_packet_does_not_change_while_it_exists() {
    let mut queue = queue(0);
    let mut kept = Vec::new();
    for number in 0..5_000 {
        push(&mut queue, &numbered(number, 100), 1);
        let (packet, _) = queue.pop().unwrap();
        kept.push((number, packet));
        if kept.len() > 7 {
            let (number, packet) = kept.remove(number as usize % 7);
            assert_eq!(*packet, numbered(number, 100));
        }
    }
}

#[test]
fn an_empty_queue_takes_a_packet_larger_than_its_bound() {
    for policy in [OverflowPolicy::DropNewest, OverflowPolicy::DropOldest] {
        let mut queue = queue(0);
        queue.set_policy(policy);
        let payload = vec![1; MAX_DATAGRAM];
        queue.push_or_drop(&payload, meta(&payload, 1));
        assert_eq!(queue.len(), 1);
        assert_eq!(taken(&mut queue).unwrap().len(), MAX_DATAGRAM);
    }
}

#[test]
fn a_full_queue_drops_by_policy_and_counts_it() {
    for (policy, left) in [(OverflowPolicy::DropNewest, 0..63), (OverflowPolicy::DropOldest, 37..100)] {
        let mut queue = queue(0);
        queue.set_policy(policy);
        for number in 0..100 {
            let payload = numbered(number, 1_000);
            queue.push_or_drop(&payload, meta(&payload, 1));
        }
        assert_eq!(*queue.counts(), QueueCounts { packets: 63, bytes: 63_000, dropped: 37 });
        for number in left {
            assert_eq!(taken(&mut queue).unwrap(), numbered(number, 1_000), "{policy:?}");
        }
        assert_eq!(queue.len(), 0);
    }
}

#[test]
fn dropping_packets_counted_before_a_reset_is_counted_once() {
    let mut queue = queue(0);
    queue.set_policy(OverflowPolicy::DropOldest);
    let payload = [0; 1_000];
    for _ in 0..63 {
        queue.push_or_drop(&payload, meta(&payload, 1));
    }
    queue.reset_counts();
    for _ in 0..10 {
        queue.push_or_drop(&payload, meta(&payload, 1));
    }
    assert_eq!(*queue.counts(), QueueCounts { packets: 10, bytes: 10_000, dropped: 10 });
    assert!(taken(&mut queue).is_some());
    for _ in 0..60 {
        queue.push_or_drop(&payload, meta(&payload, 1));
    }
    // Only 52 of the old packets were left, so new ones were dropped too.
    assert_eq!(*queue.counts(), QueueCounts { packets: 63, bytes: 63_000, dropped: 10 + 59 });
    // 63 packets were pushed before the reset and 70 after it.
    assert_eq!(queue.total_counts(), QueueCounts { packets: 133 - 69, bytes: 64_000, dropped: 69 });
}

#[test]
fn overflow_comes_before_packets_pushed_later_with_either_policy() {
    for (policy, left) in [(OverflowPolicy::DropNewest, 0..65), (OverflowPolicy::DropOldest, 3..66)] {
        let mut queue = queue(0);
        for number in 0..65 {
            push(&mut queue, &numbered(number, 1_000), 1);
        }
        queue.set_policy(policy);
        let payload = numbered(65, 1_000);
        queue.push_or_drop(&payload, meta(&payload, 1));
        for number in left {
            queue.promote();
            assert_eq!(taken(&mut queue).unwrap(), numbered(number, 1_000), "{policy:?}");
        }
        queue.promote();
        assert_eq!(queue.len(), 0);
    }
}

#[test]
fn times_of_arrival_are_kept() {
    let mut queue = queue(0);
    let times = [5, 5, 6, 1_000_000, 999_999, 7_000_000_000, 7_000_000_001, 20_000_000_000, 3];
    for time in times {
        queue.push_or_overflow(b"x", PacketMeta::new(1, sender(1), time));
    }
    let out: Vec<_> = iter::from_fn(|| queue.pop()).map(|(_, meta)| meta.time_usec()).collect();
    // A header holds 35 minutes at most. Each packet after the larger gap makes up for as much.
    let step = i32::MAX as u64;
    assert_eq!(out[..5], times[..5]);
    assert_eq!(out[5], 999_999 + step);
    assert!(out[6] > out[5] && out[6] < times[6]);
    let late = PacketMeta::new(1, sender(1), 42);
    queue.push_or_overflow(b"x", late);
    assert_eq!(queue.pop().unwrap().1.time_usec(), 42, "an empty queue starts from the packet's own time");
}

/// Fills a queue with packets of `length` bytes, and takes all of them.
fn burst(queue: &mut Queue, length: usize) {
    assert!(fill(queue, length) > 0);
    let most = queue.bound() + MAX_DATAGRAM;
    assert!(queue.held() <= most * 2, "{} bytes held, {most} allowed", queue.held());
    while queue.pop().is_some() {
        queue.promote();
    }
}

#[test]
fn a_full_queue_takes_little_more_memory_than_its_bound() {
    for length in [0, 1, 64, 1_200, 33_000, MAX_DATAGRAM] {
        let mut queue = queue((8 << 20) - 1);
        fill(&mut queue, length);
        let most = queue.bound() * 5 / 4 + 4 * CHUNK_SIZES.end();
        assert!(queue.held() <= most, "{length}: {} bytes held, {most} allowed", queue.held());
    }
}

#[test]
fn after_a_burst_light_traffic_keeps_little_memory() {
    for length in [0, 1_200] {
        let mut queue = queue(1 << 20);
        burst(&mut queue, length);
        for _ in 0..2 {
            push(&mut queue, b"light", 1);
            queue.pop();
        }
        assert!(queue.held() <= KEPT_MEMORY, "{length}: {}", queue.held());
    }
}

#[test]
fn after_a_burst_empty_reads_give_all_memory_back() {
    for length in [0, 1_200] {
        let mut queue = queue(1 << 20);
        burst(&mut queue, length);
        for _ in 0..MAX_EMPTY_READS {
            queue.note_empty_read();
        }
        assert_eq!(queue.held(), 0);
        assert_eq!(queue.bound(), (2 << 20) - 1);
    }
}

#[test]
fn a_low_memory_queue_keeps_little_memory_when_it_becomes_empty() {
    for length in [0, 1, 1_200] {
        let mut queue = queue(0);
        queue.set_low_memory(true);
        burst(&mut queue, length);
        assert!(queue.held() <= KEPT_MEMORY, "{length}: {}", queue.held());
        queue.clear();
        burst(&mut queue, length);
        assert!(queue.held() <= KEPT_MEMORY, "clearing keeps the setting: {}", queue.held());
    }
}

#[test]
fn steady_traffic_allocates_nothing() {
    let mut queue = queue(0);
    let mut kept = Packet::default();
    let mut chunks = Vec::new();
    for round in 0..100 {
        for _ in 0..50 {
            push(&mut queue, &[1; 64], 1);
        }
        while let Some((packet, _)) = queue.pop() {
            let chunk = packet.chunk();
            if !chunks.contains(&chunk) {
                assert!(round < 10, "a new chunk in round {round}");
                chunks.push(chunk);
            }
            kept = packet;
        }
    }
    assert_eq!(kept.len(), 64);
}

#[test]
fn the_sender_is_kept_with_port_and_scope() {
    for address in ["10.1.2.3:4", "[2001:db8::1]:65535", "[fe80::1%7]:9", "[fe80::a:b:c:d]:1"] {
        let address: SocketAddr = address.parse().unwrap();
        assert_eq!(PacketMeta::new(1, address, 0).sender(), address);
    }
}

#[test]
fn clearing_removes_the_packets_and_keeps_bound_policy_and_counts() {
    let mut queue = queue(65_536);
    queue.set_policy(OverflowPolicy::DropOldest);
    fill(&mut queue, 1_000);
    queue.clear();
    assert_eq!((queue.len(), queue.held()), (0, 0));
    assert_eq!(queue.bound(), 131_071);
    assert_eq!(queue.policy(), OverflowPolicy::DropOldest);
    assert_eq!(queue.counts().packets, 127);
}

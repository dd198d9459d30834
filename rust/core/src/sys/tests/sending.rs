use std::collections::VecDeque;
use std::net::SocketAddr;

use super::{Family, LARGEST, Pair, bytes, datagrams, for_each_pair, modes, slices};
use crate::sys::{IoMode, Payloads, SLOTS, send_batch};

#[test]
fn datagrams_of_one_size_arrive_in_order() {
    for_each_pair(|pair| {
        for count in [1, 2, 63, 64, 65, 130] {
            for last in [100, 1] {
                let mut lengths = vec![100; count];
                lengths[count - 1] = last;
                let datagrams = datagrams(&lengths);
                let (calls, messages) = pair.pass(&Payloads::Each(&slices(&datagrams)));
                let data = bytes(100 * (count - 1) + last);
                let segmented = pair.pass(&Payloads::Segmented { data: &data, segment: 100 });
                if count > 1 {
                    assert_eq!((calls, messages), segmented);
                }
                match pair.mode {
                    IoMode::Portable => assert_eq!((calls, messages), (count as u64, count)),
                    IoMode::Batch => assert_eq!((calls, messages), (count.div_ceil(64) as u64, count)),
                    IoMode::Offload => assert_eq!((calls, messages), (1, count.div_ceil(64))),
                }
            }
        }
    });
}

#[test]
fn a_message_has_at_most_the_size_of_a_packet() {
    for_each_pair(|pair| {
        let data = bytes(1200 * 130);
        let (calls, messages) = pair.pass(&Payloads::Segmented { data: &data, segment: 1200 });
        if pair.mode == IoMode::Offload {
            assert_eq!((calls, messages), (1, 130_usize.div_ceil(LARGEST / 1200)));
        }
    });
}

#[test]
fn mixed_sizes_and_empty_datagrams_arrive_in_order() {
    for_each_pair(|pair| {
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
    for_each_pair(|pair| {
        let lengths: Vec<usize> = (0..300_usize).map(|at| (at / 7 * 31) % 50 + usize::from(at % 7 == 6)).collect();
        let datagrams = datagrams(&lengths);
        pair.pass(&Payloads::Each(&slices(&datagrams)));
    });
}

#[test]
fn datagrams_of_any_size_arrive_complete() {
    for_each_pair(|pair| {
        for segment in [1, 1023, 1024, 1472, 1473, 8000, LARGEST / 2, LARGEST / 2 + 1, 40_000, LARGEST - 1, LARGEST] {
            for length in [segment, segment * 2, segment * 3 - 1] {
                let data = bytes(length);
                pair.pass(&Payloads::Segmented { data: &data, segment });
                let each: Vec<&[u8]> = data.chunks(segment).collect();
                pair.pass(&Payloads::Each(&each));
            }
        }
    });
}

#[test]
fn a_too_large_datagram_stops_the_batch_with_the_systems_error() {
    for_each_pair(|pair| {
        let large = bytes(LARGEST + 100);
        let expected = match pair.destination() {
            Some(to) => pair.sender.send_to(&large, to),
            None => pair.sender.send(&large),
        };
        let expected = expected.unwrap_err().raw_os_error();
        let datagrams = datagrams(&[10, 10, 10, LARGEST + 100, 10]);
        let payloads = slices(&datagrams);
        let payloads = Payloads::Each(&payloads);
        let sent = pair.send_from(&payloads, 0);
        assert_eq!((sent.packets, sent.error.unwrap().raw_os_error()), (3, expected));
        let sent = pair.send_from(&payloads, 3);
        assert_eq!((sent.packets, sent.error.unwrap().raw_os_error()), (0, expected));
        let sent = pair.send_from(&payloads, 4);
        assert_eq!((sent.packets, sent.error.is_none()), (1, true));
        for _ in 0..4 {
            let (datagrams, _) = pair.receive(1);
            assert!(datagrams.iter().all(|datagram| datagram.len() == 10));
            if datagrams.len() == 3 {
                break;
            }
        }
        let sent = pair.send_from(&Payloads::Segmented { data: &large, segment: large.len() }, 0);
        assert_eq!((sent.packets, sent.error.unwrap().raw_os_error()), (0, expected));
    });
}

#[test]
fn ipv4_refuses_one_byte_more_than_the_largest_datagram() {
    for mode in modes() {
        let mut pair = Pair::new(Family::V4, mode);
        let data = bytes(LARGEST + 1);
        let sent = pair.send_from(&Payloads::Each(&[&data]), 0);
        assert_eq!(sent.packets, 0);
        assert!(sent.error.is_some());
        pair.pass(&Payloads::Each(&[&data[1..]]));
    }
}

#[test]
fn sending_starts_at_the_given_index() {
    for_each_pair(|pair| {
        let data = bytes(1050);
        for from in [1, 9, 10, 11] {
            let sent = pair.send_from(&Payloads::Segmented { data: &data, segment: 100 }, from);
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
fn sending_nothing_makes_no_system_call() {
    for_each_pair(|pair| {
        for payloads in [Payloads::Each(&[]), Payloads::Segmented { data: &[], segment: 10 }] {
            assert_eq!(pair.send(&payloads), 0);
        }
    });
}

#[test]
fn an_error_at_the_first_datagram_ends_the_batch() {
    for mode in modes() {
        let pair = Pair::new(Family::V4, mode);
        // Linux refuses port 0 as a destination. Wine accepts it.
        let invalid = SocketAddr::new(pair.to.ip(), 0);
        let data = bytes(300);
        let Err(expected) = pair.sender.send_to(&data[..100], invalid) else { continue };
        let payloads = Payloads::Segmented { data: &data, segment: 100 };
        let sent = send_batch(&pair.sender, Some(invalid), &payloads, 0, None, mode, &pair.gso_limit);
        assert_eq!((sent.packets, sent.error.unwrap().raw_os_error()), (0, expected.raw_os_error()));
        // The kernel has refused the datagrams for another reason than segmentation, so the limit is as it was.
        assert_eq!(pair.gso_limit.into_inner(), usize::MAX);
    }
}

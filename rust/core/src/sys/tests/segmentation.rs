use super::{FAMILIES, Pair, bytes, modes};
use crate::sys::{BEST_IO_MODE, IoMode, Payloads, SLOTS, send_batch};

#[test]
fn the_kernel_joins_the_datagrams_of_one_message() {
    if BEST_IO_MODE < IoMode::Offload {
        return;
    }
    for family in FAMILIES {
        let mut pair = Pair::new(family, IoMode::Offload);
        let data = bytes(1200 * 20 + 7);
        pair.send(&Payloads::Segmented { data: &data, segment: 1200 });
        assert_eq!(pair.arena.receive(&pair.receiver, IoMode::Offload, SLOTS, false).unwrap(), 1);
        let message = pair.arena.message(0);
        assert_eq!(message.segment, 1200);
        assert!(message.bytes == data);
    }
}

#[test]
fn a_receiver_in_any_mode_gets_each_segmented_datagram() {
    for family in FAMILIES {
        for mode in modes() {
            let mut pair = Pair::new(family, mode);
            let data = bytes(5000);
            let payloads = Payloads::Segmented { data: &data, segment: 300 };
            send_batch(&pair.sender, Some(pair.to), &payloads, 0, None, BEST_IO_MODE, &pair.gso_limit);
            pair.expect(&payloads);
        }
    }
}

#[test]
fn datagrams_below_the_limit_are_segmented_and_others_are_not() {
    if BEST_IO_MODE < IoMode::Offload {
        return;
    }
    for family in FAMILIES {
        let mut pair = Pair::new(family, IoMode::Offload);
        let data = bytes(1000);
        for (limit, messages) in [(usize::MAX, 1), (101, 1), (100, 10), (99, 10), (0, 10)] {
            *pair.gso_limit.get_mut() = limit;
            assert_eq!(pair.pass(&Payloads::Segmented { data: &data, segment: 100 }), (1, messages));
            let each: Vec<&[u8]> = data.chunks(100).collect();
            assert_eq!(pair.pass(&Payloads::Each(&each)), (1, messages));
            assert_eq!(*pair.gso_limit.get_mut(), limit);
        }
    }
}

/// The kernel does not segment datagrams of a socket that sends no checksums.
#[cfg(target_os = "linux")]
#[test]
fn after_a_refusal_the_kernel_is_not_asked_to_segment_again() {
    use std::os::fd::AsRawFd;

    use super::Family;

    let mut pair = Pair::new(Family::V4, IoMode::Offload);
    let on: libc::c_int = 1;
    // SAFETY: the descriptor is open, and the value has the given size and outlives the call.
    let result = unsafe {
        libc::setsockopt(
            pair.sender.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NO_CHECK,
            (&raw const on).cast(),
            libc::socklen_t::try_from(size_of::<libc::c_int>()).unwrap(),
        )
    };
    assert_eq!(result, 0);

    let data = bytes(1000);
    let large = Payloads::Segmented { data: &data, segment: 200 };
    let small = Payloads::Segmented { data: &data, segment: 100 };
    // A refused call and one without segmentation; after that, only calls without segmentation.
    assert_eq!(pair.pass(&large), (2, 5));
    assert_eq!(pair.pass(&large), (1, 5));
    // This kernel may refuse smaller datagrams once more, because the reason could have been their size.
    assert!(pair.send(&small) <= 2);
    pair.expect(&small);
    for payloads in [&small, &large] {
        assert_eq!(pair.pass(payloads), (1, payloads.len()));
    }
}

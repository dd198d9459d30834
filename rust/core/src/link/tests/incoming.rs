//! The decorator of a sink, without a socket.

use std::net::SocketAddr;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::conditions::SharedConditions;
use super::super::counts::LinkCounts;
use super::super::incoming::{Conditioned, OneLane};
use super::*;
use crate::clock;
use crate::inbox::Inbox;
use crate::queue::PacketMeta;
use crate::sink::{Batch, Received, Sink};

/// When the kernel says that a message has come: also if the system's clock was set meanwhile.
fn times() -> impl Strategy<Value = u64> {
    let now = || clock::now_nsec() / 1_000;
    prop_oneof![
        3 => Just(0).prop_map(move |_: u64| now()),
        1 => any::<u64>(),
        1 => (0..3_600_000_000_u64).prop_map(move |ago| now() - ago),
        1 => (0..3_600_000_000_u64).prop_map(move |ahead| now() + ahead),
    ]
}

proptest! {
    #[test]
    fn every_packet_is_accounted_for_when_the_clock_jumps(
        batches in vec((vec((times(), 1..5_usize), 1..16), any::<bool>()), 1..20),
        loss in prop_oneof![Just(0.0), 0.0..1.0],
        latency_msec in prop_oneof![Just(0.0), Just(1e7), 0.0..1.0],
        duplicate in prop_oneof![Just(0.0), 0.0..1.0],
    ) {
        let inbox = Arc::<Inbox>::default();
        inbox.open(1 << 24, 0);
        let counts = Arc::<LinkCounts>::default();
        let conditioned = Conditioned::new(Arc::clone(&inbox), OneLane::default());
        let conditions = Conditions { loss, latency_msec, duplicate, rng_seed: 1, ..Conditions::default() };
        conditioned.change(|lanes, store| lanes.set(store, Some(SharedConditions::new(conditions)), &counts));
        let mut came = 0;
        for (messages, in_background) in batches {
            let sender = SocketAddr::from(([127, 0, 0, 1], 1));
            // Some are several datagrams of 100 bytes.
            let bytes = [0; 400];
            let received = messages.iter().map(|(time, count)| {
                came += *count as u64;
                Received { bytes: &bytes[..count * 100], meta: PacketMeta::new(100, sender, *time), slot: 0 }
            });
            let batch = Batch { messages: received.collect(), in_background };
            let delivery = conditioned.deliver(&batch);
            prop_assert!(delivery.next_due.is_none_or(|due| due >= clock::now_nsec().saturating_sub(1_000_000_000)));
            let stats = counts.stats();
            let out = inbox.lock().queue.counts().packets;
            prop_assert_eq!(came + stats.duplicated, out + stats.lost + stats.dropped + stats.waiting);
        }
        // Whatever they were, all come out when there are no conditions any more.
        conditioned.change(|lanes, store| lanes.set(store, None, &counts));
        while conditioned.demand().is_due {
            conditioned.release(true);
        }
        let stats = counts.stats();
        let out = inbox.lock().queue.counts().packets;
        prop_assert_eq!(came + stats.duplicated, out + stats.lost + stats.dropped);
        prop_assert!(stats.waiting == 0 && !conditioned.is_active());
    }
}

#[test]
fn a_packet_is_due_by_when_the_kernel_has_received_it_and_not_by_when_it_was_read() {
    let inbox = Arc::<Inbox>::default();
    inbox.open(0, 0);
    let conditioned = Conditioned::new(Arc::clone(&inbox), OneLane::default());
    let conditions = SharedConditions::new(Conditions { latency_msec: 1_000.0, ..Conditions::default() });
    conditioned.change(|lanes, store| lanes.set(store, Some(conditions), &Arc::default()));
    let sender = SocketAddr::from(([127, 0, 0, 1], 1));
    let deliver = |msec_ago: u64| {
        let time = clock::now_nsec() / 1_000 - msec_ago * 1_000;
        let message = Received { bytes: b"x", meta: PacketMeta::new(1, sender, time), slot: 0 };
        let due = conditioned.deliver(&Batch { messages: [message].into_iter().collect(), in_background: false });
        (time, due.next_due)
    };
    // Read 1.5 seconds late: it is due already.
    let (time, _) = deliver(1_500);
    assert_eq!(inbox.lock().take().map(|packet| packet.to_vec()), Some(b"x".to_vec()));
    assert_eq!(inbox.lock().last_taken().unwrap().time_usec(), time + 1_000_000);
    // Read 0.4 seconds late: it waits for another 0.6.
    let (time, due) = deliver(400);
    assert_eq!(due, Some((time + 1_000_000) * 1_000 + 999));
    assert!(inbox.lock().take().is_none());
}

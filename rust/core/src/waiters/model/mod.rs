//! Models of the waking-up protocol: threads that wait, deliver, interrupt and close, in all interleavings. They run the real
//! [`Waiters`](super::Waiters); what surrounds it is a model.
//!
//! A wake-up that is lost leaves a thread asleep for ever, which loom reports as a deadlock.

use std::sync::Arc;

use loom::model::Builder;
use loom::thread;

use super::{OWNER, WaitEnd, WaiterId};

mod endpoint;
mod kernel;

use endpoint::{Endpoint, Inboxes};
use kernel::{end_time, run_reactor};

/// Two peers of one server.
const FIRST: WaiterId = 1;
const SECOND: WaiterId = 2;

/// Runs a model in all interleavings that interrupt a running thread at most `preemptions` times (`None`: in all); a thread that
/// blocks is not counted.
fn check(preemptions: impl Into<Option<usize>>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = preemptions.into();
    builder.check(model);
}

fn endpoint() -> (Arc<Endpoint>, Arc<Inboxes>) {
    let inboxes = Arc::new(Inboxes::default());
    (Endpoint::new(&inboxes), inboxes)
}

/// A thread that waits.
fn wait(endpoint: &Arc<Endpoint>, waiter: WaiterId, is_limited: bool) -> thread::JoinHandle<WaitEnd> {
    let endpoint = Arc::clone(endpoint);
    thread::spawn(move || endpoint.wait(waiter, is_limited))
}

/// Fails unless nothing of earlier waits ends the next one.
fn assert_next_wait_lasts(endpoint: &Endpoint, waiter: WaiterId) {
    end_time();
    assert_eq!(endpoint.wait(waiter, true), WaitEnd::TimedOut);
}

#[test]
fn a_packet_that_another_thread_delivers_while_a_wait_begins_ends_it() {
    check(None, || {
        let (endpoint, _) = endpoint();
        let waiting = wait(&endpoint, OWNER, false);
        endpoint.deliver(OWNER);
        assert_eq!(waiting.join().unwrap(), WaitEnd::Ready);
        endpoint.close();
    });
}

#[test]
fn an_interruption_ends_one_wait() {
    check(None, || {
        let (endpoint, _) = endpoint();
        let waiting = wait(&endpoint, OWNER, false);
        endpoint.interrupt(OWNER);
        assert_eq!(waiting.join().unwrap(), WaitEnd::Interrupted);
        assert_next_wait_lasts(&endpoint, OWNER);
        endpoint.close();
    });
}

#[test]
fn an_interruption_is_not_lost_if_a_packet_ends_the_wait() {
    check(None, || {
        let (endpoint, _) = endpoint();
        let waiting = wait(&endpoint, OWNER, false);
        let delivering = {
            let endpoint = Arc::clone(&endpoint);
            thread::spawn(move || endpoint.deliver(OWNER))
        };
        endpoint.interrupt(OWNER);
        let end = waiting.join().unwrap();
        delivering.join().unwrap();
        let next = endpoint.wait(OWNER, false);
        let expected = if end == WaitEnd::Ready { WaitEnd::Interrupted } else { WaitEnd::Ready };
        assert_eq!(next, expected, "after {end:?}");
        endpoint.close();
    });
}

#[test]
fn an_interruption_ends_the_waits_in_progress_or_else_the_next_one() {
    check(3, || {
        let (endpoint, _) = endpoint();
        let waiting = [wait(&endpoint, OWNER, true), wait(&endpoint, OWNER, true)];
        endpoint.interrupt(OWNER);
        end_time();
        let ends = waiting.map(|waiting| waiting.join().unwrap());
        let next = endpoint.wait(OWNER, true);
        let any = ends.contains(&WaitEnd::Interrupted);
        assert_eq!(next, if any { WaitEnd::TimedOut } else { WaitEnd::Interrupted }, "after {ends:?}");
        assert_next_wait_lasts(&endpoint, OWNER);
        endpoint.close();
    });
}

#[test]
fn closing_ends_a_wait_before_the_next_socket_receives() {
    check(None, || {
        let (endpoint, inboxes) = endpoint();
        let waiting = wait(&endpoint, OWNER, false);
        endpoint.close();
        assert_eq!(endpoint.waits(), 0);
        let reopened = Endpoint::new(&inboxes);
        reopened.deliver(OWNER);
        assert_eq!(waiting.join().unwrap(), WaitEnd::Closed);
        assert_eq!(reopened.wait(OWNER, false), WaitEnd::Ready);
        reopened.close();
    });
}

#[test]
fn closing_ends_the_waits_of_all_peers() {
    check(3, || {
        let (endpoint, _) = endpoint();
        let waiting = [wait(&endpoint, FIRST, false), wait(&endpoint, SECOND, false)];
        endpoint.close();
        assert_eq!(endpoint.waits(), 0);
        assert_eq!(waiting.map(|waiting| waiting.join().unwrap()), [WaitEnd::Closed; 2]);
    });
}

#[test]
fn no_socket_is_watched_any_more_when_it_is_closed_while_a_wait_ends() {
    check(3, || {
        let (endpoint, _) = endpoint();
        let waiting = [wait(&endpoint, FIRST, true), wait(&endpoint, SECOND, false)];
        end_time();
        endpoint.close();
        let ends = waiting.map(|waiting| waiting.join().unwrap());
        assert!(matches!(ends, [WaitEnd::TimedOut | WaitEnd::Closed, WaitEnd::Closed]), "{ends:?}");
    });
}

/// Two peers wait, and the first leaves when `leave` was called. The second one still has to receive what arrives.
fn check_hand_over(
    preemptions: usize,
    is_limited: bool,
    left: WaitEnd,
    leave: impl Fn(&Endpoint) + Copy + Send + Sync + 'static,
) {
    for arrives_first in [false, true] {
        check(preemptions, move || {
            let (endpoint, _) = endpoint();
            let socket = endpoint.socket().unwrap();
            let waiting = [wait(&endpoint, FIRST, is_limited), wait(&endpoint, SECOND, false)];
            if arrives_first {
                socket.arrive(SECOND);
                leave(&endpoint);
            } else {
                leave(&endpoint);
                socket.arrive(SECOND);
            }
            drop(socket);
            assert_eq!(waiting.map(|waiting| waiting.join().unwrap()), [left, WaitEnd::Ready]);
            endpoint.close();
        });
    }
}

#[test]
fn a_reader_that_has_got_its_packet_hands_over() {
    check_hand_over(2, false, WaitEnd::Ready, |endpoint| endpoint.socket().unwrap().arrive(FIRST));
}

#[test]
fn a_reader_that_is_interrupted_hands_over() {
    check_hand_over(3, false, WaitEnd::Interrupted, |endpoint| endpoint.interrupt(FIRST));
}

#[test]
fn a_reader_whose_time_is_over_hands_over() {
    check_hand_over(2, true, WaitEnd::TimedOut, |_| end_time());
}

/// Runs a model in which the reactor reads a socket, at which so many datagrams arrive. All of them are to be read in the end, by
/// the reactor if not by a waiting thread.
fn check_in_background(preemptions: usize, datagrams: usize, model: impl Fn(&Arc<Endpoint>) + Send + Sync + 'static) {
    check(preemptions, move || {
        let (endpoint, _) = endpoint();
        let reactor = {
            let endpoint = Arc::clone(&endpoint);
            let socket = endpoint.socket().unwrap();
            thread::spawn(move || run_reactor(&socket, datagrams, || while endpoint.read(None) {}))
        };
        model(&endpoint);
        reactor.join().unwrap();
        assert!(endpoint.is_attended());
        endpoint.close();
    });
}

#[test]
fn the_reactor_reads_what_a_wait_that_got_its_packet_leaves() {
    check_in_background(2, 2, |endpoint| {
        endpoint.start_background();
        let waiting = wait(endpoint, OWNER, false);
        let socket = endpoint.socket().unwrap();
        socket.arrive(OWNER);
        assert!(endpoint.is_attended());
        socket.arrive(OWNER);
        assert_eq!(waiting.join().unwrap(), WaitEnd::Ready);
    });
}

#[test]
fn the_reactor_reads_what_an_interrupted_wait_leaves() {
    check_in_background(3, 1, |endpoint| {
        endpoint.start_background();
        let waiting = wait(endpoint, FIRST, false);
        endpoint.interrupt(FIRST);
        assert!(endpoint.is_attended());
        endpoint.socket().unwrap().arrive(SECOND);
        assert_eq!(waiting.join().unwrap(), WaitEnd::Interrupted);
    });
}

#[test]
fn the_reactor_starts_while_a_wait_begins_or_ends() {
    check_in_background(2, 1, |endpoint| {
        let waiting = wait(endpoint, FIRST, true);
        end_time();
        endpoint.start_background();
        assert!(endpoint.is_attended());
        endpoint.socket().unwrap().arrive(SECOND);
        assert_eq!(waiting.join().unwrap(), WaitEnd::TimedOut);
    });
}

#[test]
fn in_the_background_a_reader_hands_over_to_another_thread_that_waits() {
    check_in_background(2, 2, |endpoint| {
        endpoint.start_background();
        let waiting = [wait(endpoint, FIRST, false), wait(endpoint, SECOND, false)];
        endpoint.interrupt(FIRST);
        let socket = endpoint.socket().unwrap();
        socket.arrive(SECOND);
        socket.arrive(OWNER);
        let ends = waiting.map(|waiting| waiting.join().unwrap());
        assert_eq!(ends, [WaitEnd::Interrupted, WaitEnd::Ready]);
    });
}

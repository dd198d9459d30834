//! Tests of every waker that can run on this platform.

use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

/// The timeout of a sleep that nothing ends before.
const SHORT: Duration = Duration::from_millis(60);

/// Such a sleep lasts at least this long. Windows counts timeouts in ticks of up to 16 ms, and may end them one tick early.
const AT_LEAST: Duration = Duration::from_millis(30);

/// A test fails if a sleep lasts this long.
const LONG: Duration = Duration::from_secs(20);

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

macro_rules! tests_of_waker {
    ($module:ident, $waker:path, $new:ident) => {
        mod $module {
            use super::{AT_LEAST, Duration, Instant, LONG, SHORT, socket, thread};
            use $waker as Waker;

            fn new() -> Waker {
                let waker = Waker::$new().unwrap();
                assert_eq!(waker.is_prompt(), stringify!($new) == "new");
                waker
            }

            /// Repeats a sleep that may end early for no reason until the socket is readable. Fails after [`LONG`].
            fn sleep_until_readable(waker: &Waker) {
                let start = Instant::now();
                while !waker.sleep(Some(LONG)).unwrap() {
                    assert!(start.elapsed() < LONG);
                }
            }

            /// Ends a pending wake-up, if there is one.
            fn drain(waker: &Waker) {
                waker.sleep(Some(Duration::ZERO)).unwrap();
            }

            #[test]
            fn a_timeout_ends_a_sleep() {
                let waker = new();
                let start = Instant::now();
                assert!(!waker.sleep(Some(SHORT)).unwrap());
                assert!(start.elapsed() >= AT_LEAST && start.elapsed() < LONG);
            }

            #[test]
            fn a_wake_up_ends_the_next_sleep_only() {
                let waker = new();
                waker.wake();
                waker.wake();
                let start = Instant::now();
                assert!(!waker.sleep(Some(LONG)).unwrap());
                assert!(start.elapsed() < LONG);
                let start = Instant::now();
                assert!(!waker.sleep(Some(SHORT)).unwrap());
                assert!(start.elapsed() >= AT_LEAST);
            }

            #[test]
            fn another_thread_ends_a_sleep() {
                let waker = new();
                thread::scope(|scope| {
                    scope.spawn(|| {
                        thread::sleep(SHORT);
                        waker.wake();
                    });
                    assert!(!waker.sleep(None).unwrap());
                });
            }

            #[test]
            fn a_readable_socket_ends_every_sleep_until_it_is_read() {
                let (waker, receiver, sender) = (new(), socket(), socket());
                waker.watch(&receiver).unwrap();
                sender.send_to(b"one", receiver.local_addr().unwrap()).unwrap();
                sleep_until_readable(&waker);
                sleep_until_readable(&waker);
                receiver.recv(&mut [0; 8]).unwrap();
                drain(&waker);
                assert!(!waker.sleep(Some(SHORT)).unwrap());
                waker.unwatch(&receiver);
            }

            #[test]
            fn an_unwatched_socket_ends_no_sleep() {
                let (waker, receiver, sender) = (new(), socket(), socket());
                waker.watch(&receiver).unwrap();
                sender.send_to(b"one", receiver.local_addr().unwrap()).unwrap();
                sleep_until_readable(&waker);
                waker.unwatch(&receiver);
                drain(&waker);
                assert!(!waker.sleep(Some(SHORT)).unwrap());
                waker.watch(&receiver).unwrap();
                sleep_until_readable(&waker);
                waker.unwatch(&receiver);
            }
        }
    };
}

#[cfg(any(target_os = "linux", target_os = "android"))]
tests_of_waker!(eventfd, crate::sys::wakeup::eventfd::Waker, new);
#[cfg(any(target_os = "linux", target_os = "android"))]
tests_of_waker!(without_eventfd, crate::sys::wakeup::eventfd::Waker, without_descriptor);
tests_of_waker!(polling, crate::sys::wakeup::polling::Waker, new);

#[test]
fn without_a_poller_a_thread_tries_after_a_slice_and_is_woken_at_once() {
    let waker = super::polling::Waker::without_descriptor().unwrap();
    assert!(!waker.is_prompt());
    let receiver = socket();
    for watches in [false, true, false] {
        if watches {
            waker.watch(&receiver).unwrap();
        }
        let start = Instant::now();
        assert_eq!(waker.sleep(Some(LONG)).unwrap(), watches);
        assert!(start.elapsed() < LONG / 2);
        waker.unwatch(&receiver);
    }
    waker.wake();
    thread::scope(|scope| {
        scope.spawn(|| waker.wake());
        assert!(!waker.sleep(None).unwrap());
    });
}

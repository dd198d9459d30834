//! Every method of a peer, of a server with its peers, and of a relay, at the same time as every other one on the same object.
//!
//! What a call answers then depends on the other one. What counts is that both return, that nothing panics, and that the object works
//! as before afterwards. Under a sanitizer (`scripts/pairs.sh --thread-sanitizer`) this finds data races too.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test fails by panicking")]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, mpsc};
use std::thread;

use parking_lot::Mutex;

#[macro_use]
#[path = "../common/mod.rs"]
mod common;

mod methods;
mod worlds;

use common::LONG;
use methods::Method;
use worlds::{PeerWorld, RelayWorld, ServerWorld, World};

/// How often each of two methods is called beside the other one at least, unless the environment variable says otherwise.
const CALLS: u32 = 2;
/// So many times as often at most, while the other one runs.
const MOST_TIMES: u32 = 20;
/// One pair of so many is tried: Wine would take minutes for all.
const EVERY: usize = if cfg!(windows) { 16 } else { 1 };
const CALLS_VARIABLE: &str = "PACKET_PEER_UDP_RS_CALLS_PER_PAIR";

#[test]
fn methods_of_a_peer() {
    for background in [false, true] {
        run_pairs(&PeerWorld::new(background), &methods::peer(PeerWorld::peer));
    }
}

#[test]
fn methods_of_a_server_and_of_its_peer() {
    for background in [false, true] {
        let mut all = methods::server();
        all.extend(methods::peer(ServerWorld::peer));
        run_pairs(&ServerWorld::new(background), &all);
    }
}

#[test]
fn methods_of_a_relay() {
    run_pairs(&RelayWorld::new(), &methods::relay());
}

fn calls_per_pair() -> u32 {
    std::env::var(CALLS_VARIABLE).map_or(CALLS, |calls| calls.parse().expect(CALLS_VARIABLE))
}

/// Calls each of the methods beside each other one and beside itself, and looks after each pair whether all works.
fn run_pairs<W: World>(world: &W, methods: &[Method<W>]) {
    let calls = calls_per_pair();
    // The two methods that run now; `None` at the end.
    let pair: Mutex<Option<[&Method<W>; 2]>> = Mutex::new(None);
    let (begin, both, end) = (Barrier::new(3), Barrier::new(2), Barrier::new(3));
    let finished = [AtomicBool::new(false), AtomicBool::new(false)];
    let panicked: Mutex<Option<Box<dyn Any + Send>>> = Mutex::new(None);
    let (alive, looks) = mpsc::channel::<String>();
    let mut pairs = 0_u32;
    thread::scope(|scope| {
        scope.spawn(move || watch(&looks));
        for side in 0..2 {
            let (pair, begin, both, end, finished, panicked) = (&pair, &begin, &both, &end, &finished, &panicked);
            scope.spawn(move || {
                loop {
                    begin.wait();
                    let Some(methods) = *pair.lock() else { break };
                    finished[side].store(false, Ordering::Relaxed);
                    both.wait();
                    let mut done = 0;
                    // A short method goes on until a long one has ended, so that they overlap.
                    while done < calls || (done < MOST_TIMES * calls && !finished[1 - side].load(Ordering::Relaxed)) {
                        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| methods[side].call(world))) {
                            *panicked.lock() = Some(panic);
                        }
                        done += 1;
                        finished[side].store(done >= calls, Ordering::Relaxed);
                    }
                    end.wait();
                }
            });
        }
        let result = catch_unwind(AssertUnwindSafe(|| {
            for (index, first) in methods.iter().enumerate() {
                for second in methods[index..].iter().step_by(EVERY) {
                    let title = format!("{} beside {}", first.name, second.name);
                    let _ = alive.send(title.clone());
                    *pair.lock() = Some([first, second]);
                    begin.wait();
                    end.wait();
                    assert!(panicked.lock().is_none(), "{title} has panicked (above)");
                    world.restore(&title);
                    pairs += 1;
                }
            }
        }));
        *pair.lock() = None;
        begin.wait();
        drop(alive);
        result.unwrap();
    });
    println!("{pairs} pairs of methods of {}, each called at least {calls} times beside the other", W::NAME);
}

/// Ends the process where two methods do not return: the test's own threads hang then.
fn watch(looks: &mpsc::Receiver<String>) {
    let mut pair = String::new();
    loop {
        match looks.recv_timeout(2 * LONG) {
            Ok(next) => pair = next,
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                eprintln!("{pair}: they do not return");
                process::abort();
            }
        }
    }
}

//! A relay with clients and a target: any traffic, settings and restarts.

use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroU16;
use std::thread;
use std::time::{Duration, Instant};

use super::input::Input;
use super::world::{LONG, Run, address, eventually, receive_all, socket};
use crate::link::conditions::SharedConditions;
use crate::{DirectionStats, Proxy, ProxyStats};

const CLIENTS: usize = 4;

const MAX_OPERATIONS: usize = 60;

/// A port that no socket has on the address of the run, and that the system gives to none.
const NOBODY: u16 = 1;

/// The origin of the clock at first. The clock jumps ahead where it becomes less.
#[cfg(fuzzing)]
const ORIGIN: u64 = 1 << 58;

/// What a receiver has received last, in one direction of one client.
#[derive(Default)]
struct Last {
    number: u32,
    sent: u32,
}

struct World {
    proxy: Proxy,
    target: UdpSocket,
    clients: [UdpSocket; CLIENTS],
    up: [Last; CLIENTS],
    down: [Last; CLIENTS],
    /// By which address the target knows each client.
    known: [Option<SocketAddr>; CLIENTS],
    requests: Run,
    answers: Run,
    may_repeat: bool,
    max_clients: usize,
    is_to_nobody: bool,
    #[cfg(fuzzing)]
    origin: u64,
}

/// Every packet is accounted for in both directions; it comes as it was sent, to whom it was meant for, once and in order; there are no more
/// clients than may be. Whatever has happened before, a relay that is started anew works.
pub fn relay(data: &[u8]) {
    let mut input = Input::new(data);
    #[cfg(fuzzing)]
    crate::set_clock_origin(ORIGIN);
    let mut world = World {
        proxy: Proxy::default(),
        target: socket(),
        clients: std::array::from_fn(|_| socket()),
        up: std::array::from_fn(|_| Last::default()),
        down: std::array::from_fn(|_| Last::default()),
        known: [None; CLIENTS],
        requests: Run::new(),
        answers: Run::new(),
        may_repeat: false,
        max_clients: 1_024,
        is_to_nobody: false,
        #[cfg(fuzzing)]
        origin: ORIGIN,
    };
    world.start(false);
    for _ in 0..MAX_OPERATIONS {
        if input.is_empty() {
            break;
        }
        world.operate(&mut input);
        world.receive();
        assert!(world.proxy.clients() <= world.max_clients);
    }
    world.end();
}

impl World {
    /// To the target, or to a port that nobody has.
    fn start(&mut self, to_nobody: bool) {
        let host = address().to_string();
        let port = if to_nobody { NOBODY } else { self.target.local_addr().unwrap().port() };
        let was_running = self.proxy.is_running();
        self.is_to_nobody = if was_running { self.is_to_nobody } else { to_nobody };
        let started = self.proxy.start(&host, NonZeroU16::new(port).unwrap(), 0, &host);
        assert_eq!(started.is_err(), was_running);
        assert!(self.proxy.is_running() && self.proxy.local_addr().is_some());
    }

    fn operate(&mut self, input: &mut Input<'_>) {
        let at = input.below(CLIENTS);
        match input.below(16) {
            0..=3 => self.request(at, input.below(24) + 1, input.below(60) * usize::from(input.byte() % 8)),
            4..=6 => self.answer(at, input.below(24) + 1, input.below(60) * usize::from(input.byte() % 8)),
            7 => {
                let conditions = input.flag().then(|| SharedConditions::new(input.mild_conditions()));
                self.may_repeat |= conditions.as_ref().is_some_and(|conditions| conditions.get().duplicate > 0.0);
                if input.flag() {
                    self.proxy.set_to_target_conditions(conditions);
                } else {
                    self.proxy.set_to_client_conditions(conditions);
                }
            }
            8 => {
                let values = input.mild_conditions();
                self.may_repeat |= values.duplicate > 0.0;
                let all = [self.proxy.to_target_conditions(), self.proxy.to_client_conditions()];
                all.into_iter().flatten().for_each(|conditions| conditions.change(|before| *before = values));
            }
            9 => self.proxy.set_client_timeout_msec(u32::from(input.byte() % 8)),
            10 => {
                let max = u32::from(input.byte() % 6);
                self.proxy.set_max_clients(max);
                // Those that there are stay.
                self.max_clients = (max as usize).max(self.proxy.clients());
            }
            11 => {
                self.proxy.stop();
                self.is_stopped();
                self.start(input.flag());
                self.max_clients = self.proxy.max_clients();
            }
            12 => {
                self.proxy.stop();
                self.proxy.stop();
                self.is_stopped();
                if input.flag() {
                    self.request(at, 3, 0);
                }
                self.start(false);
                self.start(false);
                self.max_clients = self.proxy.max_clients();
            }
            13 => {
                self.clients[at] = socket();
                self.known[at] = None;
            }
            14 => self.await_balance(),
            _ => match input.below(4) {
                0 => self.jump(u64::from(input.byte()) * 15_000_000_000),
                1 => self.jump(u64::from(input.byte()) * 100_000),
                2 => thread::sleep(Duration::from_micros(500)),
                // A packet that is on its way through the relay is counted as sent after a reset and as received before it, so that
                // nothing must be on its way.
                _ => {
                    self.proxy.stop();
                    self.is_stopped();
                    self.proxy.reset_stats();
                    assert_eq!(self.proxy.stats(), ProxyStats::default());
                    self.start(input.flag());
                    self.max_clients = self.proxy.max_clients();
                }
            },
        }
    }

    /// Has the clock jump ahead, of the whole process: so not where other tests run beside this.
    #[cfg(fuzzing)]
    fn jump(&mut self, nsec: u64) {
        self.origin -= nsec;
        crate::set_clock_origin(self.origin);
    }

    #[cfg(not(fuzzing))]
    #[expect(clippy::unused_self, clippy::needless_pass_by_ref_mut, reason = "as above")]
    fn jump(&mut self, _nsec: u64) {
        thread::yield_now();
    }

    fn request(&mut self, at: usize, count: usize, length: usize) {
        let Some(to) = self.proxy.local_addr() else { return };
        for _ in 0..count {
            self.up[at].sent += 1;
            let payload = self.requests.payload(u8::try_from(at).unwrap(), self.up[at].sent, length.max(9));
            let _ = self.clients[at].send_to(&payload, to);
        }
    }

    fn answer(&mut self, at: usize, count: usize, length: usize) {
        let Some(to) = self.known[at] else { return };
        // The port of a client that is gone may be another one's.
        if self.known.iter().filter(|known| **known == Some(to)).count() > 1 {
            return;
        }
        for _ in 0..count {
            self.down[at].sent += 1;
            let payload = self.answers.payload(u8::try_from(at).unwrap(), self.down[at].sent, length.max(9));
            let _ = self.target.send_to(&payload, to);
        }
    }

    /// Takes what has come to the target and to the clients.
    fn receive(&mut self) {
        for (payload, from) in receive_all(&self.target) {
            let Some((client, number)) = self.requests.read(&payload) else { continue };
            let client = usize::from(client);
            note(&mut self.up[client], number, self.may_repeat);
            self.known[client] = Some(from);
        }
        for (at, client) in self.clients.iter().enumerate() {
            for (payload, _) in receive_all(client) {
                let Some((to, number)) = self.answers.read(&payload) else { continue };
                assert_eq!(usize::from(to), at, "an answer comes to another client");
                note(&mut self.down[at], number, self.may_repeat);
            }
        }
    }

    fn is_balanced(&self) -> bool {
        let stats = self.proxy.stats();
        is_balanced(&stats.to_target) && is_balanced(&stats.to_client)
    }

    fn await_balance(&mut self) {
        eventually(|| format!("every packet is accounted for: {:?}", self.proxy.stats()), || self.is_balanced());
        self.receive();
    }

    fn is_stopped(&self) {
        assert!(!self.proxy.is_running() && self.proxy.local_addr().is_none());
        assert_eq!(self.proxy.clients(), 0);
        let stats = self.proxy.stats();
        assert_eq!((stats.to_target.waiting, stats.to_client.waiting), (0, 0));
        assert!(is_balanced(&stats.to_target) && is_balanced(&stats.to_client), "{stats:?}");
    }

    fn end(&mut self) {
        self.proxy.set_to_target_conditions(None);
        self.proxy.set_to_client_conditions(None);
        self.proxy.set_client_timeout_msec(0);
        self.proxy.set_max_clients(100);
        eventually(
            || format!("nothing is held back: {:?}", self.proxy.stats()),
            || {
                let stats = self.proxy.stats();
                (stats.to_target.waiting, stats.to_client.waiting) == (0, 0) && self.is_balanced()
            },
        );
        self.receive();
        // First as it is, without conditions from now on; then anew.
        if !self.is_to_nobody {
            self.all_come();
        }
        self.proxy.stop();
        self.is_stopped();
        self.receive();
        self.start(false);
        self.all_come();
        for at in 0..CLIENTS {
            self.answer(at, 3, 50);
        }
        self.settle(
            |world| (0..CLIENTS).all(|at| world.down[at].number == world.down[at].sent),
            |world| (0..CLIENTS).for_each(|at| world.answer(at, 1, 50)),
        );
        assert_eq!(self.proxy.clients(), CLIENTS);
        self.await_balance();
        self.proxy.stop();
        self.is_stopped();
    }

    /// What every client sends comes to the target.
    fn all_come(&mut self) {
        for at in 0..CLIENTS {
            self.known[at] = None;
            self.request(at, 3, 50);
        }
        self.settle(
            |world| (0..CLIENTS).all(|at| world.up[at].number == world.up[at].sent),
            |world| (0..CLIENTS).for_each(|at| world.request(at, 1, 50)),
        );
    }

    /// Returns when `is_so`. Sends again a few times: on a busy machine the kernel may have dropped what no program has read in time.
    fn settle(&mut self, is_so: impl Fn(&Self) -> bool, again: impl Fn(&mut Self)) {
        let start = Instant::now();
        let mut sent = start;
        let mut pause = 1;
        while !is_so(self) {
            assert!(start.elapsed() < LONG, "not all packets come: {:?}", self.proxy.stats());
            if sent.elapsed() > LONG / 5 {
                sent = Instant::now();
                again(self);
            }
            thread::sleep(Duration::from_micros(pause));
            pause = (pause * 2).min(200);
            self.receive();
        }
    }
}

fn note(last: &mut Last, number: u32, may_repeat: bool) {
    let is_next = if may_repeat { number >= last.number } else { number > last.number };
    assert!(is_next, "packet {number} comes after {}", last.number);
    assert!(number <= last.sent);
    last.number = number;
}

fn is_balanced(stats: &DirectionStats) -> bool {
    stats.packets_in + stats.duplicated == stats.packets_out + stats.lost + stats.dropped + stats.waiting
}

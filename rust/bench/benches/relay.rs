//! What a relay passes on, without the engine: `cargo bench -p packet_peer_udp_bench --bench relay`.
//!
//! First in thousands of packets per second, the median of all rounds: as fast as a sender, the relay's thread and a receiver can on this
//! machine, with a limited number of packets on their way so that none is lost; the rows take turns. Beside it, on Linux, the processor time
//! of the relay's thread. Then at a fixed rate, with nothing that holds the sender back: what was lost, and where. `-- --quick` runs few
//! rounds, `--only=TEXT` the rows that have TEXT in their names.

use std::io;
use std::num::{NonZeroU16, NonZeroUsize};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use packet_peer_udp_core::{Conditions, Peer, Proxy, SharedConditions};

const SIZES: [usize; 2] = [64, 1_200];

/// How many packets are sent at once.
const BURST: usize = 32;

/// How many packets of this size may be on their way, beyond those that a line holds: half of what a default buffer takes.
const fn window(size: usize) -> usize {
    if size > 1_000 { 64 } else { 128 }
}

/// What a line with a delay holds at most.
const HELD: usize = 3_072;

const ROUND: Duration = Duration::from_millis(200);

/// The rate of the second part, in packets per second, and for how long.
const RATE: usize = 100_000;
const RATE_TIME: Duration = Duration::from_secs(2);

const DELAY_MSEC: f64 = 20.0;

/// A packet that has not arrived after this time counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Link {
    Direct,
    Relay,
    Delayed,
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Single,
    /// One by one, each by another client.
    Clients,
    Many,
    Segmented,
}

const WAYS: [Way; 4] = [Way::Single, Way::Clients, Way::Many, Way::Segmented];

fn main() -> ExitCode {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let only = std::env::args().find_map(|argument| argument.strip_prefix("--only=").map(str::to_owned));
    match measure(if quick { 3 } else { 15 }, &only.unwrap_or_default()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("relay: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(rounds: usize, only: &str) -> io::Result<()> {
    let mut kinds = Vec::new();
    for size in SIZES {
        for link in [Link::Direct, Link::Relay, Link::Delayed] {
            for way in WAYS {
                let name = format!("{link:?}, {way:?}, {size} bytes");
                if name.contains(only) {
                    kinds.push((name, link, way, size));
                }
            }
        }
    }
    let mut rows = Vec::new();
    for (_, link, way, size) in &kinds {
        rows.push(Row { line: Line::new(*link, *size)?, way: *way, rates: Vec::new(), costs: Vec::new() });
    }
    for round in 0..=rounds {
        for row in &mut rows {
            row.run(round > 0)?;
        }
    }
    println!("{:<40}{:>16}{:>16}", "", "1,000 packets/s", "relay, µs each");
    for ((name, ..), row) in kinds.iter().zip(&mut rows) {
        println!("{name:<40}{:>16.0}{:>16.2}", median(&mut row.rates) / 1_000.0, median(&mut row.costs));
    }
    drop(rows);
    println!("\n{:<40}{:>10}{:>16}{:>16}", format!("at {RATE} packets/s"), "sent", "lost before", "lost behind it");
    for (name, link, way, size) in kinds {
        if link != Link::Direct {
            let (sent, before, behind) = Line::new(link, size)?.at_rate(way)?;
            println!("{name:<40}{sent:>10}{before:>16}{behind:>16}");
        }
    }
    Ok(())
}

/// A sender and a receiver, and what is between them.
struct Line {
    link: Link,
    size: usize,
    proxy: Proxy,
    /// As many as there are packets in a burst.
    senders: Vec<Arc<Peer>>,
    receiver: Arc<Peer>,
    data: Vec<u8>,
}

struct Row {
    line: Line,
    way: Way,
    /// Packets per second.
    rates: Vec<f64>,
    /// Microseconds of the relay's thread per packet.
    costs: Vec<f64>,
}

impl Row {
    #[expect(clippy::cast_precision_loss, reason = "a few millions")]
    fn run(&mut self, counts: bool) -> io::Result<()> {
        let before = relay_time();
        let (packets, time) = self.line.as_fast_as_possible(self.way)?;
        let cost = relay_time().saturating_sub(before).as_secs_f64() * 1e6;
        if counts {
            self.rates.push(packets as f64 / time.as_secs_f64());
            self.costs.push(cost / packets as f64);
        }
        Ok(())
    }
}

impl Line {
    fn new(link: Link, size: usize) -> io::Result<Self> {
        let (proxy, receiver) = (Proxy::default(), Peer::new());
        receiver.bind(0, "127.0.0.1", 4 << 20).map_err(io::Error::other)?;
        let mut port = receiver.local_addr().map_or(0, |address| address.port());
        if link != Link::Direct {
            let target = NonZeroU16::new(port).ok_or(io::ErrorKind::NotFound)?;
            if link == Link::Delayed {
                let conditions = Conditions { latency_msec: DELAY_MSEC, ..Conditions::default() };
                proxy.set_to_target_conditions(Some(SharedConditions::new(conditions)));
            }
            proxy.start("127.0.0.1", target, 0, "127.0.0.1").map_err(io::Error::other)?;
            port = proxy.local_addr().map_or(0, |address| address.port());
        }
        let senders: Vec<_> = (0..BURST).map(|_| Peer::new()).collect();
        for sender in &senders {
            sender.set_destination("127.0.0.1", port).map_err(io::Error::other)?;
        }
        Ok(Self { link, size, proxy, senders, receiver, data: vec![7; size * BURST] })
    }

    fn send(&self, way: Way) -> io::Result<()> {
        let Some(sender) = self.senders.first() else { return Ok(()) };
        let mut packets = self.data.chunks(self.size);
        let sent = match way {
            Way::Single => packets.try_for_each(|packet| sender.send(packet)),
            Way::Clients => packets.zip(&self.senders).try_for_each(|(packet, sender)| sender.send(packet)),
            Way::Many => {
                let packets: Vec<&[u8]> = packets.collect();
                sender.send_many(&packets).map(drop)
            }
            Way::Segmented => {
                let size = NonZeroUsize::new(self.size).unwrap_or(NonZeroUsize::MIN);
                sender.send_segmented(&self.data, size).map(drop)
            }
        };
        sent.map_err(io::Error::other)
    }

    /// Counts what comes, until `is_over`.
    fn receive(&self, received: &AtomicUsize, is_over: &AtomicBool) -> io::Result<()> {
        while !is_over.load(Ordering::Relaxed) {
            self.receiver.wait(Some(Duration::from_millis(10))).map_err(io::Error::other)?;
            let mut drain = self.receiver.take_many(None).map_err(io::Error::other)?;
            while let Some(run) = drain.next() {
                received.fetch_add(run.packets().count(), Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Sends with a limited number of packets on their way; how many have come, and in what time.
    fn as_fast_as_possible(&self, way: Way) -> io::Result<(usize, Duration)> {
        let most = window(self.size) + if self.link == Link::Delayed { HELD } else { 0 };
        let (received, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            let counting = scope.spawn(|| self.receive(&received, &is_over));
            let start = Instant::now();
            let mut sent = 0;
            let mut progress = (0, start);
            let outcome = loop {
                let came = received.load(Ordering::Relaxed);
                if came > progress.0 {
                    progress = (came, Instant::now());
                }
                if progress.1.elapsed() > LOST_AFTER {
                    break Err(io::Error::other(format!("{came} of {sent} packets have come")));
                }
                let is_done = start.elapsed() > ROUND;
                if is_done && came == sent {
                    break Ok((sent, start.elapsed()));
                }
                // Behind a delay they come in lumps, and the sender must not fill a buffer with one.
                let read = usize::try_from(self.proxy.stats().to_target.packets_in).unwrap_or(0);
                let is_full =
                    sent + BURST > came + most || self.link == Link::Delayed && sent + BURST > read + window(self.size);
                if is_done || is_full {
                    thread::yield_now();
                } else {
                    if let Err(error) = self.send(way) {
                        break Err(error);
                    }
                    sent += BURST;
                }
            };
            is_over.store(true, Ordering::Relaxed);
            counting.join().map_err(|_| io::Error::other("the receiver has panicked"))??;
            self.proxy.reset_stats();
            outcome
        })
    }

    /// Sends at a fixed rate; how many packets, how many did not come to the relay, and how many did not come out of it or to the target.
    fn at_rate(&self, way: Way) -> io::Result<(usize, usize, usize)> {
        let (received, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            let counting = scope.spawn(|| self.receive(&received, &is_over));
            let start = Instant::now();
            let mut sent = 0;
            while start.elapsed() < RATE_TIME {
                let due = start.elapsed().as_micros() as usize * RATE / 1_000_000;
                if sent + BURST <= due {
                    self.send(way)?;
                    sent += BURST;
                } else {
                    thread::sleep(Duration::from_micros(100));
                }
            }
            thread::sleep(Duration::from_millis(300));
            is_over.store(true, Ordering::Relaxed);
            counting.join().map_err(|_| io::Error::other("the receiver has panicked"))??;
            let came = usize::try_from(self.proxy.stats().to_target.packets_in).unwrap_or(0);
            Ok((sent, sent - came, came - received.load(Ordering::Relaxed)))
        })
    }
}

fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(0.0)
}

/// The processor time of the thread that relays; 0 where the system does not tell.
fn relay_time() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let is_relay = |path: &std::path::Path| {
        std::fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim_end() == "udp receive")
    };
    let time = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(path.join("schedstat")).ok()?;
        text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    };
    threads.map(|entry| entry.path()).filter(|path| is_relay(path)).filter_map(time).sum()
}

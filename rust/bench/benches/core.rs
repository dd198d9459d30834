//! Where the core's time goes, without the engine: `cargo bench -p packet_peer_udp_bench`.
//!
//! One peer sends bursts to another on loopback. A row is the cost of one packet of a burst in microseconds, the median of
//! all rounds; the rows take turns. `-- --quick` runs few rounds. The environment variable `PACKET_PEER_UDP_RS_PATH`
//! chooses how packets pass between the socket and the kernel (`portable`, `batch`, `offload`). The program `baseline`
//! measures the bare system calls.

use std::io;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use packet_peer_udp_bench::{BURST, Benchmark, Row, SIZES, run_interleaved};
use packet_peer_udp_core::Peer;

/// A burst that has not arrived after this time counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let mut rounds = 2_000;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--quick" => rounds = 100,
            "--bench" => {} // added by cargo
            _ => {
                eprintln!("Usage: cargo bench -p packet_peer_udp_bench -- [--quick]");
                return ExitCode::from(2);
            }
        }
    }
    let result = measure(rounds);
    packet_peer_udp_core::shut_down();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("core: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(rounds: usize) -> io::Result<()> {
    let mut all: Vec<Box<dyn Benchmark>> = Vec::new();
    for size in SIZES {
        all.push(Box::new(OneByOne::new(size, false, ["send", COUNT, COUNT_AGAIN, TAKE])?));
        all.push(Box::new(Batch::new(size, false, Sending::OneByOne, [None, Some("take_many of send")])?));
        all.push(Box::new(Batch::new(
            size,
            false,
            Sending::Many,
            [Some("send_many"), Some("take_many of send_many")],
        )?));
        let names = [Some("send_segmented"), Some("take_many of send_segmented")];
        all.push(Box::new(Batch::new(size, false, Sending::Segmented, names)?));

        let names = ["send, background", "available, background", "available again, background", "take, background"];
        all.push(Box::new(OneByOne::new(size, true, names)?));
        let names = [None, Some("take_many of send, background")];
        all.push(Box::new(Batch::new(size, true, Sending::OneByOne, names)?));
        let names = [None, Some("take_many of send_segmented, background")];
        all.push(Box::new(Batch::new(size, true, Sending::Segmented, names)?));
    }
    all.push(Box::new(Idle::new(false)?));
    all.push(Box::new(Idle::new(true)?));
    run_interleaved(&mut all, rounds)?;

    println!("{:<48}{:>9}{:>9}{:>9}", "µs per packet", SIZES[0], SIZES[1], SIZES[2]);
    let rows: Vec<&Row> = all.iter().flat_map(|one| one.rows()).collect();
    let mut shown: Vec<&str> = Vec::new();
    for row in &rows {
        if shown.contains(&row.name) {
            continue;
        }
        shown.push(row.name);
        print!("{:<48}", row.name);
        for same in rows.iter().filter(|other| other.name == row.name) {
            print!("{:>9.3}", same.median());
        }
        println!();
    }
    Ok(())
}

/// Rows of [`OneByOne`]: the count that reads the burst from the socket,
const COUNT: &str = "available, which reads the burst";
/// another count when all packets are queued,
const COUNT_AGAIN: &str = "available again, nothing new";
/// taking a packet from the queue.
const TAKE: &str = "take";

/// A sender, a receiver and the burst that goes from one to the other.
struct Pair {
    sender: Arc<Peer>,
    receiver: Arc<Peer>,
    packets: Vec<Vec<u8>>,
    joined: Vec<u8>,
    size: usize,
    background: bool,
}

impl Pair {
    fn new(size: usize, background: bool) -> io::Result<Self> {
        let packets: Vec<Vec<u8>> = (0..BURST).map(|number| vec![number.to_le_bytes()[0]; size]).collect();
        let sender = Peer::new();
        let receiver = bound_peer(background)?;
        let port = receiver.local_addr().map_or(0, |address| address.port());
        sender.set_destination("127.0.0.1", port).map_err(io::Error::other)?;
        Ok(Self { sender, receiver, joined: packets.concat(), packets, size, background })
    }

    /// In background mode, waits until the background thread has queued the whole burst.
    fn await_queued(&self) -> io::Result<()> {
        let deadline = Instant::now() + LOST_AFTER;
        while self.background && self.receiver.available().unwrap_or(0) < BURST {
            thread::sleep(Duration::from_micros(20));
            if Instant::now() > deadline {
                return Err(lost(self.receiver.available().unwrap_or(0)));
            }
        }
        Ok(())
    }
}

fn bound_peer(background: bool) -> io::Result<Arc<Peer>> {
    let peer = Peer::new();
    peer.set_background_receive(background).map_err(io::Error::other)?;
    peer.bind(0, "127.0.0.1", 65_536).map_err(io::Error::other)?;
    Ok(peer)
}

fn lost(arrived: usize) -> io::Error {
    io::Error::other(format!("{arrived} of {BURST} packets arrived"))
}

/// One packet per call.
struct OneByOne {
    pair: Pair,
    rows: [Row; 4],
}

impl OneByOne {
    fn new(size: usize, background: bool, names: [&'static str; 4]) -> io::Result<Self> {
        Ok(Self { pair: Pair::new(size, background)?, rows: names.map(|name| Row::new(name, size)) })
    }
}

impl Benchmark for OneByOne {
    fn round(&mut self) -> io::Result<()> {
        let pair = &self.pair;
        let start = Instant::now();
        for packet in &pair.packets {
            pair.sender.send(packet).map_err(io::Error::other)?;
        }
        self.rows[0].add(start.elapsed(), BURST);

        pair.await_queued()?;
        let deadline = Instant::now() + LOST_AFTER;
        let start = Instant::now();
        // One call, unless a busy kernel delivers late.
        while pair.receiver.available().unwrap_or(0) < BURST {
            if Instant::now() > deadline {
                return Err(lost(pair.receiver.available().unwrap_or(0)));
            }
        }
        self.rows[1].add(start.elapsed(), BURST);

        let start = Instant::now();
        for _ in 0..BURST {
            if pair.receiver.available() != Some(BURST) {
                return Err(io::Error::other("more packets arrived than were sent"));
            }
        }
        self.rows[2].add(start.elapsed(), BURST);

        let mut bytes = 0;
        let start = Instant::now();
        for _ in 0..BURST {
            bytes += pair.receiver.take().map_err(io::Error::other)?.map_or(0, |packet| packet.len());
        }
        self.rows[3].add(start.elapsed(), BURST);
        if bytes == pair.joined.len() { Ok(()) } else { Err(lost(bytes / pair.size)) }
    }

    fn rows(&self) -> &[Row] {
        &self.rows
    }

    fn clear(&mut self) {
        self.rows.iter_mut().for_each(Row::clear);
    }
}

/// The method that sends a burst.
enum Sending {
    OneByOne,
    Many,
    Segmented,
}

/// One burst per call.
struct Batch {
    pair: Pair,
    sending: Sending,
    /// The rows' names, for sending and for taking. `None`: another benchmark has that row.
    names: [Option<&'static str>; 2],
    rows: Vec<Row>,
}

impl Batch {
    fn new(size: usize, background: bool, sending: Sending, names: [Option<&'static str>; 2]) -> io::Result<Self> {
        let rows = names.iter().flatten().map(|name| Row::new(name, size)).collect();
        Ok(Self { pair: Pair::new(size, background)?, sending, names, rows })
    }
}

impl Benchmark for Batch {
    fn round(&mut self) -> io::Result<()> {
        let pair = &self.pair;
        let slices: Vec<&[u8]> = pair.packets.iter().map(Vec::as_slice).collect();
        let start = Instant::now();
        match self.sending {
            Sending::OneByOne => slices.iter().try_for_each(|packet| pair.sender.send(packet)).map(|()| BURST),
            Sending::Many => pair.sender.send_many(&slices),
            Sending::Segmented => {
                pair.sender.send_segmented(&pair.joined, NonZeroUsize::new(pair.size).unwrap_or(NonZeroUsize::MIN))
            }
        }
        .map_err(io::Error::other)?;
        let sent = start.elapsed();

        pair.await_queued()?;
        let deadline = Instant::now() + LOST_AFTER;
        let mut bytes = 0;
        let start = Instant::now();
        while bytes < pair.joined.len() {
            let mut drain = pair.receiver.take_many(None).map_err(io::Error::other)?;
            while let Some(run) = drain.next() {
                bytes += run.bytes.len();
            }
            if Instant::now() > deadline {
                return Err(lost(bytes / pair.size));
            }
        }
        let taken = start.elapsed();
        let times = self.names.iter().zip([sent, taken]).filter(|(name, _)| name.is_some());
        for (row, (_, time)) in self.rows.iter_mut().zip(times) {
            row.add(time, BURST);
        }
        Ok(())
    }

    fn rows(&self) -> &[Row] {
        &self.rows
    }

    fn clear(&mut self) {
        self.rows.iter_mut().for_each(Row::clear);
    }
}

/// Counting the packets of a peer that has none.
struct Idle {
    peer: Arc<Peer>,
    rows: [Row; 1],
}

impl Idle {
    fn new(background: bool) -> io::Result<Self> {
        let name = if background { "available, idle, background (per call)" } else { "available, idle (per call)" };
        Ok(Self { peer: bound_peer(background)?, rows: [Row::new(name, 0)] })
    }
}

impl Benchmark for Idle {
    fn round(&mut self) -> io::Result<()> {
        let start = Instant::now();
        for _ in 0..BURST {
            if self.peer.available() != Some(0) {
                return Err(io::Error::other("an idle peer has packets"));
            }
        }
        self.rows[0].add(start.elapsed(), BURST);
        Ok(())
    }

    fn rows(&self) -> &[Row] {
        &self.rows
    }

    fn clear(&mut self) {
        self.rows.iter_mut().for_each(Row::clear);
    }
}

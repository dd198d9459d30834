//! Where the core's time goes, without the engine: `cargo bench -p packet_peer_udp_bench`.
//!
//! Two peers on loopback; what a row says is one packet's share of a burst, in microseconds, the median of many rounds in
//! which all rows have their turn. `--quick`, after `--`, does few rounds; the environment variable
//! `PACKET_PEER_UDP_RS_PATH` chooses how packets pass between the socket and the kernel (`portable`, `batch`, `offload`).
//! The bare system calls below it all are measured by `floor`.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use packet_peer_udp_bench::{BURST, Measured, Row, SIZES, in_turn};
use packet_peer_udp_core::Peer;

/// How long a burst may take to arrive before it counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let mut rounds = 2_000;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--quick" => rounds = 100,
            "--bench" => {} // cargo's
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
    let mut all: Vec<Box<dyn Measured>> = Vec::new();
    for size in SIZES {
        all.push(Box::new(OneByOne::new(size, false, ["send", LOOK, LOOK_AGAIN, TAKE])?));
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
    in_turn(&mut all, rounds)?;

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

/// The names of what [`OneByOne`] measures: the count that finds the burst in the socket and reads it,
const LOOK: &str = "available, which reads the burst";
/// one after that, as a loop makes for each packet,
const LOOK_AGAIN: &str = "available again, nothing new";
/// and a packet from the queue.
const TAKE: &str = "take";

/// Two peers and what goes from the one to the other.
struct Lane {
    sender: Arc<Peer>,
    receiver: Arc<Peer>,
    packets: Vec<Vec<u8>>,
    joined: Vec<u8>,
    size: usize,
    background: bool,
}

impl Lane {
    fn new(size: usize, background: bool) -> io::Result<Self> {
        let packets: Vec<Vec<u8>> = (0..BURST).map(|number| vec![number.to_le_bytes()[0]; size]).collect();
        let sender = Peer::new();
        let receiver = bound_peer(background)?;
        let port = receiver.local_addr().map_or(0, |address| address.port());
        sender.set_destination("127.0.0.1", port.into()).map_err(io::Error::other)?;
        Ok(Self { sender, receiver, joined: packets.concat(), packets, size, background })
    }

    /// Waits until the background thread has the whole burst.
    fn settle(&self) -> io::Result<()> {
        let deadline = Instant::now() + LOST_AFTER;
        while self.background && self.receiver.available().unwrap_or(0) < BURST {
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

/// A packet per call.
struct OneByOne {
    lane: Lane,
    rows: [Row; 4],
}

impl OneByOne {
    fn new(size: usize, background: bool, names: [&'static str; 4]) -> io::Result<Self> {
        Ok(Self { lane: Lane::new(size, background)?, rows: names.map(|name| Row::new(name, size)) })
    }
}

impl Measured for OneByOne {
    fn round(&mut self) -> io::Result<()> {
        let lane = &self.lane;
        let start = Instant::now();
        for packet in &lane.packets {
            lane.sender.send(packet).map_err(io::Error::other)?;
        }
        self.rows[0].add(start.elapsed(), BURST);

        lane.settle()?;
        let deadline = Instant::now() + LOST_AFTER;
        let start = Instant::now();
        // Once, unless a busy kernel delivers late.
        while lane.receiver.available().unwrap_or(0) < BURST {
            if Instant::now() > deadline {
                return Err(lost(lane.receiver.available().unwrap_or(0)));
            }
        }
        self.rows[1].add(start.elapsed(), BURST);

        let start = Instant::now();
        for _ in 0..BURST {
            if lane.receiver.available() != Some(BURST) {
                return Err(io::Error::other("more packets arrived than were sent"));
            }
        }
        self.rows[2].add(start.elapsed(), BURST);

        let mut bytes = 0;
        let start = Instant::now();
        for _ in 0..BURST {
            bytes += lane.receiver.take().map_err(io::Error::other)?.map_or(0, |packet| packet.len());
        }
        self.rows[3].add(start.elapsed(), BURST);
        if bytes == lane.joined.len() { Ok(()) } else { Err(lost(bytes / lane.size)) }
    }

    fn rows(&self) -> &[Row] {
        &self.rows
    }

    fn forget(&mut self) {
        self.rows.iter_mut().for_each(Row::forget);
    }
}

/// How a burst is sent.
enum Sending {
    OneByOne,
    Many,
    Segmented,
}

/// A burst per call.
struct Batch {
    lane: Lane,
    sending: Sending,
    /// Sending and taking; `None` where another row has it already.
    names: [Option<&'static str>; 2],
    rows: Vec<Row>,
}

impl Batch {
    fn new(size: usize, background: bool, sending: Sending, names: [Option<&'static str>; 2]) -> io::Result<Self> {
        let rows = names.iter().flatten().map(|name| Row::new(name, size)).collect();
        Ok(Self { lane: Lane::new(size, background)?, sending, names, rows })
    }
}

impl Measured for Batch {
    fn round(&mut self) -> io::Result<()> {
        let lane = &self.lane;
        let slices: Vec<&[u8]> = lane.packets.iter().map(Vec::as_slice).collect();
        let start = Instant::now();
        match self.sending {
            Sending::OneByOne => slices.iter().try_for_each(|packet| lane.sender.send(packet)).map(|()| BURST),
            Sending::Many => lane.sender.send_many(&slices),
            Sending::Segmented => lane.sender.send_segmented(&lane.joined, lane.size.try_into().unwrap_or(0)),
        }
        .map_err(io::Error::other)?;
        let sent = start.elapsed();

        lane.settle()?;
        let deadline = Instant::now() + LOST_AFTER;
        let mut bytes = 0;
        let start = Instant::now();
        while bytes < lane.joined.len() {
            let mut taking = lane.receiver.take_many(None).map_err(io::Error::other)?;
            while let Some(run) = taking.next() {
                bytes += run.bytes.len();
            }
            if Instant::now() > deadline {
                return Err(lost(bytes / lane.size));
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

    fn forget(&mut self) {
        self.rows.iter_mut().for_each(Row::forget);
    }
}

/// Asking a peer that has nothing.
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

impl Measured for Idle {
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

    fn forget(&mut self) {
        self.rows.iter_mut().for_each(Row::forget);
    }
}

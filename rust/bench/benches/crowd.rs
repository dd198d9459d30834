//! Where a server's time goes, without the engine: `cargo bench -p packet_peer_udp_bench --bench crowd`.
//!
//! What a packet of 64 bytes costs when it is dealt out, and when it is taken from its peer, with ever more peers who send in
//! no order; the median of many rounds in which all crowds have their turn. `--quick`, after `--`, does few rounds.

use std::io;
use std::net::UdpSocket;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use packet_peer_udp_bench::{BURST, Measured, Row, in_turn};
use packet_peer_udp_core::{Peer, Server};

/// How many peers there are; the sum, and some more, is how many files the system must let a process have open.
const CROWDS: [usize; 5] = [10, 100, 1_000, 4_000, 10_000];

/// How long a burst may take to arrive before it counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(2);

const SIZE: usize = 64;

fn main() -> ExitCode {
    let quick = std::env::args().any(|argument| argument == "--quick");
    match measure(if quick { 100 } else { 3_000 }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crowd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(rounds: usize) -> io::Result<()> {
    let mut all: Vec<Box<dyn Measured>> = Vec::new();
    for count in CROWDS {
        all.push(Box::new(Crowd::new(count)?));
    }
    in_turn(&mut all, rounds)?;
    println!("{:<24}{:>9}{:>9}", "µs per packet", "poll", "take");
    for (count, crowd) in CROWDS.iter().zip(&all) {
        print!("{:<24}", format!("{count} peers"));
        for row in crowd.rows() {
            print!("{:>9.3}", row.median());
        }
        println!();
    }
    Ok(())
}

/// A server, and those who send to it.
struct Crowd {
    server: Server,
    /// In the order in which they were taken.
    peers: Vec<Arc<Peer>>,
    clients: Vec<UdpSocket>,
    /// What the next senders are drawn from.
    seed: u64,
    rows: [Row; 2],
}

impl Crowd {
    fn new(count: usize) -> io::Result<Self> {
        let server = Server::default();
        server.listen(0, "127.0.0.1").map_err(io::Error::other)?;
        let port = server.local_addr().map_or(0, |address| address.port());
        let mut crowd = Self {
            server,
            peers: Vec::new(),
            clients: Vec::new(),
            seed: 1,
            rows: ["poll", "take"].map(|name| Row::new(name, SIZE)),
        };
        for _ in 0..count {
            let client = UdpSocket::bind("127.0.0.1:0")?;
            client.connect(("127.0.0.1", port))?;
            client.send(&[0; SIZE])?;
            crowd.clients.push(client);
            crowd.server.poll().map_err(io::Error::other)?;
            let peer = crowd.server.take().ok_or_else(|| io::Error::other("a client was not heard"))?;
            peer.take().map_err(io::Error::other)?;
            crowd.peers.push(peer);
        }
        Ok(crowd)
    }

    /// Somebody, as `xorshift64*` draws them.
    fn draw(&mut self) -> usize {
        self.seed ^= self.seed >> 12;
        self.seed ^= self.seed << 25;
        self.seed ^= self.seed >> 27;
        let drawn = self.seed.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(drawn).unwrap_or(0) % self.clients.len()
    }
}

impl Measured for Crowd {
    fn round(&mut self) -> io::Result<()> {
        let drawn: Vec<usize> = (0..BURST).map(|_| self.draw()).collect();
        for number in &drawn {
            self.clients[*number].send(&[1; SIZE])?;
        }
        let received = self.server.stats().all.packets_received;
        let start = Instant::now();
        let mut polls = 0;
        // Once, unless a busy kernel delivers late.
        loop {
            self.server.poll().map_err(io::Error::other)?;
            polls += 1;
            if polls == 1 {
                self.rows[0].add(start.elapsed(), BURST);
            }
            let arrived = self.server.stats().all.packets_received - received;
            if arrived == BURST as u64 {
                break;
            }
            if start.elapsed() > LOST_AFTER {
                return Err(io::Error::other(format!("{arrived} of {BURST} packets arrived")));
            }
        }
        let mut bytes = 0;
        let start = Instant::now();
        for number in &drawn {
            bytes += self.peers[*number].take().map_err(io::Error::other)?.map_or(0, |packet| packet.len());
        }
        self.rows[1].add(start.elapsed(), BURST);
        if bytes == BURST * SIZE { Ok(()) } else { Err(io::Error::other("a packet went to somebody else")) }
    }

    fn rows(&self) -> &[Row] {
        &self.rows
    }

    fn forget(&mut self) {
        self.rows.iter_mut().for_each(Row::forget);
    }
}

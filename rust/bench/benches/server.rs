//! Where a server's time goes, without the engine: `cargo bench -p packet_peer_udp_bench --bench server`.
//!
//! The cost in microseconds of a packet of 64 bytes in `poll`, which dispatches it, and in `take`, with 10 to 10,000 peers
//! whose clients send in random order: the median of all rounds; the rows take turns. `-- --quick` runs few rounds.

use std::io;
use std::net::UdpSocket;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use packet_peer_udp_bench::{BURST, Benchmark, Row, run_interleaved};
use packet_peer_udp_core::{Peer, Server};

/// Numbers of peers. The process needs a few more open files than their sum.
const PEERS: [usize; 5] = [10, 100, 1_000, 4_000, 10_000];

/// A burst that has not arrived after this time counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(20);

const SIZE: usize = 64;

fn main() -> ExitCode {
    let quick = std::env::args().any(|argument| argument == "--quick");
    match measure(if quick { 100 } else { 3_000 }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(rounds: usize) -> io::Result<()> {
    let mut all: Vec<Box<dyn Benchmark>> = Vec::new();
    for count in PEERS {
        all.push(Box::new(ServerWithPeers::new(count)?));
    }
    run_interleaved(&mut all, rounds)?;
    println!("{:<24}{:>9}{:>9}", "µs per packet", "poll", "take");
    for (count, one) in PEERS.iter().zip(&all) {
        print!("{:<24}", format!("{count} peers"));
        for row in one.rows() {
            print!("{:>9.3}", row.median());
        }
        println!();
    }
    Ok(())
}

/// A server, its accepted peers and their clients.
struct ServerWithPeers {
    server: Server,
    /// `peers[i]` belongs to `clients[i]`.
    peers: Vec<Arc<Peer>>,
    clients: Vec<UdpSocket>,
    /// State of the random number generator.
    random: u64,
    rows: [Row; 2],
}

impl ServerWithPeers {
    fn new(count: usize) -> io::Result<Self> {
        let server = Server::default();
        server.listen(0, "127.0.0.1").map_err(io::Error::other)?;
        let port = server.local_addr().map_or(0, |address| address.port());
        let mut fixture = Self {
            server,
            peers: Vec::new(),
            clients: Vec::new(),
            random: 1,
            rows: ["poll", "take"].map(|name| Row::new(name, SIZE)),
        };
        for _ in 0..count {
            let client = UdpSocket::bind("127.0.0.1:0")?;
            client.connect(("127.0.0.1", port))?;
            client.send(&[0; SIZE])?;
            fixture.clients.push(client);
            let peer = fixture.accept()?;
            peer.take().map_err(io::Error::other)?;
            fixture.peers.push(peer);
        }
        Ok(fixture)
    }

    /// Polls until a client is accepted: once, unless a busy kernel delivers late.
    fn accept(&self) -> io::Result<Arc<Peer>> {
        let deadline = Instant::now() + LOST_AFTER;
        while Instant::now() < deadline {
            self.server.poll().map_err(io::Error::other)?;
            if let Some(peer) = self.server.accept() {
                return Ok(peer);
            }
        }
        Err(io::Error::other("a client was not accepted"))
    }

    /// A random client (`xorshift64*`).
    fn random_client(&mut self) -> usize {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let number = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap_or(0) % self.clients.len()
    }
}

impl Benchmark for ServerWithPeers {
    fn round(&mut self) -> io::Result<()> {
        let senders: Vec<usize> = (0..BURST).map(|_| self.random_client()).collect();
        for number in &senders {
            self.clients[*number].send(&[1; SIZE])?;
        }
        let received = self.server.stats().all.packets_received;
        let start = Instant::now();
        let mut polls = 0;
        // One call, unless a busy kernel delivers late.
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
        for number in &senders {
            bytes += self.peers[*number].take().map_err(io::Error::other)?.map_or(0, |packet| packet.len());
        }
        self.rows[1].add(start.elapsed(), BURST);
        if bytes == BURST * SIZE { Ok(()) } else { Err(io::Error::other("a packet was dispatched to another peer")) }
    }

    fn rows(&self) -> &[Row] {
        &self.rows
    }

    fn clear(&mut self) {
        self.rows.iter_mut().for_each(Row::clear);
    }
}

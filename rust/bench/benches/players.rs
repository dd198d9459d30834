//! What a frame costs a server with many players, without the engine: `cargo bench -p packet_peer_udp_bench --bench players`.
//!
//! Medians in microseconds. A frame with 10,000 peers of which 100 have got a packet: taking all by a loop over every peer, and by a
//! loop over the ready ones. A state packet to 1,000 peers: one call for each peer, and one call for all. `-- --quick` runs few
//! rounds.

use std::io;
use std::net::UdpSocket;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use packet_peer_udp_bench::{Benchmark, Row, run_interleaved};
use packet_peer_udp_core::{Peer, Server};

const PEERS: usize = 10_000;
const SENDERS: usize = 100;
const RECEIVERS: usize = 1_000;
const SIZE: usize = 64;

/// A burst that has not arrived after this time counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let quick = std::env::args().any(|argument| argument == "--quick");
    match measure(if quick { 20 } else { 500 }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("players: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(rounds: usize) -> io::Result<()> {
    let mut all: Vec<Box<dyn Benchmark>> = vec![Box::new(Frame::new()?), Box::new(State::new()?)];
    run_interleaved(&mut all, rounds)?;
    for one in &all {
        let [each, at_once] = one.rows() else { continue };
        let (slow, fast) = (each.median(), at_once.median());
        println!("{:<40}{slow:>10.1}", each.name);
        println!("{:<40}{fast:>10.1}{:>8.3} of that", at_once.name, fast / slow);
    }
    Ok(())
}

/// A server, its accepted peers and their clients.
struct Players {
    server: Server,
    peers: Vec<Arc<Peer>>,
    clients: Vec<UdpSocket>,
}

impl Players {
    fn new(count: usize) -> io::Result<Self> {
        let server = Server::default();
        server.listen(0, "127.0.0.1").map_err(io::Error::other)?;
        let port = server.local_addr().map_or(0, |address| address.port());
        let mut players = Self { server, peers: Vec::new(), clients: Vec::new() };
        for _ in 0..count {
            let client = UdpSocket::bind("127.0.0.1:0")?;
            client.connect(("127.0.0.1", port))?;
            client.send(&[0; SIZE])?;
            players.clients.push(client);
            let peer = players.accept()?;
            peer.take().map_err(io::Error::other)?;
            players.peers.push(peer);
        }
        Ok(players)
    }

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
}

/// Takes what a peer has; how many packets.
fn take_all(peer: &Peer) -> usize {
    std::iter::from_fn(|| peer.take().ok().flatten()).count()
}

struct Frame {
    players: Players,
    rows: [Row; 2],
    /// Where the next senders begin.
    next: usize,
}

impl Frame {
    fn new() -> io::Result<Self> {
        let rows = ["10,000 peers, 100 packets: every peer", "10,000 peers, 100 packets: ready peers"];
        Ok(Self { players: Players::new(PEERS)?, rows: rows.map(|name| Row::new(name, SIZE)), next: 0 })
    }

    /// Lets some clients send a packet each, which the server has read when this returns.
    fn send(&mut self) -> io::Result<()> {
        let Players { server, clients, .. } = &self.players;
        let before = server.stats().all.packets_received;
        for index in 0..SENDERS {
            clients[(self.next + index * 97) % PEERS].send(&[1; SIZE])?;
        }
        self.next += 1;
        let start = Instant::now();
        while server.stats().all.packets_received < before + SENDERS as u64 {
            server.poll().map_err(io::Error::other)?;
            if start.elapsed() > LOST_AFTER {
                return Err(io::Error::other("packets were lost"));
            }
        }
        Ok(())
    }
}

impl Benchmark for Frame {
    fn round(&mut self) -> io::Result<()> {
        self.send()?;
        let start = Instant::now();
        let mut taken: usize = self.players.peers.iter().map(|peer| take_all(peer)).sum();
        self.rows[0].add(start.elapsed(), 1);
        // So that the list does not have those of the last round.
        drop(self.players.server.ready_peers());
        self.send()?;
        let start = Instant::now();
        taken += self.players.server.ready_peers().iter().map(|peer| take_all(peer)).sum::<usize>();
        self.rows[1].add(start.elapsed(), 1);
        if taken == 2 * SENDERS { Ok(()) } else { Err(io::Error::other(format!("{taken} packets were taken"))) }
    }

    fn rows(&self) -> &[Row] {
        &self.rows
    }

    fn clear(&mut self) {
        self.rows.iter_mut().for_each(Row::clear);
    }
}

struct State {
    players: Players,
    rows: [Row; 2],
}

impl State {
    fn new() -> io::Result<Self> {
        let rows = ["a packet to 1,000 peers: send()", "a packet to 1,000 peers: send_to_peers()"];
        Ok(Self { players: Players::new(RECEIVERS)?, rows: rows.map(|name| Row::new(name, SIZE)) })
    }

    fn empty(&self) -> io::Result<()> {
        let mut buffer = [0; SIZE];
        self.players.clients.iter().try_for_each(|client| client.recv(&mut buffer).map(drop))
    }
}

impl Benchmark for State {
    fn round(&mut self) -> io::Result<()> {
        let packet = [7; SIZE];
        let start = Instant::now();
        for peer in &self.players.peers {
            peer.send(&packet).map_err(io::Error::other)?;
        }
        self.rows[0].add(start.elapsed(), 1);
        self.empty()?;
        let start = Instant::now();
        let peers: Vec<&Peer> = self.players.peers.iter().map(Arc::as_ref).collect();
        let sent = self.players.server.send_to_peers(&peers, &packet).map_err(io::Error::other)?;
        self.rows[1].add(start.elapsed(), 1);
        self.empty()?;
        if sent == RECEIVERS { Ok(()) } else { Err(io::Error::other(format!("{sent} copies were sent"))) }
    }

    fn rows(&self) -> &[Row] {
        &self.rows
    }

    fn clear(&mut self) {
        self.rows.iter_mut().for_each(Row::clear);
    }
}

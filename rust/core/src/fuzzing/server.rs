//! A server, its peers and its clients: any traffic, and any calls in any order.

use std::net::UdpSocket;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::input::Input;
use super::world::{LONG, Run, address, eventually, receive_all, socket};
use crate::link::conditions::SharedConditions;
use crate::queue::OverflowPolicy;
use crate::{Peer, Server, WaitEnd};

const CLIENTS: usize = 5;

const MAX_OPERATIONS: usize = 80;

/// The sender of what goes to several clients at once.
const TO_ALL: u8 = 255;

struct Client {
    socket: UdpSocket,
    sent: u32,
    /// The number of its packet that was taken last.
    taken: u32,
    /// How many packets were sent to it alone, and the number of the one that it has received last; and of those to several clients.
    answers: u32,
    received: u32,
    received_of_all: u32,
}

struct Accepted {
    peer: Arc<Peer>,
    taken: u64,
}

struct World {
    server: Server,
    clients: [Client; CLIENTS],
    peers: Vec<Accepted>,
    requests: Run,
    answers: Run,
    sent_to_all: u32,
    may_repeat: bool,
    has_timeout: bool,
}

/// A packet comes as it was sent, to the peer of its sender, once and in order, and so does an answer; there are as many peers as were
/// accepted and not closed; when the server stops, all are closed. Whatever has happened before, a server that listens anew works.
pub fn server(data: &[u8]) {
    let mut input = Input::new(data);
    let client = |_| Client { socket: socket(), sent: 0, taken: 0, answers: 0, received: 0, received_of_all: 0 };
    let mut world = World {
        server: Server::default(),
        clients: std::array::from_fn(client),
        peers: Vec::new(),
        requests: Run::new(),
        answers: Run::new(),
        sent_to_all: 0,
        may_repeat: false,
        has_timeout: false,
    };
    world.listen("");
    for _ in 0..MAX_OPERATIONS {
        if input.is_empty() {
            break;
        }
        world.operate(&mut input);
        world.receive();
        world.check();
    }
    world.still_works();
    world.server.stop();
    world.check();
}

impl World {
    fn listen(&self, to: &str) {
        let was_listening = self.server.is_listening();
        let host = address().to_string();
        let listens = self.server.listen(0, if to.is_empty() { &host } else { to });
        assert_eq!(listens.is_err(), was_listening);
    }

    fn operate(&mut self, input: &mut Input<'_>) {
        let at = input.below(CLIENTS);
        let of_peers = input.below(self.peers.len().max(1));
        match input.below(27) {
            0 => {
                self.server.stop();
                self.check();
                if input.flag() {
                    self.listen(input.choice(&["", "*", "0.0.0.0"]));
                }
            }
            1 => self.listen(""),
            2..=4 => self.server.poll().map_or_else(|_| assert!(!self.server.is_listening()), drop),
            5 | 6 => {
                let pending = self.server.pending();
                let accepted = self.server.accept();
                assert!(accepted.is_some() || pending == 0);
                if let Some(peer) = accepted {
                    assert!(peer.is_accepted());
                    self.peers.push(Accepted { peer, taken: 0 });
                }
            }
            7..=9 => self.request(at, input.below(20) + 1, input.below(50) * usize::from(input.byte() % 8)),
            10 | 11 => self.take(of_peers, input.flag()),
            12 | 13 => self.answer(of_peers, input.below(50) * usize::from(input.byte() % 8)),
            14 => self.answer_all(input.below(50)),
            15 => {
                if let Some(Accepted { peer, .. }) = self.peers.get(of_peers) {
                    peer.close();
                    assert!(!peer.is_open());
                }
            }
            16 => {
                if of_peers < self.peers.len() {
                    self.peers.swap_remove(of_peers);
                }
            }
            17 => self.server.set_max_pending(u32::from(input.byte() % 8)),
            18 => {
                let msec = u32::from(input.byte() % 4);
                self.has_timeout |= msec > 0;
                self.server.set_peer_timeout_msec(msec);
            }
            19 => self.server.set_background_receive(input.flag()).unwrap(),
            20 | 21 => {
                let conditions = input.flag().then(|| SharedConditions::new(input.mild_conditions()));
                self.may_repeat |= conditions.as_ref().is_some_and(|conditions| conditions.get().duplicate > 0.0);
                match (self.peers.get(of_peers), input.below(4)) {
                    (_, 0) => self.server.set_send_conditions(conditions),
                    (_, 1) => self.server.set_receive_conditions(conditions),
                    (Some(Accepted { peer, .. }), 2) => peer.set_send_conditions(conditions),
                    (Some(Accepted { peer, .. }), _) => peer.set_receive_conditions(conditions),
                    (None, _) => {}
                }
            }
            22 => self.server.set_queue_size(input.choice(&[0, 1, 200, 5_000])),
            23 => {
                for peer in self.server.ready_peers() {
                    assert!(self.peers.iter().any(|one| Arc::ptr_eq(&one.peer, &peer)));
                    assert!(peer.available().is_some_and(|count| count > 0));
                }
            }
            24 => {
                if let Some(Accepted { peer, .. }) = self.peers.get(of_peers) {
                    let end = peer.wait(Some(Duration::from_millis(u64::from(input.flag()))));
                    assert!(end.is_ok() || self.has_timeout || !peer.is_open());
                    if matches!(end, Ok(WaitEnd::Ready)) {
                        assert_ne!(peer.available(), Some(0), "a wait tells of a packet that is not there");
                    }
                }
            }
            25 => self.clients[at].socket = socket(),
            _ => match (input.below(5), self.peers.get(of_peers)) {
                (0, Some(one)) => one.peer.interrupt_wait(),
                (1, Some(one)) => {
                    one.peer
                        .set_overflow_policy(input.choice(&[OverflowPolicy::DropNewest, OverflowPolicy::DropOldest]));
                }
                (2, _) => self.server.reset_stats(),
                (3, _) => thread::sleep(Duration::from_micros(500)),
                _ => crate::begin_frame(),
            },
        }
    }

    fn request(&mut self, at: usize, count: usize, length: usize) {
        let Some(to) = self.server.local_addr() else { return };
        let client = &mut self.clients[at];
        for _ in 0..count {
            client.sent += 1;
            let payload = self.requests.payload(u8::try_from(at).unwrap(), client.sent, length.max(9));
            let _ = client.socket.send_to(&payload, (address(), to.port()));
        }
    }

    fn take(&mut self, index: usize, many: bool) {
        let Some(Accepted { peer, .. }) = self.peers.get(index) else { return };
        let peer = Arc::clone(peer);
        if many {
            let Ok(mut drain) = peer.take_many(None) else { return };
            while let Some(packets) = drain.next() {
                packets.packets().for_each(|packet| self.note(index, packet));
            }
        } else if let Ok(Some(packet)) = peer.take() {
            self.note(index, &packet);
        }
    }

    fn note(&mut self, index: usize, packet: &[u8]) {
        let accepted = &mut self.peers[index];
        accepted.taken += 1;
        let Some((client, number)) = self.requests.read(packet) else { return };
        let client = &mut self.clients[usize::from(client)];
        let is_next = if self.may_repeat { number >= client.taken } else { number > client.taken };
        assert!(is_next && number <= client.sent, "packet {number} comes after {}", client.taken);
        client.taken = number;
        let sender = accepted.peer.last_taken().unwrap().sender();
        assert!(sender.port() > 0);
    }

    /// Which client a peer is of, if its socket is still there.
    fn client_of(&self, peer: &Peer) -> Option<usize> {
        let port = peer.last_taken()?.sender().port();
        self.clients.iter().position(|client| client.socket.local_addr().unwrap().port() == port)
    }

    fn answer(&mut self, index: usize, length: usize) {
        let Some(Accepted { peer, .. }) = self.peers.get(index) else { return };
        let Some(at) = self.client_of(peer) else { return };
        let client = &mut self.clients[at];
        client.answers += 1;
        let payload = self.answers.payload(u8::try_from(at).unwrap(), client.answers, length.max(9));
        let sent = peer.send(&payload);
        assert!(sent.is_ok() || !peer.is_open() || peer.last_error().message.len() > 1);
    }

    fn answer_all(&mut self, length: usize) {
        self.sent_to_all += 1;
        let payload = self.answers.payload(TO_ALL, self.sent_to_all, length.max(9));
        let peers: Vec<&Peer> = self.peers.iter().map(|one| &*one.peer).collect();
        let are_open = peers.iter().all(|peer| peer.is_open());
        let sent = self.server.send_to_peers(&peers, &payload);
        assert!(
            sent.as_ref().is_ok_and(|sent| *sent <= peers.len())
                || !are_open
                || self.has_timeout
                || !self.server.is_listening()
        );
    }

    /// Takes what has come to the clients.
    fn receive(&mut self) {
        for at in 0..CLIENTS {
            for (payload, _) in receive_all(&self.clients[at].socket) {
                let Some((to, number)) = self.answers.read(&payload) else { continue };
                let client = &mut self.clients[at];
                let last = if to == TO_ALL { &mut client.received_of_all } else { &mut client.received };
                assert!(to == TO_ALL || usize::from(to) == at, "an answer comes to another client");
                let is_next = if self.may_repeat { number >= *last } else { number > *last };
                assert!(is_next, "answer {number} comes after {last}");
                *last = number;
            }
        }
    }

    /// What holds at any time.
    fn check(&self) {
        let server = &self.server;
        // A peer that was closed and sends has a socket of its own from then on.
        let open = self.peers.iter().filter(|one| one.peer.is_open() && one.peer.is_accepted()).count();
        assert!(server.pending() <= server.max_pending());
        if !server.is_listening() {
            assert_eq!((server.pending(), server.peers(), open), (0, 0, 0));
            assert!(server.local_addr().is_none() && server.accept().is_none());
        }
        // An idle peer is closed at any moment.
        assert!(server.peers() == open || self.has_timeout);
        if !server.background_receive() {
            assert_eq!(server.has_pending(), server.pending() > 0);
            // What is queued when a peer is closed is gone, and counts as received.
            let is_its = |one: &&Accepted| one.peer.is_open() && one.peer.is_accepted();
            for one in self.peers.iter().filter(is_its).filter(|_| !self.has_timeout) {
                let available = one.peer.available().unwrap_or(0) as u64;
                assert_eq!(one.peer.totals().packets_in, one.taken + available);
            }
        }
    }

    fn still_works(&mut self) {
        let server = &self.server;
        server.set_send_conditions(None);
        server.set_receive_conditions(None);
        server.set_max_pending(20);
        server.set_peer_timeout_msec(0);
        server.set_queue_size(0);
        server.stop();
        self.check();
        self.peers.clear();
        self.receive();
        self.listen("");
        let before = self.clients[0].sent;
        self.request(0, 3, 40);
        eventually(
            || format!("a peer comes: {:?}", self.server.stats()),
            || {
                self.server.poll().unwrap();
                crate::begin_frame();
                self.server.has_pending()
            },
        );
        let peer = self.server.accept().unwrap();
        self.peers.push(Accepted { peer: Arc::clone(&peer), taken: 0 });
        eventually(
            || format!("its packets come: {:?}", peer.stats()),
            || {
                self.server.poll().unwrap();
                peer.available() == Some(3)
            },
        );
        self.take(0, true);
        assert_eq!(self.clients[0].taken, before + 3);
        self.answer(0, 30);
        let start = Instant::now();
        while self.clients[0].received < self.clients[0].answers {
            assert!(start.elapsed() < LONG, "an answer comes");
            thread::sleep(Duration::from_micros(50));
            self.receive();
        }
    }
}

//! What the methods are called on, and whether it works after that.

use std::net::UdpSocket;
use std::num::NonZeroU16;
use std::sync::Arc;

use packet_peer_udp_core::{Conditions, Peer, Proxy, Server, SharedConditions, WaitEnd};
use parking_lot::Mutex;

use crate::common::{LONG, eventually, nonzero, server_port, take};

pub(crate) const HOST: &str = "127.0.0.1";

/// Everything that the methods of one test are called on.
pub(crate) trait World: Sync {
    const NAME: &'static str;

    /// Fails unless the object passes a packet on, once it is open again. `pair` is what was called before.
    fn restore(&self, pair: &str);
}

/// Conditions that do something and let packets through.
pub(crate) fn conditions() -> Arc<SharedConditions> {
    SharedConditions::new(Conditions { latency_msec: 0.5, jitter_msec: 0.2, duplicate: 0.1, ..Conditions::default() })
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((HOST, 0)).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket
}

/// Takes what was sent to the socket, so that its buffer has room for the answer.
fn empty(socket: &UdpSocket) {
    socket.set_nonblocking(true).unwrap();
    while socket.recv(&mut [0; 4096]).is_ok() {}
    socket.set_nonblocking(false).unwrap();
}

/// Waits until the peer gets `content`, whatever else it gets.
fn await_content(peer: &Peer, content: &[u8], pair: &str) {
    loop {
        let end = peer.wait(Some(LONG)).unwrap_or_else(|error| panic!("{pair}: then a wait: {error}"));
        // A method of the pair may have been interrupt_wait().
        assert!(matches!(end, WaitEnd::Ready | WaitEnd::Interrupted), "{pair}: then no packet comes: {end:?}");
        while let Some(packet) = take(peer) {
            if packet == content {
                return;
            }
        }
    }
}

pub(crate) struct PeerWorld {
    peer: Arc<Peer>,
    background: bool,
    other: UdpSocket,
}

impl PeerWorld {
    pub(crate) fn new(background: bool) -> Self {
        let world = Self { peer: Peer::new(), background, other: socket() };
        world.restore("at first");
        world
    }

    pub(crate) fn peer(&self) -> (Arc<Peer>, u16) {
        // Something to take, and an answer to a wait.
        if let Some(at) = self.peer.local_addr() {
            let _ = self.other.send_to(b"x", at);
        }
        (Arc::clone(&self.peer), self.other.local_addr().unwrap().port())
    }
}

impl World for PeerWorld {
    const NAME: &'static str = "a peer";

    fn restore(&self, pair: &str) {
        let peer = &self.peer;
        empty(&self.other);
        peer.close();
        assert_eq!((peer.waits(), peer.available(), peer.local_addr()), (0, None, None), "{pair}: a closed peer");
        peer.set_send_conditions(None);
        peer.set_receive_conditions(None);
        peer.set_queue_size(0).unwrap();
        peer.set_background_receive(self.background).unwrap();
        peer.bind(0, HOST, 65_536).unwrap_or_else(|error| panic!("{pair}: then {error}"));
        let at = peer.local_addr().unwrap();
        self.other.send_to(b"restored", at).unwrap();
        await_content(peer, b"restored", pair);
        peer.set_destination(HOST, self.other.local_addr().unwrap().port()).unwrap();
        peer.send(b"answer").unwrap_or_else(|error| panic!("{pair}: then {error}"));
        let mut buffer = [0; 4096];
        while self.other.recv(&mut buffer).unwrap_or_else(|error| panic!("{pair}: then no answer: {error}")) != 6 {}
    }
}

pub(crate) struct ServerWorld {
    pub(crate) server: Server,
    background: bool,
    peer: Mutex<Arc<Peer>>,
    client: UdpSocket,
}

impl ServerWorld {
    pub(crate) fn new(background: bool) -> Self {
        let world = Self { server: Server::default(), background, peer: Mutex::new(Peer::new()), client: socket() };
        world.restore("at first");
        world
    }

    pub(crate) fn peer(&self) -> (Arc<Peer>, u16) {
        if let Some(at) = self.server.local_addr() {
            let _ = self.client.send_to(b"x", (HOST, at.port()));
        }
        (Arc::clone(&self.peer.lock()), self.client.local_addr().unwrap().port())
    }
}

impl World for ServerWorld {
    const NAME: &'static str = "a server and its peer";

    fn restore(&self, pair: &str) {
        let server = &self.server;
        server.stop();
        empty(&self.client);
        assert_eq!((server.peers(), server.waits(), server.local_addr()), (0, 0, None), "{pair}: a stopped server");
        // Some of the methods have made it a peer of its own.
        self.peer.lock().close();
        server.set_send_conditions(None);
        server.set_receive_conditions(None);
        server.set_max_pending(16);
        server.set_peer_timeout_msec(0);
        server.set_queue_size(0);
        server.set_background_receive(self.background).unwrap();
        server.listen(0, HOST).unwrap_or_else(|error| panic!("{pair}: then {error}"));
        self.client.send_to(b"restored", (HOST, server_port(server))).unwrap();
        let mut accepted = None;
        eventually(pair, || {
            server.poll().unwrap();
            accepted = server.accept();
            accepted.is_some()
        });
        let accepted = accepted.unwrap();
        await_content(&accepted, b"restored", pair);
        accepted.send(b"answer").unwrap_or_else(|error| panic!("{pair}: then {error}"));
        let mut buffer = [0; 4096];
        while self.client.recv(&mut buffer).unwrap_or_else(|error| panic!("{pair}: then no answer: {error}")) != 6 {}
        *self.peer.lock() = accepted;
    }
}

pub(crate) struct RelayWorld {
    relay: Proxy,
    target: UdpSocket,
    client: UdpSocket,
}

impl RelayWorld {
    pub(crate) fn new() -> Self {
        let world = Self { relay: Proxy::default(), target: socket(), client: socket() };
        world.restore("at first");
        world
    }

    pub(crate) fn target_port(&self) -> NonZeroU16 {
        nonzero(self.target.local_addr().unwrap().port())
    }

    /// The relay, with something to pass on.
    pub(crate) fn busy(&self) -> &Proxy {
        if let Some(at) = self.relay.local_addr() {
            let _ = self.client.send_to(b"x", at);
        }
        &self.relay
    }
}

impl World for RelayWorld {
    const NAME: &'static str = "a relay";

    fn restore(&self, pair: &str) {
        let relay = &self.relay;
        relay.stop();
        empty(&self.target);
        empty(&self.client);
        assert_eq!((relay.clients(), relay.local_addr()), (0, None), "{pair}: a stopped relay");
        relay.set_to_target_conditions(None);
        relay.set_to_client_conditions(None);
        relay.set_max_clients(16);
        relay.set_client_timeout_msec(30_000);
        relay.start(HOST, self.target_port(), 0, HOST).unwrap_or_else(|error| panic!("{pair}: then {error}"));
        self.client.send_to(b"restored", relay.local_addr().unwrap()).unwrap();
        let mut buffer = [0; 4096];
        loop {
            let (length, sender) =
                self.target.recv_from(&mut buffer).unwrap_or_else(|error| panic!("{pair}: then {error}"));
            if &buffer[..length] == b"restored" {
                self.target.send_to(b"answer", sender).unwrap();
                break;
            }
        }
        while self.client.recv(&mut buffer).unwrap_or_else(|error| panic!("{pair}: then no answer: {error}")) != 6 {}
    }
}

//! In which setups a behaviour is tested: address family, who reads the socket, and whose socket it is.

use std::net::UdpSocket;
use std::sync::Arc;

use packet_peer_udp_core::{Peer, Server};

use super::{Pair, join, sender_to};

/// What a peer is bound to, and how others reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    pub bind: &'static str,
    pub reach: &'static str,
    /// How the sender's address is written.
    pub written: &'static str,
}

/// Who reads the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The threads that call the peer or the server.
    Polled,
    /// The background thread.
    Background,
}

/// Whose socket a receiving peer uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Own,
    /// That of the server which has accepted the peer.
    Accepted,
}

#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub family: Family,
    pub mode: Mode,
    pub kind: Kind,
}

pub fn has_ipv6() -> bool {
    UdpSocket::bind("[::1]:0").is_ok()
}

impl Family {
    pub const IPV4: Self = Self { bind: "127.0.0.1", reach: "127.0.0.1", written: "127.0.0.1" };
    pub const IPV6: Self = Self { bind: "::1", reach: "::1", written: "0:0:0:0:0:0:0:1" };
    pub const DUAL_FROM_IPV4: Self = Self { bind: "*", reach: "127.0.0.1", written: "127.0.0.1" };
    pub const DUAL_FROM_IPV6: Self = Self { bind: "*", reach: "::1", written: "0:0:0:0:0:0:0:1" };

    /// Whether this machine has the family; if not, says so.
    fn is_available(self) -> bool {
        let is_available = self.reach != Self::IPV6.reach || has_ipv6();
        if !is_available {
            eprintln!("not tested: this machine has no IPv6");
        }
        is_available
    }

    /// Runs a test, unless the machine does not have the family.
    pub fn run(self, test: fn(Self)) {
        if self.is_available() {
            test(self);
        }
    }

    /// A sender and a polled receiver with a socket of its own.
    pub fn pair(self) -> Pair {
        Setup { family: self, mode: Mode::Polled, kind: Kind::Own }.pair()
    }
}

impl Setup {
    /// Runs a test, unless the machine does not have the family.
    pub fn run(self, test: fn(Self)) {
        if self.family.is_available() {
            test(self);
        }
    }

    pub fn is_background(self) -> bool {
        self.mode == Mode::Background
    }

    /// An open peer with a socket of its own.
    pub fn receiver(self, recv_buf_size: usize) -> Arc<Peer> {
        let peer = Peer::new();
        peer.bind(0, self.family.bind, recv_buf_size).unwrap();
        peer.set_background_receive(self.is_background()).unwrap();
        peer
    }

    /// A server that listens.
    pub fn server(self) -> Server {
        let server = Server::default();
        server.listen(0, self.family.bind).unwrap();
        server.set_background_receive(self.is_background()).unwrap();
        server
    }

    /// A sender and a receiver, whose counters are zero.
    pub fn pair(self) -> Pair {
        self.pair_with_buffer(65_536)
    }

    /// The same, with a buffer of so many bytes. The queue of an accepted peer always holds 65,535.
    pub fn pair_with_buffer(self, recv_buf_size: usize) -> Pair {
        match self.kind {
            Kind::Own => {
                let receiver = self.receiver(recv_buf_size);
                Pair { sender: sender_to(&receiver, self.family.reach), receiver, server: None, setup: self }
            }
            Kind::Accepted => {
                let server = self.server();
                let (sender, receiver) = join(&server, self.family);
                sender.reset_stats();
                receiver.reset_stats();
                Pair { sender, receiver, server: Some(server), setup: self }
            }
        }
    }
}

/// Makes one test of `$run` for each family.
macro_rules! each_family {
    ($run:expr) => {
        #[test]
        fn ipv4() {
            $run(Family::IPV4);
        }

        #[test]
        fn ipv6() {
            $run(Family::IPV6);
        }

        #[test]
        fn dual_stack_from_ipv4() {
            $run(Family::DUAL_FROM_IPV4);
        }

        #[test]
        fn dual_stack_from_ipv6() {
            $run(Family::DUAL_FROM_IPV6);
        }
    };
}

/// Makes the tests of a body that takes a [`Family`].
macro_rules! for_families {
    ($body:ident) => {
        mod $body {
            use $crate::common::Family;

            each_family!(|family: Family| family.run(super::$body));
        }
    };
}

/// Makes the tests of a body that takes a [`Setup`], in the given sets of setups. Each set has all families.
macro_rules! for_setups {
    ($body:ident: $($set:ident = $mode:ident $kind:ident),+) => {
        mod $body {
            $(mod $set {
                use $crate::common::{Family, Kind, Mode, Setup};

                each_family!(|family| {
                    Setup { family, mode: Mode::$mode, kind: Kind::$kind }.run(super::super::$body)
                });
            })+
        }
    };
}

/// Peers with a socket of their own and peers that a server has accepted, each polled and in the background.
macro_rules! for_every_peer {
    ($body:ident) => {
        for_setups!($body: own_polled = Polled Own, own_background = Background Own,
            accepted_polled = Polled Accepted, accepted_background = Background Accepted);
    };
}

/// Peers that are polled: with a socket of their own, and accepted.
macro_rules! for_polled_peers {
    ($body:ident) => {
        for_setups!($body: own_polled = Polled Own, accepted_polled = Polled Accepted);
    };
}

/// Peers in background mode: with a socket of their own, and accepted.
macro_rules! for_background_peers {
    ($body:ident) => {
        for_setups!($body: own_background = Background Own, accepted_background = Background Accepted);
    };
}

/// Peers with a socket of their own, polled and in the background.
macro_rules! for_own_sockets {
    ($body:ident) => {
        for_setups!($body: own_polled = Polled Own, own_background = Background Own);
    };
}

/// Servers, polled and in the background.
macro_rules! for_servers {
    ($body:ident) => {
        for_setups!($body: accepted_polled = Polled Accepted, accepted_background = Background Accepted);
    };
}

//! The calls of a server and of the peers that it has accepted, their model, and the comparison of both.
//!
//! As with peers, the model follows where the contract is open: a wait of an accepted peer reads the server's socket as far as it likes.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use packet_peer_udp_core::{
    DestinationChange, IO_MODE_VARIABLE, OverflowPolicy, Peer, Server, ServerStats, Stats, WaitEnd,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::common::has_ipv6;
use crate::packets::{Far, KERNEL_ROOM, TOO_LONG, comes_true, kernel_cost, lengths, payload};
use crate::peers::{Answer, Checked, answer};
use crate::queue::{Counts, Packet, Queue};
use crate::run::{self, Tally, ensure, patience};

/// How many clients there are.
const CLIENTS: usize = 5;

/// How long a wait lasts that is to find nothing.
const BRIEFLY: Duration = Duration::from_micros(200);

#[derive(Clone, Debug)]
enum Call {
    Listen(&'static str),
    Stop,
    Poll,
    /// Packets come from a client. `true`: what is read in the background is waited for at once.
    Arrive(usize, Vec<usize>, bool),
    Accept,
    SetMaxPending(u32),
    SetBackground(bool),
    SetQueueSize(usize),
    ResetStats,
    ReadyPeers,
    /// One packet to the accepted peers whose bits are set; the last bit adds one that is not the server's.
    SendToPeers(u8, usize),
    /// A call of the accepted peer of that number, of those that there are.
    OfPeer(usize, PeerCall),
}

#[derive(Clone, Debug)]
enum PeerCall {
    Take,
    Available,
    TakeMany(Option<usize>),
    Send(usize),
    SendMany(Vec<usize>),
    SendSegmented(usize, usize),
    SetPolicy(OverflowPolicy),
    ResetStats,
    Wait,
    WaitNoTime,
    InterruptWait,
    TakeDropNotice,
    /// What a server's peer refuses.
    Refused(u8),
    Close,
}

fn sequences() -> impl Strategy<Value = Vec<Call>> {
    let address = prop_oneof![
        4 => Just("*"),
        4 => Just("127.0.0.1"),
        1 => Just("0.0.0.0"),
        1 => select(vec!["", "localhost", "192.0.2.1"]),
    ];
    let sizes = prop_oneof![3 => 1..600_usize, 1 => 600..4_000_usize, 1 => Just(0_usize)];
    let policy = select(vec![OverflowPolicy::DropNewest, OverflowPolicy::DropOldest]);
    let sent = || prop_oneof![20 => lengths(), 1 => Just(TOO_LONG)];
    let of_peer = prop_oneof![
        6 => Just(PeerCall::Take),
        2 => Just(PeerCall::Available),
        3 => select(vec![None, Some(0), Some(1), Some(3)]).prop_map(PeerCall::TakeMany),
        2 => sent().prop_map(PeerCall::Send),
        1 => vec(sent(), 0..6).prop_map(PeerCall::SendMany),
        1 => (0..2_000_usize, select(vec![7_usize, 100, 1_200])).prop_map(|(length, segment)| {
            PeerCall::SendSegmented(length.min(40 * segment), segment)
        }),
        4 => policy.prop_map(PeerCall::SetPolicy),
        3 => Just(PeerCall::ResetStats),
        2 => Just(PeerCall::Wait),
        2 => Just(PeerCall::WaitNoTime),
        1 => Just(PeerCall::InterruptWait),
        1 => Just(PeerCall::TakeDropNotice),
        1 => (0..8_u8).prop_map(PeerCall::Refused),
        2 => Just(PeerCall::Close),
    ];
    let call = prop_oneof![
        3 => address.prop_map(Call::Listen),
        1 => Just(Call::Stop),
        8 => Just(Call::Poll),
        14 => (0..CLIENTS, vec(lengths(), 1..10), any::<bool>()).prop_map(|(client, packets, waits)| Call::Arrive(client, packets, waits)),
        6 => Just(Call::Accept),
        2 => (0..6_u32).prop_map(Call::SetMaxPending),
        3 => any::<bool>().prop_map(Call::SetBackground),
        2 => sizes.prop_map(Call::SetQueueSize),
        1 => Just(Call::ResetStats),
        3 => Just(Call::ReadyPeers),
        3 => (any::<u8>(), sent()).prop_map(|(peers, length)| Call::SendToPeers(peers, length)),
        20 => (0..CLIENTS, of_peer).prop_map(|(peer, call)| Call::OfPeer(peer, call)),
    ];
    let first = [
        (0.9, Call::Listen("*")),
        (0.4, Call::SetBackground(true)),
        (0.4, Call::SetQueueSize(300)),
        (0.8, Call::Arrive(0, vec![5, 6], true)),
        (0.8, Call::Poll),
        (0.8, Call::Accept),
        (0.3, Call::OfPeer(0, PeerCall::SetPolicy(OverflowPolicy::DropOldest))),
    ];
    let first = first.map(|(share, call)| prop::option::weighted(share, Just(call)));
    (first, vec(call, 1..40)).prop_map(|(first, calls)| first.into_iter().flatten().chain(calls).collect())
}

/// What the server knows of a client: pending, or accepted.
#[derive(Debug)]
struct Entry {
    client: usize,
    is_accepted: bool,
    queue: Queue,
    last_taken: (SocketAddr, usize),
    is_interrupted: bool,
    sent: Sent,
    batch: Vec<(SocketAddr, usize)>,
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sent {
    packets: u64,
    bytes: u64,
    errors: u64,
}

impl Sent {
    fn add(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.errors += other.errors;
    }
}

/// What a server is supposed to be.
#[derive(Debug)]
struct Model {
    is_listening: bool,
    reaches_ipv6: bool,
    is_in_background: bool,
    background: bool,
    port: u16,
    /// In the order in which they became pending.
    entries: Vec<Entry>,
    max_pending: usize,
    /// How many new peers were let in since the last poll.
    let_in: usize,
    queue_size: usize,
    /// What was sent to the server and not read, and the client that has sent it.
    backlog: VecDeque<(usize, Packet)>,
    /// What the queues have counted that are gone.
    gone: Counts,
    dropped_pending: u64,
    sent: Sent,
}

/// A server, its peers and clients, and the model of all.
struct Pair<'a> {
    server: Server,
    model: Model,
    clients: Vec<Far>,
    /// The accepted peers, with their clients.
    peers: Vec<(usize, Arc<Peer>)>,
    stranger: Arc<Peer>,
    tally: &'a Tally,
    made: usize,
    step: usize,
}

impl Model {
    fn new() -> Self {
        Self {
            is_listening: false,
            reaches_ipv6: false,
            is_in_background: false,
            background: false,
            port: 0,
            entries: Vec::new(),
            max_pending: 16,
            let_in: 0,
            queue_size: 0,
            backlog: VecDeque::new(),
            gone: Counts::default(),
            dropped_pending: 0,
            sent: Sent::default(),
        }
    }

    fn pending(&self) -> usize {
        self.entries.iter().filter(|entry| !entry.is_accepted).count()
    }

    fn entry(&mut self, client: usize) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.client == client)
    }

    /// What all queues together have counted.
    fn counts(&self) -> Counts {
        self.entries.iter().map(|entry| entry.queue.sum).fold(self.gone, Counts::plus)
    }

    /// How many packets the server has read, whatever became of them.
    fn handled(&self) -> u64 {
        self.counts().handled() + self.dropped_pending
    }

    /// The next packet goes to its client's peer, which becomes pending if there is none.
    fn handle_next(&mut self) -> Checked {
        let Some((client, packet)) = self.backlog.pop_front() else {
            return Err(TestCaseError::fail("more packets are counted than were sent"));
        };
        let is_full = self.pending() >= self.max_pending || self.let_in >= self.max_pending;
        if self.entry(client).is_none() {
            if is_full {
                self.dropped_pending += 1;
                return Ok(());
            }
            self.let_in += 1;
            let mut queue = Queue::new();
            queue.open(0, self.queue_size);
            self.entries.push(Entry {
                client,
                is_accepted: false,
                queue,
                last_taken: (packet.sender, 0),
                is_interrupted: false,
                sent: Sent::default(),
                batch: Vec::new(),
            });
        }
        self.entry(client).unwrap().queue.push_or_drop(packet);
        Ok(())
    }

    /// A peer is gone, and what is queued for it. If it was not accepted, its packets count as dropped because it was pending.
    fn remove(&mut self, index: usize) {
        let mut entry = self.entries.remove(index);
        if !entry.is_accepted {
            let before = entry.queue.sum.dropped;
            entry.queue.discard();
            self.dropped_pending += entry.queue.sum.dropped - before;
            entry.queue.sum.dropped = before;
        }
        self.gone = self.gone.plus(entry.queue.sum);
    }

    fn remove_pending_beyond(&mut self, kept: usize) {
        let pending: Vec<_> = (0..self.entries.len()).filter(|index| !self.entries[*index].is_accepted).collect();
        pending.into_iter().skip(kept).rev().for_each(|index| self.remove(index));
    }
}

impl<'a> Pair<'a> {
    fn new(tally: &'a Tally) -> Self {
        let clients = (0..CLIENTS).map(|number| Far::new(if number == 3 && has_ipv6() { "::1" } else { "127.0.0.1" }));
        let clients = clients.collect();
        let stranger = Peer::new();
        Self {
            server: Server::default(),
            model: Model::new(),
            clients,
            peers: Vec::new(),
            stranger,
            tally,
            made: 0,
            step: 0,
        }
    }

    fn next_payload(&mut self, length: usize) -> Vec<u8> {
        self.made += 1;
        payload(self.made, length)
    }

    fn compare(&self, what: &'static str, got: &Answer, expected: &Answer) -> Checked {
        self.tally.add(what, got.is_ok());
        ensure!(got == expected, "{what} answers {got:?}, the model {expected:?}");
        Ok(())
    }

    /// Follows what the server has read.
    fn follow(&mut self) -> Checked {
        let stats = self.server.stats();
        let handled = stats.all.packets_received + stats.all.packets_dropped_queue + stats.packets_dropped_pending;
        while self.model.handled() < handled {
            self.model.handle_next()?;
        }
        Ok(())
    }

    /// Waits until all is read that is to be read without anybody calling.
    fn settle(&mut self) -> Checked {
        if !(self.model.is_listening && self.model.is_in_background) {
            return Ok(());
        }
        let mut result = Ok(());
        let is_settled = comes_true(|| {
            result = self.follow();
            result.is_err() || self.model.backlog.is_empty()
        });
        result?;
        ensure!(is_settled, "{} packets do not arrive: {:?}", self.model.backlog.len(), self.server.stats());
        Ok(())
    }

    fn poll(&mut self) -> Checked {
        self.settle()?;
        self.model.let_in = 0;
        let (got, _) = answer(self.server.poll(), |()| String::new());
        self.follow()?;
        let expected = if self.model.is_listening { Ok(String::new()) } else { Err("NotOpen") };
        self.compare("poll", &got, &expected)?;
        ensure!(self.model.backlog.is_empty(), "{} packets are not read", self.model.backlog.len());
        Ok(())
    }

    fn listen(&mut self, address: &'static str) -> Checked {
        let (got, _) = answer(self.server.listen(0, address), |()| String::new());
        let expected = match address {
            _ if self.model.is_listening => Err("AlreadyOpen"),
            "" | "localhost" => Err("InvalidAddress"),
            "192.0.2.1" => Err("Os"),
            _ => Ok(String::new()),
        };
        self.compare("listen", &got, &expected)?;
        if got.is_ok() {
            self.model.is_listening = true;
            self.model.is_in_background = self.model.background;
            self.model.reaches_ipv6 = address == "*" && has_ipv6();
            self.model.let_in = 0;
            self.model.port = self.server.local_addr().map_or(0, |address| address.port());
            ensure!(self.model.port != 0, "there is no port");
        }
        Ok(())
    }

    fn stop(&mut self) -> Checked {
        self.settle()?;
        self.follow()?;
        self.tally.add("stop", self.model.is_listening);
        self.server.stop();
        self.model.remove_pending_beyond(0);
        while !self.model.entries.is_empty() {
            self.model.remove(0);
        }
        self.model.backlog.clear();
        self.model.is_listening = false;
        for (_, peer) in self.peers.drain(..) {
            ensure!(!peer.is_open() && peer.available().is_none(), "a peer is open after its server was stopped");
            let (taken, _) = answer(peer.take(), |_| String::new());
            ensure!(taken == Err("NotOpen"), "take answers {taken:?} after the server was stopped");
        }
        Ok(())
    }

    fn arrive(&mut self, client: usize, lengths: &[usize], waits: bool) -> Checked {
        let ip = self.clients[client].address.ip();
        if !self.model.is_listening || (ip.is_ipv6() && !self.model.reaches_ipv6) {
            return Ok(());
        }
        let to = SocketAddr::new(ip, self.model.port);
        for length in lengths {
            let waiting = self.model.backlog.iter().map(|(_, packet)| kernel_cost(packet.payload.len())).sum::<usize>();
            if waiting + kernel_cost(*length) > KERNEL_ROOM {
                break;
            }
            let bytes = self.next_payload(*length);
            self.clients[client].socket.send_to(&bytes, to).unwrap();
            let packet = Packet::new(bytes, self.clients[client].address, self.step);
            self.model.backlog.push_back((client, packet));
        }
        self.tally.add("(packets arrive)", true);
        if waits { self.settle() } else { Ok(()) }
    }

    fn accept(&mut self) -> Checked {
        self.settle()?;
        let expected = self.model.entries.iter().position(|entry| !entry.is_accepted);
        let accepted = self.server.accept();
        self.tally.add("accept", accepted.is_some());
        ensure!(accepted.is_some() == expected.is_some(), "accept gives {accepted:?}, the model {expected:?}");
        if let (Some(peer), Some(index)) = (accepted, expected) {
            let entry = &mut self.model.entries[index];
            entry.is_accepted = true;
            self.peers.push((entry.client, peer));
        }
        Ok(())
    }

    fn set_background(&mut self, enabled: bool) -> Checked {
        // New peers are counted anew from here on, so it matters which come before.
        self.settle()?;
        let was_in_background = self.model.is_in_background;
        if enabled && !was_in_background && self.model.is_listening {
            self.poll()?;
        }
        let (got, _) = answer(self.server.set_background_receive(enabled), |()| String::new());
        self.model.background = enabled;
        self.model.is_in_background = enabled;
        self.model.let_in = 0;
        self.compare("set_background_receive", &got, &Ok(String::new()))
    }

    fn ready_peers(&mut self) -> Checked {
        self.settle()?;
        let ready = self.server.ready_peers();
        self.tally.add("ready_peers", !ready.is_empty());
        let number =
            |peer: &Arc<Peer>| self.peers.iter().find(|(_, other)| Arc::ptr_eq(other, peer)).map(|(client, _)| *client);
        let got: Vec<_> = ready.iter().filter_map(number).collect();
        let has_packets = |entry: &&Entry| entry.is_accepted && !entry.queue.packets.is_empty();
        let mut expected: Vec<_> = self.model.entries.iter().filter(has_packets).collect();
        let step = |entry: &Entry| entry.queue.packets.front().unwrap().step;
        expected.sort_by_key(|entry| step(entry));
        let sorted = |mut list: Vec<usize>| {
            list.sort_unstable();
            list
        };
        let clients: Vec<_> = expected.iter().map(|entry| entry.client).collect();
        ensure!(sorted(got.clone()) == sorted(clients.clone()), "ready are {got:?}, in the model {clients:?}");
        // In one step several packets may come at the same microsecond, but only from one client.
        // Without the kernel's times, those that were read together are listed in any order.
        let has_times =
            cfg!(target_os = "linux") && !std::env::var(IO_MODE_VARIABLE).is_ok_and(|mode| mode == "portable");
        ensure!(got == clients || !has_times, "ready are {got:?}, in the model {clients:?}, in this order");
        Ok(())
    }

    fn send_to_peers(&mut self, bits: u8, length: usize) -> Checked {
        let bytes = self.next_payload(length);
        let chosen: Vec<_> = (0..self.peers.len()).filter(|index| bits & (1 << index) != 0).collect();
        let has_stranger = bits & 0x80 != 0;
        let mut peers: Vec<&Peer> = chosen.iter().map(|index| self.peers[*index].1.as_ref()).collect();
        if has_stranger {
            peers.push(&self.stranger);
        }
        let (got, _) = answer(self.server.send_to_peers(&peers, &bytes), |count| count.to_string());
        let expected = match () {
            () if !self.model.is_listening => Err("NotOpen"),
            () if has_stranger => Err("NotOfServer"),
            () if length == TOO_LONG => Ok(0.to_string()),
            () => Ok(chosen.len().to_string()),
        };
        self.compare("send_to_peers", &got, &expected)?;
        if expected.is_err() {
            self.model.sent.errors += 1;
            return Ok(());
        }
        for client in chosen.iter().map(|index| self.peers[*index].0).collect::<Vec<_>>() {
            if length == TOO_LONG {
                self.model.sent.errors += 1;
                self.model.entry(client).unwrap().sent.errors += 1;
            } else {
                self.arrive_at_client(client, std::slice::from_ref(&bytes))?;
            }
        }
        Ok(())
    }

    /// What a peer has sent has arrived at its client, from the server's port.
    fn arrive_at_client(&mut self, client: usize, sent: &[Vec<u8>]) -> Checked {
        for bytes in sent {
            let received = self.clients[client].receive();
            let (got, sender) = received.map_err(|error| TestCaseError::fail(format!("nothing arrives: {error}")))?;
            ensure!(got == *bytes, "{} bytes arrive instead of {}", got.len(), bytes.len());
            ensure!(sender.port() == self.model.port, "it comes from port {}", sender.port());
            let sent = Sent { packets: 1, bytes: bytes.len() as u64, errors: 0 };
            self.model.sent.add(sent);
            self.model.entry(client).unwrap().sent.add(sent);
        }
        Ok(())
    }

    fn finish_many(&mut self, what: &'static str, got: &Answer, client: usize, packets: &[Vec<u8>]) -> Checked {
        let refused = packets.iter().position(|bytes| bytes.len() == TOO_LONG);
        let sent = refused.unwrap_or(packets.len());
        self.compare(what, got, &Ok(sent.to_string()))?;
        if refused.is_some() {
            self.model.sent.errors += 1;
            self.model.entry(client).unwrap().sent.errors += 1;
        }
        self.arrive_at_client(client, &packets[..sent])
    }

    fn of_peer(&mut self, number: usize, call: &PeerCall) -> Checked {
        if self.peers.is_empty() {
            return Ok(());
        }
        let number = number % self.peers.len();
        let (client, peer) = (self.peers[number].0, Arc::clone(&self.peers[number].1));
        self.settle()?;
        match call {
            PeerCall::Take => {
                let taken = peer.take().unwrap();
                self.tally.add("peer: take", taken.is_some());
                let expected = self.model.entry(client).unwrap().queue.packets.pop_front();
                ensure!(taken.is_some() == expected.is_some(), "take gives {taken:?}, the model {expected:?}");
                if let (Some(bytes), Some(packet)) = (taken, expected) {
                    ensure!(*bytes == *packet.payload, "{} bytes, not the oldest packet", bytes.len());
                    self.model.entry(client).unwrap().last_taken = (packet.sender, bytes.len());
                }
                Ok(())
            }
            PeerCall::Available => {
                let expected = self.model.entry(client).unwrap().queue.packets.len();
                self.tally.add("peer: available", true);
                let available = peer.available();
                ensure!(available == Some(expected), "{available:?} packets can be taken, in the model {expected}");
                Ok(())
            }
            PeerCall::TakeMany(max) => self.take_many(client, &peer, *max),
            PeerCall::Send(length) => {
                let bytes = self.next_payload(*length);
                let (got, _) = answer(peer.send(&bytes), |()| String::new());
                let expected = if *length == TOO_LONG { Err("Os") } else { Ok(String::new()) };
                self.compare("peer: send", &got, &expected)?;
                if expected.is_ok() {
                    return self.arrive_at_client(client, &[bytes]);
                }
                self.model.sent.errors += 1;
                self.model.entry(client).unwrap().sent.errors += 1;
                Ok(())
            }
            PeerCall::SendMany(lengths) => {
                let packets: Vec<_> = lengths.iter().map(|length| self.next_payload(*length)).collect();
                let slices: Vec<_> = packets.iter().map(Vec::as_slice).collect();
                let (got, _) = answer(peer.send_many(&slices), |count| count.to_string());
                self.finish_many("peer: send_many", &got, client, &packets)
            }
            PeerCall::SendSegmented(length, segment) => {
                let bytes = self.next_payload(*length);
                let sent = peer.send_segmented(&bytes, NonZeroUsize::new(*segment).unwrap());
                let (got, _) = answer(sent, |count| count.to_string());
                let packets: Vec<_> = bytes.chunks(*segment).map(<[u8]>::to_vec).collect();
                self.finish_many("peer: send_segmented", &got, client, &packets)
            }
            PeerCall::SetPolicy(policy) => {
                self.tally.add("peer: set_overflow_policy", true);
                peer.set_overflow_policy(*policy);
                self.model.entry(client).unwrap().queue.policy = *policy;
                Ok(())
            }
            PeerCall::ResetStats => {
                self.tally.add("peer: reset_stats", true);
                peer.reset_stats();
                let entry = self.model.entry(client).unwrap();
                entry.queue.reset_counts();
                entry.sent = Sent::default();
                Ok(())
            }
            PeerCall::Wait => self.wait(client, &peer, "peer: wait", None),
            PeerCall::WaitNoTime => self.wait(client, &peer, "peer: wait of no time", Some(Duration::ZERO)),
            PeerCall::InterruptWait => {
                self.tally.add("peer: interrupt_wait", true);
                peer.interrupt_wait();
                self.model.entry(client).unwrap().is_interrupted = true;
                Ok(())
            }
            PeerCall::TakeDropNotice => {
                let got = peer.take_drop_notice();
                self.tally.add("peer: take_drop_notice", got);
                ensure!(
                    got == self.model.entry(client).unwrap().queue.take_drop_notice(),
                    "take_drop_notice answers {got}"
                );
                Ok(())
            }
            PeerCall::Refused(which) => self.refused(&peer, *which),
            PeerCall::Close => {
                self.tally.add("peer: close", true);
                peer.close();
                ensure!(!peer.is_open() && peer.available().is_none(), "a closed peer is open");
                self.peers.remove(number);
                let index = self.model.entries.iter().position(|entry| entry.client == client).unwrap();
                self.model.remove(index);
                Ok(())
            }
        }
    }

    fn take_many(&mut self, client: usize, peer: &Peer, max: Option<usize>) -> Checked {
        let mut got: Vec<Vec<u8>> = Vec::new();
        let mut drain = peer.take_many(max).unwrap();
        while let Some(run) = drain.next() {
            got.extend(run.packets().map(<[u8]>::to_vec));
        }
        drop(drain);
        self.tally.add("peer: take_many", !got.is_empty());
        let entry = self.model.entry(client).unwrap();
        let count = max.unwrap_or(usize::MAX).min(entry.queue.packets.len());
        ensure!(got.len() == count, "take_many takes {} packets, the model {count}", got.len());
        entry.batch.clear();
        for bytes in got {
            let packet = entry.queue.packets.pop_front().unwrap();
            ensure!(bytes == packet.payload, "{} bytes, not the model's oldest packet", bytes.len());
            entry.last_taken = (packet.sender, bytes.len());
            entry.batch.push(entry.last_taken);
        }
        Ok(())
    }

    fn wait(&mut self, client: usize, peer: &Peer, what: &'static str, timeout: Option<Duration>) -> Checked {
        let entry = self.model.entry(client).unwrap();
        let is_interrupted = std::mem::take(&mut entry.is_interrupted);
        let is_queued = !entry.queue.packets.is_empty();
        // The wait reads the server's socket.
        let has_packet = is_queued || self.model.backlog.iter().any(|(sender, _)| *sender == client);
        let timeout = timeout.unwrap_or(if has_packet || is_interrupted { patience() } else { BRIEFLY });
        let (got, _) = answer(peer.wait(Some(timeout)), |end| format!("{end:?}"));
        self.follow()?;
        let expected = match () {
            () if is_interrupted => WaitEnd::Interrupted,
            () if has_packet => WaitEnd::Ready,
            () => WaitEnd::TimedOut,
        };
        self.compare(what, &got, &Ok(format!("{expected:?}")))?;
        let is_queued = !self.model.entry(client).unwrap().queue.packets.is_empty();
        ensure!(is_queued || expected != WaitEnd::Ready, "the wait has ended without a packet");
        Ok(())
    }

    /// What belongs to the server, and what needs a socket of its own.
    fn refused(&mut self, peer: &Peer, which: u8) -> Checked {
        let address = self.clients[0].address;
        let ip = address.ip().to_string();
        let (got, expected) = match which {
            0 => (answer(peer.bind(0, "*", 0), |()| String::new()).0, Err("AlreadyOpen")),
            1 => (answer(peer.connect(&ip, 9.try_into().unwrap()), |()| String::new()).0, Err("Accepted")),
            2 => (answer(peer.join_group("239.1.2.3", ""), |()| String::new()).0, Err("Accepted")),
            3 => (answer(peer.set_background_receive(true), |()| String::new()).0, Err("Accepted")),
            4 => (answer(peer.set_queue_size(5), |()| String::new()).0, Err("Accepted")),
            5 => (answer(peer.set_broadcast(true), |()| String::new()).0, Err("Accepted")),
            6 => {
                let change = answer(peer.set_destination(&ip, address.port()), |change| format!("{change:?}")).0;
                (change, Ok(format!("{:?}", DestinationChange::Connected)))
            }
            _ => (answer(peer.send_to(b"x", &ip, 9), |()| String::new()).0, Err("Accepted")),
        };
        self.compare("peer: what it refuses", &got, &expected)
    }

    fn apply(&mut self, call: &Call) -> Checked {
        match call {
            Call::Listen(address) => self.listen(address),
            Call::Stop => self.stop(),
            Call::Poll => self.poll(),
            Call::Arrive(client, lengths, waits) => self.arrive(*client, lengths, *waits),
            Call::Accept => self.accept(),
            Call::SetMaxPending(max) => {
                self.settle()?;
                self.tally.add("set_max_pending", true);
                self.server.set_max_pending(*max);
                self.model.max_pending = *max as usize;
                self.model.remove_pending_beyond(*max as usize);
                Ok(())
            }
            Call::SetBackground(enabled) => self.set_background(*enabled),
            Call::SetQueueSize(bytes) => {
                self.settle()?;
                self.tally.add("set_queue_size", true);
                self.server.set_queue_size(*bytes);
                self.model.queue_size = *bytes;
                self.model.entries.iter_mut().for_each(|entry| entry.queue.set_size(*bytes));
                Ok(())
            }
            Call::ResetStats => {
                self.settle()?;
                self.tally.add("reset_stats", true);
                self.server.reset_stats();
                self.model.gone = Counts::default();
                self.model.entries.iter_mut().for_each(|entry| entry.queue.reset_sum());
                (self.model.dropped_pending, self.model.sent) = (0, Sent::default());
                Ok(())
            }
            Call::ReadyPeers => self.ready_peers(),
            Call::SendToPeers(bits, length) => self.send_to_peers(*bits, *length),
            Call::OfPeer(number, call) => self.of_peer(*number, call),
        }
    }

    /// Compares all that the server and its peers tell without reading.
    fn check(&mut self) -> Checked {
        self.follow()?;
        let got = self.server.stats();
        let (counts, sent) = (self.model.counts(), self.model.sent);
        let mut all = stats_of(counts, sent);
        (all.send_syscalls, all.receive_syscalls) = (got.all.send_syscalls, got.all.receive_syscalls);
        // In the background, packets may have come since.
        let expected = ServerStats { all, packets_dropped_pending: self.model.dropped_pending };
        let is_free = self.model.is_in_background && !self.model.backlog.is_empty();
        ensure!(is_free || got == expected, "counts differ: {got:?}, in the model {expected:?}");
        let server = &self.server;
        ensure!(server.is_listening() == self.model.is_listening, "is_listening answers {}", server.is_listening());
        let port = server.local_addr().map(|address| address.port());
        ensure!(port == self.model.is_listening.then_some(self.model.port), "the port is {port:?}");
        let settings = (server.max_pending(), server.queue_size(), server.background_receive());
        let expected = (self.model.max_pending, self.model.queue_size, self.model.background);
        ensure!(settings == expected, "settings differ: {settings:?}, in the model {expected:?}");
        let pending = self.model.pending();
        if !is_free {
            let got = (server.pending(), server.has_pending(), server.peers());
            let expected = (pending, pending > 0, self.model.entries.len() - pending);
            ensure!(got == expected, "peers differ: {got:?}, in the model {expected:?}");
        }
        for (client, peer) in &self.peers {
            let entry = self.model.entries.iter().find(|entry| entry.client == *client).unwrap();
            let got = peer.stats();
            let mut expected = stats_of(entry.queue.counts, entry.sent);
            (expected.send_syscalls, expected.receive_syscalls) = (got.send_syscalls, got.receive_syscalls);
            ensure!(is_free || got == expected, "counts of client {client} differ: {got:?}, in the model {expected:?}");
            ensure!(
                peer.is_open() && peer.is_connected() && peer.is_accepted(),
                "the peer of client {client} is not open"
            );
            let taken = peer.last_taken().map(|meta| (meta.sender(), meta.length()));
            ensure!(
                taken == Some(entry.last_taken),
                "the last packet is {taken:?}, in the model {:?}",
                entry.last_taken
            );
            let batch: Vec<_> = peer.batch().iter().map(|meta| (meta.sender(), meta.length())).collect();
            ensure!(batch == entry.batch, "the batch is {batch:?}, in the model {:?}", entry.batch);
            let limit = (peer.queue_limit(), peer.queue_size(), peer.overflow_policy());
            let expected = (entry.queue.bound, self.model.queue_size, entry.queue.policy);
            ensure!(limit == expected, "the queue is {limit:?}, in the model {expected:?}");
        }
        Ok(())
    }

    /// Nothing may be left: what has arrived is read and taken, and nothing more comes to the clients.
    fn finish(&mut self) -> Checked {
        if self.model.is_listening {
            self.poll()?;
        }
        for number in 0..self.peers.len() {
            self.of_peer(number, &PeerCall::TakeMany(None))?;
        }
        self.check()?;
        for client in &self.clients {
            ensure!(!client.has_more(), "a packet has arrived that was not sent");
        }
        Ok(())
    }
}

fn stats_of(counts: Counts, sent: Sent) -> Stats {
    Stats {
        packets_sent: sent.packets,
        bytes_sent: sent.bytes,
        packets_received: counts.received,
        bytes_received: counts.bytes,
        packets_dropped_queue: counts.dropped,
        send_errors: sent.errors,
        ..Stats::default()
    }
}

fn compare_with_model(calls: &[Call], tally: &Tally) -> Checked {
    let mut pair = Pair::new(tally);
    for (step, call) in calls.iter().enumerate() {
        pair.step = step;
        let result = pair.apply(call).and_then(|()| pair.check());
        result.map_err(|error| TestCaseError::fail(format!("call {step}, {call:?}: {error}")))?;
    }
    pair.finish().map_err(|error| TestCaseError::fail(format!("at the end: {error}")))
}

#[test]
fn a_server_and_its_peers_answer_as_their_model() {
    run::run("a server's calls", file!(), 40, &sequences(), compare_with_model);
}

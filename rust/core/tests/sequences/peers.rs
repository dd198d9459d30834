//! The calls of a peer, their model, and the comparison of both.
//!
//! Where the contract leaves open when something happens, the model follows: how much a call reads of what the kernel holds is free as long
//! as what is counted can be taken in order, and nothing is left that the call has to read.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU8, NonZeroU16, NonZeroUsize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use packet_peer_udp_core::Result as CoreResult;
use packet_peer_udp_core::{
    Conditions, DestinationChange, LinkStats, OverflowPolicy, Peer, Reason, SharedConditions, SocketOption, Stats,
    Taken, WaitEnd,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::common::has_ipv6;
use crate::packets::{Far, KERNEL_ROOM, TOO_LONG, comes_true, kernel_cost, lengths, payload};
use crate::queue::{Packet, Queue};
use crate::run::{self, Tally, ensure};

/// How long a wait lasts that is to find nothing.
const BRIEFLY: Duration = Duration::from_micros(200);

/// A packet of more bytes lets others look at the queue in the middle of a batch.
const LARGE: usize = 2_048;

/// What a packet that is held back counts for beside its length.
const HELD_OVERHEAD: usize = 128;

/// Where a peer is bound.
#[derive(Clone, Copy, Debug)]
enum BindTo {
    Any,
    Loopback,
    Loopback6,
    Wildcard,
    /// A port that another socket has.
    Taken,
    /// An address that no interface has.
    Foreign,
    Text(&'static str),
}

/// What a peer sends to, or connects to.
#[derive(Clone, Copy, Debug)]
enum Target {
    /// A socket at the other end, by its number.
    Far(usize),
    /// The address of one, and port 0.
    NoPort,
    Text(&'static str),
}

/// Link conditions of one direction, all of which are the same for every packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    None,
    /// There are conditions, which change nothing.
    Neutral,
    Doubled,
    /// Packets of more than 100 bytes are dropped.
    Narrow,
    Blackout,
    Late,
}

#[derive(Clone, Debug)]
enum Call {
    Bind(BindTo, usize),
    Close,
    Connect(Target),
    SetDestination(Target),
    Send(usize),
    SendMany(Vec<usize>),
    SendSegmented(usize, usize),
    SendTo(Target, usize),
    SendBroadcast,
    /// Packets come from a socket at the other end. `true`: what is read in the background is waited for at once.
    Arrive(usize, Vec<usize>, bool),
    Poll,
    Available,
    Take,
    TakeOrCopy(usize),
    TakeMany(Option<usize>),
    /// Waits for as long as it takes if there is something to wait for, else briefly.
    Wait,
    WaitNoTime,
    InterruptWait,
    SetQueueSize(usize),
    SetPolicy(OverflowPolicy),
    SetBackground(bool),
    TakeDropNotice,
    TakeSignal,
    ResetStats,
    SetReceiveConditions(Link),
    SetSendConditions(Link),
    SetOption(usize, u8),
    SetBroadcast(bool),
    JoinGroup(&'static str),
    LeaveGroup(&'static str),
}

fn sequences() -> impl Strategy<Value = Vec<Call>> {
    let bind_to = prop_oneof![
        6 => Just(BindTo::Any),
        6 => Just(BindTo::Loopback),
        2 => Just(BindTo::Loopback6),
        2 => Just(BindTo::Wildcard),
        1 => Just(BindTo::Taken),
        1 => Just(BindTo::Foreign),
        1 => select(vec!["", "localhost", "1.2.3", "::1%1", "127.0.0.1 "]).prop_map(BindTo::Text),
    ];
    let recv_buf_size = select(vec![0_usize, 16, 65_535, 65_536, 200_000]);
    let target = || {
        prop_oneof![
            8 => (0..3_usize).prop_map(Target::Far),
            1 => Just(Target::NoPort),
            1 => select(vec!["", "*", "a b", "::zz"]).prop_map(Target::Text),
        ]
    };
    let sent = || prop_oneof![20 => lengths(), 1 => Just(TOO_LONG)];
    // The packets of a queue, of which some hold only a few.
    let sizes = prop_oneof![
        4 => 1..600_usize,
        2 => 600..4_000_usize,
        1 => 4_000..20_000_usize,
        1 => Just(0_usize),
    ];
    let link = || {
        prop_oneof![
            3 => Just(Link::None),
            1 => select(vec![Link::Neutral, Link::Doubled, Link::Narrow, Link::Blackout, Link::Late]),
        ]
    };
    let policy = select(vec![OverflowPolicy::DropNewest, OverflowPolicy::DropOldest]);
    let setting_up = prop_oneof![
        8 => (bind_to, recv_buf_size).prop_map(|(to, size)| Call::Bind(to, size)),
        1 => Just(Call::Close),
        3 => target().prop_map(Call::Connect),
        4 => target().prop_map(Call::SetDestination),
        4 => any::<bool>().prop_map(Call::SetBackground),
        3 => sizes.prop_map(Call::SetQueueSize),
        2 => policy.prop_map(Call::SetPolicy),
        1 => link().prop_map(Call::SetReceiveConditions),
        1 => link().prop_map(Call::SetSendConditions),
        1 => (0..4_usize, 0..=3_u8).prop_map(|(option, value)| Call::SetOption(option, value)),
        1 => any::<bool>().prop_map(Call::SetBroadcast),
        1 => select(vec!["", "239.1.2", "localhost"]).prop_map(Call::JoinGroup),
        1 => select(vec!["", "239.1.2.3"]).prop_map(Call::LeaveGroup),
    ];
    let sending = prop_oneof![
        4 => sent().prop_map(Call::Send),
        2 => vec(sent(), 0..6).prop_map(Call::SendMany),
        2 => (0..3_000_usize, select(vec![1_usize, 7, 100, 1_200, TOO_LONG])).prop_map(|(length, segment)| {
            Call::SendSegmented(length.min(40 * segment), segment)
        }),
        2 => (target(), sent()).prop_map(|(target, length)| Call::SendTo(target, length)),
        1 => Just(Call::SendBroadcast),
    ];
    let receiving = prop_oneof![
        16 => (0..3_usize, vec(lengths(), 1..16), any::<bool>()).prop_map(|(far, packets, waits)| Call::Arrive(far, packets, waits)),
        2 => Just(Call::Poll),
        2 => Just(Call::Available),
        5 => Just(Call::Take),
        3 => select(vec![0_usize, 30, 2_000]).prop_map(Call::TakeOrCopy),
        3 => select(vec![None, Some(0), Some(1), Some(3), Some(20)]).prop_map(Call::TakeMany),
        2 => Just(Call::Wait),
        2 => Just(Call::WaitNoTime),
        1 => Just(Call::InterruptWait),
        2 => Just(Call::TakeDropNotice),
        2 => Just(Call::TakeSignal),
        1 => Just(Call::ResetStats),
    ];
    let call = prop_oneof![5 => setting_up, 3 => sending, 10 => receiving];
    // Most begin with a peer that can send and receive, and some with a small queue.
    let first = [
        (0.8, Call::Bind(BindTo::Any, 0)),
        (0.5, Call::SetDestination(Target::Far(0))),
        (0.4, Call::SetBackground(true)),
        (0.4, Call::SetQueueSize(300)),
        (0.3, Call::SetPolicy(OverflowPolicy::DropOldest)),
    ];
    let first = first.map(|(share, call)| prop::option::weighted(share, Just(call)));
    (first, vec(call, 1..30)).prop_map(|(first, calls)| first.into_iter().flatten().chain(calls).collect())
}

/// The address families of an open socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Families {
    V4,
    V6,
    Both,
}

impl Families {
    fn of(ip: IpAddr) -> Self {
        if ip.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    fn reach(self, ip: IpAddr) -> bool {
        self == Self::Both || self == Self::of(ip)
    }
}

#[derive(Clone, Copy, Debug)]
struct Open {
    families: Families,
    connected_to: Option<SocketAddr>,
    /// Known once the socket has one.
    port: u16,
    /// Bound to an address of loopback, from which the other family or another host cannot be reached.
    is_in_background: bool,
}

/// What a peer is supposed to be.
#[derive(Debug)]
struct Model {
    open: Option<Open>,
    destination: Option<SocketAddr>,
    queue: Queue,
    /// What was sent to the peer and has not entered the queue: in the kernel, or read and kept aside.
    backlog: VecDeque<Packet>,
    /// Whether the kernel may hold packets that were sent before the peer was connected, and are not from there. They are not received, but
    /// would be if the peer were connected to their sender before they are read.
    has_strays: bool,
    /// How many of these may be kept aside although the policy is to drop the oldest: a new policy concerns what comes after it.
    aside: usize,
    queue_size: usize,
    is_interrupted: bool,
    has_signal: bool,
    /// Whether a batch may count its packets before it has marked the peer for the signal.
    has_large: bool,
    last_taken: Option<(SocketAddr, usize)>,
    batch: Vec<(SocketAddr, usize)>,
    sent: u64,
    bytes_sent: u64,
    send_errors: u64,
    link: LinkStats,
    receive_link: Link,
    send_link: Link,
    background: bool,
    broadcast: bool,
    time_to_live: Option<NonZeroU8>,
    traffic_class: u8,
    multicast_time_to_live: u8,
    multicast_loopback: bool,
}

/// What a call answers: what it returns in words, or the reason of an error.
pub(crate) type Answer = Result<String, &'static str>;

/// A peer and its model, which go through the same calls.
struct Pair<'a> {
    peer: Arc<Peer>,
    model: Model,
    fars: Vec<Far>,
    /// Has a port that the peer is to want.
    taken: Far,
    tally: &'a Tally,
    /// How many packets were made.
    made: usize,
    step: usize,
    last_message: String,
    last_time: u64,
}

pub(crate) type Checked = Result<(), TestCaseError>;

impl Model {
    fn new() -> Self {
        Self {
            open: None,
            destination: None,
            queue: Queue::new(),
            backlog: VecDeque::new(),
            has_strays: false,
            aside: 0,
            queue_size: 0,
            is_interrupted: false,
            has_signal: false,
            has_large: false,
            last_taken: None,
            batch: Vec::new(),
            sent: 0,
            bytes_sent: 0,
            send_errors: 0,
            link: LinkStats::default(),
            receive_link: Link::None,
            send_link: Link::None,
            background: false,
            broadcast: false,
            time_to_live: None,
            traffic_class: 0,
            multicast_time_to_live: 1,
            multicast_loopback: true,
        }
    }

    fn open(&mut self, families: Families, recv_buf_size: usize) {
        self.queue.open(recv_buf_size, self.queue_size);
        self.is_interrupted = false;
        self.open = Some(Open { families, connected_to: None, port: 0, is_in_background: self.background });
    }

    fn close(&mut self) {
        if self.open.take().is_some() {
            self.queue.close();
            self.backlog.clear();
            self.aside = 0;
            self.has_strays = false;
        }
    }

    fn is_in_background(&self) -> bool {
        self.open.is_some_and(|open| open.is_in_background)
    }

    /// The next packet of the backlog enters the queue, or is dropped by it.
    fn handle_next(&mut self) -> Checked {
        let Some(packet) = self.backlog.pop_front() else {
            return Err(TestCaseError::fail("more packets are counted than were sent"));
        };
        self.aside = self.aside.saturating_sub(1);
        if self.is_in_background() || self.queue.policy == OverflowPolicy::DropOldest {
            self.has_signal |= self.is_in_background();
            self.has_large |= self.is_in_background() && packet.payload.len() > LARGE;
            self.queue.push_or_drop(packet);
        } else {
            ensure!(self.queue.fits(&packet), "a packet of {} bytes has entered a full queue", packet.payload.len());
            self.queue.push(packet);
        }
        Ok(())
    }

    /// Whether a call that reads what there is may leave the backlog as it is.
    fn is_read(&self) -> bool {
        match self.backlog.front() {
            None => true,
            Some(_) if self.is_in_background() => false,
            Some(_) if self.queue.policy == OverflowPolicy::DropOldest => self.backlog.len() <= self.aside,
            Some(packet) => !self.queue.fits(packet),
        }
    }

    /// Whether all of the backlog fits into the queue.
    fn has_room_for_backlog(&self) -> bool {
        let cost = |packet: &Packet| packet.payload.len() + 24;
        let all = self.backlog.iter().chain(&self.queue.packets).map(cost).sum::<usize>();
        all <= self.queue.bound
    }

    fn take(&mut self) -> Option<Packet> {
        let packet = self.queue.packets.pop_front()?;
        self.last_taken = Some((packet.sender, packet.payload.len()));
        Some(packet)
    }

    /// How many copies of a packet the conditions let through, and counts what becomes of it.
    fn copies(link: Link, length: usize, counts: &mut LinkStats) -> usize {
        match link {
            Link::Doubled => {
                counts.duplicated += 1;
                2
            }
            Link::Narrow if length > 100 => {
                counts.dropped += 1;
                0
            }
            Link::None | Link::Neutral | Link::Late | Link::Narrow => 1,
            Link::Blackout => {
                counts.lost += 1;
                0
            }
        }
    }

    /// What sending to `to` comes to, with the peer open: `None` if the kernel takes it.
    fn refusal(&self, to: SocketAddr, length: usize) -> Option<&'static str> {
        let open = self.open.unwrap();
        if !open.families.reach(to.ip()) {
            Some("WrongFamily")
        } else if length == TOO_LONG || to.port() == 0 {
            Some("Os")
        } else {
            None
        }
    }
}

fn word(reason: &Reason) -> &'static str {
    match reason {
        Reason::NotOpen => "NotOpen",
        Reason::AlreadyOpen => "AlreadyOpen",
        Reason::Connected => "Connected",
        Reason::Accepted => "Accepted",
        Reason::NotOfServer(_) => "NotOfServer",
        Reason::NoDestination => "NoDestination",
        Reason::InvalidAddress => "InvalidAddress",
        Reason::NoBroadcast => "NoBroadcast",
        Reason::WrongFamily(_) => "WrongFamily",
        Reason::NotShared(_) => "NotShared",
        Reason::Os(_) => "Os",
        _ => "another reason",
    }
}

/// A result as an answer.
pub(crate) fn answer<T>(result: CoreResult<T>, words: impl FnOnce(T) -> String) -> (Answer, Option<String>) {
    match result {
        Ok(value) => (Ok(words(value)), None),
        Err(error) => (Err(word(&error.reason)), Some(error.to_string())),
    }
}

fn conditions(link: Link) -> Option<Arc<SharedConditions>> {
    let default = Conditions::default();
    let values = match link {
        Link::None => return None,
        Link::Neutral => default,
        Link::Doubled => Conditions { duplicate: 1.0, ..default },
        Link::Narrow => Conditions { max_packet_size: 100, ..default },
        Link::Blackout => Conditions { blackout: true, ..default },
        Link::Late => Conditions { latency_msec: 0.3, ..default },
    };
    Some(SharedConditions::new(values))
}

impl<'a> Pair<'a> {
    fn new(tally: &'a Tally) -> Self {
        static TOKENS: AtomicU64 = AtomicU64::new(1);
        let peer = Peer::new();
        peer.enable_signals(TOKENS.fetch_add(1, Ordering::Relaxed));
        let mut fars = vec![Far::new("127.0.0.1"), Far::new("127.0.0.1")];
        if has_ipv6() {
            fars.push(Far::new("::1"));
        }
        let taken = Far::new("127.0.0.1");
        let (last_message, last_time) = (String::new(), 0);
        Self { peer, model: Model::new(), fars, taken, tally, made: 0, step: 0, last_message, last_time }
    }

    fn far(&self, number: usize) -> &Far {
        &self.fars[number % self.fars.len()]
    }

    fn next_payload(&mut self, length: usize) -> Vec<u8> {
        self.made += 1;
        payload(self.made, length)
    }

    /// Host and port of a target.
    fn host(&self, target: Target) -> (String, u16) {
        match target {
            Target::Far(number) => (self.far(number).address.ip().to_string(), self.far(number).address.port()),
            Target::NoPort => (self.far(0).address.ip().to_string(), 0),
            Target::Text(text) => (text.to_owned(), 9),
        }
    }

    /// Its address; `None` if it is none.
    fn address(&self, target: Target) -> Option<SocketAddr> {
        let (host, port) = self.host(target);
        Some(SocketAddr::new(host.parse().ok()?, port))
    }

    /// Compares the answer of a call, and what [`Peer::last_error`] says of it.
    fn compare(&mut self, what: &'static str, (got, message): (Answer, Option<String>), expected: &Answer) -> Checked {
        self.tally.add(what, got.is_ok());
        ensure!(got == *expected, "{what} answers {got:?}, the model {expected:?}");
        if let Some(message) = message {
            self.last_message = message;
        }
        Ok(())
    }

    /// Follows what the peer has read.
    fn follow(&mut self, stats: &Stats) -> Checked {
        let handled = stats.packets_received + stats.packets_dropped_queue;
        while self.model.queue.counts.handled() < handled {
            self.model.handle_next()?;
        }
        Ok(())
    }

    /// Waits until all is read that is to be read without anybody calling.
    fn settle(&mut self) -> Checked {
        let is_late = self.model.receive_link == Link::Late;
        if !(self.model.is_in_background() || is_late) {
            return Ok(());
        }
        let mut result = Ok(());
        let is_settled = comes_true(|| {
            let _ = self.peer.available();
            let stats = self.peer.stats();
            result = self.follow(&stats);
            // What the conditions swallow has been read too.
            let is_through = !self.model.is_in_background() || stats.conditions == self.model.link;
            result.is_err() || (self.model.is_read() && is_through)
        });
        result?;
        ensure!(is_settled, "{} packets do not arrive: {:?}", self.model.backlog.len(), self.peer.stats());
        Ok(())
    }

    /// Reads all that there is room for.
    fn read(&mut self) -> Checked {
        self.settle()?;
        let available = self.peer.available();
        self.follow(&self.peer.stats())?;
        let expected = self.model.open.map(|_| self.model.queue.packets.len());
        ensure!(available == expected, "{available:?} packets can be taken, in the model {expected:?}");
        ensure!(self.model.is_read(), "{} packets are not read", self.model.backlog.len());
        Ok(())
    }

    /// Has the kernel's packets read, if there are some that are not received.
    fn read_strays(&mut self) -> Checked {
        if std::mem::take(&mut self.model.has_strays) { self.make_room() } else { Ok(()) }
    }

    /// Takes packets until there is nothing that waits for room.
    fn make_room(&mut self) -> Checked {
        self.read()?;
        while !self.model.backlog.is_empty() {
            self.take("take", None)?;
            self.read()?;
        }
        Ok(())
    }

    fn check_packet(&mut self, bytes: &[u8], expected: &Packet) -> Checked {
        let length = expected.payload.len();
        ensure!(*bytes == *expected.payload, "of {} bytes, not the model's oldest of {length}", bytes.len());
        let meta = self.peer.last_taken().unwrap();
        ensure!(meta.time_usec() >= self.last_time, "a packet is older than the one before");
        self.last_time = meta.time_usec();
        Ok(())
    }

    /// Takes a packet, into a buffer if there is one.
    fn take(&mut self, what: &'static str, buffer: Option<usize>) -> Checked {
        if self.model.is_in_background() && !self.model.has_room_for_backlog() {
            // What a full queue drops depends on what comes first.
            self.settle()?;
        }
        let mut copy = Vec::with_capacity(buffer.unwrap_or(0));
        let taken = match buffer {
            None => self.peer.take().map(|packet| packet.map(|packet| packet.to_vec())),
            Some(_) => self.peer.take_or_copy(&mut copy).map(|taken| {
                taken.map(|taken| match taken {
                    Taken::Copied => copy.clone(),
                    Taken::Shared(packet) => packet.to_vec(),
                })
            }),
        };
        if self.model.is_in_background() && self.model.queue.packets.is_empty() && !self.model.backlog.is_empty() {
            // It may have come meanwhile.
            return self.follow_racing_take(what, taken);
        }
        // What was read to take the packet is counted, the packet itself too.
        self.follow(&self.peer.stats())?;
        let expected = if self.model.open.is_some() { Ok(self.model.take()) } else { Err("NotOpen") };
        if matches!(expected, Ok(None)) {
            ensure!(
                self.model.is_read() && self.model.backlog.is_empty(),
                "nothing is taken, though packets are there"
            );
        }
        if let (Ok(Some(bytes)), Ok(Some(packet))) = (&taken, &expected) {
            self.check_packet(bytes, packet)?;
        }
        let is_some = |is_some: bool| if is_some { "a packet" } else { "nothing" }.to_owned();
        let expected = expected.map(|packet| is_some(packet.is_some()));
        self.compare(what, answer(taken, |packet| is_some(packet.is_some())), &expected)
    }

    fn follow_racing_take(&mut self, what: &'static str, taken: CoreResult<Option<Vec<u8>>>) -> Checked {
        let bytes = taken.map_err(|error| TestCaseError::fail(error.to_string()))?;
        self.tally.add(what, true);
        self.follow(&self.peer.stats())?;
        if let Some(bytes) = bytes {
            let packet = self.model.take();
            ensure!(packet.is_some(), "a packet of {} bytes was taken that is not there", bytes.len());
            self.check_packet(&bytes, &packet.unwrap())?;
        }
        Ok(())
    }

    fn take_many(&mut self, max: Option<usize>) -> Checked {
        if self.model.is_in_background() || self.model.receive_link != Link::None {
            self.read()?;
        }
        let mut got: Vec<Vec<u8>> = Vec::new();
        let result = self.peer.take_many(max).map(|mut drain| {
            while let Some(run) = drain.next() {
                got.extend(run.packets().map(<[u8]>::to_vec));
            }
        });
        let expected = if self.model.open.is_some() { Ok(String::new()) } else { Err("NotOpen") };
        self.compare("take_many", answer(result, |()| String::new()), &expected)?;
        if self.model.open.is_none() {
            return Ok(());
        }
        let queue = &mut self.model.queue;
        let in_background = self.model.open.is_some_and(|open| open.is_in_background);
        let reachable = queue.packets.len() + if in_background { 0 } else { self.model.backlog.len() };
        let count = max.unwrap_or(usize::MAX).min(reachable);
        ensure!(got.len() == count, "take_many takes {} packets, the model {count}", got.len());
        self.model.batch.clear();
        for bytes in got {
            let packet = if let Some(packet) = self.model.queue.packets.pop_front() {
                packet
            } else {
                // Straight from the socket.
                let packet = self.model.backlog.pop_front().unwrap();
                self.model.aside = self.model.aside.saturating_sub(1);
                self.model.queue.count_taken_directly(&packet);
                packet
            };
            let length = packet.payload.len();
            ensure!(bytes == packet.payload, "{} bytes, not the model's oldest packet of {length}", bytes.len());
            self.model.batch.push((packet.sender, length));
            self.model.last_taken = Some((packet.sender, length));
        }
        self.follow(&self.peer.stats())
    }

    fn wait(&mut self, what: &'static str, timeout: Option<Duration>) -> Checked {
        let is_interrupted = std::mem::take(&mut self.model.is_interrupted);
        let has_packet = !(self.model.queue.packets.is_empty() && self.model.backlog.is_empty());
        let may_be_late = self.model.receive_link == Link::Late && self.model.queue.packets.is_empty();
        let timeout = timeout.unwrap_or(if has_packet || is_interrupted { run::patience() } else { BRIEFLY });
        let end = self.peer.wait(Some(timeout));
        self.follow(&self.peer.stats())?;
        let expected = match self.model.open {
            None => Err("NotOpen"),
            Some(_) if is_interrupted => Ok(WaitEnd::Interrupted),
            Some(_) if has_packet => Ok(WaitEnd::Ready),
            Some(_) => Ok(WaitEnd::TimedOut),
        };
        // What comes in the background may not have come yet.
        let is_free =
            timeout.is_zero() && (self.model.is_in_background() || may_be_late) && !is_interrupted && has_packet;
        if is_free && matches!(end, Ok(WaitEnd::TimedOut)) {
            self.tally.add(what, true);
            return Ok(());
        }
        self.compare(what, answer(end, |end| format!("{end:?}")), &expected.map(|end| format!("{end:?}")))
    }

    /// What came of sending: counts it, and compares what has arrived at the other end.
    fn arrive_at_far(&mut self, to: SocketAddr, sent: &[Vec<u8>]) -> Checked {
        let number = self.fars.iter().position(|far| far.address == to).unwrap();
        // What the line holds back is bounded by the size of the queue, but one packet it takes in any case.
        let limit = if self.model.queue_size == 0 { usize::MAX } else { self.model.queue_size };
        let holds_back = matches!(self.model.send_link, Link::Doubled | Link::Late);
        let mut held = 0;
        for bytes in sent {
            let copies = Model::copies(self.model.send_link, bytes.len(), &mut self.model.link);
            for _ in 0..copies {
                let cost = bytes.len() + HELD_OVERHEAD;
                if holds_back && held > 0 && held + cost > limit {
                    self.model.link.dropped += 1;
                    continue;
                }
                held += cost;
                let received = self.fars[number].receive();
                let (got, sender) =
                    received.map_err(|error| TestCaseError::fail(format!("nothing arrives: {error}")))?;
                let port = self.peer.local_addr().map_or(0, |address| address.port());
                ensure!(got == *bytes, "{} bytes arrive instead of {}", got.len(), bytes.len());
                ensure!(sender.port() == port, "it comes from port {}, not from {port}", sender.port());
                self.model.sent += 1;
                self.model.bytes_sent += bytes.len() as u64;
            }
        }
        // The thread that sends late packets counts them when the kernel has them.
        let is_counted = || {
            let stats = self.peer.stats();
            let is_done = stats.conditions.waiting == 0 || self.model.receive_link != Link::None;
            stats.packets_sent >= self.model.sent && is_done
        };
        ensure!(!holds_back || comes_true(is_counted), "late packets are not counted");
        Ok(())
    }

    /// Opens the model to reach an address, if it is closed.
    fn open_for(&mut self, ip: IpAddr) {
        if self.model.open.is_none() {
            self.model.open(Families::of(ip), 0);
        }
    }

    /// The destination of a send, with the model open for it.
    fn destination(&mut self) -> Option<SocketAddr> {
        let to = self.model.destination?;
        self.open_for(to.ip());
        Some(self.model.open.unwrap().connected_to.unwrap_or(to))
    }

    fn send(&mut self, length: usize) -> Checked {
        let bytes = self.next_payload(length);
        let got = answer(self.peer.send(&bytes), |()| String::new());
        let to = self.destination();
        let refusal = to.map_or(Some("NoDestination"), |to| self.model.refusal(to, length));
        self.finish_send("send", got, refusal, to, bytes)
    }

    fn send_to(&mut self, target: Target, length: usize) -> Checked {
        let bytes = self.next_payload(length);
        let (host, port) = self.host(target);
        let got = answer(self.peer.send_to(&bytes, &host, port), |()| String::new());
        let to = self.address(target);
        let refusal = match to {
            None => Some("InvalidAddress"),
            Some(to) => {
                self.open_for(to.ip());
                let is_connected = self.model.open.unwrap().connected_to.is_some();
                if is_connected { Some("Connected") } else { self.model.refusal(to, length) }
            }
        };
        self.finish_send("send_to", got, refusal, to, bytes)
    }

    fn finish_send(
        &mut self,
        what: &'static str,
        got: (Answer, Option<String>),
        refusal: Option<&'static str>,
        to: Option<SocketAddr>,
        bytes: Vec<u8>,
    ) -> Checked {
        if let Some(reason) = refusal {
            self.model.send_errors += 1;
            return self.compare(what, got, &Err(reason));
        }
        self.compare(what, got, &Ok(String::new()))?;
        self.arrive_at_far(to.unwrap(), &[bytes])
    }

    /// Compares the outcome of a call that sends many.
    fn finish_many(&mut self, what: &'static str, got: (Answer, Option<String>), packets: &[Vec<u8>]) -> Checked {
        let Some(to) = self.destination() else {
            self.model.send_errors += 1;
            return self.compare(what, got, &Err("NoDestination"));
        };
        let refused = packets.iter().position(|bytes| self.model.refusal(to, bytes.len()).is_some());
        let sent = refused.unwrap_or(packets.len());
        self.compare(what, got, &Ok(sent.to_string()))?;
        if refused.is_some() {
            self.model.send_errors += 1;
            self.last_message = self.peer.last_error().message;
            ensure!(self.last_message.contains(&format!("index {sent} of")), "not the index: {}", self.last_message);
        }
        if sent > 0 { self.arrive_at_far(to, &packets[..sent]) } else { Ok(()) }
    }

    fn bind(&mut self, to: BindTo, size: usize) -> Checked {
        let (address, port) = match to {
            BindTo::Any => ("*", 0),
            BindTo::Loopback => ("127.0.0.1", 0),
            BindTo::Loopback6 => ("::1", 0),
            BindTo::Wildcard => ("0.0.0.0", 0),
            BindTo::Taken => ("127.0.0.1", self.taken.address.port()),
            BindTo::Foreign => ("192.0.2.1", 0),
            BindTo::Text(text) => (text, 0),
        };
        let got = answer(self.peer.bind(port, address, size), |()| String::new());
        let both = if has_ipv6() { Families::Both } else { Families::V4 };
        let expected = match to {
            _ if self.model.open.is_some() => Err("AlreadyOpen"),
            BindTo::Text(_) => Err("InvalidAddress"),
            BindTo::Taken | BindTo::Foreign => Err("Os"),
            BindTo::Loopback6 if !has_ipv6() => Err("Os"),
            BindTo::Any => Ok(both),
            BindTo::Loopback6 => Ok(Families::V6),
            BindTo::Loopback | BindTo::Wildcard => Ok(Families::V4),
        };
        if let Ok(families) = expected {
            self.model.open(families, size);
        }
        self.compare("bind", got, &expected.map(|_| String::new()))
    }

    fn connect(&mut self, target: Target) -> Checked {
        // What was held back or has not been read yet would go in part: that is made certain.
        self.settle()?;
        self.read_strays()?;
        // Windows discards what it holds when a socket is connected.
        let is_cut = self.model.receive_link != Link::None || cfg!(windows);
        if is_cut && self.model.open.is_some() {
            self.make_room()?;
        }
        let (host, port) = self.host(target);
        let Some(port) = NonZeroU16::new(port) else { return Ok(()) };
        let got = answer(self.peer.connect(&host, port), |()| String::new());
        let Some(to) = self.address(target) else {
            return self.compare("connect", got, &Err("InvalidAddress"));
        };
        self.open_for(to.ip());
        if !self.model.open.unwrap().families.reach(to.ip()) {
            self.model.close();
            return self.compare("connect", got, &Err("WrongFamily"));
        }
        let code = self.peer.last_error().code;
        let is_port_taken = std::io::Error::from_raw_os_error(code).kind() == std::io::ErrorKind::AddrInUse;
        if self.model.open.unwrap().connected_to.is_some() && got.0 == Err("Os") && is_port_taken {
            // The system takes a port that it has chosen away for a moment, and another program has got it.
            self.model.close();
            return self.compare("connect", got, &Err("Os"));
        }
        self.compare("connect", got, &Ok(String::new()))?;
        self.model.destination = Some(to);
        self.model.open.as_mut().unwrap().connected_to = Some(to);
        // What was read and kept aside is dropped too; what the kernel holds stays, if it is from there.
        self.model.queue.discard();
        let dropped = self.peer.stats().packets_dropped_queue;
        let queue = &mut self.model.queue;
        let aside = dropped.checked_sub(queue.counts.dropped).map_or(usize::MAX, |aside| aside as usize);
        ensure!(
            aside <= self.model.backlog.len(),
            "{dropped} packets are dropped, in the model {}",
            queue.counts.dropped
        );
        queue.counts.dropped = dropped;
        self.model.backlog.drain(..aside);
        let all = self.model.backlog.len();
        self.model.backlog.retain(|packet| packet.sender == to);
        self.model.has_strays = self.model.backlog.len() < all;
        self.model.aside = 0;
        Ok(())
    }

    fn arrive(&mut self, far: usize, lengths: &[usize], waits: bool) -> Checked {
        let Some(open) = self.model.open.filter(|open| open.port != 0) else { return Ok(()) };
        let far = far % self.fars.len();
        let ip = self.fars[far].address.ip();
        if !open.families.reach(ip) {
            return Ok(());
        }
        let to = SocketAddr::new(ip, open.port);
        for length in lengths {
            let cost = |packet: &Packet| kernel_cost(packet.payload.len());
            let waiting = self.model.backlog.iter().map(cost).sum::<usize>();
            // What conditions swallow is in the kernel's buffer too.
            if waiting + kernel_cost(*length) > KERNEL_ROOM {
                break;
            }
            let bytes = self.next_payload(*length);
            let sender = self.fars[far].address;
            self.fars[far].socket.send_to(&bytes, to).unwrap();
            if open.connected_to.is_some_and(|connected_to| connected_to != sender) {
                continue;
            }
            let copies = Model::copies(self.model.receive_link, *length, &mut self.model.link);
            for _ in 0..copies {
                self.model.backlog.push_back(Packet::new(bytes.clone(), sender, self.step));
            }
        }
        self.tally.add("(packets arrive)", true);
        if waits || self.model.receive_link != Link::None {
            self.settle()?;
        }
        if self.model.receive_link != Link::None {
            self.read()?;
        }
        Ok(())
    }

    fn set_background(&mut self, enabled: bool) -> Checked {
        self.read_strays()?;
        let was_in_background = self.model.is_in_background();
        let is_full = enabled && !was_in_background && !self.model.has_room_for_backlog();
        let is_racing =
            self.model.receive_link != Link::None || (is_full && self.model.queue.policy == OverflowPolicy::DropOldest);
        if is_racing {
            self.read()?;
        }
        if is_full && self.model.open.is_some() && self.model.receive_link != Link::None {
            self.make_room()?;
        }
        let is_full = enabled && !was_in_background && !self.model.has_room_for_backlog();
        let got = answer(self.peer.set_background_receive(enabled), |()| String::new());
        self.compare("set_background_receive", got, &Ok(String::new()))?;
        if is_full && self.model.open.is_some() {
            self.model.background = enabled;
            return self.drain_into_background();
        }
        self.model.background = enabled;
        if was_in_background && !enabled {
            self.leave_background()?;
        }
        if let Some(open) = &mut self.model.open {
            open.is_in_background = enabled;
        }
        if enabled {
            self.follow(&self.peer.stats())?;
            self.model.has_signal |= !self.model.queue.packets.is_empty();
        }
        Ok(())
    }

    /// The background thread may be about to deliver what it has read: that drops by the policy, and what is read afterwards stays where it is
    /// if there is no room.
    fn leave_background(&mut self) -> Checked {
        let available = self.peer.available();
        let stats = self.peer.stats();
        while self.model.queue.counts.dropped < stats.packets_dropped_queue {
            self.model.handle_next()?;
        }
        self.model.open.as_mut().unwrap().is_in_background = false;
        self.follow(&stats)?;
        let count = self.model.queue.packets.len();
        ensure!(available == Some(count), "{available:?} packets can be taken, in the model {count}");
        Ok(())
    }

    /// The background thread finds more than there is room for, part of which was kept aside: what it drops depends on when it comes.
    /// What is taken must be a part of what was sent, in order, and the rest must be counted as dropped.
    fn drain_into_background(&mut self) -> Checked {
        let mut expected: VecDeque<Packet> = self.model.queue.packets.drain(..).collect();
        let queued = expected.len();
        expected.extend(self.model.backlog.drain(..));
        self.model.aside = 0;
        let before = self.model.queue.counts;
        let all = expected.len() as u64;
        let (mut taken, mut new_bytes) = (0, 0);
        let mut failure = None;
        // Of the counts, what was queued has been counted.
        let is_done = comes_true(|| {
            // Before the look whether there is a packet, so that it sees all of these.
            let _ = self.peer.available();
            let stats = self.peer.stats();
            let packet = self.peer.take().unwrap();
            let is_taken = packet.is_some();
            if let Some(bytes) = packet {
                let sender = self.peer.last_taken().unwrap().sender();
                loop {
                    match expected.pop_front() {
                        Some(packet) if *packet.payload == *bytes && packet.sender == sender => {
                            self.model.last_taken = Some((packet.sender, bytes.len()));
                            break;
                        }
                        Some(_) if taken >= queued || self.model.queue.policy == OverflowPolicy::DropOldest => {}
                        _ => {
                            failure = Some(format!("{} bytes come that are not next", bytes.len()));
                            return true;
                        }
                    }
                }
                taken += 1;
                new_bytes += if taken > queued { bytes.len() as u64 } else { 0 };
            }
            !is_taken && stats.packets_received + stats.packets_dropped_queue == before.handled() + all - queued as u64
        });
        if let Some(failure) = failure {
            return Err(TestCaseError::fail(failure));
        }
        let stats = self.peer.stats();
        ensure!(is_done, "of {all} packets {taken} are taken: {stats:?}");
        let dropped = stats.packets_dropped_queue - before.dropped;
        ensure!(taken as u64 + dropped == all, "of {all} packets {taken} are taken and {dropped} dropped");
        self.model.queue.counts.dropped = stats.packets_dropped_queue;
        // A packet that was counted and then dropped is counted as dropped only; which one it was is not known.
        self.model.queue.counts.received = stats.packets_received;
        self.model.queue.counts.bytes = stats.bytes_received;
        self.model.open.as_mut().unwrap().is_in_background = true;
        self.model.has_signal = true;
        // Told or not, depending on what was dropped: so it is asked for.
        let _ = self.peer.take_pending_signal();
        self.model.has_signal = false;
        if self.peer.take_drop_notice() {
            self.model.queue.note_told();
        }
        let is_plain = self.model.queue.policy == OverflowPolicy::DropNewest;
        ensure!(
            !is_plain || stats.bytes_received == before.bytes + new_bytes,
            "{new_bytes} bytes more are taken: {stats:?}"
        );
        Ok(())
    }

    fn set_option(&mut self, option: usize, value: u8) -> Checked {
        let option = match option {
            0 => SocketOption::TimeToLive(NonZeroU8::new(value)),
            1 => SocketOption::TrafficClass(value * 4),
            2 => SocketOption::MulticastTimeToLive(value),
            _ => SocketOption::MulticastLoopback(value > 1),
        };
        match &option {
            SocketOption::TimeToLive(hops) => self.model.time_to_live = *hops,
            SocketOption::TrafficClass(class) => self.model.traffic_class = *class,
            SocketOption::MulticastTimeToLive(hops) => self.model.multicast_time_to_live = *hops,
            _ => self.model.multicast_loopback = value > 1,
        }
        let got = answer(self.peer.set_option(option), |()| String::new());
        self.compare("set_option", got, &Ok(String::new()))
    }

    fn apply(&mut self, call: &Call) -> Checked {
        match call {
            Call::Bind(to, size) => self.bind(*to, *size),
            Call::Close => {
                self.settle()?;
                if self.model.receive_link != Link::None && self.model.open.is_some() {
                    self.make_room()?;
                }
                self.follow(&self.peer.stats())?;
                self.tally.add("close", true);
                self.peer.close();
                self.model.close();
                Ok(())
            }
            Call::Connect(target) => self.connect(*target),
            Call::SetDestination(target) => {
                let (host, port) = self.host(*target);
                let is_connected = self.model.open.is_some_and(|open| open.connected_to.is_some());
                let expected = match self.address(*target) {
                    None => Err("InvalidAddress"),
                    Some(_) if is_connected => Ok(DestinationChange::Connected),
                    Some(to) => {
                        self.model.destination = Some(to);
                        Ok(DestinationChange::Set)
                    }
                };
                let got = answer(self.peer.set_destination(&host, port), |change| format!("{change:?}"));
                self.compare("set_destination", got, &expected.map(|change| format!("{change:?}")))?;
                let has_it = self.peer.has_destination(&host, port);
                ensure!(has_it == matches!(expected, Ok(DestinationChange::Set)), "has_destination answers {has_it}");
                Ok(())
            }
            Call::Send(length) => self.send(*length),
            Call::SendMany(lengths) => {
                // With conditions, a packet that is too long does not keep those behind it from being lost or held back.
                let most = if self.model.send_link == Link::None { TOO_LONG } else { 1_500 };
                let packets: Vec<_> = lengths.iter().map(|length| self.next_payload(*length.min(&most))).collect();
                let slices: Vec<_> = packets.iter().map(Vec::as_slice).collect();
                let got = answer(self.peer.send_many(&slices), |count| count.to_string());
                self.finish_many("send_many", got, &packets)
            }
            Call::SendSegmented(length, segment) => {
                let bytes = self.next_payload(*length);
                let got = self.peer.send_segmented(&bytes, NonZeroUsize::new(*segment).unwrap());
                let packets: Vec<_> = bytes.chunks(*segment).map(<[u8]>::to_vec).collect();
                self.finish_many("send_segmented", answer(got, |count| count.to_string()), &packets)
            }
            Call::SendTo(target, length) => self.send_to(*target, *length),
            Call::SendBroadcast => {
                if self.model.broadcast {
                    return Ok(());
                }
                let got = answer(self.peer.send_broadcast(b"x", NonZeroU16::MIN), |count| count.to_string());
                self.model.send_errors += 1;
                self.compare("send_broadcast", got, &Err("NoBroadcast"))
            }
            Call::Arrive(far, lengths, waits) => self.arrive(*far, lengths, *waits),
            Call::Poll => {
                self.settle()?;
                let got = answer(self.peer.poll(), |count| count.to_string());
                self.follow(&self.peer.stats())?;
                let count = self.model.queue.packets.len().to_string();
                let expected = if self.model.open.is_some() { Ok(count) } else { Err("NotOpen") };
                self.compare("poll", got, &expected)?;
                ensure!(self.model.is_read(), "{} packets are not read", self.model.backlog.len());
                Ok(())
            }
            Call::Available => {
                self.tally.add("available", self.model.open.is_some());
                self.read()
            }
            Call::Take => self.take("take", None),
            Call::TakeOrCopy(capacity) => self.take("take_or_copy", Some(*capacity)),
            Call::TakeMany(max) => self.take_many(*max),
            Call::Wait => self.wait("wait", None),
            Call::WaitNoTime => self.wait("wait of no time", Some(Duration::ZERO)),
            Call::InterruptWait => {
                self.peer.interrupt_wait();
                self.model.is_interrupted = self.model.open.is_some();
                self.tally.add("interrupt_wait", self.model.open.is_some());
                Ok(())
            }
            // The line drops what it holds beyond that, which depends on how much is read at once.
            Call::SetQueueSize(bytes)
                if *bytes > 0 && matches!(self.model.receive_link, Link::Doubled | Link::Late) =>
            {
                Ok(())
            }
            Call::SetReceiveConditions(Link::Doubled | Link::Late) if self.model.queue_size > 0 => Ok(()),
            Call::SetQueueSize(bytes) => {
                self.settle()?;
                let got = answer(self.peer.set_queue_size(*bytes), |()| String::new());
                self.compare("set_queue_size", got, &Ok(String::new()))?;
                self.model.queue_size = *bytes;
                if self.model.open.is_some() {
                    self.model.queue.set_size(*bytes);
                }
                Ok(())
            }
            Call::SetPolicy(policy) => {
                self.settle()?;
                self.tally.add("set_overflow_policy", true);
                self.peer.set_overflow_policy(*policy);
                self.model.queue.policy = *policy;
                self.model.aside = self.model.backlog.len();
                Ok(())
            }
            Call::SetBackground(enabled) => self.set_background(*enabled),
            Call::TakeDropNotice => {
                self.settle()?;
                let is_due = self.model.queue.take_drop_notice();
                let got = self.peer.take_drop_notice();
                self.tally.add("take_drop_notice", got);
                ensure!(got == is_due, "take_drop_notice answers {got}");
                Ok(())
            }
            Call::TakeSignal => {
                self.settle()?;
                self.follow(&self.peer.stats())?;
                let count = self.model.queue.packets.len();
                let is_due = std::mem::take(&mut self.model.has_signal) && self.model.is_in_background() && count > 0;
                let got = self.peer.take_pending_signal();
                self.tally.add("take_pending_signal", got.is_some());
                let expected = is_due.then_some(count);
                let is_free = self.model.has_large && self.model.is_in_background() && count > 0;
                self.model.has_signal |= is_free;
                let is_expected = got == expected || (is_free && got.is_none_or(|got| got == count));
                ensure!(is_expected, "take_pending_signal answers {got:?}, the model {expected:?}");
                Ok(())
            }
            Call::ResetStats => {
                self.settle()?;
                if self.model.receive_link != Link::None && self.model.open.is_some() {
                    self.make_room()?;
                }
                self.follow(&self.peer.stats())?;
                self.tally.add("reset_stats", true);
                self.peer.reset_stats();
                self.model.queue.reset_counts();
                (self.model.sent, self.model.bytes_sent, self.model.send_errors) = (0, 0, 0);
                self.model.link = LinkStats::default();
                Ok(())
            }
            Call::SetReceiveConditions(link) => {
                if self.model.open.is_some() {
                    self.make_room()?;
                }
                self.tally.add("set_receive_conditions", true);
                self.peer.set_receive_conditions(conditions(*link));
                self.model.receive_link = *link;
                Ok(())
            }
            Call::SetSendConditions(link) => {
                self.tally.add("set_send_conditions", true);
                self.peer.set_send_conditions(conditions(*link));
                self.model.send_link = *link;
                Ok(())
            }
            Call::SetOption(option, value) => self.set_option(*option, *value),
            Call::SetBroadcast(enabled) => {
                self.model.broadcast = *enabled;
                let got = answer(self.peer.set_broadcast(*enabled), |()| String::new());
                self.compare("set_broadcast", got, &Ok(String::new()))
            }
            Call::JoinGroup(group) => {
                let got = answer(self.peer.join_group(group, ""), |()| String::new());
                self.compare("join_group", got, &Err("InvalidAddress"))
            }
            Call::LeaveGroup(group) => {
                let got = answer(self.peer.leave_group(group, ""), |()| String::new());
                let expected = match self.model.open {
                    None => "NotOpen",
                    Some(_) if group.is_empty() => "InvalidAddress",
                    // It was not joined, or is of the other family.
                    Some(open) if open.families == Families::V6 => "WrongFamily",
                    Some(_) => "Os",
                };
                self.compare("leave_group", got, &Err(expected))
            }
        }
    }

    /// Compares all that a peer tells without reading.
    fn check(&mut self) -> Checked {
        let stats = self.peer.stats();
        self.follow(&stats)?;
        let model = &mut self.model;
        let counts = model.queue.counts;
        let mut expected = Stats {
            packets_sent: model.sent,
            bytes_sent: model.bytes_sent,
            packets_received: counts.received,
            bytes_received: counts.bytes,
            packets_dropped_queue: counts.dropped,
            send_errors: model.send_errors,
            send_syscalls: stats.send_syscalls,
            receive_syscalls: stats.receive_syscalls,
            conditions: model.link,
            ..Stats::default()
        };
        if model.receive_link != Link::None {
            // What the kernel holds has not come to the line yet.
            let (got, most) = (stats.conditions, model.link);
            let is_less = got.lost <= most.lost && got.dropped <= most.dropped && got.duplicated <= most.duplicated;
            ensure!(is_less, "the conditions have done {got:?}, in the model {most:?}");
            expected.conditions = got;
        }
        ensure!(stats == expected, "counts differ: {stats:?}, in the model {expected:?}");
        let peer = &self.peer;
        let open = model.open;
        ensure!(peer.is_open() == open.is_some(), "is_open answers {}", peer.is_open());
        let is_connected = open.is_some_and(|open| open.connected_to.is_some());
        ensure!(peer.is_connected() == is_connected, "is_connected answers {}", peer.is_connected());
        let address = peer.local_addr();
        ensure!(address.is_some() == open.is_some(), "local_addr answers {address:?}");
        if let (Some(address), Some(open)) = (address, &mut model.open) {
            ensure!(open.port == 0 || open.port == address.port(), "the port has changed from {}", open.port);
            open.port = address.port();
        }
        let settings = (peer.queue_size(), peer.overflow_policy(), peer.background_receive(), peer.queue_limit());
        let expected = (model.queue_size, model.queue.policy, model.background, model.queue.bound);
        ensure!(open.is_none() || settings == expected, "settings differ: {settings:?}, in the model {expected:?}");
        let options = peer.option(|options| {
            let class = (options.traffic_class, options.multicast_time_to_live);
            (options.time_to_live, class, options.multicast_loopback)
        });
        let class = (model.traffic_class, model.multicast_time_to_live);
        let expected = (model.time_to_live, class, model.multicast_loopback);
        ensure!(options == expected, "options differ: {options:?}, in the model {expected:?}");
        let taken = peer.last_taken().map(|meta| (meta.sender(), meta.length()));
        ensure!(taken == model.last_taken, "the last packet is {taken:?}, in the model {:?}", model.last_taken);
        let batch: Vec<_> = peer.batch().iter().map(|meta| (meta.sender(), meta.length())).collect();
        ensure!(batch == model.batch, "the batch is {batch:?}, in the model {:?}", model.batch);
        let message = peer.last_error().message;
        ensure!(message == self.last_message, "the last error is {message:?}, not {:?}", self.last_message);
        ensure!(peer.waits() == 0, "a wait is left");
        ensure!(peer.take_refusals().is_empty(), "an option was refused");
        Ok(())
    }

    /// Nothing may be left: what has arrived is taken, and nothing more comes to the other end.
    fn finish(&mut self) -> Checked {
        if self.model.open.is_some() {
            self.make_room()?;
            while !self.model.queue.packets.is_empty() {
                self.take("take", None)?;
            }
            self.take("take", None)?;
            self.check()?;
            let (got, expected) = (self.peer.stats().conditions, self.model.link);
            ensure!(got == expected, "the conditions have done {got:?}, in the model {expected:?}");
        }
        // A closed peer keeps its destination, and nothing else.
        self.peer.close();
        self.model.close();
        self.check()?;
        ensure!(self.peer.available().is_none(), "packets can be taken from a closed peer");
        if let Some(to) = self.model.destination {
            let has_it = self.peer.has_destination(&to.ip().to_string(), to.port());
            ensure!(has_it, "the destination is not {to}");
        }
        for far in &self.fars {
            ensure!(!far.has_more(), "a packet has arrived that was not sent");
        }
        Ok(())
    }
}

fn compare_with_model(calls: &[Call], tally: &Tally) -> Checked {
    let mut pair = Pair::new(tally);
    for (step, call) in calls.iter().enumerate() {
        pair.step = step;
        let result = pair.apply(call).and_then(|()| pair.check());
        result.map_err(|error| TestCaseError::fail(format!("call {step}, {call:?}: {error}")))?;
    }
    pair.finish().map_err(|error| TestCaseError::fail(format!("at the end: {error}")))?;
    // Nobody else takes the tokens of this peer off the list.
    drop(packet_peer_udp_core::take_pending_signals());
    Ok(())
}

#[test]
fn a_peer_answers_as_its_model() {
    run::run("a peer's calls", file!(), 60, &sequences(), compare_with_model);
}

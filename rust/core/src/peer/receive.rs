//! Receiving: from the socket into the queue, by whoever wants a packet or by the background thread, and out of it.

use std::fmt;
use std::io;
use std::ptr;

use parking_lot::{Mutex, MutexGuard};

use super::{Endpoint, Inbox, Peer, kernel_cost};
use crate::address;
use crate::background;
use crate::clock::Clocks;
use crate::error::{Error, Operation, Reason, Result};
use crate::queue::{MAX_DATAGRAM, OverflowPolicy, Packet, PacketMeta};
use crate::sys::{self, Arena, Message, Path};

/// By how much a kernel may overfill its buffer: it takes a last packet while there is any room.
const LARGEST_COST: usize = kernel_cost(MAX_DATAGRAM);

/// How large a message is taken to be before any has come.
const LIKELY: usize = 2_048;

/// How many arenas are kept for later: more threads than these rarely receive at the same moment.
const KEPT: usize = 4;

static ARENAS: Mutex<Vec<(Thread, Arena)>> = Mutex::new(Vec::new());

/// Gives back the memory that receiving keeps for later. For the end of the process, or of the library.
pub(crate) fn release_arenas() {
    ARENAS.lock().clear();
}

/// Which thread has used an arena, as the address of something that each thread has.
type Thread = usize;

thread_local! {
    static HERE: u8 = const { 0 };
}

/// An arena, for as long as this lives: if there is one, that which this thread has used before, since the memory is then
/// in its processor's cache.
struct Lease(Option<Arena>);

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").finish_non_exhaustive()
    }
}

impl Lease {
    fn get() -> Self {
        let here = this_thread();
        let mut kept = ARENAS.lock();
        let index = kept.iter().position(|(thread, _)| *thread == here);
        let arena = match index {
            Some(index) => Some(kept.swap_remove(index)),
            None if kept.len() == KEPT => kept.pop(),
            None => None,
        };
        drop(kept);
        Self(Some(arena.map_or_else(Arena::new, |(_, arena)| arena)))
    }

    fn arena(&mut self) -> &mut Arena {
        self.0.get_or_insert_with(Arena::new)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut kept = ARENAS.lock();
        if kept.len() < KEPT {
            kept.extend(self.0.take().map(|arena| (this_thread(), arena)));
        }
    }
}

fn this_thread() -> Thread {
    HERE.with(|here| ptr::from_ref(here).addr())
}

/// Whoever has this reads from the socket; so packets enter the queue in the order in which they came.
#[derive(Debug)]
pub(super) struct Receiver {
    /// The largest message of the last batch.
    largest: usize,
    /// When the packet came that was read last.
    pub(super) latest: u64,
    pub(super) system_calls: u64,
}

impl Default for Receiver {
    fn default() -> Self {
        Self { largest: LIKELY, latest: 0, system_calls: 0 }
    }
}

impl Receiver {
    /// How many messages to ask for, so that what is read fits into `room` bytes if messages stay as large as they were.
    fn limit(&self, room: usize) -> usize {
        (room / self.largest).clamp(1, sys::SLOTS)
    }

    /// Receives up to `limit` messages; how many. `Ok(0)`: there was none.
    fn receive(&mut self, endpoint: &Endpoint, arena: &mut Arena, limit: usize) -> io::Result<usize> {
        let mode = endpoint.socket.io_mode();
        let result = arena.receive(endpoint.socket.io(), mode, limit);
        let got = result.as_ref().copied().unwrap_or(0);
        // The portable mode asks once for each, and once more to find that there is none.
        self.system_calls += if mode == IoMode::Portable { got + usize::from(got < limit) } else { 1 } as u64;
        match result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            result => result,
        }
    }
}

/// What the socket has given.
pub(super) struct Got {
    /// How many messages.
    pub(super) count: usize,
    /// Whether there may be more.
    more: bool,
}

/// What a read of the socket has come to.
pub(super) struct Batch {
    /// What the packets have cost the kernel, at least, that were read, kept or not.
    cost: usize,
    /// Whether there is nothing more to read for now: no packet, or no room for one.
    last: bool,
    /// How many packets can be taken after it.
    pub(super) available: usize,
}

impl Peer {
    /// Reads what the socket holds into the queue, and tells how many packets can be taken.
    ///
    /// Reading stops when the queue is full; the rest waits in the kernel. However much arrives meanwhile, one call
    /// reads no more than the kernel's buffer can have held when it began.
    pub fn poll(&self) -> Result<usize> {
        self.noted(self.available().ok_or_else(|| Error::new(Operation::Receive, "", Reason::NotOpen)))
    }

    /// How many packets can be taken, all that have arrived included; `None` when the peer is closed.
    ///
    /// Where receiving is in the background, all that the background thread has read.
    #[must_use]
    pub fn available(&self) -> Option<usize> {
        if self.is_fed() {
            return self.inbox.lock().available_for_now();
        }
        let mut spent = 0;
        let mut guess = Guess::Maybe;
        // In batches, each under locks of its own: other threads are not kept waiting for as long as a large buffer takes.
        loop {
            let link = self.link.read();
            let endpoint = link.state.endpoint()?;
            let batch = self.read(endpoint, None, guess);
            spent += batch.cost;
            // After a full batch, to ask whether there is more costs as much as to find that there is not.
            guess = Guess::Yes;
            // What came after the call is for the next one; else a flood could keep this one busy.
            if batch.last || spent > endpoint.kernel_buffer + LARGEST_COST {
                return Some(batch.available);
            }
        }
    }

    /// Takes the oldest packet; `Ok(None)` when there is none.
    pub fn take(&self) -> Result<Option<Packet>> {
        {
            let mut inbox = self.inbox.lock();
            if let Some(packet) = inbox.take() {
                return Ok(Some(packet));
            }
            if !inbox.open {
                drop(inbox);
                return self.noted(Err(Error::new(Operation::Receive, "", Reason::NotOpen)));
            }
        }
        if self.is_fed() {
            self.inbox.lock().queue.note_empty_read();
            return Ok(None);
        }
        let link = self.link.read();
        if let Some(endpoint) = link.state.endpoint() {
            self.read_one(endpoint, None, Guess::Maybe);
        }
        drop(link);
        Ok(self.inbox.lock().take())
    }

    /// Begins to take up to `max` packets (`None`: all there are now).
    pub fn take_many(&self, max: Option<usize>) -> Result<Taking<'_>> {
        let mut inbox = self.inbox.lock();
        let Some(available) = inbox.available() else {
            drop(inbox);
            return self.noted(Err(Error::new(Operation::Receive, "", Reason::NotOpen)));
        };
        let mut stamps = std::mem::take(&mut inbox.batch);
        let bound = inbox.queue.bound();
        drop(inbox);
        stamps.clear();
        let is_fed = self.is_fed();
        let kernel_buffer = self.link.read().state.endpoint().map_or(0, |endpoint| endpoint.kernel_buffer);
        Ok(Taking {
            peer: self,
            left: max.unwrap_or(if is_fed { available } else { usize::MAX }),
            budget: bound.saturating_add(kernel_buffer).saturating_add(LARGEST_COST),
            socket_is_empty: is_fed,
            stamps,
            run: Packet::default(),
            lease: None,
            straight: Vec::new(),
            next: 0,
            following: 0,
        })
    }

    /// Whether a packet can be taken. `endpoint` is that of `host`, who is this peer itself or has its server's socket; `wait`
    /// is the wait that asks, if it is one.
    pub(super) fn has_packet(&self, host: &Self, endpoint: &Endpoint, wait: Option<u64>, mut guess: Guess) -> bool {
        if ptr::eq(self, host) && guess != Guess::No && !self.is_fed() {
            return self.read_one(endpoint, wait, guess);
        }
        let mut spent = 0;
        loop {
            if self.inbox.lock().available().is_some_and(|count| count > 0) {
                return true;
            }
            if guess == Guess::No || host.is_fed() || spent > endpoint.kernel_buffer + LARGEST_COST {
                return false;
            }
            // What is read may be for others.
            let batch = host.read(endpoint, wait, guess);
            spent += batch.cost;
            guess = if batch.last { Guess::No } else { Guess::Maybe };
        }
    }

    /// Reads until there is a packet, or no more to read. (A batch may be of nothing but errors, or of strangers' packets
    /// from before the peer was connected.)
    fn read_one(&self, endpoint: &Endpoint, wait: Option<u64>, guess: Guess) -> bool {
        let mut batch = self.read(endpoint, wait, guess);
        let mut spent = batch.cost;
        while batch.available == 0 && !batch.last && spent <= endpoint.kernel_buffer + LARGEST_COST {
            batch = self.read(endpoint, wait, Guess::Maybe);
            spent += batch.cost;
        }
        batch.available > 0
    }

    /// Reads a batch of packets from the socket into the queue, unless that is full. Whoever waits for such packets is
    /// told, except the wait that calls this itself.
    fn read(&self, endpoint: &Endpoint, wait: Option<u64>, guess: Guess) -> Batch {
        if endpoint.attachment.is_some() {
            // Since a moment ago it is the background thread that reads.
            return Batch { cost: 0, last: true, available: self.inbox.lock().available().unwrap_or(0) };
        }
        let mut receiver = self.receiver.lock();
        let limit = match self.look(endpoint, &mut receiver, guess) {
            Look::Nothing { available } => return Batch { cost: 0, last: true, available },
            // Each of a server's peers has room of its own, or not.
            Look::Something { .. } if self.crowd.is_some() => sys::SLOTS,
            // Who waits needs one packet; to find out that there is no second one takes time.
            Look::Something { .. } if wait.is_some() => 1,
            Look::Something { room, .. } => receiver.limit(room),
        };
        let mut lease = Lease::get();
        let arena = lease.arena();
        let got = self.receive(endpoint, &mut receiver, arena, limit);
        let clocks = Clocks::now();
        // As an empty packet, so that errors without end come to one all the same.
        let mut cost = kernel_cost(0);
        if self.crowd.is_some() {
            cost += self.deal(endpoint, arena, &got, &clocks, &mut receiver, wait);
            return Batch { cost, last: !got.more, available: 0 };
        }
        let mut grown = false;
        let mut inbox = self.inbox.lock();
        for message in messages(arena, got.count) {
            cost += kernel_cost(message.bytes.len());
            receiver.largest = receiver.largest.max(message.bytes.len());
            if let Some(stamp) = endpoint.stamp(&message, &clocks, &mut receiver) {
                inbox.file(&message, stamp, 0);
                grown = true;
            }
        }
        let available = inbox.queue.len();
        if available == 0 {
            inbox.queue.note_empty_read();
        }
        drop(inbox);
        drop(receiver);
        if grown {
            self.waiters.lock().wake_others(wait);
        }
        Batch { cost, last: !got.more, available }
    }

    /// Whether there is something to read, and room for it. Asks the system, not for more than a moment.
    fn look(&self, endpoint: &Endpoint, receiver: &mut Receiver, guess: Guess) -> Look {
        let mut inbox = self.inbox.lock();
        inbox.queue.promote();
        let available = inbox.queue.len();
        let room = match inbox.queue.policy() {
            OverflowPolicy::DropNewest => inbox.queue.room(),
            OverflowPolicy::DropOldest => Some(usize::MAX),
        };
        let Some(room) = room else { return Look::Nothing { available } };
        let answer = if guess == Guess::Yes {
            Ok(true)
        } else {
            receiver.system_calls += 1;
            sys::is_readable(endpoint.socket.io())
        };
        match answer {
            Ok(true) => Look::Something { room, available },
            Ok(false) => {
                if available == 0 {
                    inbox.queue.note_empty_read();
                }
                Look::Nothing { available }
            }
            Err(error) => {
                drop(inbox);
                self.note_receive_errors(1, error);
                Look::Something { room, available }
            }
        }
    }

    /// Receives up to `limit` messages. Errors are counted.
    fn receive(&self, endpoint: &Endpoint, receiver: &mut Receiver, arena: &mut Arena, limit: usize) -> Got {
        receiver.largest = LIKELY;
        let (count, error) = match receiver.receive(endpoint, arena, limit) {
            Ok(count) => (count, arena.late_error()),
            Err(error) => (0, Some(error)),
        };
        let more = count == limit || error.is_some();
        if let Some(error) = error {
            self.note_receive_errors(1, error);
        }
        Got { count, more }
    }

    /// Reads what the socket holds into the queue, at most so many batches: for the background thread.
    pub(crate) fn receive_in_background(&self, batches: usize) {
        let mut lease = Lease::get();
        let arena = lease.arena();
        for _ in 0..batches {
            let link = self.link.read();
            let Some(endpoint) = link.state.endpoint().filter(|endpoint| endpoint.attachment.is_some()) else { return };
            let mut receiver = self.receiver.lock();
            let got = self.receive(endpoint, &mut receiver, arena, sys::SLOTS);
            let clocks = Clocks::now();
            if self.crowd.is_some() {
                self.deal(endpoint, arena, &got, &clocks, &mut receiver, None);
                if got.more {
                    continue;
                }
                return;
            }
            let mut grown = false;
            let mut inbox = self.inbox.lock();
            for message in messages(arena, got.count) {
                if let Some(stamp) = endpoint.stamp(&message, &clocks, &mut receiver) {
                    inbox.file_or_drop(&message, stamp, 0);
                    grown = true;
                }
                // Whoever wants a packet meanwhile does not wait for the whole batch.
                if message.bytes.len() > LIKELY {
                    MutexGuard::bump(&mut inbox);
                }
            }
            drop(inbox);
            drop(receiver);
            if grown {
                self.waiters.lock().wake_others(None);
                self.note_news();
            }
            drop(link);
            if !got.more {
                return;
            }
        }
    }

    /// Has [`background::take_news`] tell of what is queued already, if receiving is in the background.
    pub fn note_queued(&self) {
        let is_queued = self.inbox.lock().queue.len() > 0;
        if is_queued {
            self.note_news();
        }
    }

    /// Has [`background::take_news`] tell of this peer, unless it is about to anyway.
    pub(super) fn note_news(&self) {
        // Without a name it can be called by, nobody is told, and it stays news.
        let Some(token) = self.token.get() else { return };
        let is_known = std::mem::replace(&mut self.inbox.lock().has_news, true);
        if !is_known {
            background::note_news(&[*token]);
        }
    }

    /// Whether packets have arrived in the background since this was last called, and are still there: how many can be
    /// taken now.
    pub fn take_news(&self) -> Option<usize> {
        let in_background = self.is_fed() && self.link.read().listener().is_none_or(|listener| listener.is_fed());
        let mut inbox = self.inbox.lock();
        let is_news = std::mem::take(&mut inbox.has_news) && in_background;
        inbox.available().filter(|count| is_news && *count > 0)
    }
}

/// Whether the socket has something to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guess {
    No,
    Maybe,
    Yes,
}

/// What [`Peer::look`] has found.
enum Look {
    /// No packet, or no room for one.
    Nothing { available: usize },
    /// Something, and so many bytes of room.
    Something { room: usize, available: usize },
}

impl Endpoint {
    /// The stamp of the first packet of a message; `None` when it is from somebody else than the peer is connected to, or was
    /// sent to a group that it has not joined.
    pub(super) fn stamp(&self, message: &Message<'_>, clocks: &Clocks, receiver: &mut Receiver) -> Option<PacketMeta> {
        let sender = address::to_canonical(message.sender);
        // The kernel filters too, but only what arrives after the socket was connected.
        let is_welcome = self.connected_to.is_none_or(|peer| address::is_same_host_and_port(sender, peer));
        // The clocks are compared anew for each batch, not always to the microsecond: yet none comes before the one before.
        receiver.latest = receiver.latest.max(clocks.time_of(message.real_time));
        (is_welcome && self.socket.is_meant(message.arrival))
            .then(|| PacketMeta::new(message.segment, sender, receiver.latest))
    }
}

impl Inbox {
    /// How many packets can be taken; `None` when the peer is closed.
    fn available(&mut self) -> Option<usize> {
        self.queue.promote();
        self.open.then(|| self.queue.len())
    }

    /// Likewise, for those who do not look at the socket.
    fn available_for_now(&mut self) -> Option<usize> {
        let available = self.available();
        if available == Some(0) {
            self.queue.note_empty_read();
        }
        available
    }

    fn take(&mut self) -> Option<Packet> {
        if self.queue.len() == 0 {
            self.queue.promote();
        }
        let (packet, stamp) = self.queue.pop()?;
        self.last = Some(stamp);
        Some(packet)
    }

    /// Puts the packets of a message into the queue, from number `from` on; what does not fit waits aside, or the oldest
    /// make room.
    fn file(&mut self, message: &Message<'_>, stamp: PacketMeta, from: usize) {
        if self.queue.policy() == OverflowPolicy::DropOldest {
            self.file_or_drop(message, stamp, from);
        } else {
            datagrams(message, from).for_each(|datagram| self.queue.push_or_overflow(datagram, stamp.of(datagram)));
        }
    }

    /// Likewise; what does not fit is given up, or the oldest are.
    pub(super) fn file_or_drop(&mut self, message: &Message<'_>, stamp: PacketMeta, from: usize) {
        datagrams(message, from).for_each(|datagram| self.queue.push_or_drop(datagram, stamp.of(datagram)));
    }
}

impl PacketMeta {
    /// As this one, but of that packet.
    fn of(self, datagram: &[u8]) -> Self {
        self.with_length(datagram.len())
    }
}

pub(super) fn messages(arena: &Arena, count: usize) -> impl Iterator<Item = Message<'_>> {
    (0..count).map(|index| arena.message(index))
}

/// How many datagrams a message is made of.
pub(super) fn datagrams_in(message: &Message<'_>) -> usize {
    message.bytes.len().div_ceil(message.segment.max(1)).max(1)
}

/// The datagrams of a message, from number `from` on.
fn datagrams<'a>(message: &Message<'a>, from: usize) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let (bytes, segment) = (message.bytes, message.segment);
    (from..datagrams_in(message)).map(move |index| {
        let start = index * segment;
        bytes.get(start..bytes.len().min(start + segment)).unwrap_or_default()
    })
}

/// Packets that lie back to back, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// Their bytes.
    pub bytes: &'a [u8],
    /// One stamp for each.
    pub stamps: &'a [PacketMeta],
    /// How many more come with the next runs, as far as that is known: to make room for them at once.
    pub following: usize,
}

impl<'a> Run<'a> {
    /// Each packet for itself.
    pub fn packets(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.bytes;
        self.stamps.iter().map(move |stamp| {
            let packet;
            (packet, rest) = rest.split_at_checked(stamp.length()).unwrap_or_default();
            packet
        })
    }
}

/// Taking many packets, run after run: see [`Peer::take_many`]. No lock is held between one run and the next. When this
/// is dropped, the stamps of what was taken become the peer's [`batch`](Peer::batch). It is to be followed to its end: what
/// was read and not asked for by then is given up, and counted as dropped.
///
/// Where the queue is empty, packets come straight from where the kernel has put them.
#[derive(Debug)]
pub struct Taking<'a> {
    peer: &'a Peer,
    /// How many packets may still be taken.
    left: usize,
    /// What may still be read; a flood could go on for ever.
    budget: usize,
    socket_is_empty: bool,
    stamps: Vec<PacketMeta>,
    /// What was taken from the queue last.
    run: Packet,
    /// What was read last, straight from the socket, and how far it has been given out.
    lease: Option<Lease>,
    straight: Vec<Straight>,
    next: usize,
    /// See [`Run::following`].
    following: usize,
}

/// A message, or its beginning, that goes straight to the one who takes.
#[derive(Clone, Copy, Debug)]
struct Straight {
    message: usize,
    packets: usize,
    bytes: usize,
    stamp: PacketMeta,
}

impl Taking<'_> {
    /// The next packets; `None` when there are no more.
    #[expect(clippy::should_implement_trait, reason = "an iterator's items could not borrow from it")]
    pub fn next(&mut self) -> Option<Run<'_>> {
        let taken = self.stamps.len();
        loop {
            if let Some(straight) = self.straight.get(self.next).copied() {
                self.next += 1;
                return self.run_of(straight);
            }
            if self.take_from_queue()? {
                let stamps = self.stamps.get(taken..).unwrap_or_default();
                return Some(Run { bytes: &self.run, stamps, following: self.following });
            }
            if !self.read_straight() {
                return None;
            }
        }
    }

    /// Whether there were any. `None` when all are taken that were to be.
    fn take_from_queue(&mut self) -> Option<bool> {
        if self.left == 0 {
            return None;
        }
        let taken = self.stamps.len();
        let mut inbox = self.peer.inbox.lock();
        inbox.queue.promote();
        let Some(run) = inbox.queue.pop_run(self.left, &mut self.stamps) else {
            if self.socket_is_empty && taken == 0 {
                inbox.queue.note_empty_read();
            }
            return Some(false);
        };
        inbox.last = self.stamps.last().copied();
        self.following = inbox.queue.len().min(self.left - (self.stamps.len() - taken));
        drop(inbox);
        self.left -= self.stamps.len() - taken;
        self.spend(run.len());
        self.run = run;
        Some(true)
    }

    /// Reads a batch from the socket to give it out as it is; what is too much of it goes to the queue. Whether it makes
    /// sense to go on.
    fn read_straight(&mut self) -> bool {
        if self.socket_is_empty || self.left == 0 {
            return false;
        }
        let peer = self.peer;
        let link = peer.link.read();
        let Some(endpoint) = link.state.endpoint().filter(|endpoint| endpoint.attachment.is_none()) else {
            return false;
        };
        let mut receiver = peer.receiver.lock();
        match peer.look(endpoint, &mut receiver, Guess::Maybe) {
            // Somebody else has read them in the meantime.
            Look::Something { available, .. } | Look::Nothing { available } if available > 0 => return true,
            Look::Nothing { .. } => return false,
            Look::Something { .. } => {}
        }
        let arena = self.lease.get_or_insert_with(Lease::get).arena();
        let limit = self.left.min(sys::SLOTS);
        let got = peer.receive(endpoint, &mut receiver, arena, limit);
        let clocks = Clocks::now();
        self.socket_is_empty = !got.more;
        self.straight.clear();
        self.following = 0;
        self.next = 0;
        let mut cost = 0;
        let mut grown = false;
        let mut inbox = peer.inbox.lock();
        for (index, message) in messages(arena, got.count).enumerate() {
            cost += kernel_cost(message.bytes.len());
            let Some(stamp) = endpoint.stamp(&message, &clocks, &mut receiver) else { continue };
            let packets = datagrams_in(&message).min(self.left);
            self.left -= packets;
            if packets > 0 {
                let bytes = (packets * message.segment).min(message.bytes.len());
                inbox.queue.counts().add_many(packets, bytes);
                inbox.last = Some(stamp.with_length(bytes - (packets - 1) * message.segment));
                self.following += packets;
                self.straight.push(Straight { message: index, packets, bytes, stamp });
            }
            if packets < datagrams_in(&message) {
                inbox.file(&message, stamp, packets);
                grown = true;
            }
        }
        drop(inbox);
        drop(receiver);
        if grown {
            peer.waiters.lock().wake_others(None);
        }
        drop(link);
        self.spend(cost);
        true
    }

    fn run_of(&mut self, straight: Straight) -> Option<Run<'_>> {
        let bytes = self.lease.as_ref()?.0.as_ref()?.bytes(straight.message).get(..straight.bytes)?;
        let segment = straight.stamp.length();
        let taken = self.stamps.len();
        self.stamps.resize(taken + straight.packets, straight.stamp);
        if let Some(last) = self.stamps.last_mut() {
            *last = last.with_length(straight.bytes - (straight.packets - 1) * segment);
        }
        self.following -= straight.packets;
        Some(Run { bytes, stamps: self.stamps.get(taken..).unwrap_or_default(), following: self.following })
    }

    fn spend(&mut self, bytes: usize) {
        let cost = kernel_cost(bytes);
        self.budget = self.budget.saturating_sub(cost);
        if self.budget == 0 {
            self.left = 0;
        }
    }
}

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        // Packets that were read for somebody who did not want them in the end have nowhere to go back to.
        let unwanted = self.straight.get(self.next..).unwrap_or_default();
        let packets = unwanted.iter().map(|straight| straight.packets).sum();
        let bytes = unwanted.iter().map(|straight| straight.bytes).sum();
        let mut inbox = self.peer.inbox.lock();
        inbox.queue.counts().discard(packets, bytes);
        // What is left over after a burst is not worth keeping.
        let slack = if inbox.queue.is_low_memory() { 16 } else { 256 };
        if self.stamps.capacity() > 4 * self.stamps.len() + slack {
            self.stamps.shrink_to(2 * self.stamps.len());
        }
        inbox.batch = std::mem::take(&mut self.stamps);
    }
}

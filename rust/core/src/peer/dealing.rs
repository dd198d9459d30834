//! Dealing out what a server's socket has received: each packet to the peer that its sender has, or becomes.

use parking_lot::MutexGuard;

use super::receive::{Got, Receiver, datagrams_in, messages};
use super::{Endpoint, Inbox, Peer, kernel_cost};
use crate::background;
use crate::clock::Clocks;
use crate::queue::{PacketMeta, QueueCounts};
use crate::server::crowd::{Found, Members};
use crate::sys::{self, Arena, Message};
use crate::wait::Who;

/// What a packet counts for, at least, when it is looked how much has been read: there is no queue to fill, so elsewhere than
/// on Linux a flood of tiny packets could go on for very long.
const LEAST_COST: usize = 512;

/// The stamps of the messages of a batch; `None` for those that are nobody's.
type Stamps = [Option<PacketMeta>; sys::SLOTS];

/// What dealing a batch out has brought about.
struct Dealt {
    in_background: bool,
    /// By how much the counts of all queues together have changed.
    change: QueueCounts,
    /// The tokens of peers for which there is something new.
    news: Vec<u64>,
    /// Who has got something.
    whose: Vec<Who>,
}

impl Dealt {
    fn give(
        &mut self,
        (peer, number): Found<'_>,
        mut inbox: MutexGuard<'_, Inbox>,
        message: &Message<'_>,
        stamp: PacketMeta,
    ) {
        // One that is being closed is about to be forgotten.
        if !inbox.open {
            return;
        }
        inbox.heard = inbox.heard.max(stamp.time_usec());
        let before = inbox.queue.tally();
        inbox.file_or_drop(message, stamp, 0);
        self.change.add_change(before, inbox.queue.tally());
        self.whose.push(number);
        if self.in_background
            && let Some(token) = peer.token.get().filter(|_| !inbox.has_news)
        {
            inbox.has_news = true;
            self.news.push(*token);
        }
    }
}

impl Peer {
    /// Deals a batch out among the peers of a server; what it has cost the kernel, at least. `wait` is the wait that has it
    /// dealt out, if it is one.
    pub(super) fn deal(
        &self,
        endpoint: &Endpoint,
        arena: &Arena,
        got: &Got,
        clocks: &Clocks,
        receiver: &mut Receiver,
        wait: Option<u64>,
    ) -> usize {
        let Some(crowd) = &self.crowd else { return 0 };
        let mut cost = 0;
        let mut stamps: Stamps = [None; sys::SLOTS];
        for (message, stamp) in messages(arena, got.count).zip(&mut stamps) {
            cost += kernel_cost(message.bytes.len()).max(LEAST_COST);
            *stamp = endpoint.stamp(&message, clocks, receiver);
        }
        let mut dealt = Dealt {
            in_background: endpoint.attachment.is_some(),
            change: QueueCounts::default(),
            news: Vec::new(),
            whose: Vec::with_capacity(sys::SLOTS),
        };
        let mut members = crowd.members();
        let mut any_admitted = false;
        let strangers = deal_to_members(&members, arena, stamps, &mut dealt);
        for (index, stamp) in strangers.into_iter().enumerate() {
            let Some(stamp) = stamp else { continue };
            let message = arena.message(index);
            // (Those of a flood are looked for only once.)
            if members.is_full() && !any_admitted {
                members.drop_packets(datagrams_in(&message));
                continue;
            }
            let newcomer = |number| Some(Self::served(self.me.upgrade()?, endpoint.opening, stamp, number));
            match members.admit(stamp.remote(), newcomer) {
                Some(found) => {
                    any_admitted = true;
                    dealt.give(found, found.0.inbox.lock(), &message, stamp);
                }
                None => members.drop_packets(datagrams_in(&message)),
            }
        }
        // Before somebody else can drop what has just been counted.
        self.inbox.lock().queue.counts().add_change(QueueCounts::default(), dealt.change);
        drop(members);
        background::note_news(&dealt.news);
        self.waiters.lock().wake_those(&dealt.whose, wait);
        cost
    }

    /// When a server has heard from this peer's sender last, in microseconds as packets' times.
    pub(crate) fn heard(&self) -> u64 {
        self.inbox.lock().heard
    }

    /// Counts as having been heard then, at least; when it was heard last.
    pub(crate) fn heard_at(&self, time: u64) -> u64 {
        let mut inbox = self.inbox.lock();
        inbox.heard = inbox.heard.max(time);
        inbox.heard
    }

    /// Until when it is known who was heard: now, unless there is more to read.
    pub(crate) fn heard_until(&self) -> Option<u64> {
        let link = self.link.read();
        let endpoint = link.state.endpoint()?;
        // Nobody else reads meanwhile.
        let mut receiver = self.receiver.lock();
        receiver.system_calls += 1;
        let is_empty = matches!(sys::is_readable(endpoint.socket.io()), Ok(false));
        Some(if is_empty { Clocks::now().time_of(None) } else { receiver.latest })
    }
}

/// Deals out what is for peers that there are already. The stamps of the rest.
///
/// Of thousands of peers none lies in a cache. So what is needed of all is fetched before the first is dealt with, in three
/// steps, since each knows only where the next lies: the processor then waits for all at once.
fn deal_to_members(members: &Members, arena: &Arena, mut stamps: Stamps, dealt: &mut Dealt) -> Stamps {
    let origins = stamps.map(|stamp| stamp.map(|stamp| (members.hash(&stamp.remote()), stamp.remote())));
    let found = origins.map(|origin| origin.and_then(|(hash, origin)| members.find(hash, &origin)));
    for (peer, _) in found.iter().flatten() {
        sys::prefetch(&peer.inbox);
    }
    let mut inboxes = [const { None }; sys::SLOTS];
    for (found, inbox) in found.iter().zip(&mut inboxes) {
        let Some((peer, _)) = found else { continue };
        // If somebody else has it, or it is one of those that are held here already, this goes no further: so the packets
        // before it are dealt out, and none is held any more, when it is waited for.
        let Some(locked) = peer.inbox.try_lock() else { break };
        locked.queue.prefetch();
        *inbox = Some(locked);
    }
    for (index, found) in found.into_iter().enumerate() {
        if let Some(found) = found
            && let Some(stamp) = stamps[index].take()
        {
            let inbox = inboxes[index].take().unwrap_or_else(|| found.0.inbox.lock());
            dealt.give(found, inbox, &arena.message(index), stamp);
        }
    }
    stamps
}

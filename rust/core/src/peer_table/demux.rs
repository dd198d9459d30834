//! Delivering what a server's socket has received: each packet to the peer that its sender has or gets.

use std::sync::Arc;

use arrayvec::ArrayVec;

use super::ready::{self, Mark};
use super::{Entries, Found, PeerTable};
use crate::inbox::ContentsGuard;
use crate::pending_signals;
use crate::queue::{PacketMeta, QueueCounts};
use crate::sink::{Batch, Delivery, Demand, Received, Sink, Wake};
use crate::sys;
use crate::waiters::WaiterId;

/// See [`Demand::least_cost`].
const LEAST_COST: usize = 512;

/// The outcome of a batch so far.
struct Outcome {
    in_background: bool,
    /// By how much the counts of all queues together have changed.
    change: QueueCounts,
    /// The tokens of peers that have a signal to emit.
    tokens: ArrayVec<u64, { sys::SLOTS }>,
    /// The peers that got packets.
    receivers: ArrayVec<WaiterId, { sys::SLOTS }>,
    /// The peers that have packets queued now, and are not marked for that yet.
    ready: ArrayVec<Mark, { sys::SLOTS }>,
    /// See [`ready::note_first`].
    serial: u32,
}

impl Outcome {
    /// Delivers a message to a peer.
    fn deliver(&mut self, (inbox, id): Found<'_>, mut contents: ContentsGuard<'_>, message: &Received<'_>) {
        // A peer that is being closed is about to be removed.
        if !contents.is_open() {
            contents.count_as_dropped(message);
            self.change.dropped += message.count() as u64;
            return;
        }
        contents.note_received(message.meta.time_usec());
        inbox.note_arrival(message.meta.arrival());
        if ready::note_first(&mut contents, &mut self.serial) {
            self.ready.push(Mark { remote: message.meta.remote(), id, inbox: Arc::clone(inbox) });
        }
        let before = contents.queue.tally();
        contents.file_or_drop(&message.without_arrival(), 0);
        self.change.add_change(before, contents.queue.tally());
        self.receivers.push(id);
        if self.in_background {
            self.tokens.extend(inbox.take_mark(&mut contents));
        }
    }
}

impl Sink for PeerTable {
    fn demand(&self) -> Demand {
        // Each peer has room of its own.
        Demand { available: 0, room: Some(usize::MAX), least_cost: LEAST_COST, is_due: false }
    }

    fn deliver(&self, batch: &Batch<'_>) -> Delivery {
        let mut entries = self.lock();
        let mut outcome = Outcome {
            in_background: batch.in_background,
            change: QueueCounts::default(),
            tokens: ArrayVec::new(),
            receivers: ArrayVec::new(),
            ready: ArrayVec::new(),
            serial: entries.ready.serial,
        };
        let strangers = dispatch(&entries, &batch.messages, &mut outcome);
        if batch.in_background && !strangers.is_empty() {
            entries.admission.note_frame();
        }
        let mut any_added = false;
        for message in strangers {
            // In a flood of strangers the look-up is saved. A stranger may send several packets in a batch, so after one was
            // added each is looked up.
            let found = if entries.is_full() && !any_added { None } else { entries.find_or_add(message.meta) };
            match found {
                Some(found) => {
                    any_added = true;
                    outcome.deliver(found, found.0.lock(), &message);
                }
                None => entries.dropped += message.count() as u64,
            }
        }
        // Under the lock, so that packets are not taken off again before they were added.
        entries.counts.add_change(QueueCounts::default(), outcome.change);
        if !outcome.ready.is_empty() || outcome.serial != entries.ready.serial {
            let Outcome { ref mut ready, serial, .. } = outcome;
            entries.add_ready(ready.drain(..), serial);
        }
        drop(entries);
        pending_signals::mark(&outcome.tokens);
        Delivery { available: 0, wake: Wake::These(outcome.receivers), next_due: None }
    }
}

/// Delivers the messages whose senders have a peer; returns the others.
///
/// With thousands of peers none is in a cache. So what is needed of all of them is prefetched before the first message is
/// delivered, in three steps, because each tells where the next lies; then the processor waits for all of them at once.
fn dispatch<'a>(
    entries: &Entries,
    messages: &[Received<'a>],
    outcome: &mut Outcome,
) -> ArrayVec<Received<'a>, { sys::SLOTS }> {
    let remote = |meta: &PacketMeta| (entries.hash(&meta.remote()), meta.remote());
    let remotes: ArrayVec<_, { sys::SLOTS }> = messages.iter().map(|message| remote(&message.meta)).collect();
    let found: ArrayVec<_, { sys::SLOTS }> = remotes.iter().map(|(hash, remote)| entries.find(*hash, remote)).collect();
    for (inbox, _) in found.iter().flatten() {
        inbox.prefetch();
    }
    let mut locked: ArrayVec<_, { sys::SLOTS }> = ArrayVec::new();
    for found in &found {
        let contents = match found {
            None => None,
            // If another thread holds the lock, or the peer occurs twice in the batch, this ends here: so the earlier messages are
            // delivered, and no lock is held any more, when this thread waits for the lock.
            Some((inbox, _)) => match inbox.try_lock() {
                None => break,
                contents => contents,
            },
        };
        if let Some(contents) = &contents {
            contents.queue.prefetch();
        }
        locked.push(contents);
    }
    let mut locked = locked.into_iter();
    let mut strangers = ArrayVec::new();
    for (message, found) in messages.iter().zip(found) {
        let contents = locked.next().flatten();
        match found {
            Some(found) => {
                let contents = contents.unwrap_or_else(|| found.0.lock());
                outcome.deliver(found, contents, message);
            }
            None => strangers.push(*message),
        }
    }
    strangers
}

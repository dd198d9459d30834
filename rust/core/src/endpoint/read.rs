//! Reading an endpoint's socket into its sink.

use std::sync::atomic::Ordering;

use super::Endpoint;
use super::backoff::PERSISTENT_ERRORS;
use super::progress::{Direct, Hint, LARGEST_COST, Progress, Reader, kernel_cost};
use super::receiver::{Messages, Receiver};
use crate::arena_pool::ArenaLease;
use crate::clock::Clocks;
use crate::sink::{Batch, Delivery, Wake};
use crate::sys;

/// How many batches the reactor reads from one socket before it turns to the next. As many failed reads are enough to take the error
/// for a persistent one.
const BATCHES_IN_TURN: usize = 8;

impl Endpoint {
    /// Reads one batch into the sink, as much as that demands, and wakes the waits that it concerns.
    pub(crate) fn read(&self, reader: Reader, hint: Hint) -> Progress {
        let in_background = self.is_in_background();
        if in_background && reader == Reader::Caller {
            return Progress::nothing(self.sink.demand().available);
        }
        let mut receiver = self.receiver.lock();
        let mut demand = self.sink.demand();
        if demand.is_due {
            // The reactor does this too, if it comes first.
            self.release();
            demand = self.sink.demand();
        }
        let nothing = Progress::nothing(demand.available);
        // In the background a full queue drops, so it is read into.
        let room = if in_background { Some(usize::MAX) } else { demand.room };
        let Some(room) = room else { return nothing };
        if hint == Hint::Unknown && !self.may_be_readable(&mut receiver) {
            return nothing;
        }
        let limit = match reader {
            // A waiter needs one packet; asking for more costs a failing receive.
            Reader::Wait(_) => 1,
            Reader::Caller => receiver.limit(room),
        };
        let mut lease = ArenaLease::get();
        let messages = receiver.receive(lease.arena(), limit, &self.diagnostics);
        // Charges one empty message per read, so that endless errors exhaust the budget too.
        let cost = |size: &usize| kernel_cost(*size).max(demand.least_cost);
        let cost = kernel_cost(0) + messages.sizes.iter().map(cost).sum::<usize>();
        let mut progress = Progress {
            available: demand.available,
            is_last: !messages.more,
            has_failed: messages.has_failed,
            cost,
            limit: receiver.kernel_buffer + LARGEST_COST,
        };
        let Messages { accepted, .. } = messages;
        if accepted.is_empty() {
            return progress;
        }
        let Delivery { available, wake, next_due } = self.sink.deliver(&Batch { messages: accepted, in_background });
        drop(receiver);
        let except = match reader {
            Reader::Wait(id) => Some(id),
            Reader::Caller => None,
        };
        self.wake(&wake, except);
        self.schedule(next_due);
        progress.available = available;
        progress
    }

    /// Whether receiving may give a message. An error is recorded: it is a report about an earlier datagram, and there may be
    /// packets behind it.
    fn may_be_readable(&self, receiver: &mut Receiver) -> bool {
        receiver.is_readable(&self.diagnostics).unwrap_or_else(|error| {
            receiver.note_error(error, &self.diagnostics);
            true
        })
    }

    /// Receives up to `most` messages into the memory of `lease`, for a caller that hands them out itself instead of taking them from
    /// the sink. Allowed only where the sink is the inbox of one peer.
    ///
    /// `adopt` is called under the receiver's lock, so that what it queues is in order; it also returns whether it has queued any.
    pub(crate) fn read_direct<T>(
        &self,
        lease: &mut ArenaLease,
        most: usize,
        hint: Hint,
        adopt: impl FnOnce(&Messages<'_>) -> (T, bool),
    ) -> Direct<T> {
        if self.is_in_background() {
            return Direct::Nothing;
        }
        let mut receiver = self.receiver.lock();
        let demand = self.sink.demand();
        if demand.available > 0 {
            return Direct::Queued;
        }
        if demand.room.is_none() {
            return Direct::Nothing;
        }
        if hint == Hint::Unknown && !self.may_be_readable(&mut receiver) {
            return Direct::Nothing;
        }
        let messages = receiver.receive(lease.arena(), most.min(sys::SLOTS), &self.diagnostics);
        let cost = kernel_cost(0) + messages.sizes.iter().map(|size| kernel_cost(*size)).sum::<usize>();
        let Messages { more, has_failed, .. } = messages;
        let (adopted, any_queued) = adopt(&messages);
        drop(receiver);
        if any_queued {
            self.wake(&Wake::All, None);
        }
        Direct::Messages { adopted, more, has_failed, cost }
    }

    /// The most that one call may read directly, beyond what is queued.
    pub(crate) fn read_limit(&self) -> usize {
        self.receiver.lock().kernel_buffer + LARGEST_COST
    }

    /// Reads some batches, for the reactor. Where there is nothing but errors, it is to leave the socket alone for a while.
    pub(super) fn read_in_background(&self) {
        let mut lease = ArenaLease::get();
        let mut errors = 0;
        for _ in 0..BATCHES_IN_TURN {
            let mut receiver = self.receiver.lock();
            if !self.is_in_background() {
                return;
            }
            let messages = receiver.receive(lease.arena(), sys::SLOTS, &self.diagnostics);
            let Messages { accepted, more, has_failed, .. } = messages;
            errors = if has_failed { errors + 1 } else { 0 };
            if !accepted.is_empty() {
                let delivery = self.sink.deliver(&Batch { messages: accepted, in_background: true });
                drop(receiver);
                self.wake(&delivery.wake, None);
                self.schedule(delivery.next_due);
            }
            if !more {
                break;
            }
        }
        self.note_turn(errors >= PERSISTENT_ERRORS);
    }

    /// Delivers what is due of what the sink holds back, and wakes the waits that it concerns.
    pub(crate) fn release(&self) {
        let delivery = self.sink.release(self.is_in_background());
        self.wake(&delivery.wake, None);
        self.schedule(delivery.next_due);
    }

    fn wake(&self, wake: &Wake, except: Option<u64>) {
        // A wait that begins meanwhile looks at the queue before it sleeps. The lock of the queue orders that look and this.
        if self.waits.load(Ordering::Relaxed) == 0 {
            return;
        }
        match wake {
            Wake::All => self.attention().waiters.wake_others(except),
            Wake::These(waiters) => self.attention().waiters.wake_these(waiters, except),
        }
    }

    /// Until when it is known which packets have arrived, in microseconds as packets' times: until now if the socket is empty,
    /// else until the last packet that was read. `None` once the socket is closed.
    pub(crate) fn drained_until(&self) -> Option<u64> {
        let receiver = self.receiver.lock();
        // Before the look at the socket: what arrives after that was not there then.
        let now = Clocks::now().time_of(None);
        Some(if receiver.is_empty(&self.diagnostics)? { now } else { receiver.latest() })
    }
}

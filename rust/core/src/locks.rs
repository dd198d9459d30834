//! The locks that are held while others are taken, and the order in which they may be taken.
//!
//! Each has a [`rank`] in its type. Debug builds panic where a thread that holds a lock takes one of the same or a lower rank;
//! in release builds the types are `parking_lot`'s with another name. Locks under which no other is taken have no rank and are
//! plain `parking_lot` ones.

use lock_api::{RawMutex, RawMutexFair, RawRwLock, RawRwLockDowngrade};

/// Greater ranks are taken later.
pub(crate) mod rank {
    /// The state of a peer.
    pub(crate) const PEER: u8 = 10;
    /// A server's idle timer.
    pub(crate) const IDLE_TIMER: u8 = 15;
    /// The state of a server.
    pub(crate) const SERVER: u8 = 20;
    /// The state of a relay.
    pub(crate) const RELAY: u8 = 25;
    /// An endpoint's socket, for the peers of a server.
    pub(crate) const SHARED_SOCKET: u8 = 30;
    /// An endpoint's receiver.
    pub(crate) const RECEIVER: u8 = 40;
    /// What link conditions hold back of what is received.
    pub(crate) const LINK_IN: u8 = 45;
    /// A relay's listening socket, for what its targets answer.
    pub(crate) const RELAY_SOCKET: u8 = 47;
    /// A relay's table of clients.
    pub(crate) const RELAY_TABLE: u8 = 48;
    /// A server's table of peers.
    pub(crate) const PEER_TABLE: u8 = 50;
    /// An inbox. Several are locked at once only with `try_lock`.
    pub(crate) const INBOX: u8 = 60;
    /// The lines of a relay's client.
    pub(crate) const RELAY_LINES: u8 = 62;
    /// What link conditions hold back of what is sent.
    pub(crate) const LINK_OUT: u8 = 65;
    /// An endpoint's waiters and registration. The condition variable that it is used with wants a plain lock, so the order is
    /// checked by [`check`](super::check).
    pub(crate) const ATTENTION: u8 = 70;
    /// The timers of link conditions.
    pub(crate) const LINK_TIMER: u8 = 75;
    /// Starting and ending the reactor's thread.
    pub(crate) const REACTOR: u8 = 80;
    /// The reactor's sources, and its timers.
    pub(crate) const REACTOR_SOURCES: u8 = 90;
    pub(crate) const REACTOR_TIMERS: u8 = 91;
    /// The resolver's look-ups.
    pub(crate) const RESOLVER: u8 = 100;
}

pub(crate) type Mutex<T, const RANK: u8> = lock_api::Mutex<Ranked<parking_lot::RawMutex, RANK>, T>;
pub(crate) type MutexGuard<'a, T, const RANK: u8> = lock_api::MutexGuard<'a, Ranked<parking_lot::RawMutex, RANK>, T>;
pub(crate) type RwLock<T, const RANK: u8> = lock_api::RwLock<Ranked<parking_lot::RawRwLock, RANK>, T>;
pub(crate) type ReadGuard<'a, T, const RANK: u8> =
    lock_api::RwLockReadGuard<'a, Ranked<parking_lot::RawRwLock, RANK>, T>;
pub(crate) type WriteGuard<'a, T, const RANK: u8> =
    lock_api::RwLockWriteGuard<'a, Ranked<parking_lot::RawRwLock, RANK>, T>;

/// A raw lock with a rank.
pub(crate) struct Ranked<L, const RANK: u8>(L);

/// Panics, in debug builds, if the calling thread holds a lock of this or a greater rank.
#[inline]
pub(crate) fn check(rank: u8) {
    held::check(rank);
}

// SAFETY: every operation is that of the inner lock, which keeps the trait's promises.
unsafe impl<L: RawMutex, const RANK: u8> RawMutex for Ranked<L, RANK> {
    const INIT: Self = Self(L::INIT);
    type GuardMarker = L::GuardMarker;

    #[inline]
    fn lock(&self) {
        held::check(RANK);
        self.0.lock();
        held::add(RANK);
    }

    #[inline]
    fn try_lock(&self) -> bool {
        let is_locked = self.0.try_lock();
        if is_locked {
            held::add(RANK);
        }
        is_locked
    }

    #[inline]
    unsafe fn unlock(&self) {
        held::remove(RANK);
        // SAFETY: the caller holds the lock, as this method demands, and with it the inner one.
        unsafe { self.0.unlock() };
    }
}

// SAFETY: as above.
unsafe impl<L: RawMutexFair, const RANK: u8> RawMutexFair for Ranked<L, RANK> {
    #[inline]
    unsafe fn unlock_fair(&self) {
        held::remove(RANK);
        // SAFETY: as in `unlock`.
        unsafe { self.0.unlock_fair() };
    }

    #[inline]
    unsafe fn bump(&self) {
        // SAFETY: as in `unlock`; afterwards the caller holds the lock again.
        unsafe { self.0.bump() };
    }
}

// SAFETY: as above.
unsafe impl<L: RawRwLock, const RANK: u8> RawRwLock for Ranked<L, RANK> {
    const INIT: Self = Self(L::INIT);
    type GuardMarker = L::GuardMarker;

    #[inline]
    fn lock_shared(&self) {
        held::check(RANK);
        self.0.lock_shared();
        held::add(RANK);
    }

    #[inline]
    fn try_lock_shared(&self) -> bool {
        let is_locked = self.0.try_lock_shared();
        if is_locked {
            held::add(RANK);
        }
        is_locked
    }

    #[inline]
    unsafe fn unlock_shared(&self) {
        held::remove(RANK);
        // SAFETY: the caller holds the lock shared, as this method demands, and with it the inner one.
        unsafe { self.0.unlock_shared() };
    }

    #[inline]
    fn lock_exclusive(&self) {
        held::check(RANK);
        self.0.lock_exclusive();
        held::add(RANK);
    }

    #[inline]
    fn try_lock_exclusive(&self) -> bool {
        let is_locked = self.0.try_lock_exclusive();
        if is_locked {
            held::add(RANK);
        }
        is_locked
    }

    #[inline]
    unsafe fn unlock_exclusive(&self) {
        held::remove(RANK);
        // SAFETY: the caller holds the lock exclusively, as this method demands, and with it the inner one.
        unsafe { self.0.unlock_exclusive() };
    }
}

// SAFETY: as above.
unsafe impl<L: RawRwLockDowngrade, const RANK: u8> RawRwLockDowngrade for Ranked<L, RANK> {
    #[inline]
    unsafe fn downgrade(&self) {
        // SAFETY: as in `unlock_exclusive`; afterwards the caller holds the lock shared.
        unsafe { self.0.downgrade() };
    }
}

/// The ranks that each thread holds.
#[cfg(debug_assertions)]
mod held {
    use std::cell::RefCell;

    thread_local! {
        static HELD: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn check(rank: u8) {
        let greatest = HELD.with_borrow(|held| held.iter().copied().max());
        assert!(greatest < Some(rank), "lock order: a lock of rank {rank} is taken under one of rank {greatest:?}");
    }

    pub(super) fn add(rank: u8) {
        HELD.with_borrow_mut(|held| held.push(rank));
    }

    pub(super) fn remove(rank: u8) {
        HELD.with_borrow_mut(|held| {
            if let Some(index) = held.iter().rposition(|one| *one == rank) {
                held.swap_remove(index);
            }
        });
    }
}

#[cfg(not(debug_assertions))]
mod held {
    #[inline(always)]
    pub(super) fn check(_rank: u8) {}

    #[inline(always)]
    pub(super) fn add(_rank: u8) {}

    #[inline(always)]
    pub(super) fn remove(_rank: u8) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    static FIRST: Mutex<(), 1> = Mutex::new(());
    static SECOND: RwLock<(), 2> = RwLock::new(());

    #[test]
    fn locks_may_be_taken_in_their_order_and_given_back_in_any() {
        let first = FIRST.lock();
        let second = SECOND.write();
        drop(first);
        check(3);
        drop(second);
        drop(FIRST.lock());
    }

    #[test]
    #[cfg_attr(debug_assertions, should_panic(expected = "lock order"))]
    fn the_wrong_order_is_noticed_in_debug_builds() {
        let _second = SECOND.read();
        let _first = FIRST.try_lock().is_none() || {
            check(1);
            true
        };
    }
}

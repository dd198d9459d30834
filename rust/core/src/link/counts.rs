//! What lines have done to packets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one or several lines, which count in those of a server too. Any thread may change them at any time.
#[derive(Debug, Default)]
pub(crate) struct LinkCounts {
    lost: AtomicU64,
    duplicated: AtomicU64,
    reordered: AtomicU64,
    corrupted: AtomicU64,
    dropped: AtomicU64,
    waiting: AtomicU64,
    /// Of all peers of a server.
    all: Option<Arc<LinkCounts>>,
}

/// What link conditions have done to packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Packets that the link has lost.
    pub lost: u64,
    /// Copies that were made of packets.
    pub duplicated: u64,
    /// Packets that were held back for others to overtake them, or that have overtaken others.
    pub reordered: u64,
    /// Packets in which a bit was flipped.
    pub corrupted: u64,
    /// Packets that were too large, that would have waited for too long, for which there was no room, or that were held back when their
    /// socket was closed.
    pub dropped: u64,
    /// Packets that are held back now.
    pub waiting: u64,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Lost,
    Duplicated,
    Reordered,
    Corrupted,
    Dropped,
}

impl LinkCounts {
    /// Those of a peer of the server that `all` is of.
    pub(crate) fn of_server(all: &Arc<Self>) -> Arc<Self> {
        Arc::new(Self { all: Some(Arc::clone(all)), ..Self::default() })
    }

    pub(crate) fn add(&self, count: Count, packets: u64) {
        self.each(|counts| {
            counts.counter(count).fetch_add(packets, Ordering::Relaxed);
        });
    }

    /// Counts packets that are held back from now on.
    pub(crate) fn note_held(&self, packets: u64) {
        self.each(|counts| {
            counts.waiting.fetch_add(packets, Ordering::Relaxed);
        });
    }

    /// Counts packets that are held back no longer.
    pub(crate) fn note_taken(&self, packets: u64) {
        self.each(|counts| {
            counts.waiting.fetch_sub(packets, Ordering::Relaxed);
        });
    }

    pub(crate) fn stats(&self) -> LinkStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LinkStats {
            lost: get(&self.lost),
            duplicated: get(&self.duplicated),
            reordered: get(&self.reordered),
            corrupted: get(&self.corrupted),
            dropped: get(&self.dropped),
            waiting: get(&self.waiting),
        }
    }

    fn each(&self, mut change: impl FnMut(&Self)) {
        change(self);
        if let Some(all) = &self.all {
            change(all);
        }
    }

    fn counter(&self, count: Count) -> &AtomicU64 {
        match count {
            Count::Lost => &self.lost,
            Count::Duplicated => &self.duplicated,
            Count::Reordered => &self.reordered,
            Count::Corrupted => &self.corrupted,
            Count::Dropped => &self.dropped,
        }
    }
}

impl LinkStats {
    /// The difference to `before`, except of what is held back now.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            lost: self.lost.saturating_sub(before.lost),
            duplicated: self.duplicated.saturating_sub(before.duplicated),
            reordered: self.reordered.saturating_sub(before.reordered),
            corrupted: self.corrupted.saturating_sub(before.corrupted),
            dropped: self.dropped.saturating_sub(before.dropped),
            waiting: self.waiting,
        }
    }
}

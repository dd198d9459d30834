//! Link conditions of a server: a lane for each sender, from its first packet on, so before there is a peer for it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::clock;
use crate::link::conditions::SharedConditions;
use crate::link::counts::{Count, LinkCounts};
use crate::link::draws::{Direction, LineId};
use crate::link::incoming::{Conditioned, Lanes, Way};
use crate::link::lane::{DEFAULT_LIMIT, Lane, SharedLimit};
use crate::link::store::Store;
use crate::peer_table::PeerTable;
use crate::queue::{PacketMeta, RemoteAddr};
use crate::waiters::WaiterId;

/// The sink of a server with its link conditions.
pub(crate) type ConditionedTable = Conditioned<PeerTable, SenderLanes>;

/// How many senders that no peer was accepted for have a lane. Packets of more are dropped, so that forged senders fill no memory.
const MAX_STRANGERS: usize = 4_096;

/// The lanes of a server, by sender.
#[derive(Debug)]
pub(crate) struct SenderLanes {
    table: Arc<PeerTable>,
    /// What a new sender starts with.
    conditions: Option<Arc<SharedConditions>>,
    entries: HashMap<RemoteAddr, Entry>,
    /// How many of the entries are lanes; how many of these are of [`Stranger`](Standing::Stranger)s, and how many have ended.
    lanes: usize,
    strangers: usize,
    ended: usize,
    /// How many senders have had a lane since the server listens.
    made: u64,
    /// Whether every stranger holds something, so that none can be forgotten, as far as is known.
    is_crowded: bool,
    /// What all strangers together may hold.
    of_strangers: Arc<SharedLimit>,
    limit: usize,
    counts: Arc<LinkCounts>,
}

#[derive(Debug)]
enum Entry {
    /// A peer without conditions.
    Past,
    Lane(Box<Lane>, Standing),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// No peer was accepted for it.
    Stranger,
    /// The peer of that number was.
    Accepted(WaiterId),
}

impl SenderLanes {
    /// `counts` are those of the server.
    pub(crate) fn new(table: Arc<PeerTable>, counts: Arc<LinkCounts>) -> Self {
        Self {
            table,
            conditions: None,
            entries: HashMap::new(),
            lanes: 0,
            strangers: 0,
            ended: 0,
            made: 0,
            is_crowded: false,
            of_strangers: SharedLimit::new(DEFAULT_LIMIT),
            limit: 0,
            counts,
        }
    }

    /// Sets what a new sender starts with, and those have from now on that no peer was accepted for. Peers stay as they are.
    pub(crate) fn set_default(&mut self, store: &mut Store<PacketMeta>, conditions: Option<Arc<SharedConditions>>) {
        let now = clock::now_nsec();
        self.conditions = conditions;
        for entry in self.entries.values_mut() {
            let Entry::Lane(lane, Standing::Stranger) = entry else { continue };
            self.ended -= usize::from(lane.has_ended());
            match &self.conditions {
                Some(conditions) => lane.set_conditions(Arc::clone(conditions)),
                None => lane.end(now),
            }
            self.ended += usize::from(lane.has_ended());
        }
        if self.conditions.is_none() {
            self.entries.retain(|_, entry| !matches!(entry, Entry::Past));
            let is_strangers = |meta: &PacketMeta| {
                matches!(self.entries.get(&meta.remote()), Some(Entry::Lane(_, Standing::Stranger)))
            };
            store.expedite(now, is_strangers);
        }
    }

    /// How many bytes the lane of each sender may hold; 0 for the default.
    pub(crate) fn set_limit(&mut self, bytes: usize) {
        self.limit = bytes;
        for entry in self.entries.values_mut() {
            if let Entry::Lane(lane, _) = entry {
                lane.set_limit(bytes);
            }
        }
    }

    /// A peer was accepted, with these conditions; the counters of its lane.
    pub(crate) fn accept(
        &mut self,
        store: &mut Store<PacketMeta>,
        (sender, id): (RemoteAddr, WaiterId),
        conditions: Option<Arc<SharedConditions>>,
    ) -> Arc<LinkCounts> {
        let counts = match self.entries.get_mut(&sender) {
            Some(Entry::Lane(lane, standing)) => {
                if *standing == Standing::Stranger {
                    self.strangers -= 1;
                    lane.unshare();
                } else {
                    // Of the peer before, which is about to be removed.
                    lane.count_by(LinkCounts::of_server(&self.counts));
                }
                *standing = Standing::Accepted(id);
                let counts = Arc::clone(lane.counts());
                // The line goes on where it is the peer's already.
                if conditions.as_ref().is_some_and(|conditions| Arc::ptr_eq(conditions, lane.conditions())) {
                    return counts;
                }
                counts
            }
            _ => LinkCounts::of_server(&self.counts),
        };
        self.set(store, (sender, id), conditions, &counts);
        counts
    }

    /// Sets the conditions of an accepted peer. Without any, what is held back is due at once.
    pub(crate) fn set(
        &mut self,
        store: &mut Store<PacketMeta>,
        (sender, id): (RemoteAddr, WaiterId),
        conditions: Option<Arc<SharedConditions>>,
        counts: &Arc<LinkCounts>,
    ) {
        match (self.entries.get_mut(&sender), conditions) {
            (Some(Entry::Lane(lane, _)), Some(conditions)) => {
                self.ended -= usize::from(lane.has_ended());
                lane.set_conditions(conditions);
            }
            (Some(Entry::Lane(lane, _)), None) => {
                self.ended += usize::from(!lane.has_ended());
                let now = clock::now_nsec();
                lane.end(now);
                store.expedite(now, |meta| meta.remote() == sender);
            }
            (_, Some(conditions)) => {
                let lane = Box::new(self.new_lane(conditions, Arc::clone(counts)));
                self.entries.insert(sender, Entry::Lane(lane, Standing::Accepted(id)));
            }
            (_, None) => self.note_past(sender),
        }
    }

    /// A peer has left the server.
    pub(crate) fn remove(&mut self, sender: &RemoteAddr, id: WaiterId) {
        match self.entries.get_mut(sender) {
            // Another peer may have that address by now, or is pending.
            Some(Entry::Lane(_, standing)) if *standing != Standing::Accepted(id) => {}
            // What it holds is delivered, as that of a stranger.
            Some(Entry::Lane(lane, standing)) if !lane.is_empty() => {
                self.strangers += 1;
                *standing = Standing::Stranger;
                lane.share(&self.of_strangers);
                lane.count_by(LinkCounts::of_server(&self.counts));
            }
            Some(_) => self.forget(sender),
            None => {}
        }
    }

    /// The server listens no more, and nothing is held.
    pub(crate) fn clear(&mut self) {
        self.entries = HashMap::new();
        (self.lanes, self.strangers, self.ended, self.made) = (0, 0, 0, 0);
        self.is_crowded = false;
        self.of_strangers = SharedLimit::new(DEFAULT_LIMIT);
    }

    fn new_lane(&mut self, conditions: Arc<SharedConditions>, counts: Arc<LinkCounts>) -> Lane {
        let id = LineId { direction: Direction::In, number: self.made };
        self.made += 1;
        self.lanes += 1;
        let mut lane = Lane::new(conditions, id, counts);
        lane.set_limit(self.limit);
        lane
    }

    /// Notes that a peer has no conditions. Where new senders have none either, that need not be noted.
    fn note_past(&mut self, sender: RemoteAddr) {
        if self.conditions.is_some() {
            self.entries.insert(sender, Entry::Past);
        }
    }

    fn forget(&mut self, sender: &RemoteAddr) {
        if let Some(Entry::Lane(lane, standing)) = self.entries.remove(sender) {
            self.lanes -= 1;
            self.strangers -= usize::from(standing == Standing::Stranger);
            self.ended -= usize::from(lane.has_ended());
        }
    }

    fn retain(&mut self, keep: impl Fn(&Lane, Standing) -> bool) {
        let gone = |(sender, entry): (&RemoteAddr, &Entry)| match entry {
            Entry::Lane(lane, standing) if !keep(lane, *standing) => Some(*sender),
            _ => None,
        };
        let gone: Vec<_> = self.entries.iter().filter_map(gone).collect();
        for sender in &gone {
            self.forget(sender);
        }
    }

    /// Makes an entry for a sender that has none. Whether there is one then.
    fn meet(&mut self, sender: RemoteAddr, conditions: Arc<SharedConditions>) -> bool {
        if self.table.has_accepted(&sender) {
            self.note_past(sender);
            return true;
        }
        if self.strangers >= MAX_STRANGERS {
            if !self.is_crowded {
                self.retain(|lane, standing| standing != Standing::Stranger || !lane.is_empty());
            }
            self.is_crowded = self.strangers >= MAX_STRANGERS;
            if self.is_crowded {
                return false;
            }
        }
        self.strangers += 1;
        let counts = LinkCounts::of_server(&self.counts);
        let lane = self.new_lane(conditions, counts).sharing(Arc::clone(&self.of_strangers));
        self.entries.insert(sender, Entry::Lane(Box::new(lane), Standing::Stranger));
        true
    }
}

impl Lanes for SenderLanes {
    fn enter(&mut self, sender: &RemoteAddr) -> Way<'_> {
        if let (false, Some(conditions)) = (self.entries.contains_key(sender), &self.conditions) {
            let conditions = Arc::clone(conditions);
            if !self.meet(*sender, conditions) {
                return Way::Nowhere;
            }
        }
        match self.entries.get_mut(sender) {
            Some(Entry::Lane(lane, _)) => Way::Through(lane),
            Some(Entry::Past) | None => Way::Past,
        }
    }

    fn count_dropped(&self, packets: u64) {
        self.counts.add(Count::Dropped, packets);
    }

    fn lane(&mut self, sender: &RemoteAddr) -> Option<&mut Lane> {
        // It is asked for where something is held back no longer.
        self.is_crowded = false;
        match self.entries.get_mut(sender) {
            Some(Entry::Lane(lane, _)) => Some(lane),
            Some(Entry::Past) | None => None,
        }
    }

    fn tidy(&mut self) {
        if self.ended > 0 {
            self.retain(|lane, _| !lane.has_ended());
        }
    }

    fn are_active(&self) -> bool {
        self.conditions.is_some() || self.lanes > 0
    }
}

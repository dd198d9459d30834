//! The arrivals of packets, by number. A packet then keeps four bytes instead of an [`Arrival`]; a machine has few different ones.

use std::collections::BTreeMap;

use parking_lot::RwLock;

use crate::sys::{Arrival, Source};

/// How many different arrivals are kept, each of about 100 bytes. A packet with one more counts as not told where it arrived. That
/// takes a machine that receives for a whole network (`ip route add local`).
const MOST: usize = 1 << 16;

/// How many arrivals a receiver finds without the table.
const RECENT: usize = 4;

static TABLE: RwLock<Table> = RwLock::new(Table { arrivals: Vec::new(), ids: BTreeMap::new() });

#[derive(Debug)]
struct Table {
    arrivals: Vec<Arrival>,
    ids: BTreeMap<Arrival, ArrivalId>,
}

/// The number of an arrival; 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ArrivalId(u32);

impl ArrivalId {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// For storing it in an atomic.
    pub(crate) fn to_bits(self) -> u32 {
        self.0
    }

    pub(crate) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    pub(crate) fn of(arrival: &Arrival) -> Self {
        let known = TABLE.read().ids.get(arrival).copied();
        known.unwrap_or_else(|| Self::add(arrival))
    }

    fn add(arrival: &Arrival) -> Self {
        let mut table = TABLE.write();
        if let Some(known) = table.ids.get(arrival) {
            return *known;
        }
        if table.arrivals.len() >= MOST || table.arrivals.try_reserve(1).is_err() {
            return Self::NONE;
        }
        table.arrivals.push(*arrival);
        let id = u32::try_from(table.arrivals.len()).map_or(Self::NONE, Self);
        table.ids.insert(*arrival, id);
        id
    }

    pub(crate) fn arrival(self) -> Option<Arrival> {
        let index = usize::try_from(self.0).ok()?.checked_sub(1)?;
        TABLE.read().arrivals.get(index).copied()
    }

    /// See [`Arrival::answer`].
    pub(crate) fn answer(self) -> Option<Source> {
        self.arrival()?.answer()
    }
}

/// The arrivals that a receiver has seen last, at most [`RECENT`]. Most receivers are not told any, so there is no memory for them
/// before the first.
#[derive(Debug, Default)]
pub(crate) struct RecentArrivals {
    known: Vec<(Arrival, ArrivalId)>,
    /// Which one the next new one replaces.
    next: usize,
}

impl RecentArrivals {
    pub(crate) fn id_of(&mut self, arrival: &Arrival) -> ArrivalId {
        if let Some((_, id)) = self.known.iter().find(|(known, _)| known == arrival) {
            return *id;
        }
        let id = ArrivalId::of(arrival);
        if self.known.len() < RECENT && self.known.try_reserve_exact(1).is_ok() {
            self.known.push((*arrival, id));
        } else if let Some(oldest) = self.known.get_mut(self.next) {
            *oldest = (*arrival, id);
            self.next = (self.next + 1) % self.known.len();
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn each_arrival_has_a_number_of_its_own() {
        let at = |number: u8| Arrival::at(Ipv4Addr::new(198, 51, 100, number).into(), 3);
        let ids: Vec<_> = (0..20).map(|number| ArrivalId::of(&at(number))).collect();
        let mut recent = RecentArrivals::default();
        for (number, id) in (0..20).zip(&ids) {
            assert_eq!(ArrivalId::of(&at(number)), *id);
            assert_eq!(ArrivalId::from_bits(id.to_bits()).arrival(), Some(at(number)));
            for again in (0..=number).rev() {
                assert_eq!(recent.id_of(&at(again)), ids[usize::from(again)]);
            }
        }
        assert_eq!(ids[7].answer(), at(7).answer());
        assert!(ArrivalId::NONE.is_none() && !ids[0].is_none());
        assert_eq!((ArrivalId::NONE.arrival(), ArrivalId::NONE.answer()), (None, None));
        assert_eq!(ArrivalId::from_bits(u32::MAX).arrival(), None);
    }
}

//! A lock-free table from instance ids to pointers.
//!
//! The lower 24 bits of an engine's instance id are the object's slot in the engine's own table of objects
//! (`OBJECTDB_SLOT_MAX_COUNT_BITS` in `core/object/object.h`): small numbers, of which no two living objects have the same
//! one. They are the index here. That is an optimization only: each slot holds the full id, a look-up compares it, and an
//! id whose slot is taken is not in the table.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use packet_peer_udp_core::prefetch_memory;

/// How many bits of an id are the index.
const INDEX_BITS: u32 = 24;

/// How many of them choose the slot in a chunk; the others choose the chunk.
const CHUNK_BITS: u32 = 10;

const CHUNK_SIZE: usize = 1 << CHUNK_BITS;
const CHUNKS: usize = 1 << (INDEX_BITS - CHUNK_BITS);

/// No object has this id.
const NO_ID: u64 = 0;

/// The table. A chunk of 16 KiB is allocated when the first id that belongs to it is added, and lives as long as the table.
pub(crate) struct SlotTable<S> {
    chunks: [AtomicPtr<Chunk<S>>; CHUNKS],
}

type Chunk<S> = [Slot<S>; CHUNK_SIZE];

/// Taken by changing `pointer` from null, free when `pointer` is null again. `id` is set after `pointer` and cleared before
/// it: so a thread that reads an id here, and knows that it is not being removed, reads that id's pointer.
struct Slot<S> {
    id: AtomicU64,
    pointer: AtomicPtr<S>,
}

impl<S> SlotTable<S> {
    #[expect(clippy::large_stack_arrays, reason = "it is for statics")]
    pub(crate) const fn new() -> Self {
        Self { chunks: [const { AtomicPtr::new(ptr::null_mut()) }; CHUNKS] }
    }

    /// The pointer that was added for `id`; `None` if there is none, or if its slot was taken.
    ///
    /// The pointer belongs to `id` if no thread removes that at the same time: the caller holds a reference to the object.
    pub(crate) fn get(&self, id: u64) -> Option<*const S> {
        let (chunk, index) = place(id);
        let slot = self.chunk(chunk)?.get(index)?;
        // Acquire, for the pointer that was stored before this id.
        if id == NO_ID || slot.id.load(Ordering::Acquire) != id {
            return None;
        }
        Some(slot.pointer.load(Ordering::Relaxed).cast_const())
    }

    /// Starts to load what [`get`](Self::get) reads into the processor's cache.
    pub(crate) fn prefetch(&self, id: u64) {
        let (chunk, index) = place(id);
        if let Some(slot) = self.chunk(chunk).and_then(|chunk| chunk.get(index)) {
            prefetch_memory(ptr::from_ref(slot).cast(), size_of::<Slot<S>>());
        }
    }

    /// Adds a pointer for `id`, which is not null, unless another id has the slot.
    pub(crate) fn add(&self, id: u64, pointer: *const S) {
        let (chunk, index) = place(id);
        let Some(slot) = self.chunk_or_new(chunk).get(index) else { return };
        // Acquire, for the id that the slot's former owner has cleared before.
        let is_free =
            slot.pointer.compare_exchange(ptr::null_mut(), pointer.cast_mut(), Ordering::Acquire, Ordering::Relaxed);
        if is_free.is_ok() {
            slot.id.store(id, Ordering::Release);
        }
    }

    /// Removes what was added for `id`, if anything. To be called once for each [`add`](Self::add).
    pub(crate) fn remove(&self, id: u64) {
        let (chunk, index) = place(id);
        let Some(slot) = self.chunk(chunk).and_then(|chunk| chunk.get(index)) else { return };
        if slot.id.load(Ordering::Relaxed) == id {
            slot.id.store(NO_ID, Ordering::Relaxed);
            slot.pointer.store(ptr::null_mut(), Ordering::Release);
        }
    }

    fn chunk(&self, chunk: usize) -> Option<&Chunk<S>> {
        let chunk = self.chunks.get(chunk)?.load(Ordering::Acquire);
        // SAFETY: null, or what `chunk_or_new` has made from a box and published with Release. It is not freed before the table
        // is dropped, and never borrowed mutably.
        unsafe { chunk.as_ref() }
    }

    fn chunk_or_new(&self, index: usize) -> &Chunk<S> {
        if let Some(chunk) = self.chunk(index) {
            return chunk;
        }
        let new = Box::into_raw(Box::new([const { Slot::new() }; CHUNK_SIZE]));
        let installed = self.chunks[index].compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire);
        let chunk = match installed {
            Ok(_) => new,
            Err(other) => {
                // SAFETY: it comes from the box above, and no other thread has seen it.
                drop(unsafe { Box::from_raw(new) });
                other
            }
        };
        // SAFETY: from a box, this thread's or that of the thread that was faster; see `chunk`.
        unsafe { &*chunk }
    }
}

impl<S> Drop for SlotTable<S> {
    fn drop(&mut self) {
        for chunk in &mut self.chunks {
            if !chunk.get_mut().is_null() {
                // SAFETY: from a box, see `chunk`; nothing borrows from the table any more.
                drop(unsafe { Box::from_raw(*chunk.get_mut()) });
            }
        }
    }
}

impl<S> Slot<S> {
    const fn new() -> Self {
        Self { id: AtomicU64::new(NO_ID), pointer: AtomicPtr::new(ptr::null_mut()) }
    }
}

/// Which chunk, and which slot in it.
fn place(id: u64) -> (usize, usize) {
    let bits = |shift: u32, count: usize| usize::try_from((id >> shift) & (count as u64 - 1)).unwrap_or(0);
    (bits(CHUNK_BITS, CHUNKS), bits(0, CHUNK_SIZE))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::thread;

    #[test]
    fn an_id_is_found_until_it_is_removed() {
        let table = SlotTable::new();
        // Of different chunks, at their ends, and with bits above the index.
        let ids = [1, 1023, 1024, (1 << 24) - 1, (1 << 63) | (7 << 24) | 5, u64::MAX - 1];
        let values: Vec<u32> = (0..6).collect();
        for (id, value) in ids.iter().zip(&values) {
            assert_eq!(table.get(*id), None);
            table.add(*id, ptr::from_ref(value));
        }
        for (id, value) in ids.iter().zip(&values) {
            assert_eq!(table.get(*id), Some(ptr::from_ref(value)), "{id:x}");
            table.remove(*id);
            assert_eq!(table.get(*id), None, "{id:x}");
        }
    }

    #[test]
    fn of_two_ids_of_one_slot_the_first_is_found_and_the_other_never_mistaken_for_it() {
        let table = SlotTable::new();
        let (first, second) = (3, (1 << 24) | 3);
        let (one, two) = (1, 2);
        table.add(first, ptr::from_ref(&one));
        table.add(second, ptr::from_ref(&two));
        assert_eq!(table.get(first), Some(ptr::from_ref(&one)));
        assert_eq!(table.get(second), None);
        // Removing the one that is not there leaves the other.
        table.remove(second);
        assert_eq!(table.get(first), Some(ptr::from_ref(&one)));
        table.remove(first);
        table.add(second, ptr::from_ref(&two));
        assert_eq!(table.get(second), Some(ptr::from_ref(&two)));
        assert_eq!(table.get(first), None);
    }

    #[test]
    fn nothing_is_found_for_the_id_that_no_object_has() {
        let table = SlotTable::<u32>::new();
        table.add(1024, ptr::from_ref(&1));
        assert_eq!(table.get(0), None);
    }

    #[test]
    fn threads_that_use_the_same_slots_find_what_they_have_added_or_nothing() {
        let table = SlotTable::new();
        thread::scope(|scope| {
            for thread in 0..4_u64 {
                let table = &table;
                scope.spawn(move || {
                    let value = 0_u32;
                    for round in 0..2_000_u64 {
                        // One of eight slots; no id twice.
                        let id = ((thread * 2_000 + round) << 24) | (1 + round % 8);
                        table.add(id, ptr::from_ref(&value));
                        let found = table.get(id);
                        assert!(found.is_none_or(|found| found == ptr::from_ref(&value)));
                        table.remove(id);
                        assert_eq!(table.get(id), None);
                    }
                });
            }
        });
    }
}

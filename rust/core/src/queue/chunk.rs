//! The memory of a queue: blocks that hold the payloads of many packets, and the packets taken from them.

use std::iter;
use std::ops::{Deref, RangeInclusive};
use std::sync::Arc;

use super::meta::{Header, OVERHEAD};
use crate::sys;

/// The smallest and the largest size of a chunk, in bytes of payload. Chunks grow with the queue. A chunk for one
/// larger packet is made as large as that packet.
pub(super) const CHUNK_SIZES: RangeInclusive<usize> = 256..=262_144;

/// A number of bytes that a program which cannot have them cannot run without.
const SMALL: usize = 2_048;

/// What an [`Arc`] keeps before its contents, in bytes.
const ARC_COUNTS: usize = 2 * size_of::<usize>();

/// How long a packet is that takes no longer than a memory access to copy; where it ends is not known when memory is prefetched for it.
const LIKELY_LENGTH: usize = 64;

/// The most packets that one chunk holds.
pub(super) const PACKETS_PER_CHUNK: usize = 2_048;

/// A packet taken from a queue. It shares the memory of the queue instead of copying; its bytes do not change while it
/// exists.
#[derive(Clone, Debug, Default)]
pub struct Packet {
    chunk: Arc<[u8]>,
    start: usize,
    length: usize,
}

impl Packet {
    #[cfg(test)]
    pub(super) fn chunk(&self) -> *const [u8] {
        Arc::as_ptr(&self.chunk)
    }
}

impl Deref for Packet {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // Always inside the chunk; written so that it cannot panic.
        self.chunk.get(self.start..).and_then(|bytes| bytes.get(..self.length)).unwrap_or_default()
    }
}

/// Payloads back to back, and their headers.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    bytes: Arc<[u8]>,
    /// How many of the bytes hold payloads.
    filled: usize,
    /// One for each packet, including those that were taken.
    headers: Vec<Header>,
    /// How many packets were taken.
    taken: usize,
    /// Where the payload of the oldest remaining packet begins.
    start: usize,
}

impl Chunk {
    /// `None` if there is no memory for it.
    pub(super) fn with_capacity(bytes: usize) -> Option<Self> {
        // Making an `Arc` ends the program where there is no memory, so memory is tried for first, where so much is asked for that
        // the rest of the program can still have some.
        if bytes > SMALL && Vec::<u8>::new().try_reserve_exact(bytes + SMALL).is_err() {
            return None;
        }
        Some(Self { bytes: iter::repeat_n(0, bytes).collect(), ..Self::default() })
    }

    /// How many bytes of payload the chunk has memory for.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a packet. Returns `false` if the chunk is full, if a [`Packet`] of it exists, or if there is no memory for the header.
    #[inline]
    pub(super) fn push(&mut self, payload: &[u8], header: Header) -> bool {
        let is_full = self.headers.len() == PACKETS_PER_CHUNK;
        if is_full || (self.headers.len() == self.headers.capacity() && !self.grow_headers()) {
            return false;
        }
        let end = self.filled + payload.len();
        let Some(target) = Arc::get_mut(&mut self.bytes).and_then(|bytes| bytes.get_mut(self.filled..end)) else {
            return false;
        };
        target.copy_from_slice(payload);
        self.filled = end;
        self.headers.push(header);
        true
    }

    #[cold]
    #[inline(never)]
    fn grow_headers(&mut self) -> bool {
        self.headers.try_reserve(1).is_ok()
    }

    /// Removes the packet that was appended last.
    pub(super) fn pop_last(&mut self) {
        if let Some(header) = self.headers.pop() {
            self.filled -= header.length();
        }
    }

    /// How many packets were appended, including those that were taken.
    pub(super) fn len(&self) -> usize {
        self.headers.len()
    }

    /// The header of the packet that was appended as number `index`.
    pub(super) fn header(&self, index: usize) -> Option<&Header> {
        self.headers.get(index)
    }

    /// Takes the oldest packet's header, and skips its payload.
    pub(super) fn skip(&mut self) -> Option<Header> {
        let header = *self.headers.get(self.taken)?;
        self.taken += 1;
        self.start += header.length();
        Some(header)
    }

    /// Takes the oldest packet.
    pub(super) fn take(&mut self) -> Option<(Packet, Header)> {
        let start = self.start;
        let header = self.skip()?;
        Some((Packet { chunk: Arc::clone(&self.bytes), start, length: header.length() }, header))
    }

    /// The header of the oldest packet.
    pub(super) fn next(&self) -> Option<&Header> {
        self.headers.get(self.taken)
    }

    /// The length of the oldest packet.
    pub(super) fn next_length(&self) -> Option<usize> {
        self.headers.get(self.taken).map(Header::length)
    }

    /// Takes the oldest packet, and replaces the contents of `buffer` by its payload.
    pub(super) fn copy_next(&mut self, buffer: &mut Vec<u8>) -> Option<Header> {
        let start = self.start;
        let header = self.skip()?;
        buffer.clear();
        buffer.extend_from_slice(self.bytes.get(start..start + header.length()).unwrap_or_default());
        Some(header)
    }

    /// Takes up to `max` of the oldest packets: their payloads as one [`Packet`], and their headers. `None` if that is
    /// no packet.
    pub(super) fn take_run(&mut self, max: usize) -> Option<(Packet, &[Header])> {
        let remaining = self.headers.get(self.taken..)?;
        let headers = remaining.get(..max).unwrap_or(remaining);
        if headers.is_empty() {
            return None;
        }
        let length = headers.iter().map(Header::length).sum();
        let packet = Packet { chunk: Arc::clone(&self.bytes), start: self.start, length };
        self.taken += headers.len();
        self.start += length;
        Some((packet, headers))
    }

    /// Whether all packets were taken.
    pub(super) fn is_taken(&self) -> bool {
        self.taken == self.headers.len()
    }

    /// Empties the chunk for new packets. Returns `false` if a [`Packet`] of it exists.
    pub(super) fn recycle(&mut self) -> bool {
        // All chunks without memory share one empty slice. A count of 1 stays 1, since only an owner can clone; and
        // `push` checks again with the memory ordering that writing needs, which this cheap check lacks.
        let is_free = self.bytes.is_empty() || Arc::strong_count(&self.bytes) == 1;
        if is_free {
            self.headers.clear();
            (self.filled, self.taken, self.start) = (0, 0, 0);
        }
        is_free
    }

    /// Loads what [`push`](Self::push) needs into the processor's cache.
    pub(super) fn prefetch(&self) {
        // A chunk whose packets were all taken is filled from its start again.
        let (start, index) = if self.is_taken() { (0, 0) } else { (self.filled, self.headers.len()) };
        // The counts of the `Arc` lie before the bytes.
        let bytes = Arc::as_ptr(&self.bytes).cast::<u8>();
        sys::prefetch_memory(bytes.wrapping_sub(ARC_COUNTS), 1);
        sys::prefetch_memory(bytes.wrapping_add(start), LIKELY_LENGTH);
        sys::prefetch_memory(self.headers.as_ptr().wrapping_add(index).cast(), OVERHEAD);
    }

    /// The memory that the chunk occupies, in bytes.
    pub(super) fn held(&self) -> usize {
        self.bytes.len() + self.headers.capacity() * OVERHEAD
    }
}

//! The packets that the engine is reading: it gets a pointer from `_get_packet`, and reads from it after that has returned.
//!
//! The engine does not tell when it has finished reading. `get_packet()` copies the bytes at once. `get_var()` decodes them, and
//! decoding can run scripts while bytes are left to read: a `Logger`, to which the engine prints that a text is not valid UTF-8, and
//! the setters of decoded objects. Such a script may take more packets, of this peer or of others, close the peer or free it. So a
//! packet is kept until the function that reads it has returned, whatever its bytes are.
//!
//! A reader is known by its variable, into which `_get_packet` writes the pointer. In the engine that is a local variable of the
//! function that reads (`PacketPeer::get_packet_buffer` and `PacketPeer::get_var` in `core/io/packet_peer.cpp`). Stacks grow
//! downwards on all platforms of the engine. So while a reader has not returned, everything that runs on its thread has its local
//! variables at lower addresses. A reader whose variable is at the same address as that of a new reader, or at a lower one, has
//! therefore returned, or is the new reader itself, which has overwritten its pointer.
//!
//! The variables belong to the engine, so a sanitizer with which this library is built does not move them. (An engine that is itself
//! built with `AddressSanitizer` needs `ASAN_OPTIONS=detect_stack_use_after_return=0`, which keeps local variables on the stack.) A
//! caller that keeps the pointer in another place than a local variable has it until it takes the next packet, as `PacketPeer`
//! promises.

use std::cell::RefCell;
use std::ptr;

use packet_peer_udp_core::{Error, Packet, Peer, Taken};

/// Up to this many bytes, copying a packet costs less than sharing its queue's memory.
const SMALL: usize = 256;

thread_local! {
    /// What this thread's readers read, from any peer. Each thread has its own, so that no other thread can change it.
    static READ: RefCell<Reads> = RefCell::new(Reads::new());
}

/// The packets of readers that may not have returned. Each has its variable at a lower address than the one before.
struct Reads {
    /// Nearly always, this is the only one: one reader takes packet after packet.
    outermost: Slot,
    /// The first [`inner_in_use`](Self::inner_in_use) ones; the others are kept for reuse.
    inner: Vec<Slot>,
    inner_in_use: usize,
}

/// A reader's packet. Its bytes are on the heap, so they stay where they are when the slot is moved.
struct Slot {
    /// The address of the reader's variable; 0 before the first.
    reader: usize,
    /// A packet of at most [`SMALL`] bytes. It never grows.
    small: Vec<u8>,
    /// A larger packet, in its queue's memory.
    large: Option<Packet>,
}

impl Slot {
    fn new() -> Self {
        Self { reader: 0, small: Vec::with_capacity(SMALL), large: None }
    }
}

impl Reads {
    fn new() -> Self {
        Self { outermost: Slot::new(), inner: Vec::new(), inner_in_use: 0 }
    }

    /// Takes a packet for the reader whose variable has this address. The bytes stay as they are until the reader has returned.
    /// `refused` makes the result where there is none; it gets the error, or `None` if the queue is empty.
    #[inline]
    fn take<E>(&mut self, peer: &Peer, reader: usize, refused: impl FnOnce(Option<Error>) -> E) -> Result<&[u8], E> {
        let slot = if self.inner_in_use == 0 && self.outermost.reader <= reader {
            &mut self.outermost
        } else {
            self.innermost(reader)
        };
        slot.reader = reader;
        // The core's result is matched here: to return it as it is doubles the instructions of this function.
        match peer.take_or_copy(&mut slot.small) {
            Ok(Some(Taken::Copied)) => Ok(&slot.small),
            Ok(Some(Taken::Shared(packet))) => Ok(slot.large.insert(packet)),
            Ok(None) => Err(refused(None)),
            Err(error) => Err(refused(Some(error))),
        }
    }

    /// The slot after those of the readers that may not have returned when there is one at this address.
    #[cold]
    fn innermost(&mut self, reader: usize) -> &mut Slot {
        while let Some(last) = self.inner_in_use.checked_sub(1)
            && let Some(slot) = self.inner.get_mut(last)
            && slot.reader <= reader
        {
            slot.large = None;
            self.inner_in_use = last;
        }
        if self.inner_in_use == 0 && self.outermost.reader <= reader {
            return &mut self.outermost;
        }
        let free = self.inner_in_use;
        self.inner_in_use += 1;
        if free == self.inner.len() {
            self.inner.push(Slot::new());
        }
        &mut self.inner[free]
    }
}

/// Takes a packet of `peer` for the code that has a variable at `reader`, to which the caller writes the pointer. The pointer is
/// valid, and the bytes stay as they are, until that code has returned or has taken the next packet by the same variable.
///
/// `refused` makes the result where there is none; it gets the error, or `None` if the queue is empty.
pub(crate) fn take<E>(
    peer: &Peer,
    reader: *mut *const u8,
    refused: impl Fn(Option<Error>) -> E,
) -> Result<*const [u8], E> {
    let take = |read: &RefCell<Reads>| read.borrow_mut().take(peer, reader.addr(), &refused).map(ptr::from_ref);
    // Without the thread-local, the thread is ending, and runs no scripts any more.
    READ.try_with(take).unwrap_or_else(|_| Err(refused(None)))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::net::UdpSocket;
    use std::sync::Arc;
    use std::time::Duration;

    /// A peer in whose queue packets of these lengths are; the bytes of each are its position.
    fn peer_with(lengths: &[usize]) -> Arc<Peer> {
        let peer = Peer::new();
        peer.bind(0, "127.0.0.1", 1 << 20).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = peer.local_addr().unwrap();
        for (index, length) in lengths.iter().enumerate() {
            sender.send_to(&vec![u8::try_from(index).unwrap(); *length], to).unwrap();
            let before = peer.available().unwrap();
            while peer.available().unwrap() == before && before <= index {
                peer.wait(Some(Duration::from_secs(10))).unwrap();
            }
        }
        peer
    }

    #[expect(clippy::needless_pass_by_value, reason = "it is for `take`")]
    fn is_error(error: Option<Error>) -> bool {
        error.is_some()
    }

    /// The bytes at a pointer that [`take`] returned.
    fn read(packet: *const [u8]) -> Vec<u8> {
        // SAFETY: the tests read only what is promised to be valid.
        unsafe { &*packet }.to_vec()
    }

    #[test]
    fn a_packet_stays_until_its_reader_has_returned() {
        for length in [1, SMALL, SMALL + 1, 60_000] {
            let peer = peer_with(&[length; 4]);
            let mut reads = Reads::new();
            let outer = ptr::from_ref(reads.take(&peer, 1_000, is_error).unwrap());
            // Within the first reader: another one, which takes two packets, and one within that.
            reads.take(&peer, 900, is_error).unwrap();
            let inner = ptr::from_ref(reads.take(&peer, 900, is_error).unwrap());
            let innermost = ptr::from_ref(reads.take(&peer, 800, is_error).unwrap());
            peer.close();
            drop(peer);
            assert_eq!(read(outer), vec![0; length]);
            assert_eq!(read(inner), vec![2; length]);
            assert_eq!(read(innermost), vec![3; length]);
            assert_eq!(reads.inner_in_use, 2);
        }
    }

    #[test]
    fn a_reader_that_has_returned_has_its_place_reused() {
        let peer = peer_with(&[300; 40]);
        let mut reads = Reads::new();
        for _ in 0..10 {
            // In turn a reader, one within it, one after that at another depth, and one further out.
            for reader in [1_000, 900, 950, 1_100] {
                reads.take(&peer, reader, is_error).unwrap();
            }
            assert_eq!(reads.inner_in_use, 0);
        }
        assert_eq!(reads.inner.len(), 2);
    }

    #[test]
    fn a_take_without_a_packet_returns_the_memory_of_readers_that_have_returned() {
        let peer = peer_with(&[300; 3]);
        let mut reads = Reads::new();
        for reader in [1_000, 900, 800] {
            reads.take(&peer, reader, is_error).unwrap();
        }
        assert_eq!(reads.take(&peer, 1_000, is_error), Err(false));
        assert_eq!(reads.inner_in_use, 0);
        assert_eq!(reads.inner.len(), 2);
        assert!(reads.inner.iter().all(|slot| slot.large.is_none()));
    }

    #[test]
    fn a_reader_that_takes_one_packet_after_the_other_needs_one_place() {
        let peer = peer_with(&[10; 200]);
        let mut reads = Reads::new();
        let mut places = Vec::new();
        while let Ok(packet) = reads.take(&peer, 1_000, is_error) {
            places.push(packet.as_ptr());
        }
        assert_eq!(places.len(), 200);
        places.dedup();
        assert_eq!(places.len(), 1);
        assert!(reads.inner.is_empty());
    }
}

//! The packets that the engine is reading: it gets a pointer from `_get_packet`, and reads from it after that has returned.
//!
//! How long it reads, nobody tells. `get_packet()` copies the bytes at once. `get_var()` decodes them, and decoding can run scripts
//! while bytes are left to read: a `Logger`, to which the engine prints that a text is no UTF-8, and the setters of decoded objects.
//! Such a script may take more packets, of this peer and of others, close the peer or free it. So a packet is kept until its reader
//! has returned, whatever it holds.
//!
//! A reader is known by its variable, into which `_get_packet` writes the pointer. In the engine that is a local variable of the
//! function that reads (`PacketPeer::get_packet_buffer` and `PacketPeer::get_var` in `core/io/packet_peer.cpp`). Stacks grow
//! downwards on all platforms of the engine. So as long as a reader has not returned, whatever runs on its thread has its variables
//! at lower addresses; and a reader whose variable is at the same or a lower address than that of a new one has returned, or is the
//! new one, which has overwritten its pointer. (The variables are the engine's, so it makes no difference how this library is built:
//! a sanitizer that moves the variables of instrumented code elsewhere does not move these. Code of another kind, which keeps the
//! pointer somewhere else than in a local variable, has what `PacketPeer` promises: the packet, until it takes the next.)

use std::cell::RefCell;
use std::ptr;

use packet_peer_udp_core::{Packet, Peer, Result, Taken};

/// Up to this many bytes, copying a packet costs less than sharing its queue's memory.
const SMALL: usize = 256;

thread_local! {
    /// What this thread's readers read, from any peer. Each thread has its own, so that no other thread can change it.
    static READ: RefCell<Reads> = RefCell::new(Reads::default());
}

/// The packets of readers that may not have returned: of each the address of its variable, which becomes lower from one to the next.
#[derive(Default)]
struct Reads {
    /// The first [`in_use`](Self::in_use) ones; the others are kept for reuse.
    slots: Vec<Slot>,
    in_use: usize,
}

/// A packet. Its bytes are on the heap, so they stay where they are when the slot is moved.
#[derive(Default)]
struct Slot {
    reader: usize,
    /// A packet of at most [`SMALL`] bytes, for which there is room from the first use on.
    small: Vec<u8>,
    /// A larger packet, in its queue's memory.
    large: Option<Packet>,
}

impl Reads {
    /// Takes a packet for the reader whose variable has this address. The bytes stay as they are until the reader has returned.
    fn take(&mut self, peer: &Peer, reader: usize) -> Result<Option<&[u8]>> {
        let in_use = self.slots.iter().take(self.in_use).rposition(|slot| slot.reader > reader);
        let free = in_use.map_or(0, |last| last + 1);
        // The next one is overwritten below, in the usual case that one reader takes packet after packet.
        for slot in self.slots.iter_mut().take(self.in_use).skip(free + 1) {
            slot.large = None;
        }
        self.in_use = free;
        if free == self.slots.len() {
            self.slots.push(Slot::default());
        }
        let Some(slot) = self.slots.get_mut(free) else { return Ok(None) };
        if slot.small.capacity() == 0 {
            slot.small.reserve_exact(SMALL);
        }
        let Some(taken) = peer.take_or_copy(&mut slot.small)? else { return Ok(None) };
        slot.reader = reader;
        self.in_use += 1;
        Ok(Some(match taken {
            Taken::Copied => &slot.small,
            Taken::Shared(packet) => slot.large.insert(packet),
        }))
    }
}

/// Takes a packet of `peer` for the code that has a variable at `reader`, to which the caller writes the pointer. The pointer is
/// valid, and the bytes stay as they are, until that code has returned or has taken the next packet by the same variable.
pub(crate) fn take(peer: &Peer, reader: *mut *const u8) -> Result<Option<*const [u8]>> {
    // Without the thread-local, the thread is ending, and runs no scripts any more.
    let taken = READ.try_with(|read| match read.borrow_mut().take(peer, reader.addr()) {
        Ok(packet) => Ok(packet.map(ptr::from_ref)),
        Err(error) => Err(error),
    });
    taken.unwrap_or(Ok(None))
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

    /// The bytes at a pointer that [`take`] returned.
    fn read(packet: *const [u8]) -> Vec<u8> {
        // SAFETY: the tests read only what is promised to be valid.
        unsafe { &*packet }.to_vec()
    }

    #[test]
    fn a_packet_stays_until_its_reader_has_returned() {
        for length in [1, SMALL, SMALL + 1, 60_000] {
            let peer = peer_with(&[length; 4]);
            let mut reads = Reads::default();
            let outer = ptr::from_ref(reads.take(&peer, 1_000).unwrap().unwrap());
            // Within the first reader: another one, which takes two packets, and one within that.
            reads.take(&peer, 900).unwrap().unwrap();
            let inner = ptr::from_ref(reads.take(&peer, 900).unwrap().unwrap());
            let innermost = ptr::from_ref(reads.take(&peer, 800).unwrap().unwrap());
            peer.close();
            drop(peer);
            assert_eq!(read(outer), vec![0; length]);
            assert_eq!(read(inner), vec![2; length]);
            assert_eq!(read(innermost), vec![3; length]);
            assert_eq!(reads.in_use, 3);
        }
    }

    #[test]
    fn a_reader_that_has_returned_has_its_place_reused() {
        let peer = peer_with(&[300; 40]);
        let mut reads = Reads::default();
        for _ in 0..10 {
            // In turn a reader, one within it, one after that at another depth, and one further out.
            for reader in [1_000, 900, 950, 1_100] {
                reads.take(&peer, reader).unwrap().unwrap();
            }
            assert_eq!(reads.in_use, 1);
        }
        // The one further out, and within it the first and the second.
        assert_eq!(reads.slots.len(), 3);
    }

    #[test]
    fn a_take_without_a_packet_returns_the_memory_of_readers_that_have_returned() {
        let peer = peer_with(&[300; 3]);
        let mut reads = Reads::default();
        for reader in [1_000, 900, 800] {
            reads.take(&peer, reader).unwrap().unwrap();
        }
        assert!(reads.take(&peer, 1_000).unwrap().is_none());
        assert_eq!(reads.in_use, 0);
        assert!(reads.slots.iter().skip(1).all(|slot| slot.large.is_none()));
    }

    #[test]
    fn a_reader_that_takes_one_packet_after_the_other_needs_one_place() {
        let peer = peer_with(&[10; 200]);
        let mut reads = Reads::default();
        let mut places = Vec::new();
        while let Some(packet) = reads.take(&peer, 1_000).unwrap() {
            places.push(packet.as_ptr());
        }
        assert_eq!(places.len(), 200);
        places.dedup();
        assert_eq!(places.len(), 1);
        assert_eq!(reads.slots.len(), 1);
    }
}

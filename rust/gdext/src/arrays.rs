//! Packets as Godot's arrays, many at a time.

use std::ptr;

use godot::builtin::inner::InnerArray;
use godot::builtin::{Array, PackedByteArray};
use godot::sys::{self, GodotFfi, interface_fn};
use packet_peer_udp_core::Run;

/// An array of packets that is being filled.
///
/// Its elements are made by the engine, in one call, and filled where they are. (To make each by itself, turn it into a
/// `Variant` and append that takes longer than all else that receiving a small packet costs beside the system call.)
pub(crate) struct Packets {
    array: Array<PackedByteArray>,
    /// How many elements are filled; those behind are empty.
    filled: usize,
    /// The engine's way from a `Variant` to the `PackedByteArray` in it.
    getter: sys::GDExtensionVariantGetInternalPtrFunc,
}

impl Packets {
    pub(crate) fn new() -> Self {
        // SAFETY: takes a number, and may be asked at any time.
        let getter =
            unsafe { interface_fn!(variant_get_ptr_internal_getter)(sys::GDEXTENSION_VARIANT_TYPE_PACKED_BYTE_ARRAY) };
        Self { array: Array::new(), filled: 0, getter }
    }

    /// Appends the packets of a run.
    pub(crate) fn append(&mut self, run: &Run<'_>) {
        let end = self.filled + run.stamps.len();
        if end > self.array.len() {
            self.resize(end + run.following);
        }
        for packet in run.packets() {
            if !packet.is_empty() {
                self.fill(self.filled, packet);
            }
            self.filled += 1;
        }
    }

    pub(crate) fn finish(mut self) -> Array<PackedByteArray> {
        if self.filled < self.array.len() {
            self.resize(self.filled);
        }
        self.array
    }

    /// Makes the array shorter, or longer by empty `PackedByteArray`s: in a typed array the engine itself makes new
    /// elements of its type.
    fn resize(&mut self, length: usize) {
        InnerArray::from_outer_typed(&self.array).resize(i64::try_from(length).unwrap_or(i64::MAX));
    }

    fn fill(&mut self, index: usize, packet: &[u8]) {
        let Ok(index) = i64::try_from(index) else { return };
        // SAFETY: the array is owned by `self` and nobody else has it yet; the engine answers with null for an index out of
        // range.
        let element = unsafe { interface_fn!(array_operator_index)(self.array.sys_mut(), index) };
        if element.is_null() {
            return;
        }
        let Some(getter) = self.getter else { return };
        // SAFETY: `element` is a `Variant` of the array. It holds a `PackedByteArray`, which is what the getter is for: the
        // array is of that type, and the engine fills one that it makes longer with elements of its type.
        let inner = unsafe { getter(element) }.cast::<PackedByteArray>();
        // SAFETY: gdext's `PackedByteArray` is the engine's, seen as bytes. It lies in the element, which stays where it is
        // until the array is resized, and nobody else refers to it.
        let bytes = unsafe { &mut *inner };
        bytes.resize(packet.len());
        // SAFETY: the array is not empty, so it has a first byte; and nobody else has the array.
        let first = unsafe { interface_fn!(packed_byte_array_operator_index)(bytes.sys_mut(), 0) };
        if first.is_null() {
            return;
        }
        // SAFETY: as many bytes as the packet has follow one another there, since that is how long the array is: memory that
        // the engine has just made for it.
        unsafe { ptr::copy_nonoverlapping(packet.as_ptr(), first, packet.len()) };
    }
}

/// Bytes that are put together from pieces.
#[derive(Default)]
pub(crate) struct Joined {
    bytes: PackedByteArray,
    length: usize,
}

impl Joined {
    /// Appends bytes.
    pub(crate) fn append(&mut self, piece: &[u8]) {
        let end = self.length + piece.len();
        if end > self.bytes.len() {
            // More is likely to come: then it need not grow at every piece.
            self.bytes.resize(if self.length == 0 { end } else { end * 2 });
        }
        if let Some(place) = self.bytes.as_mut_slice().get_mut(self.length..end) {
            place.copy_from_slice(piece);
        }
        self.length = end;
    }

    pub(crate) fn finish(mut self) -> PackedByteArray {
        self.bytes.resize(self.length);
        self.bytes
    }
}

//! Packets as Godot's arrays, many at a time.

use std::ptr;

use godot::builtin::inner::InnerArray;
use godot::builtin::{Array, PackedByteArray, Variant};
use godot::meta::Element;
use godot::obj::{Gd, GodotClass};
use godot::prelude::AnyArray;
use godot::sys::{self, GodotFfi, interface_fn};
use packet_peer_udp_core::PacketRun;

/// An array of packets that is being filled.
///
/// The engine creates its elements in one call, and they are filled in place. (Creating each one, converting it to a `Variant`
/// and appending that takes longer than everything else about a small packet except the system call.)
pub(crate) struct Packets {
    array: Array<PackedByteArray>,
    /// How many elements are filled; the ones after them are empty.
    filled: usize,
    /// How many packets are missing, or empty instead of what they were, since the engine had no memory for them.
    lost: usize,
    /// The engine's function from a `Variant` to the `PackedByteArray` in it.
    getter: sys::GDExtensionVariantGetInternalPtrFunc,
}

impl Packets {
    pub(crate) fn new() -> Self {
        // SAFETY: takes a number, and may be called at any time.
        let getter =
            unsafe { interface_fn!(variant_get_ptr_internal_getter)(sys::GDEXTENSION_VARIANT_TYPE_PACKED_BYTE_ARRAY) };
        Self { array: Array::new(), filled: 0, lost: 0, getter }
    }

    /// Appends the packets of a run.
    pub(crate) fn append(&mut self, run: &PacketRun<'_>) {
        let end = self.filled + run.metas.len();
        if end > self.array.len() {
            self.resize(end + run.following);
        }
        for packet in run.packets() {
            if self.filled == self.array.len() || !self.fill(self.filled, packet) {
                self.lost += 1;
            }
            self.filled = (self.filled + 1).min(self.array.len());
        }
    }

    /// How many packets were lost for want of memory.
    pub(crate) fn lost(&self) -> usize {
        self.lost
    }

    pub(crate) fn finish(mut self) -> Array<PackedByteArray> {
        if self.filled < self.array.len() {
            self.resize(self.filled);
        }
        self.array
    }

    /// Makes the array shorter, or longer by empty `PackedByteArray`s: the engine fills a typed array with elements of its
    /// type. Without memory for it, the array stays as it is.
    fn resize(&mut self, length: usize) {
        InnerArray::from_outer_typed(&self.array).resize(length_to_int(length));
    }

    /// Makes the element what `packet` is; whether there was memory for it.
    fn fill(&mut self, index: usize, packet: &[u8]) -> bool {
        if packet.is_empty() {
            return true;
        }
        let Ok(index) = i64::try_from(index) else { return false };
        // SAFETY: the array is owned by `self`, and nothing else refers to it yet; for an index out of range the engine returns
        // null.
        let element = unsafe { interface_fn!(array_operator_index)(self.array.sys_mut(), index) };
        if element.is_null() {
            return false;
        }
        let Some(getter) = self.getter else { return false };
        // SAFETY: `element` is a `Variant` of the array. It holds a `PackedByteArray`, as the getter requires: the array is of
        // that type, and the engine fills it with elements of its type when it becomes longer.
        let inner = unsafe { getter(element) }.cast::<PackedByteArray>();
        // SAFETY: gdext's `PackedByteArray` is the engine's, byte for byte. It lies in the element, which does not move until
        // the array is resized, and nothing else refers to it.
        let bytes = unsafe { &mut *inner };
        bytes.resize(packet.len());
        // SAFETY: nothing else refers to the array. It has a byte at the last index if the engine had memory for all of them;
        // else the engine returns null.
        let last = unsafe {
            interface_fn!(packed_byte_array_operator_index)(bytes.sys_mut(), length_to_int(packet.len()) - 1)
        };
        if last.is_null() {
            return false;
        }
        // SAFETY: the array is not empty, so it has a first byte; nothing else refers to the array.
        let first = unsafe { interface_fn!(packed_byte_array_operator_index)(bytes.sys_mut(), 0) };
        // SAFETY: the array is as long as the packet, its bytes are contiguous, and the engine has just allocated them, so they
        // do not overlap with the packet.
        unsafe { ptr::copy_nonoverlapping(packet.as_ptr(), first, packet.len()) };
        true
    }
}

fn length_to_int(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// The instance ids of the objects in an array, 0 for an element that is no object. Counts no references, and does not ask whether
/// the objects exist.
pub(crate) fn object_ids(array: &AnyArray) -> impl Iterator<Item = u64> {
    (0..length_to_int(array.len())).map(|index| {
        // SAFETY: the array is borrowed; for an index that is out of range by now, the engine returns null.
        let element = unsafe { interface_fn!(array_operator_index_const)(array.sys(), index) };
        if element.is_null() {
            return 0;
        }
        // SAFETY: `element` is a `Variant` of the array. Only its own memory is read.
        unsafe { interface_fn!(variant_get_object_instance_id)(element.cast_const()) }
    })
}

/// An array of these objects, whose class is `C`. (Appending each as a [`Gd`] has the engine check its class, and counts three
/// references.)
///
/// # Safety
///
/// Each of the [`Variant`]s holds an object of the class `C`.
pub(crate) unsafe fn of_objects<C: GodotClass>(objects: Vec<Variant>) -> Array<Gd<C>>
where
    Gd<C>: Element,
{
    let mut array = Array::new();
    InnerArray::from_outer_typed(&array).resize(length_to_int(objects.len()));
    for (index, object) in (0..).zip(objects) {
        // SAFETY: the array is owned by this function, and nothing else refers to it yet; for an index out of range the engine
        // returns null.
        let element = unsafe { interface_fn!(array_operator_index)(array.sys_mut(), index) }.cast::<Variant>();
        if !element.is_null() {
            // SAFETY: gdext's `Variant` is the engine's, byte for byte, and the element does not move until the array is resized. It
            // is of the array's type, as the caller promises. What it replaces is a null, which holds nothing.
            unsafe { element.write(object) };
        }
    }
    array
}

/// Bytes that are joined from pieces.
#[derive(Default)]
pub(crate) struct Joined {
    bytes: PackedByteArray,
    length: usize,
    /// How many bytes are missing, since the engine had no memory for them.
    lost: usize,
}

impl Joined {
    pub(crate) fn append(&mut self, piece: &[u8]) {
        let end = self.length + piece.len();
        if end > self.bytes.len() {
            // More pieces are likely, and growing at each would copy all bytes each time.
            self.bytes.resize(if self.length == 0 { end } else { end.saturating_mul(2) });
        }
        if end > self.bytes.len() {
            // There is no memory for twice as many.
            self.bytes.resize(end);
        }
        match self.bytes.as_mut_slice().get_mut(self.length..end) {
            Some(place) => {
                place.copy_from_slice(piece);
                self.length = end;
            }
            None => self.lost += piece.len(),
        }
    }

    /// How many bytes were lost for want of memory.
    pub(crate) fn lost(&self) -> usize {
        self.lost
    }

    pub(crate) fn finish(mut self) -> PackedByteArray {
        self.bytes.resize(self.length);
        self.bytes
    }
}

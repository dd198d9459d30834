//! The methods that the engine calls for each packet: `_get_available_packet_count`, `_get_packet` and `_put_packet`; and
//! `_get_max_packet_size`.
//!
//! gdext can do this, too. But what it puts around a virtual method takes as long as all that we do in it: with `&self` a
//! borrow, which wakes threads by two system calls; with `gd_self` a `Gd`, for which it asks the engine by name what class
//! the object is of. So these are registered by hand, through what gdext's macros use themselves. Those parts of gdext
//! are not documented: its version is pinned, and with a new one this file is to be compared with what
//! `#[godot_api] impl IPacketPeerExtension` expands to.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;

use godot::builtin::{PackedByteArray, StringName, VariantType};
use godot::global::Error as GodotError;
use godot::obj::EngineEnum;
use godot::obj::cap::{GodotNotification, ImplementsGodotVirtual};
use godot::private::virtuals::PacketPeerExtension as virtuals;
use godot::private::{ClassShard, ITraitImpl, ShardItem};
use godot::sys::{self, GodotFfi, interface_fn};
use packet_peer_udp_core::{MAX_DATAGRAM, MAX_PAYLOAD_IPV4, Packet, Reason};

use crate::convert::to_godot_error;
use crate::packet_peer::{NO_DESTINATION, OTHER_FAMILY, PacketPeerUdpRs, answer, no_socket};
use crate::registry::{self, Shared};

/// How many packets that run scripts a thread can have in hand at once: these may take such packets themselves.
const IN_HAND: usize = 4;

thread_local! {
    /// What each thread took last, of whichever peer: `get_packet()` and `get_var()` read from it after `_get_packet` has
    /// returned. Each thread has its own, so that no other's take can change what it is reading.
    static TAKEN: RefCell<Taken> = RefCell::new(Taken::default());
}

#[derive(Default)]
struct Taken {
    /// The last packet, where it lies in its queue's memory. The engine has read it before this thread can take another.
    plain: Packet,
    /// Copies of the last packets that run scripts while they are decoded, in turn. Each has room for any datagram from
    /// its first use on, and never moves.
    scripted: [Vec<u8>; IN_HAND],
    next: usize,
}

impl Taken {
    /// Keeps a packet for the engine to read from.
    fn keep(&mut self, packet: Packet) -> &[u8] {
        if !may_run_scripts(&packet) {
            self.plain = packet;
            return &self.plain;
        }
        let copy = &mut self.scripted[self.next];
        self.next = (self.next + 1) % IN_HAND;
        copy.clear();
        copy.reserve_exact(MAX_DATAGRAM);
        copy.extend_from_slice(&packet);
        copy
    }
}

/// Whether decoding the packet as a `Variant` may run scripts before it has come to its end: setters of objects, which may
/// lie in containers. (Where decoding fails, a `Logger` may run; but then nothing more is read.)
fn may_run_scripts(packet: &[u8]) -> bool {
    // The encoding begins with the type, least significant byte first.
    let with_objects = [VariantType::OBJECT, VariantType::DICTIONARY, VariantType::ARRAY];
    packet.first().is_some_and(|first| with_objects.iter().any(|variant_type| variant_type.ord == i32::from(*first)))
}

impl ImplementsGodotVirtual for PacketPeerUdpRs {
    fn __virtual_call(name: &str, hash: u32) -> sys::GDExtensionClassCallVirtual {
        match (name, hash) {
            virtuals::get_available_packet_count => Some(get_available_packet_count),
            virtuals::get_max_packet_size => Some(get_max_packet_size),
            virtuals::get_packet_rawptr => Some(get_packet),
            virtuals::put_packet_rawptr => Some(put_packet),
            _ => None,
        }
    }
}

impl GodotNotification for PacketPeerUdpRs {
    fn __godot_on_notification(&mut self, what: i32) {
        if what == POSTINITIALIZE {
            warm_up(self.object());
        }
    }
}

sys::shard_add!(
    godot::private::__GODOT_SHARD_REGISTRY;
    ClassShard::new::<PacketPeerUdpRs>(ShardItem::ITraitImpl(
        ITraitImpl::new::<PacketPeerUdpRs>().with_on_notification::<PacketPeerUdpRs>()
    ))
);

/// `Object.NOTIFICATION_POSTINITIALIZE`: the object is made, and nobody else has it yet.
const POSTINITIALIZE: i32 = 0;

thread_local! {
    /// Whether this thread is in [`warm_up`].
    static WARMS_UP: Cell<bool> = const { Cell::new(false) };
}

/// Calls each virtual method that scripts can reach once, to no effect. The engine asks for its address at an object's first
/// call (`Object::_gdvirtual_init_method_ptr`, as of 4.6), and while it does so the address is null for other threads: two
/// that made the first call at the same time would crash it.
fn warm_up(object: sys::GDExtensionObjectPtr) {
    WARMS_UP.set(true);
    let mut packet = PackedByteArray::new();
    let mut number: i64 = 0;
    let number = (&raw mut number).cast();
    call(object, "get_available_packet_count", 3_905_245_786, &[], number);
    call(object, "get_packet", 2_115_431_945, &[], packet.sys_mut());
    // The engine does not pass on an empty one.
    packet.push(0);
    call(object, "put_packet", 680_677_267, &[packet.sys()], number);
    WARMS_UP.set(false);
}

/// Calls a method of the engine's class `PacketPeer`, known by its name and the hash of its signature (in the engine's
/// `extension_api.json`); does nothing in an engine that has no such method.
fn call(
    object: sys::GDExtensionObjectPtr,
    method: &str,
    hash: i64,
    arguments: &[sys::GDExtensionConstTypePtr],
    returned: sys::GDExtensionTypePtr,
) {
    let class = StringName::from("PacketPeer");
    let method = StringName::from(method);
    // SAFETY: both names live through the call, which only looks them up.
    let bind = unsafe { interface_fn!(classdb_get_method_bind)(class.string_sys(), method.string_sys(), hash) };
    if !bind.is_null() {
        // SAFETY: the object lives, as its own notification is being handled, and is a PacketPeer. The hash stands for the
        // method's signature: the callers pass what that asks for, and a place for what it returns that holds a value of that
        // type already.
        unsafe { interface_fn!(object_method_bind_ptrcall)(bind, object, arguments.as_ptr(), returned) };
    }
}

// What the engine passes to each of the functions below: the storage of an object of this class, which lives until the call
// returns; an array of pointers, one to each argument; and where to write what is returned. Integers and enums are 64 bits
// wide there, whatever they are in the engine's declaration; pointers are pointers.

/// `int _get_available_packet_count()`
unsafe extern "C" fn get_available_packet_count(
    instance: sys::GDExtensionClassInstancePtr,
    _arguments: *const sys::GDExtensionConstTypePtr,
    returned: sys::GDExtensionTypePtr,
) {
    if WARMS_UP.get() {
        // SAFETY: as said above.
        return unsafe { returned.cast::<i64>().write(-1) };
    }
    let method =
        |shared: &Shared| shared.peer.available().map_or(-1, |count| i32::try_from(count).unwrap_or(i32::MAX).into());
    // SAFETY: as said above.
    let count = unsafe { guarded(instance, method) };
    // SAFETY: as said above.
    unsafe { returned.cast::<i64>().write(count.unwrap_or(-1)) };
}

/// `int _get_max_packet_size()`
unsafe extern "C" fn get_max_packet_size(
    _instance: sys::GDExtensionClassInstancePtr,
    _arguments: *const sys::GDExtensionConstTypePtr,
    returned: sys::GDExtensionTypePtr,
) {
    // SAFETY: as said above.
    unsafe { returned.cast::<i64>().write(MAX_PAYLOAD_IPV4) };
}

/// `Error _get_packet(const uint8_t **r_buffer, int32_t *r_buffer_size)`
unsafe extern "C" fn get_packet(
    instance: sys::GDExtensionClassInstancePtr,
    arguments: *const sys::GDExtensionConstTypePtr,
    returned: sys::GDExtensionTypePtr,
) {
    // SAFETY: as said above; there are two arguments.
    let [r_buffer, r_buffer_size] = unsafe { *arguments.cast::<[sys::GDExtensionConstTypePtr; 2]>() };
    // SAFETY: as said above; both are pointers.
    let r_buffer = unsafe { r_buffer.cast::<*mut *const u8>().read() };
    // SAFETY: as said above.
    let r_buffer_size = unsafe { r_buffer_size.cast::<*mut i32>().read() };
    if WARMS_UP.get() {
        // SAFETY: as said above; the engine takes an empty packet without looking at the pointer.
        unsafe { r_buffer_size.write(0) };
        // SAFETY: as said above.
        return unsafe { write_error(returned, Some(GodotError::OK)) };
    }
    let method = |shared: &Shared| {
        let packet = match shared.peer.take() {
            Ok(Some(packet)) => packet,
            Ok(None) => return GodotError::ERR_UNAVAILABLE,
            Err(error) => return to_godot_error(&error),
        };
        TAKEN.with_borrow_mut(|taken| {
            let packet = taken.keep(packet);
            // SAFETY: the engine passes the address of a `const uint8_t *` of its own to be filled in. What it is filled
            // with points to the packet's bytes in TAKEN. They are this thread's own, and do not change or move before this
            // thread takes another packet; the engine copies or decodes them on this thread as soon as this function has
            // returned, and nothing of ours runs before it is done, unless the packet runs scripts. Such a packet lies in a
            // buffer that never reallocates (no packet is larger than the capacity it has from the start) and lives as long
            // as the thread: it stays as it is until the thread has taken IN_HAND more of its kind. Even if decoding runs a
            // script that takes so many, the pointer stays good: the bytes then change under the decoder, which checks what
            // it reads against the size that it was given.
            unsafe { r_buffer.write(packet.as_ptr()) };
            // SAFETY: likewise the address of an `int32_t` of the engine's own, to be filled in.
            unsafe { r_buffer_size.write(i32::try_from(packet.len()).unwrap_or(0)) };
            GodotError::OK
        })
    };
    // SAFETY: as said above.
    let result = unsafe { guarded(instance, method) };
    // SAFETY: as said above.
    unsafe { write_error(returned, result) };
}

/// `Error _put_packet(const uint8_t *p_buffer, int p_buffer_size)`
unsafe extern "C" fn put_packet(
    instance: sys::GDExtensionClassInstancePtr,
    arguments: *const sys::GDExtensionConstTypePtr,
    returned: sys::GDExtensionTypePtr,
) {
    if WARMS_UP.get() {
        // SAFETY: as said above.
        return unsafe { write_error(returned, Some(GodotError::OK)) };
    }
    // SAFETY: as said above; there are two arguments.
    let [p_buffer, p_buffer_size] = unsafe { *arguments.cast::<[sys::GDExtensionConstTypePtr; 2]>() };
    // SAFETY: as said above; a pointer.
    let p_buffer = unsafe { p_buffer.cast::<*const u8>().read() };
    // SAFETY: as said above; an integer.
    let size = unsafe { p_buffer_size.cast::<i64>().read() };
    let size = usize::try_from(size).unwrap_or(0);
    let packet = if size == 0 || p_buffer.is_null() {
        &[]
    } else {
        // SAFETY: the engine passes a pointer to `p_buffer_size` readable bytes, which it keeps, unchanged, until this call
        // returns; the slice does not live longer.
        unsafe { slice::from_raw_parts(p_buffer, size) }
    };
    let method = |shared: &Shared| {
        // As in the engine: a send that the system refuses is answered, not printed.
        answer(shared, "put_packet", shared.peer.send(packet), |error| match error.reason {
            Reason::NoDestination => Some(NO_DESTINATION.to_owned()),
            Reason::WrongFamily(_) => Some(format!("{error}. {OTHER_FAMILY}")),
            Reason::NoScope(_) => Some(format!("{error}.")),
            Reason::NoSocket(_) => Some(no_socket(error)),
            _ => None,
        })
    };
    // SAFETY: as said above.
    let result = unsafe { guarded(instance, method) };
    // SAFETY: as said above.
    unsafe { write_error(returned, result) };
}

/// Calls `method` with what belongs to the object. Nothing in there panics; if it did after all, the hook that gdext has set
/// says so, and the answer is `None`: a panic must not reach the engine.
///
/// # Safety
///
/// `instance` is what the engine passes to a virtual method of this class, and this is called within that method.
unsafe fn guarded<T>(instance: sys::GDExtensionClassInstancePtr, method: impl FnOnce(&Shared) -> T) -> Option<T> {
    let call = || {
        // SAFETY: as this function's own.
        let shared = unsafe { registry::of_instance(instance) };
        method(&shared)
    };
    catch_unwind(AssertUnwindSafe(call)).ok()
}

/// # Safety
///
/// `returned` is what the engine passes to a virtual method that returns an `Error`.
unsafe fn write_error(returned: sys::GDExtensionTypePtr, error: Option<GodotError>) {
    let error = error.unwrap_or(GodotError::FAILED);
    // SAFETY: enums are returned as 64 bits.
    unsafe { returned.cast::<i64>().write(error.ord().into()) };
}

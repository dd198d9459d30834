//! The methods that the engine calls for each packet: `_get_available_packet_count`, `_get_packet` and `_put_packet`; and
//! `_get_max_packet_size`.
//!
//! gdext can register them too, as `virtuals_plain.rs` does, but its overhead takes as long as the methods themselves: with `&self`
//! it borrows the object, which costs two system calls that wake other threads; with `gd_self` it makes a `Gd`, and asks the engine
//! by name for the object's class. So they are registered by hand here, with the constructor, through what gdext's macros use
//! themselves. These parts of gdext are not documented: its version is pinned, and with a new version this file must be compared
//! with what `#[godot_api] impl IPacketPeerExtension` expands to. The feature `plain-virtuals` is the way out.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;
use std::sync::atomic::{AtomicUsize, Ordering};

use godot::builtin::{PackedByteArray, StringName};
use godot::global::Error as GodotError;
use godot::obj::cap::{GodotDefault, GodotNotification, ImplementsGodotVirtual};
use godot::obj::{Base, EngineEnum, GodotClass};
use godot::private::virtuals::PacketPeerExtension as virtuals;
use godot::private::{ClassShard, ITraitImpl, ShardItem};
use godot::sys::{self, GodotFfi, interface_fn};
use packet_peer_udp_core::MAX_PAYLOAD_IPV4;

use crate::availability;
use crate::calls::sending;
use crate::convert::{count_to_int, no_packet};
use crate::packet_peer::PacketPeerUdpRs;
use crate::registry::{self, InCall};
use crate::shared::Shared;
use crate::taken;

impl GodotDefault for PacketPeerUdpRs {
    fn __godot_user_init(base: Base<<Self as GodotClass>::Base>) -> Self {
        Self::new_closed(base)
    }
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
    /// gdext borrows the object mutably for this. Nothing else borrows it, and no script runs within it: it acts on the first
    /// notification only, the one at the end of construction, when the object has no script yet.
    fn __godot_on_notification(&mut self, what: i32) {
        if what == POSTINITIALIZE && self.is_first_notice() {
            warm_up(self.object());
        }
    }
}

sys::shard_add!(
    godot::private::__GODOT_SHARD_REGISTRY;
    ClassShard::new::<PacketPeerUdpRs>(ShardItem::ITraitImpl(
        ITraitImpl::new::<PacketPeerUdpRs>()
            .with_create::<PacketPeerUdpRs>()
            .with_on_notification::<PacketPeerUdpRs>()
    ))
);

/// `Object.NOTIFICATION_POSTINITIALIZE`: the object is constructed, and no other code has it yet.
const POSTINITIALIZE: i32 = 0;

/// How many threads are in [`warm_up`].
static WARMING_UP: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether this thread is.
    static WARMS_UP: Cell<bool> = const { Cell::new(false) };
}

/// Calls each virtual method that scripts can reach once, without effect. The engine looks up its address at an object's first
/// call (`Object::_gdvirtual_init_method_ptr`, as of 4.6), and meanwhile the address is null for other threads: two threads
/// that made the first call at the same time would crash the engine.
fn warm_up(object: sys::GDExtensionObjectPtr) {
    WARMING_UP.fetch_add(1, Ordering::Relaxed);
    WARMS_UP.set(true);
    let mut packet = PackedByteArray::new();
    let mut number: i64 = 0;
    let number = (&raw mut number).cast();
    call(object, "get_available_packet_count", 3_905_245_786, &[], number);
    call(object, "get_packet", 2_115_431_945, &[], packet.sys_mut());
    // The engine does not pass an empty packet on.
    packet.push(0);
    call(object, "put_packet", 680_677_267, &[packet.sys()], number);
    WARMS_UP.set(false);
    WARMING_UP.fetch_sub(1, Ordering::Relaxed);
}

/// Whether this thread is in [`warm_up`].
fn warms_up() -> bool {
    // Nearly always no thread is, and a thread-local costs more to ask than all that counting packets does.
    WARMING_UP.load(Ordering::Relaxed) != 0 && WARMS_UP.get()
}

/// Calls a method of the engine's class `PacketPeer`, given by its name and the hash of its signature (both are in the
/// engine's `extension_api.json`). Does nothing in an engine that has no such method.
fn call(
    object: sys::GDExtensionObjectPtr,
    method: &str,
    hash: i64,
    arguments: &[sys::GDExtensionConstTypePtr],
    returned: sys::GDExtensionTypePtr,
) {
    let class = StringName::from("PacketPeer");
    let method = StringName::from(method);
    // SAFETY: both names outlive the call, which only reads them.
    let bind = unsafe { interface_fn!(classdb_get_method_bind)(class.string_sys(), method.string_sys(), hash) };
    if !bind.is_null() {
        // SAFETY: the object lives, because its own notification is being handled, and is a PacketPeer. The hash identifies the
        // method's signature: the callers pass arguments of its types, and a place for the result that holds a value of the
        // result's type.
        unsafe { interface_fn!(object_method_bind_ptrcall)(bind, object, arguments.as_ptr(), returned) };
    }
}

// What the engine passes to each of the functions below: the storage of an object of this class; an array of pointers, one to
// each argument; and where to write the result. Integers and enums are 64 bits wide there, whatever their type is in the
// engine's declaration; pointers are pointers.

/// `int _get_available_packet_count()`
unsafe extern "C" fn get_available_packet_count(
    instance: sys::GDExtensionClassInstancePtr,
    _arguments: *const sys::GDExtensionConstTypePtr,
    returned: sys::GDExtensionTypePtr,
) {
    if warms_up() {
        // SAFETY: as said above.
        return unsafe { returned.cast::<i64>().write(-1) };
    }
    let method = |shared: InCall<'_, Shared>| {
        shared.peer.available().map_or(-1, |count| i32::try_from(count).unwrap_or(i32::MAX).into())
    };
    // SAFETY: as said above; `method` runs no script.
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
    unsafe { returned.cast::<i64>().write(count_to_int(MAX_PAYLOAD_IPV4)) };
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
    if warms_up() {
        // SAFETY: as said above; the engine takes an empty packet without looking at the pointer.
        unsafe { r_buffer_size.write(0) };
        // SAFETY: as said above.
        return unsafe { write_error(returned, Some(GodotError::OK)) };
    }
    let method = |shared: InCall<'_, Shared>| {
        let packet = match taken::take(&shared.peer, r_buffer, no_packet) {
            Ok(packet) => packet,
            Err(error) => return error,
        };
        // SAFETY: the engine passes the address of a `const uint8_t *` of its own to be filled in. What it reads there is valid,
        // and does not change, until the function that has this variable returns or takes the next packet: see `taken`.
        unsafe { r_buffer.write(packet.cast()) };
        // SAFETY: likewise the address of an `int32_t` of the engine's own, to be filled in.
        unsafe { r_buffer_size.write(i32::try_from(packet.len()).unwrap_or(0)) };
        GodotError::OK
    };
    // SAFETY: as said above; `method` runs no script.
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
    if warms_up() {
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
    let method = |shared: InCall<'_, Shared>| sending::put_packet(&shared, packet);
    // SAFETY: as said above; `put_packet` calls `keep` before it prints.
    let result = unsafe { guarded(instance, method) };
    // SAFETY: as said above.
    unsafe { write_error(returned, result) };
}

/// Calls `method` with the object's shared part. Nothing in it panics; if it did after all, gdext's hook prints that, and the
/// answer is `None`: a panic must not reach the engine. Nor is `method` called while the library is being unloaded.
///
/// # Safety
///
/// As of [`registry::with_instance`], for [`PacketPeerUdpRs`].
unsafe fn guarded<T>(
    instance: sys::GDExtensionClassInstancePtr,
    method: impl FnOnce(InCall<'_, Shared>) -> T,
) -> Option<T> {
    if availability::is_refused(instance) {
        return None;
    }
    let call = || {
        // SAFETY: as this function's own.
        unsafe { registry::with_instance::<PacketPeerUdpRs, _>(instance, method) }
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

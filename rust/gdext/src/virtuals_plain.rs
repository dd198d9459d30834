//! What `virtuals.rs` does, through gdext's documented interface alone: for the feature `plain-virtuals`, when a new version of gdext
//! lacks what that file uses.
//!
//! It costs more, see there, and is not as good: two threads that make the first calls of a peer at the same time may crash the
//! engine, which looks the methods up then; and while a peer is being freed (`NOTIFICATION_PREDELETE`), taking and sending fail.
//!
//! Counting packets borrows the object, since gdext has no other form of it. No script runs within it, and nothing borrows the object
//! mutably.

#![allow(clippy::needless_pass_by_value, reason = "the trait takes its arguments by value")]

use std::slice;

use godot::classes::{IPacketPeerExtension, PacketPeerExtension};
use godot::global::Error as GodotError;
use godot::meta::conv::RawPtr;
use godot::obj::{Base, Gd};
use godot::prelude::godot_api;
use packet_peer_udp_core::MAX_PAYLOAD_IPV4;

use crate::calls::sending;
use crate::convert::no_packet;
use crate::packet_peer::PacketPeerUdpRs;
use crate::registry::{self, HasShared};
use crate::taken;

#[godot_api]
impl IPacketPeerExtension for PacketPeerUdpRs {
    fn init(base: Base<PacketPeerExtension>) -> Self {
        Self::new_closed(base)
    }

    fn get_available_packet_count(&self) -> i32 {
        self.registration().peer.available().map_or(-1, |count| i32::try_from(count).unwrap_or(i32::MAX))
    }

    fn get_max_packet_size(&self) -> i32 {
        i32::try_from(MAX_PAYLOAD_IPV4).unwrap_or(i32::MAX)
    }

    #[func(gd_self)]
    unsafe fn get_packet_rawptr(
        this: Gd<Self>,
        r_buffer: RawPtr<*mut RawPtr<*const u8>>,
        r_buffer_size: RawPtr<*mut i32>,
    ) -> GodotError {
        let r_buffer = r_buffer.ptr().cast::<*const u8>();
        let packet = match registry::of(&this, |shared| taken::take(&shared.peer, r_buffer, no_packet)) {
            Ok(packet) => packet,
            Err(error) => return error,
        };
        // SAFETY: the engine passes the address of a `const uint8_t *` of its own to be filled in. What it reads there is valid,
        // and does not change, until the function that has this variable returns or takes the next packet: see `taken`.
        unsafe { r_buffer.write(packet.cast()) };
        // SAFETY: likewise the address of an `int32_t` of the engine's own, to be filled in.
        unsafe { r_buffer_size.ptr().write(i32::try_from(packet.len()).unwrap_or(0)) };
        GodotError::OK
    }

    #[func(gd_self)]
    unsafe fn put_packet_rawptr(this: Gd<Self>, p_buffer: RawPtr<*const u8>, p_buffer_size: i32) -> GodotError {
        let size = usize::try_from(p_buffer_size).unwrap_or(0);
        let packet = if size == 0 || p_buffer.ptr().is_null() {
            &[]
        } else {
            // SAFETY: the engine passes a pointer to `p_buffer_size` readable bytes, which it keeps, unchanged, until this call
            // returns; the slice does not live longer.
            unsafe { slice::from_raw_parts(p_buffer.ptr(), size) }
        };
        registry::of(&this, |shared| sending::put_packet(&shared, packet))
    }
}

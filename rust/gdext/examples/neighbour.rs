//! Another extension that uses gdext, as a game may have beside the addon (`scripts/two_extensions_test.sh`). Its class uses what the
//! addon's also use: state of the library, signals, virtual methods, the callback once a frame, threads, panics that are caught.

use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;

use godot::classes::{IPacketPeerExtension, PacketPeerExtension};
use godot::global::Error as GodotError;
use godot::init::InitStage;
use godot::meta::conv::RawPtr;
use godot::prelude::*;

/// How many frames the main loop has run since this library was loaded.
static FRAMES: AtomicI64 = AtomicI64::new(0);

struct NeighbourExtension;

// SAFETY: the entry point is only called by the engine, as the trait asks.
#[gdextension(entry_symbol = neighbour_init)]
unsafe impl ExtensionLibrary for NeighbourExtension {
    fn on_stage_init(stage: InitStage) {
        if stage == InitStage::MainLoop {
            FRAMES.store(0, Ordering::Relaxed);
        }
    }

    fn on_main_loop_frame() {
        FRAMES.fetch_add(1, Ordering::Relaxed);
    }
}

/// A packet peer without a network: what is put is what is got.
#[derive(GodotClass)]
#[class(tool, init, base = PacketPeerExtension)]
struct NeighbourPeer {
    packets: Vec<Vec<u8>>,
    taken: Vec<u8>,
    base: Base<PacketPeerExtension>,
}

#[godot_api]
impl NeighbourPeer {
    #[signal]
    fn summed(sum: i64);

    /// How many frames this library has seen.
    #[func]
    fn frames() -> i64 {
        FRAMES.load(Ordering::Relaxed)
    }

    /// Adds the numbers in a thread of its own and emits [signal summed].
    #[func]
    #[expect(clippy::needless_pass_by_value, reason = "as gdext's macro demands it")]
    fn sum(&mut self, numbers: VarArray) {
        let numbers: Vec<i64> = numbers.iter_shared().filter_map(|number| number.try_to().ok()).collect();
        let sum = thread::spawn(move || numbers.iter().sum()).join().unwrap_or(-1);
        self.signals().summed().emit(sum);
    }
}

#[godot_api]
impl IPacketPeerExtension for NeighbourPeer {
    fn get_available_packet_count(&self) -> i32 {
        i32::try_from(self.packets.len()).unwrap_or(i32::MAX)
    }

    fn get_max_packet_size(&self) -> i32 {
        1024
    }

    unsafe fn get_packet_rawptr(
        &mut self,
        r_buffer: RawPtr<*mut RawPtr<*const u8>>,
        r_buffer_size: RawPtr<*mut i32>,
    ) -> GodotError {
        if self.packets.is_empty() {
            return GodotError::ERR_UNAVAILABLE;
        }
        self.taken = self.packets.remove(0);
        // SAFETY: the engine copies the packet before the next call, and until then this object keeps it.
        let packet = unsafe { RawPtr::new(self.taken.as_ptr()) };
        // SAFETY: the engine passes the address of a pointer of its own.
        unsafe { r_buffer.ptr().write(packet) };
        // SAFETY: likewise the address of an integer of its own.
        unsafe { r_buffer_size.ptr().write(i32::try_from(self.taken.len()).unwrap_or(0)) };
        GodotError::OK
    }

    unsafe fn put_packet_rawptr(&mut self, buffer: RawPtr<*const u8>, buffer_size: i32) -> GodotError {
        let size = usize::try_from(buffer_size).unwrap_or(0);
        // SAFETY: the engine passes that many bytes, which live until this returns.
        let packet = unsafe { std::slice::from_raw_parts(buffer.ptr(), size) };
        self.packets.push(packet.to_vec());
        GodotError::OK
    }
}

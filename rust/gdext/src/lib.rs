//! `PacketPeerUdpRs` as a `GDExtension`: a thin layer of Godot types over `packet_peer_udp_core`.
//!
//! # Where is what
//!
//! | module | what it knows |
//! |---|---|
//! | [`packet_peer`] | the class `PacketPeerUdpRs`, one method of it after another |
//! | [`udp_server`] | the class `UdpServerRs`, likewise |
//! | [`virtuals`] | what the engine calls for each packet |
//! | [`registry`] | how a method finds its peer without borrowing the object; all peers and servers |
//! | [`arrays`] | packets as Godot's arrays |
//! | [`monitors`] | what all peers do, in the editor's debugger |
//! | [`clock`] | the core's clock and the engine's |
//! | [`report`] | lines in Godot's log: which, and how often |
//! | [`properties`] | why a property cannot be set |
//! | [`convert`] | the core's errors and figures in Godot's |
//!
//! # What holds everywhere
//!
//! - No method borrows its object while it blocks, prints or calls the engine (nearly all are `gd_self`, which borrows
//!   nothing): one thread may be in `wait()` while others call anything.
//! - Nothing is printed, and the engine is not called, under a lock or a borrow: printing can run a script.

use godot::classes::Engine;
use godot::init::InitStage;
use godot::prelude::*;
use packet_peer_udp_core::{PATH_VARIABLE, path_limit};

mod arrays;
mod clock;
mod convert;
mod monitors;
mod packet_peer;
mod properties;
mod registry;
mod report;
mod udp_server;
mod virtuals;

struct PacketPeerUdpRsExtension;

// SAFETY: the entry point is only called by the engine, as the trait asks.
#[gdextension(entry_symbol = packet_peer_udp_rs_init)]
unsafe impl ExtensionLibrary for PacketPeerUdpRsExtension {
    fn on_stage_init(stage: InitStage) {
        if stage == InitStage::Scene {
            packet_peer_udp_core::set_clock_origin(clock::origin_nsec());
            if let Err(name) = path_limit() {
                godot_warn!("{PATH_VARIABLE} is \"{name}\"; it may be \"portable\", \"batch\" or \"offload\".");
            }
            monitors::add();
        }
    }

    fn on_main_loop_frame() {
        registry::close_silent();
        packet_peer::emit_signals();
        monitors::sample();
    }

    fn on_stage_deinit(stage: InitStage) {
        if stage == InitStage::Scene {
            monitors::remove();
            // While the game goes on, it is the addon that goes: the editor reloads it. When the game ends, those who wait are
            // left where they are, as they would be with the engine's class: they must not come back to an engine in ruins.
            if Engine::singleton().get_main_loop().is_some() {
                registry::close_all();
            }
            packet_peer_udp_core::shut_down();
        }
    }
}

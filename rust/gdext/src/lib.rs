//! `PacketPeerUdpRs` as a `GDExtension`: a thin layer of Godot types over `packet_peer_udp_core`.
//!
//! # Where is what
//!
//! | module | what it knows |
//! |---|---|
//! | [`packet_peer`] | the class `PacketPeerUdpRs`, one method of it after another |
//! | [`registry`] | how a method finds its peer without borrowing the object |
//! | [`clock`] | the core's clock and the engine's |
//! | [`report`] | lines in Godot's log: which, and how often |
//! | [`convert`] | the core's errors in Godot's |
//!
//! # What holds everywhere
//!
//! - No method borrows its object while it blocks, prints or calls the engine (nearly all are `gd_self`, which borrows
//!   nothing): one thread may be in `wait()` while others call anything.
//! - Nothing is printed, and the engine is not called, under a lock or a borrow: printing can run a script.

use godot::init::InitStage;
use godot::prelude::*;
use packet_peer_udp_core::Path;

mod clock;
mod convert;
mod packet_peer;
mod registry;
mod report;

struct PacketPeerUdpRsExtension;

// SAFETY: the entry point is only called by the engine, as the trait asks.
#[gdextension(entry_symbol = packet_peer_udp_rs_init)]
unsafe impl ExtensionLibrary for PacketPeerUdpRsExtension {
    fn on_stage_init(stage: InitStage) {
        if stage == InitStage::Scene {
            packet_peer_udp_core::set_clock_origin(clock::origin_nsec());
            if let Some(path) = std::env::var_os(PATH_VARIABLE) {
                limit_path(&path.to_string_lossy());
            }
        }
    }

    fn on_main_loop_frame() {
        packet_peer::emit_signals();
    }

    fn on_stage_deinit(stage: InitStage) {
        if stage == InitStage::Scene {
            packet_peer_udp_core::shut_down();
        }
    }
}

/// How datagrams pass between sockets and the system, for tests, and to go round a broken driver.
const PATH_VARIABLE: &str = "PACKET_PEER_UDP_RS_PATH";

fn limit_path(name: &str) {
    match name {
        "portable" => packet_peer_udp_core::limit_path(Path::Portable),
        "batch" => packet_peer_udp_core::limit_path(Path::Batch),
        "offload" => {}
        _ => godot_warn!("{PATH_VARIABLE} is \"{name}\"; it may be \"portable\", \"batch\" or \"offload\"."),
    }
}

//! `PacketPeerUdpRs` as a `GDExtension`: a thin layer of Godot types over `packet_peer_udp_core`.
//!
//! # Where is what
//!
//! | module | what it knows |
//! |---|---|
//! | [`virtuals`] | what the engine calls to create a `PacketPeerUdpRs`, and for each packet |
//! | [`udp_server`] | the class `UdpServerRs`: its registered members and their reference |
//! | [`packet_peer`] | the class `PacketPeerUdpRs`, likewise |
//! | [`udp_link_proxy`] | the class `UdpLinkProxy`, likewise |
//! | [`udp_link_conditions`] | the class `UdpLinkConditions`, likewise |
//! | [`direct`] | registering methods: no borrows, the engine's own words for wrong arguments |
//! | [`calls`] | what the members do, by subject |
//! | [`taken`] | the packets that the engine is reading |
//! | [`frame`] | what is done once a frame, and when in the frame |
//! | [`signals`] | emitting signals, once a frame |
//! | [`monitors`] | the traffic of all peers, in the editor's debugger |
//! | [`unload`] | closing everything before the library is unloaded |
//! | [`shared`] | what belongs to an object and may be used from any thread without a borrow |
//! | [`registry`] | finding it by the object; all objects of a class |
//! | [`messages`] | what a line in the log says |
//! | [`report`] | whether it is printed: the same line at most once a second |
//! | [`convert`] | the core's types and Godot's; which integers of scripts are in range |
//! | [`arrays`] | packets as Godot's arrays |
//! | [`availability`] | whether methods may run: not while the library is being unloaded |
//! | [`clock`] | the core's clock and the engine's |
//!
//! A module uses only modules further down and the core, so no two use each other.
//!
//! # What holds everywhere
//!
//! - No method borrows its object, or refers to it by a `Gd`: all are [`direct`]. So while one thread is in `wait()`, others may
//!   call anything, and a script may call anything from wherever it runs: in a `Logger`, when an object is being freed.
//! - Nothing is printed, and the engine is not called, under a lock, because printing can run a script. There is one
//!   exception, [`registry`]'s references, with the reason there.

use godot::classes::Engine;
use godot::init::InitStage;
use godot::prelude::*;
use packet_peer_udp_core::{IO_MODE_VARIABLE, io_mode_limit};

mod arrays;
mod availability;
mod calls;
mod clock;
mod convert;
mod direct;
mod frame;
mod messages;
mod monitors;
mod packet_peer;
mod registry;
mod report;
mod shared;
mod signals;
mod taken;
mod udp_link_conditions;
mod udp_link_proxy;
mod udp_server;
mod unload;
#[cfg(not(feature = "plain-virtuals"))]
mod virtuals;

struct PacketPeerUdpRsExtension;

// SAFETY: the entry point is only called by the engine, as the trait asks.
#[gdextension(entry_symbol = packet_peer_udp_rs_init)]
unsafe impl ExtensionLibrary for PacketPeerUdpRsExtension {
    fn on_stage_init(stage: InitStage) {
        if stage == InitStage::Scene {
            availability::end_unloading();
            packet_peer_udp_core::set_clock_origin(clock::origin_nsec());
            if let Err(name) = io_mode_limit() {
                godot_warn!("{IO_MODE_VARIABLE} is \"{name}\"; it may be \"portable\", \"batch\" or \"offload\".");
            }
            monitors::add();
        }
        if stage == InitStage::MainLoop {
            frame::start();
        }
    }

    fn on_main_loop_frame() {
        frame::end();
    }

    fn on_stage_deinit(stage: InitStage) {
        if stage == InitStage::Scene {
            frame::stop();
            monitors::remove();
            // With a main loop, the game goes on and the library is unloaded: the editor reloads it. Without one, the game
            // ends, and waiting threads are left where they are, as with the engine's class: they must not return into an
            // engine that is being destroyed.
            if Engine::singleton().get_main_loop().is_some() {
                unload::close_all();
            }
            packet_peer_udp_core::shut_down();
        }
    }
}

//! The sockets, queue and waiting behind `PacketPeerUdpRs`, without Godot: tested by plain `cargo test`.
//!
//! # Where is what
//!
//! Data flows one way: kernel → [`socket`] → [`queue`] → [`peer`] → whoever takes it.
//!
//! | module | what it knows |
//! |---|---|
//! | [`peer`] | the peer: its state, and what may happen at the same time; `peer/` has its parts |
//! | [`server`] | a server: a peer for everybody who sends to its socket; `server/crowd` has who they are |
//! | [`background`] | the thread that receives for all peers that want it |
//! | [`wait`] | waiting for a packet, ended by other threads |
//! | [`queue`] | received packets, bounded in bytes |
//! | [`socket`] | one UDP socket: families, groups, options |
//! | [`sys`] | what differs between platforms; how datagrams pass between a socket and the kernel |
//! | [`clock`] | when packets arrive |
//! | [`resolve`], [`interfaces`] | host names and network interfaces to addresses |
//! | [`resolver`] | the threads that resolve names for those who do not want to wait |
//! | [`address`] | addresses as text |
//! | [`threads`] | joining what was started |
//! | [`error`] | what can go wrong |
//!
//! # What holds everywhere
//!
//! - Every method of [`Peer`] may be called from any thread.
//! - Locks guard data, not time: nothing that can block is done under one.
//! - Nothing that a script or a packet can do panics.
// One module has a reason, which it gives, and `sys` talks to the system.
#![deny(unsafe_code)]

mod address;
#[allow(unsafe_code, reason = "registering a socket with a poller carries a promise")]
mod background;
mod clock;
mod error;
mod interfaces;
mod peer;
mod queue;
mod resolve;
mod resolver;
mod server;
mod socket;
#[allow(unsafe_code, reason = "calls into the system that no library offers")]
mod sys;
mod threads;
mod wait;

pub use address::format_address;
pub use background::{background_threads, take_news};
pub use clock::{clock_nsec, set_clock_origin};
pub use error::{Error, Operation, Reason, Result};
pub use interfaces::broadcast_addresses;
pub use peer::destination::{DestinationChange, Resolved};
pub use peer::options::{Options, Refusal, SocketOption};
pub use peer::receive::{Run, Taking};
pub use peer::send::MAX_PAYLOAD_IPV4;
pub use peer::stats::{Stats, Totals};
pub use peer::{LastError, Peer};
pub use queue::{MAX_DATAGRAM, OverflowPolicy, Packet, PacketMeta};
pub use resolver::resolver_threads;
pub use server::{Server, ServerStats};
pub use sys::{IO_MODE_VARIABLE, IoMode, io_mode_limit};
pub use wait::WaitEnd;

/// Ends the background thread and gives back what is kept for later. For the end of the process, or of the library, when
/// all peers are closed.
pub fn shut_down() {
    background::shut_down();
    resolver::shut_down();
    wait::release_idle_sleepers();
    peer::receive::release_arenas();
}

//! The sockets, queue and waiting behind `PacketPeerUdpRs`, without Godot: tested by plain `cargo test`.
//!
//! # Where is what
//!
//! Data flows one way: kernel → [`socket`] → [`queue`] → [`peer`] → whoever takes it.
//!
//! | module | what it knows |
//! |---|---|
//! | [`peer`] | the peer: its state, and what may happen at the same time |
//! | [`wait`] | waiting for a packet, ended by other threads |
//! | [`queue`] | received packets, bounded in bytes |
//! | [`socket`] | one UDP socket: families, groups, options |
//! | [`sys`] | what differs between platforms |
//! | [`resolve`], [`interfaces`] | host names and network interfaces to addresses |
//! | [`address`] | addresses as text |
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
mod error;
mod interfaces;
mod peer;
mod queue;
mod resolve;
mod socket;
#[allow(unsafe_code, reason = "calls into the system that no library offers")]
mod sys;
#[allow(unsafe_code, reason = "registering a socket with a poller carries a promise")]
mod wait;

pub use address::format_ip;
pub use error::{Error, Operation, Reason, Result};
pub use peer::{DestinationChange, LastError, Peer};
pub use queue::MAX_DATAGRAM;
pub use wait::{WaitEnd, release_idle_waiters};

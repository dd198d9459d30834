//! Random sequences of the calls of a peer, and of a server with its peers, over real sockets on loopback: each answer, each packet and
//! each count is compared with a simple model's. A sequence that fails is shortened, printed and kept in `tests/proptest-regressions`,
//! where it is tried first from then on.
//!
//! `SEQUENCES=100000` sets how many there are of both together, `SEQUENCES_SEED=1` begins with that seed; `scripts/sequences.sh` sets both.
//!
//! Every call is allowed in every state of the model, so a sequence is a list, and every part of it is a sequence too.
//!
//! | module | what it has |
//! |---|---|
//! | [`queue`] | the model of a receive queue |
//! | [`peers`] | the calls of a peer, their model, and the comparison |
//! | [`servers`] | the same for a server and the peers that it has accepted |
//! | [`packets`] | payloads that tell which packet they are, and the sockets at the other end |
//! | [`run`] | how many sequences, and how often each call succeeded and failed |
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::cast_possible_truncation, reason = "small numbers")]
#![allow(clippy::struct_excessive_bools, reason = "a model has the flags that its subject has")]
#![allow(clippy::too_many_lines, reason = "one arm for each call")]

#[macro_use]
#[path = "../common/mod.rs"]
mod common;

mod packets;
mod peers;
mod queue;
mod run;
mod servers;

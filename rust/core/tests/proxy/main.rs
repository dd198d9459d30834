//! A relay: what it passes on, what its link conditions do, and its clients.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::cast_possible_truncation, reason = "small numbers")]

#[macro_use]
#[path = "../common/mod.rs"]
mod common;

mod clients;
mod conditions;
mod fixture;
mod traffic;

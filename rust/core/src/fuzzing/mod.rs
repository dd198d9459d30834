//! The bodies of the fuzz targets of `rust/fuzz`. Each takes bytes, makes of them what its subject is given, and panics where a property does
//! not hold. `cargo test` runs each of them on the inputs in `rust/fuzz/corpus`, on every platform.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a panic is how a check fails")]

mod address;
mod input;
mod link;
mod peers;
mod relay;
mod server;
#[cfg(test)]
mod tests;
mod world;

pub use address::addresses;
pub use link::link;
pub use peers::peers;
pub use relay::relay;
pub use server::server;

/// What the kernel has written as control messages: any bytes.
#[cfg(unix)]
pub fn control(data: &[u8]) {
    let mut input = input::Input::new(data);
    let told = usize::from(input.byte());
    crate::sys::check_control(input.rest(), told);
}

//! A library with one class whose one method panics: what the test scenes' runner must catch (`scripts/selftest.sh`).

use godot::prelude::*;

struct PanicProbeExtension;

// SAFETY: the entry point is only called by the engine, as the trait asks.
#[gdextension(entry_symbol = panic_probe_init)]
unsafe impl ExtensionLibrary for PanicProbeExtension {}

/// Panics on request.
#[derive(GodotClass)]
#[class(tool, init, base = RefCounted)]
struct PanicProbe {}

#[godot_api]
impl PanicProbe {
    #[func]
    #[expect(clippy::panic, reason = "it is what this is for")]
    fn panic_now() {
        panic!("the panic probe was asked to panic");
    }
}

//! Whether the methods may run. While the editor reloads the addon, threads of scripts can still call methods, and the engine does
//! not keep them from it: see [`is_refused`].

use std::sync::atomic::{AtomicBool, Ordering};

use godot::sys;

/// Whether the library is being unloaded: from before the engine frees the objects until the library is initialised again. (It
/// may stay in memory in between.)
static IS_UNLOADING: AtomicBool = AtomicBool::new(false);

/// Whether a method was called meanwhile.
static WAS_CALLED: AtomicBool = AtomicBool::new(false);

/// Whether a method that is called for this instance must return at once, without a call of the engine.
///
/// When the engine reloads an extension, it frees the extension's part of each object and sets its pointer to it to null
/// (`Object::clear_internal_extension`, as of 4.6), closes the library, loads the new one and lets that make its part of each object
/// again. Until then the methods stay registered, and a call from another thread reaches them with a null pointer, or with one that
/// is about to be freed.
#[inline]
pub(crate) fn is_refused(instance: sys::GDExtensionClassInstancePtr) -> bool {
    instance.is_null() || is_unloading()
}

/// The same for a method without an instance.
#[inline]
pub(crate) fn is_unloading() -> bool {
    let is_unloading = IS_UNLOADING.load(Ordering::Relaxed);
    if is_unloading {
        WAS_CALLED.store(true, Ordering::Relaxed);
    }
    is_unloading
}

/// From here on, no call of a method begins.
pub(crate) fn begin_unloading() {
    WAS_CALLED.store(false, Ordering::SeqCst);
    IS_UNLOADING.store(true, Ordering::SeqCst);
}

/// Whether a call has come since [`begin_unloading`]: then there is a thread that may go on to call.
pub(crate) fn was_called() -> bool {
    WAS_CALLED.load(Ordering::SeqCst)
}

/// The library is initialised.
pub(crate) fn end_unloading() {
    IS_UNLOADING.store(false, Ordering::SeqCst);
}

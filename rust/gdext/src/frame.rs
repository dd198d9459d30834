//! What is done once a frame on the main thread: before the nodes' `_process()` the signals, at the frame's end the monitors.
//!
//! The engine calls an extension at the end of a frame only (`ExtensionLibrary::on_main_loop_frame`), when the nodes have been
//! processed. A `SceneTree` emits `process_frame` before it processes them, also while it is paused and in the editor (see
//! `SceneTree::process` in the engine's `scene/main/scene_tree.cpp`). So an object of this module is connected to that signal when
//! the main loop starts, and at the end of a frame in which it was not emitted: after the library was reloaded, or the main loop
//! replaced. The signals of such a frame are emitted at its end; so are all where the main loop is no `SceneTree`.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use godot::classes::{Engine, Object};
use godot::init::is_main_thread;
use godot::obj::NewAlloc;
use godot::prelude::*;
use packet_peer_udp_core::begin_frame;

use crate::{monitors, signals};

/// Whether the frame's signals have been emitted: once a frame, however often `process_frame` is emitted.
static HAS_EMITTED: AtomicBool = AtomicBool::new(false);

/// The instance id of the [`UdpRsFrameListener`]; 0 where there is none.
static LISTENER: AtomicI64 = AtomicI64::new(0);

/// What the main loop's signal calls.
///
/// It is an object and no custom `Callable`: while the engine emits a signal, it holds a copy of each `Callable`. A custom one would
/// call into this library when it is dropped, even if a handler of the same signal has unloaded the library. That of an object which
/// was freed meanwhile is passed over.
#[derive(GodotClass)]
#[class(tool, init, internal, base = Object)]
struct UdpRsFrameListener {
    base: Base<Object>,
}

#[godot_api]
impl UdpRsFrameListener {
    #[func(gd_self)]
    fn on_process_frame(_this: Gd<Self>) {
        begin();
    }
}

/// The nodes are about to be processed.
fn begin() {
    if is_main_thread() && !HAS_EMITTED.swap(true, Ordering::Relaxed) {
        begin_frame();
        signals::emit();
    }
}

/// The frame is over. For `ExtensionLibrary::on_main_loop_frame`.
pub(crate) fn end() {
    if !HAS_EMITTED.swap(false, Ordering::Relaxed) {
        start();
        begin_frame();
        signals::emit();
    }
    monitors::sample();
}

/// Has [`begin`] called from the next frame on, if the main loop is a `SceneTree`.
pub(crate) fn start() {
    let Some(main_loop) = Engine::singleton().get_main_loop() else { return };
    if !main_loop.is_class("SceneTree") {
        return;
    }
    let mut tree = main_loop.upcast::<Object>();
    let listener = listener().unwrap_or_else(|| {
        let new = UdpRsFrameListener::new_alloc();
        LISTENER.store(new.instance_id().to_i64(), Ordering::Relaxed);
        new
    });
    let on_process_frame = Callable::from_object_method(&listener, "on_process_frame");
    if !tree.is_connected("process_frame", &on_process_frame) {
        tree.connect("process_frame", &on_process_frame);
    }
}

fn listener() -> Option<Gd<UdpRsFrameListener>> {
    let id = InstanceId::try_from_i64(LISTENER.load(Ordering::Relaxed))?;
    Gd::try_from_instance_id(id).ok()
}

/// Is called no more. For the end of the engine, and before the library is unloaded.
pub(crate) fn stop() {
    if let Some(listener) = listener() {
        // Its connection ends with it.
        listener.free();
    }
    LISTENER.store(0, Ordering::Relaxed);
    signals::forget();
    HAS_EMITTED.store(false, Ordering::Relaxed);
}

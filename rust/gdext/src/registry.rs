//! Finding a peer by its object, without a borrow of that object.
//!
//! gdext guards each object with a lock that a borrow holds: a thread that blocks in `wait()` with a borrow would make
//! every other call on the object block too, and each borrow costs system calls. The methods are therefore `gd_self`:
//! they are given the object itself, and find its peer here by the object's instance id.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, OnceLock};

use godot::builtin::Variant;
use godot::classes::WeakRef;
use godot::global::weakref;
use godot::meta::ToGodot;
use godot::obj::{Gd, InstanceId};
use packet_peer_udp_core::Peer;
use parking_lot::RwLock;

use crate::packet_peer::PacketPeerUdpRs;
use crate::report::Reporter;

/// What belongs to one `PacketPeerUdpRs` and may be used from any thread.
pub(crate) struct Shared {
    pub(crate) peer: Arc<Peer>,
    pub(crate) reporter: Reporter,
    /// Under which name it stands in the registry, once it does.
    id: OnceLock<InstanceId>,
    /// The object, for signals; set when it may have some to emit.
    object: OnceLock<WeakObject>,
}

impl Default for Shared {
    fn default() -> Self {
        Self { peer: Peer::new(), reporter: Reporter::default(), id: OnceLock::new(), object: OnceLock::new() }
    }
}

/// The engine's own weak reference.
struct WeakObject(Gd<WeakRef>);

// SAFETY: `WeakRef` is reference-counted by the engine with atomic operations, so the last one to let go may be any
// thread; and it is used for nothing but `get_ref()`, which reads an id that never changes and looks it up in the
// engine's table of objects, under that table's own lock.
unsafe impl Send for WeakObject {}
// SAFETY: as above; `get_ref()` changes nothing.
unsafe impl Sync for WeakObject {}

static PEERS: LazyLock<RwLock<HashMap<InstanceId, Arc<Shared>>>> = LazyLock::new(RwLock::default);

/// What belongs to `object`. The first call for an object enters it; the constructor cannot, since an object that is
/// being made does not know its id yet.
pub(crate) fn of(object: &Gd<PacketPeerUdpRs>) -> Arc<Shared> {
    let id = object.instance_id_unchecked();
    if let Some(shared) = PEERS.read().get(&id) {
        return Arc::clone(shared);
    }
    // Nothing that borrows the object mutably exists, so this cannot fail; it is done outside the lock.
    let shared = object.bind().shared();
    PEERS.write().insert(id, Arc::clone(&shared));
    // A second thread that comes here at the same time enters the same thing under the same id.
    let _ = shared.id.set(id);
    shared
}

/// Makes `object` one that [`find`] finds.
pub(crate) fn announce(object: &Gd<PacketPeerUdpRs>) {
    let shared = of(object);
    if shared.object.get().is_none()
        && let Ok(weak) = weakref(&object.to_variant()).try_to::<Gd<WeakRef>>()
    {
        // A second thread that comes here at the same time has one that is as good.
        let _ = shared.object.set(WeakObject(weak));
        if let Some(id) = shared.id.get() {
            shared.peer.set_token(id.to_i64().cast_unsigned());
        }
    }
}

/// The object of a token ([`Peer::set_token`]), if it still lives and was [announced](announce), and what belongs to it.
///
/// The object is asked for under the registry's lock, which whoever frees it needs as well: so it is either whole, or not
/// found. It must be let go of without that lock (letting go may free it), hence by the caller.
pub(crate) fn find(token: u64) -> Option<(Variant, Arc<Shared>)> {
    let peers = PEERS.read();
    let shared = peers.get(&InstanceId::try_from_i64(token.cast_signed())?)?;
    let object = shared.object.get()?.0.get_ref();
    (!object.is_nil()).then(|| (object, Arc::clone(shared)))
}

/// Forgets an object that is being freed: nobody can call its methods any more.
pub(crate) fn remove(shared: &Shared) {
    if let Some(id) = shared.id.get() {
        PEERS.write().remove(id);
    }
}

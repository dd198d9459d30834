//! Finding a peer by its object, without a borrow of that object.
//!
//! gdext guards each object with a lock that a borrow holds: a thread that blocks in `wait()` with a borrow would make
//! every other call on the object block too, and each borrow costs system calls. The methods are therefore `gd_self`:
//! they are given the object itself, and find its peer here by the object's instance id.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, OnceLock};

use godot::obj::{Gd, InstanceId};
use packet_peer_udp_core::Peer;
use parking_lot::RwLock;

use crate::packet_peer::PacketPeerUdpRs;
use crate::report::Reporter;

/// What belongs to one `PacketPeerUdpRs` and may be used from any thread.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) peer: Peer,
    pub(crate) reporter: Reporter,
    /// Under which name it stands in the registry, once it does.
    id: OnceLock<InstanceId>,
}

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

/// Forgets an object that is being freed: nobody can call its methods any more.
pub(crate) fn remove(shared: &Shared) {
    if let Some(id) = shared.id.get() {
        PEERS.write().remove(id);
    }
}

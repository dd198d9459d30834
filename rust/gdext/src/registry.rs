//! Finding a peer by its object, without a borrow of that object.
//!
//! gdext guards each object with a lock that a borrow holds: a thread that blocks in `wait()` with a borrow would make
//! every other call on the object block too, and each borrow costs system calls. The methods are therefore `gd_self`:
//! they are given the object itself, and find its peer here by the object's instance id.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, LazyLock, OnceLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

use godot::builtin::Variant;
use godot::classes::WeakRef;
use godot::global::weakref;
use godot::meta::ToGodot;
use godot::obj::{Gd, InstanceId};
use godot::private::{Storage, as_storage};
use godot::sys::{self, interface_fn};
use packet_peer_udp_core::{Peer, Server, Totals};
use parking_lot::{Mutex, RwLock};

use crate::packet_peer::PacketPeerUdpRs;
use crate::properties;
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
        Self::of(Peer::new())
    }
}

impl Shared {
    pub(crate) fn of(peer: Arc<Peer>) -> Self {
        let reporter = Reporter::new("PacketPeerUdpRs");
        Self { peer, reporter, id: OnceLock::new(), object: OnceLock::new() }
    }

    /// Says which options the system refused when the peer was opened, if any. To be called after whatever may open it.
    pub(crate) fn tell_refusals(&self) {
        for refusal in self.peer.take_refusals() {
            self.reporter.print_of_property(refusal.option, &properties::remedy(&refusal.error));
        }
    }
}

/// What belongs to one `UdpServerRs` and may be used from any thread.
pub(crate) struct SharedServer {
    pub(crate) server: Server,
    pub(crate) reporter: Reporter,
}

/// The engine's own weak reference.
struct WeakObject(Gd<WeakRef>);

// SAFETY: `WeakRef` is reference-counted by the engine with atomic operations, so the last one to let go may be any
// thread; and it is used for nothing but `get_ref()`, which reads an id that never changes and looks it up in the
// engine's table of objects, under that table's own lock.
unsafe impl Send for WeakObject {}
// SAFETY: as above; `get_ref()` changes nothing.
unsafe impl Sync for WeakObject {}

static PEERS: LazyLock<RwLock<Peers>> = LazyLock::new(RwLock::default);

/// Every server.
static SERVERS: Mutex<Vec<Arc<SharedServer>>> = Mutex::new(Vec::new());

#[derive(Default)]
struct Peers {
    by_id: HashMap<InstanceId, Arc<Shared>, BuildHasherDefault<IdHasher>>,
    /// What those have moved that are gone.
    gone: Totals,
}

/// A quick hash for instance ids: the engine deals them out, so nobody can choose them to collide.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64((*byte).into());
        }
    }

    fn write_u64(&mut self, number: u64) {
        // 2^64 divided by the golden ratio (Knuth, "multiplicative hashing"); the upper half is well mixed then, and the
        // table looks at both ends.
        let product = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = product ^ (product >> 32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// How many of the peers that it has used last each thread remembers.
const REMEMBERED: usize = 128;

thread_local! {
    /// Whom this thread has asked for lately, each in the place that its id's last bits say: so threads that use different
    /// peers do not get into each other's way at the registry. An id is never used twice, and a peer whose object is gone
    /// is not kept by this.
    static LATELY: RefCell<[(Option<InstanceId>, Weak<Shared>); REMEMBERED]> =
        const { RefCell::new([const { (None, Weak::new()) }; REMEMBERED]) };
}

/// What belongs to `object`.
pub(crate) fn of(object: &Gd<PacketPeerUdpRs>) -> Arc<Shared> {
    // Nothing that borrows the object mutably exists, so borrowing it cannot fail.
    by_id(object.instance_id_unchecked(), || object.bind().shared())
}

/// What belongs to the object that the engine calls a virtual method of.
///
/// # Safety
///
/// `instance` is what the engine passes to a virtual method of this class, and this is called within that method.
pub(crate) unsafe fn of_instance(instance: sys::GDExtensionClassInstancePtr) -> Arc<Shared> {
    // SAFETY: the engine passes what gdext has given it when the object was made: its storage, which lives as long as the
    // object, and that lives until the call returns.
    let storage = unsafe { as_storage::<PacketPeerUdpRs>(instance) };
    // SAFETY: the object lives, as said.
    let id = unsafe { interface_fn!(object_get_instance_id)(storage.base().obj_sys()) };
    let shared = || storage.get().shared();
    // (No object has the id 0.)
    InstanceId::try_from_i64(id.cast_signed()).map_or_else(shared, |id| by_id(id, shared))
}

/// What belongs to the object of that id. The first call for an object enters what `shared` gives; the constructor cannot,
/// since an object that is being made does not know its id yet.
fn by_id(id: InstanceId, shared: impl FnOnce() -> Arc<Shared>) -> Arc<Shared> {
    LATELY.with_borrow_mut(|lately| {
        // (The engine counts in the lower bits.)
        let place = &mut lately[usize::from(id.to_i64().to_le_bytes()[0]) % REMEMBERED];
        if place.0 == Some(id)
            && let Some(shared) = place.1.upgrade()
        {
            return shared;
        }
        let shared = enter(id, shared);
        *place = (Some(id), Arc::downgrade(&shared));
        shared
    })
}

fn enter(id: InstanceId, shared: impl FnOnce() -> Arc<Shared>) -> Arc<Shared> {
    if let Some(shared) = PEERS.read().by_id.get(&id) {
        return Arc::clone(shared);
    }
    // Asked for outside the lock: it borrows the object.
    let shared = shared();
    // A second thread that comes here at the same time enters the same thing under the same id.
    let _ = shared.id.set(id);
    PEERS.write().by_id.insert(id, Arc::clone(&shared));
    shared
}

/// The longest that unloading waits for threads to leave their waits: they do at once, unless they get no processor time.
const LEAVING: Duration = Duration::from_secs(1);

/// How long a thread may take from the end of a wait back to the engine: a moment, in which nobody can see it.
const LAST_STEPS: Duration = Duration::from_millis(50);

/// Closes every peer and stops every server, and returns when no thread is inside a wait any more: the library is about
/// to be unloaded, and they would come back to code that is not there. (The engine frees the objects only afterwards.)
pub(crate) fn close_all() {
    let ((all, _), servers) = (all(), servers());
    let is_waited_on = || {
        let of_servers = servers.iter().any(|shared| shared.server.waits() > 0);
        of_servers || all.iter().any(|shared| shared.peer.waits() > 0)
    };
    let somebody_waits = is_waited_on();
    for shared in &all {
        shared.peer.close();
    }
    for shared in &servers {
        shared.server.stop();
    }
    if somebody_waits {
        let deadline = Instant::now() + LEAVING;
        while is_waited_on() && Instant::now() < deadline {
            thread::yield_now();
        }
        thread::sleep(LAST_STEPS);
    }
}

/// Makes `object` one that [`find`] finds.
pub(crate) fn announce(object: &Gd<PacketPeerUdpRs>) {
    let shared = of(object);
    if shared.object.get().is_none()
        && let Ok(weak) = weakref(&object.to_variant()).try_to::<Gd<WeakRef>>()
    {
        // A second thread that comes here at the same time has one that is as good.
        let _ = shared.object.set(WeakObject(weak));
    }
    // Afterwards, since who has a token is looked for; and by every thread that comes here: each may have news to tell
    // when this returns.
    shared.peer.set_token(object.instance_id_unchecked().to_i64().cast_unsigned());
}

/// The object of a token ([`Peer::set_token`]), if it still lives and was [announced](announce), and what belongs to it.
///
/// The object is asked for under the registry's lock, which whoever frees it needs as well: so it is either whole, or not
/// found. It must be let go of without that lock (letting go may free it), hence by the caller.
pub(crate) fn find(token: u64) -> Option<(Variant, Arc<Shared>)> {
    let peers = PEERS.read();
    let shared = peers.by_id.get(&InstanceId::try_from_i64(token.cast_signed())?)?;
    let object = shared.object.get()?.0.get_ref();
    (!object.is_nil()).then(|| (object, Arc::clone(shared)))
}

/// Forgets an object that is being freed: nobody can call its methods any more.
pub(crate) fn remove(shared: &Shared) {
    if let Some(id) = shared.id.get() {
        // Nobody knows it without an id, so it has moved nothing.
        let totals = shared.peer.totals();
        let mut peers = PEERS.write();
        peers.by_id.remove(id);
        peers.gone += totals;
    }
}

/// All peers, and what those have moved that are gone by now.
pub(crate) fn all() -> (Vec<Arc<Shared>>, Totals) {
    let peers = PEERS.read();
    (peers.by_id.values().map(Arc::clone).collect(), peers.gone)
}

/// What belongs to a new `UdpServerRs`. To be undone by [`remove_server`].
pub(crate) fn new_server() -> Arc<SharedServer> {
    let shared = Arc::new(SharedServer { server: Server::default(), reporter: Reporter::new("UdpServerRs") });
    SERVERS.lock().push(Arc::clone(&shared));
    shared
}

/// Forgets a server that is being freed.
pub(crate) fn remove_server(shared: &Arc<SharedServer>) {
    SERVERS.lock().retain(|other| !Arc::ptr_eq(other, shared));
    PEERS.write().gone.packets_dropped += shared.server.drops();
}

/// All servers.
pub(crate) fn servers() -> Vec<Arc<SharedServer>> {
    SERVERS.lock().clone()
}

/// Closes the peers that were silent for too long, of servers that nobody need poll. Called once a frame.
pub(crate) fn close_silent() {
    for shared in servers() {
        if shared.server.background_receive() {
            shared.server.close_silent();
        }
    }
}

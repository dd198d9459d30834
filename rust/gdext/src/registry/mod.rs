//! Every object of a registered class: how its methods find what they work on, and how to reach all objects of a class.
//!
//! gdext guards each object with a lock that a borrow holds: a thread that blocks in `wait()` with a borrow makes every
//! other call on the object block too, and each borrow costs system calls. So what the methods of an object use lies in a
//! shared part ([`HasShared::Shared`]), the methods are `gd_self`, which borrows nothing, and the shared part is found here
//! by the object's instance id. An object is registered from its constructor on, until it is freed.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use godot::builtin::Variant;
use godot::classes::WeakRef;
use godot::global::weakref;
use godot::meta::ToGodot;
use godot::obj::bounds::{DeclUser, MemRefCounted};
use godot::obj::{Base, Bounds, Gd, GodotClass};
use godot::private::{Storage, as_storage};
use godot::sys::{self, interface_fn};
use packet_peer_udp_core::Totals;
use parking_lot::RwLock;

mod slots;

use slots::SlotTable;

/// A class whose objects have a shared part.
///
/// Only of reference-counted classes: so a [`Gd`] keeps the object, and with it the shared part, alive.
pub(crate) trait HasShared: GodotClass + Bounds<Declarer = DeclUser, Memory = MemRefCounted> {
    /// What the methods use, from any thread and without a borrow of the object.
    type Shared: Registered;

    /// The object's own registration, which it keeps from its constructor on and never replaces.
    fn registration(&self) -> &Registration<Self::Shared>;
}

/// The shared part of the objects of a class.
pub(crate) trait Registered: Send + Sync + Sized + 'static {
    /// Where all of them are.
    fn registry() -> &'static Registry<Self>;

    /// Closes the socket, and ends all waits on it.
    fn close(&self);

    /// How many threads are in a wait.
    fn waits(&self) -> usize;

    /// What has passed through its sockets since it was created.
    fn totals(&self) -> Totals;

    /// Where [`make_findable`] keeps its reference to the object.
    fn object(&self) -> &WeakObject;
}

/// Keeps an object registered. It is a field of the object, so it is dropped when the object is freed. It then closes the
/// shared part, because another thread that goes through all objects may keep that alive a little longer.
pub(crate) struct Registration<S: Registered> {
    id: u64,
    shared: Arc<S>,
}

impl<S: Registered> Registration<S> {
    /// Registers the object that is being constructed.
    pub(crate) fn new<B: GodotClass>(base: &Base<B>, shared: Arc<S>) -> Self {
        // SAFETY: when the constructor runs, the engine's part of the object exists and has its id.
        let id = unsafe { interface_fn!(object_get_instance_id)(base.obj_sys()) };
        S::registry().add(id, Arc::clone(&shared));
        Self { id, shared }
    }
}

impl<S: Registered> Deref for Registration<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.shared
    }
}

impl<S: Registered> Drop for Registration<S> {
    fn drop(&mut self) {
        self.shared.close();
        S::registry().remove(self.id, self.shared.totals());
    }
}

/// All objects of a class.
pub(crate) struct Registry<S> {
    /// For each call of a method; what is not found here is in `objects`.
    slots: SlotTable<S>,
    objects: RwLock<Objects<S>>,
}

struct Objects<S> {
    by_id: HashMap<u64, Arc<S>, BuildHasherDefault<IdHasher>>,
    /// The totals of those that were freed.
    freed: Totals,
}

/// The engine's own weak reference to an object, once [`make_findable`] has set it.
#[derive(Default)]
pub(crate) struct WeakObject(OnceLock<Gd<WeakRef>>);

// SAFETY: the engine counts references to a `WeakRef` with atomic operations, so any thread may drop the last one. Nothing
// is called on it but `get_ref()`, which reads an id that never changes and looks it up in the engine's table of objects
// under that table's lock.
unsafe impl Send for WeakObject {}
// SAFETY: as above; `get_ref()` changes nothing.
unsafe impl Sync for WeakObject {}

impl<S: Registered> Registry<S> {
    pub(crate) const fn new() -> Self {
        let freed = Totals { packets_in: 0, packets_out: 0, bytes_in: 0, bytes_out: 0, packets_dropped: 0 };
        let objects = Objects { by_id: HashMap::with_hasher(BuildHasherDefault::new()), freed };
        Self { slots: SlotTable::new(), objects: RwLock::new(objects) }
    }

    /// All objects that there are, and the totals of those that were freed.
    pub(crate) fn all(&self) -> (Vec<Arc<S>>, Totals) {
        let objects = self.objects.read();
        (objects.by_id.values().map(Arc::clone).collect(), objects.freed)
    }

    /// The object of a token that [`make_findable`] has given, and its shared part; `None` once it is being freed.
    ///
    /// The engine's weak reference is read under the registry's lock, which freeing an object takes too: so the object is
    /// whole, or it is not found. The caller drops it without that lock, since dropping the last reference frees it.
    pub(crate) fn find(&self, token: u64) -> Option<(Variant, Arc<S>)> {
        let objects = self.objects.read();
        let shared = objects.by_id.get(&token)?;
        let object = shared.object().0.get()?.get_ref();
        (!object.is_nil()).then(|| (object, Arc::clone(shared)))
    }

    fn add(&self, id: u64, shared: Arc<S>) {
        self.slots.add(id, Arc::as_ptr(&shared));
        self.objects.write().by_id.insert(id, shared);
    }

    fn remove(&self, id: u64, totals: Totals) {
        self.slots.remove(id);
        let mut objects = self.objects.write();
        // Not the last reference: the caller has one. So nothing of the engine's is dropped under the lock.
        objects.by_id.remove(&id);
        objects.freed += totals;
    }

    /// The shared part of the object that has this id: what [`Arc::as_ptr`] gives.
    fn get(&self, id: u64) -> Option<*const S> {
        self.slots.get(id).or_else(|| self.objects.read().by_id.get(&id).map(Arc::as_ptr))
    }
}

/// The shared part of `object`.
pub(crate) fn of<C: HasShared>(object: &Gd<C>) -> &C::Shared {
    let registry = C::Shared::registry();
    // (An object is in the registry as long as it lives. If it were not, its own registration has the same answer.)
    let shared = registry.get(id_of(object)).unwrap_or_else(|| Arc::as_ptr(&object.bind().registration().shared));
    // SAFETY: the pointer is that of the `Arc` in the object's registration, which the object keeps as long as it lives.
    // It lives at least as long as this borrow of `object`, a strong reference to it.
    unsafe { &*shared }
}

/// What `call` makes of the shared part of the object that the engine calls a method of.
///
/// # Safety
///
/// `instance` is what the engine passes to a method of the class `C`, and this is called within that method. If `call` runs
/// scripts, which may free the object, it calls [`InCall::keep`] before and holds what that returns until it returns itself.
pub(crate) unsafe fn with_instance<C: HasShared, T>(
    instance: sys::GDExtensionClassInstancePtr,
    call: impl FnOnce(InCall<'_, C::Shared>) -> T,
) -> T {
    // SAFETY: the engine passes what gdext has given it when the object was made: its storage, which lives as long as the
    // object, and nothing has run yet that could free that.
    let storage = unsafe { as_storage::<C>(instance) };
    // SAFETY: the object lives, as said.
    let id = unsafe { interface_fn!(object_get_instance_id)(storage.base().obj_sys()) };
    // (As in `of`.)
    let shared = C::Shared::registry().get(id).unwrap_or_else(|| Arc::as_ptr(&storage.get().registration().shared));
    call(InCall { shared, call: PhantomData })
}

/// The shared part of an object, during a call of the engine's. It is no reference that counts, so it costs nothing.
pub(crate) struct InCall<'call, S> {
    /// That of the `Arc` in the object's registration, which the object keeps as long as it lives: until the call has returned,
    /// unless a script frees it meanwhile, and then this is [kept](Self::keep), as [`with_instance`] demands.
    shared: *const S,
    call: PhantomData<&'call S>,
}

impl<S> InCall<'_, S> {
    /// A reference that counts, for a call that runs scripts.
    pub(crate) fn keep(&self) -> Arc<S> {
        // SAFETY: it comes from `Arc::as_ptr`, and at least that `Arc` is alive, see `shared`.
        unsafe { Arc::increment_strong_count(self.shared) };
        // SAFETY: as above; this takes over the reference that was added.
        unsafe { Arc::from_raw(self.shared) }
    }
}

impl<S> Deref for InCall<'_, S> {
    type Target = S;

    fn deref(&self) -> &S {
        // SAFETY: see `shared`.
        unsafe { &*self.shared }
    }
}

/// Makes `object` one that [`Registry::find`] finds, by the token that this returns.
pub(crate) fn make_findable<C: HasShared>(object: &Gd<C>) -> u64 {
    let WeakObject(reference) = of(object).object();
    if reference.get().is_none()
        && let Ok(weak) = weakref(&object.to_variant()).try_to::<Gd<WeakRef>>()
    {
        // A second thread that comes here at the same time has one that is as good.
        let _ = reference.set(weak);
    }
    id_of(object)
}

fn id_of<C: GodotClass>(object: &Gd<C>) -> u64 {
    object.instance_id_unchecked().to_i64().cast_unsigned()
}

/// A quick hash for instance ids: the engine assigns them, so no one can choose them to collide.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64((*byte).into());
        }
    }

    fn write_u64(&mut self, number: u64) {
        // 2^64 divided by the golden ratio (Knuth, "multiplicative hashing"). The upper half of the product is well mixed,
        // and the map uses both ends.
        let product = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = product ^ (product >> 32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

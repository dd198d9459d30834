//! Every object of a registered class: how its methods find what they work on, and how to reach all objects of a class.
//!
//! gdext guards each object with a lock that a borrow holds: a thread that blocks in `wait()` with a borrow makes every
//! other call on the object block too, a script that runs within a borrow makes the engine's calls of the object panic, and each
//! borrow costs system calls. So what the methods of an object use lies in a shared part ([`HasShared::Shared`]), no method
//! borrows the object, and the shared part is found here by the object's instance id. An object is registered from its constructor
//! on, until it is freed.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr;
use std::sync::Arc;

use godot::builtin::Variant;
use godot::obj::bounds::{DeclUser, MemRefCounted};
use godot::obj::{Base, Bounds, Gd, GodotClass};
use godot::private::{Storage, as_storage};
use godot::sys::{self, interface_fn};
use packet_peer_udp_core::{Totals, prefetch_memory};
use parking_lot::RwLock;

mod slots;

pub(crate) use slots::SlotTable;

/// About how many bytes the engine's part of an object takes, and gdext's part.
const OBJECT_SIZE: usize = 512;
const INSTANCE_SIZE: usize = 64;

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

    /// The registry's table for each call of a method. A static of its own, which is all zeros: so it takes no room in the library's
    /// file.
    fn slots() -> &'static SlotTable<Self>;

    /// Closes the socket, and ends all waits on it.
    fn close(&self);

    /// How many threads are in a wait.
    fn waits(&self) -> usize;

    /// Starts to load what its methods need into the processor's cache.
    fn prefetch(&self);

    /// What has passed through its sockets since it was created.
    fn totals(&self) -> Totals;
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
        let id = id_of_base(base);
        let object = EngineObject(base.obj_sys());
        S::registry().add(id, Known { shared: Arc::clone(&shared), object, instance: ptr::null() });
        Self { id, shared }
    }

    /// The object's instance id, which is its token in the core.
    pub(crate) fn id(&self) -> u64 {
        self.id
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

/// All objects of a class. A call of a method looks into [`Registered::slots`] first; what is not found there is here.
pub(crate) struct Registry<S> {
    objects: RwLock<Objects<S>>,
}

struct Objects<S> {
    by_id: HashMap<u64, Known<S>, BuildHasherDefault<IdHasher>>,
    /// The totals of those that were freed.
    freed: Totals,
}

static NO_CALLBACKS: sys::GDExtensionInstanceBindingCallbacks =
    sys::GDExtensionInstanceBindingCallbacks { create_callback: None, free_callback: None, reference_callback: None };

/// An object, while it is in the registry.
struct Known<S> {
    shared: Arc<S>,
    object: EngineObject,
    /// Where gdext's part of the object is, which is only prefetched. Null if that was not [noted](Registry::note_instance).
    instance: *const u8,
}

// SAFETY: the shared part is for all threads, and the address is not read from.
unsafe impl<S: Send + Sync> Send for Known<S> {}

// SAFETY: as above.
unsafe impl<S: Send + Sync> Sync for Known<S> {}

/// The engine's part of an object. Its memory stays as long as the object is in the registry: the object's destructor removes it
/// from there before the engine frees the memory.
#[derive(Clone, Copy)]
struct EngineObject(sys::GDExtensionObjectPtr);

// SAFETY: it is an address. Where it is used, `refer` says why that may be done on any thread.
unsafe impl Send for EngineObject {}

// SAFETY: as above.
unsafe impl Sync for EngineObject {}

impl<S: Registered> Registry<S> {
    pub(crate) const fn new() -> Self {
        let freed = Totals { packets_in: 0, packets_out: 0, bytes_in: 0, bytes_out: 0, packets_dropped: 0 };
        let objects = Objects { by_id: HashMap::with_hasher(BuildHasherDefault::new()), freed };
        Self { objects: RwLock::new(objects) }
    }

    /// All objects that there are, and the totals of those that were freed.
    pub(crate) fn all(&self) -> (Vec<Arc<S>>, Totals) {
        let objects = self.objects.read();
        (objects.by_id.values().map(|known| Arc::clone(&known.shared)).collect(), objects.freed)
    }

    /// The object that has this id, and its shared part; `None` once it is being freed. To be called only for
    /// objects that are complete: the first reference to an object takes over the one that it was constructed with, and dropping it
    /// frees the object.
    ///
    /// The reference is taken under the registry's lock, which freeing an object takes too: so the engine's part of an object that
    /// is found here is whole, or its count of references is 0 and it is not found; it cannot become free memory meanwhile. The
    /// caller drops the reference without that lock, since dropping the last one frees the object.
    ///
    /// (This is what the engine's own `WeakRef.get_ref()` does, with a lock that it lacks: it counts a reference by an atomic operation
    /// that fails at 0. No script runs.)
    pub(crate) fn find(&self, id: u64) -> Option<(Variant, Arc<S>)> {
        let objects = self.objects.read();
        let known = objects.by_id.get(&id)?;
        let object = refer(known.object);
        (!object.is_nil()).then(|| (object, Arc::clone(&known.shared)))
    }

    /// The objects that have these ids, in their order; those that [`find`](Self::find) does not find are left out.
    ///
    /// With thousands of objects none is in the processor's cache. So what is needed of all of them is prefetched before the first
    /// reference is counted, and with it what methods of the objects that are called next need.
    pub(crate) fn find_each(&self, ids: &[u64]) -> Vec<Variant> {
        let mut found = Vec::with_capacity(ids.len());
        let objects = self.objects.read();
        let known: Vec<_> = ids.iter().filter_map(|id| objects.by_id.get(id)).collect();
        for one in &known {
            let EngineObject(object) = one.object;
            prefetch_memory(object.cast::<u8>(), OBJECT_SIZE);
            prefetch_memory(one.instance, INSTANCE_SIZE);
            prefetch_memory(Arc::as_ptr(&one.shared).cast(), size_of::<usize>());
        }
        for id in ids {
            S::slots().prefetch(*id);
        }
        for one in &known {
            one.shared.prefetch();
        }
        found.extend(known.iter().map(|one| refer(one.object)));
        drop(objects);
        // Without the lock, see `find`.
        found.retain(|object| !object.is_nil());
        found
    }

    /// A reference to an object that is in use, and its shared part; `None` if it is being freed.
    pub(crate) fn reference<C: HasShared<Shared = S>>(&self, object: &Gd<C>) -> Option<(Reference, Arc<S>)> {
        self.find(id_of(object)).map(|(object, shared)| (Reference(object), shared))
    }

    /// Lets [`find_each`](Self::find_each) prefetch gdext's part of an object. Pays for a class with thousands of objects.
    pub(crate) fn note_instance<C: GodotClass>(&self, object: &Gd<C>) {
        // SAFETY: the library is loaded, since it runs.
        let library = unsafe { sys::get_library() };
        // SAFETY: the object lives. It has a binding of this library, so no callback is called and none is kept.
        let instance = unsafe {
            interface_fn!(object_get_instance_binding)(object.obj_sys(), library.cast(), &raw const NO_CALLBACKS)
        };
        if let Some(known) = self.objects.write().by_id.get_mut(&id_of(object)) {
            known.instance = instance.cast_const().cast();
        }
    }

    /// Appends the shared parts of the objects that have these ids, in their order, until `found` is full; the position of the first id
    /// that none has.
    pub(crate) fn get_each(&self, ids: impl Iterator<Item = u64>, found: &mut Vec<Arc<S>>) -> Result<(), usize> {
        let objects = self.objects.read();
        for (index, id) in ids.enumerate().take(found.capacity()) {
            found.push(objects.by_id.get(&id).map(|known| Arc::clone(&known.shared)).ok_or(index)?);
        }
        Ok(())
    }

    fn add(&self, id: u64, known: Known<S>) {
        S::slots().add(id, Arc::as_ptr(&known.shared));
        self.objects.write().by_id.insert(id, known);
    }

    fn remove(&self, id: u64, totals: Totals) {
        S::slots().remove(id);
        let mut objects = self.objects.write();
        // Not the last reference: the caller has one. So nothing of the engine's is dropped under the lock.
        objects.by_id.remove(&id);
        objects.freed += totals;
    }

    /// The shared part of the object that has this id: what [`Arc::as_ptr`] gives.
    #[inline]
    fn get(&self, id: u64) -> Option<*const S> {
        S::slots().get(id).or_else(|| self.objects.read().by_id.get(&id).map(|known| Arc::as_ptr(&known.shared)))
    }
}

/// A reference to an object of the registry, which is reference-counted and complete; null if it is being freed. For a caller that
/// holds the registry's lock.
fn refer(object: EngineObject) -> Variant {
    let mut reference = Variant::nil();
    // SAFETY: takes a type, and may be called at any time.
    let constructor = unsafe { interface_fn!(get_variant_from_type_constructor)(sys::GDEXTENSION_VARIANT_TYPE_OBJECT) };
    if let Some(construct) = constructor {
        let EngineObject(mut object) = object;
        // SAFETY: it constructs a Variant where nothing needs to be destroyed: a nil holds no value. The second argument is the
        // address of a pointer to an object. Its memory is not freed before this returns, see `Registry::find`, which calls this.
        unsafe { construct(reference.var_sys_mut().cast(), (&raw mut object).cast()) };
    }
    reference
}

/// A reference that keeps an object of a registry alive. For any thread; not to be dropped under a lock, since dropping the last one
/// frees the object.
#[derive(Clone)]
pub(crate) struct Reference(Variant);

// SAFETY: the object is reference-counted. The engine counts references by atomic operations, and lets any thread drop the last one.
unsafe impl Send for Reference {}

// SAFETY: as above; the variant itself is never changed.
unsafe impl Sync for Reference {}

impl Reference {
    /// The object, whose class is `C`.
    pub(crate) fn to_gd<C: GodotClass>(&self) -> Option<Gd<C>> {
        self.0.try_to().ok()
    }
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
    // SAFETY: as this function's own.
    let id = unsafe { instance_id::<C>(instance) };
    // SAFETY: the engine passes what gdext has given it when the object was made: its storage, which lives as long as the
    // object, and nothing has run yet that could free that.
    let storage = unsafe { as_storage::<C>(instance) };
    // (An object is in the registry as long as it lives. If it were not, its own registration has the same answer. Borrowing it
    // takes no time, and no script runs meanwhile.)
    let shared = C::Shared::registry().get(id).unwrap_or_else(|| Arc::as_ptr(&storage.get().registration().shared));
    call(InCall { shared, call: PhantomData })
}

/// The id of the object that the engine calls a method of.
///
/// # Safety
///
/// As of [`keep_object`].
unsafe fn instance_id<C: HasShared>(instance: sys::GDExtensionClassInstancePtr) -> u64 {
    // SAFETY: the engine passes what gdext has given it when the object was made: its storage, which lives as long as the
    // object, and nothing has run yet that could free that.
    let storage = unsafe { as_storage::<C>(instance) };
    // SAFETY: the object lives, as said.
    unsafe { interface_fn!(object_get_instance_id)(storage.base().obj_sys()) }
}

/// What `call` makes of the shared part of `object`.
#[cfg(feature = "plain-virtuals")]
pub(crate) fn of<C: HasShared, T>(object: &Gd<C>, call: impl FnOnce(InCall<'_, C::Shared>) -> T) -> T {
    // (As in `with_instance`.)
    let shared =
        C::Shared::registry().get(id_of(object)).unwrap_or_else(|| Arc::as_ptr(&object.bind().registration().shared));
    // The pointer is that of the `Arc` in the object's registration, and `object` keeps the object alive.
    call(InCall { shared, call: PhantomData })
}

/// Keeps the object that the engine calls a method of alive: until what this returns is dropped, which may free it. `None` if it is
/// being freed already.
///
/// # Safety
///
/// `instance` is what the engine passes to a method of the class `C`, and this is called within that method, before any script runs.
pub(crate) unsafe fn keep_object<C: HasShared>(instance: sys::GDExtensionClassInstancePtr) -> Option<Variant> {
    // SAFETY: as this function's own.
    let id = unsafe { instance_id::<C>(instance) };
    C::Shared::registry().find(id).map(|(object, _)| object)
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

/// The instance id of an object.
pub(crate) fn id_of<C: GodotClass>(object: &Gd<C>) -> u64 {
    object.instance_id_unchecked().to_i64().cast_unsigned()
}

/// The instance id of an object that is being constructed, or lives.
pub(crate) fn id_of_base<C: GodotClass>(base: &Base<C>) -> u64 {
    // SAFETY: when the constructor runs, the engine's part of the object exists and has its id.
    unsafe { interface_fn!(object_get_instance_id)(base.obj_sys()) }
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

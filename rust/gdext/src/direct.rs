//! The methods that scripts call, registered without gdext's `#[func]`.
//!
//! A `#[func]` has two costs that these methods do not have:
//! - It borrows its object (`&self`), or makes a `Gd` of it (`gd_self`). A borrow that is held while a script runs makes the engine's
//!   calls of the same object panic; a `Gd` cannot be made of an object that is being freed, whose `NOTIFICATION_PREDELETE` scripts
//!   handle; and either takes longer than most of these methods do. A [`Method`] gets the shared part, by one atomic addition.
//! - Arguments of a wrong type or number end in a line of gdext's own and in the engine's "Bug: Invalid call error code 1337". A
//!   [`Method`] tells the engine what is wrong, and the engine prints what it prints for its own classes.
//!
//! # How a method is written
//!
//! In the class's [`direct_methods`] block, as a function whose first parameter is the shared part. The word before `fn` is the
//! method's kind, and is registered with it:
//!
//! | written as | is | examples |
//! |---|---|---|
//! | `const fn get_x(shared) -> i64 { … }` | a getter: `Expression` may call it with `const_calls_only` | `is_bound`, all getters of properties |
//! | `mut fn do_x(shared, a: i64, b: GString = GString::from("*")) { … }` | an action, or a setter; `b` may be left out | `bind`, all setters |
//! | `blocking fn wait(shared) { … }` | an action that blocks: the object lives until it returns, if nothing else refers to it | `wait` |
//! | `static fn x(_) -> GString { … }` | called without an object | `get_broadcast_addresses` |
//!
//! A property `x` is a field of the class with `#[var(get = get_x, set = set_x, usage_flags = [EDITOR])]`, whose `///` comment is its
//! reference, and the two methods `const fn get_x(shared) -> T` and `mut fn set_x(shared, value: T)`: the block also defines what the
//! attribute refers to.
//!
//! A method is documented in the class's `#[godot_api]` block: there it is declared as a `#[func]` without a receiver under
//! `#[cfg(false)]`. gdext's macro reads the declaration and its `///` comment; the compiler drops them. Getters and setters of
//! properties have no reference of their own.
//!
//! # What this depends on
//!
//! This file uses what gdext's macros use, which is not documented: its version is pinned, and with a new version this file
//! must be compared with what a `#[func]` and a `#[var]` expand to.

use std::ffi::c_void;
use std::panic::AssertUnwindSafe;
use std::ptr;
use std::sync::Arc;

use godot::builtin::{StringName, Variant};
use godot::meta::conv::InParamTuple;
use godot::meta::{FromGodot, GodotConvert, GodotType, ToGodot};
use godot::obj::GodotClass;
use godot::private::{CallContext, Signature, handle_fallible_ptrcall, handle_fallible_varcall};
use godot::register::info::MethodFlags;
use godot::register::private::method::ClassMethodInfo;
use godot::sys::{self, ExtVariantType, GodotFfi, interface_fn};

use crate::availability;
use crate::registry::{self, HasShared};

/// A method of a class. Defined by [`direct_methods`].
pub(crate) trait Method {
    type Class: GodotClass;
    /// What scripts pass, as a tuple.
    type Params: InParamTuple;
    type Ret: ToGodot;

    const CLASS_NAME: &'static str;
    const NAME: &'static str;
    const KIND: Kind;
    const PARAM_NAMES: &'static [&'static str];
    const PARAM_TYPES: &'static [ExtVariantType];
    /// Whether an object is of a parameter's class. For parameters of other types they are not looked at.
    const PARAM_CHECKS: &'static [fn(&Variant) -> bool];
    /// How many of the last parameters scripts may leave out.
    const OPTIONAL: usize;

    /// The values of the parameters that scripts may leave out.
    fn defaults() -> impl AsRef<[Variant]>;

    /// # Safety
    ///
    /// `instance` is what the engine passes to a method of the class, and this is called within that method.
    unsafe fn call(instance: sys::GDExtensionClassInstancePtr, params: Self::Params) -> Self::Ret;
}

/// What the engine is told of a method, by the word before `fn`.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Const,
    Mut,
    Static,
}

impl Kind {
    fn flags(self) -> MethodFlags {
        match self {
            Self::Const => MethodFlags::NORMAL | MethodFlags::CONST,
            Self::Mut => MethodFlags::NORMAL,
            Self::Static => MethodFlags::NORMAL | MethodFlags::STATIC,
        }
    }
}

/// The engine's type of a parameter or a result.
pub(crate) const fn variant_type<T: GodotConvert>() -> ExtVariantType {
    <<T::Via as GodotType>::Ffi as GodotFfi>::VARIANT_TYPE
}

/// Whether the engine passes this object to a parameter of type `T`.
pub(crate) fn fits<T: FromGodot>(object: &Variant) -> bool {
    object.try_to::<T>().is_ok()
}

/// The shared part of the object whose method the engine calls. It is kept alive without the object, which a script that runs within
/// the method may free.
///
/// # Safety
///
/// `instance` is what the engine passes to a method of the class, and this is called within that method, before any script runs.
pub(crate) unsafe fn shared<C: HasShared>(instance: sys::GDExtensionClassInstancePtr) -> Arc<C::Shared> {
    // SAFETY: as this function's own; `keep` runs no script.
    unsafe { registry::with_instance::<C, _>(instance, |shared| shared.keep()) }
}

/// Registers a method, while gdext registers the class.
pub(crate) fn register<M: Method>() {
    let defaults = M::defaults().as_ref().to_vec();
    // SAFETY: both functions take the arguments, and return the result, of the signature that is named here. A method of the kind
    // `Static` does not look at its instance, which is null. A `Const` one changes nothing that a script can see, which is all that
    // the engine derives from it.
    let method = unsafe {
        ClassMethodInfo::from_signature::<M::Class, M::Params, M::Ret>(
            StringName::from(M::NAME),
            Some(varcall::<M>),
            Some(ptrcall::<M>),
            M::KIND.flags(),
            M::PARAM_NAMES,
            defaults,
        )
    };
    method.register_extension_class_method();
}

/// The call of a script that does not know the types.
unsafe extern "C" fn varcall<M: Method>(
    _userdata: *mut c_void,
    instance: sys::GDExtensionClassInstancePtr,
    arguments: *const sys::GDExtensionConstVariantPtr,
    count: sys::GDExtensionInt,
    returned: sys::GDExtensionVariantPtr,
    error: *mut sys::GDExtensionCallError,
) {
    // SAFETY: the engine passes the address of an error of its own, and reads it after this has returned.
    let error = unsafe { &mut *error };
    if is_refused::<M>(instance) {
        // With a null as the result. An error would end the script's function, and a thread that it is the work of.
        return;
    }
    // SAFETY: the engine passes `count` pointers to Variants.
    if let Err(misuse) = unsafe { check(arguments, count, M::PARAM_TYPES, M::PARAM_CHECKS, M::OPTIONAL) } {
        *error = misuse;
        return;
    }
    let context = context::<M>();
    let invoke = |defaults: &[Variant]| {
        // Set where the call has succeeded: the engine's own says so by itself.
        let mut success = sys::default_call_error();
        // SAFETY: the engine calls this as a method of this signature, with an object of the class.
        unsafe {
            Signature::<M::Params, M::Ret>::in_varcall(
                instance,
                &context,
                arguments,
                count,
                defaults,
                returned,
                &raw mut success,
                M::call,
            )
        }
    };
    // Making the default values takes longer than most methods.
    let is_complete = usize::try_from(count).is_ok_and(|count| count == M::PARAM_TYPES.len());
    let invoke = || if is_complete { invoke(&[]) } else { invoke(M::defaults().as_ref()) };
    handle_fallible_varcall(&context, error, AssertUnwindSafe(invoke));
    if let ExtVariantType::Concrete(sys::VariantType::OBJECT) = variant_type::<M::Ret>() {
        // SAFETY: `returned` is the Variant that the method has returned.
        unsafe { make_typed_null(returned) };
    }
}

/// Whether the engine calls a method of its own that has these parameters with these arguments; else what it says.
///
/// # Safety
///
/// `arguments` are `count` pointers to Variants.
unsafe fn check(
    arguments: *const sys::GDExtensionConstVariantPtr,
    count: sys::GDExtensionInt,
    types: &[ExtVariantType],
    fits: &[fn(&Variant) -> bool],
    optional: usize,
) -> Result<(), sys::GDExtensionCallError> {
    // As `call_with_variant_args_dv` does in the engine's `core/variant/binder_common.h`.
    let fail = |error, argument: usize, expected| {
        Err(sys::GDExtensionCallError { error, argument: i32::try_from(argument).unwrap_or(i32::MAX), expected })
    };
    let all = types.len();
    let given = usize::try_from(count).unwrap_or(0);
    let expected = i32::try_from(all).unwrap_or(i32::MAX);
    if given > all {
        return fail(sys::GDEXTENSION_CALL_ERROR_TOO_MANY_ARGUMENTS, 0, expected);
    }
    if given < all.saturating_sub(optional) {
        return fail(sys::GDEXTENSION_CALL_ERROR_TOO_FEW_ARGUMENTS, 0, expected);
    }
    for (index, (wanted, fits)) in types.iter().zip(fits).take(given).enumerate() {
        let ExtVariantType::Concrete(wanted) = wanted else { continue };
        // SAFETY: `index` is below `count`.
        let argument = unsafe { arguments.add(index) };
        // SAFETY: as above.
        let argument = unsafe { *argument };
        // SAFETY: `argument` points to a Variant.
        let found = unsafe { interface_fn!(variant_get_type)(argument) };
        if found == wanted.sys() {
            // SAFETY: `argument` points to a Variant, and gdext's is the engine's, byte for byte.
            let argument = unsafe { &*argument.cast::<Variant>() };
            if *wanted == sys::VariantType::OBJECT && !fits(argument) {
                return fail(sys::GDEXTENSION_CALL_ERROR_INVALID_ARGUMENT, index, wanted.ord);
            }
            continue;
        }
        // SAFETY: takes any two types.
        let converts = unsafe { interface_fn!(variant_can_convert_strict)(found, wanted.sys()) };
        if converts != sys::conv::SYS_TRUE {
            return fail(sys::GDEXTENSION_CALL_ERROR_INVALID_ARGUMENT, index, wanted.ord);
        }
    }
    Ok(())
}

/// Makes the null that gdext returns for no object, which has no type, the one that the engine returns: an object that is null.
///
/// # Safety
///
/// `returned` points to a Variant.
unsafe fn make_typed_null(returned: sys::GDExtensionVariantPtr) {
    // SAFETY: as this function's own.
    let found = unsafe { interface_fn!(variant_get_type)(returned) };
    if found != sys::GDEXTENSION_VARIANT_TYPE_NIL {
        return;
    }
    let mut null: sys::GDExtensionObjectPtr = ptr::null_mut();
    // SAFETY: takes a type, and may be called at any time.
    let constructor = unsafe { interface_fn!(get_variant_from_type_constructor)(sys::GDEXTENSION_VARIANT_TYPE_OBJECT) };
    if let Some(construct) = constructor {
        // SAFETY: it constructs a Variant in `returned`, where nothing needs to be destroyed: that holds no value. The second
        // argument is the address of a pointer to an object, which may be null.
        unsafe { construct(returned.cast(), (&raw mut null).cast()) };
    }
}

/// The call of a script that knows the types.
unsafe extern "C" fn ptrcall<M: Method>(
    _userdata: *mut c_void,
    instance: sys::GDExtensionClassInstancePtr,
    arguments: *const sys::GDExtensionConstTypePtr,
    returned: sys::GDExtensionTypePtr,
) {
    if is_refused::<M>(instance) {
        // The engine has filled in a value of the result's type, such as `false` or 0.
        return;
    }
    let context = context::<M>();
    let call = |instance, params| {
        // SAFETY: called by `in_ptrcall` below, with what the engine has passed.
        unsafe { M::call(instance, params) }
    };
    let invoke = || {
        // SAFETY: the engine calls this as a method of this signature, with an object of the class.
        unsafe {
            Signature::<M::Params, M::Ret>::in_ptrcall(
                instance,
                &context,
                arguments,
                returned,
                call,
                sys::PtrcallType::Standard,
            )
        }
    };
    handle_fallible_ptrcall(&context, AssertUnwindSafe(invoke));
}

/// See [`availability::is_refused`].
fn is_refused<M: Method>(instance: sys::GDExtensionClassInstancePtr) -> bool {
    match M::KIND {
        Kind::Static => availability::is_unloading(),
        Kind::Const | Kind::Mut => availability::is_refused(instance),
    }
}

fn context<M: Method>() -> CallContext<'static> {
    CallContext::func(M::CLASS_NAME, M::NAME)
}

/// Defines the [`Method`]s of a class and has them registered with it. How they are written is said at the top of this file.
///
/// `$names` is where gdext's `#[var]` looks for the name of a getter or setter: `__godot_<class>_Funcs`.
macro_rules! direct_methods {
    ($class:ident, $names:ident; $(
        $kind:ident fn $name:ident($shared:tt $(, $param:ident: $type:ty $(= $default:expr)?)*) $(-> $ret:ty)? $body:block
    )*) => {
        const _: () = {
            $(
                #[allow(non_camel_case_types, reason = "named as the method")]
                struct $name;

                impl $crate::direct::Method for $name {
                    type Class = $class;
                    type Params = ($($type,)*);
                    type Ret = $crate::direct::direct_methods!(@ret $($ret)?);

                    const CLASS_NAME: &'static str = stringify!($class);
                    const NAME: &'static str = stringify!($name);
                    const KIND: $crate::direct::Kind = $crate::direct::direct_methods!(@kind $kind);
                    const PARAM_NAMES: &'static [&'static str] = &[$(stringify!($param)),*];
                    const PARAM_TYPES: &'static [godot::sys::ExtVariantType] =
                        &[$($crate::direct::variant_type::<$type>()),*];
                    const PARAM_CHECKS: &'static [fn(&godot::builtin::Variant) -> bool] =
                        &[$($crate::direct::fits::<$type>),*];
                    const OPTIONAL: usize = {
                        let optional: &[&str] = &[$($(stringify!($default),)?)*];
                        optional.len()
                    };

                    fn defaults() -> impl AsRef<[godot::builtin::Variant]> {
                        let defaults: [godot::builtin::Variant; Self::OPTIONAL] =
                            [$($(<$type as godot::meta::ToGodot>::to_variant(&$default),)?)*];
                        defaults
                    }

                    unsafe fn call(
                        instance: godot::sys::GDExtensionClassInstancePtr,
                        ($($param,)*): Self::Params,
                    ) -> Self::Ret {
                        $crate::direct::direct_methods!(@call $kind, $class, instance, $name($($param),*))
                    }
                }

                $crate::direct::direct_methods!(
                    @run $kind, $class, $names, $name($shared $(, $param: $type)*) $(-> $ret)? $body
                );
            )*

            fn register() {
                $($crate::direct::register::<$name>();)*
            }

            // As `#[godot_api]` does it: gdext registers a class with what its storage has when the engine loads the library.
            godot::sys::shard_execute_pre_main!({
                if let Ok(mut storage) = <$class>::__registration_storage().lock() {
                    storage.0.push(register);
                }
            });
        };
    };

    (@ret) => { () };
    (@ret $ret:ty) => { $ret };

    (@kind const) => { $crate::direct::Kind::Const };
    (@kind mut) => { $crate::direct::Kind::Mut };
    (@kind blocking) => { $crate::direct::Kind::Mut };
    (@kind static) => { $crate::direct::Kind::Static };

    (@call static, $class:ident, $instance:ident, $name:ident($($param:ident),*)) => {{
        let _: godot::sys::GDExtensionClassInstancePtr = $instance;
        $name::run($($param),*)
    }};
    (@call blocking, $class:ident, $instance:ident, $name:ident($($param:ident),*)) => {{
        // SAFETY: as that of `call`, and no script has run yet.
        let object = unsafe { $crate::registry::keep_object::<$class>($instance) };
        let returned = $crate::direct::direct_methods!(@call mut, $class, $instance, $name($($param),*));
        // Here, where nothing is used any more that dropping the last reference frees.
        drop(object);
        returned
    }};
    (@call $kind:ident, $class:ident, $instance:ident, $name:ident($($param:ident),*)) => {{
        // SAFETY: as that of `call`, and no script has run yet.
        let shared = unsafe { $crate::direct::shared::<$class>($instance) };
        $name::run(&shared $(, $param)*)
    }};

    (@run static, $class:ident, $names:ident,
        $name:ident($shared:tt $(, $param:ident: $type:ty)*) $(-> $ret:ty)? $body:block
    ) => {
        impl $name {
            fn run($($param: $type),*) $(-> $ret)? $body
        }
    };
    (@run $kind:ident, $class:ident, $names:ident,
        $name:ident($shared:tt $(, $param:ident: $type:ty)*) $(-> $ret:ty)? $body:block
    ) => {
        impl $name {
            fn run($shared: &<$class as $crate::registry::HasShared>::Shared $(, $param: $type)*) $(-> $ret)? $body
        }

        // What `#[var(get = …, set = …)]` checks the type of, and takes the name from. Nothing calls it.
        impl $class {
            #[allow(dead_code, reason = "only its type is used, if it is an accessor")]
            pub(crate) fn $name(&self $(, $param: $type)*) $(-> $ret)? {
                $name::run(<$class as $crate::registry::HasShared>::registration(self) $(, $param)*)
            }
        }

        impl $names {
            #[allow(non_upper_case_globals, dead_code, reason = "named as the method; only accessors are looked up")]
            pub(crate) const $name: &str = stringify!($name);
        }
    };
}

pub(crate) use direct_methods;

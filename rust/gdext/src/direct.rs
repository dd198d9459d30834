//! Registering the methods that scripts call for each packet, without gdext's overhead.
//!
//! A `#[func(gd_self)]` gets a `Gd` of its object. Making it costs more than most of these methods do: the engine is called to
//! count references, and to compare the name of the object's class. A [`Method`] gets the shared part, by one atomic addition.
//!
//! gdext documents these methods all the same: in the class's `#[godot_api]` block, each is declared as a `#[func]` under
//! `#[cfg(false)]`. gdext's macro reads the declaration and its `///` comment; the compiler drops them.
//!
//! This file uses what gdext's macros use, which is not documented: its version is pinned, and with a new version this file
//! must be compared with what a `#[func(gd_self)]` expands to.

use std::ffi::c_void;
use std::panic::AssertUnwindSafe;

use godot::builtin::{StringName, Variant};
use godot::meta::ToGodot;
use godot::meta::conv::InParamTuple;
use godot::private::{CallContext, Signature, handle_fallible_ptrcall, handle_fallible_varcall};
use godot::register::info::MethodFlags;
use godot::register::private::method::ClassMethodInfo;
use godot::sys;

use crate::registry::{self, HasShared};

/// A method of a class. Defined by [`direct_methods`].
pub(crate) trait Method {
    type Class: HasShared;
    /// What scripts pass, as a tuple.
    type Params: InParamTuple;
    type Ret: ToGodot;

    const CLASS_NAME: &'static str;
    const NAME: &'static str;
    const PARAM_NAMES: &'static [&'static str];

    /// The values of the last parameters that scripts may leave out.
    fn defaults() -> impl AsRef<[Variant]>;

    fn call(shared: &<Self::Class as HasShared>::Shared, params: Self::Params) -> Self::Ret;
}

/// Registers a method of a class that is registered.
pub(crate) fn register<M: Method>() {
    let defaults = M::defaults().as_ref().to_vec();
    // SAFETY: both functions take the arguments, and return the result, of the signature that is named here. They keep what the
    // flags promise, which is nothing.
    let method = unsafe {
        ClassMethodInfo::from_signature::<M::Class, M::Params, M::Ret>(
            StringName::from(M::NAME),
            Some(varcall::<M>),
            Some(ptrcall::<M>),
            MethodFlags::NORMAL,
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
    let context = context::<M>();
    let invoke = || {
        // Set where the call has succeeded: the engine's own says so by itself.
        let mut success = sys::default_call_error();
        // SAFETY: the engine calls this as a method of this signature, with an object of the class.
        unsafe {
            Signature::<M::Params, M::Ret>::in_varcall(
                instance,
                &context,
                arguments,
                count,
                M::defaults().as_ref(),
                returned,
                &raw mut success,
                call::<M>,
            )
        }
    };
    // SAFETY: the engine passes the address of an error of its own, and reads it after this has returned.
    let error = unsafe { &mut *error };
    handle_fallible_varcall(&context, error, AssertUnwindSafe(invoke));
}

/// The call of a script that knows the types.
unsafe extern "C" fn ptrcall<M: Method>(
    _userdata: *mut c_void,
    instance: sys::GDExtensionClassInstancePtr,
    arguments: *const sys::GDExtensionConstTypePtr,
    returned: sys::GDExtensionTypePtr,
) {
    let context = context::<M>();
    let call = |instance, params| {
        // SAFETY: called by `in_ptrcall` below, with what the engine has passed.
        unsafe { call::<M>(instance, params) }
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

/// # Safety
///
/// `instance` is what the engine passes to a method of the class, and this is called within that method.
unsafe fn call<M: Method>(instance: sys::GDExtensionClassInstancePtr, params: M::Params) -> M::Ret {
    // SAFETY: as this function's own. Scripts run only after `keep`, which keeps the shared part alive without the object.
    let shared = unsafe { registry::with_instance::<M::Class, _>(instance, |shared| shared.keep()) };
    M::call(&shared, params)
}

fn context<M: Method>() -> CallContext<'static> {
    CallContext::func(M::CLASS_NAME, M::NAME)
}

/// Defines `register_direct_methods()` for a class, and the [`Method`]s that it registers. They are written as functions, whose
/// first parameter is the shared part.
macro_rules! direct_methods {
    ($class:ident; $(
        fn $name:ident($shared:ident $(, $param:ident: $type:ty $(= $default:expr)?)*) -> $ret:ty $body:block
    )*) => {
        impl $class {
            /// To be called once, when gdext has registered the class.
            pub(crate) fn register_direct_methods() {
                $(
                    #[allow(non_camel_case_types, reason = "named as the method")]
                    struct $name;

                    impl $crate::direct::Method for $name {
                        type Class = $class;
                        type Params = ($($type,)*);
                        type Ret = $ret;

                        const CLASS_NAME: &'static str = stringify!($class);
                        const NAME: &'static str = stringify!($name);
                        const PARAM_NAMES: &'static [&'static str] = &[$(stringify!($param)),*];

                        fn defaults() -> impl AsRef<[godot::builtin::Variant]> {
                            let defaults: [godot::builtin::Variant; _] =
                                [$($(<$type as godot::meta::ToGodot>::to_variant(&$default),)?)*];
                            defaults
                        }

                        fn call(
                            $shared: &<$class as $crate::registry::HasShared>::Shared,
                            ($($param,)*): Self::Params,
                        ) -> $ret $body
                    }
                )*
                $($crate::direct::register::<$name>();)*
            }
        }
    };
}

pub(crate) use direct_methods;

//! Sleeping until a socket is readable or another thread wakes the sleeping one. The contract of [`Waker`] is in
//! [`sys`](crate::sys).

#[cfg(any(target_os = "linux", target_os = "android"))]
mod eventfd;
#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
mod polling;

#[cfg(test)]
mod tests;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use self::polling::Waker;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use eventfd::Waker;

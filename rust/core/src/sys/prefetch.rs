//! Prefetching into the processor's cache.

use std::ptr;

/// The size of a cache line of most processors, in bytes. Where it differs, a value is fetched in part or some lines twice.
const CACHE_LINE: usize = 64;

/// Starts to load a value into the processor's cache, see [`prefetch_memory`].
pub(crate) fn prefetch<T: ?Sized>(value: &T) {
    prefetch_memory(ptr::from_ref(value).cast(), size_of_val(value));
}

/// Starts to load so many bytes from `start` on into the processor's cache, without waiting for them. Does nothing on processors other
/// than x86-64 and `AArch64`. The address may be any.
pub fn prefetch_memory(start: *const u8, bytes: usize) {
    let before = start.addr() % CACHE_LINE;
    let start = start.wrapping_sub(before);
    for offset in (0..before + bytes).step_by(CACHE_LINE) {
        let line = start.wrapping_add(offset);
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: a prefetch accesses no memory that the program can observe, and faults at no address. Every x86-64
            // processor has the instruction.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) };
        }
        #[cfg(target_arch = "aarch64")]
        {
            // SAFETY: as above; every AArch64 processor has the instruction.
            unsafe {
                std::arch::asm!("prfm pldl1keep, [{}]", in(reg) line, options(nostack, readonly, preserves_flags))
            };
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let _ = line;
    }
}

//! The interfaces of the machine, by `GetAdaptersAddresses`.

use std::ffi::CStr;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ptr;
use std::slice;

use if_addrs::{IfAddr, Ifv4Addr, Ifv6Addr, Interface};
use windows_sys::Win32::Foundation::{ERROR_BUFFER_OVERFLOW, ERROR_NO_DATA, ERROR_SUCCESS};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    GAA_FLAG_SKIP_ANYCAST, GAA_FLAG_SKIP_DNS_SERVER, GAA_FLAG_SKIP_MULTICAST, GetAdaptersAddresses, IF_TYPE_PPP,
    IF_TYPE_TUNNEL, IP_ADAPTER_ADDRESSES_LH, IP_ADAPTER_UNICAST_ADDRESS_LH,
};
use windows_sys::Win32::Networking::WinSock::{
    AF_INET, AF_INET6, AF_UNSPEC, IpDadStatePreferred, SOCKADDR, SOCKADDR_IN, SOCKADDR_IN6,
};

/// What is asked for at first, in bytes; Microsoft recommends 15 KB.
const LIKELY_SIZE: usize = 16_384;

/// How often the system may say that the list has grown.
const ATTEMPTS: usize = 4;

/// See [`sys`](crate::sys). `if-addrs` asks for prefixes too (`GAA_FLAG_INCLUDE_PREFIX`), which Wine refuses.
pub(crate) fn interfaces() -> io::Result<Vec<Interface>> {
    if_addrs::get_if_addrs().or_else(|_| list())
}

fn list() -> io::Result<Vec<Interface>> {
    let flags = GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST | GAA_FLAG_SKIP_DNS_SERVER;
    let mut size = LIKELY_SIZE;
    for _ in 0..ATTEMPTS {
        // Of 64 bits, because the structures in it have fields of that alignment.
        let mut memory = vec![0_u64; size.div_ceil(size_of::<u64>())];
        let mut bytes = u32::try_from(memory.len() * size_of::<u64>()).map_err(io::Error::other)?;
        // SAFETY: the call writes at most `bytes` bytes to `memory`, which is as large, and to `bytes`. Both outlive it.
        let result = unsafe {
            GetAdaptersAddresses(AF_UNSPEC.into(), flags, ptr::null(), memory.as_mut_ptr().cast(), &raw mut bytes)
        };
        match result {
            ERROR_SUCCESS => {
                let first: *const IP_ADAPTER_ADDRESSES_LH = memory.as_ptr().cast();
                // SAFETY: the call has succeeded, so `memory` begins with a list that is valid while `memory` is.
                return Ok(unsafe { read(first) });
            }
            ERROR_NO_DATA => return Ok(Vec::new()),
            ERROR_BUFFER_OVERFLOW => size = bytes as usize,
            code => return Err(io::Error::from_raw_os_error(code.cast_signed())),
        }
    }
    Err(io::ErrorKind::OutOfMemory.into())
}

/// # Safety
///
/// `first` is null or the begin of a list that `GetAdaptersAddresses` has written, which nothing changes during the call.
unsafe fn read(first: *const IP_ADAPTER_ADDRESSES_LH) -> Vec<Interface> {
    let mut found = Vec::new();
    let mut next = first;
    // SAFETY: each element of the list points to the next one, the last to null.
    while let Some(adapter) = unsafe { next.as_ref() } {
        next = adapter.Next;
        // SAFETY: the system has set the name, which ends with a zero.
        let name = unsafe { wide_text(adapter.FriendlyName) };
        // SAFETY: likewise, of bytes.
        let adapter_name = unsafe { CStr::from_ptr(adapter.AdapterName.cast()) }.to_string_lossy().into_owned();
        // SAFETY: both variants of the union are integers; the system sets this one.
        let ipv4_index = unsafe { adapter.Anonymous1.Anonymous }.IfIndex;
        let mut next_address: *const IP_ADAPTER_UNICAST_ADDRESS_LH = adapter.FirstUnicastAddress;
        // SAFETY: as for the adapters.
        while let Some(address) = unsafe { next_address.as_ref() } {
            next_address = address.Next;
            if address.DadState != IpDadStatePreferred {
                continue;
            }
            // SAFETY: the system has set the address, in the form that its family says.
            let Some(addr) = (unsafe { read_address(address.Address.lpSockaddr, address.OnLinkPrefixLength) }) else {
                continue;
            };
            // Each is 0 if the adapter does not have that family. Wine sets one of them only. Where both are set they are equal.
            let indices = [ipv4_index, adapter.Ipv6IfIndex];
            found.push(Interface {
                name: name.clone(),
                addr,
                index: indices.into_iter().find(|index| *index != 0),
                oper_status: adapter.OperStatus.into(),
                is_p2p: matches!(adapter.IfType, IF_TYPE_PPP | IF_TYPE_TUNNEL),
                adapter_name: adapter_name.clone(),
            });
        }
    }
    found
}

/// # Safety
///
/// `address` is null or valid, and as large as a structure of its family.
unsafe fn read_address(address: *const SOCKADDR, prefixlen: u8) -> Option<IfAddr> {
    // SAFETY: the caller promises that it is valid.
    let family = unsafe { address.as_ref() }?.sa_family;
    match family {
        AF_INET => {
            // SAFETY: the caller promises the size; the pointer may be unaligned.
            let v4 = unsafe { address.cast::<SOCKADDR_IN>().read_unaligned() };
            // SAFETY: all variants of the union are the same four bytes.
            let ip = Ipv4Addr::from_bits(u32::from_be(unsafe { v4.sin_addr.S_un.S_addr }));
            let host = u32::MAX.checked_shr(prefixlen.into()).unwrap_or(0);
            let netmask = Ipv4Addr::from_bits(!host);
            let broadcast = Some(Ipv4Addr::from_bits(ip.to_bits() | host));
            Some(IfAddr::V4(Ifv4Addr { ip, netmask, prefixlen, broadcast }))
        }
        AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { address.cast::<SOCKADDR_IN6>().read_unaligned() };
            // SAFETY: both variants of the union are the same sixteen bytes.
            let ip = Ipv6Addr::from(unsafe { v6.sin6_addr.u.Byte });
            let netmask = Ipv6Addr::from_bits(!u128::MAX.checked_shr(prefixlen.into()).unwrap_or(0));
            Some(IfAddr::V6(Ifv6Addr { ip, netmask, prefixlen, broadcast: None }))
        }
        _ => None,
    }
}

/// # Safety
///
/// `text` is null or ends with a zero.
unsafe fn wide_text(text: *const u16) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the text ends with a zero, and nothing beyond it is read.
    let length = (0..).take_while(|&index| unsafe { *text.add(index) } != 0).count();
    // SAFETY: the text has `length` units before its end, and nothing changes them meanwhile.
    String::from_utf16_lossy(unsafe { slice::from_raw_parts(text, length) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interfaces_are_listed() {
        let all = list().unwrap();
        let is_loopback = |one: &Interface| one.addr.ip() == Ipv4Addr::LOCALHOST;
        assert!(all.iter().any(is_loopback), "{all:?}");
        assert!(all.iter().all(|one| !one.name.is_empty() && !one.adapter_name.is_empty() && one.index.is_some()));
        assert_eq!(interfaces().unwrap().is_empty(), all.is_empty());
    }
}

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| packet_peer_udp_core::fuzzing::server(data));

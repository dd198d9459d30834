//! The methods of `PacketPeerUdpRs`. Their reference is in [`packet_peer`](super); what they do beyond a line is in
//! [`calls`](crate::calls).
#![allow(clippy::needless_pass_by_value, reason = "a method takes its arguments by value")]

use godot::global::Error as GodotError;
use godot::prelude::*;
use packet_peer_udp_core::SocketOption;

use super::{__godot_PacketPeerUdpRs_Funcs, PacketPeerUdpRs};
use crate::calls::{destination, groups, links, opening, options, receiving, sending, waiting};
use crate::convert::{self, count_to_int, hops_to_int, stats_dictionary};
use crate::direct::direct_methods;
use crate::udp_link_conditions::UdpLinkConditions;

// How these are written, and why they are no `#[func]`s: see `direct.rs`.
direct_methods! {
    PacketPeerUdpRs, __godot_PacketPeerUdpRs_Funcs;

    mut fn bind(shared, port: i64, bind_address: GString = GString::from("*"), recv_buf_size: i64 = 65536) -> GodotError {
        opening::bind(shared, port, &bind_address, recv_buf_size)
    }

    mut fn close(shared) {
        shared.peer.close();
    }

    mut fn connect_to_host(shared, host: GString, port: i64) -> GodotError {
        destination::connect_to_host(shared, &host, port)
    }

    mut fn connect_to_host_async(shared, host: GString, port: i64) -> GodotError {
        destination::connect_to_host_async(shared, &host, port)
    }

    const fn get_local_port(shared) -> i64 {
        opening::get_local_port(shared)
    }

    const fn get_packet_ip(shared) -> GString {
        receiving::get_packet_ip(shared)
    }

    const fn get_packet_port(shared) -> i64 {
        receiving::get_packet_port(shared)
    }

    const fn is_bound(shared) -> bool {
        shared.peer.is_open()
    }

    const fn is_socket_connected(shared) -> bool {
        shared.peer.is_connected()
    }

    mut fn join_multicast_group(shared, multicast_address: GString, interface_name: GString) -> GodotError {
        groups::join_multicast_group(shared, &multicast_address, &interface_name)
    }

    mut fn leave_multicast_group(shared, multicast_address: GString, interface_name: GString) -> GodotError {
        groups::leave_multicast_group(shared, &multicast_address, &interface_name)
    }

    mut fn set_broadcast_enabled(shared, enabled: bool) {
        groups::set_broadcast_enabled(shared, enabled);
    }

    mut fn set_dest_address(shared, host: GString, port: i64) -> GodotError {
        destination::set_dest_address(shared, &host, port)
    }

    mut fn set_dest_address_async(shared, host: GString, port: i64) -> GodotError {
        destination::set_dest_address_async(shared, &host, port)
    }

    const fn is_resolving(shared) -> bool {
        shared.peer.is_resolving()
    }

    blocking fn wait(shared, timeout_msec: i64 = -1) -> GodotError {
        waiting::wait(shared, timeout_msec)
    }

    mut fn poll(shared) -> GodotError {
        receiving::poll(shared)
    }

    mut fn interrupt_wait(shared) {
        shared.peer.interrupt_wait();
    }

    const fn get_local_address(shared) -> GString {
        opening::get_local_address(shared)
    }

    const fn get_last_os_error(shared) -> i64 {
        shared.peer.last_error().code.into()
    }

    const fn get_last_error_message(shared) -> GString {
        GString::from(&shared.peer.last_error().message)
    }

    mut fn get_packets(shared, max_packets: i64 = -1) -> Array<PackedByteArray> {
        receiving::get_packets(shared, max_packets)
    }

    mut fn get_packets_joined(shared, max_packets: i64 = -1) -> PackedByteArray {
        receiving::get_packets_joined(shared, max_packets)
    }

    const fn get_batch_ips(shared) -> PackedStringArray {
        receiving::get_batch_ips(shared)
    }

    const fn get_batch_ports(shared) -> PackedInt32Array {
        receiving::get_batch_ports(shared)
    }

    const fn get_batch_times_usec(shared) -> PackedInt64Array {
        receiving::get_batch_times_usec(shared)
    }

    const fn get_batch_sizes(shared) -> PackedInt32Array {
        receiving::get_batch_sizes(shared)
    }

    const fn get_packet_local_ip(shared) -> GString {
        receiving::get_packet_local_ip(shared)
    }

    const fn get_packet_interface(shared) -> GString {
        receiving::get_packet_interface(shared)
    }

    const fn get_batch_local_ips(shared) -> PackedStringArray {
        receiving::get_batch_local_ips(shared)
    }

    const fn get_packet_time_usec(shared) -> i64 {
        receiving::get_packet_time_usec(shared)
    }

    mut fn put_packets(shared, packets: AnyArray) -> i64 {
        sending::put_packets(shared, &packets)
    }

    mut fn put_segmented(shared, data: PackedByteArray, segment_size: i64) -> i64 {
        sending::put_segmented(shared, &data, segment_size)
    }

    static fn get_broadcast_addresses(_) -> PackedStringArray {
        groups::get_broadcast_addresses()
    }

    mut fn put_packet_broadcast(shared, packet: PackedByteArray, port: i64) -> i64 {
        sending::put_packet_broadcast(shared, &packet, port)
    }

    mut fn send_to(shared, packet: PackedByteArray, ip: GString, port: i64) -> GodotError {
        sending::send_to(shared, &packet, &ip, port)
    }

    const fn get_stats(shared) -> VarDictionary {
        stats_dictionary(&shared.peer.stats())
    }

    mut fn reset_stats(shared) {
        shared.peer.reset_stats();
    }

    const fn get_background_receive(shared) -> bool {
        shared.peer.background_receive()
    }

    mut fn set_background_receive(shared, enabled: bool) {
        options::set_background_receive(shared, enabled);
    }

    const fn get_queue_size(shared) -> i64 {
        count_to_int(shared.peer.queue_size())
    }

    mut fn set_queue_size(shared, bytes: i64) {
        options::set_queue_size(shared, bytes);
    }

    const fn get_overflow_policy(shared) -> i64 {
        convert::overflow_policy_constant(shared.peer.overflow_policy())
    }

    mut fn set_overflow_policy(shared, policy: i64) {
        options::set_overflow_policy(shared, policy);
    }

    const fn get_receive_buffer_size(shared) -> i64 {
        count_to_int(shared.peer.receive_buffer_size())
    }

    mut fn set_receive_buffer_size(shared, bytes: i64) {
        options::set_receive_buffer_size(shared, bytes);
    }

    const fn get_send_buffer_size(shared) -> i64 {
        count_to_int(shared.peer.send_buffer_size())
    }

    mut fn set_send_buffer_size(shared, bytes: i64) {
        options::set_send_buffer_size(shared, bytes);
    }

    const fn get_reuse_address(shared) -> bool {
        shared.peer.option(|options| options.reuse_address)
    }

    mut fn set_reuse_address(shared, enabled: bool) {
        options::set_option(shared, SocketOption::ReuseAddress(enabled));
    }

    const fn get_reuse_port(shared) -> bool {
        shared.peer.option(|options| options.reuse_port)
    }

    mut fn set_reuse_port(shared, enabled: bool) {
        options::set_option(shared, SocketOption::ReusePort(enabled));
    }

    const fn get_time_to_live(shared) -> i64 {
        shared.peer.option(|options| hops_to_int(options.time_to_live))
    }

    mut fn set_time_to_live(shared, hops: i64) {
        options::set_time_to_live(shared, hops);
    }

    const fn get_traffic_class(shared) -> i64 {
        shared.peer.option(|options| options.traffic_class.into())
    }

    mut fn set_traffic_class(shared, class: i64) {
        options::set_traffic_class(shared, class);
    }

    const fn get_multicast_time_to_live(shared) -> i64 {
        shared.peer.option(|options| options.multicast_time_to_live.into())
    }

    mut fn set_multicast_time_to_live(shared, hops: i64) {
        options::set_multicast_time_to_live(shared, hops);
    }

    const fn get_multicast_loopback(shared) -> bool {
        shared.peer.option(|options| options.multicast_loopback)
    }

    mut fn set_multicast_loopback(shared, enabled: bool) {
        options::set_option(shared, SocketOption::MulticastLoopback(enabled));
    }

    const fn get_packet_info(shared) -> bool {
        shared.peer.option(|options| options.packet_info)
    }

    mut fn set_packet_info(shared, enabled: bool) {
        options::set_option(shared, SocketOption::PacketInfo(enabled));
    }

    const fn get_source_address(shared) -> GString {
        shared.peer.option(|options| GString::from(&options.source_address))
    }

    mut fn set_source_address(shared, address: GString) {
        options::set_option(shared, SocketOption::SourceAddress(address.to_string()));
    }

    const fn get_multicast_interface(shared) -> GString {
        shared.peer.option(|options| GString::from(&options.multicast_interface))
    }

    mut fn set_multicast_interface(shared, name: GString) {
        options::set_option(shared, SocketOption::MulticastInterface(name.to_string()));
    }

    const fn get_send_conditions(shared) -> Option<Gd<UdpLinkConditions>> {
        links::get_send_conditions(shared)
    }

    mut fn set_send_conditions(shared, conditions: Option<Gd<UdpLinkConditions>>) {
        links::set_send_conditions(shared, conditions);
    }

    const fn get_receive_conditions(shared) -> Option<Gd<UdpLinkConditions>> {
        links::get_receive_conditions(shared)
    }

    mut fn set_receive_conditions(shared, conditions: Option<Gd<UdpLinkConditions>>) {
        links::set_receive_conditions(shared, conditions);
    }
}

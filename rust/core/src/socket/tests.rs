use super::*;

fn options() -> Options {
    Options {
        reuse_address: true,
        reuse_port: sys::HAS_REUSE_PORT,
        time_to_live: NonZeroU8::new(9),
        traffic_class: 0xb8,
        multicast_time_to_live: 3,
        multicast_loopback: false,
        ..Options::default()
    }
}

fn setup(options: &Options) -> Setup<'_> {
    Setup { options, multicast_interface: Ok(None) }
}

fn check(socket: &Socket, options: &Options) {
    let hops = u32::from(options.time_to_live.unwrap().get());
    let socket_ref = SockRef::from(&socket.io);
    assert_eq!(socket_ref.reuse_address().unwrap(), options.reuse_address);
    #[cfg(unix)]
    assert_eq!(socket_ref.reuse_port().unwrap(), options.reuse_port);
    // (A dual-stack socket takes options of IPv4 as well on Linux and Windows.)
    if socket.family != Family::V6 && !(socket.family == Family::Dual && cfg!(target_vendor = "apple")) {
        assert_eq!(socket_ref.ttl_v4().unwrap(), hops);
        assert_eq!(socket_ref.multicast_ttl_v4().unwrap(), u32::from(options.multicast_time_to_live));
        assert_eq!(socket_ref.multicast_loop_v4().unwrap(), options.multicast_loopback);
        #[cfg(unix)]
        assert_eq!(socket_ref.tos_v4().unwrap(), u32::from(options.traffic_class));
    }
    if socket.family != Family::V4 {
        assert_eq!(socket_ref.unicast_hops_v6().unwrap(), hops);
        assert_eq!(socket_ref.multicast_hops_v6().unwrap(), u32::from(options.multicast_time_to_live));
        assert_eq!(socket_ref.multicast_loop_v6().unwrap(), options.multicast_loopback);
        #[cfg(any(target_os = "linux", target_os = "android"))]
        assert_eq!(socket_ref.tclass_v6().unwrap(), u32::from(options.traffic_class));
    }
}

#[test]
fn the_kernel_has_what_was_asked_for_however_a_socket_is_made() {
    let to = |text: &str| Some(text.parse().unwrap());
    for bind in [None, to("127.0.0.1:0"), to("[::1]:0")] {
        match Socket::bound(bind, 0, 0, setup(&options())) {
            Ok(opened) => {
                assert!(opened.refused.iter().all(|refusal| cfg!(windows) && refusal.option == "traffic_class"));
                check(&opened.socket, &options());
            }
            Err(reason) => assert!(bind == to("[::1]:0"), "{reason:?}"),
        }
    }
    for family in [Family::V4, Family::V6] {
        if let Ok(opened) = Socket::open(family, setup(&options())) {
            check(&opened.socket, &options());
        }
    }
}

#[test]
fn the_system_has_its_own_hop_limit_back_with_0() {
    for family in [Family::V4, Family::V6, Family::Dual] {
        let Ok(Opened { socket, .. }) = Socket::make_with(family, 0, setup(&Options::default()), true) else {
            continue;
        };
        let hops = || {
            let socket_ref = SockRef::from(&socket.io);
            (socket_ref.ttl_v4().ok(), socket_ref.unicast_hops_v6().ok())
        };
        let before = hops();
        socket.set(&SocketOption::TimeToLive(NonZeroU8::new(3)), Checked::default()).unwrap();
        assert_ne!(hops(), before, "{family:?}");
        socket.set(&SocketOption::TimeToLive(None), Checked::default()).unwrap();
        assert_eq!(hops(), before, "{family:?}");
    }
}

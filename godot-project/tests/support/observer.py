"""Receives datagrams, and reports what no Godot peer can read: hop limit, traffic class, interface.

Usage: observer.py REPORT_PORT IPV4_GROUP IPV6_GROUP INTERFACE

Listens on every address, and in both groups on the interface (the one that has 127.0.0.1). Its reports are JSON, and go
to REPORT_PORT on loopback: first its port in each family, then one report for each datagram. After a datagram "hello PORT"
it sends "hello" to that port of loopback, from the socket that received it, and reports nothing. Ends when it is killed, or
when no datagram has arrived for two minutes.
"""

import json
import select
import socket
import sys

SECONDS = 120
# Linux' numbers; Python knows them only in part.
IP_TOS, IP_TTL, IP_PKTINFO, IP_RECVTTL, IP_RECVTOS = 1, 2, 8, 12, 13


def open_ipv4(group):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for option in (IP_RECVTTL, IP_RECVTOS, IP_PKTINFO):
        s.setsockopt(socket.IPPROTO_IP, option, 1)
    s.bind(("0.0.0.0", 0))
    s.setsockopt(
        socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton("127.0.0.1")
    )
    return s


def open_ipv6(group, index):
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    # Fails where there is IPv6, but without addresses.
    socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).bind(("::1", 0))
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    for option in (socket.IPV6_RECVHOPLIMIT, socket.IPV6_RECVTCLASS, socket.IPV6_RECVPKTINFO):
        s.setsockopt(socket.IPPROTO_IPV6, option, 1)
    s.bind(("::", 0))
    member = socket.inet_pton(socket.AF_INET6, group) + index.to_bytes(4, sys.byteorder)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
    return s


def send_hello(s, port):
    s.sendto(b"hello", ("127.0.0.1" if s.family == socket.AF_INET else "::1", port))


def report_of(s):
    data, ancillary, _flags, sender = s.recvmsg(65536, 1024)
    if data.startswith(b"hello "):
        send_hello(s, int(data[6:]))
        return None
    report = {"size": len(data), "first": data[0] if data else -1, "port": sender[1]}
    for level, kind, value in ancillary:
        number = int.from_bytes(value[:4], sys.byteorder)
        if (level, kind) in ((socket.IPPROTO_IP, IP_TTL), (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT)):
            report["hops"] = number
        elif (level, kind) in ((socket.IPPROTO_IP, IP_TOS), (socket.IPPROTO_IPV6, socket.IPV6_TCLASS)):
            report["traffic_class"] = number
        elif (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            report["interface"] = socket.if_indextoname(number)
        elif (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            report["interface"] = socket.if_indextoname(int.from_bytes(value[16:20], sys.byteorder))
    return report


def main():
    report_port, group, group6, interface = sys.argv[1:]
    sockets = [open_ipv4(group)]
    try:
        sockets.append(open_ipv6(group6, socket.if_nametoindex(interface)))
    except OSError:
        pass  # no IPv6 here: its port is reported as 0
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.connect(("127.0.0.1", int(report_port)))
    ports = [s.getsockname()[1] for s in sockets] + [0]
    out.send(json.dumps({"ipv4": ports[0], "ipv6": ports[1]}).encode())
    while True:
        ready = select.select(sockets, [], [], SECONDS)[0]
        if not ready:
            return
        for s in ready:
            report = report_of(s)
            if report:
                out.send(json.dumps(report).encode())


main()

"""The far host of the network tests: opens sockets, sends, and reports what each datagram came with.

Run in the namespace "far" by support/far_end.gd, whose requests support/helper_process.py passes on.
"""

import select
import socket
import struct
import time

IP_PKTINFO = 8
IP_RECVTTL = 12
IP_RECVTOS = 13
IP_MULTICAST_ALL = 49
IPV6_MULTICAST_ALL = 29

opened: dict[str, "Opened"] = {}


def numbered(number: int, size: int) -> bytes:
    """The packet that the suites' numbered() makes."""
    packet = bytearray([(number * 31 + 7) & 0xFF]) * size
    packet[:4] = struct.pack("<I", number)[:size]
    return bytes(packet)


def number_of(packet: bytes) -> int:
    """Which packet of the suites' it is; -1 where it is not whole."""
    if len(packet) < 4:
        return -1
    number = struct.unpack_from("<I", packet)[0]
    return number if packet == numbered(number, len(packet)) else -1


def checksum(data: bytes) -> bytes:
    """The sum that IP and ICMP carry, of an even number of bytes."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack(">H", ~total & 0xFFFF)


def written(address: bytes) -> str:
    """An address as get_packet_ip() writes it: IPv6 as eight groups."""
    if len(address) == 4:
        return socket.inet_ntoa(address)
    return ":".join(f"{group:x}" for group in struct.unpack(">8H", address))


class Opened:
    """A socket, and what it has received."""

    def __init__(self, address: str, port: int):
        self.is_ipv6 = ":" in address
        family = socket.AF_INET6 if self.is_ipv6 else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        if self.is_ipv6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            for option in socket.IPV6_RECVHOPLIMIT, socket.IPV6_RECVTCLASS, socket.IPV6_RECVPKTINFO:
                self.socket.setsockopt(socket.IPPROTO_IPV6, option, 1)
            self.socket.setsockopt(socket.IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0)
        else:
            for option in IP_RECVTTL, IP_RECVTOS, IP_PKTINFO:
                self.socket.setsockopt(socket.IPPROTO_IP, option, 1)
            self.socket.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
        self.socket.bind(self.to(address, port))
        self.reports: list[dict] = []

    def to(self, address: str, port: int) -> tuple:
        address, _, interface = address.partition("%")
        if self.is_ipv6:
            return (address, port, 0, socket.if_nametoindex(interface) if interface else 0)
        return (address, port)

    def join(self, group: str, interface: str) -> None:
        index = socket.if_nametoindex(interface)
        if self.is_ipv6:
            membership = socket.inet_pton(socket.AF_INET6, group) + struct.pack("@I", index)
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
        else:
            membership = socket.inet_aton(group) + struct.pack("@4si", b"", index)
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)

    def send_by(self, interface: str) -> None:
        index = socket.if_nametoindex(interface)
        if self.is_ipv6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        else:
            choice = struct.pack("@4s4si", b"", b"", index)
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, choice)

    def refuse(self, to: tuple, kind: int, code: int) -> None:
        """Tells the sender of a datagram to this socket, by ICMP, that it could not be delivered."""
        ours, port = self.socket.getsockname()[:2]
        udp = struct.pack(">HHHH", to[1], port, 24, 0)
        rest = struct.pack(">I", 1300)  # of those that say how much may be sent
        if self.is_ipv6:
            ends = socket.inet_pton(socket.AF_INET6, to[0]) + socket.inet_pton(socket.AF_INET6, ours)
            packet = struct.pack(">IHBB", 6 << 28, 24, socket.IPPROTO_UDP, 64) + ends + udp + bytes(16)
            message = struct.pack(">BBH", kind, code, 0) + rest + packet  # the kernel sums it
            protocol = socket.IPPROTO_ICMPV6
        else:
            ends = socket.inet_aton(to[0]) + socket.inet_aton(ours)
            start = struct.pack(">BBHHHBB", 0x45, 0, 44, 0, 0, 64, socket.IPPROTO_UDP)
            packet = start + checksum(start + bytes(2) + ends) + ends + udp + bytes(16)
            message = struct.pack(">BB", kind, code) + bytes(2) + rest + packet
            message = message[:2] + checksum(message) + message[4:]
            protocol = socket.IPPROTO_ICMP
        with socket.socket(self.socket.family, socket.SOCK_RAW, protocol) as raw:
            raw.sendto(message, (to[0], 0))

    def receive(self) -> None:
        """Takes a datagram, which must be there, and notes what it came with."""
        packet, ancillary, _, sender = self.socket.recvmsg(1 << 16, 1 << 10)
        report = {"size": len(packet), "number": number_of(packet), "port": sender[1]}
        for _, kind, data in ancillary:
            if self.is_ipv6:
                if kind == socket.IPV6_HOPLIMIT:
                    report["hops"] = struct.unpack("@i", data)[0]
                elif kind == socket.IPV6_TCLASS:
                    report["class"] = struct.unpack("@i", data)[0]
                elif kind == socket.IPV6_PKTINFO:
                    report["to"] = written(data[:16])
                    report["interface"] = socket.if_indextoname(struct.unpack_from("@I", data, 16)[0])
            elif kind == socket.IP_TTL:
                report["hops"] = struct.unpack("@i", data)[0]
            elif kind == socket.IP_TOS:
                report["class"] = data[0]
            elif kind == IP_PKTINFO:
                report["to"] = written(data[8:12])
                report["interface"] = socket.if_indextoname(struct.unpack_from("@i", data)[0])
        report["from"] = written(socket.inet_pton(self.socket.family, sender[0].partition("%")[0]))
        if self.is_ipv6 and sender[3]:
            report["from"] += "%" + socket.if_indextoname(sender[3])
        self.reports.append(report)

    def received(self, count: int, seconds: float) -> list[dict]:
        """Waits for so many datagrams; what there is then, which is given once."""
        end = time.monotonic() + seconds
        while True:
            # Those beyond the wanted ones too, where they are there already.
            left = end - time.monotonic() if len(self.reports) < count else 0
            if not select.select([self.socket], [], [], max(left, 0))[0]:
                break
            self.receive()
        reports, self.reports = self.reports, []
        return reports


def answer(request: dict) -> dict:
    """Does what is asked, and says what came of it."""
    wish = request["do"]
    if wish == "reset":
        for one in opened.values():
            one.socket.close()
        opened.clear()
        return {}
    name = request["name"]
    if wish == "open":
        opened[name] = Opened(request["address"], int(request.get("port", 0)))
        return {"port": opened[name].socket.getsockname()[1]}
    one = opened[name]
    if wish == "close":
        opened.pop(name).socket.close()
    elif wish == "join":
        one.join(request["group"], request["interface"])
    elif wish == "send":
        if "interface" in request:
            one.send_by(request["interface"])
        to = one.to(request["to"], int(request["port"]))
        for number in request["numbers"]:
            one.socket.sendto(numbered(int(number), int(request["size"])), to)
    elif wish == "refuse":
        one.refuse(one.to(request["to"], int(request["port"])), int(request["type"]), int(request["code"]))
    elif wish == "received":
        return {"packets": one.received(int(request["count"]), request["seconds"])}
    else:
        raise ValueError(f"cannot {wish}")
    return {}

"""The clients of the benchmark's servers: thousands of sockets, each with an address of its own, in a process of their own,
so that neither their time nor their memory is taken for the server's.

Run by clients.gd, whose requests tests/support/asked_process.py brings.
"""

import random
import socket
import struct

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None

HOST = "127.0.0.1"
SIZE = 64
SPARE_DESCRIPTORS = 32
CLIENTS_PER_ADDRESS = 100

sockets: list[socket.socket] = []
packet = bytearray(range(SIZE))


def allow_descriptors(count: int) -> None:
    """Lets this process have so many, where the system lets it."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        if hard != resource.RLIM_INFINITY and hard < count:
            raise OSError(f"{count} open files are needed, {hard} are allowed (ulimit -Hn)")
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def open_sockets(count: int) -> None:
    """Makes it so many clients altogether."""
    allow_descriptors(count + SPARE_DESCRIPTORS)
    while len(sockets) < count:
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # Each address has ports of its own, so that several such programs find enough.
        try:
            one.bind((f"127.0.0.{1 + len(sockets) // CLIENTS_PER_ADDRESS}", 0))
        except OSError:  # macOS has but one such address
            one.bind((HOST, 0))
        sockets.append(one)


def send(client: int, number: int, to: tuple) -> None:
    """A packet that says which client sent it, and which of its packets it is."""
    struct.pack_into("<II", packet, 0, client, number)
    sockets[client].sendto(packet, to)


def answer(request: dict) -> dict:
    """Does what is asked; with the packets' size, or how many were sent."""
    wish = request["do"]
    if wish == "open":
        open_sockets(int(request["count"]))
        return {"size": SIZE}
    to = (HOST, int(request["port"]))
    if wish == "send":  # one packet of each of these
        for client in request["from"]:
            send(int(client), int(request["number"]), to)
        return {"sent": len(request["from"])}
    if wish == "flood":  # so many packets of each of the first clients, mixed, as fast as they can
        order = list(range(int(request["count"])))
        shuffled = random.Random(int(request["seed"]))
        for number in range(int(request["packets"])):
            shuffled.shuffle(order)
            for client in order:
                send(client, number, to)
        return {"sent": len(order) * int(request["packets"])}
    raise ValueError(f"cannot {wish}")

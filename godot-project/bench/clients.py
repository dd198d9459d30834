"""The clients of the benchmark's servers: up to thousands of sockets in a process of their own, so that their time and memory
are not counted as the server's.

Started by clients.gd; tests/support/helper_process.py passes the requests to answer().
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
    """Raises this process's limit of open files to `count`, if the system has such a limit."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        if hard != resource.RLIM_INFINITY and hard < count:
            raise OSError(f"{count} open files are needed, {hard} are allowed (ulimit -Hn)")
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def open_sockets(count: int) -> None:
    """Opens sockets until there are `count`."""
    allow_descriptors(count + SPARE_DESCRIPTORS)
    while len(sockets) < count:
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # The ports of one address do not suffice for several such programs at once.
        try:
            one.bind((f"127.0.0.{1 + len(sockets) // CLIENTS_PER_ADDRESS}", 0))
        except OSError:  # macOS has only 127.0.0.1
            one.bind((HOST, 0))
        sockets.append(one)


def send(client: int, number: int, to: tuple) -> None:
    """Sends a packet that contains the client's number and its own."""
    struct.pack_into("<II", packet, 0, client, number)
    sockets[client].sendto(packet, to)


def drained(one: socket.socket) -> int:
    """Takes the packets that have arrived at a socket; returns how many."""
    count = 0
    one.setblocking(False)
    try:
        while one.recv(SIZE):
            count += 1
    except BlockingIOError:
        pass
    one.setblocking(True)
    return count


def answer(request: dict) -> dict:
    """Serves a request; returns the packets' size, or the number of packets sent or taken."""
    action = request["do"]
    if action == "open":
        open_sockets(int(request["count"]))
        return {"size": SIZE}
    if action == "drain":  # what the first clients have received
        return {"drained": sum(drained(one) for one in sockets[: int(request["count"])])}
    to = (HOST, int(request["port"]))
    if action == "send":  # one packet from each of these clients
        for client in request["from"]:
            send(int(client), int(request["number"]), to)
        return {"sent": len(request["from"])}
    if action == "flood":  # several packets from each of the first clients, in random order, without pauses
        order = list(range(int(request["count"])))
        shuffled = random.Random(int(request["seed"]))
        for number in range(int(request["packets"])):
            shuffled.shuffle(order)
            for client in order:
                send(client, number, to)
        return {"sent": len(order) * int(request["packets"])}
    raise ValueError(f"cannot {action}")

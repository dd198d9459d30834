#!/usr/bin/env python3
"""Bob, played by a program that knows nothing of Godot: UDP through Python's own socket module.

Usage: python_peer.py ALICE_PORT [NOTES_PORT]

Says hello to Alice, answers what she sends (see peers/bob.gd), and sends notes of it all as JSON to
NOTES_PORT. Ends with the death pill, or after 20 s of silence.
"""

import json
import socket
import struct
import sys

HOST = "127.0.0.1"
SILENCE_SECONDS = 20
HOW_MANY = "How many packets have you had from me?"
# Godot's numbers for the types of a Variant; its documentation, "Binary serialization API", has all.
TYPE_INT = 2
TYPE_NAMES = {0: "Nil", TYPE_INT: "int", 4: "String", 27: "Dictionary", 28: "Array"}


def describe(packet):
    """What a packet is, and its content in words."""
    if packet[:1] == b"T":
        return "text", packet[1:].decode("utf-8", "replace")
    if packet[:1] == b"R":
        beginning = " ".join("%02x" % byte for byte in packet[1:13])
        return "raw bytes", "%d bytes: %s%s" % (len(packet) - 1, beginning, " …" * (len(packet) > 13))
    if packet[:1] == b"P":
        return "death pill", "one byte"
    type_name = TYPE_NAMES.get(packet[0], "type %d" % packet[0])
    return "Variant: " + type_name, "%d bytes that only Godot reads" % len(packet)


def answer(packet, sender, count):
    """The packet that answers this one; None for those that want no answer."""
    kind = packet[:1]
    if kind == b"T":
        words = packet[1:].decode("utf-8", "replace")
        if words == HOW_MANY:
            # put_var() of a small int is just this: the type and a 32-bit number.
            return struct.pack("<Ii", TYPE_INT, count)
        return ('TI read "%s" from %s.' % (words, sender)).encode("utf-8")
    if kind == b"R":
        return b"R" + packet[:0:-1]
    if kind in (b"P", b"K"):
        return None
    # A Variant goes back byte for byte, without decoding.
    return packet


def main():
    alice = (HOST, int(sys.argv[1]))
    notes = (HOST, int(sys.argv[2])) if len(sys.argv) > 2 else None
    bob = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bob.bind((HOST, 0))
    bob.settimeout(SILENCE_SECONDS)

    def note(packet, sent, address):
        kind, words = describe(packet)
        fields = {"sent": sent, "kind": kind, "address": address, "words": words}
        fields["size"] = len(packet)
        if notes:
            bob.sendto(json.dumps(fields).encode("utf-8"), notes)

    def send(packet, address):
        bob.sendto(packet, address)
        note(packet, True, "%s:%d" % address)

    hello = "THello, Alice! I am Bob, a Python %d.%d program." % sys.version_info[:2]
    send(hello.encode("utf-8"), alice)

    count = 0
    while True:
        try:
            packet, address = bob.recvfrom(65535)
        except OSError:  # no packet for SILENCE_SECONDS, or Alice's port is closed
            return
        sender = "%s:%d" % address
        if packet == b"" or packet == b"K":
            continue
        count += 1
        note(packet, False, sender)
        if packet == b"P":
            return
        send(answer(packet, sender, count), address)


if __name__ == "__main__":
    main()

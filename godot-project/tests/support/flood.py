"""Sends small packets to a port of this machine, until that is closed or for some seconds: flood.py PORT SECONDS [SOCKETS]"""

import socket
import sys
import time

port, seconds = int(sys.argv[1]), float(sys.argv[2])
senders = []
for _ in range(int(sys.argv[3]) if len(sys.argv) > 3 else 1):
    senders.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    senders[-1].connect(("127.0.0.1", port))
end = time.monotonic() + seconds
refused = 0
while time.monotonic() < end and refused < 100:
    for sender in senders:
        try:
            sender.send(b"sixteen bytes...")
        except ConnectionRefusedError:
            refused += 1
        except OSError:
            pass  # the kernel has no room for it

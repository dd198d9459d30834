"""What the benchmark's figures must reach, and what they aim for: the only place where such numbers are.

A goal is (must, aim); None where there is none. A figure must not be larger than its goal, except the packets that survive a
stall, which must not be fewer. The musts of times are the ratios that were measured on an otherwise idle Intel Xeon with two cores,
plus 10 %; an earlier must that is stricter stays. Ratios differ between processors: compare two builds on one machine with
scripts/bench.sh --against.
"""

NO_GOAL = (None, None)

# Row of the raw measurements and payload in bytes: ours / native.
RATIO = {
    ("put_packet", 64): (1.14, 1.02),
    ("put_packet", 1200): (1.15, 1.02),
    ("set_dest_address, put_packet", 64): (1.10, 1.00),
    ("put_packets", 64): (0.110, 0.061),
    ("put_packets", 1200): (0.163, 0.107),
    ("put_segmented", 64): (0.031, 0.025),
    ("put_segmented", 1200): (0.081, 0.050),
    ("get_packet of put_packet", 64): (0.92, 0.74),
    ("get_packet of put_packet", 1200): (0.58, 0.50),
    ("get_packets of put_packet", 64): (0.50, 0.42),
    ("get_packets of put_packet", 1200): (0.25, 0.20),
    ("get_packets of put_packets", 64): (0.180, 0.094),
    ("get_packets of put_packets", 1200): (0.111, 0.082),
    ("get_packets_joined of put_segmented", 64): (0.041, 0.033),
    ("get_packets_joined of put_segmented", 1200): (0.062, 0.050),
    ("get_packet of put_packet in background", 64): (0.25, 0.127),
    ("get_packet of put_packet in background", 1200): (0.29, 0.217),
    ("get_packets of put_packet in background", 64): (0.200, 0.115),
    ("idle count", 0): (1.39, 1.10),
    ("idle count in background", 0): (0.242, 0.115),
    ("round trip", 64): (1.16, 0.90),
    # Of ours with packet_info to ours without it.
    ("get_packets with packet_info", 64): NO_GOAL,
    # Of ours with conditions that do nothing to ours without conditions.
    ("put_packet with conditions that do nothing", 64): (1.10, None),
    ("get_packet with conditions that do nothing", 64): NO_GOAL,
    # Of ours in background mode to ours polled.
    ("round trip in background against polled", 64): (1.12, 1.05),
}

# Row of the raw measurements and payload in bytes: microseconds per packet more than the bare system call.
ABOVE_KERNEL = {
    ("get_packets of put_packet", 64): (None, 0.15),
    ("get_packets of put_packet", 1200): (None, 0.15),
}

# Number of peers: ours / native of a server's poll(), of counting and taking, and of both together.
SERVER_RATIO = {
    ("taking", 10): (1.0, None),
    ("taking", 100): (1.0, None),
    ("taking", 1_000): (1.0, None),
    ("taking", 4_000): (1.0, None),
    ("taking", 10_000): (1.0, None),
}

# By how many microseconds a packet is late that link conditions hold back. Where the machine wakes a sleeping thread later than that, the
# addon's thread can be no earlier: then half as much again as the sleeping thread.
LATENESS = {"median": (200, None), "latest": (1_000, None)}

LATENESS_OVER_THREAD = 1.5

# Number of peers of which 100 have sent a packet: a frame of ours by get_ready_peers() / by a loop over all peers of ours, and / by
# native's poll() and loop.
FRAME_AGAINST_LOOP = {10_000: (0.2, None)}
FRAME_AGAINST_NATIVE = {10_000: (0.02, None)}

# Number of peers that get one packet: put_packet_to / put_packet of each peer.
STATE = {1_000: (0.9, None)}

# Number of peers: ours with so many peers / ours with the fewest.
SERVER_GROWTH = {
    ("polling", 4_000): (1.28, 1.16),
    ("whole", 4_000): (1.4, None),
}

# Bytes of resident memory. A server's peers are judged only where there are many: memory is allocated in pages.
IDLE_PEER_BYTES = (2_048, None)
SERVER_PEER_BYTES = (3_277, None)
SERVER_PEERS_TO_JUDGE = 1_000

# Packets that survive a stall in background mode; where more are sent, all of them are the aim.
SURVIVORS = 20_000

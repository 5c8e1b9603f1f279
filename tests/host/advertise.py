"""A router for the tests, run inside a network namespace: it advertises a prefix once a second, until it is killed."""

import contextlib
import socket
import struct
import sys
import time

ROUTER_ADVERTISEMENT, PREFIX_OPTION = 134, 3
ALL_NODES = "ff02::1"


def advertisement(prefix: str) -> bytes:
    """Build the message (RFC 4861 4.2): a router for half an hour, a prefix to make addresses of."""
    head = struct.pack("!BBHBBHII", ROUTER_ADVERTISEMENT, 0, 0, 64, 0, 1800, 0, 0)
    on_link_and_autonomous = 0xC0
    option = struct.pack("!BBBBIII", PREFIX_OPTION, 4, 64, on_link_and_autonomous, 86400, 14400, 0)
    return head + option + socket.inet_pton(socket.AF_INET6, prefix)


def main(interface: str, prefix: str) -> None:
    sender = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    number = socket.if_nametoindex(interface)
    while True:
        # The interface's own address is not there at first.
        with contextlib.suppress(OSError):
            sender.sendto(advertisement(prefix), (ALL_NODES, 0, 0, number))
        time.sleep(1)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

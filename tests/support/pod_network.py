"""Pods without a cluster: network namespaces, routed through a middle one as the ptp CNI does.

Every server and client is a socket of this process that was made inside its namespace, so nothing has to
be started there. Needs root, `ip` and `nft`.
"""

import contextlib
import ctypes
import ipaddress
import json
import os
import re
import selectors
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")
GATEWAY = "10.77.0.1"
SERVICE = "10.96.0.1"  # a Service of web's port 80
ADDRESSES = {
    "web": "10.77.0.2",
    "db": "10.77.0.3",
    "client": "10.77.0.4",
    "other": "10.77.0.5",
    "outside": "192.0.2.10",
    "office": "192.0.2.77",
}
TCP_PORTS = (80, 85, 8080, 9090)
UDP_PORTS = (53, 80, 8080)
SCTP = 132
CLIENT_PORT = 1
SECONDS = 10.0
_libc = ctypes.CDLL(None, use_errno=True)


def run(*command: str, text: str = "") -> str:
    """Run a command and return what it prints; its own words are the error."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


class PodNetwork:
    """A node, its pods, and two hosts outside."""

    def __init__(self) -> None:
        self.prefix = f"serinus-{os.getpid()}-"
        self.node = f"{self.prefix}node"
        self.nft = ("ip", "netns", "exec", self.node, "nft")
        self.accepting = selectors.DefaultSelector()
        self.stopped = threading.Event()
        self.server = threading.Thread(target=self._serve, daemon=True)

    @contextlib.contextmanager
    def up(self) -> Iterator["PodNetwork"]:
        try:
            self._build()
            self.server.start()
            yield self
        finally:
            self.stopped.set()
            if self.server.ident:
                self.server.join(SECONDS)
            for key in list(self.accepting.get_map().values()):
                key.fileobj.close()
            for name in ("node", *ADDRESSES):
                subprocess.run(["ip", "netns", "del", self.prefix + name], capture_output=True, timeout=30)

    def _build(self) -> None:
        run("ip", "netns", "add", self.node)
        run("ip", "-n", self.node, "link", "set", "lo", "up")
        run("ip", "netns", "exec", self.node, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        for number, (name, address) in enumerate(ADDRESSES.items()):
            pod, inside, outside = self.prefix + name, "eth0", f"veth{number}"
            run("ip", "netns", "add", pod)
            run("ip", "-n", self.node, "link", "add", outside, "type", "veth", "peer", inside, "netns", pod)
            run("ip", "-n", self.node, "address", "add", f"{GATEWAY}/32", "dev", outside)
            run("ip", "-n", self.node, "link", "set", outside, "up")
            run("ip", "-n", self.node, "route", "add", f"{address}/32", "dev", outside)
            run("ip", "-n", pod, "link", "set", "lo", "up")
            run("ip", "-n", pod, "address", "add", f"{address}/32", "dev", inside)
            run("ip", "-n", pod, "link", "set", inside, "up")
            run("ip", "-n", pod, "route", "add", GATEWAY, "dev", inside)
            run("ip", "-n", pod, "route", "add", "default", "via", GATEWAY, "dev", inside)
            self._listen(name, address)
        run(*self.nft, "-f", "-", text=_service(ADDRESSES["web"]))

    def _listen(self, name: str, address: str) -> None:
        def open_all() -> list[socket.socket]:
            streams = [socket.create_server((address, port), backlog=64) for port in TCP_PORTS]
            datagrams = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in UDP_PORTS]
            for port, one in zip(UDP_PORTS, datagrams, strict=True):
                one.bind((address, port))
            # The kernel need not know SCTP: only the header matters to a rule.
            return [*streams, *datagrams, socket.socket(socket.AF_INET, socket.SOCK_RAW, SCTP)]

        for one in self.inside(name, open_all):
            one.setblocking(False)
            self.accepting.register(one, selectors.EVENT_READ)

    def inside(self, name: str, do: Callable[[], T]) -> T:
        """Run something in a pod's (or the node's) namespace, in a thread of its own."""
        result: list[T] = []
        failed: list[BaseException] = []

        def enter() -> None:
            try:
                with open(f"/run/netns/{self.prefix}{name}") as place:
                    if _libc.setns(place.fileno(), 0x40000000):
                        raise OSError(ctypes.get_errno(), "setns")
                result.append(do())
            except BaseException as problem:
                failed.append(problem)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join(SECONDS)
        if failed:
            raise failed[0]
        return result[0]

    def _serve(self) -> None:
        """Answer until the end: accept streams, echo datagrams, answer SCTP packets with one of their own."""
        while not self.stopped.is_set():
            for key, _ in self.accepting.select(0.1):
                one = key.fileobj
                if one.type == socket.SOCK_STREAM:
                    one.accept()[0].close()
                elif one.type == socket.SOCK_DGRAM:
                    one.sendto(b"yes", one.recvfrom(64)[1])
                else:
                    packet, sender = one.recvfrom(256)
                    if packet[-3:] != b"yes":
                        asked = int.from_bytes(packet[22:24], "big")  # after 20 bytes of IP header
                        one.sendto(_sctp(asked, CLIENT_PORT) + b"yes", sender)

    def attempt(self, text: str) -> "Attempt":
        """Start what `client>web:80`, `client>web:53/udp` or `node>10.96.0.1:80` says."""
        source, target, port, protocol = re.fullmatch(r"(\w+)>([\w.]+):(\d+)(?:/(\w+))?", text).groups()
        address = ADDRESSES.get(target, target)
        ipaddress.ip_address(address)
        kinds = {
            None: (socket.SOCK_STREAM, 0),
            "udp": (socket.SOCK_DGRAM, 0),
            "sctp": (socket.SOCK_RAW, SCTP),
        }
        made = self.inside(source, lambda: socket.socket(socket.AF_INET, *kinds[protocol]))
        return Attempt(text, made, address, int(port))

    def outcome(self, attempts: list[str], denied: int) -> set[str]:
        """Return which attempts came through.

        Ends when each came through or was dropped: the rules' own counters tell, not a guess of time.
        """
        before, started = self.dropped(), [self.attempt(text) for text in attempts]
        through: set[str] = set()
        deadline = time.monotonic() + SECONDS
        try:
            while time.monotonic() < deadline:
                through |= {one.text for one in started if one.through()}
                if len(through) + denied >= len(started) and self.dropped() - before >= denied:
                    break
                time.sleep(0.02)
            return through
        finally:
            for one in started:
                one.socket.close()

    def dropped(self) -> int:
        """Return how many packets the loaded ruleset dropped."""
        listed = json.loads(run(*self.nft, "-j", "list", "ruleset"))["nftables"]
        expressions = [part for item in listed if "rule" in item for part in item["rule"]["expr"]]
        return sum(part["counter"]["packets"] for part in expressions if "counter" in part)


class Attempt:
    """One connection, datagram or packet on its way."""

    def __init__(self, text: str, made: socket.socket, address: str, port: int) -> None:
        self.text, self.socket, self.port = text, made, port
        made.setblocking(False)
        made.connect_ex((address, 0 if made.type == socket.SOCK_RAW else port))
        if made.type != socket.SOCK_STREAM:
            made.send(_sctp(CLIENT_PORT, port) if made.type == socket.SOCK_RAW else b"hello")

    def through(self) -> bool:
        """Tell whether the other side has answered. A refusal is an answer nobody here sends: it raises."""
        try:
            if self.socket.type == socket.SOCK_STREAM:
                if problem := self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    raise OSError(problem, self.text)
                self.socket.getpeername()
                return True
            packet = self.socket.recv(256)
            if self.socket.type == socket.SOCK_RAW:
                return packet[20:24] == _sctp(self.port, CLIENT_PORT)[:4] and packet[-3:] == b"yes"
            return packet == b"yes"
        except BlockingIOError:
            return False
        except OSError as problem:
            if problem.errno == 107:  # ENOTCONN: still on its way
                return False
            raise

    def arrive(self) -> None:
        """Wait until the other side has answered."""
        deadline = time.monotonic() + SECONDS
        while not self.through():
            assert time.monotonic() < deadline, f"{self.text}: no answer within {SECONDS} s"
            time.sleep(0.01)


def _sctp(source: int, target: int) -> bytes:
    return source.to_bytes(2, "big") + target.to_bytes(2, "big") + bytes(8)


def _service(backend: str) -> str:
    """Return what kube-proxy does for a Service, the hairpin's masquerade included."""
    return f"""table ip service {{
  chain prerouting {{
    type nat hook prerouting priority dstnat;
    ip daddr {SERVICE} tcp dport 80 dnat to {backend}
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    ip saddr {backend} ip daddr {backend} masquerade
  }}
}}"""

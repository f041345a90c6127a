"""A feature read and a scrape: the stores are in use, not only up."""

import json
from dataclasses import dataclass
from urllib.parse import quote

from serinus_cluster.edges.secrets import secret
from serinus_cluster.place import Place
from serinus_cluster.steps import AskMetrics, Outcome, ReadFeature
from serinus_cluster.waiting import NotYet, until

# Runs in a model's pod, addresses on its standard input: the same image and network as a server's.
# hiredis is what the server itself speaks with.
_WRITE_AND_READ = """
import json, socket, sys, time
from urllib.parse import unquote, urlsplit
import hiredis

def ask(connection, *words):
    connection.sendall(hiredis.pack_command(words))
    reader, reply = hiredis.Reader(), False
    while reply is False:
        reader.feed(connection.recv(65536))
        reply = reader.gets()
    return reply

def opened(address):
    parts = urlsplit(address)
    connection = socket.create_connection((parts.hostname, parts.port or 6379), 5)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    said = ask(connection, "AUTH", *filter(None, (user, password)))
    assert said == b"OK", said
    return connection

writer, reader = map(opened, json.load(sys.stdin))
key = "serinus:make-up"
ask(writer, "HSET", key, "feature", "1")
ask(writer, "EXPIRE", key, "60")
began = time.perf_counter()
value = ask(reader, "HMGET", key, "feature")
took = time.perf_counter() - began
assert value == [b"1"], value
refused = ask(reader, "HSET", key, "feature", "2")
assert isinstance(refused, hiredis.ReplyError) and "NOPERM" in str(refused), refused
print(f"{took * 1000:.1f}")
"""


@dataclass(frozen=True)
class Feature:
    """One value, written with the Jobs' login and read with the servers', which may not write."""

    action: ReadFeature
    place: Place

    def missing(self) -> str | None:
        """Always read: the answer is the proof."""
        return "a value that is read proves it"

    def apply(self, seconds: float) -> Outcome:
        """Read until it comes.

        Raises:
            InVain: it did not within the deadline.
        """
        addresses = [secret(self.place.kubectl, where) for where in (self.action.writer, self.action.reader)]
        took = until("a pod of a model reads a feature", lambda: self._read(json.dumps(addresses)), seconds)
        return Outcome(f"a model's pod reads a value in {took} ms and may not write", changed=False)

    def _read(self, addresses: str) -> str:
        kubectl, where = self.place.kubectl, ("--namespace", self.action.namespace)
        listed = ("--selector", self.action.pods, "--field-selector", "status.phase=Running")
        pods = kubectl.run("get", "pods", *where, *listed, "--output", "name").split()
        if not pods:
            raise NotYet(f"no pod {self.action.pods} runs in {self.action.namespace}")
        command = ("--container", "kserve-container", "--stdin", "--", "python", "-c", _WRITE_AND_READ)
        return kubectl.run("exec", *where, pods[0], *command, stdin=addresses, seconds=30).strip()


@dataclass(frozen=True)
class Metrics:
    """One query to Prometheus that finds a series."""

    action: AskMetrics
    place: Place

    def missing(self) -> str | None:
        """Always ask: the answer is the proof."""
        return "a series that is found proves it"

    def apply(self, seconds: float) -> Outcome:
        """Ask until a series comes.

        Raises:
            InVain: none came within the deadline.
        """
        found = until(f"Prometheus finds {self.action.query}", self._ask, seconds)
        return Outcome(f"Prometheus finds {found} of {self.action.query}", changed=False)

    def _ask(self) -> str:
        where = f"/api/v1/namespaces/{self.action.namespace}/services/{self.action.service}/proxy"
        path = f"{where}/api/v1/query?query={quote(self.action.query)}"
        found = json.loads(self.place.kubectl.run("get", "--raw", path, seconds=20))["data"]["result"]
        if not found:
            raise NotYet("nothing")
        return str(len(found))

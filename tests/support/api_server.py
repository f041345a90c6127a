"""An API server of a few kinds on loopback: reads, lists, watches, applies, and refuses as told."""

import contextlib
import copy
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.loopback import serving
from tests.support.routing import heard

Object = dict[str, Any]
KINDS = {
    "serving.kserve.io/v1beta1": ("inferenceservices", "InferenceService"),
    "gateway.networking.k8s.io/v1": ("httproutes", "HTTPRoute"),
    "discovery.k8s.io/v1": ("endpointslices", "EndpointSlice"),
    "coordination.k8s.io/v1": ("leases", "Lease"),
    "v1": ("namespaces", "Namespace"),
}
_PATH = re.compile(
    r"/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+/[^/]+))"
    r"(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+))?(?P<status>/status)?$"
)


class ApiServer:
    """What it holds, and how it answers. `refusals` maps a method to the status that it gets instead."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.events: list[Object] = []
        self.requests: list[tuple[str, str]] = []
        self.refusals: dict[str, int] = {}
        self.changed = threading.Condition()
        self.log: list[tuple[int, str, Object]] = []
        self.ended = False
        self.url = ""

    def put(self, plural: str, document: Object, kind: str = "MODIFIED") -> Object:
        """Hold an object as somebody else wrote it, and let watchers know."""
        with self.changed:
            document = copy.deepcopy(document)
            metadata = document["metadata"]
            version = len(self.log) + 1
            metadata["resourceVersion"] = str(version)
            key = (plural, metadata["namespace"], metadata["name"])
            self.objects[key] = document
            if kind == "DELETED":
                del self.objects[key]
            self.log.append((version, plural, {"type": kind, "object": document}))
            self.changed.notify_all()
            return document

    def held(self, plural: str, name: str, namespace: str = "team") -> Object | None:
        """Return an object."""
        return self.objects.get((plural, namespace, name))

    def kubeconfig(self, file: Path) -> Path:
        """Write a file by which clients find this server."""
        user = {"name": "u", "user": {"token": "t"}}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [user],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }
        file.write_text(json.dumps(document))
        return file


@contextlib.contextmanager
def api_server() -> Iterator[ApiServer]:
    """An API server on loopback, for as long as the block lasts."""
    state = ApiServer()

    class Handler(_Handler):
        api = state

    with serving(Handler) as state.url:
        try:
            yield state
        finally:
            # Nothing else ends a watch.
            with state.changed:
                state.ended = True
                state.changed.notify_all()


class _Handler(BaseHTTPRequestHandler):
    api: ApiServer
    protocol_version = "HTTP/1.1"

    def _answer(self, document: Object, status: int = 200) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _handle(self) -> None:
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        self.api.requests.append((self.command, url.path))
        if self.command in self.api.refusals:
            self._failure(self.api.refusals[self.command], "as told")
        elif found := _PATH.match(url.path):
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            self._object(found.groupdict(), query, body)
        else:
            self._discovery(url.path)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _handle

    def _failure(self, status: int, message: str) -> None:
        self._answer({"kind": "Status", "code": status, "message": message}, status)

    def _discovery(self, path: str) -> None:
        if path == "/api":
            self._answer({"versions": ["v1"]})
        elif path == "/apis":
            groups = []
            for each in KINDS:
                if "/" in each:
                    version = {"groupVersion": each, "version": each.split("/")[1]}
                    group = {"name": each.split("/")[0], "versions": [version], "preferredVersion": version}
                    groups.append(group)
            self._answer({"groups": groups})
        elif (found := path.removeprefix("/apis/").removeprefix("/api/")) in KINDS:
            plural, kind = KINDS[found]
            verbs = ["get", "list", "watch", "patch", "create"]
            named = {"name": plural, "singularName": kind.lower(), "kind": kind, "namespaced": True}
            self._answer({"resources": [{**named, "verbs": verbs}]})
        else:
            self._failure(404, "not found")

    def _object(self, place: dict[str, Any], query: dict[str, str], body: Object) -> None:
        plural, namespace, name = place["plural"], place["namespace"], place["name"]
        if plural == "events":
            self.api.events.append(body)
            self._answer(body, 201)
        elif self.command == "GET" and query.get("watch") == "true":
            self._watch(plural, int(query.get("resourceVersion") or 0))
        elif self.command == "GET" and name is None:
            self._list(place, query.get("labelSelector", ""))
        elif self.command == "POST":
            body["metadata"] = {**body.get("metadata", {}), "namespace": namespace}
            self._answer(self.api.put(plural, body, "ADDED"), 201)
        elif self.command == "PATCH" and "apply-patch" in self.headers["Content-Type"]:
            held = self.api.objects.get((plural, namespace, name))
            assert query["fieldManager"], "an apply without a manager"
            assert query["force"] == "true"
            if plural == "httproutes":
                body["status"] = heard(body)
            self._answer(self.api.put(plural, {**(held or {}), **body}))
        elif (held := self.api.objects.get((plural, namespace, name))) is None:
            self._failure(404, "not found")
        elif self.command == "GET":
            self._answer(held)
        elif self.command == "DELETE":
            self._delete(plural, held, body["preconditions"])
        elif body["metadata"].get("resourceVersion") != held["metadata"]["resourceVersion"]:
            self._failure(409, "the object has been modified")
        elif self.command == "PUT":
            self._answer(self.api.put(plural, body))
        else:
            self._answer(self.api.put(plural, {**held, "status": {**held["status"], **body["status"]}}))

    def _delete(self, plural: str, held: Object, preconditions: Object) -> None:
        if any(held["metadata"].get(key) != value for key, value in preconditions.items()):
            self._failure(409, "the precondition does not hold")
        else:
            self._answer(self.api.put(plural, held, "DELETED"))

    def _list(self, place: dict[str, Any], selector: str) -> None:
        wanted = dict([selector.split("=")]) if "=" in selector else {}
        items = [
            each
            for (plural, namespace, _), each in self.api.objects.items()
            if plural == place["plural"] and place["namespace"] in (None, namespace)
            and wanted.items() <= each["metadata"].get("labels", {}).items()
        ]  # fmt: skip
        kind = dict(KINDS.values())[place["plural"]]
        version = str(len(self.api.log))
        self._answer({"kind": f"{kind}List", "metadata": {"resourceVersion": version}, "items": items})

    def _watch(self, plural: str, since: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        # In chunks, as the real one: some clients wait for the end of a body without them.
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        while not self.api.ended:
            with self.api.changed:
                news = [each for each in self.api.log if each[0] > since and each[1] == plural]
                since = len(self.api.log)
                if not news:
                    self.api.changed.wait(1)
            with contextlib.suppress(OSError):
                for _, _, event in news:
                    line = json.dumps(event).encode() + b"\n"
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
                self.wfile.flush()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass

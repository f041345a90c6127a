"""An MLflow that misbehaves: a server on loopback that answers as told."""

import contextlib
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from tests.support.loopback import serving

Answer = tuple[int, dict[str, str], bytes]


@contextlib.contextmanager
def misbehaving(answer: Callable[[str, dict[str, str]], Answer]) -> Iterator[str]:
    """A server on loopback that answers as told: what a real MLflow cannot be made to do."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answer(self.path, dict(self.headers))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as url:
        yield url


def registry_of(
    files: dict[str, bytes],
    *,
    root: str = "mlflow-artifacts:/1/run/artifacts/model",
    sizes: int | None = None,
) -> Callable[[str, dict[str, str]], Answer]:
    """Return what answers as MLflow for version 1 of `m`; its `files` lie at `root` and claim `sizes`."""

    def answer(path: str, _: dict[str, str]) -> Answer:
        door = urlsplit(path).path.removeprefix("/api/2.0/")
        if door == "mlflow/model-versions/get":
            body: Any = {"model_version": {"name": "m", "version": "1"}}
        elif door == "mlflow/model-versions/get-download-uri":
            body = {"artifact_uri": root}
        elif door == "mlflow-artifacts/artifacts":
            listed = [{"path": n, "is_dir": False, "file_size": sizes or len(d)} for n, d in files.items()]
            body = {"files": listed}
        else:
            return 200, {}, files[door.rpartition("/")[2]]
        return 200, {}, json.dumps(body).encode()

    return answer

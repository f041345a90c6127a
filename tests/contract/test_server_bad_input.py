"""The bad requests again, over sockets to a real process: it answers each as it should and stays alive."""

import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.bad_requests import BAD_V1, BAD_V2, V1
from tests.support.server_process import ServerProcess, running

from serinus_contracts.artifact import ModelContract


@pytest.fixture(scope="module")
def server(
    artifact: tuple[Path, ModelContract], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    with running(artifact[0], tmp_path_factory.mktemp("server") / "log") as process:
        yield process


def resident_mib(process: ServerProcess) -> float:
    pages = int(Path(f"/proc/{process.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_every_bad_request_on_one_process(server: ServerProcess):
    before = resident_mib(server)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    failures = []
    for bad in (*BAD_V1, *BAD_V2):
        connection.putrequest(bad.method, bad.path, skip_accept_encoding=True)
        for name, value in bad.headers:
            connection.putheader(name, value)
        connection.putheader("content-length", str(len(bad.body)))
        connection.endheaders(bad.body)
        response = connection.getresponse()
        text = response.read()
        good = (
            response.status == bad.status
            and len(text) <= 1024
            and response.headers["content-type"] == "application/json"
            and all(word in json.loads(text)["error"] for word in bad.words)
        )
        if not good:
            failures.append((str(bad), response.status, text[:200]))
    assert failures == []
    assert resident_mib(server) - before < 64
    assert b"Traceback" not in server.log.read_bytes()
    good_row = json.dumps({"instances": [{"age": 40, "tenure_months": 3}]})
    connection.request("POST", V1, good_row, {"content-type": "application/json"})
    assert connection.getresponse().status == 200
    connection.close()


def test_an_endless_chunked_body_is_given_up_with_bounded_memory(server: ServerProcess):
    before = resident_mib(server)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)

    def chunks(mebibytes: int) -> Iterator[bytes]:
        for _ in range(mebibytes * 16):
            yield b" " * 65_536

    connection.request("POST", V1, chunks(8), {"content-type": "application/json"}, encode_chunked=True)
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())["error"][:5]) == (413, "body:")
    try:
        connection.request("POST", V1, chunks(256), {"content-type": "application/json"}, encode_chunked=True)
    except OSError:
        pass  # the server has hung up, as it said
    else:
        assert connection.getresponse().status == 413
    connection.close()
    assert resident_mib(server) - before < 64

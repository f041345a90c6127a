"""The agents' door to an API server on loopback: what is held, what changes, and what is refused."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kubernetes.config import kube_config
from tests.support.api_server import ApiServer, api_server
from tests.support.certificates import certificate, issuer
from tests.support.ports import free_port
from tests.support.waiting import NotYet, until

from serinus_agents.alive import Signs
from serinus_agents.api import Api, ApiError
from serinus_agents.certificates import __main__ as certificates
from serinus_agents.certificates.deciding import API
from serinus_agents.watching import Mirror, problems

LEASES = "/apis/coordination.k8s.io/v1/leases"
NOW = datetime(2026, 11, 21, tzinfo=UTC)
SECONDS = 10


def lease(name: str, holder: str = "a") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "team"}, "spec": {"holderIdentity": holder}}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    with api_server() as running:
        file = running.kubeconfig(tmp_path / "kubeconfig")
        monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(file))
        yield running


def test_a_collection_is_read_and_then_followed(server: ApiServer):
    server.put("leases", lease("one"))
    changed = threading.Event()
    mirror = Mirror(Api(), LEASES, changed)
    assert problems(mirror) == [f"{LEASES}: not read yet"]
    ends: list[ApiError] = []

    def follow() -> None:
        try:
            mirror.follow_once()
        except ApiError as error:
            ends.append(error)

    # Not mirror.start(): what that begins goes on until the process ends, in other tests too.
    following = threading.Thread(target=follow)
    following.start()

    def holds(*names: str) -> None:
        if sorted(name for _, name in mirror.items or {}) != sorted(names):
            raise NotYet(mirror.items)

    until("one is read", lambda: holds("one"), SECONDS)
    assert changed.is_set()
    server.put("leases", lease("two"))
    until("two is read", lambda: holds("one", "two"), SECONDS)
    server.put("leases", lease("one"), kind="DELETED")
    until("one is gone", lambda: holds("two"), SECONDS)
    assert problems(mirror) == []
    # What was read stays when the watch cannot go on.
    server.put(
        "leases", {**lease("two"), "reason": "Expired", "message": "too old", "code": 410}, kind="ERROR"
    )
    following.join(SECONDS)
    assert [error.status for error in ends] == [410]
    holds("two")


def test_an_object_that_is_not_there_is_none_and_a_refusal_says_what_was_asked(server: ApiServer):
    place = LEASES.replace("leases", "namespaces/team/leases/one")
    assert Api().get(place) is None
    server.put("leases", lease("one"))
    found = Api().get(place)
    assert found is not None
    assert found["spec"] == {"holderIdentity": "a"}
    server.refusals["GET"] = 403
    with pytest.raises(ApiError, match=f"GET {place}: 403 as told") as refused:
        Api().get(place)
    assert refused.value.status == 403
    with pytest.raises(ApiError, match=r"watch .*: 403 as told"):
        list(Api().watch(LEASES, "0", 1))


def test_a_server_that_is_away_is_no_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    away = ApiServer()
    away.url = f"http://127.0.0.1:{free_port()}"
    file = away.kubeconfig(tmp_path / "kubeconfig")
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(file))
    with pytest.raises(ApiError, match=f"GET {LEASES}: ") as error:
        Api().collection(LEASES)
    assert error.value.status == 0


class Held:
    """A door that holds objects by path, keeps what is written, and refuses where it is told to."""

    def __init__(self, refused: str = "") -> None:
        self.objects: dict[str, Any] = {}
        self.written: list[str] = []
        self._refused = refused

    def get(self, path: str) -> Any:
        if self._refused == "read":
            raise ApiError(f"GET {path}: 403", 403)
        return self.objects.get(path)

    def create(self, path: str, body: Any) -> None:
        if self._refused == "write":
            raise ApiError(f"POST {path}: 403", 403)
        self.objects[f"{path}/{body['metadata']['name']}"] = body
        self.written.append(path)

    def merge(self, path: str, body: Any) -> None:
        self.written.append(path)


def mirrors(*, read: bool = True, asked: bool = True) -> dict[str, Any]:
    """Return what the agent looks at: one Certificate of a self-signed issuer, if it is `asked` for."""
    found = {}
    for path in (*(f"{API}/{kind}" for kind in certificates.ISSUING), *certificates.WEBHOOKS):
        found[path] = Mirror(Api.__new__(Api), path, threading.Event())
        found[path].items, found[path].problem = {}, None if read else "not read yet"
    found[certificates.DEFINITIONS] = found[certificates.WEBHOOKS[0]]
    one, by = certificate(), issuer("selfsigned", {"selfSigned": {}})
    found[f"{API}/issuers"].items = {("kserve", "selfsigned"): by}
    if asked:
        found[f"{API}/certificates"].items = {("kserve", one["metadata"]["name"]): one}
    return found


@pytest.mark.parametrize(
    ("door", "seen", "outcome"),
    [
        (Held(), mirrors(read=False), certificates.Outcome.FAILED),
        (Held("read"), mirrors(), certificates.Outcome.FAILED),
        (Held("write"), mirrors(), certificates.Outcome.FAILED),
        (Held(), mirrors(), certificates.Outcome.ISSUED),
        (Held(), mirrors(asked=False), certificates.Outcome.SETTLED),
    ],
    ids=["not read yet", "cannot read", "cannot write", "issued", "nothing asked"],
)
def test_how_a_turn_of_the_certificates_agent_ends(door: Held, seen: Any, outcome: certificates.Outcome):
    assert certificates.turn(door, seen, NOW) is outcome  # type: ignore[arg-type]
    secrets = [path for path in door.written if path.endswith("/secrets")]
    assert len(secrets) == (outcome is certificates.Outcome.ISSUED)


def test_a_probe_sees_that_the_loop_turns_and_whether_its_work_is_done(tmp_path: Path):
    signs = Signs(tmp_path / "signs")
    signs.alive()
    signs.ready(True)
    assert {path.name for path in signs.folder.iterdir()} == {"alive", "ready"}
    signs.ready(False)
    signs.ready(False)
    assert {path.name for path in signs.folder.iterdir()} == {"alive"}

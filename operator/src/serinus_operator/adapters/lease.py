"""Who leads: a Lease of coordination.k8s.io. The election is the Kubernetes client's own."""

import logging
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

from kubernetes import client
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock
from urllib3.exceptions import HTTPError

# client-go's own defaults: another takes over after 15 s, and the holder gives up 5 s before that.
LEASE_SECONDS, RENEW_SECONDS, RETRY_SECONDS = 15, 10, 2
_CALL_SECONDS = 3.0


# The client's leader election has no types.
_lease_lock: Any = LeaseLock
_record: Any = LeaderElectionRecord
_config: Any = electionconfig.Config
_election: Any = leaderelection.LeaderElection


class _Lock:
    """A lease whose calls end: without a deadline a leader would outlive its lease in a call that hangs."""

    def __init__(self, api: client.ApiClient, name: str, namespace: str, identity: str) -> None:
        self.name, self.namespace, self.identity = name, namespace, identity
        self._lease = _lease_lock(name, namespace, identity)
        self._lease.api_instance = _Deadlined(client.CoordinationV1Api(api))
        self._released = threading.Event()

    def get(self, name: str, namespace: str) -> tuple[bool, Any]:
        """Return whether the lease was read, and its record or the exception."""
        return cast("tuple[bool, Any]", self._lease.get(name, namespace))

    def create(self, name: str, namespace: str, election_record: Any) -> bool:
        """Create the lease; False where that fails."""
        return bool(self._lease.create(name, namespace, election_record))

    def update(self, name: str, namespace: str, updated_record: Any) -> bool:
        """Write the lease, unless it was given up: a renewal must not take it back."""
        return not self._released.is_set() and bool(self._lease.update(name, namespace, updated_record))

    def release(self) -> None:
        """Give the lease up, so that the next need not wait until it has run out. Only if it is ours."""
        self._released.set()
        found, record = self.get(self.name, self.namespace)
        if found and record.holder_identity == self.identity:
            nobody = _record("", "1", record.acquire_time, record.renew_time)
            self._lease.update(self.name, self.namespace, nobody)


class _Deadlined:
    """Calls of one API with a deadline. A connection that fails is an answer, not the election's end."""

    def __init__(self, api: client.CoordinationV1Api) -> None:
        self._api = api

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._api, name)

        def deadlined(*given: Any, **more: Any) -> Any:
            try:
                return call(*given, **more, _request_timeout=_CALL_SECONDS)
            except HTTPError as error:
                raise client.ApiException(
                    status=HTTPStatus.SERVICE_UNAVAILABLE.value, reason=str(error)
                ) from None

        return deadlined


class Election:
    """One candidate. `leading` is set once it leads; `on_lost` is called once it has lost the lease."""

    def __init__(
        self,
        api: client.ApiClient,
        name: str,
        namespace: str,
        identity: str,
        on_lost: Callable[[], None],
        lease_seconds: int = LEASE_SECONDS,
        renew_seconds: int = RENEW_SECONDS,
        retry_seconds: int = RETRY_SECONDS,
    ) -> None:
        self.leading = threading.Event()
        self._lock = _Lock(api, name, namespace, identity)
        self._config = _config(
            self._lock,
            lease_duration=lease_seconds,
            renew_deadline=renew_seconds,
            retry_period=retry_seconds,
            onstarted_leading=self.leading.set,
            onstopped_leading=on_lost,
        )
        # It speaks at every renewal.
        logging.getLogger("leaderelection").setLevel(logging.WARNING)
        self._thread = threading.Thread(target=self._run, args=(on_lost,), name="election", daemon=True)

    def start(self) -> None:
        """Run for the lease, in a thread of its own."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the candidate still stands or leads."""
        return self._thread.is_alive()

    def release(self) -> None:
        """Let another lead now. Only for a process that ends: nothing may be decided after it."""
        self._lock.release()

    def _run(self, on_lost: Callable[[], None]) -> None:
        try:
            _election(self._config).run()
        except Exception:
            logging.getLogger(__name__).exception("the election ended")
            on_lost()

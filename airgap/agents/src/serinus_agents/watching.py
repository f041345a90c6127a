"""Collections of the API server, kept up to date in memory. Both agents look at these and at nothing else.

The library's own SharedInformer does not tell an unread collection from an empty one, and while the API
server is away it connects again and again without a pause.
"""

import logging
import threading
import time
from collections.abc import Mapping

from serinus_agents.api import Api, ApiError
from serinus_agents.shapes import Json, Key, key_of

log = logging.getLogger(__name__)
# A watch ends after this long and the collection is listed anew, so that nothing missed stays missed.
RELIST_SECONDS = 300
LONGEST_PAUSE = 10.0
GONE = 410


def apply(held: Mapping[Key, Json], event: Json) -> dict[Key, Json]:
    """Return what is held after an event of a watch.

    Raises:
        ApiError: the event is an error; 410 means that the collection has to be listed anew.
    """
    item, after = event["object"], dict(held)
    match event["type"]:
        case "ADDED" | "MODIFIED":
            after[key_of(item)] = item
        case "DELETED":
            after.pop(key_of(item), None)
        case "ERROR":
            raise ApiError(f"{item.get('reason')}: {item.get('message')}", int(item.get("code") or 0))
    return after


class Mirror:
    """One collection. `items` is None until it was read once, and then always the last state read."""

    def __init__(self, api: Api, path: str, changed: threading.Event, *, metadata_only: bool = False) -> None:
        self.api, self.path, self.changed, self.metadata_only = api, path, changed, metadata_only
        self.items: dict[Key, Json] | None = None
        self.problem: str | None = "not read yet"

    def start(self) -> "Mirror":
        """Begin to follow the collection until the process ends."""
        threading.Thread(target=self._follow, name=self.path, daemon=True).start()
        return self

    def _follow(self) -> None:
        pause = 1.0
        while True:
            try:
                self.follow_once()
                pause = 1.0
            except ApiError as problem:
                if problem.status == GONE:
                    continue
                # What was read stays: nobody is better served by forgetting it.
                self.problem = str(problem)
                log.warning("%s; once more in %.0f s", problem, pause)
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            except Exception:
                log.exception("reading %s", self.path)
                time.sleep(LONGEST_PAUSE)

    def follow_once(self) -> None:
        """Read the collection and follow it until its watch ends.

        Raises:
            ApiError: the API server does not answer, refuses, or cannot go on from what was read last.
        """
        items, version = self.api.collection(self.path, metadata_only=self.metadata_only)
        held = {key_of(item): item for item in items}
        self._hold(held)
        for event in self.api.watch(self.path, version, RELIST_SECONDS, metadata_only=self.metadata_only):
            held = apply(held, event)
            if event["type"] != "BOOKMARK":
                self._hold(held)

    def _hold(self, items: dict[Key, Json]) -> None:
        self.items, self.problem = items, None
        self.changed.set()


def problems(*mirrors: Mirror) -> list[str]:
    """Return why collections are not up to date, one line for each of them."""
    return [f"{mirror.path}: {mirror.problem}" for mirror in mirrors if mirror.problem]

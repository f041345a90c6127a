"""The model server's image and the first model's artifact: made here in both situations."""

from dataclasses import dataclass
from pathlib import Path

import httpx

from serinus_cluster import first_model
from serinus_cluster.edges import first_model as edge
from serinus_cluster.edges import model_image
from serinus_cluster.place import Place
from serinus_cluster.steps import Outcome, PrepareModel

# Of the deadline, what building may take; the rest is for pushing or training.
_BUILD_SHARE = 0.7


@dataclass(frozen=True)
class Prepared:
    """Image in the registry, artifact in the work folder, both known to the manifests."""

    action: PrepareModel
    place: Place

    def missing(self) -> str | None:
        """Say what is not made yet; where all is, let the manifests know it."""
        image = model_image.wanted(self.place.root, self.place.pins)
        if not _in_registry(image):
            return f"{image} is not in the registry"
        if not edge.made(self.place.root, self._work()):
            return "the model is not trained"
        self._tell(image)
        return None

    def apply(self, seconds: float) -> Outcome:
        """Build, push and train what is missing.

        Raises:
            CommandFailed: a build or a verb failed, or did not end in time.
        """
        image, built = model_image.ensure(self.place.root, self.place.pins, seconds=seconds * _BUILD_SHARE)
        model_image.push(image, seconds=seconds)
        trained = not edge.made(self.place.root, self._work())
        edge.ensure(self.place.root, self._work(), seconds=seconds)
        self._tell(image)
        done = f"{image} {'built' if built else 'pushed'}" + (", iris trained" if trained else "")
        return Outcome(done)

    def _work(self) -> Path:
        return self.place.work / "first-model"

    def _tell(self, image: str) -> None:
        files = edge.artifact(self._work() / "artifact")
        self.place.pins.update(first_model.values(files, image, self.action.namespace))


def _in_registry(image: str) -> bool:
    registry, _, path = image.partition("/")
    name, _, tag = path.rpartition(":")
    accept = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
    url = f"http://{registry.replace('localhost', '127.0.0.1')}/v2/{name}/manifests/{tag}"
    try:
        return httpx.head(url, headers=accept, timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False

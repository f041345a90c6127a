"""The first model's artifact: trained here in both situations, with the repository's own verbs."""

from dataclasses import dataclass
from pathlib import Path

from serinus_cluster import first_model
from serinus_cluster.edges import first_model as edge
from serinus_cluster.place import Place
from serinus_cluster.steps import Outcome, TrainModel


@dataclass(frozen=True)
class Trained:
    """The artifact in the work folder, known to the manifests."""

    action: TrainModel
    place: Place

    def missing(self) -> str | None:
        """Say so where it is not trained yet; where it is, let the manifests know it."""
        if not edge.made(self.place.root, self._work()):
            return "the model is not trained"
        self._tell()
        return None

    def apply(self, seconds: float) -> Outcome:
        """Train it.

        Raises:
            CommandFailed: a verb failed, or did not end in time.
        """
        edge.ensure(self.place.root, self._work(), seconds=seconds)
        self._tell()
        return Outcome("iris trained")

    def _work(self) -> Path:
        return self.place.work / "first-model"

    def _tell(self) -> None:
        files = edge.artifact(self._work() / "artifact")
        image = self.place.pins["MODEL_SERVER_IMAGE"]
        self.place.pins.update(first_model.values(files, image, self.action.namespace))

"""Our own images: built in both situations, pushed to the local registry, told to manifests and values."""

import time
from dataclasses import dataclass

from serinus_airgap.ordered import run_all
from serinus_airgap.running import BuildError
from serinus_cluster.edges import own_images as edge
from serinus_cluster.edges.shell import CommandFailed
from serinus_cluster.own_images import IMAGES, OwnImage, moving
from serinus_cluster.place import Place
from serinus_cluster.steps import BuildOwnImages, Outcome


@dataclass(frozen=True)
class OwnImages:
    """Every image of ours in the registry, under the name that its sources give."""

    action: BuildOwnImages
    place: Place

    def missing(self) -> str | None:
        """Say which are not in the registry; where all are, let manifests and values know their names."""
        names = edge.wanted(self.place.root, self.place.pins)
        if lacking := [name for name in names.values() if not _pushed(name)]:
            return f"{', '.join(lacking)} not in the registry"
        self._tell(names)
        return None

    def apply(self, seconds: float) -> Outcome:
        """Build and push what is missing, side by side, each after the one it stands on.

        Raises:
            CommandFailed: a build or a push failed, or did not end in time.
        """
        names = edge.wanted(self.place.root, self.place.pins)
        deadline = time.monotonic() + seconds
        images = {image.name: image for image in IMAGES}

        def make(name: str) -> str | None:
            return self._make(images[name], names, deadline - time.monotonic())

        order = {image.name: [image.stands_on] if image.stands_on else [] for image in IMAGES}
        try:
            done = run_all(order, make)
        except BuildError as error:
            raise CommandFailed(str(error)) from error
        self._tell(names)
        return Outcome(", ".join(f"{name} {word}" for name, word in done.items() if word))

    def _make(self, image: OwnImage, names: dict[str, str], seconds: float) -> str | None:
        """Return what was done, or None where the registry had it."""
        name = names[image.name]
        pushed = _pushed(name)
        # What another stands on has to be in Docker as well, for its build.
        needed = any(other.stands_on == image.name and not _pushed(names[other.name]) for other in IMAGES)
        if pushed and not needed:
            return None
        try:
            built = edge.ensure(self.place.root, self.place.pins, image, names, seconds=seconds)
            if not pushed:
                edge.push(name, moving(name), seconds=seconds)
        except CommandFailed as error:
            # What runs the others side by side tells failures by this type.
            raise BuildError(f"{image.name}: {error}") from error
        if built:
            return "built"
        return None if pushed else "pushed"

    def _tell(self, names: dict[str, str]) -> None:
        self.place.pins.update({image.key: names[image.name] for image in IMAGES})


def _pushed(name: str) -> bool:
    """Whether both tags of an image are the same image in the registry."""
    there = edge.held(name)
    return there is not None and there == edge.held(moving(name))

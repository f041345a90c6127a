"""Which image needs which, and in what order they are built."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from serinus_airgap.description import Image, based_on, canonical
from serinus_airgap.reading import DescriptionError


def needs(images: Mapping[str, Image]) -> dict[str, list[str]]:
    """Return for each image the names of the images that have to be there first.

    Raises:
        DescriptionError: an image is FROM something that nothing here builds.
    """
    names = {canonical(image.recipe.image): name for name, image in images.items()}
    found: dict[str, list[str]] = {}
    for name, image in images.items():
        stages = set(_stages(image.dockerfile))
        bases = [base for base in based_on(image.dockerfile, image.arguments) if base not in stages]
        if strange := [base for base in bases if base not in names]:
            raise DescriptionError(
                f"airgap/images/{name}/Dockerfile: FROM {strange[0]}, which is no image of airgap/images; "
                "nothing is pulled here, so describe it there"
            )
        found[name] = list(dict.fromkeys(names[base] for base in bases))
    return found


def _stages(dockerfile: str) -> Iterable[str]:
    for line in dockerfile.splitlines():
        words = line.split()
        if len(words) >= 4 and words[0].upper() == "FROM" and words[-2].upper() == "AS":
            yield canonical(words[-1])


def usual(images: Mapping[str, Image]) -> list[str]:
    """Return what is built where no image is named: all but what stories alone need."""
    return [name for name, image in images.items() if not image.recipe.stories]


def chosen(names: Iterable[str], needed: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return the named images with everything they stand on, bases first.

    Raises:
        DescriptionError: an unknown name, or images that need each other.
    """
    wanted: dict[str, list[str]] = {}
    queue = list(names)
    while queue:
        name = queue.pop()
        if name not in needed:
            raise DescriptionError(f"no image is called {name!r}; the images are {', '.join(sorted(needed))}")
        if name not in wanted:
            wanted[name] = needed[name]
            queue += needed[name]
    try:
        # Sorted first, so that the order is the same on each run.
        ordered = TopologicalSorter(dict(sorted(wanted.items()))).static_order()
        return {name: wanted[name] for name in ordered}
    except CycleError as problem:
        raise DescriptionError(f"images that need each other: {' -> '.join(problem.args[1])}") from None

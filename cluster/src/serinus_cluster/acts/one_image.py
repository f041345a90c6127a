"""One of our own images under a name of the caller's: for tools that build, push and roll by themselves."""

from serinus_cluster.edges import own_images as edge
from serinus_cluster.edges.shell import run
from serinus_cluster.own_images import IMAGES
from serinus_cluster.place import Place

BUILD_SECONDS = 1800


def build_one(place: Place, name: str, tag: str) -> str:
    """Build an image that Docker lacks, after what it stands on, tag it and return its own name.

    Raises:
        ValueError: no image of ours is called so.
        CommandFailed: a build failed, or did not end in time.
    """
    images = {image.name: image for image in IMAGES}
    if name not in images:
        raise ValueError(f"no image of ours is called {name!r}; there are {', '.join(images)}")
    names = edge.wanted(place.root, place.pins)
    image = images[name]
    for each in filter(None, (image.stands_on, name)):
        edge.ensure(place.root, place.pins, images[each], names, seconds=BUILD_SECONDS)
    run(["docker", "tag", names[name], tag], seconds=30)
    return names[name]

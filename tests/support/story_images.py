"""Images that only stories need: of `airgap/images`, built and pushed by the story that uses them."""

from rich.console import Console

from serinus_airgap import versions
from serinus_airgap.build import build, push
from serinus_airgap.progress import Reporter


def story_images(*names: str) -> dict[str, str]:
    """Return the references that the cluster pulls, by folder of `airgap/images`; built where they are stale.

    Raises:
        DescriptionError: an image cannot be built as it is described.
        BuildError: a tool is missing, or a step failed.
    """
    quiet = Reporter(Console(quiet=True))
    built = build(list(names), versions.load(), reporter=quiet)
    push(built, reporter=quiet)
    return {each.name: each.reference for each in built if each.name in names}

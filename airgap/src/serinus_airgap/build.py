"""The builder's door: `build` makes stale images anew, `push` brings them into a registry."""

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Semaphore

from rich.console import Console

from serinus_airgap import daemon, groups, toolchain
from serinus_airgap.compiling import BINARIES, Compiled, compile_tool
from serinus_airgap.daemon import Held
from serinus_airgap.description import IMAGES, Image
from serinus_airgap.description import load as load_images
from serinus_airgap.exclusive import one_build
from serinus_airgap.groups import Group
from serinus_airgap.order import chosen, needs, usual
from serinus_airgap.ordered import run_all
from serinus_airgap.planning import Verdict, own_inputs, verdicts
from serinus_airgap.progress import Reporter
from serinus_airgap.staging import stage, unstage
from serinus_airgap.toolchain import Go

LOGS = BINARIES.parent / "logs"
REGISTRY = "localhost:5001"


@dataclass(frozen=True)
class Built:
    """One image after a build."""

    name: str
    reference: str
    identity: str
    """The image's id, `sha256:…`."""
    size: int
    """Bytes, unpacked."""
    seconds: float
    """Work alone, without waiting for others; 0 where nothing was to do."""
    rebuilt: bool
    push: bool
    """Whether the cluster pulls it."""


@dataclass(frozen=True)
class Survey:
    """What there is to build, and what of it is stale."""

    images: Mapping[str, Image]
    groups: Mapping[str, Group]
    needed: Mapping[str, list[str]]
    """The chosen images, bases first, each with those it stands on."""
    held: Mapping[str, Held]
    """What the daemon has, by the image's name."""
    verdicts: Mapping[str, Verdict]


def survey(
    names: list[str] | None, pins: Mapping[str, str], go_version: str, folder: Path = IMAGES
) -> Survey:
    """Compare the images as described with those that the daemon holds; changes nothing.

    Raises:
        DescriptionError: a description cannot be built.
        BuildError: the daemon does not answer.
    """
    images = load_images(pins, folder)
    needed = chosen(usual(images) if names is None else names, needs(images))
    used = {group for name in needed for group in images[name].recipe.go}
    known = {group: groups.load(group, pins) for group in sorted(used)}
    by_reference = daemon.held(images[name].recipe.image for name in needed)
    there = {name: by_reference[ref] for name in needed if (ref := images[name].recipe.image) in by_reference}
    found = verdicts(
        needed,
        lambda name: own_inputs(images[name], known, go_version),
        {name: image.inputs for name, image in there.items()},
    )
    return Survey(images, known, needed, there, {verdict.name: verdict for verdict in found})


def build(
    names: list[str] | None,
    pins: Mapping[str, str],
    *,
    reporter: Reporter | None = None,
    workers: int | None = None,
    folder: Path = IMAGES,
) -> list[Built]:
    """Build the named images (None: all but those of stories) and those they stand on, where they are stale.

    Args:
        names: images by their folder's name.
        pins: the table of pins.
        reporter: where to say what happens; None makes one for standard output.
        workers: compilers and builds at once; None takes every core.
        folder: where the images are described.

    Raises:
        DescriptionError: a description cannot be built.
        BuildError: a tool is missing, or a step failed.
    """
    reporter = reporter or Reporter(Console())
    workers = workers or os.cpu_count() or 1
    with reporter.shown(), one_build(lambda words: reporter.now("build", words)):
        reporter.forget("build")
        # Asked with the lock held: what another build has just made is not made again.
        seen = survey(names, pins, toolchain.version(pins), folder)
        stale = [name for name, verdict in seen.verdicts.items() if verdict.reason]
        go = toolchain.find(pins) if any(seen.images[name].recipe.go for name in stale) else None
        bench = Workbench(seen, go, workers, Semaphore(workers), reporter)
        results = run_all(seen.needed, bench.image)
    return [results[name] for name in seen.needed]


@dataclass(frozen=True)
class Workbench:
    """Makes one image of a survey; used from several threads."""

    seen: Survey
    go: Go | None
    """None where no stale image has a Go tool."""
    workers: int
    room: Semaphore
    """How many images may be put together side by side."""
    reporter: Reporter

    def image(self, name: str) -> Built:
        """Make an image where it is stale."""
        image, verdict = self.seen.images[name], self.seen.verdicts[name]
        reference = image.recipe.image
        if verdict.reason is None:
            held = self.seen.held[name]
            return Built(name, reference, held.identity, held.size, 0.0, False, image.recipe.push)
        self.reporter.now(name, f"stale ({verdict.reason})")
        compiled = [
            self._tool(name, group, tool) for group, tools in image.recipe.go.items() for tool in tools
        ]
        with self.room:
            self.reporter.now(name, "building the image")
            started = time.monotonic()
            context = stage(image, [tool.path for tool in compiled], LOGS / f"{name}.prepare.log")
            made = daemon.build(context, reference, verdict.inputs, image.arguments, LOGS / f"{name}.log")
            unstage(image)
            before = self.seen.held.get(name)
            if before and before.identity != made.identity:
                daemon.drop(before.identity)
            seconds = time.monotonic() - started + sum(tool.seconds for tool in compiled)
        self.reporter.done(name, f"built in {seconds:.1f} s, {made.size / 1e6:.0f} MB")
        return Built(name, reference, made.identity, made.size, seconds, True, image.recipe.push)

    def _tool(self, name: str, group: str, tool: str) -> Compiled:
        assert self.go is not None, "a stale image with Go tools, and no Go was looked for"
        return compile_tool(
            self.seen.groups[group],
            tool,
            self.go,
            self.workers,
            begun=self.reporter.telling(name, f"compiling {tool}"),
        )


def push(built: Iterable[Built], registry: str = REGISTRY, *, reporter: Reporter | None = None) -> list[str]:
    """Bring the images that the cluster pulls into a registry under their upstream paths.

    Returns the names of those that the registry did not have.

    Raises:
        BuildError: the registry does not answer, or a push failed.
    """
    reporter = reporter or Reporter(Console())
    images = {image.name: image for image in built if image.push}
    room = Semaphore(os.cpu_count() or 1)

    def work(name: str) -> bool:
        image = images[name]
        with room:
            if daemon.is_pushed(image.reference, image.identity, registry):
                return False
            reporter.now(name, f"pushing to {registry}")
            daemon.push(image.reference, registry)
        reporter.done(name, f"pushed to {registry}")
        return True

    with reporter.shown():
        pushed = run_all({name: [] for name in images}, work)
    return [name for name in images if pushed[name]]

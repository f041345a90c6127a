"""Docker, the tools, the images and the registry: all that has to be there before a node."""

from dataclasses import dataclass
from pathlib import Path

import httpx

from serinus_airgap import build
from serinus_airgap import tools as built_tools
from serinus_cluster.edges import docker
from serinus_cluster.edges import tools as edge
from serinus_cluster.edges.shell import CommandFailed, run
from serinus_cluster.place import Place
from serinus_cluster.steps import BuildImages, FindDocker, FindTools, Outcome, PushImages, StartRegistry
from serinus_cluster.tools import PINS, ToolsMissing, cure, judge
from serinus_cluster.waiting import NotYet, until


@dataclass(frozen=True)
class Docker:
    """A daemon that answers."""

    action: FindDocker
    place: Place

    def missing(self) -> str | None:
        """Nothing where a node runs already: it proves more than a trial could."""
        if docker.answers() is None:
            return "no Docker daemon answers"
        if docker.running(self.place.node) or self.action.source.setup is None:
            return None
        return "whether it grants what kind needs is not known yet"

    def apply(self, seconds: float) -> Outcome:
        """Let the setup script look, install and configure; without one, say what to do.

        Raises:
            CommandFailed: there is no daemon and none may be set up.
        """
        if self.action.source.setup is None:
            raise CommandFailed(
                "no Docker daemon answers; install one: https://docs.docker.com/engine/install/"
            )
        answered = docker.answers() is not None
        said = run([self.place.root / self.action.source.setup], seconds=seconds, cwd=self.place.root)
        return Outcome(
            said.strip().splitlines()[-1].removeprefix("docker: "), not answered or "works now" in said
        )


@dataclass(frozen=True)
class Tools:
    """kind, kubectl and helm, the user's own before any built one."""

    action: FindTools
    place: Place

    def missing(self) -> str | None:
        """Take each tool that is new enough; return the sentences about the others."""
        verdicts = {name: judge(name, edge.find(name), self.place.pins) for name in PINS}
        for name, verdict in verdicts.items():
            found = edge.find(name)
            if verdict.usable and found:
                self.place.found[name] = found.path
        return (
            "; ".join(f"{each.name}: {each.words}" for each in verdicts.values() if not each.usable) or None
        )

    def apply(self, seconds: float) -> Outcome:  # noqa: ARG002 - the builder holds its own deadlines
        """Build what is missing.

        Raises:
            ToolsMissing: nothing may be built in this situation; the message says how to get each tool.
        """
        absent = [name for name in PINS if name not in self.place.found]
        if not self.action.source.build:
            verdicts = [judge(name, edge.find(name), self.place.pins) for name in absent]
            raise ToolsMissing(cure(verdicts, self.place.pins))
        before = _times(built_tools.TOOLS)
        made = built_tools.ensure(self.place.pins)
        for name in absent:
            self.place.found[name] = made[name]
        return Outcome(f"{', '.join(absent)} of Go modules", changed=_times(built_tools.TOOLS) != before)


@dataclass(frozen=True)
class Images:
    """Build: the builder itself knows what changed."""

    action: BuildImages
    place: Place

    def missing(self) -> str | None:
        """Ask the builder, where there is something to build: it compares inputs, which takes no time."""
        return "which are stale, the builder finds" if self.action.source.built else None

    def apply(self, seconds: float) -> Outcome:  # noqa: ARG002 - the builder holds its own deadlines
        """Build the stale ones."""
        self.place.built[:] = build.build(None, self.place.pins)
        rebuilt = sum(each.rebuilt for each in self.place.built)
        return Outcome(f"{rebuilt} of {len(self.place.built)} built anew", changed=rebuilt > 0)


@dataclass(frozen=True)
class Registry:
    """The registry container."""

    action: StartRegistry
    place: Place

    def missing(self) -> str | None:
        """Say why the registry does not serve."""
        found = docker.container(self.action.name)
        if found is None:
            return "no such container"
        if found["state"] != "running":
            return f"it is {found['state']}"
        if self.action.network not in found["networks"].split():
            return f"it is not on network {self.action.network}"
        try:
            _answers(self.action.port)
        except NotYet as seen:
            return f"it does not answer: {seen}"
        return None

    def apply(self, seconds: float) -> Outcome:
        """Start it anew, or for the first time.

        Raises:
            InVain: it does not answer within the deadline.
        """
        name, port = self.action.name, self.action.port
        docker.ensure_network(self.action.network)
        found = docker.container(name)
        if found is None:
            docker.start_registry(name, port, self.action.network, self.action.source.reference, seconds)
        elif self.action.network not in found["networks"].split():
            docker.connect(self.action.network, name)
        docker.start(name)
        until(f"the registry answers on 127.0.0.1:{port}", lambda: _answers(port), seconds)
        return Outcome(f"127.0.0.1:{port}")


@dataclass(frozen=True)
class Push:
    """Push what was built; layers that the registry holds do not travel again."""

    action: PushImages
    place: Place

    def missing(self) -> str | None:
        """Always push: the registry itself says which layers it has."""
        return "which layers are new, the registry knows" if self.place.built else None

    def apply(self, seconds: float) -> Outcome:  # noqa: ARG002 - the builder holds its own deadlines
        """Push every image of this run."""
        wanted = [each for each in self.place.built if each.push]
        pushed = build.push(wanted, registry=self.action.registry)
        return Outcome(f"{len(pushed)} of {len(wanted)} pushed", changed=bool(pushed))


def _times(folder: Path) -> dict[str, int]:
    return {name: (folder / name).stat().st_mtime_ns for name in PINS if (folder / name).exists()}


def _answers(port: int) -> None:
    """Raise NotYet with what came instead of a registry's answer."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/v2/", timeout=3, trust_env=False)
    except httpx.HTTPError as error:
        raise NotYet(f"{type(error).__name__}: {error}") from None
    if not answer.is_success:
        raise NotYet(f"HTTP {answer.status_code}")

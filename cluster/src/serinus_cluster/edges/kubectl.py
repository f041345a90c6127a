"""kubectl, always with the context of our own cluster, so that no other cluster can be meant."""

from dataclasses import dataclass
from pathlib import Path

from serinus_airgap.programs import Done
from serinus_cluster.edges.shell import CommandFailed, attempt
from serinus_cluster.render import by_namespace

# Our name among the field managers: what we applied before can be taken back by applying less.
MANAGER = "--field-manager=serinus"


@dataclass(frozen=True)
class Kubectl:
    """The user's or the built kubectl."""

    path: Path
    context: str
    root: Path

    def attempt(self, *words: str, seconds: float = 60, stdin: str | None = None) -> Done:
        """Run one command and return how it ended."""
        command: list[str | Path] = [self.path, "--context", self.context, *words]
        return attempt(command, seconds=seconds, stdin=stdin, cwd=self.root)

    def run(self, *words: str, seconds: float = 60, stdin: str | None = None) -> str:
        """Run one command that has to succeed.

        Raises:
            CommandFailed: it did not.
        """
        done = self.attempt(*words, seconds=seconds, stdin=stdin)
        if not done.ok:
            raise CommandFailed(f"`kubectl {' '.join(words)}` failed:\n{done.words}")
        return done.out

    def differs(self, text: str) -> bool:
        """Whether applying these manifests would change anything."""
        # 0: equal; 1: different; more: some kind or namespace is not there yet, so it differs too.
        words = ("diff", "--server-side", "--force-conflicts", MANAGER, "--filename", "-")
        return not self.attempt(*words, stdin=text).ok

    def apply(self, text: str, *, seconds: float) -> None:
        """Apply manifests from the server's side; what others set on these fields becomes ours."""
        words = ("apply", "--server-side", "--force-conflicts", MANAGER, "--filename", "-")
        self.run(*words, seconds=seconds, stdin=text)

    def absent(self, text: str, namespace: str) -> str | None:
        """Return what the server says of objects of these manifests that are not there; None where all are.

        `namespace` is that of objects which name none.
        """
        for where, objects in by_namespace(text, namespace).items():
            words = ("get", "--namespace", where, "--output", "name", "--filename", "-")
            done = self.attempt(*words, stdin=objects)
            if not done.ok:
                return done.words
        return None

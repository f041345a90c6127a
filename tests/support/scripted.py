"""Programs whose answers a test gives: what is decided from kubectl's and docker's words, without either."""

import shlex
from pathlib import Path

_UNKNOWN = 'echo "no answer was given for: $line" >&2; exit 97\n'


class Scripted:
    """Programs in a folder. The newest answer whose words stand in a call is the one given."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.folder = folder
        self._names = names
        self._answers: list[str] = []
        self._write()

    def __getitem__(self, name: str) -> Path:
        return self.folder / name

    def say(self, words: str, out: str = "", *, code: int = 0, err: str = "") -> "Scripted":
        """Answer calls that hold `words`, as in `kubectl get pods`."""
        said = f"printf %s {shlex.quote(out)}; printf %s {shlex.quote(err)} >&2; exit {code}"
        self._answers.insert(0, f'case "$line" in *{shlex.quote(words)}*) {said};; esac\n')
        self._write()
        return self

    @property
    def calls(self) -> list[str]:
        """What was called, with the program's name in front."""
        record = self.folder / "calls"
        return record.read_text().splitlines() if record.exists() else []

    @property
    def given(self) -> str:
        """All that was given to the standard input of calls with `--filename -`."""
        record = self.folder / "given"
        return record.read_text() if record.exists() else ""

    def _write(self) -> None:
        calls, given = shlex.quote(str(self.folder / "calls")), shlex.quote(str(self.folder / "given"))
        lines = [
            "#!/bin/sh\n",
            f'line="$(basename "$0") $*"\nprintf "%s\\n" "$line" >> {calls}\n',
            f'case "$line" in *"--filename -"*) cat >> {given};; esac\n',
            *self._answers,
            _UNKNOWN,
        ]
        for name in self._names:
            program = self.folder / name
            program.write_text("".join(lines))
            program.chmod(0o755)

"""How `docker build` is called: with BuildKit, and with this machine's way to the package index as secrets.

A Dockerfile that installs from PyPI mounts two optional secrets in that one step, so that neither a
certificate nor an index of the building machine gets into a layer, the image's history or the repository:

    RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=secret,id=ca.crt \\
        pip install ...

Where the machine has no settings of its own, nothing is passed and the mounts are absent.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from serinus_airgap.running import BuildError

CA_IN_BUILD = "/run/secrets/ca.crt"
CA_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
# What pip may be told by variable; find-links and caches name folders that the build does not have.
PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")


class NoBuildKitError(BuildError):
    """No docker client on this machine can build with BuildKit."""


def ca_bundle(environment: Mapping[str, str]) -> Path | None:
    """Return the file of certificates that this machine's tools were told to trust, or None."""
    named = (environment.get(variable) for variable in CA_VARIABLES)
    return next((Path(path) for path in named if path), None)


def pip_conf(settings: Mapping[str, str], with_ca: bool) -> str:
    """Write the pip configuration of a build step from the machine's settings; empty where there are none."""
    lines = [f"{key} = {settings[key]}" for key in PIP_SETTINGS if key in settings]
    if with_ca:
        lines.append(f"cert = {CA_IN_BUILD}")
    return "\n".join(["[global]", *lines, ""]) if lines else ""


def parse_pip_settings(listing: str) -> dict[str, str]:
    """Read `pip config list`, where variables beat files: `:env:.index-url='...'`, `global.cert='...'`."""
    ranked: list[tuple[bool, str, str]] = []
    for line in listing.splitlines():
        name, equals, value = line.partition("=")
        section, dot, key = name.rpartition(".")
        if equals and dot:
            ranked.append((section == ":env:", key, value.strip("'\"")))
    return {key: value for _, key, value in sorted(ranked, key=lambda entry: entry[0])}


def secrets(folder: Path, environment: Mapping[str, str]) -> list[str]:
    """Write this machine's settings under folder (private), return the `--secret` options that pass them."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    listing = _output([sys.executable, "-m", "pip", "config", "list"])
    certificates = ca_bundle(environment)
    options = []
    if certificates:
        options += ["--secret", f"id=ca.crt,src={certificates}"]
    if text := pip_conf(parse_pip_settings(listing), with_ca=certificates is not None):
        target = folder / "pip.conf"
        target.touch(mode=0o600)
        target.write_text(text)
        options += ["--secret", f"id=pip.conf,src={target}"]
    return options


def client() -> str:
    """Return the first docker on PATH that can build with BuildKit.

    Clients from 23 need the buildx plugin for it, older ones have it built in (Debian's docker.io is one).

    Raises:
        NoBuildKitError: there is none; the message says how to get one.
    """
    for folder in os.get_exec_path():
        candidate = Path(folder) / "docker"
        if os.access(candidate, os.X_OK) and _has_buildkit(str(candidate)):
            return str(candidate)
    raise NoBuildKitError("no docker on PATH can use BuildKit; install docker-buildx, or Debian's docker.io")


def _has_buildkit(docker: str) -> bool:
    version = int(_output([docker, "--version"]).split("version ")[1].split(".")[0])
    return version < 23 or "buildx" in _output([docker, "info", "--format", "{{.ClientInfo.Plugins}}"])


def _output(argv: list[str]) -> str:
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60)  # noqa: S603 - our own words
    return done.stdout


def command(context: Path, tag: str, secret_options: list[str]) -> list[str]:
    """Return the command that builds a context under a tag; run it with DOCKER_BUILDKIT=1.

    The host's network reaches what the host reaches, whatever proxy or resolver that needs.
    """
    return [client(), "build", "--network", "host", "--tag", tag, *secret_options, str(context)]

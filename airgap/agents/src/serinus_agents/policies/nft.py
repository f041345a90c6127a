"""The `nft` command: load a script, ask whether the table is there."""

import subprocess
from collections.abc import Sequence

NFT = ("nft",)
SECONDS = 30


class NftError(RuntimeError):
    """`nft` is missing, refused the script or did not end in time; the message is its own."""


def load(script: str, nft: Sequence[str] = NFT) -> None:
    """Load a script in one transaction: all of it, or, on an error, none.

    Raises:
        NftError: nothing was changed.
    """
    _run([*nft, "-f", "-"], script)


def present(table: str, nft: Sequence[str] = NFT) -> bool:
    """Tell whether a table of family inet is loaded."""
    return f"table inet {table}" in _run([*nft, "list", "tables"], "").splitlines()


def _run(command: Sequence[str], script: str) -> str:
    try:
        done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=SECONDS)  # noqa: S603 (a fixed command; the script goes in as text)
    except FileNotFoundError as problem:
        raise NftError(f"{command[0]} is not installed: apt-get install nftables") from problem
    except subprocess.TimeoutExpired as problem:
        raise NftError(f"{' '.join(command)} took longer than {SECONDS} s") from problem
    if done.returncode:
        raise NftError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[:2000]}")
    return done.stdout

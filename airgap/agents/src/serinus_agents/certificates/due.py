"""Whether a certificate has to be issued now, and why. Pure: `now` is an argument."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature

from serinus_agents.certificates import pairs
from serinus_agents.certificates.wanted import Wanted
from serinus_agents.problems import BadObject


def due(
    wanted: Wanted, secret: Mapping[str, Any] | None, authority: pairs.Pair | None, now: datetime
) -> str | None:
    """Return why a certificate is to be issued, or None while the one that is there will do.

    Args:
        wanted: what the Certificate asks for.
        secret: its Secret, or None where there is none.
        authority: what a CA issuer signs with now; None for a self-signed one.
        now: the time, aware.
    """
    if secret is None:
        return f"Secret {wanted.secret} does not exist"
    try:
        pair = pairs.read(secret)
    except BadObject as problem:
        return f"Secret {wanted.secret}: {problem}"
    if not pair.bundle:
        return f"Secret {wanted.secret}: ca.crt is missing"
    annotations = secret["metadata"].get("annotations") or {}
    if annotations.get(pairs.DIGEST) != wanted.digest:
        return "the Certificate asks for something else than was issued"
    if not _issued_by(pair, authority):
        return "the issuer signs with another certificate now"
    if now >= renewal_time(wanted, pair):
        return f"it ends at {pair.leaf.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}"
    return None


def renewal_time(wanted: Wanted, pair: pairs.Pair) -> datetime:
    """Return when a certificate is to be renewed: so long before its end, or, being shorter than it asks
    for (its issuer's end came first), after two thirds of its life.
    """
    begin, end = pair.leaf.not_valid_before_utc, pair.leaf.not_valid_after_utc
    return end - wanted.renew_before if wanted.renew_before < end - begin else begin + (end - begin) * 2 / 3


def _issued_by(pair: pairs.Pair, authority: pairs.Pair | None) -> bool:
    try:
        pair.leaf.verify_directly_issued_by(authority.leaf if authority else pair.leaf)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True

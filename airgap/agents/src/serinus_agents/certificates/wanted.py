"""What a Certificate of cert-manager.io/v1 asks for, read from the API server's JSON."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from serinus_agents.problems import BadObject

GROUP = "cert-manager.io"
# The CRD's own defaults and bounds.
DURATION, SHORTEST = timedelta(days=90), timedelta(hours=1)
USAGES = ("digital signature", "key encipherment")
SIZES = {"RSA": (2048, 4096, 8192), "ECDSA": (256, 384, 521), "Ed25519": (0,)}
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
# Fields of the spec that change nothing in what is issued.
NOT_ISSUED = {"renewBefore", "renewBeforePercentage", "revisionHistoryLimit", "encodeUsagesInRequest"}
KNOWN = NOT_ISSUED | {
    *("commonName", "dnsNames", "ipAddresses", "uris", "emailAddresses", "duration", "isCA", "issuerRef"),
    *("privateKey", "secretName", "secretTemplate", "usages"),
}


@dataclass(frozen=True)
class Key:
    """The private key that is asked for. `kept` means that a renewal uses it again."""

    algorithm: str = "RSA"
    size: int = 2048
    encoding: str = "PKCS1"
    kept: bool = False


@dataclass(frozen=True)
class Wanted:
    """One Certificate. `digest` changes whenever something that is issued does."""

    namespace: str
    name: str
    secret: str
    issuer: tuple[str, str]
    """Kind and name."""
    common_name: str
    dns_names: tuple[str, ...]
    addresses: tuple[str, ...]
    uris: tuple[str, ...]
    emails: tuple[str, ...]
    duration: timedelta
    renew_before: timedelta
    is_ca: bool
    usages: tuple[str, ...]
    key: Key
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    digest: str


def read(raw: Mapping[str, Any]) -> Wanted:
    """Return what a Certificate asks for.

    Raises:
        BadObject: a field that is not supported here, or a value that is no valid one.
    """
    meta, spec = raw["metadata"], raw["spec"]
    if unknown := sorted(set(spec) - KNOWN):
        raise BadObject(f"{', '.join(unknown)}: not supported by this stand-in for cert-manager")
    reference = spec["issuerRef"]
    kind = reference.get("kind") or "Issuer"
    if kind not in ("Issuer", "ClusterIssuer") or (reference.get("group") or GROUP) != GROUP:
        raise BadObject(f"issuerRef {reference} is neither an Issuer nor a ClusterIssuer of {GROUP}")
    duration = parse_duration(spec["duration"]) if spec.get("duration") else DURATION
    if duration < SHORTEST:
        raise BadObject(f"duration {spec['duration']} is under an hour")
    template = spec.get("secretTemplate") or {}
    wanted = Wanted(
        namespace=meta["namespace"],
        name=meta["name"],
        secret=spec["secretName"],
        issuer=(kind, reference["name"]),
        common_name=spec.get("commonName") or "",
        dns_names=tuple(spec.get("dnsNames") or ()),
        addresses=tuple(spec.get("ipAddresses") or ()),
        uris=tuple(spec.get("uris") or ()),
        emails=tuple(spec.get("emailAddresses") or ()),
        duration=duration,
        renew_before=_renew_before(spec, duration),
        is_ca=bool(spec.get("isCA")),
        usages=tuple(spec.get("usages") or USAGES),
        key=_key(spec.get("privateKey") or {}),
        labels=template.get("labels") or {},
        annotations=template.get("annotations") or {},
        digest=_digest(spec),
    )
    if not (wanted.common_name or wanted.dns_names or wanted.addresses or wanted.uris or wanted.emails):
        raise BadObject("one of commonName, dnsNames, ipAddresses, uris, emailAddresses is needed")
    return wanted


def parse_duration(text: str) -> timedelta:
    """Return a duration as Go writes it, `2160h0m0s` for example.

    Raises:
        BadObject: it is none.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)(h|ms|m|us|µs|ns|s)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise BadObject(f"{text!r} is no duration; write 2160h or 1h30m")
    return timedelta(seconds=sum(float(number) * UNITS[unit] for number, unit in parts))


def _renew_before(spec: Mapping[str, Any], duration: timedelta) -> timedelta:
    if spec.get("renewBefore"):
        before = parse_duration(spec["renewBefore"])
    elif spec.get("renewBeforePercentage"):
        before = duration * int(spec["renewBeforePercentage"]) / 100
    else:
        return duration / 3
    if not timedelta(0) < before < duration:
        raise BadObject(f"a renewal {before} before the end of {duration} would never rest")
    return before


def _key(spec: Mapping[str, Any]) -> Key:
    algorithm = spec.get("algorithm") or "RSA"
    if algorithm not in SIZES:
        raise BadObject(f"privateKey.algorithm {algorithm!r} is none of {', '.join(SIZES)}")
    sizes = SIZES[algorithm]
    size = 0 if algorithm == "Ed25519" else int(spec.get("size") or sizes[0])
    if size not in sizes:
        raise BadObject(f"privateKey.size {size} of {algorithm} is none of {', '.join(map(str, sizes))}")
    # Kept only on request: the default of cert-manager 1.18 and later is a new key at each renewal.
    return Key(algorithm, size, spec.get("encoding") or "PKCS1", spec.get("rotationPolicy") == "Never")


def _digest(spec: Mapping[str, Any]) -> str:
    issued = {key: value for key, value in spec.items() if key not in NOT_ISSUED}
    return hashlib.sha256(json.dumps(issued, sort_keys=True).encode()).hexdigest()[:32]

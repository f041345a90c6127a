"""What to issue and what to write, from what the cluster holds. Pure: `now` is an argument."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from serinus_agents.certificates import pairs
from serinus_agents.certificates.conditions import Condition, with_condition
from serinus_agents.certificates.due import due, renewal_time
from serinus_agents.certificates.injecting import ANNOTATION, operations
from serinus_agents.certificates.signing import fits
from serinus_agents.certificates.wanted import Wanted, read
from serinus_agents.problems import BadObject
from serinus_agents.shapes import Json, Key, key_of

# Where a ClusterIssuer's Secret lies, as with cert-manager's own default.
CLUSTER_NAMESPACE = "cert-manager"
API = "/apis/cert-manager.io/v1"


@dataclass(frozen=True)
class World:
    """What the cluster holds; of Secrets, those that `secrets_of` names, None where there is none."""

    certificates: Mapping[Key, Json]
    issuers: Mapping[Key, Json]
    cluster_issuers: Mapping[Key, Json]
    secrets: Mapping[Key, Json | None] = field(default_factory=dict)
    injectables: Mapping[str, Json] = field(default_factory=dict)
    """Webhook configurations and definitions by their path."""


@dataclass(frozen=True)
class Issue:
    """Issue a certificate into its Secret. No authority: it signs itself."""

    wanted: Wanted
    authority: pairs.Pair | None
    kept: pairs.PrivateKey | None
    reason: str
    exists: bool


@dataclass(frozen=True)
class Status:
    """Merge into an object's status."""

    path: str
    status: Json


@dataclass(frozen=True)
class Inject:
    """Patch a bundle into an object."""

    path: str
    operations: list[Json]


Action = Issue | Status | Inject


def secrets_of(world: World) -> set[Key]:
    """Return the Secrets that a decision needs: the certificates' own and the CA issuers'."""
    own = {(namespace, raw["spec"]["secretName"]) for (namespace, _), raw in world.certificates.items()}
    issuers = [*world.issuers.items(), *world.cluster_issuers.items()]
    signing = {
        (key[0] or CLUSTER_NAMESPACE, raw["spec"]["ca"]["secretName"])
        for key, raw in issuers
        if "ca" in raw["spec"]
    }
    return own | signing


def decide(world: World, now: datetime) -> list[Action]:
    """Return everything that is to be done now; nothing, when the cluster is as it should be."""
    return [*_issuers(world, now), *_certificates(world, now), *_injections(world)]


def _issuers(world: World, now: datetime) -> Iterator[Action]:
    for kind, issuers in (("issuers", world.issuers), ("clusterissuers", world.cluster_issuers)):
        for (namespace, name), raw in issuers.items():
            try:
                _authority(world, raw)
                condition = Condition(True, "IsReady", "signs")
            except BadObject as problem:
                condition = Condition(False, "NotReady", str(problem))
            if status := with_condition(raw, condition, {}, now):
                place = f"/namespaces/{namespace}" if namespace else ""
                yield Status(f"{API}{place}/{kind}/{name}", status)


def _certificates(world: World, now: datetime) -> Iterator[Action]:
    claims: dict[Key, str] = {}
    for (namespace, name), raw in sorted(world.certificates.items()):
        try:
            wanted = read(raw)
            owner = claims.setdefault((namespace, wanted.secret), name)
            if owner != name:
                raise BadObject(f"Secret {wanted.secret} is Certificate {owner}'s")
            secret = world.secrets.get((namespace, wanted.secret))
            authority = _authority(world, _issuer(world, wanted))
            if authority and now >= authority.leaf.not_valid_after_utc:
                raise BadObject("the issuer's own certificate has ended")
            if reason := due(wanted, secret, authority, now):
                yield Issue(wanted, authority, _kept(wanted, secret), reason, exists=secret is not None)
                continue  # its status is written once the Secret is there
            condition, times = Condition(True, "Ready", "issued and up to date"), _times(wanted, secret)
        except BadObject as problem:
            yield from not_issued(raw, problem, now)
            continue
        if status := with_condition(raw, condition, times, now):
            yield Status(f"{API}/namespaces/{namespace}/certificates/{name}", status)


def not_issued(raw: Json, problem: BadObject, now: datetime) -> Iterator[Status]:
    """Yield the status that says why a Certificate is not issued, if it does not say so already."""
    if status := with_condition(raw, Condition(False, "NotIssued", str(problem)), {}, now):
        namespace, name = key_of(raw)
        yield Status(f"{API}/namespaces/{namespace}/certificates/{name}", status)


def _injections(world: World) -> Iterator[Action]:
    bundles = {
        f"{namespace}/{name}": secret["data"]["ca.crt"]
        for (namespace, name), raw in world.certificates.items()
        if (secret := world.secrets.get((namespace, raw["spec"]["secretName"])))
        and (secret.get("data") or {}).get("ca.crt")
    }
    for path, raw in world.injectables.items():
        bundle = bundles.get((raw["metadata"].get("annotations") or {}).get(ANNOTATION, ""))
        if bundle and (patch := operations(raw, bundle)):
            yield Inject(path, patch)


def _issuer(world: World, wanted: Wanted) -> Json:
    kind, name = wanted.issuer
    if kind == "Issuer":
        found = world.issuers.get((wanted.namespace, name))
    else:
        found = world.cluster_issuers.get(("", name))
    if found is None:
        raise BadObject(f"{kind} {name} does not exist")
    return found


def _authority(world: World, issuer: Json) -> pairs.Pair | None:
    """Return what an issuer signs with, None for a self-signed one."""
    spec, name = issuer["spec"], issuer["metadata"]["name"]
    if "selfSigned" in spec:
        return None
    if "ca" not in spec:
        kinds = ", ".join(spec) or "nothing"
        raise BadObject(f"issuer {name} is of kind {kinds}: this stand-in knows selfSigned and ca")
    key = issuer["metadata"].get("namespace") or CLUSTER_NAMESPACE, spec["ca"]["secretName"]
    secret = world.secrets.get(key)
    if secret is None:
        raise BadObject(f"issuer {name}: Secret {'/'.join(key)} does not exist")
    try:
        return pairs.read_authority(secret)
    except BadObject as problem:
        raise BadObject(f"issuer {name}: Secret {'/'.join(key)}: {problem}") from problem


def _kept(wanted: Wanted, secret: Json | None) -> pairs.PrivateKey | None:
    """Return the key to use again, where the Certificate asks for that and the key is of its kind."""
    if not wanted.key.kept or secret is None:
        return None
    try:
        key = pairs.read(secret).key
    except BadObject:
        return None
    return key if fits(key, wanted.key) else None


def _times(wanted: Wanted, secret: Json | None) -> dict[str, str]:
    pair = pairs.read(secret or {})
    times = {
        "notBefore": pair.leaf.not_valid_before_utc,
        "notAfter": pair.leaf.not_valid_after_utc,
        "renewalTime": renewal_time(wanted, pair),
    }
    return {key: f"{time:%Y-%m-%dT%H:%M:%SZ}" for key, time in times.items()}

"""A feature repository as Feast's objects: its configuration, and what its files declare."""

import importlib
import os
import string
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml
from feast import Entity, FeatureService, FeatureView, OnDemandFeatureView, Project
from feast.data_source import DataSource, RequestSource
from feast.feature_view import DUMMY_ENTITY
from feast.repo_config import RepoConfig
from feast.repo_contents import RepoContents

from serinus_jobs.errors import JobError
from serinus_jobs.redis_url import CA_OPTION, authorities

CONFIGURATION = "feature_store.yaml"


def configuration(repository: Path, variables: Mapping[str, str], online_store: str) -> RepoConfig:
    """Return the configuration of `repository`, with `variables` filled in and `online_store` (a URL) in
    place of the file's own. Raises JobError naming the file."""
    path = repository / CONFIGURATION
    try:
        document = yaml.safe_load(string.Template(path.read_text()).safe_substitute(variables))
        document["online_store"] = online_options(online_store)
        if "://" in document["registry"]["path"]:
            document["registry"]["registry_type"] = "sql"
        return RepoConfig(**document, repo_path=repository)
    except OSError as error:
        raise JobError(f"{path}: cannot be read: {error}; set SERINUS_FEATURE_REPO") from None
    except (yaml.YAMLError, TypeError, KeyError, ValueError) as error:
        raise JobError(f"{path}: {error}") from None


def online_options(url: str) -> dict[str, Any]:
    """Return Feast's options for an online store: `sqlite:///<absolute path>` or
    `redis[s]://[user:password@]host[:port][/db][?ssl_ca_certs=file]`. Raises JobError for any other."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite" and not parts.netloc and parts.path.strip("/"):
        # Three slashes, or the four that SQLAlchemy writes.
        return {"type": "sqlite", "path": "/" + parts.path.lstrip("/")}
    try:
        port, database = parts.port or 6379, int(parts.path.strip("/") or 0)
    except ValueError:
        port = database = -1
    if parts.scheme not in ("redis", "rediss") or not parts.hostname or port < 0 or database < 0:
        shown = url.replace(parts.password, "***") if parts.password else url
        raise JobError(
            f"SERINUS_ONLINE_STORE {shown!r}: expected sqlite:///absolute/path.db or redis://host:port/db"
        )
    words = [f"{parts.hostname}:{port}", f"db={database}"]
    for name, value in (("username", parts.username), ("password", parts.password)):
        if value:
            if "," in unquote(value):
                raise JobError(f"SERINUS_ONLINE_STORE: Feast cannot take a comma in the {name}")
            # Quoted, or Feast would read a password of digits as a number.
            words.append(f'{name}="{unquote(value)}"')
    if parts.scheme == "rediss":
        words.append("ssl=true")
    if path := authorities("SERINUS_ONLINE_STORE", url):
        words.append(f"{CA_OPTION}={path}")
    # Feast's own check keeps the stored row when the new one has the same event time, so a corrected
    # row would never arrive. Our windows always end with the newest event, so nothing older is written.
    return {"type": "redis", "connection_string": ",".join(words), "skip_dedup": True}


def contents(repository: Path, project: str, variables: Mapping[str, str]) -> RepoContents:
    """Import the files of `repository` and return what they declare. Raises JobError naming the file.

    The files import one another by bare names, as under the `feast` command; so they are imported with
    the folder on the path and `variables` in the environment, and forgotten again.
    """
    found: dict[int, Any] = {}
    with _importable(repository, variables) as names:
        for name in names:
            try:
                module = importlib.import_module(name)
            except Exception as error:
                raise JobError(f"{repository / name}.py: {type(error).__name__}: {error}") from error
            found.update({id(each): each for each in vars(module).values()})

    def of(kind: type) -> list[Any]:
        return [each for each in found.values() if isinstance(each, kind)]

    views = of(FeatureView)
    sources = {id(each): each for each in [*of(DataSource), *(view.batch_source for view in views)]}
    return RepoContents(
        projects=[Project(name=project)],
        data_sources=[each for each in sources.values() if not isinstance(each, RequestSource)],
        # What on-demand views refer to; without it a second apply would take it for dropped.
        entities=[*of(Entity), DUMMY_ENTITY],
        feature_views=views,
        on_demand_feature_views=of(OnDemandFeatureView),
        feature_services=of(FeatureService),
        stream_feature_views=[],
        label_views=[],
        permissions=[],
    )


@contextmanager
def _importable(repository: Path, variables: Mapping[str, str]) -> Iterator[list[str]]:
    names = sorted(path.stem for path in repository.glob("*.py"))
    if not names:
        raise JobError(f"{repository}: holds no feature definitions; set SERINUS_FEATURE_REPO")
    # A stale or unwritable cache beside the files must not matter.
    caches, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    hidden = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    environment = {name: os.environ.get(name) for name in variables}
    sys.path.insert(0, str(repository))
    importlib.invalidate_caches()
    os.environ.update(variables)
    try:
        yield names
    finally:
        sys.path.remove(str(repository))
        sys.dont_write_bytecode = caches
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(hidden)
        for name, value in environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

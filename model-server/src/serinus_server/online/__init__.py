"""Online features: one plan, one round trip a request, one time budget.

Holds: the two stores behind the door `OnlineStore` (redis, sqlite), the store's key and value formats
(keys, decode), age against ttl (rows), and what a request may add (enrich).

Must not: open the feature store's registry, wait longer than the budget, or raise anything but
ContractError (the client's fault) and StoreUnavailable (the rows get defaults).
Who may call it: the application, through `make_store`, `check_entity` and `enrich.Enricher`.
"""

from urllib.parse import urlsplit

from serinus_contracts.plan import OnlinePlan
from serinus_server.doors import OnlineStore
from serinus_server.online.keys import check_entity
from serinus_server.online.rows import check_plan

__all__ = ["check_entity", "check_plan", "make_store"]


def make_store(url: str, plan: OnlinePlan, budget_seconds: float) -> OnlineStore:
    """Return the store at `url`: `redis://[user:password@]host[:port][/db]`, `rediss://…` or
    `sqlite:///absolute/path.db`, or with four slashes as SQLAlchemy writes it.

    Redis is not connected yet, so one that is down does not keep a server from starting; a SQLite file
    has to be there with its tables. Raises ContractError for a plan that cannot be served and ValueError
    for a URL that names no store, or no file with the plan's tables.
    """
    check_plan(plan)
    if not budget_seconds > 0:
        raise ValueError(f"the feature budget must be positive, not {budget_seconds}")
    scheme = urlsplit(url).scheme
    if scheme in ("redis", "rediss"):
        from serinus_server.online.redis import RedisStore

        return RedisStore(url, plan, budget_seconds)
    if scheme == "sqlite":
        from serinus_server.online.sqlite import SqliteStore

        return SqliteStore(url, plan, budget_seconds)
    raise ValueError(f"online store {scheme or url[:20]!r}: must be redis://, rediss:// or sqlite:///")

"""Which training is meant where none is named."""

from serinus_jobs.errors import JobError
from serinus_jobs.registry import Registry
from serinus_jobs.run_tags import KIND
from serinus_jobs.settings import Settings


def newest(settings: Settings, model: str) -> str:
    """Return the run id of the newest finished training of `model`. Raises JobError where there is none."""
    query = f"tags.`{KIND}` = 'train' and attributes.status = 'FINISHED'"
    found = Registry(settings).search_runs(model, query, limit=1)
    if not found:
        raise JobError(f"{model}: the registry holds no finished training; run `serinus-jobs train` first")
    return found[0].run_id

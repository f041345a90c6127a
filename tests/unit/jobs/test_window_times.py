import pytest

from serinus_jobs.errors import JobError
from serinus_jobs.window_times import moment

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12.5", 12.5),
        ("1970-01-02", 86_400),
        ("1970-01-02T00:00:00+01:00", 82_800),
        ("-30m", NOW - 1_800),
        ("-24h", NOW - 86_400),
        ("-7d", NOW - 604_800),
        ("-7", -7),
    ],
)
def test_a_moment_as_people_write_it(text: str, seconds: float):
    assert moment(text, NOW) == seconds


@pytest.mark.parametrize("text", ["", "yesterday", "-7w", "-d", "nan", "inf"])
def test_what_is_no_time(text: str):
    with pytest.raises(JobError, match="is no time"):
        moment(text, NOW)

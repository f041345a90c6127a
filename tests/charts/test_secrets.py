"""Who gets which password."""

import base64
from pathlib import Path
from typing import Any

import yaml
from tests.support import charts


def secrets(helm: Path, given: dict[str, Any]) -> dict[tuple[str, str], dict[str, str]]:
    """Return the Secrets of the umbrella, decoded, by namespace and name."""
    return {
        (each["metadata"]["namespace"], each["metadata"]["name"]): {
            key: base64.b64decode(value).decode() for key, value in each["data"].items()
        }
        for each in charts.objects(charts.template(helm, "platform", given))
        if each["kind"] == "Secret"
    }


def test_each_team_gets_the_passwords_that_the_platform_has(helm: Path):
    found = secrets(helm, {"global": {"models": {"namespaces": ["team-a", "team-b"]}}})
    system = charts.NAMESPACE
    users, databases = found[system, "serinus-mlflow"], found[system, "serinus-postgresql"]
    redis = found[system, "serinus-redis-acl"]
    for team in ("team-a", "team-b"):
        for user in ("reader", "writer"):
            assert found[team, f"serinus-registry-{user}"] == {
                "MLFLOW_TRACKING_URI": "http://serinus-mlflow.serinus-system.svc:5000",
                "MLFLOW_TRACKING_USERNAME": user,
                "MLFLOW_TRACKING_PASSWORD": users[f"{user}-password"],
            }
        registry = found[team, "serinus-feast-registry"]["SERINUS_FEAST_REGISTRY"]
        assert f"feast:{databases['feast-password']}@serinus-postgresql.serinus-system.svc:5432" in registry
        store = found[team, "serinus-online-store"]["SERINUS_ONLINE_STORE"]
        assert store == f"redis://:{redis['writer-password']}@serinus-redis.serinus-system.svc:6379/0"
        reader = found[team, "serinus-online-store-reader"]["SERINUS_ONLINE_STORE"]
        assert reader == f"redis://reader:{redis['reader-password']}@serinus-redis.serinus-system.svc:6379/0"


def test_a_team_gets_no_password_that_is_not_for_teams(helm: Path):
    found = secrets(helm, {"global": {"models": {"namespaces": ["team-a"]}}})
    kept = {
        found[charts.NAMESPACE, name][key]
        for name, key in [
            ("serinus-mlflow", "admin-password"),
            ("serinus-mlflow", "flask-secret-key"),
            ("serinus-postgresql", "postgres-password"),
            ("serinus-postgresql", "mlflow-password"),
            ("serinus-redis-acl", "metrics-password"),
        ]
    }
    given = " ".join(
        text for (place, _), each in found.items() if place == "team-a" for text in each.values()
    )
    assert [each for each in kept if each in given] == []


def test_passwords_are_long_and_each_is_another(helm: Path):
    found = secrets(helm, {})
    made = [
        value
        for name in ("serinus-mlflow", "serinus-postgresql", "serinus-redis-acl")
        for key, value in found[charts.NAMESPACE, name].items()
        if key != "users.acl"
    ]
    assert all(len(each) == 32 for each in made)
    assert len(set(made)) == len(made)


def test_where_everything_exists_no_password_is_made(helm: Path):
    external = yaml.safe_load((Path(__file__).parent / "values" / "external.yaml").read_text())
    assert sorted(secrets(helm, external)) == []

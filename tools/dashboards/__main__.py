"""Write every board as JSON into the chart: `python -m tools.dashboards`."""

from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from tools.dashboards import capacity, features, jobs, overview, serving

FOLDER = Path(__file__).resolve().parents[2] / "charts" / "monitoring" / "files" / "dashboards"
BOARDS: dict[str, Dashboard] = {
    module.__name__.rpartition(".")[2]: module.BOARD
    for module in (overview, serving, features, jobs, capacity)
}


def text(board: Dashboard) -> str:
    """Return a board as Grafana reads it; the same board gives the same text."""
    return JSONEncoder(sort_keys=True, indent=1, ensure_ascii=False).encode(board) + "\n"


if __name__ == "__main__":
    for name, each in BOARDS.items():
        (FOLDER / f"{name}.json").write_text(text(each))

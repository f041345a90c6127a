"""Somebody else's training: an XGBoost model in XGBoost's own format, and rows that it has not seen.

    python manifests/examples/xgboost/elsewhere.py <folder>

writes `wine.json` and `wine.csv`. Nothing of Serinus is used here.
"""

import sys
from pathlib import Path

from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from xgboost import XGBClassifier

CULTIVARS = ("barolo", "grignolino", "barbera")


def main(folder: Path) -> None:
    """Train on half of the 178 wines and write the model, and the other half with its labels."""
    frame = load_wine(as_frame=True).frame
    frame = frame.rename(columns={"od280/od315_of_diluted_wines": "od280_od315"})
    seen, unseen = train_test_split(frame, test_size=0.5, random_state=3, stratify=frame["target"])
    model = XGBClassifier(n_estimators=40, max_depth=3, learning_rate=0.2, n_jobs=1, random_state=3)
    model.fit(seen.drop(columns="target").to_numpy(), seen["target"].to_numpy())
    folder.mkdir(parents=True, exist_ok=True)
    model.save_model(folder / "wine.json")
    rows = unseen.drop(columns="target").assign(cultivar=unseen["target"].map(dict(enumerate(CULTIVARS))))
    rows.to_csv(folder / "wine.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

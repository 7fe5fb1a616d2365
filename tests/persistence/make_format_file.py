"""Write the file that keeps a version of the format readable.

    python tests/persistence/make_format_file.py

Run it once for each new version, and commit what it writes beside the files of earlier versions.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import skae
from skae import Autoencoder, OutlierDetector
from skae._persistence.files import FORMAT


def main():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "c"])
    table["d"] = rng.choice(["x", "y"], 60)
    table["b"] += table["a"]
    codes = make_pipeline(
        make_column_transformer((StandardScaler(), ["a", "b", "c"]), (OneHotEncoder(), ["d"])),
        Autoencoder(2, architecture=skae.architectures.Dense((4,)), max_epochs=5, random_state=0),
    )
    detector = OutlierDetector(codes, random_state=0).fit(table)
    path = Path(__file__).parent / "formats" / f"format_{FORMAT}.skae"
    skae.save(detector, path, training_state=True)
    some = table[:5]
    expected = {
        "table": some.to_dict("list"),
        "scores": detector.score_samples(some).tolist(),
        "labels": detector.predict(some).tolist(),
    }
    path.with_suffix(".json").write_text(json.dumps(expected) + "\n")


if __name__ == "__main__":
    main()

"""Matrix profiles of the series of NAB by stumpy, for ``bench_series.py --peer-scores``.

    pip install stumpy
    python benchmarks/profile_with_peer.py --data DIR --out FILE

DIR holds ``nab.npz``. Windows have the length that ``SeriesOutlierDetector`` chooses: a twelfth of
the series, at most 300 steps. FILE is an npz with a profile for each series. This needs no skae, so
that it can run in an environment of its own.
"""

import argparse
from pathlib import Path

import numpy as np
import stumpy


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    with np.load(args.data / "nab.npz") as arrays:
        names = [name[:-3] for name in arrays.files if name.endswith("__X")]
        series = {
            n: arrays[f"{n}__X"].astype(float) for n in names if arrays[f"{n}__anomaly"].any()
        }
    profiles = {
        name: stumpy.stump(x, min(300, len(x) // 12))[:, 0].astype(float)
        for name, x in series.items()
    }
    np.savez(args.out, **profiles)


if __name__ == "__main__":
    main()

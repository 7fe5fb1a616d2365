"""Rows that a generator of the package sdv draws, for ``bench_synthetic_tables.py``.

    python -m venv peers && peers/bin/pip install "sdv<2" pyarrow
    peers/bin/python benchmarks/sample_with_peer.py FILE [--peers copula tvae ctgan] [--threads 2]

Run it in an environment of its own. FILE is one that ``bench_synthetic_tables.py --write DIR`` has
written, the training rows of a table. Beside it come ``FILE.<peer>.parquet``, as many rows, and
``FILE.<peer>.json``, the seconds of fitting and drawing. All have their defaults.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sdv.metadata import Metadata
from sdv.single_table import CTGANSynthesizer, GaussianCopulaSynthesizer, TVAESynthesizer

PEERS = {
    "copula": GaussianCopulaSynthesizer,
    "tvae": TVAESynthesizer,
    "ctgan": CTGANSynthesizer,
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path, nargs="+")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    warnings.simplefilter("ignore")
    for file in args.file:
        X = pd.read_parquet(file)
        for peer in args.peers:
            np.random.seed(0)  # noqa: NPY002 (sdv draws from it)
            torch.manual_seed(0)
            start = time.perf_counter()
            metadata = Metadata.detect_from_dataframe(X, table_name="table")
            kind = {"object": "categorical", "category": "categorical", "str": "categorical"}
            for name, dtype in X.dtypes.items():
                sdtype = kind.get(str(dtype), "numerical")
                metadata.update_column(table_name="table", column_name=name, sdtype=sdtype)
            if metadata.tables["table"].primary_key:
                metadata.remove_primary_key(table_name="table")
            model = PEERS[peer](metadata)
            model.fit(X)
            fitted = time.perf_counter()
            rows = model.sample(len(X))
            seconds = {"fit": fitted - start, "sample": time.perf_counter() - fitted}
            rows.to_parquet(f"{file}.{peer}.parquet")
            Path(f"{file}.{peer}.json").write_text(json.dumps(seconds))
            print(file.name, peer, seconds, flush=True)


if __name__ == "__main__":
    main()

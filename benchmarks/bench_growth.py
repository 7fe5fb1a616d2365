"""How times grow with the data: rows, columns, categories, epochs, length of texts and series.

    python benchmarks/bench_growth.py            # about 3 minutes
    python benchmarks/bench_growth.py --only texts

prints a Markdown table: for each operation the time at sizes n, 2n, 4n and 8n, and the exponent
that fits the last three best: 1 where time grows with the size, 2 with its square. Exponents are
to be at most 1.2. Below 1 there are costs that do not depend on the size. Times are of the process,
the best of a few, with one thread of torch.

Two products are not in the table, as they grow by their nature: the rows of a table times the
categories of a column, since a category is one-hot and has weights of its own; and `explain`, which
tries every column of a row, and scores a row as long as the table is wide for each.
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
import polars as pl
import torch

import skae
from skae import (
    Autoencoder,
    OutlierDetector,
    RecurrentAutoencoder,
    Seq2SeqTranslator,
    TabularAutoencoder,
    TabularOutlierScorer,
    VariationalAutoencoder,
)
from skae.architectures import Dense
from skae.sequences import sliding_windows

QUICK = {
    "max_epochs": 1,
    "early_stopping": False,
    "check_baseline": False,
    "random_state": 0,
}
SMALL = {**QUICK, "n_components": 2, "hidden_layer_sizes": (8,)}
PAIRS = [
    (f"{who} {does} a {what}.", f"{qui} {fait} un {quoi}.")
    for who, qui in {"I": "Je", "You": "Tu"}.items()
    for does, fait in {"see": "vois", "want": "veux"}.items()
    for what, quoi in {"cat": "chat", "dog": "chien", "horse": "cheval"}.items()
]
ENGLISH, FRENCH = map(list, zip(*PAIRS, strict=True))

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape)


def words(n_rows, n_columns, n_words=3):
    letters = np.array([f"w{i}" for i in range(n_words)], object)
    columns = letters[RNG.integers(n_words, size=(n_rows, n_columns))]
    return pd.DataFrame(columns, columns=[f"c{i}" for i in range(n_columns)])


def with_holes(X):
    return X.mask(RNG.random(X.shape) < 0.05)


def rows(n):
    """Rows of an array of 8 numbers."""
    X = normal(n, 8)
    model = Autoencoder(**QUICK, n_components=2, architecture=Dense((8,)))
    yield "Autoencoder.fit", lambda: model.fit(X)
    yield "Autoencoder.transform", lambda: model.transform(X)
    yield "Autoencoder.reconstruct", lambda: model.reconstruct(X)
    yield "Autoencoder.score", lambda: model.score(X)
    detector = OutlierDetector(model)
    yield "OutlierDetector.fit", lambda: detector.fit(X)
    yield "OutlierDetector.p_value", lambda: detector.p_value(X)
    vae = VariationalAutoencoder(**QUICK, n_components=2, architecture=Dense((8,))).fit(X[:100])
    yield "VariationalAutoencoder.sample", lambda: vae.sample(n)


def table_rows(n):
    """Rows of a DataFrame of text and numbers."""
    X = with_holes(words(n, 4).assign(number=normal(n), day=pd.Timestamp("2025-01-01")))
    model = TabularAutoencoder(**SMALL)
    yield "TabularAutoencoder.fit", lambda: model.fit(X)
    yield "TabularAutoencoder.transform", lambda: model.transform(X)
    yield "TabularAutoencoder.impute", lambda: model.impute(X)
    scorer = TabularOutlierScorer(random_state=0).fit(X[:500])
    yield "TabularOutlierScorer.score_samples", lambda: scorer.score_samples(X)


def wide(make, kind):
    """Columns of a DataFrame of 50 rows."""

    def operations(n):
        X = make(n)
        model = TabularAutoencoder(**SMALL)
        yield f"fit, {kind}", lambda: model.fit(X)
        yield f"transform, columns reordered, {kind}", lambda: model.transform(reordered(X))
        yield f"impute, {kind}", lambda: model.impute(X)
        yield f"reconstruct, {kind}", lambda: model.reconstruct(X)

    operations.__doc__ = wide.__doc__
    return operations


def reordered(X):
    return X[:, ::-1] if isinstance(X, pl.DataFrame) else X.iloc[:, ::-1]


def numbers_frame(n):
    return with_holes(pd.DataFrame(normal(50, n), columns=[f"c{i}" for i in range(n)]))


def wide_scorer(n):
    """Columns of an array of 60 rows."""
    X = normal(60, n)
    scorer = TabularOutlierScorer(random_state=0)
    yield "TabularOutlierScorer.fit", lambda: scorer.fit(X)
    yield "TabularOutlierScorer.score_samples", lambda: scorer.score_samples(X)


def names(n):
    """Columns of a DataFrame of 20 rows."""
    X = pd.DataFrame(normal(20, n), columns=[f"c{i}" for i in range(n)])
    model = Autoencoder(**QUICK, n_components=2, architecture=Dense((8,)))
    yield "Autoencoder.fit", lambda: model.fit(X)
    yield "Autoencoder.set_output", lambda: model.set_output(transform="pandas").transform(X)
    yield "an error that names all columns", lambda: failing(model.transform, X.add_prefix("new"))


def failing(function, *args):
    try:
        function(*args)
    except ValueError:
        return
    raise AssertionError("no error")


def categories(n):
    """Categories of a column, in 4,000 rows."""
    X = pd.DataFrame({"word": [f"w{i % n}" for i in range(4000)], "number": normal(4000)})
    model = TabularAutoencoder(**SMALL, max_categories=100_000)
    yield "TabularAutoencoder.fit", lambda: model.fit(X)
    new = pd.DataFrame({"word": [f"v{i}" for i in range(n)], "number": np.nan})
    new["word"] = new["word"].where(new.index % 2 == 0).astype("category")
    X = X.astype({"word": "category"})
    merged = TabularAutoencoder(**SMALL).fit(X)
    yield "TabularAutoencoder.impute, new categories", lambda: merged.impute(new)


def translator():
    model = Seq2SeqTranslator(max_epochs=2, check_baseline=False, random_state=0)
    return model.set_params(max_characters=None).fit(ENGLISH, FRENCH)


TRANSLATOR = []


def texts(n):
    """Characters of one text."""
    if not TRANSLATOR:
        TRANSLATOR.append(translator())
    model = TRANSLATOR[0]
    kinds = {
        "one word": "abcdefgh" * (n // 8),
        "words": "cat " * (n // 4),
        "sentences": "I see. " * (n // 7),
        "Chinese": "".join(map(chr, 0x4E00 + RNG.integers(20_000, size=n))),
        "spaces": "a" + " " * n + "b",
    }
    for kind, text in kinds.items():
        yield f"predict, {kind}", lambda text=text: model.predict([text])
        yield f"transform, {kind}", lambda text=text: model.transform([text])


def training_texts(n):
    """Characters of one of 13 training texts."""
    text = "".join(map(chr, 97 + RNG.integers(26, size=n)))
    for kind in ("bpe", "unigram", "word", "char"):
        model = Seq2SeqTranslator(
            tokenization=kind, max_epochs=1, check_baseline=False, random_state=0
        ).set_params(max_characters=None)
        yield (
            f"fit, {kind}",
            lambda model=model: model.fit([*ENGLISH, text], [*FRENCH, "x"]),
        )


def pairs(n):
    """Pairs of texts."""
    X, y = ([side[i % 12] for i in range(n)] for side in (ENGLISH, FRENCH))
    yield "Seq2SeqTranslator.fit", lambda: translator().set_params(max_epochs=1).fit(X, y)


def sequences(n):
    """Sequences of 1 to 20 steps."""
    X = [normal(length, 2) for length in RNG.integers(1, 21, size=n)]
    model = RecurrentAutoencoder(2, **QUICK)
    yield "RecurrentAutoencoder.fit", lambda: model.fit(X)
    yield "RecurrentAutoencoder.reconstruct", lambda: model.reconstruct(X)


def series(n):
    """Steps of a series."""
    X = normal(n, 1)
    yield "sliding_windows", lambda: sliding_windows(X, 16)


def epochs(n):
    """Epochs."""
    X = normal(20, 4)
    params = {**QUICK, "max_epochs": n, "n_components": 2, "architecture": Dense((8,))}
    yield "Autoencoder.fit", lambda: Autoencoder(**params).fit(X)


#: Operations, and the smallest of the four sizes.
GROUPS = {
    "rows": (rows, 20_000),
    "table_rows": (table_rows, 2500),
    "columns": (wide(numbers_frame, "numbers"), 500),
    "text_columns": (wide(lambda n: with_holes(words(50, n)), "text"), 250),
    "polars_columns": (wide(lambda n: pl.from_pandas(with_holes(words(50, n))), "polars"), 500),
    "wide_scorer": (wide_scorer, 250),
    "names": (names, 4000),
    "categories": (categories, 500),
    "texts": (texts, 2000),
    "training_texts": (training_texts, 8000),
    "pairs": (pairs, 500),
    "sequences": (sequences, 500),
    "series": (series, 50_000),
    "epochs": (epochs, 250),
}
N_SIZES = 4


def best_time(function):
    """Return the least time of a few calls, in seconds."""
    times = []
    while not times or (len(times) < 3 and sum(times) < 0.3):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def measure(make, sizes):
    """Return the times of each operation, a dict of lists."""
    times = {}
    for _, warm_up in make(sizes[0]):
        warm_up()
    for n in sizes:
        for name, function in make(n):
            times.setdefault(name, []).append(best_time(function))
    return times


def exponent(sizes, times):
    return np.polyfit(np.log(sizes[1:]), np.log(times[1:]), 1)[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=GROUPS, nargs="*", default=list(GROUPS))
    only = parser.parse_args().only
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print(f"skae {skae.__version__}\n")
    print("| grows | operation | sizes | seconds | exponent |")
    print("|---|---|---|---|---:|")
    for group in only:
        make, first = GROUPS[group]
        sizes = [first * 2**i for i in range(N_SIZES)]
        what = make.__doc__.strip().rstrip(".").lower()
        for name, times in measure(make, sizes).items():
            seconds = ", ".join(f"{t:.3f}" for t in times)
            at = f"{sizes[0]:,} to {sizes[-1]:,}"
            print(f"| {what} | {name} | {at} | {seconds} | {exponent(sizes, times):.2f} |")


if __name__ == "__main__":
    main()

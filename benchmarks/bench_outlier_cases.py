"""Made tables that an outlier detector should treat well: rare groups, constants, dates.

    python benchmarks/bench_outlier_cases.py
    python benchmarks/bench_outlier_cases.py --cases all --seeds 5
    python benchmarks/bench_outlier_cases.py --cases orders "rare kind" --seeds 2

Each case makes a table, fits ``OutlierDetector(random_state=seed)`` and gives figures in percent,
with their mean, minimum and maximum over the seeds beside what is wanted. Means that are not as
wanted are marked. Without ``--cases``, the slow ones are left out.
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.decomposition import PCA
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import OutlierDetector, TabularAutoencoder

#: Name of each case -> the function, what is wanted, and whether it is slow.
CASES = {}

FEW = 0.3, 3  # percent of normal rows that may be flagged
GOOD = 98, 100
MOST = 95, 100
ANY = None


def case(name, wanted, is_slow=False):
    """Register a case. ``wanted`` is a range for each kind of figure: its name before a colon."""

    def register(function):
        CASES[name] = function, wanted, is_slow
        return function

    return register


def flagged(detector, X):
    return 100 * float((detector.predict(X) == -1).mean())


def flagged_by(detector, X, groups, name):
    """Return the share of the rows of each group that is flagged."""
    is_odd, groups = detector.predict(X) == -1, np.asarray(groups)
    return {
        f"{name}: {group}": 100 * float(is_odd[groups == group].mean())
        for group in np.unique(groups)
    }


def inliers_by(detector, groups, name="learnt from"):
    """Return the share of the training rows of each group that the scorer is fitted on."""
    indices = getattr(detector.estimator_, "inlier_indices_", None)
    if indices is None:
        return {}
    is_inlier, groups = np.zeros(len(groups), bool), np.asarray(groups)
    is_inlier[indices] = True
    return {
        f"{name}: {group}": 100 * float(is_inlier[groups == group].mean())
        for group in np.unique(groups)
    }


def found(detector, X, is_odd):
    """Return the AUROC, recall and false alarms of scores of labeled rows."""
    return {
        "AUROC": 100 * roc_auc_score(is_odd, -detector.score_samples(X)),
        "recall": flagged(detector, X[is_odd]),
        "false alarms": flagged(detector, X[~is_odd]),
    }


# Rare groups.


def with_kinds(rng, n, shares):
    x = rng.normal(size=n)
    return pd.DataFrame(
        {
            "x": x,
            "y": 2 * x + 0.3 * rng.normal(size=n),
            "amount": rng.lognormal(size=n),
            "kind": rng.choice(list(shares), n, p=list(shares.values())),
        }
    )


KIND_WANTED = {"training rows": FEW, "new rows": FEW, "learnt from": (80, 100)}


def of_kinds(make, seed, shares):
    rng = np.random.default_rng(seed)
    X, new = with_kinds(rng, 1000, shares), with_kinds(rng, 4000, shares)
    detector = make(seed).fit(X)
    return {
        **flagged_by(detector, X, X["kind"], "training rows"),
        **flagged_by(detector, new, new["kind"], "new rows"),
        **inliers_by(detector, X["kind"]),
    }


@case("rare kind", KIND_WANTED)
def rare_kind(make, seed):
    return of_kinds(make, seed, {"a": 0.59, "b": 0.29, "c": 0.12})


@case("two rare kinds", KIND_WANTED)
def two_rare_kinds(make, seed):
    return of_kinds(make, seed, {"a": 0.6, "b": 0.25, "c": 0.1, "d": 0.05})


def clusters(rng, n, shares, centers, scales):
    which = rng.choice(len(shares), n, p=shares)
    centers, scales = np.asarray(centers, float), np.asarray(scales, float)
    return centers[which] + scales[which, None] * rng.normal(size=(n, centers.shape[1])), which


def of_clusters(make, seed, *how):
    rng = np.random.default_rng(seed)
    (X, groups), (new, new_groups) = (clusters(rng, n, *how) for n in (1000, 4000))
    names = np.array([f"cluster {number}" for number in range(len(how[0]))])
    detector = make(seed).fit(X)
    return {
        **flagged_by(detector, X, names[groups], "training rows"),
        **flagged_by(detector, new, names[new_groups], "new rows"),
        **inliers_by(detector, names[groups]),
    }


@case("rare cluster", KIND_WANTED)
def rare_cluster(make, seed):
    return of_clusters(make, seed, [0.95, 0.05], [[0] * 5, [4] * 5], [1, 1])


@case("clusters of unequal density", KIND_WANTED)
def unequal_density(make, seed):
    centers = [[0] * 4, [5] * 4, [-8] * 4]
    return of_clusters(make, seed, [0.7, 0.2, 0.1], centers, [1, 0.1, 3])


def one_non_zero(rng, n, ranges):
    X = np.zeros((n, len(ranges)))
    column = rng.integers(len(ranges), size=n)
    X[np.arange(n), column] = ranges[column] * rng.uniform(size=n)
    return X, column


def two_non_zero_or_large(rng, n, ranges):
    X, column = one_non_zero(rng, n, ranges)
    rows, half = np.arange(n), n // 2
    other = (column + rng.integers(1, len(ranges), size=n)) % len(ranges)
    X[rows[:half], other[:half]] = ranges[other[:half]] * rng.uniform(size=half)
    X[rows[half:], column[half:]] = 5 * ranges[column[half:]]
    return X


ONE_WANTED = {"AUROC": GOOD, "recall": (50, 100), "false alarms": FEW, "axis": (0, 10)}


@case("one non-zero of ten, anomalies among training rows", ONE_WANTED)
def one_of_ten_unsup(make, seed):
    rng = np.random.default_rng(seed)
    ranges = 10 ** rng.uniform(0, 3, 10)
    normal, column = one_non_zero(rng, 1000, ranges)
    X = np.vstack([normal, two_non_zero_or_large(rng, 20, ranges)])
    detector = make(seed).fit(X)
    of_axis = [flagged(detector, normal[column == axis]) for axis in range(10)]
    return found(detector, X, np.arange(len(X)) >= 1000) | {"axis: most flagged": max(of_axis)}


@case("one non-zero of ten, clean training rows", ONE_WANTED)
def one_of_ten_semi(make, seed):
    rng = np.random.default_rng(seed)
    ranges = 10 ** rng.uniform(0, 3, 10)
    X, _ = one_non_zero(rng, 1000, ranges)
    normal, column = one_non_zero(rng, 2000, ranges)
    new = np.vstack([normal, two_non_zero_or_large(rng, 200, ranges)])
    detector = make(seed).fit(X)
    of_axis = [flagged(detector, normal[column == axis]) for axis in range(10)]
    return found(detector, new, np.arange(len(new)) >= 2000) | {"axis: most flagged": max(of_axis)}


# False alarms.


def normal(rng, n, d):
    return rng.normal(size=(n, d))


def flagged_new(make, seed, draw, sizes):
    figures = {}
    for n, d in sizes:
        rng = np.random.default_rng([seed, n, d])
        detector = make(seed).fit(draw(rng, n, d))
        figures[f"new rows: n={n}, d={d}"] = flagged(detector, draw(rng, 5000, d))
    return figures


SIZES = [(n, d) for n in (100, 200, 500, 1000, 2000) for d in (1, 2, 10, 30)]
NEW_WANTED = {"new rows": (0.5, 3)}


@case("normal columns", NEW_WANTED)
def normal_columns(make, seed):
    return flagged_new(make, seed, normal, [(100, 1), (200, 1), (500, 2), (1000, 10), (200, 30)])


@case("normal columns, all sizes", NEW_WANTED, is_slow=True)
def normal_columns_all(make, seed):
    return flagged_new(make, seed, normal, SIZES)


def uniform(rng, n, d):
    return rng.uniform(size=(n, d))


def student(rng, n, d):
    return rng.standard_t(3, size=(n, d))


def lognormal(rng, n, d):
    return rng.lognormal(sigma=0.7, size=(n, d))


def three_clusters(rng, n, d):
    return 6 * rng.integers(3, size=(n, 1)) + rng.normal(size=(n, d))


def correlated(rng, n, d):
    mixing = np.random.default_rng(d).normal(size=(d, d))
    return rng.normal(size=(n, d)) @ mixing


SHAPES = [uniform, student, lognormal, three_clusters, correlated]


def flagged_of_shapes(make, seed, sizes):
    return {
        name.replace(":", f": {draw.__name__},"): value
        for draw in SHAPES
        for name, value in flagged_new(make, seed, draw, sizes).items()
    }


@case("columns that are not normal", {"new rows": (0.3, 5)})
def other_columns(make, seed):
    return flagged_of_shapes(make, seed, [(200, 2)])


@case("columns that are not normal, all sizes", {"new rows": (0.3, 5)}, is_slow=True)
def other_columns_all(make, seed):
    return flagged_of_shapes(make, seed, [(n, d) for n in (200, 1000) for d in (1, 2, 10, 30)])


# Constant columns.

CONSTANTS = [(0, 1), (3, 3.5), (100, 101), (1e-6, 1), (False, True), ("ok", "error")]


def constants(make, seed, sizes):
    figures = {}
    for d in sizes:
        for usual, odd in CONSTANTS:
            rng = np.random.default_rng([seed, d])
            X, new = (
                pd.DataFrame(rng.normal(size=(n, d))).add_prefix("x").assign(status=usual)
                for n in (500, 1000)
            )
            detector, what = make(seed).fit(X), f"{usual} -> {odd}, beside {d}"
            changed = new.iloc[:20].assign(status=odd)
            first = np.asarray(detector.explain(changed)).argmax(1) == d
            figures[f"flagged: {what}"] = flagged(detector, changed)
            figures[f"named first: {what}"] = 100 * first.mean()
            figures[f"unchanged: {what}"] = flagged(detector, new)
    return figures


CONSTANT_WANTED = {"flagged": MOST, "named first": MOST, "unchanged": FEW}


@case("constant column", CONSTANT_WANTED)
def constant_column(make, seed):
    return constants(make, seed, [5])


@case("constant column beside 1 and 30", CONSTANT_WANTED, is_slow=True)
def constant_column_more(make, seed):
    return constants(make, seed, [1, 30])


# Columns that grow.


def of_days(rng, days):
    """Return rows at given times, with a load that depends on the hour."""
    times = pd.Timestamp("2025-01-01") + pd.to_timedelta(days, unit="D")
    load = np.sin(2 * np.pi * times.hour / 24)
    return pd.DataFrame(
        {
            "time": times,
            "load": load + 0.2 * rng.normal(size=len(days)),
            "voltage": rng.normal(size=len(days)),
            "current": rng.normal(size=len(days)),
        }
    )


def of_months(make, seed, is_shuffled):
    rng = np.random.default_rng(seed)
    X = of_days(rng, np.sort(rng.uniform(0, 181, 1000)))
    detector = make(seed).fit(X.sample(frac=1, random_state=seed) if is_shuffled else X)
    first_days = {"June": 151, "August": 212, "September": 243}
    return {
        f"new rows: {month}": flagged(detector, of_days(rng, day + rng.uniform(0, 30, 1000)))
        for month, day in first_days.items()
    } | {
        "wrong load": flagged(
            detector, of_days(rng, 151 + rng.uniform(0, 30, 100)).assign(load=5.0)
        )
    }


TIME_WANTED = {"new rows": (0.3, 5), "wrong load": MOST}


@case("timestamp, January to June", TIME_WANTED)
def timestamp(make, seed):
    return of_months(make, seed, is_shuffled=False)


@case("timestamp, rows shuffled", TIME_WANTED)
def timestamp_shuffled(make, seed):
    return of_months(make, seed, is_shuffled=True)


def with_ids(rng, first, n):
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=list("abc"))
    return X.assign(id=first + np.arange(n))[["id", "a", "b", "c"]]


@case("increasing id", {"new rows": (0.3, 5), "wrong value": MOST})
def increasing_id(make, seed):
    rng = np.random.default_rng(seed)
    detector = make(seed).fit(with_ids(rng, 1000, 1000))
    return {
        "new rows: the next": flagged(detector, with_ids(rng, 2000, 1000)),
        "new rows: much later": flagged(detector, with_ids(rng, 50_000, 1000)),
        "wrong value": flagged(detector, with_ids(rng, 2000, 100).assign(b=8.0)),
    }


# Anomalies in one cell or one place.


@case("heavy column beside a large value", {"flagged": MOST, "new rows": (0.3, 5)})
def heavy_column(make, seed):
    figures = {}
    for n in (300, 1000):
        for d in (2, 3, 5):
            rng = np.random.default_rng([seed, n, d])
            X, new, odd = (
                np.column_stack([rng.normal(size=(k, d - 1)), rng.lognormal(0, 3, k)])
                for k in (n, 2000, 200)
            )
            odd[:, 0] = 8 * rng.choice([-1, 1], 200)
            detector = make(seed).fit(X)
            figures[f"flagged: n={n}, d={d}"] = flagged(detector, odd)
            figures[f"new rows: n={n}, d={d}"] = flagged(detector, new)
    return figures


FOUND_WANTED = {"AUROC": GOOD, "recall": MOST, "false alarms": (0, 3)}


def planted(make, seed, normal, odd):
    """Fit with anomalies among the training rows, and give figures of these rows."""
    X = np.vstack([normal, odd])
    return found(make(seed).fit(X), X, np.arange(len(X)) >= len(normal))


@case("tight far cluster of anomalies, 1 %", FOUND_WANTED)
def tight_cluster_small(make, seed):
    rng = np.random.default_rng(seed)
    odd = 6 + 0.05 * rng.normal(size=(10, 5))
    return planted(make, seed, rng.normal(size=(990, 5)), odd)


@case("tight far cluster of anomalies, 5 %", FOUND_WANTED)
def tight_cluster_large(make, seed):
    rng = np.random.default_rng(seed)
    odd = 6 + 0.05 * rng.normal(size=(50, 5))
    return planted(make, seed, rng.normal(size=(950, 5)), odd)


@case("dense rows and scattered anomalies, 10 %", FOUND_WANTED)
def scattered(make, seed):
    rng = np.random.default_rng(seed)
    return planted(make, seed, 0.2 * rng.normal(size=(900, 5)), rng.uniform(-3, 3, (100, 5)))


@case("scattered anomalies, 30 %", {"AUROC": GOOD, "recall": (80, 100), "false alarms": (0, 3)})
def many_scattered(make, seed):
    rng = np.random.default_rng(seed)
    return planted(make, seed, 0.2 * rng.normal(size=(700, 5)), rng.uniform(-3, 3, (300, 5)))


@case("broken relation, 3 %", {"AUROC": (95, 100), "recall": (70, 100), "false alarms": (0, 3)})
def broken_relation(make, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(1000, 2)) @ rng.normal(size=(2, 8)) + 0.1 * rng.normal(size=(1000, 8))
    rows, columns = np.arange(970, 1000), rng.integers(8, size=30)
    X[rows, columns] = X[rng.permutation(970)[:30], columns]
    return planted(make, seed, X[:970], X[970:])


@case("more columns than rows", {"AUROC": (95, 100), "new rows": (0.3, 10)})
def wide(make, seed):
    rng = np.random.default_rng(seed)
    X, new, odd = (rng.normal(size=(n, 200)) for n in (20, 1000, 100))
    detector = make(seed).fit(X)
    scores = -detector.score_samples(np.vstack([new, 2 * odd]))
    return {
        "AUROC": 100 * roc_auc_score(np.arange(1100) >= 1000, scores),
        "new rows": flagged(detector, new),
    }


CELL_TABLES = {
    "breast cancer": lambda: load_breast_cancer().data[load_breast_cancer().target == 1],
    "wine": lambda: load_wine().data,
    "diabetes": lambda: load_diabetes().data,
}


def beyond_range(rows, train, rng):
    """Put a cell of each row a standard deviation beyond the range of its column."""
    damaged, which = rows.copy(), np.arange(len(rows))
    column, is_high = rng.integers(train.shape[1], size=len(rows)), rng.random(len(rows)) < 0.5
    ends = np.where(is_high, train.max(0)[column], train.min(0)[column])
    spread = train.std(0)[column]
    damaged[which, column] = ends + np.where(is_high, 1, -1) * spread
    shows = np.abs(damaged - rows)[which, column] > 1.5 * spread
    return damaged[shows], column[shows]


@case(
    "single wrong cells",
    {"flagged": ANY, "flagged less PCA": (0, 100), "named first": (90, 100), "false alarms": ANY},
)
def wrong_cells(make, seed):
    figures = {}
    for table, load in CELL_TABLES.items():
        detectors = {
            "default": make(seed),
            "PCA": OutlierDetector(make_pipeline(StandardScaler(), PCA()), random_state=seed),
        }
        train, test = np.array_split(np.random.default_rng(seed).permutation(load()), 2)
        for name, detector in detectors.items():
            detector.fit(train)
            usual = test[detector.predict(test) == 1]
            damaged, column = beyond_range(usual, train, np.random.default_rng(seed))
            is_odd = detector.predict(damaged) == -1
            figures[f"flagged: {table}, {name}"] = 100 * is_odd.mean()
            figures[f"false alarms: {table}, {name}"] = flagged(detector, test)
            if name == "default" and is_odd.any():
                contributions = np.asarray(detector.explain(damaged[is_odd]))
                is_first = contributions.argmax(1) == column[is_odd]
                figures[f"named first: {table}"] = 100 * is_first.mean()
        difference = figures[f"flagged: {table}, default"] - figures[f"flagged: {table}, PCA"]
        figures[f"flagged less PCA: {table}"] = difference
    return figures


# Orders.

COUNTRIES = {"DE": 0.55, "US": 0.2, "GB": 0.13, "JP": 0.1, "CH": 0.02}
CURRENCIES = {"DE": "EUR", "US": "USD", "GB": "GBP", "JP": "JPY", "CH": "CHF"}
RATES = {"DE": 1.0, "US": 1.1, "GB": 0.85, "JP": 160.0, "CH": 0.95}
#: Mean weight in kg and price in euros of each kind of goods.
GOODS = {"book": (0.5, 15), "phone": (0.3, 500), "chair": (8, 120), "shirt": (0.2, 30)}


def orders(rng, n):
    """Return orders, and the kind of fault of each, "" for none: 1 % have one."""
    country = rng.choice(list(COUNTRIES), n, p=list(COUNTRIES.values()))
    goods = rng.choice(list(GOODS), n, p=[0.4, 0.1, 0.15, 0.35])
    weight, price = np.array([GOODS[one] for one in goods]).T
    quantity = 1 + rng.poisson(0.7, n)
    price = price * rng.lognormal(0, 0.2, n)
    rate = np.array([RATES[one] for one in country])
    ordered = pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.uniform(0, 365, n), unit="D")
    days = rng.gamma(4, np.where(country == "DE", 0.7, 1.5))
    X = pd.DataFrame(
        {
            "ordered": ordered.floor("min"),
            "delivered": (ordered + pd.to_timedelta(days, unit="D")).floor("min"),
            "country": country,
            "currency": [CURRENCIES[one] for one in country],
            "goods": goods,
            "quantity": quantity,
            "unit_price": (price * rate).round(2),
            "amount": (quantity * price * rate * rng.uniform(0.9, 1, n)).round(2),
            "weight": (quantity * weight * rng.lognormal(0, 0.1, n)).round(3),
            "payment": rng.choice(["card", "invoice", "wallet"], n, p=[0.6, 0.3, 0.1]),
            "age": rng.normal(42, 12, n).round(),
            "is_new": rng.random(n) < 0.3,
        }
    )
    X.loc[rng.random(n) < 0.1, "age"] = np.nan
    X.loc[rng.random(n) < 0.05, "payment"] = None
    X.loc[rng.random(n) < 0.03, "weight"] = np.nan
    return with_faults(X, rng)


def with_faults(X, rng):
    n, kinds = len(X), np.full(len(X), "", object)
    rows = np.array_split(rng.choice(n, n // 100, replace=False), 4)
    names = "amount x 10", "wrong currency", "weight of another row", "delivered before ordered"
    for name, of_kind in zip(names, rows, strict=True):
        kinds[of_kind] = name
    X = X.copy()
    X.loc[rows[0], "amount"] *= 10
    currencies = np.array(list(CURRENCIES.values()))
    for row in rows[1]:
        X.loc[row, "currency"] = rng.choice(currencies[currencies != X.loc[row, "currency"]])
    weights = X["weight"].dropna().to_numpy()
    for row in rows[2]:
        is_similar = np.abs(np.log(weights / X.loc[row, "weight"])) < np.log(3)
        X.loc[row, "weight"] = rng.choice(weights[~is_similar])
    before = pd.to_timedelta(rng.uniform(1, 20, len(rows[3])), unit="D").round("min")
    X.loc[rows[3], "delivered"] = X.loc[rows[3], "ordered"] - before
    return X, kinds


@case(
    "orders",
    {
        "AP": (60, 100),
        "precision": (50, 100),
        "recall": (50, 100),
        "country": (0, 3),
        "AP of kind": ANY,
        "recall of kind": ANY,
        "AP of TabularAutoencoder": ANY,
        "learnt from": (40, 100),
    },
    is_slow=True,
)
def of_orders(make, seed):
    X, kinds = orders(np.random.default_rng(seed), 20_000)
    is_fault = kinds != ""
    detector = make(seed).fit(X)
    scores, is_flagged = -detector.score_samples(X), detector.predict(X) == -1
    autoencoder = TabularAutoencoder(random_state=seed).fit(X)
    figures = {
        "AP": 100 * average_precision_score(is_fault, scores),
        "AP of TabularAutoencoder": 100
        * average_precision_score(is_fault, -autoencoder.score_samples(X)),
        "precision": 100 * is_fault[is_flagged].mean() if is_flagged.any() else 0.0,
        "recall": 100 * is_flagged[is_fault].mean(),
    }
    for kind in pd.unique(kinds[is_fault]):
        which = (kinds == kind) | ~is_fault
        figures[f"AP of kind: {kind}"] = 100 * average_precision_score(
            is_fault[which], scores[which]
        )
        figures[f"recall of kind: {kind}"] = 100 * is_flagged[kinds == kind].mean()
    usual = X[~is_fault]
    return (
        figures
        | flagged_by(detector, usual, usual["country"], "country")
        | inliers_by(detector, X["country"])
    )


# Measuring.


def default(seed):
    return OutlierDetector(random_state=seed)


def run(name, make=default, seeds=range(5)):
    """Return a DataFrame with a column for each seed and a row for each figure of a case."""
    function, _, _ = CASES[name]
    return pd.DataFrame([function(make, seed) for seed in seeds]).T


def lines(name, results):
    """Yield a line for each figure: its mean, minimum and maximum, and what is wanted."""
    _, wanted, _ = CASES[name]
    for figure, values in results.iterrows():
        limits = wanted[figure.partition(":")[0]]
        mean, low, high = values.mean(), values.min(), values.max()
        text, mark = "", ""
        if limits is not None:
            text = f"{limits[0]} to {limits[1]}"
            mark = "" if limits[0] <= mean <= limits[1] else "  <--"
        yield f"  {figure:52}{mean:7.1f}{low:7.1f}{high:7.1f}   {text}{mark}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=[*CASES, "all"])
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    names = options.cases or [name for name, (*_, is_slow) in CASES.items() if not is_slow]
    print(f"{'case, figure in percent':54}{'mean':>7}{'min':>7}{'max':>7}   wanted")
    for name in CASES if "all" in names else names:
        start = time.perf_counter()
        results = run(name, seeds=range(options.seeds))
        print(f"{name} ({time.perf_counter() - start:.0f} s)")
        print(*lines(name, results), sep="\n", flush=True)


if __name__ == "__main__":
    main()

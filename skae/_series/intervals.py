"""Stretches of a series that are unusual."""

import numpy as np
import pandas as pd

#: The features of an interval hold this share of its errors together.
SHARE_OF_ERRORS = 2 / 3

#: Columns of the table, and dtypes that they have without rows too.
COLUMNS = ["series", "start", "end", "n_steps", "score", "p_value", "features"]
DTYPES = {"n_steps": int, "score": float, "p_value": float}


def outlying_intervals(scores, offset, p_values, cells, merge_within):
    """Return the stretches whose scores are below a threshold.

    Parameters
    ----------
    scores : ndarray of shape (n_steps,)
        NaN where a step was not judged.
    offset : float
        Steps with a lower score are outliers.
    p_values : ndarray of shape (n_steps,)
    cells : ndarray of shape (n_steps, n_features)
        How unusual cells are.
    merge_within : int
        Stretches with at most as many steps between them are one interval.

    Returns
    -------
    list of dict
        By name of the column; start, end and features are positions.
    """
    places = np.flatnonzero(scores < offset)
    if not len(places):
        return []
    cuts = np.flatnonzero(np.diff(places) > merge_within + 1)
    starts, ends = places[np.append(0, cuts + 1)], places[np.append(cuts, len(places) - 1)]
    return [
        {
            "start": int(start),
            "end": int(end),
            "n_steps": int(end + 1 - start),
            "score": float(np.nanmin(scores[start : end + 1])),
            "p_value": float(np.nanmin(p_values[start : end + 1])),
            "features": _main_features(cells[start : end + 1]),
        }
        for start, end in zip(starts, ends, strict=True)
    ]


def _main_features(cells):
    """Return the features with the largest errors, the largest first."""
    of_features = np.nansum(cells, 0)
    order = np.argsort(-of_features, kind="stable")
    shares = np.cumsum(of_features[order]) / max(of_features.sum(), np.finfo(float).tiny)
    return order[: np.searchsorted(shares, SHARE_OF_ERRORS) + 1].tolist()


def intervals_table(collection, found):
    """Return intervals of series as one table, with labels of steps and names of features.

    Parameters
    ----------
    collection : SeriesCollection
    found : list of list of dict
        What ``outlying_intervals`` returned for each series.

    Returns
    -------
    DataFrame
    """
    rows = []
    for one, intervals in zip(collection.members, found, strict=True):
        for row in intervals:
            labels = {edge: one.labels[row[edge]] for edge in ("start", "end")}
            names = list(map(one.feature, row["features"]))
            rows.append({"series": one.key} | row | labels | {"features": names})
    columns = COLUMNS[1:] if collection.form == "one" else COLUMNS
    return pd.DataFrame(rows, columns=columns).astype(DTYPES)

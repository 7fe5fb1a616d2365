"""Stretches of a series that are unusual."""

import numpy as np
import pandas as pd

#: The features of an interval hold this share of its errors together.
SHARE_OF_ERRORS = 2 / 3


def outlying_intervals(scores, offset, p_values, cells, series, merge_within):
    """Return a table of the stretches whose scores are below a threshold.

    Parameters
    ----------
    scores : ndarray of shape (n_steps,)
        NaN where a step was not judged.
    offset : float
        Steps with a lower score are outliers.
    p_values : ndarray of shape (n_steps,)
    cells : ndarray of shape (n_steps, n_features)
        How unusual cells are.
    series : Series
    merge_within : int
        Stretches with at most as many steps between them are one interval.

    Returns
    -------
    DataFrame with the columns start, end, n_steps, score, p_value and features
    """
    places = np.flatnonzero(scores < offset)
    rows = []
    names = series.columns or list(range(cells.shape[1]))
    if len(places):
        cuts = np.flatnonzero(np.diff(places) > merge_within + 1)
        starts, ends = places[np.append(0, cuts + 1)], places[np.append(cuts, len(places) - 1)]
        for start, end in zip(starts, ends, strict=True):
            steps = slice(start, end + 1)
            rows.append(
                {
                    "start": series.labels[start],
                    "end": series.labels[end],
                    "n_steps": end + 1 - start,
                    "score": np.nanmin(scores[steps]),
                    "p_value": np.nanmin(p_values[steps]),
                    "features": _main_features(cells[steps], names),
                }
            )
    columns = ["start", "end", "n_steps", "score", "p_value", "features"]
    return pd.DataFrame(rows, columns=columns)


def _main_features(cells, names):
    """Return the names of the features with the largest errors, the largest first."""
    of_features = np.nansum(cells, 0)
    order = np.argsort(-of_features, kind="stable")
    shares = np.cumsum(of_features[order]) / max(of_features.sum(), np.finfo(float).tiny)
    n_main = np.searchsorted(shares, SHARE_OF_ERRORS) + 1
    return [names[i] for i in order[:n_main]]

"""The distributions of a column in two tables, as the bars of a chart."""

import numpy as np
import pandas as pd

from skae.metrics._tables import is_category

#: Bars of a histogram, and categories that have a bar, at most.
N_BINS, N_BARS = 20, 8

#: Quantiles of the real numbers between which bars are; the outer ones hold what is beyond.
ENDS = 0.005, 0.995


def marginal_fractions(real, synthetic, kind):
    """Return the fractions of rows in each interval of a column, or of each frequent category.

    Parameters
    ----------
    real, synthetic : Series
    kind : str
        What the column holds.

    Returns
    -------
    DataFrame of shape (n_bars, 2)
        Columns "real" and "synthetic". The index holds intervals, or the names of categories, then
        "others" and "missing" if there are such rows. Missing numbers are in no interval, and
        durations are in seconds.
    """
    columns = {"real": real, "synthetic": synthetic}
    if is_category(real):
        return _of_categories(columns)
    low, high = _ends(real if real.notna().any() else synthetic)
    edges = np.linspace(low, high, N_BINS + 1)
    counted = {
        name: np.histogram(column.dropna().clip(low, high), edges)[0] / len(column)
        for name, column in columns.items()
    }
    edges = (edges * 1e6).astype(np.int64).astype("M8[us]") if kind == "date" else edges
    return pd.DataFrame(counted, index=pd.IntervalIndex.from_breaks(edges))


def _ends(column):
    """Return the lowest and the highest number of the bars."""
    if column.isna().all():
        return 0.0, 1.0
    low, high = column.quantile(ENDS[0]), column.quantile(ENDS[1])
    margin = max(0.5, 1e-6 * abs(high)) if low == high else 0.0
    return low - margin, high + margin


def _of_categories(columns):
    counted = {
        name: column.value_counts(normalize=True, dropna=False) for name, column in columns.items()
    }
    counted = pd.DataFrame(counted).fillna(0.0)
    is_missing = counted.index.isna()
    known, missing = counted[~is_missing], counted[is_missing]
    known = known.iloc[np.argsort(-known.max(axis=1).to_numpy(), kind="stable")]
    rows = [known[:N_BARS]]
    if len(known) > N_BARS:
        rows.append(known[N_BARS:].sum().to_frame("others").T)
    if len(missing):
        rows.append(missing.set_axis(["missing"]))
    return pd.concat([part.set_axis(part.index.astype(object)) for part in rows])

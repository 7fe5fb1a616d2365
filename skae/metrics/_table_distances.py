"""How far two tables are from each other: in columns, in pairs of columns, and in rows."""

from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp
from scipy.stats.contingency import chi2_contingency
from sklearn.neighbors import NearestNeighbors

from skae.metrics._tables import in_codes, is_category

#: Rows whose nearest record is searched, and records among which it is searched, at most.
MAX_QUERIES, MAX_RECORDS = 1_000, 20_000

#: Quantiles whose distance is the scale of numbers.
QUANTILES = 0.05, 0.95

# Columns.


def column_distance(real, rows):
    """Return how far the distribution of a column is from that of real rows, from 0 to 1.

    Of numbers it is the Kolmogorov-Smirnov statistic, in which missing cells count as one value
    above all others; of categories the total variation, with missing cells as one more category.
    """
    if is_category(real):
        return 0.5 * np.abs(_fractions(real) - _fractions(rows)).sum()
    real, rows = (column.fillna(np.inf).to_numpy() for column in (real, rows))
    return float(ks_2samp(real, rows, method="asymp").statistic)


def _fractions(column):
    codes = column.cat.codes.to_numpy().astype(int)
    return np.bincount(codes + 1, minlength=len(column.cat.categories) + 1) / len(column)


# Pairs of columns.


def associations(table):
    """Return how much each pair of columns depends on each other.

    It is the rank correlation of two numbers; Cramér's V of two categories, and the correlation
    ratio of a category and the ranks of a number, both corrected for their bias. It is 0 where a
    column does not vary, and counts rows in which both cells are known.

    Returns
    -------
    DataFrame of shape (n_columns, n_columns)
    """
    columns = [_Codes.of(table[name]) for name in table]
    ranks = np.column_stack([column.ranks for column in columns])
    of_pairs = pd.DataFrame(ranks).corr(method="spearman").fillna(0.0).to_numpy().copy()
    for i, j in combinations(range(len(columns)), 2):
        if columns[i].is_category or columns[j].is_category:
            of_pairs[i, j] = of_pairs[j, i] = columns[i].association(columns[j])
    np.fill_diagonal(of_pairs, 1.0)
    return pd.DataFrame(of_pairs, index=table.columns, columns=table.columns)


class _Codes:
    """A column for associations: the ranks of numbers, or the codes of categories."""

    def __init__(self, ranks, codes, n_categories):
        self.ranks, self.codes, self.n_categories = ranks, codes, n_categories

    @classmethod
    def of(cls, column):
        if is_category(column):
            codes = column.cat.codes.to_numpy().astype(int)
            return cls(np.full(len(column), np.nan), codes, len(column.cat.categories))
        return cls(column.rank().to_numpy(), None, 0)

    @property
    def is_category(self):
        return self.codes is not None

    def association(self, other):
        if self.is_category and other.is_category:
            shape = self.n_categories, other.n_categories
            return cramers_v(_counts(self.codes, other.codes, shape))
        category, number = (self, other) if self.is_category else (other, self)
        return correlation_ratio(category.codes, number.ranks)


def _counts(a, b, shape):
    known = (a >= 0) & (b >= 0)
    return np.bincount(a[known] * shape[1] + b[known], minlength=np.prod(shape)).reshape(shape)


def cramers_v(counts):
    """Return Cramér's V of a table of counts, corrected for its bias."""
    counts = counts[counts.any(axis=1)][:, counts.any(axis=0)]
    sizes, n = np.array(counts.shape), counts.sum()
    if n < 2 or sizes.min() < 2:
        return 0.0
    phi2 = chi2_contingency(counts, correction=False).statistic / n
    phi2 = max(0.0, phi2 - np.prod(sizes - 1) / (n - 1))
    largest = (sizes - (sizes - 1) ** 2 / (n - 1)).min() - 1
    return float(min(1.0, np.sqrt(phi2 / largest))) if largest > 1e-9 else 0.0


def correlation_ratio(codes, numbers):
    """Return the correlation ratio of categories and numbers, corrected for its bias."""
    known = (codes >= 0) & ~np.isnan(numbers)
    codes, numbers = codes[known], numbers[known]
    n, sizes = len(codes), np.bincount(codes)
    n_free = n - np.count_nonzero(sizes)
    total = np.square(numbers - numbers.mean()).sum() if n else 0.0
    if n_free < 1 or total == 0:
        return 0.0
    means = np.bincount(codes, numbers) / np.maximum(sizes, 1)
    within = np.square(numbers - means[codes]).sum()
    return float(np.sqrt(max(0.0, 1 - (within / n_free) / (total / (n - 1)))))


# Rows.


def copied_fraction(real, rows):
    """Return the fraction of rows that are equal to a real one in all cells."""
    return float(row_hashes(rows).isin(row_hashes(real)).mean())


def repeated_fraction(table):
    """Return the fraction of rows that are equal to another row of the table in all cells."""
    return float(row_hashes(table).duplicated(keep=False).mean())


def row_hashes(table):
    """Return a number for each row, which is the same for equal rows."""
    return pd.util.hash_pandas_object(in_codes(table), index=False)


def closest_distance(real, rows, rng):
    """Return the median distance of rows to the nearest real row.

    The distance is the mean over the columns of differences of numbers, in units of the range
    from the 5th to the 95th percentile of the real rows, and of 0 or 1 for equal or different
    categories. A missing cell is at the median, plus 1.

    Parameters
    ----------
    real : DataFrame
        At most 20,000 rows are drawn.
    rows : DataFrame or None
        None is the real rows, each of which is compared with the others. At most 1,000 are drawn.
    rng : RandomState
    """
    space = _RowSpace(real)
    records = space.place(drawn(real, MAX_RECORDS, rng))
    queries = records if rows is None else space.place(rows)
    queries = queries[rng.permutation(len(queries))[:MAX_QUERIES]]
    n_neighbors = 1 if rows is not None else 2  # the first one is the row itself
    search = NearestNeighbors(n_neighbors=n_neighbors, metric="manhattan", algorithm="brute")
    return float(np.median(search.fit(records).kneighbors(queries)[0][:, -1]))


def drawn(table, n_rows, rng):
    """Return a table, or so many of its rows if it has more."""
    return (
        table if len(table) <= n_rows else table.iloc[np.sort(rng.permutation(len(table))[:n_rows])]
    )


class _RowSpace:
    """Where rows are, so that the Manhattan distance is the distance of rows."""

    def __init__(self, real):
        numbers = real[[name for name in real if not is_category(real[name])]]
        low, high = (numbers.quantile(q) for q in QUANTILES)
        whole = numbers.max() - numbers.min()
        range_ = (high - low).where(high > low, whole)
        self.scale = range_.where(range_ > 0, 1.0)
        self.center = numbers.median().fillna(0.0)

    def place(self, table):
        """Return the places of rows."""
        numbers = table[self.scale.index]
        missing = numbers.isna().to_numpy(dtype=float)
        numbers = (numbers.fillna(self.center) - self.center) / self.scale
        parts = [numbers.to_numpy(dtype=float), missing]
        parts += [_indicators(table[name]) / 2 for name in table if is_category(table[name])]
        return np.hstack(parts) / table.shape[1]


def _indicators(column):
    """Return a column of categories as ones and zeros, missing cells as one more category."""
    return np.eye(len(column.cat.categories) + 1)[column.cat.codes]

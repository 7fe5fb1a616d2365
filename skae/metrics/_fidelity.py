"""How much a table of generated rows is like the real one."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from skae.metrics._table_distances import (
    associations,
    closest_distance,
    column_distance,
    copied_fraction,
    drawn,
    repeated_fraction,
)
from skae.metrics._table_marginals import marginal_fractions
from skae.metrics._table_models import TargetTask, detection_auroc
from skae.metrics._tables import read_tables, with_few_categories

#: Rows of each table that pairs of columns and models are computed from, at most.
MAX_ROWS = 5_000

#: Categories of a column that they tell apart, at most; the others count as one.
MAX_CATEGORIES = 100

#: Which rows the scores are of.
SOURCES = ["synthetic", "real"]

#: Columns that the text of a report names.
N_NAMED = 3


@dataclass(frozen=True, eq=False, repr=False)
class FidelityReport:
    """What `fidelity_report` finds out about a table of generated rows.

    Every score of the synthetic rows stands beside that of real rows, which shows what is
    possible: a perfect generator has the scores of real rows, not 0 or 1.

    Parameters
    ----------
    scores : DataFrame
        Scores in the columns "synthetic" and "real", see `to_frame`.
    columns : DataFrame
        By column: its "kind", the "distance" of its distribution from the real one and, as
        "real_distance", that of real rows, and the fractions of missing cells, "missing" and
        "real_missing".
    pairs : DataFrame of shape (n_columns, n_columns)
        By how much the association of two columns differs from that in the real table.
    marginals : dict of DataFrame
        By column, the fractions of "real" and "synthetic" rows in each interval of a number or
        date, or of each frequent category.

    See Also
    --------
    fidelity_report : Computes a report.
    skae.inspection.FidelityDisplay : Draws one.
    """

    scores: pd.DataFrame
    columns: pd.DataFrame
    pairs: pd.DataFrame
    marginals: dict

    def to_frame(self):
        """Return the scores.

        Returns
        -------
        scores : DataFrame
            With the columns "synthetic" and "real", and one row for each of

            - "column_distance", the mean distance of the distribution of a column,
            - "pair_difference", the mean difference of the association of two columns,
            - "detection_auroc", of a classifier that tells the rows from real ones,
            - "closest_record_distance", the median distance to the nearest real row,
            - "copied_fraction", of rows that are equal to a real one,
            - "target_auroc", "target_accuracy" or "target_r2", if there is a target: the score on
              ``test`` of a model that was trained on these rows.
        """
        return self.scores.copy()

    @property
    def detection_auroc(self):
        """AUROC of a classifier that tells synthetic rows from real ones: 0.5 if it cannot."""
        return self.scores.loc["detection_auroc", "synthetic"]

    @property
    def closest_record_ratio(self):
        """Distance to the closest record, divided by that of real rows: near 0 for copies.

        It is NaN if that of real rows is 0.
        """
        synthetic, real = self.scores.loc["closest_record_distance"]
        return synthetic / real if real else np.nan

    @property
    def target_loss(self):
        """How much lower the score is on the target if trained on synthetic rows, or None."""
        score = self.scores[self.scores.index.str.startswith("target_")]
        return None if score.empty else (score["real"] - score["synthetic"]).item()

    def __repr__(self):
        worst = self.columns["distance"].nlargest(N_NAMED)
        named = ", ".join(f"{name} {distance:.3f}" for name, distance in worst.items())
        return (
            f"FidelityReport of {len(self.columns)} columns\n"
            f"{self.scores.to_string(float_format='{:.3f}'.format)}\n"
            f"columns with the largest distance: {named}"
        )


def fidelity_report(real, synthetic, *, test=None, target=None, random_state=0):
    """Say how much generated rows are like real ones.

    The rows may come from any generator, such as
    ``VariationalAutoencoder(architecture="tabular").sample``. The report has five parts.

    - Columns: the Kolmogorov-Smirnov statistic of numbers, dates and durations, in which missing
      cells count as one value above all others, and the total variation of categories, in which
      missing cells are one more category. Both are 0 if the distributions are equal, 1 at most.
    - Pairs of columns: the difference of the association in the two tables. The association is the
      rank correlation of two numbers; of two categories it is Cramér's V, and of a number and a
      category the correlation ratio of its ranks, both corrected for their bias [1]_.
    - Detection: the AUROC of gradient boosting that tells synthetic rows from real ones, by
      cross-validation. It is 0.5 if the rows cannot be told apart, and 1 if all can.
    - Target: a model is trained on synthetic rows and tested on real ones that the generator
      has not seen, beside a model that is trained on real rows [2]_.
    - Closest record: the median distance of synthetic rows to the nearest real row, and the
      fraction of rows that are equal to a real one. Much closer than real rows are to each other
      means that the generator has copied its training rows.

    No single number says that rows are good. Shuffling each column on its own gives perfect
    columns, and copying the real rows gives perfect columns, pairs and models. And rows that are
    not copies may still tell something about a person: this is no proof of privacy.

    Read more in the :ref:`User Guide <fidelity>`.

    Parameters
    ----------
    real : DataFrame or array of shape (n_real, n_columns)
        Rows that the generator was fitted on. Text, booleans and categorical dtypes are
        categories; declare numbers as categories by their dtype.
    synthetic : DataFrame or array of shape (n_synthetic, n_columns)
        Rows that it has generated. The columns of a DataFrame are found by name, those of an array
        are in the order of ``real``.
    test : DataFrame or array of shape (n_test, n_columns) or None, default=None
        Real rows that the generator has not seen. If None, the scores of real rows are those of
        one random half of ``real`` compared with the other half, and the closest record is
        sought among all other real rows.
    target : object or None, default=None
        Name of a column to predict; it needs ``test``. A category, or a number with two values,
        is classified, other numbers are predicted. None leaves this part out.
    random_state : int or RandomState instance, default=0
        Source of randomness: of the rows that are drawn, the folds and the models.

    Returns
    -------
    report : FidelityReport
        The report. Printing it shows a table.

    Raises
    ------
    TypeError, ValueError
        If the tables have different columns, columns of different kinds, cells that cannot be
        compared, or fewer than 10 rows, or if the target cannot be used.

    Notes
    -----
    Pairs and models are computed from at most 5,000 rows of each table, drawn at random, and tell
    apart the 100 most frequent categories of a column; so does the distance to the closest
    record, which is that of at most 1,000 rows to at most 20,000 real rows. Numbers are in units of
    the range from their 5th to their 95th percentile, and categories are equal or different, as in
    the distance of Gower [3]_.

    References
    ----------
    .. [1] W. Bergsma, "A bias-correction for Cramér's V and Tschuprow's T", Journal of the Korean
       Statistical Society 42(3), 2013. :doi:`10.1016/j.jkss.2012.10.002`
    .. [2] C. Esteban, S. L. Hyland and G. Rätsch, "Real-valued (medical) time series generation
       with recurrent conditional GANs", 2017. :arxiv:`1706.02633`
    .. [3] J. C. Gower, "A general coefficient of similarity and some of its properties",
       Biometrics 27(4), 1971. :doi:`10.2307/2528823`

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skae.metrics import fidelity_report
    >>> rng = np.random.default_rng(0)
    >>> length = rng.normal(40, 8, 400)
    >>> parcels = pd.DataFrame({"length": length, "width": 0.7 * length + rng.normal(0, 1, 400)})
    >>> shuffled = parcels.apply(lambda column: rng.permutation(column))
    >>> report = fidelity_report(parcels, shuffled)
    >>> report.columns["distance"].tolist()
    [0.0, 0.0]
    >>> bool(report.pairs.loc["length", "width"] > 0.9)
    True
    >>> bool(report.detection_auroc > 0.7)
    True
    """
    rng = check_random_state(random_state)
    given = {"real": real, "synthetic": synthetic} | ({} if test is None else {"test": test})
    tables, kinds = read_tables(given)
    _check_target(target, tables)
    return _Comparison(tables, kinds, rng).report(target)


class _Comparison:
    """The comparison of synthetic with real rows, and of real rows with others.

    Parameters
    ----------
    tables : dict of DataFrame
        "real", "synthetic" and maybe "test", as ``read_tables`` returns them.
    kinds : Series of str
    rng : RandomState
    """

    def __init__(self, tables, kinds, rng):
        self.kinds = kinds
        self.seed = rng.randint(2**31 - 1)
        self.has_test = "test" in tables
        self.pairs_of_tables = [("real", "synthetic"), ("real", "test")]
        if not self.has_test:
            halves = np.array_split(rng.permutation(len(tables["real"])), 2)
            tables = tables | {
                f"half {i}": tables["real"].iloc[half] for i, half in enumerate(halves)
            }
            self.pairs_of_tables[1] = ("half 0", "half 1")
        self.tables = tables
        self.few = with_few_categories(tables, MAX_CATEGORIES)

    def report(self, target):
        """Return the report."""
        distances = [self._distances(name) for name in self.kinds.index]
        distances = pd.DataFrame(distances, self.kinds.index, SOURCES)
        pairs = self._pair_differences()
        scores = {
            "column_distance": distances.mean(),
            "pair_difference": [_mean_of_pairs(of_pairs) for of_pairs in pairs],
            "detection_auroc": self._detection(),
            "closest_record_distance": self._closest(),
            "copied_fraction": self._copied(),
        }
        if target is not None:
            scores |= self._target_scores(target)
        return FidelityReport(
            pd.DataFrame(scores, index=SOURCES, dtype=float).T,
            self._columns(distances),
            pairs[0],
            self._marginals(),
        )

    def _rng(self):
        """Return the same source of randomness for each score: none depends on another table."""
        return np.random.RandomState(self.seed)

    def _distances(self, name):
        of = {key: table[name] for key, table in self.tables.items()}
        return [column_distance(of[a], of[b]) for a, b in self.pairs_of_tables]

    def _detection(self):
        tables = [(self.few[a], self.few[b]) for a, b in self.pairs_of_tables]
        return [detection_auroc(*pair, MAX_ROWS, self._rng()) for pair in tables]

    def _pair_differences(self):
        """Return the differences of associations, of synthetic rows and of real ones."""
        names = dict.fromkeys(name for pair in self.pairs_of_tables for name in pair)
        of = {name: associations(drawn(self.few[name], MAX_ROWS, self._rng())) for name in names}
        return [(of[a] - of[b]).abs() for a, b in self.pairs_of_tables]

    def _closest(self):
        real = self.few["real"]
        rows = self.few["synthetic"], self.few.get("test")
        return [closest_distance(real, one, self._rng()) for one in rows]

    def _copied(self):
        copied = copied_fraction(self.tables["real"], self.tables["synthetic"])
        if self.has_test:
            return [copied, copied_fraction(self.tables["real"], self.tables["test"])]
        return [copied, repeated_fraction(self.tables["real"])]

    def _target_scores(self, target):
        few = {name: drawn(table, MAX_ROWS, self._rng()) for name, table in self.few.items()}
        task = TargetTask(target, few)
        return {task.name: [task.score(few, name, self.seed) for name in SOURCES]}

    def _columns(self, distances):
        missing = {name: self.tables[name].isna().mean() for name in SOURCES}
        columns = {
            "kind": self.kinds,
            "distance": distances["synthetic"],
            "real_distance": distances["real"],
            "missing": missing["synthetic"],
            "real_missing": missing["real"],
        }
        return pd.DataFrame(columns, index=self.kinds.index)

    def _marginals(self):
        real, synthetic = self.tables["real"], self.tables["synthetic"]
        return {
            name: marginal_fractions(real[name], synthetic[name], kind)
            for name, kind in self.kinds.items()
        }


def _check_target(target, tables):
    columns = list(tables["real"].columns)
    if target is None:
        return
    if target not in columns:
        raise ValueError(f"target={target!r} is no column; the columns are {columns[:20]}.")
    if len(columns) == 1:
        raise ValueError(f"target={target!r} is the only column: there is nothing to predict from.")
    if "test" not in tables:
        raise ValueError(
            f"target={target!r} needs test: real rows that the generator has not seen. Hold some "
            "out before you fit it."
        )


def _mean_of_pairs(of_pairs):
    """Return the mean over all pairs of different columns, 0 if there is but one column."""
    above = of_pairs.to_numpy()[np.triu_indices(len(of_pairs), 1)]
    return above.mean() if above.size else 0.0

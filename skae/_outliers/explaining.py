"""Methods of the detector that explain its outliers."""

from functools import cached_property
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from skae._data.frames import is_frame, narwhals_frame, plain_samples, samples_of
from skae._data.given import as_data
from skae._data.rows import take_rows
from skae._outliers.cells import as_frame, as_objects, dense_table
from skae._outliers.explanation import Background, CounterfactualSearch
from skae._outliers.heat_maps import HeatMaps, reads_images
from skae._outliers.scorer import TabularOutlierScorer
from skae._outliers.thresholds import p_values


class ExplainMixin:
    """Mixin of a detector: the cells that make rows anomalous, and what would be normal there.

    The detector has ``score_samples``, ``_aligned``, ``offset_``, ``calibration_scores_`` and
    ``background_``.
    """

    def explain(self, X, return_expected=False):
        """Find the cells that make rows anomalous, or the pixels that make images anomalous.

        The cells of a row are replaced by their expected values one by one, each time the cell
        that raises the score most. If no cell raises the score, or after ten cells, and the row is
        still an outlier, several cells are replaced at once. Then each of the other cells is tried
        once. To save time, all cells are tried before the first is replaced; later, only the 50
        that raised the score most. The contribution of a cell is how much it raised the score, or
        0 if it was not replaced. Cells that were replaced at once share their contribution by how
        much each of them is needed. If the default scorer finds the difference of two columns
        unusual, such as that of two dates, either cell may be wrong, and both share their
        contributions. The contributions of a row add up to the rise of its
        score by all replacements together.

        Of images, the errors of an autoencoder, or the ``score_pixels`` of another estimator, are
        compared with those of ``background_``, normal images. A heat map has the logarithm of how
        rare such a pixel is in them, and 0 where it is usual: 3 is one pixel in 20, 7 one in 1,000.
        Errors of neighboring pixels are averaged, and the mean of each place is subtracted, as
        edges have larger errors in normal images, too. If the estimator overfits, the errors of
        its training images are too small, and maps too hot: give a `FrozenEstimator` other images.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Rows of a table; or images, as the estimator takes them.
        return_expected : bool, default=False
            Whether to return the expected values, too. Only for tables.

        Returns
        -------
        contributions : DataFrame of shape (n_samples, n_features)
            With the index and the columns of X, or columns x0, x1, ... if X has no names. Of
            the library of X: pandas, polars or pyarrow. For images, an ndarray of shape (n_samples,
            height, width): the higher, the more unusual.
        expected : DataFrame of shape (n_samples, n_features)
            Values of the normal training rows that are most similar to the row in its other
            columns. Only if ``return_expected``.

        Raises
        ------
        TypeError
            If X is images, and the estimator says nothing of their pixels.
        ValueError
            If X is neither a table nor images, or if the estimator rejects it.
        """
        if self._reads_images(X):
            if return_expected:
                raise ValueError(
                    "return_expected is for tables. For images, reconstruct of an autoencoder "
                    "gives what it expects."
                )
            return self._heat_maps.of(as_data(X))
        X, search = self._search(X)
        search.run()
        contributions = as_frame(self._shared(X, search.gains), X)
        return (contributions, as_frame(search.expected(), X)) if return_expected else contributions

    def nearest_normal(self, X):
        """Make rows normal by changing few cells.

        Cells are replaced as in ``explain`` until the row is not an outlier any more. Then each
        replacement that the row does not need is undone. If a row does not become normal this
        way, cells are taken from the normal training row that is most similar to it. The result
        is not always the smallest possible change.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Rows of a table.

        Returns
        -------
        X_normal : DataFrame or ndarray of shape (n_samples, n_features)
            Rows that ``predict`` finds normal. Rows of X that are normal do not change.

        Raises
        ------
        ValueError
            If X is not a table, or if the estimator rejects it.
        """
        self._refuse_images(X, "nearest_normal changes cells")
        X, search = self._search(X)
        search.run(until_normal=True)
        search.use_nearest_rows()
        search.undo_needless()
        X_normal = search.result()
        return as_frame(X_normal, X) if is_frame(X) else X_normal

    def report(self, X, n_rows=10, n_columns=3):
        """List the most anomalous rows, and the cells that make them anomalous.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Rows of a table.
        n_rows : int, default=10
            Number of rows to list: those with the lowest scores.
        n_columns : int, default=3
            Number of columns to list for each row: those with the largest contributions.

        Returns
        -------
        report : DataFrame of shape (n_rows * n_columns, 8)
            One line for each cell, the most anomalous rows first. The columns are row (label in
            the index of X, or position), score, p_value, is_outlier, column, value, expected
            and contribution.

        Raises
        ------
        ValueError
            If X is not a table, if the estimator rejects it, or if a number is below 1.
        """
        for name, value in {"n_rows": n_rows, "n_columns": n_columns}.items():
            if not isinstance(value, Integral) or value < 1:
                raise ValueError(f"{name} must be an integer of at least 1; got {value!r}")
        self._refuse_images(X, "report lists cells")
        X = dense_table(self._aligned(X))
        scores = self.score_samples(X)
        most_anomalous = np.argsort(scores, kind="stable")[:n_rows]
        outliers = take_rows(X, most_anomalous)
        contributions, expected = self.explain(outliers, return_expected=True)
        contributions = as_objects(contributions).astype(np.float64)
        largest = np.argsort(-contributions, axis=1, kind="stable")[:, :n_columns]
        of_row, of_cell = (
            np.repeat(np.arange(len(most_anomalous)), largest.shape[1]),
            largest.ravel(),
        )
        labels = X.index[most_anomalous] if isinstance(X, pd.DataFrame) else most_anomalous
        report = {
            "row": labels[of_row],
            "score": scores[most_anomalous][of_row],
            "p_value": p_values(scores[most_anomalous], self.calibration_scores_)[of_row],
            "is_outlier": (scores[most_anomalous] < self.offset_)[of_row],
            "column": np.fromiter(narwhals_frame(expected).columns, object)[of_cell],
            "value": as_objects(outliers)[of_row, of_cell],
            "expected": as_objects(expected)[of_row, of_cell],
            "contribution": contributions[of_row, of_cell],
        }
        return pd.DataFrame(report).infer_objects()

    def _reads_images(self, X):
        check_is_fitted(self)
        return reads_images(self.estimator_, X)

    def _refuse_images(self, X, what):
        if self._reads_images(X):
            raise ValueError(
                f"{what} of tables, and X holds images. explain(X) gives heat maps of their "
                "pixels, score_samples(X) and p_value(X) say how unusual they are."
            )

    def _search(self, X):
        """Return X as a table, and the search for explanations of its rows."""
        X, normal = dense_table(self._aligned(X)), self._background.table
        if type(X) is not type(normal):
            raise ValueError(
                f"X is a {_type_name(X)}, but the training rows were a {_type_name(normal)}. "
                "Give explain and nearest_normal rows in the same format."
            )
        return X, CounterfactualSearch(self.score_samples, X, self._background, self.offset_)

    def _shared(self, X, gains):
        """Return gains, shared among columns whose differences are unusual."""
        if not isinstance(self.estimator_, TabularOutlierScorer):
            return gains
        counts = self.estimator_._unusual_differences(X)
        n_counted = counts.sum(1, keepdims=True)
        total = (gains * (counts > 0)).sum(1, keepdims=True)
        return np.where(counts > 0, total * (counts / np.maximum(n_counted, 1)), gains)

    def __getstate__(self):
        """Return the state for pickle, which loads by any format of files."""
        state = dict(super().__getstate__())
        for made_again in ("_background", "_heat_maps"):
            state.pop(made_again, None)
        if "background_" in state:
            state["background_"] = plain_samples(state["background_"])
        return state

    def __setstate__(self, state):
        if "background_" in state:
            state = state | {"background_": samples_of(state["background_"])}
        super().__setstate__(state)

    @cached_property
    def _heat_maps(self):
        """What heat maps know of ``background_``."""
        return HeatMaps(self.estimator_, self.background_)

    @cached_property
    def _background(self):
        """What explanations know of ``background_``; only they need it to be a table."""
        return Background(dense_table(self.background_))


def _type_name(table):
    return f"{type(table).__module__.partition('.')[0]} {type(table).__name__}"

"""Missing cells of tables, filled by an autoencoder, once or by several draws."""

from dataclasses import field, replace
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skae._data.frames import FrameFormat, completed, in_library, selected, with_flags
from skae._data.given import as_data
from skae._data.tables import TableReader
from skae._estimators.ensemble import EnsembleAutoencoder
from skae._estimators.fitted import FittedAutoencoder
from skae._estimators.reading import learn
from skae._estimators.tabular import TabularAutoencoder
from skae._estimators.variational import VariationalAutoencoder
from skae._params import (
    FittedAttributes,
    ParameterMixin,
    fit_context,
    integer,
    parameter_class,
    refuse_class,
    unchanged_on_error,
)
from skae._sklearn import num_samples, output_library
from skae._training.tasks import Subtask, meta_task, task_facts
from skae.architectures import Tabular
from skae.exceptions import UnusedParameterWarning, warn

#: Rows that the default estimator sees in training, counted each time, and epochs for small tables.
N_SEEN, EPOCHS = 250_000, (200, 400)


def _can_draw(imputer):
    """Say whether the estimator is one that imputations can be drawn from."""
    given = imputer.estimator
    members = given._given() if isinstance(given, EnsembleAutoencoder) else [given]
    return given is None or all(
        isinstance(one, VariationalAutoencoder) and one._draws_cells for one in members
    )


@parameter_class
class TabularImputer(
    OneToOneFeatureMixin, TransformerMixin, FittedAttributes, CallbackSupportMixin, ParameterMixin
):
    """Fills the missing cells of tables: numbers, categories and dates.

    An autoencoder learns from rows with missing cells how the columns depend on each other.
    ``transform`` fills each missing number with its expected value, given the other cells of the
    row, and each missing category with the most probable one. Known cells stay as they are.
    DataFrames of pandas, polars and pyarrow and arrays come back as what they are.

    One filled cell says nothing about how uncertain it is. ``transform`` also returns standard
    deviations, ``category_probabilities`` the probabilities of categories, and
    ``draw_imputations`` several completed tables, for multiple imputation [1]_.

    Read more in the :ref:`User Guide <completing>`.

    Parameters
    ----------
    estimator : autoencoder or None, default=None
        An autoencoder for tables. None is ``VariationalAutoencoder(architecture="tabular")`` that
        learns from all rows, and longer where there are few. Draws and probabilities need a
        `VariationalAutoencoder`, or an `EnsembleAutoencoder` of such: its members draw in turn,
        so that draws also differ by what the training leaves open.
    n_draws : int, default=20
        Number of draws for each missing cell, for standard deviations and probabilities.
    add_indicator : bool, default=False
        Whether ``transform`` appends a column of zeros and ones for each column that had missing
        cells in the training rows. It says where cells were missing.
    keep_empty_features : bool, default=False
        Whether to keep columns that were wholly missing in the training rows. Their missing cells
        become 0, as nothing is known of them. If not, ``transform`` leaves these columns out.
    categorical_features : "from_dtype", None or array-like of bool, int or str, \
            default="from_dtype"
        Categorical columns, as for `TabularAutoencoder`. If ``estimator`` is given, set it there.
    random_state : int, RandomState instance or None, default=None
        Seed of the training and of the draws, if the estimator has no ``random_state`` of its own.
        An int gives the same values at every fit.
    verbose : int, default=0
        1 shows a progress bar over the training, and 0 shows nothing.

    Attributes
    ----------
    estimator_ : autoencoder
        The fitted autoencoder.
    categories_ : dict
        The categories of each categorical column, by the name of the column, or by its position
        if the training rows were an array.
    incomplete_features_ : ndarray of int
        Positions of the columns that had missing cells in the training rows.
    n_features_in_ : int
        Number of columns of the training rows.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if the training rows were a DataFrame.

    See Also
    --------
    pool_estimates : Joins the results of several completed tables by Rubin's rules.
    VariationalAutoencoder : Draws new rows, too.
    sklearn.impute.IterativeImputer : Fills numbers by regressions on the other columns.
    sklearn.impute.KNNImputer : Fills numbers from similar rows.

    Notes
    -----
    The values are right on average if cells are missing at random: whether a cell is missing may
    depend on the known cells of the row, but not on the missing value itself.

    A row whose cells are all missing gets what is most usual in the table. A category that is new
    is no missing cell. It stays as it is, and says nothing of the other cells of its row.

    References
    ----------
    .. [1] D. B. Rubin, "Multiple imputation for nonresponse in surveys", Wiley, 1987.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skae import TabularImputer, VariationalAutoencoder
    >>> rng = np.random.default_rng(0)
    >>> age = rng.integers(20, 60, size=500)
    >>> X = pd.DataFrame({
    ...     "age": age,
    ...     "income": age * 1000.0 + rng.normal(scale=500, size=500),
    ...     "group": np.where(age < 40, "junior", "senior"),
    ... })
    >>> X.loc[:99, "group"] = None
    >>> X.loc[100:199, "income"] = np.nan
    >>> model = VariationalAutoencoder(architecture="tabular", max_epochs=30)
    >>> imputer = TabularImputer(model, random_state=0).fit(X)
    >>> int(imputer.transform(X).isna().sum().sum())
    0
    >>> len(imputer.draw_imputations(X, n_imputations=5))
    5
    """

    estimator: Any = field(default=None, kw_only=False)
    n_draws: int = 20
    add_indicator: bool = False
    keep_empty_features: bool = False
    categorical_features: Any = "from_dtype"
    random_state: Any = None
    verbose: int = 0

    _parameter_constraints = {
        "n_draws": [integer(2)],
        "add_indicator": ["boolean"],
        "keep_empty_features": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @classmethod
    def _parts(cls):
        return {"estimator": [VariationalAutoencoder, TabularAutoencoder, EnsembleAutoencoder]}

    # Fitting.

    @fit_context(prefer_skip_nested_validation=False)  # the estimator checks its own parameters
    def fit(self, X, y=None):
        """Fit the autoencoder.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Training rows, with NaN, None or NA where a cell is missing.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted imputer.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the data is invalid. An imputer that was fitted before does not
            change.
        """
        del y
        with unchanged_on_error(self), meta_task(task_facts(self, X), 1) as task:
            self._fit(X, task)
        return self

    def _fit(self, X, task):
        rng, estimator = check_random_state(self.random_state), self._original()
        dataset, seed = learn(self, X), _seed(rng)
        if self.estimator is None:
            estimator.set_params(max_epochs=_max_epochs(len(dataset)))
        if estimator.random_state is None:
            estimator.set_params(random_state=seed)
        if self.verbose:
            estimator.set_params(verbose=self.verbose)
        within = Subtask(self, task.subcontext(task_name="fit-autoencoder"))
        with within.fit_of(estimator, dataset):
            self.estimator_ = estimator.fit(dataset)
        columns = dataset.format.columns.columns
        self.incomplete_features_ = np.flatnonzero(np.isnan(dataset.X).any(0))
        self._is_empty = np.array([column.is_empty for column in columns])
        self._seed = seed

    def _original(self):
        """Return a copy of the autoencoder, not fitted."""
        if self.estimator is None:
            architecture = Tabular(**self._how_to_read())
            return VariationalAutoencoder(architecture=architecture, early_stopping=False)
        refuse_class("estimator", self.estimator)
        if not _is_of_tables(self.estimator):
            raise ValueError(
                "estimator must be an autoencoder for tables, such as TabularAutoencoder() or "
                f"VariationalAutoencoder(architecture='tabular'); got {self.estimator!r}"
            )
        if self._how_to_read():
            warn(
                f"categorical_features={self.categorical_features!r} has no effect, as estimator "
                "is given: set it there.",
                UnusedParameterWarning,
            )
        return clone(self.estimator)

    def _how_to_read(self):
        given = self.categorical_features
        is_default = isinstance(given, str) and given == "from_dtype"
        return {} if is_default else {"categorical_features": given}

    def _make_reader(self):
        return self._original()._make_reader()

    @property
    def categories_(self):
        """The categories of each categorical column, by the name or the position of the column."""
        columns = self._reader.format.columns.columns
        return {one.name: one.values.to_numpy() for one in columns if one.is_category}

    # Filling.

    def transform(self, X, return_std=False):
        """Fill the missing cells of X, each with its expected value or most probable category.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows, with NaN, None or NA where a cell is missing.
        return_std : bool, default=False
            Whether to return the standard deviations of the missing numbers, too. They are those
            of ``n_draws`` draws.

        Returns
        -------
        X_imputed : DataFrame or ndarray of shape (n_samples, n_features_out)
            The rows, in the type of X. Known cells are unchanged, and so are new categories.
        X_std : DataFrame or ndarray of shape (n_samples, n_features_kept)
            Standard deviations: 0 for known numbers, NaN for categories, and in seconds for dates
            and times. Only if ``return_std``. It has no columns for the indicators.

        Raises
        ------
        ValueError
            If ``return_std`` is True, and the estimator cannot draw.
        """
        check_is_fitted(self)
        if return_std and not _can_draw(self):
            raise ValueError(
                "return_std=True needs an estimator that draws, a VariationalAutoencoder; got "
                f"{self.estimator!r}"
            )
        X = as_data(X)
        dataset = self._reader.read(X, estimator=self)
        imputed = self._finished(self.estimator_.impute(X))
        if self.add_indicator:
            is_missing = np.isnan(dataset.X)[:, self.incomplete_features_]
            imputed = with_flags(imputed, is_missing, self._indicator_names(self._names))
        imputed = in_library(imputed, output_library(self))  # which set_output has chosen
        return (imputed, self._std(X, dataset)) if return_std else imputed

    def _finished(self, imputed):
        """Return a completed table with the columns that are kept, also those of no values."""
        if self._is_empty.any() and self.keep_empty_features:
            zeros = np.zeros((num_samples(imputed), len(self._is_empty)))
            format_ = FrameFormat.of(imputed)
            imputed = completed(imputed, zeros if format_ is None else format_.make(zeros))
        return selected(imputed, self._kept)

    @property
    def _kept(self):
        """Positions of the columns that are kept."""
        return np.flatnonzero(self.keep_empty_features | ~self._is_empty)

    @property
    def _names(self):
        """Names of the columns, their positions where they have none."""
        return [column.name for column in self._reader.format.columns.columns]

    def _indicator_names(self, names):
        return [f"missingindicator_{names[i]}" for i in self.incomplete_features_]

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns that ``transform`` makes.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns of X. None takes those of the training rows or, if these were an
            array, "x0", "x1" and so on.

        Returns
        -------
        names : ndarray of str
            Those of the columns that are kept, then those of the indicators.
        """
        names = super().get_feature_names_out(input_features)
        indicators = self._indicator_names(names) if self.add_indicator else []
        return np.array([*names[self._kept], *indicators], dtype=object)

    def _std(self, X, dataset):
        """Return the standard deviations of draws, a table of the type of X."""
        numbers = [self._codes(table) for table in self._draws(X, self.n_draws, None)]
        std = np.where(np.isnan(dataset.X), np.std(numbers, axis=0, ddof=1), 0.0)
        std[:, dataset.format.columns.is_category] = np.nan
        return selected(dataset.format.in_frame(std), self._kept)

    def _draws(self, X, n_draws, random_state):
        """Return completed tables with all columns."""
        rng = check_random_state(self._seed if random_state is None else random_state)
        model, tables = self.estimator_, []
        members = model.estimators_ if isinstance(model, EnsembleAutoencoder) else [model]
        for i in range(n_draws):
            tables += members[i % len(members)].draw_imputations(X, 1, random_state=rng)
        return tables

    @available_if(_can_draw)
    def draw_imputations(self, X, n_imputations=5, random_state=None):
        """Draw several completed tables, for multiple imputation.

        The known cells are the same in all of them. The missing ones differ as much as the known
        cells of their row leave open. Compute what you want to know from each table, and join the
        results by `pool_estimates`.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows, with NaN, None or NA where a cell is missing.
        n_imputations : int, default=5
            Number of tables.
        random_state : int, RandomState instance or None, default=None
            Source of randomness. None gives the same tables at every call.

        Returns
        -------
        tables : list of DataFrame or ndarray of shape (n_samples, n_features_kept)
            The tables, in the type of X, without indicators.
        """
        check_is_fitted(self)
        n_imputations = int(check_scalar(n_imputations, "n_imputations", Integral, min_val=1))
        X = as_data(X)
        self._reader.read(X, estimator=self)  # so that errors speak of the imputer
        return [self._finished(table) for table in self._draws(X, n_imputations, random_state)]

    @available_if(_can_draw)
    def category_probabilities(self, X):
        """Return how probable each category is for each cell of categorical columns.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows, with NaN, None or NA where a cell is missing.

        Returns
        -------
        probabilities : dict of DataFrame or ndarray of shape (n_samples, n_categories)
            By column, as in ``categories_``: for a missing cell, in what fraction of ``n_draws``
            draws it has each category. For a known cell, 1 for its category; all are 0 if it
            was not there in the training rows.
        """
        check_is_fitted(self)
        X = as_data(X)
        dataset = self._reader.read(X, estimator=self)
        draws = np.array([self._codes(table) for table in self._draws(X, self.n_draws, None)])
        columns, frame, found = dataset.format.columns.columns, dataset.format.frame, {}
        for i in np.flatnonzero(dataset.format.columns.is_category):
            name, values = columns[i].name, columns[i].values
            found[name] = (draws[:, :, i, None] == np.arange(len(values))).mean(0)
            if frame is not None:
                found[name] = replace(frame, columns=frame.labels(values)).make(found[name])
        return found

    def _codes(self, table):
        """Return a table as numbers, categories by their position in ``categories_``."""
        return self._reader.format.columns.codes(table)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _is_of_tables(estimator):
    """Say whether an object is an autoencoder that reads tables with missing cells."""
    return isinstance(estimator, FittedAutoencoder) and estimator._reader_class is TableReader


def _max_epochs(n_samples):
    """Return how long to train the default estimator: small tables take more epochs."""
    fewest, most = EPOCHS
    n_epochs = N_SEEN // n_samples
    return "auto" if n_epochs < fewest else min(n_epochs, most)


def _seed(rng):
    return int(rng.randint(np.iinfo(np.int32).max))

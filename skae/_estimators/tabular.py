"""The autoencoder for tables."""

from collections.abc import Callable
from dataclasses import replace

from skae._estimators.base import BaseAutoencoder
from skae._estimators.denoising import Denoising
from skae._estimators.parameters import FlatArchitecture, estimator
from skae._estimators.plain_code import PlainCode
from skae._params import StrOptions, real
from skae.architectures import Tabular
from skae.architectures._tabular import TabularParameters
from skae.corruptions import CORRUPTIONS
from skae.losses._mixed import LOSSES


@estimator
class TabularAutoencoder(
    FlatArchitecture, Denoising, TabularParameters, PlainCode, BaseAutoencoder
):
    """Autoencoder for tables as they are: numbers, categories, dates and missing cells.

    X can be a DataFrame of pandas, polars or pyarrow, or an array. Numbers need no scaling: they
    are scaled inside by median and interquartile range, and their tails are compressed. Text,
    booleans and columns of dtype "category" are categories; dates and times are numbers, the time
    since 1970. Cells can be missing: the net gets a mask of them, and they do not count in the
    loss. ``reconstruct`` and ``inverse_transform`` return tables with the columns and dtypes of
    the training rows, and ``impute`` fills missing cells.

    By default a fraction of the cells is hidden from the net in training, so that it learns to
    predict them from the others, as in `DenoisingAutoencoder`. The loss has a term for each
    column: ``loss`` for numbers, the cross-entropy for categories. Each is divided by the loss
    of the best constant prediction. A category that is new costs as much as one that was seen
    less than once in training.

    Other autoencoders take the architecture, as in
    ``VariationalAutoencoder(architecture="tabular")``.

    Parameters
    ----------
    n_components : int, float or "auto", default="auto"
        Length of the code. "auto" is the square root of the number of elements of a row: one
        for each number, and one for each category of a column.
        <variance_fraction>
    corruption : {"gaussian", "masking", "salt_and_pepper", "swap"}, callable or None, \
            default="masking"
        What damages the rows in training. "masking" makes cells missing, "swap" gives
        them the value of another row; "gaussian" adds normal noise to numbers, and
        "salt_and_pepper" sets some to the smallest or the largest value. A callable is as for
        `DenoisingAutoencoder`, and gets a batch as the net does. None damages nothing.
    noise_level : float or tuple (low, high), default=0.3
        Fraction of cells that are drawn, in [0, 1], or the standard deviation of Gaussian
        noise, in standard deviations of the columns. From a range, a level is drawn for every
        batch. 0 damages nothing.
    damaged_only : bool, default=False
        Whether only cells that were damaged count in the loss. It has no effect for Gaussian
        noise, which damages all cells.
    loss : {"squared_error", "absolute_error", "huber"}, default="squared_error"
        Loss of numbers, after scaling.
    <table>
    <whiten>
    <no_linear_fraction>
    <neighbors>
    <target>
    <training>

    Attributes
    ----------
    <classes>
    <fitted>
    <fitted_code>

    See Also
    --------
    skae.architectures.Tabular : The same parameters as an object, for all autoencoders.
    sklearn.impute.KNNImputer : Fills missing numbers.

    References
    ----------
    <schedules>
    <supervised>

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skae import TabularAutoencoder
    >>> rng = np.random.default_rng(0)
    >>> age = rng.integers(20, 60, size=500)
    >>> X = pd.DataFrame({
    ...     "age": age,
    ...     "income": age * 1000.0 + rng.normal(scale=500, size=500),
    ...     "group": np.where(age < 40, "junior", "senior"),
    ... })
    >>> X.loc[0, "group"] = None
    >>> X.loc[1, "income"] = np.nan
    >>> model = TabularAutoencoder(2, max_epochs=30, random_state=0).fit(X)
    >>> model.transform(X).shape
    (500, 2)
    >>> int(model.impute(X).isna().sum().sum())
    0
    >>> model.reconstruct(X).dtypes.equals(X.dtypes)
    True
    """

    corruption: str | Callable | None = "masking"
    noise_level: float | tuple[float, float] = 0.3
    damaged_only: bool = False
    loss: str = "squared_error"
    hidden_layer_sizes: tuple | int = (128, 64)  # not by position, as it is in Tabular

    _parameter_constraints = {
        "corruption": [StrOptions(set(CORRUPTIONS)), callable, None],
        "noise_level": [real(0), tuple, list],
        "damaged_only": ["boolean"],
        "loss": [StrOptions({"squared_error", "absolute_error", "huber"})],
    }
    _net_parameters = ("n_components", "loss")
    _architecture = Tabular

    def _make_reader(self):
        return replace(super()._make_reader(), are_means=True)

    def _make_loss(self):
        return LOSSES[self.loss]()

    def _make_corruption(self, dataset):
        if self.corruption is not None:
            return super()._make_corruption(dataset)
        if self.damaged_only:
            raise ValueError("damaged_only=True needs a corruption: without one nothing counts")
        return None

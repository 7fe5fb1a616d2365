"""Autoencoder that learns to restore damaged rows."""

from collections.abc import Callable
from functools import partial
from math import isfinite
from numbers import Real

import numpy as np

from skae._estimators.autoencoder import Autoencoder
from skae._estimators.parameters import estimator
from skae._params import StrOptions, real
from skae._runtime import computing, seeded
from skae.corruptions import CORRUPTIONS, Corruption, TabularCorruption


class Denoising:
    """Mixin of ``corruption``, ``noise_level`` and ``damaged_only``: damages rows in training."""

    #: The range that all values stay in, or None.
    _data_range = None

    def _make_corruption(self, dataset):
        is_fraction = isinstance(self.corruption, str) and self.corruption != "gaussian"
        low, high = 0.0, 1.0
        if self._data_range is not None:
            low, high = _ordered_pair("data_range", self._data_range)
        elif self.corruption == "salt_and_pepper":
            low, high = dataset.column_range()
        make = Corruption
        if dataset.column_layout is not None:
            make = partial(TabularCorruption, dataset.column_layout)
        return make(
            corruption=self.corruption,
            noise_level=self._checked_noise_level(1.0 if is_fraction else float("inf")),
            low=low,
            high=high,
            clip=self._data_range is not None,
            damaged_only=self.damaged_only,
            has_missing=dataset.has_missing,
        )

    def _check_ranges(self, dataset):
        super()._check_ranges(dataset)
        self._check_units(dataset.scale)
        if self._data_range is not None:
            _check_data_range(dataset, self._data_range)

    def _check_units(self, scale):
        """Reject parameters in units of unsigned integers, which are read as 0 to 1."""
        given = {"noise_level": self.noise_level, "data_range": self._data_range}
        for name, value in given.items():
            if scale > 1 and value is not None and np.max(value) > 1:
                raise ValueError(
                    f"{name}={value!r} must be on the scale from 0 to 1, as which unsigned "
                    f"integers are read: divide it by {scale}"
                )

    def _checked_noise_level(self, upper):
        level = self.noise_level
        levels = (level, level)
        if not isinstance(level, Real):
            level = levels = _ordered_pair("noise_level", level)
        if levels[0] < 0 or levels[1] > upper:
            unit = "a fraction of the cells" if upper == 1 else "a standard deviation"
            raise ValueError(
                f"noise_level must be within [0, {upper:g}] for corruption={self.corruption!r}, "
                f"which takes it for {unit}; "
                f"got {self.noise_level!r}"
            )
        if levels[1] == 0 and self.damaged_only:
            raise ValueError(
                "noise_level=0 damages no cells, and with damaged_only=True no others count"
            )
        return level

    def _as_in_training(self, dataset):
        x, _ = dataset.get_batch(slice(None), dataset.dtype)
        with computing, seeded(0, self.device_):
            damaged, weight = self.net_.module_.corruption(x.to(self.device_))
        weight = 1.0 if weight is None else weight.cpu().numpy()
        return dataset.with_values(damaged.cpu().numpy()), weight


@estimator
class DenoisingAutoencoder(Denoising, Autoencoder):
    """Autoencoder that restores damaged rows.

    In training, each row is damaged, differently in every epoch. The loss compares the output
    of the net with the undamaged row [2]_. ``transform`` and ``reconstruct`` damage nothing, so
    ``reconstruct`` removes the noise of noisy rows.

    Read more in the :ref:`User Guide <denoising>`.

    Parameters
    ----------
    n_components : int, float or "auto", default="auto"
        Length of the code. "auto" is the square root of the number of features.
        <variance_fraction>
    corruption : {"gaussian", "masking", "salt_and_pepper", "swap"} or callable, \
            default="gaussian"
        What damages the rows. "gaussian" adds normal noise to all cells. The others draw
        cells: "masking" sets them to 0, "salt_and_pepper" to the smallest or the largest
        value, "swap" to the value of another row in the same column. A callable takes a
        batch, a tensor of shape (n_samples, n_features), and the noise level, and
        returns a tensor of that shape, or this tensor and a boolean mask of the damaged
        cells. Without a mask, cells that differ are damaged. In sequences, NaN stays NaN. In
        tables with ``architecture="tabular"``, masked cells are missing, and noise, salt and
        pepper change only numbers.
    noise_level : float or tuple (low, high), default=0.2
        For "gaussian", the standard deviation of the noise, in the units of X; for tables, in
        standard deviations of each column. For the others, the fraction of cells that are
        drawn, in [0, 1]. From a range, a level is drawn for every batch.
    data_range : tuple (low, high) or None, default=None
        Range that values can have, such as (0, 1) for pixels: damaged values are clipped
        to it, and salt and pepper are its ends. None clips nothing, and salt and pepper
        are the smallest and the largest value of each column. For images of unsigned
        integers this and Gaussian noise are on the scale from 0 to 1.
    damaged_only : bool, default=False
        Whether only cells that were damaged count in the loss, as in masked modeling
        [3]_. It has no effect for Gaussian noise, which damages all cells.
    <loss>
    <output_activation>
    <architecture>
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
    Autoencoder : The same without corruption.
    skae.corruptions : The corruptions as functions.

    References
    ----------
    <schedules>
    .. [2] P. Vincent et al., "Extracting and composing robust features with denoising
       autoencoders", ICML 2008. :doi:`10.1145/1390156.1390294`
    .. [3] K. He et al., "Masked autoencoders are scalable vision learners", CVPR 2022.
       :arxiv:`2111.06377`
    <supervised>

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skae import DenoisingAutoencoder
    >>> X = load_digits().data / 16
    >>> noisy = X + np.random.default_rng(0).normal(scale=0.4, size=X.shape)
    >>> model = DenoisingAutoencoder(16, noise_level=0.4, random_state=0).fit(X)
    >>> error = ((model.reconstruct(noisy) - X) ** 2).mean()
    >>> bool(error < 0.3 * ((noisy - X) ** 2).mean())
    True
    """

    corruption: str | Callable = "gaussian"
    noise_level: float | tuple[float, float] = 0.2
    data_range: tuple[float, float] | None = None
    damaged_only: bool = False
    linear_fraction: float = 0.0

    _parameter_constraints = {
        "corruption": [StrOptions(set(CORRUPTIONS)), callable],
        "noise_level": [real(0), tuple, list],
        "data_range": [tuple, list, None],
        "damaged_only": ["boolean"],
    }

    @property
    def _data_range(self):
        return self.data_range


def _ordered_pair(name, value):
    """Return a range as a tuple; raise an error if it is invalid."""
    is_pair = len(value) == 2 and all(isinstance(end, Real) and isfinite(end) for end in value)
    if not is_pair or not value[0] <= value[1]:
        raise ValueError(
            f"A range as {name} must be (low, high), two finite numbers; got {value!r}"
        )
    return float(value[0]), float(value[1])


def _check_data_range(dataset, data_range):
    """Raise an error if values are out of ``data_range``."""
    ends = dataset.range()
    if ends is None:
        raise ValueError(
            f"data_range={data_range!r} is for data of one unit, and each column of a table has "
            "its own: leave it None"
        )
    low, high = _ordered_pair("data_range", data_range)
    least, largest = ends
    if least < low or largest > high:
        raise ValueError(
            f"data_range=({low:g}, {high:g}) must hold all values of X, which go from {least:g} "
            f"to {largest:g}. Widen it, or scale X, for instance with MinMaxScaler(clip=True)."
        )

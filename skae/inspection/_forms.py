"""Samples as displays draw them: as images, as series, or as rows of a table."""

from dataclasses import dataclass
from math import prod
from numbers import Integral
from typing import ClassVar

import narwhals as nw
import numpy as np
import pandas as pd
from scipy import sparse

from skae._data.frames import column_names, is_frame, narwhals_frame
from skae._data.given import as_data
from skae._data.image_format import ImageFormat
from skae._data.sequences import SequenceFormat
from skae._data.tables import TableFormat

#: Numbers of channels that are drawn as colors; others are averaged.
COLOR_CHANNELS = 3, 4


@dataclass
class Images:
    """Images of one shape.

    Parameters
    ----------
    shape : tuple of int
        Of an image, which may be given flat.
    channel_axis : int or None, default=None
        Where in it the channels are.
    """

    shape: tuple
    channel_axis: int | None = None

    name: ClassVar[str] = "images"

    def read(self, X):
        """Return images as an array of shape (n, height, width) or, in color, (n, ..., 3 or 4)."""
        X = finite(dense_array(X))
        if prod(X.shape[1:]) != prod(self.shape):
            raise ValueError(
                f"image_shape={self.shape} asks for {prod(self.shape)} values of each sample, but "
                f"they have {prod(X.shape[1:])}."
            )
        X = X.reshape(len(X), *self.shape)
        if self.channel_axis is None:
            return X
        X = np.moveaxis(X, self.channel_axis + 1, -1)
        return X if X.shape[-1] in COLOR_CHANNELS else X.mean(axis=-1)


def black_and_white(images):
    """Return the values of images, of shape (n, height, width) or with colors, at the ends."""
    if images.dtype.kind == "u":
        return 0.0, float(np.iinfo(images.dtype).max)
    known = images[~np.isnan(images)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if images.ndim == 4 and low >= 0 and high <= 1:
        return 0.0, 1.0
    return low, high if high > low else low + 1


@dataclass
class Series:
    """Series or signals, of equal lengths or not.

    Parameters
    ----------
    channels_first : bool, default=False
        Whether a series is of shape (n_features, time), not (time, n_features).
    names : list of str or None, default=None
        Names of the features.
    """

    channels_first: bool = False
    names: list | None = None

    name: ClassVar[str] = "series"

    def read(self, X):
        """Return a list of arrays of shape (time, n_features), without padding."""
        X = as_data(X)
        X = list(X) if isinstance(X, (list, tuple)) else dense_array(X)
        return [self._read_one(sample) for sample in X]

    def _read_one(self, sample):
        steps = finite(np.asarray(sample, dtype=float))
        steps = steps[:, None] if steps.ndim == 1 else steps.T if self.channels_first else steps
        is_known = np.flatnonzero(~np.isnan(steps).all(axis=1))
        return steps[: is_known[-1] + 1 if len(is_known) else 0]


@dataclass
class Rows:
    """Rows of a table: numbers, dates and categories.

    Parameters
    ----------
    is_category : array-like of bool or None, default=None
        Which columns hold categories. None are those that are no numbers or dates.
    """

    is_category: np.ndarray | None = None

    name: ClassVar[str] = "rows"

    def read(self, X):
        """Return a DataFrame of float64, datetime64 and object columns, the last as texts."""
        X = as_data(X)
        if (frame := narwhals_frame(X)) is not None:
            columns = [_column(frame[:, i]) for i in range(frame.shape[1])]
        else:
            array = dense_array(X)
            if array.ndim != 2:
                raise ValueError(
                    f"X is of shape {array.shape}: rows of a table have the shape (n_samples, "
                    'n_features). Say form="images" or form="series".'
                )
            columns = [_array_column(column) for column in array.T]
        for i, is_category in enumerate(() if self.is_category is None else self.is_category):
            columns[i] = _texts(columns[i]) if is_category else columns[i]
        for column in columns:
            finite(column)
        return pd.DataFrame(dict(zip(feature_names(X, len(columns)), columns, strict=True)))


def feature_names(X, n_features):
    """Return the names of columns as texts, "0", "1" and so on for arrays."""
    return [str(name) for name in (column_names(X) if is_frame(X) else range(n_features))]


def dense_array(X):
    """Return what holds samples as a dense array."""
    X = as_data(X)
    return X.toarray() if sparse.issparse(X) else np.asarray(X)


def finite(values):
    """Return values, or raise an error if one is infinite."""
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise ValueError(
            "The samples to draw, or what is made of them, hold an infinite value. Give NaN in its "
            "place, as for missing values."
        )
    return values


def _column(series):
    """Return a column of a DataFrame as an array of floats, dates or texts."""
    if series.dtype.is_numeric():
        return series.cast(nw.Float64).to_numpy().astype(float)
    if series.dtype in (nw.Date, nw.Datetime):
        return pd.to_datetime(pd.Series(series.to_list()), utc=True).dt.tz_localize(None)
    return _texts(np.array(series.to_list(), dtype=object))


def _array_column(values):
    if values.dtype.kind in "iufb":
        return values.astype(float)
    try:
        return pd.to_numeric(pd.Series(values, dtype=object)).to_numpy(float)
    except (TypeError, ValueError):
        return _texts(values)


def _texts(values):
    """Return values as texts, None where one is missing."""
    return np.array([None if pd.isna(v) else _text(v) for v in values], dtype=object)


def _text(value):
    is_whole = isinstance(value, (float, np.floating)) and float(value).is_integer()
    return str(int(value) if is_whole else value)


def is_category(table):
    """Return which columns of a table of `Rows` hold categories."""
    return np.array([dtype.kind == "O" for dtype in table.dtypes])


def as_floats(table):
    """Return a table of `Rows` as an array: dates as days since 1970, categories as NaN."""
    values = np.full(table.shape, np.nan)
    for i, category in enumerate(is_category(table)):
        column = table.iloc[:, i]
        if column.dtype.kind == "M":
            values[:, i] = (column - pd.Timestamp(0)) / pd.Timedelta(days=1)
        elif not category:
            values[:, i] = column
    return values


def name_of_feature(names, n_features, feature):
    """Return what a feature of series is called."""
    if names is not None:
        return names[feature]
    return "value" if n_features == 1 else f"feature {feature}"


def known_mean(values, axis=None):
    """Return means of what is not missing, 0 where all is."""
    known = ~np.isnan(values)
    return np.where(known, values, 0.0).sum(axis) / np.maximum(known.sum(axis), 1)


def moments(table):
    """Return means and standard deviations of columns; 0 and 1 for categories."""
    values = as_floats(table)
    numbers = [not np.isnan(column).all() for column in values.T]
    center, scale = np.zeros(len(numbers)), np.ones(len(numbers))
    center[numbers] = np.nanmean(values[:, numbers], axis=0)
    scale[numbers] = np.nanstd(values[:, numbers], axis=0)
    return center, np.where(scale > 0, scale, 1.0)


FORMS = {"images": None, "series": Series(), "rows": Rows()}


def form_of(layout, X, image_shape=None, form="auto"):
    """Return how samples are drawn.

    Parameters
    ----------
    layout : ArrayFormat or None
        What an estimator knows of its samples.
    X : array-like
        Samples, which decide if the estimator knows nothing.
    image_shape : tuple of int or None, default=None
        Shape of the images that flat rows hold.
    form : {"images", "series", "rows", "auto"}, default="auto"

    Returns
    -------
    Images, Series or Rows

    Raises
    ------
    ValueError
        If ``form`` is unknown, or ``image_shape`` no shape.
    """
    if form not in (*FORMS, "auto"):
        raise ValueError(f'form must be "images", "series", "rows" or "auto"; got {form!r}')
    if image_shape is not None:
        return _images_of(image_shape)
    known = _form_of_layout(layout) or _form_of_array(X)
    if form in ("auto", known.name):
        return known
    if form == "images":
        shape = np.shape(as_data(X))
        if len(shape) not in (3, 4):
            raise ValueError(
                f"X is of shape {shape}, which says nothing of images. Give image_shape, such as "
                "image_shape=(28, 28)."
            )
        return _images_of(shape[1:])
    return FORMS[form]


def _images_of(shape):
    if not np.iterable(shape) or not all(isinstance(side, Integral) for side in shape):
        raise ValueError(f"image_shape must be a tuple of int, such as (28, 28); got {shape!r}")
    if len(shape) not in (2, 3):
        raise ValueError(
            "image_shape must be (height, width) or (height, width, channels); got "
            f"{tuple(shape)!r}"
        )
    return Images(tuple(int(side) for side in shape), 2 if len(shape) == 3 else None)


def _form_of_layout(layout):
    match layout:
        case ImageFormat(image_shape=shape, channel_axis=axis):
            is_image = len(shape) - (axis is not None) == 2
            return Images(shape, axis) if is_image else Series(axis == 0)
        case SequenceFormat():
            names = layout.names and [str(name) for name in layout.names]
            return Series(layout.channels_first, names)
        case TableFormat():
            return Rows(layout.columns.is_category)


def _form_of_array(X):
    X = as_data(X)
    if isinstance(X, (list, tuple)):
        shapes = {np.shape(sample) for sample in X}
        if len(shapes) > 1 or any(len(shape) == 2 for shape in shapes):
            return Series()
    n_axes = 2 if is_frame(X) or sparse.issparse(X) else np.ndim(X)
    return _images_of(np.shape(X)[1:]) if n_axes in (3, 4) else Rows()

"""The columns of a table as numbers, one a cell, and back: numbers, categories and dates.

Whatever a column holds, its cell is a float64: a scaled number, or the number of a category. NaN
is a missing cell, and -1 a category that was not there when the columns were learned.

Codes are what an exported graph takes, the same without what was learned: a number as it is, a
date in seconds since 1970, a duration in seconds, a category by its position among all that were
seen.
"""

import copy
from collections.abc import Hashable
from dataclasses import replace
from functools import cached_property
from itertools import count, islice
from numbers import Number

import narwhals as nw
import numpy as np
import pandas as pd

from skae._data.dtypes import (
    ColumnType,
    ObjectType,
    array_of,
    column_values,
    in_range,
    inferred,
    time_zone,
)
from skae._data.frames import FrameFormat, aligned, as_table, is_id
from skae._data.grids import DateGrid, NumberGrid
from skae._data.plain import objects_of, plain_value, plain_values, value_of
from skae.exceptions import DataWarning, warn

#: What the cell of a category is that was not seen at fit.
UNSEEN = -1

#: Distance from the median, in deviations, about which numbers are drawn together.
TAIL = 10.0

#: Interquartile range of a normal distribution, in deviations.
NORMAL_RANGE = 1.349

#: From here on the inverse of the drawing together is beyond float64.
MAX_STRETCH = 700.0

#: Rows that are read in all columns at once, at most: more take much memory.
MAX_AT_ONCE = 4_096

#: Rows from which on texts that all differ are taken for names or ids.
MIN_IDS = 20

#: Values of a column that are restored exactly, at most, and the difference of cells that rounding
#: leaves.
MAX_REPEATED, SAME_CELL = 1_000, 1e-6

#: Seconds from 1970 to the first and the last day that Python's dates know.
MIN_SECONDS, MAX_SECONDS = -62_135_596_800.0, 253_402_300_799.0


def squash(x):
    """Draw together what is far beyond `TAIL`: from linear to logarithmic."""
    return TAIL * np.arcsinh(x / TAIL)


def stretch(x):
    """Undo ``squash``."""
    return TAIL * np.sinh(np.clip(x / TAIL, -MAX_STRETCH, MAX_STRETCH))


def scaled(numbers, center, scale, rounding):
    """Return numbers, scaled and with their tails drawn together, those of one or all columns."""
    with np.errstate(over="ignore"):
        difference = numbers - center
        if np.any(rounding):  # of constants
            difference[np.abs(difference) <= rounding] = 0.0
        result = difference / scale
    return squash(np.minimum(np.maximum(result, -1e300), 1e300))  # faster than clip


class Column:
    """What the columns of a table have in common: a name, which need not be text."""

    #: Whether it is a name or id that is different in every row, so that new rows get new ones.
    names_rows = False

    def __getstate__(self):
        return vars(self) | {"name": plain_value(self.name)}

    def __setstate__(self, state):
        vars(self).update(state | {"name": value_of(state["name"])})


class NumberColumn(Column):
    """Numbers, scaled by median and interquartile range, with their tails drawn together.

    Parameters
    ----------
    name : str or int
    values : ndarray
        Those that it is learned from.
    clip : bool, default=True
        Whether what is restored stays between the smallest and the largest of them.

    Attributes
    ----------
    is_id : bool
        Whether its name says that it is an id, and all values differ.
    grid : NumberGrid
        Which values it can hold.
    """

    width = 1
    is_category = False
    #: Whether values differ by less than floats can tell.
    is_blurred = False

    def __init__(self, name, values, clip=True):
        self.name = name
        known = self.codes(values)
        known = known[~np.isnan(known)]
        self.is_empty = not len(known)
        self.is_id = is_id(name) and len(np.unique(known)) == len(known)
        self.center, self.scale, self.rounding = 0.0, 1.0, 0.0
        ends = np.empty(0)
        if not self.is_empty:
            ends = np.array([known.min(), known.max()])
            with np.errstate(over="ignore", invalid="ignore"):
                # Of fractions: the difference of two quantiles can be infinite.
                low, self.center, high = np.quantile(known / 4, [0.25, 0.5, 0.75]) * 4
                # Rounding leaves constants a small standard deviation.
                least = 1e-12 * abs(self.center)
                if np.diff(ends)[0] > least:
                    self.scale = _scale(known, (high - low) / NORMAL_RANGE, least)
                else:
                    self.rounding = least
        self.repeated = _repeated(known)
        # A small error far out in a tail is a large one once that is stretched.
        cells = self._scaled(ends)
        self.least = cells.min(initial=-TAIL) - 1
        self.most = cells.max(initial=TAIL) + 1
        self.grid = None if self.is_empty else self._grid(values, known, clip)
        self.names_rows = self.is_id and len(known) >= MIN_IDS and self.grid.is_whole

    def _grid(self, values, known, clip):
        del values
        return NumberGrid(known, clip)

    @property
    def ends(self):
        """The smallest and the largest value, an array."""
        return np.array([self.grid.low, self.grid.high])

    def read(self, values):
        """Return the cells of values, float64."""
        return self._scaled(self.codes(values))

    def _scaled(self, numbers):
        return scaled(numbers, self.center, self.scale, self.rounding)

    def restore(self, cells, rng=None, are_means=False):
        """Return the values of cells, such as the column can hold."""
        del rng
        values = self._restored(cells)
        return values if self.is_empty else self.grid.nearest(values, are_means)

    def _restored(self, cells):
        """Return the values of cells, close to the range of those seen."""
        if self.is_empty:
            return np.full(len(cells), np.nan)
        with np.errstate(over="ignore"):
            cells = np.clip(np.asarray(cells, np.float64), self.least, self.most)
            values = stretch(cells) * self.scale + self.center
        values = np.clip(values, -np.finfo(float).max, np.finfo(float).max)
        return self._exact(values, cells)

    def _exact(self, values, cells):
        """Return values, exactly as they were seen if their cells are the same but for rounding."""
        if not len(self.repeated):
            return values
        known = self._scaled(self.repeated)
        after = np.searchsorted(known, cells).clip(1, max(1, len(known) - 1))
        nearest = after - (cells - known[after - 1] < known[after % len(known)] - cells)
        nearest = nearest.clip(0, len(known) - 1)
        is_same = np.abs(known[nearest] - cells) <= SAME_CELL * (1 + np.abs(cells))
        return np.where(is_same, self.repeated[nearest], values)

    def new_ids(self, n):
        """Return ``n`` whole numbers that come after the largest one seen, float64."""
        return self.grid.high + 10.0**-self.grid.decimals * np.arange(1, n + 1)

    def widened(self, cells):
        """Return a column that has seen the cells of more rows."""
        if self.is_empty or np.isnan(cells).all():
            return self
        twin = copy.copy(self)
        twin.least = min(self.least, np.nanmin(cells) - 1)
        twin.most = max(self.most, np.nanmax(cells) + 1)
        twin.grid = self.grid.widened(twin._restored(cells))
        return twin

    def codes(self, values):
        """Return values as numbers, float64."""
        values = inferred(values)
        if values.dtype.kind not in "iuf":
            if not pd.isna(values).all():
                _refuse(self.name, "numbers", values)
            return np.full(len(values), np.nan)
        values = values.astype(np.float64, copy=False)
        if np.isinf(values).any():
            raise ValueError(
                f"Column {self.name!r} holds infinite values. Replace them by numbers, or by NaN "
                "if they are missing."
            )
        return values


def _repeated(known):
    """Return the values that occur more than once, in order, the most frequent if many do."""
    values, counts = np.unique(known, return_counts=True)
    many = np.flatnonzero(counts > 1)
    if len(many) > MAX_REPEATED:
        many = np.sort(many[np.argsort(-counts[many], kind="stable")[:MAX_REPEATED]])
    return values[many]


def _scale(known, range_, least):
    """Return the range of the middle half or, where most are equal, how far apart others are."""
    if np.isfinite(range_) and range_ > least:
        return range_
    others = known.std(), np.abs(known).max()
    return next((scale for scale in others if np.isfinite(scale) and scale > least), 1.0)


class DateColumn(NumberColumn):
    """Dates, times or durations, as a number of seconds that is scaled like others.

    Parameters
    ----------
    name : str or int
    values : ndarray of dtype datetime64 or timedelta64
    clip : bool, default=True
        As for `NumberColumn`.
    zone : str or None, default=None
        Time zone of the column, in which days can be whole.
    """

    def __init__(self, name, values, clip=True, zone=None):
        self.dtype, self.zone = values.dtype, zone
        super().__init__(name, values, clip)
        known = values[~np.isnat(values)]
        self.is_blurred = self.rounding > 0 and known.min() < known.max()

    @property
    def ends(self):
        return super().ends.astype(self.dtype)

    def _grid(self, values, known, clip):
        del known
        return DateGrid(values[~np.isnat(values)], clip, self.zone)

    def _restored(self, cells):
        """Return the values of cells, in the unit that they had."""
        seconds = np.clip(super()._restored(cells), MIN_SECONDS, MAX_SECONDS)
        per_second = np.timedelta64(1, "s") / self.unit
        most = np.iinfo(np.int64).max // 2 if per_second > 1e6 else np.inf
        units = np.clip(np.round(seconds * per_second), -most, most)
        missing = np.isnan(units)
        values = np.where(missing, 0, units).astype(np.int64).astype(self.dtype)
        values[missing] = "NaT"
        return values

    def codes(self, values):
        """Return dates or durations as seconds, float64."""
        values = inferred(values)
        if values.dtype.kind != self.dtype.kind:
            if not pd.isna(values).all():
                what = "dates" if self.dtype.kind == "M" else "durations"
                _refuse(self.name, what, values)
            return np.full(len(values), np.nan)
        if self.dtype.kind == "M":
            values = values - np.datetime64(0, "s")
        return values / np.timedelta64(1, "s")

    @property
    def unit(self):
        """The unit that they had."""
        return np.timedelta64(1, np.datetime_data(self.dtype)[0])


class CategoryColumn(Column):
    """Categories, numbered in their order.

    Parameters
    ----------
    name : str or int
    values : ndarray
        Those that it is learned from.
    max_categories : int
        The rarest are joined into one, the last, where there are more.
    order : sequence, default=()
        Of the categories, where it is known.

    Attributes
    ----------
    values : pd.Index
        All that were seen.
    numbers : ndarray of int
        The category of each.
    counts : ndarray of int
        How often each was seen.
    is_id : bool
        Whether it is text that is different in every row.
    new_chance : float
        Estimated probability of a new category in the next row: the fraction of the rows that are
        the only ones of their category [1]_. 0 if they are one or two, which says little.
    shown : ndarray
        What each category is restored as, the most frequent of its values.

    References
    ----------
    .. [1] I. J. Good, "The population frequencies of species and the estimation of population
       parameters", Biometrika 40, 1953.
    """

    is_category = True
    is_blurred = False

    def __init__(self, name, values, max_categories, order=()):
        self.name = name
        seen, uniques = self._factorize(values)
        if any(isinstance(value, (complex, np.complexfloating)) for value in uniques):
            raise TypeError(
                f"Column {name!r} holds complex numbers. Give their real and imaginary parts as "
                "columns of their own."
            )
        counts = np.bincount(seen[seen >= 0], minlength=len(uniques))
        rank = {value: i for i, value in enumerate(order)}
        in_order = _sorted_positions(uniques, rank)
        uniques, counts = uniques[in_order], counts[in_order]
        self.values, self.counts = pd.Index(uniques, dtype=object), counts
        self.numbers = np.arange(len(uniques))
        shown = self.numbers
        if len(uniques) > max_categories:
            by_count = np.argsort(-counts, kind="stable")
            kept = np.sort(by_count[: max_categories - 1])
            self.numbers = np.full(len(uniques), max_categories - 1)
            self.numbers[kept] = np.arange(len(kept))
            shown = np.append(kept, by_count[max_categories - 1])
        self.shown = uniques[shown]
        self._types = {_type_name(value) for value in uniques}
        is_text = bool(len(uniques)) and self._types.isdisjoint({"numbers", "booleans"})
        self.is_id = is_text and counts.max() == 1
        self.names_rows = self.is_id and len(uniques) >= MIN_IDS
        n_single = (counts == 1).sum()
        self.new_chance = n_single / counts.sum() if n_single > 2 else 0.0

    def __getstate__(self):
        values, shown = plain_values(self.values), plain_values(self.shown)
        state = super().__getstate__() | {"values": values, "shown": shown}
        return state | {"_types": sorted(self._types)}

    def __setstate__(self, state):
        super().__setstate__(state | {"_types": set(state["_types"])})
        self.values = pd.Index(objects_of(state["values"]), dtype=object)
        self.shown = objects_of(state["shown"])

    @property
    def is_empty(self):
        """Whether no category is known."""
        return not len(self.values)

    @property
    def width(self):
        """Number of categories, 1 if there are none."""
        return max(1, len(self.shown))

    def read(self, values):
        """Return the cells of values, float64."""
        seen, places = self._places(values)
        numbers = np.append(self.numbers, UNSEEN)[places]  # -1 is the last
        return np.append(numbers, np.nan)[seen]

    def codes(self, values):
        """Return the positions of values among all that were seen, float64; -1 is a new one."""
        seen, places = self._places(values)
        return np.append(places, np.nan)[seen]

    def _places(self, values):
        """Return which of its different values each is, and where these are among those seen."""
        seen, uniques = self._factorize(values)
        types = {_type_name(value) for value in uniques}
        if types and self._types and types.isdisjoint(self._types):
            _refuse(self.name, " and ".join(sorted(self._types)), values)
        return seen, self.values.get_indexer(pd.Index(uniques, dtype=object))

    def restore(self, cells, rng=None, are_means=False):
        """Return the values of cells, an array of objects; None is missing or unseen.

        Of rare values that were joined, it is the most frequent one, or one that ``rng`` draws by
        how often they were seen.
        """
        del are_means
        known = np.asarray(cells) >= 0
        numbers = np.where(known, cells, len(self.shown)).astype(int)
        restored = np.append(self.shown, None)[numbers]
        if rng is not None and len(self.values) > len(self.shown):
            joined = np.flatnonzero(self.numbers == len(self.shown) - 1)
            where, counts = np.flatnonzero(numbers == len(self.shown) - 1), self.counts[joined]
            drawn = rng.choice(joined, len(where), p=counts / counts.sum())
            restored[where] = self.values.to_numpy()[drawn]
        return restored

    def new_ids(self, n):
        """Return ``n`` texts that were not seen, the name of the column with a number."""
        if self._types != {"text"}:
            return np.full(n, None)
        known, numbers = set(self.values), count(1)
        texts = (f"{self.name} {number}" for number in numbers)
        return np.array(list(islice((text for text in texts if text not in known), n)), object)

    def widened(self, cells):
        """Return the same: categories are those of the first rows."""
        del cells
        return self

    def _factorize(self, values):
        """Return which of its different values each is, -1 for missing ones, and these."""
        try:
            seen, uniques = pd.factorize(values)
        except TypeError as error:
            raise TypeError(
                f"Column {self.name!r} holds values that cannot be categories, such as lists. "
                "Turn them into text or numbers, or drop the column."
            ) from error
        return seen, np.asarray(pd.Index(uniques, dtype=object))


class TableColumns:
    """What the columns of a table are, as learned from the training rows.

    Parameters
    ----------
    columns : list of NumberColumn, DateColumn or CategoryColumn
    objects : list of ObjectType or None
        For each column of Python objects that are numbers or dates, how to make such objects.
    types : list of ColumnType, or dtype
        Of the columns of a DataFrame, or of an array.
    frame : FrameFormat or None
        How to make DataFrames, or None for arrays.

    Attributes
    ----------
    names : list or None
        Of the columns, None for an array.
    """

    def __init__(self, columns, objects, types, frame):
        self.columns = columns
        self.objects = objects
        self.types = types
        self.frame = frame

    @classmethod
    def learn(cls, X, categorical_features="from_dtype", max_categories=100, clip_to_range=True):
        """Find out what the columns are.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
        categorical_features : "from_dtype", None, or array-like of bool, int or str, \
                default="from_dtype"
            Which columns are categories: by a mask, by number or by name. Text and booleans
            always are. "from_dtype" adds those of dtype "category".
        max_categories : int, default=100
        clip_to_range : bool, default=True
            Whether numbers and dates that are restored stay between the smallest and the largest.

        Raises
        ------
        TypeError, ValueError
            If X has no rows or columns, or one that cannot be read, or if
            ``categorical_features`` are none of its columns.
        """
        X = as_table(X)
        frame = FrameFormat.of(X)
        if frame is None:
            names, types = list(range(X.shape[1])), X.dtype
            declared = [False] * len(names)
        else:
            names, types = X.columns, [ColumnType.of(column) for column in X.iter_columns()]
            declared = [kind.is_category for kind in types]
        listed = _listed(categorical_features, names)
        columns, objects = [], []
        for i, (name, values) in enumerate(zip(names, _values(X), strict=True)):
            is_category = declared[i] if listed[i] is None else listed[i]
            order = () if frame is None else types[i].categories
            kind = None if frame is None else types[i]
            how = {"clip": clip_to_range, "zone": time_zone(values, kind)}
            column = _learned(name, values, is_category, (max_categories, order), **how)
            if declared[i] and not column.is_category:  # numbers, and so they come back
                types[i] = types[i].of_values(np.fromiter(order, object) if order else values)
            is_object = not (column.is_category or declared[i])
            columns.append(column)
            objects.append(ObjectType.of(values) if is_object else None)
        _warn_of_ids(columns, X.shape[0])
        return cls(columns, objects, types, frame and replace(frame, index=None))

    @property
    def names(self):
        return None if self.frame is None else list(self.frame.columns)

    @property
    def widths(self):
        """Of each column, how many elements a net has of it, a list of int."""
        return [column.width for column in self.columns]

    @property
    def is_category(self):
        """Which columns are categories, a boolean array."""
        return np.array([column.is_category for column in self.columns])

    def read(self, X):
        """Return the cells of a table, float64 of shape (n_samples, n_columns).

        Raises
        ------
        TypeError, ValueError
            If columns are missing, hold something else than when they were learned, or infinite
            values.
        """
        X = self._checked(X)
        if len(X) <= MAX_AT_ONCE and self._of_numbers is not None:
            numbers = _numbers_of(X)
            if numbers is not None and not np.isinf(numbers).any():
                return scaled(numbers, *self._of_numbers)
        cells = np.empty(X.shape, np.float64)
        for i, (column, values) in enumerate(zip(self.columns, _values(X), strict=True)):
            cells[:, i] = column.read(values)
        return cells

    def codes(self, X):
        """Return the codes of a table, float64 of shape (n_samples, n_columns).

        Raises
        ------
        TypeError, ValueError
            As for ``read``.
        """
        pairs = zip(self.columns, _values(self._checked(X)), strict=True)
        return np.column_stack([column.codes(values) for column, values in pairs])

    def _checked(self, X):
        """Return a table whose columns are those that were learned."""
        X = as_table(X)
        if self.frame is not None and isinstance(X, nw.DataFrame):
            X = aligned(X, self.names)
        if X.shape[1] != len(self.columns):
            raise ValueError(f"X has {X.shape[1]} columns, but {len(self.columns)} were fitted.")
        return X

    @cached_property
    def _of_numbers(self):
        """Centers, scales and rounding of all columns, or None if some hold no plain numbers."""
        if not all(type(column) is NumberColumn for column in self.columns):
            return None
        attributes = ("center", "scale", "rounding")
        return [np.array([vars(one)[name] for one in self.columns]) for name in attributes]

    def limits(self, i):
        """Return the ends of what a column of numbers can hold, and whether it holds integers."""
        if self.objects[i] is not None:
            return -np.inf, np.inf, self.objects[i].is_integer
        if self.frame is None:
            return -np.inf, np.inf, False
        low, high, half = in_range(np.array([-np.inf, np.inf, 0.5]), self.types[i].dtype)
        return low, high, half != 0.5

    def widened(self, cells):
        """Return columns that have seen the cells of more rows, which widen their ranges."""
        twin = copy.copy(self)
        twin.columns = [column.widened(cells[:, i]) for i, column in enumerate(self.columns)]
        return twin

    def restore(
        self, cells, index=None, dtype=np.float64, *, rng=None, are_new=False, are_means=False
    ):
        """Return a table like the one that was learned from.

        Parameters
        ----------
        cells : ndarray of shape (n_samples, n_columns)
            As ``read`` gives them. NaN is restored as missing where the dtype has a way to say
            so; else the dtype is another.
        index : pd.Index or None, default=None
        dtype : dtype, default=float64
            Precision of an array that is made.
        rng : RandomState or None, default=None
            Draws one of the categories that were joined into one. None takes the most frequent.
        are_new : bool, default=False
            Whether the rows are none that the user gave. Then names and ids that are different in
            every row are new ones.
        are_means : bool, default=False
            Whether numbers are means. Then those that are close to a value that many training rows
            hold become this value.

        Returns
        -------
        DataFrame or ndarray
        """
        how = rng, are_means
        values = [column.restore(cells[:, i], *how) for i, column in enumerate(self.columns)]
        types = self.types
        if are_new:
            values, types = self._with_new_ids(values)
        pairs = zip(values, self.objects, strict=True)
        values = [objects.make(column) if objects else column for column, objects in pairs]
        if self.frame is None:
            return array_of(values, types if types.kind in "OmM" else np.dtype(dtype))
        made = [kind.make(column) for kind, column in zip(types, values, strict=True)]
        return replace(self.frame, index=index).assemble(made)

    def _with_new_ids(self, values):
        """Return values with new ids where they are not missing, and the types that hold them."""
        values, types = list(values), self.types
        for i, column in enumerate(self.columns):
            if column.names_rows:
                new = column.new_ids(len(values[i]))
                values[i] = np.where(pd.isna(values[i]), values[i], new)
                if self.frame is not None:
                    changed = types[i].with_categories(values[i])
                    types = [*types[:i], changed, *types[i + 1 :]]
        return values, types


def _numbers_of(X):
    """Return a table as an array of float64, or None if its columns have to be read one by one."""
    X = nw.to_native(X, pass_through=True)
    if isinstance(X, pd.DataFrame) and all(isinstance(one, np.dtype) for one in X.dtypes):
        X = X.to_numpy()
    if not isinstance(X, np.ndarray) or X.dtype.kind not in "iuf":
        return None
    return X.astype(np.float64, copy=False)


def _warn_of_ids(columns, n_rows):
    """Warn of columns that hold another value in every row, and no measurement."""
    ids = [column.name for column in columns if column.is_id]
    if ids and n_rows >= MIN_IDS:
        warn(
            f"Columns {ids} hold another value in every row, as names and ids do. Nothing can be "
            "learned from them: drop them.",
            DataWarning,
        )


def _learned(name, values, is_category, categories, clip, zone):
    """Return what is learned of one column."""
    found = values if is_category else inferred(values)
    if is_category or found.dtype.kind not in "iufmM":
        return CategoryColumn(name, values, *categories)
    if found.dtype.kind in "mM":
        return DateColumn(name, found, clip, zone)
    return NumberColumn(name, found, clip)


def _values(X):
    """Iterate over the columns of a table, as arrays."""
    if isinstance(X, nw.DataFrame):
        return map(column_values, X.iter_columns())
    return X.T.astype(float, copy=False) if X.dtype.kind == "b" else X.T


def _listed(categorical_features, names):
    """Return of each column whether it is listed as categories, None where dtypes decide."""
    if categorical_features is None:
        return [False] * len(names)
    if isinstance(categorical_features, str) and categorical_features == "from_dtype":
        return [None] * len(names)
    given = np.asarray(categorical_features)
    if given.ndim != 1 or given.dtype.kind not in "biuUO" and len(given):
        raise ValueError(
            'categorical_features must be "from_dtype", None, or a list of bool, int or str; got '
            f"{categorical_features!r}"
        )
    if given.dtype.kind == "b":
        if len(given) != len(names):
            raise ValueError(
                f"categorical_features is a mask of {len(given)} columns, but X has {len(names)}"
            )
        return given.tolist()
    given = list(categorical_features)
    all_names = names if given and isinstance(given[0], str) else list(range(len(names)))
    known = set(all_names)
    unknown = [name for name in given if not isinstance(name, Hashable) or name not in known]
    if unknown:
        raise ValueError(
            f"categorical_features lists {unknown}, but X has no such columns; its columns are "
            f"{list(names)[:20]}"
        )
    given = set(given)
    return [name in given for name in all_names]


def _refuse(name, what, values):
    found = values.dtype
    if values.dtype.kind == "O":
        found = pd.api.types.infer_dtype(values, skipna=True)
    raise ValueError(
        f"Column {name!r} held {what} when it was fitted, and now holds {found}. Convert it to "
        "what it was."
    )


def _type_name(value):
    """Return what kind of thing a category is."""
    if isinstance(value, (bool, np.bool_)):
        return "booleans"
    if isinstance(value, Number):
        return "numbers"
    return "text" if isinstance(value, str) else f"{type(value).__name__} objects"


def _sorted_positions(values, rank):
    """Return how to sort values of any types: by rank, where they have one, or by value."""

    def key(i):
        value = values[i]
        return rank.get(value, len(rank)), _type_name(value), value

    try:
        return sorted(range(len(values)), key=key)
    except TypeError:  # of one type, yet without an order
        return sorted(range(len(values)), key=lambda i: (type(values[i]).__name__, str(values[i])))

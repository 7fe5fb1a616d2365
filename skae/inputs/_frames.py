"""DataFrames of pandas and polars, made like those of the user."""

from typing import NamedTuple

import pandas as pd


class FrameFormat(NamedTuple):
    """What a DataFrame needs to be made again with other values."""

    frame_class: type
    columns: pd.Index | list
    index: pd.Index | None = None

    @classmethod
    def of(cls, X):
        """Return the format of a DataFrame, or None if X is none."""
        if isinstance(X, pd.DataFrame):
            return cls(pd.DataFrame, X.columns, X.index)
        if type(X).__module__.partition(".")[0] == "polars":
            return cls(type(X), list(X.columns))
        return None

    def make(self, array):
        """Return an array as a DataFrame of this format."""
        if self.frame_class is pd.DataFrame:
            return pd.DataFrame(array, index=self.index, columns=self.columns)
        return self.frame_class(array, schema=self.columns)

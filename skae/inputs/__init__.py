"""Input formats: the user's data as tensors, a batch at a time."""

from skae.inputs._rows import Rows, read_rows

__all__ = ["Rows", "read_rows"]

"""Input formats: the user's data as tensors, a batch at a time."""

from skae.inputs._frames import FrameFormat
from skae.inputs._rows import Rows, read_rows

__all__ = ["FrameFormat", "Rows", "read_rows"]

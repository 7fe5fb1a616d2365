"""Input formats: the user's data as tensors, a batch at a time."""

from skae._data.arrays import ArrayLayout
from skae._data.images import ImageLayout
from skae._data.read_sequences import SequenceLayout
from skae._data.tables import TableLayout

__all__ = ["LAYOUTS"]

#: By kind of input, what says how X is to be read.
LAYOUTS = {
    "arrays": ArrayLayout,
    "images": ImageLayout,
    "sequences": SequenceLayout,
    "tables": TableLayout,
}

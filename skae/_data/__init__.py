"""Input formats: the user's data as tensors, a batch at a time."""

from skae._data.arrays import ArrayReader
from skae._data.read_images import ImageReader
from skae._data.read_sequences import SequenceReader
from skae._data.tables import TableReader

__all__ = ["READERS"]

#: By kind of input, the class of what reads X.
READERS = {
    "arrays": ArrayReader,
    "images": ImageReader,
    "sequences": SequenceReader,
    "tables": TableReader,
}

"""Input formats: the user's data as tensors, a batch at a time."""

from skae.inputs._arrays import as_array, as_numbers
from skae.inputs._images import ImageLayout, Images, read_images
from skae.inputs._pairs import Pairs
from skae.inputs._read_sequences import SequenceLayout, read_sequences
from skae.inputs._rows import Codes, RowLayout, Rows, read_rows
from skae.inputs._sequences import Moments, Sequences, read_lengths

__all__ = [
    "LAYOUTS",
    "Codes",
    "ImageLayout",
    "Images",
    "Moments",
    "Pairs",
    "Rows",
    "Sequences",
    "as_array",
    "as_numbers",
    "read_images",
    "read_lengths",
    "read_rows",
    "read_sequences",
]

#: By kind of input, what says how X is to be read.
LAYOUTS = {"rows": RowLayout, "images": ImageLayout, "sequences": SequenceLayout}

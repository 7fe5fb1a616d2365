"""Input formats: the user's data as tensors, a batch at a time."""

from skae.inputs._images import ImageLayout, Images, as_array, read_images
from skae.inputs._pairs import Pairs
from skae.inputs._rows import Rows, read_rows

__all__ = ["ImageLayout", "Images", "Pairs", "Rows", "as_array", "read_images", "read_rows"]

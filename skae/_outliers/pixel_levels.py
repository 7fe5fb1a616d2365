"""How unusual values of pixels are, compared with those of normal images at the same place."""

import numpy as np

from skae._outliers.tails import TailScale

#: Images that the mean of a place counts against: with few, it is near the mean of all places.
N_PRIOR = 10

#: Pixels that the tails are learned from, at most, and pixels that are compared at a time.
MAX_PIXELS, CHUNK_PIXELS = 2**20, 2**20


class PixelLevels:
    """Surprise of pixels: minus the logarithm of the fraction of normal pixels that are as far out.

    Edges have larger errors than smooth areas, also in normal images. So the mean of each place is
    subtracted, where images show the same things at the same places. In textures, all places
    have about the same mean.

    Parameters
    ----------
    logs : ndarray of shape (n_samples, n_maps, height, width)
        Logarithms of distances or errors of normal images.
    """

    def __init__(self, logs):
        n = len(logs)
        of_place = logs.mean(0, dtype=np.float64)
        self.place = (of_place - of_place.mean((1, 2), keepdims=True)) * (n / (n + N_PRIOR))
        rows = self._rows(logs)
        self.tails = TailScale(rows[:: -(-len(rows) // MAX_PIXELS)])

    def surprise(self, logs, weights):
        """Return the weighted mean of the surprises of all maps.

        Parameters
        ----------
        logs : ndarray of shape (n_samples, n_maps, height, width)
        weights : ndarray of shape (n_maps,)

        Returns
        -------
        ndarray of shape (n_samples, height, width)
        """
        surprise = np.empty((len(logs), *logs.shape[2:]))
        n_images = max(1, CHUNK_PIXELS // surprise[0].size)
        for start in range(0, len(logs), n_images):
            chunk = slice(start, start + n_images)
            # Of a fraction, which is 1 at most: what is very usual in one map makes up for nothing.
            each = np.maximum(self.tails.surprise(self._rows(logs[chunk])), 0)
            surprise[chunk] = (each @ weights).reshape(surprise[chunk].shape)
        return surprise

    def _rows(self, logs):
        """Return the pixels as rows, without the means of their places."""
        return np.moveaxis(logs - self.place, 1, -1).reshape(-1, logs.shape[1])

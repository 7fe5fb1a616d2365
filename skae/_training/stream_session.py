"""A fit on samples that are read anew in every pass, because there are more than memory holds."""

import numpy as np
from sklearn.utils import check_random_state

from skae._data.row_sample import draw_sample
from skae._data.streamed import StreamedDataset, samples_to_read, size_of_sample
from skae._training.progress import say
from skae._training.session import FitSession


class StreamSession(FitSession):
    """One fit of an estimator on a stream of samples.

    A first pass draws a sample of them. What ``fit`` learns before and after the training, it
    learns from the sample: scales, categories, the start at PCA, the basis of the codes. A part of
    the sample is held out for early stopping. The passes of the training leave it out.

    Parameters
    ----------
    estimator : NeuralEstimator
    stream : ChunkStream
    n_passes : int or None
        Epochs of training. None is as ``max_epochs`` of the estimator.
    X_val : object or None
        Samples to validate on.
    beside : tuple, default=()
        What ``fit`` of the estimator gets beside X: names of columns, or None.
    """

    def __init__(self, estimator, stream, n_passes, X_val, beside=()):
        later = (None,) * len(beside)
        validation_data = None if X_val is None else (X_val, *later)
        super().__init__(estimator, (), validation_data=validation_data)
        self._stream, self._n_passes = stream, n_passes
        self._beside, self._beside_later = beside, later

    def _begin(self, shows_bar):
        # Without a seed, too, a fit that goes on from a checkpoint has to draw the same sample.
        seed = self.estimator.random_state
        rng = check_random_state(0 if seed is None else seed)
        self._n_elements = size_of_sample(self._stream)
        has_categories = self.estimator._make_reader().allows_text or any(self._beside)
        chunks = self._stream.chunks(samples_to_read(self._n_elements))
        drawn = draw_sample(chunks, rng, has_categories)
        if self.estimator.verbose:
            say(f"[skae] {drawn.n_samples:,} samples, {len(drawn.is_first):,} of them are drawn")
        held_out = self._positions_to_hold_out(drawn, rng)
        self._n_samples = drawn.n_samples - len(held_out)
        self._left_out = drawn.positions(held_out)
        if len(held_out):
            self.validation_data = drawn.select(held_out), *self._beside_later
        learned = np.setdiff1d(np.arange(len(drawn.is_first)), held_out)
        self.data = drawn.select(learned), *self._beside
        return super()._begin(shows_bar)

    def _positions_to_hold_out(self, drawn, rng):
        """Return which samples of a sample are held out, sorted."""
        estimator, n = self.estimator, len(drawn.is_first)
        is_small = estimator.early_stopping == "auto" and n < estimator._min_hold_out
        if self.validation_data is not None or is_small or not estimator.early_stopping:
            return np.empty(0, int)
        others = np.flatnonzero(~drawn.is_first)
        wanted = max(1, round(n * estimator.validation_fraction))
        return np.sort(rng.choice(others, min(wanted, len(others)), replace=False))

    def _part_of_all(self, dataset):
        return dataset.part_of(self._n_samples)

    def _n_epochs(self, budget, batch_size, work):
        return self._n_passes or super()._n_epochs(budget, batch_size, work)

    def _samples_to_train_on(self):
        parts = self._stream, self._n_elements, self._read, self._left_out
        self._streamed = StreamedDataset(self.fitted, *parts)
        return self._streamed

    def _identity(self):
        return {"n_passes": repr(self._n_passes), "the number of samples": str(self._n_samples)}

    def _end(self):
        try:
            self._streamed.read_once()
        except BaseException:
            self.abandon()
            raise
        super()._end()

    def _read(self, X, is_first_pass):
        """Return more samples, read as those that the estimator has learned from."""
        estimator, data = self.estimator, (X, *self._beside_later)
        if is_first_pass:  # the estimator learns the ranges of their values
            dataset = estimator._read_samples(data, None, resume=True)
        else:
            dataset = estimator._read_validation(data)
        estimator._check_ranges(dataset)
        return dataset.in_training()

"""Autoencoder that stores samples in few bytes."""

import zlib
from math import gcd, log, prod

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skae._data.given import like_input
from skae._estimators.base import BaseAutoencoder
from skae._estimators.code_tables import CodeTables
from skae._estimators.compressed_bytes import CompressedBytes
from skae._estimators.fitted import MAX_DESCRIBED_ROWS
from skae._estimators.parameters import ArchitectureParameters, LossParameters, estimator
from skae._estimators.predictor import decode, encode
from skae._modules.rate import RateBottleneck
from skae._params import real
from skae.exceptions import PoorFitWarning, warn

#: Longest code by default. The rate decides how much of it is used.
MAX_AUTO = 128


@estimator
class CompressiveAutoencoder(LossParameters, ArchitectureParameters, BaseAutoencoder):
    """Autoencoder that stores samples in few bytes: lossy compression that is learned.

    Codes are rounded, and training minimizes the reconstruction loss plus ``rate_weight`` times
    the number of bits that a code takes [2]_ [3]_. ``compress`` makes bytes of samples,
    and ``decompress`` makes samples of bytes. For one data set, models with different
    ``rate_weight`` are points on a curve of rate and distortion.

    Read more in the :ref:`User Guide <compression>`.

    Parameters
    ----------
    n_components : int or "auto", default="auto"
        Length of the code. "auto" is the number of features, at most 128. It may be long: parts
        of the code that are not worth their bits are always 0, and take none.
    rate_weight : float, default=1e-3
        Weight of the rate in the loss. The rate is in bits for each value of a sample. With more
        weight samples take fewer bytes and are restored less well. For the squared error, what
        is kept of a sample has a squared error of roughly 0.7 times ``rate_weight``.
    <loss>
    <output_activation>
    <architecture>
    <training>

    Attributes
    ----------
    rate_ : float
        Mean number of bits of a training sample.
    n_active_units_ : int
        Length of the code without the numbers that are the same for all training samples.
    step_size_ : float
        What codes are multiples of.
    code_tables_ : object
        How often each number of the code has each value, in whole numbers, by which codes
        become bytes.
    <fitted>

    See Also
    --------
    Autoencoder : Codes that are not rounded.
    VariationalAutoencoder : Weighs the information in codes, too, but does not store it.

    Notes
    -----
    ``compress`` and ``decompress`` use the range coder of the package ``constriction`` [4]_, which
    ``pip install 'skae[compression]'`` installs; all else works without.

    The tables are computed from at most 100,000 training rows; after ``partial_fit``, from
    those of the last call. Each begins with the prior that was learned in training, and follows
    the data as far as leave-one-out predictions get better. With 1,000 rows or more there are
    tables for up to eight classes of rows, and each row is stored by those that suit it best.

    Codes are stored exactly. What they decode to is computed in floating point, which
    may differ in the last digits between kinds of processors.

    References
    ----------
    <schedules>
    .. [2] J. Balle, V. Laparra and E. P. Simoncelli, "End-to-end optimized image compression",
       ICLR 2017. :arxiv:`1611.01704`
    .. [3] L. Theis, W. Shi, A. Cunningham and F. Huszar, "Lossy image compression with
       compressive autoencoders", ICLR 2017. :arxiv:`1703.00395`
    .. [4] R. Bamler, "Understanding entropy coding with asymmetric numeral systems (ANS): a
       statistician's perspective", 2022. :arxiv:`2201.01741`

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import CompressiveAutoencoder
    >>> X = load_digits().data / 16
    >>> model = CompressiveAutoencoder(rate_weight=0.02, random_state=0).fit(X[:1500])
    >>> data = model.compress(X[1500:])
    >>> len(data) < 20 * 297  # bytes for 297 images
    True
    >>> model.decompress(data).shape
    (297, 64)
    """

    rate_weight: float = 1e-3

    _parameter_constraints = {"rate_weight": [real(0, closed="neither")]}
    _net_parameters = ("n_components", "loss", "output_activation", "rate_weight")

    def compress(self, X):
        """Store samples as bytes.

        Parameters
        ----------
        X : <X>
            <samples>

        Returns
        -------
        data : bytes
            What ``decompress`` of this model makes samples of, also in other processes and after
            ``save`` and ``load``.

        Raises
        ------
        ValueError
            If X holds images of another size than the fit.
        ModuleNotFoundError
            If the package ``constriction`` is not installed.
        """
        dataset = self._read_to_store(X)
        codes = self._encoded(dataset)
        symbols, escaped = self.code_tables_.symbols(codes)
        coded = self.code_tables_.encode(symbols, self.code_tables_.classes(symbols))
        parts = self._fingerprint(), len(codes), dataset.lengths, escaped, coded
        return CompressedBytes(*parts).to_bytes()

    def decompress(self, data):
        """Restore samples from bytes.

        Parameters
        ----------
        data : bytes
            What ``compress`` returned.

        Returns
        -------
        X_restored : <output>
            <original>

        Raises
        ------
        TypeError, ValueError
            If ``data`` is not what ``compress`` returns, if it is damaged, or if it was
            compressed by another model.
        ModuleNotFoundError
            If the package ``constriction`` is not installed.
        """
        check_is_fitted(self)
        has_lengths = self._reader.has_lengths
        parts = CompressedBytes.from_bytes(data, self._fingerprint(), has_lengths)
        symbols = self.code_tables_.decode(parts.coded, parts.n_samples)
        codes = self.code_tables_.codes(symbols, parts.escaped)
        return self._reader.format.in_frame(self._decode(decode, codes, parts.lengths))

    def bits_per_sample(self, X):
        """Return how many bits the code of each sample takes.

        ``compress`` adds a header of 22 bytes for all samples together, and fills up to a multiple
        of 4 bytes.

        Parameters
        ----------
        X : <X>
            <samples>

        Returns
        -------
        bits : ndarray of shape (n_samples,)
            Rare samples take more.

        Raises
        ------
        ValueError
            If X holds images of another size than the fit.
        """
        codes = self._encoded(self._read_to_store(X))
        return like_input(self.code_tables_.bits(codes), X)

    def _read_to_store(self, X):
        dataset = self._read_new(X)
        if self._has_other_sizes(dataset):
            raise ValueError(
                f"{type(self).__name__} stores images of the size of the training alone, "
                f"{self._reader.format.image_shape}, as each part of a code has frequencies of its "
                "own. Cut X into images of that size."
            )
        return dataset

    def _encoded(self, dataset):
        return self._predictor.map(encode, dataset, (self.n_components_,))

    def _fingerprint(self):
        """Return a checksum of all that bytes are decoded by, and of how the coder uses it."""
        tables, module = self.code_tables_, self.net_.module_
        n_classes, n_components, n_levels = tables.frequencies.shape
        numbers = np.arange(n_classes * n_components, dtype=np.int32) * 7 % n_levels
        probe = tables.encode(numbers.reshape(-1, n_components), np.arange(n_classes, dtype="i4"))
        pieces = [probe, tables.frequencies.tobytes(), tables.class_frequencies.tobytes()]
        pieces.append(f"{tables.lowest} {tables.step_size!r}".encode())
        state = module.decoder.state_dict().values()
        pieces += [tensor.cpu().contiguous().numpy().tobytes() for tensor in state]
        checksum = 0
        for piece in pieces:
            checksum = zlib.crc32(piece, checksum)
        return checksum

    def _auto_n_components(self, n_features):
        return min(n_features, MAX_AUTO)

    def _make_bottleneck(self, n_components, sample_shape):
        # One map of a spatial code has as many numbers as places.
        n_places = gcd(n_components, self._make_architecture().code_length(sample_shape, 1))
        # With noise as wide as this, a bit is worth what it costs in squared error.
        step_size = (6 * self.rate_weight / log(2)) ** 0.5
        weight = self.rate_weight / prod(sample_shape)
        return RateBottleneck(weight, step_size, n_components // n_places)

    def _parts_to_renew(self, dataset):
        parts = super()._parts_to_renew(dataset)
        del parts["bottleneck"]  # it has learned
        return parts

    def _describe(self, dataset, validation):
        super()._describe(dataset, validation)
        codes = self._encoded(dataset.subsample(MAX_DESCRIBED_ROWS))
        bottleneck = self.net_.module_.bottleneck
        self.step_size_ = bottleneck.step_size
        self.code_tables_ = CodeTables.learn(codes, self.step_size_, bottleneck.log_prior)
        self.rate_ = float(self.code_tables_.bits(codes).mean())
        self.n_active_units_ = int((codes.max(0) > codes.min(0)).sum())

    def _check_fit(self, dataset):
        if self.n_active_units_ or len(dataset) == 1:
            super()._check_fit(dataset)
            return
        warn(
            f"All samples have the same code: with rate_weight={self.rate_weight:g}, none is "
            "worth its bits. Choose a smaller one, such as a thousandth of the mean variance of "
            "the columns; check_baseline=False turns this check off.",
            PoorFitWarning,
        )

    @property
    def _n_comparable_components(self):
        return None  # it also seeks few bits

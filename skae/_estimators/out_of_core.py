"""Training on sources that are larger than memory."""

from numbers import Integral

from sklearn.utils import check_scalar

from skae._data.open_stream import open_stream
from skae._params import fit_context
from skae._training.stream_session import StreamSession


def checked_n_passes(n_passes):
    """Return a number of passes; raise an error if it is no positive integer or None."""
    if n_passes is not None:
        check_scalar(n_passes, "n_passes", Integral, min_val=1)
    return n_passes


class OutOfCore:
    """Mixin of ``fit_batches``, for estimators that have a `FitSession`."""

    @fit_context(prefer_skip_nested_validation=True)
    def fit_batches(self, source, *, n_passes=None, X_val=None, columns=None):
        """Train on a source that may be larger than memory.

        The result is as good as that of ``fit`` on the same samples. Only a small part of them is
        in memory at a time: some chunks of at most 65,536 samples and 64 MB, and a sample. Files
        with no more than 67 million numbers are read once and kept in memory.

        A first pass counts the samples and draws up to 131,072 of them. From these, the estimator
        learns what ``fit`` learns of all: scales, categories, PCA for the start. A row that holds
        the first of a category is drawn in any case, so that all categories are known. Then the
        net is trained as by ``fit``, with the same parameters. In each epoch, one pass through
        the source, samples are shuffled within chunks, and files, parts of Parquet files
        and partitions come in a new order. Early stopping holds out a part of the drawn
        samples.

        Parameters
        ----------
        source : <source>
            <where_samples_are>
        n_passes : int or None, default=None
            Number of epochs. None is as ``max_epochs`` says: by default, the more samples, the
            fewer epochs, and at least 4.
        X_val : <X_val> or None, default=None
            Samples for ``valid_loss``, in memory. Early stopping uses them to choose the best
            epoch. If None, it holds out ``validation_fraction`` of the drawn samples.
        columns : list of str or None, default=None
            <columns>

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        FileNotFoundError
            If there are no such files.
        TypeError, ValueError
            If the source is of another kind, empty, or can be gone through only once; if chunks
            differ in columns or types; and for the reasons of ``fit``. An estimator that was
            fitted before keeps its earlier fit.

        Notes
        -----
        The samples that are held out are known by their places. So a DataLoader that shuffles needs
        ``X_val``, or ``early_stopping=False``.

        A function or an iterable gives its chunks in the same order in each epoch. If they are
        sorted, let it shuffle them: a net that sees one kind of sample after the other learns
        worse. The same holds for a single CSV file.
        """
        return self._fit_batches(source, n_passes, X_val, columns)

    def _fit_batches(self, source, n_passes, X_val, columns, beside=()):
        self._check_streamable()
        stream = open_stream(source, columns)
        with StreamSession(self, stream, checked_n_passes(n_passes), X_val, beside) as run:
            run.fit_loop()
        return self

    def _check_streamable(self):
        """Raise an error if parameters need all samples at once."""

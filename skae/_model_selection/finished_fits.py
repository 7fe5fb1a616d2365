"""Fits of a search that are finished, in a file: a search that was stopped does not repeat them."""

from contextlib import contextmanager

import joblib
import narwhals as nw

from skae._training.checkpoint_file import CheckpointFile, described, facts


class FinishedFits:
    """What a search keeps of fits that are finished: nothing, if it has no checkpoint."""

    #: Whether the search was not interrupted.
    is_complete = True

    def get(self, params, fold, epoch=0):
        """Return what is known of a fit, or None.

        Parameters
        ----------
        params : dict
            The candidate.
        fold : int
        epoch : int, default=0
            After how many epochs it was scored; 0 is the end.

        Returns
        -------
        dict or None
            The results of `Trial.outcome`.
        """

    def add(self, outcome, params, fold, epoch=0):
        """Keep the outcome of a fit."""

    @property
    def how_to_go_on(self):
        """What a warning says of an interrupted search."""
        return ""


class FitsInFile(FinishedFits):
    """The finished fits of a search in a file.

    Parameters
    ----------
    file : CheckpointFile
    identity : dict of str to str
        What tells the search from others.
    """

    def __init__(self, file, identity):
        file.check(identity)
        self._file, self._identity = file, identity
        self._outcomes = {} if file.stored is None else file.stored["outcomes"]
        self._n_written = len(self._outcomes)

    def get(self, params, fold, epoch=0):
        outcome = self._outcomes.get(_key(params, fold, epoch))
        return None if outcome is None else dict(outcome)

    def add(self, outcome, params, fold, epoch=0):
        self._outcomes[_key(params, fold, epoch)] = dict(outcome)
        if self._file.is_cheap:
            self.write()

    def write(self):
        """Write what is new."""
        if len(self._outcomes) > self._n_written:
            self._file.write({"identity": self._identity, "outcomes": self._outcomes})
            self._n_written = len(self._outcomes)

    @property
    def how_to_go_on(self):
        return f" To go on from {self._file.path!r}, call fit as before."


def _key(params, fold, epoch):
    return f"{described(params)} on fold {fold} after epoch {epoch}"


@contextmanager
def finished_fits(search, splitter, candidates, splits, **data):
    """Provide the `FinishedFits` of a search.

    Parameters
    ----------
    search : BatchedSearch
    splitter : splitter of scikit-learn
    candidates : list of dict
    splits : list of tuple (train, test)
    **data : arrays
        What is given to ``fit``.

    Raises
    ------
    ValueError
        If the file is of another search, or a search that goes on would draw other candidates.
    """
    if search.checkpoint is None:
        yield FinishedFits()
        return
    _check_seeds(search, splitter)
    file = CheckpointFile(search.checkpoint, "search")
    try:
        fits = FitsInFile(file, _identity(search, candidates, splits, data))
        try:
            yield fits
        except BaseException:
            fits.write()
            raise
        if fits.is_complete:
            file.remove()
        else:
            fits.write()
    finally:
        file.close()


def _check_seeds(*parts):
    """Raise a ValueError if candidates or folds would be others after a crash."""
    for part in parts:
        params = vars(part)
        if params.get("random_state", 0) is None and params.get("shuffle", True):
            raise ValueError(
                f"checkpoint needs a seed, or {type(part).__name__} would draw others after a "
                "crash: give it an int as random_state."
            )


def _identity(search, candidates, splits, data):
    known = facts(search)
    parts = {name: _plain(part) for name, part in data.items() if part is not None}
    parts |= {"the folds": splits, "the candidates": described(candidates)}
    return known | {name: f"digest {joblib.hash(part)}" for name, part in parts.items()}


def _plain(data):
    """Return data without what libraries of DataFrames keep beside the values."""
    native = nw.from_native(data, pass_through=True, allow_series=True)
    if isinstance(native, nw.DataFrame):
        return {name: native[name].to_numpy() for name in native.columns}
    return native.to_numpy() if isinstance(native, nw.Series) else data

"""Models as files: `save` and `load`."""

import json
from importlib.metadata import version

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skae._persistence import archive
from skae._persistence.decoding import Decoder
from skae._persistence.encoding import Encoder
from skae._persistence.errors import FileError
from skae._runtime import resolve_device

#: Version of the format of files. Those of lower versions can be read.
FORMAT = 1

#: Packages whose versions a file names.
PACKAGES = ("skae", "torch", "scikit-learn", "numpy")


def save(model, path, *, training_state=False):
    """Save a fitted model in a file that is safe to load.

    The file is a zip archive of text and numbers: JSON, tensors as ``safetensors``, and arrays of
    NumPy. It holds no code and no pickle, so `load` runs nothing from it, whoever made it. What
    scikit-learn has fitted, such as the scaler of a pipeline, is in it as a file of skops.

    Parameters
    ----------
    model : estimator
        A fitted estimator of skae, or one of scikit-learn that holds some: a pipeline, a
        `~sklearn.compose.ColumnTransformer`. Of a search, the best estimator is saved.
    path : str or PathLike
        Where to. A file that is there is replaced, but only once the new one is complete.
    training_state : bool, default=False
        Whether ``partial_fit`` and ``warm_start`` can continue after `load` as they would have
        before: with the state of the optimizer and of the random numbers. With the default
        optimizer the file is three times as large.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    ValueError
        If it holds something that is neither skae's, scikit-learn's nor torch's, such as a loss of
        your own that is not registered. See `register`.
    OSError
        If the folder does not exist, or cannot be written to.
    TypeError
        If the model is no estimator, or the path no name of a file.

    See Also
    --------
    load : Load a model.
    register : Let files hold your own classes and functions.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> import skae
    >>> X = load_iris().data
    >>> model = make_pipeline(StandardScaler(), skae.Autoencoder(2, max_epochs=5, random_state=0))
    >>> codes = model.fit_transform(X)
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "model.skae")
    ...     skae.save(model, path)
    ...     loaded = skae.load(path)
    >>> bool((loaded.transform(X) == codes).all())
    True
    """
    archive.check_path(path)
    check_is_fitted(model)
    encoder = Encoder(model, training_state)
    node = encoder.encode(model)
    versions = {name: version(name) for name in PACKAGES}
    content = {"format": FORMAT, "versions": versions, "model": node}
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    members = {"model.json": text.encode(), "weights.safetensors": encoder.tensors()}
    archive.write(path, members | encoder.members)


def load(path, device="auto"):
    """Load a model from a file of `save`.

    Nothing from the file is run, and the memory that it takes is a small multiple of its size.
    So the file may come from anybody.

    Parameters
    ----------
    path : str or PathLike
        The file.
    device : str, default="auto"
        Device for the networks, such as ``"cpu"`` or ``"cuda"``. ``"auto"`` is the fastest one of
        this machine.

    Returns
    -------
    estimator
        The model as it was saved. Of a search, its best estimator.

    Raises
    ------
    OSError
        If the file does not exist or cannot be read.
    ValueError
        If it is damaged, is no file of `save`, or was written by a newer version of skae; and if
        it holds classes or functions that are not registered here. Also for an unknown device.
    TypeError
        If the path is no name of a file.

    See Also
    --------
    save : Save a model.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_iris
    >>> import skae
    >>> X = load_iris().data
    >>> model = skae.Autoencoder(2, max_epochs=5, random_state=0, check_baseline=False).fit(X)
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "model.skae")
    ...     skae.save(model, path)
    ...     loaded = skae.load(path, device="cpu")
    >>> bool((loaded.score_samples(X) == model.score_samples(X)).all())
    True
    """
    archive.check_path(path)
    device = resolve_device(device)
    try:
        return _loaded(archive.read(path), device)
    except FileError as error:
        raise ValueError(f"{str(path)!r} {error}") from error.__cause__
    except OSError:
        raise
    except Exception as error:  # of whatever a changed byte can lead to
        raise ValueError(f"{str(path)!r} is damaged: {type(error).__name__}: {error}") from error


def _loaded(members, device):
    content = json.loads(members["model.json"])
    written_by = content["versions"]["skae"]
    if content["format"] > FORMAT:
        raise FileError(
            f"was written by skae {written_by}, in a newer format than this version, "
            f"{version('skae')}, can read. Install that version, or a later one."
        )
    model = Decoder(members, device, written_by).decode(content["model"])
    if not isinstance(model, BaseEstimator):
        raise FileError("is damaged: it holds no estimator.")
    return model

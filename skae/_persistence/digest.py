"""Digests of fitted models, by which results tell which model they are of."""

import hashlib
import io
import json
import pickle
import re
import zipfile

import joblib
import numpy as np

from skae._persistence.encoding import Encoder

#: What files of skops say of places in memory: numbers of parts, and names of files by these.
PLACES = re.compile(r'"__id__": \d+|(?<=")(\d+\.npy|\d+\.npz)(?=")')


def digest_of(model):
    """Return a text that is the same for models of equal parameters and fitted state.

    A model that `save` can write has the same digest before and after, in any process. Others have
    that of joblib, which is the same each time that a model is loaded from one file.

    Parameters
    ----------
    model : estimator

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If neither can write it.
    """
    encoder = Encoder(model, training_state=False)
    try:
        text = json.dumps(encoder.encode(model))
    except ValueError:
        return _joblib_hash(model)
    members = encoder.members | {"weights.safetensors": encoder.tensors()}
    digest = hashlib.sha256(text.encode())
    for name, content in members.items():
        for piece in _pieces(name, content):
            digest.update(piece)
    return digest.hexdigest()


def _joblib_hash(model):
    try:
        return joblib.hash(model)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            f"Results cannot say which {type(model).__name__} they are of, as it cannot be "
            f"pickled: {error}. In place of a lambda, give it a function that can be imported."
        ) from error


def _pieces(name, content):
    """Yield what of a member of a file is the same for equal models."""
    if name.endswith(".skops"):
        yield from _of_archive(content)
    elif name.endswith(".npy"):
        array = np.load(io.BytesIO(content), allow_pickle=False)
        yield str(array.dtype).encode()
        fields = array.dtype.names  # as nodes of trees have them, with any bytes between them
        yield from [content] if fields is None else (array[one].tobytes() for one in fields)
    else:
        yield content


def _of_archive(content):
    """Yield what a file of skops holds, but for places in memory."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        schema = archive.read("schema.json").decode()
        yield PLACES.sub("", schema).encode()
        yield from (archive.read(match[1]) for match in PLACES.finditer(schema) if match[1])

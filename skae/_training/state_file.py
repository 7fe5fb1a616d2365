"""States of trainings and searches as files, of text and numbers alone.

A file is a zip archive: JSON, and the bytes of each tensor. Reading runs nothing from it.
"""

import json
import os
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from skae._data.archive import write
from skae._training.plain_state import PlainTensor

#: Version of the format, and the member that has the JSON.
FORMAT, STATE = 1, "state.json"

#: What JSON has itself.
PLAIN = (type(None), bool, int, float, str)


def write_state(path, state):
    """Write a state to a file, which replaces an old one only once it is complete.

    Parameters
    ----------
    path : str or PathLike
    state : dict
        Of numbers, text, arrays, tensors, and lists, tuples and dicts of these.

    Raises
    ------
    OSError
        If it cannot be written. An old file is then as it was.
    TypeError
        If it holds something else.
    """
    members = {}
    text = json.dumps({"format": FORMAT, "state": _encoded(state, members)})
    write(path, {STATE: text.encode()} | members)


def read_state(path, what):
    """Return the state in a file, or None if there is no file.

    Parameters
    ----------
    path : str or PathLike
    what : str
        What the file should be of, such as "fit".

    Raises
    ------
    ValueError
        If it is damaged, or another file.
    """
    if not Path(path).exists():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        content = json.loads(members.pop(STATE))
        if content["format"] != FORMAT:
            raise ValueError(f"it has the format {content['format']}, not {FORMAT}")
        return _decoded(content["state"], members)
    except PermissionError:
        raise
    except Exception as error:  # zipfile and a changed byte lead to errors of many types
        raise ValueError(
            f"checkpoint: {os.fspath(path)!r} is no checkpoint of a {what}, or it is damaged "
            f"({type(error).__name__}: {error}). Delete it to begin again, or give another path."
        ) from error


def is_plain(value):
    """Say whether a file can hold a value."""
    try:
        _encoded(value, {})
    except TypeError:
        return False
    return True


def _encoded(value, members):
    """Return a value as JSON; what is large goes into members of the archive."""
    if type(value) in PLAIN:
        return value
    if type(value) is list:
        return [_encoded(inner, members) for inner in value]
    if type(value) is tuple:
        return {"tuple": [_encoded(inner, members) for inner in value]}
    if isinstance(value, Counter):
        return {"counter": _items(value, members)}
    if isinstance(value, dict):
        return {"dict": _items(value, members)}
    if isinstance(value, torch.Tensor):
        return {"tensor": _tensor(value, members)}
    if isinstance(value, np.generic):
        return {"number": _encoded(np.asarray(value), members)}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return {"array": _tensor(torch.from_numpy(value.copy()), members)}
    raise TypeError(f"{type(value).__name__} is neither numbers nor text")


def _items(value, members):
    return [[_encoded(key, members), _encoded(inner, members)] for key, inner in value.items()]


def _tensor(tensor, members):
    values, dtype, shape, stride, *_ = PlainTensor.of(tensor.detach()).__reduce__()[1]
    name = f"tensors/{len(members)}"
    members[name] = values.tobytes()
    return {"member": name, "dtype": dtype, "shape": list(shape), "stride": list(stride)}


def _decoded(node, members):
    if isinstance(node, list):
        return [_decoded(inner, members) for inner in node]
    if not isinstance(node, dict):
        return node
    ((kind, content),) = node.items()
    return _DECODERS[kind](content, members)


def _tensor_of(content, members):
    values = np.frombuffer(members[content["member"]], np.uint8)
    shape, stride = tuple(content["shape"]), tuple(content["stride"])
    return PlainTensor(values, content["dtype"], shape, stride, False, False)


def _dict_of(content, members):
    return dict(_decoded(content, members))


_DECODERS = {
    "tuple": lambda content, members: tuple(_decoded(content, members)),
    "dict": _dict_of,
    "counter": lambda content, members: Counter(_dict_of(content, members)),
    "tensor": _tensor_of,
    "array": lambda content, members: _tensor_of(content, members).numpy(),
    "number": lambda content, members: _decoded(content, members)[()],
}

"""Values that are neither objects of skae nor large: each as JSON, and back."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path, PosixPath, WindowsPath
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.utils import Bunch

from skae._data.plain import TYPES, plain_value, value_of
from skae._persistence.errors import FileError
from skae._sklearn import (
    SEARCH_TREES,
    BSpline,
    Tree,
    search_tree_of_state,
    state_of_search_tree,
    state_of_tree,
    tree_of_state,
)
from skae._training.plain_state import dtype_name

#: Dtypes of NumPy by their text, such as "<f8" or "<M8[ns]".
DTYPE = re.compile(r"[<|=]?[a-zA-Z]\d*(\[\d*\w+\])?")

#: Generators of random bits, by name.
BITS = {
    kind.__name__: kind
    for kind in (np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox)
}

#: Sizes of their buffers.
BUFFERS = {"MT19937": 624, "Philox": 4}

#: Length of ranges, at most.
MAX_RANGE = 1_000


class Codec(NamedTuple):
    """How values of some types become JSON, and values again.

    ``encode(value, encode)`` and ``decode(content, decode)`` get functions for what is inside.
    """

    tag: str
    types: tuple
    encode: Callable[..., Any]
    decode: Callable[..., Any]


def _items(value, encode):
    return [encode(inner, f"[{i}]") for i, inner in enumerate(value)]


def _named_items(value, encode):
    """Return the items of a tuple, which in pipelines are a name and a step."""
    if len(value) > 1 and isinstance(value[0], str):
        return [encode(inner, f"[{value[0]!r}]") for inner in value]
    return _items(value, encode)


def _dict(value, encode):
    if all(type(key) is str for key in value):
        return {key: encode(inner, f"[{key!r}]") for key, inner in value.items()}
    return [[encode(key), encode(inner, f"[{key!r}]")] for key, inner in value.items()]


def _as_dict(content, decode):
    if isinstance(content, dict):
        return {key: decode(inner) for key, inner in content.items()}
    return {decode(key): decode(inner) for key, inner in content}


def _number(value, encode):
    del encode
    if value.dtype.kind in "mM":
        return [_dtype_text(value.dtype), int(value.astype(np.int64))]
    content = value.item()
    return [_dtype_text(value.dtype), content if value.dtype.kind in "biu" else repr(content)]


def _as_number(content, decode):
    del decode
    dtype = _dtype(content[0])
    unit = (np.datetime_data(dtype),) if dtype.kind in "mM" else ()
    return dtype.type(content[1], *unit)


def _dtype_text(dtype):
    return dtype.newbyteorder("<").str


def _dtype(text):
    if not DTYPE.fullmatch(text):
        raise FileError(f"names an unknown dtype: {text!r}")
    return np.dtype(text).newbyteorder("=")


def _torch_dtype(text):
    dtype = getattr(torch, text)
    if not isinstance(dtype, torch.dtype):
        raise FileError(f"names an unknown dtype: {text!r}")
    return dtype


def _random_state(state):
    random = np.random.RandomState(0)
    random.set_state(state)
    return check_random_state(random)


def _generator(state):
    bits = BITS[state["bit_generator"]](0)
    bits.state = state
    return check_random_state(np.random.Generator(bits))


def check_random_state(random):
    """Look at the places in a buffer that a random state has, which NumPy does not check.

    Parameters
    ----------
    random : RandomState or Generator

    Returns
    -------
    RandomState or Generator
        The same.

    Raises
    ------
    FileError
        If a place is outside of the buffer.
    """
    is_old = isinstance(random, np.random.RandomState)
    state = random.get_state(legacy=False) if is_old else random.bit_generator.state
    name, inner = state["bit_generator"], state["state"]
    place, size = inner.get("pos", state.get("buffer_pos", 0)), BUFFERS.get(name, 0)
    if not 0 <= place <= size:
        raise FileError("is damaged: a state of random numbers has a place outside of its buffer.")
    return random


def _by(to_plain, of_plain, kind=list):
    """Return functions for values of which a function makes one of a kind, and another one back."""

    def decoded(content, decode):
        plain = decode(content)
        if type(plain) is not kind:
            raise FileError("is damaged: a value is not made of what it should be.")
        return of_plain(plain)

    return lambda value, encode: encode(to_plain(value)), decoded


def _bounds(numbers):
    """Return what a range is made of, if it is short: it can take more memory than its text."""
    if len(numbers) > MAX_RANGE:
        raise TypeError(f"is longer than {MAX_RANGE:,}: give an array")
    return [numbers.start, numbers.stop, numbers.step]


def _range(bounds):
    numbers = range(*bounds)
    if len(numbers) > MAX_RANGE:
        raise FileError(f"is damaged: a range is longer than {MAX_RANGE:,}.")
    return numbers


_SLICE = _by(lambda s: [s.start, s.stop, s.step], lambda parts: slice(*parts))
_RANGE = _by(_bounds, _range)
_RANDOM_STATE = _by(lambda r: r.get_state(), _random_state, tuple)
_GENERATOR = _by(lambda g: g.bit_generator.state, _generator, dict)
_TREE = _by(state_of_tree, tree_of_state, dict)
_SEARCH_TREE = _by(state_of_search_tree, search_tree_of_state, dict)
_SPLINE = _by(lambda s: [s.t, s.c, s.k, s.extrapolate], lambda parts: BSpline(*parts))
_PARTIAL = _by(
    lambda p: [p.func, list(p.args), p.keywords],
    lambda parts: partial(parts[0], *parts[1], **parts[2]),
)
_SET = _by(lambda values: sorted(values, key=repr), set)

CODECS = (
    Codec("dict", (dict,), _dict, _as_dict),
    Codec("bunch", (Bunch,), _dict, lambda content, decode: Bunch(**_as_dict(content, decode))),
    Codec("tuple", (tuple,), _named_items, lambda content, decode: tuple(map(decode, content))),
    Codec("set", (set,), *_SET),
    Codec("float", (), lambda value, encode: repr(value), lambda content, decode: float(content)),
    Codec("bytes", (bytes,), *_by(bytes.hex, bytes.fromhex, str)),
    Codec("number", (np.number, np.bool, np.datetime64, np.timedelta64), _number, _as_number),
    Codec("numpy.str", (np.str_,), *_by(str, np.str_, str)),
    Codec("numpy.dtype", (np.dtype,), *_by(_dtype_text, _dtype, str)),
    Codec("torch.dtype", (torch.dtype,), *_by(dtype_name, _torch_dtype, str)),
    Codec("torch.device", (torch.device,), *_by(str, torch.device, str)),
    Codec("path", (PosixPath, WindowsPath), *_by(str, Path, str)),
    Codec("slice", (slice,), *_SLICE),
    Codec("range", (range,), *_RANGE),
    Codec("random_state", (np.random.RandomState,), *_RANDOM_STATE),
    Codec("generator", (np.random.Generator,), *_GENERATOR),
    Codec("tree", (Tree,), *_TREE),
    Codec("partial", (partial,), *_PARTIAL),
    Codec("search_tree", tuple(SEARCH_TREES.values()), *_SEARCH_TREE),
    Codec("spline", (BSpline,), *_SPLINE),
    Codec("value", TYPES, *_by(plain_value, value_of, dict)),
)

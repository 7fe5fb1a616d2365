"""What users give as data: tensors become arrays, and what holds no samples is refused."""

import os
from collections.abc import Iterator, Mapping, Sequence, Set
from io import IOBase
from numbers import Number

import narwhals as nw
import numpy as np
import torch
from scipy import sparse
from sklearn import get_config
from torch.nn.utils.rnn import PackedSequence
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from torch.utils.dlpack import DLDeviceType

from skae._data.frames import is_frame, narwhals_frame

_CPU = DLDeviceType.kDLCPU
#: Whose items may be tensors.
_LISTS = (np.ndarray, list, tuple)
#: What an array has, of any library.
_ARRAYS = ("__array__", "__array_interface__", "__array_namespace__")

#: What is given by mistake, in the order in which it is asked for, and what to give instead.
_REMEDIES = (
    (type(None), "Give an array, a DataFrame or a list."),
    ((str, bytes, bytearray), "Give the data itself. If this is a file, {1}"),
    ((os.PathLike, IOBase), "Give the data itself: {1}"),
    (
        Mapping,
        "Give a table, such as pandas.DataFrame({0}), a list, list({0}.values()), or one of the "
        "values, {0}[key].",
    ),
    (Set, "A set has no order: give a list or an array."),
    (PackedSequence, "Give a list, as unpack_sequence makes it."),
    (
        DataLoader,
        "Give all samples as one array, such as torch.cat([batch[0] for batch in {0}]) if a batch "
        "is a tuple, or each batch to partial_fit, where there is one.",
    ),
    (
        TorchDataset,
        "Give all samples as one array, such as torch.stack([sample[0] for sample in {0}]) if a "
        "sample is a tuple.",
    ),
    (Iterator, "It can be read only once: give list({0}), or an array."),
    (type, "Give data, not a class."),
)

_READ = "read it first, for instance by pandas.read_csv or numpy.load."
_OTHERS = "Give an array, a DataFrame or a list. If it holds the samples, give list({0})."
_UNGROUP = (
    "Give the table that was grouped or, as sequences, a list of the groups: [group for _, group "
    "in {0}]."
)


def as_data(X, name="X"):
    """Return data that is in memory: tensors as arrays, and everything else as it is.

    Whoever reads what users give calls this first.

    Parameters
    ----------
    X : object
        Data, or whatever the user takes for it.
    name : str, default="X"
        What errors call it.

    Returns
    -------
    array-like, sparse matrix or DataFrame

    Raises
    ------
    TypeError
        If X holds no data, or cannot be read from the start as often as it takes.
    """
    if isinstance(X, np.ndarray) and X.dtype.kind != "O" or is_frame(X) or sparse.issparse(X):
        return X
    if isinstance(X, torch.Tensor):
        return _from_tensor(X, name)
    if isinstance(X, _LISTS) and not isinstance(X, PackedSequence):
        return _without_tensors(X, name)
    if isinstance(X, (Number, np.generic)):
        return X
    if isinstance(X, type) or not any(hasattr(X, attribute) for attribute in _ARRAYS):
        return _sequence(X, name)
    if hasattr(X, "__array_namespace__"):
        is_on_cpu = X.__dlpack_device__()[0] == _CPU
        return np.asarray(X) if is_on_cpu else _from_tensor(torch.from_dlpack(X), name)
    return X


def like_input(output, X):
    """Return an array as a tensor if X is one and scikit-learn's ``array_api_dispatch`` is on.

    Other steps of a pipeline then get what they were fitted on.
    """
    is_both = isinstance(X, torch.Tensor) and isinstance(output, np.ndarray)
    if is_both and get_config()["array_api_dispatch"]:
        return torch.from_numpy(output).to(X.device)
    return output


def _sequence(X, name):
    """Return a sequence of any class, or raise an error about what is none."""
    narwhals_frame(X, name)
    found = type(X).__name__
    remedy = next((remedy for kinds, remedy in _REMEDIES if isinstance(X, kinds)), None)
    if remedy is None and isinstance(X, Sequence):
        return np.asarray(X) if isinstance(X, memoryview) else _without_tensors(list(X), name)
    if remedy is None:
        remedy = _UNGROUP if found.endswith("GroupBy") else _OTHERS
    what = "None" if X is None else f"of type {found}"
    which = f", {X!r:.60}" if isinstance(X, (str, bytes, os.PathLike)) else ""
    raise TypeError(f"{name} is {what}{which}. {remedy.format(name, _READ)}")


def refuse_names(X, name="X"):
    """Raise an error about a list of texts, paths or records where samples are to be read."""
    if not isinstance(X, _LISTS) or not np.iterable(X) or not len(X):
        return
    first = X[0]
    if isinstance(first, (str, bytes, os.PathLike)):
        raise ValueError(
            f"{name} is a list of {type(first).__name__}, {first!r:.60} first, and samples are "
            "needed. If these are paths of files, read the files first, and give an array of what "
            "is in them."
        )
    if isinstance(first, Mapping):
        raise ValueError(
            f"{name} is a list of {type(first).__name__}: give a table, such as "
            f"pandas.DataFrame({name})."
        )


def refuse_series(X, name):
    """Raise an error about one row or one column of a table, or about records."""
    if isinstance(X, np.ndarray):
        if X.dtype.names is not None:
            raise ValueError(f"{name} is an array of records. Give pandas.DataFrame({name}).")
    elif nw.dependencies.is_into_series(X):
        raise ValueError(
            f"{name} is a Series, one row or one column of a table. Give a table: of one row "
            f"frame.iloc[[0]], not frame.iloc[0]; of one column {name}.to_frame()."
        )


def _without_tensors(X, name):
    """Return a list, tuple or array of objects with arrays in place of tensors."""
    if not _holds_tensors(X):
        return X
    kind = tuple if isinstance(X, tuple) else list
    return kind(
        as_data(x, f"{name}[{i}]") if isinstance(x, (torch.Tensor, list, tuple)) else x
        for i, x in enumerate(X)
    )


def _holds_tensors(X):
    first = X
    while isinstance(first, (list, tuple)) and first:  # rows of lists are all of one kind
        first = first[0]
    return isinstance(first, torch.Tensor) or any(isinstance(x, torch.Tensor) for x in X)


def _from_tensor(X, name):
    if X.is_nested or X.layout != torch.strided:
        raise TypeError(f"{name} is a nested or sparse tensor: give dense ones, or a list of them")
    if X.is_meta:
        raise TypeError(f"{name} is a tensor on the device meta, which has no values")
    X = X.dequantize() if X.is_quantized else X
    try:
        return X.numpy(force=True)
    except TypeError:  # bfloat16, and others that NumPy does not have
        return X.float().numpy(force=True)

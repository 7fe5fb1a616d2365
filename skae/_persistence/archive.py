"""The file of a model: a zip archive without compression, read with limits."""

import io
import os
import re
import zipfile
from math import prod

import numpy as np

from skae._data.archive import replacing, write
from skae._persistence.errors import FileError

__all__ = ["array_header", "check_path", "check_sizes", "read", "replacing", "write"]

#: Names of the members that a file can have.
MEMBERS = re.compile(r"model\.json|weights\.safetensors|arrays/\d+\.npy|sklearn/\d+\.skops")

#: How much larger than an archive inside a file its members can be, and what is never too large.
MAX_RATIO, NEVER_TOO_LARGE = 100, 2**24

NOT_A_FILE = (
    "is not a file of skae.save. If it is a pickle, load it with joblib or pickle, but only if "
    "you trust who made it: it can run any code."
)


def check_path(path):
    """Raise a TypeError if a path is not the name of a file."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path must be the name of a file, a str or Path; got {path!r}.")


def read(path):
    """Return the members of a file, whose sizes together are at most that of the file.

    Parameters
    ----------
    path : str or PathLike

    Returns
    -------
    dict of str to bytes

    Raises
    ------
    OSError
        If the file does not exist or cannot be read.
    FileError
        If it is damaged or something else.
    """
    with open(path, "rb") as file:
        is_ours = re.match(rb"PK\x03\x04.{26}model\.json", file.read(40), re.DOTALL)
        try:
            with zipfile.ZipFile(file) as archive:
                return _checked_members(archive, file.seek(0, os.SEEK_END))
        except Exception as error:  # zipfile raises errors of many types
            if not is_ours:
                raise FileError(NOT_A_FILE) from error
            raise FileError(f"is damaged or cut off: {error} Copy it again.") from error


def _checked_members(archive, size):
    """Return what an archive holds, if it is what ``write`` makes."""
    infos = archive.infolist()
    names = [info.filename for info in infos]
    strange = [name for name in names if not MEMBERS.fullmatch(name)]
    if strange:
        raise FileError(f"It has a member {strange[0]!r}.")
    if len(set(names)) < len(names):
        raise FileError("It has two members of one name.")
    if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
        raise FileError("Its members are compressed.")
    if sum(info.file_size for info in infos) > size:
        raise FileError("Its members are larger than the file.")
    return {name: archive.read(name) for name in names}


def check_sizes(data):
    """Check an archive inside a file, and those inside of it: they may be compressed.

    Parameters
    ----------
    data : bytes

    Raises
    ------
    FileError
        If what is compressed is much larger than it looks.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
        if sum(info.file_size for info in infos) > max(MAX_RATIO * len(data), NEVER_TOO_LARGE):
            raise FileError("is damaged: an archive in it is larger than it could be.")
        for info in infos:
            if info.filename.endswith((".npz", ".zip")):
                check_sizes(archive.read(info))
            if info.filename.endswith(".npy"):
                array_header(archive.read(info))


def array_header(content):
    """Return what a file of NumPy says about its array, which has to be as large as it says.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    shape : tuple of int
    is_fortran : bool
    dtype : np.dtype
    start : int
        Where the numbers begin.

    Raises
    ------
    FileError
        If the array has another size, or holds objects.
    """
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise FileError("is damaged: an array is of an unknown format.")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject or prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise FileError("is damaged: an array is not as large as it should be.")
    return shape, is_fortran, dtype, file.tell()

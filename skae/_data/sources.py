"""Tables that may be larger than memory: files, folders, lazy frames, chunks."""

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import joblib
import narwhals as nw
import numpy as np
import pyarrow as pa
from torch.utils import data

from skae._data.collections import batches, is_one_table, loaders
from skae._data.file_parts import Chunk, CsvPart, ParquetPart, Part
from skae._data.frames import narwhals_frame

#: What a folder of files may hold beside them, as Spark and others write it.
HIDDEN = (".", "_")

#: By the ending of a file's name.
FILES = {".parquet": ParquetPart, ".pq": ParquetPart, ".csv": CsvPart, ".csv.gz": CsvPart}


class LazyPart(Part):
    """A lazy frame of polars.

    Parameters
    ----------
    frame : pl.LazyFrame
    """

    name, title = "part-00000", "the LazyFrame"

    def __init__(self, frame):
        self._frame, self.names = frame, frame.collect_schema().names()

    def identity(self):
        """Return None: the same query can have other rows."""
        return

    def without_rows(self, columns):
        """Return some of its columns as a DataFrame of polars."""
        return self._frame.select(columns).limit(0).collect()

    def chunks(self, columns, keep, n_rows):
        """Yield its rows as chunks of polars."""
        frame = self._frame.select(list(dict.fromkeys([*columns, *keep])))
        empty = True
        for rows in frame.collect_batches(chunk_size=n_rows, maintain_order=True):
            for part in rows.iter_slices(n_rows):
                empty = False
                yield Chunk(part.select(columns), part.select(keep).to_arrow())
        if empty:
            rows = frame.limit(0).collect()
            yield Chunk(rows.select(columns), rows.select(keep).to_arrow())


class ChunkPart(Part):
    """A chunk of rows that is in memory.

    Parameters
    ----------
    X : DataFrame or ndarray
    number : int
    """

    def __init__(self, X, number):
        self.name, self.title = f"part-{number:05}", f"chunk {number}"
        self._frame = narwhals_frame(X, self.title)
        self._X = X if self._frame is not None else np.asarray(X)
        if len(self._X.shape) != 2:
            raise ValueError(
                f"{self.title} of source is no table but of the type {type(X).__name__}. Give "
                "DataFrames, or arrays of two axes."
            )
        self.names = None if self._frame is None else self._frame.columns

    def identity(self):
        """Return a digest of its values."""
        return {"content": joblib.hash(self._X)}

    def chunks(self, columns, keep, n_rows):
        """Yield the one chunk."""
        if self._frame is None:
            yield Chunk(self._X, pa.table({}))
            return
        yield Chunk(self._frame.select(columns).to_native(), arrow_table(self._frame.select(keep)))


def arrow_table(frame, preserve_index=None):
    """Return a DataFrame of narwhals as a table of Arrow.

    Parameters
    ----------
    frame : nw.DataFrame
    preserve_index : bool or None, default=None
        Whether an index of pandas becomes columns. None keeps a range without them.
    """
    if not frame.implementation.is_pandas():
        return frame.to_arrow()
    return pa.Table.from_pandas(frame.to_native(), preserve_index=preserve_index)


@dataclass
class Source:
    """What tables are read from.

    Parameters
    ----------
    parts : iterable of Part
    root : Path or None, default=None
        The folder that files were searched in.
    is_single : bool, default=False
        Whether it is one file or one query.
    """

    parts: Iterable
    root: Path | None = None
    is_single: bool = False


def open_source(source):
    """Return a source of tables.

    Parameters
    ----------
    source : object
        As of `apply_to_files`.

    Raises
    ------
    FileNotFoundError
        If there are no such files.
    TypeError, ValueError
        If it is something else.
    """
    if isinstance(source, (str, os.PathLike)):
        return _source_of_path(Path(source))
    if isinstance(source, (list, tuple)) and source and isinstance(source[0], (str, os.PathLike)):
        return Source([_file_part(Path(path), Path(path).name) for path in source])
    if nw.dependencies.is_polars_lazyframe(source):
        return Source([LazyPart(source)], is_single=True)
    return Source(ChunkPart(X, number) for number, X in enumerate(_chunks(source)))


def _chunks(source):
    """Return an iterable of tables that are in memory."""
    if (found := loaders(source)) is not None:
        return (load() for _, load in found)
    if isinstance(source, (data.DataLoader, data.IterableDataset)):
        return batches(source)
    source = source() if callable(source) and not isinstance(source, Iterable) else source
    if not isinstance(source, Iterable) or is_one_table(source):
        raise TypeError(
            "source must be a file, a folder, a pattern, a LazyFrame of polars, a collection of "
            "Dask, a Dataset or a DataLoader of torch, or an iterable of tables; got "
            f"{type(source).__name__}. Call the method of the estimator for one table in memory."
        )
    return source


def _source_of_path(path):
    if path.is_dir():
        found = [one for one in sorted(path.rglob("*")) if _is_data(one, path)]
        if not found:
            raise FileNotFoundError(f"The folder {str(path)!r} holds none of {_endings()} files.")
        return Source([_file_part(one, one.relative_to(path)) for one in found], path)
    if path.exists() or not glob.has_magic(str(path)):
        if not path.exists():
            raise FileNotFoundError(f"source names {str(path)!r}, which does not exist.")
        return Source([_file_part(path, path.name)], is_single=True)
    found = [Path(one) for one in sorted(glob.glob(str(path), recursive=True))]
    found = [one for one in found if one.is_file()]
    if not found:
        raise FileNotFoundError(f"No file matches the pattern {str(path)!r} of source.")
    magic = next(i for i, part in enumerate(path.parts) if glob.has_magic(part))
    root = Path(*path.parts[:magic])
    return Source([_file_part(one, one.relative_to(root)) for one in found], root)


def _is_data(path, root):
    parts = path.relative_to(root).parts
    return path.is_file() and _ending(path) and not any(one.startswith(HIDDEN) for one in parts)


def _ending(path):
    return next((one for one in FILES if path.name.lower().endswith(one)), None)


def _endings():
    return ", ".join(FILES)


def _file_part(path, name):
    ending = _ending(path)
    if not path.is_file():
        raise FileNotFoundError(f"source names {str(path)!r}, which is no file.")
    if ending is None:
        raise ValueError(f"{str(path)!r} is of an unknown kind. Files end in {_endings()}.")
    return FILES[ending](path, str(name)[: -len(ending)])

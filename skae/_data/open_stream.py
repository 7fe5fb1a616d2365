"""What users give as a source of samples, as a stream."""

import os
from collections.abc import Iterable, Iterator
from functools import partial

import narwhals as nw
from torch.utils import data

from skae._data.chunk_stream import ChunkStream, PartStream, SequentialStream
from skae._data.collections import batches, is_one_table, loaders
from skae._data.column_kinds import ColumnKinds
from skae.exceptions import missing

#: Files, or parts of them, that are read by turns when they come in a random order.
N_OPEN = 8


def open_stream(source, columns=None):
    """Return a stream of the samples of a source.

    Parameters
    ----------
    source : object
        As of ``fit_batches``, or a stream, which is returned.
    columns : list of str or None, default=None
        Names of the columns of tables to take, in this order. None is all.

    Returns
    -------
    ChunkStream

    Raises
    ------
    FileNotFoundError
        If there are no such files.
    ImportError
        If pyarrow is not installed, but needed.
    TypeError, ValueError
        If the source is something else, or can be gone through only once.
    """
    if isinstance(source, ChunkStream):
        return source
    columns = names_of_columns(columns)
    if columns == []:
        raise ValueError("columns is empty. Name the columns to train on, or give None for all.")
    if is_of_files(source):
        parts = _parts_of_files(source, columns)
        return PartStream(parts, columns, N_OPEN, is_constant=True)
    if (found := loaders(source)) is not None:
        return PartStream([(name, partial(_loaded, load)) for name, load in found], columns)
    if isinstance(source, (data.DataLoader, data.IterableDataset)):
        return SequentialStream(partial(batches, source), columns)
    if callable(source) and not isinstance(source, Iterable):
        return SequentialStream(partial(_returned, source), columns)
    _check_repeatable(source)
    return SequentialStream(lambda: source, columns)


def names_of_columns(names, parameter="columns"):
    """Return names of columns as a list, or None; raise an error if they are something else."""
    if names is None:
        return None
    names = names if isinstance(names, str) else list(names)
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{parameter} must be a list of names of columns, got {names!r}.")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{parameter} names {twice} more than once.")
    return names


def is_of_files(source):
    """Say whether a source is read by pyarrow or polars: files, or a lazy frame of polars."""
    if isinstance(source, (list, tuple)):
        are_paths = {isinstance(one, (str, os.PathLike)) for one in source}
        if len(are_paths) == 2:
            raise TypeError("source is a list of files and of something else. Give one of them.")
        return are_paths == {True}
    return isinstance(source, (str, os.PathLike)) or nw.dependencies.is_polars_lazyframe(source)


def open_tables(source):
    """Return the `Source` that tables are read from, as `skae._data.sources` opens it.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    """
    try:
        from skae._data.sources import open_source
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0] != "pyarrow":
            raise
        raise missing("pyarrow", "files") from error
    return open_source(source)


def _parts_of_files(source, columns):
    """Return the parts of files that can be read in any order; raise an error if they differ."""
    pieces, kinds = [], ColumnKinds(columns)
    for part in open_tables(source).parts:
        wanted = columns or [name for name in part.names if name not in part.index_names]
        lacking = [name for name in wanted if name not in part.names]
        if lacking:
            raise ValueError(f"{part.title} lacks the columns {lacking}. It has {part.names[:20]}.")
        if twice := sorted({name for name in wanted if part.names.count(name) > 1}):
            raise ValueError(f"{part.title} has more than one column of the name {twice}.")
        kinds.aligned(part.without_rows(wanted), part.title)
        pieces += [(piece.title, partial(_read, piece, wanted)) for piece in part.pieces()]
    return pieces


def _read(piece, columns, n_rows):
    return (chunk.X for chunk in piece.chunks(columns, [], n_rows))


def _loaded(load, n_rows):
    del n_rows  # it is loaded as a whole
    yield load()


def _returned(function):
    """Return what a function of the user returns, if it can be gone through."""
    chunks = function()
    if isinstance(chunks, Iterable) and not is_one_table(chunks):
        return chunks
    raise TypeError(
        f"source is a function that returned {type(chunks).__name__}. Let it return an iterable of "
        "chunks: DataFrames, arrays, or lists of samples."
    )


def _check_repeatable(source):
    if isinstance(source, Iterator):
        raise ValueError(
            f"source is a {type(source).__name__}, which can be gone through only once, but "
            "training takes several passes. Give a function that returns a new one at each call, "
            "such as lambda: read_chunks()."
        )
    if not isinstance(source, Iterable) or is_one_table(source):
        raise TypeError(
            "source must be files, a LazyFrame of polars, a collection of Dask, a Dataset or a "
            "DataLoader of torch, a function that returns an iterable of chunks, or such an "
            f"iterable that can be repeated; got {type(source).__name__}. Call fit for samples "
            "that are in memory."
        )

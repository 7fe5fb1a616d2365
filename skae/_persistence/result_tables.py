"""What methods of estimators return as tables of Arrow, and such tables as Parquet files."""

import glob
import json
import os
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from skae._data.frames import narwhals_frame
from skae._data.sources import arrow_table
from skae._persistence import archive
from skae._persistence.applied_method import LIKE_INPUT

#: Where a file says what its results are of.
NOTE = b"skae"


def result_table(method, X, columns):
    """Return what a method returns for a chunk of rows as a table.

    Parameters
    ----------
    method : AppliedMethod
    X : DataFrame or ndarray
    columns : list of str or None
        Names of the columns of X.

    Raises
    ------
    ValueError
        If the method has no row for each row of X.
    """
    if not len(X):
        return _empty_table(method, X, columns)
    result = method.apply(X)
    frame = narwhals_frame(result, f"What {method.name} returns")
    if frame is None:
        result = result.toarray() if sparse.issparse(result) else np.asarray(result)
    shape = result.shape if frame is None else frame.shape
    if len(shape) not in (1, 2) or shape[0] != len(X):
        raise ValueError(
            f"{method.name} has to return one row or number for each row. It returned an array of "
            f"shape {shape} for {len(X)} rows."
        )
    if frame is not None:
        return arrow_table(frame, preserve_index=False)
    values = [result] if result.ndim == 1 else list(result.T)
    values = [pa.array(np.ascontiguousarray(column)) for column in values]
    return pa.Table.from_arrays(values, names=method.column_names(len(values), columns))


def _empty_table(method, X, columns):
    frame = narwhals_frame(X)
    if method.name in LIKE_INPUT and frame is not None:
        return arrow_table(frame, preserve_index=False)
    return pa.table(method.empty_columns(columns))


def joined(result, others):
    """Return results between the columns that are kept and those of the index.

    Parameters
    ----------
    result, others : pa.Table

    Raises
    ------
    ValueError
        If a column is twice among them.
    """
    both = [name for name in result.column_names if name in others.column_names]
    if both:
        raise ValueError(
            f"The results have columns {both}, and so have keep or the index. Rename columns of "
            "the input, or leave them out of keep."
        )
    given, made = others.schema.pandas_metadata, result.schema.pandas_metadata
    index = (given or {}).get("index_columns", [])
    last = [name for name in index if isinstance(name, str)]
    if not {*last} <= {*others.column_names}:  # a table of Arrow, whose index is a column to it
        index, last = [], []
    kept = [name for name in others.column_names if name not in last]
    parts = [others.select(kept), result, others.select(last)]
    table = pa.table({name: part[name] for part in parts for name in part.column_names})
    if not (given or made):
        return table
    known = [one for one in (given or {}).get("columns", []) if one["field_name"] in kept + last]
    entries = known + (made or {}).get("columns", [])
    facts = {"index_columns": index, "column_indexes": [], "columns": entries}
    return table.replace_schema_metadata({b"pandas": json.dumps((given or made) | facts)})


def write(path, tables, note):
    """Write tables to a Parquet file, which is there only once it is complete.

    Parameters
    ----------
    path : Path
    tables : iterator of pa.Table
        At least one.
    note : dict
        What the results are of.

    Raises
    ------
    ValueError
        If the types of columns change from a table to the next.
    OSError
        If the file cannot be written.
    """
    first = next(tables)
    schema = _schema(first.schema, note)
    path = Path(os.path.realpath(path))
    for left in path.parent.glob(f".{glob.escape(path.name)}.????????"):
        left.unlink(missing_ok=True)  # of a process that was killed
    with archive.replacing(path) as file:
        try:
            with pq.ParquetWriter(file, schema) as writer:
                for table in chain([first], tables):
                    writer.write_table(_cast(table, schema))
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:
            what = f"The results cannot be written ({error}). Is the disk full?"
            raise OSError(error.errno, what, str(path)) from error


def read_note(path):
    """Return what a file says that its results are of, or None if it is none of ``write``."""
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (pa.ArrowException, OSError):
        return None
    return json.loads(metadata[NOTE]) if NOTE in metadata else None


def _schema(schema, note):
    """Return a schema that holds the categories of all tables, and a note."""
    for i, field in enumerate(schema):
        if pa.types.is_dictionary(field.type):
            wide = pa.dictionary(pa.int32(), field.type.value_type, field.type.ordered)
            schema = schema.set(i, field.with_type(wide))
    return schema.with_metadata((schema.metadata or {}) | {NOTE: json.dumps(note).encode()})


def _cast(table, schema):
    try:
        return table.cast(schema)
    except (pa.ArrowException, ValueError) as error:
        raise ValueError(
            f"The results have columns of other types than those of the first rows: {error} Give "
            "the columns of the input one type, such as floats for numbers with missing ones."
        ) from error

"""Files of tables, read in chunks of rows as DataFrames of pandas."""

import json
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

#: Bytes of a CSV file that are read at once. The first ones give the types of its columns.
CSV_BLOCK = 2**24

#: Bytes of a column of a Parquet file that are read at once. Else it is all of a row group.
PARQUET_BUFFER = 2**18


@dataclass
class Chunk:
    """Some rows of a part.

    Parameters
    ----------
    X : DataFrame or ndarray
        The columns for an estimator.
    others : pa.Table
        The columns to keep, and those of the index.
    """

    X: object
    others: pa.Table


class Part:
    """The base of what a source is made of: a file, a query or a chunk.

    Attributes
    ----------
    name : str
        For a file that is made of it, without an ending.
    title : str
        How errors call it.
    path : Path or None
        Of its file.
    names : list of str or None
        Of its columns. None for an array.
    index_names : list of str
        Those that are the index of a DataFrame of pandas.
    """

    path, index_names = None, ()

    def identity(self):
        """Return a dict of what tells that it has changed, or None where nothing tells it."""
        raise NotImplementedError

    def pieces(self):
        """Return the parts of it that can be read without those before: by default, the whole."""
        return [self]

    def without_rows(self, columns):
        """Return some of its columns as a DataFrame without rows, which tells their types."""
        raise NotImplementedError

    def chunks(self, columns, keep, n_rows):
        """Yield its rows as chunks, at least one, in their order.

        Parameters
        ----------
        columns : list of str or None
            For an estimator. None for an array.
        keep : list of str
        n_rows : int
            Of a chunk, at most, where the part can be read in pieces.

        Raises
        ------
        ValueError
            If the rows cannot be read.
        """
        raise NotImplementedError


class FilePart(Part):
    """The base of files, whose chunks are DataFrames of pandas.

    Parameters
    ----------
    path : Path
    name : str
    """

    kind = ""

    def __init__(self, path, name):
        self.path, self.name, self.title = path, name, repr(str(path))
        self._nullables = {}

    def identity(self):
        """Return its size and when it was changed."""
        stat = self.path.stat()
        return {"size": stat.st_size, "changed": stat.st_mtime_ns}

    @cached_property
    def schema(self):
        """The names and types of its columns."""
        with self._reading():
            return self._schema()

    @property
    def names(self):
        """Names of its columns."""
        return self.schema.names

    @property
    def index_names(self):
        """Names of the columns that are the index."""
        index = (self.schema.pandas_metadata or {}).get("index_columns", [])
        return [name for name in index if isinstance(name, str)]

    def chunks(self, columns, keep, n_rows):
        """Yield its rows as chunks."""
        others = list(dict.fromkeys([*keep, *self.index_names]))
        names = list(dict.fromkeys([*columns, *others]))
        empty = True
        with self._reading():
            nullable = self._known_nullable(columns)
            for batch in self._batches(names, n_rows):
                table = pa.Table.from_batches([batch]).replace_schema_metadata(self.schema.metadata)
                empty = False
                yield Chunk(_frame_of(table.select(columns), nullable), table.select(others))
        if empty:
            table = self.schema.empty_table()
            yield Chunk(_frame_of(table.select(columns), ()), table.select(others))

    def without_rows(self, columns):
        """Return some of its columns as a DataFrame of pyarrow."""
        return self.schema.empty_table().select(columns)

    def _known_nullable(self, columns):
        """Return which columns have missing cells, of those whose types in NumPy have none."""
        types = {name: self.schema.field(name).type for name in columns}
        names = (n for n, t in types.items() if pa.types.is_integer(t) or pa.types.is_boolean(t))
        new = [name for name in names if name not in self._nullables]
        found = self._nullable(new)
        self._nullables |= {name: name in found for name in new}
        return {name for name in columns if self._nullables.get(name)}

    @contextmanager
    def _reading(self):
        try:
            yield
        except (FileNotFoundError, PermissionError):
            raise
        except (pa.ArrowException, OSError) as error:
            what = " ".join(str(error).split())
            raise ValueError(
                f"{self.title} cannot be read as a {self.kind} file: {what} Make the file "
                "again, or leave it out."
            ) from error

    def _schema(self):
        raise NotImplementedError

    def _nullable(self, names):
        """Return which of some columns have missing cells anywhere in the file."""
        raise NotImplementedError

    def _batches(self, names, n_rows):
        raise NotImplementedError


class ParquetPart(FilePart):
    """A Parquet file, or a row group of it.

    Parameters
    ----------
    path : Path
    name : str
    row_group : int or None, default=None
        None is the whole file.
    """

    kind = "Parquet"

    def __init__(self, path, name, row_group=None):
        super().__init__(path, name)
        self._row_groups = None if row_group is None else [row_group]

    def pieces(self):
        """Return its row groups."""
        with self._reading():
            n_groups = pq.read_metadata(self.path).num_row_groups
        if n_groups < 2:
            return [self]
        pieces = [ParquetPart(self.path, self.name, i) for i in range(n_groups)]
        for i, piece in enumerate(pieces):
            piece.title = f"row group {i} of {self.title}"
            piece.schema = self.schema
        return pieces

    def _schema(self):
        return pq.read_schema(self.path)

    def _nullable(self, names):
        metadata = pq.read_metadata(self.path)
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        columns = [group.column(i) for group in groups for i in range(group.num_columns)]
        known = {column.path_in_schema for column in columns} & set(names)
        return {c.path_in_schema for c in columns if c.path_in_schema in known and _may_miss(c)}

    def _batches(self, names, n_rows):
        with pq.ParquetFile(self.path, pre_buffer=False, buffer_size=PARQUET_BUFFER) as file:
            yield from file.iter_batches(n_rows, self._row_groups, names)


class CsvPart(FilePart):
    """A CSV file, whose first line names the columns."""

    kind = "CSV"

    def _open(self, names=None):
        return pa_csv.open_csv(
            self.path,
            pa_csv.ReadOptions(block_size=CSV_BLOCK),
            convert_options=pa_csv.ConvertOptions(
                strings_can_be_null=True, include_columns=names or []
            ),
        )

    def _schema(self):
        with self._open() as reader:
            return reader.schema

    def _nullable(self, names):
        found = set()
        if names:
            with self._open(names) as reader:
                for batch in reader:
                    found |= {name for name in names if batch.column(name).null_count}
        return found

    def _batches(self, names, n_rows):
        with self._open(names) as reader:
            for batch in reader:
                for start in range(0, len(batch), n_rows):
                    yield batch.slice(start, n_rows)


def _may_miss(column):
    """Say whether a column of a row group may have missing cells, as its statistics tell."""
    statistics = column.statistics
    return statistics is None or not statistics.has_null_count or statistics.null_count > 0


def _frame_of(table, nullable):
    """Return a table as pandas has it, with types that are those of the whole file."""
    metadata = dict(table.schema.metadata or {})
    if b"pandas" in metadata:
        pandas = json.loads(metadata[b"pandas"]) | {"index_columns": []}
        metadata[b"pandas"] = json.dumps(pandas).encode()
    frame = table.replace_schema_metadata(metadata).to_pandas()
    wider = {"i": np.float64, "u": np.float64, "b": object}
    types = {
        name: wider[dtype.kind]
        for name, dtype in frame.dtypes.items()
        if str(name) in nullable and isinstance(dtype, np.dtype) and dtype.kind in wider
    }
    return frame.astype(types) if types else frame

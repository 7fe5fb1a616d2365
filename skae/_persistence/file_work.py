"""The work on each part of a source: which columns, what is there already, and the results."""

from skae._persistence.digest import digest_of
from skae._persistence.result_tables import joined, read_note, result_table, write

#: Cells of a chunk, and its rows.
N_CELLS, MIN_ROWS, MAX_ROWS = 2**22, 2**8, 2**16

#: What errors say of a note in a file of results that is another one.
DIFFERENCES = {
    "estimator": "of another estimator, or of another fit",
    "method": "of another method",
    "columns": "of other columns",
    "keep": "with other columns of keep",
    "input": "of another input, or of one that has changed",
}


class FileWork:
    """Applies a method to parts of a source, and writes what it returns.

    Parameters
    ----------
    method : AppliedMethod
    columns : list of str or None
    keep : list of str
    chunk_rows : int or "auto"
    overwrite : bool
    """

    def __init__(self, method, columns, keep, chunk_rows, overwrite):
        self._method, self._columns, self._keep = method, columns, keep
        self._chunk_rows, self._overwrite = chunk_rows, overwrite
        digest = digest_of(method.estimator)
        self._note = {"estimator": digest, "method": method.name, "columns": columns, "keep": keep}

    def do(self, part, path, bar):
        """Write the results of a part, unless they are there.

        Parameters
        ----------
        part : Part
        path : Path
        bar : tqdm
            Shows the number of rows.

        Raises
        ------
        ValueError
            If there is something else at the path, or the part does not suit the estimator.
        OSError
            If the file cannot be written.
        """
        note = self._note | {"input": part.identity()}
        difference = _difference(read_note(path), note) if path.exists() else "missing"
        if difference and path.exists() and not self._overwrite:
            raise ValueError(
                f"{str(path)!r} exists, and {difference}. Set overwrite=True to replace it, or "
                "choose another output."
            )
        if difference:
            write(path, self._tables(part, bar), note)

    def _tables(self, part, bar):
        """Yield the results of a part, a chunk at a time."""
        columns, start = self._columns_of(part), 0
        for chunk in part.chunks(columns, self._keep, self._n_rows(columns)):
            stop = start + len(chunk.X)
            try:
                table = joined(result_table(self._method, chunk.X, columns), chunk.others)
            except (ValueError, TypeError) as error:
                kind = TypeError if isinstance(error, TypeError) else ValueError
                where = f"In rows {start} to {max(start, stop - 1)} of {part.title}"
                raise kind(f"{where}: {error}") from error
            yield table
            start = stop
            bar.set_postfix_str(f"{start:,} rows of {part.title}")

    def _columns_of(self, part):
        """Return which columns of a part the estimator gets, or None for an array."""
        if part.names is None:
            if self._keep or self._columns:
                raise ValueError(
                    f"{part.title} is an array, whose columns have no names for columns and keep. "
                    "Give DataFrames."
                )
            return None
        columns = self._columns or self._method.fitted_columns
        if columns is None:
            others = {*self._keep, *part.index_names}
            columns = [name for name in part.names if name not in others]
        twice = {name for name in part.names if part.names.count(name) > 1}
        if twice & {*columns, *self._keep}:
            raise ValueError(f"{part.title} has more than one column of the name {sorted(twice)}.")
        missing = [name for name in [*columns, *self._keep] if name not in part.names]
        if missing:
            raise ValueError(
                f"{part.title} lacks the columns {missing}. It has {list(part.names)[:20]}."
            )
        return columns

    def _n_rows(self, columns):
        if self._chunk_rows != "auto":
            return self._chunk_rows
        return max(MIN_ROWS, min(MAX_ROWS, N_CELLS // max(1, len(columns or []))))


def _difference(old, new):
    """Return what errors say of results that are other ones than those wanted, or None."""
    if old is None:
        return "has no results of this function"
    differing = [name for name in DIFFERENCES if old.get(name) != new[name]]
    if differing:
        return f"holds results {DIFFERENCES[differing[0]]}"
    if new["input"] is None:
        return "nothing tells whether the source still has the same rows"
    return None

"""Methods of fitted estimators, applied to tables that are larger than memory."""

import os
from numbers import Integral
from pathlib import Path

from skae._data.open_stream import names_of_columns, open_tables
from skae._persistence.applied_method import AppliedMethod
from skae._training.progress import progress_bar


def apply_to_files(
    estimator,
    source,
    output,
    *,
    method="score_samples",
    columns=None,
    keep=None,
    chunk_rows="auto",
    overwrite=False,
    verbose=0,
):
    """Apply a fitted estimator to tables that are larger than memory.

    The results are those that the method has for the whole table, to rounding. They become Parquet
    files with the index of the rows. Only one chunk of rows is in memory at a time.

    Each file is written under another name and gets its own when it is complete. If the process is
    stopped, call the function again: it continues with the first file that is not complete.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator for tables: of skae, of scikit-learn, or anyone's. It has to treat each
        row by itself, which `SeriesOutlierDetector` does not.
    source : str, PathLike, list of such, LazyFrame, Dask collection, torch Dataset or \
            DataLoader, callable or iterable of tables
        Where the rows are: a Parquet or CSV file, a folder of such files and all folders in it, or
        a pattern such as ``"data/2026-*.parquet"``; a LazyFrame of polars; a DataFrame or an array
        of Dask; a Dataset or a DataLoader of torch, of whose tuples the first part is taken. An
        iterable, or what a function returns, gives one DataFrame or array after the other.
    output : str or PathLike
        A folder, which is created. It gets one Parquet file for each file of the source, under the
        same name, and ``part-00000.parquet`` and so on for all other sources. If the
        source is one file or a LazyFrame, it can also be the name of a file that ends in
        ``.parquet``.
    method : {"score_samples", "transform", "decision_function", "p_value", "predict", \
            "predict_proba", "reconstruct", "impute"}, default="score_samples"
        The method to apply. Scores become a column ``"score"``, labels ``"label"``, predictions of
        a regressor ``"prediction"``. Columns of ``transform`` are named by
        ``get_feature_names_out``, and those of ``reconstruct`` and ``impute`` are as in the input.
    columns : list of str or None, default=None
        The columns that the estimator gets, in this order. None is those that it was fitted on, or
        if they had no names, all that are neither in ``keep`` nor in the index.
    keep : list of str or None, default=None
        Columns to write beside the results, such as an id.
    chunk_rows : int or "auto", default="auto"
        The number of rows in memory. ``"auto"`` is 65,536, and less for more than 64 columns.
    overwrite : bool, default=False
        Whether to replace files of the output that are something else: results of another
        estimator, method or input. Complete results of the same are kept in any case.
    verbose : int, default=0
        1 shows a progress bar, and 0 shows nothing.

    Returns
    -------
    list of Path
        The files of the output, those that were complete before included.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If a file is damaged, lacks a column, or holds values that the estimator refuses; if there
        is no such method, or it does not return one row for each row; if the output has files of
        something else, or lies in the folder of the source.
    OSError
        If there is no such source, or the output cannot be written.
    TypeError
        If ``source`` is a table in memory, or nothing that can be read.
    ImportError
        If pyarrow is not installed.

    See Also
    --------
    load : Load a model that was saved, in each process that applies it.

    Notes
    -----
    A file of the output says in its metadata what its results are of: a digest of the parameters
    and the fitted state of the estimator, and the size and time of the input. An estimator that is
    fitted again is another one. A LazyFrame tells nothing of its rows, so that ``overwrite`` has
    to be set to apply a method to it again.

    Types of columns in CSV files are those of their first 16 MB. Dates such as 2026-12-01 are read
    as dates.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import pandas as pd
    >>> from sklearn.datasets import load_iris
    >>> from skae import Autoencoder, apply_to_files
    >>> X = load_iris(as_frame=True).data
    >>> model = Autoencoder(2, max_epochs=5, random_state=0, check_baseline=False).fit(X)
    >>> with TemporaryDirectory() as folder:
    ...     rows, codes = Path(folder, "rows.parquet"), Path(folder, "codes.parquet")
    ...     X.to_parquet(rows)
    ...     written = apply_to_files(model, rows, codes, method="transform", chunk_rows=50)
    ...     table = pd.read_parquet(codes)
    >>> table.shape, list(table.columns)
    ((150, 2), ['autoencoder0', 'autoencoder1'])
    """
    method = AppliedMethod(estimator, method)
    columns, keep = names_of_columns(columns), names_of_columns(keep, "keep") or []
    if chunk_rows != "auto" and not (isinstance(chunk_rows, Integral) and chunk_rows >= 1):
        raise ValueError(f'chunk_rows must be "auto" or an int of at least 1, got {chunk_rows!r}.')
    source = open_tables(source)
    from skae._persistence.file_work import FileWork  # it needs pyarrow, too

    work = FileWork(method, columns, keep, chunk_rows, overwrite)
    return _apply(work, source, _places(source, output), verbose)


def _apply(work, source, place, verbose):
    """Do the work on each part of a source, and return the files that there are then."""
    titles = {}
    n_parts = len(source.parts) if isinstance(source.parts, list) else None
    with progress_bar(n_parts, "file", disable=not verbose) as bar:
        for part in source.parts:
            path = place(part)
            if path in titles:
                raise ValueError(
                    f"{titles[path]} and {part.title} would both become {str(path)!r}. Rename one "
                    "of them, or give them one at a time."
                )
            titles[path] = part.title
            work.do(part, path, bar)
            bar.update()
    return list(titles)


def _places(source, output):
    """Return a function that says which file the results of a part go to."""
    if not isinstance(output, (str, os.PathLike)):
        raise TypeError(f"output must be the name of a folder or file, got {output!r}.")
    output = Path(output)
    is_file = output.name.lower().endswith(".parquet") and not output.is_dir()
    if is_file and not source.is_single:
        raise ValueError(
            f"output is the file {str(output)!r}, but the source may be many. Name a folder."
        )
    if output.is_file() and not is_file:
        raise ValueError(f"output is {str(output)!r}, a file. Name a folder, or a .parquet file.")
    if source.root is not None and output.resolve().is_relative_to(source.root.resolve()):
        raise ValueError(
            f"output {str(output)!r} is in the folder of the source, {str(source.root)!r}: results "
            "would be read as rows the next time. Name a folder outside of it."
        )

    def place(part):
        path = output if is_file else output / f"{part.name}.parquet"
        if part.path is not None and path.resolve() == part.path.resolve():
            raise ValueError(f"The results would replace the input {part.title}. Change output.")
        if not is_file:
            path.parent.mkdir(parents=True, exist_ok=True)
        return path

    return place

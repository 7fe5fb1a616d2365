"""Docstrings of inherited methods, in the words of the data that an estimator takes.

The methods of `FittedAutoencoder` and `BaseAutoencoder` serve arrays, images, sequences and
tables. Their docstrings hold marks, such as ``<X>``. `fill_method_docs` gives an estimator its
own copy of each such method, with the marks replaced.
"""

import inspect
import re
from copy import copy
from functools import update_wrapper
from types import FunctionType

#: By mark, the text for estimators of any kind of data.
ANY_KIND = {
    "<where>": "in which columns, pixels or steps",
    "<X>": "{array-like, sparse matrix} of shape (n_samples, n_features)",
    "<X_val>": "{array-like, sparse matrix} of shape (n_val, n_features)",
    "<X_incomplete>": "array-like, DataFrame or list of arrays",
    "<codes>": "{array-like, sparse matrix} of shape (n_samples, n_components)",
    "<samples>": "Samples, in one of the forms that ``fit`` takes.",
    "<training_samples>": """\
Training samples. Sparse input is made dense one batch at a time. What else X can be
depends on the architecture. For images it can be an array of shape (n_samples, ...),
see `ConvAutoencoder`; for sequences a list of arrays, see `RecurrentAutoencoder`; for
tables a DataFrame with text, dates and missing values, see `TabularAutoencoder`. This
holds for all methods.""",
    "<source>": "str, PathLike, list, LazyFrame, collection of Dask or torch, callable or iterable",
    "<where_samples_are>": """\
Where the samples are: a Parquet or CSV file, a folder, a pattern such as
``"data/*.parquet"``, or a list of files; a LazyFrame of polars; a DataFrame or an array
of Dask; a Dataset or a DataLoader of torch, of whose tuples the first part is taken; a
function that returns a new iterable of chunks at each call, or an iterable that can be
repeated, such as a list of chunks. A chunk is what ``fit`` takes.""",
    "<columns>": "Names of the columns to train on, in this order. None is all.",
    "<lengths>": """\
Only for sequences: the number of steps to decode, the same for all or one for each.
None predicts the lengths from the codes, as learned from the training sequences.""",
    "<output>": "ndarray, DataFrame or list of arrays",
    "<original>": """\
Reconstructed samples, in the form of the training samples. Images have their shape and
dtype. Sequences are in a list, or in an array padded with NaN if the training samples
were an array. Architectures for tables return a DataFrame if they were fitted on one.""",
    "<reconstructed>": """\
What the codes keep of the samples, in the units of X; a DataFrame if X is one. Images
have the shape and dtype of X: unsigned integers are rounded and clipped to their range.
Sequences are in a list if X is one, otherwise in an array padded with NaN as X is;
missing values in them are filled. Tables have the columns and dtypes of the training
rows, and missing values are filled.""",
    "<imputed>": """\
X with its missing values replaced by those of ``reconstruct``; all other values are
unchanged. The padding of sequences is not filled. Columns of a table that were wholly
missing in the training rows stay missing, and such features of sequences become about 0:
nothing is known of them, as a warning of ``fit`` says.""",
    "<errors>": """\
Squared differences, in squared units of X; a DataFrame if X is one. For images they have
the shape of X, and unsigned integers count as intensities from 0 to 1. For sequences
there is one for each step, in a list if X is one, and NaN where a value is missing. For
tables, numbers are in units of their standard deviation, and a column of categories has
the sum over the probabilities of its categories.""",
    "<losses>": """\
Losses of the values; a DataFrame if X is one, of the shape of X for images, a list for a
list of sequences, and NaN where a value is missing.""",
    "<scores>": """\
Minus the mean loss over the features of each sample. The higher, the more normal; the
lowest are outliers. For tables and sequences, the mean is over the values that are not
missing; it is 0 if all are missing.""",
    "<score>": """\
The score does not depend on the loss, so it can be compared with the fraction of variance
that PCA explains. For architectures for tables, it is the mean over the columns that vary;
the score of a column of categories is that of their probabilities.""",
}

#: What differs for estimators of one kind of data, by kind.
ONE_KIND = {
    "images": {
        "<where>": "in which pixels",
        "<X>": "array-like of shape (n_samples, ...) or list of images",
        "<X_val>": "array-like of shape (n_val, ...) or list of images",
        "<codes>": "array-like of shape (n_samples, n_components)",
        "<samples>": "Images or signals, in one of the forms that ``fit`` takes.",
        "<training_samples>": """\
Training images or signals: an array of shape (n_samples, height, width), (n_samples,
height, width, channels) or the like for signals, or flat rows with ``image_shape``. A list
of images of unequal sizes needs ``crop_size``, or spatial codes.""",
        "<source>": "torch Dataset or DataLoader, Dask array, callable or iterable",
        "<where_samples_are>": """\
Where the images are: a Dataset or a DataLoader of torch, of whose tuples the first part is
taken; an array of Dask; a function that returns a new iterable of chunks at each call, or
an iterable that can be repeated, such as a list of chunks. A chunk is what ``fit`` takes.""",
        "<columns>": "Only for tables; leave it out.",
        "<lengths>": "Only for sequences; leave it out.",
        "<output>": "ndarray of shape (n_samples, ...) or list of ndarray",
        "<original>": "Reconstructed images, in the shape and dtype of the training images.",
        "<reconstructed>": """\
Reconstructed images, in the shape and dtype of X. Unsigned integers are rounded and
clipped to their range.""",
        "<errors>": """\
Squared differences, in the shape of X and in its squared units. Unsigned integers count
as intensities from 0 to 1.""",
        "<losses>": "Losses of the values, in the shape of X.",
        "<scores>": """\
Minus the mean loss over the values of each image. The higher, the more normal; the lowest
are outliers.""",
        "<score>": """\
The score does not depend on the loss, so it can be compared with the fraction of variance
that PCA explains.""",
    },
    "sequences": {
        "<where>": "at which steps and in which features",
        "<X>": "list of arrays or array-like of shape (n_samples, n_steps, n_features)",
        "<X_val>": "list of arrays or array-like of shape (n_val, n_steps, n_features)",
        "<X_incomplete>": "list of arrays or array-like of shape (n_samples, n_steps, n_features)",
        "<codes>": "array-like of shape (n_samples, n_components)",
        "<samples>": "Sequences, in one of the forms that ``fit`` takes.",
        "<training_samples>": """\
Training sequences: a list of arrays of shape (n_steps, n_features) or (n_steps,), or an
array in which shorter sequences end with NaN.""",
        "<source>": "torch Dataset or DataLoader, Dask array, callable or iterable",
        "<where_samples_are>": """\
Where the sequences are: a Dataset or a DataLoader of torch, of whose tuples the first part is
taken; an array of Dask; a function that returns a new iterable of chunks at each call, or
an iterable that can be repeated, such as a list of chunks. A chunk is what ``fit`` takes.""",
        "<columns>": "Only for tables; leave it out.",
        "<lengths>": """\
Number of steps to decode, the same for all sequences or one for each. None predicts the
lengths from the codes, as learned from the training sequences.""",
        "<output>": "list of arrays or ndarray",
        "<original>": """\
Reconstructed sequences: a list, or an array padded with NaN if the training sequences
were in an array.""",
        "<reconstructed>": """\
Reconstructed sequences, each of the length that it has in X: a list if X is one,
otherwise an array padded with NaN as X is. Missing values are filled.""",
        "<errors>": """\
Squared differences at each step, in squared units of X: a list if X is one, otherwise an
array. They are NaN where a value is missing.""",
        "<losses>": """\
Losses of the values: a list if X is one, otherwise an array. They are NaN where a value
is missing.""",
        "<scores>": """\
Minus the mean loss over the values of each sequence that are not missing, and 0 if all
are missing. The higher, the more normal; the lowest are outliers.""",
        "<score>": """\
The score does not depend on the loss, so it can be compared with the fraction of variance
that PCA explains.""",
    },
    "tables": {
        "<where>": "in which columns",
        "<X>": "DataFrame or array-like of shape (n_samples, n_features)",
        "<X_val>": "DataFrame or array-like of shape (n_val, n_features)",
        "<X_incomplete>": "DataFrame or array-like of shape (n_samples, n_features)",
        "<codes>": "array-like of shape (n_samples, n_components)",
        "<samples>": "Rows, with the columns of the training rows.",
        "<training_samples>": "Training rows: numbers, text or dates; values can be missing.",
        "<lengths>": "Only for sequences; leave it out.",
        "<output>": "ndarray or DataFrame of shape (n_samples, n_features)",
        "<original>": """\
Reconstructed rows, with the columns and dtypes of the training rows; a DataFrame if the
training rows were one.""",
        "<reconstructed>": """\
Reconstructed rows, with the columns and dtypes of the training rows; a DataFrame if X is
one. Missing values are filled.""",
        "<imputed>": """\
X with its missing values replaced by those of ``reconstruct``; all other values are
unchanged. Columns that were wholly missing in the training rows stay missing: nothing is
known of them, as a warning of ``fit`` says.""",
        "<errors>": """\
Squared differences; a DataFrame if X is one. Numbers are in units of the standard
deviation of their column. A column of categories has the sum over the probabilities of
its categories.""",
        "<losses>": """\
Losses of the values; a DataFrame if X is one. They are NaN where a value is missing.""",
        "<scores>": """\
Minus the mean loss over the columns of each row that are not missing, and 0 if all are
missing. The higher, the more normal; the lowest are outliers.""",
        "<score>": """\
The score is the mean over the columns that vary. The score of a column of categories is
that of their probabilities. It does not depend on the loss.""",
    },
}


def fill_method_docs(cls):
    """Give a class copies of the methods whose docstrings hold marks, with the marks replaced."""
    texts = ANY_KIND
    if cls._architecture is not None:
        texts = ANY_KIND | ONE_KIND[cls._architecture.input_kind]
    for name in dir(cls):
        method = inspect.getattr_static(cls, name)
        if name.startswith("_") or not isinstance(method.__doc__, str):
            continue
        doc = _filled(method.__doc__, texts)
        if doc != method.__doc__:
            setattr(cls, name, _with_doc(method, doc))


def _filled(doc, texts):
    """Replace the marks in a docstring. A text of several lines gets the indent of its mark."""

    def text(match):
        indent = re.match(" *", match.string[match.string.rfind("\n", 0, match.start()) + 1 :])[0]
        return texts.get(match[0], match[0]).replace("\n", f"\n{indent}")

    return re.sub(r"<\w+>", text, doc)


def _with_doc(method, doc):
    """Return a copy of a function, or of what ``available_if`` makes of one."""
    if isinstance(method, FunctionType):
        parts = method.__code__, method.__globals__, method.__name__
        copied = FunctionType(*parts, method.__defaults__, method.__closure__)
        copied.__kwdefaults__ = method.__kwdefaults__
        update_wrapper(copied, method)
    else:
        copied = copy(method)
        copied.fn = _with_doc(method.fn, doc)
    copied.__doc__ = doc
    return copied

"""How estimators learn what their training samples are like."""

from skae._data.dataset import Dataset
from skae._params import ParameterMixin


def make_reader(architecture, reader_class):
    """Return a reader of training samples that reads them as an architecture asks for."""
    if isinstance(architecture, ParameterMixin):
        architecture._validate_params()
    return reader_class.of(architecture)


def learn(estimator, *data, sample_weight=None):
    """Read training samples, and let an estimator remember what they are like.

    Parameters
    ----------
    estimator : BaseEstimator
        Its method ``_make_reader`` returns a `Reader`. What this learns is its ``_reader``, which
        reads other samples.
    *data : array-like
        ``X``, or ``X, y``.
    sample_weight : array-like of shape (n_samples,) or None, default=None

    Returns
    -------
    Dataset
    """
    reader, dataset = estimator._make_reader().learn(
        *data, sample_weight=sample_weight, estimator=estimator
    )
    vars(estimator).pop("feature_names_in_", None)  # of an earlier fit
    vars(estimator).update(_reader=reader, **reader.fitted_attributes())
    if not isinstance(data[0], Dataset):  # whoever has read it has warned
        dataset.warn_of_columns(data[0], type(estimator).__name__)
    return dataset

"""All that skae uses of scikit-learn's private names, in one place.

scikit-learn's own estimators, searches and meta-estimators check parameters, cut samples and
warn by these functions. With them, skae gives the same results and the same messages.
"""

from sklearn.base import _fit_context as fit_context
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import _insert_error_scores as insert_error_scores
from sklearn.model_selection._validation import _score as score_estimator
from sklearn.model_selection._validation import (
    _warn_or_raise_about_fit_failures as warn_or_raise_about_fit_failures,
)
from sklearn.tree._tree import TREE_LEAF, Tree
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._metadata_requests import _routing_enabled as routing_enabled
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
    make_constraint,
    validate_parameter_constraints,
)
from sklearn.utils.metaestimators import _safe_split as safe_split
from sklearn.utils.validation import _check_method_params as check_method_params
from sklearn.utils.validation import _check_n_features as check_n_features
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import _num_samples as num_samples

__all__ = [
    "TREE_LEAF",
    "BaseSearchCV",
    "HasMethods",
    "Interval",
    "InvalidParameterError",
    "Options",
    "StrOptions",
    "Tree",
    "check_method_params",
    "check_n_features",
    "check_sample_weight",
    "fit_context",
    "fitted_rows",
    "insert_error_scores",
    "make_constraint",
    "num_samples",
    "routing_enabled",
    "safe_indexing",
    "safe_split",
    "score_estimator",
    "validate_parameter_constraints",
    "warn_or_raise_about_fit_failures",
]


def fitted_rows(neighbors):
    """Return the rows that a `NearestNeighbors` was fitted on."""
    return neighbors._fit_X

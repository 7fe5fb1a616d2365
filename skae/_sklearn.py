"""All that skae uses of scikit-learn's private names, in one place.

scikit-learn's own estimators, searches and meta-estimators check parameters, cut samples and
warn by these functions. With them, skae gives the same results and the same messages.
"""

import numpy as np
from scipy.interpolate import BSpline
from sklearn.base import _fit_context as fit_context
from sklearn.callback._callback_support import (
    callback_management_context as callback_management,
)
from sklearn.metrics._dist_metrics import (
    ChebyshevDistance64,
    EuclideanDistance64,
    HaversineDistance64,
    ManhattanDistance64,
    MinkowskiDistance64,
)
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import _insert_error_scores as insert_error_scores
from sklearn.model_selection._validation import _score as score_estimator
from sklearn.model_selection._validation import (
    _warn_or_raise_about_fit_failures as warn_or_raise_about_fit_failures,
)
from sklearn.neighbors import BallTree, KDTree
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
from sklearn.utils._repr_html.estimator import _VisualBlock as VisualBlock
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.metaestimators import _safe_split as safe_split
from sklearn.utils.validation import _check_method_params as check_method_params
from sklearn.utils.validation import _check_n_features as check_n_features
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import _num_samples as num_samples

__all__ = [
    "SEARCH_TREES",
    "BSpline",
    "BaseSearchCV",
    "HasMethods",
    "Interval",
    "InvalidParameterError",
    "Options",
    "StrOptions",
    "Tree",
    "VisualBlock",
    "callback_management",
    "check_method_params",
    "check_n_features",
    "check_sample_weight",
    "fit_context",
    "has_callbacks",
    "insert_error_scores",
    "make_constraint",
    "num_samples",
    "output_library",
    "parts_of_estimators",
    "routing_enabled",
    "safe_indexing",
    "safe_split",
    "score_estimator",
    "search_tree_of_state",
    "state_of_search_tree",
    "state_of_tree",
    "tree_of_state",
    "validate_parameter_constraints",
    "warn_or_raise_about_fit_failures",
]


#: Trees that find neighbors, by name, and the metrics that they are read with.
SEARCH_TREES = {"ball": BallTree, "kd": KDTree}
METRICS = {
    ChebyshevDistance64: "chebyshev",
    EuclideanDistance64: "euclidean",
    HaversineDistance64: "haversine",
    ManhattanDistance64: "manhattan",
    MinkowskiDistance64: "minkowski",
}


def has_callbacks(estimator):
    """Say whether an estimator has callbacks of scikit-learn, its own or those of its caller."""
    return bool(vars(estimator).get("_skl_callbacks"))


def output_library(estimator):
    """Return the library of DataFrames that ``set_output`` has chosen, or "default"."""
    return _get_output_config("transform", estimator)["dense"]


def parts_of_estimators():
    """Return classes of objects in estimators that skops does not know, or that hold estimators."""
    # Only files need them, and importing them takes time.
    from sklearn.calibration import _CalibratedClassifier
    from sklearn.compose import make_column_selector
    from sklearn.impute._iterative import _ImputerTriplet
    from sklearn.metrics._scorer import _CurveScorer, _Scorer
    from sklearn.multiclass import _ConstantPredictor
    from sklearn.utils._metadata_requests import MetadataRequest, MethodMetadataRequest

    return (
        *(MetadataRequest, MethodMetadataRequest, _CalibratedClassifier, _ConstantPredictor),
        *(_CurveScorer, _ImputerTriplet, _Scorer, make_column_selector),
    )


def state_of_search_tree(tree):
    """Return what a tree that finds neighbors is made of.

    Raises
    ------
    TypeError
        If its metric is not known here.
    """
    state = tree.__getstate__()
    data, leaf_size, metric, weight = np.array(state[0]), state[4], state[-2], state[-1]
    if type(metric) not in METRICS:
        known = ", ".join(sorted(METRICS.values()))
        raise TypeError(f"finds neighbors by another metric than {known}")
    name = METRICS[type(metric)]
    kind = next(kind for kind, cls in SEARCH_TREES.items() if type(tree) is cls)
    state = {"kind": kind, "data": data, "leaf_size": leaf_size, "metric": name, "weight": weight}
    return state | ({"p": metric.__getstate__()[0]} if name == "minkowski" else {})


def search_tree_of_state(state):
    """Return the tree of a state, built again: one that is read would be followed unseen."""
    how = {name: state[name] for name in ("leaf_size", "metric", "p") if name in state}
    return SEARCH_TREES[state["kind"]](state["data"], sample_weight=state["weight"], **how)


def state_of_tree(tree):
    """Return what a fitted tree is made of: numbers and arrays."""
    (n_features, n_classes, n_outputs), state = tree.__reduce__()[1:]
    sizes = {"n_features": n_features, "n_classes": n_classes, "n_outputs": n_outputs}
    return sizes | {name: state[name] for name in ("max_depth", "nodes", "values")}


def tree_of_state(state):
    """Return the tree of a state.

    Raises
    ------
    ValueError
        If it is damaged: scikit-learn follows the nodes of a tree without looking.
    """
    n_features, n_classes, n_outputs, max_depth, nodes, values = (
        state[name]
        for name in ("n_features", "n_classes", "n_outputs", "max_depth", "nodes", "values")
    )
    children, order = np.array([nodes["left_child"], nodes["right_child"]]), np.arange(len(nodes))
    is_leaf = (children == TREE_LEAF).all(0)
    is_split = ((order < children) & (children < len(nodes))).all(0)
    is_known = (nodes["feature"] >= 0) & (nodes["feature"] < n_features)
    fits = n_classes.shape == (n_outputs,) and (n_classes > 0).all()
    fits = fits and values.shape == (len(nodes), n_outputs, n_classes.max())
    if not (fits and len(nodes) and (is_leaf | is_split & is_known).all()):
        raise ValueError("A tree is damaged. Save the model again.")
    tree = Tree(n_features, n_classes.astype(np.intp), n_outputs)
    count = {"max_depth": max_depth, "node_count": len(nodes)}
    tree.__setstate__(count | {"nodes": nodes, "values": values})
    return tree

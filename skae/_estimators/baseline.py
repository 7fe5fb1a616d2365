"""Check of a fitted model against simple baselines: PCA and the mean."""

from math import prod

import numpy as np
import torch

from skae._runtime import building
from skae.exceptions import PoorFitWarning, ScaleWarning, warn

MAX_ROWS = 1024

MAX_ELEMENTS = 2**21

#: Squares of smaller values are 0 in float32.
TINY = 1e-22

#: Differences in R2 below this give no warning.
MARGIN = 0.01

#: A column is lost if less than this fraction of its variance is restored. The reason is its scale
#: if another column varies so many times more.
LEAST_RESTORED, LARGE_RATIO = 0.1, 100
#: Rows that this check takes at least.
MIN_ROWS = 10
#: Columns that a warning names, at most.
MAX_NAMED = 3


def warn_if_poor(estimator, dataset):
    """Warn if a model reconstructs worse than PCA with as many components, or the mean.

    Otherwise, warn of columns that are lost because other columns vary much more.

    PCA is fitted on up to 1,024 rows and both are evaluated on as many others, so the
    check is cheap. If rows are damaged in training, both have to restore damaged rows.

    Parameters
    ----------
    estimator : BaseAutoencoder
        Fitted.
    dataset : ArrayDataset
        What it was fitted on.
    """
    name, n_components = type(estimator).__name__, estimator._n_comparable_components
    if dataset.sample_weight is not None:  # PCA takes no weights
        return
    if not dataset.is_regular:  # nor sequences of unequal lengths
        _warn_if_negative(name, estimator._predictor.r2(dataset.subsample(MAX_ROWS)), _ADVICE)
        return
    n_features = prod(dataset.sample_shape)
    n_rows = min(len(dataset) // 2, MAX_ROWS, max(2, MAX_ELEMENTS // n_features))
    if n_rows < 2:
        return
    sample = dataset.subsample(2 * n_rows)
    fitted, evaluated = (sample.select(np.arange(part, 2 * n_rows, 2)) for part in (0, 1))
    factor = evaluated.factor_to_1()
    factor = factor if factor > 1 / TINY else 1.0  # else squares may be 0
    X, baseline = _array(evaluated) * factor, _array(fitted) * factor
    seen, weight = estimator._as_in_training(evaluated)
    weight = np.broadcast_to(weight, (len(X), *dataset.sample_shape)).reshape(X.shape)
    mean = baseline.mean(0)
    total = (weight * (X - mean) ** 2).sum(0)

    def squares(restored):
        residual = (weight * (X - restored) ** 2).sum(0)
        return evaluated.without_rounding(residual, total, mean)

    if not evaluated.without_rounding(total, total, mean)[1].any():  # all rows are equal
        return

    restored = estimator._reconstruct(seen).reshape(X.shape).astype(np.float64)
    of_model = squares(restored * factor)
    score, advice = evaluated.explained(*of_model), _advice(baseline, factor)
    if _warn_if_negative(name, score, advice):
        return
    if n_components is not None and n_components < min(n_rows, n_features):
        of_pca = squares(_restored_by_pca(n_components, baseline, _array(seen) * factor))
        if _warn_if_worse(name, n_components, score, evaluated.explained(*of_pca), advice):
            return
    if dataset.can_drop_columns and n_rows >= MIN_ROWS:
        _warn_of_lost_columns(name, dataset, X, baseline, *of_model)


def _warn_of_lost_columns(name, dataset, X, others, residual, total):
    """Warn of columns that a model does not restore because others vary much more.

    ``residual`` and ``total`` are sums of squares over the rows X.
    """
    std = np.sqrt(total)  # but for a factor
    largest = std.argmax()
    is_small = (total > 0) & (LARGE_RATIO * std < std[largest])
    lost = np.flatnonzero(is_small & (residual > (1 - LEAST_RESTORED) * total))
    if len(lost):  # by their unit, unless a few rare values are as large as in other columns
        varies = np.ptp(X[:, lost], axis=0) > 0
        widest, *widths = np.ptp(np.concatenate([X, others])[:, [largest, *lost]], axis=0)
        lost = lost[varies & (LARGE_RATIO * np.array(widths) < widest)]
    if len(lost):
        named = ", ".join(map(dataset.column_name, lost[:MAX_NAMED]))
        named += f" and {len(lost) - MAX_NAMED} more" if len(lost) > MAX_NAMED else ""
        ratio = 10 ** int(np.log10(std[largest] / std[lost].max()))
        warn(
            f"{name} restores almost nothing of {named}, whose values vary more than {ratio:,} "
            f"times less than those of {dataset.column_name(largest)}. So they hardly count in the "
            "loss. Put a StandardScaler before it, or take TabularAutoencoder, which scales each "
            "column; check_baseline=False turns this check off.",
            ScaleWarning,
        )


def _restored_by_pca(n_components, fitted, X):
    """Return rows that are restored from as many principal components of other rows."""
    fitted, X = torch.from_numpy(fitted), torch.from_numpy(X)
    with building(seed=0):  # svd_lowrank draws
        mean = fitted.mean(0)
        n_sought = min(n_components + 10, *fitted.shape)
        _, _, found = torch.svd_lowrank(fitted - mean, n_sought, niter=4)
        axes = found[:, :n_components]
        return (mean + (X - mean) @ axes @ axes.T).numpy()


def _warn_if_negative(name, score, advice):
    """Warn of a score below that of the mean; return whether it is."""
    if score < 0:
        _warn(f"{name} reconstructs worse than the mean would (R2 {score:.2f})", advice)
    return score < 0


def _warn_if_worse(name, n_components, score, pca_score, advice):
    """Warn of a score below that of PCA; return whether it is."""
    is_worse = score < pca_score - MARGIN
    if is_worse:
        _warn(
            f"{name} reconstructs worse than PCA with {n_components} components "
            f"(R2 {score:.2f} against {pca_score:.2f})",
            advice,
        )
    return is_worse


def _warn(message, advice):
    end = "check_baseline=False turns this check off."
    warn(f"{message}. {advice}; {end}", PoorFitWarning)


def _array(dataset):
    return dataset.get_batch(slice(None), dataset.dtype)[0].flatten(1).numpy().astype(np.float64)


_ADVICE = "Try more max_epochs, another lr, or wider hidden layers"


def _advice(X, factor):
    if factor > 1:
        return f"The values are too small for nets: put a StandardScaler before it. {_ADVICE}"
    scale = X.std(0)
    scale = scale[scale > 0]
    far = np.abs(X.mean(0)).max() > 100 * scale.max(initial=0)
    if far or scale.max(initial=0) > 10 * np.median(scale):
        return (
            f"The columns differ much in scale or mean: put a StandardScaler before it. {_ADVICE}"
        )
    return _ADVICE

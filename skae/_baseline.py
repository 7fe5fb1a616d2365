"""Check of a fitted model against the cheapest ones: PCA and the mean."""

import warnings

import numpy as np
from sklearn.decomposition import PCA

from skae.exceptions import PoorFitWarning

MAX_ROWS = 1024
MAX_ELEMENTS = 2**21
#: Differences in R2 below this are left unmentioned.
MARGIN = 0.01


def warn_if_poor(estimator, rows):
    """Warn if a model reconstructs worse than PCA with as many components, or the mean.

    PCA is fitted on up to 1,024 rows and both are judged on as many others, so that
    the check costs little beside the fit.

    Parameters
    ----------
    estimator : BaseAutoencoder
        Fitted.
    rows : Rows
        What it was fitted on.
    """
    name, n_components = type(estimator).__name__, estimator.n_components_
    if rows.sample_weight is not None:  # PCA takes no weights
        return
    n_features = rows.sample_shape[0]
    n_rows = min(len(rows) // 2, MAX_ROWS, max(2, MAX_ELEMENTS // n_features))
    if n_rows < 2:
        return
    sample = rows.spread(2 * n_rows)
    fitted, judged = (sample.select(np.arange(part, 2 * n_rows, 2)) for part in (0, 1))
    X, baseline = _array(judged), _array(fitted)
    mean = baseline.mean(0)
    total = ((X - mean) ** 2).sum()
    if not total:
        return
    r2 = 1 - ((X - estimator._reconstruct(judged)) ** 2).sum() / total
    advice = _advice(baseline)
    if r2 < 0:
        warnings.warn(
            f"{name} reconstructs worse than the mean of the columns would (R2 {r2:.2f}). {advice}",
            PoorFitWarning,
            stacklevel=4,
        )
    elif n_components < min(n_rows, n_features):
        pca = PCA(n_components, random_state=0).fit(baseline)
        pca_r2 = 1 - ((X - pca.inverse_transform(pca.transform(X))) ** 2).sum() / total
        if r2 < pca_r2 - MARGIN:
            warnings.warn(
                f"{name} reconstructs worse than PCA with as many components (R2 {r2:.2f} against "
                f"{pca_r2:.2f}). {advice}",
                PoorFitWarning,
                stacklevel=4,
            )


def _array(rows):
    return rows.take(slice(None), rows.dtype)[0].numpy().astype(np.float64)


def _advice(X):
    scale = X.std(0)
    scale = scale[scale > 0]
    advice = "Try more max_epochs, another lr, or wider hidden layers"
    far = np.abs(X.mean(0)).max() > 100 * scale.max(initial=0)
    if far or scale.max(initial=0) > 10 * np.median(scale):
        advice = (
            "The columns differ much in scale or mean: put a StandardScaler before it. " + advice
        )
    return f"{advice}; check_baseline=False turns this check off."

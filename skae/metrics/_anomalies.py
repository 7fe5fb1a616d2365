"""Scores of maps of anomalies in images."""

from numbers import Real

import numpy as np
from scipy.ndimage import label
from sklearn.metrics import roc_curve

from skae._data.checks import as_array

__all__ = ["pro_score"]

#: Pixels of one image that touch, also at corners, are of one region; images do not touch.
_TOUCHING = np.stack([np.zeros((3, 3)), np.ones((3, 3)), np.zeros((3, 3))])


def pro_score(y_true, y_score, *, max_fpr=0.3):
    """Return the area under the curve of the per-region overlap.

    The overlap of a threshold is the fraction of a defect whose pixels have a higher score,
    averaged over defects [1]_. So small defects count as much as large ones, which outweigh them
    in the area under the ROC curve of pixels. The overlap is averaged over false positive rates
    from 0 to ``max_fpr``.

    Parameters
    ----------
    y_true : array-like of bool or int, shape (n_samples, height, width)
        1 for the pixels of defects, 0 for others. Pixels of 1 that touch, also at corners, are one
        defect.
    y_score : array-like of shape (n_samples, height, width)
        How anomalous pixels are, the higher the more: `OutlierDetector.explain`, or minus
        ``score_pixels``.
    max_fpr : float, default=0.3
        Largest false positive rate, in (0, 1].

    Returns
    -------
    score : float
        1 is perfect. By chance it is ``max_fpr / 2``.

    Raises
    ------
    ValueError
        If the shapes differ, if a value is not finite, or if there are no defects or no normal
        pixels.

    See Also
    --------
    sklearn.metrics.roc_auc_score : For scores of images; for pixels, of raveled maps.

    References
    ----------
    .. [1] P. Bergmann, M. Fauser, D. Sattlegger and C. Steger, "MVTec AD: a comprehensive
       real-world dataset for unsupervised anomaly detection", Conference on Computer Vision and
       Pattern Recognition, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from skae.metrics import pro_score
    >>> is_defect = np.zeros((1, 8, 8), dtype=int)
    >>> is_defect[0, 2:4, 2:6] = 1
    >>> pro_score(is_defect, is_defect)
    1.0
    """
    y_true, y_score = _checked(y_true, y_score)
    if not (isinstance(max_fpr, Real) and 0 < max_fpr <= 1):
        raise ValueError(f"max_fpr must be a number in (0, 1]; got {max_fpr!r}")
    regions, _ = label(y_true, _TOUCHING)
    sizes = np.bincount(regions.ravel())
    sizes[0] = 1  # weight of pixels without a defect
    # The overlap is the rate of true positives if each defect weighs as much.
    weights = 1 / sizes[regions.ravel()]
    fpr, overlap, _ = roc_curve(y_true.ravel(), y_score.ravel(), sample_weight=weights)
    is_inside = fpr <= max_fpr
    fpr_inside = np.append(fpr[is_inside], max_fpr)
    overlap_inside = np.append(overlap[is_inside], np.interp(max_fpr, fpr, overlap))
    return float(np.trapezoid(overlap_inside, fpr_inside) / max_fpr)


def _checked(y_true, y_score):
    y_true, y_score = (
        np.asarray(as_array(y, name)) for y, name in ((y_true, "y_true"), (y_score, "y_score"))
    )
    if y_true.ndim != 3 or y_true.shape != y_score.shape:
        raise ValueError(
            "y_true and y_score must be of the same shape (n_samples, height, width); got "
            f"{y_true.shape} and {y_score.shape}"
        )
    for name, y in (("y_true", y_true), ("y_score", y_score)):
        if y.dtype.kind not in "fiub" or not np.isfinite(y).all():
            raise ValueError(f"{name} must hold finite numbers")
    values = np.unique(y_true)
    if not np.array_equal(values, [0, 1]):
        raise ValueError(
            "y_true must hold 1 for the pixels of defects and 0 for others, and both must be "
            f"there; got {values[:5].tolist()}"
        )
    return y_true.astype(bool), y_score

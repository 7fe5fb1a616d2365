"""The per-region overlap, against cases computed by hand."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from skae.metrics import pro_score


def case():
    """Two images with ten pixels in all: a defect of one pixel, one of two, seven normal pixels."""
    is_defect = np.array([[[1, 0, 0, 1, 1]], [[0, 0, 0, 0, 0]]])
    scores = np.array([[[9.0, 8.0, 1.0, 7.0, 5.0]], [[6.0, 1.0, 1.0, 1.0, 1.0]]])
    return is_defect, scores


@pytest.mark.parametrize(
    ("max_fpr", "area"),
    [
        # Overlap by false positive rate: 1/2 at 0 and at 1/7, 3/4 at 1/7 and 2/7, then 1.
        (1 / 7, 0.5 / 7),
        (2 / 7, (0.5 + 0.75) / 7),
        (3.5 / 7, (0.5 + 0.75 + 1.5) / 7),
        (1.0, (0.5 + 0.75 + 5) / 7),
    ],
)
def test_a_case_by_hand(max_fpr, area):
    assert pro_score(*case(), max_fpr=max_fpr) == pytest.approx(area / max_fpr)


def test_between_two_thresholds_the_overlap_is_interpolated():
    """All pixels but two have the same score: the curve is a line from (0, 1/2) to (1, 1)."""
    is_defect, scores = case()
    flat = np.where(scores == 9, 1, 0)
    assert pro_score(is_defect, flat) == pytest.approx(0.5 + 0.3 / 4)


def test_small_defects_count_as_much_as_large_ones():
    is_defect = np.zeros((2, 12, 12), int)
    is_defect[0, :8, :8] = is_defect[1, 11, 11] = 1
    scores = is_defect.astype(float)
    scores[1] = 0
    assert roc_auc_score(is_defect.ravel(), scores.ravel()) > 0.99
    assert pro_score(is_defect, scores) == pytest.approx(0.5 + 0.3 / 4)


def test_regions_touch_at_corners_but_not_across_images():
    is_defect = np.zeros((2, 4, 4), bool)
    is_defect[0, 0, 0] = is_defect[0, 1, 1] = is_defect[1, 1, 1] = True
    scores = np.zeros(is_defect.shape)
    scores[1, 1, 1] = 1  # one defect of two
    assert pro_score(is_defect, scores, max_fpr=1e-9) == pytest.approx(0.5)


def test_scores_by_chance():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(20, 32, 32))
    assert pro_score(rng.random(scores.shape) < 0.1, scores) == pytest.approx(0.15, abs=0.02)


@pytest.mark.parametrize(
    ("y_true", "y_score", "max_fpr", "message"),
    [
        (np.zeros((2, 3, 3)), np.zeros((2, 3, 3)), 0.3, "both must be there"),
        (np.full((2, 3, 3), 2), np.zeros((2, 3, 3)), 0.3, "1 for the pixels of defects"),
        (np.eye(3)[None], np.zeros((3, 3)), 0.3, "same shape"),
        (np.eye(3), np.eye(3), 0.3, r"\(n_samples, height, width\)"),
        (np.eye(3)[None], np.full((1, 3, 3), np.nan), 0.3, "y_score must hold finite"),
        (np.eye(3)[None], np.eye(3)[None], 0, "max_fpr"),
        (np.eye(3)[None], np.eye(3)[None], 30, "max_fpr"),
    ],
)
def test_bad_input(y_true, y_score, max_fpr, message):
    with pytest.raises(ValueError, match=message):
        pro_score(y_true, y_score, max_fpr=max_fpr)

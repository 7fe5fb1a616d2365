"""The volumes under the surfaces of series, against the implementation of the benchmark TSB-AD."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from skae.metrics import vus_pr_score, vus_roc_score

#: Labels, scores, window, and the volumes (PR, ROC) that ``RangeAUC_volume_opt`` of TSB-AD 1.5
#: gives for them, with its 250 thresholds.
REFERENCE = [
    (
        "000111000000",
        [1, 2, 1, 5, 9, 4, 6, 1, 3, 2, 0, 1],
        0,
        0.8055555555555555,
        0.9259259259259259,
    ),
    (
        "000111000000",
        [1, 2, 1, 5, 9, 4, 6, 1, 3, 2, 0, 1],
        4,
        0.8930599661771306,
        0.9622712573213121,
    ),
    (  # at the start, and two so near that their buffers join
        "1100001010000000",
        [3, 0, 1, 2, 8, 0, 7, 0, 1, 5, 1, 2, 0, 9, 1, 4],
        5,
        0.42337759767972444,
        0.610512692966612,
    ),
    (  # at the end
        "01000000001111",
        [0, 4, 4, 2, 1, 1, 6, 1, 1, 2, 2, 3, 8, 8],
        6,
        0.7840285685979271,
        0.8724282787576755,
    ),
    (  # single steps
        "000001000010000000",
        [2, 1, 3, 5, 4, 2, 1, 0, 1, 2, 2, 9, 3, 1, 1, 0, 0, 1],
        10,
        0.6949183180663806,
        0.8902514916529626,
    ),
]


def labels_of(text):
    return np.array(list(text)).astype(int)


@pytest.mark.parametrize(("labels", "scores", "window", "pr", "roc"), REFERENCE)
def test_values_of_the_reference(labels, scores, window, pr, roc):
    y_true = labels_of(labels)
    assert vus_pr_score(y_true, scores, window=window) == pytest.approx(pr, abs=1e-12)
    assert vus_roc_score(y_true, scores, window=window) == pytest.approx(roc, abs=1e-12)


def with_anomalies(n_steps, n_anomalies, length, rng):
    y_true = np.zeros(n_steps, int)
    for start in rng.integers(0, n_steps - length, n_anomalies):
        y_true[start : start + length] = 1
    return y_true


def extended(y_true, window):
    """Return the labels with buffers, by the definition: an anomaly at a time."""
    labels, half = y_true.astype(float), window // 2
    starts = np.flatnonzero(np.diff(y_true, prepend=0) == 1)
    ends = np.flatnonzero(np.diff(y_true, append=0) == -1)
    for start, end in zip(starts, ends, strict=True):
        for step in range(max(start - half, 0), min(end + half + 1, len(labels))):
            distance = max(start - step, step - end, 0)
            labels[step] += np.sqrt(1 - distance / max(window, 1))
    return np.minimum(labels, 1), starts, ends


def found(starts, ends, half, is_alarm):
    """Return the fraction of anomalies, with joined buffers, that have an alarm."""
    spans = [[starts[0], ends[0]]]
    for start, end in zip(starts[1:], ends[1:], strict=True):
        if spans[-1][1] + half < start - half:
            spans.append([start, end])
        spans[-1][1] = end
    return np.mean([is_alarm[max(s - half, 0) : e + half + 1].any() for s, e in spans])


def volume_by_definition(y_true, y_score, window):
    """Return the volume of precision and recall, threshold by threshold."""
    areas = []
    for width in range(window + 1):
        labels, starts, ends = extended(y_true, width)
        area = last = 0
        for threshold in np.sort(y_score)[::-1]:
            is_alarm = y_score >= threshold
            n_true = labels[is_alarm].sum()
            n_positive = y_true.sum() + labels[is_alarm & (y_true == 0)].sum() / 2
            recall = min(n_true / n_positive, 1) * found(starts, ends, width // 2, is_alarm)
            area, last = area + (recall - last) * n_true / is_alarm.sum(), recall
        areas.append(area)
    return np.mean(areas)


@pytest.mark.parametrize("window", [0, 1, 7, 30])
@pytest.mark.parametrize("decimals", [0, 9])
def test_volume_by_its_definition(window, decimals):
    rng = np.random.default_rng(window)
    y_true = with_anomalies(150, 6, 5, rng)
    y_score = np.round(rng.normal(size=150) + y_true, decimals)
    expected = volume_by_definition(y_true, y_score, window)
    assert vus_pr_score(y_true, y_score, window=window) == pytest.approx(expected, abs=1e-12)


def test_without_buffers_each_step_of_one_anomaly_counts_alike():
    """Without other anomalies there is nothing that can be missed: the areas of scikit-learn."""
    rng = np.random.default_rng(0)
    y_true = labels_of("0" * 60 + "1" * 20 + "0" * 120)
    y_score = rng.normal(size=200) + y_true
    assert vus_pr_score(y_true, y_score, window=0) == pytest.approx(
        average_precision_score(y_true, y_score)
    )
    assert vus_roc_score(y_true, y_score, window=0) == pytest.approx(roc_auc_score(y_true, y_score))


@pytest.mark.parametrize("metric", [vus_pr_score, vus_roc_score])
def test_perfect_late_and_missed_alarms(metric):
    y_true = labels_of("0" * 100 + "1" * 20 + "0" * 200)
    perfect, late, missed = (metric(y_true, np.roll(y_true, by)) for by in (0, 5, 80))
    assert perfect == 1
    assert perfect > late > missed
    assert metric(y_true, np.roll(y_true, 5), window=40) > late  # wide buffers forgive more


def test_an_anomaly_that_is_not_found_counts():
    """Half of both anomalies is better than all of one."""
    y_true = labels_of("0000011110000000000111100000")
    both = labels_of("0000011000000000000110000000")
    one = labels_of("0000011110000000000000000000")
    assert vus_pr_score(y_true, both, window=0) > vus_pr_score(y_true, one, window=0)


@pytest.mark.parametrize(("n_anomalies", "length", "roc"), [(300, 1, 1 / 3), (10, 200, 1 / 2)])
def test_scores_by_chance(n_anomalies, length, roc):
    rng = np.random.default_rng(0)
    y_true = with_anomalies(20_000, n_anomalies, length, rng)
    y_score = rng.random(20_000)
    assert vus_pr_score(y_true, y_score, window=0) == pytest.approx(y_true.mean(), abs=0.02)
    assert vus_roc_score(y_true, y_score, window=0) == pytest.approx(roc, abs=0.02)


def test_window_auto_is_the_median_length():
    rng = np.random.default_rng(0)
    y_true = labels_of("0" * 9 + "111" + "0" * 9 + "1" * 8 + "0" * 9 + "1" * 5)
    y_score = rng.normal(size=len(y_true))
    assert vus_pr_score(y_true, y_score) == vus_pr_score(y_true, y_score, window=5)
    assert vus_pr_score(y_true, y_score) != vus_pr_score(y_true, y_score, window=8)


def test_several_series_give_the_mean():
    cases = [(labels_of(labels), np.array(scores)) for labels, scores, *_ in REFERENCE[2:]]
    together = vus_pr_score(*map(list, zip(*cases, strict=True)), window=4)
    assert together == pytest.approx(np.mean([vus_pr_score(*case, window=4) for case in cases]))
    rows = np.stack([cases[0][0]] * 2), np.stack([cases[0][1]] * 2)
    assert vus_pr_score(*rows, window=4) == vus_pr_score(*cases[0], window=4)


@pytest.mark.parametrize("kind", [list, pd.Series, lambda y: np.array(y, np.uint8)])
def test_kinds_of_arrays(kind):
    labels, scores, window, pr, _ = REFERENCE[3]
    y_true = kind(labels_of(labels).tolist())
    assert vus_pr_score(y_true, kind(scores), window=window) == pytest.approx(pr, abs=1e-12)


def test_order_of_scores_is_all_that_counts():
    labels, scores, window, pr, _ = REFERENCE[3]
    scores = 1e300 * np.array(scores) - 5e300
    assert vus_pr_score(labels_of(labels) > 0, scores, window=window) == pytest.approx(pr)


Y = [0, 1, 1, 0, 0, 0]


@pytest.mark.parametrize("metric", [vus_pr_score, vus_roc_score])
@pytest.mark.parametrize(
    ("y_true", "y_score", "window", "message"),
    [
        ([0] * 6, Y, 2, "^y_true holds no anomaly"),
        ([1] * 6, Y, 2, "^y_true holds nothing but anomalies"),
        ([Y, [0] * 6], [Y, Y], 2, r"^y_true\[1\] holds no anomaly"),
        ([Y, Y], [Y], 2, "same number of series; y_true holds 2, and y_score 1"),
        ([Y, Y], Y, 2, "y_score is a single one"),
        (Y, [Y, Y], 2, r"^y_score must hold one number for each step.*\(2, 6\)"),
        (Y, np.ones((6, 2)), 2, "Of several features, take the mean"),
        (Y, Y[1:], 2, "^y_true and y_score must be of the same length; got 6 and 5"),
        (Y, [1, 2, np.nan, 3, 4, 5], 2, "^y_score holds nan at step 2"),
        (Y, [1, 2, np.inf, 3, 4, 5], 2, "^y_score holds inf at step 2"),
        (Y, list("abcdef"), 2, "^y_score is"),
        ([0, 1, 2, 0, 0, 0], Y, 2, r"^y_true must hold 1 .*got \[0, 1, 2\]"),
        ([], [], 2, "^y_true must hold one number"),
        (Y, Y, 7, "^window=7 is longer than a series of 6 steps"),
        (Y, Y, -1, "^window must be"),
        (Y, Y, 2.5, "^window must be"),
        (Y, Y, "period", "^window must be"),
        (Y, Y, None, "^window must be"),
    ],
)
def test_bad_input(metric, y_true, y_score, window, message):
    with pytest.raises(ValueError, match=message):
        metric(y_true, y_score, window=window)

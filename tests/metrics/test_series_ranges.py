"""Precision and recall of ranges of steps, by hand and against the package prts."""

import numpy as np
import pytest

from skae.metrics import range_f1_score, range_precision_score, range_recall_score

#: Two anomalies, of six and two steps, and three alarms, of which the last one is false.
Y_TRUE = [0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0]
Y_PRED = [0, 0, 1, 1, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        # The values are fractions of the first anomaly; nothing of the second one is found.
        ({}, 4 / 6),
        ({"alpha": 1}, 1),
        ({"alpha": 0.4}, 0.4 + 0.6 * 4 / 6),
        ({"cardinality": "reciprocal"}, 4 / 6 / 2),
        ({"bias": "front"}, (5 + 4 + 2 + 1) / 21),
        ({"bias": "back"}, (2 + 3 + 5 + 6) / 21),
        ({"bias": "middle"}, (2 + 3 + 2 + 1) / 12),
    ],
)
def test_recall_by_hand(parameters, expected):
    assert range_recall_score(Y_TRUE, Y_PRED, **parameters) == pytest.approx(expected / 2)


@pytest.mark.parametrize(
    ("bias", "expected"),
    [("flat", 2 / 3), ("front", 5 / 6), ("back", 3 / 6), ("middle", 3 / 4)],
)
def test_precision_by_hand(bias, expected):
    """The first alarm is right, the second one in its first two of three steps."""
    assert range_precision_score(Y_TRUE, Y_PRED, bias=bias) == pytest.approx((1 + expected) / 3)


LONG_TRUE = [int(label) for label in "011100000111111001111100000010"]
LONG_PRED = [int(label) for label in "110101100110110011011001100000"]

#: Precision, recall and F1 that prts 1.0.0.3 gives for these labels: ``ts_precision`` with
#: alpha=0, ``ts_recall`` with alpha=0.3 and the bias, ``ts_fscore`` with the bias for recall only.
PRTS = {
    ("flat", "one"): (0.625, 0.563333333333, 0.592566619916),
    ("flat", "reciprocal"): (0.625, 0.394166666667, 0.483442354865),
    ("front", "one"): (0.583333333333, 0.591666666667, 0.607876712329),
    ("front", "reciprocal"): (0.583333333333, 0.408333333333, 0.493951612903),
    ("middle", "one"): (0.625, 0.545833333333, 0.582740213523),
    ("middle", "reciprocal"): (0.625, 0.385416666667, 0.476804123711),
    ("back", "one"): (0.666666666667, 0.535, 0.57650862069),
    ("back", "reciprocal"): (0.666666666667, 0.38, 0.47263681592),
}


@pytest.mark.parametrize(("bias", "cardinality"), PRTS)
def test_values_of_the_reference(bias, cardinality):
    precision, recall, f1 = PRTS[bias, cardinality]
    how = {"bias": bias, "cardinality": cardinality}
    assert range_precision_score(LONG_TRUE, LONG_PRED, **how) == pytest.approx(precision)
    assert range_recall_score(LONG_TRUE, LONG_PRED, alpha=0.3, **how) == pytest.approx(recall)
    assert range_f1_score(LONG_TRUE, LONG_PRED, alpha=0.3, **how) == pytest.approx(f1)


def test_each_anomaly_counts_once_however_long_it_is():
    y_true = np.zeros(1200, bool)
    y_true[100:1100] = y_true[1150] = True
    y_pred = np.zeros(1200, bool)
    y_pred[1150] = True
    assert range_recall_score(y_true, y_pred) == 0.5


def test_ranges_of_several_series_are_counted_together():
    """They do not join, though one ends with an anomaly and the next one begins with one."""
    y_true, y_pred = [[0, 0, 1, 1], [1, 0], [0, 0, 0]], [[0, 0, 0, 1], [1, 0], [0, 1, 0]]
    assert range_recall_score(y_true, y_pred) == pytest.approx((0.5 + 1) / 2)
    assert range_precision_score(y_true, y_pred) == pytest.approx(2 / 3)


def test_no_alarms_and_all_alarms():
    nothing, everything = np.zeros(16, int), np.ones(16, int)
    metrics = range_precision_score, range_recall_score, range_f1_score
    assert [metric(Y_TRUE, nothing) for metric in metrics] == [0, 0, 0]
    assert [metric(Y_TRUE, Y_TRUE) for metric in metrics] == [1, 1, 1]
    assert [metric(Y_TRUE, everything) for metric in metrics] == [0.5, 1, pytest.approx(2 / 3)]


@pytest.mark.parametrize("metric", [range_precision_score, range_recall_score, range_f1_score])
@pytest.mark.parametrize(
    ("y_true", "y_pred", "parameters", "message"),
    [
        ([0] * 16, Y_PRED, {}, "^y_true holds no anomaly"),
        ([[0, 0], [0]], [[1, 0], [0]], {}, "^y_true holds no anomaly"),
        (Y_TRUE, Y_PRED[1:], {}, "^y_true and y_pred must be of the same length"),
        (Y_TRUE, [1, -1] * 8, {}, r"^y_pred must hold 1 .* take predict\(X\) == -1"),
        ([Y_TRUE], [[0.5] * 16], {}, r"^y_pred\[0\] must hold 1"),
        (Y_TRUE, [np.nan] * 16, {}, "^y_pred holds nan at step 0"),
        (Y_TRUE, Y_PRED, {"bias": "early"}, "^bias must be one of .*got 'early'"),
        (Y_TRUE, Y_PRED, {"cardinality": "two"}, "^cardinality must be one of .*got 'two'"),
    ],
)
def test_bad_input(metric, y_true, y_pred, parameters, message):
    with pytest.raises(ValueError, match=message):
        metric(y_true, y_pred, **parameters)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, "all", None])
def test_bad_alpha(alpha):
    for metric in (range_recall_score, range_f1_score):
        with pytest.raises(ValueError, match="^alpha must be a number"):
            metric(Y_TRUE, Y_PRED, alpha=alpha)

"""The default scores of `OutlierDetector` in a graph are those of Python."""

import numpy as np
import pandas as pd
import pytest
import torch
from onnxruntime import InferenceSession
from sklearn.datasets import load_breast_cancer, load_wine
from torch import nn

from skae import TabularAutoencoder, TabularOutlierScorer
from skae._onnx.double_nets import in_double
from skae._onnx.exporting import to_onnx
from skae._onnx.table_coding import table_codes
from skae._onnx.tabular_scorer import scorer_module

TOLERANCE = 1e-9
FAST = {"estimator": TabularAutoencoder(max_epochs=1), "random_state": 0}


def orders(n):
    """Return a table with all kinds of columns, and those that are derived of them."""
    rng = np.random.default_rng(0)
    ordered = pd.date_range("2021-01-01", periods=n, freq="31h", tz="Europe/Berlin")
    price = rng.lognormal(size=n)
    frame = pd.DataFrame(
        {
            "ordered": ordered,
            "sent": ordered + pd.to_timedelta(rng.exponential(5, n), "D"),
            "price": price,
            "with_tax": price * 1.2,
            "seen": 1.6e9 + rng.permutation(n) * 1e5,  # seconds since 1970
            "tax": 0.2,
            "unused": np.nan,
            "kind": rng.choice(["book", "film", "game"], n),
            "buyer": [f"buyer {i}" for i in rng.integers(0, n, n)],
            "is_gift": rng.random(n) < 0.2,
        }
    )
    frame.loc[rng.random(n) < 0.1, "price"] = np.nan
    return frame.assign(kind=frame.kind.mask(rng.random(n) < 0.1))


def odd(frame):
    """Return rows of which some are out of the ordinary, in each column."""
    rng = np.random.default_rng(1)
    frame = frame.sample(len(frame), random_state=0).reset_index(drop=True)

    def some():
        return rng.random(len(frame)) < 0.1

    for column in ("price", "with_tax", "tax", "seen"):
        frame[column] = frame[column].mask(some(), 3 * frame[column]).mask(some())
    return frame.assign(
        ordered=frame.ordered.mask(some(), frame.ordered - pd.Timedelta("4000D 7h")).mask(some()),
        sent=frame.sent.mask(some(), frame.sent + pd.Timedelta("100D")),
        unused=frame.unused.mask(some(), 1.0),
        kind=frame.kind.mask(some(), "toy"),
        buyer=frame.buyer.mask(some(), "nobody"),
    )


def difference(scorer, X, of_graph=None):
    """Return the largest difference of scores, in standard deviations of them."""
    scores = scorer.score_samples(X)
    codes = table_codes(scorer._reader.format.columns, X)
    if of_graph is None:
        found = scorer_module(scorer)(torch.from_numpy(codes)).numpy()
    else:
        found = of_graph(codes)
    assert found.shape == scores.shape
    assert found.dtype == np.float64
    return np.abs(found - scores).max() / (scores.std() or 1)


@pytest.fixture(scope="module")
def of_orders():
    frame = orders(400)
    with pytest.warns(match="grow with the order|nothing but missing|another value"):
        return frame, TabularOutlierScorer(**FAST).fit(frame)


def test_columns_of_all_kinds(of_orders):
    frame, scorer = of_orders
    kinds = {type(part).__name__ for part in scorer._columns.derived}
    assert len(kinds) == 5  # the derived columns that there are
    assert difference(scorer, frame) < TOLERANCE
    assert difference(scorer, odd(frame)) < TOLERANCE


def test_a_graph_for_any_number_of_rows():
    frame = orders(400)[["ordered", "price", "with_tax", "tax", "kind"]]  # few: exports are slow
    with pytest.warns(match="grow with the order"):
        scorer = TabularOutlierScorer(n_estimators=1, **FAST).fit(frame)
    session = InferenceSession(to_onnx(scorer).SerializeToString())
    new = odd(orders(400))[list(frame)]
    for n in (1, 3, 400):
        rows = new[:n]
        assert difference(scorer, rows, lambda X: session.run(None, {"X": X})[0]) < TOLERANCE


def test_missing_cells_of_numbers():
    X = load_breast_cancer().data
    X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
    scorer = TabularOutlierScorer(n_neighbors=3, max_samples=300, **FAST).fit(X)
    assert difference(scorer, X) < TOLERANCE


def test_rows_that_are_there_many_times():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.choice(["a", "b", "c"], (500, 4), p=[0.7, 0.2, 0.1]))
    X = X.mask(rng.random(X.shape) < 0.1)
    scorer = TabularOutlierScorer(**FAST).fit(X)
    assert difference(scorer, X) < TOLERANCE
    assert difference(scorer, X.replace("c", "d")) < TOLERANCE


def test_without_autoencoders():
    X = load_wine(as_frame=True).data
    for n in (2, 30):
        scorer = TabularOutlierScorer(random_state=0).fit(X[:n])
        assert scorer.ensemble_ is None
        assert difference(scorer, X) < TOLERANCE


@pytest.mark.parametrize("activation", ["gelu", "elu", "leaky_relu"])
def test_nets_whose_activations_the_runtime_lacks(activation):
    X = load_wine().data
    member = TabularAutoencoder(
        activation=activation, normalization="batch", shortcut=False, max_epochs=1
    )
    scorer = TabularOutlierScorer(member, n_estimators=1, random_state=0).fit(X)
    assert difference(scorer, X) < TOLERANCE
    assert difference(scorer, 3 * X) < TOLERANCE


@pytest.mark.parametrize(
    "layer",
    [nn.GELU(), nn.GELU("tanh"), nn.ELU(0.3), nn.LeakyReLU(0.1), nn.Softplus(2.0)],
    ids=str,
)
def test_activations_in_double(layer):
    x = torch.linspace(-40, 40, 10_001, dtype=torch.float64)
    replaced = in_double(nn.Sequential(layer))
    assert type(replaced[0]) is not type(layer)
    torch.testing.assert_close(replaced(x), layer(x), rtol=1e-10, atol=1e-10)

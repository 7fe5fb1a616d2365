"""Generated rows beside real ones."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from skae.inspection import FidelityDisplay
from skae.metrics import fidelity_report

RNG = np.random.default_rng(0)
REAL = pd.DataFrame({"a": RNG.normal(size=40), "b": ["x", "y"] * 20, "c": RNG.normal(size=40)})
REAL["day"] = pd.date_range("2025-01-01", periods=40)
ROWS = REAL.assign(a=REAL["a"] + 9, b=["x"] * 40)


def test_what_is_drawn():
    report = fidelity_report(REAL, ROWS)
    display = FidelityDisplay.from_report(report, n_columns=2)
    titles = [ax.get_title() for ax in display.axes_.flat]
    assert titles[:2] == ["a: 1.00", "b: 0.50"]
    assert display.real_[0].get_data().values.sum() == pytest.approx(100)
    assert [bar.get_height() for bar in display.real_[1]] == [50, 50]
    assert [bar.get_height() for bar in display.synthetic_[1]] == [100, 0]
    np.testing.assert_array_equal(display.image_.get_array(), report.pairs)
    assert len(display.plot().real_) == 4


def test_rows_of_an_estimator():
    X = REAL[["a", "c"]].to_numpy()
    display = FidelityDisplay.from_estimator(GaussianMixture(random_state=0).fit(X), X)
    assert display.ax_.get_legend().get_texts()[1].get_text() == "GaussianMixture"
    with pytest.raises(TypeError, match="PCA has no method sample"):
        FidelityDisplay.from_estimator(PCA().fit(X), X)
    with pytest.raises(ValueError, match="n_columns must be an integer"):
        display.plot(n_columns=0)

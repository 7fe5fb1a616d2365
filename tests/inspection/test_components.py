"""The display of the quality by number of components."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import Autoencoder, SparseAutoencoder, TabularAutoencoder, VariationalAutoencoder
from skae.inspection import ComponentsDisplay

QUICK = {"max_epochs": 1, "random_state": 0}
show = ComponentsDisplay.from_estimator


def r2(X, made):
    return r2_score(X, made, multioutput="variance_weighted")


def pca_scores(train, test, n):
    models = [PCA(k).fit(train) for k in range(1, n + 1)]
    return [r2(test, pca.inverse_transform(pca.transform(test))) for pca in models]


def test_clones_are_scored_on_held_out_samples(X):
    pipeline = make_pipeline(StandardScaler(), Autoencoder(**QUICK, early_stopping=False))
    display = show(pipeline, X, n_components=(4, 1), test_size=40)
    assert "steps" in vars(pipeline)
    assert not hasattr(pipeline[-1], "net_")
    train, test = train_test_split(X, test_size=40, random_state=0)
    scaler = StandardScaler().fit(train)
    train, test = scaler.transform(train), scaler.transform(test)
    expected = [
        r2(test, Autoencoder(n, early_stopping=False, **QUICK).fit(train).reconstruct(test))
        for n in (1, 4)
    ]
    assert display.line_.get_xdata().tolist() == [1, 4]
    np.testing.assert_allclose(display.line_.get_ydata(), expected, rtol=1e-5)
    np.testing.assert_allclose(display.baseline_.get_ydata(), pca_scores(train, test, 4))
    assert display.ax_.get_xlabel() == "number of components"
    assert display.ax_.get_ylabel() == "R2 of held-out samples"
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert names == ["Autoencoder", "PCA"]


def test_a_fitted_estimator_is_not_fitted_again(X):
    model = Autoencoder(3, check_baseline=False, **QUICK).fit(X)
    display = show(model, X)
    codes = model.transform(X)
    first = np.where(np.arange(3) < 1, codes, codes.mean(axis=0))
    assert display.scores[0] == pytest.approx(r2(X, model.inverse_transform(first)))
    assert display.scores[-1] == pytest.approx(model.score(X), rel=1e-5)
    assert display.line_.get_xdata().tolist() == [1, 2, 3]
    np.testing.assert_allclose(display.baseline_scores, pca_scores(X, X, 3))
    assert display.ax_.get_ylabel() == "R2 of training samples"
    apart = show(model, X[:80], X_test=X[80:])
    np.testing.assert_allclose(apart.baseline_scores, pca_scores(X[:80], X[80:], 3))


def test_tables_have_no_baseline():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=40), "b": rng.choice(["x", "y"], size=40)})
    model = TabularAutoencoder(**QUICK)
    display = show(model, X, n_components=[1, 2])
    assert display.baseline_ is None
    train, test = train_test_split(X, test_size=0.25, random_state=0)
    fitted = TabularAutoencoder(2, check_baseline=False, **QUICK).fit(train)
    assert display.scores[1] == pytest.approx(fitted.score(test), rel=1e-5)
    with pytest.raises(ValueError, match="read as a table"):
        show(fitted, X)
    with pytest.raises(ValueError, match="not comparable"):
        show(model, X, n_components=[1], baseline="pca")


def test_other_estimators_and_given_scores(X):
    display = show(PCA(), X, n_components=[1, 3])
    np.testing.assert_allclose(display.scores, display.baseline_scores[[0, 2]])
    given = ComponentsDisplay(n_components=[1, 2, 64], scores=[0.1, 0.2, 0.3]).plot(name="mine")
    assert given.baseline_ is None
    assert given.ax_.get_xscale() == "log"
    assert given.ax_.get_legend().get_texts()[0].get_text() == "mine"
    with pytest.raises(ValueError, match="one length"):
        ComponentsDisplay(n_components=[1, 2], scores=[0.1]).plot()


def test_bad_input(X):
    with pytest.raises(TypeError, match="no parameter n_components"):
        show(LinearRegression(), X)
    with pytest.raises(ValueError, match="list of int"):
        show(Autoencoder(), X, n_components=[0])
    with pytest.raises(ValueError, match="baseline must be"):
        show(Autoencoder(), X, baseline="ica")
    for model in (VariationalAutoencoder(2, **QUICK), SparseAutoencoder(4, **QUICK)):
        with pytest.raises(ValueError, match="not in order"):
            show(model.set_params(check_baseline=False).fit(X), X)

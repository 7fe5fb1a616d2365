"""What notebooks show of estimators: links to the documentation, tooltips, escaped names."""

import re
from inspect import isclass
from pathlib import Path
from pkgutil import resolve_name
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import skae
from skae import Autoencoder, EnsembleAutoencoder, OutlierDetector
from skae._params import DOCUMENTATION
from skae.architectures import Dense

API = Path(__file__).parents[1] / "docs" / "api.rst"

QUICK = {"max_epochs": 1, "check_baseline": False, "random_state": 0}

HOSTILE = "<b>a</b> & <script>alert(1)</script>"


def public_classes():
    """Return, by the name that it has in the documentation, each class with parameters."""
    found, module = {}, "skae"
    for line in API.read_text().splitlines():
        if line.startswith(".. currentmodule:: "):
            module = line.split()[-1]
        elif name := re.fullmatch(r"   ([a-z_]+\.)*[A-Z]\w+", line):
            path = f"{module}.{name.group().strip()}"
            cls = resolve_name(path)
            if isclass(cls) and issubclass(cls, BaseEstimator):
                found[path] = cls
    return found


PUBLIC = public_classes()


def table(html):
    """Return how many values and how many tooltips are shown, and the links of the tooltips."""
    links = re.findall(r'<a class="param-doc-link"[^>]*href="([^"]*)"', html)
    return html.count('<td class="param">'), html.count('class="param-doc-description"'), links


def made(cls):
    """Return an object of a class, a search with an autoencoder."""
    try:
        return cls()
    except TypeError:
        return cls(Autoencoder(), {"lr": [1e-3]})


def test_all_classes_are_found():
    classes = {name: vars(skae)[name] for name in skae.__all__ if isclass(vars(skae)[name])}
    estimators = {name for name, cls in classes.items() if issubclass(cls, BaseEstimator)}
    assert {f"skae.{name}" for name in estimators} <= set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_parameter_links_to_its_documentation(name):
    model = made(PUBLIC[name])
    page = f"{DOCUMENTATION}generated/{name}.html"
    assert model._get_doc_link() == page

    n_values, n_tooltips, links = table(model._repr_html_())

    assert n_tooltips == n_values == len(links) > 0
    own = [link for link in links if link.startswith(page)]
    assert len(own) == len(model.get_params(deep=False))
    for link in own:  # the type is what a browser looks for: a gap would not be found
        parameter, kind = unquote(link.partition("#:~:text=")[2]).split(",-", 1)
        assert parameter in model.get_params(deep=False)
        assert "  " not in kind


@pytest.fixture(scope="module")
def table_of_hostile_names():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3)), columns=[HOSTILE, "b", "c"])
    return X, np.arange(30) % 2


def test_a_fitted_model_shows_its_parts_and_escapes_names(table_of_hostile_names):
    X, _ = table_of_hostile_names
    model = Autoencoder(2, architecture=Dense((4,)), **QUICK).fit(X)
    html = model._repr_html_()
    n_values, n_tooltips, _ = table(html)
    assert n_values == n_tooltips
    assert "architecture: Dense" in html
    assert "skae.architectures.Dense.html#:~:text=hidden_layer_sizes" in html
    assert "&lt;script&gt;alert" in html
    assert "<script>alert" not in html


def test_names_and_values_of_the_user_are_escaped():
    cls = type(HOSTILE, (Autoencoder,), {})
    html = cls(optimizer_params={HOSTILE: 1}, loss=HOSTILE)._repr_html_()
    assert html.count("&lt;script&gt;alert") > 2
    assert "<script>alert" not in html
    assert "<b>a" not in html


def test_models_inside_of_others(table_of_hostile_names):
    X, y = table_of_hostile_names
    pipeline = make_pipeline(Autoencoder(2, **QUICK), LogisticRegression()).fit(X, y)
    html = pipeline._repr_html_()
    assert "skae.Autoencoder.html#:~:text=n_components" in html
    assert "<script>alert" not in html

    members = [Autoencoder(2, **QUICK), Autoencoder(1, **QUICK)]
    html = EnsembleAutoencoder(members)._repr_html_()
    assert "estimator[0]: Autoencoder" in html
    assert "estimator[1]: Autoencoder" in html

    detector = OutlierDetector(members[0])
    assert "estimator: Autoencoder" in detector._repr_html_()
    assert "estimator_: Autoencoder" in detector.fit(X)._repr_html_()


def test_a_class_of_the_user_has_no_link_to_the_documentation():
    class Mine(Autoencoder):
        """An autoencoder that skae does not document."""

    assert Mine()._get_doc_link() == ""
    assert "skae.Mine" not in Mine()._repr_html_()

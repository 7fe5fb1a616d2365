"""Docstrings of methods speak of the data that the class takes."""

import inspect
import pickle
import re

import numpy as np
import pytest

import skae
from skae import Autoencoder, ConvAutoencoder, RecurrentAutoencoder, TabularAutoencoder
from skae._training.session import has_session

CLASSES = [getattr(skae, name) for name in skae.__all__ if inspect.isclass(getattr(skae, name))]


def method_docs(cls):
    """Return the docstrings of the public methods and properties that skae defines, by name."""
    docs = {}
    for name in dir(cls):
        member = getattr(cls, name)
        function = member.fget if isinstance(member, property) else inspect.unwrap(member)
        if not name.startswith("_") and getattr(function, "__module__", "").startswith("skae"):
            docs[name] = member.__doc__ or ""
    return docs


@pytest.mark.parametrize("cls", CLASSES)
def test_no_mark_is_left(cls):
    for name, doc in method_docs(cls).items():
        marks = re.findall(r"<\w+>", re.sub(r"``.*?``", "", doc))
        assert marks == [], name


@pytest.mark.parametrize(
    ("cls", "wrong"),
    [
        (ConvAutoencoder, "sparse|DataFrame|list of arrays"),
        (RecurrentAutoencoder, "sparse|DataFrame|[Ii]mages have"),
        (TabularAutoencoder, "sparse|list of arrays|[Ii]mages have"),
    ],
)
def test_docs_leave_out_other_data(cls, wrong):
    docs = method_docs(cls)
    if cls is ConvAutoencoder:
        del docs["impute"]  # its instances do not have it
    assert {name: doc for name, doc in docs.items() if re.search(wrong, doc)} == {}


def test_docs_of_one_class_leave_the_others_as_they_are():
    assert "sparse matrix" in Autoencoder.fit.__doc__
    assert "height, width" in ConvAutoencoder.fit.__doc__
    assert "list of arrays" in RecurrentAutoencoder.reconstruct.__doc__
    assert "DataFrame" in TabularAutoencoder.impute.__doc__


def test_texts_are_indented_as_their_marks():
    lines = ConvAutoencoder.fit.__doc__.splitlines()
    first = next(i for i, line in enumerate(lines) if "Training images" in line)
    assert {len(line) - len(line.lstrip()) for line in lines[first : first + 2]} == {12}


@pytest.mark.parametrize("name", ["fit", "partial_fit", "transform", "score", "impute"])
def test_copies_have_the_signature_of_the_original(name):
    copied = getattr(ConvAutoencoder, name)
    original = next(getattr(c, name) for c in ConvAutoencoder.__mro__[1:] if name in vars(c))
    if name in ("transform", "impute"):
        assert list(inspect.signature(copied).parameters) == ["self", "X"]
    if name not in ("transform", "score"):
        assert inspect.signature(copied) == inspect.signature(original)
    assert copied.__module__.startswith("skae.")


def test_a_subclass_can_override_a_method():
    class WithOwnFit(ConvAutoencoder):
        def fit(self, X, y=None):
            """Fit <X>."""
            return super().fit(X)

        def transform(self, X):
            return super().transform(X) + 1

    model = WithOwnFit(2, max_epochs=1, check_baseline=False, random_state=0)
    assert WithOwnFit.reconstruct is ConvAutoencoder.reconstruct
    assert has_session(ConvAutoencoder())
    assert not has_session(model)
    X = np.random.default_rng(0).random((30, 4, 4))
    codes = model.set_output(transform="pandas").fit(X).transform(X)
    assert list(codes.columns) == ["withownfit0", "withownfit1"]
    np.testing.assert_array_equal(codes, ConvAutoencoder.transform(model, X) + 1)


def test_bound_methods_can_be_pickled():
    method = pickle.loads(pickle.dumps(ConvAutoencoder(2).reconstruct))
    assert method.__func__ is ConvAutoencoder.reconstruct


def test_impute_is_there_only_where_values_can_be_missing():
    assert not hasattr(ConvAutoencoder(), "impute")
    assert hasattr(RecurrentAutoencoder(), "impute")
    assert hasattr(TabularAutoencoder(), "impute")

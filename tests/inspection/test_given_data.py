"""Displays of data that is given, and what all displays have in common."""

import inspect
import pickle

import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib import pyplot as plt
from matplotlib.text import Text
from scipy import sparse

import skae.inspection
from skae import Autoencoder
from skae.inspection import (
    AttentionDisplay,
    ComponentsDisplay,
    FidelityDisplay,
    LatentSpaceDisplay,
    LatentTraversalDisplay,
    LossCurveDisplay,
    OutlierExplanationDisplay,
    OutlierScoreDisplay,
    ReconstructionDisplay,
    SeriesScoreDisplay,
)
from skae.metrics import fidelity_report

DISPLAYS = [getattr(skae.inspection, name) for name in skae.inspection.__all__]
BAD = "$\\nosuch$"
ROWS = pd.DataFrame(np.random.default_rng(0).normal(size=(9, 2)), columns=[BAD, "a_b"])
REPORT = fidelity_report(pd.concat([ROWS, ROWS]), pd.concat([ROWS, -ROWS]))
STEPS = [np.arange(3.0), np.arange(2.0)]

#: A display of each kind, with names that no parser of formulas understands.
MADE = {
    "attention": lambda ax=None: AttentionDisplay.from_predictions([BAD], ["_a"], [[1.0]], ax=ax),
    "components": lambda ax=None: ComponentsDisplay.from_predictions(
        [2, 1], [0.3, 0.2], baseline_scores=[0.1, 0.2], name=BAD, ax=ax
    ),
    "fidelity": lambda ax=None: FidelityDisplay.from_report(REPORT, name=BAD, ax=ax),
    "codes": lambda ax=None: LatentSpaceDisplay.from_predictions(
        ROWS.to_numpy(), [BAD, "_b", None] * 3, y_name=BAD, ax=ax
    ),
    "traversal": lambda ax=None: LatentTraversalDisplay.from_predictions(ROWS[:6], STEPS, ax=ax),
    "losses": lambda ax=None: LossCurveDisplay.from_predictions({BAD: [3, 2], "_b": [2]}, ax=ax),
    "explanation": lambda ax=None: OutlierExplanationDisplay.from_predictions(
        ROWS, ROWS, ROWS, n_samples=1, ax=ax
    ),
    "scores": lambda ax=None: OutlierScoreDisplay.from_predictions(
        np.arange(9.0), [BAD, "b", "b"] * 3, name=BAD, training_scores=np.arange(99.0), ax=ax
    ),
    "reconstruction": lambda ax=None: ReconstructionDisplay.from_predictions(
        ROWS, ROWS + 1, n_samples=1, ax=ax
    ),
    "series": lambda ax=None: SeriesScoreDisplay.from_predictions(
        ROWS, np.arange(9.0), threshold=2.0, name=BAD, ax=ax
    ),
}


@pytest.mark.parametrize("display", DISPLAYS, ids=lambda one: one.__name__)
def test_signatures_are_those_of_scikit_learn(display):
    plot = inspect.signature(display.plot).parameters
    assert list(plot)[:2] == ["self", "ax"]
    assert plot["ax"].default is None
    for make in (display.from_estimator, display.from_predictions):
        parameters = inspect.signature(make).parameters
        assert parameters["ax"].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters["ax"].default is None
    init = inspect.signature(display.__init__).parameters.values()
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in init if p.name != "self")


@pytest.mark.parametrize("name", MADE)
def test_displays_in_any_place_and_style(name):
    settings = dict(mpl.rcParams)
    display = MADE[name]()
    assert display.figure_ is display.ax_.figure
    display.figure_.draw_without_rendering()
    with plt.style.context("dark_background"):
        again = pickle.loads(pickle.dumps(display)).plot()
        lines = [
            line for ax in again.figure_.axes for line in ax.get_lines() if len(line.get_xdata())
        ]
        assert not any(mpl.colors.to_rgb(line.get_color()) == (0, 0, 0) for line in lines)
    figure = plt.figure(layout="constrained").subfigures(1, 2)[0]
    ax = figure.subplots()
    inside = MADE[name](ax)
    assert inside.figure_ is figure
    inside.plot(getattr(inside, "axes_", ax))  # the same ones again
    figure.figure.draw_without_rendering()
    assert dict(mpl.rcParams) == settings


def test_long_labels_have_lines_on_small_axes():
    display = MADE["scores"](plt.subplots(figsize=(3, 2))[1])
    assert "\n" in display.ax_.get_xlabel()
    assert "\n" in display.p_value_ax_.get_xlabel()
    assert "\n" not in MADE["scores"]().ax_.get_xlabel()


def test_texts_have_room_where_fonts_are_large_or_axes_small():
    with mpl.rc_context({"font.size": 20}):
        assert MADE["codes"]().figure_.get_figwidth() == 2 * 6.0
    display = MADE["explanation"](plt.subplots(figsize=(3, 2))[1])
    wide = MADE["explanation"]()
    assert display.ax_.get_xlim()[1] > wide.ax_.get_xlim()[1]
    decoded, steps = np.zeros((15, 2, 2)), [np.arange(5) / 3, np.arange(3)]
    for size, angle in (((1.2, 2), 45), ((9, 2), 0)):
        ax = plt.subplots(figsize=size)[1]
        ticks = LatentTraversalDisplay.from_predictions(decoded, steps, ax=ax).ax_.get_xticklabels()
        assert ticks[0].get_rotation() == angle


def test_legends_hold_all_names():
    texts = [text.get_text() for text in MADE["codes"]().legend_.get_texts()]
    assert texts == ["no label", BAD, "_b"]


HISTORY = [{"train_loss": 3.0, "valid_loss": 4.0}, {"train_loss": 2.0, "restored_epoch": 1}]


@pytest.mark.parametrize(
    ("losses", "curves"),
    [
        ([3, 2], [[3, 2]]),
        ([[3, 2], [1]], [[3, 2], [1]]),
        ({"a": np.array([3, 2]), "b": [1]}, [[3, 2], [1]]),
        ({"train_loss": [3, 2]}, [[3, 2]]),
        (pl.DataFrame({"train_loss": [3, 2]}), [[3, 2]]),
        (HISTORY, [[3, 2]]),
        ([HISTORY, HISTORY], [[3, 2], [3, 2]]),
    ],
    ids=str,
)
def test_losses_that_are_given(losses, curves):
    display = LossCurveDisplay.from_predictions(losses)
    assert [line.get_ydata().tolist() for line in display.lines_] == curves
    assert [line.get_xdata().tolist() for line in display.lines_] == [
        list(range(1, len(curve) + 1)) for curve in curves
    ]


def test_losses_of_estimators_and_of_their_history_are_the_same(X):
    model = Autoencoder(2, max_epochs=2, check_baseline=False, random_state=0).fit(X)
    of_model = LossCurveDisplay.from_estimator(model)
    of_history = LossCurveDisplay.from_predictions(model.history_)
    for name in ("lines_", "valid_lines_", "restored_"):
        pairs = zip(getattr(of_model, name), getattr(of_history, name), strict=True)
        for a, b in pairs:
            np.testing.assert_array_equal(a.get_xydata(), b.get_xydata())


def test_components_that_are_given():
    display = MADE["components"]()
    assert display.line_.get_xydata().tolist() == [[1, 0.2], [2, 0.3]]
    assert display.baseline_.get_ydata().tolist() == [0.1, 0.2]


def test_decoded_samples_that_are_given():
    images = np.arange(24.0).reshape(6, 2, 2)
    grid = LatentTraversalDisplay.from_predictions(images, STEPS)
    ax = grid.ax_
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0", "1", "2"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["0", "1"]
    picture = grid.image_.get_array()
    assert picture[~np.isnan(picture)].min() == 0
    assert picture.shape == (6, 9)  # with gaps
    rows = LatentTraversalDisplay.from_predictions(images[:3], STEPS[0], components=[4])
    assert rows.ax_.get_xlabel() == "value of the code"
    assert [text.get_text() for text in rows.ax_.get_yticklabels()] == ["code 4"]
    table = LatentTraversalDisplay.from_predictions(ROWS[:6], STEPS)
    assert table.images_[0].get_array().shape == (2, 3)


def test_samples_of_any_kind(X):
    flat = sparse.random(20, 10, density=0.3, format="coo", random_state=0)
    model = Autoencoder(2, max_epochs=1, check_baseline=False, random_state=0).fit(flat)
    display = ReconstructionDisplay.from_estimator(model, flat)
    np.testing.assert_allclose(display.original, flat.toarray()[:3])
    turned = ReconstructionDisplay.from_estimator(model, flat.toarray()[:3], selection=[2, 1, 0])
    np.testing.assert_allclose(turned.original, flat.toarray()[2::-1])
    assert turned.sample_names[0] == "sample 2"
    empty = np.full((2, 4, 4), np.nan)
    ReconstructionDisplay.from_predictions(empty, empty).figure_.draw_without_rendering()
    constant = ComponentsDisplay.from_estimator(model, np.ones((20, 10)))
    assert constant.baseline_ is None  # nothing varies


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LossCurveDisplay.from_predictions([]), "losses is empty"),
        (lambda: LossCurveDisplay.from_predictions({"a": {"loss": [1]}}), "no train_loss.* loss"),
        (lambda: LossCurveDisplay.from_predictions([2, -1], log_scale=True), "the lowest is -1"),
        (lambda: LossCurveDisplay(epoch=[], train_loss=[]).plot(), "at least 1"),
        (lambda: ComponentsDisplay.from_predictions(["a"], [1]), "n_components must be"),
        (lambda: ComponentsDisplay.from_predictions([0, 1], [1, 2]), "at least 1"),
        (lambda: LatentTraversalDisplay.from_predictions(ROWS, STEPS), "9 samples.* ask for 6"),
        (
            lambda: LatentTraversalDisplay.from_predictions(
                ROWS[:4], [[1, 2], [1, 3]], layout="rows"
            ),
            "say which quantiles",
        ),
        (lambda: LatentTraversalDisplay.from_predictions(ROWS, []), "steps must be a list"),
        (lambda: LatentSpaceDisplay.from_predictions(ROWS, max_samples=0), "max_samples"),
        (
            lambda: LatentSpaceDisplay.from_predictions(
                ROWS, np.linspace(0, 1, 9), scatter_kw={"c": "red"}
            ),
            "scatter_kw holds a color",
        ),
        (lambda: ReconstructionDisplay.from_predictions(ROWS, ROWS, ROWS[:2]), "y 2"),
        (lambda: ReconstructionDisplay.from_predictions(ROWS, ROWS / 0), "infinite value"),
        (lambda: OutlierExplanationDisplay.from_predictions(ROWS, ROWS, ROWS / 0), "infinite"),
        (lambda: SeriesScoreDisplay.from_predictions(ROWS, ROWS, times=3), "one time for each"),
        (
            lambda: SeriesScoreDisplay.from_predictions([1, 2], [1, 2], times=[1, np.inf]),
            "missing or infinite",
        ),
        (lambda: SeriesScoreDisplay.from_predictions(ROWS, ROWS, intervals=3), "must hold pairs"),
        (lambda: SeriesScoreDisplay.from_predictions(ROWS, ROWS, y_true=3), "labels of steps"),
    ],
)
def test_bad_data(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "y", [[10**400, 1], [np.inf, 1.5], [None, None], pd.to_datetime(["2020-01-01", None])], ids=repr
)
def test_odd_labels(y):
    display = LatentSpaceDisplay.from_predictions(np.ones((2, 2)), y, projection="pca")
    display.figure_.draw_without_rendering()
    texts = [text.get_text() for text in display.figure_.findobj(Text)]
    assert ("2020-01-01" in texts) == isinstance(y, pd.DatetimeIndex)

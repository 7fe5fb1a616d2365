"""What all displays share."""

import sys

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D

import skae.inspection
from skae.exceptions import DataWarning
from skae.inspection._models import to_draw
from skae.inspection._plotting import (
    COLORS,
    grid_of_axes,
    look,
    look_of_points,
    one_axes,
    pyplot,
    style,
)


def test_axes_are_made_or_taken():
    _, ax = plt.subplots()
    assert one_axes(ax) is ax
    assert one_axes(None, (3, 2)).figure.get_size_inches().tolist() == [3, 2]
    with pytest.raises(TypeError, match="one matplotlib Axes"):
        one_axes(plt.subplots(2)[1])


def test_a_grid_of_axes_is_made_or_taken_or_takes_the_place_of_one():
    assert grid_of_axes(None, 2, 3).shape == (2, 3)
    _, row = plt.subplots(1, 3)
    assert grid_of_axes(row, 1, 3)[0, 2] is row[2]
    figure, ax = plt.subplots()
    divided = grid_of_axes(ax, 2, 2, sharex=True, width_ratios=[1, 2])
    assert all(one.figure is figure for one in divided.flat)
    assert not ax.axison
    with pytest.raises(ValueError, match=r"of shape \(3,\).*\(2, 3\)"):
        grid_of_axes(row, 2, 3)
    with pytest.raises(TypeError, match="matplotlib Axes"):
        grid_of_axes("here", 1, 1)
    with pytest.raises(ValueError, match="a place of their own"):
        grid_of_axes(figure.add_axes((0, 0, 1, 1)), 1, 2)


def test_styles_of_users_have_precedence_by_any_name():
    merged = style(Line2D, {"linewidth": 1, "color": "red"}, {"lw": 3}, None)
    assert merged == {"linewidth": 3, "color": "red"}


def test_no_two_looks_are_alike():
    looks = [look(i) for i in range(20)]
    assert len({(one["color"], one["marker"]) for one in looks}) == 20
    assert {one["color"] for one in looks} <= set(COLORS)
    for n in (6, 20):
        points = {tuple(look_of_points(i, n).values()) for i in range(n)}
        assert len(points) == n


def test_too_many_samples_are_subsampled_with_a_warning():
    X = np.zeros((50, 2))
    with pytest.warns(DataWarning, match="20 of 50 samples are drawn"):
        which = to_draw(X, 20, random_state=0)
    assert len(set(which)) == 20
    assert (np.diff(which) > 0).all()
    assert len(to_draw(X, None)) == len(to_draw(X, 50)) == 50


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ModuleNotFoundError, match=r"skae\[plot\]"):
        pyplot()
    with pytest.raises(ModuleNotFoundError, match=r"skae\[plot\]"):
        skae.inspection.LossCurveDisplay.from_estimator(None)

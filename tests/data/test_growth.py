"""The work for a table grows with its columns and categories, not with their squares.

Operations are counted, as times depend on what else a machine does.
"""

import narwhals as nw
import numpy as np
import pandas as pd
import pytest
import torch

from skae import TabularAutoencoder
from skae._data.column_layout import ColumnLayout
from skae._data.columns import CategoryColumn, TableColumns
from skae._data.dtypes import ColumnType
from skae._data.frames import aligned
from skae.losses._tabular import CategorySoftmax

N = 200


class Counted(str):
    """A name that counts how often it is hashed or compared."""

    n_uses = 0

    def __hash__(self):
        Counted.n_uses += 1
        return str.__hash__(self)

    def __eq__(self, other):
        Counted.n_uses += 1
        return str.__eq__(self, other)


def count_calls(monkeypatch, owner, name):
    """Return a list that grows with each call of a property."""
    calls, whole = [], getattr(owner, name)

    def spy(self):
        calls.append(name)
        return whole.fget(self)

    monkeypatch.setattr(owner, name, property(spy))
    return calls


def names_of(prefix):
    return [Counted(f"{prefix}{i}") for i in range(N)]


def test_names_that_are_missing_are_looked_up_once():
    frame, names = nw.from_native(pd.DataFrame(np.zeros((1, N)))), names_of("a")
    frame = frame.rename(dict(zip(frame.columns, map("b{}".format, range(N)), strict=True)))
    Counted.n_uses = 0
    with pytest.raises(ValueError, match="X lacks these columns"):
        aligned(frame, names)
    assert Counted.n_uses < 10 * N


def test_listed_columns_are_looked_up_once():
    X = pd.DataFrame(np.zeros((2, N)), columns=list(map("a{}".format, range(N))))
    given = names_of("a")
    Counted.n_uses = 0
    assert TableColumns.learn(X, given).is_category.all()
    assert Counted.n_uses < 10 * N
    with pytest.raises(ValueError, match=r"lists \[\{\}\], but X has no such columns"):
        TableColumns.learn(X, ["a1", {}])


def test_widths_are_asked_for_once_a_column(monkeypatch):
    X = pd.DataFrame({f"c{i}": ["a", "b", "a"] for i in range(N)})
    widths = count_calls(monkeypatch, CategoryColumn, "width")
    model = TabularAutoencoder(2, max_epochs=1, random_state=0, check_baseline=False).fit(X)
    assert len(widths) < 10 * N
    widths.clear()
    model.transform(X)
    assert len(widths) < 10 * N


def test_categories_that_are_new_are_looked_up_in_a_set(monkeypatch):
    known, new = (np.array([f"{prefix}{i}" for i in range(N)], object) for prefix in "ab")
    kind = ColumnType.of(nw.from_native(pd.Series(pd.Categorical(known)), series_only=True))
    asked = count_calls(monkeypatch, ColumnType, "categories")
    wider = kind.with_categories(np.append(known, new))
    assert set(wider.native.categories) == {*known, *new}
    assert len(asked) < 5


@pytest.mark.parametrize(
    "widths", [(3,) * 2000, (2,) * 500 + (20_000,) + (2,) * 500, (5,), (1, 7), tuple(range(1, 300))]
)
def test_softmax_of_categories_needs_memory_for_the_elements(widths):
    softmax = CategorySoftmax(ColumnLayout(1, widths))
    assert sum(buffer.numel() for buffer in softmax.buffers()) < 150 * sum(widths) + 10
    x = torch.randn(2, 3, 1 + sum(widths), generator=torch.Generator().manual_seed(0))
    expected = [group.softmax(-1) for group in x[..., 1:].split(widths, -1)]
    torch.testing.assert_close(softmax(x), torch.cat([x[..., :1], *expected], -1))


def test_softmax_without_categories_returns_the_numbers():
    x = torch.ones(2, 3)
    torch.testing.assert_close(CategorySoftmax(ColumnLayout(3, ()))(x), x)

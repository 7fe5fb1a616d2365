"""Numbers and cells of tables as short texts."""

import numpy as np
import pandas as pd

#: Letters of a text, at most.
MAX_LETTERS = 28


def number_text(number, n_digits=5):
    """Return a number as a short text, with a minus as axes have it."""
    text = f"{number:.{n_digits}g}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")
    return text.replace("-", "\N{MINUS SIGN}")


def cell_text(cell, limit=MAX_LETTERS):
    """Return a cell of a table as a short text."""
    if pd.isna(cell):
        return "missing"
    if isinstance(cell, pd.Timestamp):
        return f"{cell:%Y-%m-%d}" if cell == cell.normalize() else f"{cell:%Y-%m-%d %H:%M}"
    if isinstance(cell, (float, np.floating)):
        is_long = cell.is_integer() or abs(cell) >= 1000
        text = f"{cell:,.0f}" if is_long and abs(cell) < 1e9 else f"{cell:.4g}"
        return text.replace("-", "\N{MINUS SIGN}")
    return shortened(str(cell), limit)


def shortened(text, limit=MAX_LETTERS):
    """Return a text without its middle if it is long, and in one line."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    half = (limit - 1) // 2
    return f"{text[: limit - 1 - half]}…{text[-half:]}"

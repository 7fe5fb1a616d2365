"""A warning of given cells that do not go together."""

import numpy as np

from skae.exceptions import DataWarning, warn

#: Rows that are looked at, at most.
MAX_ROWS = 1_000

#: A cell is unlikely that others make less probable by this factor, a logarithm.
LEAST_LIFT = -np.log(30)


def warn_if_unlikely(predictor, rows):
    """Warn if cells of rows are given together that hardly ever are in the training rows.

    Parameters
    ----------
    predictor : Predictor
        Of a `TableVariationalModule`.
    rows : TableDataset
        Rows in which other cells are missing.
    """
    sample = rows.subsample(MAX_ROWS)
    n_columns = len(rows.format.order)
    found = predictor.map(_lifts, sample, (n_columns,))
    row, place = np.unravel_index(found.argmin(), found.shape)
    if found[row, place] >= LEAST_LIFT:
        return
    columns = rows.format.columns
    name = columns.names[rows.format.order[place]]
    given = np.flatnonzero(~np.isnan(sample.X[row]))
    names = [columns.names[i] for i in given]
    warn(
        f"conditions gives {names} together as they hardly ever are in the training rows: given "
        f"the others, the value of {name!r} is less than a thirtieth as probable as without them. "
        "Rows with such values may not be like real ones.",
        DataWarning,
    )


def _lifts(module, x, target):
    del target
    return module.log_lifts(x)

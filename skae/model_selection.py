"""Search for good parameters, fit of many models at once, and groups for cross-validation."""

from skae._model_selection.default_grid import default_grid
from skae._model_selection.fit_many import fit_many
from skae._model_selection.grid import BatchedGridSearchCV, BatchedRandomizedSearchCV
from skae._model_selection.halving import BatchedHalvingGridSearchCV
from skae._model_selection.optuna_search import BatchedOptunaSearchCV
from skae._model_selection.pair_groups import pair_groups
from skae._model_selection.pruning import OptunaPruningCallback

__all__ = [
    "BatchedGridSearchCV",
    "BatchedHalvingGridSearchCV",
    "BatchedOptunaSearchCV",
    "BatchedRandomizedSearchCV",
    "OptunaPruningCallback",
    "default_grid",
    "fit_many",
    "pair_groups",
]

"""How estimators read samples."""

from skae._data import LAYOUTS
from skae._params import ParameterMixin


class SampleReader:
    """Reads samples.

    A subclass defines ``_input_kind`` and ``_make_architecture``.
    """

    def _read_input(self, X, sample_weight=None, reset=False):
        """Read samples of the kind that the architecture takes, in the layout of the fit."""
        if reset:
            architecture = self._make_architecture()
            if isinstance(architecture, ParameterMixin):
                architecture._validate_params()
            self._layout = LAYOUTS[self._input_kind].of(architecture)
            self._format = None
        dataset = self._layout.read(self, X, sample_weight, reset, self._format)
        if reset:
            self._format = dataset.format.for_new_rows()
            self._sample_shape = dataset.sample_shape
        return dataset

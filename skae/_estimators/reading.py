"""How estimators remember what samples they were fitted on, and read others alike."""

from skae._data import READERS
from skae._params import ParameterMixin


class ReadsSamples:
    """Mixin of estimators that read X with a `Reader`.

    A subclass defines ``_input_kind`` and ``_make_architecture``, or ``_make_reader``.
    """

    @property
    def _reader_class(self):
        """Class of the reader, also before ``fit`` has checked the kind of input."""
        return READERS.get(self._input_kind, READERS["arrays"])

    def _make_reader(self):
        """Return a reader of training samples, of the kind that the architecture takes."""
        architecture = self._make_architecture()
        if isinstance(architecture, ParameterMixin):
            architecture._validate_params()
        return self._reader_class.of(architecture)

    def _learn_input(self, *data, sample_weight=None):
        """Read training samples, and remember what they are like."""
        reader, dataset = self._make_reader().learn(
            *data, sample_weight=sample_weight, estimator=self
        )
        self._remember(reader)
        return dataset

    def _remember(self, reader):
        """Set the attributes that say what the training samples are like."""
        self._reader = reader
        self.__dict__.pop("feature_names_in_", None)  # of an earlier fit
        vars(self).update(vars(reader.features))

    def _read_input(self, *data, sample_weight=None):
        """Read samples as those of the training."""
        return self._reader.read(*data, sample_weight=sample_weight, estimator=self)

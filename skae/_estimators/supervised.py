"""Autoencoders whose codes learn to predict labels, if a parameter asks for it."""

from skae._data.ignored import warn_if_y_is_meant
from skae._data.labels import LABEL_READERS
from skae._estimators.parameters import estimator
from skae._modules.label_head import LABEL_WEIGHT, LabelHead, first_codes, variation
from skae._params import ParameterMixin, StrOptions, fit_context, real
from skae._training.session import FitSession, fit_method


@estimator
class Supervised(ParameterMixin):
    """Mixin of ``target``: a linear prediction of labels from codes adds its loss to training."""

    target: str | None = None
    target_weight: float = 1.0

    _parameter_constraints = {
        "target": [StrOptions(set(LABEL_READERS)), None],
        "target_weight": [real(0, closed="neither")],
    }

    @fit_method
    def fit(self, X, y=None, sample_weight=None, *, X_val=None, y_val=None):
        """Train on X.

        Parameters
        ----------
        X : <X>
            <training_samples>
        y : array-like of shape (n_samples,) or (n_samples, n_outputs) or None, default=None
            Labels, used if ``target`` is given, otherwise ignored. NaN, None or NA stands for a
            missing label. If they are ignored, a warning says so if y holds images, or samples
            like those of X.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each sample in the loss.
        X_val : <X_val> or None, default=None
            Samples for ``valid_loss``. Early stopping uses them to choose the best epoch. If
            None, it holds out ``validation_fraction`` of X.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs) or None, default=None
            Labels of ``X_val``, needed if ``target`` is given, otherwise ignored.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, or if the loss becomes NaN or infinite. An
            estimator that was fitted before keeps its earlier fit.
        """
        if X_val is None and y_val is not None and self.target is not None:
            raise ValueError("y_val holds the labels of X_val, but X_val is None: give both")
        if self.target is None:
            warn_if_y_is_meant(type(self).__name__, X, y)
        return FitSession(self, (X, y), sample_weight, None if X_val is None else (X_val, y_val))

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Train for one more epoch on X, at a constant ``lr``.

        The first call starts a new model. Later calls continue with its weights and the state
        of the optimizer.

        Parameters
        ----------
        X : <X>
            <training_samples>
        y : array-like of shape (n_samples,) or (n_samples, n_outputs) or None, default=None
            Labels, as for ``fit``. Those of the first call hold all classes.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each sample in the loss.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            As in ``fit``.
        """
        with FitSession(self, (X, y), sample_weight, is_partial=True) as run:
            run.fit_loop()
        return self

    def _fit_batches(self, *args):
        return super()._fit_batches(*args, beside=(None,))

    def _check_streamable(self):
        super()._check_streamable()
        if self.target is not None:
            raise ValueError(
                f"fit_batches reads no labels, but target={self.target!r} asks for them. Set "
                "target=None, or call fit or partial_fit with y."
            )

    def _read_samples(self, data, sample_weight, resume):
        X, y = data
        dataset = super()._read_samples((X,), sample_weight, resume)
        if not resume:
            for name in ("_label_reader", "classes_"):  # of an earlier fit
                self.__dict__.pop(name, None)
        if self.target is None:
            return dataset
        self._check_given(y, "y")
        of_samples = y, len(dataset), dataset.sample_weight
        if resume and "_label_reader" in vars(self):
            return dataset.labeled(self._label_reader.read(*of_samples))
        self._label_reader, labels = LABEL_READERS[self.target].learn(*of_samples)
        if labels.is_classes:
            self.classes_ = self._label_reader.classes
        return dataset.labeled(labels)

    def _read_validation(self, data):
        X, y = data
        dataset = super()._read_validation((X,))
        if self.target is None:
            return dataset
        self._check_given(y, "y_val")
        return dataset.labeled(self._label_reader.read(y, len(dataset), name="y_val"))

    def _check_given(self, y, name):
        if y is None:
            raise ValueError(
                f"With target={self.target!r}, {type(self).__name__} requires {name} to be passed, "
                f"but the target {name} is None. Give a label for each sample, NaN or None where "
                "it is missing. Or set target=None, as inside of an OutlierDetector, which passes "
                "no labels on."
            )

    def _order_to_hold_out(self, dataset, rng):
        order, n_held_out = super()._order_to_hold_out(dataset, rng)
        labels = dataset.labels
        return (order if labels is None else labels.spread(order)), n_held_out

    def _more_parts(self, dataset, parts, loss):
        more = super()._more_parts(dataset, parts, loss)
        if self.target is None:
            return more
        unit = LABEL_WEIGHT * variation(loss, dataset) / dataset.labels.variation()
        n_outputs, is_classes = self._label_reader.n_outputs, dataset.labels.is_classes
        n_components, code_size = first_codes(dataset, *parts[:2])
        head = LabelHead(n_components, n_outputs, is_classes, unit, code_size)
        return more | {"head": head, "target_weight": self.target_weight}

    def _parts_to_renew(self, dataset):
        return super()._parts_to_renew(dataset) | {"target_weight": self.target_weight}

    def _parameters_of_the_net(self):
        return super()._parameters_of_the_net() | {"target": self.target}

    @property
    def _n_comparable_components(self):
        return super()._n_comparable_components if self.target is None else None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.target is not None
        return tags

    def _without_effect(self):
        reasons = super()._without_effect()
        return reasons if self.target else reasons | {"target_weight": "target=None"}

"""Codes in order: their axes, their scale, and how many are kept."""

from dataclasses import field
from math import prod
from numbers import Integral

import torch

from skae._estimators.parameters import estimator
from skae._estimators.predictor import NetPredictor
from skae._modules.code_basis import MAX_CODES, RawBasis, principal_codes
from skae._modules.importances import code_importances
from skae._modules.principal_axes import n_components_for
from skae._params import ParameterMixin, StrOptions, integer, real

#: What the description of codes may cost: codes that are encoded or decoded for it, as a fraction
#: of those in training, and how many rows it takes at least and at most.
COST, MIN_ROWS, MAX_ROWS = 0.1, 1_000, 5_000

#: The same for derivatives of codes.
MIN_SLOPE_ROWS, MAX_SLOPE_ROWS = 4, 256

#: Importances that a fitted model keeps, at most: 32 MB.
MAX_IMPORTANCES = 2**22

#: Variances below this are 0.
TINY = 1e-300

#: With fewer samples than this, codes of any length tell them apart.
MIN_SAMPLES = 3

#: By what factor the epochs of ``partial_fit`` grow until codes are described anew.
GROWTH = 1.1

#: What is computed anew after each training.
DESCRIPTIONS = ("explained_variance_ratio_", "feature_importances_")


@estimator
class OrderedCode(ParameterMixin):
    """The axes of the code are chosen after the training."""

    n_components: int | float | str = field(default="auto", kw_only=False)
    whiten: bool = False

    _parameter_constraints = {
        "n_components": [integer(1), real(0, 1, closed="neither"), StrOptions({"auto"})],
        "whiten": ["boolean"],
    }

    #: After how many epochs the basis of the codes was chosen last.
    _ordered_at = 0

    # Before the training.

    @property
    def _is_fraction(self):
        """Whether ``n_components`` is a fraction of the variance."""
        return not isinstance(self.n_components, Integral | str)

    def _hold_out(self, dataset, validation_data, resume=False):
        n, n_samples = self.n_components, len(dataset.in_training())
        if isinstance(n, Integral) and n > n_samples >= MIN_SAMPLES and not resume:
            raise ValueError(
                f"n_components={n} is more than the {n_samples} samples of X, too few to say "
                f"what so many codes are. Choose at most {n_samples}, or give more samples."
            )
        return super()._hold_out(dataset, validation_data, resume)

    def _set_up(self, dataset, resume, is_partial, defaults):
        if self._is_fraction and is_partial:
            raise ValueError(
                f"n_components={self.n_components} is a fraction of the variance of all rows, of "
                "which partial_fit sees some at a time. Give the number of codes, or call fit."
            )
        super()._set_up(dataset, resume, is_partial, defaults)

    def _asked_n_components(self, architecture, dataset):
        if not self._is_fraction:
            return self.n_components
        if not self._make_loss().explains_variance:
            raise ValueError(
                f"n_components={self.n_components} is a fraction of the variance, which "
                f"{self._loss_parameter}={self.loss!r} does not explain. Give the number of codes, "
                'or a loss among "squared_error", "absolute_error" and "huber".'
            )
        return n_components_for(dataset, float(self.n_components))

    def _make_module(self, dataset):
        module, n_components = super()._make_module(dataset)
        if self._is_fraction or self.whiten:
            self._check_free(module, n_components)
        return module, n_components

    def _check_free(self, module, n_components):
        """Raise an error if the axes of the code cannot be chosen."""
        name, value = ("whiten", True) if self.whiten else ("n_components", self.n_components)
        why = None
        if self._make_architecture().code_has_places:
            why = "the units of a spatial code have places; take a dense code"
        elif not module.bottleneck.is_linear:
            why = f"the code of {type(self).__name__} is not a linear function of the encoder's"
        elif n_components > MAX_CODES:
            why = f"{n_components} codes are too many for it, {MAX_CODES} are the limit"
        if why:
            raise ValueError(f"{name}={value} changes the axes of the code, but {why}.")

    # After the training.

    def _order_codes(self, samples, validation, n_epochs):
        if not self.net_.anneals and self.n_iter_ < GROWTH * self._ordered_at:
            return
        module, self._ordered_at = self.net_.module_, self.n_iter_
        module.replace(code_basis=RawBasis())  # that of an earlier fit does not count
        self._predictor = NetPredictor(self.net_)
        for name in DESCRIPTIONS:
            self.__dict__.pop(name, None)
        n_codes = int(COST * len(samples) * n_epochs)
        if module.bottleneck.is_linear and not self._make_architecture().code_has_places:
            self._choose_basis(samples, validation, n_codes)
        self._weigh_features(samples, n_codes)

    def _choose_basis(self, samples, validation, n_codes):
        codes = principal_codes(self.net_.module_, samples, self.device_, n_codes)
        if codes is None:
            return
        n, rows = len(codes.variances), min(MAX_ROWS, max(n_codes, MIN_ROWS))
        if self._is_fraction:
            n = self._fewest_codes(codes, (validation or samples).subsample(rows))
        self.n_components_ = n
        self._set_basis(codes.basis(n, self.whiten))
        explained = max(0.0, self._predictor.r2(samples.subsample(rows), torch.float32))
        variances = codes.variances[:n].numpy()
        self.explained_variance_ratio_ = explained * variances / max(variances.sum(), TINY)

    def _set_basis(self, basis):
        self.net_.module_.replace(code_basis=basis.to(self.device_))
        self._predictor = NetPredictor(self.net_)  # whose halves have this basis

    def _fewest_codes(self, codes, samples):
        """Return how many of the first codes keep the fraction of the variance."""
        low, high = 1, len(codes.variances)
        while low < high:
            n = (low + high) // 2
            self._set_basis(codes.basis(n))
            keeps = self._predictor.r2(samples) >= self.n_components
            low, high = (low, n) if keeps else (n + 1, high)
        return low

    def _weigh_features(self, samples, n_codes):
        n, n_values = self.n_components_, prod(samples.sample_shape)
        if n * n_values > MAX_IMPORTANCES:
            return
        rows = samples.subsample(min(MAX_SLOPE_ROWS, max(n_codes // n, MIN_SLOPE_ROWS)))
        importances = code_importances(self.net_.module_, rows, n, self.device_).numpy()
        if samples.lengths is None:
            importances = samples.format.to_user_axes(importances)
        self.feature_importances_ = importances

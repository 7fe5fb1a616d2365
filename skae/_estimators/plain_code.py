"""Autoencoders whose code is the encoder's output as it is."""

from skae._estimators.parameters import estimator
from skae._estimators.predictor import NetPredictor
from skae._modules.code_basis import RawBasis, principal_codes
from skae._params import ParameterMixin

#: Codes that may be decoded to choose their basis, as a fraction of those in training.
BASIS_SHARE = 0.1


@estimator
class PlainCode(ParameterMixin):
    """Parameters and attributes of autoencoders with a plain code."""

    def _order_codes(self, samples, validation, n_epochs):
        del validation
        module = self.net_.module_
        module.replace(code_basis=RawBasis())  # that of an earlier fit does not count
        if module.bottleneck.is_linear and not self._make_architecture().code_has_places:
            max_decoded = int(BASIS_SHARE * len(samples) * n_epochs)
            codes = principal_codes(module, samples, self.device_, max_decoded)
            if codes is not None:
                module.replace(code_basis=codes.basis(self.n_components_).to(self.device_))
        self._predictor = NetPredictor(self.net_)  # whose halves have this basis

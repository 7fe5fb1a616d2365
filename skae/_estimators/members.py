"""The nets of all members of an ensemble as one."""

import torch

from skae._estimators.predictor import Predictor


class EnsemblePredictor(Predictor):
    """Passes samples through the modules of all members.

    Parameters
    ----------
    predictors : list of NetPredictor
    widths : list of int
        Lengths of the codes.
    features : list of ndarray of int
        The columns that each member sees.
    n_features : int
    """

    def __init__(self, predictors, widths, features, n_features):
        self.predictors, self.widths = predictors, widths
        see_all = all(len(seen) == n_features for seen in features)
        self.features = None if see_all else features

    def module_for(self, dtype):
        modules, devices = zip(*(one.module_for(dtype) for one in self.predictors), strict=True)
        return Members(modules, self.widths, self.features), devices[0]


class Members:
    """The modules of all members, combined as the module of one autoencoder.

    Parameters
    ----------
    modules : sequence of AutoencoderModule
    widths : list of int
        Lengths of the codes.
    features : list of ndarray of int or None
        The columns that each member sees; None if all see all.
    """

    def __init__(self, modules, widths, features):
        self.modules, self.widths, self.features = modules, widths, None
        if features is not None:
            self.features = [torch.from_numpy(seen) for seen in features]
            self.times_seen = torch.bincount(torch.cat(self.features))
        # The maximum: they run one after the other.
        self.n_multiplications = max(module.n_multiplications for module in modules)

    def encode(self, x):
        """Return the codes side by side."""
        return torch.cat([module.encode(seen) for module, seen in self._shown(x)], 1)

    def decode(self, code, target=None):
        """Return the mean of what the codes decode to."""
        pairs = zip(self.modules, code.split(self.widths, 1), strict=True)
        return self._mean(module.decode(own, target) for module, own in pairs)

    def latent(self, x):
        """Return what each decoder gets."""
        return [module.latent(seen) for module, seen in self._shown(x)]

    def decode_latent(self, latent, target=None):
        """Return the mean of what the decoders make of it."""
        pairs = zip(self.modules, latent, strict=True)
        return self._mean(module.decode_latent(own, target) for module, own in pairs)

    def __call__(self, x):
        """Return the mean reconstruction."""
        return self._mean(module(seen) for module, seen in self._shown(x))

    def complete(self, x):
        """Return the mean of what stands for the missing values of samples."""
        return self._mean(module.complete(seen) for module, seen in self._shown(x))

    def each(self, x):
        """Return the reconstructions of all members, shape (n_taken, n_members, ...)."""
        return torch.stack([module(seen) for module, seen in self._shown(x)], 1)

    def squared_errors(self, x):
        """Return the mean of the squared errors, each member's from its own reconstruction."""
        return self._mean((seen - module(seen)).square() for module, seen in self._shown(x))

    def _shown(self, x):
        """Yield each member's net with the columns that it sees."""
        for i, module in enumerate(self.modules):
            yield module, x if self.features is None else x[:, self.features[i]]

    def _mean(self, outputs):
        """Return the mean of each column over the members that see it."""
        if self.features is None:
            return sum(outputs) / len(self.modules)
        total = 0.0
        for output, seen in zip(outputs, self.features, strict=True):
            wide = output.new_zeros(output.shape[0], len(self.times_seen))
            wide[:, seen] = output
            total = total + wide
        return total / self.times_seen.to(total)

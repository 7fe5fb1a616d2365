"""How fitted networks are applied to samples, for single ones and ensembles."""

import copy
from contextlib import contextmanager
from operator import setitem

import numpy as np
import torch
from sklearn.exceptions import UndefinedMetricWarning

from skae._data.batches import along, chunks
from skae._runtime import threads
from skae.exceptions import warn


class Predictor:
    """Passes samples through a network.

    A subclass defines ``_module``, ``device_`` and ``n_components_``.
    """

    def _score(self, dataset):
        """Return R2: the fraction of the variance of the targets that is predicted."""
        if len(dataset) < 2:
            warn("R2 is not defined for fewer than two samples.", UndefinedMetricWarning)
            return float("nan")
        return self._r2(dataset)

    def _r2(self, dataset):
        return dataset.targets.explained(*self._squares(dataset))

    def _squares(self, dataset, watch=None):
        """Return the residual and total sums of squares of each value.

        ``watch`` is called with the module and the codes of each chunk.
        """
        mean = dataset.targets.mean()
        residual, total = np.zeros(mean.shape), np.zeros(mean.shape)
        add = torch.nansum if dataset.has_missing else torch.sum
        with self._inference(dataset) as (module, device):
            for _, x, target, weight in chunks(dataset, dataset.dtype, device):
                code = module.encode(x)
                if watch is not None:
                    watch(module, code)
                weight = 1.0 if weight is None else along(weight, target)
                predicted, target = (
                    y.cpu().double() for y in (module.decode(code, target), target)
                )
                n = target.shape[1]  # fewer than all steps if the sequences are short
                residual[:n] += add(weight * (target - predicted) ** 2, 0).numpy()
                total[:n] += add(weight * (target - mean[:n]) ** 2, 0).numpy()
        return residual, total

    def _map(self, function, dataset, shape=None):
        """Apply ``function(module, x)`` to the samples, one chunk at a time.

        Parameters
        ----------
        function : callable
            It also gets the targets if the samples are not their own targets.
        dataset : ArrayDataset or dataset of another kind
            The samples.
        shape : tuple of int or None, default=None
            Shape of the output for one sample. None is the shape of a target.

        Returns
        -------
        output : ndarray
            The outputs of all samples.
        """
        dtype = np.float32 if dataset.dtype == torch.float32 else np.float64
        if shape is None:
            output, write = dataset.targets.new_output(dtype), dataset.targets.write
        else:
            output, write = np.empty((len(dataset), *shape), dtype), setitem
        with self._inference(dataset) as (module, device):
            for which, x, target, _ in chunks(dataset, dataset.dtype, device):
                given = [x] if target is x else [x, target]
                write(output, which, function(module, *given).cpu().numpy())
        return output

    @contextmanager
    def _inference(self, dataset):
        """Provide the module in the precision of the dataset and its device, without gradients."""
        module, device = self._module, self.device_
        n_multiplications = module.n_multiplications
        if dataset.dtype == torch.float64:
            # In float32, the result for a sample would depend on the other samples in its chunk.
            device = torch.device("cpu") if device.type == "mps" else device  # MPS has no float64
            module = copy.deepcopy(module).to(device).double()
        n_rows = min(len(dataset), dataset.chunk_length)
        with torch.inference_mode(), threads(n_rows * n_multiplications):
            yield module, device

    @property
    def _n_features_out(self):
        return self.n_components_

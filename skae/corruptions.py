"""Corruptions: how a denoising autoencoder damages its input in training.

A corruption is a function of a batch and a noise level. It returns the damaged batch,
and which of its cells are damaged, or None for all of them.
"""

import copy

import torch
from torch import nn

from skae._params import callable_name
from skae._runtime import TRAINED, Random, chosen, normal_like, random_bits

__all__ = ["Corruption", "gaussian", "masking", "salt_and_pepper", "swap"]


def gaussian(x, noise_level, generator=None):
    """Add normal noise of standard deviation ``noise_level`` to every cell.

    Parameters
    ----------
    x : tensor of shape (n_samples, ...)
        The batch.
    noise_level : float
        Standard deviation of the noise.
    generator : torch.Generator or None, default=None
        Source of the noise; None is torch's own.

    Returns
    -------
    x_damaged : tensor of the shape of ``x``
        The damaged batch.
    damaged : None
        All values are damaged.

    Examples
    --------
    >>> import torch
    >>> from skae.corruptions import gaussian
    >>> x_damaged, _ = gaussian(torch.zeros(1000, 50), 0.5)
    >>> round(float(x_damaged.std()), 1)
    0.5
    """
    noise = normal_like(x, generator)
    return torch.add(x, noise, alpha=noise_level, out=noise), None


def masking(x, noise_level, generator=None):
    """Set a fraction ``noise_level`` of the cells to 0 [1]_.

    Parameters
    ----------
    x : tensor of shape (n_samples, ...)
        The batch.
    noise_level : float
        Fraction of the values to damage.
    generator : torch.Generator or None, default=None
        Source of the noise; None is torch's own.

    Returns
    -------
    x_damaged : tensor of the shape of ``x``
        The damaged batch.
    damaged : boolean tensor of the shape of ``x``
        Which values are damaged.

    References
    ----------
    .. [1] P. Vincent et al., "Extracting and composing robust features with denoising
       autoencoders", ICML 2008. :doi:`10.1145/1390156.1390294`

    Examples
    --------
    >>> import torch
    >>> from skae.corruptions import masking
    >>> x_damaged, damaged = masking(torch.ones(1000, 50), 0.3)
    >>> round(float((x_damaged == 0).float().mean()), 1)
    0.3
    """
    damaged = chosen(random_bits(x.shape, x.device, generator), noise_level)
    return x * ~damaged, damaged


def salt_and_pepper(x, noise_level, low=0.0, high=1.0, generator=None):
    """Set a fraction ``noise_level`` of the cells to the smallest or the largest value.

    Parameters
    ----------
    x : tensor of shape (n_samples, ...)
        The batch.
    noise_level : float
        Fraction of the values to damage.
    low, high : float or tensor of the shape of a sample, default=0.0 and 1.0
        The smallest and the largest value.
    generator : torch.Generator or None, default=None
        Source of the noise; None is torch's own.

    Returns
    -------
    x_damaged : tensor of the shape of ``x``
        The damaged batch.
    damaged : boolean tensor of the shape of ``x``
        Which values are damaged.

    Examples
    --------
    >>> import torch
    >>> from skae.corruptions import salt_and_pepper
    >>> x_damaged, damaged = salt_and_pepper(torch.full((1000, 50), 0.5), 0.2)
    >>> x_damaged.unique()
    tensor([0.0000, 0.5000, 1.0000])
    """
    bits = random_bits(x.shape, x.device, generator)
    low, high = (torch.as_tensor(end).to(x) for end in (low, high))
    damaged = chosen(bits, noise_level)
    x_damaged = torch.where(damaged, high, x)
    return torch.where(chosen(bits, noise_level / 2), low, x_damaged), damaged


def swap(x, noise_level, generator=None):
    """Replace a fraction ``noise_level`` of the cells by cells of another sample.

    Each column keeps its distribution, but its dependence on the others is damaged.
    A batch of one sample stays unchanged.

    Parameters
    ----------
    x : tensor of shape (n_samples, ...)
        The batch.
    noise_level : float
        Fraction of the values to damage.
    generator : torch.Generator or None, default=None
        Source of the noise; None is torch's own.

    Returns
    -------
    x_damaged : tensor of the shape of ``x``
        The damaged batch.
    damaged : boolean tensor of the shape of ``x``
        Which values are damaged.

    Examples
    --------
    >>> import torch
    >>> from skae.corruptions import swap
    >>> swap(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), 1.0)[0]
    tensor([[3., 4.],
            [1., 2.]])
    """
    bits = random_bits(x.shape, x.device, generator)
    damaged = chosen(bits, noise_level if len(x) > 1 else 0.0)
    cells = damaged.flatten().nonzero().squeeze(1)
    n_rows_below = torch.randint(
        1, max(2, len(x)), cells.shape, device=x.device, generator=generator
    )
    others = (cells + n_rows_below * x[0].numel()) % x.numel()
    flat = x.flatten()
    return flat.index_copy(0, cells, flat[others]).view(x.shape), damaged


CORRUPTIONS = {
    "gaussian": gaussian,
    "masking": masking,
    "salt_and_pepper": salt_and_pepper,
    "swap": swap,
}


class Corruption(Random, nn.Module):
    """Damage the batches of a training run, and weight their cells in the loss.

    Parameters
    ----------
    corruption : str or callable
        A name of ``CORRUPTIONS``, or a function ``corruption(x, noise_level)`` that
        returns a tensor of the shape of ``x``, alone or with a boolean one that says
        which cells are damaged.
    noise_level : float or tuple of two floats
        The level, or the range that it is drawn from for every batch.
    low, high : float or tensor of the shape of a sample
        Ends of the range of the data, which "salt_and_pepper" sets cells to.
    clip : bool
        Whether to clip the damaged batches to this range.
    damaged_only : bool
        Whether only damaged cells count in the loss.
    has_missing : bool, default=False
        Whether values can be NaN, which then stay NaN.
    """

    def __init__(self, corruption, noise_level, low, high, clip, damaged_only, has_missing=False):
        super().__init__()
        if isinstance(corruption, nn.Module):
            corruption = copy.deepcopy(corruption).requires_grad_(False)
        self.function = CORRUPTIONS[corruption] if isinstance(corruption, str) else corruption
        self.noise_level = noise_level
        self.register_buffer("low", torch.as_tensor(low, dtype=torch.float32))
        self.register_buffer("high", torch.as_tensor(high, dtype=torch.float32))
        self.clip = clip
        self.damaged_only = damaged_only
        self.has_missing = has_missing

    @property
    def draws_from_torch(self):
        """Whether random numbers come from torch's own generator, as a user's function's may."""
        return not self.is_known

    @torch.no_grad()
    def forward(self, x, state=TRAINED):
        """Return the damaged batch, and the weights of its cells or None.

        Parameters
        ----------
        x : tensor of shape (n_samples, ...)
            The batch.
        state : TrainState, default=TrainState()
            Says where random numbers come from.

        Returns
        -------
        x_damaged : tensor of the shape of ``x``
            The damaged batch.
        cell_weight : tensor of the shape of ``x`` or None
            0 for cells that do not count. The mean weight is 1, so that the loss is the
            mean over those that count.
        """
        x_damaged, damaged = self._damage(x, state.generator)
        n_known = x.numel()
        if self.has_missing:
            known = ~(x.isnan() | x_damaged.isnan())  # a missing value may have been swapped in
            x_damaged = torch.where(known, x_damaged, x)
            damaged, n_known = None if damaged is None else damaged & known, (~x.isnan()).sum()
        if self.clip:
            x_damaged = torch.minimum(torch.maximum(x_damaged, self.low), self.high)
        if not self.damaged_only or damaged is None:
            return x_damaged, None
        damaged = damaged.to(x.dtype)
        return x_damaged, damaged.mul_(n_known / damaged.sum().clamp_min(1))

    @property
    def is_known(self):
        """Whether the function is one of skae's."""
        return self.function in CORRUPTIONS.values()

    def stack_key(self):
        """Return what must be equal for models to train as one, None if they cannot.

        Returns
        -------
        tuple or None
            The key.
        """
        return (self.function, self.damaged_only) if self.is_known else None

    def _draw_level(self, generator):
        if not isinstance(self.noise_level, tuple):
            return self.noise_level
        low, high = self.noise_level
        device = "cpu" if generator is None else generator.device
        return low + (high - low) * torch.rand((), generator=generator, device=device).item()

    def _damage(self, x, generator):
        level = self._draw_level(generator)
        if self.is_known:
            return self._damage_cells(x, level, generator)
        return self._damage_by_function(x, level)

    def _damage_cells(self, x, level, generator):
        if self.function is salt_and_pepper:
            return salt_and_pepper(x, level, self.low, self.high, generator)
        return self.function(x, level, generator=generator)

    def _damage_by_function(self, x, level):
        name = callable_name(self.function)
        try:
            x_damaged = self.function(x.clone(), level)  # which may work in place
        except Exception as error:
            raise ValueError(f"corruption {name}(x, noise_level) failed: {error}") from error
        damaged = None
        if isinstance(x_damaged, tuple) and len(x_damaged) == 2:
            x_damaged, damaged = x_damaged
        for tensor in (x_damaged, x_damaged if damaged is None else damaged):
            is_dense = isinstance(tensor, torch.Tensor) and tensor.layout == torch.strided
            if not is_dense or tensor.shape != x.shape:
                shape = tuple(getattr(tensor, "shape", ()))
                raise ValueError(
                    f"corruption {name} must return a tensor of the shape of its input, "
                    f"{tuple(x.shape)}; got {type(tensor).__name__} of shape {shape}"
                )
        x_damaged = x_damaged.to(x)
        if not (x_damaged.isfinite() | x.isnan()).all():
            raise ValueError(f"corruption {name} returns NaN or infinite values")
        return x_damaged, x_damaged != x if damaged is None else damaged


class TabularCorruption(Corruption):
    """Damage whole cells of tables; parameters as for `Corruption`.

    Masked cells become missing, and swapped ones may. Gaussian noise and salt and pepper
    damage only numbers.

    Parameters
    ----------
    column_layout : ColumnLayout
        How the elements form columns.
    **params : dict
    """

    def __init__(self, column_layout, **params):
        super().__init__(**params)
        self.n_numbers, self.widths = column_layout
        self.register_buffer("columns", column_layout.columns)
        self.register_buffer("fraction", (1 / column_layout.sizes)[column_layout.columns])

    @torch.no_grad()
    def forward(self, x, state=TRAINED):
        x_damaged, damaged = self._damage(x, state.generator)
        if not self.damaged_only or damaged is None:
            return x_damaged, None
        known = ~x.isnan()
        damaged, known = ((part & known) * self.fraction for part in (damaged, known))
        return x_damaged, (damaged > 0) * (known.sum() / damaged.sum().clamp_min(1))

    def stack_key(self):
        stack_key = super().stack_key()
        return stack_key and (*stack_key, self.n_numbers, self.widths)

    def _damage_cells(self, x, level, generator):
        if self.function in (masking, swap):
            fraction = level if self.function is masking or len(x) > 1 else 0.0
            shape = torch.Size([len(x), self.n_numbers + len(self.widths)])
            damaged = chosen(random_bits(shape, x.device, generator), fraction)
            damaged = damaged[:, self.columns]
            others = torch.nan if self.function is masking else self._others(x, shape, generator)
            return torch.where(damaged, others, x), damaged
        numbers, categories = x[:, : self.n_numbers], x[:, self.n_numbers :]
        if self.function is gaussian:
            return torch.cat([gaussian(numbers, level, generator)[0], categories], 1), None
        ends = self.low[: self.n_numbers], self.high[: self.n_numbers]
        numbers, damaged = salt_and_pepper(numbers, level, *ends, generator)
        damaged = torch.cat([damaged, torch.zeros_like(categories, dtype=torch.bool)], 1)
        return torch.cat([numbers, categories], 1), damaged

    def _others(self, x, shape, generator):
        """Return for each cell the one of another sample."""
        below = torch.randint(1, max(2, len(x)), shape, device=x.device, generator=generator)
        rows = (torch.arange(len(x), device=x.device)[:, None] + below) % len(x)
        return x.gather(0, rows[:, self.columns])

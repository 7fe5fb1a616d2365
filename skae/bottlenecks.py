"""Bottlenecks: the properties of the code.

A bottleneck is a module between encoder and decoder. Those of this file have no parameters of
their own. ``forward`` turns the encoder's output into the code. In training the decoder gets
what ``draw`` returns, and the loss gets a penalty. ``step`` does the same with the derivatives
written out, for nets that are trained without autograd.
"""

from math import log

import torch
from torch import nn
from torch.nn import functional as F

from skae._runtime import TRAINED, TrainState, normal_like

aten = torch.ops.aten

__all__ = [
    "Bottleneck",
    "GaussianBottleneck",
    "KLSparseBottleneck",
    "L1Bottleneck",
    "LinearBottleneck",
    "NeighborBottleneck",
    "SparseBottleneck",
    "TopKBottleneck",
]


class Bottleneck(nn.Module):
    """Base of all bottlenecks.

    A subclass overrides ``forward`` or ``draw``, and ``step`` where autograd would be too
    slow. If it has ``stack_key`` and a ``step`` that accepts further axes before that of the
    samples, several models can train at once.

    Attributes
    ----------
    centers_input : bool
        Whether the encoder gets the samples less their mean.
    is_scale_free : bool
        Whether codes may be of any size.
    is_linear : bool
        Whether the code may be any linear function of the encoder's output, so that training may
        end with a change of its axes.
    """

    centers_input = False
    is_scale_free = False
    is_linear = False

    def __init__(self):
        super().__init__()

    def encoder_width(self, n_components):
        """Return the number of encoder outputs for a code of ``n_components`` numbers.

        Parameters
        ----------
        n_components : int
            Length of the code.

        Returns
        -------
        int
            Number of outputs.
        """
        return n_components

    def stack_key(self):
        """Return what must be equal for models to train as one, None if they cannot.

        Returns
        -------
        tuple or None
            The key.
        """

    def forward(self, encoded):
        """Return the code.

        Parameters
        ----------
        encoded : tensor of shape (..., n_samples, encoder_width)
            Output of the encoder.

        Returns
        -------
        tensor of shape (..., n_samples, n_components)
            The code.
        """
        raise NotImplementedError

    def numbers(self, state=TRAINED):
        """Return the numbers that may differ between models that train as one.

        Parameters
        ----------
        state : TrainState, default=TrainState()
            How far the training is, for numbers that change with it.

        Returns
        -------
        tuple of float
            Their values at this point of the training.
        """
        del state
        return ()

    def draw(self, encoded, weight=None, state=TRAINED):
        """Return the code that training passes to the decoder, and a penalty.

        Parameters
        ----------
        encoded : tensor of shape (n_samples, encoder_width)
            Output of the encoder.
        weight : tensor of shape (n_samples,) or None, default=None
            Weights of the samples.
        state : TrainState, default=TrainState()
            How far the training is, and where random numbers come from.

        Returns
        -------
        code : tensor of shape (n_samples, n_components)
            Input of the decoder.
        penalty : tensor of shape () or float
            Added to the mean loss.
        """
        del weight, state
        return self(encoded), 0.0

    def step(self, encoded, weight=None, state=TRAINED, numbers=None):
        """Do the same as ``draw``, and return the derivatives as a function.

        Parameters
        ----------
        encoded : tensor of shape (..., n_samples, encoder_width)
            Output of the encoder.
        weight : tensor of shape (..., n_samples) or None, default=None
            Weights of the samples.
        state : TrainState or list of TrainState, default=TrainState()
            As for ``draw``; for several models a list with the state of each.
        numbers : list of tensor of shape (n_models, 1, 1) or None, default=None
            For several models, what ``numbers`` returns of each. None is its own.

        Returns
        -------
        code : tensor of shape (..., n_samples, n_components)
            Input of the decoder.
        penalty : tensor of shape (...) or float
            Added to the mean loss.
        backward : callable
            ``backward(grad, out)`` writes to ``out`` the derivative by ``encoded`` of
            the loss, whose derivative by the code is ``grad``, and of the penalty.
        """
        del numbers
        leaf = encoded.detach().requires_grad_()
        with torch.enable_grad():
            code, penalty = self.draw(leaf, weight, state)

        def backward(grad, out):
            outputs, grads = [code], [grad]
            if isinstance(penalty, torch.Tensor) and penalty.requires_grad:
                outputs, grads = [code, penalty], [grad, torch.ones_like(penalty)]
            out.copy_(torch.autograd.grad(outputs, leaf, grads)[0])

        penalty_value = penalty.detach() if isinstance(penalty, torch.Tensor) else penalty
        return code.detach(), penalty_value, backward

    def linear_start(self, axes):
        """Return the linear encoder and decoder to start training from, or None.

        Parameters
        ----------
        axes : skae._modules.principal_axes.PrincipalAxes
            Principal axes of the training data.

        Returns
        -------
        encoder, decoder : tuple of tensor (weight, bias), or None
            The linear maps to start from; None for a random start.
        """
        del axes


class LinearBottleneck(Bottleneck):
    """The code is the encoder's output as it is, with no penalty.

    Examples
    --------
    >>> import torch
    >>> from skae.bottlenecks import LinearBottleneck
    >>> LinearBottleneck()(torch.tensor([[0.5, -1.0]]))
    tensor([[ 0.5000, -1.0000]])
    """

    is_scale_free = is_linear = True

    def stack_key(self):
        return ()

    def forward(self, encoded):
        return encoded

    def step(self, encoded, weight=None, state=TRAINED, numbers=None):
        del weight, state, numbers
        return encoded, 0.0, lambda grad, out: out.copy_(grad)

    def linear_start(self, axes):
        found = axes.components[: axes.rank]  # further units keep their random weights
        return (found, -found @ axes.mean), (axes.components.t(), axes.mean)


class NeighborBottleneck(LinearBottleneck):
    """Plain code, with a penalty if neighbors are farther from each other than from others.

    The second half of a training batch are neighbors of the first half. Each sample of the first
    half is to be nearer to its neighbor than to those of the others: the penalty is the
    cross-entropy of choosing it, with the kernel of t-SNE, 1 / (1 + squared distance), as weights
    [1]_ [2]_.

    Parameters
    ----------
    weight : float
        Weight of the penalty, relative to the loss that training starts at and to the penalty of
        random choices. With 1, both terms start at about the same size.

    References
    ----------
    .. [1] T. Sainburg, L. McInnes and T. Q. Gentner, "Parametric UMAP embeddings for
       representation and semisupervised learning", Neural Computation 33, 2021.
       :arxiv:`2009.12981`
    .. [2] S. Damrich, J. N. Boehm, F. A. Hamprecht and D. Kobak, "From t-SNE to UMAP with
       contrastive learning", ICLR 2023. :arxiv:`2206.01816`

    Examples
    --------
    >>> import torch
    >>> from skae.bottlenecks import NeighborBottleneck
    >>> code = torch.tensor([[0.0], [9.0], [0.1], [9.1]])  # the third is near the first
    >>> bottleneck = NeighborBottleneck(weight=1.0)
    >>> _, penalty = bottleneck.draw(code)
    >>> _, penalty_of_others = bottleneck.draw(code[[0, 1, 3, 2]])
    >>> bool(penalty < 0.1 < penalty_of_others)
    True
    """

    #: Standard deviation of the codes that training starts at, in units of the kernel's width.
    SIZE = 3.0

    def __init__(self, weight):
        super().__init__()
        self.weight = weight
        self.start_loss = 1.0

    def set_start_loss(self, loss):
        """Take the loss that training starts at.

        Parameters
        ----------
        loss : float
            Positive.
        """
        self.start_loss = loss

    def stack_key(self):
        """Return None: batches are pairs."""

    def linear_start(self, axes):
        (weight, bias), (decoder_weight, decoder_bias) = super().linear_start(axes)
        std = axes.variances.mean().sqrt()
        size = self.SIZE / std if std > 0 else 1.0
        return (weight * size, bias * size), (decoder_weight / size, decoder_bias)

    def draw(self, encoded, weight=None, state=TRAINED):
        if not self.training:
            return super().draw(encoded, weight, state)
        affinity = -_squared_distances(*encoded.chunk(2)).log1p()
        return encoded, self._pair_weights(affinity, weight) @ _losses_of_choice(affinity)

    def step(self, encoded, weight=None, state=TRAINED, numbers=None):
        del state, numbers
        first, second = encoded.chunk(2)
        distances = _squared_distances(first, second)
        affinity = -distances.log1p()
        weights = self._pair_weights(affinity, weight)
        penalty = weights @ _losses_of_choice(affinity)

        def backward(grad, out):
            slope = affinity.softmax(1).neg_()
            slope.diagonal().add_(1)
            slope.mul_(2 * weights[:, None]).div_(1 + distances)  # by half of each distance
            by_first = slope.sum(1, keepdim=True) * first - slope @ second
            by_second = slope.sum(0)[:, None] * second - slope.t() @ first
            torch.add(grad, torch.cat([by_first, by_second]), out=out)

        return encoded, penalty, backward

    def _pair_weights(self, affinity, weight):
        """Return what the loss of each pair counts, shape (n_pairs,)."""
        n_pairs = len(affinity)
        random_choice = log(max(n_pairs, 2))
        each = self.weight * self.start_loss / (n_pairs * random_choice)
        weights = affinity.new_full((n_pairs,), each)
        return weights if weight is None else weights * weight[:n_pairs]


def _squared_distances(a, b):
    """Return the squared distances, shape (n, m), between (n, n_components) and (m, ...)."""
    center = a.detach().mean(0)
    a, b = a - center, b - center
    squares = a.square().sum(1)[:, None] + b.square().sum(1)
    return torch.addmm(squares, a, b.t(), alpha=-2).clamp_min(0.0)


def _losses_of_choice(affinity):
    """Return the cross-entropy of choosing the partner of each by its affinity, shape (n,)."""
    return affinity.logsumexp(1) - affinity.diagonal()


class SparseBottleneck(Bottleneck):
    """Base of bottlenecks whose codes have few active units.

    Samples are centered, and training starts at random directions of unit length, with the
    encoder the transpose of the decoder [1]_. From the first step on, each unit is then active for
    the samples that it describes. Other units would die before they learn anything.

    References
    ----------
    .. [1] L. Gao et al., "Scaling and evaluating sparse autoencoders", ICLR 2025.
       :arxiv:`2406.04093`
    """

    centers_input = True

    def linear_start(self, axes):
        directions = F.normalize(torch.randn_like(axes.components), dim=1)
        bias = directions.new_zeros(len(directions))
        return (directions, bias), (directions.t(), axes.mean)

    def is_active(self, code):
        """Say which units of a code are active.

        Parameters
        ----------
        code : tensor of shape (..., n_components)
            Codes.

        Returns
        -------
        boolean tensor of the shape of ``code``
            True for active units.
        """
        return code != 0


class TopKBottleneck(SparseBottleneck):
    """Keep the ``k`` largest outputs of the encoder, and set the others to zero [1]_.

    Parameters
    ----------
    k : int
        Number of units that are not zero.

    References
    ----------
    .. [1] A. Makhzani and B. Frey, "k-sparse autoencoders", 2013. :arxiv:`1312.5663`

    Examples
    --------
    >>> import torch
    >>> from skae.bottlenecks import TopKBottleneck
    >>> TopKBottleneck(k=2)(torch.tensor([[0.5, -1.0, 3.0, 0.1]]))
    tensor([[0.5000, 0.0000, 3.0000, 0.0000]])
    """

    is_scale_free = True

    def __init__(self, k):
        super().__init__()
        self.k = k

    def stack_key(self):
        return (self.k,)

    def forward(self, encoded):
        values, units = encoded.topk(self.k, sorted=False)
        return torch.zeros_like(encoded).scatter(-1, units, values)

    def step(self, encoded, weight=None, state=TRAINED, numbers=None):
        del weight, state, numbers
        values, units = encoded.topk(self.k, sorted=False)
        code = torch.zeros_like(encoded).scatter_(-1, units, values)

        def backward(grad, out):
            out.zero_().scatter_(-1, units, grad.gather(-1, units))

        return code, 0.0, backward


class L1Bottleneck(SparseBottleneck):
    """Rectified code, with a penalty on the sum of its units.

    The penalty rises from 0 during the first tenth of the training, because units that it
    switches off before they learn anything stay dead [1]_.

    Parameters
    ----------
    weight : float
        Weight of the sum of the units beside the reconstruction loss.

    References
    ----------
    .. [1] T. Bricken et al., "Towards monosemanticity: decomposing language models with
       dictionary learning", Transformer Circuits Thread, 2023.

    Examples
    --------
    >>> import torch
    >>> from skae.bottlenecks import L1Bottleneck
    >>> code, penalty = L1Bottleneck(weight=0.1).draw(torch.tensor([[0.5, -1.0, 3.0]]))
    >>> code, round(float(penalty), 2)
    (tensor([[0.5000, 0.0000, 3.0000]]), 0.35)
    """

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def stack_key(self):
        return ()

    def numbers(self, state=TRAINED):
        return (self.weight * min(1.0, 10 * state.progress),)

    def forward(self, encoded):
        return F.relu(encoded)

    def draw(self, encoded, weight=None, state=TRAINED):
        code = self(encoded)
        return code, self._penalty(code, weight, self.numbers(state))

    def _penalty(self, code, weight, numbers):
        sums = code.sum(-1)
        sums = sums if weight is None else sums * weight
        (weight_now,) = numbers
        return _for_each_model(weight_now) * sums.mean(-1)

    def step(self, encoded, weight=None, state=TRAINED, numbers=None):
        numbers = self.numbers(state) if numbers is None else numbers
        code = self(encoded)
        penalty = self._penalty(code, weight, numbers)
        slope = numbers[0] / code.shape[-2]
        slope = slope if weight is None else slope * weight[..., None]

        def backward(grad, out):
            torch.add(grad, slope, out=out)
            aten.threshold_backward.grad_input(out, code, 0, grad_input=out)

        return code, penalty, backward


class KLSparseBottleneck(SparseBottleneck):
    """Sigmoid code, with a penalty if units are on more or less often than a target.

    The penalty is the Kullback-Leibler divergence between two coins, one that falls with
    the target activation and one with the unit's mean activation over the batch, summed
    over the units [1]_. It keeps rare units alive and makes frequent units rarer.

    Parameters
    ----------
    target : float
        Target of the mean activation, in (0, 1).
    weight : float
        Weight of the divergence beside the reconstruction loss.

    References
    ----------
    .. [1] H. Lee, C. Ekanadham and A. Ng, "Sparse deep belief net model for visual area
       V2", NIPS 2007; in this form A. Ng, "Sparse autoencoder", CS294A lecture notes,
       2011.

    Examples
    --------
    >>> import torch
    >>> from skae.bottlenecks import KLSparseBottleneck
    >>> code, penalty = KLSparseBottleneck(target=0.5, weight=1.0).draw(torch.zeros(4, 3))
    >>> float(penalty)
    0.0
    """

    #: Bounds of the mean activations, which keep their logarithms finite.
    RANGE = 1e-6, 1 - 1e-6

    def __init__(self, target, weight):
        super().__init__()
        self.target = target
        self.weight = weight

    def stack_key(self):
        return ()

    def numbers(self, state=TRAINED):
        del state
        rho = self.target
        return rho, self.weight, rho * log(rho) + (1 - rho) * log(1 - rho)

    def linear_start(self, axes):
        (weight, bias), decoder = super().linear_start(axes)
        return (weight, bias + log(self.target / (1 - self.target))), decoder

    def forward(self, encoded):
        return torch.sigmoid(encoded)

    def draw(self, encoded, weight=None, state=TRAINED):
        code = self(encoded)
        return code, self._penalty(_batch_mean(code, weight), weight, self.numbers(state))

    def _penalty(self, mean, weight, numbers):
        rho, fraction, entropy = (_for_each_model(number) for number in numbers)
        mean = mean.clamp(*self.RANGE)
        # Sums over the units, the last axis.
        log_on, log_off = mean.log().sum(-1), torch.log1p(-mean).sum(-1)
        fraction = fraction if weight is None else fraction * weight.mean(-1)
        return fraction * (entropy * mean.shape[-1] - rho * log_on - (1 - rho) * log_off)

    def step(self, encoded, weight=None, state=TRAINED, numbers=None):
        numbers = self.numbers(state) if numbers is None else numbers
        code = self(encoded)
        mean = _batch_mean(code, weight)
        rho, fraction, _ = numbers
        at_unit = mean[..., None, :]  # over all samples
        bounded = at_unit.clamp(*self.RANGE)
        slope = (bounded - rho) / (bounded - bounded.square())
        slope.mul_(at_unit == bounded).mul_(fraction / code.shape[-2])
        slope = slope if weight is None else slope * weight[..., None]

        def backward(grad, out):
            torch.add(grad, slope, out=out)
            aten.sigmoid_backward.grad_input(out, code, grad_input=out)

        return code, self._penalty(mean, weight, numbers), backward

    def is_active(self, code):
        """Say which units of a code are active: those above twice the target.

        Parameters
        ----------
        code : tensor of shape (..., n_components)
            Codes.

        Returns
        -------
        boolean tensor of the shape of ``code``
            True for active units.
        """
        return code > 2 * self.target


#: Bounds of the logarithm of a posterior variance. Without them, a sample far from all
#: others would have an infinite variance, and no score.
MIN_LOG_VARIANCE, MAX_LOG_VARIANCE = -20.0, 20.0


class GaussianBottleneck(Bottleneck):
    """Code of a normal posterior distribution, whose parameters the encoder gives.

    The first half of the encoder's outputs is the mean, the second the logarithm of the
    variance. Training draws from the posterior [1]_; outside of it the code is the mean.
    The penalty is ``beta`` times the Kullback-Leibler divergence from the standard
    normal prior, in nats.

    Parameters
    ----------
    beta : float, default=1.0
        Weight of the divergence [2]_. With 0, nothing keeps the variance from vanishing, so
        the code is the mean in training, too.
    warmup : float, default=0.0
        Fraction of the training over which the weight rises from 0 to ``beta``.
    free_bits : float, default=0.0
        Divergence of each unit, in nats on average over the batch, that costs nothing
        [3]_.
    tc_weight : float, default=1.0
        Weight of the total correlation of the units, a part of the divergence, relative to the
        other parts [4]_. It is estimated from the other samples of a batch.

    References
    ----------
    .. [1] D. P. Kingma and M. Welling, "Auto-encoding variational Bayes", ICLR 2014.
       :arxiv:`1312.6114`
    .. [2] I. Higgins et al., "beta-VAE: learning basic visual concepts with a constrained
       variational framework", ICLR 2017.
    .. [3] D. P. Kingma et al., "Improved variational inference with inverse
       autoregressive flow", NIPS 2016. :arxiv:`1606.04934`
    .. [4] R. T. Q. Chen, X. Li, R. Grosse and D. Duvenaud, "Isolating sources of
       disentanglement in variational autoencoders", NeurIPS 2018. :arxiv:`1802.04942`

    Examples
    --------
    >>> import torch
    >>> from skae.bottlenecks import GaussianBottleneck
    >>> encoded = torch.tensor([[1.0, 0.0]])  # mean 1, log-variance 0
    >>> GaussianBottleneck.divergence(encoded)
    tensor([[0.5000]])
    """

    def __init__(self, beta=1.0, warmup=0.0, free_bits=0.0, tc_weight=1.0):
        super().__init__()
        self.beta = beta
        self.warmup = warmup
        self.free_bits = free_bits
        self.tc_weight = tc_weight

    def stack_key(self):
        if self.tc_weight != 1:
            return None
        return (self.beta == 0, self.free_bits == 0)

    def numbers(self, state=TRAINED):
        return self.beta * self._warmed_up(state.progress), self.free_bits

    def _warmed_up(self, progress):
        return min(1.0, progress / self.warmup) if self.warmup else 1.0

    def encoder_width(self, n_components):
        return 2 * n_components

    @staticmethod
    def posterior(encoded):
        """Return the mean and the log-variance of the codes.

        Parameters
        ----------
        encoded : tensor of shape (..., n_samples, 2 * n_components)
            Output of the encoder.

        Returns
        -------
        mean, log_variance : tensor of shape (..., n_samples, n_components)
            Parameters of the posterior.
        """
        mean, log_variance = encoded.chunk(2, -1)
        return mean, log_variance.clamp(MIN_LOG_VARIANCE, MAX_LOG_VARIANCE)

    @classmethod
    def divergence(cls, encoded):
        """Return each unit's divergence from the prior.

        Parameters
        ----------
        encoded : tensor of shape (..., n_samples, 2 * n_components)
            Output of the encoder.

        Returns
        -------
        tensor of shape (..., n_samples, n_components)
            Divergences in nats.
        """
        mean, log_variance = cls.posterior(encoded)
        return (mean.square() + log_variance.exp() - 1 - log_variance) / 2

    def forward(self, encoded):
        return self.posterior(encoded)[0]

    def draw(self, encoded, weight=None, state=TRAINED):
        mean, log_variance = self.posterior(encoded)
        if self.beta == 0:
            return mean, 0.0
        code = mean + (log_variance / 2).exp() * normal_like(mean, state.generator)
        divergence = _batch_mean(self.divergence(encoded), weight)
        beta, _ = numbers = self.numbers(state)
        penalty = self._penalty(divergence, weight, numbers)
        if self.tc_weight != 1:
            correlation = total_correlation(code, mean, log_variance, weight)
            penalty = penalty + beta * (self.tc_weight - 1) * correlation
        return code, penalty

    def _penalty(self, divergence, weight, numbers):
        beta, free_bits = numbers
        costly = torch.clamp_min(divergence, _at_each_unit(free_bits)).sum(-1)
        fraction = 1.0 if weight is None else weight.mean(-1)
        return _for_each_model(beta) * fraction * costly

    def step(self, encoded, weight=None, state=TRAINED, numbers=None):
        mean, log_variance = self.posterior(encoded)
        if self.beta == 0:
            return mean.contiguous(), 0.0, _pass_to_mean
        if self.tc_weight != 1:
            return super().step(encoded, weight, state, numbers)
        beta, free_bits = numbers = self.numbers(state) if numbers is None else numbers
        n_samples, n_units = mean.shape[-2:]
        std = (log_variance / 2).exp_()
        drawn = normal_like(mean, _generators(state)).mul_(std)
        variance = std.square()
        slope = beta / n_samples  # of the penalty by each divergence
        if self.free_bits or weight is not None:
            divergence = _batch_mean(self.divergence(encoded), weight)
            penalty = self._penalty(divergence, weight, numbers)
            slope = slope * (divergence[..., None, :] >= free_bits).to(divergence)
            slope = slope if weight is None else slope * weight[..., None]
        else:
            twice = torch.addcmul(variance, mean, mean).sub_(log_variance).sum((-2, -1))
            penalty = (twice - n_samples * n_units) * (_for_each_model(slope) / 2)

        def backward(grad, out):
            by_mean, by_log_variance = out.chunk(2, -1)
            torch.mul(mean, slope, out=by_mean).add_(grad)
            torch.mul(variance.sub_(1), slope, out=by_log_variance)
            by_log_variance.addcmul_(grad, drawn).mul_(0.5)
            by_log_variance.mul_(log_variance == encoded.chunk(2, -1)[1])  # 0 at the bounds

        return drawn + mean, penalty, backward

    def linear_start(self, axes):
        """Start at probabilistic PCA, the best linear model of this kind.

        Its posterior is exact where the columns of the decoder are orthogonal.

        Parameters
        ----------
        axes : skae._modules.principal_axes.PrincipalAxes
            Principal axes of the training data.

        Returns
        -------
        encoder, decoder : tuple of tensor (weight, bias)
            The linear maps to start from.
        """
        noise = axes.noise_variance
        signal = (axes.variances - noise).clamp_min(noise * 1e-3)
        decoder_weight = axes.components.t() * signal.sqrt()
        posterior_variance = noise / (signal + noise)
        mean_weight = axes.components * (signal.sqrt() / (signal + noise))[:, None]
        weight = torch.cat([mean_weight, torch.zeros_like(mean_weight)])
        bias = torch.cat([-mean_weight @ axes.mean, posterior_variance.log()])
        return (weight, bias), (decoder_weight, axes.mean)


def total_correlation(code, mean, log_variance, weight=None):
    """Estimate how far the units of codes are from being independent, in nats [1]_.

    It is the divergence of the distribution of codes from the product of those of their units.
    The posterior distributions of a batch stand for those of all samples, so the estimate is too
    high where codes are far from each other.

    Parameters
    ----------
    code : tensor of shape (n_samples, n_components)
        Drawn from the posterior distributions.
    mean, log_variance : tensor of shape (n_samples, n_components)
        Parameters of these.
    weight : tensor of shape (n_samples,) or None, default=None
        Weights of the samples.

    Returns
    -------
    tensor of shape ()

    References
    ----------
    .. [1] R. T. Q. Chen, X. Li, R. Grosse and D. Duvenaud, "Isolating sources of
       disentanglement in variational autoencoders", NeurIPS 2018. :arxiv:`1802.04942`
    """
    # Of each code (first axis) under the posterior of each sample (second axis).
    log_density = -((code[:, None] - mean).square() / log_variance.exp() + log_variance) / 2
    fraction = code.new_ones(len(code)) if weight is None else weight
    log_fraction = (fraction / fraction.sum()).log()
    together = (log_density.sum(-1) + log_fraction).logsumexp(1)
    each = (log_density + log_fraction[:, None]).logsumexp(1).sum(-1)
    return (fraction * (together - each)).mean()


def _generators(state):
    """Return the generator of a state, or those of the states of several models."""
    if isinstance(state, TrainState):
        return state.generator
    return [own.generator for own in state]


def _pass_to_mean(grad, out):
    mean, log_variance = out.chunk(2, -1)
    mean.copy_(grad)
    log_variance.zero_()


def _batch_mean(values, weight):
    """Return the weighted mean over the samples, shape (..., n), of (..., n_samples, n)."""
    if weight is None:
        return values.mean(-2)
    total = weight.sum(-1, keepdim=True).clamp_min(torch.finfo(weight.dtype).tiny)
    return (weight[..., None, :] @ values).squeeze(-2) / total


def _for_each_model(number):
    """Return a number as it is, those of several models in the shape (n_models,)."""
    return number.view(-1) if isinstance(number, torch.Tensor) else number


def _at_each_unit(number):
    """Return a number as a tensor that broadcasts to means of the units, (..., n)."""
    return number.view(-1, 1) if isinstance(number, torch.Tensor) else torch.tensor(number)

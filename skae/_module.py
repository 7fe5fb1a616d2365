"""The parts of an autoencoder joined into one module. torch only."""

from math import log

import torch
from torch import nn

from skae.losses import per_sample

MAX_BLOCK_ELEMENTS = 2**21


class Centre(nn.Module):
    """Subtract the mean of the data.

    Parameters
    ----------
    mean : tensor of the shape of a sample
    """

    def __init__(self, mean):
        super().__init__()
        self.register_buffer("mean", mean)

    def forward(self, x):
        return x - self.mean


class Chain(nn.Sequential):
    """Modules one behind the other, the first of which may take more than one input."""

    def forward(self, *inputs):
        first, *others = self
        output = first(*inputs)
        for module in others:
            output = module(output)
        return output


class AutoencoderModule(nn.Module):
    """Encoder, bottleneck, decoder and loss of one autoencoder.

    Parameters
    ----------
    encoder : nn.Module
        Maps (n_samples, *input_shape) to (n_samples, encoder_width).
    bottleneck : skae.bottlenecks.Bottleneck
        Maps (n_samples, encoder_width) to (n_samples, n_components).
    decoder : nn.Module
        Maps (n_samples, n_components) to (n_samples, *input_shape).
    output_activation : nn.Module
        Applied to the decoder's output.
    loss : nn.Module
        One of `skae.losses`.
    corruption : skae.corruptions.Corruption or None, default=None
        Damages the inputs in training.

    Attributes
    ----------
    work, width : int
        Multiplications that a sample takes and values that the widest layer gives of it, of
        a sequence for one step; set by who knows its shape.
    is_partial : bool
        Whether samples can have cells that are NaN, of which nothing is known. They do not
        count in the loss.
    """

    work, width = 0, 1
    is_partial = False

    def __init__(self, encoder, bottleneck, decoder, output_activation, loss, corruption=None):
        super().__init__()
        self.encoder = encoder
        self.bottleneck = bottleneck
        self.decoder = decoder
        self.output_activation = output_activation
        self.loss = loss
        self.corruption = corruption

    @property
    def decodes_once(self):
        """Whether the objective is that of this class, one pass through the decoder."""
        return True

    @staticmethod
    def size(target):
        """Return the number of samples that a loss is the mean of."""
        return len(target)

    def set_progress(self, progress):
        """Tell the parts that may change in the course of training what share of it is over."""
        for part in (self.bottleneck, self.decoder):
            # Past the ways of nn.Module, which take longer than the rest of it.
            object.__setattr__(part, "progress", progress)

    def encode(self, x):
        """Return the code of ``x``, shape (n_samples, n_components)."""
        return self.bottleneck(self.encoder(x))

    def decode(self, code, target=None):
        """Return the reconstruction from a code, shape (n_samples, *input_shape).

        The target is for decoders with ``takes_target``, which see by it how many steps each
        sequence has.
        """
        return self.output_activation(self._decoded(code, target))

    def _decoded(self, code, target):
        takes_target = getattr(self.decoder, "takes_target", False)
        return self.decoder(code, target) if takes_target else self.decoder(code)

    def forward(self, x):
        return self.decode(self.encode(x), x)

    def prepare(self, x, target, training):
        """Return what the encoder gets, its target, and the weight of each element or None."""
        del training
        x, cell_weight = (x, None) if self.corruption is None else self.corruption(x)
        return x, target, cell_weight

    def predict(self, code, target=None):
        """Return what the loss compares with the target: logits where it takes these."""
        prediction = self._decoded(code, target)
        if getattr(self.loss, "from_logits", False):
            return prediction
        return self.output_activation(prediction)

    def reconstruction_losses(self, code, target, cell_weight=None):
        """Return how far each sample is from what its code decodes to.

        Parameters
        ----------
        code : tensor of shape (n_samples, n_components)
        target : tensor of shape (n_samples, *input_shape)
        cell_weight : tensor of shape (n_samples, *input_shape) or None, default=None
            Weight of each element.

        Returns
        -------
        tensor of shape (n_samples,)
        """
        prediction = self.predict(code, target)
        return sample_losses(self.loss, prediction, target, cell_weight, self.is_partial)

    def element_losses(self, code, target):
        """Return the loss of each element, NaN where the target is.

        Parameters as for ``reconstruction_losses``.

        Returns
        -------
        tensor of shape (n_samples, *input_shape)
        """
        values = self.loss(self.predict(code, target), target.nan_to_num(0.0))
        if values.ndim == 1:
            raise ValueError(
                "feature_losses needs a loss with one value per element, but this one gives one "
                "per sample. reconstruction_errors does without."
            )
        return torch.where(target.isnan(), target, values)

    def objective(self, x, target, weight=None, cell_weight=None):
        """Return what training minimises, a mean over the samples.

        Parameters
        ----------
        x, target : tensor of shape (n_samples, *input_shape)
        weight : tensor of shape (n_samples,) or None, default=None
        cell_weight : tensor of shape (n_samples, *input_shape) or None, default=None

        Returns
        -------
        tensor of shape ()
        """
        code, penalty = self.bottleneck.draw(self.encoder(x), weight)
        losses = self.reconstruction_losses(code, target, cell_weight)
        return _weighted_mean(losses, weight) + penalty


class VariationalModule(AutoencoderModule):
    """Autoencoder module with a `~skae.bottlenecks.GaussianBottleneck` and a likelihood.

    Parameters
    ----------
    *args : nn.Module
        As for `AutoencoderModule`.
    n_importance_samples : int, default=1
        Draws of the code that the bound on the log-likelihood is computed from. With
        several it is the importance-weighted bound [1]_, trained by doubly
        reparametrised gradients [2]_.

    References
    ----------
    .. [1] Y. Burda, R. Grosse and R. Salakhutdinov, "Importance weighted autoencoders",
       ICLR 2016. :arxiv:`1509.00519`
    .. [2] G. Tucker, D. Lawson, S. Gu and C. J. Maddison, "Doubly reparameterized gradient
       estimators for Monte Carlo objectives", ICLR 2019. :arxiv:`1810.04152`
    """

    def __init__(self, *args, n_importance_samples=1):
        super().__init__(*args)
        self.n_importance_samples = n_importance_samples

    @property
    def decodes_once(self):
        return self.n_importance_samples == 1 or self.bottleneck.beta == 0

    def objective(self, x, target, weight=None, cell_weight=None):
        if self.decodes_once:
            return super().objective(x, target, weight, cell_weight)
        return -_weighted_mean(self._importance_weighted_bound(x, target), weight)

    def _importance_weighted_bound(self, x, target):
        """Return the bound of each sample, with doubly reparametrised gradients."""
        encoded, beta = self.encoder(x), self.bottleneck.beta_now
        mean, _ = self.bottleneck.posterior(encoded)
        noise = torch.randn_like(mean.expand(self.n_importance_samples, *mean.shape))
        code = self._codes(encoded, noise)
        # Where beta is 1, the posterior's part of the gradient comes to the square of each
        # weight times the path through the code, which has less variance.
        doubly = beta == 1 and code.requires_grad
        if doubly:
            encoded = encoded.detach()
            deviation = (self.bottleneck.posterior(encoded)[1] / 2).exp()
            noise = noise + (code - code.detach()) / deviation  # adds 0, and the path
        likelihood, ratio = self._log_terms(code, encoded, noise, target)
        log_weights = likelihood + beta * ratio
        if doubly:
            weights = log_weights.detach().softmax(0)
            code.register_hook(lambda grad: grad * weights[..., None])
        return log_weights.logsumexp(0) - log(self.n_importance_samples)

    def _codes(self, encoded, noise):
        """Return codes drawn from the posterior, shape (n_draws, n_samples, n_components)."""
        mean, log_variance = self.bottleneck.posterior(encoded)
        return mean + (log_variance / 2).exp() * noise

    def _log_terms(self, code, encoded, noise, target):
        """Return what importance weights are made of.

        Parameters
        ----------
        code : tensor of shape (n_draws, n_samples, n_components)
        encoded : tensor of shape (n_samples, encoder_width)
        noise : tensor of shape (n_draws, n_samples or 1, n_components)
            What the codes are from their posterior mean in standard deviations.
        target : tensor of shape (n_samples, *input_shape)

        Returns
        -------
        likelihood, ratio : tensor of shape (n_draws, n_samples)
            Logarithms of the probability of the target given the code, and of the code's
            prior probability over its posterior probability.
        """
        _, log_variance = self.bottleneck.posterior(encoded)
        # The constants of both normal densities cancel.
        ratio = (noise.square() + log_variance - code.square()).sum(-1) / 2
        target = target.expand(len(code), *target.shape).flatten(0, 1)
        prediction = self.predict(code.flatten(0, 1), target)
        losses = sample_losses(self.loss, prediction, target, partial=self.is_partial)
        return -losses.view(code.shape[:2]), ratio

    def sample(self, code, target=None):
        """Draw from the likelihood given the code, shape (n_samples, *input_shape)."""
        return self.loss.sample(self.predict(code, target))

    def elbo(self, x, noise):
        """Return the evidence lower bound of each sample, in nats.

        Parameters
        ----------
        x : tensor of shape (n_samples, *input_shape)
        noise : tensor of shape (n_draws, 1, n_components)
            The same draws for all samples, so that a sample's result depends on no other.

        Returns
        -------
        tensor of shape (n_samples,)
        """
        encoded = self.encoder(x)
        likelihood = sum(likelihood.sum(0) for likelihood, _ in self._blocks(encoded, x, noise))
        return likelihood / len(noise) - self.bottleneck.divergence(encoded).sum(-1)

    def log_likelihood(self, x, noise):
        """Return the importance-weighted bound of each sample, parameters as for ``elbo``."""
        blocks = self._blocks(self.encoder(x), x, noise)
        sums = [(likelihood + ratio).logsumexp(0) for likelihood, ratio in blocks]
        return torch.stack(sums).logsumexp(0) - log(len(noise))

    def _blocks(self, encoded, x, noise):
        """Yield the terms of as many draws at a time as memory bears."""
        n_steps = x.shape[1] if self.is_partial else 1
        for some in noise.split(max(1, MAX_BLOCK_ELEMENTS // (len(x) * n_steps * self.width))):
            yield self._log_terms(self._codes(encoded, some), encoded, some, x)


def sample_losses(loss, prediction, target, cell_weight=None, partial=False):
    """Return the loss of each sample, of which elements may count more or less.

    With ``partial`` those whose target is NaN do not count.
    """
    known = None
    if partial:
        known = ~target.isnan()
        target = target.nan_to_num(0.0)
    values = loss(prediction, target)
    if values.ndim == 1 and (cell_weight is not None or partial):
        what = "damaged_only=True needs" if cell_weight is not None else "sequences need"
        raise ValueError(
            f"{what} a loss with one value per element, but the given loss returns one per sample"
        )
    if cell_weight is not None:
        values = values * cell_weight
    return per_sample(values, loss.reduction, known, getattr(loss, "share", 1.0))


def _weighted_mean(values, weight):
    return (values if weight is None else values * weight).mean()

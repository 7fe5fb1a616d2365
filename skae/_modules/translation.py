"""Encoder, decoder and loss of a translator as one module. torch only."""

import torch
from torch import nn

from skae._data.cost import FREE
from skae._data.texts import BEGIN, PADDING
from skae._modules.autoencoder import TrainedModule
from skae._runtime import TRAINED


class TranslationModule(TrainedModule):
    """What is trained of a translator: an encoder, a decoder and the loss of the next token.

    Parameters
    ----------
    encoder, decoder : nn.Module
        See `skae.architectures`.
    label_smoothing : float
        Fraction of the probability that the loss spreads over all tokens [1]_.
    cost : Cost, default=FREE
        What a pair takes.

    References
    ----------
    .. [1] C. Szegedy et al., "Rethinking the Inception architecture for computer vision",
       CVPR 2016. :arxiv:`1512.00567`
    """

    def __init__(self, encoder, decoder, label_smoothing, cost=FREE):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.label_smoothing = label_smoothing
        self.n_multiplications, _, self.work = cost

    def training_inputs(self, source, target, state=TRAINED, training=True):
        """Return both texts of the pairs as they are."""
        del state, training
        return source, target, None

    def start(self, source):
        """Return the state of the decoder before the first token."""
        return self.decoder.start(self.encoder(source), source != PADDING)

    def hidden(self, source, target, weights=None):
        """Return the decoder's states before each token of a target that is known."""
        begin = target.new_full((len(target), 1), BEGIN)
        before = torch.cat([begin, target[:, :-1]], dim=1)
        hidden, _ = self.decoder(before, self.start(source), weights)
        return hidden

    def objective(self, source, target, weight=None, cell_weight=None, state=TRAINED, labels=None):
        """Return the mean loss of a token, shape ().

        It is smoothed for held-out pairs as well: without, the loss of nets that learn to be
        unsure rises while they still improve, and an early epoch would look best.
        """
        del cell_weight, state, labels
        is_token = target != PADDING
        logits = self.decoder.output(self.hidden(source, target)[is_token])
        losses = nn.functional.cross_entropy(
            logits if self.training else logits.float(),
            target[is_token],
            label_smoothing=self.label_smoothing,
            reduction="none",
        ).float()
        if weight is not None:
            losses = losses * weight[:, None].expand_as(is_token)[is_token]
        return losses.mean()

    @staticmethod
    def size(target):
        """Return the number of tokens that a loss is the mean of."""
        return int((target != PADDING).sum())

    def log_likelihood(self, source, target):
        """Return the logarithm of the probability of each target, shape (n_samples,)."""
        log_p = self.decoder.output(self.hidden(source, target)).log_softmax(-1)
        log_p = log_p.gather(2, target[..., None]).squeeze(2)
        return log_p.masked_fill(target == PADDING, 0.0).sum(1)

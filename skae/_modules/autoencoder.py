"""The parts of an autoencoder joined into one module. torch only."""

import torch
from torch import nn

from skae._data.cost import FREE
from skae._modules.code_basis import RawBasis
from skae._runtime import TRAINED
from skae.architectures._base import Layer, hooks, run
from skae.losses._base import per_sample

#: Samples that show the loss before the training, at most.
MAX_START_SAMPLES = 1_000

#: Least loss that a penalty is relative to, as a fraction of that of one code for all.
LEAST_START_LOSS = 0.01


class Center(Layer):
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


class ImageCenter(Center):
    """Subtract the mean image, of images of another size the mean of each channel."""

    def forward(self, x):
        if x.shape[1:] == self.mean.shape:
            return super().forward(x)
        return x - self.mean.flatten(1).mean(1).view(-1, *[1] * (x.ndim - 2))


class TrainedModule(nn.Module):
    """Base of what a net trains."""

    def replace(self, **parts):
        """Take other parts or numbers in the places of some, for a training that continues."""
        for name, part in parts.items():
            setattr(self, name, part)


class AutoencoderModule(TrainedModule):
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
    loss : skae.losses.Loss
    corruption : skae.corruptions.Corruption or None, default=None
        Damages the inputs in training.
    augmentation : nn.Module or None, default=None
        Changes inputs and targets in training, before the corruption.
    has_missing : bool, default=False
        Whether samples can have cells that are NaN, of which nothing is known. They do not
        count in the loss.
    cost : Cost, default=FREE
        What a sample takes.
    head : LabelHead or None, default=None
        Predicts labels from codes; its loss is added.
    target_weight : float, default=0.0
        Weight of that loss.
    """

    def __init__(
        self,
        encoder,
        bottleneck,
        decoder,
        output_activation,
        loss,
        corruption=None,
        *,
        augmentation=None,
        has_missing=False,
        cost=FREE,
        head=None,
        target_weight=0.0,
    ):
        super().__init__()
        self.encoder = encoder
        self.bottleneck = bottleneck
        self.decoder = decoder
        self.output_activation = output_activation
        self.loss = loss
        self.corruption = corruption
        self.augmentation = augmentation
        self.code_basis = RawBasis()  # until the training is over
        self.has_missing = has_missing
        self.head, self.target_weight = head, target_weight
        self.n_multiplications, self.width, self.work = cost
        self.takes_target = hooks(decoder).takes_target

    @property
    def decodes_once(self):
        """Whether the objective is that of this class, one pass through the decoder."""
        return True

    @staticmethod
    def size(target):
        """Return the number of samples that a loss is the mean of."""
        return len(target)

    def encode(self, x):
        """Return the code of ``x``, shape (n_samples, n_components)."""
        return self.code_basis.forward(self.bottleneck(self.encoded(x)))

    def latent(self, x):
        """Return the code of ``x`` as the decoder gets it, shape (n_samples, n_latent)."""
        latent = self.bottleneck(self.encoded(x))
        return (
            self.code_basis.inverse(self.code_basis.forward(latent))
            if self.code_basis.cuts
            else latent
        )

    def encoded(self, x, state=TRAINED):
        """Return what the encoder gives, shape (n_samples, encoder_width)."""
        return run(self.encoder, x, state=state)

    def decode(self, code, target=None):
        """Return the reconstruction from a code, shape (n_samples, *input_shape).

        The target is for decoders that take it, which see by it how many steps each sequence has.
        """
        return self.decode_latent(self.code_basis.inverse(code), target)

    def decode_latent(self, latent, target=None):
        """Return the reconstruction from what ``latent`` returns."""
        return self.output_activation(self._decoded(latent, target, TRAINED))

    def _decoded(self, latent, target, state):
        more = (target,) if self.takes_target else ()
        return self._run_decoder(latent, *more, state=state)

    def _run_decoder(self, latent, *more, state):
        return run(self.decoder, latent, *more, state=state)

    def forward(self, x):
        return self.decode_latent(self.latent(x), x)

    def complete(self, x):
        """Return what stands for the missing values of samples, shape of ``x``."""
        return self(x)

    def training_inputs(self, x, target, state=TRAINED, training=True):
        """Return what the encoder gets, its target, and the weight of each element or None."""
        if training and self.augmentation is not None:
            x, target = self._augmented(x, target)
        if self.corruption is None:
            return x, target, None
        x, cell_weight = self.corruption(x, state)
        return x, target, cell_weight

    def _augmented(self, x, target):
        if target is x:
            return self.augmentation(x) * 2
        return self.augmentation(x, target)

    def predict(self, latent, target=None, state=TRAINED):
        """Return what the loss compares with the target: logits where it takes these."""
        prediction = self._decoded(latent, target, state)
        return prediction if self.loss.from_logits else self.output_activation(prediction)

    def reconstruction_losses(self, latent, target, state=TRAINED):
        """Return how far each sample is from what its code decodes to.

        Parameters
        ----------
        latent : tensor of shape (n_samples, n_latent)
        target : tensor of shape (n_samples, *input_shape)
        state : TrainState, default=TrainState()

        Returns
        -------
        tensor of shape (n_samples,)
        """
        known, known_target = known_targets(target, self.has_missing)
        values = self.loss(self.predict(latent, target, state), known_target)
        return sample_losses(self.loss, values, known)

    def element_losses(self, latent, target):
        """Return the loss of each element, NaN where the target is.

        Parameters as for ``reconstruction_losses``.

        Returns
        -------
        tensor of shape (n_samples, *input_shape)
        """
        values = self.loss(self.predict(latent, target), target.nan_to_num(0.0))
        if values.ndim == 1:
            raise ValueError(
                "feature_losses needs a loss with one value per element, but this one gives one "
                "per sample. reconstruction_errors does without."
            )
        return torch.where(target.isnan(), target, values)

    def objective(self, x, target, weight=None, cell_weight=None, state=TRAINED, labels=None):
        """Return what training minimizes, a mean over the samples.

        Parameters
        ----------
        x, target : tensor of shape (n_samples, *input_shape)
        weight : tensor of shape (n_samples,) or None, default=None
        cell_weight : tensor of shape (n_samples, *input_shape) or None, default=None
        state : TrainState, default=TrainState()
            How far the training is, and where random numbers come from.
        labels : tensor of shape (n_samples, n_labels, 2) or None, default=None
            Labels and their weights.

        Returns
        -------
        tensor of shape ()
        """
        latent, penalty = self.bottleneck.draw(self.encoded(x, state), weight, state)
        known, known_target = known_targets(target, self.has_missing)
        values = self.loss(self.predict(latent, target, state), known_target)
        losses = sample_losses(self.loss, values, known, cell_weight)
        loss = weighted_mean(losses, weight) + penalty
        return loss if labels is None else loss + self.target_weight * self.head(latent, labels)


@torch.no_grad()
def start_loss(module, dataset):
    """Return the mean loss of a module before its training, over some samples.

    Parameters
    ----------
    module : AutoencoderModule
    dataset : Dataset

    Returns
    -------
    float
        A positive number: at least a hundredth of the loss of one code for all.
    """
    x, _ = dataset.subsample(MAX_START_SAMPLES).get_batch(slice(None), torch.float32)
    latent = module.eval().latent(x)
    loss, loss_of_one = (
        abs(float(module.reconstruction_losses(codes, x).mean()))
        for codes in (latent, latent.mean(0).expand_as(latent))
    )
    return max(loss, LEAST_START_LOSS * loss_of_one) or 1.0


def known_targets(target, has_missing):
    """Return where a target is not NaN, or None where it never is, and the target without NaN."""
    if not has_missing:
        return None, target
    return ~target.isnan(), target.nan_to_num(0.0)


def sample_losses(loss, values, known=None, cell_weight=None):
    """Return the loss of each sample, of which elements may count more or less.

    Parameters
    ----------
    loss : skae.losses.Loss
        Says how elements are put together.
    values : tensor of shape (n_samples, *input_shape) or (n_samples,)
        What it gives, one value per element or per sample.
    known : boolean tensor of shape (n_samples, *input_shape) or None, default=None
        Which elements count.
    cell_weight : tensor of shape (n_samples, *input_shape) or None, default=None

    Returns
    -------
    tensor of shape (n_samples,)

    Raises
    ------
    ValueError
        If elements count differently, but there is only one value per sample.
    """
    if values.ndim == 1 and (cell_weight is not None or known is not None):
        what = "damaged_only=True needs" if cell_weight is not None else "sequences need"
        raise ValueError(
            f"{what} a loss with one value per element, but the given loss returns one per sample"
        )
    if cell_weight is not None:
        values = values * cell_weight
    return per_sample(values, loss.reduction, known, loss.fraction)


def weighted_mean(values, weight):
    """Return the mean over the samples, each with its weight if there are weights."""
    return (values if weight is None else values * weight).mean()

"""The prediction of labels from codes, which adds its loss to training. torch only."""

from math import inf

import torch
from torch import nn
from torch.nn import functional as F

from skae._modules.autoencoder import known_targets, sample_losses, weighted_mean
from skae._runtime import TRAINED
from skae.architectures._base import run

#: Rows that the variation of samples is computed from.
MAX_ROWS = 1_000

#: Weight of labels relative to the reconstruction, each as a fraction of the best constant.
#: More gains little in predictions from codes, and costs in the reconstruction.
LABEL_WEIGHT = 0.5

#: How much faster a prediction learns than one from codes of standard deviation 1. Trainings can be
#: short: the prediction has to be there when the codes still move.
SPEED = 8.0

#: Fraction of the probability that is spread over all classes. Without, the loss of held-out
#: samples soon rises, and early stopping would end the training of the reconstruction.
SMOOTHING = 0.1


class LabelHead(nn.Module):
    """A linear prediction of labels from codes, as the supervised autoencoder has it [1]_.

    Parameters
    ----------
    n_components, n_outputs : int
    is_classifier : bool
    unit : float
        What the loss is multiplied by.
    code_size : float
        What codes are divided by, so that the prediction learns as fast for data of any size.

    References
    ----------
    .. [1] L. Le, A. Patterson and M. White, "Supervised autoencoders: improving generalization
       performance with unsupervised regularizers", NeurIPS 2018.
    """

    def __init__(self, n_components, n_outputs, is_classifier, unit, code_size):
        super().__init__()
        self.linear = nn.Linear(n_components, n_outputs)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        self.is_classifier, self.unit, self.code_size = is_classifier, unit, code_size

    def forward(self, code, labels):
        """Return the mean loss of labels.

        Parameters
        ----------
        code : tensor of shape (n_samples, n_components)
        labels : tensor of shape (n_samples, n_labels, 2)
            Values and weights.

        Returns
        -------
        tensor of shape ()
        """
        values, weight = labels.unbind(-1)
        predicted = self.linear(code / self.code_size)
        if self.is_classifier:
            losses = F.cross_entropy(
                predicted, values[:, 0].long(), reduction="none", label_smoothing=SMOOTHING
            )[:, None]
        else:
            losses = (predicted - values).square()
        return self.unit * (weight * losses).mean()

    def mean_and_gradient(self, predicted, labels):
        """Return the mean loss of predictions, in units of 1, and its derivative.

        Parameters
        ----------
        predicted : tensor of shape (n_models, n_samples, n_outputs)
        labels : tensor of shape (n_models, n_samples, n_labels, 2)

        Returns
        -------
        loss : tensor of shape (n_models,)
        grad : tensor of the shape of ``predicted``
            May be ``predicted`` itself.
        """
        values, weight = labels.unbind(-1)
        weight = weight / (values.shape[-2] * values.shape[-1])
        if self.is_classifier:
            classes, n_classes = values.long(), predicted.shape[-1]
            logarithms = F.log_softmax(predicted, -1)
            right = logarithms.gather(-1, classes)
            losses = (SMOOTHING - 1) * right - SMOOTHING * logarithms.mean(-1, keepdim=True)
            grad = torch.exp(logarithms, out=predicted).sub_(SMOOTHING / n_classes)
            grad.scatter_add_(-1, classes, torch.full_like(right, SMOOTHING - 1))
        else:
            grad = predicted.sub_(values)
            losses = grad.square()
            grad.mul_(2)
        return (losses * weight).sum((-2, -1)), grad.mul_(weight)

    def stack_key(self):
        """Return what must be equal for models to train as one."""
        return self.is_classifier, *self.linear.weight.shape


@torch.no_grad()
def first_codes(dataset, encoder, bottleneck):
    """Return the number of components of codes before training, and what to divide them by."""
    x, _ = dataset.subsample(MAX_ROWS).get_batch(slice(None), torch.float32)
    codes = bottleneck(run(encoder.eval(), x, state=TRAINED))
    size = codes.std(correction=0).item()
    return codes.shape[1], size / SPEED if 0 < size < inf else 1.0


@torch.no_grad()
def variation(loss, dataset):
    """Return by how much samples differ from their mean, in the units of a loss.

    For the squared error it is the variance.

    Parameters
    ----------
    loss : Loss
    dataset : Dataset

    Returns
    -------
    float
        More than 0.
    """
    sample = dataset.subsample(MAX_ROWS)
    x, weight = sample.get_batch(slice(None), torch.float32)
    known, x = known_targets(x, dataset.has_missing)
    mean = sample.mean().nan_to_num(0.0).to(x).expand_as(x)

    def mean_loss(prediction):
        values = loss(loss.to_output(prediction), x)
        return weighted_mean(sample_losses(loss, values, known), weight)

    found = (mean_loss(mean) - mean_loss(x)).item()
    return found if 0 < found < inf else 1.0

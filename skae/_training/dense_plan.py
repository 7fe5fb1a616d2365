"""What a dense autoencoder computes, as a list of steps to write out. torch only."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from torch import nn

from skae._modules.autoencoder import AutoencoderModule, Center
from skae._modules.label_head import LabelHead
from skae.architectures._base import SEQUENCES, Dropout, SampleDropout
from skae.architectures._dense import BatchNorm, Linear, Shortcut, TransposedLinear
from skae.architectures._tabular import Indicators
from skae.bottlenecks import Bottleneck, LinearBottleneck
from skae.losses._base import Loss

#: By exact type: a subclass may compute something else.
INPUTS = (Center, Indicators)

ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.Tanh, nn.Sigmoid, nn.SiLU, nn.GELU)


@dataclass(frozen=True)
class Stage:
    """A linear layer, and what is done with its output, in this order.

    Parameters
    ----------
    linear : nn.Linear or TransposedLinear
    shortcut : nn.Linear or None
        Is added; ``source`` is the index of the stage whose input it takes.
    normalization : nn.LayerNorm, BatchNorm or None
    activation : nn.Module or None
    dropout : Dropout or None
    """

    linear: nn.Module
    shortcut: nn.Module | None = None
    source: int | None = None
    normalization: nn.Module | None = None
    activation: nn.Module | None = None
    dropout: nn.Module | None = None

    @property
    def width(self):
        """Number of outputs."""
        bias = self.linear.bias
        return len(self.linear.weight) if bias is None else len(bias)

    @property
    def parameters(self):
        """All parameters, a list."""
        layers = (self.linear, self.shortcut, self.normalization)
        return [p for layer in layers if layer is not None for p in layer.parameters()]

    @property
    def stack_key(self):
        """What has to be equal for several to be computed at once."""
        linear, layers = self.linear, (self.normalization, self.activation)
        shapes = linear.weight.shape, self.width, linear.bias is None
        dropout = self.dropout and (type(self.dropout), *self.dropout.stack_key())
        return (type(linear), *shapes, self.source, dropout, *map(repr, layers))


class Plan(NamedTuple):
    """What an autoencoder module computes.

    ``bottleneck`` is None if the code is the encoder's output, so that there is but one list
    of stages, the decoder. ``inputs`` are modules without parameters before the first stage.
    """

    encoder: list[Stage]
    bottleneck: Bottleneck | None
    decoder: list[Stage]
    loss: Loss
    inputs: tuple
    corruption: nn.Module | None
    head: LabelHead | None
    target_weight: float

    @property
    def n_values(self):
        """Number of values that a sample takes on its way, those of the input included."""
        widths = [stage.width for stage in (*self.encoder, *self.decoder)]
        return sum(widths) + widths[-1]

    @property
    def stack_key(self):
        """What has to be equal for models to train as one; None if they cannot."""
        bottleneck, corruption = (
            () if part is None else part.stack_key() for part in (self.bottleneck, self.corruption)
        )
        if bottleneck is None or corruption is None or not self.loss.writes_gradient:
            return None
        stages = [tuple(stage.stack_key for stage in half) for half in (self.encoder, self.decoder)]
        n_learned = len(list(self.loss.parameters()))
        parts = tuple((type(part), part.stack_key()) for part in (self.loss, *self.inputs))
        kinds = type(self.bottleneck), n_learned, parts
        head = None if self.head is None else self.head.stack_key()
        return (*stages, *kinds, bottleneck, corruption, head)


def plan_dense(module):
    """Return the `Plan` of a module, or None if it is no dense autoencoder's."""
    if not isinstance(module, AutoencoderModule):
        return None
    loss = module.loss
    takes_samples = not module.has_missing or (loss.writes_gradient and loss.skips_unknown)
    if not module.decodes_once or not takes_samples:
        return None
    decoder_parts = [module.decoder]
    if not loss.from_logits:
        decoder_parts.append(module.output_activation)
    encoder, decoder, bottleneck = [], [], module.bottleneck
    first, inputs = module.encoder, []
    while isinstance(first, nn.Sequential) and type(first[0]) in INPUTS and len(first) == 2:
        if _has_hooks(first) or _has_hooks(first[0]):
            return None
        inputs.append(first[0])
        first = first[1]
    if type(bottleneck) is LinearBottleneck and module.head is None:
        bottleneck, decoder_parts = None, [first, *decoder_parts]
    elif not _extend(encoder, first):
        return None
    if not all(_extend(decoder, part) for part in decoder_parts) or not decoder:
        return None
    used = [p for stage in (*encoder, *decoder) for p in stage.parameters]
    used += loss.parameters() if loss.writes_gradient else ()
    used += () if module.head is None else module.head.parameters()
    # A frozen parameter needs no gradient, and one of some other part is not seen here.
    if set(used) != {p for p in module.parameters() if p.requires_grad}:
        return None
    # Only weights of a transposed layer may occur twice.
    n_tied = sum(isinstance(stage.linear, TransposedLinear) for stage in decoder)
    if len(used) - len(set(used)) != n_tied:
        return None
    label_parts = module.head, module.target_weight
    return Plan(encoder, bottleneck, decoder, loss, tuple(inputs), module.corruption, *label_parts)


def _extend(stages, module):
    """Add what a module does to ``stages``; say whether that can be done."""
    if _has_hooks(module):
        return False
    kind, last = type(module), stages[-1] if stages else None
    if kind is nn.Identity or kind in SEQUENCES:
        return all(_extend(stages, child) for child in module.children())
    if kind in (nn.Linear, Linear, TransposedLinear):
        stages.append(Stage(module))
        return True
    if kind is Shortcut:
        return _extend_by_shortcut(stages, module)
    if last is None or last.dropout is not None:
        return False
    if kind in (Dropout, SampleDropout) and not module.has_pool:
        stages[-1] = replace(last, dropout=module)
    elif kind in ACTIVATIONS and last.activation is None:
        stages[-1] = replace(last, activation=module)
    elif _is_normalization(module) and last.normalization is last.activation is None:
        stages[-1] = replace(last, normalization=module)
    else:
        return False
    return True


def _extend_by_shortcut(stages, module):
    source, stack = len(stages), module.stack
    starts_linear = type(stack) in SEQUENCES and type(stack[0]) is nn.Linear
    if _has_hooks(module.linear) or not starts_linear or not _extend(stages, stack):
        return False
    last = stages[-1]
    if last.activation or last.normalization or last.dropout:
        return False
    if any(stage.shortcut for stage in stages[source:]):
        return False  # nested
    stages[-1] = replace(last, shortcut=module.linear, source=source)
    return True


def _is_normalization(module):
    if type(module) is BatchNorm:
        return module.affine and module.track_running_stats and module.momentum is not None
    is_of_rows = type(module) is nn.LayerNorm and len(module.normalized_shape) == 1
    return is_of_rows and module.elementwise_affine and module.bias is not None


def _has_hooks(module):
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )

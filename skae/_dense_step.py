"""Forward and backward passes of a stack of dense layers, written out. torch only.

On a CPU, autograd over a small stack spends most of its time building and walking a
graph. Where encoder and decoder are plain linear layers and activations, the same
derivatives are a handful of matrix products into buffers that exist already.
Everything else trains by autograd; both give the same gradients.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

from skae._module import AutoencoderModule, Centre, sample_losses
from skae.architectures._dense import Linear, Shortcut, TransposedLinear
from skae.bottlenecks import LinearBottleneck

aten = torch.ops.aten


class Activation(NamedTuple):
    """How to apply an activation and its derivative.

    ``forward(z, out)`` gives the activation of ``z``, in ``z`` itself or, if
    ``saves_input``, in ``out``; ``backward(grad, saved)`` multiplies ``grad`` by the
    derivative, in place, where ``saved`` is the output or, if ``saves_input``, the input.
    """

    forward: Callable
    backward: Callable
    saves_input: bool = False


def _relu(layer):
    del layer
    backward = aten.threshold_backward.grad_input
    return Activation(lambda z, out: z.relu_(), lambda g, y: backward(g, y, 0, grad_input=g))


def _leaky_relu(layer):
    slope, backward = layer.negative_slope, aten.leaky_relu_backward.grad_input
    return Activation(
        lambda z, out: nn.functional.leaky_relu_(z, slope),
        lambda g, y: backward(g, y, slope, True, grad_input=g),
    )


def _elu(layer):
    alpha, backward = layer.alpha, aten.elu_backward.grad_input
    return Activation(
        lambda z, out: nn.functional.elu_(z, alpha),
        lambda g, y: backward(g, alpha, 1, 1, True, y, grad_input=g),
    )


def _tanh(layer):
    del layer
    backward = aten.tanh_backward.grad_input
    return Activation(lambda z, out: z.tanh_(), lambda g, y: backward(g, y, grad_input=g))


def _sigmoid(layer):
    del layer
    backward = aten.sigmoid_backward.grad_input
    return Activation(lambda z, out: z.sigmoid_(), lambda g, y: backward(g, y, grad_input=g))


def _silu(layer):
    del layer
    forward, backward = aten.silu.out, aten.silu_backward.grad_input
    return Activation(
        lambda z, out: forward(z, out=out),
        lambda g, z: backward(g, z, grad_input=g),
        saves_input=True,
    )


def _gelu(layer):
    kind = layer.approximate
    forward, backward = aten.gelu.out, aten.gelu_backward.grad_input
    return Activation(
        lambda z, out: forward(z, approximate=kind, out=out),
        lambda g, z: backward(g, z, approximate=kind, grad_input=g),
        saves_input=True,
    )


#: By exact type: a subclass may compute something else.
_ACTIVATIONS = {
    nn.ReLU: _relu,
    nn.LeakyReLU: _leaky_relu,
    nn.ELU: _elu,
    nn.Tanh: _tanh,
    nn.Sigmoid: _sigmoid,
    nn.SiLU: _silu,
    nn.GELU: _gelu,
}


class Stage(NamedTuple):
    """A linear layer, the activation behind it, and a shortcut added before that.

    ``source`` is the index of the stage whose input the shortcut takes.
    """

    linear: nn.Linear | TransposedLinear
    activation: Activation | None = None
    shortcut: nn.Linear | None = None
    source: int | None = None


class DenseStep:
    """Loss and gradients of a dense autoencoder for one batch.

    Parameters
    ----------
    encoder, decoder : list of Stage
        From the input to the bottleneck, and from there to the prediction. The gradients
        of their parameters exist and stay where they are.
    bottleneck : skae.bottlenecks.Bottleneck or None
        None if the code is the encoder's output, so that there is but one stack, the
        decoder.
    loss : nn.Module
        One of `skae.losses`.
    centre : nn.Module or None, default=None
        Applied to the input first.
    """

    def __init__(self, encoder, bottleneck, decoder, loss, centre=None):
        linears = [stage.linear for stage in (*encoder, *decoder)]
        weights = [linear.weight for linear in linears]
        # Where weights are used twice, their gradients are added up.
        self.shared = [w.grad for w in set(weights)] if len(set(weights)) < len(weights) else []
        self.encoder = _Stack(encoder, adds_up=bool(self.shared))
        self.decoder = _Stack(decoder, adds_up=bool(self.shared))
        self.bottleneck = bottleneck
        self.loss = loss
        self.centre = centre

    @torch.no_grad()
    def __call__(self, x, target, weight=None, cell_weight=None):
        """Write the gradients into the parameters' ``grad``, and return the loss.

        Parameters
        ----------
        x, target : tensor of shape (n_samples, n_features)
        weight : tensor of shape (n_samples,) or None
        cell_weight : tensor of shape (n_samples, n_features) or None

        Returns
        -------
        loss : tensor of shape ()
        """
        if self.centre is not None:
            x = self.centre(x)
        for grad in self.shared:
            grad.zero_()
        if self.bottleneck is None:
            prediction = self.decoder.forward(x)
            loss = self._loss_and_gradient(prediction, target, weight, cell_weight)
            self.decoder.backward()
            return loss
        code, penalty, backward = self.bottleneck.step(self.encoder.forward(x), weight)
        prediction = self.decoder.forward(code)
        loss = self._loss_and_gradient(prediction, target, weight, cell_weight)
        backward(self.decoder.backward(to_input=True), self.encoder.output_grad)
        self.encoder.backward()
        return loss + penalty

    def _loss_and_gradient(self, prediction, target, weight, cell_weight):
        """Return the mean loss, and write its derivative by the prediction."""
        out = self.decoder.output_grad
        if not hasattr(self.loss, "mean_and_gradient"):
            return self._by_autograd(prediction, target, weight, cell_weight, out)
        if weight is not None:
            weight = weight[:, None]
            cell_weight = weight if cell_weight is None else weight * cell_weight
        return self.loss.mean_and_gradient(prediction, target, cell_weight, out)

    def _by_autograd(self, prediction, target, weight, cell_weight, out):
        with torch.enable_grad():
            leaf = prediction.detach().requires_grad_()
            losses = sample_losses(self.loss, leaf, target, cell_weight)
            loss = losses.mean() if weight is None else (losses * weight).mean()
            out.copy_(torch.autograd.grad(loss, leaf)[0])
        return loss.detach()


class _Stack:
    """Forward and backward passes of consecutive stages.

    Parameters
    ----------
    stages : list of Stage
    adds_up : bool
        Whether gradients of weights are added to what is there.
    """

    def __init__(self, stages, adds_up):
        self.layers = [_Layer.of(stage) for stage in stages]
        self.adds_up = adds_up
        self._buffers_by_length = {}

    def forward(self, x):
        """Return the output for ``x``, and keep what ``backward`` needs."""
        if len(x) not in self._buffers_by_length:
            buffers = [_Buffers.of(x, layer) for layer in self.layers]
            self._buffers_by_length[len(x)] = buffers, torch.empty_like(x)
        self._buffers, self._input_grad = self._buffers_by_length[len(x)]
        # The input of each layer, then the output.
        inputs = self._inputs = [x, *(buffer.y for buffer in self._buffers)]
        for layer, x, (z, y, _, _) in zip(self.layers, inputs, self._buffers, strict=False):
            if layer.bias is None:
                torch.mm(x, layer.weight_t, out=z)
            else:
                torch.addmm(layer.bias, x, layer.weight_t, out=z)
            if layer.shortcut is not None:
                z.addmm_(inputs[layer.source], layer.shortcut_t)
            if layer.activation is not None:
                layer.activation.forward(z, y)
        return inputs[-1]

    @property
    def output_grad(self):
        """Where the derivative by the output is to be written, before ``backward``."""
        return self._buffers[-1].grad if self._buffers else self._input_grad

    def backward(self, to_input=False):
        """Write the gradients of the parameters; return that of the input if ``to_input``."""
        inputs, buffers = self._inputs, self._buffers
        shortcuts = {}  # by source: the gradient behind the shortcut, and its weight
        for i in range(len(buffers) - 1, -1, -1):
            layer, (z, _, grad, grad_t) = self.layers[i], buffers[i]
            if layer.activation is not None:
                layer.activation.backward(grad, z)
            if self.adds_up:
                layer.weight_grad.addmm_(grad_t, inputs[i])
            else:
                torch.mm(grad_t, inputs[i], out=layer.weight_grad)
            if layer.bias is not None:
                torch.sum(grad, 0, out=layer.bias_grad)
            if layer.shortcut is not None:
                torch.mm(grad_t, inputs[layer.source], out=layer.shortcut_grad)
                shortcuts[layer.source] = grad, layer.shortcut
            if i or to_input:
                before = buffers[i - 1].grad if i else self._input_grad
                torch.mm(grad, layer.weight, out=before)
                if i in shortcuts:
                    before.addmm_(*shortcuts[i])
        return self._input_grad


class _Layer(NamedTuple):
    """The tensors of a `Stage`."""

    activation: Activation | None
    weight: torch.Tensor
    weight_t: torch.Tensor
    weight_grad: torch.Tensor
    bias: torch.Tensor | None = None
    bias_grad: torch.Tensor | None = None
    shortcut: torch.Tensor | None = None
    shortcut_t: torch.Tensor | None = None
    shortcut_grad: torch.Tensor | None = None
    source: int | None = None

    @classmethod
    def of(cls, stage):
        linear, activation, shortcut, source = stage
        weight, weight_grad = linear.weight.detach(), linear.weight.grad
        if isinstance(linear, TransposedLinear):
            weight, weight_grad = linear.transpose(weight), linear.transpose(weight_grad)
        layer = cls(activation, weight, weight.t(), weight_grad)
        if linear.bias is not None:
            layer = layer._replace(bias=linear.bias.detach(), bias_grad=linear.bias.grad)
        if shortcut is not None:
            weight = shortcut.weight.detach()
            layer = layer._replace(
                shortcut=weight,
                shortcut_t=weight.t(),
                shortcut_grad=shortcut.weight.grad,
                source=source,
            )
        return layer


class _Buffers(NamedTuple):
    """Output of one layer before and after the activation, and its gradient."""

    z: torch.Tensor
    y: torch.Tensor
    grad: torch.Tensor
    grad_t: torch.Tensor

    @classmethod
    def of(cls, x, layer):
        z = x.new_empty(len(x), len(layer.weight))
        saves_input = layer.activation is not None and layer.activation.saves_input
        grad = torch.empty_like(z)
        return cls(z, torch.empty_like(z) if saves_input else z, grad, grad.t())


def dense_step(module):
    """Return a `DenseStep` for an autoencoder module, or None if it is not dense."""
    if not isinstance(module, AutoencoderModule):
        return None
    if not module.decodes_once or module.is_partial:
        return None
    decoder_parts = [module.decoder]
    if not getattr(module.loss, "from_logits", False):
        decoder_parts.append(module.output_activation)
    encoder, decoder, bottleneck = [], [], module.bottleneck
    first, centre = module.encoder, None
    if type(first) is nn.Sequential and type(first[0]) is Centre:
        centre, first = first[0], first[1:]
    if type(bottleneck) is LinearBottleneck:
        bottleneck, decoder_parts = None, [first, *decoder_parts]
    elif not _extend(encoder, first):
        return None
    if not all(_extend(decoder, part) for part in decoder_parts) or not decoder:
        return None
    used = [p for stage in (*encoder, *decoder) for p in _parameters(stage)]
    used += module.loss.parameters() if hasattr(module.loss, "mean_and_gradient") else ()
    # A frozen parameter needs no gradient, and one of some other part is not seen here.
    if set(used) != {p for p in module.parameters() if p.requires_grad}:
        return None
    # Only weights of a transposed layer may occur twice.
    n_tied = sum(isinstance(stage.linear, TransposedLinear) for stage in decoder)
    if len(used) - len(set(used)) != n_tied:
        return None
    return DenseStep(encoder, bottleneck, decoder, module.loss, centre)


def _parameters(stage):
    linears = [linear for linear in (stage.linear, stage.shortcut) if linear is not None]
    return [parameter for linear in linears for parameter in linear.parameters()]


def _extend(stages, module):
    """Add what a module does to ``stages``; say whether that can be done."""
    if _has_hooks(module):
        return False
    kind, last = type(module), stages[-1] if stages else None
    if kind in (nn.Identity, nn.Sequential):
        return all(_extend(stages, child) for child in module.children())
    if kind in (nn.Linear, Linear, TransposedLinear):
        stages.append(Stage(module))
        return True
    if kind is Shortcut:
        source = len(stages)
        starts_linear = type(module.stack) is nn.Sequential and type(module.stack[0]) is nn.Linear
        if _has_hooks(module.linear) or not starts_linear or not _extend(stages, module.stack):
            return False
        if stages[-1].activation or any(stage.shortcut for stage in stages[source:]):
            return False  # nested shortcuts
        stages[-1] = stages[-1]._replace(shortcut=module.linear, source=source)
        return True
    if kind in _ACTIVATIONS and last is not None and last.activation is None:
        stages[-1] = last._replace(activation=_ACTIVATIONS[kind](module))
        return True
    return False


def _has_hooks(module):
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )

"""Forward and backward passes of dense layers, written out. torch only.

On a CPU, autograd over a small stack spends most of its time building and walking a
graph. Where encoder and decoder are plain linear layers and what usually stands between
them, the same derivatives are a handful of matrix products into buffers that exist
already. The first axis of all tensors is the model: several of equal shapes take their
steps together, and a single one in the same way, so that its results are the same alone.
Everything else trains by autograd; both give the same gradients.
"""

import copy
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

from skae._modules.autoencoder import sample_losses, weighted_mean
from skae._runtime import TRAINED
from skae._training.dense_plan import Stage, plan_dense
from skae._training.flat import LANES
from skae.architectures._base import SampleDropout
from skae.architectures._dense import BatchNorm, TransposedLinear

aten = torch.ops.aten


def dense_step(*modules):
    """Return a `DenseStep` for autoencoder modules, or None if they are not dense.

    Parameters
    ----------
    *modules : AutoencoderModule
        One, or several whose plans have the same structure. The gradients of their parameters
        exist and stay where they are: those of several at equal distances in one storage, and
        so do the values.
    """
    plans = [plan_dense(module) for module in modules]
    return None if None in plans else DenseStep(plans)


class DenseStep:
    """Loss and gradients of one or several dense autoencoders for one batch.

    Parameters
    ----------
    plans : list of Plan
    """

    def __init__(self, plans):
        encoders, bottlenecks, decoders, losses, inputs, _, heads, weights = zip(
            *plans, strict=True
        )
        linears = [stage.linear for stage in (*encoders[0], *decoders[0])]
        # Where weights are used twice, their gradients are added up.
        adds_up = len({linear.weight for linear in linears}) < len(linears)
        self.shared = []
        if adds_up:
            layers = [stage.linear for half in (*encoders, *decoders) for stage in half]
            self.shared = list({linear.weight: linear.weight.grad for linear in layers}.values())
        self.encoder = _Layers(encoders, adds_up)
        self.decoder = _Layers(decoders, adds_up)
        self.bottlenecks = bottlenecks
        self.loss = _as_one(losses)
        self.inputs = [_as_one(modules) for modules in zip(*inputs, strict=True)]
        self.head = None if heads[0] is None else _Head(heads, weights)

    @torch.no_grad()
    def __call__(self, x, target, weight=None, cell_weight=None, states=(TRAINED,), labels=None):
        """Write the gradients into the parameters' ``grad``, and return the loss.

        Parameters
        ----------
        x, target : tensor of shape (n_samples, n_features)
            Of several models (n_models, n_samples, n_features), and so on.
        weight : tensor of shape (n_samples,) or None
        cell_weight : tensor of shape (n_samples, n_features) or None
        states : sequence of TrainState
            Of each model.
        labels : tensor of shape (n_samples, n_labels, 2) or None, default=None

        Returns
        -------
        loss : tensor of shape ()
        """
        is_one = x.ndim == 2
        if is_one:
            x, target = x[None], target[None]
            beside = weight, cell_weight, labels
            weight, cell_weight, labels = (t if t is None else t[None] for t in beside)
        for module in self.inputs:
            x = module(x)
        x = _apart(x)
        for grad in self.shared:
            grad.zero_()
        code, penalty, backward = x, 0.0, None
        if self.bottlenecks[0] is not None:
            encoded = self.encoder.forward(x, states)
            code, penalty, backward = self._step_of_bottleneck(encoded, weight, states)
        prediction, grad = self.decoder.forward(code, states), self.decoder.output_grad
        if self.loss.writes_gradient:
            cell_weight = _weight_of_cells(weight, cell_weight)
            loss = self.loss.mean_and_gradient(prediction, target, cell_weight, grad)
        else:  # of the only model
            weight, cell_weight = (t if t is None else t[0] for t in (weight, cell_weight))
            with torch.enable_grad():
                leaf = prediction[0].detach().requires_grad_()
                losses = sample_losses(self.loss, self.loss(leaf, target[0]), None, cell_weight)
                loss = weighted_mean(losses, weight)
            grad[0].copy_(torch.autograd.grad(loss, leaf)[0])
            loss = loss.detach()[None]
        if backward is None:
            self.decoder.backward()
        else:
            grad = self.decoder.backward(to_input=True)
            if self.head is not None:
                loss = loss + self.head.step(code, labels, grad)
            backward(grad, self.encoder.output_grad)
            self.encoder.backward()
        loss = loss + penalty
        return loss.squeeze(0) if is_one else loss

    def _step_of_bottleneck(self, encoded, weight, states):
        first, *others = self.bottlenecks
        if others:
            pairs = zip(self.bottlenecks, states, strict=True)
            numbers = zip(*(own.numbers(state) for own, state in pairs), strict=True)
            numbers = [encoded.new_tensor(number).view(-1, 1, 1) for number in numbers]
            return first.step(encoded, weight, states, numbers)
        if first.stack_key() is not None:
            return first.step(encoded, weight, states[0])
        # One that is not written for several models.
        weight = weight if weight is None else weight[0]
        code, penalty, backward = first.step(encoded[0], weight, states[0])
        return code[None], penalty, lambda grad, out: backward(grad[0], out[0])


def _weight_of_cells(weight, cell_weight):
    """Return the weight of each element, from those of samples and of elements; None is 1."""
    if weight is None:
        return cell_weight
    weight = weight[..., None]
    return weight if cell_weight is None else weight * cell_weight


class _Layers:
    """Forward and backward passes of consecutive stages.

    Parameters
    ----------
    models : sequence of list of Stage
        The stages of each model.
    adds_up : bool
        Whether gradients of weights are added to what is there.
    """

    def __init__(self, models, adds_up):
        self.layers = [_Layer.of(stages) for stages in zip(*models, strict=True)]
        self.adds_up = adds_up
        self._absorbers = [_absorber(self.layers, i) for i in range(len(self.layers))]
        self._buffers_by_length = {}

    def forward(self, x, states):
        """Return the output for ``x``, and keep what ``backward`` needs."""
        n_samples = x.shape[-2]
        if n_samples not in self._buffers_by_length:
            buffers = [_Buffers.of(x, layer) for layer in self.layers]
            grad = _empty(x, x.shape[-1])
            self._buffers_by_length[n_samples] = buffers, grad
        self._buffers, self._input_grad = self._buffers_by_length[n_samples]
        # The input of each layer, then the output.
        inputs = self._inputs = [x, *(buffer.y for buffer in self._buffers)]
        for layer, x, (z, y, _, _) in zip(self.layers, inputs, self._buffers, strict=False):
            if layer.bias is None:
                torch.bmm(x, layer.weight_t, out=z)
            else:
                torch.baddbmm(layer.bias, x, layer.weight_t, out=z)
            if layer.shortcut is not None:
                z.baddbmm_(inputs[layer.source], layer.shortcut_t)
            if layer.normalization is not None:
                layer.normalization.forward(z)
            if layer.activation is not None:
                layer.activation.forward(z, y)
            if layer.dropout is not None:
                layer.dropout.forward(y if layer.saves_input else z, y, states)
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
            if layer.dropout is not None:
                layer.dropout.backward(grad)
            if layer.activation is not None:
                layer.activation.backward(grad, z)
            if layer.normalization is not None:
                layer.normalization.backward(grad)
            if self.adds_up:
                layer.weight_grad.baddbmm_(grad_t, inputs[i])
            else:
                torch.bmm(grad_t, inputs[i], out=layer.weight_grad)
            absorber = self._absorbers[i]
            if layer.bias is not None and absorber is not None and not absorber.is_single:
                layer.bias_grad.zero_()  # not the rounding errors, which Adam would scale up
            elif layer.bias is not None:
                torch.sum(grad, -2, keepdim=True, out=layer.bias_grad)
            if layer.shortcut is not None:
                torch.bmm(grad_t, inputs[layer.source], out=layer.shortcut_grad)
                shortcuts[layer.source] = grad, layer.shortcut
            if i or to_input:
                before = buffers[i - 1].grad if i else self._input_grad
                torch.bmm(grad, layer.weight, out=before)
                if i in shortcuts:
                    before.baddbmm_(*shortcuts[i])
        return self._input_grad


class _Layer(NamedTuple):
    """The tensors of models' stages."""

    weight: torch.Tensor
    weight_t: torch.Tensor
    weight_grad: torch.Tensor
    bias: torch.Tensor | None
    bias_grad: torch.Tensor | None
    shortcut: torch.Tensor | None = None
    shortcut_t: torch.Tensor | None = None
    shortcut_grad: torch.Tensor | None = None
    source: int | None = None
    normalization: "_Normalization | None" = None
    activation: "Activation | None" = None
    dropout: "_Dropout | None" = None

    @property
    def saves_input(self):
        """Whether the activation's derivative takes its input."""
        return self.activation is not None and self.activation.saves_input

    @classmethod
    def of(cls, stages):
        first, linears = stages[0], [stage.linear for stage in stages]
        weight = _together(_matrices(linears, lambda w: w.detach()))
        grad = _together(_matrices(linears, lambda w: w.grad))
        layer = cls(weight, weight.mT, grad, *_row_and_grad([x.bias for x in linears]))
        if first.shortcut is not None:
            weights = [stage.shortcut.weight for stage in stages]
            shortcut = _together([w.detach() for w in weights])
            layer = layer._replace(
                shortcut=shortcut,
                shortcut_t=shortcut.mT,
                shortcut_grad=_together([w.grad for w in weights]),
                source=first.source,
            )
        if first.normalization is not None:
            norms = [stage.normalization for stage in stages]
            layer = layer._replace(normalization=_Normalization(norms))
        if first.activation is not None:
            activation = _ACTIVATIONS[type(first.activation)](first.activation)
            layer = layer._replace(activation=activation)
        if first.dropout is not None:
            layer = layer._replace(dropout=_dropout([stage.dropout for stage in stages]))
        return layer


def _absorber(layers, i):
    """Return what takes the bias of a layer away again with the mean of the batch, or None.

    The code's bias is taken away by the decoder's first normalization.
    """
    layer = layers[i]
    is_linear = layer.normalization is layer.activation is layer.dropout is None
    if is_linear and i + 1 < len(layers) and all(x.source != i + 1 for x in layers):
        layer = layers[i + 1]
    normalization = layer.normalization
    return normalization if normalization is not None and normalization.is_batch else None


def _matrices(linears, get):
    """Return ``get`` of the layers' weights, as what these multiply with."""
    return [
        linear.transpose(get(linear.weight))
        if isinstance(linear, TransposedLinear)
        else get(linear.weight)
        for linear in linears
    ]


def _together(tensors):
    """Return tensors at equal distances in one storage as one, with one more axis."""
    first, *others = tensors
    if not others:
        return first[None]
    distance = others[0].storage_offset() - first.storage_offset()
    return first.as_strided((len(tensors), *first.shape), (distance, *first.stride()))


def _as_rows(vectors):
    """Return numbers for each column, of each model, with an axis for the samples."""
    return vectors.view(len(vectors), 1, -1)


def _row_and_grad(parameters):
    """Return vectors and where their gradients are, (n_models, 1, n) each."""
    if parameters[0] is None:
        return None, None
    values, grads = [p.detach() for p in parameters], [p.grad for p in parameters]
    return tuple(_as_rows(_together(tensors)) for tensors in (values, grads))


class _Head:
    """Predictions of labels from codes, with their derivatives.

    Parameters
    ----------
    heads : sequence of LabelHead
        Of each model.
    weights : sequence of float
        Weight of each one's loss.
    """

    def __init__(self, heads, weights):
        self.head, self.layer = heads[0], _Layer.of([Stage(head.linear) for head in heads])
        units = [weight * head.unit for head, weight in zip(heads, weights, strict=True)]
        self.units = self.layer.weight.new_tensor(units).view(-1, 1, 1)
        sizes = [1 / head.code_size for head in heads]
        self.factors = self.layer.weight.new_tensor(sizes).view(-1, 1, 1)

    def step(self, code, labels, code_grad):
        """Return the loss, write its gradient, and add the derivative by the code to another."""
        layer = self.layer
        code = torch.mul(code, self.factors, out=_empty(code, code.shape[-1]))
        predicted = _empty(code, layer.weight.shape[-2])
        torch.baddbmm(layer.bias, code, layer.weight_t, out=predicted)
        loss, grad = self.head.mean_and_gradient(predicted, labels)
        grad.mul_(self.units)
        torch.bmm(grad.mT, code, out=layer.weight_grad)
        torch.sum(grad, -2, keepdim=True, out=layer.bias_grad)
        code_grad.baddbmm_(grad.mul_(self.factors), layer.weight)
        return loss * self.units.flatten()


class _Buffers(NamedTuple):
    """Output of one layer before and after the activation, and its gradient."""

    z: torch.Tensor
    y: torch.Tensor
    grad: torch.Tensor
    grad_t: torch.Tensor

    @classmethod
    def of(cls, x, layer):
        z, y, grad = (_empty(x, layer.weight.shape[-2]) for _ in range(3))
        is_kept = layer.dropout is not None and not layer.dropout.is_in_place
        return cls(z, y if layer.saves_input or is_kept else z, grad, grad.mT)


def _empty(x, n_columns):
    """Return memory for the rows of ``x``, in which each model gets the bits that it gets alone.

    Models lie next to each other where that comes to the same: if none begins in the midst of what
    is computed at a time. Products of one column are computed in another way for a single model.

    Parameters
    ----------
    x : tensor of shape (n_models, n_samples, n)
    n_columns : int

    Returns
    -------
    tensor of shape (n_models, n_samples, n_columns)
    """
    n_models, n_samples, _ = x.shape
    n = n_samples * n_columns
    if n_models == 1 or (n % LANES == 0 and n_columns > 1):
        return x.new_empty(n_models, n_samples, n_columns)
    distance = (n // LANES + 1) * LANES
    memory = x.new_empty(n_models, distance)
    return memory[:, :n].view(n_models, n_samples, n_columns)


def _apart(x):
    """Return the inputs of models, each where products take it as they do alone."""
    n_bytes = LANES * x.element_size()
    is_apart = len(x) == 1 or (x.stride(0) * x.element_size()) % n_bytes == 0
    return x if is_apart and x.data_ptr() % 64 == 0 else _empty(x, x.shape[-1]).copy_(x)


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
        _model_by_model(lambda z, out: forward(z, approximate=kind, out=out)),
        _model_by_model(lambda g, z: backward(g, z, approximate=kind, grad_input=g)),
        saves_input=True,
    )


def _model_by_model(kernel):
    """Return a kernel for models that lie apart, for which torch has another than for one."""

    def apply(x, y):
        if x.is_contiguous():
            kernel(x, y)
        else:
            for pair in zip(x, y, strict=True):
                kernel(*pair)

    return apply


#: One for each kind in ``skae._training.dense_plan.ACTIVATIONS``.
_ACTIVATIONS = {
    nn.ReLU: _relu,
    nn.LeakyReLU: _leaky_relu,
    nn.ELU: _elu,
    nn.Tanh: _tanh,
    nn.Sigmoid: _sigmoid,
    nn.SiLU: _silu,
    nn.GELU: _gelu,
}


class _Normalization:
    """Layer or batch normalization with its derivative, in place.

    Parameters
    ----------
    layers : list of nn.LayerNorm or list of BatchNorm
        Of each model.
    """

    def __init__(self, layers):
        self.layers = layers
        self.is_batch = type(layers[0]) is BatchNorm
        self.axis = -2 if self.is_batch else -1
        self.weight, self.weight_grad = _row_and_grad([layer.weight for layer in layers])
        self.bias, self.bias_grad = _row_and_grad([layer.bias for layer in layers])

    def forward(self, z):
        self.is_single = self.is_batch and z.shape[-2] == 1
        mean, variance = self._running() if self.is_single else self._moments(z)
        self.scale = torch.rsqrt(variance + self.layers[0].eps)
        self.normalized = (z - mean) * self.scale
        torch.addcmul(self.bias, self.normalized, self.weight, out=z)

    def _running(self):
        """Return the running moments, by which a single row is normalized."""
        moments = zip(*((x.running_mean, x.running_var) for x in self.layers), strict=True)
        return [_as_rows(torch.stack(m)) for m in moments]

    def _moments(self, z):
        variance, mean = torch.var_mean(z, self.axis, correction=0, keepdim=True)
        if self.is_batch:
            n_samples = z.shape[-2]
            unbiased = (variance * (n_samples / (n_samples - 1))).view(len(self.layers), -1)
            means = mean.view(len(self.layers), -1)
            for layer, new_mean, new_variance in zip(self.layers, means, unbiased, strict=True):
                layer.running_mean.lerp_(new_mean, layer.momentum)
                layer.running_var.lerp_(new_variance, layer.momentum)
                layer.num_batches_tracked.add_(1)
        return mean, variance

    def backward(self, grad):
        product = grad * self.normalized
        torch.sum(product, -2, keepdim=True, out=self.weight_grad)
        torch.sum(grad, -2, keepdim=True, out=self.bias_grad)
        grad.mul_(self.weight)
        if not self.is_single:
            slope = product.mul_(self.weight).mean(self.axis, keepdim=True)
            grad.sub_(grad.mean(self.axis, keepdim=True)).addcmul_(self.normalized, -slope)
        grad.mul_(self.scale)


def _dropout(layers):
    """Return the dropout of several models, with its derivative."""
    first = layers[0]
    is_of_samples = type(first) is SampleDropout and not first.p
    return _SampleDropout(first.fraction) if is_of_samples else _Dropout(layers)


class _SampleDropout:
    """Dropout of the first samples of a batch, with its derivative.

    Parameters
    ----------
    fraction : float
        Of the samples, the same for all models.
    """

    is_in_place = True

    def __init__(self, fraction):
        self.fraction = fraction

    def forward(self, activation, out, states):
        del activation, states  # the output has it already
        self._drop(out)

    def backward(self, grad):
        self._drop(grad)

    def _drop(self, values):
        values.narrow(1, 0, round(self.fraction * values.shape[1])).zero_()  # faster than a slice


class _Dropout:
    """Dropout with its derivative.

    Parameters
    ----------
    layers : list of Dropout
        Of each model.
    """

    is_in_place = False

    def __init__(self, layers):
        self.layers = layers

    def forward(self, activation, out, states):
        each = zip(self.layers, activation, states, strict=True)
        self.mask = torch.stack([layer.mask(x, state) for layer, x, state in each])
        torch.mul(activation, self.mask, out=out)

    def backward(self, grad):
        grad.mul_(self.mask)


def _as_one(modules):
    """Return a module that does the work of several of one structure, on tensors with their axis.

    Its parameters are those of the modules, and so are their gradients. Buffers of integers say
    where things are, and are the same in all.
    """
    first, *others = modules
    if not others or first is None:
        return first
    twin = copy.copy(first)
    twin._parameters = {name: _parameter_as_one(modules, name) for name in first._parameters}
    twin._buffers = {
        name: _as_rows(torch.stack([getattr(module, name) for module in modules]))
        if buffer.is_floating_point()
        else buffer
        for name, buffer in first._buffers.items()
    }
    return twin


def _parameter_as_one(modules, name):
    parameters = [getattr(module, name) for module in modules]
    values, grads = _row_and_grad(parameters)
    if values is None:
        return None
    parameter = nn.Parameter(values, requires_grad=False)
    parameter.grad = grads
    return parameter

"""From a user's ``architecture`` to an encoder and a decoder that fit the data."""

import copy
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import nn

from skae._params import refuse_class
from skae.architectures._base import Architecture, as_architecture, as_given, hooks
from skae.architectures._conv import Conv
from skae.architectures._dense import Dense
from skae.architectures._encoder_decoder import RecurrentEncoderDecoder
from skae.architectures._recurrent import Recurrent
from skae.architectures._tabular import Tabular
from skae.architectures._transformer import Transformer
from skae.architectures._unet import UNet

ARCHITECTURES = {"dense": Dense, "conv": Conv, "recurrent": Recurrent, "tabular": Tabular}

#: The architectures of translators.
TEXT_ARCHITECTURES = {
    "transformer": Transformer,
    "lstm": RecurrentEncoderDecoder,
    "gru": partial(RecurrentEncoderDecoder, cell="gru"),
    "plain_lstm": partial(RecurrentEncoderDecoder, attention=False),
}


def _leave_complete(x):
    """Leave a probe without missing values."""


def _end_early(x):
    """Make the first sample a sequence of one step."""
    x[0, 1:] = torch.nan


def _hide(x):
    """Make the first sample one without known values."""
    x[0] = torch.nan


class InputKind(NamedTuple):
    """What encoders and decoders of a kind of data have to take.

    Parameters
    ----------
    hide : callable, default=_leave_complete
        Sets values of a batch to NaN as they can be.
    decodes_by_target : bool, default=False
        Whether the decoder gets a batch beside the codes.
    """

    hide: Callable = _leave_complete
    decodes_by_target: bool = False


#: Possible values of the attribute ``input_kind``: how the data is read.
INPUT_KINDS = {
    "arrays": InputKind(),
    "images": InputKind(),
    "sequences": InputKind(_end_early, decodes_by_target=True),
    "tables": InputKind(_hide),
}


def input_kind(architecture, known=ARCHITECTURES):
    """Return the kind of data that an architecture is for, whether it is valid or not.

    Parameters
    ----------
    architecture : str or object
        What the user gave.
    known : dict, default=ARCHITECTURES
        What makes one, by name.
    """
    if isinstance(architecture, str):
        architecture = known.get(architecture)
    return getattr(architecture, "input_kind", Architecture.input_kind)


def make_architecture(architecture, known=ARCHITECTURES, kinds=INPUT_KINDS):
    """Return the architecture for a name, or for a user's object.

    Parameters
    ----------
    architecture : str or object with ``build``
    known : dict, default=ARCHITECTURES
        What makes one, by name.
    kinds : collection of str, default=INPUT_KINDS
        What it may read.

    Returns
    -------
    Architecture

    Raises
    ------
    TypeError
        If it is a class.
    ValueError
        If it reads data of an unknown kind.
    """
    if isinstance(architecture, str):
        return known[architecture]()
    refuse_class("architecture", architecture)
    found = as_architecture(architecture)
    if found.input_kind not in kinds:
        name, kind = type(architecture).__name__, found.input_kind
        raise ValueError(f"input_kind of {name} must be one of {tuple(kinds)}, not {kind!r}")
    return found


def build_modules(architecture, input_shape, encoder_width, code_width, column_layout=None):
    """Build encoder and decoder, and check that they fit the data and each other.

    Parameters
    ----------
    architecture : str or object with ``build``
    input_shape : tuple of int
        Shape of one sample.
    encoder_width : int
        How many numbers the encoder must give.
    code_width : int
        How many numbers the decoder takes.
    column_layout : ColumnLayout or None, default=None
        How the elements of a table's samples form columns.

    Returns
    -------
    encoder, decoder : nn.Module

    Raises
    ------
    TypeError
        If the architecture does not return two modules, or is one for pairs.
    ValueError
        If a module fails on its input, changes it, or gives an output of another shape.
    """
    architecture = make_architecture(architecture)
    if isinstance(architecture, UNet):
        raise TypeError("UNet makes one image of another: it is for ImageToImageRegressor")
    name, kind = f"{type(as_given(architecture)).__name__}.build", architecture.input_kind
    sizes = (
        input_shape,
        encoder_width,
        code_width,
        *([] if column_layout is None else [column_layout]),
    )
    modules = _check_modules(name, architecture.build(*sizes))
    # Copies, so that modules handed out twice are not shared; in the precision of training.
    encoder, decoder = (module.float() for module in copy.deepcopy(modules))
    if not any(p.requires_grad for module in (encoder, decoder) for p in module.parameters()):
        raise ValueError(f"{name} gives modules without parameters to train")
    x, code = _probe(input_shape), _probe((code_width,))
    INPUT_KINDS[kind].hide(x)
    inputs = [code]
    if INPUT_KINDS[kind].decodes_by_target:
        inputs = [code, x]
        if not hooks(decoder).takes_target:
            raise TypeError(
                f"The decoder of {name} must have an attribute takes_target = True, and take the "
                "code and a batch of sequences, in which it sees how long they are"
            )
    _check_shapes(encoder, [x], (encoder_width,), f"The encoder of {name}")
    _check_shapes(decoder, inputs, input_shape, f"The decoder of {name}")
    return encoder, decoder


def check_text_modules(architecture, modules):
    """Check what the ``build`` of an architecture of texts returned, and return it.

    Raises
    ------
    TypeError
        If it is not an encoder and a decoder.
    """
    name = f"{type(as_given(architecture)).__name__}.build"
    encoder, decoder = _check_modules(name, modules)
    if not isinstance(getattr(decoder, "output", None), nn.Module) or not hasattr(decoder, "start"):
        raise TypeError(
            f"The decoder of {name} must have a method start and a layer output, see "
            "skae.architectures"
        )
    return encoder, decoder


def _check_modules(name, modules):
    if not (
        isinstance(modules, tuple)
        and len(modules) == 2
        and all(isinstance(module, nn.Module) for module in modules)
    ):
        raise TypeError(f"{name} must return (encoder, decoder), two nn.Module; got {modules!r}")
    return modules


def _probe(shape):
    """Return two samples: a batch is told from a sample."""
    return torch.rand(2, *shape, dtype=torch.float32) - 0.5


@torch.no_grad()
def _check_shapes(module, inputs, output_shape, who):
    was_training, probe = module.training, inputs[0]
    given = [x.clone() for x in inputs]
    try:
        output = module.eval()(*given)
        copy.deepcopy(module).double()(*(x.double() for x in inputs))  # as for float64 input
    except RuntimeError as error:
        hint = ""
        if "dtype" in str(error) or "double" in str(error):
            hint = " (tensors beside the parameters should be buffers, see register_buffer)"
        raise ValueError(
            f"{who} fails on input of shape {tuple(probe.shape)}: {error}{hint}"
        ) from error
    finally:
        module.train(was_training)
    if not all(map(_same, given, inputs)):
        raise ValueError(f"{who} changes its input: do not work on it in place (inplace=True)")
    shape = tuple(getattr(output, "shape", ()))
    if shape != (2, *output_shape):
        raise ValueError(
            f"{who} gives output of shape {shape} for 2 samples of shape {tuple(probe.shape[1:])}; "
            f"expected {(2, *output_shape)}"
        )
    if not output.isfinite().all():
        raise ValueError(
            f"{who} gives NaN or infinite values. Where sequences are padded or values missing, "
            "its input is NaN."
        )


def _same(a, b):
    return torch.equal(a.nan_to_num(), b.nan_to_num())

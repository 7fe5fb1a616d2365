"""From a user's ``architecture`` to an encoder and a decoder that fit the data."""

import copy

import torch
from torch import nn

from skae.architectures._conv import Conv
from skae.architectures._dense import Dense

ARCHITECTURES = {"conv": Conv, "dense": Dense}
#: What an architecture can have its data read as, by an attribute ``input_kind``.
INPUT_KINDS = ("rows", "images")


def make_architecture(architecture):
    """Return the architecture object for a name, or the object itself.

    Raises
    ------
    TypeError
        If it is a class.
    ValueError
        If it reads data of an unknown kind.
    """
    if isinstance(architecture, str):
        return ARCHITECTURES[architecture]()
    if isinstance(architecture, type):
        name = architecture.__name__
        raise TypeError(f"architecture={name} is a class: write {name}(), with its parameters")
    kind = getattr(architecture, "input_kind", "rows")
    if kind not in INPUT_KINDS:
        name = type(architecture).__name__
        raise ValueError(f"input_kind of {name} must be one of {INPUT_KINDS}, not {kind!r}")
    return architecture


def build_modules(architecture, input_shape, encoder_width, code_width):
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

    Returns
    -------
    encoder, decoder : nn.Module

    Raises
    ------
    TypeError
        If the architecture does not return two modules.
    ValueError
        If a module fails on its input, changes it, or gives an output of another shape.
    """
    architecture = make_architecture(architecture)
    name = f"{type(architecture).__name__}.build"
    modules = architecture.build(input_shape, encoder_width, code_width)
    if not (
        isinstance(modules, tuple)
        and len(modules) == 2
        and all(isinstance(module, nn.Module) for module in modules)
    ):
        raise TypeError(f"{name} must return (encoder, decoder), two nn.Module; got {modules!r}")
    # Copies, so that modules handed out twice are not shared; in the precision of training.
    encoder, decoder = (module.float() for module in copy.deepcopy(modules))
    if not any(p.requires_grad for module in (encoder, decoder) for p in module.parameters()):
        raise ValueError(f"{name} gives modules without parameters to train")
    _check_shapes(encoder, input_shape, (encoder_width,), f"The encoder of {name}")
    _check_shapes(decoder, (code_width,), input_shape, f"The decoder of {name}")
    return encoder, decoder


@torch.no_grad()
def _check_shapes(module, input_shape, output_shape, who):
    was_training = module.training
    probe = (
        torch.rand(2, *input_shape, dtype=torch.float32) - 0.5
    )  # two samples: a batch is told from a sample
    given = probe.clone()
    try:
        output = module.eval()(given)
        copy.deepcopy(module).double()(probe.double())  # as for float64 input
    except RuntimeError as error:
        hint = ""
        if "dtype" in str(error) or "double" in str(error):
            hint = " (tensors beside the parameters should be buffers, see register_buffer)"
        raise ValueError(
            f"{who} fails on input of shape {tuple(probe.shape)}: {error}{hint}"
        ) from error
    finally:
        module.train(was_training)
    if not torch.equal(given, probe):
        raise ValueError(f"{who} changes its input: do not work on it in place (inplace=True)")
    shape = tuple(getattr(output, "shape", ()))
    if shape != (2, *output_shape):
        raise ValueError(
            f"{who} gives output of shape {shape} for 2 samples of shape {input_shape}; "
            f"expected {(2, *output_shape)}"
        )

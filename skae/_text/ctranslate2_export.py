"""Translators as models of CTranslate2, an engine that runs without torch and skae."""

import json
import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import nn

from skae._data.texts import BEGIN, PADDING
from skae.architectures._attention import Attention
from skae.architectures._base import Dropout
from skae.architectures._transformer import (
    RotaryPositions,
    TransformerDecoder,
    TransformerEncoder,
    TransformerLayer,
)
from skae.exceptions import missing

#: Names of the tokens that no text has, in the order of their numbers. A tokenizer has no others
#: such as these: it splits texts between letters and punctuation.
PADDING_NAME, BEGIN_NAME, END_NAME = SPECIAL_NAMES = "<blank>", "<s>", "</s>"

#: Logit of tokens that are never predicted. It is finite in float16.
NEVER = -1e4

#: Sentences that the engine translates at a time.
BATCH_SIZE = 64

#: Files of a model. An existing folder with other files in it is not replaced.
TOKENIZERS = "source_tokenizer.json", "target_tokenizer.json"
OPTIONS = "translate_batch.json"
FILES = {
    "config.json",
    "model.bin",
    "shared_vocabulary.json",
    "source_vocabulary.json",
    "target_vocabulary.json",
    *TOKENIZERS,
    OPTIONS,
}

#: Engines by name, with the type of their weights.
ENGINES = {"ctranslate2": None, "ctranslate2-int8": "int8"}

#: Modules that have a counterpart in CTranslate2, or have no effect outside of training.
KNOWN = {
    TransformerEncoder,
    TransformerDecoder,
    RotaryPositions,
    TransformerLayer,
    Attention,
    Dropout,
    nn.ModuleList,
    nn.Embedding,
    nn.Linear,
    nn.LayerNorm,
}


def load_library():
    """Return the package ctranslate2."""
    try:
        import ctranslate2
    except ModuleNotFoundError as error:
        raise missing("ctranslate2", "ctranslate2") from error
    return ctranslate2


def make_spec(encoder, decoder, tokenizers):
    """Return a net and its vocabularies as CTranslate2 specifies them.

    Parameters
    ----------
    encoder, decoder : nn.Module
    tokenizers : tuple of two tokenizers.Tokenizer
        Of the source and of the target.

    Returns
    -------
    ctranslate2.specs.TransformerSpec

    Raises
    ------
    ValueError
        If the net has layers that CTranslate2 does not have.
    """
    specs = load_library().specs
    _check_layers(encoder, decoder)
    spec = specs.TransformerSpec(
        _half_spec(specs.TransformerEncoderSpec, encoder),
        _half_spec(specs.TransformerDecoderSpec, decoder),
    )
    (embeddings,) = spec.encoder.embeddings
    embeddings.weight = _array(encoder.embedding.weight)
    # The positions are in the angles alone.
    vars(spec.encoder).pop("position_encodings", None)
    spec.decoder.embeddings.weight = _array(decoder.embedding.weight)
    _fill_output(spec.decoder.projection, decoder.output)
    spec.config.unk_token = PADDING_NAME
    spec.config.bos_token = spec.config.decoder_start_token = BEGIN_NAME
    spec.config.eos_token = END_NAME
    spec.config.add_source_eos = True
    spec.config.layer_norm_epsilon = encoder.norm.eps
    source, target = tokenizers
    spec.register_source_vocabulary(token_names(source))
    spec.register_target_vocabulary(token_names(target))
    return spec


def token_names(tokenizer):
    """Return the names of all tokens in the order of their numbers."""
    return [*SPECIAL_NAMES, *map(tokenizer.id_to_token, range(tokenizer.get_vocab_size()))]


def _check_layers(encoder, decoder):
    parts = {type(module): None for half in (encoder, decoder) for module in half.modules()}
    unknown = [kind.__name__ for kind in parts if kind not in KNOWN]
    if unknown:
        raise ValueError(
            f"CTranslate2 has no layer such as {unknown[0]}, which this translator has: only those "
            "of skae.architectures.Transformer. Fit with architecture='transformer', or keep this "
            "translator with skae.save."
        )


def _half_spec(kind, net):
    """Return the specification of an encoder or a decoder with the weights of its layers."""
    attention = net.layers[0].self_attention
    spec = kind(
        len(net.layers),
        attention.n_heads,
        pre_norm=True,
        rotary_dim=attention.head_size,
        rotary_interleave=False,
        rotary_base=net.positions.longest,
    )
    _fill_norm(spec.layer_norm, net.norm)
    for part, layer in zip(spec.layer, net.layers, strict=True):
        own, other = layer.self_attention, layer.cross_attention
        _fill_norm(part.self_attention.layer_norm, layer.norm)
        _fill(part.self_attention.linear[0], own.query, own.key_value)
        _fill(part.self_attention.linear[1], own.output)
        if other is not None:
            _fill_norm(part.attention.layer_norm, layer.norm)
            for linear, source in zip(
                part.attention.linear, (other.query, other.key_value, other.output), strict=True
            ):
                _fill(linear, source)
        _fill_norm(part.ffn.layer_norm, layer.norm)
        _fill(part.ffn.linear_0, layer.fc1)
        _fill(part.ffn.linear_1, layer.fc2)
    return spec


def _fill(spec, *layers):
    """Put the weights of layers, one below the other, into one linear layer."""
    spec.weight = np.concatenate([_array(layer.weight) for layer in layers])
    if layers[0].bias is not None:
        spec.bias = np.concatenate([_array(layer.bias) for layer in layers])


def _fill_output(spec, layer):
    spec.weight = _array(layer.weight)
    spec.bias = np.zeros(len(spec.weight), np.float32)
    spec.bias[[PADDING, BEGIN]] = NEVER


def _fill_norm(spec, norm):
    (width,) = norm.normalized_shape
    spec.gamma, spec.beta = np.ones(width, np.float32), np.zeros(width, np.float32)


def _array(weight):
    return weight.detach().cpu().float().numpy().copy()


def check_quantization(quantization):
    """Refuse what CTranslate2 cannot store weights in."""
    known = load_library().specs.model_spec.ACCEPTED_MODEL_TYPES
    if quantization is not None and quantization not in known:
        raise ValueError(
            f"quantization must be None or one of {', '.join(map(repr, known))}; "
            f"got {quantization!r}"
        )


def translate_options(params, max_length):
    """Return the options of ``translate_batch`` that stand for parameters of a translator.

    Parameters
    ----------
    params : Seq2SeqTranslator
        ``beam_size``, ``length_penalty`` and ``no_repeat_ngram_size`` are used.
    max_length : int
        Tokens of a translation, the end included.

    Returns
    -------
    dict
        Keyword arguments.
    """
    return {
        "beam_size": int(params.beam_size),
        "length_penalty": float(params.length_penalty),
        "no_repeat_ngram_size": int(params.no_repeat_ngram_size or 0),
        "max_decoding_length": int(max_length) - 1,
        "return_end_token": True,  # else the length that is penalized would be without it
        "max_input_length": 0,  # nothing is cut off
        "max_batch_size": BATCH_SIZE,
    }


def write_model(folder, spec, tokenizers, options, quantization=None):
    """Write a model, its tokenizers and options of the translation into an empty folder.

    Parameters
    ----------
    folder : path
    spec : ctranslate2.specs.TransformerSpec
    tokenizers : tuple of two tokenizers.Tokenizer
    options : dict
        Keyword arguments of ``translate_batch`` of CTranslate2.
    quantization : str or None, default=None
        Type of the stored weights, None for float32.
    """
    spec.validate()
    spec.optimize(quantization=quantization)
    spec.save(os.fspath(folder))
    for name, tokenizer in zip(TOKENIZERS, tokenizers, strict=True):
        Path(folder, name).write_text(tokenizer.to_str(pretty=True), encoding="utf-8")
    Path(folder, OPTIONS).write_text(json.dumps(options, indent=2) + "\n", encoding="utf-8")


class Engine:
    """A translator of CTranslate2 on the CPU, in memory.

    Parameters
    ----------
    encoder, decoder, tokenizers
        As for `make_spec`.
    quantization : str or None, default=None
        Type of the weights, None for float32.
    """

    def __init__(self, encoder, decoder, tokenizers, quantization=None):
        library, spec = load_library(), make_spec(encoder, decoder, tokenizers)
        with TemporaryDirectory() as folder:
            write_model(folder, spec, tokenizers, {}, quantization)
            n_threads = torch.get_num_threads()
            self._engine = library.Translator(folder, intra_threads=n_threads)
        self._source_names, target_names = map(token_names, tokenizers)
        self._number = {name: i for i, name in enumerate(target_names)}

    def translate(self, rows, options):
        """Return the tokens of translations, a list of list of int.

        Parameters
        ----------
        rows : list of list of int
            Tokens of texts, the end of the text last.
        options : dict
            As `translate_options` returns it.
        """
        names = self._source_names
        tokens = [[names[i] for i in row[:-1]] for row in rows]  # the engine adds the end
        found = self._engine.translate_batch(tokens, **options)
        return [[self._number[name] for name in result.hypotheses[0]] for result in found]


def check_folder(path, force):
    """Return the whole path of a folder to write.

    Raises
    ------
    TypeError
        If it is no path.
    OSError
        If it exists and ``force`` is False, if it is not the folder of a model, or if the
        folder that it is to lie in does not exist.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path must be the name of a folder, a str or a path, not {path!r}")
    path = Path(path).resolve()
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path={str(path)!r}: create the folder {str(path.parent)!r} first")
    if not path.exists():
        return path
    if not path.is_dir():
        raise FileExistsError(f"path={str(path)!r} is a file: give the name of a folder")
    if not force:
        raise FileExistsError(
            f"path={str(path)!r} exists already: give another one, or force=True to replace it"
        )
    others = sorted({file.name for file in path.iterdir()} - FILES)
    if others:
        raise FileExistsError(
            f"path={str(path)!r} holds more than a model of CTranslate2, such as {others[0]!r}, "
            "and is not replaced: give another one"
        )
    return path


def replace_folder(path, write):
    """Put a new folder in the place of an old one, if there is one, once it is complete.

    Parameters
    ----------
    path : Path
        The folder.
    write : callable
        ``write(folder)`` writes what the folder is to hold into an empty one.
    """
    try:
        with TemporaryDirectory(dir=path.parent, prefix=".skae-") as scratch:
            new, old = Path(scratch, "new"), Path(scratch, "old")
            new.mkdir()
            write(new)
            with suppress(FileNotFoundError):
                path.rename(old)
            try:
                new.rename(path)
            except OSError:
                if old.exists():
                    old.rename(path)
                raise
    except OSError as error:
        what = f"path={str(path)!r} cannot be written: {error.strerror}"
        raise OSError(error.errno, what) from error

"""Target tokens per second in the training of translators, skae and its neighbors.

Needs the folder with ``train.tsv.gz``, whose lines are a sentence and its translation::

    pip install keras
    python benchmarks/bench_training_text.py --data DIR [--steps 60] [--rounds 3]

All train on the same batches, in turn in one run, with the same threads. The hand-written loops
train the modules of `skae.architectures` by torch's cross-entropy, with torch's optimizers and
gradients of norm 1 at most: in float32, under autocast to bfloat16, and with a module in
bfloat16 whose weights are kept in float32. "Muon" is torch's for the matrices, of as many
iterations as skae's, and Adam for the rest. Keras has a net of as many and as wide layers, with
attention, and a loss without smoothing; it gets an eighth of the steps. Figures are medians over
the rounds, ratios to the fastest loop of the same optimizer. The last lines of a table are what
making the batches takes, and where a step of skae's spends its time.
"""

import argparse
import os
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import pandas as pd
import torch
from torch import nn

from skae import Seq2SeqTranslator
from skae._data.batches import Batches
from skae._data.texts import BEGIN, PADDING
from skae._estimators.reading import learn
from skae._modules.translation import TranslationModule
from skae._runtime import has_bfloat16
from skae._text.tokenizers import vocabulary_length
from skae._training.loop import TrainingRun

LR, SMOOTHING, MAX_NORM, MUON_ITERATIONS = 1e-3, 0.1, 1.0, 3
CPU = torch.device("cpu")


class Skae:
    """What `Seq2SeqTranslator.fit` trains by, on given batches."""

    def __init__(self, data, architecture, optimizer, precision):
        self.translator = data.translator(architecture, optimizer=optimizer, precision=precision)
        self.net, self.rows = self.translator.net_, data.rows

    def train(self, batches):
        self.net.get_iterator = lambda dataset, training=False: batches
        TrainingRun(self.net, self.rows, None, [], n_epochs=1, seed=0).fit_loop()


class Loop:
    """A hand-written loop over the same module."""

    def __init__(self, data, architecture, make_optimizers, how="float32"):
        self.module = data.module(architecture)
        self.how = how
        self.parameters = list(self.module.parameters())
        self.weights = self.parameters
        if how == "copies":
            self.weights = [nn.Parameter(p.detach().clone()) for p in self.parameters]
            self.module.bfloat16()
        tables = {id(m.weight) for m in self.module.modules() if isinstance(m, nn.Embedding)}
        is_matrix = [p.ndim == 2 and id(p) not in tables for p in self.parameters]
        self.optimizers = make_optimizers(self.weights, is_matrix)

    def loss(self, source, target):
        is_token = target != PADDING
        logits = self.module.decoder.output(self.module.hidden(source, target)[is_token])
        return nn.functional.cross_entropy(logits, target[is_token], label_smoothing=SMOOTHING)

    def train(self, batches):
        self.module.train()
        for source, (target, *_) in batches:
            with torch.autocast("cpu", torch.bfloat16, enabled=self.how == "autocast"):
                loss = self.loss(source, target)
            loss.backward()
            if self.how == "copies":
                for weight, parameter in zip(self.weights, self.parameters, strict=True):
                    weight.grad, parameter.grad = parameter.grad.float(), None
            nn.utils.clip_grad_norm_(self.weights, MAX_NORM)
            for optimizer in self.optimizers:
                optimizer.step()
                optimizer.zero_grad()
            if self.how == "copies":
                with torch.no_grad():
                    torch._foreach_copy_(self.parameters, self.weights)


def adam(weights, is_matrix):
    return [torch.optim.Adam(weights, lr=LR, betas=(0.9, 0.98), fused=True)]


def muon_and_adam(weights, is_matrix):
    matrices, others = (
        [w for w, m in zip(weights, is_matrix, strict=True) if m == which]
        for which in (True, False)
    )
    muon = torch.optim.Muon(
        matrices, lr=LR, ns_steps=MUON_ITERATIONS, adjust_lr_fn="match_rms_adamw"
    )
    return [muon, *adam(others, is_matrix)]


class Keras:
    """A recurrent encoder and decoder with attention, trained by Keras's own fit."""

    fraction = 8

    def __init__(self, data, precision="float32", width=256, size=64):
        import keras as k

        k.mixed_precision.set_dtype_policy(precision)
        dropout = data.dropout("lstm")
        source, before = k.Input((None,), dtype="int32"), k.Input((None,), dtype="int32")
        embedding = k.layers.Embedding(data.n_tokens, width)
        half = k.layers.LSTM(width // 2, return_sequences=True, return_state=True)
        states, *last = k.layers.Bidirectional(half)(k.layers.Dropout(dropout)(embedding(source)))
        states = k.layers.LayerNormalization()(k.layers.Dropout(dropout)(states))
        first = [
            k.layers.Dense(width, activation="tanh")(k.layers.Concatenate()(last[i::2]))
            for i in range(2)
        ]
        x = k.layers.Dropout(dropout)(embedding(before))
        x = k.layers.LSTM(width, return_sequences=True)(x, initial_state=first)
        x = k.layers.Dropout(dropout)(x)
        seen = k.layers.MultiHeadAttention(width // size, size, use_bias=False)(x, states)
        x = k.layers.Dense(width, activation="tanh")(k.layers.Concatenate()([x, seen]))
        logits = k.layers.Dense(data.n_tokens, use_bias=False)(k.layers.Dropout(dropout)(x))
        self.model = k.Model([source, before], logits)
        self.model.compile(
            k.optimizers.Adam(LR, global_clipnorm=MAX_NORM),
            k.losses.SparseCategoricalCrossentropy(from_logits=True),
        )

    def train(self, batches):
        def arrays():
            for source, (target, *_) in batches:
                before = torch.cat([target.new_full((len(target), 1), BEGIN), target[:, :-1]], 1)
                x = source.int().numpy(), before.int().numpy()
                yield x, target.int().numpy(), (target != PADDING).float().numpy()

        self.model.fit(arrays(), epochs=1, steps_per_epoch=len(batches), verbose=0)


class Data:
    """Pairs of texts as rows of tokens, and nets for them."""

    def __init__(self, path, n_pairs, vocabulary_size):
        pairs = pd.read_csv(path, sep="\t", quoting=3, keep_default_na=False)
        pairs = pairs.sample(min(n_pairs, len(pairs)), random_state=0)
        self.pairs, self.vocabulary_size = pairs, vocabulary_size
        self.read = Seq2SeqTranslator(vocabulary_size=vocabulary_size)
        self.rows = learn(self.read, pairs.en, pairs.fr)
        self.n_tokens = vocabulary_length(self.read.target_tokenizer_)

    def translator(self, architecture, **params):
        translator = Seq2SeqTranslator(architecture=architecture, **params)
        vars(translator).update(
            _rng=np.random.RandomState(0),
            _reader=self.read._reader,
            **self.read._reader.fitted_attributes(),
        )
        translator._set_up(self.rows, False, False, translator._training_defaults())
        return translator

    def module(self, architecture):
        built = self.translator(architecture).net_.module
        return TranslationModule(built.encoder, built.decoder, SMOOTHING).train()

    def dropout(self, architecture):
        return self.module(architecture).encoder.dropout.p

    def batches(self, architecture, n_batches):
        """Return some batches, and the seconds that making one takes in an epoch."""
        size = self.translator(architecture).net_.batch_size
        start = time.perf_counter()
        made = list(Batches(self.rows, size, CPU, torch.Generator().manual_seed(0)))
        return made[:n_batches], (time.perf_counter() - start) / len(made)


def n_tokens(batches):
    return sum(TranslationModule.size(target) for _, (target, *_) in batches)


def contestants(data, architecture):
    """Return functions that make those to compare, by their optimizer and name."""
    reduced = has_bfloat16(CPU)
    found = {}

    def add(optimizer, name, make, *args, **kwargs):
        found[optimizer, name] = partial(make, data, *args, **kwargs)

    optimizers = {"adam": adam} | ({"muon": muon_and_adam} if architecture == "transformer" else {})
    for name, make in optimizers.items():
        for how in ("float32", "autocast", "copies") if reduced else ("float32",):
            add(name, f"loop, {how}", Loop, architecture, make, how)
        for precision in ("float32", "auto") if reduced else ("float32",):
            add(name, f"skae, {precision}", Skae, architecture, name, precision)
    if architecture == "lstm" and find_spec("keras") is not None:
        add("adam", "Keras on torch", Keras)
        if reduced:
            add("adam", "Keras on torch, mixed", Keras, "mixed_bfloat16")
    return found


def compare(data, architecture, n_steps, n_rounds):
    batches, seconds_to_make = data.batches(architecture, n_steps)
    found = {key: make() for key, make in contestants(data, architecture).items()}
    parts = {
        key: batches[:: getattr(contestant, "fraction", 1)] for key, contestant in found.items()
    }
    speeds = {key: [] for key in found}
    for contestant in found.values():
        contestant.train(batches[:5])  # imports, first calls and the optimizer's state
    for _ in range(n_rounds):
        for key, contestant in found.items():
            start = time.perf_counter()
            contestant.train(parts[key])
            speeds[key].append(n_tokens(parts[key]) / (time.perf_counter() - start))
    medians = {key: np.median(values) for key, values in speeds.items()}
    n_pairs = np.mean([len(source) for source, _ in batches])
    n_parameters = sum(p.numel() for p in data.module(architecture).parameters())
    print(
        f"{architecture}: {n_parameters:,} parameters, {data.n_tokens} tokens, {len(batches)} "
        f"steps of {n_pairs:.0f} pairs and {n_tokens(batches) / len(batches):.0f} target tokens"
    )
    print(f"{'':12}{'':28}{'tokens/s':>10}{'ms/step':>10}{'x loop':>8}")
    for (optimizer, name), median in medians.items():
        best = max(v for (o, n), v in medians.items() if o == optimizer and n.startswith("loop"))
        step = 1e3 * n_tokens(parts[optimizer, name]) / median / len(parts[optimizer, name])
        print(f"{optimizer:12}{name:28}{median:10.0f}{step:10.1f}{median / best:8.2f}")
    print(f"{'':12}{'making a batch':28}{'':10}{1e3 * seconds_to_make:10.1f}")
    return {key: contestant for key, contestant in found.items() if key[1] == "skae, auto"}, batches


def profile(name, contestant, batches, n_rows=14):
    """Print the operations that take most of a step's time."""
    with torch.profiler.profile() as profiler:
        contestant.train(batches)
    events = profiler.key_averages()
    total = sum(event.self_cpu_time_total for event in events)
    print(f"\n{name}: operations by their own time")
    for event in sorted(events, key=lambda e: -e.self_cpu_time_total)[:n_rows]:
        share, calls = event.self_cpu_time_total / total, event.count / len(batches)
        print(f"{event.key[:44]:46}{share:7.1%}{calls:10.1f} calls a step")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--vocabulary", type=int, default=4000)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--architectures", nargs="+", default=["lstm", "transformer"])
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    data = Data(args.data / "train.tsv.gz", args.pairs, args.vocabulary)
    print(f"{len(data.rows)} pairs, {torch.get_num_threads()} threads, median of {args.rounds}\n")
    for architecture in args.architectures:
        trained, batches = compare(data, architecture, args.steps, args.rounds)
        if args.profile:
            for (optimizer, _), contestant in trained.items():
                profile(f"skae, {optimizer}", contestant, batches)
        print(flush=True)


if __name__ == "__main__":
    main()

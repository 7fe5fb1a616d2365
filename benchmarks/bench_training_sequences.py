"""Seconds to train a recurrent autoencoder on sequences, skae and its neighbors.

    pip install keras
    python benchmarks/bench_training_sequences.py [--sequences 2000] [--repeats 3]

Sequences of noise of 1 to 3 features. The encoder is one LSTM of 64 units, whose last state
makes a code of 16; the decoder one that gets the code at each step, and a linear layer. Batches
of 32, Adam, three epochs. All train the same net in one run, in turn, with all threads;
`Recurrent` with as many units has positions, flags of missing values and a linear shortcut
besides. The hand-written loop runs over slices of tensors; of unequal lengths over batches of
sorted sequences, once padded with masks and once packed. Every figure is the median over the
repeats, the time of the whole fit by the number of its steps; Keras gets an eighth of the
sequences. The last lines are the memory that scoring takes beyond what there was, and seconds.
"""

import argparse
import os
import time
from functools import partial

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import torch
from bench_memory import measure
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from skae import Autoencoder, RecurrentAutoencoder
from skae._data.batches import Batches
from skae._data.read_sequences import SequenceReader
from skae.sequences import sliding_windows, windowed_errors

LR, BATCH, EPOCHS, HIDDEN, CODE = 1e-3, 32, 3, 64, 16
PLAIN = {
    "lr": LR,
    "lr_schedule": None,
    "batch_size": BATCH,
    "max_epochs": EPOCHS,
    "early_stopping": False,
    "check_baseline": False,
}


class Encoder(nn.Module):
    """From a padded batch to codes; the hand-written loops give the lengths."""

    def __init__(self, n_features):
        super().__init__()
        self.lstm = nn.LSTM(n_features, HIDDEN, batch_first=True)
        self.linear = nn.Linear(HIDDEN, CODE)

    def forward(self, x, lengths=None):
        if lengths is None:  # for skae
            known = ~x.isnan().any(2)
            lengths, x = known.sum(1), x.nan_to_num(0.0)
        outputs, _ = self.lstm(x)
        return self.linear(outputs[torch.arange(len(x)), lengths - 1])


class Decoder(nn.Module):
    """From codes to as many steps as a batch has."""

    takes_target = True

    def __init__(self, n_features):
        super().__init__()
        self.lstm = nn.LSTM(CODE, HIDDEN, batch_first=True)
        self.linear = nn.Linear(HIDDEN, n_features)

    def forward(self, code, x):
        return self.linear(self.lstm(code[:, None].expand(-1, x.shape[1], -1))[0])


class Plain:
    """The net of the hand-written loops, for skae."""

    input_kind = "sequences"

    def build(self, input_shape, encoder_width, code_width):
        return Encoder(input_shape[1]), Decoder(input_shape[1])


def predict(encoder, decoder, x, lengths):
    return decoder(encoder(x, lengths), x)


def predict_packed(encoder, decoder, x, lengths):
    _, (last, _) = encoder.lstm(pack_padded_sequence(x, lengths, batch_first=True))
    code = encoder.linear(last[0])[:, None].expand(-1, x.shape[1], -1)
    hidden, _ = decoder.lstm(pack_padded_sequence(code, lengths, batch_first=True))
    return decoder.linear(pad_packed_sequence(hidden, batch_first=True)[0])


def equal_batches(X):
    x = torch.from_numpy(np.stack(X))
    for which in torch.randperm(len(x)).split(BATCH):
        yield x[which], torch.full((len(which),), x.shape[1])


def bucketed_batches(X):
    order = sorted(range(len(X)), key=lambda i: -len(X[i]))
    batches = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
    for i in torch.randperm(len(batches)).tolist():
        some = [torch.from_numpy(X[j]) for j in batches[i]]
        yield pad_sequence(some, batch_first=True), torch.tensor([len(x) for x in some])


def train(X, batches, predict):
    net = nn.ModuleList([Encoder(X[0].shape[1]), Decoder(X[0].shape[1])])
    optimizer = torch.optim.Adam(net.parameters(), lr=LR, fused=True)
    for x, lengths in (batch for _ in range(EPOCHS) for batch in batches(X)):
        optimizer.zero_grad()
        error = (predict(*net, x, lengths) - x) ** 2
        mask = torch.arange(x.shape[1]) < lengths[:, None]
        loss = ((error.mean(2) * mask).sum(1) / lengths).mean()
        loss.backward()
        optimizer.step()


def loop(X):
    train(X, equal_batches, predict)


def masked_loop(X):
    train(X, bucketed_batches, predict)


def packed_loop(X):
    train(X, bucketed_batches, predict_packed)


def skae(X):
    Autoencoder(CODE, architecture=Plain(), **PLAIN).fit(X)


def skae_recurrent(X):
    RecurrentAutoencoder(CODE, hidden_layer_sizes=HIDDEN, **PLAIN).fit(X)


def keras(X):
    import keras as k

    n_steps, n_features = max(map(len, X)), X[0].shape[1]
    x = np.zeros((len(X), n_steps, n_features), "float32")
    for i, sequence in enumerate(X):
        x[i, : len(sequence)] = sequence
    layers = [k.Input((n_steps, n_features))]
    if len(set(map(len, X))) > 1:
        layers.append(k.layers.Masking())
    layers += [
        k.layers.LSTM(HIDDEN),
        k.layers.Dense(CODE),
        k.layers.RepeatVector(n_steps),
        k.layers.LSTM(HIDDEN, return_sequences=True),
        k.layers.TimeDistributed(k.layers.Dense(n_features)),
    ]
    net = k.Sequential(layers)
    net.compile(k.optimizers.Adam(LR), "mse")
    net.fit(x, x, batch_size=BATCH, epochs=EPOCHS, verbose=0)


EQUAL = {
    "loop": loop,
    "skae": skae,
    "skae, Recurrent": skae_recurrent,
    "Keras on torch": keras,
}
UNEQUAL = {
    "loop, masked": masked_loop,
    "loop, packed": packed_loop,
    "skae": skae,
    "skae, Recurrent": skae_recurrent,
    "Keras on torch": keras,
}


def compare(title, X, functions, repeats):
    times = {name: [] for name in functions}
    parts = {name: X[: len(X) // 8] if name.startswith("Keras") else X for name in functions}
    for function in functions.values():
        function(X[:64])  # imports and first calls
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.perf_counter()
            function(parts[name])
            n_steps = EPOCHS * -(-len(parts[name]) // BATCH)
            step = 1e3 * (time.perf_counter() - start) / n_steps
            times[name].append(step)
    medians = {name: np.median(t) for name, t in times.items()}
    limit = min(median for name, median in medians.items() if name.startswith("loop"))
    print(f"{title:40}{'ms/step':>10}{'x loop':>8}")
    for name, median in medians.items():
        print(f"{name:40}{median:10.1f}{median / limit:8.2f}")
    print(flush=True)


def padded_share(X, sort):
    """Return the share of steps of all batches that are padding."""
    rows = SequenceReader().learn(X)[1]
    if sort:
        sizes = [
            x.shape[:2]
            for x, _ in Batches(rows, BATCH, torch.device("cpu"), torch.Generator().manual_seed(0))
        ]
    else:
        order = np.random.default_rng(0).permutation(len(X))
        sizes = [
            (len(some), max(len(X[i]) for i in some))
            for some in np.array_split(order, -(-len(X) // BATCH))
        ]
    return 1 - sum(map(len, X)) / sum(n * steps for n, steps in sizes)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sequences", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    rng = np.random.default_rng(0)

    def noise(lengths, n_features):
        return [rng.standard_normal((n, n_features), "float32") for n in lengths]

    n = args.sequences
    print(f"{n} sequences, median of {args.repeats}")
    compare("140 steps, 1 feature", noise([140] * n, 1), EQUAL, args.repeats)
    compare("24 steps, 3 features", noise([24] * n, 3), EQUAL, args.repeats)
    X = noise(rng.integers(10, 141, n), 3)
    compare("10 to 140 steps, 3 features", X, UNEQUAL, args.repeats)
    shares = padded_share(X, sort=False), padded_share(X, sort=True)
    print("padding among the steps: {:.1%} in random batches, {:.1%} in skae's".format(*shares))

    series = np.sin(np.arange(1_000_000, dtype="float32") / 5)
    model = RecurrentAutoencoder(8, max_epochs=1, check_baseline=False)
    model.fit(sliding_windows(series[:10_000], 100, 50))
    print(f"\n{'a series of 1,000,000 steps':40}{'MB':>10}{'s':>8}")
    for stride in (50, 10):
        megabytes, seconds = measure(
            partial(windowed_errors, model, length=100, stride=stride), series
        )
        print(f"{f'windows of 100 steps, every {stride}':40}{megabytes:10.0f}{seconds:8.1f}")
    X = noise([140] * 20_000, 1)
    for method in ("transform", "reconstruct", "score_samples"):
        megabytes, seconds = measure(getattr(model, method), X)
        print(f"{f'20,000 sequences of 140 steps, {method}':40}{megabytes:10.0f}{seconds:8.1f}")


if __name__ == "__main__":
    main()

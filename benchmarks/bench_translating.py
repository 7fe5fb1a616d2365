"""Sentences per second of translating, skae, decoding without a cache and CTranslate2.

Needs the folder with ``train.tsv.gz`` and ``test.tsv.gz``, whose lines are a sentence and its
translation::

    pip install 'skae[ctranslate2]'
    python benchmarks/bench_translating.py --data DIR [--sentences 4000]

A transformer and a recurrent net are trained for a few epochs, or loaded (``--models``, files
that `bench_translation.py` saved), and translate short sentences, one token at a time and by
beam search. "No cache" uses the same modules and batches, runs the whole of each translation
through the decoder again for every token, and goes on until the last sentence of a batch has
ended. CTranslate2 has the weights of skae's transformer, in float32 and in int8: ``predict`` with
``engine="ctranslate2"``. All read texts and write texts, in turn; figures are medians over the
rounds. The last columns say how many of skae's translations the others find, too, and how many of
them skae finds for each sentence alone.
"""

import argparse
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from skae import Seq2SeqTranslator
from skae._data.texts import BEGIN, END, PADDING, TextDataset
from skae._text.tokenizers import decode
from skae.architectures._transformer import TransformerEncoder

BEAM, N_ALONE = 4, 200


def read(path):
    return pd.read_csv(path, sep="\t", quoting=3, keep_default_na=False)


def train(architecture, pairs, epochs):
    translator = Seq2SeqTranslator(
        architecture=architecture,
        vocabulary_size=4000,
        max_epochs=epochs,
        early_stopping=False,
        random_state=0,
    )
    return translator.fit(pairs.en, pairs.fr)


def skae(translator, beam_size, engine="torch"):
    translator.set_params(beam_size=beam_size)
    return lambda texts: translator.predict(texts, engine=engine).tolist()


# Without a cache.


def no_cache(translator, beam_size):
    search = greedy if beam_size == 1 else beam
    module, most = translator.net_.module_, translator.max_length_

    @torch.inference_mode()
    def translate(texts):
        sources = TextDataset(translator._encode(texts))
        found = [None] * len(texts)
        for which in sources.spans():
            rows = search(module, sources.get_batch(which)[0], most, beam_size)
            for i, row in zip(which, rows, strict=True):
                found[i] = row
        return decode(translator.target_tokenizer_, found)

    return translate


def log_probabilities(module, tokens, state, most):
    hidden, _ = module.decoder(tokens, state)
    log_p = module.decoder.output(hidden[:, -1]).log_softmax(-1)
    log_p[:, [PADDING, BEGIN]] = -torch.inf
    if tokens.shape[1] == 1:
        log_p[:, END] = -torch.inf
    if tokens.shape[1] == most:
        log_p[:, :END] = log_p[:, END + 1 :] = -torch.inf
    return log_p


def greedy(module, source, most, beam_size):
    state = module.start(source)
    tokens = torch.full((len(source), 1), BEGIN)
    has_ended = torch.zeros(len(source), dtype=torch.bool)
    while not has_ended.all():
        token = log_probabilities(module, tokens, state, most).argmax(1)
        tokens = torch.cat([tokens, token[:, None]], dim=1)
        has_ended |= token == END
    return [row[1 : row.index(END)] for row in tokens.tolist()]


def beam(module, source, most, k):
    """Search as skae does, with all sentences of the batch until the last one has ended."""
    n = len(source)
    state = module.start(source).select(torch.arange(n).repeat_interleave(k))
    tokens = torch.full((n * k, 1), BEGIN)
    log_p = torch.full((n, k), -torch.inf)
    log_p[:, 0] = 0.0
    found, open_ = [[] for _ in range(n)], set(range(n))
    while open_:
        step = log_probabilities(module, tokens, state, most)
        n_classes, n_steps = step.shape[1], tokens.shape[1]
        best, which = (log_p[..., None] + step.view(n, k, -1)).flatten(1).topk(2 * k)
        rows, token = torch.arange(n)[:, None] * k + which // n_classes, which % n_classes
        ends = token == END
        for i in open_:
            for j in ends[i, :k].nonzero().flatten().tolist():
                if best[i, j] > -torch.inf:
                    found[i].append((best[i, j].item() / n_steps, tokens[rows[i, j], 1:].tolist()))
        chosen = (torch.arange(2 * k) + 2 * k * ends).topk(k, largest=False).indices
        log_p, rows, token = (x.gather(1, chosen) for x in (best, rows, token))
        log_p = log_p.masked_fill(ends.gather(1, chosen), -torch.inf)
        tokens = torch.cat([tokens[rows.flatten()], token.view(-1, 1)], dim=1)
        for i in list(open_):
            if log_p[i, 0] == -torch.inf or len(found[i]) >= k:
                open_.remove(i)
        log_p[sorted(set(range(n)) - open_)] = 0.0  # go on, for nothing
    return [max(some)[1] for some in found]


# The comparison.


def contestants(translator, beam_size, has_ctranslate2):
    found = {"no cache": no_cache(translator, beam_size), "skae": skae(translator, beam_size)}
    if has_ctranslate2:
        found["CTranslate2, float32"] = skae(translator, beam_size, "ctranslate2")
        found["CTranslate2, int8"] = skae(translator, beam_size, "ctranslate2-int8")
    return found


def compare(translator, texts, beam_size, has_ctranslate2, n_rounds, naive_share):
    functions = contestants(translator, beam_size, has_ctranslate2)
    few = texts[::naive_share]  # of all lengths
    parts = {name: few if name == "no cache" else texts for name in functions}
    speeds, translations = {name: [] for name in functions}, {}
    for function in functions.values():
        function(texts[:20])
    for _ in range(n_rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            translations[name] = function(parts[name])
            speeds[name].append(len(parts[name]) / (time.perf_counter() - start))
    right = translations["skae"]
    medians = {name: np.median(speed) for name, speed in speeds.items()}
    for name, speed in medians.items():
        same = right[::naive_share] if name == "no cache" else right
        agree = np.mean([a == b for a, b in zip(same, translations[name], strict=True)])
        print(
            f"{name:24}{beam_size:6}{torch.get_num_threads():9}{speed:14.1f}"
            f"{medians['skae'] / speed:10.2f}{agree:9.1%}"
        )
    if has_ctranslate2:
        ratio = medians["skae"] / medians["CTranslate2, float32"]
        print(f"skae / CTranslate2 float32, beam {beam_size}: {ratio:.2f}")
    return functions["skae"], right


def report(translator, texts, has_ctranslate2, args):
    name = translator.architecture
    print(f"{name}: {len(texts)} sentences, median of {args.rounds}")
    print(f"{'':24}{'beam':>6}{'threads':>9}{'sentences/s':>14}{'skae x':>10}{'agree':>9}")
    for n_threads in args.threads:
        torch.set_num_threads(n_threads)
        for beam_size in (1, BEAM):
            translate, together = compare(
                translator, texts, beam_size, has_ctranslate2, args.rounds, args.naive_share
            )
            if n_threads == args.threads[-1]:
                start = time.perf_counter()
                alone = [translate([text])[0] for text in texts[:N_ALONE]]
                seconds = time.perf_counter() - start
                same = np.mean([a == b for a, b in zip(alone, together, strict=False)])
                print(
                    f"{'skae, one by one':24}{beam_size:6}{n_threads:9}{len(alone) / seconds:14.1f}"
                    f"{'':10}{same:9.1%}"
                )
    lengths = [len(row) for row in translator._encode(together, translator.target_tokenizer_)]
    print(
        f"tokens of a translation: mean {np.mean(lengths):.1f}, at most {max(lengths)}, of "
        f"{translator.max_length_} allowed\n",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sentences", type=int, default=4000)
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--naive-share", type=int, default=4, help="1 sentence of how many")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--architectures", nargs="+", default=["transformer", "lstm"])
    parser.add_argument("--models", type=Path, nargs="*", default=None)
    args = parser.parse_args()
    torch.set_num_threads(max(args.threads))
    if args.models:
        loaded = (torch.load(path, weights_only=False) for path in args.models)
        translators = [x[0] if isinstance(x, tuple) else x for x in loaded]
    else:
        pairs = read(args.data / "train.tsv.gz").sample(args.pairs, random_state=0)
        translators = [train(name, pairs, args.epochs) for name in args.architectures]
    texts = read(args.data / "test.tsv.gz").en.drop_duplicates()
    texts = texts.sample(min(args.sentences, len(texts)), random_state=0).tolist()
    for translator in translators:
        has_ctranslate2 = isinstance(translator.encoder_, TransformerEncoder) and find_spec(
            "ctranslate2"
        )
        report(translator, texts, has_ctranslate2, args)


if __name__ == "__main__":
    main()

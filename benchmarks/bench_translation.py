"""Quality of translation: English to French, sentences of Tatoeba.

Needs the folder ``eng_fra`` with ``train.tsv.gz`` and ``test.tsv.gz``, whose lines are a
sentence and its translation::

    python benchmarks/bench_translation.py --data DIR [--architecture NAME]

Trains once, and translates all test sentences by the weights of several moments of the
training. A sentence with several translations in the test part has all of them as references.
"""

import argparse
import copy
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sacrebleu import BLEU, CHRF
from skorch.callbacks import Callback

from skae import Seq2SeqTranslator

MINUTES = (5, 10, 20, 40, 60)


class Snapshots(Callback):
    """Keep the weights of each epoch, with the seconds of training."""

    def __init__(self, kept):
        self.kept = kept

    def __deepcopy__(self, memo):
        return self  # else the estimator's copy would keep them

    def on_epoch_end(self, net, **kwargs):
        seconds = sum(epoch["dur"] for epoch in net.history)
        self.kept.append((seconds, copy.deepcopy(net.module_.state_dict())))


def read(path):
    return pd.read_csv(path, sep="\t", quoting=3, keep_default_na=False)


def references(pairs):
    """Return distinct sources, and the references of each as sacreBLEU wants them."""
    grouped = pairs.groupby("en", sort=False)["fr"].agg(list)
    most = grouped.map(len).max()
    columns = [[some[i] if i < len(some) else None for some in grouped] for i in range(most)]
    return grouped.index.tolist(), columns


def evaluate(translator, pairs):
    """Return sources, translations and a dict of scores."""
    sources, columns = references(pairs)
    start = time.perf_counter()
    predicted = translator.predict(sources).tolist()
    seconds = time.perf_counter() - start
    by_source = dict(zip(sources, predicted, strict=True))
    multi = BLEU().corpus_score(predicted, columns)
    single = BLEU().corpus_score([by_source[s] for s in pairs.en], [pairs.fr.tolist()])
    chrf = CHRF().corpus_score(predicted, columns)
    scores = {
        "BLEU, all references": multi.score,
        "BLEU, pairs": single.score,
        "chrF": chrf.score,
        "sentences/s": len(sources) / seconds,
    }
    return sources, predicted, columns, scores


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--architecture", default=Seq2SeqTranslator().architecture)
    parser.add_argument("--max-epochs", type=int, default=None)
    parser.add_argument("--n-pairs", type=int, default=None)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path, default=None)
    parser.add_argument("--part", default="test")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    train, test = (read(args.data / f"{part}.tsv.gz") for part in ("train", args.part))
    train = train.sample(args.n_pairs or len(train), random_state=0)
    kept = []
    translator = Seq2SeqTranslator(
        architecture=args.architecture,
        max_epochs=args.max_epochs or "auto",
        callbacks=[Snapshots(kept)],
        random_state=args.seed,
    )
    start, of_cores = time.perf_counter(), time.process_time()
    translator.fit(train.en, train.fr)
    seconds, of_cores = time.perf_counter() - start, time.process_time() - of_cores
    if args.save:  # without the callback, whose class only this script has
        net = translator.net_
        translator.callbacks, net.callbacks, net.callbacks_ = None, [], []
        torch.save((translator, kept), args.save)
    report(translator, kept, seconds, of_cores, train, test)


def report(translator, kept, seconds, of_cores, train, test):
    n_tokens = sum(len(row.ids) + 1 for row in translator.target_tokenizer_.encode_batch(train.fr))
    speed = n_tokens * len(kept) / kept[-1][0]
    n_parameters = sum(p.numel() for p in translator.net_.module_.parameters())
    print(
        f"{translator.architecture}: {len(train)} pairs, {n_parameters} parameters, "
        f"{translator.target_tokenizer_.get_vocab_size()} tokens, {translator.n_iter_} epochs in "
        f"{seconds / 60:.1f} minutes ({of_cores / 60:.1f} of processors), {speed:.0f} target "
        f"tokens/s, {torch.get_num_threads()} threads, seed {translator.random_state}",
        flush=True,
    )
    best = copy.deepcopy(translator.net_.module_.state_dict())
    rows = {}
    times = np.array([time for time, _ in kept])
    for minutes in MINUTES:
        before = np.flatnonzero(times <= 60 * minutes)
        if len(before) and minutes * 60 < times[-1]:
            translator.net_.module_.load_state_dict(kept[before[-1]][1])
            rows[f"{times[before[-1]] / 60:.0f} minutes"] = evaluate(translator, test)[-1]
    translator.net_.module_.load_state_dict(best)
    translator.set_params(beam_size=1)
    rows["end, greedy"] = evaluate(translator, test)[-1]
    translator.set_params(beam_size=4)
    sources, predicted, columns, rows["end, beam 4"] = evaluate(translator, test)
    print(pd.DataFrame(rows).T.round(2).to_string())
    metric = BLEU()
    print("beam 4, all references:", metric.corpus_score(predicted, columns, n_bootstrap=1000))
    print(metric.get_signature(), flush=True)
    for i in np.random.default_rng(0).choice(len(sources), 20, replace=False):
        print(f"- {sources[i]} | {predicted[i]} | {columns[0][i]}")


if __name__ == "__main__":
    main()

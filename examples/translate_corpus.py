"""
How to translate files from the command line?
=============================================

Copy this script. It fits a translator on a file of pairs, scores it on another file, saves it,
and translates lines from standard input::

    python translate_corpus.py --data folder --save model.skae < english.txt > french.txt

The folder has ``train.tsv.gz`` and ``test.tsv.gz``, tab-separated tables with the columns ``en``
and ``fr``. In a terminal, type lines and end with Ctrl-D. A saved model translates without a
fit::

    python translate_corpus.py --load model.skae < english.txt > french.txt

Messages go to standard error, translations to standard output. ``--n-pairs 1000 --max-epochs 1``
is a quick test of the script; its translations are nonsense.
"""

import argparse
import sys
import time
from pathlib import Path

import pandas as pd

import skae
from skae import Seq2SeqTranslator
from skae.architectures import TEXT_ARCHITECTURES
from skae.metrics import bleu_score, chrf_score


def read_pairs(path, n_pairs=None):
    """Return the pairs of a table, or ``n_pairs`` of them drawn at random, as a DataFrame."""
    # In texts, quotation marks are plain characters, and "NA" or "null" may be words.
    pairs = pd.read_csv(path, sep="\t", quoting=3, keep_default_na=False)
    if n_pairs is not None and n_pairs < len(pairs):
        pairs = pairs.sample(n_pairs, random_state=0)
    return pairs


def log(*words):
    print(*words, file=sys.stderr, flush=True)


def fit(args):
    pairs = read_pairs(args.data / "train.tsv.gz", args.n_pairs)
    log(f"fitting on {len(pairs)} pairs")
    start = time.perf_counter()
    translator = Seq2SeqTranslator(
        architecture=args.architecture, max_epochs=args.max_epochs, random_state=0, verbose=1
    ).fit(pairs["en"], pairs["fr"])
    log(f"{time.perf_counter() - start:.0f} s, {translator.n_iter_} epochs")
    return translator


def score(translator, path, n_pairs):
    # A sentence with several translations in the test set is one text with several references.
    references = read_pairs(path, n_pairs).groupby("en", sort=False)["fr"].agg(list)
    start = time.perf_counter()
    translated = translator.predict(references.index)
    seconds = time.perf_counter() - start
    expected = list(references)
    log(
        f"{path.name}: chrF {chrf_score(expected, translated):.3f}, "
        f"BLEU {bleu_score(expected, translated):.3f}, "
        f"{len(translated) / seconds:.0f} sentences per second"
    )


def main():
    parser = argparse.ArgumentParser(
        description="Fit a translator, score it, and translate lines from standard input."
    )
    parser.add_argument("--data", type=Path, help="folder of train.tsv.gz and test.tsv.gz")
    parser.add_argument("--load", type=Path, help="translate with this model")
    parser.add_argument("--save", type=Path, help="where to save the fitted model")
    parser.add_argument("--n-pairs", type=int, help="fit and score with at most this many pairs")
    parser.add_argument("--architecture", choices=sorted(TEXT_ARCHITECTURES), default="lstm")
    parser.add_argument("--max-epochs", type=int, help="default: depends on the number of pairs")
    args = parser.parse_args()
    if args.data is None and args.load is None:
        parser.error("give --data to fit a model, --load to use one, or both to score it")
    if args.max_epochs is None:
        args.max_epochs = "auto"

    if args.load is not None:
        translator = skae.load(args.load)
    else:
        translator = fit(args)
        if args.save is not None:
            skae.save(translator, args.save)
            log(f"saved to {args.save}")
    if args.data is not None:
        score(translator, args.data / "test.tsv.gz", args.n_pairs)

    if sys.stdin.isatty():
        log("translating lines; end with Ctrl-D")
    # In a terminal, each line is translated immediately; otherwise many are translated together.
    buffer_size = 1 if sys.stdin.isatty() else 4096
    for translation in translator.predict_iter(sys.stdin, buffer_size=buffer_size):
        print(translation, flush=buffer_size == 1)


if __name__ == "__main__":
    main()

"""Generation of translations by a fitted translator."""

from functools import partial
from itertools import islice
from numbers import Integral

import numpy as np
import torch
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils.validation import check_is_fitted

from skae._data.texts import (
    END,
    PADDING,
    TextDataset,
    TextPairDataset,
    check_iterable,
    check_not_empty,
)
from skae._text.attention_map import AttentionMap, draw
from skae._text.ctranslate2_export import ENGINES
from skae._text.decoding import sample
from skae._text.reading import before_prefix, prefix_with_slots
from skae._text.searching import TextSearch
from skae._text.tokenizers import decode
from skae.metrics._texts import TEXT_SCORES, read_references

#: How attention maps show a token that is a blank alone.
BLANK = "␣"


class TextGeneration(TextSearch):
    """Mixin of public methods for translators with a net, tokenizers and ``max_length_``."""

    def predict(self, X, *, prefix=None, engine="torch"):
        """Translate texts.

        Texts are read as if they were written like the training texts. Blanks of all kinds become
        one space. Invisible characters are left out. Quotes, dashes and wide characters that are
        rare in the training texts become their commonest equivalent there.

        Where the training texts are single sentences, a text is split into sentences. Where they
        are not, this is done for texts longer than 99 % of them. Line breaks split a text, too,
        unless the training texts have some, and are in the translation as they were in the text.
        But a sentence on several lines is translated as one, and its translation is put on as many
        lines. A sentence with more than ``max_length_`` tokens is split at commas or between words.
        The parts are translated separately.

        Names and numbers that the training texts do not have come out as they went in, numbers as
        the translations of the training write them, if their kind does so there. Emoji and words
        in other scripts come out as they are. A text in capitals, or in another case that training
        texts do not have, is read in theirs, and translated into ordinary case.

        Parameters
        ----------
        X : sequence of str of shape (n_samples,)
            Texts.
        prefix : str, sequence of str of shape (n_samples,) or None, default=None
            Text that the translations begin with. It is for the first part of a text.
        engine : {"torch", "ctranslate2", "ctranslate2-int8"}, default="torch"
            What computes. For transformers, the package ctranslate2 takes less time on a CPU. It
            reads the weights at the first call, and again after they have changed. Greedy
            translations are the same. Beam search ends as soon as as many translations have ended,
            so it may choose others, and so it may with ``no_repeat_ngram_size`` or where
            ``max_length_`` is reached. "ctranslate2-int8" rounds weights to 8 bits: it is about
            twice as fast, and a few translations are others. Both take no ``prefix``.

        Returns
        -------
        y : ndarray of str objects of shape (n_samples,)
            Translations. The translation of an empty text is empty.

        Raises
        ------
        ValueError
            If a text has more than ``max_characters`` characters, ``engine`` is unknown, or
            CTranslate2 has no such layers.
        ImportError
            If the package ctranslate2 is needed and not installed.
        """
        if engine not in ("torch", *ENGINES):
            *names, last = map(repr, ("torch", *ENGINES))
            raise ValueError(f"engine must be {', '.join(names)} or {last}; got {engine!r}")
        if engine in ENGINES and prefix is not None:
            raise ValueError("prefix needs engine='torch'")
        search = self._best if engine == "torch" else partial(self._best_by_engine, engine)
        parts, _, found = self._translate_parts(X, prefix, search)
        return np.array(parts.join(found), dtype=object)

    def predict_iter(self, X, *, buffer_size=4096, engine="torch"):
        """Translate an iterable of texts that does not need to fit into memory.

        Texts are read and split as in ``predict``. The line break at the end of a line of a file is
        left out.

        Parameters
        ----------
        X : iterable of str
            Texts, such as the lines of an open file.
        buffer_size : int, default=4096
            Number of texts that are read and translated at a time.
        engine : {"torch", "ctranslate2", "ctranslate2-int8"}, default="torch"
            What computes, see ``predict``.

        Yields
        ------
        translation : str
            Translation of the next text.

        Raises
        ------
        TypeError, ValueError
            If X is no iterable of texts, ``buffer_size`` is below 1, or as in ``predict``.
        """
        check_is_fitted(self)
        check_scalar(buffer_size, "buffer_size", Integral, min_val=1)
        check_iterable(X, "X")
        texts, first = iter(X), 0
        while some := list(islice(texts, buffer_size)):
            self._texts(some, "X", first)  # errors count from the first text of all
            yield from self.predict(some, engine=engine)
            first += len(some)

    def predict_n_best(self, X, n_best=5, *, prefix=None):
        """Return the most probable translations that beam search finds.

        A text is translated as a whole: give sentences one by one if those of the training are
        single sentences.

        Parameters
        ----------
        X : sequence of str of shape (n_samples,)
            Texts.
        n_best : int, default=5
            Number of translations of each text, which are all different. The beam is at least this
            large, and larger where it finds too few.
        prefix : str, sequence of str of shape (n_samples,) or None, default=None
            Text that the translations begin with.

        Returns
        -------
        y : ndarray of str objects of shape (n_samples, n_best)
            Translations, the best first by ``length_penalty``; None where fewer were found.
        log_likelihood : ndarray of shape (n_samples, n_best)
            Logarithms of their probabilities, in nats; -inf where fewer were found. A text can be
            spelled in several ways by tokens. Its probability is that of the best one that was
            found, as ``predict`` compares them.

        Raises
        ------
        ValueError
            If a text is empty, or longer than ``max_length_`` or ``max_characters``, or if
            ``n_best`` is below 1.
        """
        check_scalar(n_best, "n_best", Integral, min_val=1)
        texts, prefix = self._read_texts(X, prefix)
        readings = before_prefix(self._readings(texts), prefix)
        sources = self._read_sources([reading.text for reading in readings])
        search = partial(self._search_different, n_best=n_best)
        return _table(self._translate(readings, sources, prefix, search), n_best)

    def sample(self, X, n_samples=1, *, temperature=1.0, prefix=None, random_state=None):
        """Sample translations from the probabilities of the net.

        A text is translated as a whole, as in ``predict_n_best``. Samples may be equal.

        Parameters
        ----------
        X : sequence of str of shape (n_texts,)
            Texts.
        n_samples : int, default=1
            Number of translations of each text.
        temperature : float, default=1.0
            1 samples by the probabilities of the net. Lower values prefer probable tokens,
            higher values make improbable tokens more frequent.
        prefix : str, sequence of str of shape (n_texts,) or None, default=None
            Text that the translations begin with.
        random_state : int, RandomState instance or None, default=None
            An int gives the same translations of a text at every call.

        Returns
        -------
        y : ndarray of str objects of shape (n_texts, n_samples)
            Translations.
        log_likelihood : ndarray of shape (n_texts, n_samples)
            Logarithms of their probabilities, in nats.

        Raises
        ------
        ValueError
            If a text is empty, or longer than ``max_length_`` or ``max_characters``, or if
            ``temperature`` is not above 0 or ``n_samples`` below 1.
        """
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0; got {temperature!r}")
        texts, prefix = self._read_texts(X, prefix)
        readings = before_prefix(self._readings(texts), prefix)
        sources = self._read_sources([reading.text for reading in readings])
        rng = check_random_state(random_state)
        shape = n_samples, len(texts), self.max_length_
        below_1 = np.nextafter(np.float32(1), np.float32(0))
        chance = torch.from_numpy(rng.uniform(size=shape).astype(np.float32).clip(max=below_1))
        found = [[] for _ in texts]
        begins = self._read_prefix(prefix_with_slots(prefix, readings), len(sources))
        with self._predictor.inference(sources) as (module, chunks):
            for which, source, _, _ in chunks:
                state, begin = module.start(source), begins.get_batch(which)[0].to(source.device)
                for draw_chance in chance[:, which].to(source.device):
                    some = sample(
                        module.decoder,
                        state,
                        begin,
                        self._constraints(),
                        draw_chance,
                        temperature,
                    )
                    for i, one in zip(which, some, strict=True):
                        found[i].append(one)
        return _table(self._finished(found, [reading.fill for reading in readings]), n_samples)

    def log_likelihood(self, X, y):
        """Return the log-probabilities of given translations.

        A text and its translation are read as a whole: give sentences one by one if those of the
        training are single sentences.

        Parameters
        ----------
        X, y : sequence of str of shape (n_samples,)
            Texts and translations of them.

        Returns
        -------
        log_likelihood : ndarray of shape (n_samples,)
            Logarithm of the probability of each translation, in nats.

        Raises
        ------
        ValueError
            If a text is empty, or longer than ``max_length_`` or ``max_characters``.
        """
        return self._log_likelihood(self._pairs(X, y))

    def quality(self, X, y=None):
        """Return how sure the net is of translations, to find those that are probably bad.

        It is the mean log-probability of a token, so translations of all lengths can be compared.
        The sum, ``log_likelihood``, is lower for longer translations.

        Parameters
        ----------
        X : sequence of str of shape (n_samples,)
            Texts.
        y : sequence of str of shape (n_samples,) or None, default=None
            Translations of them. None takes those by ``predict``.

        Returns
        -------
        quality : ndarray of shape (n_samples,)
            Mean logarithm of the probability of a token, in nats, at most 0. NaN where a text is
            empty and ``y`` is None.

        Raises
        ------
        ValueError
            If a text has more than ``max_characters`` characters. With ``y``, also as in
            ``log_likelihood``: pairs are then read as a whole.
        """
        if y is None:
            parts, readings, found = self._translate_parts(X, None, self._best)
            pairs, n, owner = self._cut_pairs(readings, found), parts.n_texts, parts.owner
        else:
            pairs = self._pairs(X, y)
            n, owner = len(pairs), np.arange(len(pairs))
        total = np.bincount(owner, self._log_likelihood(pairs), n)
        n_tokens = np.bincount(owner, pairs.targets.lengths, n)
        return np.divide(total, n_tokens, out=np.full(n, np.nan), where=n_tokens > 0)

    def score(self, X, y):
        """Return the corpus score of the translations.

        Parameters
        ----------
        X : sequence of str of shape (n_samples,)
            Texts.
        y : sequence of str, or of sequence of str, of shape (n_samples,)
            The correct translation of each text, or several of them.

        Returns
        -------
        score : float
            The score of ``metric``, from 0 to 1: see `skae.metrics`.
        """
        right = read_references(y, "y")
        return TEXT_SCORES[self.metric](right, self.predict(X))

    def transform(self, X):
        """Encode texts as vectors: the mean of the encoder states of their tokens.

        Parameters
        ----------
        X : sequence of str of shape (n_samples,)
            Texts in the language of X at fit.

        Returns
        -------
        Z : ndarray of shape (n_samples, `n_components_`)
            A vector for each text. A text is split as in ``predict``, and gets the mean of its
            parts, weighted by their lengths. That of an empty text is 0.

        Raises
        ------
        ValueError
            If a text has more than ``max_characters`` characters.
        """
        texts, _ = self._read_texts(X, is_whole=False)
        parts = self._split(texts)
        sources, owner = TextDataset(parts.rows), parts.owner
        Z = np.zeros((len(texts), self.n_components_), np.float32)
        if len(sources):
            means = self._predictor.map(_mean_state, sources, (self.n_components_,))
            np.add.at(Z, owner, means * sources.lengths[:, None])
            Z /= np.maximum(np.bincount(owner, sources.lengths, len(texts)), 1)[:, None]
        return Z

    def attention(self, source, target=None):
        """Return the attention of the decoder for a translation.

        The text is read as a whole, so give one sentence if those of the training are single ones.

        Parameters
        ----------
        source : str
            A text.
        target : str or None, default=None
            A translation of it. None is the best one that beam search finds.

        Returns
        -------
        attention : AttentionMap
            The tokens of both texts as ``source`` and ``target``, and ``weights``, an ndarray
            of shape (n_target_tokens, n_source_tokens). Weights are averaged over layers and
            heads; each row sums to 1.

        Raises
        ------
        ValueError
            If a text is empty or too long, or the architecture has no attention.
        """
        check_is_fitted(self)
        texts = self._sources([source], "source")
        check_not_empty(texts, "source")
        (reading,) = self._readings(texts)
        if target is None:
            sources = self._read_sources([reading.text], "source")
            tokens = self._search(sources, None, self.beam_size, 1)[0][0][0]
            pairs = TextPairDataset(sources, TextDataset([[*tokens, END]]))
        else:
            targets = self._targets([target], "target")
            pairs = self._read_pairs([reading], targets, ("source", "target"))
        weights = []
        with self._predictor.inference(pairs) as (module, chunks):
            for _, x, y, _ in chunks:
                module.hidden(x, y, weights)
        mean = torch.stack([w.mean(1) for w in weights]).mean(0)
        tokenizers = self.source_tokenizer_, self.target_tokenizer_
        datasets = zip(tokenizers, (pairs.sources, pairs.targets), strict=True)
        names = [
            _token_names(reading, tokenizer, dataset.flat()) for tokenizer, dataset in datasets
        ]
        return AttentionMap(*names, mean[0].cpu().numpy())

    def plot_attention(self, source, target=None, *, ax=None):
        """Plot the attention of the decoder for a translation.

        Parameters
        ----------
        source : str
            A text.
        target : str or None, default=None
            A translation of it. None is the best one that beam search finds.
        ax : matplotlib Axes or None, default=None
            Axes to plot on. None creates a new figure.

        Returns
        -------
        ax : matplotlib Axes
            Axes with the plot.

        Raises
        ------
        ValueError
            As in ``attention``.
        ModuleNotFoundError
            If matplotlib is not installed.

        See Also
        --------
        skae.inspection.AttentionDisplay : Draws the same, and keeps what it draws.
        """
        return draw(self.attention(source, target), ax).axes


def _table(found, n_columns):
    """Return texts and their probabilities as arrays of shape (n_samples, n_columns)."""
    texts = np.full((len(found), n_columns), None, dtype=object)
    log_p = np.full((len(found), n_columns), -np.inf, dtype=np.float32)
    for i, some in enumerate(found):
        texts[i, : len(some)] = [text for text, _ in some]
        log_p[i, : len(some)] = [value for _, value in some]
    return texts, log_p


def _token_names(reading, tokenizer, tokens):
    """Return tokens as attention maps show them, those of a blank alone and of the end as well."""
    texts = decode(tokenizer, [[token] for token in tokens])
    pairs = zip(tokens, texts, strict=True)
    return ["</s>" if token == END else reading.shown(text) or BLANK for token, text in pairs]


def _mean_state(module, source, target):
    """Return the mean of the encoder's states of each text, shape (n_samples, width)."""
    del target
    is_token = (source != PADDING)[..., None]
    return (module.encoder(source) * is_token).sum(1) / is_token.sum(1)

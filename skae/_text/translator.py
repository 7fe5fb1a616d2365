"""Translation of texts from one language to another."""

from dataclasses import field, replace
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skae._data.texts import END
from skae._estimators.neural import NeuralEstimator
from skae._estimators.parameters import ArchitectureParameters, estimator
from skae._modules.translation import TranslationModule
from skae._params import HasMethods, StrOptions, fit_context, integer, real
from skae._runtime import building, has_bfloat16, resolve_device
from skae._text.ctranslate2_export import (
    check_folder,
    check_quantization,
    make_spec,
    replace_folder,
    translate_options,
    write_model,
)
from skae._text.decoding import greedy
from skae._text.generation import TextGeneration
from skae._text.reader import TextPairReader
from skae._text.tokenizers import KINDS, decode, visible_slots, vocabulary_length
from skae._training.callbacks import BestWeights, Progress
from skae._training.optimizers import OPTIMIZERS
from skae._training.session import FitSession, fit_method
from skae.architectures import RecurrentEncoderDecoder, Transformer
from skae.architectures._build import TEXT_ARCHITECTURES, check_text_modules
from skae.exceptions import PoorFitWarning, warn
from skae.metrics._texts import TEXT_SCORES

#: With more pairs, a transformer learns more than a recurrent net in the same time.
MANY_PAIRS = 10_000

#: Pairs that "auto" holds out, and pairs that are scored in every epoch, at most.
MAX_HELD_OUT, MAX_SCORED = 1000, 500

#: Pairs that the check of the fit uses, at most.
MAX_CHECKED = 256


@estimator
class Seq2SeqTranslator(
    ArchitectureParameters,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    TextGeneration,
    NeuralEstimator,
):
    """Learns to translate from pairs of texts.

    ``fit(X, y)`` takes texts and their translations, such as sentences in English and in
    French; ``predict`` translates new texts. Texts are split into subwords, which are learned
    from the training pairs, so no preparation is needed. ``transform`` encodes texts as
    vectors, features for other estimators.

    By default the net is a small recurrent one with attention [2]_ or, for many pairs, a small
    transformer [3]_. The defaults are for 10,000 to 300,000 pairs of sentences, and for a CPU.
    The net is not pretrained: it learns the languages only from the pairs.

    It needs the packages tokenizers and sacrebleu, the extra ``text`` of skae.

    Read more in the :ref:`User Guide <translation>`.

    Parameters
    ----------
    architecture : {"auto", "lstm", "gru", "plain_lstm", "transformer"} or object with \
            ``build``, default="auto"
        The net: `skae.architectures.RecurrentEncoderDecoder` with LSTM or GRU layers, "plain_lstm"
        without attention, or `skae.architectures.Transformer`. Its parameters can be
        set and searched as ``architecture__<name>``. "auto" is "lstm", or "transformer" for
        more than 10,000 pairs; with parameters set it is "lstm".
    tokenization : {"bpe", "unigram", "word", "char"}, default="bpe"
        Kind of tokens: subwords, found by merging frequent pairs or by a unigram model;
        frequent words; or characters. What is not in the vocabulary is spelled in smaller
        tokens, down to bytes, so any text can be read.
    vocabulary_size : int or "auto", default="auto"
        Number of different tokens. "auto" is about 4 times the square root of the number of
        running words in the training texts.
    shared_vocabulary : bool, default=True
        Whether both languages have the same tokens.
    max_length : int or "auto", default="auto"
        Largest number of tokens in a text, in both languages. Longer training pairs are left
        out, with a warning; a longer text to translate is split into parts. "auto" is the longest
        training text, but from 64 to 256 tokens, or 256 to 1,024 characters. A net never gets
        more tokens of a text at once, so the time of a long text grows with its length only.
    max_characters : int or None, default=100_000
        Largest number of characters in a text. Longer training pairs are left out, with a
        warning; other methods raise an error. It limits the time that one text can take, which
        matters where texts come from strangers. None is no limit.
    label_smoothing : float, default=0.1
        Fraction of the target probability that is distributed over all tokens, in [0, 1).
    beam_size : int, default=4
        Number of partial translations that ``predict`` keeps; 1 takes the most probable token
        each time, which is faster.
    length_penalty : float, default=1.0
        The logarithm of a translation's probability is divided by its length to this power
        to compare it with others. Higher values give longer translations.
    no_repeat_ngram_size : int or None, default=None
        No sequence of this many tokens occurs twice in a translation.
    protected : "markup", str, list of str or None, default=None
        What comes out of ``predict`` as it went in: regular expressions of such parts of a text,
        or "markup" for tags and entities of HTML, URLs, and fields such as ``{name}`` and ``%s``.
        It does not affect training and can be set on a fitted translator.
    metric : {"chrf", "bleu", "exact_match"}, default="chrf"
        Metric that ``score`` returns. "exact_match" is the fraction of texts that are right.
    stop_by : {"loss", "chrf", "bleu", "exact_match"}, default="loss"
        Criterion for the best epoch on the held-out pairs: the loss, or the score of their
        translations.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Precision of the matrix products in training; weights are kept in float32. "auto" is
        bfloat16 if the device has instructions for it.
    <text_training>

    Attributes
    ----------
    source_tokenizer_ : tokenizers.Tokenizer
        Tokenizer of the texts to translate. ``to_str`` gives its state as JSON.
    target_tokenizer_ : tokenizers.Tokenizer
        Tokenizer of the translations; the same one for a shared vocabulary.
    max_length_ : int
        Largest number of tokens in a text, including its end.
    encoder_ : torch.nn.Module
        The half of the net that reads texts.
    decoder_ : torch.nn.Module
        The half of the net that writes translations.
    n_components_ : int
        Length of the vectors that ``transform`` returns.
    <fitted_text_net>

    See Also
    --------
    skae.metrics.bleu_score, skae.metrics.chrf_score : Scores of translations.
    skae.metrics.exact_match_score : Score of texts with one right answer.
    skae.inspection.AttentionDisplay : Draws which source tokens each token comes from.

    References
    ----------
    <schedules>
    .. [2] M.-T. Luong, H. Pham and C. D. Manning, "Effective approaches to attention-based
       neural machine translation", EMNLP 2015. :arxiv:`1508.04025`
    .. [3] A. Vaswani et al., "Attention is all you need", NIPS 2017. :arxiv:`1706.03762`

    Examples
    --------
    >>> from skae import Seq2SeqTranslator
    >>> english = ["I see a cat.", "I see a dog.", "You see a cat.", "You see a dog."]
    >>> french = ["Je vois un chat.", "Je vois un chien.", "Tu vois un chat.", "Tu vois un chien."]
    >>> translator = Seq2SeqTranslator(random_state=0).fit(english, french)
    >>> translator.predict(["You see a dog."])
    array(['Tu vois un chien.'], dtype=object)
    """

    architecture: Any = field(default="auto", kw_only=False)
    tokenization: str = "bpe"
    vocabulary_size: int | str = "auto"
    shared_vocabulary: bool = True
    max_length: int | str = "auto"
    max_characters: int | None = 100_000
    label_smoothing: float = 0.1
    beam_size: int = 4
    length_penalty: float = 1.0
    no_repeat_ngram_size: int | None = None
    protected: Any = None
    metric: str = "chrf"
    stop_by: str = "loss"
    precision: str = "auto"
    optimizer: str | type = "auto"
    lr: float | str = "auto"
    max_grad_norm: float | None = 1.0
    validation_fraction: float | str = "auto"

    _parameter_constraints = {
        "architecture": [StrOptions({"auto", *TEXT_ARCHITECTURES}), HasMethods("build")],
        "tokenization": [StrOptions(set(KINDS))],
        "vocabulary_size": [integer(1), StrOptions({"auto"})],
        "shared_vocabulary": ["boolean"],
        "max_length": [integer(2), StrOptions({"auto"})],
        "max_characters": [integer(1), None],
        "label_smoothing": [real(0, 1)],
        "beam_size": [integer(1)],
        "length_penalty": [real(None, None)],
        "no_repeat_ngram_size": [integer(1), None],
        "protected": [str, list, tuple, None],
        "metric": [StrOptions(set(TEXT_SCORES))],
        "stop_by": [StrOptions({"loss", *TEXT_SCORES})],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "optimizer": [StrOptions({"auto", *OPTIMIZERS}), callable],
        "lr": [real(0, closed="neither"), StrOptions({"auto"})],
        "validation_fraction": [real(0, 1, closed="neither"), StrOptions({"auto"})],
    }
    # With parameters of its own, "auto" is a recurrent net.
    _architectures = TEXT_ARCHITECTURES | {"auto": RecurrentEncoderDecoder}
    _input_kinds = ("texts",)
    _net_parameters = ("tokenization", "vocabulary_size", "shared_vocabulary", "max_length")

    @fit_method
    def fit(self, X, y=None, sample_weight=None, *, X_val=None, y_val=None):
        """Train on pairs of texts.

        Parameters
        ----------
        X : sequence of str of shape (n_samples,)
            Texts: a list, array or Series.
        y : sequence of str of shape (n_samples,)
            Their translations.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each pair in the loss.
        X_val, y_val : sequence of str of shape (n_val,) or None, default=None
            Pairs to choose the best epoch by if ``early_stopping``. If None, a fraction
            ``validation_fraction`` is held out: pairs that share no text with the others.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the data is invalid, or if the loss becomes NaN or infinite. An
            estimator that was fitted before does not change.
        """
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val go together: give both or neither")
        return FitSession(self, (X, y), sample_weight, None if X_val is None else (X_val, y_val))

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Train for one more epoch, on pairs, at a constant ``lr``.

        The first call starts a new model and sets its vocabulary and size. The next ones
        continue with its weights and with the state of the optimizer.

        Parameters
        ----------
        X, y : sequence of str of shape (n_samples,)
            Texts and their translations.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each pair in the loss.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        TypeError, ValueError
            As in ``fit``.
        """
        with FitSession(self, (X, y), sample_weight, is_partial=True) as run:
            run.fit_loop()
        return self

    def to_ctranslate2(self, path, *, quantization=None, force=False):
        """Write the translator as a model of CTranslate2, which runs without torch and skae.

        CTranslate2 [1]_ is a fast engine for transformers, for Python and C++. In float32 it finds
        the translations that ``predict`` does, but for beams that are about as good as another. It
        does not split or normalize texts, so give it clean sentences, with at most ``max_length_``
        tokens: :ref:`ctranslate2` has an example. It needs the package ctranslate2, the extra
        ``ctranslate2`` of skae.

        Parameters
        ----------
        path : str or path-like
            The folder to write. An existing one is only replaced once the new one is complete.
        quantization : {"int8", "int8_float32", "int8_float16", "int8_bfloat16", "int16", \
                "float16", "bfloat16", "float32"} or None, default=None
            Type of the weights in the file; None is "float32". "int8" makes the file four times
            smaller and the translation faster, and changes some translations.
        force : bool, default=False
            Whether to replace an existing folder. One that holds other files than those of a
            model is never replaced.

        Returns
        -------
        path : str
            The absolute path of the folder. It holds

            - ``model.bin``, ``config.json`` and the vocabularies, the model;
            - ``source_tokenizer.json`` and ``target_tokenizer.json``, the tokenizers, which
              ``tokenizers.Tokenizer.from_file`` loads. Their tokens are those of the model;
            - ``translate_batch.json``, the keyword arguments of
              ``ctranslate2.Translator.translate_batch`` that stand for ``beam_size``,
              ``length_penalty``, ``no_repeat_ngram_size`` and ``max_length_``.

        Raises
        ------
        ValueError
            If CTranslate2 has no such layers: it has those of `skae.architectures.Transformer`
            alone. Or if ``quantization`` is unknown.
        TypeError
            If ``path`` is no path.
        OSError
            If ``path`` exists and ``force`` is False, or the folder cannot be written.
        ImportError
            If the package ctranslate2 is not installed.

        References
        ----------
        .. [1] G. Klein, D. Zhang, C. Chouteau, J. Crego and J. Senellart, "Efficient and
           high-quality neural machine translation with OpenNMT", WNGT 2020.
           https://aclanthology.org/2020.ngt-1.25

        Examples
        --------
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> from skae import Seq2SeqTranslator
        >>> from skae.architectures import Transformer
        >>> english, french = ["A cat.", "A dog."] * 9, ["Un chat.", "Un chien."] * 9
        >>> tiny = Transformer(16, n_encoder_layers=1, n_decoder_layers=1)
        >>> translator = Seq2SeqTranslator(
        ...     tiny, max_epochs=2, random_state=0, check_baseline=False
        ... ).fit(english, french)
        >>> folder = Path(translator.to_ctranslate2(Path(mkdtemp()) / "english_french"))
        >>> (folder / "model.bin").exists()
        True
        """
        check_is_fitted(self)
        check_quantization(quantization)
        path = check_folder(path, force)
        tokenizers = self.source_tokenizer_, self.target_tokenizer_
        spec = make_spec(self.encoder_, self.decoder_, tokenizers)
        options = translate_options(self, self.max_length_)
        replace_folder(
            path, lambda folder: write_model(folder, spec, tokenizers, options, quantization)
        )
        return str(path)

    def _state(self, continues):
        """Return the state for pickle; the reader has the tokenizers."""
        state = super()._state(continues)
        for name in ("source_tokenizer_", "target_tokenizer_"):
            state.pop(name, None)
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if self.__sklearn_is_fitted__():
            vars(self).update(self._reader.fitted_attributes())

    def _make_reader(self):
        return TextPairReader(
            self.tokenization,
            self.vocabulary_size,
            self.shared_vocabulary,
            self.max_length,
            self.max_characters,
        )

    def _make_module(self, dataset):
        n_tokens = map(vocabulary_length, (self.source_tokenizer_, self.target_tokenizer_))
        with building(self._new_seed()):
            architecture = self._make_architecture()
            modules = architecture.build(
                *n_tokens, shared=self.shared_vocabulary, n_pairs=len(dataset)
            )
            encoder, decoder = check_text_modules(architecture, modules)
        halves = encoder.float(), decoder.float()
        module = TranslationModule(*halves, self.label_smoothing, dataset.cost(halves)).eval()
        return module, encoder(torch.tensor([[END]])).shape[2]

    def _parts_to_renew(self, dataset):
        del dataset
        return {"label_smoothing": self.label_smoothing}

    def _make_architecture(self):
        if self.architecture == "auto" and self._reader.n_pairs > MANY_PAIRS:
            return Transformer()
        return super()._make_architecture()

    def _training_defaults(self):
        """Return the defaults of the architecture, changed by the parameters of the user."""
        training_defaults = self._make_architecture().training_defaults
        training_defaults = training_defaults or Transformer.training_defaults
        wanted = {"lr": self.lr, "optimizer": self.optimizer}
        training_defaults = replace(
            training_defaults, **{k: v for k, v in wanted.items() if v != "auto"}
        )
        if self.optimizer != "auto" or self.optimizer_params is not None:
            training_defaults = replace(training_defaults, optimizer_params=self.optimizer_params)
        return training_defaults

    def _precision(self):
        if self.precision == "auto":
            return torch.bfloat16 if has_bfloat16(resolve_device(self.device)) else None
        return torch.bfloat16 if self.precision == "bfloat16" else None

    def _order_to_hold_out(self, dataset, rng):
        """Hold out pairs that share no text with others, so that they act as new texts."""
        fraction = self.validation_fraction
        n_wanted = (
            min(0.1 * len(dataset), MAX_HELD_OUT) if fraction == "auto" else fraction * len(dataset)
        )
        n_wanted = max(1, round(n_wanted))
        sizes = np.bincount(dataset.duplicate_ids)
        chance = rng.permutation(len(sizes)) + len(sizes) * (sizes > max(1, n_wanted / 2))
        by_chance = np.argsort(chance)
        n_held_out = sizes[by_chance].cumsum()
        n_held_out = n_held_out[np.searchsorted(n_held_out, n_wanted)]
        return np.argsort(chance[dataset.duplicate_ids], kind="stable"), int(n_held_out)

    def _best_weights(self):
        if self.stop_by == "loss":
            return super()._best_weights()
        return BestWeights(self.patience, self.stop_by, self._score_pairs)

    def _score_pairs(self, pairs):
        """Return the score of the translations of some pairs, found greedily."""
        pairs = pairs.subsample(MAX_SCORED)
        rows = pairs.targets.rows(), self._decoded(greedy, pairs.sources, None)
        right, predicted = (
            [visible_slots(text) for text in decode(self.target_tokenizer_, some)] for some in rows
        )
        return TEXT_SCORES[self.stop_by](right, predicted)

    def _progress(self, dataset, n_epochs):
        return Progress(n_epochs, units=(n_epochs * int(dataset.targets.lengths.sum()), "tok"))

    def _check_fit(self, dataset):
        tokens = dataset.targets.flat()
        fraction = np.unique(tokens, return_counts=True)[1] / len(tokens)
        pairs = dataset.subsample(MAX_CHECKED)
        log_p = self._predictor.map(TranslationModule.log_likelihood, pairs, (), nan=-np.inf)
        loss = -log_p.sum() / pairs.targets.lengths.sum()
        if loss > -(fraction * np.log(fraction)).sum():
            warn(
                f"{type(self).__name__} predicts the next token worse than the frequencies of "
                f"tokens would (loss {loss:.2f}). Try more max_epochs or another lr; "
                "check_baseline=False turns this check off.",
                PoorFitWarning,
            )

    @property
    def encoder_(self):
        """Encoder, an ``nn.Module``."""
        return self.net_.module_.encoder

    @property
    def decoder_(self):
        """Decoder, an ``nn.Module``."""
        return self.net_.module_.decoder

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.target_tags.required = True
        return tags

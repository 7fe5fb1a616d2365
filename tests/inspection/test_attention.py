"""Attention maps of translations."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skae import Autoencoder, Seq2SeqTranslator
from skae.architectures import RecurrentEncoderDecoder, Transformer
from skae.inspection import AttentionDisplay

SOURCE, TARGET = ["I", "paid", "$5", "</s>"], ["5", "$", "</s>"]
WEIGHTS = np.array([[0.1, 0.1, 0.7, 0.1], [0.0, 0.2, 0.8, 0.0], [0.1, 0.1, 0.1, 0.7]])


@pytest.fixture(scope="module")
def translator():
    model = Seq2SeqTranslator(
        architecture=RecurrentEncoderDecoder(8),
        tokenization="word",
        max_epochs=1,
        check_baseline=False,
        random_state=0,
    )
    return model.fit(["a black car", "a car", "a black cat"] * 4, ["x y z", "x z", "x y w"] * 4)


def tokens(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_what_is_drawn():
    display = AttentionDisplay.from_predictions(SOURCE, TARGET, WEIGHTS.tolist())
    np.testing.assert_array_equal(display.im_.get_array(), WEIGHTS)
    assert (tokens(display.ax_.xaxis), tokens(display.ax_.yaxis)) == (SOURCE, TARGET)
    assert not any(label.get_parse_math() for label in display.ax_.get_xticklabels())
    assert display.ax_.get_xlabel() == "source tokens"
    assert display.ax_.get_ylabel() == "tokens of the translation"
    assert display.colorbar_.ax.get_ylabel() == "attention weight (rows sum to 1)"
    assert display.figure_ is display.ax_.figure


def test_the_attention_of_a_translator(translator):
    pair = "a black car", "x y z"
    attention = translator.attention(*pair)
    display = AttentionDisplay.from_estimator(translator, *pair, cmap="Greens")
    given = AttentionDisplay.from_predictions(attention, colorbar=False)
    for one in (display, given):
        np.testing.assert_array_equal(one.im_.get_array(), attention.weights)
        assert tokens(one.ax_.xaxis) == attention.source
        assert tokens(one.ax_.yaxis) == attention.target
    assert display.im_.get_cmap().name == "Greens"
    assert given.colorbar_ is None


SMALL = {
    "transformer": Transformer(8, n_encoder_layers=2, n_decoder_layers=2, n_heads=2),
    "lstm": RecurrentEncoderDecoder(8),
    "gru": RecurrentEncoderDecoder(8, cell="gru"),
    "plain_lstm": RecurrentEncoderDecoder(8, attention=False),
}


@pytest.mark.parametrize("name", SMALL)
def test_the_attention_of_each_architecture(name, translator):
    model = clone(translator).set_params(architecture=SMALL[name])
    model.fit(["a car", "a cat"] * 4, ["x z", "x w"] * 4)
    if name == "plain_lstm":  # its translations, of a net that has learned nothing, are long
        with pytest.raises(ValueError, match="without attention there are no weights"):
            AttentionDisplay.from_estimator(model, "a cat")
        return
    display = AttentionDisplay.from_estimator(model, "a cat")
    assert display.source == ["a", "cat", "</s>"]
    assert display.target[-1] == "</s>"
    assert display.im_.get_array().shape == (len(display.target), 3)
    np.testing.assert_allclose(display.weights.sum(1), 1, rtol=1e-4)


def test_it_is_what_the_translator_plots(translator):
    from matplotlib import pyplot as plt

    _, axes = plt.subplots(2)
    assert translator.plot_attention("a cat", "x w", ax=axes[0]) is axes[0]
    display = AttentionDisplay.from_estimator(translator, "a cat", "x w", ax=axes[1])
    assert display.ax_ is axes[1]
    shown = [np.asarray(ax.images[0].get_array()) for ax in axes]
    np.testing.assert_array_equal(*shown)
    assert tokens(axes[0].yaxis) == tokens(axes[1].yaxis)


def test_tokens_of_long_texts_have_room():
    source, target = [f"w{i}" for i in range(200)], ["a very long token" * 5, "b"]
    weights = np.full((2, 200), 1 / 200)
    display = AttentionDisplay.from_predictions(source, target, weights)
    shown = tokens(display.ax_.xaxis)
    assert 20 < len(shown) < 200
    assert shown[:2] == ["w0", f"w{-(-200 // len(shown))}"]
    assert tokens(display.ax_.yaxis)[0] == "a very long tokena very…"
    assert display.figure_.get_size_inches().max() <= 13


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("a text", TARGET, WEIGHTS), TypeError, "source must be a list of tokens, such as text"),
        ((SOURCE, None, WEIGHTS), TypeError, "target must be a list of tokens"),
        (([], TARGET, WEIGHTS), TypeError, "at least one"),
        (([1, 2, 3, 4], TARGET, WEIGHTS), TypeError, "source must be a list of tokens, texts"),
        ((SOURCE, TARGET, WEIGHTS.T), ValueError, r"of shape \(3, 4\), a row for each target"),
        ((SOURCE, TARGET, 5 * WEIGHTS), ValueError, "each row must sum to 1"),
        ((SOURCE, TARGET, WEIGHTS * np.nan), ValueError, "each row must sum to 1"),
        ((SOURCE, TARGET, None), TypeError, "weights is None"),
    ],
)
def test_bad_input(arguments, error, message):
    with pytest.raises(error, match=message):
        AttentionDisplay.from_predictions(*arguments)


def test_bad_estimators(fast, X):
    with pytest.raises(NotFittedError, match="Seq2SeqTranslator"):
        AttentionDisplay.from_estimator(Seq2SeqTranslator(), "a")
    with pytest.raises(TypeError, match="Autoencoder has no attention. Give a Seq2SeqTranslator"):
        AttentionDisplay.from_estimator(Autoencoder(**fast).fit(X), "a")

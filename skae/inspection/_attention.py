"""Display of the attention of a translator."""

import numpy as np

from skae._data.checks import as_numbers
from skae._text.attention_map import AttentionMap, draw
from skae._text.translator import Seq2SeqTranslator
from skae.inspection._models import Model
from skae.inspection._plotting import finish_labels, one_axes, pyplot

#: How far the sum of a row may be from 1.
ROUNDING = 1e-2


class AttentionDisplay:
    """Attention map of a translation: which source tokens each target token comes from.

    It is recommended to use `from_estimator` or `from_predictions` to create a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    source : list of str
        Tokens of the source text, one for each column.
    target : list of str
        Tokens of the translation, one for each row.
    weights : ndarray of shape (n_target_tokens, n_source_tokens)
        Attention of each target token to each source token. Rows sum to 1.

    Attributes
    ----------
    im_ : AxesImage
        The map: the darker a field, the higher the weight.
    colorbar_ : Colorbar or None
        The scale of the colors.
    ax_ : matplotlib Axes
        Axes with the map.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    skae.Seq2SeqTranslator.attention : Returns the weights.

    Examples
    --------
    >>> from skae.inspection import AttentionDisplay
    >>> display = AttentionDisplay.from_predictions(
    ...     ["a", "black", "car"], ["une", "voiture", "noire"],
    ...     [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.0, 0.9, 0.1]],
    ... )
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['une', 'voiture', 'noire']
    """

    def __init__(self, *, source, target, weights):
        self.source = source
        self.target = target
        self.weights = weights

    @classmethod
    def from_estimator(cls, estimator, source, target=None, *, ax=None, colorbar=True, **kwargs):
        """Draw the attention of a translator.

        Parameters
        ----------
        estimator : Seq2SeqTranslator
            Fitted, with an architecture that has attention; or a search for one.
        source : str
            A text.
        target : str or None, default=None
            A translation of it. None is the best one that beam search finds.
        ax : matplotlib Axes or None, default=None
            Axes to draw on. None makes a new figure.
        colorbar : bool, default=True
            Whether to draw the scale of the colors.
        **kwargs : dict
            Keywords of matplotlib's ``imshow``.

        Returns
        -------
        display : AttentionDisplay
            The display.

        Raises
        ------
        NotFittedError
            If the translator is not fitted.
        TypeError, ValueError
            If it is no translator, or has no attention, or a text is none, empty or too long.
        """
        pyplot()
        translator = Model.of(estimator).last
        if not isinstance(translator, Seq2SeqTranslator):
            raise TypeError(
                f"{type(translator).__name__} has no attention. Give a Seq2SeqTranslator, or the "
                "tokens and weights of another model to from_predictions."
            )
        attention = translator.attention(source, target)
        return cls(**attention._asdict()).plot(ax, colorbar=colorbar, **kwargs)

    @classmethod
    def from_predictions(
        cls, source, target=None, weights=None, *, ax=None, colorbar=True, **kwargs
    ):
        """Draw a given attention map.

        Parameters
        ----------
        source : AttentionMap or list of str
            What `Seq2SeqTranslator.attention` returns, or the tokens of the source text.
        target : list of str or None, default=None
            Tokens of the translation. None only if ``source`` is an AttentionMap.
        weights : array-like of shape (n_target_tokens, n_source_tokens) or None, default=None
            Attention of each target token to each source token; each row sums to 1. None only if
            ``source`` is an AttentionMap.
        ax : matplotlib Axes or None, default=None
            Axes to draw on. None makes a new figure.
        colorbar : bool, default=True
            Whether to draw the scale of the colors.
        **kwargs : dict
            Keywords of matplotlib's ``imshow``.

        Returns
        -------
        display : AttentionDisplay
            The display.

        Raises
        ------
        TypeError, ValueError
            If tokens are no texts, or the weights do not fit them.
        """
        if isinstance(source, AttentionMap):
            source, target, weights = source
        display = cls(source=source, target=target, weights=weights)
        return display.plot(ax, colorbar=colorbar, **kwargs)

    def plot(self, ax=None, *, colorbar=True, **kwargs):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on. None makes a new figure.
        colorbar : bool, default=True
            Whether to draw the scale of the colors.
        **kwargs : dict
            Keywords of matplotlib's ``imshow``.

        Returns
        -------
        display : AttentionDisplay
            The display itself.

        Raises
        ------
        TypeError, ValueError
            If tokens are no texts, or the weights do not fit them.
        """
        source, target = _tokens(self.source, "source"), _tokens(self.target, "target")
        attention = AttentionMap(source, target, _weights(self.weights, len(target), len(source)))
        self.im_ = draw(attention, None if ax is None else one_axes(ax), colorbar, **kwargs)
        self.colorbar_, self.ax_ = self.im_.colorbar, self.im_.axes
        self.figure_ = self.ax_.figure
        finish_labels(self.ax_, *([self.colorbar_.ax] if colorbar else []))
        return self


def _weights(weights, *shape):
    """Return weights as an array, or say what is wrong with them."""
    weights = as_numbers(weights, "weights")
    if weights.shape != shape:
        raise ValueError(
            f"weights must be of shape {shape}, a row for each target token and a column for each "
            f"source token; got {weights.shape}."
        )
    if not ((weights >= 0).all() and np.allclose(weights.sum(1), 1, atol=ROUNDING)):
        raise ValueError(
            "weights must not be negative, and each row must sum to 1: give the weights after the "
            "softmax, averaged over layers and heads."
        )
    return weights


def _tokens(tokens, name):
    """Return tokens as a list of texts."""
    if isinstance(tokens, str) or not np.iterable(tokens):
        raise TypeError(
            f"{name} must be a list of tokens, such as text.split(); got {tokens!r:.60}"
        )
    tokens = list(tokens)
    if not tokens or not all(isinstance(token, str) for token in tokens):
        raise TypeError(f"{name} must be a list of tokens, texts, at least one; got {tokens!r:.60}")
    return tokens

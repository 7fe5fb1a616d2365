"""Scores of translations and other texts, most of them by sacreBLEU."""

from unicodedata import normalize

import numpy as np

from skae._data.texts import check_iterable, read_texts
from skae.exceptions import missing

__all__ = ["bleu_score", "chrf_score", "exact_match_score"]


def chrf_score(y_true, y_pred):
    """Return the character n-gram F-score (chrF) of translations, from 0 to 1 [1]_.

    It is the score of the whole corpus, computed by sacreBLEU [2]_.

    Parameters
    ----------
    y_true : sequence of str, or of sequence of str, of shape (n_samples,)
        The right translation of each text, or several of them.
    y_pred : sequence of str of shape (n_samples,)
        Translations.

    Returns
    -------
    score : float
        The higher, the better; 1 if all translations are right.

    Raises
    ------
    TypeError, ValueError
        If y_true and y_pred are not texts, or differ in length.

    References
    ----------
    .. [1] M. Popovic, "chrF: character n-gram F-score for automatic MT evaluation",
       WMT 2015. :doi:`10.18653/v1/W15-3049`
    .. [2] M. Post, "A call for clarity in reporting BLEU scores", WMT 2018.
       :arxiv:`1804.08771`

    Examples
    --------
    >>> from skae.metrics import chrf_score
    >>> chrf_score(["Il fait froid.", "Merci !"], ["Il fait froid.", "Merci !"])
    1.0
    >>> round(chrf_score([["J'ai froid.", "Je suis gelé."]], ["J'ai froid !"]), 2)
    0.86
    """
    return _scorer("CHRF").corpus_score(*_check(y_true, y_pred)).score / 100


def bleu_score(y_true, y_pred):
    """Return the BLEU score of translations, from 0 to 1 [1]_.

    It is the score of the whole corpus, computed by sacreBLEU [2]_. Papers
    report 100 times this value.

    Parameters
    ----------
    y_true : sequence of str, or of sequence of str, of shape (n_samples,)
        The right translation of each text, or several of them.
    y_pred : sequence of str of shape (n_samples,)
        Translations.

    Returns
    -------
    score : float
        The higher, the better; 1 if all translations are right.

    Raises
    ------
    TypeError, ValueError
        If y_true and y_pred are not texts, or differ in length.

    References
    ----------
    .. [1] K. Papineni, S. Roukos, T. Ward and W.-J. Zhu, "BLEU: a method for automatic
       evaluation of machine translation", ACL 2002. :doi:`10.3115/1073083.1073135`
    .. [2] M. Post, "A call for clarity in reporting BLEU scores", WMT 2018.
       :arxiv:`1804.08771`

    Examples
    --------
    >>> from skae.metrics import bleu_score
    >>> right = ["Il ne fait pas froid.", "Le chat noir dort."]
    >>> round(bleu_score(right, ["Il ne fait pas froid.", "Le chat dort."]), 2)
    0.74
    """
    return _scorer("BLEU").corpus_score(*_check(y_true, y_pred)).score / 100


def exact_match_score(y_true, y_pred):
    """Return the fraction of texts that are right from the first to the last character.

    It suits work with one right answer, such as dates in ISO form, spelling or codes. Case and
    punctuation count, spaces at both ends do not. Characters are compared in Unicode's composed
    form (NFC), in which translators write.

    Parameters
    ----------
    y_true : sequence of str, or of sequence of str, of shape (n_samples,)
        The right text of each sample, or several of them.
    y_pred : sequence of str of shape (n_samples,)
        Predicted texts.

    Returns
    -------
    score : float
        From 0 to 1, the higher, the better.

    Raises
    ------
    TypeError, ValueError
        If y_true and y_pred are not texts, or differ in length.

    Examples
    --------
    >>> from skae.metrics import exact_match_score
    >>> exact_match_score(["2026-01-31", "2026-02-01"], ["2026-01-31", "2026-01-02"])
    0.5
    >>> exact_match_score([["gray", "grey"]], ["grey"])
    1.0
    """
    predicted, references = _read(y_true, y_pred)
    pairs = zip(map(_comparable, predicted), references, strict=True)
    return float(np.mean([text in map(_comparable, some) for text, some in pairs]))


#: By name, the score of a translator.
TEXT_SCORES = {"bleu": bleu_score, "chrf": chrf_score, "exact_match": exact_match_score}


def _comparable(text):
    return normalize("NFC", text.strip())


def _scorer(name):
    try:
        from sacrebleu import metrics
    except ModuleNotFoundError as error:
        raise missing("sacrebleu", "text") from error
    return getattr(metrics, name)()


def _read(y_true, y_pred):
    """Return translations, and the references of each."""
    predicted = read_texts(y_pred, "y_pred")
    references = read_references(y_true)
    if len(references) != len(predicted):
        raise ValueError(f"y_true has {len(references)} samples, but y_pred {len(predicted)}")
    return predicted, references


def _check(y_true, y_pred):
    """Return translations and lists of references as sacreBLEU takes them."""
    predicted, references = _read(y_true, y_pred)
    most = max(map(len, references))
    # None stands for a reference that is not there.
    columns = [[some[i] if i < len(some) else None for some in references] for i in range(most)]
    return predicted, columns


def read_references(y, name="y_true"):
    """Return the right translations of each text, a list of lists of str."""
    check_iterable(y, name)
    rows = list(y)
    if rows and all(not isinstance(row, str) and hasattr(row, "__iter__") for row in rows):
        return [read_texts(row, f"{name}[{i}]") for i, row in enumerate(rows)]
    return [[text] for text in read_texts(rows, name)]

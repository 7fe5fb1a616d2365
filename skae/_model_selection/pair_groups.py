"""Groups of pairs of texts that belong on the same side of a split."""

from skae._data.texts import duplicate_ids, read_texts


def pair_groups(X, y):
    """Return groups of pairs of texts that share a text, for splitters of scikit-learn.

    A text often occurs in several pairs, with other translations. If one of them is in the
    training part and another in the test part, the score is too good. Splitters with groups, such
    as `sklearn.model_selection.GroupKFold`, keep them on one side.

    Parameters
    ----------
    X, y : sequence of str of shape (n_samples,)
        Texts and their translations.

    Returns
    -------
    groups : ndarray of int of shape (n_samples,)
        A number for each pair. It is the same for pairs that have the same text in X or in y,
        and for those that are linked by others.

    Raises
    ------
    TypeError, ValueError
        If X and y are not texts, or differ in length.

    See Also
    --------
    sklearn.model_selection.cross_val_score : Takes them as ``groups``.

    Examples
    --------
    >>> from skae.model_selection import pair_groups
    >>> english = ["Hi.", "Hi.", "Hello.", "I see."]
    >>> french = ["Salut !", "Bonjour !", "Bonjour !", "Je vois."]
    >>> pair_groups(english, french)
    array([0, 0, 0, 1])
    """
    sources, targets = read_texts(X, "X"), read_texts(y, "y")
    if len(sources) != len(targets):
        raise ValueError(f"X holds {len(sources)} texts, but y {len(targets)}")
    return duplicate_ids(sources, targets).astype(int)

"""The autoencoder for sequences."""

from skae._estimators.base import BaseAutoencoder
from skae._estimators.parameters import FlatArchitecture, LossParameters, estimator
from skae._estimators.plain_code import PlainCode
from skae.architectures import Recurrent
from skae.architectures._recurrent import RecurrentParameters


@estimator
class RecurrentAutoencoder(
    FlatArchitecture, RecurrentParameters, LossParameters, PlainCode, BaseAutoencoder
):
    """Autoencoder for sequences of unequal lengths, made of recurrent layers.

    The encoder reads a sequence step by step and maps it to a code of fixed length. The
    decoder maps a code to a sequence of any length. X can be a list of arrays of shape
    (time, n_features) or (time,), an array of shape (n_samples, time, n_features) whose
    shorter sequences end with NaN, or a table of shape (n_samples, time) of one feature.
    ``reconstruct`` returns the format of X. NaN before the end of a sequence is a missing
    value: the net gets a mask of them, and they do not count in the loss.

    The output for a sequence does not depend on its padding, nor on the other sequences in the
    batch. Inside the net, features have a mean of 0 and a standard deviation of 1. The loss is
    in the units of X.

    This is the plain autoencoder. Other autoencoders take the architecture, as in
    ``VariationalAutoencoder(architecture=Recurrent(64))``.

    Read more in the :ref:`User Guide <sequences>`.

    Parameters
    ----------
    n_components : int, float or "auto", default="auto"
        Length of the code. "auto" is the square root of the number of values of the longest
        sequence.
        <variance_fraction>
    <recurrence>
    <loss>
    <output_activation>
    <whiten>
    <no_linear_fraction>
    <neighbors>
    <target>
    <training>

    Attributes
    ----------
    length_regressor_ : estimator
        Predicts the length of a sequence from its code, for ``inverse_transform``. It is fitted
        on up to 1,000 training sequences; after ``partial_fit``, on those of the last call.
    <classes>
    <fitted>
    <fitted_code>

    See Also
    --------
    skae.architectures.Recurrent : The same parameters as an object, for all autoencoders.
    skae.sequences : Sequences from long tables, and windows of long series.

    References
    ----------
    <schedules>
    <supervised>

    Examples
    --------
    >>> import numpy as np
    >>> from skae import RecurrentAutoencoder
    >>> rng = np.random.default_rng(0)
    >>> X = [np.sin(np.arange(n) / 3 + rng.uniform(0, 6)) for n in rng.integers(10, 30, 300)]
    >>> autoencoder = RecurrentAutoencoder(4, max_epochs=20, random_state=0).fit(X)
    >>> autoencoder.transform(X).shape
    (300, 4)
    >>> [len(x) for x in autoencoder.reconstruct(X[:3])] == [len(x) for x in X[:3]]
    True
    >>> autoencoder.score(X) > 0.8
    True
    """

    _architecture = Recurrent

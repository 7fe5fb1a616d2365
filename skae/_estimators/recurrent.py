"""The autoencoder for sequences."""

from skae._estimators.base import BaseAutoencoder
from skae._estimators.parameters import FlatArchitecture, LossParameters, estimator
from skae.architectures import Recurrent
from skae.architectures._recurrent import RecurrentParameters


@estimator
class RecurrentAutoencoder(FlatArchitecture, RecurrentParameters, LossParameters, BaseAutoencoder):
    """Autoencoder for sequences of unequal lengths, made of recurrent layers.

    The encoder reads a sequence step by step and makes a code of fixed length of it; the
    decoder makes a sequence of the code, of any length. X can be a list of arrays of shape
    (time, n_features) or (time,), an array of shape (n_samples, time, n_features) whose
    shorter sequences end with NaN, or a table of shape (n_samples, time) of one feature.
    ``reconstruct`` gives back what it got. NaN before the end of a sequence is a missing
    value: the net is told, and it does not count in the loss.

    What comes out for a sequence does not depend on the padding behind it, nor on the
    sequences beside it. Inside the net, features have a mean of 0 and a deviation of 1; the
    loss is in the units of X.

    It is the plain autoencoder; for the others give them the architecture, as in
    ``VariationalAutoencoder(architecture=Recurrent(64))``.

    Read more in the :ref:`User Guide <sequences>`.

    Parameters
    ----------
    n_components : int or "auto", default="auto"
        Length of the code. "auto" is the square root of the number of values of the longest
        sequence.
    <recurrence>
    <loss>
    <output_activation>
    <training>

    Attributes
    ----------
    length_regressor_ : estimator
        Regression of the lengths of up to 1,000 training sequences on their codes, by which
        ``inverse_transform`` knows how many steps to expect. In ``partial_fit`` those of the
        last call.
    <fitted>

    See Also
    --------
    skae.architectures.Recurrent : The same parameters as an object, for all autoencoders.
    skae.sequences : SequenceDataset from long tables, and long series as windows.

    References
    ----------
    <schedules>

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

"""The plain autoencoder, vanilla or deep."""

from skae._estimators.base import BaseAutoencoder
from skae._estimators.parameters import ArchitectureParameters, LossParameters, estimator
from skae._estimators.plain_code import PlainCode


@estimator
class Autoencoder(LossParameters, ArchitectureParameters, PlainCode, BaseAutoencoder):
    """Autoencoder: a net that learns to reconstruct its input through a narrow code.

    The encoder maps a row to a few numbers, the code; the decoder maps the code back.
    With linear layers this is PCA; with hidden layers the code can follow curved
    structure [2]_. By default training starts at PCA and keeps the best weights on
    held-out rows, so that on standardized tables the result is rarely worse than PCA.
    Columns should be on comparable scales, for instance by a
    `~sklearn.preprocessing.StandardScaler` before it in a pipeline.

    Read more in the :ref:`User Guide <user_guide>`.

    Parameters
    ----------
    n_components : int, float or "auto", default="auto"
        Length of the code. "auto" is the square root of the number of features.
        <variance_fraction>
    <loss>
    <output_activation>
    <architecture>
    <whiten>
    <linear_fraction>
    <neighbors>
    <target>
    <training>

    Attributes
    ----------
    <classes>
    <fitted>
    <fitted_code>

    See Also
    --------
    DenoisingAutoencoder : Learns from damaged rows to restore them.
    SparseAutoencoder : Long codes with few active units per row.
    VariationalAutoencoder : Learns a distribution of codes, and draws new rows.
    sklearn.decomposition.PCA : The linear special case, exact and much faster.
    skae.architectures.Dense : Layers and their parameters.
    skae.inspection.LossCurveDisplay : Draws the losses by epoch.
    skae.inspection.ReconstructionDisplay : Draws rows and their reconstructions.

    References
    ----------
    <schedules>
    .. [2] G. E. Hinton and R. R. Salakhutdinov, "Reducing the dimensionality of data
       with neural networks", Science 313, 2006. :doi:`10.1126/science.1127647`
    <supervised>

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skae import Autoencoder
    >>> X = StandardScaler().fit_transform(load_breast_cancer().data)
    >>> autoencoder = Autoencoder(n_components=4, random_state=0).fit(X)
    >>> autoencoder.transform(X).shape
    (569, 4)
    >>> autoencoder.score(X) > 0.85
    True
    """

    linear_fraction: float = 0.25

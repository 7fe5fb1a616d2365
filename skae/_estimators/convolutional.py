"""The autoencoder for images and signals."""

from skae._estimators.base import BaseAutoencoder
from skae._estimators.parameters import FlatArchitecture, LossParameters, estimator
from skae._estimators.plain_code import PlainCode
from skae.architectures import Conv
from skae.architectures._conv import ConvParameters


@estimator
class ConvAutoencoder(FlatArchitecture, ConvParameters, LossParameters, PlainCode, BaseAutoencoder):
    """Autoencoder for images and signals, made of convolutions.

    A convolution applies the same filter at every position of an image, so a pattern that is
    learned at one position is known at all of them. X can be images of shape (n_samples,
    height, width) or (n_samples, height, width, channels), signals, or flat rows with
    ``image_shape``. Images of unsigned integers are read as intensities from 0 to 1, and
    ``reconstruct`` and ``inverse_transform`` return their type. With spatial codes, images can
    have any size, also unequal ones in a list of arrays.

    This is the plain autoencoder. Other autoencoders take the architecture, as in
    ``VariationalAutoencoder(architecture=Conv(channels=(16, 32)))``.

    Read more in the :ref:`User Guide <images>`.

    Parameters
    ----------
    n_components : int, float or "auto", default="auto"
        Length of the code, "auto" is the square root of the number of values of an image.
        For a spatial code, the number of its maps.
        <variance_fraction>
    <convolution>
    <loss>
    <output_activation>
    <whiten>
    <no_linear_fraction>
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
    skae.architectures.Conv : The same parameters as an object, for all autoencoders.
    ImageToImageRegressor : Learns to predict images from images.

    References
    ----------
    <schedules>
    <supervised>

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import ConvAutoencoder
    >>> images = load_digits().images / 16
    >>> images.shape
    (1797, 8, 8)
    >>> autoencoder = ConvAutoencoder(8, max_epochs=20, random_state=0).fit(images)
    >>> autoencoder.transform(images).shape
    (1797, 8)
    >>> autoencoder.reconstruct(images).shape
    (1797, 8, 8)
    >>> autoencoder.score(images) > 0.8
    True
    """

    _architecture = Conv

"""Regression of images on images: colorizing, restoring, enlarging."""

from collections.abc import Callable
from functools import partial
from math import prod

import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, RegressorMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skae._data.given import like_input
from skae._data.image_pairs import ImagePairReader
from skae._data.pixel_hints import read_hints
from skae._data.read_images import ImageReader
from skae._estimators.neural import NeuralEstimator
from skae._estimators.parameters import FlatArchitecture, LossParameters, estimator
from skae._estimators.predictor import ChangedPredictor, reconstruct
from skae._estimators.reading import make_reader
from skae._modules.hints import Hints, NoHints
from skae._modules.image_to_image import ImageToImageModule, WithInput
from skae._params import StrOptions, fit_context, integer, real
from skae._runtime import building
from skae._training.session import FitSession, fit_method
from skae.architectures import UNet
from skae.architectures._dense import ACTIVATIONS
from skae.architectures._unet import HalfSizeUNet, UNetParameters
from skae.bottlenecks import LinearBottleneck
from skae.exceptions import PoorFitWarning, warn
from skae.losses._mixed import IMAGE_LOSSES, make_loss

#: Values of images that scales and the start at a linear regression are computed from.
MAX_REGRESSED = 2**20

#: Images that the check of the fit uses, at most.
MAX_CHECKED = 256


@estimator
class ImageToImageRegressor(
    FlatArchitecture,
    UNetParameters,
    LossParameters,
    ClassNamePrefixFeaturesOutMixin,
    RegressorMixin,
    TransformerMixin,
    NeuralEstimator,
):
    """Regression of images on images: to colorize, restore, fill in or enlarge.

    ``fit(X, Y)`` takes pairs of input images X and target images Y. Both can be images of shape
    (n_samples, height, width) or (n_samples, height, width, channels), or signals. Their
    numbers of channels can differ. Their sizes must be equal, or one a whole multiple of the
    other. Images of unsigned integers are read as intensities from 0 to 1, and ``predict``
    returns the type and shape of Y. Pairs of unequal sizes are lists of arrays, of which training
    takes random crops; ``predict`` takes images of any size.

    The net is a U-Net [2]_. X and Y are standardized inside, each by one mean and one standard
    deviation, so their scale does not matter. By default training starts at the best linear
    filter, so the result is rarely worse than that.

    Read more in the :ref:`User Guide <image_to_image>`.

    Parameters
    ----------
    <unet_channels>
    target_shape : tuple of int or None, default=None
        Shape of an image of Y if Y is flat rows, such as (32, 32, 3). None is
        ``image_shape``.
    color_temperature : float, default=0.6
        With ``loss="color_distribution"``, what ``predict`` makes of the distribution over
        colors, from 0 for the most probable color of each place to 1 for the mean color. Less
        is more colorful, with larger errors. It can change after ``fit``.
    sample_colors : bool, default=False
        With ``loss="color_distribution"``, whether ``predict`` draws colors at random from the
        distribution, by ``random_state``; at other temperatures than 0 the drawn color is mixed
        with others. It can change after ``fit``.
    max_hints : int, default=0
        Pixels of the answer that training gives to the net, at most, so that ``predict`` takes
        ``hints`` [3]_. Each training image has a random number of them at random places, often
        few or none. 0 is for nets that take none.
    <unet>
    <image_loss>
    <output_activation>
    <training>

    Attributes
    ----------
    n_components_ : int
        Length of the code, the values of the smallest maps.
    <fitted_net>

    See Also
    --------
    DenoisingAutoencoder : Learns to restore images from undamaged data alone.
    skae.metrics : Scores of images, for `sklearn.metrics.make_scorer`.

    References
    ----------
    <schedules>
    .. [2] O. Ronneberger, P. Fischer and T. Brox, "U-Net: convolutional networks for
       biomedical image segmentation", MICCAI 2015. :arxiv:`1505.04597`
    .. [3] R. Zhang et al., "Real-time user-guided image colorization with learned deep priors",
       ACM Transactions on Graphics 36, 2017. :arxiv:`1705.02999`

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import ImageToImageRegressor
    >>> Y = load_digits().images / 16
    >>> X = Y[:, ::2, ::2]  # every other pixel
    >>> model = ImageToImageRegressor(channels=(16, 32), max_epochs=10, random_state=0)
    >>> model = model.fit(X[:1500], Y[:1500])
    >>> model.predict(X[1500:]).shape
    (297, 8, 8)
    >>> model.score(X[1500:], Y[1500:]) > 0.6
    True
    """

    target_shape: tuple | None = None
    loss: str | dict | Callable = "absolute_error"
    color_temperature: float = 0.6
    sample_colors: bool = False
    max_hints: int = 0

    _parameter_constraints = {
        "loss": [StrOptions(set(IMAGE_LOSSES)), dict, callable],
        "color_temperature": [real(0, 1, closed="both")],
        "sample_colors": ["boolean"],
        "max_hints": [integer(0)],
        "target_shape": ["array-like", None],
    }
    _architecture = UNet
    _net_parameters = ("loss", "output_activation", "target_shape", "max_hints")

    @fit_method
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None):
        """Train on pairs of images.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...) or list of arrays
            Input images or signals. Training takes crops of those of unequal sizes.
        y : array-like of shape (n_samples, ...) or list of arrays
            Target images or signals.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each pair in the loss.
        X_val, y_val : array-like of shape (n_val, ...), list of arrays or None, default=None
            Pairs to compute ``valid_loss`` on, and to choose the best epoch by if
            ``early_stopping``, which otherwise holds out ``validation_fraction``.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, or if the loss becomes NaN or
            infinite. An estimator that was fitted before does not change.
        """
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val go together: give both or neither")
        return FitSession(self, (X, y), sample_weight, None if X_val is None else (X_val, y_val))

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Train for one more epoch, on pairs, at a constant ``lr``.

        The first call starts a new model. The next ones continue with its weights and with
        the state of the optimizer.

        Parameters
        ----------
        X, y : array-like of shape (n_samples, ...) or list of arrays
            Pairs of images or signals.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each pair in the loss.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            As in ``fit``.
        """
        with FitSession(self, (X, y), sample_weight, is_partial=True) as run:
            run.fit_loop()
        return self

    def _make_reader(self):
        inputs = make_reader(self._make_architecture(), ImageReader)
        return ImagePairReader(inputs, self.target_shape)

    def _check_ranges(self, dataset):
        self._check_loss_range(dataset, "loss", IMAGE_LOSSES, "input_range")
        self._check_loss_range(dataset.targets, "loss", IMAGE_LOSSES, name="y")

    def _make_loss(self):
        return make_loss(self.loss, IMAGE_LOSSES)

    def _without_effect(self):
        reasons = super()._without_effect()
        if self.loss != "color_distribution":
            reasons |= dict.fromkeys(("color_temperature", "sample_colors"), f"loss={self.loss!r}")
        return reasons

    def _make_module(self, dataset):
        loss, shapes = self._make_loss(), (dataset.sample_shape, dataset.targets.sample_shape)
        loss.check_shapes(*shapes)
        loss.setup(dataset.targets)
        activation = self._output_activation(loss)
        with building(self._new_seed()):
            sample = dataset.subsample(max(1, MAX_REGRESSED // _n_values(dataset)))
            x, target = (
                part.get_batch(slice(None), torch.float32)[0] for part in (sample, sample.targets)
            )
            hints = Hints(self.max_hints, x, target, loss) if self.max_hints else NoHints()
            encoder, decoder = self._build(loss, *shapes, hints.n_channels)
            encoder.standardize(x)
            if activation == "identity" and not loss.from_logits:
                decoder.standardize(target)
                blocks = encoder.blocks(hints.drawn(x, target, loss))
                decoder.start_at_regression(blocks, target)
        n_components = encoder.eval()(x[:1])[-1].numel()
        if loss.takes_input:
            decoder = WithInput(decoder, encoder, x.shape[1])
        activation = loss.make_activation() or ACTIVATIONS[activation]()
        parts = encoder, LinearBottleneck(), decoder, activation
        module = ImageToImageModule(
            *parts,
            loss,
            hints=hints,
            has_missing=dataset.has_missing,
            cost=dataset.cost(parts),
            **self._parts_to_renew(dataset),
        )
        return module.eval(), n_components

    def _build(self, loss, input_shape, target_shape, n_hint_channels):
        """Return the encoder and the decoder."""
        output_shape = loss.output_shape(target_shape)
        kind = self._architecture if output_shape[1:] == target_shape[1:] else HalfSizeUNet
        architecture = kind(**self._parameters_of_the_architecture())
        parts = architecture.build(input_shape, output_shape, n_hint_channels)
        return [module.float() for module in parts]

    def _parts_to_renew(self, dataset):
        shapes = dataset.sample_shape, dataset.targets.sample_shape
        return {"augmentation": self._make_architecture().make_augmentation(*shapes)}

    def _check_fit(self, dataset):
        score = self._answers.r2(dataset.subsample(MAX_CHECKED))
        if score < 0:
            warn(
                f"{type(self).__name__} predicts worse than the mean image would (R2 "
                f"{score:.2f}). Try more max_epochs or another lr; check_baseline=False turns "
                "this check off.",
                PoorFitWarning,
            )

    @property
    def _answers(self):
        """The predictor that chooses answers as the parameters say now."""
        rng = check_random_state(self.random_state) if self.sample_colors else None
        choice = {"temperature": self.color_temperature, "rng": rng}
        return ChangedPredictor(self._predictor, partial(ImageToImageModule.choosing, **choice))

    def predict(self, X, hints=None):
        """Predict target images.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...) or list of arrays
            Images or signals, of any size. Large images pass through the net in tiles.
        hints : array-like of shape (n_samples, ...), list or None, default=None
            Given pixels of the predicted images, in their shape and units, with NaN in all other
            pixels, or a masked array. In a list, None stands for an image without hints. It
            needs a fit with ``max_hints``. The result has the given pixels; with
            ``loss="color_distribution"`` it has their hue and chroma.

        Returns
        -------
        y : ndarray of shape (n_samples, ...) or list of ndarray
            In the shape of ``y`` at fit, but of the size that belongs to X. Unsigned integers are
            rounded, and clipped to their range; other types are floats in the precision of X.

        Raises
        ------
        ValueError
            If X or the hints are invalid, or the fit was without ``max_hints``.
        """
        check_is_fitted(self)
        format, images, function = self._reader.targets.format, self._read_inputs(X), reconstruct
        if hints is not None:
            images, function = self._with_hints(images, hints), ImageToImageModule.hinted
        predicted = self._answers.map(function, images, format.tensor_shape)
        return like_input(format.in_frame(format.to_array(predicted)), X)

    def _with_hints(self, images, hints):
        """Return images with hints as their targets."""
        module = self.net_.module_
        if not module.hints.n_channels:
            raise ValueError(
                f"This {type(self).__name__} was fitted without hints. To give hints to predict, "
                "fit with max_hints=30, for instance, the most that an image gets in training."
            )
        return images.paired(read_hints(hints, images, self._reader, module.loss.target_range))

    def transform(self, X):
        """Encode images: return the smallest maps.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...) or list of arrays
            Images or signals.

        Returns
        -------
        Z : ndarray of shape (n_samples, `n_components_`) or list of ndarray
            Codes: float64 for float64 input, otherwise float32. Those of images of another size
            than in training are longer or shorter.
        """
        check_is_fitted(self)
        images = self._read_inputs(X)
        return like_input(self._predictor.map(_smallest_maps, images, (self.n_components_,)), X)

    def _read_inputs(self, X):
        dataset = self._reader.read_inputs(X, estimator=self)
        self._check_loss_range(dataset, "loss", IMAGE_LOSSES, "input_range")
        self._reader.inputs.warn_if_far(dataset)
        return dataset

    def score(self, X, y, sample_weight=None):
        """Return the fraction of variance predicted, R2 weighted by variance.

        Parameters
        ----------
        X, y : array-like of shape (n_samples, ...) or list of arrays
            Pairs of images or signals.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each pair.

        Returns
        -------
        score : float
            1 is perfect, 0 as good as the mean image; NaN, with a warning, for a single
            pair.
        """
        check_is_fitted(self)
        dataset = self._reader.read(X, y, sample_weight=sample_weight, estimator=self)
        self._check_ranges(dataset)
        return self._answers.score(dataset)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.multi_output = True
        return tags


def _n_values(dataset):
    """Return the number of values of an image or of its target, whichever has more."""
    return max(prod(part.sample_shape) for part in (dataset, dataset.targets))


def _smallest_maps(module, x, target):
    del target
    return module.smallest_maps(x).flatten(1)

"""Outlier scores of images and of pixels, and detectors that explain images by heat maps."""

import pickle

import numpy as np
import pytest
from joblib import parallel_config
from scipy.ndimage import gaussian_filter
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import skae
from skae import ConvAutoencoder, ImageOutlierScorer, ImageToImageRegressor, OutlierDetector
from skae._outliers.made_defects import make_defects
from skae._outliers.patch_distances import PatchDistances
from skae.metrics import pro_score

SIDE = 16
QUICK = {"max_epochs": 1, "check_baseline": False, "random_state": 0}


def make_textures(n, seed, n_defects=0):
    """Return waves with noise and shifts, and the pixels of a square that the first ones lack."""
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 6, (n, 1, 1))
    X = 0.5 + 0.3 * np.sin(np.arange(SIDE) + phase) + rng.normal(scale=0.03, size=(n, SIDE, SIDE))
    is_defect = np.zeros(X.shape, bool)
    for place, (row, column) in zip(is_defect, rng.integers(1, 11, (n_defects, 2)), strict=False):
        place[row : row + 4, column : column + 4] = True
    return np.where(is_defect, 0.5, X).clip(0, 1), is_defect


NORMAL, _ = make_textures(80, 0)
NEW, IS_DEFECT = make_textures(30, 1, 15)


@pytest.fixture(scope="module")
def scorer():
    return ImageOutlierScorer(n_damaged=300, random_state=0).fit(NORMAL)


@pytest.fixture(scope="module")
def detector():
    return OutlierDetector(ImageOutlierScorer(n_damaged=300), random_state=0).fit(NORMAL)


# Scores.


def test_defects_have_the_lowest_scores(scorer):
    pixels = scorer.score_pixels(NEW)
    assert pixels.shape == NEW.shape
    assert roc_auc_score(np.arange(30) >= 15, scorer.score_samples(NEW)) > 0.95
    assert roc_auc_score(IS_DEFECT.ravel(), -pixels.ravel()) > 0.95
    assert pro_score(IS_DEFECT, -pixels) > 0.85
    assert np.corrcoef(pixels.min((1, 2)), scorer.score_samples(NEW))[0, 1] > 0.9


def test_training_scores_are_like_those_of_new_images(scorer):
    new, _ = make_textures(80, 2)
    scores = np.r_[scorer.training_scores_, scorer.score_samples(new)]
    assert 0.3 < roc_auc_score(np.repeat([0, 1], 80), scores) < 0.7


def test_places_count_where_images_are_aligned():
    """Each place has a brightness of its own. An image with two of them swapped is unusual."""
    rng = np.random.default_rng(0)
    X = np.zeros((100, SIDE, SIDE))
    X[:, 2:6, 2:6] = 1
    X += rng.normal(scale=0.05, size=X.shape)
    model = ImageOutlierScorer(n_damaged=200, random_state=0).fit(X[:80])
    moved = np.roll(X[80:], 8, axis=(1, 2))
    assert model.score_samples(moved).max() < model.score_samples(X[80:]).min()


def test_bytes_channels_and_flat_rows_are_the_same_images():
    X = np.round(255 * NORMAL[:20]).astype(np.uint8)
    params = {"n_damaged": 20, "n_estimators": 1, "random_state": 0}
    expected = ImageOutlierScorer(**params).fit(X).score_pixels(X)
    floats = X / np.float32(255)
    for given, more in (
        (floats, {}),
        (floats[..., None], {}),
        (floats[:, None], {"channels_first": True}),
        (floats.reshape(20, -1), {"image_shape": (SIDE, SIDE)}),
        (list(floats), {}),
    ):
        found = ImageOutlierScorer(**params, **more).fit(given).score_pixels(given)
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_color_odd_and_large_images_give_maps_of_their_size():
    rng = np.random.default_rng(0)
    for shape in ((9, 17, 3), (40, 36)):
        X = rng.random((4, *shape))
        model = ImageOutlierScorer(n_damaged=4, n_estimators=1, random_state=0).fit(X)
        assert model.score_pixels(X).shape == (4, *shape[:2])


def test_the_same_seed_gives_the_same_scores(scorer, tmp_path):
    expected = scorer.score_pixels(NEW)
    np.testing.assert_array_equal(clone(scorer).fit(NORMAL).score_pixels(NEW), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(scorer)).score_pixels(NEW), expected)
    skae.save(scorer, tmp_path / "scorer.skae")
    np.testing.assert_array_equal(skae.load(tmp_path / "scorer.skae").score_pixels(NEW), expected)


def test_nets_of_your_own_and_fewer_images():
    net = ImageToImageRegressor((4,), loss="binary_cross_entropy", max_epochs=1, linear_filter=0)
    model = ImageOutlierScorer(net, n_damaged=10, max_samples=30, random_state=0).fit(NORMAL)
    assert [fitted.channels for fitted in model.estimators_] == [(4,), (4,)]
    assert len(model.sample_indices_) == len(model.training_scores_) == 30
    assert np.isfinite(model.score_samples(NEW)).all()


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        (lambda: ImageOutlierScorer().fit(NORMAL.reshape(80, -1)), "image_shape"),
        (lambda: ImageOutlierScorer().fit(NORMAL[:, :5]), "both sides need at least 8"),
        (lambda: ImageOutlierScorer().fit([NORMAL[0], NORMAL[0, :9]]), "Resize"),
        (lambda: ImageOutlierScorer(PCA()).fit(NORMAL), "ImageToImageRegressor"),
        (lambda: ImageOutlierScorer(ImageToImageRegressor()).fit(NORMAL), "binary_cross_entropy"),
        (lambda: ImageOutlierScorer(n_damaged=0).fit(NORMAL), "n_damaged"),
        (lambda: ImageOutlierScorer().fit(np.where(IS_DEFECT, np.nan, NEW)), r"X\[0\] holds nan"),
    ],
)
def test_bad_input(fit, message):
    with pytest.raises(ValueError, match=message):
        fit()


def test_images_of_another_size_than_at_fit(scorer):
    with pytest.raises(ValueError, match=r"the fit was on samples of shape \(16, 16\)"):
        scorer.score_samples(NEW[:, 1:])


def test_a_failed_fit_leaves_a_fitted_scorer_as_it_was(scorer):
    copy = pickle.loads(pickle.dumps(scorer))
    with pytest.raises(ValueError, match="both sides"):
        copy.fit(NORMAL[:, :5])
    np.testing.assert_array_equal(copy.score_samples(NEW), scorer.score_samples(NEW))


def test_constant_images_have_finite_scores():
    model = ImageOutlierScorer(n_damaged=10, random_state=0).fit(np.full((5, 8, 8), 0.1))
    assert np.isfinite(model.score_pixels(np.random.default_rng(0).random((2, 8, 8)))).all()


def test_images_that_are_far_out_have_low_scores(scorer):
    far = scorer.score_samples(1e6 * NEW[15:])
    assert np.isfinite(far).all()
    assert far.max() < scorer.score_samples(NEW[15:]).min()


def test_a_single_image_warns():
    with pytest.warns(skae.exceptions.PoorFitWarning, match="one sample"):
        ImageOutlierScorer(n_damaged=4, random_state=0).fit(NORMAL[:1])


# Parts of the scorer.


def test_made_defects_are_where_images_differ():
    images = np.random.default_rng(0).normal(size=(4, 3, 32, 24)).astype(np.float32)
    images = images + np.linspace(-2, 2, 24, dtype=np.float32)
    damaged, is_defect = make_defects(images, 200, np.random.RandomState(0))
    assert damaged.shape == (200, 3, 32, 24)
    assert is_defect.shape == (200, 32, 24)
    assert 0.15 < (~is_defect.any((1, 2))).mean() < 0.4  # about one in four
    assert 0.01 < is_defect.mean() < 0.2
    again, _ = make_defects(images, 200, np.random.RandomState(0))
    np.testing.assert_array_equal(damaged, again)
    whole = damaged[~is_defect.any((1, 2))]
    # But for the light, images without defects are those given.
    correlation = np.corrcoef(np.r_[whole, images].reshape(len(whole) + 4, -1))
    np.testing.assert_allclose(correlation[:-4, -4:].max(1), 1, rtol=1e-5)


def test_patches_that_are_rougher_than_usual_are_far():
    rng = np.random.default_rng(0)
    images = gaussian_filter(rng.normal(size=(40, 1, 32, 32)), 1, axes=(2, 3)).astype(np.float32)
    images /= images.std()
    new = images[:1].copy()
    new[:, :, 20:28, 20:28] += rng.normal(size=(8, 8)).astype(np.float32)
    distances = PatchDistances(images)
    assert distances.scales == [1, 2, 4]
    finest = distances.logs(new)[0, 0]
    assert finest[22:26, 22:26].min() > np.quantile(finest, 0.9)


# The detector.


def test_images_are_read_without_an_estimator():
    detector = OutlierDetector(random_state=0)
    assert isinstance(detector._original(0, NORMAL), ImageOutlierScorer)
    assert isinstance(detector._original(0, list(NORMAL)), ImageOutlierScorer)
    assert not isinstance(detector._original(0, NORMAL[0]), ImageOutlierScorer)
    with pytest.raises(ValueError, match="both sides need at least 8.*RecurrentAutoencoder"):
        detector.fit(NORMAL[:, :, :3])


def test_a_detector_finds_defects_and_shows_where(detector):
    labels = detector.predict(NEW)
    assert (labels[:15] == -1).mean() > 0.9
    assert (labels[15:] == 1).mean() > 0.8
    assert (detector.p_value(NEW[:15]) < 0.05).mean() > 0.9
    assert (detector.predict_fdr(NEW, 0.2)[:15] == -1).any()
    heat = detector.explain(NEW)
    assert heat.shape == NEW.shape
    assert heat.min() == 0
    assert roc_auc_score(IS_DEFECT.ravel(), heat.ravel()) > 0.9
    np.testing.assert_array_equal(
        detector.estimator_.training_scores_, detector.calibration_scores_
    )


def test_detectors_of_images_are_saved(detector, tmp_path):
    expected = detector.explain(NEW[:3])
    skae.save(detector, tmp_path / "detector.skae")
    for copy in (skae.load(tmp_path / "detector.skae"), pickle.loads(pickle.dumps(detector))):
        np.testing.assert_array_equal(copy.explain(NEW[:3]), expected)
        np.testing.assert_array_equal(copy.predict(NEW), detector.predict(NEW))


def test_folds_and_jobs():
    scorer = ImageOutlierScorer(n_damaged=20, n_estimators=1)
    with parallel_config(backend="threading"):
        scores = [
            OutlierDetector(scorer, cv=2, n_jobs=n_jobs, random_state=0)
            .fit(NORMAL[:20])
            .calibration_scores_
            for n_jobs in (None, 2)
        ]
    assert np.isfinite(scores[0]).all()
    np.testing.assert_array_equal(*scores)


def flat(X):
    return X.reshape(len(X), -1)


@pytest.mark.parametrize(
    ("estimator", "as_given"),
    [
        (ConvAutoencoder(4, **QUICK), np.asarray),
        (ConvAutoencoder(4, **QUICK), lambda X: np.repeat(X[..., None], 3, -1)),
        (ConvAutoencoder(4, channels_first=True, **QUICK), lambda X: X[:, None]),
        (ConvAutoencoder(4, image_shape=(SIDE, SIDE), **QUICK), flat),
        (
            make_pipeline(FunctionTransformer(np.sqrt), ConvAutoencoder(4, **QUICK)),
            np.asarray,
        ),
        (FrozenEstimator(ConvAutoencoder(4, **QUICK).fit(NORMAL)), np.asarray),
    ],
    ids=["gray", "color", "channels first", "flat", "pipeline", "frozen"],
)
def test_errors_of_autoencoders_are_heat_maps(estimator, as_given):
    spotted = NEW[15:].copy()
    spotted[:, 3:5, 3:5] = 1 - spotted[:, 3:5, 3:5]
    detector = OutlierDetector(estimator, random_state=0).fit(as_given(NORMAL))
    heat = detector.explain(as_given(spotted))
    assert heat.shape == spotted.shape
    assert np.isfinite(heat).all()


def test_errors_are_compared_with_those_of_normal_images_at_the_same_place():
    """A stripe that is noisy in normal images is not unusual, while less noise elsewhere is."""

    class Errors(BaseEstimator):
        def fit(self, X, y=None):
            return self

        def score_samples(self, X):
            return -np.asarray(X).mean((1, 2))

        def score_pixels(self, X):
            return -np.log(np.asarray(X) + 1e-9)

    rng = np.random.default_rng(0)
    X = rng.exponential(size=(200, SIDE, SIDE))
    X[:, :, :4] *= 100
    detector = OutlierDetector(Errors()).fit(X[:150])
    X[150:, 8, 8] = 50  # less than the noise of the stripe
    heat = detector.explain(X[150:])
    assert (heat.reshape(50, -1).argmax(1) == 8 * SIDE + 8).mean() > 0.4
    assert heat[:, :, :4].mean() < 2 * heat[:, :, 10:].mean()


def test_tables_of_images_are_refused(detector):
    for method in (detector.nearest_normal, detector.report):
        with pytest.raises(ValueError, match=r"of tables, and X holds images. explain\(X\)"):
            method(NEW)
    with pytest.raises(ValueError, match="return_expected is for tables"):
        detector.explain(NEW, return_expected=True)


def test_an_estimator_without_scores_of_pixels_explains_no_images():
    detector = OutlierDetector(make_pipeline(FunctionTransformer(flat), PCA(3))).fit(NORMAL)
    with pytest.raises(ValueError, match=r"ImageOutlierScorer\(\)"):
        detector.explain(NEW)
    with pytest.raises(TypeError, match=r"PCA does not say which pixels.*ImageOutlierScorer\(\)"):
        OutlierDetector(detector.estimator).fit(NORMAL[..., None]).explain(NEW[..., None])

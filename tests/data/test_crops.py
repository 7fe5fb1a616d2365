import numpy as np
import pytest
import torch

from skae._data.crops import size_of_crops
from skae._data.image_pairs import ImagePairReader
from skae._data.read_images import ImageReader


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images_of(*sizes, dtype="uint8"):
    """Return images whose values are all different, as far as a type has them."""
    values = np.arange(sum(h * w for h, w in sizes)).astype(dtype)
    pieces = np.split(values, np.cumsum([h * w for h, w in sizes])[:-1])
    return [piece.reshape(size) for piece, size in zip(pieces, sizes, strict=True)]


def crops_of(images, crop_size, **params):
    reader = ImageReader(crop_size=crop_size, takes_any_size=True, **params)
    _, dataset = reader.learn(images)
    return dataset.in_training()


def drawn(dataset, seed=0):
    """Return all crops of an epoch."""
    return torch.cat(
        [
            dataset.get_batch(which, torch.float32)[0]
            for which, _ in dataset.batches(4, generator(seed))
        ]
    )


def is_piece(crop, image):
    windows = np.lib.stride_tricks.sliding_window_view(image, crop.shape)
    return bool((windows == crop).all((2, 3)).any())


def test_crops_are_pieces_of_the_images():
    images = images_of((13, 9), (8, 17), dtype="float32")
    for crops in (drawn(crops_of(images, 6)), drawn(crops_of(images, (8, 9)))):
        for crop in crops.numpy()[:, 0]:
            assert any(is_piece(crop, image) for image in images)


def test_every_epoch_has_other_crops_and_a_seed_the_same():
    dataset, source = crops_of(images_of((40, 30), (20, 25)), 8), generator()
    first, second = (
        np.concatenate([which for which, _ in dataset.batches(4, source)]) for _ in "ab"
    )
    assert not np.array_equal(first, second)
    assert torch.equal(drawn(dataset), drawn(dataset))


def test_an_epoch_has_about_as_many_pixels_as_the_images():
    images = images_of((70, 90), (33, 41), (130, 62))
    dataset = crops_of(images, 16)
    n_pixels = sum(image.size for image in images)
    assert len(dataset) * 16**2 == pytest.approx(n_pixels, rel=0.1)
    assert len(drawn(dataset)) == len(dataset)


def test_images_are_drawn_by_their_area():
    dataset = crops_of(images_of((20, 20), (80, 60)), 2)
    places = np.concatenate([which for which, _ in dataset.batches(32, generator())])
    assert np.mean(places[:, 0] == 0) == pytest.approx(400 / 5200, abs=0.03)
    starts = places[places[:, 0] == 1, 1:]
    assert starts.min(0).tolist() == [0, 0]
    assert starts.max(0).tolist() == [78, 58]
    np.testing.assert_allclose(starts.mean(0), [39, 29], rtol=0.06)


def test_images_stay_as_they_are_in_memory():
    images = images_of((40, 30), (20, 25))
    dataset = crops_of(images, 8)
    for i, image in enumerate(images):
        assert np.shares_memory(dataset.images.image(i), image)
    x, _ = dataset.get_batch(slice(0, 2), torch.float32)
    assert x.dtype == torch.float32
    assert x.max() <= 1


def test_channels_weights_and_labels_go_along(rng):
    images = [rng.random((3, 20, 14)), rng.random((3, 12, 30))]
    reader = ImageReader(channels_first=True, crop_size=10)
    _, dataset = reader.learn(images, sample_weight=[1.0, 3.0])
    dataset = dataset.in_training()
    for which, _ in dataset.batches(4, generator()):
        x, weight = dataset.get_batch(which, torch.float64)
        assert x.shape[1:] == (3, 10, 10)
        np.testing.assert_allclose(weight, np.where(which[:, 0] == 0, 0.5, 1.5))
        for crop, (i, *start) in zip(x.numpy(), which, strict=True):
            place = [slice(n, n + 10) for n in start]
            np.testing.assert_array_equal(crop, images[i][:, *place])


@pytest.mark.parametrize("scale", [2, 3])
def test_pairs_have_crops_of_the_same_places(scale):
    small = images_of((20, 24), (31, 17), dtype="float32")
    large = [image.repeat(scale, 0).repeat(scale, 1) for image in small]
    for X, y, crop in ((small, large, 6), (large, small, 6 * scale)):
        reader = ImagePairReader(ImageReader(crop_size=crop))
        _, dataset = reader.learn(X, y, estimator=None)
        dataset = dataset.in_training()
        for which, _ in dataset.batches(4, generator()):
            x, target = (
                part.get_batch(which, torch.float32)[0] for part in (dataset, dataset.targets)
            )
            less, more = sorted((x, target), key=torch.numel)
            assert torch.equal(less.repeat_interleave(scale, 2).repeat_interleave(scale, 3), more)


def test_the_default_size():
    def size(images, crop_size="auto", auto_sides=(512, 64), **how):
        _, dataset = ImageReader(crop_size=crop_size, takes_any_size=True).learn_whole(images)
        return size_of_crops(crop_size, dataset, "X", auto_sides, **how)

    zeros = np.zeros
    assert size([zeros((90, 100)), zeros((80, 200))]) == (64, 64)
    assert size([zeros((90, 100)), zeros((39, 200))]) == (32, 32)
    assert size([zeros((90, 100)), zeros((9, 200))]) == (9, 9)
    assert size([zeros((90, 100)), zeros((80, 200))], auto_sides=(512, 32)) == (32, 32)
    assert size([zeros(900), zeros(800)]) == (512,)
    assert size(zeros((3, 90, 100))) is None
    assert size(zeros((3, 90, 100)), most_pixels=9000) is None
    assert size(zeros((3, 90, 100)), most_pixels=8999) == (64, 64)
    assert size(zeros((3, 90, 100)), 64) == (64, 64)
    assert size(zeros((3, 90, 100)), (64, 32)) == (64, 32)


def test_the_largest_value_is_found_in_the_image():
    images = images_of((40, 30), (20, 25), dtype="float64")
    images[1][7, 19] = 1e9
    largest = crops_of(images, (20, 25)).largest()
    assert largest.size == 1e9
    assert largest.where == "X[1] at (7, 19)"

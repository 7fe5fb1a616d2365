"""Digests of data sets, by which it is seen whether two are the same."""

from hashlib import blake2b

from skae._data.dataset import Dataset


def digests(dataset):
    """Return a text for each part of a data set, the same for samples that a net sees as equal.

    Parameters
    ----------
    dataset : Dataset

    Returns
    -------
    dict of str to str
        Of the samples, and of what there is beside them: targets or labels ("y"), conditions and
        weights.
    """
    hashers = {}
    for which in dataset.spans():
        place = str(which) if isinstance(which, slice) else str(which.tolist())
        for name, tensor in _parts(dataset, which):
            hasher = hashers.setdefault(name, blake2b(digest_size=16))
            hasher.update(f"{place} {tensor.dtype} {tuple(tensor.shape)}".encode())
            hasher.update(tensor.contiguous().numpy())
    return {name: hasher.hexdigest() for name, hasher in hashers.items()}


def _parts(dataset, which):
    """Yield the parts of some samples and their names."""
    x, weight = dataset.get_batch(which, dataset.dtype)
    yield "X", x
    if weight is not None:
        yield "sample_weight", weight
    if isinstance(dataset.targets, Dataset) and dataset.targets is not dataset:
        yield "y", dataset.targets.get_batch(which, dataset.dtype)[0]
    if dataset.n_conditions:
        yield "condition", dataset.get_labels(which)
    elif dataset.labels is not None:
        yield "y", dataset.get_labels(which)[..., 0]  # beside weights

"""Autoencoder with long codes of which few units are active."""

from math import prod

import numpy as np
from scipy import sparse
from sklearn import get_config

from skae._estimators.base import BaseAutoencoder
from skae._estimators.fitted import MAX_DESCRIBED_ROWS
from skae._estimators.parameters import ArchitectureParameters, LossParameters, estimator
from skae._estimators.predictor import encode
from skae._params import StrOptions, integer, real
from skae.bottlenecks import KLSparseBottleneck, L1Bottleneck, TopKBottleneck


@estimator
class SparseAutoencoder(LossParameters, ArchitectureParameters, BaseAutoencoder):
    """Autoencoder whose codes are long, with few units active in each row.

    Each row is described by a few units out of many. The units are useful features for linear
    classifiers, for interpretation, and for feature selection. There may be more units than
    columns.

    Read more in the :ref:`User Guide <sparse>`.

    Parameters
    ----------
    n_components : int or "auto", default="auto"
        Length of the code. "auto" is twice the number of features.
    sparsity : {"topk", "l1", "kl"}, default="topk"
        How units are kept inactive. "topk" keeps the ``k`` largest of each row and sets
        the others to zero [2]_. "l1" adds the sum of the units, which are rectified, to
        the loss. "kl" keeps the mean activation of each unit, which is a sigmoid's,
        near ``target_activation`` [3]_; such units are small, not zero. To avoid dead units,
        training starts with an encoder that is the transpose of the decoder
        [4]_, if the architecture allows it.
    k : int or "auto", default="auto"
        Number of units that are not zero, for "topk". "auto" is the square root of the
        number of features.
    sparsity_weight : float, default=1e-2
        Weight of the penalty in the loss, for "l1" and "kl".
    target_activation : float, default=0.05
        Target for the mean activation of each unit, in (0, 1), for "kl".
    sparse_output : bool, default=False
        Whether ``transform`` returns a SciPy sparse matrix.
    <loss>
    <output_activation>
    <architecture>
    <training>

    Attributes
    ----------
    feature_importances_ : ndarray of shape (`n_features_in_`,)
        Fraction of each feature in the variance that the active units explain through the
        decoder, in the held-out rows if there are any; for
        `~sklearn.feature_selection.SelectFromModel`. It is high for columns that depend on
        others, as few units describe them. It is low for columns of noise, if there are fewer
        active units than columns and no hidden layers that memorize rows. The sum is 1. For
        images, it has their shape.
    mean_active_ : float
        Mean number of active units in a training row. Active units are not zero; for "kl",
        they are above twice ``target_activation``.
    dead_fraction_ : float
        Fraction of the units that are active in no training row.
    explained_variance_ : float
        Fraction of the variance of the training rows that is reconstructed.
    <fitted>

    See Also
    --------
    Autoencoder : Short codes without zeros.
    sklearn.decomposition.DictionaryLearning : Sparse codes of a linear decoder, found by
        optimization for each row.

    Notes
    -----
    The fitted statistics are computed from at most 100,000 training rows; after
    ``partial_fit``, from those of the last call.

    References
    ----------
    <schedules>
    .. [2] A. Makhzani and B. Frey, "k-sparse autoencoders", 2013. :arxiv:`1312.5663`
    .. [3] A. Ng, "Sparse autoencoder", CS294A lecture notes, Stanford, 2011.
    .. [4] L. Gao et al., "Scaling and evaluating sparse autoencoders", ICLR 2025.
       :arxiv:`2406.04093`

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import SparseAutoencoder
    >>> X = load_digits().data / 16
    >>> model = SparseAutoencoder(100, k=8, sparse_output=True, random_state=0).fit(X)
    >>> codes = model.transform(X)
    >>> codes.shape, codes.nnz / len(X)
    ((1797, 100), 8.0)
    >>> model.dead_fraction_ < 0.1
    True
    """

    sparsity: str = "topk"
    k: int | str = "auto"
    sparsity_weight: float = 1e-2
    target_activation: float = 0.05
    sparse_output: bool = False

    _parameter_constraints = {
        "sparsity": [StrOptions({"topk", "l1", "kl"})],
        "k": [integer(1), StrOptions({"auto"})],
        "sparsity_weight": [real(0)],
        "target_activation": [real(0, 1, closed="neither")],
        "sparse_output": ["boolean"],
    }

    def transform(self, X):
        """Encode the rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        Z : {ndarray, sparse matrix} of shape (n_samples, n_components)
            Codes: float32 for float32 input, otherwise float64. With ``sparse_output``
            a CSR matrix, or array if scikit-learn's ``sparse_interface`` says so.
        """
        if not self.sparse_output:
            return super().transform(X)
        dataset, blocks, places = self._read_new(X), [], []
        with self._predictor.inference(dataset) as (module, chunks):
            for which, x, target, _ in chunks:
                places.append(np.arange(len(dataset))[which])
                codes = self._predictor.finite(encode, module, x, target)
                blocks.append(sparse.csr_array(codes.cpu().numpy()))
        codes = sparse.vstack(blocks, format="csr")[np.argsort(np.concatenate(places))]
        is_array = get_config()["sparse_interface"] == "sparray"
        return codes if is_array else sparse.csr_matrix(codes)

    def _auto_n_components(self, n_features):
        return 2 * n_features

    def _make_bottleneck(self, n_components, sample_shape):
        if self.sparsity == "l1":
            return L1Bottleneck(self.sparsity_weight)
        if self.sparsity == "kl":
            return KLSparseBottleneck(self.target_activation, self.sparsity_weight)
        k = max(1, round(prod(sample_shape) ** 0.5)) if self.k == "auto" else int(self.k)
        if k > n_components and self.k != "auto":
            raise ValueError(
                f"k={k} units cannot be active in a code of n_components={n_components}. "
                "Choose a smaller k or more components."
            )
        return TopKBottleneck(min(k, n_components))

    @property
    def _n_comparable_components(self):
        return max(1, round(self.mean_active_))

    def _describe(self, dataset, validation):
        super()._describe(dataset, validation)
        sample = dataset.subsample(MAX_DESCRIBED_ROWS)
        n_active = np.zeros(self.n_components_)  # rows that each unit is active in

        def count(module, code):
            n_active[:] += module.bottleneck.is_active(code).sum(0).cpu().numpy()

        residual, total = self._predictor.squares(sample, count)
        self.mean_active_ = float(n_active.sum() / len(sample))
        self.dead_fraction_ = float((n_active == 0).mean())
        self.explained_variance_ = sample.explained(residual, total)
        if validation is not None:  # where memorized noise explains nothing
            residual, total = self._predictor.squares(validation.subsample(MAX_DESCRIBED_ROWS))
        explained = np.maximum(total - residual, 0)
        # If nothing is explained, all features are equally unimportant.
        explained = explained if explained.any() else np.ones_like(explained)
        importances = explained / explained.sum()
        self.feature_importances_ = self._reader.format.sample_to_user_axes(importances)

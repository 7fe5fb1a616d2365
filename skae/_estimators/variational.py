"""Autoencoder with a distribution over codes, from which new rows can be drawn."""

from dataclasses import replace
from math import inf
from numbers import Integral

import numpy as np
import torch
from sklearn.utils import check_array, check_random_state, check_scalar
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skae._data.given import as_data, like_input
from skae._data.given_cells import in_single_precision, read_given
from skae._data.tables import TableReader
from skae._estimators.base import BaseAutoencoder
from skae._estimators.code_prior import MixturePrior
from skae._estimators.conditional import Conditional, given_condition
from skae._estimators.fitted import MAX_DESCRIBED_ROWS
from skae._estimators.parameters import ArchitectureParameters, estimator
from skae._estimators.predictor import encode
from skae._estimators.unlikely_cells import warn_if_unlikely
from skae._modules.conditional import ConditionalTableModule, ConditionalVariationalModule
from skae._modules.table_generation import TableVariationalModule
from skae._modules.variational import VariationalModule
from skae._params import StrOptions, integer, real
from skae._runtime import TorchGenerators, make_generator, threads
from skae.architectures._tabular import Tabular
from skae.architectures._training_defaults import ROWS_BUDGET
from skae.bottlenecks import GaussianBottleneck
from skae.exceptions import PosteriorCollapseWarning, warn
from skae.losses._likelihoods import LIKELIHOODS, GaussianLikelihood
from skae.losses._table_likelihood import TableLikelihood

#: Draws of the code for each row, for the evidence lower bound.
N_SCORE_DRAWS = 32

#: All values of the parameter, by which ranges of values are checked.
ALL_LIKELIHOODS = LIKELIHOODS | {"auto": GaussianLikelihood, "mixture": TableLikelihood}

#: The modules of models: whether cells of tables are drawn, and whether there is a condition.
MODULES = {
    (False, False): VariationalModule,
    (False, True): ConditionalVariationalModule,
    (True, False): TableVariationalModule,
    (True, True): ConditionalTableModule,
}

#: A unit is active if its posterior mean varies more than this over the rows.
MIN_ACTIVITY = 0.01


@estimator
class VariationalAutoencoder(Conditional, ArchitectureParameters, BaseAutoencoder):
    """Autoencoder with a distribution over codes, from which new rows can be drawn.

    The encoder gives a normal distribution over codes for each row, which training keeps
    near the standard normal distribution; the decoder gives a distribution over rows for
    each code. Together they model the density of the data, and training maximizes a lower
    bound of it [2]_. ``transform`` returns the mean of a row's codes.

    With ``likelihood="gaussian"`` and the default architecture, training starts at
    probabilistic PCA, the linear model of this kind.

    Read more in the :ref:`User Guide <variational>`.

    Parameters
    ----------
    n_components : int or "auto", default="auto"
        Length of the code. "auto" is the square root of the number of features.
    likelihood : {"auto", "gaussian", "bernoulli", "mixture"}, default="auto"
        Distribution of a feature given the code. "gaussian" is for measurements,
        "bernoulli" for ones and zeros; it also takes values between them. "mixture" is for tables:
        each number has a mixture of logistic distributions of its quantiles, so that rows that
        are drawn have the values that the column can hold, and cells are drawn one after the
        other, each given those before [8]_. "auto" is "mixture" for the architecture
        "tabular", otherwise "gaussian".
    noise_variance : float or "learned", default="learned"
        Variance of the Gaussian likelihood, the same for all features. "learned" balances
        reconstruction and prior by the data.
    beta : float, default=1.0
        Weight of the divergence of codes from the prior [3]_. Larger values give codes
        that are more independent, but less informative. With 0, codes are not drawn in training,
        and the model is a plain autoencoder.
    kl_warmup : float, default=0.0
        Fraction of the training, in [0, 1], over which the weight of the divergence rises
        from 0 to ``beta``. It helps if the posterior collapses.
    free_bits : float, default=0.0
        Divergence of each unit, in nats on average over a batch, that costs nothing
        [4]_. It also helps if the posterior collapses.
    n_importance_samples : int, default=1
        Draws of the code for each row in training. With more than one the bound is the
        importance-weighted one, which is tighter [5]_, and an epoch takes longer.
    tc_weight : float, default=1.0
        Weight of the total correlation of the units, a part of the divergence, relative to its
        other parts [6]_: more of it gives units that are more independent of each other, at
        less cost to what they tell of a row than a larger ``beta``.
    prior : {"auto", "normal", "mixture"}, default="auto"
        Distribution that ``sample`` draws codes from. "normal" is the standard normal
        distribution, the prior of the training. "mixture" is a mixture of normal distributions
        that is fitted after the training, to codes of at most 10,000 training samples [7]_, and
        one for each category of a condition: it helps where codes are not distributed as the
        prior, such as with a ``beta`` below 1. "auto" is "mixture" for tables, and for models that
        are fitted with a condition, else and after ``partial_fit`` "normal". Scores do not depend
        on it.
    <architecture>
    <training>

    Attributes
    ----------
    n_active_units_ : int
        Number of units whose posterior mean has a variance above 0.01 over the training
        rows [5]_. The others carry no information on a row.
    noise_variance_ : float
        Variance of the Gaussian likelihood. Only for ``likelihood="gaussian"``.
    prior_ : object or None
        The fitted mixtures, None if codes are drawn from the standard normal distribution.
    <fitted>

    See Also
    --------
    Autoencoder : Codes without a distribution.
    sklearn.decomposition.PCA : Probabilistic PCA is the linear special case; ``PCA`` has
        its exact likelihood.
    sklearn.mixture.GaussianMixture : Another density model, which can also be fitted to codes.

    References
    ----------
    <schedules>
    .. [2] D. P. Kingma and M. Welling, "Auto-encoding variational Bayes", ICLR 2014.
       :arxiv:`1312.6114`
    .. [3] I. Higgins et al., "beta-VAE: learning basic visual concepts with a constrained
       variational framework", ICLR 2017.
    .. [4] D. P. Kingma et al., "Improved variational inference with inverse
       autoregressive flow", NIPS 2016. :arxiv:`1606.04934`
    .. [5] Y. Burda, R. Grosse and R. Salakhutdinov, "Importance weighted autoencoders",
       ICLR 2016. :arxiv:`1509.00519`
    .. [6] R. T. Q. Chen, X. Li, R. Grosse and D. Duvenaud, "Isolating sources of
       disentanglement in variational autoencoders", NeurIPS 2018. :arxiv:`1802.04942`
    .. [7] P. Ghosh et al., "From variational to deterministic autoencoders", ICLR 2020.
       :arxiv:`1903.12436`
    .. [8] B. Uria, I. Murray and H. Larochelle, "A deep and tractable density estimator",
       ICML 2014. :arxiv:`1310.1757`

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import VariationalAutoencoder
    >>> X = load_digits().data / 16
    >>> model = VariationalAutoencoder(8, likelihood="bernoulli", random_state=0).fit(X)
    >>> model.n_active_units_ > 4
    True
    >>> model.sample(3).shape
    (3, 64)
    """

    likelihood: str = "auto"
    noise_variance: float | str = "learned"
    beta: float = 1.0
    kl_warmup: float = 0.0
    free_bits: float = 0.0
    n_importance_samples: int = 1
    tc_weight: float = 1.0
    prior: str = "auto"

    _parameter_constraints = {
        "likelihood": [StrOptions(set(ALL_LIKELIHOODS))],
        "noise_variance": [real(0, closed="neither"), StrOptions({"learned"})],
        "beta": [real(0)],
        "kl_warmup": [real(0, 1, closed="both")],
        "free_bits": [real(0)],
        "n_importance_samples": [integer(1)],
        "tc_weight": [real(0)],
        "prior": [StrOptions({"auto", "normal", "mixture"})],
    }
    _loss_parameter, _losses = "likelihood", ALL_LIKELIHOODS
    _net_parameters = ("n_components", "likelihood", "noise_variance")

    def _without_effect(self):
        reasons = super()._without_effect()
        if self._likelihood != "gaussian":
            reasons["noise_variance"] = f"likelihood={self._likelihood!r}"
        if self.beta == 0:
            reasons |= dict.fromkeys(("kl_warmup", "free_bits", "tc_weight"), "beta=0")
        return reasons

    def transform(self, X, return_std=False, *, condition=None, to=None):
        """Encode the rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        return_std : bool, default=False
            Whether to return the standard deviations of the codes, too.
        condition : array-like, dict or scalar or None, default=None
            Condition of the samples, if ``fit`` was given one: one row for each, or one for all.
            A dict holds one row. None takes the columns of X, if ``fit`` was given names of
            columns.
        to : array-like, dict or scalar or None, default=None
            Another condition, in the same forms, that the samples are brought to first, as
            ``reconstruct`` does: the codes of all are then made under one condition.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Mean of each row's posterior distribution.
        Z_std : ndarray of shape (n_samples, n_components)
            Standard deviations of the posterior distribution. Only if ``return_std``.
        """
        if to is not None:
            X, condition = self.reconstruct(X, condition=condition, to=to), to
        given, X, _ = self._given(X, condition)
        mean = super(Conditional, given).transform(X)
        if not return_std:
            return mean
        dataset = given._reader.read(X, estimator=given)
        return mean, like_input(self._predictor.map(_code_std, dataset, (self.n_components_,)), X)

    @given_condition
    def score_samples(self, X):
        """Score rows by a lower bound on their log-likelihood.

        It is the evidence lower bound or, with ``n_importance_samples`` above 1, the
        importance-weighted bound. The codes that it is computed from are drawn only
        once, so the same row always has the same score.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Bound for each row, in nats. The higher, the more normal.
        """
        return super().score_samples(X)

    def _read_targets(self, X):
        dataset = super()._read_targets(X)
        if self._has_other_sizes(dataset):
            raise ValueError(
                f"{type(self).__name__} scores images of the size of the training alone, "
                f"{self._reader.format.image_shape}, as it draws codes of one length. "
                "reconstruction_errors takes images of any size."
            )
        return dataset

    def _score_function(self):
        n_draws = self.n_importance_samples
        if n_draws == 1:
            return _bound_of(VariationalModule.elbo, self._balanced_noise())
        noise = self._noise(n_draws * max(1, N_SCORE_DRAWS // n_draws))

        def mean_bound(module, x, noise):
            bounds = [module.log_likelihood(x, some) for some in noise.split(n_draws)]
            return torch.stack(bounds).mean(0)

        return _bound_of(mean_bound, noise)

    @given_condition
    def elbo(self, X):
        """Return the evidence lower bound of each row.

        The divergence from the prior is exact, the expected log-likelihood a mean over at
        least 32 codes. The same draws are used for each row, and they are balanced:
        the mean is exact if the log-likelihood is a quadratic function of the code.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        elbo : ndarray of shape (n_samples,)
            In nats.
        """
        return self._bounds(VariationalModule.elbo, X, self._balanced_noise())

    @given_condition
    def log_likelihood(self, X, n_samples=500):
        """Estimate the log-likelihood of each row by importance sampling.

        The estimate is a lower bound on average, and rises to the log-likelihood with
        the number of samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        n_samples : int, default=500
            Codes to draw for each row. The literature uses 5,000.

        Returns
        -------
        log_likelihood : ndarray of shape (n_samples,)
            In nats.

        Raises
        ------
        TypeError, ValueError
            If ``n_samples`` is not an integer of at least 1.
        """
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        return self._bounds(VariationalModule.log_likelihood, X, self._noise(int(n_samples)))

    def _noise(self, n_draws):
        """Draw the same numbers for every call, in pairs of opposite sign: some errors cancel.

        Returns
        -------
        tensor of shape (n_draws, 1, n_components_)
        """
        check_is_fitted(self)
        generator = torch.Generator().manual_seed(self._score_seed)
        shape = -(-n_draws // 2), 1, self.n_components_
        noise = torch.randn(shape, generator=generator, dtype=torch.float64)
        return torch.cat([noise, -noise])[:n_draws]

    def _balanced_noise(self):
        """Draw numbers whose second moments are those of the distribution.

        Returns
        -------
        tensor of shape (n_draws, 1, n_components_)
        """
        check_is_fitted(self)
        n_pairs = max(N_SCORE_DRAWS // 2, self.n_components_ + 8)
        half = self._noise(2 * n_pairs)[:n_pairs, 0]
        with threads(n_multiplications=0):
            # Without this, an error of the same size in all rows would not average out.
            half = half @ torch.linalg.cholesky(half.T @ half / n_pairs).inverse().T
        return torch.cat([half, -half])[:, None]

    def _bounds(self, bound, X, noise):
        function = _bound_of(bound, noise)
        return like_input(self._predictor.map(function, self._read_targets(X), (), nan=-inf), X)

    def sample(
        self,
        n_samples=None,
        *,
        conditions=None,
        density=None,
        noise=True,
        lengths=None,
        random_state=None,
    ):
        """Draw new rows.

        Parameters
        ----------
        n_samples : int or None, default=None
            Number of rows. None draws one for each of the conditions, or one if there are none.
        conditions : array-like, dict or scalar or None, default=None
            Conditions to draw for, if ``fit`` was given one: one row for each new row, or one for
            all. A dict holds one row. Of a table that was fitted without a condition, any columns
            can be given, by a DataFrame or a dict; the other cells are drawn. Missing cells
            are not given.
        density : object with ``sample`` or None, default=None
            Distribution to draw codes from, fitted to codes of ``transform``, such as
            `~sklearn.mixture.GaussianMixture` or `~sklearn.neighbors.KernelDensity`.
            None is the prior.
        noise : bool, default=True
            Whether to draw from the likelihood, as the model assumes for the data. If not,
            the rows are the expected values given their codes, which look better for images.
        lengths : int, array-like of int of shape (n_samples,) or None, default=None
            For sequences, how many steps to draw, as for ``inverse_transform``.
        random_state : int, RandomState instance or None, default=None
            Source of randomness. None is the estimator's ``random_state``. A density
            uses its own.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features)
            In the precision of the training rows, and a DataFrame if these were one.

        Raises
        ------
        TypeError
            If ``n_samples`` is not an integer, or the density has no method ``sample``.
        ValueError
            If ``n_samples`` is less than 1, if the density does not return codes, or if a
            condition was not seen in ``fit``.
        """
        if conditions is not None and self._draws_cells and self._condition_reader is None:
            if density is not None or not noise:
                raise ValueError(
                    "density and noise=False are for rows that are drawn from their code alone: "
                    "leave them out with conditions, by which the cells of a table are drawn."
                )
            return self._sample_given(n_samples, conditions, random_state)
        given, conditions = self._given_codes(conditions, "conditions")
        if n_samples is None:
            n_samples = 1 if conditions is None else len(conditions)
        rows = given._sample(n_samples, density, noise, lengths, random_state)
        return self._joined(rows, conditions)

    def _sample(self, n_samples, density, noise, lengths, random_state):
        rng = self._source(random_state)
        dtype = np.float32 if self._draws_cells else self._reader.dtype  # it takes many steps
        codes = self._draw_codes(n_samples, density, rng).astype(dtype)
        generator, drawing = self._drawing(rng, codes.dtype)

        def draw(module, code, target):
            with drawing():
                if noise:
                    return module.sample(code, target, generator)
                return module.decode(code, target)

        nan = np.nan if self._draws_cells else None  # which are missing cells
        return self._reader.format.in_frame(self._decode(draw, codes, lengths, nan=nan, rng=rng))

    def _source(self, random_state):
        return check_random_state(self.random_state if random_state is None else random_state)

    def _drawing(self, rng, dtype):
        """Return a generator for draws of a module of a precision, and a context of drawing."""
        _, device = self._predictor.module_for(torch.from_numpy(np.empty(0, dtype)).dtype)
        seed = rng.randint(np.iinfo(np.int32).max)
        drawing = self.net_.drawing(TorchGenerators(seed, device))
        return make_generator(seed, device), drawing

    # Cells of tables.

    @property
    def _draws_cells(self):
        """Whether cells of tables are drawn one after the other."""
        return self._likelihood == "mixture"

    def _sample_given(self, n_samples, conditions, random_state):
        """Return rows of a table of which some cells are given."""
        check_is_fitted(self)
        if n_samples is not None:
            n_samples = int(check_scalar(n_samples, "n_samples", Integral, min_val=1))
        rows = read_given(self._reader, conditions, n_samples)
        warn_if_unlikely(self._predictor, rows)
        return self._drawn(rows, self._source(random_state))

    def _drawn(self, rows, rng, *, with_missing=True):
        """Return rows of a table whose missing cells are drawn."""
        generator, drawing = self._drawing(rng, np.float32)

        def draw(module, x, target):
            del target
            with drawing():
                drawn = module.draw_missing(x, generator, with_missing=with_missing)
            return drawn[..., None]  # of the shape of x, results would be missing where x is

        output = self._predictor.map(draw, rows, (*rows.sample_shape, 1), nan=np.nan)[..., 0]
        return rows.format.in_frame(rows.format.to_array(output, rng=rng))

    def _drawn_given(self, dataset, rng):
        """Return rows of a table without missing cells, drawn given the known cells of others."""
        if self._draws_cells:
            return self._drawn(in_single_precision(dataset), rng, with_missing=False)
        shape = (self.n_components_,)
        mean, std = (self._predictor.map(part, dataset, shape) for part in (encode, _code_std))
        codes = mean + std * rng.standard_normal(mean.shape)
        return self._sample(
            len(codes), _GivenCodes(codes), noise=True, lengths=None, random_state=rng
        )

    @available_if(lambda self: self._reader_class is TableReader)
    def draw_imputations(self, X, n_imputations=5, *, condition=None, random_state=None):
        """Draw several completed tables, for multiple imputation [1]_.

        With the likelihood "mixture" the missing cells of a row are drawn one after the other, each
        given the known ones and those drawn before; with others all at once, given a code that is
        drawn. This method needs an architecture for tables.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows, with NaN, None or NA where a cell is missing.
        n_imputations : int, default=5
            Number of tables.
        condition : array-like, dict or scalar or None, default=None
            Condition of the samples, if ``fit`` was given one, as for ``transform``.
        random_state : int, RandomState instance or None, default=None
            Source of randomness. None is the estimator's ``random_state``.

        Returns
        -------
        tables : list of DataFrame or ndarray of shape (n_samples, n_features)
            The tables, in the type of X. Known cells are as they are in X.

        Raises
        ------
        TypeError, ValueError
            If ``n_imputations`` is not an integer of at least 1, or X cannot be read.

        References
        ----------
        .. [1] D. B. Rubin, "Multiple imputation for nonresponse in surveys", Wiley, 1987.
        """
        check_scalar(n_imputations, "n_imputations", Integral, min_val=1)
        given, rows, conditions = self._given(as_data(X), condition)
        dataset = given._reader.read(rows, estimator=given)
        rng = self._source(random_state)
        tables = []
        for _ in range(int(n_imputations)):
            drawn = given._drawn_given(dataset, rng)
            completed = self._joined(dataset.format.complete(rows, drawn), conditions)
            tables.append(like_input(completed, X))
        return tables

    def _draw_codes(self, n_samples, density, rng):
        n_samples = int(check_scalar(n_samples, "n_samples", Integral, min_val=1))
        prior = vars(self).get("prior_")  # an older file has none
        if density is None and prior is not None:
            conditions = self._reader.conditions
            conditions = conditions and conditions.for_samples(n_samples)
            return prior.sample(n_samples, rng, conditions)
        if density is None:
            return rng.standard_normal((n_samples, self.n_components_))
        if isinstance(density, type) or not hasattr(density, "sample"):
            raise TypeError(
                "density must be a fitted distribution with a method sample, such as "
                f"GaussianMixture().fit(model.transform(X)); got {density!r}"
            )
        codes = density.sample(n_samples)
        codes = codes[0] if isinstance(codes, tuple) else codes
        codes = check_array(as_data(codes, "density"), dtype=np.float64, input_name="density")
        if codes.shape != (n_samples, self.n_components_):
            raise ValueError(
                f"density draws arrays of shape {codes.shape}, but {n_samples} codes of "
                f"{self.n_components_} components are needed: fit it to the output of transform"
            )
        return codes

    @property
    def _likelihood(self):
        """What "auto" stands for, or the likelihood that is set."""
        if self.likelihood != "auto":
            return self.likelihood
        return "mixture" if isinstance(self._make_architecture(), Tabular) else "gaussian"

    def _make_loss(self):
        if self._likelihood == "gaussian" and self.noise_variance != "learned":
            return LIKELIHOODS["gaussian"](float(self.noise_variance))
        return ALL_LIKELIHOODS[self._likelihood]()

    def _make_table_loss(self):
        return self._make_loss() if self._likelihood == "mixture" else super()._make_table_loss()

    def _training_defaults(self):
        defaults = super()._training_defaults()
        is_own = self._make_architecture().training_defaults is None
        return replace(defaults, budget=ROWS_BUDGET) if self._draws_cells and is_own else defaults

    def _make_bottleneck(self, n_components, sample_shape):
        del n_components, sample_shape
        return GaussianBottleneck(self.beta, self.kl_warmup, self.free_bits, self.tc_weight)

    def _join(self, *parts, **facts):
        facts["n_importance_samples"] = self.n_importance_samples
        has_condition = self._condition_reader is not None
        return MODULES[self._draws_cells, has_condition](*parts, **facts)

    def _parts_to_renew(self, dataset):
        own = {"n_importance_samples": self.n_importance_samples}
        return super()._parts_to_renew(dataset) | own

    def _set_up(self, dataset, resume, is_partial, defaults):
        if self.free_bits and self.n_importance_samples > 1:
            raise ValueError(
                "free_bits is a change of the divergence, which the importance-weighted bound does "
                f"not have: use n_importance_samples=1 with free_bits={self.free_bits}"
            )
        if self.tc_weight != 1 and (self.free_bits or self.n_importance_samples > 1):
            other = "free_bits" if self.free_bits else "n_importance_samples"
            raise ValueError(
                "tc_weight weighs a part of the divergence of one code for each sample, which "
                f"{other}={getattr(self, other)} changes: use tc_weight=1, or leave {other} out."
            )
        if self.likelihood == "mixture" and not isinstance(self._make_architecture(), Tabular):
            raise ValueError(
                "likelihood='mixture' is for tables: use it with architecture=\"tabular\" or a "
                "skae.architectures.Tabular, or another likelihood."
            )
        if self._draws_cells and self.n_importance_samples > 1:
            raise ValueError(
                f"n_importance_samples={self.n_importance_samples} is not for the likelihood "
                "'mixture' of tables, whose cells are drawn one after the other: use 1, or "
                "likelihood='gaussian'."
            )
        super()._set_up(dataset, resume, is_partial, defaults)
        if not resume:
            self._score_seed = self._new_seed()

    def _describe(self, dataset, validation):
        super()._describe(dataset, validation)
        sample = dataset.subsample(MAX_DESCRIBED_ROWS)
        codes = self._predictor.map(encode, sample, (self.n_components_,))
        self.n_active_units_ = int((codes.var(0, dtype=np.float64) > MIN_ACTIVITY).sum())
        self.prior_ = None
        is_of_all = self.net_.anneals  # partial_fit sees some of the samples
        is_mixture_better = is_of_all and (self._draws_cells or dataset.n_conditions)
        is_wanted = self.prior == "mixture" or (self.prior == "auto" and is_mixture_better)
        if is_wanted and len(sample) > 1:
            parts = self._predictor, dataset, self.n_components_
            self.prior_ = MixturePrior.fit(*parts, self._score_seed)
        if self._likelihood == "gaussian":
            self.noise_variance_ = self.net_.module_.loss.log_noise_variance.exp().item()

    def _check_fit(self, dataset):
        if self.n_active_units_ or self.beta == 0:
            super()._check_fit(dataset)
            return
        warn(
            "The posterior has collapsed: no component varies with the rows, so the codes say "
            f"nothing of them. Try a beta below {self.beta:g}, kl_warmup=0.5 or free_bits=0.1; if "
            "the columns are independent of each other, there is nothing to encode. "
            "check_baseline=False turns this check off.",
            PosteriorCollapseWarning,
        )

    @property
    def _n_comparable_components(self):
        return None  # it does not seek the best reconstruction


class _GivenCodes:
    """A distribution that draws given codes."""

    def __init__(self, codes):
        self.codes = codes

    def sample(self, n_samples):
        """Return the codes."""
        del n_samples
        return self.codes


def _bound_of(bound, noise):
    """Return the function of a module, samples and targets that gives a bound, with given draws."""

    def of_chunk(module, x, target):
        del target
        return bound(module, x, noise.to(x))

    return of_chunk


def _code_std(module, x, target):
    del target
    return (module.bottleneck.posterior(module.encoded(x))[1] / 2).exp()

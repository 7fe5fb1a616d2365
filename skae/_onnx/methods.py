"""Methods of fitted estimators as modules of torch, from the user's array to the result."""

import copy
from math import log, pi

import torch
from sklearn.dummy import DummyRegressor
from torch import nn

from skae._data.arrays import ArrayReader
from skae._data.read_images import ImageReader
from skae._data.read_sequences import SequenceReader
from skae._data.tables import TableReader
from skae._estimators.members import Members
from skae._estimators.predictor import decode, encode, reconstruct
from skae._modules.conditional import Conditional
from skae._modules.table_generation import TableVariationalModule
from skae._onnx.double_nets import in_double
from skae._onnx.known_anomalies import LoweredScores
from skae._onnx.recurrent import with_operators
from skae._onnx.samples import Cells, CodedRows, Codes, Images, Rows, Sequences, Unread
from skae._onnx.tabular_scorer import scorer_module
from skae.architectures._recurrent_layers import Steps

#: What makes tensors of samples, by the class of the reader of an estimator.
SAMPLES = {
    ArrayReader: Rows,
    ImageReader: Images,
    SequenceReader: Sequences,
    TableReader: Cells,
}


#: Samples that a graph is traced with.
N_TRACED = 3

#: Opsets of the graphs that torch can write.
OPSETS = range(18, 24)


class Method(nn.Module):
    """A method of an estimator.

    Parameters
    ----------
    samples : Rows or another of ``SAMPLES``
        Reads what the method takes.
    compute : nn.Module
        Takes the samples as a net gets them.
    output : str
        Name of the result.
    restored : Rows or another of ``SAMPLES``, or None, default=None
        Gives results the form of samples, if they are some.
    """

    def __init__(self, samples, compute, output, restored=None):
        super().__init__()
        self.samples, self.compute, self.restored = samples, compute, restored
        self.outputs = (output,)

    def facts(self):
        """Return what is to know of input and result beside their shapes, by name, as text."""
        return self.samples.facts() | ({} if self.restored is None else self.restored.facts())

    def forward(self, X):
        """Return the result for an array of samples."""
        result = self.compute(self.samples(X))
        return result if self.restored is None else self.restored.restore(result)


class Applied(nn.Module):
    """A function of a net and of samples, which are their own targets.

    Parameters
    ----------
    net : nn.Module
    function : callable
        As for ``Predictor.map``.
    """

    def __init__(self, net, function):
        super().__init__()
        self.net, self.function = net, function

    def forward(self, x):
        """Return the value of the function."""
        return self.function(self.net, x, x)


class DecodedSequences(nn.Module):
    """Sequences of codes, NaN behind the ends that the estimator expects.

    Parameters
    ----------
    net : nn.Module
    regressor : estimator
        That of the lengths.
    n_features : int
    """

    def __init__(self, net, regressor, n_features):
        super().__init__()
        self.net, self.n_features = net, n_features
        _, self.longest = regressor.range_
        self.lengths = _Lengths(regressor)

    def forward(self, code):
        """Return sequences, shape (n_samples, n_steps of the longest in training, n_features)."""
        is_step = torch.arange(self.longest) < self.lengths(code)[:, None]
        target = torch.where(is_step, 0.0, torch.nan).to(code.dtype)
        target = target[..., None].expand(-1, -1, self.n_features)
        return torch.where(target.isnan(), target, decode(self.net, code, target))


class _Lengths(nn.Module):
    """The regression of the lengths of sequences, see ``skae._estimators.sequence_lengths``."""

    def __init__(self, regressor):
        super().__init__()
        self.range = regressor.range_
        self.is_constant = isinstance(regressor, DummyRegressor)
        if self.is_constant:
            return
        (_, scaler), (_, svr) = regressor.regressor_.steps
        unit = regressor.transformer_
        values = {
            "mean": scaler.mean_,
            "scale": scaler.scale_,
            "vectors": svr.support_vectors_,
            "weights": svr.dual_coef_[0],
            "gamma": svr._gamma,
            "intercept": svr.intercept_[0],
            "unit": unit.scale_[0],
            "middle": unit.mean_[0],
        }
        for name, value in values.items():
            self.register_buffer(name, torch.tensor(value, dtype=torch.float64))

    def forward(self, code):
        """Return lengths, a tensor of shape (n_samples,)."""
        if self.is_constant:
            return torch.full_like(code[:, 0], self.range[0])
        scaled = (code.double() - self.mean) / self.scale
        squares = scaled.square().sum(1, keepdim=True) + self.vectors.square().sum(1)
        distances = squares - 2 * scaled @ self.vectors.T
        expected = (-self.gamma * distances).exp() @ self.weights + self.intercept
        return (expected * self.unit + self.middle).round().clamp(*self.range)


class JoinedNets(nn.Module):
    """The nets of an ensemble as one, see `Members`."""

    def __init__(self, nets, widths, features):
        super().__init__()
        self.nets = nn.ModuleList(nets)
        self.members = Members(list(nets), widths, features)

    def encode(self, x):
        """Return the codes side by side."""
        return self.members.encode(x)

    def decode(self, code, target=None):
        """Return the mean of what the codes decode to."""
        return self.members.decode(code, target)

    def forward(self, x):
        """Return the mean reconstruction."""
        return self.members(x)


class Scores(nn.Module):
    """Scores as finite numbers, the worst one in the place of NaN.

    Parameters
    ----------
    compute : nn.Module
    """

    def __init__(self, compute):
        super().__init__()
        self.compute = compute

    def forward(self, x):
        """Return scores, shape (n_samples,)."""
        scores = self.compute(x)
        most = torch.tensor(torch.finfo(scores.dtype).max, dtype=scores.dtype)
        scores = torch.where(scores.isnan(), -most, scores)
        return torch.minimum(torch.maximum(scores, -most), most)


class LogDensity(nn.Module):
    """The log-likelihood of rows under a fitted `~sklearn.decomposition.PCA`, in float64.

    Parameters
    ----------
    pca : PCA
    """

    def __init__(self, pca):
        super().__init__()
        precision = torch.from_numpy(pca.get_precision()).double()
        constant = (torch.logdet(precision) - len(precision) * log(2 * pi)) / 2
        parts = {"mean": torch.from_numpy(pca.mean_).double(), "precision": precision}
        for name, part in (parts | {"constant": constant}).items():
            self.register_buffer(name, part)

    def forward(self, x):
        """Return scores, shape (n_samples,)."""
        difference = x.double() - self.mean
        return self.constant - (difference * (difference @ self.precision)).sum(1) / 2


class _Column(nn.Module):
    """The only column of rows."""

    def forward(self, x):
        """Return a tensor of shape (n_samples,)."""
        return x.flatten()


class Judged(nn.Module):
    """Scores compared with a threshold.

    Parameters
    ----------
    scores : nn.Module
    offset : float
        The threshold.
    """

    outputs = "label", "scores", "threshold"

    def __init__(self, scores, offset):
        super().__init__()
        self.scores = scores
        self.register_buffer("offset", torch.tensor(offset, dtype=torch.float64))

    def forward(self, x):
        """Return labels, -1 for outliers and 1 for others, scores and the threshold."""
        scores = self.scores(x)
        label = torch.where(scores.double() < self.offset, -1, 1)
        return label, scores, self.offset.clone()


class Distance(Judged):
    """How far scores are above a threshold; parameters as for `Judged`."""

    outputs = ("decision",)

    def forward(self, x):
        """Return scores less the threshold, shape (n_samples,)."""
        scores = self.scores(x)
        return (scores.double() - self.offset).to(scores.dtype)


class PValues(nn.Module):
    """P-values of scores.

    Parameters
    ----------
    scores : nn.Module
    calibration_scores : ndarray of shape (n_calibration,)
    """

    outputs = ("p_value",)

    def __init__(self, scores, calibration_scores):
        super().__init__()
        self.scores = scores
        self.register_buffer("calibration_scores", torch.from_numpy(calibration_scores))

    def forward(self, x):
        """Return p-values, shape (n_samples,), float64."""
        is_as_low = self.calibration_scores <= self.scores(x).double()[:, None]
        return (1.0 + is_as_low.double().sum(1)) / (1 + len(self.calibration_scores))


class MeanScores(nn.Module):
    """The mean of the members' scores, each in units of those of the training rows.

    Parameters
    ----------
    scores : list of Scores
    columns : list of ndarray of int
        That each member sees.
    centers, scales : ndarray of shape (n_members,)
    see_all : bool
        Whether all members see all columns.
    """

    def __init__(self, scores, columns, centers, scales, see_all):
        super().__init__()
        self.scores = nn.ModuleList(scores)
        self.columns = [None if see_all else torch.from_numpy(seen) for seen in columns]
        self.register_buffer("centers", torch.from_numpy(centers))
        self.register_buffer("scales", torch.from_numpy(scales))

    def forward(self, x):
        """Return scores, shape (n_samples,)."""
        pairs = zip(self.scores, self.columns, strict=True)
        scores = [score(x if seen is None else x[:, seen]) for score, seen in pairs]
        scores = torch.stack(scores, 1)
        return ((scores.double() - self.centers) / self.scales).mean(1).to(scores.dtype)


# What estimators have.


def net_of(model, precision):
    """Return a copy of the net of a fitted estimator, for graphs."""
    module = model.net_.module_
    net = copy.deepcopy(module) if precision == torch.float32 else in_double(module)
    net.replace(corruption=None, code_basis=module.code_basis.in_precision(precision))
    return with_operators(net.cpu().eval())


def samples_of(reader, precision):
    """Return what makes tensors of the samples that a reader takes."""
    return SAMPLES[type(reader)](reader, precision)


def of_autoencoder(model, method, precision):
    """Return a method of a fitted autoencoder as a `Method`."""
    net, samples = net_of(model, precision), samples_of(model._reader, precision)
    _check_net(net, model, method)
    if method == "score_samples":
        return Method(samples, Scores(Applied(net, model._score_function())), "scores")
    return _by_codes(model, method, net, samples, precision)


def of_ensemble(model, method, precision):
    """Return a method of a fitted ensemble as a `Method`."""
    samples = samples_of(model._reader, precision)
    nets = [net_of(member, precision) for member in model.estimators_]
    _check_net(nets[0], model.estimators_[0], method)
    if method == "score_samples":
        scores = [
            Scores(Applied(net, member._score_function()))
            for net, member in zip(nets, model.estimators_, strict=True)
        ]
        columns, see_all = model.estimators_features_, model._predictor.features is None
        units = model.score_centers_, model.score_scales_
        return Method(samples, Scores(MeanScores(scores, columns, *units, see_all)), "scores")
    predictor = model._predictor
    joined = JoinedNets(nets, predictor.widths, predictor.features)
    return _by_codes(model, method, joined, samples, precision)


def _check_net(net, model, method):
    """Raise a ValueError if there is no graph of a method of the net of an estimator."""
    what = f"to_onnx knows no graph of {method!r} of a {type(model).__name__}"
    if isinstance(net, Conditional):
        raise ValueError(
            f"{what} that was fitted with a condition: a graph has one input. Save it by skae.save."
        )
    if isinstance(net, TableVariationalModule) and method != "transform":
        raise ValueError(
            f"{what} with the likelihood 'mixture', whose quantiles of columns ONNX has no "
            "operators for: fit it with likelihood='gaussian', or save it by skae.save. There is "
            "a graph of 'transform'."
        )


def _by_codes(model, method, net, samples, precision):
    if method == "transform":
        return Method(samples, Applied(net, encode), "codes")
    is_sequence = model._reader.has_lengths
    if method == "reconstruct":
        function = _reconstruct_steps if is_sequence else reconstruct
        return Method(samples, Applied(net, function), "reconstruction", samples)
    decoded = Applied(net, decode)
    if is_sequence:
        n_features = model._reader.sample_shape[1]
        decoded = DecodedSequences(net, model.length_regressor_, n_features)
    codes = Codes(model.n_components_, precision)
    return Method(codes, decoded, "reconstruction", samples.for_new_rows())


def of_regressor(model, method, precision):
    """Return a method of a fitted regressor of images as a `Method`."""
    net, reader = net_of(model, precision), model._reader
    samples = samples_of(reader.inputs, precision)
    if method == "transform":
        return Method(samples, Applied(net, _smallest_maps), "codes")
    if model.sample_colors:
        raise ValueError(
            "a graph draws no random colors: set sample_colors=False, so that predict gives the "
            "annealed mean, or save the estimator by skae.save"
        )
    net = net.choosing(model.color_temperature, rng=None)
    targets = samples_of(reader.targets, precision)
    return Method(samples, Applied(net, reconstruct), "prediction", targets)


def _reconstruct_steps(net, x, target):
    """Return reconstructed sequences, NaN behind their ends."""
    is_step = Steps(target).is_step[..., None]
    return torch.where(is_step, net(x), torch.nan)


def _smallest_maps(net, x, target):
    del target
    return net.encode(x)[-1].flatten(1)


def of_scorer(model, method, precision):
    """Return the scores of a fitted `TabularOutlierScorer` as a `Method`."""
    del method
    return Method(CodedRows(model._reader, precision), scorer_module(model), "scores")


def of_pca(model, method, precision):
    """Return the scores of a fitted `~sklearn.decomposition.PCA` as a `Method`."""
    del method
    rows = Codes(model.n_features_in_, precision)
    return Method(rows, Scores(LogDensity(model)), "scores")


def of_given_scores(method, detector, precision):
    """Return a method of a fitted detector for scores that are given, as a `Method`."""
    return judged(Method(Codes(1, precision), _Column(), "scores"), method, detector)


def lowered(scores, detector):
    """Return scores as a `Method`, lowered for rows like the known anomalies of a detector."""
    samples, reader = scores.samples, detector._known_anomalies.reader
    if isinstance(samples, Cells):
        lower = LoweredScores(detector, scores, samples.table)
        return Method(CodedRows(reader, samples.precision), lower, "scores")
    return Method(Unread(samples), LoweredScores(detector, scores), "scores")


def judged(scores, method, detector):
    """Return a method of a fitted detector, for the scores of its estimator as a `Method`."""
    if detector._known_anomalies is not None:
        scores = lowered(scores, detector)
    if method == "score_samples":
        return scores
    if method == "p_value":
        scores.compute = PValues(scores.compute, detector.calibration_scores_)
    else:
        kind = Judged if method == "predict" else Distance
        scores.compute = kind(scores.compute, detector.offset_)
    scores.outputs = scores.compute.outputs
    return scores

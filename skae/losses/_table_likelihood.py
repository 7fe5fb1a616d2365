"""The likelihood of a table's row: a mixture for each number, probabilities of categories."""

import torch
from torch import nn
from torch.nn import functional as F

from skae.losses._base import Loss
from skae.losses._quantiles import ColumnQuantiles
from skae.losses._tabular import CategorySoftmax, unseen_cost

#: Logistic distributions in the mixture of a number.
N_PARTS = 5

#: Values of a number that have a part of the mixture each, at most: the most frequent ones.
MAX_VALUES = 24

#: Least probability that the other parts start with.
LEAST_REST = 0.05

#: Where they start: evenly spread, each about half as wide as the whole.
FIRST_MEAN, LAST_MEAN, START_LOG_SCALE = -1.5, 1.5, -0.7

#: Bounds of the logarithm of their scales.
MIN_LOG_SCALE, MAX_LOG_SCALE = -5.0, 2.0

#: Least width of an interval of scores, in scales.
LEAST_WIDTH = 1e-6

#: Logarithm of the probability of no value at all, without infinities in the gradient.
LEAST_LOG = -1e4

#: Probability from which on a value is the prediction, instead of the mean.
PREVAILS = 2 / 3


class TableLikelihood(Loss):
    """Minus the logarithm of the likelihood of a table's cells, in nats.

    The values of a number are mapped to scores by the quantiles of the training rows, see
    `ColumnQuantiles`. A score has a mixture of logistic distributions, and a value the probability
    of its interval [1]_; the most frequent values that repeat, such as 0, have a part of the
    mixture each. So values that repeat have a probability, and others a density; nothing outside
    the range of the training rows is drawn. A category has the probabilities of a softmax, and
    each cell a probability to be missing.

    The decoder gives, for each number, the weights of the mixture, then the means and log-scales
    of its logistic parts; then the logits of all categories; then, for each column, the logit of
    being missing.

    References
    ----------
    .. [1] T. Salimans, A. Karpathy, X. Chen and D. P. Kingma, "PixelCNN++: improving the PixelCNN
       with discretized logistic mixture likelihood and other modifications", ICLR 2017.
       :arxiv:`1701.05517`
    """

    from_logits = True
    reduction = "sum"

    @torch.no_grad()
    def setup(self, dataset):
        """Learn the quantiles of numbers and how often cells are missing from a `TableDataset`."""
        self.column_layout = layout = dataset.column_layout
        self.softmax = CategorySoftmax(layout)
        known = [dataset.known_cells(i) for i in range(len(layout.sizes))]
        self.quantiles = ColumnQuantiles(known[: layout.n_numbers])
        rate = torch.tensor([1 - len(cells) / len(dataset) for cells, _ in known])
        self.register_buffer("can_be_missing", (rate > 0) & (rate < 1))
        self.register_buffer("missing_logit", torch.logit(rate.clamp(1e-6, 1 - 1e-6)).float())
        self.register_buffer("unseen", unseen_cost(len(dataset), layout)[self.softmax.group])
        self.register_buffer("start_mean", torch.linspace(FIRST_MEAN, LAST_MEAN, N_PARTS))
        self._learn_values()

    def _learn_values(self):
        """Find the most frequent values of each number, which have a part of the mixture each."""
        q = self.quantiles
        mass = torch.where(q.last > q.first, 0.0, q.high - q.low)
        n = int((mass > 0).sum(1).clamp_max(MAX_VALUES).max()) if mass.numel() else 0
        mass, places = mass.topk(n, dim=1)
        part = torch.full((len(mass), q.low.shape[1]), n)
        part.scatter_(1, places, torch.arange(n).expand(len(mass), -1).where(mass > 0, n))
        rest = (1 - mass.sum(1, keepdim=True)).clamp_min(LEAST_REST).expand(-1, N_PARTS) / N_PARTS
        self.register_buffer("start_logit", torch.cat([rest, mass], 1).log())
        self.register_buffer("value", q.first.gather(1, places))
        self.register_buffer("part_of_value", part)

    def output_shape(self, target_shape):
        """Return the number of outputs of the decoder, after ``setup``."""
        layout = self.column_layout
        n_categories = target_shape[0] - layout.n_numbers
        return (self._n_mixture + n_categories + len(layout.sizes),)

    @property
    def _n_mixture(self):
        """Number of outputs for the mixtures."""
        return self.start_logit.numel() + 2 * N_PARTS * len(self.start_logit)

    def suitable_decoder(self, decoder, architecture, code_width):
        """Return a decoder that also takes the cells of a row that are known."""
        layout = self.column_layout
        (n_outputs,) = self.output_shape((int(layout.sizes.sum()),))
        return architecture.build_cell_decoder(code_width, layout, n_outputs)

    def make_activation(self):
        """Return the module that turns outputs into the most likely values of cells."""
        return ExpectedCells(self)

    def split(self, output):
        """Return the mixtures of numbers, logits of categories and logits of being missing.

        Parameters
        ----------
        output : tensor of shape (n_samples, n_outputs)

        Returns
        -------
        mixture : Mixture
        logits : tensor of shape (n_samples, n_categories)
        missing : tensor of shape (n_samples, n_columns)
        """
        n, n_mixture = self.column_layout.n_numbers, self._n_mixture
        n_columns = n + len(self.column_layout.widths)
        widths = [self.start_logit.shape[1], N_PARTS, N_PARTS]
        parts = output[:, :n_mixture].reshape(len(output), n, sum(widths))
        logits, mean, log_scale = parts.split(widths, -1)
        mixture = Mixture(logits + self.start_logit, mean + self.start_mean, log_scale)
        missing = output[:, output.shape[1] - n_columns :] + self.missing_logit
        return mixture, output[:, n_mixture : output.shape[1] - n_columns], missing

    def _number_losses(self, mixture, numbers):
        """Return minus the logarithm of the probability of the interval of each number."""
        places = self.quantiles.places(numbers)
        part = self.part_of_value.gather(1, places.t()).t()
        return -mixture.log_probability(*self.quantiles.intervals(numbers), part)

    def forward(self, prediction, target):
        """Return the loss of each element; that of a column is the sum of its elements."""
        mixture, logits, _ = self.split(prediction)
        numbers, categories = self.softmax.split(target)
        of_numbers = self._number_losses(mixture, numbers)
        of_numbers = of_numbers - self.quantiles.log_densities(numbers)
        is_seen = self.softmax.broadcast(self.softmax.total(categories))
        entropies = (1 - is_seen) * self.unseen - categories * self.softmax.log_softmax(logits)
        return torch.cat([of_numbers, entropies], -1)

    def column_losses(self, output, x):
        """Return the loss of each column, with that of being missing or not.

        Parameters
        ----------
        output : tensor of shape (n_samples, n_outputs)
        x : tensor of shape (n_samples, n_elements)
            Rows, NaN where a cell is missing.

        Returns
        -------
        tensor of shape (n_samples, n_columns)
        """
        mixture, logits, missing = self.split(output)
        numbers, categories = self.softmax.split(x.nan_to_num(0.0))
        of_numbers = self._number_losses(mixture, numbers)
        of_categories = -self.softmax.total(categories * self.softmax.log_softmax(logits))
        is_missing = x[:, self.column_layout.starts.to(x.device)].isnan()
        values = torch.cat([of_numbers, of_categories], -1).masked_fill(is_missing, 0.0)
        presence = F.binary_cross_entropy_with_logits(missing, is_missing.to(x), reduction="none")
        return values + presence * self.can_be_missing

    def sample(self, prediction, generator=None):
        """Draw numbers and categories of rows, given the output of the decoder."""
        mixture, logits, _ = self.split(prediction)
        noise = -torch.empty_like(logits).exponential_(generator=generator).log()
        drawn = [
            torch.zeros_like(group).scatter_(-1, group.argmax(-1, keepdim=True), 1.0)
            for group in (logits + noise).split(self.column_layout.widths, -1)
        ]
        scores, part = mixture.sample(generator)
        numbers = self.quantiles.values(scores)
        if self.value.shape[1]:
            value = self.value.expand(len(part), -1, -1)
            value = value.gather(-1, (part - N_PARTS).clamp_min(0)[..., None]).squeeze(-1)
            numbers = torch.where(part >= N_PARTS, value, numbers)
        return torch.cat([numbers, *drawn], -1)

    def sample_missing(self, prediction, generator=None):
        """Draw which cells are missing, a boolean tensor of shape (n_samples, n_columns)."""
        missing = self.split(prediction)[2]
        drawn = torch.rand(missing.shape, generator=generator, device=missing.device)
        return (drawn < torch.sigmoid(missing)) & self.can_be_missing


class Mixture:
    """A mixture of logistic distributions and of frequent values for each of several numbers.

    Parameters
    ----------
    logits : tensor of shape (n_samples, n_numbers, n_parts + n_values)
    mean, log_scale : tensor of shape (n_samples, n_numbers, n_parts)
    """

    def __init__(self, logits, mean, log_scale):
        log_weight = logits.log_softmax(-1)
        self.log_weight, self.log_value_weight = log_weight.tensor_split([N_PARTS], -1)
        self.mean = mean
        self.log_scale = (log_scale + START_LOG_SCALE).clamp(MIN_LOG_SCALE, MAX_LOG_SCALE)

    def log_probability(self, low, high, part):
        """Return the logarithm of the probability of intervals, shape (n_samples, n_numbers).

        Parameters
        ----------
        low, high : tensor of shape (n_samples, n_numbers)
            Scores of the ends.
        part : tensor of int, shape (n_samples, n_numbers)
            Which of the frequent values an interval is, their number for none.
        """
        precision = torch.exp(-self.log_scale)
        low, high = ((end[..., None] - self.mean) * precision for end in (low, high))
        high = torch.maximum(high, low + LEAST_WIDTH)
        # The difference of two logistic functions, without cancellation.
        inside = high + torch.log(-torch.expm1(low - high)) - F.softplus(low) - F.softplus(high)
        log_parts = self.log_weight + inside
        if self.log_value_weight.shape[-1]:
            none = self.log_value_weight.new_full((1,), LEAST_LOG).expand(*part.shape, 1)
            of_values = torch.cat([self.log_value_weight, none], -1)
            log_parts = torch.cat([log_parts, of_values.gather(-1, part[..., None])], -1)
        return torch.logsumexp(log_parts, -1)

    def cumulative(self, scores):
        """Return the probability of a score below some, without that of the frequent values.

        Parameters
        ----------
        scores : tensor of shape (n_numbers or 1, n_scores)

        Returns
        -------
        tensor of shape (n_samples, n_numbers, n_scores)
        """
        total = 0.0
        parts = (one.unbind(-1) for one in (self.log_weight, self.mean, self.log_scale))
        for log_weight, mean, log_scale in zip(*parts, strict=True):  # one by one, to save memory
            below = (scores - mean[..., None]) * torch.exp(-log_scale)[..., None]
            total = total + log_weight.exp()[..., None] * torch.sigmoid(below)
        return total

    def sample(self, generator=None):
        """Draw scores and the parts they are of, shape (n_samples, n_numbers)."""
        logits = torch.cat([self.log_weight, self.log_value_weight], -1)
        noise = -torch.empty_like(logits).exponential_(generator=generator).log()
        part = (logits + noise).argmax(-1, keepdim=True)
        logistic = part.clamp_max(N_PARTS - 1)
        drawn = torch.rand(part.shape, generator=generator, device=part.device, dtype=noise.dtype)
        mean, log_scale = self.mean.gather(-1, logistic), self.log_scale.gather(-1, logistic)
        scores = mean + log_scale.exp() * torch.logit(drawn, eps=1e-6)
        return scores.squeeze(-1), part.squeeze(-1)


class ExpectedCells(nn.Module):
    """Turns outputs of the decoder into cells: means of numbers, probabilities of categories.

    A number that has one value with a probability above two thirds gets this value, not the mean.

    Parameters
    ----------
    loss : TableLikelihood
    """

    def __init__(self, loss):
        super().__init__()
        self.loss = loss

    def forward(self, output):
        loss = self.loss
        mixture, logits, _ = loss.split(output)
        quantiles, of_values = loss.quantiles, mixture.log_value_weight.exp()
        below = mixture.cumulative(quantiles.bin_edge[None])
        rest = 1 - of_values.sum(-1, keepdim=True)
        bins = torch.cat([below, rest], -1) - torch.cat([torch.zeros_like(rest), below], -1)
        numbers = (bins * quantiles.bin_mean).sum(-1) + (of_values * loss.value).sum(-1)
        if of_values.shape[-1]:
            best = of_values.max(-1)
            value = loss.value.expand(len(output), -1, -1).gather(-1, best.indices[..., None])
            numbers = torch.where(best.values > PREVAILS, value.squeeze(-1), numbers)
        return torch.cat([numbers, loss.softmax.log_softmax(logits).exp()], -1)

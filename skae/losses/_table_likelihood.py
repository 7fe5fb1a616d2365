"""The likelihood of a table's row: a mixture for each number, probabilities of categories."""

import torch
from torch import nn
from torch.nn import functional as F

from skae.losses._base import Loss
from skae.losses._quantiles import ColumnQuantiles
from skae.losses._tabular import CategorySoftmax, unseen_cost

#: Logistic distributions in the mixture of a number.
N_PARTS = 5

#: Where they start: evenly spread, each about half as wide as the whole.
FIRST_MEAN, LAST_MEAN, START_LOG_SCALE = -1.5, 1.5, -0.7

#: Bounds of the logarithm of their scales.
MIN_LOG_SCALE, MAX_LOG_SCALE = -5.0, 2.0

#: Least width of an interval of scores, in scales.
LEAST_WIDTH = 1e-6

#: Probability from which on a value is the prediction, instead of the mean.
PREVAILS = 0.5

#: The most frequent values of a number, of which each may be such a prediction.
N_FREQUENT = 4


class TableLikelihood(Loss):
    """Minus the logarithm of the likelihood of a table's cells, in nats.

    The values of a number are mapped to scores by the quantiles of the training rows, see
    `ColumnQuantiles`. A score has a mixture of logistic distributions, and a value the probability
    of its interval [1]_. So values that repeat, such as 0, have a probability, and others a
    density; nothing outside the range of the training rows is drawn. A category has the
    probabilities of a softmax, and each cell a probability to be missing.

    The decoder gives, for each number, the weights, means and log-scales of the mixture; then
    the logits of all categories; then, for each column, the logit of being missing.

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
        for name, part in zip(("value", "low", "high"), self._frequent(), strict=True):
            self.register_buffer(f"frequent_{name}", part)

    def _frequent(self):
        """Return the most frequent values of each number, and the ends of their scores."""
        q = self.quantiles
        mass = torch.where(q.last > q.first, 0.0, q.high - q.low)
        places = mass.topk(min(N_FREQUENT, mass.shape[1]), dim=1).indices
        ends = (torch.special.ndtri(part.gather(1, places)) for part in (q.low, q.high))
        return q.first.gather(1, places), *(end.clamp(-8.0, 8.0) for end in ends)

    def output_shape(self, target_shape):
        """Return the number of outputs of the decoder, after ``setup``."""
        layout = self.column_layout
        n_categories = target_shape[0] - layout.n_numbers
        return (3 * N_PARTS * layout.n_numbers + n_categories + len(layout.sizes),)

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
        n = self.column_layout.n_numbers
        n_columns = n + len(self.column_layout.widths)
        n_mixture = 3 * N_PARTS * n
        parts = output[:, :n_mixture].unflatten(1, (3, n, N_PARTS))
        missing = output[:, output.shape[1] - n_columns :] + self.missing_logit
        mixture = Mixture(parts[:, 0], parts[:, 1] + self.start_mean, parts[:, 2])
        return mixture, output[:, n_mixture : output.shape[1] - n_columns], missing

    def forward(self, prediction, target):
        """Return the loss of each element; that of a column is the sum of its elements."""
        mixture, logits, _ = self.split(prediction)
        numbers, categories = self.softmax.split(target)
        of_numbers = -mixture.log_probability(*self.quantiles.intervals(numbers))
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
        of_numbers = -mixture.log_probability(*self.quantiles.intervals(numbers))
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
        numbers = self.quantiles.values(mixture.sample(generator))
        return torch.cat([numbers, *drawn], -1)

    def sample_missing(self, prediction, generator=None):
        """Draw which cells are missing, a boolean tensor of shape (n_samples, n_columns)."""
        missing = self.split(prediction)[2]
        drawn = torch.rand(missing.shape, generator=generator, device=missing.device)
        return (drawn < torch.sigmoid(missing)) & self.can_be_missing


class Mixture:
    """A mixture of logistic distributions for each of several numbers.

    Parameters
    ----------
    logits, mean, log_scale : tensor of shape (n_samples, n_numbers, n_parts)
    """

    def __init__(self, logits, mean, log_scale):
        self.log_weight = logits.log_softmax(-1)
        self.mean = mean
        self.log_scale = (log_scale + START_LOG_SCALE).clamp(MIN_LOG_SCALE, MAX_LOG_SCALE)

    def log_probability(self, low, high):
        """Return the logarithm of the probability of intervals, shape (n_samples, n_numbers)."""
        precision = torch.exp(-self.log_scale)
        low, high = ((end[..., None] - self.mean) * precision for end in (low, high))
        high = torch.maximum(high, low + LEAST_WIDTH)
        # The difference of two logistic functions, without cancellation.
        inside = high + torch.log(-torch.expm1(low - high)) - F.softplus(low) - F.softplus(high)
        return torch.logsumexp(self.log_weight + inside, -1)

    def cumulative(self, scores):
        """Return the probability of a score below some.

        Parameters
        ----------
        scores : tensor of shape (n_numbers or 1, n_scores)

        Returns
        -------
        tensor of shape (n_samples, n_numbers, n_scores)
        """
        total = 0.0
        parts = zip(*(one.unbind(-1) for one in (self.log_weight, self.mean, self.log_scale)))
        for log_weight, mean, log_scale in parts:  # one after the other, to save memory
            below = (scores - mean[..., None]) * torch.exp(-log_scale)[..., None]
            total = total + log_weight.exp()[..., None] * torch.sigmoid(below)
        return total

    def sample(self, generator=None):
        """Draw scores, shape (n_samples, n_numbers)."""
        noise = -torch.empty_like(self.mean).exponential_(generator=generator).log()
        part = (self.log_weight + noise).argmax(-1, keepdim=True)
        drawn = torch.rand(part.shape, generator=generator, device=part.device, dtype=noise.dtype)
        mean, log_scale = self.mean.gather(-1, part), self.log_scale.gather(-1, part)
        return (mean + log_scale.exp() * torch.logit(drawn, eps=1e-6)).squeeze(-1)


class ExpectedCells(nn.Module):
    """Turns outputs of the decoder into cells: means of numbers, probabilities of categories.

    A number that has one value with a probability above one half gets this value, not the mean.

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
        below = mixture.cumulative(loss.quantiles.bin_edge[None])
        ends = below.new_zeros(1), below.new_ones(1)
        start, end = (one.expand(*below.shape[:2], 1) for one in ends)
        bins = torch.cat([below, end], -1) - torch.cat([start, below], -1)
        numbers = (bins * loss.quantiles.bin_mean).sum(-1)
        of_values = mixture.cumulative(loss.frequent_high) - mixture.cumulative(loss.frequent_low)
        best = of_values.max(-1)
        value = loss.frequent_value.expand(len(output), -1, -1).gather(-1, best.indices[..., None])
        numbers = torch.where(best.values > PREVAILS, value.squeeze(-1), numbers)
        return torch.cat([numbers, loss.softmax.log_softmax(logits).exp()], -1)

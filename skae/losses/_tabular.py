"""The loss of tables: a term for each column, of its type. torch only."""

import torch
from torch import nn

from skae.losses._base import MIN_COUNT, Loss
from skae.losses._elementwise import AbsoluteError, HuberLoss, SquaredError
from skae.losses._likelihoods import GaussianLikelihood

#: Least loss of a constant prediction that weights of columns are computed from.
LEAST_BASELINE = 0.1

#: Least probability that logits start from.
LEAST_PROBABILITY = 1e-3


class TabularLoss(Loss):
    """One term for each column: a loss of numbers, and the cross-entropy of categories.

    Each term is divided by the loss of the best constant prediction on the training data, so
    that no column dominates the others. The terms of a likelihood are all in nats and are not
    divided. A category that does not occur in training costs slightly more than a rare one.

    Parameters
    ----------
    number_loss : Loss
        Loss of the numbers: a squared, absolute or Huber error, or a Gaussian likelihood.

    Raises
    ------
    ValueError
        If ``number_loss`` is another one.
    """

    from_logits = True
    skips_unknown = True

    def __init__(self, number_loss):
        super().__init__()
        known = (SquaredError, AbsoluteError, HuberLoss, GaussianLikelihood)
        if type(number_loss) not in known:
            raise ValueError(
                'the numbers of a table can have the loss "squared_error", "absolute_error" or '
                '"huber", or the likelihood "gaussian"; its categories have the cross-entropy'
            )
        self.number_loss = number_loss
        self.reduction = number_loss.reduction
        self.learns_variance = number_loss.learns_variance
        self.explains_variance = number_loss.explains_variance
        # A likelihood has no derivative of each element.
        self.writes_gradient = not isinstance(number_loss, GaussianLikelihood)

    @property
    def fraction(self):
        """The fraction of a column that each element is."""
        return self.column_fraction

    @torch.no_grad()
    def setup(self, dataset):
        """Learn the weights of the columns from a `TableDataset`."""
        self.column_layout = dataset.column_layout
        self.softmax = CategorySoftmax(self.column_layout)
        columns = self.column_layout.columns
        weight = torch.ones(len(self.column_layout.sizes))
        if self.reduction == "mean":
            weight = torch.tensor([self._weight(dataset, i) for i in range(len(weight))])
        self.register_buffer("column_fraction", torch.from_numpy(dataset.fraction))
        self.register_buffer("weight", weight[columns].float())
        unseen = unseen_cost(len(dataset), self.column_layout)
        self.register_buffer("unseen", unseen[self.softmax.group])

    def _weight(self, dataset, i):
        """Return one over the loss of the best constant prediction of a column."""
        cells, row_weight = dataset.known_cells(i)
        if not len(cells):
            return 1.0
        if i >= self.column_layout.n_numbers:
            counts = torch.bincount(cells.long().clamp_min(0), row_weight)
            baseline = torch.special.entr(counts / counts.sum()).sum()
        else:
            guesses = torch.stack([(cells @ row_weight) / row_weight.sum(), cells.median()])
            losses = self.number_loss(guesses[:, None].expand(2, len(cells)), cells.expand(2, -1))
            baseline = (losses @ row_weight).min() / row_weight.sum()
        return 1 / max(baseline.item(), LEAST_BASELINE) if baseline > 1e-9 else 1.0

    def make_activation(self):
        """Return the module that turns logits into probabilities."""
        return CategorySoftmax(self.column_layout)

    def forward(self, prediction, target):
        """Return the loss of each element; that of a column is the sum of its elements."""
        return self._losses(prediction, target)[0]

    def _losses(self, prediction, target):
        """Return the loss of each element, and what its derivative needs."""
        numbers, logits = self.softmax.split(prediction)
        true_numbers, categories = self.softmax.split(target)
        log_softmax = self.softmax.log_softmax(logits)
        is_seen = self.softmax.broadcast(self.softmax.total(categories))
        entropies = (1 - is_seen) * self.unseen - categories * log_softmax
        losses = torch.cat([self.number_loss(numbers, true_numbers), entropies], -1)
        return losses * self.weight, log_softmax, is_seen

    @torch.no_grad()
    def mean_and_gradient(self, prediction, target, weight, out):
        """Return the mean loss of the samples, and write its derivative; see `skae.losses`."""
        known = ~target.isnan()
        target = target.nan_to_num(0.0)
        count = torch.linalg.vecdot(known.to(out.dtype), self.fraction)[..., None]
        scale = known / count.clamp_min_(MIN_COUNT).mul_(out.shape[-2])
        if weight is not None:
            scale.mul_(weight)
        losses, log_softmax, is_seen = self._losses(prediction, target)
        n = self.column_layout.n_numbers
        self.number_loss.gradient(prediction[..., :n], target[..., :n], out[..., :n])
        out[..., n:] = log_softmax.exp_().mul_(is_seen).sub_(target[..., n:])
        loss = torch.linalg.vecdot(losses.flatten(-2), scale.flatten(-2))
        out.mul_(scale).mul_(self.weight)
        return loss

    def stack_key(self):
        """Return what must be equal for models to train as one."""
        return type(self.number_loss), self.column_layout

    @torch.no_grad()
    def to_logits(self, weight, bias):
        """Return a linear map to numbers and logits for one to numbers and probabilities.

        It is the first order of the logarithm around the mean.
        """
        n = self.column_layout.n_numbers
        probability = bias[n:].clamp_min(LEAST_PROBABILITY)
        slope = 1 / probability.clamp_min(0.1)
        weight = torch.cat([weight[:n], weight[n:] * slope[:, None]])
        return weight, torch.cat([bias[:n], probability.log()])

    def to_output(self, values):
        """Return numbers and logits of values."""
        n = self.column_layout.n_numbers
        logits = values[..., n:].clamp_min(LEAST_PROBABILITY).log()
        return torch.cat([values[..., :n], logits], -1)

    # What only likelihoods have.

    def start_at(self, noise_variance):
        """Start to learn the variance of numbers from one, a tensor of shape ()."""
        self.number_loss.start_at(noise_variance)

    @property
    def log_noise_variance(self):
        """Logarithm of the variance of numbers, a tensor of shape ()."""
        return self.number_loss.log_noise_variance

    def sample(self, prediction, generator=None):
        """Draw numbers and categories, given the prediction."""
        numbers, logits = self.softmax.split(prediction)
        noise = -torch.empty_like(logits).exponential_(generator=generator).log()
        drawn = [
            torch.zeros_like(group).scatter_(-1, group.argmax(-1, keepdim=True), 1.0)
            for group in (logits + noise).split(self.column_layout.widths, -1)
        ]
        return torch.cat([self.number_loss.sample(numbers, generator), *drawn], -1)


def unseen_cost(n_samples, column_layout):
    """Return what an element of each column of categories costs if its category is new, a tensor.

    All elements of the column together cost as much as a category seen less than once.
    """
    widths = torch.tensor(column_layout.widths)
    return (torch.log(n_samples + widths) / widths).float()


class CategorySoftmax(nn.Module):
    """Softmax over each group of categories; numbers stay as they are.

    Parameters
    ----------
    column_layout : ColumnLayout

    Examples
    --------
    >>> import torch
    >>> from skae._data.column_layout import ColumnLayout
    >>> from skae.losses._tabular import CategorySoftmax
    >>> CategorySoftmax(ColumnLayout(n_numbers=1, widths=(2,)))(torch.tensor([[7.0, 1.0, 1.0]]))
    tensor([[7.0000, 0.5000, 0.5000]])
    """

    def __init__(self, column_layout):
        super().__init__()
        self.n_numbers = column_layout.n_numbers
        widths = torch.tensor(column_layout.widths, dtype=torch.int64)
        group = torch.arange(len(widths)).repeat_interleave(widths)
        self.register_buffer("group", group, persistent=False)
        self.blocks = nn.ModuleList(map(_Block, _blocks(column_layout.widths)))

    def forward(self, x):
        numbers, logits = self.split(x)
        return torch.cat([numbers, self.log_softmax(logits).exp()], -1)

    def split(self, x):
        """Return the elements of numbers and those of categories."""
        return x[..., : self.n_numbers], x[..., self.n_numbers :]

    def log_softmax(self, logits):
        """Return the logarithm of the softmax of each group."""
        logits = logits - self.broadcast(self._of_blocks(_Block.highest, logits.detach()))
        return logits - self.broadcast(self.total(logits.exp()).log())

    def broadcast(self, x):
        """Return the value of each group for each of its elements."""
        return x.index_select(-1, self.group)

    def total(self, x):
        """Return the sum over each group, shape (..., n_groups)."""
        return self._of_blocks(_Block.total, x)

    def _of_blocks(self, function, x):
        """Return the values of a function of each group, shape (..., n_groups)."""
        if len(self.blocks) == 1:
            return function(self.blocks[0], x)
        pieces = x.split([block.n_elements for block in self.blocks], -1)
        values = [function(*pair) for pair in zip(self.blocks, pieces, strict=True)]
        return torch.cat(values, -1) if values else x


#: Groups in a block, and the elements that they would have if all were as wide as the widest.
MAX_GROUPS, MAX_ELEMENTS = 128, 2**14


def _blocks(widths):
    """Return the widths of groups in blocks, so that the work for all grows with their elements."""
    blocks, most = [], 0
    for width in widths:
        most = max(most, width)
        if blocks and len(blocks[-1]) < MAX_GROUPS and most * (len(blocks[-1]) + 1) <= MAX_ELEMENTS:
            blocks[-1].append(width)
        else:
            blocks.append([width])
            most = width
    return blocks


class _Block(nn.Module):
    """Groups of elements that are side by side.

    Parameters
    ----------
    widths : list of int
        Number of elements of each group.
    """

    def __init__(self, widths):
        super().__init__()
        self.n_elements = sum(widths)
        widths = torch.tensor(widths, dtype=torch.int64)
        group = torch.arange(len(widths)).repeat_interleave(widths)
        # Elements of each group side by side, the first one again where there are fewer.
        within = torch.arange(int(widths.max())).expand(len(widths), -1)
        first = (widths.cumsum(0) - widths)[:, None]
        places = torch.where(within < widths[:, None], first + within, first)
        membership = nn.functional.one_hot(group, len(widths)).float()
        self.register_buffer("places", places, persistent=False)
        self.register_buffer("membership", membership, persistent=False)

    def highest(self, x):
        """Return the maximum of each group, shape (..., n_groups)."""
        return x.index_select(-1, self.places.flatten()).unflatten(-1, self.places.shape).amax(-1)

    def total(self, x):
        """Return the sum over each group, shape (..., n_groups)."""
        return x @ self.membership

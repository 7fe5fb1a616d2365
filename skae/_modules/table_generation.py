"""A variational autoencoder of tables that draws the cells of a row one by one. torch only."""

import math
from typing import NamedTuple

import torch

from skae._modules.autoencoder import weighted_mean
from skae._modules.variational import VariationalModule
from skae._runtime import TRAINED

#: Steps in which the cells of a row are drawn, at most; of wider tables, several columns at once.
MAX_STEPS = 64

#: Fraction of the rows of a batch that are decoded from their code alone, and of all with a code.
CODE_ALONE, WITH_CODE = 0.25, 0.5


class Given(NamedTuple):
    """Cells of rows that are known when others are predicted or drawn.

    Parameters
    ----------
    x : tensor of shape (n_samples, n_elements)
        Rows, NaN where a cell is missing.
    known : boolean tensor of shape (n_samples, n_columns)
        Which cells are known, be it that they are missing.
    """

    x: torch.Tensor
    known: torch.Tensor


class TableVariationalModule(VariationalModule):
    """Variational module whose decoder also takes cells of a row, and predicts the others of them.

    Its loss is a `~skae.losses._table_likelihood.TableLikelihood`, its decoder a
    `~skae.architectures._tabular.CellDecoder`. A quarter of the rows of a batch are decoded from
    their code alone, as in any variational autoencoder. Of the others some cells are known, a
    random number of random ones, and the loss is that of the rest; a third of them have a code.
    So the decoder learns the distribution of any cells given any others, in any order [1]_, with
    and without a code [2]_.

    References
    ----------
    .. [1] B. Uria, I. Murray and H. Larochelle, "A deep and tractable density estimator", ICML
       2014. :arxiv:`1310.1757`
    .. [2] X. Chen et al., "Variational lossy autoencoder", ICLR 2017. :arxiv:`1611.02731`
    """

    @property
    def columns(self):
        """Column of each element, a tensor."""
        return self.loss.column_layout.columns

    @property
    def n_components(self):
        """Length of the code."""
        return self.decoder.code_width

    # Training.

    def objective(self, x, target, weight=None, cell_weight=None, state=TRAINED, labels=None):
        n_alone, n_with_code = (math.ceil(part * len(x)) for part in (CODE_ALONE, WITH_CODE))
        known = self._random_cells(x, state.generator)
        known[:n_alone] = False
        encoded = self.encoded(x[:n_with_code], state)
        of_codes = None if weight is None else weight[:n_with_code]
        code, penalty = self.bottleneck.draw(encoded, of_codes, state)
        latent = torch.cat([code, code.new_zeros(len(x) - n_with_code, code.shape[1])])
        output = self._output(latent, Given(x, known), n_with_code, state)
        losses = (self.loss.column_losses(output, x) * ~known).sum(1)
        # Of the columns that are not known, as if it were all of them.
        losses = losses * known.shape[1] / (~known).sum(1)
        return weighted_mean(losses, weight) + penalty * n_with_code / len(x)

    def _random_cells(self, x, generator):
        """Return a random number of random cells of each row, never all of them."""
        shape = len(x), len(self.loss.column_layout.sizes)
        drawn = torch.rand(shape, generator=generator, device=x.device)
        n_known = torch.rand((len(x), 1), generator=generator, device=x.device) * shape[1]
        return drawn.argsort(1).argsort(1) < n_known.long()

    def _output(self, latent, given, n_with_code, state=TRAINED):
        """Return what the decoder makes of codes, which the first rows have, and known cells."""
        has_no_code = torch.arange(len(latent), device=latent.device) >= n_with_code
        features = torch.cat([has_no_code[:, None], self._features(*given)], 1)
        return self._run_decoder(latent, features, state=state)

    def _features(self, x, known):
        """Return known cells as the decoder gets them, shape (n_samples, n_features).

        Numbers as scores, categories by their elements, then which cells are known, and which are
        known to be missing.
        """
        is_missing = x[:, self.loss.column_layout.starts.to(x.device)].isnan()
        numbers, categories = self.loss.softmax.split(x.nan_to_num(0.0))
        values = torch.cat([self.loss.quantiles.scores(numbers), categories], 1)
        is_there = known & ~is_missing
        values = values * is_there[:, self.columns.to(x.device)]
        return torch.cat([values, known, known & is_missing], 1)

    # Afterwards.

    def complete(self, x):
        """Return rows with the expected values of cells, given those that are not missing."""
        known = self.is_known(x)
        latent = x.new_zeros(len(x), self.n_components)
        return self.output_activation(self._output(latent, Given(x, known), 0))

    def is_known(self, x):
        """Return which cells of rows are not missing, shape (n_samples, n_columns)."""
        return ~x[:, self.loss.column_layout.starts.to(x.device)].isnan()

    def draw_missing(self, x, generator=None, *, with_missing=True):
        """Draw what is missing in rows, given their other cells; parameters as for ``draw``."""
        return self.draw(Given(x, self.is_known(x)), generator, with_missing=with_missing)

    def log_lifts(self, x):
        """Return by how much other known cells make each known cell more probable.

        Parameters
        ----------
        x : tensor of shape (n_samples, n_elements)
            Rows, NaN where a cell is missing.

        Returns
        -------
        tensor of shape (n_samples, n_columns)
            Logarithms of the quotients of two probabilities, 0 for missing cells.
        """
        known = self.is_known(x)
        latent = x.new_zeros(len(x), self.n_components)
        alone = self.loss.column_losses(self._output(latent, Given(x, known & False), 0), x)
        lifts = torch.zeros_like(alone)
        for column in known.any(0).nonzero().flatten():
            others = known.clone()
            others[:, column] = False
            losses = self.loss.column_losses(self._output(latent, Given(x, others), 0), x)
            lifts[:, column] = alone[:, column] - losses[:, column]
        return lifts * known

    def sample(self, code, target=None, generator=None):
        """Draw rows given the code, NaN where a cell is missing."""
        shape = len(code), len(self.columns)
        known = code.new_zeros((len(code), len(self.loss.column_layout.sizes)), dtype=torch.bool)
        return self.draw(Given(code.new_zeros(shape), known), generator, code)

    def draw(self, given, generator=None, code=None, *, with_missing=True):
        """Draw the cells of rows that are not known, one after another.

        Each row has an order of its own: if all had the same, errors of the first steps would add
        up in the last columns.

        Parameters
        ----------
        given : Given
        generator : torch.Generator or None, default=None
        code : tensor of shape (n_samples, n_components) or None, default=None
            Code of each row, None for none.
        with_missing : bool, default=True
            Whether cells can be drawn that are missing.

        Returns
        -------
        tensor of shape (n_samples, n_elements)
            Rows, NaN where a cell is missing.
        """
        x, known = given
        n_columns, device = known.shape[1], x.device
        n_with_code = 0 if code is None else len(x)
        latent = x.new_zeros(len(x), self.n_components) if code is None else code
        order = torch.rand(known.shape, generator=generator, device=device).argsort(1)
        step_of = order.argsort(1) // -(-n_columns // MAX_STEPS)
        for step in range(int(step_of.max()) + 1):
            prediction = self._output(latent, Given(x, known), n_with_code)
            is_new = (step_of == step) & ~known
            drawn = self.loss.sample(prediction, generator)
            if with_missing:
                missing = self.loss.sample_missing(prediction, generator)
                drawn = drawn.masked_fill(missing[:, self.columns.to(device)], torch.nan)
            x = torch.where(is_new[:, self.columns.to(device)], drawn, x)
            known = known | is_new
        return x

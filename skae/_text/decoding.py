"""Decoding of tokens: greedy, by beam search, or by sampling. Needs only torch."""

from dataclasses import dataclass
from math import inf

import torch
from torch.nn.functional import pad

from skae._data.texts import BEGIN, END, PADDING

#: Columns of which the maximum is taken first.
GROUP = 16


@dataclass(frozen=True)
class Constraints:
    """Constraints on translations.

    Parameters
    ----------
    max_length : int
        Tokens in a translation, the end included.
    no_repeat_ngram_size : int or None
        Sequences of this many tokens must not occur twice.
    """

    max_length: int
    no_repeat_ngram_size: int | None = None

    def apply(self, log_p, tokens, prefix):
        """Set the log-probabilities of forbidden tokens to -inf, in place.

        Parameters
        ----------
        log_p : tensor of shape (n_samples, n_tokens)
            Logarithm of the probability of each next token.
        tokens : tensor of shape (n_samples, n_steps)
            Tokens so far.
        prefix : tensor of shape (n_samples, n_given)
            Tokens to begin with, padded.
        """
        n_steps = tokens.shape[1]
        forced = None
        if n_steps == self.max_length - 1:
            forced = torch.full_like(log_p[:, :1], END, dtype=torch.long)
        elif n_steps < prefix.shape[1]:
            forced = prefix[:, n_steps : n_steps + 1]  # padding after the prefix
        log_p_forced = None if forced is None else log_p.gather(1, forced)
        self._avoid_repeats(log_p, tokens)
        if forced is not None:
            log_p.masked_fill_(forced != PADDING, -torch.inf).scatter_(1, forced, log_p_forced)
        log_p[:, [PADDING, BEGIN]] = -torch.inf
        if n_steps == 0:
            log_p[:, END] = -torch.inf  # an empty translation

    def _avoid_repeats(self, log_p, tokens):
        n, n_steps = self.no_repeat_ngram_size, tokens.shape[1]
        if n is None or n_steps < n:
            return
        runs = tokens.unfold(1, n, 1)  # (n_samples, n_runs, n)
        is_same = (runs[..., :-1] == tokens[:, None, n_steps - n + 1 :]).all(-1)
        # Runs that differ point to padding, which is never allowed; the end always is.
        log_p.scatter_(1, torch.where(is_same, runs[..., -1], PADDING), -torch.inf)


class Steps:
    """Steps of a decoder for some sources, and the constraints on them.

    Parameters
    ----------
    decoder : nn.Module
    state : DecoderState
        State before the first token, for each source.
    prefix : tensor of shape (n_samples, n_given)
        Tokens that translations begin with, padded.
    constraints : Constraints
    """

    def __init__(self, decoder, state, prefix, constraints):
        self.decoder, self.state = decoder, state
        self.prefix, self.constraints = prefix, constraints
        self.tokens = prefix.new_empty((len(prefix), 0))

    def logits(self):
        """Return the logits of the next tokens, shape (n_rows, n_tokens)."""
        n, n_steps = self.tokens.shape
        last = self.tokens[:, -1:] if n_steps else self.tokens.new_full((n, 1), BEGIN)
        hidden, self.state = self.decoder(last, self.state)
        return self.decoder.output(hidden[:, -1])

    def constrain(self, values):
        """Set the logits or logarithms of probabilities of forbidden tokens to -inf, in place."""
        self.constraints.apply(values, self.tokens, self.prefix)

    def repeat(self, n):
        """Continue each translation several times."""
        self.state = self.state.repeat(n)
        self.tokens, self.prefix = (x.repeat_interleave(n, 0) for x in (self.tokens, self.prefix))

    def go_on(self, token, rows=None, is_same_source=False):
        """Append tokens to selected translations.

        Parameters
        ----------
        token : tensor of int, shape (n_selected,)
        rows : tensor of int, shape (n_selected,), or None, default=None
            Which translations; None is all.
        is_same_source : bool, default=False
            Whether the source of each row stays the same.
        """
        if rows is not None:
            self.tokens = self.tokens[rows]
            if is_same_source:
                self.state = self.state.reorder(rows)
            else:
                self.state, self.prefix = self.state.select(rows), self.prefix[rows]
        self.tokens = torch.cat([self.tokens, token[:, None]], dim=1)


def largest(values, k):
    """Return the ``k`` largest values of each row and their places, as ``topk`` does.

    Maxima of groups of columns are found first, which takes less time than to sort: the largest
    values are in the groups with the largest maxima.

    Parameters
    ----------
    values : tensor of shape (n_rows, n_columns), contiguous
    k : int
    """
    n, n_columns = values.shape
    n_groups = n_columns // GROUP
    if n_groups <= k:
        return values.topk(k)
    rest = GROUP * n_groups
    maxima = values[:, :rest].unflatten(1, (GROUP, n_groups)).amax(1)
    group = maxima.topk(k).indices
    members = group[..., None] + torch.arange(0, rest, n_groups, device=values.device)
    others = torch.arange(rest, n_columns, device=values.device).expand(n, -1)
    places = torch.cat([members.flatten(1), others], dim=1)
    found, which = values.gather(1, places).topk(k)
    return found, places.gather(1, which)


def greedy(decoder, state, prefix, constraints):
    """Take the most probable token at each step.

    Parameters
    ----------
    decoder, state, prefix, constraints
        As for `beam_search`.

    Returns
    -------
    list of list of int
        The tokens of each translation.
    """
    found = [None] * len(prefix)
    which = torch.arange(len(prefix), device=prefix.device)
    steps = Steps(decoder, state, prefix, constraints)
    while len(which):
        logits = steps.logits()
        steps.constrain(logits)
        token = largest(logits, 1)[1].squeeze(1)
        ends = token == END
        if not ends.any():
            steps.go_on(token)
            continue
        for i, row in zip(which[ends].tolist(), steps.tokens[ends].tolist(), strict=True):
            found[i] = row
        rows = (~ends).nonzero().squeeze(1)
        steps.go_on(token[rows], rows)
        which = which[rows]
    return found


def beam_search(decoder, state, prefix, constraints, beam_size, n_best, length_penalty):
    """Find probable translations by beam search.

    Parameters
    ----------
    decoder : nn.Module
    state : DecoderState
        State before the first token, for each source.
    prefix : tensor of shape (n_samples, n_given)
        Tokens that translations begin with, padded.
    constraints : Constraints
    beam_size : int
        Number of partial translations to continue, until as many have ended and ``n_best`` of them
        are more probable than all that go on; 1 is greedy.
    n_best : int
        Number of translations that are wanted.
    length_penalty : float
        The logarithm of the probability is divided by the length to this power.

    Returns
    -------
    list of list of tuple (tokens, log_probability)
        All translations of each source that were found, the best first.
    """
    n_samples, k, last = prefix.shape[0], beam_size, min(n_best, beam_size) - 1
    found = [[] for _ in range(n_samples)]
    sample = torch.arange(n_samples, device=prefix.device)  # sources that are not finished
    steps = Steps(decoder, state, prefix, constraints)
    log_p = torch.zeros((n_samples, 1), device=prefix.device)  # of each that is continued
    while len(sample):
        best, rows, token = _candidates(steps, log_p, 2 * k)
        ends = token == END
        _collect(found, sample, steps.tokens, rows, best, ends[:, :k])
        # The k best of the others continue.
        place = torch.arange(2 * k, device=prefix.device)
        chosen = (place + 2 * k * ends).topk(k, largest=False).indices
        log_p, rows, token = (x.gather(1, chosen) for x in (best, rows, token))
        log_p = log_p.masked_fill(ends.gather(1, chosen), -torch.inf)
        is_open = [
            value > -inf and (len(found[i]) < k or value > rank(found[i], length_penalty)[last][1])
            for i, value in zip(sample.tolist(), log_p[:, 0].tolist(), strict=True)
        ]
        if not steps.tokens.shape[1]:
            steps.repeat(k)
            rows = torch.arange(rows.numel(), device=rows.device).view_as(rows)
        if all(is_open):
            steps.go_on(token.flatten(), rows.flatten(), is_same_source=True)
            continue
        still = torch.tensor(is_open, device=prefix.device)
        sample, log_p, rows, token = (x[still] for x in (sample, log_p, rows, token))
        steps.go_on(token.flatten(), rows.flatten())
    return [rank(some, length_penalty) for some in found]


def _candidates(steps, log_p, n):
    """Return the best continuations of each source.

    Parameters
    ----------
    steps : Steps
    log_p : tensor of shape (n_samples, n_beams)
        Logarithm of the probability of each translation so far.
    n : int
        Number of continuations of each source.

    Returns
    -------
    log_p, row, token : tensor of shape (n_samples, n)
        Their probabilities, the best first; which translation they continue, and by which token.
    """
    step = steps.logits().log_softmax(-1)
    steps.constrain(step)
    n_samples, n_beams = log_p.shape
    n_classes = step.shape[1]
    values = step.view(n_samples, n_beams, n_classes).add_(log_p[..., None]).flatten(1)
    n_found = min(n, values.shape[1])
    best, which = (pad(x, (0, n - n_found)) for x in largest(values, n_found))
    best[:, n_found:] = -torch.inf
    first = torch.arange(n_samples, device=step.device)[:, None] * n_beams
    return best, first + which // n_classes, which % n_classes


def _collect(found, sample, tokens, rows, values, ends):
    """Add the translations that end here."""
    places = (ends & (values[:, : ends.shape[1]] > -torch.inf)).nonzero()
    if not len(places):
        return
    some = tokens[rows[places[:, 0], places[:, 1]]].tolist()
    values = values[places[:, 0], places[:, 1]].tolist()
    for i, row, value in zip(sample[places[:, 0]].tolist(), some, values, strict=True):
        found[i].append((row, value))


def _score(translation, length_penalty):
    tokens, log_p = translation
    return log_p / (len(tokens) + 1) ** length_penalty


def rank(translations, length_penalty):
    """Return translations, tuples (tokens, log_probability), in order, the best first."""
    return sorted(translations, key=lambda t: -_score(t, length_penalty))


def sample(decoder, state, prefix, constraints, chance, temperature):
    """Sample translations from the probabilities of the net.

    Parameters
    ----------
    decoder, state, prefix, constraints
        As for `beam_search`.
    chance : tensor of shape (n_samples, max_length)
        Uniform random numbers in [0, 1), so that a sample does not depend on the others.
    temperature : float
        Logits are divided by it: values below 1 prefer probable tokens.

    Returns
    -------
    list of tuple (tokens, log_probability)
    """
    drawn = [None] * len(prefix)
    which = torch.arange(len(prefix), device=prefix.device)
    total = torch.zeros(len(prefix), device=prefix.device)
    steps = Steps(decoder, state, prefix, constraints)
    while len(which):
        step = steps.logits().log_softmax(-1)
        allowed = step.clone()
        steps.constrain(allowed)
        cumulated = (allowed / temperature).softmax(-1).cumsum(-1)
        threshold = chance[which, steps.tokens.shape[1], None] * cumulated[:, -1:]
        token = torch.searchsorted(cumulated, threshold, right=True)
        total = total + step.gather(1, token).squeeze(1)
        token = token.squeeze(1)
        ends = token == END
        for i, row, value in zip(
            which[ends].tolist(), steps.tokens[ends].tolist(), total[ends].tolist(), strict=True
        ):
            drawn[i] = row, value
        rows = (~ends).nonzero().squeeze(1)
        steps.go_on(token[rows], rows)
        which, total = which[rows], total[rows]
    return drawn

"""Decoding of tokens: greedy, by beam search, or by sampling. Needs only torch."""

from dataclasses import dataclass

import torch

from skae._data.texts import BEGIN, END, PADDING


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


def _log_probabilities(decoder, tokens, state):
    last = tokens[:, -1:] if tokens.shape[1] else tokens.new_full((len(tokens), 1), BEGIN)
    hidden, state = decoder(last, state)
    return decoder.output(hidden[:, -1]).log_softmax(-1), state


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
    state = state.select(sample.repeat_interleave(k))
    log_p = torch.full((n_samples, k), -torch.inf, device=prefix.device)
    log_p[:, 0] = 0.0  # all beams begin equal
    tokens = prefix.new_empty((n_samples * k, 0))
    place = torch.arange(2 * k, device=prefix.device)
    while len(sample):
        step, state = _log_probabilities(decoder, tokens, state)
        constraints.apply(step, tokens, prefix[sample].repeat_interleave(k, 0))
        n_classes = step.shape[1]
        candidates = (log_p[..., None] + step.view(-1, k, n_classes)).flatten(1)
        best, which = candidates.topk(min(2 * k, candidates.shape[1]))
        beam, token = which // n_classes, which % n_classes
        ends, n_steps = token == END, tokens.shape[1] + 1
        rows = torch.arange(len(sample), device=prefix.device)[:, None] * k + beam
        _collect(found, sample, tokens, rows, best, ends[:, :k])
        # The k best of the others continue.
        chosen = (place[: best.shape[1]] + 2 * k * ends).topk(k, largest=False).indices
        log_p, rows, token = (x.gather(1, chosen) for x in (best, rows, token))
        log_p = log_p.masked_fill(ends.gather(1, chosen), -torch.inf)
        is_open = [
            len(found[i]) < k or value > rank(found[i], length_penalty)[last][1]
            for i, value in zip(sample.tolist(), log_p[:, 0].tolist(), strict=True)
        ]
        continues = torch.tensor(is_open, device=prefix.device) & (log_p[:, 0] > -torch.inf)
        tokens = torch.cat([tokens[rows.flatten()], token.view(-1, 1)], dim=1)
        tokens = tokens.view(-1, k, n_steps)[continues].flatten(0, 1)
        if continues.all():
            state = state if k == 1 else state.reorder(rows.flatten())
        else:
            state = state.select(rows[continues].flatten())
        sample, log_p = sample[continues], log_p[continues]
    return [rank(some, length_penalty) for some in found]


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
    tokens = prefix.new_empty((len(prefix), 0))
    while len(which):
        step, state = _log_probabilities(decoder, tokens, state)
        allowed = step.clone()
        constraints.apply(allowed, tokens, prefix[which])
        cumulated = (allowed / temperature).softmax(-1).cumsum(-1)
        threshold = chance[which, tokens.shape[1], None] * cumulated[:, -1:]
        token = torch.searchsorted(cumulated, threshold, right=True)
        total = total + step.gather(1, token).squeeze(1)
        tokens = torch.cat([tokens, token], dim=1)
        ends = token.squeeze(1) == END
        for i, row, value in zip(
            which[ends].tolist(), tokens[ends, :-1].tolist(), total[ends].tolist(), strict=True
        ):
            drawn[i] = row, value
        state = state.select(~ends) if ends.any() else state
        which, tokens, total = which[~ends], tokens[~ends], total[~ends]
    return drawn

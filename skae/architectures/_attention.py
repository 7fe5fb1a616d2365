"""Parts of text decoders: attention, and the state between steps. torch only."""

from dataclasses import dataclass, field, replace

import torch
from torch import nn


@dataclass
class DecoderState:
    """What a decoder knows before its next step. The first axis of all tensors is the sample.

    Parameters
    ----------
    memory : list of tensor
        What the decoder keeps of the source; it is the same for all steps.
    past : list of tensor, default=[]
        What the decoder keeps of the tokens so far.
    n_steps : int, default=0
        Number of tokens so far.
    shares_memory : bool, default=False
        Whether the decoder can read one row of ``memory`` for several samples in a row. Beam
        search then does not repeat it for the translations of one source. See `Transformer`.
    n_sharing : int, default=1
        Number of samples that share a row of ``memory``.
    """

    memory: list
    past: list = field(default_factory=list)
    n_steps: int = 0
    shares_memory: bool = False
    n_sharing: int = 1

    def repeat(self, n):
        """Return the state with each sample several times in a row.

        Parameters
        ----------
        n : int
            How many times.

        Returns
        -------
        DecoderState
            The state of ``n`` times as many samples.
        """
        past = [tensor.repeat_interleave(n, 0) for tensor in self.past]
        if self.shares_memory:
            return replace(self, past=past, n_sharing=n * self.n_sharing)
        memory = [tensor.repeat_interleave(n, 0) for tensor in self.memory]
        return replace(self, memory=memory, past=past)

    def select(self, which):
        """Return the state of selected samples, which may be repeated.

        Parameters
        ----------
        which : tensor of int, shape (n_selected,)
            Positions of the samples. If several share a row of ``memory``, as many of each row
            follow each other.

        Returns
        -------
        DecoderState
            The state of the selected samples, source included.
        """
        row = which[:: self.n_sharing] // self.n_sharing
        memory = [tensor.index_select(0, row) for tensor in self.memory]
        return replace(self, memory=memory).reorder(which)

    def reorder(self, which):
        """Return the state with the pasts of other samples that have the same source.

        Parameters
        ----------
        which : tensor of int, shape (n_samples,)
            For each sample, the position of the one whose past it gets.

        Returns
        -------
        DecoderState
            The state with the same memory.
        """
        return replace(self, past=[tensor.index_select(0, which) for tensor in self.past])

    def after(self, past, n_steps):
        """Return the state some steps later.

        Parameters
        ----------
        past : list of tensor
            What the decoder now keeps of the tokens.
        n_steps : int
            Number of tokens since this state.

        Returns
        -------
        DecoderState
            The later state.
        """
        return replace(self, past=past, n_steps=self.n_steps + n_steps)


class Attention(nn.Module):
    """Multi-head attention [1]_.

    Parameters
    ----------
    width : int
    n_heads : int

    References
    ----------
    .. [1] A. Vaswani et al., "Attention is all you need", NIPS 2017. :arxiv:`1706.03762`
    """

    def __init__(self, width, n_heads):
        super().__init__()
        self.n_heads, self.head_size = n_heads, width // n_heads
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)

    def project_kv(self, x, angles=None):
        """Return the keys and values of ``x``, (n_samples, n_heads, n_steps, size)."""
        key, value = (self._heads(part) for part in self.key_value(x).chunk(2, dim=2))
        return [apply_rotary(key, angles), value]

    def forward(self, x, key, value, angles=None, **how):
        """Return what each step of ``x`` attends to, in the shape of ``x``; see `attend`.

        Samples in a row may share keys and values: those are then fewer.
        """
        query = self.query(x).view(len(key), -1, x.shape[2])
        found = attend(apply_rotary(self._heads(query), angles), key, value, **how)
        return self.output(found.transpose(1, 2).reshape(x.shape))

    def _heads(self, x):
        return x.unflatten(2, (self.n_heads, -1)).transpose(1, 2)


def apply_rotary(x, angles):
    """Rotate pairs of numbers by angles, given as cosines and sines, (n_steps, size), or None."""
    if angles is None:
        return x
    cosine, sine = angles
    a, b = x.chunk(2, dim=-1)
    return x * cosine + torch.cat([-b, a], dim=-1) * sine


def attend(query, key, value, is_token=None, causal=False, weights=None):
    """Return means of values, weighted by how well keys fit the queries.

    Parameters
    ----------
    query : tensor of shape (n_samples, n_heads, n_queries, size)
    key, value : tensor of shape (n_samples, n_heads, n_keys, size)
    is_token : tensor of shape (n_samples, n_keys) or None, default=None
        Which keys are not padding; all of them if None.
    causal : bool, default=False
        Whether a query sees only the keys up to its own position.
    weights : list or None, default=None
        Gets the weights, shape (n_samples, n_heads, n_queries, n_keys).

    Returns
    -------
    tensor of the shape of ``query``
    """
    mask = None if is_token is None else is_token[:, None, None]
    # On CPUs torch's kernel for bfloat16 takes several times as long as the two products.
    is_slow = query.device.type == "cpu" and query.dtype == torch.bfloat16
    if weights is None and not is_slow:
        return nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=causal
        )
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(2, 3)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    if causal:
        future = torch.full(scores.shape[2:], -torch.inf, dtype=scores.dtype, device=scores.device)
        scores = scores + future.triu(1)
    fraction = scores.softmax(-1)
    if weights is not None:
        weights.append(fraction)
    return fraction @ value


def padding_mask(is_token):
    """Return a mask of tokens, or None if there is nothing to mask."""
    return None if is_token.all() else is_token

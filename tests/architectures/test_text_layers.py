"""What translators are made of: layers, loss, batches, tokens."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from skae._data.batches import Batches
from skae._data.texts import TextDataset, TextPairDataset, duplicate_ids
from skae._modules.translation import TranslationModule
from skae._text.sentences import split_text
from skae._text.tokenizers import auto_vocabulary_size, decode, encode, train_tokenizer
from skae.architectures import RecurrentEncoderDecoder, Transformer
from skae.architectures._attention import attend
from skae.architectures._base import Dropout

ARCHITECTURES = [
    RecurrentEncoderDecoder(16, dropout=0.0),
    RecurrentEncoderDecoder(16, cell="gru", n_encoder_layers=2, n_decoder_layers=2, dropout=0.0),
    RecurrentEncoderDecoder(16, attention=False, dropout=0.0),
    Transformer(16, n_heads=2, dropout=0.0),
]


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_padding_changes_nothing(architecture):
    torch.manual_seed(0)
    encoder, decoder = architecture.build(50, 50, shared=True, n_pairs=100)
    source = torch.tensor([[5, 6, 7, 8, 2], [9, 10, 2, 0, 0]])
    tokens = torch.tensor([[1, 5, 6], [1, 7, 8]])
    together = decoder(tokens, decoder.start(encoder(source), source != 0))[0]
    short = source[1:, :3]
    states = encoder(short)
    alone = decoder(tokens[1:], decoder.start(states, short != 0))[0]
    torch.testing.assert_close(encoder(source)[1:, :3], states)
    torch.testing.assert_close(together[1:], alone)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_steps_equal_the_whole(architecture):
    torch.manual_seed(0)
    encoder, decoder = architecture.build(50, 60, shared=False, n_pairs=100)
    source = torch.tensor([[5, 6, 7, 8, 2], [9, 10, 2, 0, 0]])
    tokens = torch.randint(3, 60, (2, 7))
    start = decoder.start(encoder(source), source != 0)
    whole, _ = decoder(tokens, start)
    state, steps = start, []
    for token in tokens.split(1, dim=1):
        hidden, state = decoder(token, state)
        steps.append(hidden)
    torch.testing.assert_close(torch.cat(steps, dim=1), whole)
    # samples exchanged on the way
    _, state = decoder(tokens[:, :3], start)
    hidden, _ = decoder(tokens[[1, 0], 3:4], state.select(torch.tensor([1, 0])))
    torch.testing.assert_close(hidden[[1, 0], 0], whole[:, 3])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_attention_equals_that_of_torch(masked, dtype):
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 4, 5, 8).unbind()
    is_token = torch.arange(5) < torch.tensor([[3], [5]]) if masked else None
    weights = []
    causal = not masked
    expected = nn.functional.scaled_dot_product_attention(
        query, key, value, None if is_token is None else is_token[:, None, None], is_causal=causal
    )
    found = attend(*(x.to(dtype) for x in (query, key, value)), is_token, causal)
    tolerance = {"rtol": 1e-5, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 0, "atol": 0.1}
    torch.testing.assert_close(found.float(), expected, **tolerance)
    torch.testing.assert_close(attend(query, key, value, is_token, causal, weights), expected)
    torch.testing.assert_close(weights[0].sum(-1), torch.ones(2, 4, 5))


def test_loss_is_the_mean_of_a_token_and_smoothed():
    torch.manual_seed(0)
    encoder, decoder = ARCHITECTURES[0].build(20, 20, shared=True, n_pairs=100)
    module = TranslationModule(encoder, decoder, label_smoothing=0.0)
    source = torch.tensor([[5, 6, 2], [7, 2, 0]])
    target = torch.tensor([[8, 2, 0, 0], [9, 10, 11, 2]])
    weight = torch.tensor([2.0, 0.5])
    log_p = -module.log_likelihood(source, target)
    module.eval()
    torch.testing.assert_close(module.objective(source, target), log_p.sum() / 6)
    torch.testing.assert_close(module.objective(source, target, weight), (log_p @ weight) / 6)
    assert module.size(target) == 6
    hidden = module.hidden(source, target)
    spread = -decoder.output(hidden).log_softmax(-1).mean(-1)[target != 0].sum() / 6
    expected = 0.8 * log_p.sum() / 6 + 0.2 * spread
    module.label_smoothing = 0.2
    for training in (True, False):
        torch.testing.assert_close(module.train(training).objective(source, target), expected)


def test_dropout_keeps_the_mean_and_draws_anew(global_random_seed):
    torch.manual_seed(global_random_seed)
    dropout = Dropout(0.25, has_pool=True)
    x = torch.ones(1000, 40)
    first, second = dropout(x), dropout(x)
    assert (first == 0).float().mean() == pytest.approx(0.25, abs=0.02)
    assert first.mean() == pytest.approx(1, abs=0.02)
    assert (first != second).any()
    assert first.unique().tolist() == pytest.approx([0, 4 / 3])
    assert dropout.eval()(x) is x
    assert dropout(x.bfloat16()).dtype == torch.bfloat16
    large = Dropout(0.5, has_pool=True)(torch.ones(3000, 1000))
    assert large.mean() == pytest.approx(1, abs=0.01)


def pairs_of_random_lengths(n, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 30, size=(n, 2))
    return TextPairDataset(
        *(TextDataset([[3 + i % 90] * k for i, k in enumerate(c)]) for c in lengths.T)
    )


@pytest.mark.parametrize("n", [1, 7, 2000])
def test_batches_have_each_pair_once_and_about_as_many_tokens(global_random_seed, n):
    pairs = pairs_of_random_lengths(n)
    batches = Batches(
        pairs, 16, torch.device("cpu"), torch.Generator().manual_seed(global_random_seed)
    )
    epochs = [list(batches) for _ in range(2)]
    assert len(batches) == len(epochs[0]) == len(epochs[1])
    mean = pairs.lengths.sum(1).mean()
    for epoch in epochs:
        sizes = [(x.shape[1] + y.shape[1]) * len(x) for x, (y, *_) in epoch]
        assert sum(len(x) for x, _ in epoch) == n
        assert max(sizes) <= max(16 * mean, 60)
        seen = sorted((row[row > 0].tolist() for x, _ in epoch for row in x), key=str)
        assert seen == sorted(pairs.sources.rows(), key=str)
    if n == 2000:
        kept = [float((x > 0).float().mean()) for x, _ in epochs[0]]
        assert np.mean(kept) > 0.95
        assert [len(x) for x, _ in epochs[0]] != [len(x) for x, _ in epochs[1]]  # another order


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab .!?,;\n", min_size=1, max_size=80), st.integers(1, 20))
def test_parts_of_a_long_text_fit_and_lose_nothing(text, limit):
    parts = split_text(text, lambda part: len(part) <= limit)
    assert all(len(part) <= limit or len(part) < 2 for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_long_texts_are_cut_between_sentences():
    text = "I am cold. Are you, too? No; I am warm, dry and well"
    assert split_text(text, lambda part: len(part) <= 20) == [
        "I am cold.",
        "Are you, too?",
        "No; I am warm,",
        "dry and well",
    ]


@pytest.mark.parametrize("text", ["word " * 4000, "x" * 20_000, "a, " * 6000, "So. " * 5000])
@pytest.mark.parametrize("limit", [64, 1024])
def test_the_work_of_cutting_grows_with_the_text_only(text, limit):
    n_read = 0

    def fits(part):
        nonlocal n_read
        n_read += len(part)
        return len(part) <= limit

    split_text(text, fits)
    assert n_read < 30 * len(text)


@pytest.mark.parametrize("kind", ["bpe", "unigram", "word"])
@pytest.mark.parametrize(
    "text", ["ab" * 500, " " * 1000, "!" * 1000, "é" * 1000, "e" + "\u0301" * 999]
)
def test_tokenizers_read_long_words_in_pieces(kind, text):
    """The time of their algorithms grows faster than the length of a word."""
    tokenizer = train_tokenizer(["a cat", f"a{text}b"], kind, 300)
    pieces = [piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)]
    assert max(map(len, pieces)) <= 2 * 34  # two bytes a character
    rows = encode(tokenizer, [f"a{text}b"])
    assert decode(tokenizer, rows) == [tokenizer.normalizer.normalize_str(f"a{text}b").strip()]


def test_rows_with_equal_texts_are_linked():
    groups = duplicate_ids(["a", "b", "a", "c", "d"], ["x", "y", "z", "z", "w"])
    assert groups[0] == groups[2] == groups[3]
    assert len(set(groups.tolist())) == 3


def test_vocabularies_grow_with_the_root_of_the_data():
    sizes = [auto_vocabulary_size(["four words in each"] * n) for n in (10, 10_000, 40_000, 10**7)]
    assert sizes == [400, 800, 1600, 16_000]
    texts = ["a cat sees a cat"] * 50
    for kind in ("bpe", "unigram", "word", "char"):
        assert train_tokenizer(texts, kind, 10_000).get_vocab_size() < 1000


@pytest.mark.parametrize("kind", [RecurrentEncoderDecoder, Transformer])
@pytest.mark.parametrize(
    ("n_pairs", "rate"),
    [(10, 0.3), (15_000, 0.1 + 0.04 * np.log(10)), (150_000, 0.1), (10**7, 0.1)],
)
def test_dropout_follows_the_number_of_pairs(kind, n_pairs, rate):
    halves = kind(16).build(50, 50, shared=True, n_pairs=n_pairs)
    rates = [m.p for half in halves for m in half.modules() if isinstance(m, Dropout)]
    assert rates == pytest.approx([rate] * len(rates))
    assert len(rates) >= 2


def test_transformer_starts_with_unit_variance_and_small_additions(global_random_seed):
    torch.manual_seed(global_random_seed)
    halves = Transformer(64, n_encoder_layers=2, n_decoder_layers=1).build(500, 500, True, 100)
    n_additions = {"output": 0, "fc2": 0}
    for name, layer in (pair for half in halves for pair in half.named_modules()):
        if not isinstance(layer, nn.Linear | nn.Embedding):
            continue
        expected = layer.weight.shape[1] ** -0.5
        last = name.rpartition(".")[2]
        if name.startswith("layers") and last in n_additions:
            n_additions[last] += 1
            expected /= 6**0.5  # twice the three layers
        assert layer.weight.std().item() == pytest.approx(expected, rel=0.05), name
    assert n_additions == {"output": 4, "fc2": 3}

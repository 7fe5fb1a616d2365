import pytest
import torch
from torch import nn

from skae._data.texts import END
from skae._text.decoding import Constraints, beam_search, greedy, largest
from skae._text.packed import MANY_ROWS, PackedLinear, packed
from skae.architectures import RecurrentEncoderDecoder, Transformer

ARCHITECTURES = [
    Transformer(16, n_encoder_layers=1, n_decoder_layers=2, n_heads=2),
    RecurrentEncoderDecoder(16),
    RecurrentEncoderDecoder(16, attention=False, cell="gru"),
]


def halves(architecture, n_tokens=60):
    torch.manual_seed(0)
    encoder, decoder = architecture.build(n_tokens, n_tokens, shared=True, n_pairs=100)
    return encoder.eval(), decoder.eval()


def start(encoder, decoder, n_samples=5):
    source = torch.randint(3, 60, (n_samples, 6))
    source[0, 3:] = 0
    return decoder.start(encoder(source), source != 0)


@pytest.mark.parametrize("n_columns", [3, 100, 161, 1000])
def test_largest_values_are_those_of_topk(n_columns, global_random_seed):
    torch.manual_seed(global_random_seed)
    values = torch.randn(7, n_columns)
    values[0, 2:] = -torch.inf
    for k in (1, 2, 8):
        k = min(k, n_columns)
        found, places = largest(values, k)
        torch.testing.assert_close(found, values.topk(k)[0])
        torch.testing.assert_close(values.gather(1, places), found)


@pytest.mark.parametrize("bias", [False, True])
def test_packed_layers_compute_the_same(bias):
    torch.manual_seed(0)
    layer, x = nn.Linear(16, 70, bias=bias), torch.randn(4, MANY_ROWS, 16)
    (found,) = packed(nn.Sequential(layer))
    with torch.inference_mode():
        for some in (x, x[0], x[0, :3], x.transpose(0, 1), x[:, :, ::2].repeat(1, 1, 2)):
            torch.testing.assert_close(found(some), layer(some))
    assert found.weight is layer.weight
    assert type(packed(nn.Sequential(layer.bfloat16()))[0]) is nn.Linear


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_packed_modules_compute_the_same(architecture):
    halves_ = nn.ModuleList(halves(architecture))
    encoder, decoder = packed(halves_)
    source = torch.randint(3, 60, (MANY_ROWS, 6))
    with torch.inference_mode():
        states, expected = encoder(source), halves_[0](source)
        torch.testing.assert_close(states, expected)
        after, _ = decoder(source[:, :2], decoder.start(states, source != 0))
        right, _ = halves_[1](source[:, :2], halves_[1].start(states, source != 0))
        torch.testing.assert_close(decoder.output(after), halves_[1].output(right))
    kinds = {type(layer) for layer in decoder.modules()}
    assert PackedLinear in kinds
    assert nn.Linear not in kinds
    assert not any(type(layer) is PackedLinear for layer in halves_.modules())


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_translations_of_a_source_share_what_is_kept_of_it(architecture):
    encoder, decoder = halves(architecture)
    state = start(encoder, decoder, 3)
    state.memory[0][0, 1:] = False  # so that sources differ in more than their tokens
    tokens = torch.randint(3, 60, (6, 4))
    which = torch.arange(3).repeat_interleave(2)
    apart, together = state.select(which), state.repeat(2)
    for step in tokens.split(1, dim=1):
        expected, apart = decoder(step, apart)
        found, together = decoder(step, together)
        torch.testing.assert_close(found, expected)
    assert len(together.memory[0]) == (3 if state.shares_memory else 6)
    chosen = torch.tensor([5, 5, 1, 0])
    expected, _ = decoder(tokens[:4, :1], apart.select(chosen))
    found, _ = decoder(tokens[:4, :1], together.select(chosen))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
@pytest.mark.parametrize("no_repeat", [None, 2])
def test_greedy_is_a_search_by_a_beam_of_one(architecture, no_repeat):
    encoder, decoder = halves(architecture)
    prefix = torch.tensor([[7, 8], [9, 0], [0, 0], [0, 0], [5, 5]])
    constraints = Constraints(9, no_repeat)
    with torch.inference_mode():
        state = start(encoder, decoder)
        found = greedy(decoder, state, prefix, constraints)
        beams = beam_search(decoder, state, prefix, constraints, 1, 1, 1.0)
    assert found == [best[0][0] for best in beams]
    assert found[0][:2] == [7, 8]


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_all_translations_are_found_by_a_beam_that_holds_them(architecture):
    encoder, decoder = halves(architecture, n_tokens=6)
    source = torch.tensor([[3, 4, 2], [5, 2, 0]])
    with torch.inference_mode():
        state = decoder.start(encoder(source), source != 0)
        found = beam_search(
            decoder, state, torch.zeros(2, 0, dtype=torch.long), Constraints(3), 12, 12, 0.0
        )
        for i, some in enumerate(found):
            # one token of three, or two of them, and the end
            assert sorted(tokens for tokens, _ in some) == sorted(
                [[a] for a in (3, 4, 5)] + [[a, b] for a in (3, 4, 5) for b in (3, 4, 5)]
            )
            for tokens, log_p in some:
                before = torch.tensor([[1, *tokens]])
                hidden, _ = decoder(before, state.select(torch.tensor([i])))
                steps = decoder.output(hidden[0]).log_softmax(-1)
                after = torch.tensor([*tokens, END])
                expected = steps.gather(1, after[:, None]).sum()
                assert log_p == pytest.approx(expected.item(), abs=1e-4)

"""Encoders and decoders are programs of torch.export for any number of samples."""

import pytest
import torch
from graph_models import MODELS, fitted
from torch.export import Dim, export


@pytest.mark.filterwarnings("ignore:The tensor attributes.*_flat_weights")  # of any nn.LSTM
@pytest.mark.parametrize("name", sorted(set(MODELS) - {"unet", "ensemble", "detector"}))
def test_halves_take_any_number_of_samples(name):
    model, X = fitted(name)
    x, _ = model._reader.read(X[:5], estimator=model).get_batch(slice(None), torch.float32)
    with torch.no_grad():
        code = model.encoder_(x)
    batch = {0: Dim("batch")}
    encoder = export(model.encoder_, (x[:3],), dynamic_shapes=(batch,)).module()
    torch.testing.assert_close(encoder(x), code)
    inputs = (code, x) if model._reader.has_lengths else (code,)
    few = tuple(part[:3] for part in inputs)
    shapes = (batch, (batch,)) if len(few) == 2 else (batch,)
    decoder = export(model.decoder_, few, dynamic_shapes=shapes).module()
    torch.testing.assert_close(decoder(*inputs), model.decoder_(*inputs))

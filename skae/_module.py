"""The four parts of an autoencoder joined into one module. torch only."""

from torch import nn

from skae.losses import per_sample


class AutoencoderModule(nn.Module):
    """Encoder, bottleneck, decoder and loss of one autoencoder.

    Parameters
    ----------
    encoder : nn.Module
        Maps (n_samples, *input_shape) to (n_samples, encoder_width).
    bottleneck : nn.Module
        Maps (n_samples, encoder_width) to (n_samples, n_components).
    decoder : nn.Module
        Maps (n_samples, n_components) to (n_samples, *input_shape).
    output_activation : nn.Module
        Applied to the decoder's output.
    loss : nn.Module
        One of `skae.losses`.
    """

    def __init__(self, encoder, bottleneck, decoder, output_activation, loss):
        super().__init__()
        self.encoder = encoder
        self.bottleneck = bottleneck
        self.decoder = decoder
        self.output_activation = output_activation
        self.loss = loss

    def encode(self, x):
        """Return the code of ``x``, shape (n_samples, n_components)."""
        return self.bottleneck(self.encoder(x))

    def decode(self, code):
        """Return the reconstruction from a code, shape (n_samples, *input_shape)."""
        return self.output_activation(self.decoder(code))

    def forward(self, x):
        return self.decode(self.encode(x))

    def reconstruction_losses(self, code, target):
        """Return how far each sample is from what its code decodes to.

        Parameters
        ----------
        code : tensor of shape (n_samples, n_components)
        target : tensor of shape (n_samples, *input_shape)

        Returns
        -------
        tensor of shape (n_samples,)
        """
        prediction = self.decoder(code)
        if not getattr(self.loss, "from_logits", False):
            prediction = self.output_activation(prediction)
        return per_sample(self.loss(prediction, target))

    def objective(self, x, target, weight=None):
        """Return what training minimises, a mean over the samples.

        Parameters
        ----------
        x, target : tensor of shape (n_samples, *input_shape)
        weight : tensor of shape (n_samples,) or None, default=None

        Returns
        -------
        tensor of shape ()
        """
        encoded = self.encoder(x)
        losses = self.reconstruction_losses(self.bottleneck(encoded), target)
        losses = losses + self.bottleneck.penalty(encoded)
        return losses.mean() if weight is None else (losses * weight).mean()

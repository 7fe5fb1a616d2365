"""What is trained: encoder, bottleneck, decoder and loss joined. torch only."""

"""The training of nets, one or many at once, on skorch."""

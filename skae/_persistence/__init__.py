"""Models as files that are safe to load: JSON, tensors and arrays in one zip file."""

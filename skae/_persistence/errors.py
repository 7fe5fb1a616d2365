"""Errors of files of models."""


class FileError(ValueError):
    """A file that cannot be read, with a message that says why and what to do."""

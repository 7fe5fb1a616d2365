"""The bytes of compressed samples: a header, and what it says of the rest."""

import struct
import zlib
from typing import NamedTuple

import numpy as np

#: What all bytes begin with, and the version of what follows.
MAGIC, VERSION = b"skae", 1

#: Magic, version, bytes of a float; fingerprint, checksum, numbers of samples and of escapes.
HEADER = struct.Struct("<4sBBIIII")


class CompressedBytes(NamedTuple):
    """What compressed samples consist of.

    Parameters
    ----------
    fingerprint : int
        Of the model, 32 bits.
    n_samples : int
    lengths : ndarray of shape (n_samples,) or None
        Of sequences.
    escaped : ndarray of shape (n_escaped,), float32 or float64
        Codes that have no symbol.
    coded : bytes
        Of the entropy coder.
    """

    fingerprint: int
    n_samples: int
    lengths: np.ndarray | None
    escaped: np.ndarray
    coded: bytes

    def to_bytes(self):
        """Return all as bytes."""
        size, n_escaped = self.escaped.itemsize, len(self.escaped)
        body = _packed(self.lengths) + self.escaped.astype(f"<f{size}").tobytes() + self.coded
        counts = self.n_samples, n_escaped
        parts = MAGIC, VERSION, size, self.fingerprint
        checksum = zlib.crc32(body, zlib.crc32(HEADER.pack(*parts, 0, *counts)))
        return HEADER.pack(*parts, checksum, *counts) + body

    @classmethod
    def from_bytes(cls, data, fingerprint, has_lengths):
        """Return what bytes consist of.

        Parameters
        ----------
        data : bytes-like
        fingerprint : int
            Of the model that is to decode them.
        has_lengths : bool
            Whether samples of this model are sequences.

        Raises
        ------
        TypeError, ValueError
            If these are no such bytes, if they are damaged, or of another model.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"data must be bytes, as compress returns them; got {type(data)}")
        data = bytes(data)
        if data[:4] != MAGIC or len(data) < HEADER.size:
            raise ValueError("data does not begin like bytes that compress returns")
        head, body = data[: HEADER.size], data[HEADER.size :]
        magic, version, size, of_model, checksum, *counts = HEADER.unpack(head)
        if version != VERSION:
            raise ValueError(
                f"data is of version {version} of the format, but this skae reads version "
                f"{VERSION}: decompress it with the skae that compressed it"
            )
        blank = HEADER.pack(magic, version, size, of_model, 0, *counts)
        if zlib.crc32(body, zlib.crc32(blank)) != checksum:
            raise ValueError("data is damaged or cut off: its checksum is wrong. Fetch it again")
        if of_model != fingerprint:
            raise ValueError(
                "data was compressed by another model. Load the one that compressed it: the same "
                "parameters, fitted again on another machine, make a different model"
            )
        n_samples, n_escaped = counts
        lengths, body = _unpacked(body) if has_lengths else (None, body)
        escaped = np.frombuffer(body, f"<f{size}", n_escaped).astype(f"f{size}")
        return cls(fingerprint, n_samples, lengths, escaped, body[n_escaped * size :])


def _packed(lengths):
    """Return lengths as bytes that say how many they are; none if there are no lengths."""
    if lengths is None:
        return b""
    packed = zlib.compress(np.asarray(lengths).astype("<u4").tobytes(), 9)
    return struct.pack("<I", len(packed)) + packed


def _unpacked(body):
    """Return the lengths that bytes begin with, and the rest."""
    (size,) = struct.unpack_from("<I", body)
    packed, rest = body[4 : 4 + size], body[4 + size :]
    return np.frombuffer(zlib.decompress(packed), "<u4").astype(np.int64), rest

"""Which device to train on."""

from functools import cache

import torch


def resolve_device(device):
    """Return the torch device for ``device``, the fastest there is for "auto".

    Raises
    ------
    ValueError
        If the device is unknown or not on this machine.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"device={device!r} cannot be used on this machine: {reason} "
            "Use 'auto' or 'cpu', or install a torch build for the device."
        ) from error
    return torch.device(device)


@cache
def has_bfloat16(device):
    """Say whether a device has instructions for products of bfloat16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return False

"""Which device to train on."""

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

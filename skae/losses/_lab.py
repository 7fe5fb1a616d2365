"""Colors as lightness and two color axes, CIE L*a*b*, and back to sRGB. torch only."""

import numpy as np
import torch

#: From linear sRGB to XYZ, by the primaries of ITU-R BT.709 and daylight (D65).
RGB_TO_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
#: The same, relative to the white point, in which gray has no chroma.
RGB_TO_RELATIVE = RGB_TO_XYZ / RGB_TO_XYZ.sum(1, keepdims=True)
RELATIVE_TO_RGB = np.linalg.inv(RGB_TO_RELATIVE)
#: Below these values, the curves of sRGB and of L*a*b* are straight.
LINEAR_RGB, LINEAR_LAB = 0.04045, 6 / 29
#: Steps of the bisection for the largest chroma, and rounding that counts as within sRGB.
N_BISECTIONS, ROUNDING = 12, 1e-6


def rgb_to_lab(rgb):
    """Return the L*a*b* colors of sRGB ones.

    Parameters
    ----------
    rgb : tensor of shape (n_samples, 3, *size)
        From 0 to 1.

    Returns
    -------
    tensor of shape (n_samples, 3, *size)
        Lightness from 0 to 100; a, from green to red; and b, from blue to yellow.
    """
    fx, fy, fz = _cube_root(_mix(RGB_TO_RELATIVE, _linear(rgb))).unbind(1)
    return torch.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], 1)


def lightness(gray):
    """Return the lightness of gray pixels, from 0 to 100.

    Parameters
    ----------
    gray : tensor
        Their sRGB intensity, from 0 to 1.

    Returns
    -------
    tensor of the same shape
    """
    return 116 * _cube_root(_linear(gray)) - 16


def lab_to_rgb(light, ab):
    """Return the sRGB colors of L*a*b* ones, of less chroma where sRGB has no such color.

    Parameters
    ----------
    light : tensor of shape (n_samples, 1, *size)
        Lightness, from 0 to 100, which the result has exactly.
    ab : tensor of shape (n_samples, 2, *size)
        Hue and chroma.

    Returns
    -------
    tensor of shape (n_samples, 3, *size)
        From 0 to 1.
    """
    least, most = torch.zeros_like(light), torch.ones_like(light)
    fraction = most
    for _ in range(N_BISECTIONS):
        rgb = _linear_rgb(light, ab * fraction)
        is_color = ((rgb > -ROUNDING) & (rgb < 1 + ROUNDING)).all(1, keepdim=True)
        least = torch.where(is_color, fraction, least)
        most = torch.where(is_color, most, fraction)
        fraction = (least + most) / 2
    rgb = _linear_rgb(light, ab * least).clamp(0, 1)
    curve = 1.055 * rgb.clamp_min(1e-9) ** (1 / 2.4) - 0.055
    return torch.where(rgb > LINEAR_RGB / 12.92, curve, 12.92 * rgb)


def _mix(matrix, channels):
    """Return linear combinations of three channels."""
    first, second, third = channels.unbind(1)
    return torch.stack([a * first + b * second + c * third for a, b, c in matrix.tolist()], 1)


def _linear(rgb):
    curve = ((rgb.clamp_min(LINEAR_RGB) + 0.055) / 1.055) ** 2.4
    return torch.where(rgb > LINEAR_RGB, curve, rgb / 12.92)


def _cube_root(x):
    root = x.clamp_min(LINEAR_LAB**3) ** (1 / 3)
    return torch.where(x > LINEAR_LAB**3, root, x / (3 * LINEAR_LAB**2) + 4 / 29)


def _linear_rgb(light, ab):
    fy = (light + 16) / 116
    f = torch.cat([fy + ab[:, :1] / 500, fy, fy - ab[:, 1:] / 200], 1)
    xyz = torch.where(f > LINEAR_LAB, f**3, 3 * LINEAR_LAB**2 * (f - 4 / 29))
    return _mix(RELATIVE_TO_RGB, xyz)

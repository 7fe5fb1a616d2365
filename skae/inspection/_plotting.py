"""What all displays share: matplotlib, colors, and how many samples are drawn."""

from skae.exceptions import missing

#: Colors that color-blind people tell apart, by Okabe and Ito.
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, YELLOW, GRAY = "#CC79A7", "#56B4E9", "#F0E442", "#555555"
COLORS = BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, GRAY


def pyplot():
    """Return ``matplotlib.pyplot``.

    Raises
    ------
    ModuleNotFoundError
        If matplotlib is not installed; the message names the extra.
    """
    try:
        from matplotlib import pyplot as plt
    except ModuleNotFoundError as error:
        raise missing("matplotlib", "plot") from error
    return plt

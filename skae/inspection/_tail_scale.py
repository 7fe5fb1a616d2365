"""An axis for scores with a heavy tail: linear among most of them, logarithmic far out."""

from dataclasses import dataclass

import numpy as np

from skae.inspection._texts import number_text

#: How many times as far as usual a score must be from the median, for the axis to bend.
FAR = 25.0

#: Steps from the median up to which the axis is linear.
LINEAR = 6.0

#: Length of the logarithmic part of the axis, where the linear one has 1 on each side.
TAIL_LENGTH = 1.5

#: Scores that are farther from 0 do not fit any axis: they are drawn at its edge.
MAX_DRAWN = 1e100


@dataclass(frozen=True)
class TailScale:
    """Linear around a center, and logarithmic beyond.

    Parameters
    ----------
    center : float
        The middle of the linear part.
    width : float
        How far the linear part goes on both sides.
    slope : float
        Length on the axis of a factor of e beyond, if that of the width is 1.
    """

    center: float
    width: float
    slope: float

    @classmethod
    def of(cls, scores):
        """Return the scale that scores need, or None if a linear one will do.

        Parameters
        ----------
        scores : ndarray of shape (n_samples,)
            Without those that are infinite.
        """
        low, center, high = np.quantile(scores, [0.25, 0.5, 0.75])
        distances = np.abs(scores - center)
        step = (high - low) / 2 or distances.mean()
        if distances.max() <= FAR * step:
            return None
        slope = min(1.0, TAIL_LENGTH / np.log(distances.max() / (LINEAR * step)))
        return cls(float(center), float(LINEAR * step), float(slope))

    def forward(self, scores):
        """Return where scores are on the axis."""
        z = (np.asarray(scores, np.float64) - self.center) / self.width
        far = 1 + self.slope * np.log(np.maximum(np.abs(z), 1))
        return np.where(np.abs(z) <= 1, z, np.copysign(far, z))

    def backward(self, places):
        """Return the scores of places on the axis."""
        places = np.asarray(places, np.float64)
        far = np.exp(np.clip((np.abs(places) - 1) / self.slope, 0, 500))  # within what floats hold
        z = np.where(np.abs(places) <= 1, places, np.copysign(far, places))
        return self.center + self.width * z

    def limits(self, low, high, margin=0.05):
        """Return limits of an axis from a low to a high score, with margins on both sides."""
        places = self.forward([low, high])
        room = margin * (places[1] - places[0])
        return tuple(self.backward(places + [-room, room]))

    def apply(self, ax, which):
        """Give an axis of axes this scale, and ticks at round numbers.

        Parameters
        ----------
        ax : Axes
            Its limits are set.
        which : {"x", "y"}
        """
        axis = {"x": ax.xaxis, "y": ax.yaxis}[which]
        limits = axis.get_view_interval()
        set_scale = {"x": ax.set_xscale, "y": ax.set_yscale}[which]
        set_scale("function", functions=(self.forward, self.backward))
        ticks = self.ticks(*limits)
        axis.set_ticks(ticks, [number_text(tick) for tick in ticks])

    def ticks(self, low, high, n=7):
        """Return round numbers that are spread evenly along the axis.

        Parameters
        ----------
        low, high : float
            Limits of the axis.
        n : int, default=7
            About how many.

        Returns
        -------
        list of float
        """
        places, room = np.linspace(*self.forward([low, high]), 2 * n + 1, retstep=True)
        return sorted({self._round_number_near(place, room) for place in places[1::2]})

    def _round_number_near(self, place, room):
        """Return the roundest number whose place is near another one."""
        value = float(self.backward(place))
        if abs(self.forward(0.0) - place) < 0.6 * room:
            return 0.0
        for digits in range(16):
            number = float(f"{value:.{digits}e}")
            if abs(self.forward(number) - place) < 0.6 * room:
                return number
        return value

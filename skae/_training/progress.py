"""Progress bars, in a terminal or in a notebook."""

import sys
import warnings

#: Steps of a bar for each fit: sums of fractions would not be exact.
STEPS = 1000

#: Seconds between two lines where what is written stays, such as in a log.
LOG_INTERVAL = 60


def progress_bar(total, unit, description=None, **kwargs):
    """Return a bar of tqdm.

    It is imported here, as it warns in notebooks without ipywidgets, where its bar is text.

    Parameters
    ----------
    total : int
        How many units there will be.
    unit : str
    description : str or None, default=None
        What stands before the bar.
    **kwargs : dict
        Further arguments of tqdm.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    if not _is_live(sys.stderr):
        kwargs |= {"mininterval": LOG_INTERVAL, "maxinterval": LOG_INTERVAL}
    kwargs |= {"dynamic_ncols": True, "disable": sys.stderr is None}
    return tqdm(total=total, unit=unit, desc=description, **kwargs)


def say(text):
    """Print a line, above the bar if there is one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    tqdm.write(text)


def _is_live(stream):
    """Say whether a line of a stream can be written over: in a terminal or in a notebook."""
    return stream is not None and (
        stream.isatty() or type(stream).__module__.partition(".")[0] == "ipykernel"
    )


class FitsBar:
    """One bar over many fits, which moves while they train.

    Parameters
    ----------
    n_fits : int
    description : str
        What stands before the bar.
    """

    def __init__(self, n_fits, description):
        how = {
            "bar_format": "{l_bar}{bar}| {n:.1f}/{total:.0f} fits [{elapsed}<{remaining}{postfix}]"
        }
        self._bar = progress_bar(n_fits * STEPS, "fit", description, unit_scale=1 / STEPS, **how)
        self._done, self._losses, self._sum = {}, {}, 0.0

    def move(self, number, fraction, loss=None):
        """Note which fraction of a fit is done, and its training loss."""
        if loss is not None:
            self._sum += loss - self._losses.get(number, 0.0)
            self._losses[number] = loss
            mean = self._sum / len(self._losses)
            self._bar.set_postfix_str(f"mean train_loss={mean:.3g}", refresh=False)
        done = round(fraction * STEPS)
        self._bar.update(done - self._done.get(number, 0))
        self._done[number] = done

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        self._bar.close()

"""Progress bars, in a terminal, a log or a notebook."""

import sys
from html import escape
from io import StringIO

from tqdm import tqdm

#: Steps of a bar for each fit: sums of fractions would not be exact.
STEPS = 1000

#: Seconds between two lines where what is written stays, such as in a log.
LOG_INTERVAL = 60

#: What a bar shows by default.
BAR_FORMAT = "{bar}| {n_fmt}/{total_fmt} {unit}s [{elapsed}<{remaining}{postfix}]"

#: Stands for the bar itself while the text around it is made.
BAR = "\0"


def progress_bar(total, unit, description=None, bar_format=BAR_FORMAT, disable=False, **kwargs):
    """Return a bar of tqdm.

    Parameters
    ----------
    total : int
        How many units there will be.
    unit : str
    description : str or None, default=None
        What stands before the bar.
    bar_format : str
        What it shows, in tqdm's words.
    disable : bool, default=False
        Whether to show nothing.
    **kwargs : dict
        Further arguments of tqdm.
    """
    kwargs |= {"total": total, "unit": unit, "desc": description, "bar_format": bar_format}
    if disable or sys.stderr is None:
        kwargs["disable"] = True  # else the environment says it, by TQDM_DISABLE
    if _is_notebook():
        return NotebookBar(**kwargs)
    if not _is_terminal():
        kwargs |= {"mininterval": LOG_INTERVAL, "maxinterval": LOG_INTERVAL}
    return tqdm(**kwargs, dynamic_ncols=True)


def say(text):
    """Print a line, above the bar if there is one."""
    tqdm.write(text)


def _is_terminal():
    """Say whether what is written goes to a terminal."""
    try:
        return sys.stderr.isatty()
    except AttributeError:  # None without a console, or an object of others that only writes
        return False


def _is_notebook():
    """Say whether what is written goes to a notebook, whose kernel is of ipykernel."""
    return type(sys.stderr).__module__.partition(".")[0] == "ipykernel"


class NotebookBar(tqdm):
    """Bar as an output of a cell that is updated in place.

    The bar of ``tqdm.auto`` needs ipywidgets, and is not in what is made of a notebook, such as a
    page. This one needs nothing and stays.

    Parameters
    ----------
    **kwargs : dict
        Arguments of tqdm.
    """

    def __init__(self, **kwargs):
        self._handle = None
        super().__init__(**kwargs, file=StringIO(), ascii=False)

    def display(self, msg=None, pos=None):
        """Show the bar, or update what is shown."""
        del pos
        from IPython.display import display

        data = {"text/plain": str(self) if msg is None else msg, "text/html": self._html()}
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)

    def _html(self):
        bar_format = self.bar_format.replace("|{bar}|", f" {BAR}").replace("{bar}|", BAR)
        text = escape(self.format_meter(**self.format_dict | {"bar_format": bar_format}))
        ended_early = self.disable and self.n < self.total  # closed, after an error or interrupt
        color = "#c44e52" if ended_early else "#4c72b0"
        style = f"width: 20em; accent-color: {color}"
        bar = f'<progress value="{self.n}" max="{self.total}" style="{style}"></progress>'
        return f"<pre>{text.replace(BAR, bar)}</pre>"


class FitsBar:
    """One bar over many fits, which moves while they train.

    Parameters
    ----------
    n_fits : int
    description : str
        What stands before the bar.
    """

    def __init__(self, n_fits, description):
        shown = "{desc}: {percentage:3.0f}%|{bar}| {n:.1f}/{total:.0f} fits"
        shown += " [{elapsed}<{remaining}{postfix}]"
        how = {"bar_format": shown, "unit_scale": 1 / STEPS}
        self._bar = progress_bar(n_fits * STEPS, "fit", description, **how)
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

"""Progress bars, in a terminal or in a notebook."""

import warnings


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
    return tqdm(total=total, unit=unit, desc=description, **kwargs)


def say(text):
    """Print a line, above the bar if there is one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    tqdm.write(text)

"""Losses by epoch."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_scalar

from skae._data.checks import as_numbers
from skae._params import StrOptions
from skae._sklearn import validate_parameter_constraints
from skae.inspection._loss_records import curves_of, given_curves
from skae.inspection._plotting import (
    BLUE,
    GRAY,
    ORANGE,
    finish_labels,
    light_grid,
    line_style,
    look,
    one_axes,
    pyplot,
    whole_numbers,
)

#: Beyond this ratio of the losses, their axis is logarithmic by default.
MAX_RATIO = 10.0

#: A legend with more entries stands beside the axes; each of them has a height in inches.
MAX_ENTRIES, ENTRY = 6, 0.2


class LossCurveDisplay:
    """Training and validation loss by epoch, with the epoch whose weights were restored.

    Training loss is a solid line, validation loss a dashed one, and a star marks the restored
    epoch. One estimator has a color for each loss; several have a color each.

    It is recommended to use `from_estimator` or `from_predictions` to create a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    epoch : ndarray of shape (n_epochs,), or list of them
        Numbers of the epochs, one array for each curve.
    train_loss : ndarray of shape (n_epochs,), or list of them
        Training loss of each epoch.
    valid_loss : ndarray of shape (n_epochs,), list of them, or None, default=None
        Validation loss of each epoch. None, and NaN, are no loss.
    restored_epoch : int, list of int, or None, default=None
        Epoch whose weights were restored at the end, 0 for those before the first epoch. None is
        none.
    name : str, list of str, or None, default=None
        Name of each curve, or of all.
    loss_name : str or None, default=None
        Name of the loss, for the label of the axis.
    title : str or None, default=None
        Title of the axes.

    Attributes
    ----------
    lines_ : list of Line2D
        Training losses.
    valid_lines_ : list of Line2D or None
        Validation losses, None for curves without.
    restored_ : list of Line2D or None
        What marks the restored epochs: a star on the curve, or a vertical line if its losses are
        not on record.
    ax_ : Axes
        Axes with the curves.
    figure_ : Figure
        Figure that holds them.

    See Also
    --------
    skae.Autoencoder : ``history_`` has what is drawn.
    ComponentsDisplay : Quality by number of components.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import Autoencoder
    >>> from skae.inspection import LossCurveDisplay
    >>> X = load_digits().data / 16
    >>> model = Autoencoder(8, max_epochs=5, check_baseline=False, random_state=0).fit(X)
    >>> display = LossCurveDisplay.from_estimator(model)
    >>> display.lines_[0].get_xdata().tolist()
    [1, 2, 3, 4, 5]
    """

    def __init__(
        self,
        *,
        epoch,
        train_loss,
        valid_loss=None,
        restored_epoch=None,
        name=None,
        loss_name=None,
        title=None,
    ):
        self.epoch = epoch
        self.train_loss = train_loss
        self.valid_loss = valid_loss
        self.restored_epoch = restored_epoch
        self.name = name
        self.loss_name = loss_name
        self.title = title

    @classmethod
    def from_estimator(cls, estimator, *, name=None, max_curves=8, ax=None, **kwargs):
        """Draw the losses of fitted estimators.

        Parameters
        ----------
        estimator : estimator, list of estimators, or dict
            Estimators that were trained by epochs, by name if they are a dict. A pipeline stands
            for its step with epochs. An `~skae.EnsembleAutoencoder` stands for its members. A
            search of skae's, such as `~skae.BatchedGridSearchCV`, stands for its candidates:
            their losses are means over the folds, up to the epoch that all folds have. Searches
            of scikit-learn do not keep the fits of their candidates, so they stand for
            ``best_estimator_``.
        name : str, list of str or None, default=None
            Names of the curves. None are the keys of a dict, the parameters in which the
            candidates of a search differ, or the classes of estimators.
        max_curves : int, default=8
            Number of candidates of a search that are drawn, those with the best scores.
        ax : Axes or None, default=None
            As for `plot`.
        **kwargs : dict
            Further parameters of `plot`.

        Returns
        -------
        display : LossCurveDisplay
            The display that was drawn.

        Raises
        ------
        NotFittedError
            If an estimator is not fitted.
        TypeError
            If one has no epochs.
        ValueError
            If there is none, or if ``name`` has another number of names.
        """
        pyplot()
        check_scalar(max_curves, "max_curves", Integral, min_val=1)
        curves, title = curves_of(estimator, max_curves)
        losses = {curve.loss_name for curve in curves}
        loss_name = losses.pop() if len(losses) == 1 else None
        return cls._of(curves, name, loss_name, title).plot(ax, **kwargs)

    @classmethod
    def from_predictions(cls, losses, *, name=None, loss_name=None, ax=None, **kwargs):
        """Draw losses that are given, of whatever was trained.

        Parameters
        ----------
        losses : array-like of shape (n_epochs,), dict, DataFrame, list of dict, or several of them
            Losses of epochs: training losses; a dict or a DataFrame with "train_loss" and, if
            there are any, "epoch", "valid_loss" and "restored_epoch", as in ``loss_curves_`` of
            searches; or a list with a dict for each epoch, such as ``history_`` of estimators. A
            list or a dict of these stands for several curves.
        name : str, list of str or None, default=None
            Names of the curves. None are the keys of a dict.
        loss_name : str or None, default=None
            Name of the loss, for the label of the axis.
        ax : Axes or None, default=None
            As for `plot`.
        **kwargs : dict
            Further parameters of `plot`.

        Returns
        -------
        display : LossCurveDisplay
            The display that was drawn.

        Raises
        ------
        TypeError, ValueError
            If there are no losses, or not as many names as curves.
        """
        pyplot()
        return cls._of(given_curves(losses), name, loss_name).plot(ax, **kwargs)

    @classmethod
    def _of(cls, curves, name, loss_name, title=None):
        """Return the display of curves."""
        names = ("epoch", "train_loss", "valid_loss", "restored_epoch")
        return cls(
            **{one: [curve.losses[one] for curve in curves] for one in names},
            name=[curve.name for curve in curves] if name is None else name,
            loss_name=loss_name,
            title=title,
        )

    def plot(self, ax=None, *, name=None, log_scale="auto", train_kw=None, valid_kw=None):
        """Draw the display.

        Parameters
        ----------
        ax : Axes or None, default=None
            Axes to draw on. None makes a new figure.
        name : str, list of str or None, default=None
            Names of the curves. None are those of the display.
        log_scale : bool or "auto", default="auto"
            Whether the axis of the loss is logarithmic. "auto" makes it so if all losses are
            above 0, and the largest is more than 10 times the smallest.
        train_kw : dict or None, default=None
            Keywords for the lines of the training loss, such as ``{"linewidth": 1}``.
        valid_kw : dict or None, default=None
            The same for the validation loss.

        Returns
        -------
        display : LossCurveDisplay
            The display itself.

        Raises
        ------
        TypeError, ValueError
            If ``ax`` is not one axes, or if there are not as many names as curves.
        """
        validate_parameter_constraints(
            {"log_scale": ["boolean", StrOptions({"auto"})]}, {"log_scale": log_scale}, "plot"
        )
        curves = self._curves()
        names = _names(self.name if name is None else name, len(curves))
        height = max(4.0, ENTRY * len(set(names)) + 1.0)
        ax = light_grid(one_axes(ax, (6.4, height)))
        looks = _looks(names)
        self.lines_, self.valid_lines_, self.restored_ = [], [], []
        for curve, own in zip(curves, looks, strict=True):
            self._draw(ax, curve, own, train_kw, valid_kw)
        self._finish(ax, curves, names, log_scale)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _curves(self):
        """Return the curves as a list of (epochs, training loss, validation loss, restored)."""
        if not isinstance(self.epoch, (list, tuple)) or not np.ndim([*self.epoch, 0][0]):
            parts = [self.epoch], [self.train_loss], [self.valid_loss], [self.restored_epoch]
        else:
            none = [None] * len(self.epoch)
            parts = self.epoch, self.train_loss, self.valid_loss or none
            parts = *parts, self.restored_epoch or none
        if len({len(part) for part in parts}) > 1:
            raise ValueError(
                "epoch, train_loss, valid_loss and restored_epoch must have an entry for each "
                f"curve; got {', '.join(str(len(part)) for part in parts)}"
            )
        return [_checked_curve(*curve) for curve in zip(*parts, strict=True)]

    def _draw(self, ax, curve, own, train_kw, valid_kw):
        epochs, train, valid, restored = curve
        short = {"marker": "o", "markersize": 4} if len(epochs) == 1 else {}
        how = line_style(own["train"] | short, train_kw)
        self.lines_ += ax.plot(epochs, train, **how)
        shown = None
        if not np.isnan(valid).all():
            how = line_style(own["valid"] | short, valid_kw)
            shown = ax.plot(epochs, valid, **how)[0]
        self.valid_lines_.append(shown)
        self.restored_.append(self._mark(ax, curve, (shown or self.lines_[-1]).get_color()))

    def _mark(self, ax, curve, color):
        """Mark the restored epoch; return the mark, or None."""
        epochs, train, valid, restored = curve
        if restored is None:
            return None
        at = np.flatnonzero(epochs == restored)
        if not len(at):
            return ax.axvline(restored, color=color, linestyle=":", linewidth=1.5)
        loss = train[at[0]] if np.isnan(valid[at[0]]) else valid[at[0]]
        how = {"marker": "*", "markersize": 12, "markeredgecolor": "white", "zorder": 3}
        return ax.plot([restored], [loss], color=color, linestyle="none", **how)[0]

    def _finish(self, ax, curves, names, log_scale):
        """Set the scale, the labels and the legend."""
        losses = np.concatenate([part for curve in curves for part in curve[1:3]])
        losses = losses[np.isfinite(losses)]
        if log_scale == "auto":
            log_scale = len(losses) and losses.min() > 0 and losses.max() > MAX_RATIO * losses.min()
        elif log_scale and not (losses > 0).all():
            raise ValueError(
                f"log_scale=True needs losses above 0, but the lowest is {losses.min():.4g}."
            )
        if log_scale:
            ax.set_yscale("log")
        whole_numbers(ax.xaxis)
        if self.title is not None:
            ax.set_title(self.title, fontsize="medium")
        first = min(curve[0][0] for curve in curves)
        ax.set_xlabel("epoch" if first <= 1 else f"epoch (earlier than {first}: not on record)")
        ax.set_ylabel("loss" if self.loss_name is None else f"loss ({self.loss_name})")
        handles, labels = self._legend(curves, names)
        place = {"loc": "upper left", "bbox_to_anchor": (1, 1)}
        ax.legend(handles, labels, fontsize="small", **(place if len(labels) > MAX_ENTRIES else {}))
        finish_labels(ax)

    def _legend(self, curves, names):
        """Return what the legend shows, and its texts."""
        from matplotlib.lines import Line2D

        is_named = len(set(names)) > 1
        entries = []
        if is_named:
            entries += list(zip(self.lines_, names, strict=True))
        color = GRAY if is_named else self.lines_[0].get_color()
        who = names[0] if names[0] and not is_named else ""
        who = f"{who}, " if who else ""
        many = f" ({len(curves)} curves)" if len(curves) > 1 and not is_named else ""
        train = Line2D([], [], color=color, linestyle="-", label="training")
        entries.append((train, f"{who}training{many}"))
        valid = next((line for line in self.valid_lines_ if line is not None), None)
        if valid is not None:
            color = GRAY if is_named else valid.get_color()
            line = Line2D([], [], color=color, linestyle=valid.get_linestyle())
            entries.append((line, f"{who}validation{many}"))
        mark = next((mark for mark in self.restored_ if mark is not None), None)
        if mark is not None:
            entries.append(self._entry_of_restored(curves, GRAY if is_named else mark.get_color()))
        handles, labels = zip(*entries, strict=True)
        return list(handles), list(labels)

    def _entry_of_restored(self, curves, color):
        from matplotlib.lines import Line2D

        epochs = [curve[3] for curve in curves if curve[3] is not None]
        text = "restored epoch" if len(curves) > 1 else f"restored: epoch {epochs[0]}"
        if len(curves) == 1 and epochs[0] == 0:
            text = "restored: weights before epoch 1"
        is_star = any(mark is not None and mark.get_marker() == "*" for mark in self.restored_)
        how = {"marker": "*", "markersize": 10, "linestyle": "none"}
        return Line2D([], [], color=color, **(how if is_star else {"linestyle": ":"})), text


def _checked_curve(epoch, train, valid, restored):
    epoch, train = as_numbers(epoch, "epoch"), as_numbers(train, "train_loss").astype(float)
    valid = np.full(len(train), np.nan) if valid is None else as_numbers(valid, "valid_loss")
    if not len(epoch) == len(train) == len(valid) or not len(epoch):
        raise ValueError(
            "epoch, train_loss and valid_loss of a curve must be of one length, at least 1; got "
            f"{len(epoch)}, {len(train)} and {len(valid)}"
        )
    return epoch, train, valid.astype(float), restored


def _names(name, n_curves):
    """Return a name for each curve."""
    if name is not None and not isinstance(name, (str, list, tuple)):
        raise TypeError(f"name must be a str, a list of str, or None; got {name!r}")
    names = [name] * n_curves if name is None or isinstance(name, str) else list(name)
    if len(names) != n_curves:
        raise ValueError(f"name holds {len(names)} names for {n_curves} curves: give one for each")
    return names


def _looks(names):
    """Return the looks of the lines of each curve."""
    train, valid = {"linestyle": "-", "linewidth": 1.6}, {"linestyle": "--", "linewidth": 1.6}
    if len(set(names)) == 1:
        thin = {} if len(names) == 1 else {"linewidth": 0.9, "alpha": 0.7}
        look_of_all = {
            "train": train | {"color": BLUE} | thin,
            "valid": valid | {"color": ORANGE} | thin,
        }
        return [look_of_all] * len(names)
    places = {name: i for i, name in enumerate(dict.fromkeys(names))}
    looks = []
    for name in names:
        one = look(places[name])
        one = {"color": one["color"], "marker": one["marker"], "markersize": 4, "markevery": 0.2}
        looks.append({"train": train | one, "valid": valid | one})
    return looks

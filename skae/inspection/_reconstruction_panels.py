"""The panels of reconstructions: of images, of series, and of rows of tables."""

from itertools import cycle

import numpy as np

from skae.inspection._forms import as_floats, black_and_white, known_mean, name_of_feature
from skae.inspection._plotting import (
    BLUE,
    GRAY,
    GREEN,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    bare,
    draw_picture,
    finish_labels,
    grid_of_axes,
    ink,
    legend_above,
    light_grid,
    line_style,
    whole_numbers,
)
from skae.inspection._texts import cell_text, shortened

#: Features of series and columns of tables that are drawn, those with the largest errors.
MAX_FEATURES, MAX_COLUMNS = 4, 15

#: Letters of a cell and of the name of a feature, at most.
MAX_LETTERS, MAX_NAME = 12, 16

#: What tells several reconstructions apart.
LINES = [(BLUE, "--"), (ORANGE, "-."), (GREEN, ":"), (PURPLE, "-"), (RED, "--"), (SKY, "-.")]
POINTS = [(BLUE, "x"), (ORANGE, "+"), (GREEN, "2"), (PURPLE, "3"), (RED, "4"), (SKY, "1")]


def reconstructions(display):
    """Return what a display shows beside the samples, by name."""
    made = display.reconstruction
    return made if isinstance(made, dict) else {display.labels[1]: made}


def draw_images(display, ax, *, image_kw, line_kw, error_kw):
    """Draw rows of pictures; return the axes."""
    del line_kw
    first = display.labels[0]
    rows = {first: display.original, "target": display.target} | reconstructions(display)
    rows = {name: images for name, images in rows.items() if images is not None}
    n, has_error = len(display.original), display.error is not None
    n_rows = len(rows) + has_error
    height, width = display.original.shape[1:3]
    size = (1.4 + 1.05 * n, 0.3 + 1.05 * n_rows * min(2.0, max(0.5, height / width)))
    axes = grid_of_axes(ax, n_rows, n, size)
    ends = [black_and_white(images) for images in rows.values()][: 1 + (display.target is not None)]
    display.images_ = np.empty(axes.shape, object)
    for i, (name, images) in enumerate(rows.items()):
        _draw_row(display, axes[i], i, name, images, ends[0 if name == first else -1], image_kw)
    if has_error:
        errors = display.error if display.error.ndim == 3 else display.error[..., :3].mean(axis=-1)
        default = {"cmap": "magma", "vmin": 0, "vmax": max(np.nan_to_num(errors).max(), 1e-12)}
        for j, (one, error) in enumerate(zip(axes[-1], errors, strict=True)):
            display.images_[-1, j] = bare(one).imshow(error, **default | (error_kw or {}))
        _label(axes[-1, 0], "error")
        bar = axes[0, 0].figure.colorbar(display.images_[-1, 0], ax=axes[-1].tolist(), pad=0.01)
        bar.set_label("absolute\nerror", fontsize="small")
        display.colorbar_ = bar
    for one, name in zip(axes[0], _titles(display), strict=True):
        one.set_title(name, fontsize="small")
    return axes


def _draw_row(display, axes, i, name, images, ends, image_kw):
    for j, (ax, image) in enumerate(zip(axes, images, strict=True)):
        display.images_[i, j] = draw_picture(ax, image, ends, image_kw)
    _label(axes[0], name)


def _label(ax, text):
    ax.set_ylabel(shortened(text), rotation=0, ha="right", va="center", parse_math=False)


def draw_series(display, ax, *, image_kw, line_kw, error_kw):
    """Draw series, one row of panels for each feature; return the axes."""
    del image_kw
    expected = display.original if display.target is None else display.target
    features = _worst_features(display.error or expected, MAX_FEATURES)
    n, n_rows = len(expected), len(features) + (display.error is not None)
    size = (1.2 + 2.4 * n, 0.9 + 1.5 * n_rows)
    axes = grid_of_axes(ax, n_rows, n, size, sharex="col", sharey="row")
    first, made = display.labels[0], reconstructions(display)
    lines = {first: (display.original, {"color": GRAY, "linewidth": 2.2, "alpha": 0.55})}
    if display.target is not None:
        lines["target"] = display.target, {"color": ink(), "linewidth": 1.2, "linestyle": ":"}
    for (name, series), (color, dashes) in zip(made.items(), cycle(LINES), strict=False):
        lines[name] = series, {"color": color, "linewidth": 1.3, "linestyle": dashes}
    for row, feature in zip(axes, features, strict=False):
        for j, one in enumerate(row):
            for name, (series, default) in lines.items():
                how = line_style(default, line_kw if name in made else None)
                y = series[j][:, feature]
                display.lines_ += light_grid(one).plot(np.arange(len(y)), y, label=name, **how)
        name = name_of_feature(display.feature_names, expected[0].shape[1], feature)
        row[0].set_ylabel(shortened(name, MAX_NAME), parse_math=False)
    if len(features) < expected[0].shape[1]:
        text = f"{len(features)} of {expected[0].shape[1]} features,\nlargest errors"
        axes[0, 0].set_title(text, fontsize="small", loc="left")
    _finish_series(display, axes, error_kw, ax)
    return axes


def _finish_series(display, axes, error_kw, ax):
    """Draw the errors, the legend, and the labels."""
    if display.error is not None:
        how = {"color": RED, "alpha": 0.6, "linewidth": 0} | (error_kw or {})
        for one, error in zip(axes[-1], display.error, strict=True):
            light_grid(one).fill_between(np.arange(len(error)), 0, known_mean(error, 1), **how)
        axes[-1, 0].set_ylim(
            0, max(known_mean(error, 1).max(initial=0) for error in display.error) * 1.05 or 1
        )
        is_mean = display.error[0].shape[1] > 1
        axes[-1, 0].set_ylabel("mean absolute\nerror" if is_mean else "absolute\nerror")
    for one, name in zip(axes[0], _titles(display), strict=True):
        one.set_title(name, fontsize="small", loc="right" if one.get_title("left") else "center")
    for one in axes[-1]:
        one.set_xlabel("step")
        whole_numbers(one.xaxis)
    legend_above(axes[0, 0], is_own=ax is None)


def _titles(display):
    return display.sample_names or [""] * len(display.original)


def _worst_features(errors, limit):
    """Return the features of series with the largest errors, in order."""
    steps = np.concatenate(errors)
    return np.sort(np.argsort(-known_mean(np.abs(steps), 0), kind="stable")[:limit])


def draw_rows(display, ax, *, image_kw, line_kw, error_kw):
    """Draw rows of a table, the columns one below the other; return the axes."""
    del image_kw
    table, has_error = display.original, display.error is not None
    size = known_mean(display.error.to_numpy(float), 0) if has_error else np.zeros(table.shape[1])
    columns = np.sort(np.argsort(-size, kind="stable")[:MAX_COLUMNS])
    n, ratios = len(table), [1.3, 1] if has_error else [1.3]
    figsize = (1.5 + 1.65 * sum(ratios) * n, 1.2 + 0.3 * len(columns))
    axes = grid_of_axes(ax, 1, len(ratios) * n, figsize, sharey=True, width_ratios=ratios * n)
    for i in range(n):
        one = axes[0, len(ratios) * i]
        _draw_values(display, one, i, columns, line_kw)
        one.set_title(_titles(display)[i], fontsize="small")
        if has_error:
            _draw_errors(display, axes[0, 2 * i + 1], i, columns, error_kw)
    legend_above(axes[0, 0], is_own=ax is None)
    first = axes[0, 0]
    first.set_yticks(range(len(columns)), [shortened(str(table.columns[i])) for i in columns])
    finish_labels(*axes.flat)
    first.set_ylim(len(columns) - 0.5, -0.5)
    if len(columns) < table.shape[1]:
        which = ", largest errors" if has_error else ""
        first.set_ylabel(f"{len(columns)} of {table.shape[1]} columns{which}")
    return axes


def _draw_values(display, ax, i, columns, line_kw):
    """Draw the numbers of a row, in standard deviations of their columns."""
    center = 0.0 if display.center is None else display.center
    scale = 1.0 if display.scale is None else display.scale
    places = np.arange(len(columns))

    def draw(name, table, look, given=None):
        values = ((as_floats(table) - center) / scale)[i, columns]
        how = line_style(look | {"linestyle": "none", "label": name}, given)
        display.lines_ += light_grid(ax).plot(values, places, **how)
        return values

    look = {"marker": "o", "color": GRAY, "markersize": 7, "fillstyle": "none"}
    expected = draw(display.labels[0], display.original, look)
    if display.target is not None:
        look = {"marker": "s", "color": ink(), "markersize": 4}
        expected = draw("target", display.target, look)
    made = reconstructions(display)
    for (name, table), (color, marker) in zip(made.items(), cycle(POINTS), strict=False):
        look = {"marker": marker, "color": color, "markersize": 6, "markeredgewidth": 2}
        values = draw(name, table, look, line_kw)
        if len(made) == 1:
            ax.hlines(places, expected, values, color=RED, linewidth=2, alpha=0.5, zorder=1)
    ax.set_xlabel("value in standard\ndeviations from the mean", fontsize="small")


def _draw_errors(display, ax, i, columns, error_kw):
    """Draw the errors of a row, with the values themselves."""
    places = np.arange(len(columns))
    widths = np.nan_to_num(display.error.iloc[i, columns].to_numpy(float))
    how = {"color": RED, "alpha": 0.5} | (error_kw or {})
    display.bars_.append(light_grid(ax, "x").barh(places, widths, height=0.8, **how))
    expected = display.original if display.target is None else display.target
    for place, column in enumerate(columns):
        cells = [table.iloc[i, column] for table in (expected, display.reconstruction)]
        texts = [cell_text(cell, MAX_LETTERS) for cell in cells]
        text = texts[0] if texts[0] == texts[1] else f"{texts[0]} → {texts[1]}"
        how = {"textcoords": "offset points", "va": "center", "fontsize": 7.5}
        ax.annotate(text, (0, place), (3, 0), parse_math=False, **how)
    ax.set_xlim(0, max(widths.max(initial=0) * 1.05, 1))
    ax.set_xlabel("absolute error,\nstandard deviations", fontsize="small")
    ax.tick_params(labelleft=False)

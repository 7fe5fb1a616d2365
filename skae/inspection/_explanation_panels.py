"""The panels of explanations: of rows of tables, of images, and of series."""

import numpy as np

from skae.inspection._forms import black_and_white, known_mean, name_of_feature
from skae.inspection._plotting import (
    BLUE,
    GRAY,
    RED,
    bare,
    draw_picture,
    finish_labels,
    grid_of_axes,
    grid_shape,
    legend_above,
    light_grid,
    one_axes,
    size_of,
    style,
    width_of,
)
from skae.inspection._texts import cell_text, shortened

#: Part of the longest bar that a bar must have to be drawn.
LEAST_BAR = 0.01

#: Part of a row's contributions from which a heat map says the value of a cell.
LEAST_PART = 0.12

#: Features of series that are drawn as lines, at most, and those that have a name in heat maps.
MAX_LINES, MAX_NAMES = 3, 12

#: Width of panels with bars, at least, in inches, and the part of it that texts have, at most.
LEAST_WIDTH, MOST_TEXT = 0.5, 0.8

MAP_COLORS = "Reds"


def draw_bars(display, ax, max_columns, kwargs):
    """Draw a panel for each row of a table, with a bar for each unusual cell; return the axes."""
    n = len(display.titles)
    n_rows, n_columns = grid_shape(n, 1 if n == 1 else 2)
    cells = [_largest(one, max_columns) for one in display.contribution]
    n_bars = max(2, *(len(which) + (len(others) > 0) for which, others in cells))
    height = 1.0 + 0.3 * n_bars
    axes = grid_of_axes(ax, n_rows, n_columns, (5.6 * n_columns, 0.3 + height * n_rows))
    for i, one in enumerate(axes.flat):
        if i >= n:
            one.set_axis_off()
            continue
        display.bars_.append(_draw_row(display, one, i, *cells[i], kwargs))
        one.set_ylim(n_bars - 0.4, -0.6)
    return axes


def _largest(contributions, limit):
    """Return the cells of a row with the largest contributions, and others that count together."""
    sizes = np.abs(contributions)
    order = np.argsort(-sizes, kind="stable")
    shown = order[:limit][sizes[order[:limit]] > LEAST_BAR * sizes.max()]
    others = np.setdiff1d(np.flatnonzero(sizes), shown)
    if np.abs(contributions[others].sum()) <= LEAST_BAR * sizes.max():
        others = others[:0]
    return (order[: limit + 1], others[:0]) if len(others) == 1 else (shown, others)


def _draw_row(display, ax, i, which, others, kwargs):
    from matplotlib.patches import Rectangle

    widths = list(display.contribution[i, which])
    names = [_named_cell(display, i, column) for column in which]
    texts = [f"expected {cell_text(display.expected.iloc[i, column])}" for column in which]
    if len(others):
        widths.append(display.contribution[i, others].sum())
        names, texts = [*names, f"{len(others)} other cells"], [*texts, ""]
    places = np.arange(len(names))
    how = style(Rectangle, {"facecolor": RED, "edgecolor": "black", "alpha": 0.7}, kwargs)
    bars = light_grid(ax, "x").barh(places, widths, height=0.7, **how)
    ends = np.maximum(widths, 0)
    for place, end, text in zip(places, ends, texts, strict=True):
        ax.annotate(
            text,
            (end, place),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
            parse_math=False,
        )
    ax.set_yticks(places, names)
    low, high = min([0.0, *widths]), max([0.0, *widths])
    of_name, of_text = (max(map(width_of, one), default=0.0) for one in (names, texts))
    width = max(LEAST_WIDTH, size_of(ax)[0] - of_name)
    room = 1 / (1 - min(MOST_TEXT, (of_text + 0.1) / width))
    ax.set_xlim(low * 1.05, (high or 1.0) * max(1.6, room) - 0.3 * low)
    if not names:
        ax.text(0.5, 0.5, "no cell is unusual", transform=ax.transAxes, ha="center")
    ax.locator_params(axis="x", nbins=6)
    ax.ticklabel_format(axis="x", scilimits=(-3, 5))
    ax.set_xlabel(display.meaning)
    finish_labels(ax)
    ax.set_title(display.titles[i], fontsize="medium", parse_math=False)
    return bars


def _named_cell(display, i, column):
    name = shortened(str(display.value.columns[column]))
    return f"{name} = {cell_text(display.value.iloc[i, column])}"


def draw_table(display, ax, max_columns, kwargs):
    """Draw a heat map of rows and columns; return the axes."""
    total = np.maximum(display.contribution, 0).sum(1, keepdims=True)
    parts = 100 * np.maximum(display.contribution, 0) / np.where(total > 0, total, 1)
    which = np.sort(np.argsort(-parts.sum(0), kind="stable")[:max_columns])
    parts = parts[:, which]
    n_rows, n_columns = parts.shape
    ax = one_axes(ax, (2.6 + 0.85 * n_columns, 1.3 + 0.45 * n_rows))
    how = {"cmap": MAP_COLORS, "vmin": 0, "vmax": 100, "aspect": "auto"} | kwargs
    image = ax.imshow(parts, **how)
    for i, j in np.argwhere(parts >= 100 * LEAST_PART):
        tables = display.value, display.expected
        value, expected = (cell_text(table.iloc[i, which[j]]) for table in tables)
        ax.text(
            j,
            i,
            f"{value}\n({expected})",
            ha="center",
            va="center",
            fontsize=7,
            color="white" if parts[i, j] > 60 else "black",
            parse_math=False,
        )
    names = [shortened(str(display.value.columns[column])) for column in which]
    ax.set_xticks(range(n_columns), names, rotation=25, ha="right")
    ax.set_yticks(range(n_rows), display.titles)
    if n_columns < display.contribution.shape[1]:
        n_all = display.contribution.shape[1]
        ax.set_xlabel(f"{n_columns} of {n_all} columns, those that contribute most")
    display.images_ = [image]
    display.colorbar_ = ax.figure.colorbar(image, ax=ax, fraction=0.05, pad=0.02)
    display.colorbar_.set_label("% of the contributions of the row")
    finish_labels(ax, display.colorbar_.ax)
    return np.array([[ax]])


def draw_images(display, ax, kwargs):
    """Draw images, what is expected, and heat maps of the errors; return the axes."""
    n, (height, width) = len(display.titles), np.shape(display.value[0])[:2]
    axes = grid_of_axes(ax, 3, n, (1.6 + 1.5 * n, 0.6 + 4.5 * np.clip(height / width, 0.5, 2)))
    maps = [_percent(e.mean(-1) if e.ndim == 3 else e) for e in display.contribution]
    how = {"cmap": MAP_COLORS, "vmin": 0, "vmax": max(one.max() for one in maps) or 1.0} | kwargs
    display.images_ = np.empty(axes.shape, object)
    for j, one in enumerate(maps):
        column, value = axes[:, j], display.value[j]
        for i, image in enumerate((value, display.expected[j])):
            display.images_[i, j] = draw_picture(column[i], image, black_and_white(value[None]))
        display.images_[2, j] = bare(column[2]).imshow(one, **how)
        y, x = np.unravel_index(one.argmax(), one.shape)
        for panel in (column[0], column[2]):
            panel.plot(x, y, "s", mfc="none", mec=BLUE, mew=1.5, ms=9)
        column[0].set_title(display.titles[j].replace(": ", "\n"), fontsize="small")
    for panel, label in zip(axes[:, 0], ("sample", "expected", "error"), strict=True):
        panel.set_ylabel(label)
    _draw_scale(display, display.images_[2, 0], axes, "% of the error\nof the image")
    return axes


def draw_series(display, ax, kwargs):
    """Draw lines of series and what is expected, and heat maps of the errors; return the axes."""
    n, n_features = len(display.titles), display.value[0].shape[1]
    size = np.sum([known_mean(error, 0) for error in display.contribution], axis=0)
    features = np.sort(np.argsort(-size, kind="stable")[:MAX_LINES])
    of_map = 0.4 + min(2.0, 0.15 * n_features)
    n_rows, ratios = len(features) + 1, [1.3] * len(features) + [of_map]
    how = {"sharex": "col", "sharey": "row", "height_ratios": ratios}
    axes = grid_of_axes(ax, n_rows, n, (1.6 + 3.2 * n, 1 + sum(ratios)), **how)
    for j in range(n):
        for panel, feature in zip(axes[:, j], features, strict=False):
            _draw_lines(display, light_grid(panel), j, feature)
        axes[0, j].set_title(display.titles[j], fontsize="small", parse_math=False)
        axes[-1, j].set_xlabel("step")
    maps = [_percent(error) for error in display.contribution]
    how = {
        "cmap": MAP_COLORS,
        "vmin": 0,
        "vmax": max(one.max() for one in maps) or 1.0,
        "aspect": "auto",
    }
    how |= {"interpolation": "nearest"} | kwargs
    display.images_ = [
        panel.imshow(one.T, **how) for panel, one in zip(axes[-1], maps, strict=True)
    ]
    for panel, feature in zip(axes[:, 0], features, strict=False):
        name = name_of_feature(display.feature_names, n_features, feature)
        panel.set_ylabel(shortened(name), parse_math=False)
    _name_features(axes[-1, 0], display.feature_names, n_features)
    legend_above(axes[0, 0], is_own=ax is None)
    _draw_scale(display, display.images_[0], axes, "% of the error\nof the series")
    return axes


def _draw_lines(display, ax, j, feature):
    looks = {
        "sample": (display.value, {"color": GRAY, "linewidth": 2.2, "alpha": 0.6}),
        "expected": (display.expected, {"color": BLUE, "linewidth": 1.3, "linestyle": "--"}),
    }
    for name, (series, how) in looks.items():
        y = series[j][:, feature]
        display.lines_ += ax.plot(np.arange(len(y)), y, label=name, **how)


def _name_features(ax, names, n_features):
    """Label the rows of a heat map."""
    ax.set_ylabel("error" if n_features == 1 else "feature")
    shown = range(0, 0 if n_features == 1 else n_features, -(-n_features // MAX_NAMES))
    texts = [str(i) if names is None else shortened(names[i], 16) for i in shown]
    ax.set_yticks(shown, texts, fontsize="small", parse_math=False)


def _percent(error):
    """Return the errors of a sample as percentages of their sum."""
    error = np.nan_to_num(error)
    return 100 * error / (error.sum() or 1.0)


def _draw_scale(display, image, axes, label):
    """Draw the scale of heat maps beside the lowest row of the axes."""
    how = {"shrink": 0.35, "anchor": (0, 0), "aspect": 12, "pad": 0.01}
    display.colorbar_ = axes[0, 0].figure.colorbar(image, ax=axes.ravel().tolist(), **how)
    display.colorbar_.set_label(label, fontsize="small")

"""The panels of decoded codes: images, series and rows of tables, in a grid or in rows."""

import numpy as np
import pandas as pd

from skae.inspection._forms import as_floats, is_category, moments, name_of_feature
from skae.inspection._plotting import (
    finish_labels,
    grid_of_axes,
    grid_shape,
    light_grid,
    line_style,
    look,
    one_axes,
    size_of,
    whole_numbers,
    width_of,
)
from skae.inspection._texts import shortened

#: Columns of tables that are drawn, those that vary most, in rows and in a grid.
MAX_COLUMNS, MAX_MAPS = 15, 6

#: Colors of categories, those of "Pastel1".
N_PALE = 9

#: Part of the width of axes that is left beside what stands around them.
ROOM = 0.7

#: Features of series that are drawn.
MAX_FEATURES = 4


def draw_images(display, ax, image_kw, line_kw):
    """Draw images as one picture; return the axes."""
    del line_kw
    images, shape = display.decoded, _shape(display)
    height, width = images.shape[1:3]
    gap = max(1, round(0.06 * max(height, width)))
    tile = np.full((*shape, height + gap, width + gap, *images.shape[3:]), np.nan)
    values, white = _intensities(images, display.value_range)
    tile[:, :, gap // 2 : gap // 2 + height, gap // 2 : gap // 2 + width] = values.reshape(
        *shape, *values.shape[1:]
    )
    if display.layout == "grid":
        tile = tile[::-1]  # the largest value of the second component is at the top
    picture = np.moveaxis(tile, 2, 1).reshape(
        shape[0] * (height + gap), shape[1] * (width + gap), *images.shape[3:]
    )
    if picture.ndim == 3:
        picture = np.nan_to_num(picture, nan=1.0)
    side = 0.5 if display.layout == "grid" else 0.8
    ratio = min(2.0, max(0.5, height / width))
    size = (1.2 + side * shape[1], 0.9 + side * ratio * shape[0])
    ax = one_axes(ax, (max(3.0, size[0]), max(1.6, size[1])))
    extent = (-0.5, shape[1] - 0.5, -0.5, shape[0] - 0.5)
    how = {"cmap": "gray", "vmin": white[0], "vmax": white[1], "extent": extent}
    how |= {"aspect": (height + gap) / (width + gap), "interpolation": "nearest"}
    display.image_ = ax.imshow(picture, **how | (image_kw or {}))
    _label(display, ax, upwards=display.layout == "grid")
    return np.array([ax], dtype=object)


def _intensities(images, ends):
    """Return images for ``imshow``, and the values that are black and white."""
    low, high = (images.min(), images.max()) if ends is None else ends
    if images.dtype.kind == "u":
        low, high = 0, np.iinfo(images.dtype).max
    elif low >= 0 and high <= 1:
        low, high = 0, 1
    images, low, high = images.astype(float), float(low), float(high)
    if images.ndim == 4:
        return np.clip((images - low) / ((high - low) or 1.0), 0, 1), (0.0, 1.0)
    return images, (low, high)


def _shape(display):
    """Return how many rows and columns of samples there are."""
    n_steps = len(display.steps[0])
    is_grid = display.layout == "grid"
    return (len(display.steps[1]) if is_grid else len(display.components)), n_steps


def _label(display, ax, upwards):
    """Label the axes of tiles at 0, 1, and so on."""
    n_rows, n_columns = _shape(display)
    ax.tick_params(length=0)
    if display.layout == "grid":
        first, second = (_numbers(steps) for steps in display.steps)
        angle = _angle(first, size_of(ax)[0])
        ax.set_xticks(range(n_columns), first, fontsize="small", rotation=angle)
        ax.set_yticks(range(n_rows), second, fontsize="small")
        ax.set(xlabel=f"code {display.components[0]}", ylabel=f"code {display.components[1]}")
        return
    texts, what = _step_texts(display)
    ax.set_xticks(range(n_columns), texts, fontsize="small")
    names = [f"code {component}" for component in display.components]
    ax.set_yticks(range(n_rows) if upwards else range(n_rows - 1, -1, -1), names)
    ax.set_xlabel(what)


def _numbers(values):
    return [f"{value:.2g}" for value in values]


def _angle(texts, width):
    """Return how texts are turned that have no room in one line."""
    return 45 if len(texts) > 8 or width_of(" ".join(texts)) > ROOM * width else 0


def _step_texts(display):
    """Return the texts of steps in rows, and what they are."""
    if display.levels is None:
        return _numbers(display.steps[0]), "value of the code"
    return [f"{100 * level:.0f} %" for level in display.levels], "quantile of the code"


def draw_series_grid(display, ax, image_kw, line_kw):
    """Draw series as small lines in one axes; return the axes."""
    del image_kw
    n_rows, n_columns = _shape(display)
    ax = one_axes(ax, (1.2 + 1.05 * n_columns, 0.9 + 0.85 * n_rows))
    known = np.concatenate(display.decoded)
    low, high = float(known.min()), float(known.max())
    longest = max(len(one) for one in display.decoded)
    for i, series in enumerate(display.decoded):
        row, column = divmod(i, n_columns)
        x = column - 0.42 + 0.84 * np.arange(len(series)) / max(longest - 1, 1)
        y = row - 0.42 + 0.84 * (series[:, :MAX_FEATURES] - low) / ((high - low) or 1.0)
        for feature, values in enumerate(y.T):
            name = name_of_feature(display.feature_names, y.shape[1], feature) if i == 0 else None
            how = line_style(_look_of_feature(feature) | {"linewidth": 1.2, "label": name}, line_kw)
            display.lines_ += ax.plot(x, values, **how)
    for edge in np.arange(0.5, max(n_rows, n_columns) - 1):
        if edge < n_rows - 1:
            ax.axhline(edge, color="0.85", linewidth=0.8)
        if edge < n_columns - 1:
            ax.axvline(edge, color="0.85", linewidth=0.8)
    ax.set(xlim=(-0.5, n_columns - 0.5), ylim=(-0.5, n_rows - 0.5))
    _label(display, ax, upwards=True)
    if known.shape[1] > 1 or display.feature_names is not None:
        ax.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="small")
        finish_labels(ax)
    return np.array([ax], dtype=object)


def _look_of_feature(feature):
    return {name: look(feature)[name] for name in ("color", "linestyle")}


def draw_series_rows(display, ax, image_kw, line_kw):
    """Draw series of one component above each other; return the axes."""
    del image_kw
    from matplotlib import colormaps

    n, n_steps = len(display.components), len(display.steps[0])
    texts, what = _step_texts(display)
    n_features = min(display.decoded[0].shape[1], MAX_FEATURES)
    size = (1.6 + 3.2 * n_features, 0.8 + 1.6 * n)
    axes = grid_of_axes(ax, n, n_features, size, sharex=True, sharey="col")
    colors = colormaps["viridis"](np.linspace(0, 0.92, n_steps))
    for i, component in enumerate(display.components):
        for feature in range(n_features):
            one = light_grid(axes[i, feature])
            for step in range(n_steps):
                y = display.decoded[i * n_steps + step][:, feature]
                label = texts[step] if i == feature == 0 else None
                how = line_style({"color": colors[step], "linewidth": 1.3, "label": label}, line_kw)
                display.lines_ += one.plot(np.arange(len(y)), y, **how)
            axes[0, feature].set_title(
                name_of_feature(display.feature_names, n_features, feature),
                fontsize="small",
                parse_math=False,
            )
            axes[-1, feature].set_xlabel("step")
            whole_numbers(axes[-1, feature].xaxis)
        axes[i, 0].set_ylabel(f"code {component}")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    place = {"loc": "upper left", "bbox_to_anchor": (1, 1), "fontsize": "small"}
    axes[0, -1].legend(handles, labels, title=what.split()[0], title_fontsize="small", **place)
    return axes


def draw_row_maps(display, ax, image_kw, line_kw):
    """Draw a heat map of the columns for each component; return the axes."""
    del line_kw
    table, n_steps = display.decoded, len(display.steps[0])
    texts, what = _step_texts(display)
    columns, scores, most = _standardized(display, MAX_COLUMNS)
    n_rows, n_columns = grid_shape(len(display.components), 2)
    size = (1.4 + (0.5 + 0.62 * n_steps) * n_columns, (0.9 + 0.3 * len(columns)) * n_rows)
    axes = grid_of_axes(ax, n_rows, n_columns, size)
    for i, (component, one) in enumerate(zip(display.components, axes.flat, strict=False)):
        part = slice(i * n_steps, (i + 1) * n_steps)
        _draw_map(display, one, scores[part].T, most, table.iloc[part, columns].T, image_kw)
        one.set_title(f"code {component}", fontsize="medium")
        one.set_xticks(range(n_steps), texts, fontsize="small")
        one.set_xlabel(what, fontsize="small")
        names = [shortened(str(table.columns[j])) for j in columns] if i % n_columns == 0 else []
        how = {"fontsize": "small", "parse_math": False}
        one.set_yticks(range(len(columns)) if names else [], names, **how)
    for one in axes.flat[len(display.components) :]:
        one.set_axis_off()
    if len(columns) < table.shape[1]:
        axes[0, 0].set_ylabel(f"{len(columns)} of {table.shape[1]} columns, that vary most")
    return _with_color_bar(display, axes)


def draw_column_maps(display, ax, image_kw, line_kw):
    """Draw a heat map over two components for each column; return the axes."""
    del line_kw
    table, (n_second, n_steps) = display.decoded, _shape(display)
    columns, scores, most = _standardized(display, MAX_MAPS)
    n_rows, n_columns = grid_shape(len(columns), 3)
    size = (1.2 + (0.4 + 0.55 * n_steps) * n_columns, (0.9 + 0.3 * n_second) * n_rows)
    axes = grid_of_axes(ax, n_rows, n_columns, size)
    for place, (column, one) in enumerate(zip(columns, axes.flat, strict=False)):
        shape = n_second, n_steps
        cells = pd.DataFrame(table.iloc[:, column].to_numpy().reshape(shape))
        _draw_map(display, one, scores[:, place].reshape(shape), most, cells, image_kw)
        one.invert_yaxis()
        name = shortened(str(table.columns[column]))
        one.set_title(name, fontsize="medium", parse_math=False)
        _label(display, one, upwards=True)
    for one in axes.flat[len(columns) :]:
        one.set_axis_off()
    if len(columns) < table.shape[1]:
        text = f"{len(columns)} of {table.shape[1]} columns, that vary most"
        axes[0, 0].figure.supxlabel(text, fontsize="small") if ax is None else None
    return _with_color_bar(display, axes)


def _standardized(display, limit):
    """Return which columns are drawn, their values in standard deviations, and the largest."""
    table = display.decoded
    center, scale = display.center, display.scale
    if center is None or scale is None:
        center, scale = moments(table)
    scores = (as_floats(table) - center) / scale
    filled = np.nan_to_num(scores)
    size = filled.max(axis=0) - filled.min(axis=0)
    varies = table.nunique(dropna=False).to_numpy() > 1
    size = np.where(is_category(table) & varies, size.max(initial=1.0), size)
    columns = np.sort(np.argsort(-size, kind="stable")[:limit])
    most = max(2.0, float(np.abs(filled[:, columns]).max(initial=0.0)))
    return columns, scores[:, columns], most


def _draw_map(display, ax, scores, most, cells, image_kw):
    """Draw a heat map, with values written in."""
    how = {"cmap": "PuOr_r", "vmin": -most, "vmax": most, "aspect": "auto"} | (image_kw or {})
    _color_categories(ax, cells)
    image = ax.imshow(scores, **how)
    display.images_.append(image)
    ax.tick_params(length=0)
    for (i, j), score in np.ndenumerate(scores):
        dark = not np.isnan(score) and abs(score) > 0.65 * most
        color = "white" if dark else "black"
        text = _cell(cells.iloc[i, j])
        how = {"ha": "center", "va": "center", "parse_math": False}
        ax.text(j, i, text, fontsize=7, color=color, **how)


def _color_categories(ax, cells):
    """Give cells with texts a pale color by text, behind the heat map."""
    texts = cells.map(lambda cell: cell if isinstance(cell, str) else None)
    codes, names = pd.factorize(texts.to_numpy(object).ravel(), sort=True)
    if len(names):
        colors = np.where(codes < 0, np.nan, codes % N_PALE).reshape(cells.shape)
        ax.imshow(colors, cmap="Pastel1", vmin=0, vmax=N_PALE - 1, aspect="auto")


def _cell(value):
    if pd.isna(value):
        return ""
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m}"
    if isinstance(value, str):
        return f"{value:.9}"
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e6 else f"{value:.3g}"


def _with_color_bar(display, axes):
    """Draw the color bar of all heat maps."""
    drawn = axes.ravel().tolist()
    bar = axes[0, 0].figure.colorbar(display.images_[0], ax=drawn, shrink=0.8)
    bar.set_label("standard deviations from the mean", fontsize="small")
    finish_labels(bar.ax)
    return axes


PANELS = {
    ("images", "grid"): draw_images,
    ("images", "rows"): draw_images,
    ("series", "grid"): draw_series_grid,
    ("series", "rows"): draw_series_rows,
    ("rows", "grid"): draw_column_maps,
    ("rows", "rows"): draw_row_maps,
}

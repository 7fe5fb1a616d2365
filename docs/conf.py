"""Configuration of the documentation: see CONTRIBUTING.md for how to build it."""

import re
import warnings
from importlib.metadata import version as installed_version

from skae.exceptions import PoorFitWarning

project = "skae"
author = "The skae developers"
copyright = "2026, The skae developers"
release = version = installed_version("skae")

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
default_role = "py:obj"
extlinks = {
    "doi": ("https://doi.org/%s", "doi:%s"),
    "arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s"),
}

# API pages: one per public name, its members on the same page.
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False

# Gallery: every example runs when the documentation is built, and has to fit well.
warnings.simplefilter("error", PoorFitWarning)
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "within_subsection_order": "FileNameSortKey",
    "doc_module": "skae",
    "reference_url": {"skae": None},
    "backreferences_dir": "generated/backreferences",
    "abort_on_example_error": True,
    "write_computation_times": False,
    "show_memory": False,
    "download_all_examples": False,
}

html_theme = "pydata_sphinx_theme"
html_title = f"skae {version}"
html_static_path = ["_static"]
html_show_sourcelink = False
html_sidebars = {"**": []}
html_theme_options = {"show_prev_next": False, "secondary_sidebar_items": ["page-toc"]}


def without_links_to_sklearn(app, what, name, obj, options, lines):
    """Make plain text of what scikit-learn's own docstrings link to: methods are inherited."""
    text = re.sub(r":term:`([^`]+)`", r"``\1``", "\n".join(lines))
    lines[:] = re.sub(r":ref:`([^`<]+) <metadata_routing>`", r"\1", text).split("\n")


def setup(app):
    app.connect("autodoc-process-docstring", without_links_to_sklearn, priority=900)

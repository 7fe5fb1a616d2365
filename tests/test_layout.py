"""The map of skae: which folders there are, and that imports point downwards only."""

import ast
from pathlib import Path

import skae
import skae.architectures

PACKAGE = Path(skae.__file__).parent

#: From the ground up. A file imports from lower floors and from its own folder, nothing else.
FLOORS = (
    {"exceptions", "_names", "_sklearn", "_runtime"},
    {"_params", "_data"},
    {"architectures", "losses", "bottlenecks", "corruptions", "sequences"},
    {"_modules", "metrics"},
    {"_training"},
    {"_estimators"},
    {"_text", "_outliers", "_model_selection"},
    {"_series"},
    {"_persistence", "_onnx", "inspection", "model_selection"},
    {"__init__"},
)
FLOOR = {place: number for number, places in enumerate(FLOORS) for place in places}
SKORCH = {"_training/net.py", "_training/callbacks.py"}


def place(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path):
    """Yield the module and the names of each import in a file, those in functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.module, [alias.name for alias in node.names]


def imported_places(path):
    """Return the places of skae that a file imports from."""
    places = set()
    for module, names in imports(path):
        first, *parts = module.split(".")
        if first == "skae":
            places |= (
                {parts[0]} if parts else {name if name in FLOOR else "__init__" for name in names}
            )
    return places - {place(path)}


FILES = sorted(PACKAGE.rglob("*.py"))


def test_every_place_has_a_floor_and_there_are_few():
    entries = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert {name.removesuffix(".py") for name in entries} == set(FLOOR)
    assert len(entries) <= 24


def test_imports_point_downwards():
    upward = [
        f"{path.relative_to(PACKAGE)} imports {other}"
        for path in FILES
        for other in imported_places(path)
        if FLOOR[other] >= FLOOR[place(path)]
    ]
    assert upward == []


def test_files_of_private_folders_need_no_underscore():
    private = [path for path in FILES if place(path).startswith("_") and path.parent != PACKAGE]
    assert [p.name for p in private if p.name.startswith("_") and p.name != "__init__.py"] == []


def test_skorch_is_imported_in_two_files():
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in FILES
        if any(module.partition(".")[0] == "skorch" for module, _ in imports(path))
    }
    assert users == SKORCH


def test_private_names_of_sklearn_are_imported_in_one_file():
    users = {
        path.name
        for path in FILES
        for module, names in imports(path)
        if module.partition(".")[0] == "sklearn"
        and any(part.startswith("_") for part in [*module.split("."), *names])
    }
    assert users == {"_sklearn.py"}


def test_what_architectures_export():
    """Users need classes; registries and builders are skae's own."""
    assert all(isinstance(getattr(skae.architectures, n), type) for n in skae.architectures.__all__)

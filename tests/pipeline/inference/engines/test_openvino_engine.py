"""The OpenVINO engine: order, pairs, and a consumer that stops early; what is quantized, cached and refused."""

import itertools
import json

import numpy as np
import pytest

from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.inference import artifact_cache
from emojob.pipeline.inference.batching import Layout, pack, token_batches
from emojob.pipeline.inference.engines import quantization
from emojob.pipeline.inference.engines.engine import EngineChoice
from emojob.pipeline.inference.engines.openvino_engine import OpenVinoEngine
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.models import model
from emojob.schemas.errors import OptionError
from emojob.schemas.options import ModelOptions

TEXTS = list(dict.fromkeys(sample_texts()))[:200]


def load(folder, **options) -> Scorer:
    return Scorer.load(str(folder), ModelOptions(**{"engine": "openvino", "precision": "fp32", **options}))


@pytest.fixture(scope="module")
def loaded(tiny_model) -> model.Model:
    return model.load(str(tiny_model))


@pytest.fixture(scope="module")
def batches(loaded):
    """Return batches, some with texts of several lengths."""
    encoded = loaded.tokenizer.encode(TEXTS)
    return [pack(encoded, rows, 100, Layout.EVEN) for rows in token_batches(encoded.lengths, 100)]


@pytest.mark.parametrize("threads", [1, 3])
def test_batches_come_back_complete_and_in_order(loaded, batches, threads):
    engine = OpenVinoEngine(loaded, EngineChoice("openvino", "cpu", "fp32", ""), threads)
    together = list(engine.run(iter(batches)))
    assert any(len(batch.groups) > 1 for batch in batches)
    for batch, logits in zip(batches, together, strict=True):
        (alone,) = engine.run([batch])
        np.testing.assert_array_equal(logits, alone)


def test_an_engine_works_after_a_consumer_stopped_early(loaded, batches):
    engine = OpenVinoEngine(loaded, EngineChoice("openvino", "cpu", "fp32", ""), 2)
    expected = list(engine.run(batches))
    left_off = engine.run(itertools.cycle(batches))
    next(left_off)
    left_off.close()
    for again, first in zip(engine.run(batches), expected, strict=True):
        np.testing.assert_array_equal(again, first)


def test_an_error_among_the_batches_is_raised_unchanged(loaded, batches):
    def broken():
        yield batches[0]
        raise LookupError("the reader's")

    engine = OpenVinoEngine(loaded, EngineChoice("openvino", "cpu", "fp32", ""), 1)
    with pytest.raises(LookupError, match="the reader's"):
        list(engine.run(broken()))


def test_pairs_have_the_same_logits_as_in_torch(make_model):
    folder = make_model(emojob_context="previous")
    previous = [None, *TEXTS[:-1]]
    ours, torchs = (load(folder, engine=engine).score(TEXTS, previous) for engine in ("openvino", "torch"))
    np.testing.assert_allclose(ours.probabilities, torchs.probabilities, atol=1e-4)
    alone = load(folder).score(TEXTS)
    assert np.abs(ours.probabilities - alone.probabilities)[1:].max() > 0.01


class TestInt8:
    @pytest.fixture
    def calm(self, make_model):
        """Return a model with weights so small that int8 changes little; one label wins for all texts."""
        return make_model(initializer_range=0.02)

    @pytest.fixture(scope="class")
    def quantized(self, make_model):
        """Return such a model whose int8 graph is cached. Read-only."""
        folder = make_model(initializer_range=0.02)
        load(folder, precision="int8")
        return folder

    def test_its_probabilities_are_close_to_those_of_fp32(self, quantized):
        exact, quick = (load(quantized, precision=precision).score(TEXTS) for precision in ("fp32", "int8"))
        assert 0 < np.abs(exact.probabilities - quick.probabilities).max() < 0.02

    def test_the_neighbours_do_not_change_a_single_bit(self, quantized):
        expected = load(quantized, precision="int8").score(TEXTS).probabilities
        for batch_tokens in (1, 70, 333):
            got = load(quantized, precision="int8", batch_tokens=batch_tokens).score(TEXTS).probabilities
            np.testing.assert_array_equal(got, expected)

    @pytest.mark.slow
    def test_the_int8_graph_is_cached_beside_the_model_and_made_again_if_damaged(self, calm, monkeypatch):
        made = []
        quantize = quantization._quantize
        monkeypatch.setattr(quantization, "_quantize", lambda *given: made.append(1) or quantize(*given))
        notes: list[str] = []

        def score():
            options = ModelOptions(precision="int8")
            return Scorer.load(str(calm), options, note=notes.append).score(TEXTS[:20]).probabilities

        first = score()
        assert sorted(file.name for file in (calm / "openvino").iterdir()) == [
            "int8-64.bin",
            "int8-64.json",
            "int8-64.xml",
        ]
        assert notes == [f"quantizing {calm} to int8; the next run reuses the result"]
        np.testing.assert_array_equal(score(), first)
        assert len(made) == 1
        (calm / "openvino" / "int8-64.bin").write_bytes(b"not what it was")
        np.testing.assert_array_equal(score(), first)
        assert len(made) == 2
        note = json.loads((calm / "openvino" / "int8-64.json").read_text())
        note["made_from"]["fingerprint"] = "another model's"
        (calm / "openvino" / "int8-64.json").write_text(json.dumps(note))
        score()
        assert len(made) == 3

    def test_it_is_refused_if_it_changes_too_many_labels(self, own_model):  # wild weights: about one in ten
        message = r"changes the labels of \d+\.\d\d% of 812 calibration.*--calibration FILE"
        with pytest.raises(OptionError, match=message):
            load(own_model, precision="int8")
        assert not (own_model / "openvino").exists()

    def test_it_is_calibrated_on_the_given_texts(self, calm):
        texts = [f"우리 가게 손님의 {i}번째 말" for i in range(40)]
        options = ModelOptions(engine="openvino", precision="int8", calibration="mine.csv")
        Scorer.load(str(calm), options, calibration_texts=lambda: [*texts, texts[0]])
        note = json.loads((calm / "openvino" / "int8-64.json").read_text())
        assert note["value"]["texts"] == 40

    def test_a_dataset_without_its_texts_is_refused(self, calm):
        with pytest.raises(OptionError, match=r"--calibration mine\.csv.*calibration_texts"):
            load(calm, precision="int8", calibration="mine.csv")


class TestCache:
    def test_an_entry_is_loaded_only_for_the_same_inputs(self, own_model):
        one = model.load(str(own_model))
        artifact_cache.save(one, "thing", {"version": 1}, {"figure": 2.5}, {"thing.bin": b"content"})
        kept = artifact_cache.load(one, "thing", {"version": 1})
        assert kept is not None
        assert kept["figure"] == 2.5
        assert (kept["folder"] / "thing.bin").read_bytes() == b"content"
        assert artifact_cache.load(one, "thing", {"version": 2}) is None
        assert artifact_cache.load(one, "another", {"version": 1}) is None

    @pytest.mark.parametrize("note", [b"", b"[]", b"{", b'{"made_from": {"version": 1}, "sha256": [1]}'])
    def test_a_broken_entry_counts_as_missing(self, own_model, note):
        one = model.load(str(own_model))
        artifact_cache.save(one, "thing", {"version": 1}, {"figure": 2.5}, {})
        (own_model / "openvino" / "thing.json").write_bytes(note)
        assert artifact_cache.load(one, "thing", {"version": 1}) is None

    def test_the_cache_of_the_user_replaces_a_folder_that_is_not_writable(self, own_model, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        one = model.load(str(own_model))
        (own_model / "openvino").write_bytes(b"a file where the folder would be")
        artifact_cache.save(one, "thing", {}, {"figure": 1}, {})
        kept = artifact_cache.load(one, "thing", {})
        assert kept is not None
        assert kept["folder"].is_relative_to(tmp_path / "cache" / "emojob")

    def test_nothing_is_written_into_the_package(self):
        assert not any(folder.is_relative_to(model.load().folder) for folder in artifact_cache.folders(model.load()))

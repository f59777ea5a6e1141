"""The fastest engine for the model is selected; it is measured once, and only by large jobs."""

import pytest

from emojob.pipeline.inference import engine_choice, engine_rates
from emojob.pipeline.inference.engines.engine import EngineChoice
from emojob.pipeline.models import model
from emojob.pipeline.system import hardware
from emojob.pipeline.system.hardware import Machine
from emojob.schemas.errors import OptionError
from emojob.schemas.options import ModelOptions

OPENVINO = EngineChoice("openvino", "cpu", "bf16", "a reason")
TORCH = EngineChoice("torch", "cpu", "bf16", "a reason")
INT8 = EngineChoice("openvino", "cpu", "int8", "a reason")


def rates(*values: float) -> dict[str, float]:
    return dict(zip(map(engine_rates.choice_key, (OPENVINO, TORCH, INT8)), values, strict=True))


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        (rates(100, 90, 0), OPENVINO),
        (rates(90, 100, 0), TORCH),
        (rates(100, 90, 125), OPENVINO),  # too small a gain for the labels that it changes
        (rates(100, 90, 140), INT8),
    ],
)
def test_the_fastest_is_selected_but_int8_only_if_much_faster(measured, expected):
    best = engine_choice.fastest([OPENVINO, TORCH, INT8], measured)
    assert (best.engine, best.precision) == (expected.engine, expected.precision)
    assert f"{max(measured.values()):,.0f}" in best.why


@pytest.fixture
def with_amx(monkeypatch):
    here = Machine("Xeon", 2, 0, ("amx_bf16",), (), False)
    monkeypatch.setattr(hardware, "detect", lambda: here)
    return here


@pytest.mark.measured
def test_a_large_job_measures_once_and_saves_the_rates(own_model, with_amx, monkeypatch):
    monkeypatch.setattr(engine_rates, "_SECONDS", 0.02)
    loaded, options = model.load(str(own_model)), ModelOptions()
    notes: list[str] = []
    engine = engine_choice.select_engine(options, loaded, 1, may_measure=True, note=notes.append)
    assert notes == [f"measuring which engine is fastest with {own_model}; the next run reuses the result"]
    assert "tokens/s" in engine.choice.why
    monkeypatch.setattr(engine_rates, "measure_rates", None)  # would fail if it were called
    for may_measure in (True, False):
        again = engine_choice.select_engine(options, loaded, 1, may_measure=may_measure, note=notes.append)
        assert again.choice == engine.choice
    assert len(notes) == 1


def test_int8_is_a_candidate_if_there_is_memory_to_quantize(tiny_model, monkeypatch):
    loaded = model.load(str(tiny_model))
    for memory, options, precisions in (
        (8 << 30, ModelOptions(), ["fp32", "fp32", "int8"]),
        (1 << 29, ModelOptions(), ["fp32", "fp32"]),
        (1 << 29, ModelOptions(precision="int8"), ["int8"]),
    ):
        here = Machine("Old", 2, memory, (), (), False)
        assert [one.precision for one in engine_choice.candidates(options, loaded, here)] == precisions


def test_a_small_job_uses_the_first_candidate_without_measuring(own_model, with_amx, monkeypatch):
    monkeypatch.setattr(engine_rates, "measure_rates", None)
    engine = engine_choice.select_engine(ModelOptions(), model.load(str(own_model)), 1)
    assert (engine.choice.engine, engine.choice.precision) == ("openvino", "bf16")


def test_rates_of_another_machine_are_not_used(own_model, with_amx):
    loaded = model.load(str(own_model))
    found = [OPENVINO, TORCH]
    other = Machine("Xeon", 64, 0, ("amx_bf16",), (), False)
    made_from = engine_rates._made_from(loaded, found, with_amx, ModelOptions())
    engine_rates.artifact_cache.save(loaded, engine_rates._name(found, ModelOptions()), made_from, rates(1, 2, 0), {})
    assert engine_rates.recall_rates(loaded, found, with_amx, ModelOptions()) == {
        engine_rates.choice_key(OPENVINO): 1,
        engine_rates.choice_key(TORCH): 2,
    }
    assert engine_rates.recall_rates(loaded, found, other, ModelOptions()) is None


@pytest.mark.parametrize("options", [ModelOptions(max_length=32), ModelOptions(calibration="texts.csv")])
def test_rates_for_other_options_are_not_used(own_model, with_amx, options):
    loaded = model.load(str(own_model))
    made_from = engine_rates._made_from(loaded, [OPENVINO], with_amx, ModelOptions())
    engine_rates.artifact_cache.save(loaded, engine_rates._name([OPENVINO], options), made_from, rates(1, 2, 3), {})
    assert engine_rates.recall_rates(loaded, [OPENVINO], with_amx, options) is None


def test_a_failure_of_int8_without_the_option_is_no_error(own_model, monkeypatch):
    here = Machine("Old", 2, 32 << 30, (), (), False)
    monkeypatch.setattr(hardware, "detect", lambda: here)
    loaded, options = model.load(str(own_model)), ModelOptions()
    found = engine_choice.choices(options, here)
    kept = {engine_rates.choice_key(one): 900.0 if one.precision == "int8" else 100.0 for one in found}
    made_from = engine_rates._made_from(loaded, found, here, options)
    engine_rates.artifact_cache.save(loaded, engine_rates._name(found, options), made_from, kept, {})
    start = engine_choice.start_engine

    def refuse_int8(choice, *given):
        if choice.precision == "int8":
            raise OptionError("--precision int8 changes too many labels")
        return start(choice, *given)

    monkeypatch.setattr(engine_choice, "start_engine", refuse_int8)
    assert engine_choice.select_engine(options, loaded, 1).choice.precision == "fp32"
    with pytest.raises(OptionError, match="too many"):
        engine_choice.select_engine(ModelOptions(precision="int8"), loaded, 1)


@pytest.mark.measured
def test_a_model_with_few_positions_is_measured_within_them(make_model, monkeypatch):
    monkeypatch.setattr(engine_rates, "_SECONDS", 0.02)
    loaded = model.load(str(make_model(max_position_embeddings=16)))
    found = engine_rates.measure_rates(loaded, [OPENVINO, TORCH], ModelOptions(max_length=16), 1, lambda text: None)
    assert min(found.values()) > 0


@pytest.mark.measured
def test_int8_that_changes_too_many_labels_has_no_rate(tiny_model, monkeypatch):
    from emojob.pipeline.inference.engines import quantization

    monkeypatch.setattr(quantization, "_changed_share", lambda *given: 0.5)
    monkeypatch.setattr(engine_rates, "_SECONDS", 0.02)
    found = engine_rates.measure_rates(
        model.load(str(tiny_model)), [OPENVINO, INT8], ModelOptions(), 1, lambda text: None
    )
    assert found[engine_rates.choice_key(INT8)] == 0
    assert found[engine_rates.choice_key(OPENVINO)] > 0


@pytest.mark.measured
def test_a_large_job_measures_the_only_candidate_and_saves_its_rate(own_model, monkeypatch):
    monkeypatch.setattr(engine_rates, "_SECONDS", 0.02)
    loaded, options = model.load(str(own_model)), ModelOptions(engine="torch", precision="fp32", device="cpu")
    assert engine_choice.select_engine(options, loaded, 1).choice.tokens_per_second is None
    rate = engine_choice.select_engine(options, loaded, 1, may_measure=True).choice.tokens_per_second
    assert rate > 0
    assert engine_choice.select_engine(options, loaded, 1).choice.tokens_per_second == rate

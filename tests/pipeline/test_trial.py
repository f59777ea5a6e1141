"""The engine is the fastest with the model at hand; it is measured once, and not for small jobs."""

import pytest

from pipeline import machine, model, trial
from pipeline.engine import Choice
from pipeline.machine import Machine
from schemas.options import ModelOptions

OPENVINO = Choice("openvino", "cpu", "bf16", "a reason")
TORCH = Choice("torch", "cpu", "bf16", "a reason")
INT8 = Choice("openvino", "cpu", "int8", "a reason")


def rates(*values: float) -> dict[str, float]:
    return dict(zip(map(trial.label, (OPENVINO, TORCH, INT8)), values, strict=True))


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        (rates(100, 90, 0), OPENVINO),
        (rates(90, 100, 0), TORCH),
        (rates(100, 90, 125), OPENVINO),  # not worth the labels that it changes
        (rates(100, 90, 140), INT8),
    ],
)
def test_the_fastest_is_taken_but_int8_only_where_it_is_worth_it(measured, expected):
    best = trial.fastest([OPENVINO, TORCH, INT8], measured)
    assert (best.engine, best.precision) == (expected.engine, expected.precision)
    assert f"{max(measured.values()):,.0f}" in best.why


@pytest.fixture
def with_amx(monkeypatch):
    here = Machine("Xeon", 2, 0, ("amx_bf16",), (), False)
    monkeypatch.setattr(machine, "look", lambda: here)
    return here


@pytest.mark.measured
def test_a_large_job_measures_once_and_keeps_what_it_found(own_model, with_amx, monkeypatch):
    monkeypatch.setattr(trial, "_SECONDS", 0.02)
    loaded, options = model.load(str(own_model)), ModelOptions()
    notes: list[str] = []
    engine = trial.settle(options, loaded, 1, patient=True, note=notes.append)
    assert notes == [f"measuring which engine is fastest with {own_model}; it is done once"]
    assert "tokens/s" in engine.choice.why
    monkeypatch.setattr(trial, "measure", None)  # would fail if it were called
    for patient in (True, False):
        again = trial.settle(options, loaded, 1, patient=patient, note=notes.append)
        assert again.choice == engine.choice
    assert len(notes) == 1


def test_int8_comes_into_question_where_there_is_memory_to_quantise(tiny_model, monkeypatch):
    loaded = model.load(str(tiny_model))
    for memory, options, precisions in (
        (8 << 30, ModelOptions(), ["fp32", "fp32", "int8"]),
        (1 << 29, ModelOptions(), ["fp32", "fp32"]),
        (1 << 29, ModelOptions(precision="int8"), ["int8"]),
    ):
        here = Machine("Old", 2, memory, (), (), False)
        assert [one.precision for one in trial.in_question(options, loaded, here)] == precisions


def test_a_small_job_takes_the_first_unmeasured(own_model, with_amx, monkeypatch):
    monkeypatch.setattr(trial, "measure", None)
    engine = trial.settle(ModelOptions(), model.load(str(own_model)), 1)
    assert (engine.choice.engine, engine.choice.precision) == ("openvino", "bf16")


def test_what_was_measured_on_another_machine_does_not_count(own_model, with_amx):
    loaded = model.load(str(own_model))
    found = [OPENVINO, TORCH]
    other = Machine("Xeon", 64, 0, ("amx_bf16",), (), False)
    trial.model_cache.keep(loaded, "fastest", trial._made_from(loaded, found, with_amx), rates(1, 2, 0), {})
    assert trial.recall(loaded, found, with_amx) == {trial.label(OPENVINO): 1, trial.label(TORCH): 2}
    assert trial.recall(loaded, found, other) is None


@pytest.mark.measured
def test_int8_that_changes_too_many_labels_has_no_rate(tiny_model, monkeypatch):
    from pipeline import quantization

    monkeypatch.setattr(quantization, "_changed", lambda *given: 0.5)
    monkeypatch.setattr(trial, "_SECONDS", 0.02)
    found = trial.measure(model.load(str(tiny_model)), [OPENVINO, INT8], ModelOptions(), 1, lambda text: None)
    assert found[trial.label(INT8)] == 0
    assert found[trial.label(OPENVINO)] > 0

"""The torch engine: its behaviour on a GPU, as far as a CPU can show it."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.inference.batching import pack, token_batches
from emojob.pipeline.inference.engines.engine import EngineChoice
from emojob.pipeline.inference.engines.torch_engine import TorchEngine, _varlen_attention_works
from emojob.pipeline.models import bert, model

TEXTS = list(dict.fromkeys(sample_texts()))[:150]


@pytest.fixture(scope="module")
def loaded(tiny_model) -> model.Model:
    return model.load(str(tiny_model))


def attention_text_by_text(q, k, v, q_starts, k_starts, q_longest, k_longest):
    """Return the result of torch's GPU kernel, text by text; undefined outputs are NaN."""
    assert q_starts.dtype == k_starts.dtype == torch.int32
    assert len(q_starts) == len(k_starts)
    out = torch.full_like(q, float("nan"))
    for i in range(len(q_starts) - 1):
        asking, there = slice(*q_starts[i : i + 2].tolist()), slice(*k_starts[i : i + 2].tolist())
        assert asking.stop - asking.start <= q_longest
        assert there.stop - there.start <= k_longest
        if there.stop > there.start:
            heads_first = (one.transpose(0, 1) for one in (q[asking], k[there], v[there]))
            out[asking] = F.scaled_dot_product_attention(*heads_first).transpose(0, 1)
        else:
            out[asking] = 0
    return out


def batches(loaded, texts, budget):
    encoded = loaded.tokenizer.encode(texts)
    return [pack(encoded, rows, budget) for rows in token_batches(encoded.lengths, budget)]


@pytest.mark.parametrize("budget", [40, 300, 10_000])
def test_varlen_attention_gives_the_same_as_groups(loaded, monkeypatch, budget):
    some = batches(loaded, TEXTS, budget)
    expected = list(TorchEngine(loaded, EngineChoice("torch", "cpu", "fp32", "")).run(some))
    monkeypatch.setattr(bert, "varlen_attention", lambda: attention_text_by_text)
    engine = TorchEngine(loaded, EngineChoice("torch", "cpu", "fp32", ""))
    engine._at_once = True
    for logits, by_groups in zip(engine.run(some), expected, strict=True):
        np.testing.assert_allclose(logits, by_groups, atol=1e-5)


def test_varlen_attention_is_tested_before_it_is_used(loaded, monkeypatch):
    device = torch.device("cpu")
    for attend, works in (
        (attention_text_by_text, True),
        (lambda q, *given: q, False),
        (None, False),
    ):
        monkeypatch.setattr(bert, "varlen_attention", lambda attend=attend: attend)
        assert _varlen_attention_works(loaded, device, torch.bfloat16) == works

    def not_here(*given):
        raise RuntimeError("no kernel image is available for execution on the device")

    monkeypatch.setattr(bert, "varlen_attention", lambda: not_here)
    assert not _varlen_attention_works(loaded, device, torch.bfloat16)
    monkeypatch.setattr(bert, "varlen_attention", lambda: attention_text_by_text)
    assert not _varlen_attention_works(loaded, device, torch.float32)  # the kernels are for 16 bits


class FakeEvent:
    """Replaces a CUDA event and counts the queued batches."""

    under_way = 0

    def record(self):
        FakeEvent.under_way += 1
        assert FakeEvent.under_way <= 2

    def synchronize(self):
        FakeEvent.under_way -= 1


@pytest.fixture
def queued(loaded, monkeypatch) -> TorchEngine:
    """Return an engine that queues batches as on a GPU, and computes them immediately."""
    engine = TorchEngine(loaded, EngineChoice("torch", "cpu", "fp32", ""))

    def begin(batch):
        event = FakeEvent()
        event.record()
        return torch.from_numpy(engine.logits(batch)), event

    FakeEvent.under_way = 0
    monkeypatch.setattr(engine, "_enqueue", begin)
    engine._device = torch.device("meta")  # any but a CPU
    monkeypatch.setattr(engine, "_to_device", torch.from_numpy)
    return engine


def test_queued_batches_come_back_in_order(loaded, queued):
    some = batches(loaded, TEXTS, 200)
    expected = list(TorchEngine(loaded, EngineChoice("torch", "cpu", "fp32", "")).run(some))
    for logits, same in zip(queued.run(some), expected, strict=True):
        np.testing.assert_array_equal(logits, same)
    assert FakeEvent.under_way == 0


def test_batches_queued_before_memory_ran_out_come_back_first(loaded, queued, monkeypatch):
    some = batches(loaded, TEXTS, 200)
    begin = queued._enqueue

    def short(batch):
        if batch is some[3]:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return begin(batch)

    monkeypatch.setattr(queued, "_enqueue", short)
    came = []
    with pytest.raises(torch.OutOfMemoryError):
        came.extend(queued.run(some))  # extend keeps the batches before the error
    assert len(came) == 3

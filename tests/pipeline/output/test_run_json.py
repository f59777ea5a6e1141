"""The engine of run.json in words."""

import pytest

from emojob.pipeline.output.run_json import how_run


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "torch on cuda in bf16"),
        ({"processes": 4}, "torch on 4 x cuda in bf16"),
        ({"within": ""}, "torch on cuda in bf16"),
        ({"processes": 2, "within": "ray"}, "torch on 2 x cuda in bf16 on Ray"),
    ],
)
def test_the_engine_is_described_in_words(more, words):
    assert how_run({"engine": "torch", "device": "cuda", "precision": "bf16", **more}) == words

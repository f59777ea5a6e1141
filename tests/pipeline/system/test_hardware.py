"""What emojob detects of the machine."""

import pytest

from emojob.pipeline.system import hardware

PRESENT = ("amx_int8", "amx_bf16", "avx512_bf16", "avx512_vnni", "avx512f", "avx2")


@pytest.mark.parametrize(
    ("limit", "usable"),
    [
        ("AVX2", ("avx2",)),
        ("avx2", ("avx2",)),
        ("AVX512_CORE_VNNI", ("avx512_vnni", "avx512f", "avx2")),
        ("AVX512_CORE_BF16", ("avx512_bf16", "avx512_vnni", "avx512f", "avx2")),
        ("AVX512_CORE_AMX", PRESENT),
        ("SSE41", ()),
        ("", PRESENT),
    ],
)
def test_the_limit_of_onednn_excludes_instructions(monkeypatch, limit, usable):
    monkeypatch.setattr(hardware, "_processor", lambda: ("a processor with AMX", set(PRESENT)))
    monkeypatch.setenv("DNNL_MAX_CPU_ISA", limit)
    assert hardware.detect(with_gpus=False).instructions == usable
    assert hardware.bf16_is_excluded() is ("avx512_bf16" not in usable)

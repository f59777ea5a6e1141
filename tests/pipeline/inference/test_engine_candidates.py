"""Which engines and precisions are candidates, and which options are refused."""

import pytest

from emojob.pipeline.inference.engine_choice import choices
from emojob.pipeline.system import hardware
from emojob.pipeline.system.hardware import Machine
from emojob.schemas.errors import OptionError
from emojob.schemas.options import ModelOptions

EVERYTHING = ("openvino", "nncf")


@pytest.fixture
def chosen(monkeypatch):
    """Return (engine, device, precision) of the candidates for a machine and its installed packages."""

    def choose(instructions=(), gpus=(), installed=EVERYTHING, **options):
        monkeypatch.setattr(hardware, "is_installed", lambda package: package in installed)
        here = Machine("", 2, 0, instructions, gpus, True)
        return [(one.engine, one.device, one.precision) for one in choices(ModelOptions(**options), here)]

    return choose


AMX = ("amx_int8", "amx_bf16", "avx512_bf16")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"instructions": AMX}, [("openvino", "cpu", "bf16"), ("torch", "cpu", "bf16")]),
        ({"instructions": AMX, "installed": ()}, [("torch", "cpu", "bf16")]),
        ({"installed": ("openvino",)}, [("openvino", "cpu", "fp32"), ("torch", "cpu", "fp32")]),
        ({}, [("openvino", "cpu", "fp32"), ("torch", "cpu", "fp32"), ("openvino", "cpu", "int8")]),
        ({"precision": "fp32"}, [("openvino", "cpu", "fp32"), ("torch", "cpu", "fp32")]),
        ({"precision": "fp16"}, [("torch", "cpu", "fp16")]),
        ({"engine": "torch", "instructions": AMX}, [("torch", "cpu", "bf16")]),
        ({"gpus": ("H100",)}, [("torch", "cuda", "bf16")]),
        ({"gpus": ("H100",), "device": "cpu", "installed": ()}, [("torch", "cpu", "fp32")]),
        ({"gpus": ("H100",), "precision": "int8"}, [("openvino", "cpu", "int8")]),
        ({"gpus": ("H100",), "engine": "openvino", "instructions": AMX}, [("openvino", "cpu", "bf16")]),
        ({"engine": "openvino", "precision": "int8"}, [("openvino", "cpu", "int8")]),
    ],
)
def test_candidates(chosen, options, expected):
    assert chosen(**options) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "ray"}, "--engine ray works only for `emojob score` and `nightly`"),
        ({"device": "cuda"}, "--device cuda: no GPU was found"),
        ({"engine": "torch", "precision": "int8"}, "--precision int8 does not work with --engine torch"),
        ({"engine": "openvino", "precision": "fp16"}, "has no --precision fp16"),
        ({"engine": "openvino", "device": "cuda", "gpus": ("H100",)}, "--engine openvino works only on a CPU"),
        ({"precision": "int8", "device": "cuda", "gpus": ("H100",)}, "--precision int8 works only on a CPU"),
        (
            {"engine": "openvino", "installed": ()},
            r"openvino needs openvino: run pip install 'emojob\[openvino\]'",
        ),
        ({"precision": "int8", "installed": ("openvino",)}, "--precision int8 needs nncf: run pip install"),
    ],
)
def test_unavailable_options_are_refused(chosen, options, message):
    with pytest.raises(OptionError, match=message):
        chosen(**options)

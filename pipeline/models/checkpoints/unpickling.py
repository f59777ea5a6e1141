"""Reads a file of `torch.save` or `pickle.dump` without running code from it, also if it contains more than tensors.

A pickle names classes and functions, and tells the reader to call them. `_Unpickler` never imports what a file names.
It knows the few functions that rebuild tensors. Everything else becomes an `Unread`: an object that records the name
and ignores its arguments. So a checkpoint with an optimizer, a learning rate schedule, or settings of any class can be
read, and a file that would run a command runs nothing.
"""

from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import torch

from emojob.schemas.errors import EmojobError, ModelError
from emojob.schemas.messages import last_line

# Modules and functions that run commands, open files or connections, or import code. A checkpoint has no reason to name
# them. Only the message depends on this list: no name is ever imported.
_DANGEROUS_MODULES = {
    "os", "posix", "nt", "subprocess", "pty", "sys", "shutil", "socket", "runpy", "importlib", "code", "codeop",
    "ctypes", "webbrowser", "urllib", "http", "ftplib", "smtplib", "pickle", "marshal", "tempfile",
    "commands", "pip", "requests",
}  # fmt: skip
_DANGEROUS_BUILTINS = {"eval", "exec", "execfile", "compile", "open", "__import__", "input", "breakpoint", "globals"}

_CHUNK = 1 << 22  # bytes

# The number with which a file of torch before 1.6 begins, as a pickle. Other pickles are of `pickle.dump`.
_LEGACY = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)

# What a file may name to rebuild tensors: (module, name). Names with "Storage" are handled by torch itself.
_REBUILD = {
    ("torch._utils", "_rebuild_tensor"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch._tensor", "_rebuild_from_type_v2"),
}


class _Dict(dict[Any, Any]):
    """Stands for OrderedDict. A file can set no attributes, which would replace methods."""

    def __setstate__(self, state: Any) -> None:
        """Ignore the attributes that the file contains."""


_VALUES = {("collections", "OrderedDict"): _Dict, ("torch", "Size"): torch.Size}


class Unread:
    """An object that was not read. `NAME` is the class or function that the file names."""

    NAME = ""

    def __new__(cls, *given: Any, **named: Any) -> Unread:
        """Return a new object, and ignore the arguments."""
        return super().__new__(cls)

    def __init__(self, *given: Any, **named: Any) -> None:
        pass

    def __call__(self, *given: Any, **named: Any) -> Unread:
        """Return the object itself, if the file wants to call the object."""
        return self

    def __setstate__(self, state: Any) -> None:
        """Ignore the attributes that the file contains."""

    def __setitem__(self, key: Any, value: Any) -> None:
        """Ignore an item that the file adds."""

    def append(self, value: Any) -> None:
        """Ignore a value that the file appends."""

    def extend(self, values: Any) -> None:
        """Ignore values that the file appends."""


class _Unpickler(pickle.Unpickler):
    """Reads a pickle, and imports nothing that the pickle names.

    Attributes:
        names: Names of the objects that were not read. Each file has its own subclass.
    """

    names: ClassVar[set[str]]

    def find_class(self, module: str, name: str) -> Any:
        """Return the function or class for a name in the pickle."""
        if (module, name) in _VALUES:
            return _VALUES[module, name]
        if (module, name) == ("torch._tensor", "_rebuild_from_type_v2"):
            return _rebuild_from_type
        if (module, name) == ("torch.storage", "_load_from_bytes"):
            return _read_storage
        if (module, name) == ("_codecs", "encode"):
            return _encode
        if (module, name) in _REBUILD:
            return getattr(torch._utils, name)
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        self.names.add(f"{module}.{name}")
        return type("Unread", (Unread,), {"NAME": f"{module}.{name}"})


def _rebuild_from_type(rebuild: Callable[..., Any], kind: Any, arguments: tuple[Any, ...], state: Any) -> Any:
    """Return the tensor in a subclass of tensors, without its subclass and its other attributes."""
    return rebuild(*arguments)


def _read_storage(content: bytes) -> Any:
    """Return the numbers of a tensor. `pickle.dump` writes them as a file of `torch.save` inside the pickle."""
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _encode(text: str, encoding: str) -> bytes:
    """Return the bytes that a pickle of protocol 0 to 2 contains as a text. Raises ValueError for other encodings."""
    if encoding != "latin1":
        raise ValueError(f"bytes in the encoding {encoding!r:.20}")
    return text.encode("latin1")


def _pickle_module(names: set[str]) -> ModuleType:
    """Return a module that torch uses in place of `pickle`. Names that are not read are added to `names`."""
    unpickler = type("Unpickler", (_Unpickler,), {"names": names})
    module = ModuleType("emojob_pickle")
    module.Unpickler = unpickler  # type: ignore[attr-defined]
    module.load = lambda file, **options: unpickler(file).load()  # type: ignore[attr-defined]
    return module


class _NoDescriptor(io.BufferedReader):
    """A file that torch reads through `read` only, so that torch does not unpack it as the tar archive of old times."""

    def fileno(self) -> int:
        """Raise UnsupportedOperation."""
        raise io.UnsupportedOperation("fileno")


def load_objects(file: Path) -> tuple[Any, set[str]]:
    """Read a file of `torch.save` or `pickle.dump`. Objects other than tensors and plain values become `Unread`.

    Args:
        file: A zip file of torch 1.6 or later, a pickle of an earlier torch, or a file of `pickle.dump`.

    Returns:
        (content, names of the objects that were not read).

    Raises:
        ModelError: The file is damaged, or is a zip file of another program.
    """
    names: set[str] = set()
    try:
        with file.open("rb") as opened:
            first = opened.read(len(_LEGACY))
        is_zip = first[:2] == b"PK"
        if is_zip:
            _check_zip(file)
        elif first != _LEGACY:
            with file.open("rb") as opened:
                return _pickle_module(names).load(opened), names
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about the protocol of the pickle
            return _load(file, is_zip, names), names
    except EmojobError:
        raise
    except Exception as error:  # torch.load can raise any exception for a damaged file, also a MemoryError
        raise ModelError(
            f"CHECKPOINT {file} is damaged or incomplete ({last_line(error)}): copy or download the file again"
        ) from None


def _load(file: Path, is_zip: bool, names: set[str]) -> Any:
    where: dict[str, Any] = {"map_location": "cpu", "mmap": is_zip or None}
    try:
        return torch.load(_source(file, is_zip), weights_only=True, **where)
    except pickle.UnpicklingError:  # the file contains objects other than tensors
        return torch.load(_source(file, is_zip), weights_only=False, pickle_module=_pickle_module(names), **where)


def _source(file: Path, is_zip: bool) -> Any:
    return str(file) if is_zip else _NoDescriptor(io.FileIO(file))


def _check_zip(file: Path) -> None:
    """Raise ModelError for a zip file that `torch.save` did not write. Raises BadZipFile for a damaged one."""
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        for entry in archive.infolist():
            if entry.CRC:  # torch can save a file without checksums; torch itself checks none
                with archive.open(entry) as record:
                    while record.read(_CHUNK):
                        pass
    inner = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inner or any(name.startswith("code/") for name in inner):
        raise ModelError(
            f"{file} is a TorchScript program, and emojob runs no code from a file: save its weights with "
            f'`torch.save(torch.jit.load("{file.name}").state_dict(), "weights.pt")`, then give weights.pt'
        )
    if "data.pkl" not in inner:
        raise ModelError(f"{file} is a zip file, but not of torch.save: unpack it, and give the checkpoint in it")


def dangerous_name(names: set[str]) -> str | None:
    """Return a name that a checkpoint has no reason to contain, such as posix.system; None if there is none.

    Args:
        names: Names of the objects that were not read.
    """
    for name in sorted(names):
        module, _, last = name.rpartition(".")
        top = module.partition(".")[0]
        if top in _DANGEROUS_MODULES or (top in ("builtins", "__builtin__") and last in _DANGEROUS_BUILTINS):
            return name
    return None

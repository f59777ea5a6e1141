"""Labels millions of lines of Korean dialogue with emotions.

    import emojob
    scored = emojob.Scorer.load().score(["너무 기뻐요", "불안해요"])
    result = emojob.score("logs.parquet", out="logs.emotions")
    with emojob.open("logs.emotions") as archive:
        archive.sql("SELECT emotion, count(*) FROM labelled GROUP BY ALL").show()

docs/python.md describes the complete API. `import emojob` is fast, because each function is imported at its first use.
"""

from importlib import import_module as _import_module
from pathlib import Path as _Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emojob.jobs.python_api import evaluate as evaluate
    from emojob.jobs.python_api import score as score
    from emojob.jobs.python_api import train as train
    from emojob.pipeline.inference.scorer import Scorer as Scorer
    from emojob.pipeline.warehouse.open_archive import open_archive as open  # noqa: A004
    from emojob.schemas.errors import BusyError as BusyError
    from emojob.schemas.errors import ChangedError as ChangedError
    from emojob.schemas.errors import ColumnError as ColumnError
    from emojob.schemas.errors import DataError as DataError
    from emojob.schemas.errors import EmojobError as EmojobError
    from emojob.schemas.errors import InputError as InputError
    from emojob.schemas.errors import Interrupted as Interrupted
    from emojob.schemas.errors import ModelError as ModelError
    from emojob.schemas.errors import NothingFound as NothingFound
    from emojob.schemas.errors import OptionError as OptionError
    from emojob.schemas.errors import OutputError as OutputError
    from emojob.schemas.errors import StorageError as StorageError
    from emojob.schemas.errors import WorkerError as WorkerError

    __version__: str

__all__ = [
    "BusyError",
    "ChangedError",
    "ColumnError",
    "DataError",
    "EmojobError",
    "InputError",
    "Interrupted",
    "ModelError",
    "NothingFound",
    "OptionError",
    "OutputError",
    "Scorer",
    "StorageError",
    "WorkerError",
    "__version__",
    "evaluate",
    "open",
    "score",
    "train",
]

#: {public name: (module, name in the module)}. The error classes are in schemas/errors.py.
_HOMES = {
    "Scorer": ("emojob.pipeline.inference.scorer", "Scorer"),
    "score": ("emojob.jobs.python_api", "score"),
    "train": ("emojob.jobs.python_api", "train"),
    "evaluate": ("emojob.jobs.python_api", "evaluate"),
    "open": ("emojob.pipeline.warehouse.open_archive", "open_archive"),
}

_here = _Path(__file__).resolve().parent
if not (_here / "pipeline").is_dir():  # in a Git checkout, the packages are in the parent folder
    __path__.append(str(_here.parent))


def __getattr__(name: str) -> object:
    """Import a public name, such as `score`, at its first use (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'emojob' has no attribute {name!r}")
    if name == "__version__":
        from importlib.metadata import version

        value: object = version("emojob")
    else:
        module, inner = _HOMES.get(name, ("emojob.schemas.errors", name))
        value = getattr(_import_module(module), inner)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

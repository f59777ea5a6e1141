"""The package as users install it: one import name, a quick `import emojob`, and the whole of it in the wheel."""

import ast
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from shutil import copy

import pytest

import emojob as package
from emojob.jobs.main import cli
from emojob.schemas import errors

TOP = Path(__file__).parent.parent
ROOMS = ("jobs", "pipeline", "schemas", "training")
PUBLIC = {
    "BusyError", "ChangedError", "ColumnError", "DataError", "EmojobError", "InputError", "Interrupted", "ModelError",
    "NothingFound", "OptionError", "OutputError", "Scorer", "StorageError", "WorkerError", "__version__", "evaluate",
    "open", "score", "train",
}  # fmt: skip
HEAVY = {"click", "duckdb", "numpy", "polars", "pyarrow", "ray", "rich", "torch", "transformers"}


# -- the public face -----------------------------------------------------------------------------------------------


def test_the_public_names_are_these_and_each_loads():
    assert set(dir(package)) == set(package.__all__) == PUBLIC
    for name in PUBLIC:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'scores'"):
        _ = package.scores


def test_type_checkers_see_the_public_names():
    tree = ast.parse((TOP / "emojob" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imported = {alias.asname for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert imported | {"__version__"} == PUBLIC
    assert (TOP / "emojob" / "py.typed").exists()


def test_every_error_is_public():
    kinds = [
        value for value in vars(errors).values() if isinstance(value, type) and value.__module__ == errors.__name__
    ]
    assert {kind.__name__ for kind in kinds if issubclass(kind, errors.EmojobError)} <= PUBLIC
    assert package.ColumnError is errors.ColumnError


def test_the_page_on_python_names_each_of_them():
    page = (TOP / "docs" / "python.md").read_text(encoding="utf-8")
    assert not [name for name in PUBLIC if f"emojob.{name}" not in page and f"`{name}`" not in page]


def test_import_emojob_loads_nothing_heavy():
    code = f"import sys, emojob; dir(emojob); print(*({HEAVY!r} & set(sys.modules)))"
    assert run(code).stdout.split() == []
    errors_too = f"import sys, emojob; emojob.InputError; print(*({HEAVY!r} & set(sys.modules)))"
    assert run(errors_too).stdout.split() == []


def test_import_emojob_takes_less_than_a_tenth_of_a_second():
    def fastest(code: str) -> float:  # processor time, which other processes do not change
        return min(float(run(f"{code}; import time; print(time.process_time())").stdout) for _ in range(5))

    assert fastest("import emojob") - fastest("pass") < 0.1


def run(code: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, **options)


# -- the wheel -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel that setuptools builds from a copy of the sources."""
    pytest.importorskip("setuptools")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for file in sources():
        target = source / file
        target.parent.mkdir(parents=True, exist_ok=True)
        copy(TOP / file, target)
    run(f"from setuptools import build_meta; build_meta.build_wheel({str(out)!r})", cwd=source)
    return next(out.glob("emojob-*.whl"))


def sources() -> list[Path]:
    """What a wheel is built from."""
    kept = [file for folder in ("emojob", *ROOMS) for file in (TOP / folder).rglob("*") if file.is_file()]
    names = [file.relative_to(TOP) for file in kept if "__pycache__" not in file.parts]
    return [*names, *map(Path, ("pyproject.toml", "README.md", "LICENSE"))]


def test_the_wheel_holds_one_import_name_and_every_file_of_the_rooms(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
    assert {name.split("/")[0] for name in names} == {"emojob", f"emojob-{package.__version__}.dist-info"}
    expected = {str(file if file.parts[0] == "emojob" else Path("emojob", file)) for file in sources()[:-3]}
    assert expected - set(names) == set()


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> dict[str, str]:
    """An environment in which the wheel is installed and foreign packages have the names of emojob's rooms."""
    site, foreign = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("foreign")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    for name in ROOMS:
        (foreign / name).mkdir()
        (foreign / name / "__init__.py").write_text("")
    return {**os.environ, "PYTHONPATH": f"{foreign}{os.pathsep}{site}", "SITE": str(site)}


def test_the_help_of_every_command_works_beside_foreign_packages(installed, tmp_path):
    code = f"""
import os, sys
from emojob.jobs.main import cli, main
assert sys.modules["emojob"].__file__.startswith(os.environ["SITE"])
assert set(cli.commands) == {set(cli.commands)!r}
for command in ([], *map(lambda name: [name], cli.commands)):
    try:
        main([*command, "--help"])
    except SystemExit as ended:
        assert ended.code == 0, command
"""
    done = run(code, env=installed, cwd=tmp_path)
    assert done.stdout.count("Usage: ") == 1 + len(cli.commands)


def test_commands_and_functions_work_beside_foreign_packages(installed, tmp_path, tiny_model):
    (tmp_path / "log.csv").write_text("text\n기뻐요\n", encoding="utf-8")
    program = [sys.executable, "-m", "emojob"]
    environment = {**installed, "EMOJOB_MODEL": str(tiny_model)}
    for command in (["score", "log.csv", "--quiet"], ["sql", "log.emotions", "SELECT 1"], ["report", "log.emotions"]):
        done = subprocess.run([*program, *command], env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    run("import emojob; assert emojob.open('log.emotions').to_arrow().num_rows == 1", env=installed, cwd=tmp_path)


@pytest.mark.parametrize("room", ROOMS)
def test_every_import_goes_through_emojob(room):
    for file in (TOP / room).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not {name.split(".")[0] for name in names} & set(ROOMS), file

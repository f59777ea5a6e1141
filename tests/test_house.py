"""The house rules that no tool checks: which way imports go, who prints, how light the command line is."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
RANK = {"schemas": 0, "pipeline": 1, "training": 2, "jobs": 3}
MODULES = sorted(file for folder in RANK for file in (TOP / folder).rglob("*.py"))


def name_of(file: Path) -> str:
    return str(file.relative_to(TOP))


def imported(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").removeprefix("emojob.").split(".")[0])
    return found


@pytest.mark.parametrize("file", MODULES, ids=name_of)
def test_imports_go_from_jobs_to_training_to_pipeline_to_schemas(file):
    own = RANK[file.relative_to(TOP).parts[0]]
    wrong = {name for name in imported(ast.parse(file.read_text())) if RANK.get(name, 0) > own}
    assert not wrong


@pytest.mark.parametrize("file", MODULES, ids=name_of)
def test_nothing_prints_outside_jobs(file):
    if file.relative_to(TOP).parts[0] == "jobs":
        return
    calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    names = {getattr(call.func, "id", getattr(call.func, "attr", "")) for call in calls}
    assert not names & {"print", "echo", "secho"}


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom emojob.jobs.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'transformers', 'duckdb', 'polars', 'ray', 'pyarrow', 'numpy', 'rich'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_package_names_all_its_folders():
    import tomllib

    settings = tomllib.loads((TOP / "pyproject.toml").read_text())
    folders = {".".join(["emojob", *file.relative_to(TOP).parent.parts]) for file in MODULES}
    assert set(settings["tool"]["setuptools"]["packages"]) == folders | {"emojob"}


def test_labelling_a_text_imports_nothing_that_takes_seconds():
    code = (
        "import sys\nfrom emojob.pipeline.inference.scorer import Scorer\n"
        "from emojob.schemas.options import ModelOptions\n"
        "Scorer.load(options=ModelOptions(engine='torch')).score(['네'])\n"
        "print({'torch._dynamo', 'transformers.models', 'nncf', 'polars', 'duckdb'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

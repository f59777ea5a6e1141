"""pyproject.toml declares every package that the code imports, and constraints.txt pins every declared package."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
CODE = sorted(
    file for folder in ("emojob", "jobs", "pipeline", "schemas", "training") for file in (TOP / folder).rglob("*.py")
)
TESTS = sorted((TOP / "tests").rglob("*.py"))
DISTRIBUTIONS = packages_distributions()
OWN = {"emojob", "tests"}


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def package_of(requirement: str) -> str:
    return normalized(re.match(r"[\w.-]+", requirement)[0])


def declared(*extras: str) -> set[str]:
    """The packages of the base and of some extras; an extra may name others as emojob[a,b]."""
    names = set()
    for requirement in [*PROJECT["dependencies"], *(one for extra in extras for one in EXTRAS[extra])]:
        if own := re.fullmatch(r"emojob\[(.+)\]", requirement):
            names |= declared(*own[1].split(","))
        else:
            names.add(package_of(requirement))
    return names


def imported(file: Path) -> set[str]:
    """The packages outside the standard library that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - OWN


def undeclared(file: Path, names: set[str]) -> set[str]:
    return {
        module
        for module in imported(file)
        if not {normalized(package) for package in DISTRIBUTIONS.get(module, [module])} & names
    }


@pytest.mark.parametrize("file", CODE, ids=lambda file: str(file.relative_to(TOP)))
def test_the_code_imports_only_declared_packages(file):
    assert not undeclared(file, declared(*(extra for extra in EXTRAS if extra != "dev")))


@pytest.mark.parametrize("file", TESTS, ids=lambda file: str(file.relative_to(TOP)))
def test_the_tests_import_only_declared_packages(file):
    assert not undeclared(file, declared("dev"))


def test_dev_contains_every_other_extra():
    assert declared(*EXTRAS) == declared("dev")


def test_every_declared_package_is_pinned():
    lines = (TOP / "constraints.txt").read_text().splitlines()
    assert declared(*EXTRAS) <= {package_of(line) for line in lines if line.strip()}


def test_an_undeclared_import_is_found(tmp_path):
    file = tmp_path / "new.py"
    file.write_text("import os\n\n\ndef work():\n    from made_up_package.part import thing\n")
    assert undeclared(file, declared("dev")) == {"made_up_package"}

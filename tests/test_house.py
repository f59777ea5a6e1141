"""The rules of the house that no tool checks: sizes of rooms and functions, what rooms offer, who prints."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).parent.parent
FOLDERS = ("jobs", "pipeline", "schemas", "training")
MODULES = sorted(file.relative_to(TOP) for folder in FOLDERS for file in (TOP / folder).rglob("*.py"))
TREES = {file: ast.parse((TOP / file).read_text(encoding="utf-8")) for file in MODULES}
ROOMS = sorted({file.parent for file in MODULES})
MOST_FILES, MOST_LINES = 15, 50


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def imported_modules(tree: ast.AST) -> Iterator[tuple[str, ...]]:
    """The path of each module of emojob that is imported, such as ("pipeline", "storage", "atomic")."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("emojob."):
            continue
        parts = tuple(str(node.module).split(".")[1:])
        if TOP.joinpath(*parts, "__init__.py").is_file():
            yield from ((*parts, alias.name) for alias in node.names)
        else:
            yield parts


def public_names(room: Path) -> set[str]:
    for node in TREES[room / "__init__.py"].body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def test_no_room_has_too_many_files():
    files = [*MODULES, *(file.relative_to(TOP) for file in (TOP / "tests").rglob("*.py"))]
    sizes = Counter(str(file.parent) for file in files)
    assert {room: size for room, size in sizes.items() if size > MOST_FILES} == {}


def test_no_function_is_too_long():
    sizes = {
        f"{file}:{one.name}": one.end_lineno - one.lineno + 1 for file in MODULES for one in functions(TREES[file])
    }
    assert {name: size for name, size in sizes.items() if size > MOST_LINES} == {}


def test_each_room_says_what_is_in_it_and_imports_nothing():
    for room in ROOMS:
        tree = TREES[room / "__init__.py"]
        words = ast.get_docstring(tree) or ""
        assert len(words.split()) >= 8, room
        assert len(re.findall(r"\.(?=\s|$)", words)) <= 3, f"{room}: more than three sentences"
        unknown = {one for one in public_names(room) if not {room / f"{one}.py", room / one / "__init__.py"} & {*TREES}}
        assert not unknown, room
        if room != Path("pipeline"):  # which keeps other packages from reporting home
            assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)], room


def test_a_room_uses_only_what_another_room_offers():
    wrong = set()
    for file in MODULES:
        for parts in imported_modules(TREES[file]):
            common = len([one for one, two in zip(file.parent.parts, parts, strict=False) if one == two])
            for depth in range(common + 1, len(parts)):
                room = Path(*parts[:depth])
                if parts[depth] not in public_names(room) and file.parts[:depth] != parts[:depth]:
                    wrong.add(f"{file} uses {'/'.join(parts)}, which {room}/__init__.py does not list")
    assert sorted(wrong) == []


def test_tests_lie_in_the_rooms_of_what_they_test():
    folders = {file.parent.relative_to(TOP / "tests") for file in (TOP / "tests").rglob("test_*.py")}
    mirrored = {folder for folder in folders if folder.parts and folder.parts[0] in FOLDERS}
    assert mirrored <= set(ROOMS)


def test_nothing_prints_outside_jobs():
    for file, tree in TREES.items():
        if file.parts[0] != "jobs":
            calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
            names = {getattr(call.func, "id", getattr(call.func, "attr", "")) for call in calls}
            assert not names & {"print", "echo", "secho"}, file


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
    folders = {".".join(["emojob", *room.parts]) for room in ROOMS}
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

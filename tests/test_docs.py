"""README and docs: every command and every Python example runs, and prints what the page shows."""

from __future__ import annotations

import ast
import importlib.util
import io
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.jobs.main import cli, main
from emojob.pipeline.models import model_folder
from emojob.pipeline.nightly.config import read_config
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.training.data.label_map import read_label_names

TOP = Path(__file__).parent.parent
PAGES = ["README.md", "README.ko.md", *sorted(f"docs/{file.name}" for file in (TOP / "docs").glob("*.md"))]
FAST_AND_SLOW_PAGES = [PAGES[0], *(pytest.param(page, marks=pytest.mark.slow) for page in PAGES[1:])]
PARTS = ("jobs", "training", "pipeline", "schemas")
SAMPLE = TOP / "pipeline" / "assets" / "sample"

#: Commands that are not run here, and why. Those of emojob are still parsed, so that each option exists.
NOT_RUN = {
    r"--ray-address": "needs a cluster; tests/pipeline/running/ray runs one",
    r"s3://": "needs a store; tests/pipeline/storage runs one",
    r"--base skt/": "downloads from the Hugging Face hub",
    r"bench .*--compare": "takes minutes",
    r"torchrun": "needs several GPUs",
}

#: Packages that the development environment lacks; examples that import them are only compiled.
NOT_INSTALLED = {"pandas", "pyspark"}

#: Options in the text of a page that are not emojob's.
FOREIGN_OPTIONS = {"--nproc-per-node"}

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SPEED = re.compile(r"[\d.,]+ s, [\d.,]+ rows/s with \w+ on \w+ in \w+")  # another one on every machine
_TOKEN = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?|[^\s\d█─]+")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    kind: str
    text: str


@dataclass
class Step:
    """A command of a page and the output that the page shows."""

    command: str
    shown: list[str] = field(default_factory=list)


def text_of(page: str) -> str:
    return (TOP / page).read_text(encoding="utf-8")


def blocks(page: str, *kinds: str) -> list[Block]:
    return [Block(page, kind, text) for kind, text in _BLOCK.findall(text_of(page)) if not kinds or kind in kinds]


def steps(block: Block) -> Iterator[Step]:
    """The commands of a block: after `$ ` in a console, every line in a script."""
    step = None
    for line in block.text.replace("\\\n", " ").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if block.kind == "console" and not line.startswith("$ "):
            assert step, f"{block.page}: output without a command: {line}"
            step.shown.append(line)
            continue
        if step:
            yield step
        step = Step(line.removeprefix("$ ").removeprefix(".venv/bin/"))
    if step:
        yield step


# -- what is shown -----------------------------------------------------------------------------------------------------


def tokens(line: str) -> list[str]:
    """Words and numbers of a line, without folders and speeds, which are others on every machine."""
    return _TOKEN.findall(_SPEED.sub("SPEED", re.sub(r"(?<!\S)/\S*/", "", line)))


def alike(shown: str, printed: str) -> bool:
    """Whether two tokens are equal; numbers of labels and probabilities differ a little from processor to processor."""
    try:
        a, b = (float(one.replace(",", "")) for one in (shown, printed))
    except ValueError:
        return shown == printed
    last_digit = 10.0 ** -len(shown.partition(".")[2])
    return abs(a - b) <= max(0.1 * abs(a), 3 * last_digit)


def is_printed(shown: str, printed: list[str]) -> bool:
    """Whether a shown line is among the printed ones. `...` at its end stands for anything."""
    wanted = tokens(shown.removesuffix("..."))
    for line in printed:
        found = tokens(line)
        same_length = shown.endswith("...") or len(found) == len(wanted)
        if same_length and len(found) >= len(wanted) and all(map(alike, wanted, found)):
            return True
    return False


# -- running -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def trained() -> dict[str, tuple[Path, str]]:
    """{command: (the model folder, the output)}: a model that several pages train is trained once."""
    return {}


@pytest.fixture
def folder(tmp_path, tiny_model, monkeypatch) -> Path:
    """A folder with the files and models that the pages speak of. Training starts from a tiny model."""
    packaged = model_folder.find_folder
    monkeypatch.setattr(
        model_folder,
        "find_folder",
        lambda name, option="--model": tiny_model if (name, option) == (None, "--base") else packaged(name, option),
    )
    (tmp_path / "logs").mkdir()
    pq.write_table(pa.table({"text": ["좋아요", None, "너무 늦네요"]}), tmp_path / "logs" / "2026-11-21.parquet")
    (tmp_path / "calls.csv").write_bytes("번호,상담내용\n1,고맙습니다\n2,화가 나요\n".encode("cp949"))
    chat = {
        "conversation_id": ["c-1042", "c-1042", "c-1043"],
        "customer_id": ["7", "7", "8"],
        "text": ["010-1234-5678로 전화 주세요", "네", "감사합니다"],
    }
    pq.write_table(pa.table(chat), tmp_path / "chat.parquet")
    (tmp_path / "my.key").write_text("not a secret at all")
    shutil.copy(SAMPLE / "shop_chat.parquet", tmp_path / "logs.parquet")
    for name in ("annotated.csv", "held_out.csv"):
        shutil.copy(SAMPLE / name, tmp_path)
    shutil.copytree(TOP / "pipeline" / "assets" / "default_model", tmp_path / "in_production")
    told = [("밥 먹었어?", "일상"), ("합격했어?", "일상"), ("네", "기쁨"), ("울었어?", "슬픔"), ("네", "슬픔")]
    talks = [f"{call},{text} {call},{label}" for call in range(8) for text, label in told]
    (tmp_path / "talks.csv").write_text("\n".join(["call,text,label", *talks]), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_emojob(arguments: list[str], capsys) -> str:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr()
    assert ended.value.code == 0, f"emojob {shlex.join(arguments)}\n{said.err}"
    return said.err + said.out


def train_once(command: str, arguments: list[str], trained: dict[str, tuple[Path, str]], run: Callable[[], str]) -> str:
    out = Path(arguments[arguments.index("-o") + 1])
    if command not in trained:
        trained[command] = (Path(), run())
        trained[command] = (out.resolve(), trained[command][1])
    elif not out.exists():
        shutil.copytree(trained[command][0], out)
    return trained[command][1]


def parse(arguments: list[str]) -> None:
    """Raise a UsageError unless the command and its options exist."""
    cli.commands[arguments[0]].make_context(arguments[0], arguments[1:])


def is_no_command_of_emojob(command: str) -> bool:
    """Check a command of another program as far as it can be checked without running it."""
    words = shlex.split(command)
    if words[0] == "make":
        assert f"\n{words[1]}:" in (TOP / "Makefile").read_text(), command
    elif words[0] == "pip":
        extras = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        assert set(re.findall(r"\[(\w+)\]", command)) <= set(extras), command
    elif words[0] == "python":
        assert (TOP / words[1]).is_file(), command
    else:
        return command in ("python3 -m venv .venv", "source .venv/bin/activate")
    return True


def do(step: Step, trained: dict[str, tuple[Path, str]], capsys, monkeypatch) -> str:
    """Run or check one command; return what it printed."""
    if is_no_command_of_emojob(step.command):
        return ""
    words = shlex.split(step.command)
    if words[0] == "export":
        monkeypatch.setenv(*words[1].split("=", 1))
        return ""
    if words[0] == "echo":
        assert words[2] == "|", step.command
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(words[1].encode())))
        words = words[3:]
    arguments = words[words.index("emojob") + 1 :]
    if any(re.search(pattern, step.command) for pattern in NOT_RUN):
        assert not step.shown, f"output of a command that is not run: {step.command}"
        parse(arguments)
        return ""
    assert words[0] == "emojob", f"a command that is not run: {step.command}"
    if arguments[0] == "train":
        return train_once(step.command, arguments, trained, lambda: run_emojob(arguments, capsys))
    return run_emojob(arguments, capsys)


def do_python(block: Block, names: dict[str, object]) -> None:
    """Run an example; only compile it if it needs a package that is not installed."""
    code = compile(block.text, block.page, "exec")
    imports = [node for node in ast.walk(ast.parse(block.text)) if isinstance(node, ast.Import | ast.ImportFrom)]
    wanted = {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
    wanted |= {node.module for node in imports if isinstance(node, ast.ImportFrom) and node.module}
    missing = {name for name in (one.split(".")[0] for one in wanted) if importlib.util.find_spec(name) is None}
    assert missing <= NOT_INSTALLED, f"{block.page}: {missing}"
    if not missing:
        exec(code, names)


@pytest.mark.parametrize("page", FAST_AND_SLOW_PAGES)
def test_everything_a_page_shows_runs_in_order(page, folder, trained, capsys, monkeypatch):
    names: dict[str, object] = {"__name__": page}
    for block in blocks(page, "console", "bash", "sh", "python"):
        if block.kind == "python":
            do_python(block, names)
            capsys.readouterr()
            continue
        for step in steps(block):
            printed = do(step, trained, capsys, monkeypatch).splitlines()
            for line in step.shown:
                assert is_printed(line, printed), f"{page}: {step.command}\nshows  {line}\nprints {printed}"


# -- what is said ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_no_command_hides_where_it_is_not_run(page):
    assert not re.search(r"^(    )(\$ )?emojob ", text_of(page), re.MULTILINE), "indented: use a console block"
    for block in blocks(page):
        if block.kind not in ("console", "bash", "sh"):
            assert not re.search(r"^(\$ |emojob )", block.text, re.MULTILINE), block.text
        for line in re.findall(r"/bin/emojob (.*)", block.text) if block.kind in ("crontab", "ini") else ():
            parse(shlex.split(line.partition("||")[0]))


@pytest.mark.parametrize("page", PAGES)
def test_options_in_the_text_exist(page):
    known = {name for command in cli.commands.values() for option in command.params for name in option.opts}
    known |= {name for command in cli.commands.values() for option in command.params for name in option.secondary_opts}
    known |= {"--help", *FOREIGN_OPTIONS}
    inline = re.findall(r"`[^`\n]+`", _BLOCK.sub("", text_of(page)))
    options = {option for code in inline for option in re.findall(r"(?<=[`\s])--[a-z][a-z-]+", code)}
    assert options <= known


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md"])
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]*(?:#[^)\s]+)?)\)", text_of(page)):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        file = ((TOP / page).parent / path).resolve() if path else TOP / page
        assert file.exists(), f"{page}: {target}"
        if anchor:
            heads = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
            assert anchor in slugs, f"{page}: {target}"


@pytest.mark.parametrize("page", PAGES)
def test_settings_shown_are_read(page, tmp_path):
    for number, block in enumerate(blocks(page, "toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(block.text, encoding="utf-8")
        if "labels" in tomllib.loads(block.text):
            assert {"당황", "상처"} <= set(read_label_names(str(file)).class_of())
        else:
            assert read_config(file).input.has_date


def test_readme_is_short_and_names_every_command_and_every_page():
    for page in ("README.md", "README.ko.md"):
        text = text_of(page)
        for name in cli.commands:
            assert f"`emojob {name}" in text, f"{page}: {name}"
    assert len(text_of("README.md").splitlines()) <= 200
    for page in PAGES:
        assert not page.startswith("docs/") or f"({page})" in text_of("README.md"), page


def test_errors_that_the_korean_page_explains_are_those_of_the_code():
    sources = "\n".join(file.read_text(encoding="utf-8") for part in PARTS for file in (TOP / part).rglob("*.py"))
    table = text_of("README.ko.md").partition("| 오류에 나오는 말 |")[2].partition("\n\n")[0]
    words = [word for row in table.splitlines()[3:] for word in re.findall(r"`([^`]+)`", row.split("|")[1])]
    assert len(words) >= 5
    assert not [word for word in words if not all(part.strip() in sources for part in word.split("..."))]


def test_commands_for_contributors_exist():
    commands = [step.command for block in blocks("CONTRIBUTING.md", "console") for step in steps(block)]
    assert len(commands) >= 4
    assert all(is_no_command_of_emojob(command) for command in commands)


def test_the_table_of_rooms_lists_every_file():
    rows = re.findall(r"^\| \d+ \| `([\w/]+)/` \| [^|]+ \| ([^|]+) \|$", text_of("CONTRIBUTING.md"), re.MULTILINE)
    rooms = {str(file.parent.relative_to(TOP)) for file in (TOP / "pipeline").rglob("__init__.py")} - {"pipeline"}
    assert rooms <= {room for room, _ in rows}
    for room, names in rows:
        listed = set(re.findall(r"`(\w+)`", names))
        assert listed == {file.stem for file in (TOP / room).glob("*.py")} - {"__init__", "__main__"}, room


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/promises.md"])
def test_files_that_are_named_exist(page):
    named = re.findall(r"`((?:jobs|training|pipeline|schemas|tests|emojob)/[\w./-]+)`", text_of(page))
    assert named
    assert not [name for name in named if not (TOP / name).exists()]


def test_names_of_code_in_contributing_exist():
    text = "\n".join(line for line in text_of("CONTRIBUTING.md").splitlines() if not line.startswith("|"))
    named = set(re.findall(r"`(\w+)(?:\(\w+\))?`", _BLOCK.sub("", text)))
    sources = "\n".join(file.read_text(encoding="utf-8") for part in PARTS for file in (TOP / part).rglob("*.py"))
    assert not {name for name in named if not re.search(rf"\b{name}\b", sources)}


def test_the_annotated_samples_hold_what_their_card_says():
    for name, of_each in (("annotated.csv", 20), ("held_out.csv", 10)):
        lines = (SAMPLE / name).read_text(encoding="cp949").splitlines()
        assert lines[0] == "sentiment,user"
        labels = [line.split(",")[0] for line in lines[1:]]
        assert {label: labels.count(label) for label in labels} == dict.fromkeys(DEFAULT_LABELS, of_each)

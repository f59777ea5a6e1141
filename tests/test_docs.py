"""README and docs: every command and every Python example runs, and prints what the page shows."""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from emojob.jobs.main import cli
from emojob.pipeline.models import model_folder
from emojob.pipeline.nightly.config import read_config
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.training.data.label_map import read_label_names
from emojob.training.finetune.recipe import read_train_recipe
from tests.documentation import (
    BLOCK,
    TOP,
    Runner,
    blocks,
    do_python,
    is_no_command_of_emojob,
    is_printed,
    parse,
    steps,
    text_of,
)
from tests.training.data.test_workbooks import write_xlsx

PAGES = ["README.md", "README.ko.md", *sorted(f"docs/{file.name}" for file in (TOP / "docs").glob("*.md"))]
FAST_AND_SLOW_PAGES = [PAGES[0], *(pytest.param(page, marks=pytest.mark.slow) for page in PAGES[1:])]
PARTS = ("jobs", "training", "pipeline", "schemas")
SAMPLE = TOP / "pipeline" / "assets" / "sample"

#: Options in the text of a page that are not emojob's.
FOREIGN_OPTIONS = {"--nproc-per-node"}


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
    export = "상담 이력\n2026-11-01 ~ 2026-11-20\n번호;상담내용\n1;고맙습니다\n"
    (tmp_path / "export.csv").write_bytes(export.encode("cp949"))
    (tmp_path / "feedback.txt").write_text("고맙습니다\n너무 늦어요\n", encoding="utf-8")
    (tmp_path / "events.jsonl").write_text('{"message": {"text": "고맙습니다"}}\n', encoding="utf-8")
    write_xlsx(tmp_path / "calls.xlsx", {"상담": [["번호", "상담내용"], [1, "고맙습니다"]]})
    with zipfile.ZipFile(tmp_path / "TL_01.zip", "w") as packed:
        packed.writestr("talk.csv", "발화문\n고맙습니다\n".encode("cp949"))
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
    _write_checkpoint(tmp_path)
    told = [("밥 먹었어?", "일상"), ("합격했어?", "일상"), ("네", "기쁨"), ("울었어?", "슬픔"), ("네", "슬픔")]
    talks = [f"{call},{text} {call},{label}" for call in range(8) for text, label in told]
    (tmp_path / "talks.csv").write_text("\n".join(["call,text,label", *talks]), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _write_checkpoint(folder: Path) -> None:
    """Write kobert.pt, a checkpoint of the default model as a notebook with DataParallel saves it, and spiece.model."""
    weights = load_file(folder / "in_production" / "model.safetensors")
    named = {f"module.{name}": weight for name, weight in weights.items()}
    torch.save({"epoch": 50, "model_state_dict": named, "optimizer": {}}, folder / "kobert.pt")
    shutil.copy(folder / "in_production" / "spiece.model", folder)


@pytest.fixture
def company_buckets(store, tiny_model) -> None:
    """The buckets that the pages name, with a log and a model."""
    for name in ("company-logs", "company-labelled", "company-models", "company-reports"):
        store.ask("PUT", f"/{name}")
    store.ask("PUT", "/company-logs/chat/2026-11-25/logs.parquet", (SAMPLE / "shop_chat.parquet").read_bytes())
    for file in tiny_model.iterdir():
        if file.is_file():
            store.ask("PUT", f"/company-models/kobert/{file.name}", file.read_bytes())


@pytest.fixture
def ray_address(monkeypatch) -> Iterator[str]:
    """The address of a Ray cluster with one node on this machine."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 100 << 20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    yield cluster.address
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def hub(tiny_model, monkeypatch) -> None:
    """A Hugging Face hub from which every download is the tiny model."""
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda name, allow_patterns: str(tiny_model))


@pytest.mark.parametrize("page", FAST_AND_SLOW_PAGES)
def test_everything_a_page_shows_runs_in_order(page, folder, trained, capsys, monkeypatch, request):
    runner = Runner(capsys, monkeypatch, request.getfixturevalue, trained)
    names: dict[str, object] = {"__name__": page}
    for block in blocks(page, "console", "bash", "sh", "python"):
        if block.kind == "python":
            do_python(block, names)
            capsys.readouterr()
            continue
        for step in steps(block):
            printed = runner.run(step.command).splitlines()
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
    inline = re.findall(r"`[^`\n]+`", BLOCK.sub("", text_of(page)))
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
        elif "extends" in tomllib.loads(block.text):
            assert read_train_recipe(str(file)) != read_train_recipe(tomllib.loads(block.text)["extends"])
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
    named = set(re.findall(r"`(\w+)(?:\(\w+\))?`", BLOCK.sub("", text)))
    sources = "\n".join(file.read_text(encoding="utf-8") for part in PARTS for file in (TOP / part).rglob("*.py"))
    assert not {name for name in named if not re.search(rf"\b{name}\b", sources)}


def test_the_annotated_samples_hold_what_their_card_says():
    for name, of_each in (("annotated.csv", 20), ("held_out.csv", 10)):
        lines = (SAMPLE / name).read_text(encoding="cp949").splitlines()
        assert lines[0] == "sentiment,user"
        labels = [line.split(",")[0] for line in lines[1:]]
        assert {label: labels.count(label) for label in labels} == dict.fromkeys(DEFAULT_LABELS, of_each)

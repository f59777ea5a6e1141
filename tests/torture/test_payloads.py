"""Text that attacks what shows it has no effect: in a terminal, a browser, a spreadsheet, a log, SQL or a name."""

import csv
import io
import json
import os
import pty
import random
import re
import select
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyte
import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.report.figures import ReportOptions, make_figures
from emojob.pipeline.report.html_page import render_report
from tests.archives import utterance, write_archive
from tests.payloads import ALL, LINES, NAMES, SHEET, TERMINAL
from tests.pipeline.report.conftest import browser, chromium  # noqa: F401 - fixtures
from tests.torture.conftest import SEED, WHOLE

#: Sequences that rich writes: colours, and cursor movements within its lines.
_OWN = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[lh]|[0-9]*[ABCDGKJ]|2K)")
_STEERING = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f\u2028\u2029]")


class Screen(pyte.Screen):
    """A terminal that records forbidden effects of a text."""

    def __init__(self) -> None:
        super().__init__(160, 400)
        self.done: list[str] = []

    def set_title(self, param: str) -> None:
        self.done.append(f"title {param}")

    def set_icon_name(self, param: str) -> None:
        self.done.append(f"icon {param}")

    def bell(self, *args: object) -> None:
        self.done.append("bell")

    def write_process_input(self, data: str) -> None:
        self.done.append(f"answered {data!r}")

    def set_mode(self, *modes: int, **given: bool) -> None:
        if modes != (25,):
            self.done.append(f"mode {modes}")
        super().set_mode(*modes, **given)


def in_terminal(cwd: Path, model: Path, *args: object) -> str:
    """Run a command in a terminal, assert that its output has no forbidden effect, and return the output."""
    own_end, its_end = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "160", "EMOJOB_MODEL": str(model)}
    environment |= {"PYTHONPATH": str(Path(__file__).parents[2]), "EMOJOB_ENGINE": "torch"}
    command = [sys.executable, "-m", "emojob", *map(str, args)]
    process = subprocess.Popen(
        command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=its_end, stderr=its_end
    )
    os.close(its_end)
    written = b""
    while True:
        ready, _, _ = select.select([own_end], [], [], 300)
        assert ready, "the command hangs"
        try:
            some = os.read(own_end, 1 << 16)
        except OSError:  # the other end is closed
            break
        if not some:
            break
        written += some
    os.close(own_end)
    assert process.wait() in (0, 2), written
    text = written.decode("utf-8", "replace")
    assert "Traceback" not in text
    left = _OWN.sub("", text)
    assert not _STEERING.search(left), (_STEERING.search(left), left[:2000])
    screen = Screen()
    pyte.Stream(screen).feed(text)
    assert screen.done == [], args
    return left


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """A labelled archive with an attack in every column that people write."""
    rows = [
        utterance(
            "분노" if i % 2 else "기쁨", 0.9, text, conversation_id=ALL[i % 7], speaker=ALL[i % 5], channel=text[:50]
        )
        for i, text in enumerate(ALL)
    ]
    return write_archive(tmp_path_factory.mktemp("archive") / "out", rows)


@pytest.mark.slow
def test_no_command_lets_a_text_control_the_terminal(archive, tiny_model, tmp_path):
    log = tmp_path / f"log {NAMES[7]}{NAMES[3]}.csv"
    with log.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", *(name for name in ALL[:12])])
        writer.writerows([text.replace("\x00", ""), *ALL[:12]] for text in ALL)
        file.write(f'{TERMINAL[0]},{TERMINAL[3]}\n"{TERMINAL[1]}\n')
    commands = (
        ("score", log, "-o", tmp_path / NAMES[12]),
        ("score", log, "-o", "plain", "--log-format", "json"),
        ("score", log, "-o", "x", "--text-column", TERMINAL[0]),
        ("score", tmp_path / f"nothing{TERMINAL[1]}", "-o", "x"),
        ("report", archive),
        ("report", archive, "--by", "channel"),
        ("report", archive, "--by", TERMINAL[1]),
        ("sql", archive, "FROM labelled"),
        ("sql", archive, f"SELECT '{TERMINAL[0]}' AS \"{TERMINAL[1]}\" FROM labelled"),
        ("sql", archive, f"SELECT {TERMINAL[1]} FROM labelled"),
        ("sql", archive, "SELECT error(text) FROM labelled"),
        ("sql", archive, "FROM labelled", "--format", "json"),
        ("sql", archive, f"SELECT *, text || chr(27) || '[31m' AS \"{TERMINAL[1]}\" FROM labelled", "--format", "csv"),
        ("predict", "--", *TERMINAL[:12]),
        ("predict", "--json", "--", *TERMINAL[:12]),
        ("forget", archive, "--yes", "--where", f"text = '{TERMINAL[1]}' AND nothing", "--dry-run"),
        ("sample", archive, "--uncertain", "5", "-o", f"sheet{NAMES[7]}.csv", "--force"),
    )
    for args in commands if WHOLE else random.Random(SEED).sample(commands, 3):
        in_terminal(tmp_path, tiny_model, *args)


@pytest.mark.slow
def test_a_text_runs_nothing_in_a_browser(archive, browser, tmp_path):  # noqa: F811
    file = tmp_path / "page.html"
    file.write_bytes(render_report(make_figures(open_labelled(archive), ReportOptions(mask_pii=False))))
    context = browser.new_context()
    page = context.new_page()
    happened: list[str] = []
    page.on("console", lambda message: happened.append(message.text))
    page.on("pageerror", lambda error: happened.append(str(error)))
    page.on("dialog", lambda dialog: happened.append(dialog.message))
    page.on("request", lambda request: happened.append(request.url))
    page.goto(file.as_uri())
    page.wait_for_function("[...document.querySelectorAll('.chart')].every(one => one.querySelector('svg'))")
    for summary in page.locator("summary").all():
        summary.click()
    for chooser in page.locator("select[data-figure]").all():
        for option in range(chooser.locator("option").count()):
            chooser.select_option(index=option)
    assert page.evaluate("window.hacked") is None
    assert happened == [file.as_uri()]
    assert page.locator("iframe, object, embed, base, img, link, meta[http-equiv=refresh]").count() == 0
    assert not _STEERING.search(page.locator("body").inner_text())
    context.close()


def test_csv_results_contain_no_formula(emojob, archive, tmp_path):
    assert emojob("sql", archive, "SELECT text, channel FROM labelled", "-o", tmp_path / "found.csv")[0] == 0
    assert emojob("sample", archive, "--uncertain", 50, "-o", tmp_path / "sheet.csv")[0] == 0
    for name in ("found.csv", "sheet.csv"):
        text = (tmp_path / name).read_text(encoding="utf-8-sig")
        for line in csv.reader(io.StringIO(text, newline="")):
            for cell in line:
                assert not re.match(r"[=+\-@＝＋－＠\t\r]", cell) or re.fullmatch(r"-?[0-9.]+", cell), (name, cell)


def test_a_log_entry_is_always_one_line(emojob, tmp_path, tiny_model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    for i, name in enumerate((*NAMES, *LINES)):
        safe = name.replace("/", "_")[:80]
        (tmp_path / "logs" / f"2026-11-01{safe}.csv").write_text(f"text\n{i}\n" if i % 3 else "text,text\n1,2\n")
    (tmp_path / "night.toml").write_text(
        f'[input]\nfiles = "logs/{{date}}*"\n[output]\narchive = "out"\n[score]\nmodel = "{tiny_model}"\n'
        '[monitoring]\nlog = "night.jsonl"\nprometheus = "night.prom"\n'
    )
    code, out, err = emojob("nightly", "night.toml", "--date", "2026-11-01")
    assert code == 2
    assert all(line.startswith("emojob: ") for line in err.splitlines())
    assert not _STEERING.search(out + err)
    (line,) = (tmp_path / "night.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(json.loads(line)["failed"]) >= 4
    assert not _STEERING.search(line)
    for name in ("emojob_inputs_failed ", "emojob_inputs_scored "):
        assert sum(line.startswith(name) for line in (tmp_path / "night.prom").read_text().splitlines()) == 1


@pytest.mark.slow
def test_names_of_columns_and_files_are_only_names(emojob, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    columns = dict.fromkeys(name for name in (*NAMES, *SHEET, *LINES, *ALL[20:30]) if name.strip())
    table = pa.table({"text": ["기뻐요", "슬퍼요"], **{name: ["a", "b"] for name in columns}})
    for i, name in enumerate(NAMES):
        folder = tmp_path / "in" / str(i)
        folder.mkdir(parents=True)
        pq.write_table(table, folder / f"n{name.replace('/', '_')[:90]}.parquet")
    before = {one for one in tmp_path.parent.rglob("*") if tmp_path not in one.parents}
    assert emojob("score", "in", "-o", "out", "--quiet")[0] == 0
    files = sorted(Path("out").glob("part-*.parquet"))
    assert len(files) == len(NAMES)
    assert pq.read_table(files[0]).schema.names[: len(table.schema.names)] == table.schema.names
    for args in (
        ("report", "out", "--json", "page.json"), ("report", "out", "--by", next(iter(columns))),
        ("sql", "out", "SELECT * FROM labelled", "-o", "found.csv"), ("sample", "out", "--uncertain", 2, "-o", "s.csv"),
        ("sql", "out", "--export", "out.duckdb", "--copy"), ("forget", "out", "--yes", "--where", "text = '슬퍼요'"),
    ):  # fmt: skip
        code, _, err = emojob(*args)
        assert code == (3 if args[0] == "forget" else 0), (args, err)  # a CSV file and a sheet cannot have a mark
    assert {one for one in tmp_path.parent.rglob("*") if tmp_path not in one.parents} == before

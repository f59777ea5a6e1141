"""What may happen while a command runs: inputs change, other commands run, the clock goes back, state is damaged."""

import csv
import json
import os
import random
import shutil

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.jobs.main import main
from emojob.pipeline.output import part_writer, parts, snapshot
from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.reading import chunks
from emojob.pipeline.running.run import score_dataset
from emojob.pipeline.warehouse.forget import forget
from emojob.pipeline.warehouse.part_files import PartFiles
from emojob.schemas.errors import DataError
from emojob.schemas.options import ModelOptions, ScoreOptions
from tests.torture.conftest import SEED, WHOLE
from tests.torture.faults import KILL
from tests.torture.scenes import SCENES, inspect, rows

pytestmark = pytest.mark.slow

ROWS = 2_000
_COUNT = "SELECT count(*), count(DISTINCT id) FROM labelled"


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch) -> None:
    monkeypatch.setattr(part_writer, "PART_ROWS", 500)
    for name in ("_FIRST_ROWS", "_FEWEST_ROWS", "BATCH_ROWS"):
        monkeypatch.setattr(chunks, name, 100)


@pytest.fixture
def model(tiny_model) -> ModelOptions:
    return ModelOptions(model=str(tiny_model), precision="fp32")


def emojob(capsys, *args: object) -> tuple[int, str, str]:
    """Run a command in this process; return (exit code, standard output, standard error)."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(list(map(str, args)))
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


def write(file, begin: int, count: int) -> None:
    """Write rows with the ids from `begin` on."""
    ids, texts = [str(i) for i in range(begin, begin + count)], [f"말 {i}" for i in range(begin, begin + count)]
    if file.suffix == ".parquet":
        pq.write_table(pa.table({"id": ids, "text": texts}), file, row_group_size=150)
    elif file.suffix == ".csv":
        file.write_text("id,text\n" + "".join(f"{i},{text}\n" for i, text in zip(ids, texts, strict=True)))
    else:
        lines = (json.dumps({"id": i, "text": text}, ensure_ascii=False) for i, text in zip(ids, texts, strict=True))
        file.write_text("\n".join(lines) + "\n")


def grow(file) -> None:
    with file.open("ab") as stream:
        stream.write(b"9999,more\n" * 50)


def shrink(file) -> None:
    os.truncate(file, file.stat().st_size // 2)


def replace(file) -> None:
    other = file.with_name(f".other{file.suffix}")
    write(other, 5_000, ROWS)
    other.replace(file)


def overwrite(file) -> None:
    """Change bytes, but not the size."""
    content = bytearray(file.read_bytes())
    at = len(content) // 2
    content[at : at + 20] = content[at : at + 20][::-1]
    file.write_bytes(content)


def vanish(file) -> None:
    file.unlink()


@pytest.mark.parametrize("change", [grow, shrink, replace, overwrite, vanish])
@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize("when", [1, 700, ROWS - 300] if WHOLE else [700])
def test_an_input_that_changes_while_it_is_read_is_reported_and_its_rows_count_once(
    tmp_path, model, kind, change, when
):
    file = tmp_path / f"log.{kind}"
    write(file, 0, ROWS)
    changed = []

    def change_once(progress) -> None:
        if progress.rows_done >= when and not changed:
            change(file)
            changed.append(True)

    try:
        score_dataset([str(file)], tmp_path / "out", model_options=model, report=change_once)
    except DataError as error:
        assert str(file) in str(error)  # noqa: PT017
    else:  # it was read before the change
        assert when > 1
        assert [row["id"] for row in rows(tmp_path / "out")] == [str(i) for i in range(ROWS)]
    assert changed
    write(file, 100, ROWS)
    score_dataset([str(file)], tmp_path / "out", model_options=model)
    assert [row["id"] for row in rows(tmp_path / "out")] == [str(i) for i in range(100, 100 + ROWS)]


def test_reports_and_queries_work_during_a_run_and_other_runs_are_refused(tmp_path, model, capsys):
    file, out = tmp_path / "2026-11-01.csv", tmp_path / "out"
    write(file, 0, ROWS)
    (tmp_path / "night.toml").write_text(
        f'[input]\nfiles = "{{date}}.csv"\n[output]\narchive = "out"\n[score]\nmodel = "{model.model}"\n'
    )
    seen = []

    def other_commands(progress) -> None:
        if progress.parts > len(seen):
            code, printed, _ = emojob(
                capsys, "sql", out, "SELECT count(*), count(DISTINCT id) FROM labelled", "--format", "csv"
            )
            assert code == 0
            seen.append(printed.splitlines()[1])
            assert emojob(capsys, "report", out)[0] == 0
            for args in (
                ("forget", out, "--yes", "--where", "true"),
                ("score", file, "-o", out, "--model", model.model, "--quiet"),
                ("nightly", tmp_path / "night.toml", "--date", "2026-11-01"),
            ):
                code, _, err = emojob(capsys, *args)
                assert (code, err.count("\n")) == (75, 1), (args, err)
                assert "another run is using" in err

    score_dataset([str(file)], out, model_options=model, report=other_commands)
    assert seen == [f"{500 * (i + 1)},{500 * (i + 1)}" for i in range(len(seen))]
    assert len(seen) >= 3
    assert len(rows(out)) == ROWS


PEOPLE, DAYS = 12, 5


def write_days(tmp_path, model) -> None:
    """Label some inputs. Each person has a row in each input."""
    for day in range(DAYS):
        lines = [f"p{person},{chr(0xAC00 + 100 * day + 28 * person)} 말 하나 둘" for person in range(PEOPLE)]
        (tmp_path / f"{day}.csv").write_text("who,text\n" + "\n".join(lines) + "\n")
    score_dataset([str(tmp_path / f"{day}.csv") for day in range(DAYS)], tmp_path / "out", model_options=model)


def rows_shown(command: str, tmp_path, printed: str) -> int:
    """The number of rows that the output of a command is made of."""
    if command == "report":
        return json.loads((tmp_path / "figures.json").read_text())["archive"]["rows"]
    if command == "sample":
        with (tmp_path / "sheet.csv").open(encoding="utf-8-sig") as sheet:
            return len(list(csv.DictReader(sheet)))
    if command == "export":
        with duckdb.connect(str(tmp_path / "a.duckdb"), read_only=True) as db:
            return db.execute("SELECT count(*) FROM labelled").fetchone()[0]
    lines = (tmp_path / "rows.csv").read_text().splitlines() if command == "sql -o" else printed.splitlines()
    return len(lines) - 1


COMMANDS = {
    "report": ("report", "out", "--json", "figures.json"),
    "sample": ("sample", "out", "--uncertain", "500", "-o", "sheet.csv", "--force", "--again"),
    "export": ("sql", "out", "--export", "a.duckdb", "--copy"),
    "sql": ("sql", "out", "SELECT who, text FROM labelled", "--format", "csv"),
    "sql -o": ("sql", "out", "SELECT who, text FROM labelled", "-o", "rows.csv"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_shows_all_rows_of_one_state_if_rows_are_forgotten_while_it_reads(
    tmp_path, model, capsys, monkeypatch, command
):
    monkeypatch.chdir(tmp_path)
    write_days(tmp_path, model)
    shutil.copytree(tmp_path / "out", tmp_path / "whole")
    moments, at = 0, 0

    def then_forget(function):
        def wrapped(*args, **kwargs):
            nonlocal moments
            moments += 1
            if moments == at:
                forget(tmp_path / "out", "who = 'p3'")
            return function(*args, **kwargs)

        return wrapped

    for place, name in (
        (PartFiles, "open"),
        (LabelledArchive, "open_part"),
        (snapshot, "_look"),
        (parts, "row_groups"),
    ):
        monkeypatch.setattr(place, name, then_forget(getattr(place, name)))
    first = emojob(capsys, *COMMANDS[command])
    assert first[0] == 0, first
    last = moments
    chosen = range(1, last + 1) if WHOLE else sorted({1, 2, last, *random.Random(SEED).sample(range(1, last + 1), 3)})
    for at in chosen:
        shutil.rmtree(tmp_path / "out")
        shutil.copytree(tmp_path / "whole", tmp_path / "out")
        for name in ("figures.json", "sheet.csv", "a.duckdb", "rows.csv"):
            (tmp_path / name).unlink(missing_ok=True)
        moments = 0
        code, printed, err = emojob(capsys, *COMMANDS[command])
        assert "Traceback" not in err
        if code == 75:
            assert (command, err.count("\n")) == ("sql", 1), (at, err)
            assert "run the same command again" in err
            continue
        assert code == 0, (at, err)
        assert rows_shown(command, tmp_path, printed) in (DAYS * PEOPLE, DAYS * (PEOPLE - 1)), (command, at)


def test_a_clock_that_was_set_back_changes_no_result(stage, monkeypatch):
    scene = SCENES["nightly"]
    wanted, operations = stage.undisturbed(scene)
    stage.set(scene)
    stage.play(scene, operations // 2, KILL)
    for file in stage.work.rglob("*"):  # all files seem to come from the future
        os.utime(file, (2_000_000_000, 2_000_000_000))
    assert stage.play(scene).code == 0
    assert inspect(stage.work, scene) == wanted


DAMAGE = [
    b"", b"\x00" * 64, b"{", b"[]", b"null", b'"text"', b"{}", b"\xff\xfe\x00", b"[" * 100_000,
    b'{"format": "x"}', b'{"format": -1}', b'{"format": 1e400}', b'{"markers": {"part-00000-000000000000": {}}}',
    b'{"format": 2, "counts": {"read": "many"}, "model": 5, "engine": [1], "options": "no", "inputs": 7}',
]  # fmt: skip


def state_files(out) -> list[str]:
    return sorted(str(one.relative_to(out)) for one in out.rglob("*") if one.is_file() and one.name != "lock")


def test_damaged_state_is_refused_or_written_again(stage, tmp_path):
    scene = SCENES["score"]
    wanted, _ = stage.undisturbed(scene)
    chosen = random.Random(SEED)
    stage.set(scene)
    assert stage.play(scene).code == 0
    whole = tmp_path / "whole"
    shutil.copytree(stage.work, whole)
    names = [f"out/{name}" for name in state_files(stage.work / "out")] + ["out.memo", "out/_emojob/exchange.json"]
    trials = [(name, damage) for name in names for damage in DAMAGE]
    for name, damage in trials if WHOLE else chosen.sample(trials, 8):
        shutil.rmtree(stage.work)
        shutil.copytree(whole, stage.work)
        (stage.work / name).write_bytes(damage)
        done = stage.play(scene)
        where = (name, damage[:40], done)
        assert done.code in (0, 2), where
        assert "Traceback" not in done.err, where
        if done.code == 2:
            assert name.rpartition("/")[2] in done.err or "out" in done.err, where
            assert len(done.err.splitlines()) == 1, where
            (stage.work / name).unlink()
            assert stage.play(scene).code == 0, where
        assert inspect(stage.work, scene) == wanted, where


def test_runs_with_growing_limits_lose_no_row(tmp_path, model):
    file, out = tmp_path / "log.csv", tmp_path / "out"
    write(file, 0, ROWS)
    for limit in (300, 1_200, None):
        score_dataset([str(file)], out, ScoreOptions(limit=limit), model)
    assert [row["id"] for row in rows(out)] == [str(i) for i in range(ROWS)]

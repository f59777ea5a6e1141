"""Files of earlier versions are read and continued; files of a newer version are refused with its format."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.models.model import MODEL_FORMAT
from emojob.schemas.manifest import OUT_FORMAT

HERE = Path(__file__).parent
FORMATS = sorted(int(one.name) for one in HERE.iterdir() if one.name.isdigit())
GOLDEN = HERE.parent / "pipeline" / "models" / "golden"


@pytest.fixture
def model(tmp_path) -> Path:
    folder = Path(shutil.copytree(HERE / "model", tmp_path / "model"))
    shutil.copy(GOLDEN / "spiece.model", folder)
    return folder


@pytest.fixture
def kept(tmp_path, model, monkeypatch):
    """kept(number): copy the example of a format into the current folder, with its paths changed to that folder."""
    monkeypatch.chdir(tmp_path)

    def of(number: int) -> Path:
        shutil.copytree(HERE / str(number), tmp_path, dirs_exist_ok=True)
        for file in tmp_path.rglob("*.json"):
            if file.parent != model:
                file.write_text(file.read_text().replace("/archive", str(tmp_path)))
        file = tmp_path / "out.parquet"
        table = pq.read_table(file)
        about = (table.schema.metadata or {})[b"emojob"].replace(b"/archive", str(tmp_path).encode())
        pq.write_table(table.replace_schema_metadata({**table.schema.metadata, b"emojob": about}), file)
        return tmp_path

    return of


@pytest.fixture
def emojob(emojob, model, monkeypatch):
    monkeypatch.setenv("EMOJOB_MODEL", str(model))
    return emojob


def score(emojob, out: str, *more: object) -> tuple[int, str, str]:
    return emojob("score", "first.csv", "second.jsonl", "-o", out, "--precision", "fp32", *more)


def rows(out: str) -> list[dict]:
    files = sorted(Path(out).glob("part-*.parquet")) if Path(out).is_dir() else [Path(out)]
    return pa.concat_tables([pq.read_table(file) for file in files]).to_pylist()


def test_the_current_format_has_an_example():
    assert list(range(1, OUT_FORMAT + 1)) == FORMATS
    marker = next((HERE / str(OUT_FORMAT) / "out/_emojob/parts").glob("*.json"))
    assert json.loads(marker.read_text())["format"] == OUT_FORMAT


@pytest.mark.parametrize("number", FORMATS)
@pytest.mark.parametrize("out", ["out", "out.parquet"])
def test_an_archive_of_an_earlier_version_is_complete_and_can_be_continued(emojob, kept, number, out):
    kept(number)
    before = rows(out)
    code, said, _ = score(emojob, out)
    assert (code, "Already complete" in said) == (0, True)
    assert "71 read = 65 labelled + 5 empty + 1 rejected" in said
    assert rows(out) == before
    assert emojob("report", out, "--json", "page.json")[0] == 0
    assert emojob("sql", out, "SELECT sum(rows)::INT FROM emotions", "--format", "csv")[1].splitlines()[1] == "65"
    Path("second.jsonl").write_text(Path("second.jsonl").read_text() + '{"id": "99", "text": "새 말"}\n')
    assert score(emojob, out, "--memo", "out.memo")[0] == 0
    after = rows(out)
    assert [row["id"] for row in after] == [row["id"] for row in before] + ["99"]
    assert [row["emotion"] for row in after][: len(before)] == [row["emotion"] for row in before]
    code, said, _ = emojob("forget", out, "--yes", "--where", "speaker = '다'")
    assert (code, "30 rows" in said) == (0, True)
    assert len(rows(out)) == len(after) - 30


@pytest.mark.parametrize("number", FORMATS)
def test_a_memo_of_an_earlier_version_is_used(emojob, kept, number):
    kept(number)
    code, said, _ = score(emojob, "again", "--memo", "out.memo", "--log-format", "json")
    assert code == 0
    assert json.loads(said.splitlines()[-1])["this_run"]["inferred_rows"] == 0


def test_an_interrupted_forget_counts_at_once_and_is_cleaned_up_later(emojob, kept):
    kept(3)
    count = ("sql", "cut_off", "SELECT count(*) FROM labelled WHERE conversation_id IN ('c1', 'd2')", "--format", "csv")
    assert emojob(*count)[1].splitlines()[1] == "0"
    assert Path("cut_off/part-00000-000000000000.parquet").exists()
    code, said, _ = score(emojob, "cut_off")
    assert (code, "7 forgotten" in said) == (0, True)
    assert sorted(one.name for one in Path("cut_off").glob("*.parquet")) == [
        "part-00000-000000000000-1.parquet",
        "part-00001-000000000000-1.parquet",
    ]
    assert not Path("cut_off/_emojob/exchange.json").exists()


@pytest.mark.parametrize("name", ["run.json", "parts/part-00000-000000000000.json"])
def test_an_archive_of_a_newer_version_is_refused(emojob, kept, name):
    kept(OUT_FORMAT)
    file = Path("out/_emojob") / name
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": OUT_FORMAT + 1}))
    for args in (("report", "out"), ("sql", "out", "FROM labelled"), ("forget", "out", "--yes", "--where", "true")):
        code, _, err = emojob(*args)
        assert (code, f"format {OUT_FORMAT + 1}" in err, err.count("\n")) == (2, True, 1)
    assert score(emojob, "out")[0] == 2


def test_a_model_of_a_newer_version_is_refused(emojob, model, tmp_path):
    assert emojob("predict", "정말 기뻐요")[0] == 0
    file = model / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "emojob_format": MODEL_FORMAT + 1}))
    code, _, err = emojob("predict", "정말 기뻐요")
    assert (code, f"emojob_format in config.json is {MODEL_FORMAT + 1}" in err) == (2, True)

"""Personal data: masked, dropped or hashed as the options say, readable by few, and never in a log."""

import hashlib
import hmac
import json
import os
import stat
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.personal_data import KEY, MAIL, PHONE, ROWS, rejected_text, table


def test_mask_pii_masks_the_text_and_leaves_the_labels(emojob, chat):
    assert emojob("score", chat, "-o", "plain", "--quiet")[0] == 0
    assert emojob("score", chat, "-o", "out", "--mask-pii", "--quiet")[0] == 0
    plain, masked = table("plain"), table("out")
    assert plain["text"].to_pylist() == [row[2] for row in ROWS]
    assert masked["text"].to_pylist()[0] == "제 번호는 [전화번호]로 주세요"
    assert masked["text"].to_pylist()[2].endswith("[이메일]으로 답 주세요")
    assert masked.drop_columns(["text"]).equals(plain.drop_columns(["text"]))
    assert emojob("score", chat, "-o", "one.parquet", "--mask-pii", "--quiet")[0] == 0
    assert table("one.parquet")["text"].to_pylist() == masked["text"].to_pylist()


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ((), "[전화번호]은 제 번호"),
        (("--mask-pii",), "[전화번호]은 제 번호"),
        (("--no-mask-pii",), f"{PHONE}은 제 번호"),
        (("--drop-text",), None),
        (("--hash-column", "speaker"), None),
    ],
)
def test_rejects_are_masked_by_default_and_blank_if_columns_are_dropped_or_hashed(emojob, chat, options, shown):
    assert emojob("score", chat, "-o", "out", "--quiet", *options)[0] == 0
    assert rejected_text() == "" if shown is None else shown in rejected_text()


@pytest.mark.parametrize("personal", ["900101-1234568", PHONE, "hong.gildong@example.com"])
@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
@pytest.mark.parametrize("options", [(), ("--mask-pii",)])
def test_no_half_of_personal_data_is_left_where_a_rejected_row_is_cut(
    emojob, tmp_path, monkeypatch, personal, kind, options
):
    """A rejected row is cut at 1,000 characters. Half of a number does not look like a number."""
    monkeypatch.chdir(tmp_path)
    field = {"csv": ",", "tsv": "\t", "jsonl": ","}[kind]
    lines = ['{"text": "네"}'] if kind == "jsonl" else [f"id{field}text", f"1{field}네"]
    begins = range(1_000 - len(personal) - 12, 1_001)
    for at in begins:
        start = f"번호는{field}"
        lines.append((start + "가 " * 600)[: at - 1] + " " + personal + field + "가 " * 10)
    (tmp_path / f"log.{kind}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for out in ("out", "one.parquet"):
        assert emojob("score", f"log.{kind}", "-o", out, "--quiet", "--max-rejects", "100", *options)[0] == 0
    for file in ("out/_emojob/rejects.parquet", "one.rejects.parquet"):
        raws = pq.read_table(tmp_path / file)["raw"].to_pylist()
        assert len(raws) == len(begins)
        for raw in raws:
            assert not set(raw) & set("0123456789@"), raw[-40:]
            assert len(raw) <= 1_000
        assert any(len(raw) == 1_000 for raw in raws)


def test_drop_text_leaves_the_text_out(emojob, chat):
    assert emojob("score", chat, "-o", "out", "--drop-text", "--quiet")[0] == 0
    found = table("out")
    assert found.schema.names[:3] == ["conversation_id", "speaker", "sent_at"]
    assert found["emotion"].null_count == 0
    code, out, _ = emojob("report", "out")
    assert code == 0
    assert "6 labelled" in out
    assert emojob("sql", "out", "SELECT count(*) FROM utterances WHERE text IS NULL", "--format", "csv")[1].endswith(
        "6\n"
    )
    code, _, err = emojob("sample", "out", "--uncertain", 3, "-o", "sheet.csv")
    assert (code, "--drop-text" in err) == (2, True)
    assert emojob("score", chat, "-o", "out", "--drop-text")[1].count("Already complete") == 1


def test_a_hashed_column_has_the_same_hash_for_the_same_value(emojob, chat, tmp_path):
    options = ("--hash-column", "speaker", "--hash-column", "conversation_id")
    assert emojob("score", chat, "-o", "out", "--quiet", *options)[0] == 0
    found = table("out")
    expected = hmac.new(KEY.encode(), "홍길동".encode(), hashlib.sha256).hexdigest()[:32]
    assert found["speaker"].to_pylist()[0] == found["speaker"].to_pylist()[4] == expected
    assert len(set(found["conversation_id"].to_pylist())) == 3
    assert "홍길동" not in (tmp_path / "out/_emojob/run.json").read_text()
    assert KEY not in (tmp_path / "out/_emojob/run.json").read_text()
    numbers = tmp_path / "numbers.parquet"
    pq.write_table(pa.table({"text": ["네", "네"], "user": [17, None]}), numbers)
    (tmp_path / "key").write_text(KEY + "\n")
    keyed = ("--hash-column", "user", "--hash-key-file", "key")
    assert emojob("score", numbers, "-o", "numbers", "--quiet", *keyed)[0] == 0
    assert table("numbers")["user"].to_pylist() == [hmac.new(KEY.encode(), b"17", "sha256").hexdigest()[:32], None]


@pytest.mark.parametrize(
    ("options", "key", "message"),
    [
        (("--hash-column", "speaker"), "", "--hash-key-file"),
        (("--hash-column", "speaker"), "short", "5 bytes"),
        (("--hash-column", "nobody"), KEY, "nobody: the input has no such column"),
        (("--hash-column", "text"), KEY, "--drop-text"),
        (("--hash-column", "speaker", "--hash-key-file", "nowhere"), KEY, "nowhere cannot be read"),
    ],
)
def test_a_column_that_cannot_be_hashed_is_refused(emojob, chat, monkeypatch, options, key, message):
    monkeypatch.setenv("EMOJOB_HASH_KEY", key)
    code, _, err = emojob("score", chat, "-o", "out", "--quiet", *options)
    assert (code, err.count("\n")) == (2, 1)
    assert message in err
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((), ("--mask-pii",)),
        (("--mask-pii",), ()),
        ((), ("--drop-text",)),
        (("--drop-text",), ("--hash-column", "speaker")),
    ],
)
def test_an_archive_keeps_its_privacy_options_unless_fresh(emojob, chat, first, second):
    for place in ("out", "out.parquet"):
        assert emojob("score", chat, "-o", place, "--quiet", *first)[0] == 0
        code, _, err = emojob("score", chat, "-o", place, "--quiet", *second)
        assert (code, "--fresh" in err) == (2, True), err
        assert emojob("score", chat, "-o", place, "--quiet", "--fresh", *second)[0] == 0


def test_another_key_is_refused(emojob, chat, monkeypatch):
    assert emojob("score", chat, "-o", "out", "--quiet", "--hash-column", "speaker")[0] == 0
    monkeypatch.setenv("EMOJOB_HASH_KEY", KEY[::-1])
    code, _, err = emojob("score", chat, "-o", "out", "--quiet", "--hash-column", "speaker")
    assert (code, "--hash-key" in err) == (2, True)


def test_reports_and_sheets_are_masked_unless_no_mask_pii(emojob, chat):
    assert emojob("score", chat, "-o", "out", "--quiet")[0] == 0
    for options, kept in (((), False), (("--no-mask-pii",), True)):
        code, out, _ = emojob("report", "out", "--html", "page.html", "--json", "page.json", *options)
        assert code == 0
        assert emojob("sample", "out", "--uncertain", 6, "-o", "sheet.csv", "--again", "--force", *options)[0] == 0
        for place in ("page.html", "page.json", "sheet.csv"):
            content = Path(place).read_text(encoding="utf-8-sig")
            assert (PHONE in content) == kept, place
            assert (MAIL in content) == kept, place
        assert kept or PHONE not in out


def test_hashing_a_value_that_is_in_a_folder_name_is_refused(emojob, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "in" / "customer=홍길동"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("text\n네\n")
    monkeypatch.setenv("EMOJOB_HASH_KEY", "0123456789abcdef")
    code, _, err = emojob("score", "in", "-o", "out", "--hash-column", "customer")
    assert (code, err.count("\n"), "values in folder names" in err) == (2, 1, True)
    assert not (tmp_path / "out").exists()


def test_a_key_may_be_any_bytes_but_not_endless(emojob, chat, monkeypatch):
    monkeypatch.setenv("EMOJOB_HASH_KEY", os.fsdecode(b"\xff\xfe\x80" + b"a" * 20))
    assert emojob("score", chat, "-o", "out", "--quiet", "--hash-column", "speaker")[0] == 0
    code, _, err = emojob("score", chat, "-o", "o", "--hash-column", "speaker", "--hash-key-file", "/dev/zero")
    assert (code, err.count("\n"), "65,536 bytes" in err) == (2, 1, True)


def test_the_result_of_a_query_does_not_replace_its_archive(emojob, chat):
    assert emojob("score", chat, "-o", "out.parquet", "--quiet")[0] == 0
    before = Path("out.parquet").read_bytes()
    code, _, err = emojob("sql", "out.parquet", "SELECT 1", "-o", "./out.parquet")
    assert (code, "would overwrite a data file" in err) == (2, True)
    assert Path("out.parquet").read_bytes() == before


@pytest.mark.parametrize("part", ["../other.parquet", "/etc/passwd", "part-00000-000000000000.parquet/x", 5, None])
def test_a_forged_marker_reads_no_other_file(emojob, chat, part):
    assert emojob("score", chat, "-o", "out", "--quiet")[0] == 0
    Path("out/part-00000-000000000000.parquet").rename("other.parquet")
    (marker,) = Path("out/_emojob/parts").glob("*.json")
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"part": part}))
    code, out, err = emojob("sql", "out", "FROM labelled")
    assert (code, out, err.count("\n")) == (2, "", 1), err


def test_a_report_survives_a_damaged_run_json(emojob, chat):
    assert emojob("score", chat, "-o", "out", "--quiet")[0] == 0
    file = Path("out/_emojob/run.json")
    run = json.loads(file.read_text())
    for key in ("model", "engine", "options", "privacy", "counts", "all_counts", "versions"):
        file.write_text(json.dumps(run | {key: 5}))
        assert emojob("report", "out")[::2] == (0, ""), key
    file.write_text(json.dumps(run | {"privacy": {"drop_text": True}}))  # with the text still there
    assert emojob("report", "out")[::2] == (0, "")


# -- who can read it ---------------------------------------------------------------------------------------------------


def modes(folder: Path) -> dict[str, int]:
    return {str(one.relative_to(folder)): stat.S_IMODE(one.stat().st_mode) for one in folder.rglob("*")}


@pytest.mark.parametrize(("mode", "umask", "file", "directory"), [
    (0o600, 0o022, 0o600, 0o700), (0o640, 0o022, 0o640, 0o750), (0o644, 0o022, 0o644, 0o755),
    (0o644, 0o077, 0o600, 0o700), (0o444, 0o002, 0o644, 0o755), (0o666, 0o000, 0o666, 0o777),
])  # fmt: skip
def test_outputs_have_no_wider_permissions_than_input_and_umask(emojob, chat, tmp_path, mode, umask, file, directory):
    chat.chmod(mode)
    before = os.umask(umask)
    try:
        (tmp_path / "to").mkdir()
        assert emojob("score", chat, "-o", "to/out", "--memo", "to/out.memo", "--quiet")[0] == 0
        assert emojob("score", chat, "-o", "to/one.parquet", "--quiet")[0] == 0
        assert emojob("report", "to/out", "--html", "to/page.html", "--json", "to/page.json")[0] == 0
        assert emojob("sample", "to/out", "--uncertain", 3, "-o", "to/sheet.csv")[0] == 0
        assert emojob("sql", "to/out", "FROM labelled", "-o", "to/found.csv")[0] == 0
        assert emojob("sql", "to/out", "--export", "to/out.duckdb", "--copy")[0] == 0
        written = modes(tmp_path / "to")
        assert emojob("forget", "to/out", "--yes", "--where", "conversation_id = 'c2'")[0] == 3  # the CSV files stay
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    for name, found in [*written.items(), *modes(tmp_path / "to").items()]:
        if not (tmp_path / "to" / name).exists():
            assert found == (0o600 if name == "out.memo" else file), (name, oct(found))
            continue
        is_folder = (tmp_path / "to" / name).is_dir()
        wanted = 0o600 if name == "out.memo" else directory if is_folder else file
        assert found == wanted, (name, oct(found))


def test_joined_files_are_never_wider_than_what_is_in_them(emojob, tmp_path, monkeypatch):
    """The inputs have different permissions, and the runs come in any order."""
    monkeypatch.chdir(tmp_path)

    def log(name: str, mode: int, rejects: bool = True) -> Path:
        file = tmp_path / name
        file.write_text("id,text\n1,안녕하세요\n" + ("2,너무,많은\n" if rejects else ""), encoding="utf-8")
        file.chmod(mode)
        return file

    logs = [log("a.csv", 0o644), log("b.csv", 0o600), log("c.csv", 0o644), log("d.csv", 0o644, rejects=False)]
    before = os.umask(0o022)
    try:
        for one in logs:
            assert emojob("score", one, "-o", "out", "--quiet")[0] == 0
            rejects = stat.S_IMODE(Path("out/_emojob/rejects.parquet").stat().st_mode)
            assert rejects == (0o644 if one.name == "a.csv" else 0o600), one
        assert emojob("report", "out", "--html", "page.html", "--json", "page.json")[0] == 0
        assert emojob("sql", "out", "FROM labelled", "-o", "found.csv")[0] == 0
        assert emojob("sql", "out", "--export", "out.duckdb")[0] == 0
        assert emojob("sample", "out", "--uncertain", 1, "-o", "sheet.csv")[0] == 0
        made = ["page.html", "page.json", "found.csv", "out.duckdb", "sheet.csv"]
        assert [stat.S_IMODE(Path(name).stat().st_mode) for name in made] == [0o600] * len(made)
        # a part of a single file may come from an interrupted run, in which the input was not readable by others
        Path("out/_emojob/parts/part-00002-000000000000.rejects.parquet").chmod(0o600)
        assert emojob("forget", "out", "--yes", "--where", "true")[0] == 3  # the CSV files stay
    finally:
        os.umask(before)
    rejects = ["out/_emojob/rejects.parquet"]
    rejects += [str(one) for one in Path("out/_emojob/parts").glob("part-0000[12]-*.rejects.parquet")]
    assert [stat.S_IMODE(Path(name).stat().st_mode) for name in rejects] == [0o600] * 3


def test_a_single_file_is_never_wider_than_its_parts(emojob, tmp_path, monkeypatch):
    from emojob.pipeline.running import run

    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("id,text\n1,네\n2,너무,많은\n", encoding="utf-8")
    (tmp_path / "a.csv").chmod(0o600)
    join = run.join_parts
    monkeypatch.setattr(run, "join_parts", lambda *given: exit(9))  # the run is cut off before the parts are joined
    before = os.umask(0o022)
    try:
        assert emojob("score", "a.csv", "-o", "one.parquet", "--quiet")[0] == 9
        monkeypatch.setattr(run, "join_parts", join)
        (tmp_path / "a.csv").chmod(0o644)
        assert emojob("score", "a.csv", "-o", "one.parquet", "--quiet")[0] == 0
    finally:
        os.umask(before)
    for file in ("one.parquet", "one.rejects.parquet"):
        assert stat.S_IMODE((tmp_path / file).stat().st_mode) == 0o600


def test_temporary_files_are_beside_the_output(emojob, chat, tmp_path, monkeypatch):
    made = []

    def note(event, args) -> None:
        if event in ("open", "os.mkdir", "tempfile.mkdtemp", "tempfile.mkstemp") and isinstance(args[0], str):
            made.append((event, args[0], args[2] if event == "open" else 0))

    elsewhere = tmp_path / "tmp"
    elsewhere.mkdir()
    monkeypatch.setenv("TMPDIR", str(elsewhere))
    monkeypatch.setattr("tempfile.tempdir", None)
    sys.addaudithook(note)
    for args in (
        ("score", chat, "-o", "out", "--quiet"), ("score", chat, "-o", "one.parquet", "--quiet"),
        ("report", "out", "--json", "page.json"), ("sample", "out", "--uncertain", 3, "-o", "sheet.csv"),
        ("sql", "out", "FROM labelled ORDER BY text", "-o", "found.csv"), ("report", "one.parquet"),
        ("forget", "out", "--yes", "--where", "speaker = '상담원'"),
    ):  # fmt: skip
        assert emojob(*args)[0] == (3 if args[0] == "forget" else 0)  # `forget` cannot delete the CSV files
    assert any(name.startswith(str(tmp_path)) for _, name, _ in made)
    assert not [one for one in made if one[1].startswith(str(elsewhere))]
    assert not [name for name in modes(tmp_path) if ".spill-" in name or name.endswith(".tmp")]


# -- logs, errors, state and metrics -----------------------------------------------------------------------------------

CANARY = "카나리아새장"


def test_no_text_is_in_logs_errors_state_or_metrics(emojob, tmp_path, monkeypatch, tiny_model):
    monkeypatch.chdir(tmp_path)
    texts = [f"{CANARY} {i}번째 말이에요" for i in range(60)]
    (tmp_path / "2026-11-01.csv").write_text(
        "id,text\n" + "".join(f"{i},{text}\n" for i, text in enumerate(texts)) + f"9,{CANARY},x\n"
    )
    (tmp_path / "2026-11-02.jsonl").write_text(
        "".join(json.dumps({"id": i, "text": t}, ensure_ascii=False) + "\n" for i, t in enumerate(texts))
        + f'{{"text": "{CANARY}\n'
    )
    pq.write_table(pa.table({"id": range(60), "text": texts}), "2026-11-03.parquet")
    (tmp_path / "night.toml").write_text(
        f'[input]\nfiles = "{{date}}.*"\n[output]\narchive = "out"\nfigures = "figures.json"\n'
        f'[score]\nmodel = "{tiny_model}"\nmemo = "night.memo"\nmax_rejects = "100"\n'
        '[monitoring]\nlog = "night.jsonl"\nprometheus = "night.prom"\n'
    )
    printed = []
    for args in (
        ("nightly", "night.toml", "--date", "2026-11-03"),
        ("score", "2026-11-01.csv", "-o", "json", "--log-format", "json"),
        ("score", "2026-11-01.csv", "-o", "limited", "--limit", "10", "--dry-run"),
        ("sql", "out", "SELECT text::INT FROM labelled"),
        ("sql", "out", "SELECT error(text) FROM labelled"),
        ("sql", "out", "SELECT strptime(text, '%Y') FROM labelled"),
        ("sql", "out", "SELECT text::JSON FROM labelled"),
        ("sql", "out", "SELECT CAST(text AS STRUCT(a INT)) FROM labelled"),
        ("forget", "out", "--yes", "--where", "text::INT = 1"),
        ("score", "2026-11-01.csv", "-o", "out2", "--text-column", "nothing"),
        ("score", "2026-11-01.csv", "-o", "out3", "--encoding", "cp949"),
        ("train", "--data", "2026-11-01.csv", "-o", "trained"),
        ("train", "--data", "2026-11-01.csv", "-o", "trained", "--label-column", "text", "--text-column", "id"),
        ("evaluate", "--data", "2026-11-03.parquet", "--label-column", "id"),
    ):  # fmt: skip
        code, out, err = emojob(*args)
        printed += [out, err]
        assert code == 0 or args[0] != "nightly", err
        assert "Traceback" not in err
    assert not [one for one in printed if CANARY in one]
    holds = {
        str(file.relative_to(tmp_path))
        for file in tmp_path.rglob("*")
        if file.is_file() and CANARY.encode() in file.read_bytes()
    }
    inputs = {"2026-11-01.csv", "2026-11-02.jsonl", "2026-11-03.parquet"}
    allowed = (
        {name for name in holds if name.endswith(".parquet")} | inputs | {"figures.json"}
    )  # which shows utterances
    assert not holds - allowed
    for name in ("out/_emojob/run.json", "night.jsonl", "night.prom", "night.memo", "json/_emojob/run.json"):
        assert (tmp_path / name).exists()


_FIRST_LINES = [
    ["홍길동", PHONE, "배송이 너무 늦어요"],
    ["hong.gildong@example.com", "2026-11-23 09:30:11", "네 알겠어요"],
    ["900101-1234568", "user", "안녕하세요"],
    ["김영희", "안녕하세요 문의드려요"],
    ["홍길동", "홍길동", "네"],
    ["1", "홍길동입니다"],
]


@pytest.mark.parametrize("cells", _FIRST_LINES)
@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_values_that_stand_where_names_are_expected_are_in_no_message(emojob, tmp_path, monkeypatch, cells, kind):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    file = tmp_path / f"logs/2026-11-01.{kind}"
    delimiter = "\t" if kind == "tsv" else ","
    unique = list(dict.fromkeys(cells))
    if kind == "parquet":
        pq.write_table(pa.table({name: [1] for name in unique}), file)
    elif kind == "jsonl":
        file.write_text(json.dumps(dict.fromkeys(unique, 1), ensure_ascii=False) + "\n")
    else:
        others = [cell[:2] + "가나" + cell[4:] if len(cell) > 5 else cell for cell in cells]
        file.write_text("".join(f"{delimiter.join(row)}\n" for row in (cells, others, others)))
    (tmp_path / "night.toml").write_text(
        f'[input]\nfiles = "logs/{{date}}.{kind}"\n[output]\narchive = "nights"\n[monitoring]\nlog = "run.log"\n'
    )
    commands = (
        ("score", file, "-o", "out"), ("score", file, "--dry-run"),
        ("score", file, "-o", "out", "--text-column", "text"),
        ("nightly", "night.toml", "--date", "2026-11-01"), ("train", "--data", file, "-o", "model"),
        ("evaluate", "--data", file), ("train", "--data", file, "-o", "model", "--text-column", "text"),
    )  # fmt: skip
    for command in commands:
        code, printed, err = emojob(*command)
        assert code == 2, (command, printed, err)
        logged = (tmp_path / "run.log").read_text() if (tmp_path / "run.log").exists() else ""
        for cell in cells:
            if len(cell) > 2 and cell != "user":
                assert cell not in printed + err + logged, command
        assert "header" in err

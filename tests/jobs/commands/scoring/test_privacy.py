"""What a labelled archive holds of people, who can read it, and how they leave it."""

import csv
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

PHONE, MAIL = "010-1234-5678", "hong@example.kr"
ROWS = [
    ("c1", "홍길동", f"제 번호는 {PHONE}로 주세요", "2026-11-20 10:00"),
    ("c1", "상담원", "네 감사합니다", "2026-11-20 10:01"),
    ("c2", "김철수", f"배송이 늦어서 화가 나요 {MAIL}으로 답 주세요", "2026-11-21 11:00"),
    ("c2", "상담원", "죄송합니다 바로 확인하겠습니다", "2026-11-21 11:01"),
    ("c3", "홍길동", "정말 고마워요 덕분에 살았어요", "2026-11-21 12:00"),
    ("c3", "상담원", "아니에요 또 불러 주세요", "2026-11-21 12:02"),
]
HEAD = ("conversation_id", "speaker", "text", "sent_at")
KEY = "a key of more than sixteen bytes"


@pytest.fixture
def chat(tmp_path, monkeypatch) -> Path:
    """Six rows, and one that cannot be read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMOJOB_HASH_KEY", KEY)
    file = tmp_path / "chat.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([HEAD, *ROWS, ("c9", f"{PHONE}은 제 번호", "칸이", "너무", "많아요")])
    return file


def table(place: str) -> pa.Table:
    files = sorted(Path(place).glob("part-*.parquet")) if Path(place).is_dir() else [Path(place)]
    return pa.concat_tables([pq.read_table(file) for file in files])


def raw(place: str = "out/_emojob/rejects.parquet") -> str:
    return pq.read_table(place)["raw"][0].as_py()


def test_the_text_is_masked_where_asked_and_labels_do_not_depend_on_it(emojob, chat):
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
def test_rejects_are_masked_unless_told_otherwise_and_say_nothing_where_columns_are_kept_back(
    emojob, chat, options, shown
):
    assert emojob("score", chat, "-o", "out", "--quiet", *options)[0] == 0
    assert raw() == "" if shown is None else shown in raw()


def test_labels_without_the_text(emojob, chat):
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


def test_a_column_is_hashed_by_a_key_so_that_the_same_value_has_the_same_name(emojob, chat, tmp_path):
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
    ("options", "key", "said"),
    [
        (("--hash-column", "speaker"), "", "--hash-key-file"),
        (("--hash-column", "speaker"), "short", "5 bytes"),
        (("--hash-column", "nobody"), KEY, "nobody is no column"),
        (("--hash-column", "text"), KEY, "--drop-text"),
        (("--hash-column", "speaker", "--hash-key-file", "nowhere"), KEY, "nowhere cannot be read"),
    ],
)
def test_what_cannot_be_hashed_is_said(emojob, chat, monkeypatch, options, key, said):
    monkeypatch.setenv("EMOJOB_HASH_KEY", key)
    code, _, err = emojob("score", chat, "-o", "out", "--quiet", *options)
    assert (code, err.count("\n")) == (2, 1)
    assert said in err
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
def test_one_archive_is_of_one_mind_about_personal_data(emojob, chat, first, second):
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


def test_what_leaves_the_archive_is_masked_and_a_switch_says_otherwise(emojob, chat):
    assert emojob("score", chat, "-o", "out", "--quiet")[0] == 0
    for options, kept in (((), False), (("--no-mask-pii",), True)):
        code, out, _ = emojob("report", "out", "--html", "page.html", "--json", "page.json", *options)
        assert code == 0
        assert emojob("sample", "out", "--uncertain", 6, "-o", "sheet.csv", "--force", *options)[0] == 0
        for place in ("page.html", "page.json", "sheet.csv"):
            said = Path(place).read_text(encoding="utf-8-sig")
            assert (PHONE in said) == kept, place
            assert (MAIL in said) == kept, place
        assert kept or PHONE not in out


# -- who can read it ---------------------------------------------------------------------------------------------------


def modes(folder: Path) -> dict[str, int]:
    return {str(one.relative_to(folder)): stat.S_IMODE(one.stat().st_mode) for one in folder.rglob("*")}


@pytest.mark.parametrize(("mode", "umask", "file", "directory"), [
    (0o600, 0o022, 0o600, 0o700), (0o640, 0o022, 0o640, 0o750), (0o644, 0o022, 0o644, 0o755),
    (0o644, 0o077, 0o600, 0o700), (0o444, 0o002, 0o644, 0o755), (0o666, 0o000, 0o666, 0o777),
])  # fmt: skip
def test_what_is_written_is_no_wider_than_the_input_nor_than_the_umask(
    emojob, chat, tmp_path, mode, umask, file, directory
):
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
        assert emojob("forget", "to/out", "--where", "conversation_id = 'c2'")[0] == 0
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    for name, found in modes(tmp_path / "to").items():
        is_folder = (tmp_path / "to" / name).is_dir()
        wanted = 0o600 if name == "out.memo" else directory if is_folder else file
        assert found == wanted, (name, oct(found))


def test_temporary_files_lie_beside_the_output(emojob, chat, tmp_path, monkeypatch):
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
        ("forget", "out", "--where", "speaker = '상담원'"),
    ):  # fmt: skip
        assert emojob(*args)[0] == 0
    assert any(name.startswith(str(tmp_path)) for _, name, _ in made)
    assert not [one for one in made if one[1].startswith(str(elsewhere))]
    assert not [name for name in modes(tmp_path) if ".spill-" in name or name.endswith(".tmp")]


# -- a right to be forgotten -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["out", "out.parquet"])
def test_a_persons_rows_go_and_the_counts_with_them(emojob, chat, place, tmp_path):
    memo = ("--memo", "out.memo")
    assert emojob("score", chat, "-o", place, "--quiet", *memo)[0] == 0
    before = table(place)
    code, out, _ = emojob("forget", place, "--where", "speaker = '홍길동'", "--memo", "out.memo", "--dry-run")
    assert (code, "2 rows in 1 part would be removed, 4 would be left" in out) == (0, True)
    assert table(place).equals(before)
    assert (tmp_path / "out.memo").exists()
    code, out, _ = emojob("forget", place, "--where", "speaker = '홍길동'", "--memo", "out.memo")
    assert (code, "2 rows in 1 part removed for good, 4 are left" in out) == (0, True)
    assert not (tmp_path / "out.memo").exists()
    left = table(place)
    kept = pa.array([name != "홍길동" for name in before["speaker"].to_pylist()])
    assert left.to_pylist() == before.filter(kept).to_pylist()
    assert left.schema.equals(before.schema)
    files = [file for file in tmp_path.rglob("*") if file.is_file() and file != chat]
    assert not [file for file in files if "홍길동".encode() in file.read_bytes()]
    code, out, _ = emojob("score", chat, "-o", place, *memo)
    assert (code, "Already complete" in out) == (0, True)
    assert "7 read = 4 labelled + 0 empty + 1 rejected + 2 forgotten" in out
    assert emojob("sql", place, "SELECT sum(rows)::INT FROM emotions", "--format", "csv")[1].splitlines()[1] == "4"
    code, out, _ = emojob("forget", place, "--where", "speaker = '홍길동'")
    assert (code, "no rows match; all 4 rows are still there" in out) == (0, True)


@pytest.mark.parametrize("place", ["out", "out.parquet"])
def test_a_link_is_followed_and_its_rows_go(emojob, chat, place, tmp_path):
    assert emojob("score", chat, "-o", place, "--quiet")[0] == 0
    link = tmp_path / f"link to {place}"
    link.symlink_to(place)
    assert emojob("forget", link, "--where", "speaker = '홍길동'")[0] == 0
    assert link.is_symlink()
    assert "홍길동" not in table(place)["speaker"].to_pylist()


@pytest.mark.parametrize("name", ["../victim/precious", "part-00000-000000000000"])
@pytest.mark.parametrize("part", ["../../../victim/settings.parquet", "a/../b", "part-00000-000000000000.parquet/.."])
def test_a_journal_of_another_hand_leads_nowhere(emojob, chat, tmp_path, name, part):
    assert emojob("score", chat, "-o", "out", "--quiet")[0] == 0
    (tmp_path / "victim").mkdir()
    for file in ("precious.parquet", "settings.json"):
        (tmp_path / "victim" / file).write_text("mine")
    (marker,) = Path("out/_emojob/parts").glob("*.json")
    plain = json.loads(marker.read_text()) | {"part": part}
    Path("out/_emojob/exchange.json").write_text(json.dumps({"format": 3, "markers": {name: plain}}))
    before = table("out").to_pylist()
    for command in (("forget", "out", "--where", "speaker = '없음'"), ("score", chat, "-o", "out", "--quiet")):
        assert emojob(*command)[0] == 0
        assert table("out").to_pylist() == before
    assert {file.name: file.read_text() for file in (tmp_path / "victim").iterdir()} == {
        "precious.parquet": "mine", "settings.json": "mine",
    }  # fmt: skip


@pytest.mark.parametrize("place", ["out", "out.parquet"])
def test_a_name_in_a_dictionary_goes_with_its_rows(emojob, tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    names = pa.array(["홍길동", "김철수"] * 20).dictionary_encode()
    pq.write_table(pa.table({"text": ["네"] * 40, "person": names}), "log.parquet")
    assert emojob("score", "log.parquet", "-o", place, "--quiet")[0] == 0
    assert emojob("forget", place, "--where", "person = '홍길동'")[0] == 0
    found = table(place)
    assert found["person"].type == names.type
    assert found["person"].to_pylist() == ["김철수"] * 20
    files = [file for file in tmp_path.rglob("*") if file.is_file() and file.name != "log.parquet"]
    assert not [file for file in files if "홍길동".encode() in file.read_bytes()]


def test_rows_of_several_parts_and_of_none_may_go(emojob, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for day in range(3):
        pq.write_table(
            pa.table({"text": [f"말 {i}" for i in range(50)], "person": [f"p{(i + day) % 5}" for i in range(50)]}),
            f"{day}.parquet",
        )
    assert emojob("score", "0.parquet", "1.parquet", "2.parquet", "-o", "out", "--quiet")[0] == 0
    assert "30 rows in 3 parts removed" in emojob("forget", "out", "--where", "person = 'p3'")[1]
    some = ", ".join(f"'말 {i}'" for i in range(1, 50, 5))
    assert "10 rows in 1 part removed" in emojob("forget", "out", "--where", f"person = 'p1' AND text IN ({some})")[1]
    assert "all 110 rows" in emojob("forget", "out", "--where", "person IS NULL")[1]
    assert "110 rows in 3 parts removed for good, 0 are left" in emojob("forget", "out", "--where", "true")[1]
    assert "Already complete" in emojob("score", "0.parquet", "1.parquet", "2.parquet", "-o", "out")[1]


@pytest.mark.parametrize(
    "where",
    [
        "",
        "speaker",
        "nobody = 1",
        "speaker = 'a' OR",
        "true); DELETE FROM labelled; --",
        "1",
        "confidence",
        "NULL, NULL",
        'true) UNION ALL SELECT "emojob part", "emojob row" FROM numbered WHERE (true',
        "false) UNION ALL SELECT 99, 0 WHERE (true",
        "true LIMIT 1",
        "1) UNION SELECT 1, 2; SELECT (1",
        "text IN (SELECT content FROM read_text('/etc/passwd'))",
    ],
)
def test_a_condition_that_is_none_removes_nothing(emojob, chat, where):
    assert emojob("score", chat, "-o", "out", "--quiet")[0] == 0
    before = table("out")
    code, _, err = emojob("forget", "out", "--where", where)
    assert (code, err.count("\n")) == (2, 1), err
    assert table("out").equals(before)


def test_a_night_shows_no_more_of_whom_it_has_forgotten(emojob, chat, tmp_path, tiny_model):
    chat.rename(tmp_path / "2026-11-21.csv")
    (tmp_path / "night.toml").write_text(
        f'[input]\nfiles = "{{date}}.csv"\n[output]\narchive = "out"\nreport = "report.html"\nfigures = "report.json"\n'
        f'[score]\nmodel = "{tiny_model}"\nmemo = "night.memo"\n[monitoring]\nlog = "night.jsonl"\n'
    )
    night = ("nightly", "night.toml", "--date", "2026-11-21", "--quiet")
    assert emojob(*night)[0] == 0
    for place in ("report.html", "report.json"):
        assert "배송이 늦어서" in (tmp_path / place).read_text()
        assert PHONE not in (tmp_path / place).read_text()
    code, out, err = emojob("forget", "out", "--where", "conversation_id = 'c2'")
    assert (code, "2 rows" in out) == (0, True)
    assert "report.html" in err
    for place in ("report.html", "report.json", "night.jsonl"):
        assert "배송이 늦어서" not in (tmp_path / place).read_text()
    assert json.loads((tmp_path / "report.json").read_text())["archive"]["rows"] == 4
    assert not (tmp_path / "night.memo").exists()
    assert emojob(*night)[0] == 0
    assert len(table("out")) == 4


# -- what is told of it ------------------------------------------------------------------------------------------------

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
        f'[score]\nmodel = "{tiny_model}"\nmemo = "night.memo"\n'
        '[monitoring]\nlog = "night.jsonl"\nprometheus = "night.prom"\n'
    )
    said = []
    for args in (
        ("nightly", "night.toml", "--date", "2026-11-03"),
        ("score", "2026-11-01.csv", "-o", "json", "--log-format", "json"),
        ("score", "2026-11-01.csv", "-o", "limited", "--limit", "10", "--dry-run"),
        ("sql", "out", "SELECT text::INT FROM labelled"),
        ("sql", "out", "SELECT error(text) FROM labelled"),
        ("sql", "out", "SELECT strptime(text, '%Y') FROM labelled"),
        ("sql", "out", "SELECT text::JSON FROM labelled"),
        ("sql", "out", "SELECT CAST(text AS STRUCT(a INT)) FROM labelled"),
        ("forget", "out", "--where", "text::INT = 1"),
        ("score", "2026-11-01.csv", "-o", "out2", "--text-column", "nothing"),
        ("score", "2026-11-01.csv", "-o", "out3", "--encoding", "cp949"),
        ("train", "--data", "2026-11-01.csv", "-o", "trained"),
        ("train", "--data", "2026-11-01.csv", "-o", "trained", "--label-column", "text", "--text-column", "id"),
        ("evaluate", "--data", "2026-11-03.parquet", "--label-column", "id"),
    ):  # fmt: skip
        code, out, err = emojob(*args)
        said += [out, err]
        assert code == 0 or args[0] != "nightly", err
        assert "Traceback" not in err
    assert not [one for one in said if CANARY in one]
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


def test_a_value_that_folders_tell_is_not_hashed_in_vain(emojob, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "in" / "customer=홍길동"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("text\n네\n")
    monkeypatch.setenv("EMOJOB_HASH_KEY", "0123456789abcdef")
    code, _, err = emojob("score", "in", "-o", "out", "--hash-column", "customer")
    assert (code, err.count("\n"), "names of the input's folders" in err) == (2, 1, True)
    assert not (tmp_path / "out").exists()


def test_a_key_may_be_any_bytes_but_not_without_end(emojob, chat, monkeypatch):
    monkeypatch.setenv("EMOJOB_HASH_KEY", os.fsdecode(b"\xff\xfe\x80" + b"a" * 20))
    assert emojob("score", chat, "-o", "out", "--quiet", "--hash-column", "speaker")[0] == 0
    code, _, err = emojob("score", chat, "-o", "o", "--hash-column", "speaker", "--hash-key-file", "/dev/zero")
    assert (code, err.count("\n"), "65,536 bytes" in err) == (2, 1, True)


def test_an_answer_does_not_replace_what_it_is_of(emojob, chat):
    assert emojob("score", chat, "-o", "out.parquet", "--quiet")[0] == 0
    before = Path("out.parquet").read_bytes()
    code, _, err = emojob("sql", "out.parquet", "SELECT 1", "-o", "./out.parquet")
    assert (code, "would replace the data" in err) == (2, True)
    assert Path("out.parquet").read_bytes() == before


@pytest.mark.parametrize("part", ["../other.parquet", "/etc/passwd", "part-00000-000000000000.parquet/x", 5, None])
def test_a_marker_of_another_hand_leads_nowhere(emojob, chat, part):
    assert emojob("score", chat, "-o", "out", "--quiet")[0] == 0
    Path("out/part-00000-000000000000.parquet").rename("other.parquet")
    (marker,) = Path("out/_emojob/parts").glob("*.json")
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"part": part}))
    code, out, err = emojob("sql", "out", "FROM labelled")
    assert (code, out, err.count("\n")) == (2, "", 1), err


def test_what_a_run_tells_of_itself_may_be_rubbish(emojob, chat):
    assert emojob("score", chat, "-o", "out", "--quiet")[0] == 0
    file = Path("out/_emojob/run.json")
    told = json.loads(file.read_text())
    for key in ("model", "engine", "options", "privacy", "counts", "all_counts", "versions"):
        file.write_text(json.dumps(told | {key: 5}))
        assert emojob("report", "out")[::2] == (0, ""), key
    file.write_text(json.dumps(told | {"privacy": {"drop_text": True}}))  # with the text still there
    assert emojob("report", "out")[::2] == (0, "")


@pytest.mark.parametrize("counts", [5, None, {"scored": "x"}])
def test_a_file_that_does_not_tell_its_counts_is_refused_by_name(emojob, chat, counts):
    assert emojob("score", chat, "-o", "out.parquet", "--quiet")[0] == 0
    whole = pq.read_table("out.parquet")
    about = json.loads(whole.schema.metadata[b"emojob"])
    about["run"]["all_counts"] = counts
    pq.write_table(whole.replace_schema_metadata({b"emojob": json.dumps(about)}), "out.parquet")
    code, _, err = emojob("forget", "out.parquet", "--where", "speaker = '홍길동'")
    assert (code, err.count("\n"), "holds no valid counts of its rows" in err) == (2, 1, True), err

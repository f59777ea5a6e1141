"""A run gives every row back, labelled, in order, however often it was cut off."""

import gzip
import json
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.active_learning.selection import choose
from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.output import part_writer
from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.reading import chunks
from emojob.pipeline.running.run import score_dataset
from emojob.pipeline.system.prefetch import Stages
from emojob.pipeline.warehouse.query import open_session
from emojob.schemas.errors import BusyError, ColumnError, DataError, Interrupted, OutputError, StorageError
from emojob.schemas.options import ModelOptions, ScoreOptions

LABELLED = [
    "emotion",
    "confidence",
    "prob_일상",
    "prob_분노",
    "prob_불안",
    "prob_슬픔",
    "prob_기쁨",
    "prob_우울",
    "emotion_status",
]


@pytest.fixture
def model(tiny_model) -> ModelOptions:
    return ModelOptions(model=str(tiny_model), precision="fp32")


def texts(rows: int) -> list[str | None]:
    samples = [*sample_texts(), None, "", "  ", "네", "네", "감사합니다"]
    return [samples[(i * 7) % len(samples)] for i in range(rows)]


@pytest.fixture
def dataset(tmp_path):
    table = pa.table(
        {
            "id": pa.array(range(3000), pa.int64()),
            "text": pa.array(texts(3000), pa.large_string()),
            "tags": pa.array([[{"k": i}] for i in range(3000)]),
            "channel": pa.array([f"c{i % 3}" for i in range(3000)]).dictionary_encode(),
        }
    ).replace_schema_metadata({"owner": "shop"})
    file = tmp_path / "log.parquet"
    pq.write_table(table, file, row_group_size=700)
    return file


def read(out) -> pa.Table:
    """The output as one table, in the parts' order."""
    files = sorted(out.glob("part-*.parquet")) if out.is_dir() else [out]
    return pa.concat_tables([pq.read_table(file) for file in files]).replace_schema_metadata(None)


@pytest.fixture
def small_parts(monkeypatch):
    """Parts of 500 rows made of chunks of 100."""
    monkeypatch.setattr(part_writer, "PART_ROWS", 500)
    for name in ("_FIRST_ROWS", "_FEWEST_ROWS", "BATCH_ROWS"):
        monkeypatch.setattr(chunks, name, 100)


def test_every_row_comes_back_with_its_columns_and_labels(dataset, model, tmp_path):
    result = score_dataset([str(dataset)], tmp_path / "out", model_options=model)
    before, after = pq.read_table(dataset), read(tmp_path / "out")
    assert after.select(before.schema.names).equals(before)
    assert after.schema.names == [*before.schema.names, *LABELLED]
    assert after.schema.field("emotion").type == pa.dictionary(pa.int32(), pa.string())
    assert after.schema.field("prob_기쁨").type == pa.float32()
    sums = sum(np.nan_to_num(after[name].to_numpy()) for name in LABELLED if name.startswith("prob_"))
    has_text = pc.is_valid(after["emotion"]).to_numpy()
    assert np.abs(sums[has_text] - 1).max() < 1e-5
    blank = [not (text or "").strip() for text in before["text"].to_pylist()]
    assert [status == "empty" for status in after["emotion_status"].to_pylist()] == blank
    assert result.counts.read == 3000
    assert result.counts.empty == sum(blank)
    assert result.counts.labelled + result.counts.empty + result.counts.rejected == result.counts.read


def test_the_inputs_metadata_stays_and_the_fingerprint_joins_it(dataset, model, tmp_path):
    score_dataset([str(dataset)], tmp_path / "out", model_options=model)
    (part,) = (tmp_path / "out").glob("part-*.parquet")
    metadata = pq.read_schema(part).metadata
    fingerprint = json.loads((tmp_path / "out/_emojob/run.json").read_text())["model"]["fingerprint"]
    assert metadata[b"owner"] == b"shop"
    assert json.loads(metadata[b"emojob"])["fingerprint"] == fingerprint


def test_window_size_and_parts_do_not_change_a_single_bit(dataset, model, tmp_path, request):
    score_dataset([str(dataset)], tmp_path / "whole", model_options=model)
    request.getfixturevalue("small_parts")
    score_dataset([str(dataset)], tmp_path / "small", model_options=model)
    assert len(list((tmp_path / "small").glob("part-*.parquet"))) == 6
    assert read(tmp_path / "small").equals(read(tmp_path / "whole"))


def test_a_finished_run_is_not_done_again(dataset, model, tmp_path):
    score_dataset([str(dataset)], tmp_path / "out", model_options=model)
    (part,) = (tmp_path / "out").glob("part-*.parquet")
    written = part.stat().st_mtime_ns
    result = score_dataset([str(dataset)], tmp_path / "out", model_options=model)
    assert result.rows_done == 0
    assert result.counts.read == 3000
    assert part.stat().st_mtime_ns == written


@pytest.mark.usefixtures("small_parts")
def test_an_interrupted_run_keeps_what_it_did_and_goes_on(dataset, model, tmp_path):
    score_dataset([str(dataset)], tmp_path / "whole", model_options=model)
    rounds = 0
    while True:
        stages, rows = Stages(), []

        def stop_after_some(progress, stages=stages):
            if progress.rows_done >= 700:
                stages.stop()

        try:
            score_dataset([str(dataset)], tmp_path / "out", model_options=model, report=stop_after_some, stages=stages)
            break
        except Interrupted:
            rounds += 1
            rows = read(tmp_path / "out")["id"].to_pylist()
            assert rows == list(range(len(rows)))
            assert len(rows) >= 700 * rounds
    assert rounds >= 2
    assert read(tmp_path / "out").equals(read(tmp_path / "whole"))


@pytest.mark.usefixtures("small_parts")
def test_what_a_killed_run_left_behind_is_swept_and_scored_again(dataset, model, tmp_path):
    out = tmp_path / "out"
    score_dataset([str(dataset)], out, model_options=model)
    whole = read(out)
    names = sorted(file.name for file in out.glob("part-*.parquet"))
    (out / "_emojob/parts" / names[2].replace(".parquet", ".json")).unlink()  # died before the marker
    (out / names[4]).write_bytes(b"PAR1 half")  # damaged afterwards
    (out / ".part-00000-000000009999.parquet.tmp").write_bytes(b"half a part")
    (out / "_emojob/parts/part-00000-000000000500.json").write_text("{rubbish")
    result = score_dataset([str(dataset)], out, model_options=model)
    assert result.rows_done == 1500  # three parts of the six, and no row of the others
    assert read(out).equals(whole)
    assert sorted(file.name for file in out.iterdir()) == sorted([*names, "_emojob"])


@pytest.mark.usefixtures("small_parts")
def test_a_limit_reaches_over_gaps_and_the_parts_between_them(dataset, model, tmp_path):
    out = tmp_path / "out"
    score_dataset([str(dataset)], out, model_options=model)
    whole = read(out)
    for first in (0, 1000):
        (out / f"_emojob/parts/part-00000-{first:012d}.json").unlink()
    assert score_dataset([str(dataset)], out, ScoreOptions(limit=1200), model).rows_done == 700
    assert score_dataset([str(dataset)], out, model_options=model).rows_done == 300
    assert read(out).equals(whole)


@pytest.mark.usefixtures("small_parts")
def test_a_changed_input_is_scored_anew_and_its_old_parts_go(dataset, model, tmp_path):
    out = tmp_path / "out"
    score_dataset([str(dataset)], out, model_options=model)
    pq.write_table(pq.read_table(dataset).slice(1000, 700), dataset)
    result = score_dataset([str(dataset)], out, model_options=model)
    assert result.rows_done == 700
    assert read(out)["id"].to_pylist() == list(range(1000, 1700))


@pytest.mark.usefixtures("small_parts")
def test_a_later_input_joins_the_archive(dataset, model, tmp_path):
    out = tmp_path / "out"
    other = tmp_path / "a_first_by_name.parquet"
    score_dataset([str(dataset)], out, model_options=model)
    pq.write_table(pq.read_table(dataset).slice(0, 5), other)
    result = score_dataset([str(other), str(dataset)], out, model_options=model)
    assert result.rows_done == 5
    assert read(out)["id"].to_pylist() == [*range(3000), *range(5)]


def test_fresh_begins_again(dataset, model, tmp_path):
    score_dataset([str(dataset)], tmp_path / "out", model_options=model)
    result = score_dataset([str(dataset)], tmp_path / "out", ScoreOptions(fresh=True), model)
    assert result.rows_done == 3000
    assert len(read(tmp_path / "out")) == 3000


def test_another_model_is_refused_by_both_fingerprints(dataset, model, make_model, tmp_path):
    score_dataset([str(dataset)], tmp_path / "out", model_options=model)
    other = ModelOptions(model=str(make_model(labels=("좋음", "나쁨"), seed=1)))
    with pytest.raises(OutputError) as caught:
        score_dataset([str(dataset)], tmp_path / "out", model_options=other)
    before = json.loads((tmp_path / "out/_emojob/run.json").read_text())["model"]["fingerprint"]
    assert before in str(caught.value)
    assert "좋음 나쁨" in str(caught.value)
    assert "--fresh" in str(caught.value)
    assert len(read(tmp_path / "out")) == 3000


def test_a_limit_labels_the_first_rows_and_no_limit_the_others(dataset, model, tmp_path):
    out = tmp_path / "out"
    assert score_dataset([str(dataset)], out, ScoreOptions(limit=1234), model).rows_done == 1234
    assert read(out)["id"].to_pylist() == list(range(1234))
    assert score_dataset([str(dataset)], out, ScoreOptions(limit=1234), model).rows_done == 0
    assert score_dataset([str(dataset)], out, model_options=model).rows_done == 1766
    assert read(out)["id"].to_pylist() == list(range(3000))


def test_a_limit_may_end_in_a_later_input(dataset, model, tmp_path):
    second = shutil.copy(dataset, tmp_path / "second.parquet")
    out = tmp_path / "out"
    inputs = [str(dataset), str(second)]
    assert score_dataset(inputs, out, ScoreOptions(limit=3100), model).rows_done == 3100
    assert score_dataset(inputs, out, ScoreOptions(limit=3100), model).rows_done == 0


def test_an_archive_without_rows_gives_an_empty_output(model, tmp_path):
    file = tmp_path / "none.csv"
    file.write_text("id,text\n")
    result = score_dataset([str(file)], model_options=model)
    assert result.counts.read == 0
    assert read(tmp_path / "none.emotions").num_rows == 0
    assert read(tmp_path / "none.emotions").schema.names == ["id", "text", *LABELLED]


def test_rows_that_cannot_be_read_are_rejected_with_their_reason(model, tmp_path):
    file = tmp_path / "log.csv"
    file.write_text('id,text\n1,"기뻐요"\n2,너무,많은,칸\n3,"열린 따옴표\n4,슬퍼요\n')
    result = score_dataset([str(file)], tmp_path / "out", model_options=model)
    assert read(tmp_path / "out")["id"].to_pylist() == ["1", "4"]
    assert (result.counts.read, result.counts.rejected) == (4, 2)
    rejects = pq.read_table(tmp_path / "out/_emojob/rejects.parquet").to_pylist()
    assert [one["position"] for one in rejects] == [2, 3]
    assert rejects[0]["raw"].startswith("2,너무")
    assert all(one["input"] == str(file) and one["reason"] for one in rejects)


def test_rejected_rows_stay_counted_over_a_restart(model, tmp_path, small_parts):
    file = tmp_path / "log.csv"
    rows = [f"{i},{'x,' if i % 50 == 3 else ''}말 {i}" for i in range(1200)]
    file.write_text("id,text\n" + "\n".join(rows) + "\n")
    stages = Stages()
    with pytest.raises(Interrupted):
        score_dataset(
            [str(file)],
            tmp_path / "out",
            model_options=model,
            report=lambda p: p.rows_done > 300 and stages.stop(),
            stages=stages,
        )
    result = score_dataset([str(file)], tmp_path / "out", model_options=model)
    assert (result.counts.read, result.counts.rejected) == (1200, 24)
    rejects = pq.read_table(tmp_path / "out/_emojob/rejects.parquet")
    assert rejects["position"].to_pylist() == [i + 1 for i in range(1200) if i % 50 == 3]


def test_parquet_and_csv_in_both_encodings_get_the_same_labels(model, tmp_path):
    rows = [text or "" for text in texts(400) if text is None or text.encode("cp949", "ignore").decode("cp949") == text]
    pq.write_table(pa.table({"text": rows}), tmp_path / "a.parquet")
    quoted = ["text", *('"' + row.replace('"', '""') + '"' for row in rows)]
    (tmp_path / "b.csv").write_bytes("\n".join(quoted).encode())
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress("\r\n".join(quoted).encode("cp949")))
    outs = []
    for name in ("a.parquet", "b.csv", "c.csv.gz"):
        score_dataset([str(tmp_path / name)], tmp_path / f"{name}.out", model_options=model)
        outs.append(
            read(tmp_path / f"{name}.out")
            .select(["emotion", "confidence", "emotion_status"])
            .cast(pa.schema({"emotion": pa.string(), "confidence": pa.float32(), "emotion_status": pa.string()}))
        )
    assert outs[0].equals(outs[1])
    assert outs[0].equals(outs[2])


def test_a_column_in_the_way_is_an_error_and_a_prefix_the_way_out(model, tmp_path):
    file = tmp_path / "log.parquet"
    pq.write_table(pa.table({"text": ["좋아요"], "emotion": ["?"]}), file)
    with pytest.raises(ColumnError, match="--prefix"):
        score_dataset([str(file)], tmp_path / "out", model_options=model)
    assert not (tmp_path / "out").exists()
    score_dataset([str(file)], tmp_path / "out", ScoreOptions(prefix="ai_"), model)
    assert read(tmp_path / "out").schema.names[:3] == ["text", "emotion", "ai_emotion"]


def test_a_folder_that_is_not_ours_is_left_alone(dataset, model, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "precious.txt").write_text("mine")
    with pytest.raises(OutputError, match="neither empty nor a labelled archive"):
        score_dataset([str(dataset)], out, ScoreOptions(fresh=True), model)
    assert [file.name for file in out.iterdir()] == ["precious.txt"]


def test_bad_input_leaves_no_output_behind(model, tmp_path):
    file = tmp_path / "log.parquet"
    file.write_bytes(b"PAR1 but no more")
    with pytest.raises(DataError):
        score_dataset([str(file)], tmp_path / "out", model_options=model)
    assert not (tmp_path / "out").exists()


def test_a_second_run_into_the_same_output_is_turned_away(dataset, model, tmp_path):
    busy = []

    def run_another(progress):
        if not busy:
            with pytest.raises(BusyError):
                score_dataset([str(dataset)], tmp_path / "out", model_options=model)
            busy.append(True)

    score_dataset([str(dataset)], tmp_path / "out", model_options=model, report=run_another)
    assert busy


def test_a_full_disk_is_said_and_the_run_goes_on_later(dataset, model, tmp_path, monkeypatch):
    commit = part_writer.PartWriter.commit

    def full(self, last):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(part_writer.PartWriter, "commit", full)
    with pytest.raises(StorageError, match="No space left"):
        score_dataset([str(dataset)], tmp_path / "out", model_options=model)
    assert not list((tmp_path / "out").glob("*part-*"))
    assert not [one for one in threading.enumerate() if one.name == "emojob-stage"]
    monkeypatch.setattr(part_writer.PartWriter, "commit", commit)
    assert score_dataset([str(dataset)], tmp_path / "out", model_options=model).rows_done == 3000


def test_damage_in_the_middle_of_an_input_is_said(dataset, model, tmp_path):
    data = bytearray(dataset.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    dataset.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"log\.parquet"):
        score_dataset([str(dataset)], tmp_path / "out", model_options=model)
    assert not [one for one in threading.enumerate() if one.name == "emojob-stage"]


def test_one_file_as_output_holds_all_rows_and_is_not_made_twice(dataset, model, tmp_path):
    file = tmp_path / "labelled.parquet"
    score_dataset([str(dataset)], tmp_path / "folder", ScoreOptions(), model)
    score_dataset([str(dataset)], file, ScoreOptions(), model)
    assert read(file).equals(read(tmp_path / "folder"))
    again = score_dataset([str(dataset)], file, ScoreOptions(), model)
    assert (again.rows_done, again.counts.read) == (0, 3000)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["folder", "labelled.parquet", "log.parquet"]


def test_a_file_that_is_not_ours_is_left_alone(dataset, model, tmp_path):
    other = shutil.copy(dataset, tmp_path / "other.parquet")
    with pytest.raises(OutputError, match="not written by emojob"):
        score_dataset([str(dataset)], other, ScoreOptions(fresh=True), model)
    with pytest.raises(OutputError, match="is also an input"):
        score_dataset([str(dataset)], dataset, ScoreOptions(), model)


def test_a_file_made_into_the_folder_of_its_inputs_is_no_input(dataset, model, tmp_path):
    file = tmp_path / "labelled.parquet"
    (tmp_path / "more.csv").write_text("id,text\n1,네\n2,너무,많은\n")
    for _ in range(2):
        counts = score_dataset([str(tmp_path / "more.csv")], file, ScoreOptions(), model).counts
        assert (counts.read, counts.rejected) == (2, 1)
    (tmp_path / "log.parquet").unlink()
    score_dataset([str(tmp_path)], file, ScoreOptions(), model)
    assert read(file)["id"].to_pylist() == ["1"]


def test_two_archives_of_one_stem_do_not_share_an_output(dataset, model, tmp_path):
    score_dataset([str(dataset)], model_options=model)
    (tmp_path / "log.csv").write_text("text\n네\n")
    with pytest.raises(OutputError, match=r"log\.parquet"):
        score_dataset([str(tmp_path / "log.csv")], model_options=model)
    assert len(read(tmp_path / "log.emotions")) == 3000


def test_an_output_of_a_newer_version_is_refused_and_left_as_it_is(dataset, model, tmp_path):
    out = tmp_path / "out"
    score_dataset([str(dataset)], out, model_options=model)
    (marker,) = (out / "_emojob/parts").glob("*.json")
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "format": 99}))
    with pytest.raises(OutputError, match="newer emojob"):
        score_dataset([str(dataset)], out, ScoreOptions(fresh=True), model)
    assert len(read(out)) == 3000


def test_strings_that_are_not_utf8_are_labelled_and_come_back_as_they_were(model, tmp_path):
    texts = pa.array([b"\xff\xfe binary \x00", "기뻐요".encode()], pa.binary())
    raw = pa.Array.from_buffers(pa.string(), 2, texts.buffers())
    file = tmp_path / "log.parquet"
    pq.write_table(pa.table({"text": raw}), file)
    result = score_dataset([str(file)], tmp_path / "out", model_options=model)
    assert result.counts.labelled == 2
    assert read(tmp_path / "out")["text"].cast(pa.binary()).equals(pa.chunked_array([texts]))


def test_narrow_dictionaries_stay_readable(model, tmp_path):
    file = tmp_path / "log.parquet"
    narrow = pa.dictionary(pa.int8(), pa.string())
    schema = pa.schema({"text": pa.string(), "code": narrow})
    with pq.ParquetWriter(file, schema) as writer:
        for group in range(4):
            codes = pa.array([f"{group}-{i}" for i in range(100)]).dictionary_encode().cast(narrow)
            writer.write_table(pa.table({"text": texts(100), "code": codes}, schema=schema))
    for out in (tmp_path / "out", tmp_path / "out.parquet"):
        score_dataset([str(file)], out, ScoreOptions(), model)
        codes = read(out)["code"]
        assert codes.type == narrow
        assert codes.to_pylist() == [f"{group}-{i}" for group in range(4) for i in range(100)]


def test_many_rejected_rows_close_a_part_too(model, tmp_path, small_parts):
    file = tmp_path / "log.csv"
    file.write_text("id,text\n" + "1,2,3\n" * 1700)
    result = score_dataset([str(file)], tmp_path / "out", model_options=model)
    assert result.counts.rejected == 1700
    assert len(list((tmp_path / "out/_emojob/parts").glob("*.json"))) == 4


@pytest.mark.usefixtures("small_parts")
def test_an_interrupted_file_goes_on(dataset, model, tmp_path):
    file, stages = tmp_path / "labelled.parquet", Stages()
    with pytest.raises(Interrupted):
        score_dataset(
            [str(dataset)], file, ScoreOptions(), model, lambda p: p.rows_done > 900 and stages.stop(), stages=stages
        )
    assert not file.exists()
    assert score_dataset([str(dataset)], file, ScoreOptions(), model).rows_done < 2200
    assert read(file)["id"].to_pylist() == list(range(3000))


def cut_off(dataset, out, model, **changes):
    """A run whose run.json says that it was interrupted."""
    score_dataset([str(dataset)], out, ScoreOptions(limit=100), model)
    run = json.loads((out / "_emojob" / "run.json").read_text())
    (out / "_emojob" / "run.json").write_text(json.dumps({**run, "state": "interrupted", **changes}))


def test_a_run_that_goes_on_takes_the_engine_that_it_was_begun_with(dataset, tiny_model, tmp_path):
    auto = ModelOptions(model=str(tiny_model))
    cut_off(dataset, tmp_path / "out", replace(auto, engine="torch", precision="fp32"))
    engine = score_dataset([str(dataset)], tmp_path / "out", ScoreOptions(), auto).run["engine"]
    assert (engine["engine"], engine["precision"]) == ("torch", "fp32")
    fresh = score_dataset([str(dataset)], tmp_path / "out", ScoreOptions(fresh=True), auto).run["engine"]
    assert fresh["engine"] == "openvino"


@pytest.mark.parametrize("engine", [{"engine": "ray", "device": "cuda", "precision": None}, {}, "torch", None])
def test_an_engine_that_is_here_no_more_does_not_keep_a_run_from_going_on(dataset, tiny_model, tmp_path, engine):
    auto = ModelOptions(model=str(tiny_model))
    cut_off(dataset, tmp_path / "out", auto, engine=engine)
    assert score_dataset([str(dataset)], tmp_path / "out", ScoreOptions(), auto).run["state"] == "complete"


CHILD = """
import os, random, signal, sys
from emojob.pipeline.storage import atomic
from emojob.pipeline.reading import chunks
from emojob.pipeline.output import part_writer
from emojob.jobs.main import main

part_writer.PART_ROWS, chunks._FIRST_ROWS, chunks._FEWEST_ROWS, chunks.BATCH_ROWS = 500, 100, 100, 100
moment, number = int(sys.argv.pop(1)), int(sys.argv.pop(1))
passed = 0


def die_at_the_moment(function):
    def counted(*arguments, **named):
        global passed
        passed += 1
        if passed == moment:
            os.kill(os.getpid(), number)
        return function(*arguments, **named)

    return counted


atomic.commit = die_at_the_moment(atomic.commit)
atomic.sync_folder = die_at_the_moment(atomic.sync_folder)
part_writer.PartWriter.add = die_at_the_moment(part_writer.PartWriter.add)
part_writer.PartWriter._flush = die_at_the_moment(part_writer.PartWriter._flush)
main(sys.argv[1:])
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_command_killed_again_and_again_loses_nothing(dataset, tiny_model, model, tmp_path, number):
    """The real command as a process that dies while it adds rows, writes, renames, syncs or marks a part."""
    model = replace(model, engine="torch")
    score_dataset([str(dataset)], tmp_path / "whole", model_options=model)
    options = ["--model", str(tiny_model), "--engine", "torch", "--precision", "fp32", "--quiet"]
    options += ["-o", str(tmp_path / "out")]
    codes = []
    for moment in np.random.default_rng(int(number)).integers(1, 40, 4 if number == signal.SIGKILL else 2).tolist():
        child = [sys.executable, "-c", CHILD, str(moment), str(int(number)), "score", str(dataset), *options]
        codes.append(subprocess.run(child, capture_output=True, timeout=120).returncode)
    assert set(codes) <= {0, -number if number == signal.SIGKILL else 130}
    assert codes[0] != 0
    score_dataset([str(dataset)], tmp_path / "out", model_options=model)
    assert read(tmp_path / "out").equals(read(tmp_path / "whole"))
    assert not list((tmp_path / "out").glob(".*"))


@pytest.mark.parametrize("name", ["Emotion", "CONFIDENCE", "prob_기쁨", "file_index", "File_Row_Number"])
def test_a_column_that_sql_could_not_tell_from_ours_is_refused_at_once(tmp_path, model, name):
    pq.write_table(pa.table({"text": ["네"], name: ["x"]}), tmp_path / "in.parquet")
    with pytest.raises(ColumnError, match=name):
        score_dataset([str(tmp_path / "in.parquet")], tmp_path / "out", model_options=model)
    assert not (tmp_path / "out").exists()


def test_a_column_of_file_names_is_like_any_other(tmp_path, model):
    pq.write_table(pa.table({"text": ["네"], "filename": ["x"]}), tmp_path / "in.parquet")
    score_dataset([str(tmp_path / "in.parquet")], tmp_path / "out", model_options=model)
    with open_session(open_labelled(tmp_path / "out")) as session:
        (batch,) = session.query("SELECT filename FROM labelled").batches
    assert batch.to_pylist() == [{"filename": "x"}]


def test_a_single_file_knows_which_rows_are_of_which_input(model, tmp_path):
    for name, rows in (("b", 3), ("a", 2)):
        lines = "".join(f"1,{name}의 말 {i}\n" for i in range(rows))
        (tmp_path / f"{name}.csv").write_text(f"conversation_id,text\n{lines}")
    score_dataset([str(tmp_path / "b.csv"), str(tmp_path / "a.csv")], tmp_path / "out.parquet", ScoreOptions(), model)
    archive = open_labelled(tmp_path / "out.parquet")
    query = "SELECT conversation, input, utterances FROM conversations ORDER BY input"
    with open_session(archive) as session:
        assert session.relation(query).fetchall() == [("1", "a.csv", 2), ("1", "b.csv", 3)]
    sheet = {one.text: one.previous for one in choose(archive, 9).utterances}
    assert sheet["a의 말 0"] is None
    assert sheet["a의 말 1"] == "a의 말 0"

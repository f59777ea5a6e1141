"""A memo file is read back unchanged; files of other models, damaged files and other files are recognized."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors

from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.inference import memo_file
from emojob.pipeline.inference.memo import Memo
from emojob.pipeline.inference.memo_file import load, parse_memo_path, save
from emojob.pipeline.reading import chunks
from emojob.pipeline.running.run import score_dataset
from emojob.pipeline.storage import atomic
from emojob.pipeline.system.prefetch import Stages
from emojob.schemas.errors import Interrupted, OptionError
from emojob.schemas.options import ModelOptions, ScoreOptions

OF = {"fingerprint": "f", "precision": "fp32"}


@pytest.fixture
def memo() -> Memo:
    full = Memo(3)
    rng = np.random.default_rng(0)
    full.add(rng.integers(0, 2**64, (500, 2), dtype=np.uint64), rng.random((500, 3), np.float32))
    return full


def test_a_saved_memo_is_read_back(memo, tmp_path):
    file = tmp_path / "a.memo"
    save(file, memo, OF)
    back, why = load(file, OF, 3)
    keys, probabilities, *_ = memo.contents()
    known, found = back.find(keys)
    assert (why, known.all()) == ("", True)
    assert np.array_equal(found, probabilities)
    assert np.array_equal(back.multipliers, memo.multipliers)
    assert [file.name for file in tmp_path.iterdir()] == ["a.memo"]


def test_counts_are_halved_with_each_save(memo, tmp_path):
    keys = memo.contents()[0]
    for _ in range(7):
        memo.find(keys)
    save(tmp_path / "a", memo, OF)
    assert set(load(tmp_path / "a", OF, 3)[0].contents()[2].tolist()) == {4}


@pytest.mark.parametrize("of", [{**OF, "fingerprint": "g"}, {**OF, "precision": "bf16"}])
def test_a_file_of_another_model_is_not_used(memo, tmp_path, of):
    save(tmp_path / "a", memo, OF)
    back, why = load(tmp_path / "a", of, 3)
    assert len(back) == 0
    assert "another model" in why


@pytest.mark.parametrize("at", [0, 30, 400, 900, -3])
def test_a_damaged_file_starts_again_empty(memo, tmp_path, at):
    file = tmp_path / "a"
    save(file, memo, OF)
    content = bytearray(file.read_bytes())
    content[at] ^= 0x55
    file.write_bytes(content)
    back, why = load(file, OF, 3)
    assert len(back) == 0
    assert "starting with an empty memo" in why


def test_every_byte_of_the_header_is_checked(memo, tmp_path):
    """The order of the entries in a header is random, so one position alone would sometimes test something else."""
    file = tmp_path / "a"
    save(file, memo, OF, archives=["an archive"])
    whole = file.read_bytes()
    for at in range(8 + int.from_bytes(whole[:8], "little")):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            back, why = load(file, OF, 3)
        except OptionError:  # the name of the format is damaged
            continue
        assert (at, len(back)) == (at, 0)
        assert "starting with an empty memo" in why


def test_a_file_of_an_earlier_version_has_no_hash_of_its_archives(memo, tmp_path):
    file = tmp_path / "a"
    save(file, memo, OF)
    with safe_open(file, "numpy") as saved:
        header, arrays = saved.metadata(), {name: saved.get_tensor(name) for name in saved.keys()}  # noqa: SIM118
    header["archives"] = '["an archive"]'
    save_file(arrays, file, {**header, "sha256": memo_file._hash(arrays)})
    back, why = load(file, OF, 3)
    assert (len(back), why) == (500, "")


def test_half_a_file_starts_again_empty(memo, tmp_path):
    save(tmp_path / "a", memo, OF)
    content = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(content[: len(content) // 2])
    assert "damaged" in load(tmp_path / "a", OF, 3)[1]


def test_a_missing_or_empty_file_is_an_empty_memo(tmp_path):
    (tmp_path / "empty").touch()
    for name in ("none", "empty"):
        memo, why = load(tmp_path / name, OF, 3)
        assert (len(memo), why) == (0, "")


@pytest.mark.parametrize("content", [b"id,text\n1,a\n", b"PAR1" + bytes(100), b"{}"])
def test_a_file_that_is_no_memo_is_refused(tmp_path, content):
    (tmp_path / "archive.csv").write_bytes(content)
    with pytest.raises(OptionError, match=r"archive\.csv is not a memo"):
        load(tmp_path / "archive.csv", OF, 3)


def test_a_path_that_cannot_be_a_memo_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    places = [tmp_path, tmp_path / "no" / "such", tmp_path / "fifo", "/dev/null", "", "s3://bucket/memo"]
    for place in [*map(str, places), str(tmp_path / ("n" * 300)), str(tmp_path / "round"), "a\0b"]:
        with pytest.raises(OptionError, match="--memo"):
            parse_memo_path(place)


def test_a_link_stays_a_link(memo, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    save(parse_memo_path(str(tmp_path / "link")), memo, OF)
    assert (tmp_path / "link").is_symlink()
    assert load(parse_memo_path(str(tmp_path / "link")), OF, 3)[1] == ""


def test_concurrent_saves_do_not_disturb_each_other(memo, tmp_path):
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: save(tmp_path / "a", memo, OF), range(40)))
    assert load(tmp_path / "a", OF, 3)[1] == ""
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_an_invalid_file_with_the_header_of_a_memo_starts_again_empty(memo, tmp_path):
    save(tmp_path / "a", memo, OF)
    with safe_open(tmp_path / "a", "numpy") as saved:
        header = saved.metadata()
        arrays = {name: saved.get_tensor(name) for name in saved.keys()}  # noqa: SIM118
    for change in (
        {"asked": arrays["asked"][:3]},
        {"multipliers": arrays["multipliers"][:, :3]},
        {"more": arrays["keys"]},
    ):
        changed = {**arrays, **change}
        save_file(changed, tmp_path / "b", {**header, "sha256": memo_file._hash(changed)})
        back, why = load(tmp_path / "b", OF, 3)
        assert (len(back), "damaged" in why) == (0, True)


def test_tensors_of_another_program_are_refused(tmp_path):
    save_tensors({"a": torch.zeros(3, dtype=torch.bfloat16)}, tmp_path / "model.safetensors")
    with pytest.raises(OptionError, match="not a memo"):
        load(tmp_path / "model.safetensors", OF, 3)


def test_only_the_owner_can_read_it(memo, tmp_path):
    save(tmp_path / "a", memo, OF)
    assert not stat.S_IMODE((tmp_path / "a").stat().st_mode) & 0o077


# -- between runs ------------------------------------------------------------------------------------------------------


@pytest.fixture
def archive(tmp_path):
    file = tmp_path / "log.parquet"
    pq.write_table(pa.table({"text": sample_texts()[:400]}), file)
    return file


def scored(archive, tmp_path, model, out, **options) -> tuple[pa.Table, dict, list[str]]:
    notes: list[str] = []
    given = ScoreOptions(memo=str(tmp_path / "kept.memo"), **options)
    run = score_dataset([str(archive)], tmp_path / out, given, ModelOptions(**model), note=notes.append).run
    labelled = pq.read_table(next((tmp_path / out).glob("part-*"))).replace_schema_metadata(None)
    return labelled, run["this_run"], [note for note in notes if "memo" in note]


def test_the_next_run_infers_no_text_of_an_earlier_run(archive, tiny_model, tmp_path):
    model = {"model": str(tiny_model), "precision": "fp32"}
    first, work, notes = scored(archive, tmp_path, model, "one")
    assert work["inferred_rows"] > 300
    assert notes == []
    second, work, notes = scored(archive, tmp_path, model, "two")
    assert work["inferred_rows"] == 0
    assert second.equals(first)
    assert notes == []


def test_a_run_with_another_model_starts_empty_and_reports_it(archive, tiny_model, make_model, tmp_path):
    scored(archive, tmp_path, {"model": str(tiny_model), "precision": "fp32"}, "one")
    _, work, notes = scored(archive, tmp_path, {"model": str(make_model(seed=1)), "precision": "fp32"}, "two")
    assert work["inferred_rows"] > 300
    assert ["another model" in note for note in notes] == [True]


def test_an_interrupted_run_keeps_its_memo(archive, tiny_model, tmp_path, monkeypatch):
    for name in ("_FIRST_ROWS", "_FEWEST_ROWS", "BATCH_ROWS"):
        monkeypatch.setattr(chunks, name, 100)
    stages = Stages()
    options = ScoreOptions(memo=str(tmp_path / "kept.memo"))
    with pytest.raises(Interrupted):
        score_dataset(
            [str(archive)],
            tmp_path / "one",
            options,
            ModelOptions(model=str(tiny_model), precision="fp32"),
            lambda progress: progress.rows_done and stages.stop(),
            stages=stages,
        )
    model = {"model": str(tiny_model), "precision": "fp32"}
    assert scored(archive, tmp_path, model, "two")[1]["inferred_rows"] < 300


def test_a_memo_that_cannot_be_written_is_reported_and_costs_no_label(archive, tiny_model, tmp_path, monkeypatch):
    commit = atomic.Draft.commit

    def full(draft):
        if draft._path.suffix == ".memo":
            raise OSError(28, "No space left on device")
        return commit(draft)

    monkeypatch.setattr(atomic.Draft, "commit", full)
    model = {"model": str(tiny_model), "precision": "fp32"}
    labelled, _, notes = scored(archive, tmp_path, model, "one")
    assert labelled.num_rows == 400
    assert ["No space left" in note for note in notes] == [True]
    assert not list(tmp_path.glob(".kept*"))

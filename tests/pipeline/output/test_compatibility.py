"""An OUT that a run must not continue is refused, with the value before and now."""

from dataclasses import replace

import pytest

from emojob.pipeline.output.compatibility import (
    LabelSettings,
    ensure_archive_or_empty,
    ensure_same_privacy,
    ensure_same_settings,
)
from emojob.pipeline.privacy.policy import NOTHING
from emojob.schemas.errors import OutputError

NOW = LabelSettings("f1", "kobert", ("일상", "분노"), "text", None, "", NOTHING)
RUN = {"model": {"name": "kobert", "labels": ["일상", "분노"]}, "text_column": "text", "prefix": ""}


def test_a_new_an_empty_and_a_labelled_folder_are_accepted(tmp_path):
    ensure_archive_or_empty(tmp_path / "new")
    ensure_archive_or_empty(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "_emojob").mkdir()
    ensure_archive_or_empty(tmp_path)


def test_a_file_and_a_foreign_folder_are_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="is neither empty nor a labelled archive"):
        ensure_archive_or_empty(tmp_path)
    with pytest.raises(OutputError, match=r"is a file: .*\.parquet"):
        ensure_archive_or_empty(tmp_path / "notes.txt")


def test_the_same_settings_are_accepted(tmp_path):
    ensure_same_settings(tmp_path, ["f1"], RUN, NOW)
    ensure_same_settings(tmp_path, ["f1"], {}, NOW)  # run.json is missing or older


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (
            {"fingerprint": "f2", "labels": ("a", "b")},
            r"another model or .*: model kobert \(fingerprint f1; labels 일상 분노\).*f2; labels a b",
        ),
        (
            {"text_column": "body"},
            r"--text-column 'text', but this run has --text-column 'body'.*use --text-column text again",
        ),
        ({"prefix": "ai_"}, r"--prefix '', but this run has --prefix 'ai_'"),
        (
            {"privacy": {**NOTHING, "mask_pii": True}},
            r"--mask-pii off, but this run has --mask-pii on.*leave out --mask-pii",
        ),
        (
            {"privacy": {**NOTHING, "hash_columns": ["id", "no"]}},
            r"--hash-column none, but this run has --hash-column id, no",
        ),
    ],
)
def test_another_setting_is_refused_with_both_values(tmp_path, now, words):
    with pytest.raises(OutputError, match=words) as refused:
        ensure_same_settings(tmp_path, ["f1"], RUN, replace(NOW, **now))
    assert "--fresh" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_conversation_column_counts_only_if_run_json_has_it(tmp_path):
    now = replace(NOW, conversation_column="room")
    ensure_same_settings(tmp_path, ["f1"], RUN, now)
    with pytest.raises(OutputError, match="--conversation-column None, but this run has --conversation-column 'room'"):
        ensure_same_settings(tmp_path, ["f1"], {**RUN, "conversation_column": None}, now)


@pytest.mark.parametrize("before", [None, {}, "rubbish", dict(NOTHING)])
def test_a_run_without_privacy_options_is_a_run_with_all_of_them_off(before):
    ensure_same_privacy("out", dict(NOTHING), before)
    with pytest.raises(OutputError, match="--drop-text off, but this run has --drop-text on"):
        ensure_same_privacy("out", {**NOTHING, "drop_text": True}, before)

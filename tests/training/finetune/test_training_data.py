"""The texts of a run: held-out texts, --test files, label maps, refused data."""

import dataclasses
import json

import pytest

from emojob.schemas.errors import (
    DataError,
)
from emojob.training.data.corpus import CorpusOptions
from emojob.training.finetune.recipe import read_train_recipe
from emojob.training.finetune.run import train_model
from emojob.training.finetune.training_data import read_training_data
from emojob.training.finetune.watch import Callbacks
from tests.training.finetune.model_folders import change


def test_test_files_replace_the_test_part(options, train_recipe, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("label,text\n기쁨,오늘 기뻐\n슬픔,완전히 슬퍼\n", encoding="utf-8")
    train_model(dataclasses.replace(options, test=(other,)), change(train_recipe, epochs=1))
    made_with = json.loads((options.out / "recipe.json").read_text())
    assert made_with["parts"]["test"] == 2
    assert made_with["parts"]["dropped"] == 1  # "오늘 기뻐" was in the train or the validation part


def test_test_labels_that_the_data_lacks_are_listed(options, train_recipe, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("감정_대분류,사람문장1\n당황,어쩌지\n상처,아파\n당황,어머나\n기쁨,좋아\n", encoding="cp949")
    with pytest.raises(DataError, match=r"당황 \(2\), 상처 \(1\)"):
        train_model(dataclasses.replace(options, test=(other,)), train_recipe)
    assert not options.out.exists()


def test_test_files_may_have_their_own_label_map(options, train_recipe, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("감정_대분류,사람문장1\n당황,어쩌지\n상처,아파\n당황,어머나\n기쁨,좋아\n", encoding="cp949")
    label_map = tmp_path / "map.toml"
    label_map.write_text('[labels]\n"슬픔" = ["상처"]\ndrop = ["당황"]\n', encoding="utf-8")
    changed = dataclasses.replace(options, test=(other,), test_label_map=str(label_map))
    train_model(changed, change(train_recipe, epochs=1))
    assert json.loads((options.out / "recipe.json").read_text())["parts"]["test"] == 2


def test_data_with_one_label_is_refused(options, train_recipe, tmp_path):
    one = tmp_path / "one.csv"
    one.write_text("label,text\n기쁨,좋아\n기쁨,신나\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"only the label '기쁨': .*; give files with at least two labels"):
        train_model(dataclasses.replace(options, data=(one,)), train_recipe)


def test_test_files_without_labelled_text_are_refused(options, train_recipe, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("label,text\n기쁨,\n,좋아\n", encoding="utf-8")
    with pytest.raises(DataError, match="--test has no text with a usable label: 2 rows = 0 kept"):
        train_model(dataclasses.replace(options, test=(other,)), train_recipe)


def test_test_files_with_all_texts_are_refused(options, train_recipe):
    with pytest.raises(DataError, match="all 300 texts of --data are also in --test or in the validation split"):
        train_model(dataclasses.replace(options, test=options.data), train_recipe)


def test_notes_report_unreadable_rows_and_labels_without_texts(options, train_recipe, tmp_path):
    file = tmp_path / "some.csv"
    lines = ["label,text", "기쁨,좋아,좋아,좋아", *(f"{label},오늘 {n}" for n, label in enumerate("가나" * 20))]
    file.write_text("\n".join([*lines, "다,어제"]), encoding="utf-8")
    test_only = dataclasses.replace(train_recipe.split, how="plain", test=0.2, validation=0.2, seed=0)
    notes: list[str] = []
    changed = dataclasses.replace(options, data=(file,))
    recipe = dataclasses.replace(change(train_recipe, epochs=1), split=test_only)
    train_model(changed, recipe, Callbacks(note=notes.append))
    assert notes[0] == "41 rows = 41 kept; 1 more could not be read"
    assert notes[1] == "split: 23 train + 9 validation + 9 test"
    assert notes[2] == "the train split has no text with the label 다: the model will not predict it"


def chats(tmp_path, name: str, numbers: range):
    """Conversations of a question and one of three short replies; the label follows the question."""
    lines = ["conversation_id,text,label"]
    for number in numbers:
        question, label = ("기쁜 소식", "기쁨") if number % 2 else ("슬픈 소식", "슬픔")
        lines += [f"c{number},{question} {number},{label}", f"c{number},{['네', '아니요', '글쎄'][number % 3]},{label}"]
    file = tmp_path / name
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def test_with_context_short_replies_stay_in_train(options, train_recipe, tmp_path):
    recipe = dataclasses.replace(train_recipe, split=read_train_recipe().split)
    changed = dataclasses.replace(
        options, data=(chats(tmp_path, "chats.csv", range(200)),), corpus=CorpusOptions(context="previous")
    )
    data = read_training_data(changed, recipe)
    train, test = (data.annotated.take(rows).texts for rows in (data.parts.train, data.parts.test))
    assert data.parts.dropped == 0
    assert 120 < sum(text in ("네", "아니요", "글쎄") for text in train) < 180
    assert any(text in ("네", "아니요", "글쎄") for text in test)
    held_out = dataclasses.replace(changed, test=(chats(tmp_path, "more.csv", range(195, 230)),))
    data = read_training_data(held_out, recipe)
    assert data.parts.dropped == 10  # the questions and replies of c195 to c199


def test_test_texts_stay_test_texts_when_data_is_added(options, tmp_path):
    recipe = read_train_recipe()
    first = dataclasses.replace(options, data=(chats(tmp_path, "b.csv", range(60)),))
    more = dataclasses.replace(options, data=(chats(tmp_path, "a.csv", range(60, 120)), tmp_path / "b.csv"))
    before, after = (read_training_data(one, recipe) for one in (first, more))
    questions = {text for text in before.annotated.take(before.parts.test).texts if "소식" in text}
    assert questions
    assert questions <= set(after.annotated.take(after.parts.test).texts)


def test_every_reason_for_leaving_out_rows_is_printed(options, train_recipe, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("label,text\n기쁨,오늘 기뻐\n기쁨,오늘 기뻐\n슬픔,\n", encoding="utf-8")
    notes: list[str] = []
    train_model(
        dataclasses.replace(options, test=(other,)), change(train_recipe, epochs=1), Callbacks(note=notes.append)
    )
    assert notes[1] == "--test: 3 rows = 1 kept + 1 empty + 1 repeated"
    assert notes[2].endswith("1 test + 1 left out (the same text is in another split)")
    assert notes[3].startswith("the test split has no text with the label 일상, 분노")

"""A nightly configuration is checked completely before anything runs."""

import datetime

import pytest

from emojob.pipeline.nightly.config import DriftConfig, in_settings, read_config, template
from emojob.schemas.errors import OptionError
from emojob.schemas.options import ModelOptions, ScoreOptions

MINIMAL = '[input]\nfiles = "logs/{date}.csv"\n[output]\narchive = "out"\n'


@pytest.fixture
def read(tmp_path):
    def read(text: str):
        (tmp_path / "n.toml").write_text(text, encoding="utf-8")
        return read_config(tmp_path / "n.toml")

    return read


def test_the_template_is_a_complete_configuration_with_the_defaults(read):
    config = read(template())
    assert config.drift == DriftConfig()
    assert config.score.options.max_rejects == "auto"
    minimal = read(MINIMAL)
    assert (config.input.days_back, config.output.keep_days) == (minimal.input.days_back, minimal.output.keep_days)


def test_relative_paths_start_in_the_folder_of_the_file(read, tmp_path):
    config = read(MINIMAL)
    assert config.archive == tmp_path / "out"
    assert config.pattern(datetime.date(2026, 11, 5)) == f"{tmp_path}/logs/2026-11-05.csv"
    assert read(MINIMAL.replace('"logs/', '"/srv/')).pattern() == "/srv/*.csv"


@pytest.mark.parametrize(
    ("files", "of_day", "of_all_days"),
    [
        ("chat_{date:%Y%m%d}.csv", "chat_20261105.csv", "chat_*.csv"),
        ("{date:%Y}/{date:%m}/{date:%d}/*.csv", "2026/11/05/*.csv", "*/*/*/*.csv"),
        ("logs/*{date}*", "logs/*2026-11-05*", "logs/*"),
        ("**/{date}{date:%j}/**", "**/2026-11-05309/**", "**/*/**"),
        ("{date:%Y/%m/%d}.csv", "2026/11/05.csv", "*/*/*.csv"),
        ("{date:%y%j}-{date}.csv", "26309-2026-11-05.csv", "*-*.csv"),
        ("{date:%Y년%m월%d일}.csv", "2026년11월05일.csv", "*년*월*일.csv"),
    ],
)
def test_a_date_in_a_file_name_may_have_a_format(read, files, of_day, of_all_days):
    config = read(MINIMAL.replace("logs/{date}.csv", files))
    assert config.input.of_day(datetime.date(2026, 11, 5)) == of_day
    assert config.input.of_all_days == of_all_days


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (MINIMAL + "[drift]\nemotion = 1\n", "drift has the unknown key 'emotion'; did you mean emotions?"),
        (MINIMAL + "[drifts]\n", "the file has the unknown key 'drifts'; did you mean drift?"),
        (MINIMAL + '[drift]\nemotions = "much"\n', "drift.emotions is 'much', which has the wrong type; give a number"),
        (
            MINIMAL + '[drift]\nholidays = ["soon"]\n',
            "drift.holidays is ['soon'], but a value is not a date; give a list",
        ),
        (
            MINIMAL + "[drift]\nholidays = 2026-09-25\n",
            "drift.holidays is datetime.date(2026, 9, 25), which has the wrong",
        ),
        (MINIMAL + "[drift]\nempty = 7\n", "drift.empty is 7.0, which is out of range; give a number from 0 to 1"),
        (MINIMAL + "[drift]\ndays = 2\n", "drift.fewest_days is 3, which is out of range; give a number from 1 to 2"),
        (MINIMAL + "[score]\nmax_length = 9999\n", "score.max_length = 9999 is out of range"),
        (MINIMAL + '[score]\nmax_rejects = "many"\n', 'score.max_rejects = "many" is not a number'),
        (MINIMAL + '[score]\nmax_rejects = "0.05"\n', "give 5% for this share of the rows"),
        (MINIMAL + "[score]\nmax_rejects = 0.05\n", "give 5% for this share of the rows"),
        (MINIMAL + '[score]\ndevice = "tpu"\n', 'score.device = "tpu" is unknown: give one of auto, cpu, cuda'),
        (MINIMAL + "[score]\nmax_length = true\n", "score.max_length is True, which has the wrong type"),
        (MINIMAL + "keep_days = -1\n", "output.keep_days is -1"),
        (MINIMAL + 'language = "fr"\n', "output.language is 'fr'; give en or ko"),
        (
            '[input]\nfiles = "a/{day}.csv"\n[output]\narchive = "out"\n',
            "input.files contains {day}, but the only allowed placeholder is {date}",
        ),
        (MINIMAL.replace("{date}", "{date:%m%d}"), "the format does not tell the days apart: give year, month and day"),
        (MINIMAL.replace("{date}", "{date:today}"), "the format does not tell the days apart"),
        ('[input]\nfiles = " "\n[output]\narchive = "out"\n', "input.files is empty"),
        ('[input]\nfiles = "a"\n', "the file lacks the key output; `emojob nightly --init"),
        ('[input]\n[output]\narchive = "out"\n', "input lacks the key files"),
        ("[input\n", "is not valid TOML"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line_with_file_key_value_and_remedy(read, change, message):
    with pytest.raises(OptionError) as error:
        read(change)
    assert message in str(error.value)
    assert "n.toml" in str(error.value)
    assert "\n" not in str(error.value)


def test_score_has_the_options_of_emojob_score(read):
    config = read(MINIMAL + '[score]\nmodel = "m"\nmax_length = 32\nhash_columns = ["a", "b"]\ntime_zone = "UTC"\n')
    assert config.score.model == ModelOptions(model="m", max_length=32)
    assert config.score.options == ScoreOptions(hash_columns=("a", "b"))
    assert config.score.time_zone == "UTC"


@pytest.mark.parametrize("key", ["batch_tokens", "context", "calibration", "fresh", "limit"])
def test_options_of_a_single_run_are_no_keys_of_a_night(read, key):
    with pytest.raises(OptionError, match=f"score has the unknown key '{key}'"):
        read(MINIMAL + f"[score]\n{key} = 1\n")


def test_holidays_are_dates_or_texts(read):
    assert read(MINIMAL + '[drift]\nholidays = [2026-09-25, "2026-09-26"]\n').drift.days_off == {
        datetime.date(2026, 9, 25), datetime.date(2026, 9, 26),
    }  # fmt: skip


def test_a_missing_file_is_refused_with_the_command_that_writes_one(tmp_path):
    with pytest.raises(OptionError, match="does not exist; `emojob nightly --init"):
        read_config(tmp_path / "no.toml")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("choose it with --text-column NAME", 'choose it with score.text_column = "NAME"'),
        ("use --text-column 상담내용 again", 'use score.text_column = "상담내용" again'),
        ("--text-column a b: no such column", "score.text_column a b: no such column"),
        ("--max-length 3 is out of range", "score.max_length = 3 is out of range"),
        ("use --no-placeholders again", "use score.placeholders = false again"),
        ("with --mask-pii on, but now --mask-pii off", "with score.mask_pii = true, but now score.mask_pii = false"),
        ("read it with --as-text COLUMN", 'read it with score.as_text = ["COLUMN"]'),
        ("read it with --as-text 'age', or not", 'read it with score.as_text = ["age"], or not'),
        ("give a prefix, such as --prefix new_", 'give a prefix, such as score.prefix = "new_"'),
        ("give --hash-key-file my.key, or set X", 'give score.hash_key_file = "my.key", or set X'),
        ("--memo /a/b.memo is no memo", 'score.memo = "/a/b.memo" is no memo'),
        ("more than --max-rejects allows. Then", "more than score.max_rejects allows. Then"),
        ("leave out --precision or --engine", "leave out score.precision or score.engine"),
        ("-o /x is a file", "output.archive /x is a file"),
        ("see `emojob convert X -o DIR --labels A`", "see `emojob convert X -o DIR --labels A`"),
        ("give the day with --date", "give the day with --date"),
        (
            "give another path with -o, leave out --prefix, or start over with --fresh",
            "give another folder with output.archive, or leave out score.prefix",
        ),
    ],
)
def test_messages_of_a_night_name_settings(message, expected):
    assert in_settings(message) == expected

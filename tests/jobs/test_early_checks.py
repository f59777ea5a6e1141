"""Paths are checked and the language is found before large libraries are imported."""

import subprocess
import sys

import pytest

from emojob.jobs.options.language import system_language

HEAVY = ("torch", "pyarrow", "duckdb", "transformers", "numpy")


@pytest.mark.parametrize(
    "arguments",
    [
        ["score", "none.csv"],
        ["score", "logs", "--model", "./none"],
        ["predict", "--model", "./none", "네"],
        ["report", "none"],
        ["sql", "none", "SELECT 1"],
        ["forget", "none", "--where", "true"],
        ["nightly", "none.toml"],
        ["train", "--data", "none.csv", "-o", "model"],
        ["evaluate", "--data", "none.csv"],
    ],
)
def test_a_wrong_path_is_reported_before_large_libraries_are_imported(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    code = (
        "import sys\n"
        "from emojob.jobs.main import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "except SystemExit as ended:\n"
        f"    print(ended.code, [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    (tmp_path / "logs").mkdir()
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "2 []\n"
    assert ended.stderr.count("\n") == 1
    assert "none" in ended.stderr


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ({}, "en"),
        ({"LANG": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "ko"}, "ko"),
        ({"LANG": "ko.UTF-8"}, "ko"),
        ({"LANG": "kok_IN"}, "en"),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "C.UTF-8", "LC_ALL": "ko_KR.eucKR"}, "ko"),
        ({"LANG": "ko_KR.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en"),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": ""}, "ko"),
    ],
)
def test_the_locale_decides_the_language(monkeypatch, locale, expected):
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in locale.items():
        monkeypatch.setenv(name, value)
    assert system_language() == expected

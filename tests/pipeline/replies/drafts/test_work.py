"""The work folder of an interrupted run: whose it is, what it never touches, and what an error leaves."""

import os
import resource
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.replies.drafts import job
from emojob.pipeline.replies.drafts.job import Callbacks, DraftOptions, draft_replies
from emojob.schemas.errors import OptionError, StorageError
from tests.pipeline.replies.drafts.bots import EchoBot, ReadOnce, write_bad_archive


@pytest.fixture(scope="module")
def read_once():
    return ReadOnce()


@pytest.fixture
def out(tmp_path, monkeypatch, read_once):
    """An archive in which 20 conversations turn bad, with parts of 4 conversations."""
    monkeypatch.setattr(job, "_PART_ROWS", 4)
    monkeypatch.setattr(job, "open_conversations", read_once.open)
    return write_bad_archive(tmp_path / "out", 20)


@pytest.fixture
def work(tmp_path):
    return tmp_path / ".drafts.csv.parts"


def draft(out, file, bot=None, notes=None, **options):
    callbacks = Callbacks(note=(notes if notes is not None else []).append)
    return draft_replies(open_labelled(out), bot or EchoBot(), DraftOptions(file, **options), callbacks)


def content(file):
    """Return the content of a file with drafts: of a workbook, the sheet without the notes, which have a time."""
    if file.suffix != ".xlsx":
        return file.read_bytes()
    with zipfile.ZipFile(file) as packed:
        return packed.read("xl/worksheets/sheet1.xml")


def names(folder):
    return {file.name for file in folder.iterdir()}


@pytest.mark.parametrize("kind", ["link", "broken link", "file", "other folder", "lock is a link"])
def test_a_path_that_is_no_work_folder_is_refused_and_not_touched(out, tmp_path, work, kind):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "part-000000.parquet").write_text("mine")
    if kind == "link":
        work.symlink_to(mine)
    elif kind == "broken link":
        work.symlink_to(tmp_path / "nothing")
    elif kind == "file":
        work.write_text("mine")
    else:
        work.mkdir()
        if kind == "other folder":
            (work / "part-000000.txt").write_text("mine")
        else:
            (work / "lock").symlink_to(mine / "part-000000.parquet")
    before = names(tmp_path)
    with pytest.raises(OptionError, match=r"\.drafts\.csv\.parts exists, but"):
        draft(out, tmp_path / "drafts.csv")
    assert (mine / "part-000000.parquet").read_text() == "mine"
    assert names(tmp_path) == before


def test_a_work_folder_of_another_user_is_refused(out, tmp_path, work, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        draft(out, tmp_path / "drafts.csv", EchoBot(most=10))
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(OptionError, match="remove it, or give a different file name"):
        draft(out, tmp_path / "drafts.csv")
    assert "part-000001.parquet" in names(work)


@pytest.mark.parametrize("name", ["drafts.csv", "drafts.xlsx", "drafts.parquet"])
def test_a_full_disk_is_one_message_and_the_next_run_goes_on(out, tmp_path, name):
    draft(out, tmp_path / f"whole-{name}")
    file, (soft, hard) = tmp_path / name, resource.getrlimit(resource.RLIMIT_FSIZE)
    most = (tmp_path / f"whole-{name}").stat().st_size - 1  # the parts are smaller than the file
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        with pytest.raises(StorageError, match="free disk space"):
            draft(out, file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not file.exists()
    drafted = draft(out, file)
    assert content(file) == content(tmp_path / f"whole-{name}")
    assert drafted.tally.conversations == 20
    assert not (tmp_path / f".{name}.parts").exists()


def test_an_archive_that_cannot_be_written_gets_drafts_and_says_what_forget_will_not_know(out, tmp_path):
    draft(out, tmp_path / "first.csv")
    derived = out / "_emojob" / "derived"
    for record in derived.iterdir():
        record.unlink()
    derived.rmdir()
    derived.write_text("in the way")
    notes: list[str] = []
    assert draft(out, tmp_path / "drafts.csv", notes=notes).tally.conversations == 20
    assert any("`emojob forget` will not know of" in note for note in notes)
    assert names(tmp_path) >= {"drafts.csv", "drafts.csv.notes.txt"}
    assert not [name for name in names(tmp_path) if name.endswith(".parts")]


@pytest.mark.parametrize("name", ["drafts.csv", "drafts.parquet", "drafts.xlsx"])
def test_a_file_inside_the_archive_is_written_and_is_no_part_of_it(out, name):
    draft(out, out / name)
    again = open_labelled(out)
    assert len(again.part_files) == 1
    assert draft(out, out / name).tally is None


def test_other_options_start_anew_with_a_line(out, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        draft(out, tmp_path / "drafts.csv", EchoBot(most=10))
    notes: list[str] = []
    assert draft(out, tmp_path / "drafts.csv", drafts=2, notes=notes).resumed == 0
    assert [note for note in notes if "all drafts are made again" in note]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["drafts.csv", "drafts.parquet", "drafts.xlsx"])
def test_a_stopped_or_killed_run_goes_on_and_gives_the_same_file(out, tmp_path, name):
    draft(out, tmp_path / f"whole-{name}")
    file = tmp_path / name
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom tests.pipeline.replies.drafts.bots import EchoBot\n"
        "from emojob.jobs.terminal.replies.draft_progress import DraftLog\n"
        "from emojob.pipeline.output.labelled_archive import open_labelled\n"
        "from emojob.pipeline.replies.drafts import job\n"
        "class Slow(EchoBot):\n    def reply(self, requests, drafts):\n"
        "        time.sleep(0.1)\n        return super().reply(requests, drafts)\n"
        "job._PART_ROWS = 4\nout, file = map(Path, sys.argv[1:])\n"
        "with DraftLog(True, 'en'):\n"
        "    job.draft_replies(open_labelled(out), Slow(), job.DraftOptions(file, batch_rows=2))\n"
    )
    for parts, number in ((1, signal.SIGINT), (2, signal.SIGTERM), (3, signal.SIGKILL)):
        command = [sys.executable, "-c", code, str(out), str(file)]
        environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
            wanted = tmp_path / f".{name}.parts" / f"part-{parts - 1:06}.parquet"
            while not wanted.exists() and process.poll() is None:
                time.sleep(0.01)
            process.send_signal(number)
        assert not file.exists()
    drafted = draft(out, file)
    assert drafted.resumed >= 12
    assert content(file) == content(tmp_path / f"whole-{name}")
    assert not (tmp_path / f".{name}.parts").exists()


@pytest.mark.parametrize("name", ["drafts.csv", "drafts.parquet", "drafts.xlsx"])
@pytest.mark.parametrize("after", ["the notes", "the file"])
def test_a_run_that_is_killed_while_it_writes_the_file_goes_on(out, tmp_path, name, after, monkeypatch):
    """The file, its notes and the work folder are three steps: a run may be killed between any two."""
    draft(out, tmp_path / f"whole-{name}")
    file, replace = tmp_path / name, os.replace

    def killed(source, target, **more):
        if Path(target).name == name and after == "the notes":
            raise KeyboardInterrupt
        replace(source, target, **more)
        if Path(target).name == name:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            draft(out, file)
    assert (tmp_path / f".{name}.parts").is_dir()
    assert file.exists() == (after == "the file")
    bot = EchoBot()
    draft(out, file, bot)
    assert not bot.requests
    assert content(file) == content(tmp_path / f"whole-{name}")
    assert not (tmp_path / f".{name}.parts").exists()
    assert draft(out, file, bot).tally is None

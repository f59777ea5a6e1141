"""Fixtures of the report's tests: rows of conversations, and a browser."""

import datetime
import os
import random
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from emojob.schemas.labels import DEFAULT_LABELS
from tests.archives import utterance

HOSTILE = (
    "<script>window.hacked = 1</script>",
    '</script><img src=x onerror="window.hacked = 1">',
    "'\"><svg onload=window.hacked=1>",
    "{{ 7 * 7 }} [red]빨강[/red] \x1b[31m\x1b]8;;http://x\x1b\\",
    '=HYPERLINK("http://x")',
    "\u202e거꾸로\u202c",
)


@pytest.fixture(scope="session")
def talks() -> list[dict]:
    """Rows of eight days: conversations of two speakers on two channels; one turns bad and has hostile texts."""
    chance = random.Random(8)
    start = datetime.datetime(2026, 11, 16, 8)
    rows = []
    for number in range(120):
        at = start + datetime.timedelta(hours=chance.randint(0, 8 * 24 - 15))
        channel = chance.choice(["앱", "전화"])
        for turn in range(chance.randint(2, 9)):
            emotion = chance.choice([*DEFAULT_LABELS[:5], "일상", "기쁨", None])
            rows.append(
                utterance(
                    emotion, chance.choice([0.4, 0.55, 0.7, 0.95]), f"{number}번 대화의 {turn}번째 말이에요",
                    conversation_id=f"c{number:03}", speaker=("고객", "상담원")[turn % 2], channel=channel,
                    sent_at=at + datetime.timedelta(minutes=turn),
                )
            )  # fmt: skip
    last = datetime.datetime(2026, 11, 23, 22)
    emotions = ["기쁨", *["분노"] * len(HOSTILE)]
    for turn, (emotion, text) in enumerate(zip(emotions, ("안녕하세요", *HOSTILE), strict=True)):
        rows.append(
            utterance(
                emotion, 0.97, text, conversation_id=HOSTILE[0], speaker=HOSTILE[1], channel=HOSTILE[4],
                sent_at=last + datetime.timedelta(minutes=turn),
            )
        )  # fmt: skip
    return rows


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of Chromium; install Debian's package as root if it is missing."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium", "fonts-noto-cjk"]):
            subprocess.run(["apt-get", "-qq", *command], check=True, capture_output=True)
        return str(shutil.which("chromium"))
    if os.environ.get("CI"):  # a skipped test would go unnoticed
        pytest.fail("Chromium is missing and cannot be installed")
    pytest.skip("Chromium is missing; install Debian's package chromium")


@pytest.fixture(scope="module")  # no other event loop can run while Playwright is open
def browser(chromium) -> Iterator:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()

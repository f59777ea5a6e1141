"""The report in a real browser: figures, sorting, views, CSV; no request leaves it, and hostile text stays text."""

import csv
import datetime
import io
import itertools

import pytest

from emojob.pipeline.html.page import visible
from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.report.figures import make_figures
from emojob.pipeline.report.html_page import render_report
from emojob.pipeline.report.words import words_of
from emojob.schemas.options import LANGUAGES
from tests.archives import utterance, write_archive
from tests.pipeline.report.conftest import HOSTILE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def figures(talks, tmp_path_factory):
    return make_figures(open_labelled(write_archive(tmp_path_factory.mktemp("archive") / "<b>out", talks)))


@pytest.fixture
def opened(browser, tmp_path):
    """opened(figures, language, **context): the page, with its page.messages and page.requests."""
    contexts = []

    def open_(figures, language: str = "en", **context: object):
        file = tmp_path / "report.html"
        file.write_bytes(render_report(figures, language))
        contexts.append(browser.new_context(**context))
        page = contexts[-1].new_page()
        page.messages, page.requests = [], []
        page.on("console", lambda message: page.messages.append(message.text))
        page.on("pageerror", lambda error: page.messages.append(str(error)))
        page.on("dialog", lambda dialog: page.messages.append(dialog.message))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto(file.as_uri())
        page.wait_for_function("[...document.querySelectorAll('.chart')].every(one => one.querySelector('svg'))")
        return page

    yield open_
    for context in contexts:
        context.close()


def rows(page, name: str, choice: int = 0) -> list[list[str]]:
    """Return the shown cells of a figure's table."""
    table = f'.choice[data-figure="{name}"][data-choice="{choice}"] tbody tr'
    return page.eval_on_selector_all(table, "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))")


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_draws_every_chart_without_messages_or_requests(opened, figures, language):
    page = opened(figures, language)
    assert page.messages == []
    assert len(page.requests) == 1
    assert page.requests[0].startswith("file:")
    assert page.locator(".chart svg").count() == 9
    assert page.locator("html").get_attribute("lang") == language
    assert page.get_by_text(words_of(language)["to_look_at"]).count() == 1


def test_tiles_show_the_last_day_and_its_change(opened, figures):
    page = opened(figures)
    tiles = dict(
        page.eval_on_selector_all(
            ".tiles div", "ts => ts.map(t => [...t.children].slice(0, 2).map(c => c.textContent))"
        )
    )
    anger = next(row for row in figures.latest["emotions"] if row["emotion"] == "분노")
    assert tiles["😡 분노 anger"] == f"{anger['share']:.1%}"
    half = max(anger["share"] - anger["low"], anger["high"] - anger["share"])
    assert page.get_by_text(f"±{100 * half:.1f}", exact=True).count() >= 1
    assert tiles["utterances"] == f"{figures.latest['rows']:,}"
    assert tiles["conversations (all days)"] == f"{figures.archive['conversations']:,}"
    assert page.get_by_text(f"{100 * anger['change']:+.1f} points vs. the 7 days before").count() == 1


def test_tables_show_the_figures(opened, figures):
    page = opened(figures)
    shares = {
        (row["emotion_before"], row["emotion"]): f"{row['share']:.1%} "
        f"±{100 * max(row['share'] - row['low'], row['high'] - row['share']):.1f}"
        for row in figures.transitions
    }
    shown = {(a.split()[1], b.split()[1]): share for a, b, _, share in rows(page, "transitions")}
    assert shown == shares
    assert [row[0] for row in rows(page, "days")] == [f"2026-11-{day}" for day in range(16, 24)]


def test_a_click_on_a_column_title_sorts_by_number(opened, figures):
    page = opened(figures)
    page.locator("#figure-days summary").click()
    head = page.locator("#figure-days thead th").nth(1)
    for direction, order in (("descending", True), ("ascending", False)):
        head.locator("button").click()
        counts = [int(row[1].replace(",", "")) for row in rows(page, "days")]
        assert counts == sorted(counts, reverse=order)
        assert head.get_attribute("aria-sort") == direction
    page.locator("#figure-days thead button").first.click()
    assert [row[0] for row in rows(page, "days")] == [f"2026-11-{day}" for day in range(16, 24)]


def test_the_chooser_switches_chart_and_table(opened, figures):
    page = opened(figures)
    chart = "document.querySelector('.chart[data-figure=breakdowns]').innerText"
    before = page.evaluate(chart)
    page.locator('select[data-figure="breakdowns"]').select_option(label="channel")
    page.wait_for_function(
        "text => document.querySelector('.chart[data-figure=breakdowns]').innerText !== text", arg=before
    )
    choice = list(figures.breakdowns).index("channel")
    assert {"앱", "전화"} <= {row[0] for row in rows(page, "breakdowns", choice)}
    hidden = page.eval_on_selector_all('.choice[data-figure="breakdowns"]', "all => all.map(one => one.hidden)")
    assert hidden == [i != choice for i in range(len(hidden))]


def test_dates_are_dates_and_the_axis_ends_with_the_last_day(opened, figures):
    page = opened(figures, "ko", viewport={"width": 1280, "height": 900})
    chart = page.locator(".chart[data-figure=days]")
    chart.locator(".mark-rect path").last.hover()
    assert page.locator("#vg-tooltip-element td.value").first.inner_text() == "2026-11-23 (월)"
    axis = ".chart[data-figure=days] .role-axis-label text"
    days = page.eval_on_selector_all(axis, "all => all.map(one => one.textContent).filter(one => one.includes('-'))")
    assert days[0] == "11-16"
    assert days[-1] == "11-23"


def test_the_hours_begin_with_the_most_frequent_negative_emotion(opened, figures):
    page = opened(figures)
    counts = {row["emotion"]: row["rows"] for row in figures.emotions}
    most = max(figures.meaning["negative"], key=lambda label: counts.get(label, 0))
    assert most in page.locator("select[data-figure=clock] option").first.inner_text()


def test_the_heads_of_a_matrix_stand_upright_side_by_side_on_a_phone(opened, figures):
    page = opened(figures, viewport={"width": 400, "height": 800})
    heads = ".chart[data-figure=transitions] .role-axis-label >> nth=0 >> text"
    boxes = sorted(
        (box["x"], box["x"] + box["width"]) for box in (one.bounding_box() for one in page.locator(heads).all())
    )
    assert len(boxes) == len(figures.labels)
    assert all(left[1] <= right[0] for left, right in itertools.pairwise(boxes))
    assert page.locator(".chart[data-figure=transitions] text[transform*='rotate(-90)']").count() == 0


def test_a_folded_conversation_shows_its_last_text(opened, figures):
    page = opened(figures)
    last = next(one["text"] for one in figures.to_look_at[0]["utterances"] if one["is_last"])
    assert page.locator(".talk .said-last").first.inner_text() == visible(last)
    headings = page.locator("h2").all_text_contents()
    assert headings.index("Over time") < headings.index("Conversations to look at")


def test_a_table_is_saved_as_csv_without_formulas(opened, figures):
    page = opened(figures)
    choice = list(figures.breakdowns).index("channel")
    page.locator('select[data-figure="breakdowns"]').select_option(str(choice))
    page.locator("#figure-breakdowns summary").click()
    with page.expect_download() as download:
        page.locator(f'.choice[data-figure="breakdowns"][data-choice="{choice}"] button.csv').click()
    text = download.value.path().read_text(encoding="utf-8-sig")
    lines = list(csv.reader(io.StringIO(text)))
    assert lines[0][:2] == ["channel", "utterances"]
    values = {line[0]: line[1:] for line in lines[1:]}
    assert f"'{HOSTILE[4]}" in values
    app = [row for row in figures.breakdowns["channel"] if row["value"] == "앱"]
    assert float(values["앱"][0]) == sum(row["rows"] for row in app)
    assert sum(map(float, values["앱"][1:])) == pytest.approx(1)


def test_hostile_text_stays_text(opened, figures):
    page = opened(figures)
    page.locator(".talk summary").first.click()
    shown = page.locator(".talk").first.locator(".text").all_text_contents()
    assert shown[1] == HOSTILE[0]
    assert shown[2] == HOSTILE[1]
    assert shown[4] == HOSTILE[3].replace("\x1b", "�")
    assert shown[6] == HOSTILE[5].replace("\u202e", "�").replace("\u202c", "�")
    assert page.evaluate("window.hacked") is None
    assert page.messages == []
    assert page.locator("img, b, iframe, object").count() == 0


@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_the_screen(opened, figures, width):
    page = opened(figures, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_supports_light_dark_and_print(opened, figures):
    page = opened(figures, color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.emulate_media(color_scheme="light")
    assert page.evaluate(background) == "rgb(255, 255, 255)" != dark
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(background) == "rgb(255, 255, 255)"


def test_an_archive_without_times_and_conversations_has_no_empty_sections(opened, tmp_path):
    bare = make_figures(
        open_labelled(write_archive(tmp_path / "bare", [utterance("기쁨", text="좋아요"), utterance("분노")]))
    )
    page = opened(bare)
    assert page.locator("h2").all_text_contents() == [
        "All utterances", "Confidence and text length", "Typical and uncertain utterances", "Data and model",
    ]  # fmt: skip
    assert page.locator("#to-look-at").count() == 0
    assert page.messages == []


@pytest.mark.parametrize(
    ("step", "title", "period"),
    [(2, "Emotions by week", lambda day: day.isocalendar()[:2]), (40, "Emotions by month", lambda day: str(day)[:7])],
)
def test_a_chart_of_many_days_is_grouped_by_week_or_month(opened, tmp_path, step, title, period):
    days = [datetime.date(2020, 1, 1) + datetime.timedelta(days=step * i) for i in range(300)]
    utterances = [utterance("기쁨", sent_at=str(day)) for day in days] + [utterance("분노", sent_at="2020-01-01")]
    page = opened(make_figures(open_labelled(write_archive(tmp_path / "long", utterances))))
    assert page.locator("#figure-days h3").inner_text() == title
    shown = rows(page, "days")
    assert len(shown) == len({period(day) for day in days})
    assert sum(int(row[1].replace(",", "")) for row in shown) == 301
    assert page.locator("#figure-clock").count() == 0  # the times have no hours

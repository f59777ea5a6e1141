"""Figures of archives whose rows can carry several labels: shares of the labelled rows, counted in Python."""

import collections
import datetime
import random

import pyarrow as pa
import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.report.figures import ReportOptions, make_figures
from emojob.pipeline.warehouse.aggregates import AGGREGATES, rows_of, store
from emojob.pipeline.warehouse.database import open_database
from emojob.pipeline.warehouse.query import open_session
from emojob.schemas.columns import LabelColumns
from tests.archives import write_part, write_run

LABELS = ("불평/불만", "고마움", "기쁨", "it's sad")
START = datetime.datetime(2026, 11, 2, 9, 30)


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    """999 random rows of conversations. Some carry no label, and some have no text."""
    chance = random.Random(3)
    rows = []
    for number in range(999):
        has_text = chance.random() < 0.95
        probabilities = [chance.random() for _ in LABELS] if has_text else None
        order = sorted(range(len(LABELS)), key=lambda label: -probabilities[label]) if has_text else []
        rows.append(
            {
                "text": f"그랬어요 {number}" if has_text else None,
                "conversation_id": f"c{number // 7}",
                "sent_at": START + datetime.timedelta(hours=number),
                "channel": chance.choice(["앱", "전화", None]),
                "probabilities": probabilities,
                "carried": [LABELS[label] for label in order if probabilities[label] >= 0.6] if has_text else None,
                "best": LABELS[order[0]] if has_text else None,
            }
        )
    return rows


@pytest.fixture(scope="module")
def archive(tmp_path_factory, rows):
    columns = LabelColumns(LABELS, is_multi=True)
    values = {
        columns.label: [row["best"] for row in rows],
        columns.confidence: [max(row["probabilities"]) if row["probabilities"] else None for row in rows],
        columns.status: ["scored" if row["text"] else "empty" for row in rows],
        columns.label_set: [row["carried"] for row in rows],
        **{
            name: [row["probabilities"][label] if row["probabilities"] else None for row in rows]
            for label, name in enumerate(columns.probabilities)
        },
    }
    given = {name: pa.array([row[name] for row in rows]) for name in ("text", "conversation_id", "sent_at", "channel")}
    added = {field.name: pa.array(values[field.name], field.type) for field in columns.fields()}
    out = tmp_path_factory.mktemp("archive") / "out"
    write_part(out, pa.table({**given, **added}))
    return open_labelled(write_run(out))


def carried_of(rows):
    return collections.Counter(label for row in rows for label in row["carried"] or ())


def test_shares_are_those_of_the_rows_that_carry_a_label(archive, rows):
    labelled = [row for row in rows if row["text"]]
    with open_database(archive) as db:
        for name in ("hours", "label_hours"):
            store(db, name)
        emotions = {row["emotion"]: row for row in rows_of(db, "emotions")}
        days, hours, weeks = (rows_of(db, name) for name in ("days", "hours_of_day", "hours_of_week"))
    assert {label: row["rows"] for label, row in emotions.items()} == carried_of(rows)
    for label, row in emotions.items():
        assert (row["labelled"], row["share"]) == (len(labelled), pytest.approx(row["rows"] / len(labelled)))
        own = [one["probabilities"][LABELS.index(label)] for one in labelled if label in one["carried"]]
        assert row["mean_confidence"] == pytest.approx(sum(own) / len(own), abs=1e-6)
    assert sum(row["share"] for row in emotions.values()) > 1
    for found, key in (
        (days, lambda row: (row["sent_at"].date(),)),
        (hours, lambda row: (row["sent_at"].hour,)),
        (weeks, lambda row: (row["sent_at"].isoweekday(), row["sent_at"].hour)),
    ):
        groups = collections.defaultdict(list)
        for row in labelled:
            groups[key(row)].append(row)
        expected = {
            (*group, label): (count, pytest.approx(count / len(members)), len(members))
            for group, members in groups.items()
            for label, count in carried_of(members).items()
        }
        names = [name for name in found[0] if name in ("day", "weekday", "hour_of_day")]
        got = {
            (*(row[name] for name in names), row["emotion"]): (row["rows"], row["share"], row["labelled"])
            for row in found
        }
        assert got == expected


def test_the_report_counts_the_labels_of_each_value_and_its_intervals_hold_the_shares(archive, rows):
    figures = make_figures(archive, ReportOptions())
    assert figures.has_label_sets
    made = {(row["value"], row["emotion"]): row for row in figures.breakdowns["channel"]}
    for value in ("앱", "전화", None):
        members = [row for row in rows if row["text"] and row["channel"] == value]
        for label, count in carried_of(members).items():
            row = made[value or "", label]
            assert (row["rows"], row["labelled"]) == (count, len(members))
            assert row["share"] == pytest.approx(count / len(members))
            assert 0 <= row["low"] < row["share"] < row["high"] <= 1
    assert all(
        row["low"] < row["share"] < row["high"] for row in (*figures.emotions, *figures.days) if row["share"] < 1
    )
    last = max(row["sent_at"].date() for row in rows)
    members = [row for row in rows if row["text"] and row["sent_at"].date() == last]
    assert (figures.latest["day"], figures.latest["rows"]) == (last, len(members))
    for row in figures.latest["emotions"]:
        assert row["share"] == pytest.approx(carried_of(members)[row["emotion"]] / len(members))
    assert set(figures.design_effects) == set(LABELS)
    assert all(1 <= effect < 2 for effect in figures.design_effects.values())


def test_each_aggregate_can_be_queried_and_the_labels_unnest(archive, rows):
    with open_session(archive) as session:
        for name in AGGREGATES:
            list(session.query(f"FROM {name}").batches)
        query = "SELECT label, count(*) FROM (SELECT unnest(emotions) AS label FROM labelled) GROUP BY ALL"
        found = dict(session.relation(query).fetchall())
    assert found == carried_of(rows)

"""Makes delimited files in known dialects, from a seed, with the rows that a reader must find in them."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

Row = tuple[str, ...]

HEADERS = (("id", "text"), ("id", "text", "speaker"), ("번호", "상담내용", "등록일"), ("id", "document", "label"),
           ("conversation_id", "speaker", "message", "created_at"))  # fmt: skip
WORDS = [
    "오늘", "정말", "고마웠어요", "배송이", "또", "늦어서", "화가", "납니다", "네", "좋아요", "환불해", "주세요",
    "ㅠㅠ",
    "감사합니다!", "it's", "3.5", "OK", '"명작"', '최고"', '"최고', "'인생'", "뷁", "(웃음)", "a:b",
]  # fmt: skip
ENCODINGS = ("utf-8", "utf-8", "utf-8-sig", "cp949", "utf-16", "utf-16-le", "utf-16-be")


@dataclass
class Made:
    """A file and what is in it.

    Attributes:
        name: Name of the file.
        content: The bytes.
        header: Names of the columns.
        rows: The rows, in order, as the writer was given them.
        faults: {number of a faulty row in `rows`: its cells if quotes are ordinary characters, or None}.
        is_exact: Whether each row without a fault must be read, and not rejected.
        has_header_again: Whether the header occurs again between the rows.
        about: The dialect, for messages.
    """

    name: str
    content: bytes
    header: Row
    rows: list[Row]
    faults: dict[int, Row | None] = field(default_factory=dict)
    is_exact: bool = True
    has_header_again: bool = False
    about: str = ""


def make(seed: int) -> Made:
    """Return the file of a seed."""
    chosen = random.Random(seed)
    header = chosen.choice(HEADERS)
    delimiter = chosen.choice(",,,,\t\t\t;;|^\x01")
    kind = chosen.choice(["plain", "plain", "plain", "all", "backslash", "spark", "single", "none", "none escaped"])
    end = chosen.choice(["\n", "\n", "\r\n", "\r", "\r\r\n"])
    has_lines = kind not in ("none", "none escaped") and end != "\r" and chosen.random() < 0.4
    number = chosen.randrange(4, 30)
    rows = [_row(chosen, header, one, delimiter, kind, has_lines) for one in range(number)]
    lines = _written([header, *rows], delimiter, kind, end)
    faults: dict[int, Row | None] = {}
    if chosen.random() < 0.4:
        _break(chosen, rows, lines, faults, delimiter, kind, end)
    again = chosen.random() < 0.1
    if again:
        lines.insert(chosen.randrange(2, len(lines)), lines[0])
    about = f"{kind}, delimiter {delimiter!r}, line end {end!r}"
    if chosen.random() < 0.15:
        lines = [line.removesuffix(end) + delimiter * 2 + end for line in lines]
        about += ", trailing delimiters"
    if chosen.random() < 0.15:
        title = ["상담 이력 조회" + chosen.choice(["", delimiter * (len(header) - 1)]) + end]
        lines = [*title, chosen.choice(["기간: 2026-11-01 ~ 2026-11-20" + end, ""]), chosen.choice(["", end]), *lines]
        about += ", title"
    elif delimiter != "\x01" and chosen.random() < 0.05:
        lines.insert(0, f"sep={delimiter}{end}")
        about += ", sep="
    content = "".join(lines)
    content = content.removesuffix(end) if chosen.random() < 0.3 else content
    # nothing tells that a lone " is not a quote
    is_exact = not faults and kind not in ("none", "single")
    encoding = chosen.choice(ENCODINGS)
    ending = {"\t": chosen.choice(["tsv", "tsv", "txt", "csv"]), ",": "csv"}.get(
        delimiter, chosen.choice(["csv", "txt"])
    )
    return Made(
        f"made.{ending}", content.encode(encoding), header, rows, faults, is_exact, again, f"{about}, {encoding}"
    )


def _row(chosen: random.Random, header: Row, number: int, delimiter: str, kind: str, has_lines: bool) -> Row:
    cells = []
    for name in header:
        if name in ("id", "번호", "conversation_id"):
            cells.append(str(1000 + number))
        elif name in ("text", "상담내용", "document", "message"):
            cells.append(_text(chosen, delimiter, kind, has_lines))
        else:
            cells.append(
                chosen.choice(
                    {"등록일": ["2026-11-01"], "created_at": ["2026-11-01 10:00"], "label": ["0", "1"]}.get(
                        name, ["고객", "상담사"]
                    )
                )
            )
    return tuple(cells)


def _text(chosen: random.Random, delimiter: str, kind: str, has_lines: bool) -> str:
    words = [chosen.choice(WORDS) for _ in range(chosen.randrange(1, 7))]
    if chosen.random() < 0.05:
        return ""
    text = " ".join(words)
    if kind != "none" and chosen.random() < 0.3:
        text = text.replace(" ", chosen.choice([f"{delimiter} ", delimiter, '" ']), 1)
    if has_lines and chosen.random() < 0.3:
        text = text.replace(" ", "\n", 1)
    if kind in ("none", "none escaped", "single") and text[:1] in "\"'" and text[:1] == text[-1:]:
        text += " 네"  # otherwise nothing tells that these quotes are not around the field
    if kind in ("backslash", "spark") and '"' in text and chosen.random() < 0.1:
        text += "\\"
    return text


def _written(rows: Sequence[Row], delimiter: str, kind: str, end: str) -> list[str]:
    """Return the rows as text, one for each row."""
    if kind == "spark":
        return [delimiter.join(_of_spark(cell, delimiter) for cell in row) + end for row in rows]
    options: dict[str, object] = {
        "plain": {}, "all": {"quoting": csv.QUOTE_ALL}, "single": {"quotechar": "'"},
        "backslash": {"doublequote": False, "escapechar": "\\"},
        "none": {"quoting": csv.QUOTE_NONE, "quotechar": None},
        "none escaped": {"quoting": csv.QUOTE_NONE, "escapechar": "\\"},
    }[kind]  # fmt: skip
    lines = []
    for row in rows:
        line = io.StringIO(newline="")
        csv.writer(line, delimiter=delimiter, lineterminator=end, **options).writerow(row)  # type: ignore[arg-type]
        lines.append(line.getvalue())
    return lines


def _of_spark(cell: str, delimiter: str) -> str:
    if not any(one in cell for one in (delimiter, '"', "\n", "\r")):
        return cell
    return '"' + cell.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _break(
    chosen: random.Random,
    rows: list[Row],
    lines: list[str],
    faults: dict[int, Row | None],
    delimiter: str,
    kind: str,
    end: str,
) -> None:
    """Add a fault to a row: a field too many, a field too few, or a quote that never closes."""
    at = chosen.randrange(len(rows))
    how = chosen.choice(["more", "fewer", *([] if kind == "none escaped" else ["quote"])])
    plain = [cell.replace(delimiter, "").replace('"', "").replace("\n", "").replace("\\", "") for cell in rows[at]]
    plain = [cell.replace("'", "") for cell in plain]
    text = next(number for number, name in enumerate(plain) if number)
    faults[at] = None
    if how == "more":
        plain.append("x")
    elif how == "fewer":
        plain.pop()
    else:
        plain[text] = ("'" if kind == "single" else '"') + (plain[text] or "말")
        faults[at] = tuple(plain)
    lines[at + 1] = delimiter.join(plain) + end

"""Writes small Excel workbooks for tests."""

import zipfile
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


class Xml(NamedTuple):
    """A cell as XML: its attributes, and what it contains."""

    attributes: str
    inside: str


def cell(column: int, row: int, value: object) -> str:
    reference = f"{chr(ord('A') + column)}{row}"
    if isinstance(value, str):
        return f'<c r="{reference}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    if isinstance(value, Xml):
        return f'<c r="{reference}" {value.attributes}>{value.inside}</c>'
    return "" if value is None else f'<c r="{reference}"><v>{value}</v></c>'


def write_xlsx(file: Path, sheets: dict[str, list[list[object]]], more: str = "") -> Path:
    """Write a minimal workbook. more: XML after the rows of each sheet."""
    names = "".join(f'<sheet name="{name}" sheetId="{i}" r:id="r{i}"/>' for i, name in enumerate(sheets, 1))
    relations = "".join(
        f'<Relationship Id="r{i}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{i}.xml"/>'
        for i in range(1, len(sheets) + 1)
    )
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{_PACKAGE}"><Relationship Id="r" Type="{_OFFICE}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        packed.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{names}</sheets></workbook>'
        )
        packed.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{_PACKAGE}">{relations}</Relationships>')
        for i, rows in enumerate(sheets.values(), 1):
            lines = "".join(
                f'<row r="{row}">{"".join(cell(column, row, value) for column, value in enumerate(values))}</row>'
                for row, values in enumerate(rows, 1)
            )
            packed.writestr(
                f"xl/worksheets/sheet{i}.xml",
                f'<worksheet xmlns="{_MAIN}"><sheetData>{lines}{more}</sheetData></worksheet>',
            )
    return file

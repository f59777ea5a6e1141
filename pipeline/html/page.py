"""Renders HTML pages. A page is a single file, which contains all styles, scripts and charts.

Charts are Vega-Lite specifications. The Vega libraries are also in the page, and draw the charts in the browser. The
Content-Security-Policy of a page blocks network requests, injected scripts and `eval`. HTML pages and PNG charts need
the optional packages of `emojob[report]`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import unicodedata
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from emojob.pipeline.html.libraries import vega_libraries
from emojob.pipeline.system.hardware import is_installed
from emojob.schemas.errors import OptionError

#: Packages for HTML pages and PNG charts, as {module to import: package to install}.
_NEEDED = {"altair": "altair", "jinja2": "jinja2", "vl_convert": "vl-convert-python"}

FONTS = "system-ui, 'Noto Sans KR', 'Noto Sans CJK KR', 'Apple SD Gothic Neo', 'Malgun Gothic', sans-serif"

_LEFT = -30  # horizontal place of the title of a vertical axis, in pixels from the axis

Spec = dict[str, Any]


@dataclass(frozen=True)
class Palette:
    """Colours, width and font of a chart. Colours are written as in CSS, for example "#1d2433".

    Attributes:
        ink: Colour of text.
        faint: Colour of the grid lines and the axes.
        first: Colour of the first data series.
        second: Colour of the second data series.
        on_first: Colour of text on the colour `first`.
        width: Width of the chart in pixels. If None, the chart is as wide as the page.
        font: Value of the CSS property `font-family`.
    """

    ink: str
    faint: str
    first: str
    second: str
    on_first: str
    width: int | None
    font: str


#: Palette of charts in HTML pages. page.css defines the colours for light mode, dark mode and print.
PAGE = Palette("var(--ink)", "var(--faint)", "var(--first)", "var(--second)", "var(--on-first)", None, FONTS)
#: Palette of PNG charts.
PICTURE = Palette("#1d2433", "#d5dae3", "#2563a8", "#c2571a", "#ffffff", 420, "sans-serif")


def check_drawable() -> None:
    """Raise OptionError if a package for HTML pages or PNG charts is missing."""
    missing = [package for module, package in _NEEDED.items() if not is_installed(module)]
    if missing:
        raise OptionError(
            f"cannot make HTML pages and charts, because packages are missing ({', '.join(missing)}): run pip install "
            "'emojob[report]'"
        )


def render(template: str, script: str, style: str, charts: dict[str, Any], **values: Any) -> bytes:
    """Return a complete HTML page in UTF-8.

    Args:
        template: Jinja2 template of the page. The variables are `policy`, `style`, `charts`, `script` and the names in
            `values`.
        script: JavaScript of the page. page.js, the common JavaScript of all pages, runs first.
        style: CSS of the page.
        charts: {name: JSON value, for example a list of Vega-Lite specifications}. In JavaScript, the variable `given`
            contains this dict.
        values: More variables of the template. Jinja2 escapes the values.
    """
    import jinja2
    from markupsafe import Markup

    # escape <, because `</script>` in a label would end the script
    specs = json.dumps(charts, ensure_ascii=False).replace("<", "\\u003c")
    script = "\n".join([vega_libraries(), _file("page.js"), script]).replace("</script", "<\\/script")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    page = environment.from_string(template).render(
        policy=(
            f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
            "base-uri 'none'; form-action 'none'"
        ),
        style=Markup(style),  # noqa: S704 - a file of this package
        charts=Markup(specs),  # noqa: S704 - JSON without a <
        script=Markup(script),  # noqa: S704 - Vega's and this package's
        **values,
    )
    return page.encode("utf-8")


def visible(text: str) -> str:
    """Replace invisible characters, for example control characters and lone surrogates, with �."""
    invisible = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    return "".join("�" if unicodedata.category(c) in invisible else c for c in text)


def to_spec(chart: Any, description: str, palette: Palette, height: int = 240) -> Spec:
    """Return the Vega-Lite specification of an Altair chart, with size, colours and a text for screen readers.

    Args:
        chart: Altair chart.
        description: Text for screen readers. A PNG chart shows the part before the first ":" as title.
        palette: `PAGE` or `PICTURE`.
        height: Height of the chart in pixels.
    """
    import altair as alt

    title = {} if palette.width is None else {"title": description.split(":")[0]}
    fit = alt.AutoSizeParams(type="fit-x", contains="padding")
    spec: Spec = (
        chart.properties(width=palette.width or "container", height=height, description=description, **title)
        .configure(background="transparent", font=palette.font, autosize=fit)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=palette.ink, titleColor=palette.ink, tickColor=palette.faint, domainColor=palette.faint,
            gridColor=palette.faint, labelFontSize=12, titleFontSize=12, titleFontWeight="normal", titlePadding=10,
        )
        # the title of a vertical axis stands above the axis, because Hangul is hard to read sideways
        .configure_axisLeft(
            titleAngle=0, titleAlign="left", titleAnchor="end", titleX=_LEFT, titleY=-12, titleBaseline="bottom"
        )
        .configure_legend(labelColor=palette.ink, titleColor=palette.ink, labelFontSize=12)
        .configure_title(color=palette.ink, fontSize=13, anchor="start")
        .to_dict()
    )  # fmt: skip
    if palette.width is not None:
        spec["config"].pop("autosize")
    return spec


def style_sheet(*more: str) -> str:
    """Return the common CSS of all pages (page.css), followed by the CSS in `more`."""
    return "\n".join([_file("page.css"), *more])


def _file(name: str) -> str:
    return (files("emojob.pipeline.html") / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return the hash of a script or style for the Content-Security-Policy (sha256-...)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

"""Renders self-contained HTML pages. The Content-Security-Policy of a page blocks the network and injected scripts.

A page contains its charts as Vega-Lite specifications. It also contains the Vega libraries, which draw the charts in
the browser. The libraries interpret the expressions in the charts, and never run expressions as JavaScript. HTML pages
and PNG charts need the optional packages of `emojob[report]`.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import unicodedata
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from emojob.pipeline.system.hardware import is_installed
from emojob.schemas.errors import OptionError

#: {module to import: package to install} of the packages that HTML pages and PNG charts need.
_NEEDED = {"altair": "altair", "jinja2": "jinja2", "vl_convert": "vl-convert-python"}

FONTS = "system-ui, 'Noto Sans KR', 'Noto Sans CJK KR', 'Apple SD Gothic Neo', 'Malgun Gothic', sans-serif"

Spec = dict[str, Any]


@dataclass(frozen=True)
class Palette:
    """Colours, width and font of a chart. Colours are CSS colours.

    Attributes:
        ink: Colour of text.
        faint: Colour of the grid lines and the axes.
        first: Colour of the first series.
        second: Colour of the second series.
        on_first: Colour of text on a background of the colour `first`.
        width: Width in pixels. If None, the chart is as wide as the page.
        font: Font families, as in the CSS property `font-family`.
    """

    ink: str
    faint: str
    first: str
    second: str
    on_first: str
    width: int | None
    font: str


#: Palette of charts in a page. page.css defines the colours for light mode, dark mode and print.
PAGE = Palette("var(--ink)", "var(--faint)", "var(--first)", "var(--second)", "var(--on-first)", None, FONTS)
#: Palette of PNG charts.
PICTURE = Palette("#1d2433", "#d5dae3", "#2563a8", "#c2571a", "#ffffff", 420, "sans-serif")


def check_drawable() -> None:
    """Check that the packages for HTML pages and PNG charts are installed. Raises OptionError."""
    missing = [package for module, package in _NEEDED.items() if not is_installed(module)]
    if missing:
        raise OptionError(
            f"cannot make HTML pages and charts, because packages are missing ({', '.join(missing)}): run pip install "
            "'emojob[report]'"
        )


def render(template: str, script: str, style: str, charts: dict[str, Any], **values: Any) -> bytes:
    """Return a complete HTML page in UTF-8.

    Args:
        template: Jinja2 template of the page. It can use the variables `policy`, `style`, `charts` and `script`, and
            each name in `values`. Jinja2 escapes `values`.
        script: JavaScript of this page. It is appended to page.js, which all pages share.
        style: CSS of the page.
        charts: {name: JSON value, such as a list of Vega-Lite specifications}. The script reads this dict from the
            JavaScript variable `given`.
        values: More template variables, as {name: value}.
    """
    import jinja2
    from markupsafe import Markup

    # escape <, because a label may contain `</script>`, which would end the script
    specs = json.dumps(charts, ensure_ascii=False).replace("<", "\\u003c")
    script = "\n".join([_libraries(), _file("page.js"), script]).replace("</script", "<\\/script")
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
    """Replace each invisible character of a text with �, for example control characters and lone surrogates."""
    invisible = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    return "".join("�" if unicodedata.category(c) in invisible else c for c in text)


def to_spec(chart: Any, description: str, palette: Palette, height: int = 240) -> Spec:
    """Return the Vega-Lite specification of an Altair chart, with size, colours and a text alternative.

    Args:
        chart: Altair chart.
        description: Text alternative for screen readers. The part before the first ":" is also the title of a PNG
            chart.
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
        .configure_legend(labelColor=palette.ink, titleColor=palette.ink, labelFontSize=12)
        .configure_title(color=palette.ink, fontSize=13, anchor="start")
        .to_dict()
    )  # fmt: skip
    if palette.width is not None:
        spec["config"].pop("autosize")
    return spec


def style_sheet(*more: str) -> str:
    """Return page.css, which all pages share, followed by the CSS in `more`."""
    return "\n".join([_file("page.css"), *more])


def _file(name: str) -> str:
    return (files("emojob.pipeline.html") / name).read_text(encoding="utf-8")


@functools.cache
def _libraries() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script. The first call takes one or two seconds."""
    import vl_convert

    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))


def _hash(text: str) -> str:
    """Return the hash of an inline script or style, such as sha256-..., for the Content-Security-Policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

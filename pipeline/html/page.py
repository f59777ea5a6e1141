"""Pages for a browser: one HTML file each that needs no network, and lets nothing run but its own script.

Charts are Vega-Lite, drawn by the libraries that vl-convert brings along; their expressions are interpreted, never
evaluated as code. Pages and pictures need the extra `report`.
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

#: What draws the charts, by the name it is imported and the name it is installed by.
_NEEDED = {"altair": "altair", "jinja2": "jinja2", "vl_convert": "vl-convert-python"}

FONTS = "system-ui, 'Noto Sans KR', 'Noto Sans CJK KR', 'Apple SD Gothic Neo', 'Malgun Gothic', sans-serif"

Spec = dict[str, Any]


@dataclass(frozen=True)
class Palette:
    """Colours, and the size of one chart. width: pixels, or None for that of the page."""

    ink: str
    faint: str
    first: str
    second: str
    on_first: str
    width: int | None
    font: str


#: In a page the colours come from its style sheet, which knows light, dark and paper.
PAGE = Palette("var(--ink)", "var(--faint)", "var(--first)", "var(--second)", "var(--on-first)", None, FONTS)
PICTURE = Palette("#1d2433", "#d5dae3", "#2563a8", "#c2571a", "#ffffff", 420, "sans-serif")


def check_drawable() -> None:
    """Raise OptionError where a package that draws pages and pictures is not installed."""
    missing = [package for module, package in _NEEDED.items() if not is_installed(module)]
    if missing:
        raise OptionError(
            f"pages and pictures need {' and '.join(missing)}, not installed here: pip install 'emojob[report]'"
        )


def render(template: str, script: str, style: str, charts: dict[str, Any], **values: Any) -> bytes:
    """A whole page. template: Jinja2, in which everything is escaped; script: of this page, behind
    what page.js gives to all; charts: what it draws, as JSON (`given` in the script).

    The template gets `policy`, `style`, `charts` and `script` for their places, and the `values`.
    """
    import jinja2
    from markupsafe import Markup

    # `</script>` must not stand in a script, whatever the labels are
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
    """`text` with characters that only steer (control, bidi overrides, lone surrogates) shown as �."""
    steering = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    return "".join("�" if unicodedata.category(c) in steering else c for c in text)


def to_spec(chart: Any, description: str, palette: Palette, height: int = 240) -> Spec:
    """An Altair chart's size, colours and words for those who do not see it; as Vega-Lite. height: pixels."""
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
    """What every page looks like, and the style of one page behind it."""
    return "\n".join([_file("page.css"), *more])


def _file(name: str) -> str:
    return (files("emojob.pipeline.html") / name).read_text(encoding="utf-8")


@functools.cache
def _libraries() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script. Putting it together takes a second or two."""
    import vl_convert

    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

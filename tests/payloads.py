"""Texts that attack what shows them: terminals, pages, spreadsheets, logs, SQL, file names."""

import unicodedata

ESC = "\x1b"

TERMINAL = (
    f"{ESC}[2J{ESC}[H비었다",  # clears the screen
    f"{ESC}]0;owned{ESC}\\",  # sets the title; two ways to end
    f"{ESC}]2;owned\x07",
    f"{ESC}]8;;http://evil.example{ESC}\\여기{ESC}]8;;{ESC}\\",  # a link to another address than it shows
    f"{ESC}]52;c;b3duZWQ={ESC}\\",  # writes the clipboard
    f'{ESC}P$q"p{ESC}\\',  # makes the terminal send a response
    f"{ESC}[6n{ESC}[c{ESC}[5n",
    f"{ESC}[?1049h{ESC}[?25l{ESC}[8m",  # another screen, no cursor, hidden letters
    f"{ESC}c{ESC}#8{ESC}(0",  # reset, alignment test, line drawing
    "\x9b2J\x9d0;owned\x9c",  # the same as single characters (C1)
    "줄\r덮어쓰기\x08\x08\x08지움\x7f",
    "\x07\x07\x0e\x0f\x05",
    "앞\u202e뒤집힌\u202c뒤 \u2066고립\u2069 \u200f",
    "[bold red]빨강[/bold red] [link=http://evil.example]여기[/link] [/]",
    "긴" * 5_000,
    "ᄀ" * 300 + "\u0301" * 300,  # combining marks that pile up on one letter
    "😀👨‍👩‍👧‍👦\u200d\ufe0f",
)

PAGE = (
    "<script>window.hacked = 1</script>",
    '</script><img src=x onerror="window.hacked = 1">',
    "'\"><svg/onload=window.hacked=1>",
    "</textarea></title></style><iframe srcdoc='<script>parent.hacked=1</script>'>",
    "javascript:window.hacked=1",
    "{{ 7 * 7 }}{% for x in ().__class__.__base__.__subclasses__() %}{% endfor %}${7*7}#{7*7}",
    "]]></script><!--<script>",
    "\u2028\u2029window.hacked=1//",
    "datum['x'] = window.hacked = 1; datum.toString()",
    '{"$schema": "x", "signal": "window.hacked = 1", "href": "javascript:window.hacked=1"}',
    "&lt;script&gt;window.hacked = 1&lt;/script&gt;",
    "<base href=//evil.example><link rel=stylesheet href=//evil.example/x.css><meta http-equiv=refresh content=0>",
    "@import url(//evil.example/x.css); body{background:url(//evil.example/x)}",
)

SHEET = (
    "=1+1", "+1+1", "-1+1", "@SUM(1)", "=HYPERLINK(\"http://evil.example\")", "=cmd|'/c calc'!A0", "\t=1+1", "\r=1+1",
    "＝1+1", "=1+1\",\"=2+2", " =1+1", "'=1+1",
)  # fmt: skip

QUERY = (
    "'; DROP VIEW labelled; --", '"; COPY labelled TO \'/tmp/x\'; --', "\\'; ATTACH 'x'; --", "$$; SELECT 1; $$",
    "%s %d {0} {x!r}", "emotion\" FROM labelled; --",
)  # fmt: skip

LINES = (
    "한 줄\nemojob: 거짓 오류",
    '줄\r\n{"event": "summary"}',
    "줄\x0b\x0c\x85\u2028\u2029끝",
    '"}\n{"day": "2026-01-01", "failed": {}}',
)

NAMES = (
    "../../etc/passwd", "a b'c\"d", unicodedata.normalize("NFD", "한글 이름"), "-rf", "$(touch x)`id`",
    "new\nline", f"esc{ESC}[31m", "\u202eexe.txt", "emoji😀", "%2e%2e%2f", "CON", "x" * 200, "[red]",
)  # fmt: skip

ALL = (*TERMINAL, *PAGE, *SHEET, *QUERY, *LINES, *NAMES)

"""Reports: one HTML page to save or print, made on the server; here that of maintenance
(records.md, Logs), and what it shares with that of commissioning (`handover.py`).

It stands alone: its style is in it, allowed by its hash, and nothing else is asked for, from
anywhere. Whatever a person or a charger has written is text there, and nothing but text.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import trio
from starlette.responses import Response

from linkray.kit.clock import zone_named
from linkray.kit.log import plain
from linkray.model.faults import Alert, Fault
from linkray.model.units import Phases, amps
from linkray.model.views import Report

from .ports import Call
from .words import ENGLISH, Words, wanted, words_of

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATES = "templates"
STYLE = files("linkray.faces.web").joinpath(TEMPLATES, "report.css").read_text("utf-8")
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
CSP = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


async def printed(call: Call, make: Callable[[Words], str]) -> Response:
    """A report in the language of whoever asks, made in a thread: others are served meanwhile."""

    def made() -> bytes:
        asked, accepted = call.query.get("lang", ""), call.headers.get("accept-language", "")
        return make(words_of(wanted(asked, accepted))).encode()

    headers = {"cache-control": "no-store", "content-security-policy": CSP}
    content = await trio.to_thread.run_sync(made)
    return Response(content, 200, headers, "text/html; charset=utf-8")


def page(told: Report, t: Words = ENGLISH) -> str:
    """The whole page in that language; times are the site's."""
    shot = told.snapshot
    return rendered(
        "report.html", told, t, lasted=_lasted, size=_size, link=lambda state: t(_link(state)),
        uplinks={one.charger: one for one in shot.uplinks}, seen=_seen,
    )  # fmt: skip


def rendered(template: str, told: Report, t: Words, **more: object) -> str:
    """A template with what every report has: figures and times as that language writes them."""
    site = told.snapshot.site
    zone = zone_named(site.time_zone) or UTC

    def local(utc: str | None) -> str:
        if not utc:
            return "–"
        return f"{datetime.fromisoformat(utc).astimezone(zone):%Y-%m-%d %H:%M}"

    names = {one.id: one.name for one in told.snapshot.chargers}
    return _template(template).render(
        told=told, shot=told.snapshot, site=site, style=STYLE, names=names, local=local, t=t,
        amps=lambda ma: t.figure(_phases(ma)), one_amps=lambda ma: t.figure(amps(ma)),
        duration=duration, fault=lambda one: _fault(one, names, t),
        modem=lambda said: _modem(said, t), **more,
    )  # fmt: skip


@cache
def _template(name: str) -> Template:
    """Read and compiled once; jinja2 is only loaded by whoever wants a report."""
    from jinja2 import Environment, StrictUndefined  # 0.1 s on the board

    made = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        finalize=_one_line,
    )  # fmt: skip
    return made.from_string(
        files("linkray.faces.web").joinpath(TEMPLATES, name).read_text("utf-8")
    )


def _one_line(value: object) -> object:
    """A name is one line: neither a second one nor a letter that turns the others round."""
    is_text = isinstance(value, str) and not hasattr(value, "__html__")
    return plain(value) if is_text else value


def duration(s: int) -> str:
    """`95` → `95 s`; from two minutes on in minutes, hours and days."""
    if s < 120:
        return f"{s} s"
    days, hours, minutes = s // 86_400, s // 3_600 % 24, s // 60 % 60
    words = [f"{days} d"] * (days > 0) + [f"{hours} h"] * (days + hours > 0)
    return " ".join([*words, f"{minutes} min"] if not days else words)


def _lasted(one: Alert, made: str) -> str:
    ends = datetime.fromisoformat(one.cleared or made)
    return duration(max(0, int((ends - datetime.fromisoformat(one.since)).total_seconds())))


def _seen(one: Alert, names: Mapping[str, str]) -> str:
    """The charger that a fault is about, as people call it."""
    if one.subject is None:
        return ""
    name = names.get(one.subject, "")
    return f"{name} ({one.subject})" if name else one.subject


def _fault(one: Fault | Alert, names: Mapping[str, str], t: Words) -> str:
    """What the pages say of a fault; in English its own words, with the charger's identity."""
    if t.language == "en":
        return one.text
    subject = names.get(one.subject or "") or one.subject
    text = t.of(f"fault.{one.code}", one.text, subject=subject)
    detail = t.said(one.detail)
    return t.of("fault.detail", f"{text} ({detail})", text=text, detail=detail) if detail else text


def _modem(said: str, t: Words) -> str:
    """`SIM absent, not registered`, as control says it."""
    sim, _, state = said.removeprefix("SIM ").partition(", ")
    return f"SIM {t(sim)}, {t(state)}"


def _phases(ma: Phases | None) -> str:
    return "–" if ma is None else " / ".join(map(amps, ma))


def _size(count: int) -> str:
    """Bytes as people read them."""
    for unit, limit in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= limit:
            return f"{count / limit:.1f} {unit}"
    return f"{count} B"


def _link(state: str) -> str:
    words = {"off": "none", "away": "not connected", "waits": "not accepted",
             "behind": "catching up", "live": "connected"}  # fmt: skip
    return words.get(state, state)

"""The commissioning report: all that is handed over, in either language, and as text alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.faces.browser import Box
from tests.unit.faces.test_web_upkeep import HOSTILE, words

from linkray.desk.commission import check
from linkray.desk.snapshot import Seen
from linkray.faces.web import report
from linkray.faces.web.guard import CSP
from linkray.faces.web.handover import STATES, STEP_NAMES, Handover, page
from linkray.faces.web.words import ENGLISH, Words, wanted, words_of
from linkray.model.faults import Code, Fault
from linkray.model.settings import (
    Access,
    Charger,
    Csms,
    Exclusion,
    Group,
    LimitPhases,
    MeterSettings,
    Settings,
    Site,
)
from linkray.model.units import Phases
from linkray.model.views import (
    STEPS,
    CeilingView,
    ChargerView,
    CommissioningWalk,
    ConnectorView,
    LicenceView,
    MeterView,
    PassportLine,
    StepEnded,
    TagsRead,
)

SOURCES = Path(__file__).parents[3] / "firmware/linkray/faces/web"
AT = "2026-11-21T07:58:00.000Z"


def settings(name: str = "Yard 9", *, group: str = "Level 2") -> Settings:
    return Settings(
        site=Site(
            name=name, time_zone="Europe/Berlin", limit_ma=LimitPhases(63_000, 63_000, 63_000),
            base_load_ma=LimitPhases(5_000, 5_000, 5_000),
            meter=MeterSettings(enabled=True, degraded_ma=LimitPhases(16_500, 16_500, 16_500)),
        ),
        groups=(Group("Hall", 50_000), Group(group, 32_000, parent="Hall")),
        chargers=(
            Charger("CP1", name=name, phases=3, connection="L2-L3-L1", max_ma=16_000, group=group),
            Charger("CP2", phases=1, connection="L2", unit="W", max_w=7_400, min_w=1_400),
        ),
        csms=Csms(url="wss://csms.example"), access=Access(whitelist=True),
        schedule=(Exclusion(("Mon", "Sun"), "17:00", "19:30"),),
    )  # fmt: skip


def seen_of(chosen: Settings, name: str = "Acme") -> Seen:
    return Seen(
        settings=chosen, serial="LR1", version="1.2.3", csms="connected", ocpp_port=8887,
        ocpps_port=8888, licences_total=8,
        chargers=(
            ChargerView(
                "CP1", connected=True, vendor=name, model="M1", firmware="1.7", serial="S1",
                connectors=(ConnectorView(1), ConnectorView(2)), quirk="acme",
                passport=(PassportLine("lease", "honoured", label="When its profile runs out"),),
            ),
            ChargerView("CP9", connected=True, vendor=name, model="new"),
        ),
        meter=MeterView(
            enabled=True, name="EM24", healthy=True, current_ma=Phases(1_500, 2_000, 0),
            voltage_mv=(231_200, 230_000, 229_900), power_w=900, follows=True,
        ),
        faults=(Fault.of(Code.CHARGER_OFFLINE, AT, "CP2"),),
    )  # fmt: skip


async def handed(chosen: Settings, **more: Any) -> Handover:
    box = await Box(seen=seen_of(chosen, more.pop("vendor", "Acme"))).open()
    ended = {one: StepEnded("Installer", AT) for one in STEPS if one != "network"}
    ceiling = Phases.each(60_000)
    told = replace(box.report_of(box.desk.look()), csms_url=chosen.csms.url)
    return Handover(**{
        "told": told, "settings": chosen, "walk": CommissioningWalk(ended),
        "check": check(chosen, ceiling, {}, Phases.each(9_000)),
        "ceiling": CeilingView(ceiling, "Assembler", AT, Phases.each(63_000), ceiling),
        "licence": LicenceView(8, 8, 2, "LR1", customer="Yard Ltd", number="L-7",
                               expires="2030-01-01"),
        "tags": TagsRead((), 0, 42, whitelist=True, open_confirmed=False),
        "accounts": {"EV": False, "Installer": True}, **more,
    })  # fmt: skip


async def test_the_report_tells_all_that_is_handed_over():
    told = words(page(await handed(settings())))

    for said in (
        "Commissioning report Yard 9 · LinkRay LR1 · made 2026-11-21 09:00 (Europe/Berlin)",
        "Steps ended 8 of 9", "1 Language and zone Installer 2026-11-21 08:58", "3 Network open –",
        "MAC address 02:00:00:00:00:01", "EV: closed; Installer: has a password",
        "licence L-7 for Yard Ltd, until 2030-01-01",
        "Limit as set 63 A 63 A 63 A 43.5 kW", "Engineering ceiling 60 A 60 A 60 A 41.5 kW",
        "sealed by Assembler, 2026-11-21 08:58", "While the meter is not read 16.5 A",
        "Site 63 A / 63 A / 63 A CP2", "└ Hall 50 A –", "└ Level 2 32 A Yard 9",
        "read: 1.5 A / 2 A / 0 A; 231.2 V / 230.0 V / 229.9 V; 0.9 kW", "follows them",
        "Yard 9 CP1 Acme M1 S1 1.7 3: L2-L3-L1 told in A 6 A – 16 A 2 Level 2 connected",
        "When its profile runs out: honoured; known peculiarities: acme",
        "1: L2 told in W 1.4 kW – 7.4 kW", "CP9 Acme new – not adopted",
        "listed tags alone", "Tags in the list 42", "charging is allowed",
        "Mon Sun 17:00 – 19:30", "wss://192.0.2.10:8888 ws://192.0.2.10:8887",
        "The building’s largest step in 5 s 9 A", "Good L3: On their own chargers and base load",
        "Warning The site limit of 63 A on L1 is lowered",
        "A configured charger is not connected: CP2", "Owner: name and signature",
    ):  # fmt: skip
        assert said in told, said
    assert "is not ended" not in told


async def test_what_is_missing_is_said_first():
    walk = CommissioningWalk({"language": StepEnded("Installer", AT)})
    told = words(page(await handed(settings(), walk=walk, licence=None)))
    assert "not ended: what is missing is Passwords, Supply, Check." in told
    assert told.index("what is missing") < told.index("Site and box")


async def test_an_installer_reads_it_over_the_api_and_its_policy_lets_nothing_in():
    box = await Box(seen=seen_of(settings())).open()
    assert (await (await box.signed_in("EV")).call("GET", "/api/v1/commissioning-report")
            ).status == 403  # fmt: skip
    browser = await box.signed_in("Installer")

    reply = await browser.call("GET", "/api/v1/commissioning-report")

    assert reply.status == 200
    assert "Tags in the list 1 " in words(reply.text)
    assert reply.headers["content-security-policy"] == report.CSP != CSP
    assert not re.search(r"(src|href|url)\s*[=(]", reply.text)


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_what_people_and_chargers_write_is_text(hostile):
    name = re.sub(r"[\x00-\x1f\x7f]", "", hostile)
    shown = page(await handed(settings(name, group=name), vendor=hostile))

    assert "<script" not in shown
    assert "<img" not in shown
    assert shown.count("</style>") == 1
    assert not set(shown) & {"\u202e", "\u2028"}


# -- in German -------------------------------------------------------------------------------------


def catalogue(name: str) -> dict[str, str]:
    return dict(json.loads((SOURCES / "ui/src" / name).read_text()))


@pytest.fixture(scope="module")
def german(tmp_path_factory: pytest.TempPathFactory) -> Words:
    """As the build leaves it (build.mjs)."""
    folder = tmp_path_factory.mktemp("static")
    said, printed = catalogue("said.json"), catalogue("report.json")
    for kind, mark, known in (("lang", "=", said), ("report", "#", printed)):
        made = {f"{mark} {known[k]}" if k in known else k: v
                for k, v in catalogue("lang/de.json").items()}  # fmt: skip
        (folder / f"{kind}-de-0123456789.json").write_text(json.dumps(made))
    return words_of("de", folder)


async def test_it_comes_in_german_with_the_words_of_the_pages(german: Words):
    shown = page(await handed(settings()), german)
    told = words(shown)

    assert '<html lang="de">' in shown
    for said in (
        "Inbetriebnahmebericht", "1 Sprache und Zeitzone", "16,5 A", "43,5 kW",
        "L-7 für Yard Ltd, bis 2030-01-01", "Mo So 17:00",
        "L2: Alle Ladestationen zusammen könnten 53,9 A",
        "geht von selbst zurück", "CP2 ist eingerichtet, aber nicht verbunden", "Eigenheiten: acme",
    ):  # fmt: skip
        assert said in told, said
    for english in ("The site limit", "not connected", "Warning", "Installer:  name"):
        assert english not in told


async def test_the_maintenance_report_comes_in_german_too(german: Words):
    box = await Box(seen=seen_of(settings())).open()
    told = words(report.page(box.report_of(box.desk.look()), german))
    for said in ("Wartungsbericht", "1,5 A / 2 A / 0 A", "planmäßig beendet", "SIM nicht eingelegt",
                 "1.0 GiB von 8.0 GiB"):  # fmt: skip
        assert said in told, said


def test_every_text_of_a_report_can_be_translated_and_none_is_kept_that_is_not_said():
    known = set(catalogue("report.json").values())
    source = "".join(path.read_text() for path in (SOURCES / "templates").glob("*.html"))
    said = set(re.findall(r'\bt\("([^"]+)"', source))
    assert sorted(said - known) == []
    tables = {*STEP_NAMES.values(), *STATES.values()}
    assert sorted(tables - known) == []
    told = "".join(path.read_text() for path in SOURCES.parents[1].rglob("*.py"))
    assert [one for one in known - said - tables if one not in told] == []


@pytest.mark.parametrize(("asked", "accepted", "language"), [
    ("", "", "en"), ("xx", "fr;q=0.9, en", "en"), ("../../x", "", "en"), ("en", "de", "en"),
])  # fmt: skip
def test_a_language_that_there_is_not_is_english(asked: str, accepted: str, language: str):
    assert wanted(asked, accepted) == language
    assert words_of(language) is ENGLISH

"""The API over real HTTPS: what it shows, what it takes, whom it refuses."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from tests.e2e.box import PASSWORDS, Box, Client, box_in, until

pytestmark = pytest.mark.realtime

PRINTED = "2WW%[4%9nU`HWhGe"  # the manual's, 7 Logins and user types
SETTINGS = {
    "version": 1,
    "site": {"name": "Mill Lane", "limit_ma": [63_000, 50_000, 40_000]},
    "groups": [{"name": "Barn", "limit_ma": 40_000}],
    "chargers": [
        {"id": "M1", "name": "Mill 1", "group": "Barn", "connection": "L2"},
        {"id": "M2", "phases": 3, "connection": "L1-L2-L3", "priority": "high"},
    ],
}
EVERYONE = ("snapshot", "site", "plan", "chargers", "meter", "faults", "openapi.json")
INSTALLERS = ("settings", "settings/schema", "settings/export", "meters", "log")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A commissioned box that runs; two chargers are configured and none is there."""
    with box_in(tmp_path_factory.mktemp("api")) as made:
        made.import_settings(SETTINGS)
        made.set_passwords()
        made.start_control()
        made.start_web()
        yield made


@pytest.fixture(scope="module")
def reader(box: Box) -> Client:
    return box.client(box.key("read"))


@pytest.fixture(scope="module")
def writer(box: Box) -> Client:
    return box.client(box.key("write"))


def signed_in(box: Box, account: str) -> Client:
    client = box.client()
    answer = client.sign_in(account)
    assert answer.status == 200, answer
    return client


def is_problem(answer, status: int, *words: str) -> dict:
    """RFC 9457, with what is expected, what came and where."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status
    assert {"type", "title", "detail"} <= set(told)
    for word in words:
        assert word in told["detail"] or word == told.get("path"), told
    return told


def is_phases(value) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(isinstance(ma, int) for ma in value)


def is_utc(text: str) -> bool:
    return text.endswith("Z") and datetime.fromisoformat(text).tzinfo is not None


# -- what is shown (decided.md, Names that others may rely on) -------------------------------------


def test_the_plan_has_the_names_that_others_rely_on(reader: Client):
    plan = reader.get("plan")
    assert isinstance(plan["seq"], int)
    assert is_utc(plan["at"])
    assert is_phases(plan["budget_ma"])
    assert is_phases(plan["reserved_ma"])
    assert plan["building_ma"] is None  # there is no meter
    for offer in plan["offers"]:
        assert {"charger", "connector", "offer_ma", "drawn_ma", "reason", "ceilings"} <= set(offer)
        assert is_phases(offer["offer_ma"])
        for ceiling in offer["ceilings"]:
            assert {"code", "ma", "binding"} <= set(ceiling)


def test_the_chargers_have_the_names_that_others_rely_on(reader: Client):
    chargers = {charger["id"]: charger for charger in reader.get("chargers")}
    assert set(chargers) == {"M1", "M2"}
    for charger in chargers.values():
        assert {"id", "name", "connected", "vendor", "model", "firmware", "priority", "group",
                "connectors"} <= set(charger)  # fmt: skip
    first = chargers["M1"]
    assert (first["name"], first["group"], first["connected"]) == ("Mill 1", "Barn", False)
    assert chargers["M2"]["priority"] == "high"


def test_meter_and_faults_have_the_names_that_others_rely_on(reader: Client):
    meter = reader.get("meter")
    assert {"healthy", "age_s", "current_ma", "voltage_mv"} <= set(meter)
    assert (meter["healthy"], meter["current_ma"]) == (False, None)
    faults = until(lambda: reader.get("faults"), 10, "the missing chargers are a fault")
    for fault in faults:
        assert {"code", "bit", "text", "since", "cure"} <= set(fault)
        assert is_utc(fault["since"])


def test_the_site_is_told_as_it_is_set(reader: Client):
    site = reader.get("site")
    assert site["name"] == "Mill Lane"
    assert site["limit_ma"] == [63_000, 50_000, 40_000]
    assert (site["chargers_configured"], site["chargers_connected"]) == (2, 0)
    assert site["simulated"] is True
    assert site["commissioned"] is True


def test_the_snapshot_holds_the_parts_at_one_sequence_number(reader: Client):
    def same():
        parts = {what: reader.get(what) for what in ("site", "chargers", "meter", "faults")}
        whole = reader.get("snapshot")
        whole["site"].pop("uptime_s"), parts["site"].pop("uptime_s")
        whole["site"].pop("system_uptime_s"), parts["site"].pop("system_uptime_s")
        return all(
            _figures(whole[what]) == _figures(part) if what == "site" else whole[what] == part
            for what, part in parts.items()
        )

    assert until(same, 5, "snapshot and parts tell the same")


def _figures(site: dict) -> dict:
    return {name: value for name, value in site.items() if not name.startswith("plan_ms")}


def test_settings_come_with_their_revision_and_only_to_who_may_change_them(
    reader: Client, writer: Client
):
    answer = writer.ask("GET", "/api/v1/settings")
    assert answer.json()["site"]["name"] == "Mill Lane"
    etag = answer.headers["etag"]
    again = writer.ask("GET", "/api/v1/settings", If_None_Match=etag)
    assert (again.status, again.body) == (304, b"")
    for what in INSTALLERS:
        is_problem(reader.ask("GET", f"/api/v1/{what}"), 403)
        assert writer.ask("GET", f"/api/v1/{what}").status == 200


def test_every_get_is_refused_to_strangers(box: Box):
    stranger = box.client()
    for what in (*EVERYONE, *INSTALLERS, "events"):
        answer = stranger.ask("GET", f"/api/v1/{what}")
        is_problem(answer, 401)
        assert "Bearer" in answer.headers["www-authenticate"]
    assert stranger.get("session")["account"] is None
    for wrong in ("", "lr_" + "A" * 43, "x" * 5000):
        is_problem(stranger.ask("GET", "/api/v1/site", Authorization=f"Bearer {wrong}"), 401)
    is_problem(stranger.ask("GET", "/api/v1/site", Authorization="Basic RVY6RVY="), 401)


def test_no_answer_is_kept_by_a_browser_and_all_carry_the_security_headers(reader: Client):
    for path in ("/api/v1/site", "/api/v1/nothing", "/"):
        headers = reader.ask("GET", path).headers
        assert "'unsafe" not in headers["content-security-policy"]
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers
    assert reader.ask("GET", "/api/v1/site").headers["cache-control"] == "no-store"


def test_the_api_describes_itself(reader: Client):
    told = reader.get("openapi.json")
    assert told["openapi"].startswith("3.1")
    for what in (*EVERYONE[:-1], *INSTALLERS):
        assert f"/api/v1/{what}" in told["paths"]


# -- live ------------------------------------------------------------------------------------------


def test_events_bring_a_snapshot_a_second_and_a_change_at_once(reader: Client, writer: Client):
    with reader.events() as events:
        seen, times = [], []
        for name, number, snapshot in events:
            assert (name, int(number)) == ("snapshot", snapshot["seq"])
            seen.append(snapshot["seq"])
            times.append(time.monotonic())
            if len(seen) == 4:
                break
        assert seen == sorted(set(seen))
        assert times[-1] - times[0] <= 4.5  # four snapshots, a second apart at most

        writer.ask("PATCH", "/api/v1/settings", {"site": {"name": "Mill Lane 2"}})
        asked = time.monotonic()
        name = next(s["site"]["name"] for _e, _n, s in events if s["site"]["name"] != "Mill Lane")
        assert name == "Mill Lane 2"
        assert time.monotonic() - asked <= 1.5
    writer.ask("PATCH", "/api/v1/settings", {"site": {"name": "Mill Lane"}})


def test_events_end_with_the_session_that_opened_them(box: Box):
    client = signed_in(box, "EV")
    with client.events() as events:
        assert next(events)[0] == "snapshot"
        assert client.ask("DELETE", "/api/v1/session").status == 200
        assert "ended" in [name for name, _number, _data in events]  # and then the stream closes


# -- changing --------------------------------------------------------------------------------------


def test_a_patch_changes_what_it_names_and_nothing_else(writer: Client):
    before = writer.get("settings")
    answer = writer.ask("PATCH", "/api/v1/settings", {"site": {"limit_ma": [60_000, 50_000, 0]}})
    after = answer.json()
    assert after["site"]["limit_ma"] == [60_000, 50_000, 0]
    after["site"]["limit_ma"] = before["site"]["limit_ma"]
    assert after == before
    until(lambda: writer.get("site")["limit_ma"] == [60_000, 50_000, 0], 3, "the limit is in force")

    back = {"site": {"limit_ma": [63_000, 50_000, 40_000]}}
    is_problem(writer.ask("PATCH", "/api/v1/settings", back, If_Match='"1"'), 412)
    kind = "application/merge-patch+json"
    etag = answer.headers["etag"]
    answer = writer.ask("PATCH", "/api/v1/settings", back, If_Match=etag, Content_Type=kind)
    assert answer.json() == before
    assert answer.headers["etag"] != etag


@pytest.mark.parametrize(
    ("patch", "path"),
    [
        ({"site": {"limit_ma": [1, 2]}}, "$.site.limit_ma"),
        ({"site": {"limit_ma": [0, -5, 0]}}, "$.site.limit_ma[1]"),
        ({"site": {"voltage_mv": "230"}}, "$.site.voltage_mv"),
        ({"site": {"no_such_thing": 1}}, "$.site"),
        ({"chargers": [{"id": "M1", "group": "Attic"}]}, "$.chargers[0].group"),
        ({"groups": [{"name": "Barn", "limit_ma": 1, "parent": "Barn"}]}, "$.groups[0].parent"),
    ],
)
def test_a_bad_patch_is_answered_with_its_path_and_changes_nothing(writer: Client, patch, path):
    before = writer.get("settings")
    told = is_problem(writer.ask("PATCH", "/api/v1/settings", patch), 422)
    assert told["path"].startswith(path)
    assert writer.get("settings") == before


def test_what_is_no_json_too_much_or_another_kind_is_refused(writer: Client):
    patch = "/api/v1/settings"
    is_problem(writer.ask("PATCH", patch, b"{"), 400)
    is_problem(writer.ask("PATCH", patch, b"[]"), 422)
    is_problem(writer.ask("PATCH", patch, b'{"site":' * 50_000), 400)
    is_problem(writer.ask("PATCH", patch, b"{}", Content_Type="text/html"), 415)
    is_problem(writer.ask("POST", "/api/v1/emergency-stop", b'{"on":' + b" " * 20_000), 413)
    is_problem(writer.ask("GET", "/api/v1/../../etc/passwd"), 404)
    is_problem(writer.ask("DELETE", "/api/v1/site"), 405)


def test_acts_on_what_is_not_there_are_answered_in_words(writer: Client):
    start = writer.ask("POST", "/api/v1/chargers/M1/connectors/1/start", {})
    assert start.status in (404, 409, 503), start
    is_problem(start, start.status)
    is_problem(writer.ask("POST", "/api/v1/chargers/NOBODY/connectors/1/stop"), 404, "NOBODY")
    body = {"chargers": ["NOBODY"], "priority": "high"}
    is_problem(writer.ask("POST", "/api/v1/chargers/priority", body), 404, "NOBODY")


def test_everything_stops_for_whoever_sees_danger_and_goes_on_for_an_installer(box: Box):
    visitor, installer = signed_in(box, "EV"), signed_in(box, "Installer")
    stop = "/api/v1/emergency-stop"
    assert visitor.ask("POST", stop, {"on": True}).status == 200
    until(lambda: visitor.get("site")["emergency_stop"], 3, "the stop is shown")
    assert "emergency_stop" in [fault["code"] for fault in visitor.get("faults")]
    is_problem(visitor.ask("POST", stop, {"on": False}), 403)
    assert installer.ask("POST", stop, {"on": False}).status == 200
    until(lambda: not visitor.get("site")["emergency_stop"], 3, "charging is allowed again")


# -- who -------------------------------------------------------------------------------------------


def test_each_level_reaches_what_is_its_own(box: Box):
    rename = {"site": {"name": "Mill Lane"}}
    csms = {"csms": {"prefix": "X-"}}
    for account, level, seen, name, uplink in (
        ("EV", 1, 403, 403, 403), ("Installer", 2, 200, 200, 403), ("Assembler", 3, 200, 200, 200),
    ):  # fmt: skip
        client = signed_in(box, account)
        assert client.get("session")["level"] == level
        assert client.ask("GET", "/api/v1/site").status == 200
        assert client.ask("GET", "/api/v1/settings").status == seen
        assert client.ask("PATCH", "/api/v1/settings", rename).status == name
        assert client.ask("PATCH", "/api/v1/settings", csms).status == uplink
        assert client.ask("DELETE", "/api/v1/session").status == 200
        assert client.ask("GET", "/api/v1/site").status == 401


def test_a_write_by_cookie_needs_our_page_and_its_token(box: Box):
    client = signed_in(box, "Installer")
    path, body = "/api/v1/identify", {}
    assert client.ask("POST", path, body).status == 200
    is_problem(client.ask("POST", path, body, X_LinkRay_CSRF="wrong"), 403, "X-LinkRay-CSRF")
    is_problem(client.ask("POST", path, body, Origin="https://evil.example"), 403, "origin")
    is_problem(client.ask("POST", path, body, Sec_Fetch_Site="cross-site"), 403, "another site")
    client.csrf = ""
    is_problem(client.ask("POST", path, body), 403, "X-LinkRay-CSRF")


def test_the_session_cookie_is_for_our_origin_alone(box: Box):
    answer = box.client().sign_in("EV")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-")
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))


def test_guessing_is_slowed_down_and_the_right_password_still_opens_later(box: Box):
    client = box.client()
    answers = [client.sign_in("EV", f"guess number {n} is wrong") for n in range(7)]
    assert answers[0].status == 401
    slowed = next(answer for answer in answers if answer.status == 429)
    wait_s = int(slowed.headers["retry-after"])
    assert 1 <= wait_s <= 64
    until(lambda: box.client().sign_in("EV").status == 200, wait_s + 10, "the wait is over")


# -- the way in ------------------------------------------------------------------------------------


def test_http_only_sends_people_to_https(box: Box):
    link = http.client.HTTPConnection("127.0.0.1", box.ports["http"], timeout=5)
    try:
        link.request("GET", "/configuration?tab=meter")
        answer = link.getresponse()
        target = f"https://127.0.0.1:{box.ports['https']}/configuration?tab=meter"
        assert (answer.status, answer.headers["location"]) == (308, target)
        answer.read()
    finally:
        link.close()


@pytest.mark.parametrize("host", ["evil.example", "linkray.evil.example", "8.8.8.8", "a b", ""])
def test_a15_a_foreign_host_is_misdirected(reader: Client, host: str):
    is_problem(reader.ask("GET", "/api/v1/site", Host=host), 421)


def test_a29_old_tls_is_not_spoken(box: Box):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("AES128-SHA:AES256-SHA")  # no ECDHE, no AEAD
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    link = http.client.HTTPSConnection(
        "127.0.0.1", box.ports["https"], timeout=5, context=context
    )
    with pytest.raises(ssl.SSLError):
        link.request("GET", "/")
    link.close()


def test_requests_in_a_hurry_each_on_a_connection_of_its_own_are_all_answered(reader: Client):
    for _each in range(250):
        reader.get("meter")


# -- first login (trust.md 4) ----------------------------------------------------------------------


def test_a1_the_printed_login_opens_the_page_that_replaces_it_and_nothing_else(tmp_path):
    with box_in(tmp_path) as box:
        box.start_control()
        box.start_web()
        client = box.client()
        until(lambda: client.get("session")["accounts_open"] == ["Assembler"], 5, "control is seen")
        for closed in ("Installer", "EV"):
            is_problem(client.sign_in(closed, PASSWORDS[closed]), 401)
        is_problem(client.sign_in("Assembler", "not what is printed"), 401)
        is_problem(box.client(box.key("write")).ask("GET", "/api/v1/site"), 403)  # rule 4

        told = client.sign_in("Assembler", PRINTED).json()
        assert (told["account"], told["must_change"]) == ("Assembler", True)
        for method, path, body in (
            ("GET", "snapshot", None), ("GET", "events", None), ("GET", "settings", None),
            ("PATCH", "settings", {"site": {"name": "Mine"}}), ("GET", "log", None),
            ("POST", "emergency-stop", {"on": True}), ("POST", "identify", {}),
            ("PUT", "accounts/Assembler/password", {"old": PRINTED, "new": "x"}),
        ):  # fmt: skip
            is_problem(client.ask(method, f"/api/v1/{path}", body), 403)

        first = "/api/v1/first-passwords"
        for weak in (PRINTED, "short", "assembler1234"):
            told = is_problem(client.ask("POST", first, {"passwords": {"Assembler": weak}}), 422)
            assert told["path"] == "$.passwords.Assembler"
        made = client.ask("POST", first, {"passwords": PASSWORDS | {"EV": None}}).json()
        assert (made["must_change"], made["level"]) == (False, 3)
        until(lambda: client.get("site")["commissioned"], 3, "the box is commissioned")
        is_problem(client.ask("POST", first, {"passwords": PASSWORDS}), 403)

        is_problem(box.client().sign_in("Assembler", PRINTED), 401)  # it is good for nothing now
        assert box.client().sign_in("Installer").json()["level"] == 2
        is_problem(box.client().sign_in("EV"), 401)
        assert box.control.terminate() == 0
        box.start_control()
        until(lambda: box.client().try_get("session"), 10, "control is back")
        assert until(lambda: box.client().sign_in("Assembler").status == 200, 10, "it is kept")


def test_now_is_utc_to_the_second(reader: Client):
    at = datetime.fromisoformat(reader.get("snapshot")["at"])
    assert abs((datetime.now(UTC) - at).total_seconds()) <= 5

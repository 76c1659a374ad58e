"""Before LinkRay a CSMS that no one here wrote, behind it chargers that no one here wrote.

`ocpp-csms` in an environment of its own, and a plain central system on the package `ocpp`. The line
is cut while cars charge, the process dies meanwhile, and what was kept is caught up: all that the
chargers reported is with the CSMS, once, in order, under its own numbers (INV-13, INV-14).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.books import book_of, frames_of, reported_of
from tests.e2e.box import HERE, Box, Process, box_in, until
from tests.e2e.foreign_env import python_of
from tools.simulator.conservation import conserve
from tools.world.csms_book import Transaction

pytestmark = pytest.mark.realtime

A, B, C = IDS = ("FOREIGN-A", "FOREIGN-B", "FOREIGN-C")
LOCK = HERE / "foreign_csms.lock"


@pytest.fixture(scope="session")
def package_python() -> str:
    """The Python of an environment that holds `ocpp-csms`."""
    return python_of(LOCK)


class Central:
    """A foreign CSMS: what it was told, and what it is to do."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.port = process.first()["port"]

    def told(self, charger: str, action: str) -> list[Any]:
        """The payloads of a charger's calls of this action, in order."""
        frames = [json.loads(one["text"]) for one in frames_of(list(self.process.told))
                  if one["charger"] == charger and one["way"] == "in"]  # fmt: skip
        return [frame[3] for frame in frames if frame[0] == 2 and frame[2] == action]

    def calls(self, charger: str, action: str, **given: Any) -> Any:
        """Its call and the charger's answer."""
        known = {one["text"] for one in frames_of(list(self.process.told))}
        self.process.say({"do": "call", "charger": charger, "action": action, "with": given})

        def answer() -> Any:
            new = [one for one in frames_of(list(self.process.told)) if one["text"] not in known]
            asked = {json.loads(one["text"])[1] for one in new if one["way"] == "out"}
            return next((json.loads(one["text"]) for one in new if one["way"] == "in"
                         and one["charger"] == charger
                         and json.loads(one["text"])[0] != 2
                         and json.loads(one["text"])[1] in asked), None)  # fmt: skip

        return until(answer, 15, f"{charger} answers {action}")

    def transactions(self, charger: str) -> list[Transaction]:
        return book_of(list(self.process.told)).transactions(charger)


def start_csms(box: Box, python: str, kind: str, *more: str) -> Central:
    words = [str(HERE / "foreign_csms.py"), "--kind", kind, *more]
    return Central(box.run(*words, name="csms", python=python))


def settings(port: int) -> dict[str, object]:
    return {
        "version": 1,
        "site": {"limit_ma": [90_000] * 3, "measurand_interval_s": 5},
        "chargers": [{"id": name, "phases": 3, "connection": "L1-L2-L3"} for name in IDS],
        "csms": {"url": f"ws://127.0.0.1:{port}/site-7"},
    }


def start_chargers(box: Box) -> Process:
    names = [word for name in IDS for word in ("--id", name)]
    return box.run(
        str(HERE / "foreign_chargers.py"), *names, "--phases", "3", "--frames",
        "--url", f"ws://127.0.0.1:{box.ports['ocpp']}", name="chargers",
    )  # fmt: skip


def now_of(chargers: Process) -> dict[str, dict[str, Any]]:
    """How the chargers are, by their newest word."""
    told = next((one for one in reversed(list(chargers.told)) if "chargers" in one), None)
    return {} if told is None else {one["id"]: one for one in told["chargers"]}


def transaction(chargers: Process, name: str) -> int | None:
    return now_of(chargers).get(name, {}).get("transaction")


@pytest.mark.parametrize("kind", ["package", "plain"])
def test_a_foreign_csms_has_all_of_foreign_chargers_through_a_cut_and_a_crash(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
):
    python = request.getfixturevalue("package_python") if kind == "package" else sys.executable
    with box_in(tmp_path) as box:
        csms = start_csms(box, python, kind)
        box.import_settings(settings(csms.port))
        box.start_control()
        chargers = start_chargers(box)
        while_it_is_there(csms, chargers)
        while_it_is_away(box, csms, chargers)
        when_it_is_back(box, csms, chargers)

        account = conserve(reported_of(list(chargers.told)), book_of(list(csms.process.told)))
        assert account.violations == []
        assert (account.starts, account.stops) == (3, 3)
        assert "Traceback" not in box.log()


def while_it_is_there(csms: Central, chargers: Process) -> None:
    """Boot, authorise, start by tag and by remote, values on demand."""
    until(lambda: all(csms.told(name, "StatusNotification") for name in IDS), 30, "all are there")
    models = [csms.told(name, "BootNotification")[0]["chargePointModel"] for name in IDS]
    assert models == ["Foreign"] * len(IDS)
    csms.process.say({"do": "refuse", "tag": "STOLEN"})
    chargers.say({"do": "start", "id": A, "tag": "STOLEN"})
    until(lambda: csms.told(A, "Authorize"), 10, "the tag is asked about")
    chargers.say({"do": "start", "id": A, "tag": "TAG-A"})
    assert csms.calls(B, "RemoteStartTransaction", id_tag="TAG-B")[2] == {"status": "Accepted"}
    for name in (A, B):
        until(lambda n=name: transaction(chargers, n), 15, f"{name} charges")
        assert transaction(chargers, name) == csms.transactions(name)[0].id
    assert [one["idTag"] for one in csms.told(A, "StartTransaction")] == ["TAG-A"]
    csms.calls(B, "TriggerMessage", requested_message="MeterValues")
    until(lambda: csms.told(B, "MeterValues"), 10, "values come")
    number = csms.transactions(B)[0].id
    assert {one["transactionId"] for one in csms.told(B, "MeterValues")} == {number}


def while_it_is_away(box: Box, csms: Central, chargers: Process) -> None:
    """One stops, one begins, and LinkRay dies."""
    csms.process.say({"do": "cut"})
    until(lambda: "CSMS not connected" in box.log(), 10, "the line is cut")
    chargers.say({"do": "stop", "id": A})
    chargers.say({"do": "start", "id": C, "tag": "TAG-C"})
    until(lambda: transaction(chargers, C) and transaction(chargers, A) is None, 15,
          "LinkRay answers in its place")  # fmt: skip
    box.control.kill()
    csms.process.say({"do": "restore"})
    box.start_control()
    until(lambda: all(one["connected"] for one in now_of(chargers).values()), 20, "all are back")


def when_it_is_back(box: Box, csms: Central, chargers: Process) -> None:
    """What was kept is caught up; both that run are stopped by the CSMS's own numbers."""
    until(lambda: csms.transactions(A)[0].stops and csms.transactions(C), 20, "it is caught up")
    assert csms.transactions(A)[0].stops[0].payload["reason"] == "Local"
    theirs, ours = csms.transactions(C)[0].id, transaction(chargers, C)
    assert theirs != ours, "it began while the CSMS was away"
    assert transaction(chargers, B) == csms.transactions(B)[0].ids[0]
    until(lambda: box.log().count("CSMS connected") >= 2 * len(IDS), 10, "all uplinks stand")
    for name in (B, C):
        number = csms.transactions(name)[0].id
        said = csms.calls(name, "RemoteStopTransaction", transaction_id=number)
        assert said[2] == {"status": "Accepted"}
        until(lambda n=name: csms.transactions(n)[0].stops, 10, f"{name} has stopped")
        stop = csms.transactions(name)[0].stops[0].payload
        assert (stop["transactionId"], stop["reason"]) == (number, "Remote")

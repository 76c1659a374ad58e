"""Peers that no one here wrote: the asyncio chargers of `ocpp`, the meter of pymodbus."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.box import HERE, Box, Process, box_in, noon_zone, until

pytestmark = pytest.mark.realtime

IDS = ("FOREIGN-A", "FOREIGN-B", "FOREIGN-C")
LIMIT_MA = [50_000, 40_000, 45_000]
BUILDING_A = [8.0, 4.0, 6.5]
BUDGET_MA = [42_000, 36_000, 38_500]  # the limit less what the building takes
BALANCED_S = 45.0
STEP_MA = 100 * len(IDS)  # profiles carry tenths of an ampere, one rounding for each charger
SDM630 = {
    "name": "SDM630", "Address": 1, "ReadCmd": 4, "DataType": "Float", "PhasesReported": 3,
    "ARegisterL1": 6, "ARegisterL2": 8, "ARegisterL3": 10,
    "VRegisterL1": 0, "VRegisterL2": 2, "VRegisterL3": 4,
}  # fmt: skip


def settings(meter_file: dict[str, object]) -> dict[str, object]:
    return {
        "version": 1,
        "site": {
            "name": "Foreign yard", "limit_ma": LIMIT_MA, "measurand_interval_s": 5,
            "time_zone": noon_zone(),
            "meter": {"enabled": True, "location": "building", "on_failure": "limits",
                      "degraded_ma": [20_000, 20_000, 20_000], "file": meter_file},
        },
        "chargers": [
            {"id": name, "phases": 3, "connection": "L1-L2-L3", "max_ma": 32_000} for name in IDS
        ],
    }  # fmt: skip


def start_meter(box: Box, *where: str) -> Process:
    meter = box.run(str(HERE / "foreign_meter.py"), "--kind", "sdm630", *where, name="meter")
    meter.first()
    meter.say({"a": BUILDING_A, "v": [230, 231, 229]})
    return meter


def start_chargers(box: Box) -> Process:
    names = [word for name in IDS for word in ("--id", name)]
    return box.run(
        str(HERE / "foreign_chargers.py"), *names, "--phases", "3",
        "--url", f"ws://127.0.0.1:{box.ports['ocpp']}", name="chargers",
    )  # fmt: skip


def balanced(box: Box, key: str, chargers: Process):
    """The plan, once the offers take all that the building leaves and the cars draw them."""
    client, last = box.client(key), None

    def look():
        nonlocal last
        plan = client.try_get("plan")
        told = chargers.newest()
        if plan is None or told is None or plan["building_ma"] is None:
            return None
        offered = [sum(offer["offer_ma"][p] for offer in plan["offers"]) for p in range(3)]
        assert all(offered[p] <= BUDGET_MA[p] for p in range(3)), (offered, plan)
        drawn_a = sum(charger["current_a"] for charger in told["chargers"])
        full = BUDGET_MA[1] - STEP_MA <= offered[1]  # the tightest phase; all three go together
        last = plan, told
        return plan if full and abs(drawn_a * 1000 - offered[1]) <= STEP_MA else None

    try:
        return until(look, BALANCED_S, "the offers add up to the limit less the building")
    finally:
        print("the last plan and what the chargers drew:", last)  # noqa: T201


def transactions(box: Box, key: str) -> dict[str, int]:
    return {
        charger["id"]: charger["connectors"][0]["transaction_id"]
        for charger in box.client(key).get("chargers")
    }


def scene(box: Box, chargers: Process, key: str) -> None:
    """Balanced, control killed, balanced again; then everybody leaves."""
    until(lambda: all_connected(chargers), 20, "all three chargers are connected")
    chargers.say({"do": "start"})
    plan = balanced(box, key, chargers)
    assert plan["building_ma"] == [round(a * 1000) for a in BUILDING_A]
    assert plan["budget_ma"] == BUDGET_MA
    assert plan["reserved_ma"] == [0, 0, 0]
    began = transactions(box, key)
    assert len(set(began.values())) == len(IDS)

    box.control.kill()
    until(lambda: not any_connected(chargers), 10, "the chargers have lost control")
    box.start_control()
    until(lambda: all_connected(chargers), 20, "the chargers are back")
    again = balanced(box, key, chargers)

    assert again["budget_ma"] == BUDGET_MA
    assert transactions(box, key) == began
    assert {c["id"]: c["transaction"] for c in chargers.newest()["chargers"]} == began

    chargers.say({"do": "stop"})
    told = until(
        lambda: all(c["transaction"] is None for c in chargers.newest()["chargers"])
        and chargers.newest(), 10, "every session has ended",
    )  # fmt: skip
    wh = sum(charger["energy_wh"] for charger in told["chargers"])
    assert wh > 20
    until(
        lambda: abs(box.client(key).get("site")["energy_today_wh"] - wh) <= len(IDS), 10,
        f"{wh} Wh are counted, and once",
    )  # fmt: skip


def all_connected(chargers: Process) -> bool:
    told = chargers.newest()
    return told is not None and all(charger["connected"] for charger in told["chargers"])


def any_connected(chargers: Process) -> bool:
    return any(charger["connected"] for charger in chargers.newest()["chargers"])


def test_foreign_chargers_and_a_tcp_meter_are_balanced_and_again_after_sigkill(tmp_path: Path):
    with box_in(tmp_path) as box:
        meter = start_meter(box, "--tcp", "0")
        where = {"tcp": True, "IP": "127.0.0.1", "port": meter.first()["port"]}
        box.import_settings(settings({**SDM630, **where}))
        key = box.key("read")
        box.start_control()
        box.start_web()
        scene(box, start_chargers(box), key)


def test_foreign_chargers_and_an_rtu_meter_are_balanced_and_again_after_sigkill(tmp_path: Path):
    with box_in(tmp_path) as box:
        start_meter(box, "--serial-link", str(box.state / "serial0"))
        box.import_settings(settings({**SDM630, "tcp": False, "Baud": 9600}))
        key = box.key("read")
        box.start_control()
        box.start_web()
        scene(box, start_chargers(box), key)

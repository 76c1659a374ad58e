"""What a campaign of cases tells the ledger."""

from __future__ import annotations

import pytest
from tools.simulator.cases import cases, read

RESULT = """<testsuites><testsuite>
<testcase name="test_c1_old_and_new_count[1]"/>
<testcase name="test_c1_old_and_new_count[2]"><failure message="x"/></testcase>
<testcase name="test_c2_is_left[1]"><skipped/></testcase>
<testcase name="test_c28_of_several_makes[3-7200.0]"><failure message="x"/></testcase>
<testcase name="test_every_case_is_named"><error message="x"/></testcase>
</testsuite></testsuites>"""


def test_a_case_that_fails_or_is_skipped_breaks_its_family() -> None:
    family = read("charger", RESULT)

    assert family.cases == {"C1", "C2", "C28"}
    assert family.broken == ["C1[2]", "C2[1]", "C28[3]", "test_every_case_is_named"]
    assert "| 1–2 |" in family.line(2, "abc")
    assert "| BROKEN: C1[2], C2[1], C28[3], test_every_case_is_named |" in family.line(2, "abc")


def test_a_family_of_which_nothing_ran_is_broken() -> None:
    assert read("meter", "<testsuites/>").line(100, "abc").endswith("| BROKEN: nothing ran |\n")


def test_no_seeds_are_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="expected 1 seed or more, got 0"):
        cases(0, workers=1, ledger=tmp_path / "ledger.md")

"""What stands where nobody has set anything of the CSMS (csms.md, Configuration)."""

from __future__ import annotations

from linkray.model.settings import Csms


def test_what_nobody_has_set_of_the_csms_is_what_the_chapter_says() -> None:
    csms = Csms()

    assert (csms.url, csms.prefix, csms.ca) == ("", "", "")
    assert csms.allow_without

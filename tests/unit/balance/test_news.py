"""What of the plans is told in the log: causes that change, a line a minute for a connector."""

from __future__ import annotations

from linkray.balance.news import EACH_S, LINES_MAX, News
from linkray.model.plan import Offer, Plan, Reason
from linkray.model.units import Phases

FREE, SITE, BUILDING = Reason("no_car"), Reason("site_limit"), Reason("building_load")


def offer(reason: Reason, ma: int = 10_000, *, charger: str = "C1") -> Offer:
    return Offer(charger, 1, Phases(ma), None, reason, (), limit_ma=ma)


def told(news: News, now: float, *offers: Offer) -> list[tuple[str, str, int]]:
    return [(o.charger, o.reason.code, o.limit_ma) for o in news.of(Plan(offers=offers), now)]


def test_the_first_cause_and_each_other_one_are_told_once() -> None:
    news = News()
    assert told(news, 0, offer(FREE, 0)) == [("C1", "no_car", 0)]
    assert told(news, 1, offer(FREE, 0)) == []
    assert told(news, 70, offer(SITE)) == [("C1", "site_limit", 10_000)]
    assert told(news, 200, offer(SITE, 12_000)) == [], "how much alone is no news"
    assert told(news, 300, offer(BUILDING)) == [("C1", "building_load", 10_000)]


def test_to_and_from_0_a_is_told_under_the_same_cause() -> None:
    news = News()
    told(news, 0, offer(SITE))
    assert told(news, 70, offer(SITE, 0)) == [("C1", "site_limit", 0)]
    assert told(news, 140, offer(SITE, 6_000)) == [("C1", "site_limit", 6_000)]


def test_a_connector_has_a_line_a_minute_with_what_is_newest_then() -> None:
    news = News()
    told(news, 0, offer(FREE, 0))
    last = offer(FREE, 0)
    for s in range(1, 60):
        last = offer(Reason("raise_hold", seconds=60 - s) if s < 30 else SITE, 6_000 + s)
        assert told(news, float(s), last) == []
    assert told(news, EACH_S, last) == [("C1", "site_limit", 6_059)]
    assert told(news, 2 * EACH_S, last) == []


def test_what_was_so_for_a_moment_only_is_not_told() -> None:
    news = News()
    told(news, 0, offer(SITE))
    assert told(news, 1, offer(BUILDING)) == []
    assert told(news, 2, offer(SITE)) == []
    assert told(news, 100, offer(SITE)) == []


def test_another_group_is_another_cause_and_another_phase_is_none() -> None:
    news = News()
    told(news, 0, offer(Reason("group_limit", group="A", phase="L1")))
    assert told(news, 100, offer(Reason("group_limit", group="A", phase="L2"))) == []
    assert told(news, 200, offer(Reason("group_limit", group="B", phase="L2"))) != []


def test_p13_a_thousand_that_change_at_once_are_told_one_after_the_other() -> None:
    news = News()
    names = [f"C{n}" for n in range(1_000)]
    first = tuple(offer(SITE, charger=name) for name in names)
    lines = [told(news, float(s), *first) for s in range(60)]
    assert [len(one) for one in lines] == [LINES_MAX] * 50 + [0] * 10
    assert [line[0] for one in lines for line in one] == names


def test_one_that_is_deleted_is_forgotten() -> None:
    news = News()
    told(news, 0, offer(SITE), offer(SITE, charger="C2"))
    told(news, 1, offer(SITE))
    assert told(news, 2, offer(SITE), offer(SITE, charger="C2")) == [("C2", "site_limit", 10_000)]

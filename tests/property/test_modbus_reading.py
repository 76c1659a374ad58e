"""Whatever a meter's registers hold, a reading is whole numbers within bounds or it is none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from linkray.meter.meterfile import PHASES, TYPES, BadMeterFile, as_settings, parse
from linkray.meter.reading import Nonsense, Reader, Rules, Wait
from linkray.model.units import Phases

LIMIT_MA = 63_000
files = st.fixed_dictionaries(
    {
        "Address": st.integers(0, 255),
        "DataType": st.sampled_from(sorted(TYPES)),
        "Multiply": st.floats(1e-6, 1e6) | st.floats(-1e6, -1e-6),
        "WordOrder": st.sampled_from(["big", "little"]),
        "PhasesReported": st.sampled_from([1, 3]),
        **{
            f"{letter}Register{phase}": st.integers(0, 200)
            for letter in "AVP"
            for phase in PHASES
        },
    }
)


@given(files, st.lists(st.integers(0, 65_535), min_size=202, max_size=202))
def test_m3_any_registers_give_bounded_whole_numbers_or_nonsense(
    tree: dict[str, object], words: list[int]
) -> None:
    file = parse(tree)
    assert parse(as_settings(file)) == file
    reader = Reader(file)
    answers = {
        request: tuple(words[request.register : request.register + request.count])
        for request in reader.requests()
    }
    try:
        reading = reader.read(answers, Rules(limit_ma=Phases.each(LIMIT_MA)), 1.0)
    except (Nonsense, Wait):
        return
    assert isinstance(reading.power_w, int)
    for current_ma in reading.current_ma:
        assert current_ma is None or abs(current_ma) <= 10 * LIMIT_MA
    for voltage_mv in reading.voltage_mv:
        assert voltage_mv is None or 90_000 <= voltage_mv <= 260_000


@given(st.text(max_size=300) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda x: st.lists(x, max_size=3)
).map(repr))  # fmt: skip
def test_any_text_is_a_meter_file_or_refused(text: str) -> None:
    try:
        parse(text)
    except BadMeterFile:
        return
    raise AssertionError("no such text names a register")

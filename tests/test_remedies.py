"""Every remedy that an error names exists."""

from __future__ import annotations

import pytest
from remedies import advice, advice_in, unknown_in


def test_every_remedy_names_something_that_exists() -> None:
    found = list(advice())
    assert len(found) > 500
    wrong = [
        f"{said.place}: {said.text!r}: {what}" for said in found for what in unknown_in(said.text)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Use al.nothing_like_it.", "a name of al"),
        ("Add --no-such-flag.", "an option"),
        ("Give -z close=Last.", "a short option"),
        ("See alphalab dance.", "a command"),
        ("Add it with bars.with_magic(...).", "a method of bars"),
        ("Use frame.set_times(...).", "a method of a frame"),
        ("Use x.rolling(20).", "an operator"),
        ("Set no_such_word=3.", "a keyword"),
        ("Install alphalab[everything].", "an extra"),
        ("See docs/nowhere.md.", "a page"),
    ],
)
def test_the_check_finds_what_does_not_exist(text: str, what: str) -> None:
    (found,) = unknown_in(text)
    assert found.startswith(what)
    source = f"raise E('x', rule='y', fix={text!r})"
    assert [said.text for said in advice_in(source, "here")] == ["y", text]

"""Claims stop a chapter that does not hold what it says, and the oracle of an exercise tells right from wrong."""

import pytest
import torch

from gennotes.claims import Claims, check


def test_a_claim_that_holds_is_printed(capsys):
    Claims()("water is wet", True)
    assert capsys.readouterr().out == "✓ water is wet\n"


def test_a_claim_that_fails_stops_the_chapter():
    with pytest.raises(AssertionError, match="claims that the moon is cheese"):
        Claims()("the moon is cheese", False)


def test_a_reader_with_own_settings_is_told_and_not_stopped(capsys):
    claim = Claims(asserted=False)
    claim("the moon is cheese", False)
    said = capsys.readouterr().out
    assert "not asserted" in said
    assert "✗ the moon is cheese" in said


CASES = [(torch.tensor([1.0, -2.0]),), (torch.tensor([3.0, 0.5]),)]


def square(x):
    return x * x


@pytest.mark.parametrize("answer", [square, lambda x: (x * x).tolist(), lambda x: (x * x).double() + 1e-7])
def test_right_answers_are_told_right(answer, capsys):
    assert check(answer, square, CASES)
    assert capsys.readouterr().out == "right\n"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda x: ..., "not solved yet"),
        (lambda x: -x * x, "off by"),
        (lambda x: x * x + 1e-3, "off by"),
        (lambda x: x * x * float("nan"), "off by"),
        (lambda x: (x * x).sum(), "shape ()"),
        (lambda x: x * x if x[0] == 1 else 2 * x, "off by"),  # right on the first case only
        (lambda x: "four", "a str"),
        (lambda x: None, "a NoneType"),
    ],
)
def test_wrong_answers_are_told_wrong(answer, says, capsys):
    assert not check(answer, square, CASES)
    assert says in capsys.readouterr().out

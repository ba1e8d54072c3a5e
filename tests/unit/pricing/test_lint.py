"""Every mistake of a pack is found in its file: the rule, the line, and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from schemas.promotion import RulePack
from streams.pricing.findings import LintCode
from tests.unit.pricing.shop import NOW_MS
from topologies.rule_files import json_schema, parse_pack

ROOT = Path(__file__).parents[3]
FESTIVAL = ROOT / "docs/packs/festival.yaml"

HEAD = """\
pack_id: spring
shop_id: 7
floor_bp: {floor}
examples:
  - name: nothing applies
    at: 2026-11-11T00:00:00+08:00
    lines: [{{sku_id: 9, qty: 1, unit_price_fen: 500}}]
    rules: []
    total_fen: 500
rules:
"""
FIRST_LINE = HEAD.count("\n") + 1
QUIET = "when: cart.fen >= 9_000, "  # keeps a rule out of the example


def found(rules: str, floor: str = "1000") -> list[tuple[str, int, LintCode, str]]:
    """Return (rule, line after the head, code, what to do)."""
    text = HEAD.format(floor=floor) + rules
    file = parse_pack(text.encode(), NOW_MS)
    return [
        (one.rule_id, line - FIRST_LINE + 1, one.code, one.detail) for one, line in file.findings
    ]


def rule(rule_id: str, more: str = "", effect: str = "percent_off: {bp: 100}") -> str:
    level = "" if "level:" in more else "level: ORDER, "
    when = "" if "when:" in more or "items:" in more else QUIET
    more = f"{more}, " if more else ""
    return f"  - {{rule_id: {rule_id}, {level}{when}{more}effect: {{{effect}}}}}\n"


def test_a_pack_without_mistakes_has_no_findings() -> None:
    assert found(rule("one") + rule("two")) == []


@pytest.mark.parametrize(
    ("rules", "rule_id", "line", "code", "what"),
    [
        # values
        (rule("a") + rule("a"), "a", 2, LintCode.BAD_RULE, "give each rule an id of its own"),
        (rule("A"), "A", 1, LintCode.BAD_RULE, "small letters"),
        (rule("a", "quota: -1"), "a", 1, LintCode.BAD_RULE, "write 0 (no bound) or more"),
        (rule("a", "floor_bp: 10001"), "a", 1, LintCode.BAD_RULE, "write 0 to 10000"),
        (rule("a", "colour: red"), "a", 1, LintCode.BAD_RULE, "there is no colour here"),
        (rule("a", "level: SHOP"), "", 1, LintCode.BAD_RULE, "Invalid enum value"),
        (rule("a", "quota: many"), "", 1, LintCode.BAD_RULE, "Expected `int`"),
        (
            rule("a", "effective_from: 2026-11-11T00:00:00"),
            *("a", 1, LintCode.BAD_RULE, "write a time with its zone"),
        ),
        # effects
        (
            rule("a", effect="percent_off: {bp: 1}, gift: {sku_id: 1}"),
            *("a", 1, LintCode.BAD_EFFECT, "exactly one effect"),
        ),
        (rule("a", effect=""), "a", 1, LintCode.BAD_EFFECT, "exactly one effect"),
        (
            rule("a", effect="gift: {sku_id: 1}"),
            *("a", 1, LintCode.BAD_EFFECT, "no effect of level ORDER; those are: amount_off"),
        ),
        (rule("a", effect="percent_off: {bp: 10001}"), "a", 1, LintCode.BAD_EFFECT, "1 to 10000"),
        (
            rule("a", "level: ITEM", "deposit_inflation: {deposit_fen: 9, counts_as_fen: 9}"),
            *("a", 1, LintCode.BAD_EFFECT, "raise counts_as_fen"),
        ),
        (rule("a", "coupon: X"), "a", 1, LintCode.BAD_RULE, "only COUPON and FREIGHT rules"),
        (rule("a", "level: COUPON"), "a", 1, LintCode.BAD_RULE, "needs a code"),
        (rule("a", "level: COUPON, coupon: a b"), "a", 1, LintCode.BAD_RULE, "letters, digits"),
        # conditions
        (
            rule("a", 'when: cart.fen >= "9000"'),
            *("a", 1, LintCode.BAD_CONDITION, "cart.fen is compared with an integer"),
        ),
        (
            rule("a", "items: cart.fen >= 9000"),
            *("a", 1, LintCode.BAD_CONDITION, "there is no cart.fen here; known: item.sku_id"),
        ),
        (
            rule("a", "when: open('x') > 1"),
            *("a", 1, LintCode.BAD_CONDITION, "compare a name with a constant"),
        ),
        # unreachable
        (
            rule("a", "when: cart.fen > 9_000 and cart.fen < 8_000"),
            *("a", 1, LintCode.UNREACHABLE, "no cart can make this true"),
        ),
        (
            rule("a", "when: time.hour >= 24"),
            *("a", 1, LintCode.UNREACHABLE, "no cart can make this true"),
        ),
        (
            rule("a", 'items: \'item.category == "x" and item.category in ("y", "z")\''),
            *("a", 1, LintCode.UNREACHABLE, "no cart can make this true"),
        ),
        (
            rule("a", "effective_until: 2020-01-01T00:00:00Z"),
            *("a", 1, LintCode.UNREACHABLE, "already; set a later end"),
        ),
        (
            rule("strong", "group: g, when: cart.fen >= 9_000", "percent_off: {bp: 200}")
            + rule("weak", "group: g, when: cart.fen >= 9_000"),
            *("weak", 2, LintCode.UNREACHABLE, "strong always stands instead of it"),
        ),
        (
            rule("a", "when: member.level == 1")
            + rule("b", "when: member.level == 2, requires: [a]"),
            *("b", 2, LintCode.UNREACHABLE, "a never applies at the same time"),
        ),
        # together
        (
            rule("a") + rule("b", "excludes: [c]"),
            *("b", 2, LintCode.UNKNOWN_RULE, "there is no rule c"),
        ),
        (
            rule("a", "excludes: [a]"),
            *("a", 1, LintCode.CONTRADICTION, "neither requires nor excludes itself"),
        ),
        (
            rule("a", "requires: [b]") + rule("b", "level: FREIGHT", "free_freight: {}"),
            *("a", 1, LintCode.TOO_LATE, "b has its turn later"),
        ),
        (
            rule("a", "level: ITEM, requires: [b]") + rule("b", "level: ITEM"),
            *("a", 1, LintCode.BAD_RULE, "an ITEM rule has its turn first"),
        ),
        (
            rule("a", "requires: [b], excludes: [b]") + rule("b"),
            *("a", 1, LintCode.CONTRADICTION, "it requires b and may not stand with it"),
        ),
        (
            rule("a", "requires: [b], group: g") + rule("b", "group: g", "amount_off: {fen: 9}"),
            *("a", 1, LintCode.CONTRADICTION, "it requires b and may not stand with it"),
        ),
        (
            rule("a", "requires: [b]") + rule("b", "requires: [c]") + rule("c", "excludes: [a]"),
            *("a", 1, LintCode.CONTRADICTION, "it requires c and may not stand with it"),
        ),
        (
            rule("a", "level: COUPON, coupon: SAVE-*")
            + rule("b", "level: COUPON, coupon: OTHER")
            + rule("c", "level: COUPON, coupon: SAVE-20"),
            *("c", 3, LintCode.OVERLAPPING_CODES, "rule a take the same codes"),
        ),
        (
            rule("a", "level: COUPON, coupon: SAVE")
            + rule("b", "level: FREIGHT, coupon: SAVE", "free_freight: {}"),
            *("b", 2, LintCode.OVERLAPPING_CODES, "give them beginnings of their own"),
        ),
    ],
)
def test_a_mistake_is_found_with_its_rule_its_line_and_what_to_do(
    rules: str, rule_id: str, line: int, code: LintCode, what: str
) -> None:
    findings = found(rules)
    assert [one[:3] for one in findings] == [(rule_id, line, code)], findings
    assert what in findings[0][3]


def test_rules_that_require_each_other_are_found_all() -> None:
    findings = found(rule("a", "requires: [b]") + rule("b", "requires: [a]"))
    assert [one[:3] for one in findings] == [("a", 1, LintCode.CYCLE), ("b", 2, LintCode.CYCLE)]
    assert "drop one requirement of the circle" in findings[0][3]


@pytest.mark.parametrize(
    ("rules", "rule_id"),
    [
        (rule("a", effect="percent_off: {bp: 10000}"), "a"),
        (rule("a", effect="amount_off: {fen: 9000}"), "a"),
        (rule("a", "items: item.sku_id == 1", "amount_off: {fen: 9}"), "a"),
        (rule("a", "level: ITEM", "fixed_price: {fen: 0}"), "a"),
        (
            rule("a", "base: ORIGINAL", "percent_off: {bp: 6000}")
            + rule("b", "base: ORIGINAL", "percent_off: {bp: 4000}"),
            "b",
        ),
        (
            rule("a", "level: ITEM", "percent_off: {bp: 9000}")
            + rule("b", "when: cart.fen >= 900", "amount_off: {fen: 900}"),
            "b",
        ),
    ],
)
def test_what_can_be_given_away_needs_a_declared_floor(rules: str, rule_id: str) -> None:
    findings = found(rules, floor="null")
    assert [(one[0], one[2]) for one in findings] == [(rule_id, LintCode.NO_FLOOR)]
    assert "declare a floor_bp of the rule or of the pack" in findings[0][3]
    assert found(rules, floor="1") == []
    assert found(rules, floor="0") == [], "goods may be free, and somebody said so"


@pytest.mark.parametrize(
    "rules",
    [
        rule("a", effect="percent_off: {bp: 9999}"),
        rule("a", effect="amount_off: {fen: 8999}"),
        rule("a", effect="amount_off: {fen: 9999, every_fen: 10000}"),
        rule("a", "base: ORIGINAL, group: g", "percent_off: {bp: 6000}")
        + rule(
            "b", "base: ORIGINAL, group: g, priority: 1", "percent_off: {bp: 4000, up_to_fen: 5}"
        ),
        rule("a", "base: ORIGINAL, when: member.level == 1", "percent_off: {bp: 6000}")
        + rule("b", "base: ORIGINAL, when: member.level == 2", "percent_off: {bp: 6000}"),
        rule("a", "base: ORIGINAL, items: item.sku_id == 1", "percent_off: {bp: 6000}")
        + rule("b", "base: ORIGINAL, items: item.sku_id == 2", "percent_off: {bp: 6000}"),
        rule("a", effect="percent_off: {bp: 6000}") + rule("b", effect="percent_off: {bp: 6000}"),
        rule("a", "floor_bp: 500", "percent_off: {bp: 10000}"),
    ],
)
def test_what_always_leaves_something_needs_no_floor(rules: str) -> None:
    assert [one for one in found(rules, floor="null") if one[2] is LintCode.NO_FLOOR] == []


def test_an_example_that_costs_something_else_is_found() -> None:
    (finding,) = found(rule("a", "when: cart.fen >= 1"))
    assert finding[:3] == ("", 9 - FIRST_LINE + 1, LintCode.EXAMPLE_FAILED)
    assert "costs 495, not 500 (applied: a); correct the rules or the example" in finding[3]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", 1, "the file is empty"),
        ("a: [1", 1, "neither YAML nor JSON"),
        ("pack_id: a\nshop_id: 1\nrules: []\npack_id: b", 4, "pack_id is there twice"),
        ("a: &x 1\nb: *x", 1, "aliases (*name) are not taken"),
        ("pack_id: a\nshop_id: 1\nrules: []", 3, "0 rules; write 1 to 1000"),
        ("pack_id: a\nshop_id: 1", 1, "missing required field `rules`"),
        ("- 1", 1, "Expected `object`"),
        ("pack_id: a\nversion: 3\nshop_id: 1\nrules: []", 2, "there is no version here"),
    ],
)
def test_a_file_that_is_no_pack_is_found(text: str, line: int, what: str) -> None:
    findings = parse_pack(text.encode(), NOW_MS).findings
    assert (findings[0].line, what in findings[0].finding.detail) == (line, True), findings


def test_a_pack_may_be_json() -> None:
    pack = parse_pack(FESTIVAL.read_bytes(), NOW_MS).pack
    assert pack is not None
    plain = msgspec.to_builtins(pack)
    del plain["version"]
    for one in plain["rules"]:
        del one["effective_from_ms"], one["effective_until_ms"]
    for one in plain["examples"]:
        at_ms = one.pop("at_ms")
        one["at"] = msgspec.json.decode(msgspec.json.encode(f"{at_ms // 1000}"))
    again = parse_pack(msgspec.json.encode(plain), NOW_MS)
    assert {one.finding.detail[:29] for one in again.findings} == {"write a time with its zone, e"}
    for one in plain["examples"]:
        one["at"] = "2026-11-11T08:30:00+08:00"
    assert isinstance(parse_pack(msgspec.json.encode(plain), NOW_MS).pack, RulePack)


def test_the_pack_of_the_documentation_has_no_mistakes() -> None:
    assert parse_pack(FESTIVAL.read_bytes(), NOW_MS).findings == ()


def test_the_stored_json_schema_is_what_this_code_prints() -> None:
    stored = msgspec.json.decode((FESTIVAL.parent / "rule-pack.schema.json").read_bytes())
    assert stored == json.loads(json.dumps(json_schema())), (
        "run: orderstream rules schema > docs/packs/rule-pack.schema.json"
    )

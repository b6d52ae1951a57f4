"""What somebody might try to get past the rule book's language: refused, with the place, at once, and in one way."""

import time
from typing import Any

import duckdb
import ibis
import psycopg
import pytest

from ledger.rulebook.expressions import MAX_LENGTH, BadExpression, Kind, parse
from projections.tables.expressions import bind

SCHEMA: dict[str, Kind] = {
    "channel": "text",
    "score": "integer",
    "valid": "boolean",
    "received_at": "time",
    "quarter": "day",
    "answer.met": "boolean",
    "answer.elapsed": "duration",
}
SOON_S = 1.0

# Each with its offending token between guillemets, where there is one.
ATTACKS = {
    "statements": """
        «select» 1
        («select» true)
        «exists» (select 1)
        channel in («select» channel from contacts)
        channel in («values» ('a'))
        «with» a as (select 1) select 1
        valid «union» all select true
        valid«;» drop table log.entries
        valid«;»
        «;»
        «drop» table log.entries
        «insert» into contacts values (1)
        «update» contacts set channel = 'x'
        «delete» from contacts
        «truncate» contacts
        «copy» contacts to '/tmp/x'
        «attach» 'x.db'
        «pragma» version
        «set» role postgres
        «do» $$ begin end $$
        «begin»
        «call» f()
        «explain» valid
        score = «any» (array[1])
        score = «all» (select 1)
        score = «some» (select 1)
        «array»(select 1) = score
        valid «from» contacts
        «lateral» (select 1)
        «table» contacts
    """,
    "functions": """
        «now»() > received_at
        «pg_sleep»(10) is null
        «PG_SLEEP» (10) is null
        «pg_catalog.version»() = 'x'
        «version»() = 'x'
        «random»() > 0
        «current_setting»('a') = 'b'
        «lo_import»('/etc/passwd') = 1
        «read_csv»('/etc/passwd') is null
        «ifnull»(valid, true)
        «nvl»(valid, true)
        «nullif»(score, 1) = 1
        «greatest»(score, 1) = 1
        «isnull»(score)
        «count»(*) > 1
        «sum»(score) > 1
        «max»(score) over (partition by channel) = 1
        «row_number»() over () = 1
        «lower»(channel) = 'x'
        «extract»(year from received_at) = 2026
        «substring»(channel from 1) = 'x'
        «position»('a' in channel) = 1
        «if»(valid, 1, 2) = 1
        «channel»(score) = 1
        «answer.met»()
        «unnest»(score)
        «row»(1, 2) = 1
        «"pg_sleep"»(10)
        «coalesce_»(valid, true)
        «COALESCEX»(valid, true)
    """,
    "clocks": """
        «CURRENT_TIMESTAMP» > received_at
        «current_date» = quarter
        «LOCALTIME» is null
        «localtimestamp» > received_at
        «current_time» is null
        «current_user» = channel
        «session_user» = channel
        «user» = channel
        received_at > «timestamp» '2026-01-01'
        received_at > «date» '2026-01-01'
        received_at > «interval» '1 day'
        received_at «at» time zone 'UTC' = received_at
    """,
    "casts": """
        score«:»:text = '1'
        «cast»(score as text) = '1'
        «try_cast»(score as text) = '1'
        «safe_cast»(score as text) = '1'
        «convert»(score, text) = '1'
        score = «int» '1'
        channel «collate» "C" = 'x'
    """,
    "comments": """
        valid «--» and more
        «--»
        valid «/*» and more */
        valid «/*»+ hint */
        valid «/*» a /* b */ c */
        valid «*/»
        valid «/*»
        valid and «/*»!50000 valid */
        valid «#» and more
        valid «//» and more
        valid «{#» and more #}
        «{%» if 1 %} valid
        score «--»- 1
        score«--»1
    """,
    "dialects": """
        «`»channel`«» = 'x'
        «[»channel] = 'x'
        channel = «$»$x$$
        channel = «$»a$x$a$
        score = «$»1
        score = «?»
        score = «:»name
        «@»score = 1
        score = «@»@version
        score = «%»(asked)s
        score = «{»{ score }}
        «{»valid}
        channel = «e»'a'
        channel = «E»'\\n'
        channel = «U»&'a'
        channel = «N»'a'
        channel = «X»'1F'
        channel = «B»'1'
        channel = «r»'a'
        channel = «_utf8»'a'
        «"Channel"» = 'x'
        «"CHANNEL"» = 'x'
        «"channel;"» = 'x'
        «"»channel = 'x'
        «"answer.met"»
        «""»
        «'channel» = 1
        «\\»
        «CHANNEL» = 'x'
        «Channel» = 'x'
    """,
    "operators": """
        score «/» 2 > 1
        score «%» 2 = 1
        score «^» 2 = 1
        score «&» 1 = 1
        score «|» 1 = 1
        channel «|»| 'x' = 'y'
        «~»score = 1
        score <«<» 1 = 1
        score >«>» 1 = 1
        «!» valid
        valid «&»& valid
        channel «~» 'x'
        channel «!»~ 'x'
        score =«=» 1
        score <=«>» 1
        score -«>» 'x' = 1
        score «:»= 1
        score «.» 5
        channel «like» 'e%'
        channel «ilike» 'e%'
        channel «similar» to 'e'
        channel «regexp» 'e'
        channel «rlike» 'e'
        channel «glob» 'e'
        score «between» 1 and 2
        score «between» symmetric 1 and 2
        valid is «true»
        score is «distinct» from 1
        score is not «distinct» from 1
        score «isnull»
        score «div» 2 = 1
        score «mod» 2 = 1
        valid «xor» valid
        «*»
        «contacts.channel» = 'x'
        score in (1)(«2»)
        score not «null»
        «+»score = 1
        score = «+» 1
        score in (1,«)»
        valid«,» score
        score = 'x' «as» y
        score «desc»
        channel«[»1] = 'x'
        score = «{»'a': 1}
        «score.x» = 1
    """,
    "numbers": """
        score = 1«.»5
        score = «.»5
        score = 1«.»
        score = «1»e9
        score = «0»x1F
        score = «0»b11
        score = 1«_»000
        score = «9223372036854775808»
        score = -«9223372036854775808»
        score = «18446744073709551616»
        score = «1»L
        score = «inf»
        score = «nan»
        score = «infinity»
    """,
    "characters": """
        «ｃ»hannel = 'x'
        channel «＝» 'x'
        score = «１»
        score = «١»
        valid «ａｎｄ» valid
        «сhannel» = 'x'
        «ѕcore» = 1
        score «−» 1 = 1
        channel = «‘»x’
        channel = «＇»x＇
        valid«\u00a0»and valid
        valid«\u3000»and valid
        valid«\u2028»and valid
        valid«\x0b»and valid
        valid«\x85»and valid
        «val»\u200bid
        valid«\u202e»
        «\ufeff»valid
        «\x00»
        valid«\x00»
        «\ud800»
        valid«\udfff»
        channel = «'a\x00b'»
        channel = «'a\ud800b'»
        channel = «'a\u202eb'»
        channel = «'a\u200bb'»
        channel = «'a\u2028b'»
        channel = «'a\x1bb'»
        valid «≤» 1
        score «≠» 1
        «😀»
        valid «；»
    """,
}


def attacks() -> list[tuple[str, int | None]]:
    found: list[tuple[str, int | None]] = []
    for told in ATTACKS.values():
        for line in told.split("\n"):
            text = line.strip(" ")
            if text:
                place = text.find("«")
                found.append((text.replace("«", "").replace("»", ""), None if place < 0 else place))
    return found


def refused(text: str) -> BadExpression:
    begin = time.perf_counter()
    with pytest.raises(BadExpression) as caught:
        parse(text, SCHEMA)
    assert time.perf_counter() - begin < SOON_S
    assert 0 <= caught.value.place <= len(text)
    str(caught.value).encode()  # the message can be written anywhere
    return caught.value


@pytest.mark.parametrize(("text", "place"), attacks(), ids=lambda part: ascii(part)[:40])
def test_an_attack_is_refused_with_its_place(text: str, place: int | None) -> None:
    found = refused(text)
    if place is not None:
        assert found.place == place, str(found)


LONG = 100_000
DEEP = [
    *("(" * LONG, "(" * LONG + "valid" + ")" * LONG, "not " * LONG + "valid", "-" * LONG + "1 = 1", "- " * LONG),
    *("case when " * LONG, "coalesce(" * LONG, "channel in (" * LONG, "valid or " * LONG, "'" * LONG, "a" * LONG),
    *("score = " + "9" * LONG, "channel = '" + "x" * LONG + "'", "\x00" * LONG, " " * LONG, "a." * LONG),
    # as long as may be
    *("(" * MAX_LENGTH, "(" * 997 + "valid" + ")" * 997, "not " * 490 + "valid", "- " * 990 + "1 = 1"),
    *("case when " * 190, "case when valid then " * 90, "coalesce(" * 220, "score in (" * 190, "(score in " * 190),
    *("valid or " * 220 + "valid", "score + " * 240 + "score = 1", "score = " * 240 + "1", "valid is null " * 140),
    *("score = 1" + "0" * 400, "'" * 1_999, '"' * 1_999, "a." * 999, "," * 1_999, "not in " * 280, "case " * 400),
    *("- " * 17 + "score = 1", "not " * 17 + "valid", "(" * 17 + "valid" + ")" * 17, "is not " * 280, "end " * 400),
    *("((valid and " * 80 + "valid" + "))" * 80, "case when valid then 1 else " * 50 + "1" + " end" * 50),
]


@pytest.mark.parametrize("text", DEEP, ids=lambda text: f"{text[:12]} {len(text)}")
def test_the_deep_the_long_and_the_huge_are_refused_at_once(text: str) -> None:
    refused(text)


@pytest.mark.parametrize("depth", [10, 150, 300])
def test_what_is_allowed_does_not_depend_on_who_asks(depth: int) -> None:
    """Neither the deepest that is allowed, nor what is not, ends otherwise on a deep stack than on a flat one."""

    def deeper(left: int) -> object:
        if left:
            return deeper(left - 1)
        with pytest.raises(BadExpression):
            parse("(" * 17 + "valid" + ")" * 17, SCHEMA)
        parse("coalesce(" * 16 + "valid" + ")" * 16, SCHEMA)
        parse("case when " * 16 + "valid" + " then valid end" * 16, SCHEMA)
        return parse("(" * 16 + "valid" + ")" * 16, SCHEMA)

    assert deeper(depth) is not None


TEXTS = [
    *("a--b", "a/*b*/c", "a#b", "//", "{{a}}", "{% if %}", "it's", "''", "'", '"', "`", ";", "\\", "\\'", "a\\", "%"),
    *(
        "%s",
        "%(a)s",
        "%%",
        "$1",
        "$$",
        "?",
        ":name",
        "@x",
        "渠道",
        "e\u0301",
        "😀",
        "\u00a0",
        "\u3000",
        "E'a'",
        "  a  ",
    ),
    *("\\n", "\\x00", "\\u0000", "null", "true", "1", "select 1", "'; drop table given; --", "{", "}", "{0}", "ＡＢ"),
]


def test_a_text_means_itself_on_every_engine(postgres: str) -> None:
    """Quotes, backslashes, per cents and other people's syntax in texts are only characters."""
    rows = ibis.table(ibis.schema({"channel": "string"}), name="given")
    checked = {text: parse("channel = '" + text.replace("'", "''") + "'", {"channel": "text"}) for text in TEXTS}
    listed = "channel in (" + ", ".join("'" + text.replace("'", "''") + "'" for text in TEXTS) + ")"
    query = rows.select(
        "channel", all=bind(parse(listed, {"channel": "text"}), rows),
        **{f"is_{nth}": bind(each, rows) for nth, each in enumerate(checked.values())},
    )  # fmt: skip
    answers: list[list[tuple[Any, ...]]] = []
    with psycopg.connect(postgres) as connection:
        connection.execute("CREATE TEMPORARY TABLE given (channel text)")
        connection.cursor().executemany("INSERT INTO given VALUES (%s)", [[text] for text in TEXTS])
        answers.append(connection.execute(str(ibis.to_sql(query, dialect="postgres")).encode()).fetchall())
    with duckdb.connect() as engine:
        engine.execute("CREATE TABLE given (channel VARCHAR)")
        engine.executemany("INSERT INTO given VALUES (?)", [[text] for text in TEXTS])
        answers.append(engine.execute(str(ibis.to_sql(query, dialect="duckdb"))).fetchall())
    for answer in answers:
        assert len(answer) == len(TEXTS)
        for channel, within, *equal in answer:
            assert within is True
            assert equal == [text == channel for text in TEXTS]

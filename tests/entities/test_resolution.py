"""Which names mean the same: by rules of their types, whatever their order, and never more than what is said."""

from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.entities.blocking import MOST_KEYS
from app.entities.mentions import EntityType, Mention
from app.entities.resolution import KnownEntity, Named, Resolved, blocking_keys, named, resolve
from app.entities.similarity import SAME, likeness

PERSON, ORGANIZATION, PLACE = EntityType.PERSON, EntityType.ORGANIZATION, EntityType.PLACE


def names(kind: EntityType, *normals: str) -> list[Named]:
    return [Named(kind, normal, normal.title()) for normal in normals]


def known(kind: EntityType, normal: str, number: int = 1) -> KnownEntity:
    return KnownEntity(UUID(int=number), kind, normal, normal.title())


def groups(resolved: list[Resolved]) -> set[frozenset[str]]:
    return {frozenset(said.named.normal for said in each.joined) for each in resolved}


def reason(resolved: list[Resolved], normal: str) -> str:
    return next(said.reason for each in resolved for said in each.joined if said.named.normal == normal)


@pytest.mark.parametrize(
    ("kind", "one", "other", "why"),
    [
        (PERSON, "nichole marie jagels", "nichole m jagels", "middle_name"),
        (PERSON, "nichole marie jagels", "nichole jagels", "middle_name"),
        (PERSON, "nichole marie jagels", "n m jagels", "initials"),
        (PERSON, "vanessa st pierre", "st pierre", "surname_alone"),
        (PERSON, "john smith, jr", "john smith", "suffix"),
        (PERSON, "richard liebowitz", "richard llebowitz", "similar_spelling"),
        (PERSON, "denise okonkwo hale", "denise okonkwo-hale", "similar_spelling"),
        (ORGANIZATION, "national football league", "nfl", "acronym"),
        (ORGANIZATION, "standard insurance", "standard", "beginning"),
        (ORGANIZATION, "bright water freight", "brightwater freight", "same_letters"),
        (ORGANIZATION, "consolidated foundries", "consolidated foundrles", "similar_spelling"),
        (ORGANIZATION, "united states court of appeals for the tenth circuit", "tenth circuit", "court"),
        (ORGANIZATION, "united states court of appeals for the fifth circuit", "5th circuit", "court"),
        (ORGANIZATION, "united states court of appeals for the dc circuit", "court of appeals dc circuit", "court"),
        (
            ORGANIZATION,
            "united states district court for the western district of texas",
            "western district of texas",
            "court",
        ),
        (ORGANIZATION, "circuit court of alder county missouri", "circuit court of alder county", "beginning"),
        (PLACE, "atlanta, georgia", "atlanta", "beginning"),
        (EntityType.CITATION, "556 U.S. 662", "556 U.S. at 678", "short_citation"),
        (EntityType.CITATION, "12 F. Supp. 2d 300", "12 F. Supp. 2d at 302-03", "short_citation"),
        (EntityType.CASE_NUMBER, "1:17-cv-06761", "17-cv-06761", "without_office"),
    ],
)
def test_one_thing_under_two_names(kind: EntityType, one: str, other: str, why: str) -> None:
    resolved = resolve(names(kind, one, other))
    assert groups(resolved) == {frozenset((one, other))}
    assert reason(resolved, other) == why
    assert resolved[0].normal == one


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (PERSON, "john smith, jr", "john smith, sr"),
        (PERSON, "john smith", "jane smith"),
        (PERSON, "john q smith", "john r smith"),
        (PERSON, "ann lee", "ann leo"),
        (PERSON, "tom hall", "tom ball"),
        (ORGANIZATION, "national football league", "national football league players association"),
        (ORGANIZATION, "local 12 firefighters", "local 15 firefighters"),
        (ORGANIZATION, "georgia", "georgia pacific"),
        (ORGANIZATION, "united states", "united states district court"),
        (ORGANIZATION, "first bank", "first national bank"),
        (ORGANIZATION, "fifth circuit", "united states court of appeals for the sixth circuit"),
        (ORGANIZATION, "district court of maine", "bankruptcy court of maine"),
        (ORGANIZATION, "louisiana fifth circuit court of appeal", "united states court of appeals fifth circuit"),
        (EntityType.CITATION, "556 U.S. 662", "556 U.S. at 12"),
        (EntityType.CITATION, "556 U.S. 662", "557 U.S. at 678"),
        (PLACE, "portland, oregon", "portland, maine"),
        (EntityType.DATE, "2021-01-11", "2021-01-12"),
        (EntityType.MONEY, "USD 200000.00", "USD 200000.01"),
        (EntityType.CASE_NUMBER, "1:17-cv-06761", "2:17-cv-06761"),
        (EntityType.EMAIL, "jo@example.org", "jo@example.com"),
        (EntityType.CITATION, "466 U.S. 668", "466 U.S. 688"),
        (EntityType.ADDRESS, "12 main st concord nh 03301", "14 main st concord nh 03301"),
    ],
)
def test_two_things_stay_two(kind: EntityType, one: str, other: str) -> None:
    assert len(resolve(names(kind, one, other))) == 2


def test_who_of_two_is_meant_nobody_can_say() -> None:
    assert groups(resolve(names(PERSON, "john smith", "jane smith", "smith", "j smith"))) == {
        frozenset({"john smith"}), frozenset({"jane smith"}), frozenset({"smith"}), frozenset({"j smith"})
    }  # fmt: skip


def test_names_of_different_types_are_never_one() -> None:
    both = names(PERSON, "hartfield") + names(ORGANIZATION, "hartfield")
    assert len(resolve(both)) == 2


def test_what_the_project_knows_is_taken_up() -> None:
    [resolved] = resolve(names(PERSON, "nichole m jagels", "jagels"), [known(PERSON, "nichole marie jagels")])
    assert resolved.entity_id == UUID(int=1)
    assert resolved.normal == "nichole marie jagels"
    assert {said.reason for said in resolved.joined} == {"middle_name", "surname_alone"}


@pytest.mark.parametrize(
    ("kind", "normal", "there"),
    [
        (PERSON, "smith", "john smith"),
        (PERSON, "j smith", "john smith"),
        (ORGANIZATION, "nfl", "national football league"),
        (ORGANIZATION, "standard", "standard insurance"),
        (PLACE, "portland", "portland, oregon"),
        (EntityType.CASE_NUMBER, "17-cv-06761", "1:17-cv-06761"),
    ],
)
def test_short_names_say_too_little_across_documents(kind: EntityType, normal: str, there: str) -> None:
    [resolved] = resolve(names(kind, normal), [known(kind, there)])
    assert resolved.entity_id is None


def test_a_surname_means_the_one_of_this_document_rather_than_a_stranger() -> None:
    resolved = resolve(names(PERSON, "john smith", "smith"), [known(PERSON, "smith")])
    assert groups(resolved) == {frozenset({"john smith", "smith"})}
    assert resolved[0].entity_id is None


def test_a_surname_alone_is_the_one_that_was_alone_before() -> None:
    [resolved] = resolve(names(PERSON, "smith"), [known(PERSON, "smith")])
    assert resolved.entity_id == UUID(int=1)


def test_known_entities_that_no_name_means_are_not_told() -> None:
    assert resolve([], [known(PERSON, "john smith")]) == []


def test_names_are_told_as_they_are_most_often_written() -> None:
    def mention(text: str) -> Mention:
        return Mention(PERSON, text, "ann roe", 0.9, "a", 0, 7)

    [name] = named([mention("ANN ROE"), mention("Ann Roe"), mention("Ann Roe")])
    assert name == Named(PERSON, "ann roe", "Ann Roe", 3)


@pytest.mark.parametrize("times", [1, 3])
def test_a_citation_is_told_in_full(times: int) -> None:
    """However often, and wherever, the short form of the same stands."""

    def cited(text: str) -> Mention:
        return Mention(EntityType.CITATION, text, "556 U.S. 662", 0.9, "eyecite", 0, 5)

    full = "Ashcroft v. Iqbal, 556 U.S. 662, 678 (2009)"
    short = [cited("556 U.S. at 678")] * times
    assert [name.text for name in named([*short, cited(full)])] == [full]
    assert [name.text for name in named([cited(full), *short])] == [full]
    assert [name.text for name in named(short)] == ["556 U.S. at 678"]


def test_one_court_is_one_entity_whatever_it_is_called() -> None:
    resolved = resolve(
        names(
            ORGANIZATION,
            "tenth circuit",
            "united states court of appeals tenth circuit",
            "united states court of appeals for the tenth circuit",
            "10th circuit",
            "ninth circuit",
        )
    )
    assert sorted(len(each.joined) for each in resolved) == [1, 4]


def test_a_circuit_is_its_court_across_documents() -> None:
    court = known(ORGANIZATION, "united states court of appeals for the tenth circuit")
    [resolved] = resolve(names(ORGANIZATION, "tenth circuit"), [court])
    assert resolved.entity_id == UUID(int=1)


def test_a_short_citation_of_two_cases_in_one_volume_is_neither() -> None:
    cited = names(EntityType.CITATION, "556 U.S. 662", "556 U.S. 600", "556 U.S. at 700")
    assert len(resolve(cited)) == len(cited)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (PERSON, "Ann O’Hara", "Ann O'Hara"),
        (ORGANIZATION, "Workers’ Compensation Board", "WORKERS' COMPENSATION BOARD"),
        (ORGANIZATION, "Tenth Circuit", "United States Court of Appeals for the Tenth Circuit"),
        (PLACE, "Atlanta, GA", "Atlanta, Georgia"),
    ],
)
def test_names_as_they_are_written_are_compared_by_their_forms(kind: EntityType, one: str, other: str) -> None:
    assert likeness(kind, one, other).score >= SAME
    assert likeness(kind, one, other) == likeness(kind, other, one)


WORDS = ["smith", "smlth", "smyth", "jones", "hall", "st pierre", "o'hara", "okonkwo-hale"]
PEOPLE = st.builds(
    lambda given_names, family, suffix: " ".join([*given_names, family]) + suffix,
    st.lists(st.sampled_from(["john", "jane", "j", "q", "quentin"]), max_size=2),
    st.sampled_from(WORDS),
    st.sampled_from(["", ", jr", ", sr"]),
)
FIRMS = st.lists(
    st.sampled_from(["standard", "insurance", "national", "league", "nl", "freight", "12", "holloway", "and"]),
    min_size=1,
    max_size=4,
).map(" ".join)
COURTS = st.builds(
    "{}{}{} circuit".format,
    st.sampled_from(["", "united states "]),
    st.sampled_from(["", "court of appeals ", "court of appeals for the "]),
    st.sampled_from(["fifth", "5th", "tenth", "federal"]),
)
NAMED = st.one_of(
    PEOPLE.map(lambda each: Named(PERSON, each, each)),
    st.one_of(FIRMS, COURTS).map(lambda each: Named(ORGANIZATION, each, each)),
)


@given(st.lists(NAMED, max_size=12), st.randoms())
def test_the_order_of_names_is_no_matter(those: list[Named], random: Random) -> None:
    shuffled = list(those)
    random.shuffle(shuffled)
    assert groups(resolve(shuffled)) == groups(resolve(those))


@given(st.lists(NAMED, max_size=12), st.lists(NAMED, max_size=4, unique_by=lambda each: (each.type, each.normal)))
def test_each_name_belongs_to_one_entity_of_its_type(those: list[Named], there: list[Named]) -> None:
    entities = [KnownEntity(UUID(int=i), each.type, each.normal, each.text) for i, each in enumerate(there)]
    resolved = resolve(those, entities)
    joined = [(said.named.type, said.named.normal) for each in resolved for said in each.joined]
    assert sorted(joined) == sorted({(each.type, each.normal) for each in those})
    assert all(said.named.type is each.type and SAME <= said.score <= 1 for each in resolved for said in each.joined)
    ids = [each.entity_id for each in resolved if each.entity_id is not None]
    assert len(ids) == len(set(ids))


@given(st.lists(NAMED, max_size=10))
def test_resolving_again_changes_nothing(those: list[Named]) -> None:
    """A stage that runs twice finds its own entities, and joins the same names to them by their forms."""
    first = resolve(those)
    entities = [KnownEntity(UUID(int=i), each.type, each.normal, each.name) for i, each in enumerate(first)]
    again = resolve(those, entities)
    assert {each.entity_id for each in again} <= {each.entity_id for each in entities}
    fullest = {(each.type, each.normal) for each in first}
    for each in again:
        for said in each.joined:
            if (said.named.type, said.named.normal) in fullest and said.named.normal != each.normal:
                assert " " not in said.named.normal  # a surname alone, whose bearer the document names


@given(NAMED, NAMED)
def test_what_may_be_the_same_shares_a_blocking_key(one: Named, other: Named) -> None:
    if one.type is other.type and likeness(one.type, one.normal, other.normal).score >= SAME:
        assert blocking_keys(one) & blocking_keys(other)


@given(NAMED, NAMED)
def test_likeness_is_the_same_from_both_sides(one: Named, other: Named) -> None:
    if one.type is other.type:
        there, back = likeness(one.type, one.normal, other.normal), likeness(one.type, other.normal, one.normal)
        assert there == back


@given(st.sampled_from(EntityType), st.text(min_size=1, max_size=40))
def test_any_form_has_a_few_keys(kind: EntityType, normal: str) -> None:
    keys = blocking_keys(Named(kind, normal, normal))
    assert 1 <= len(keys) <= MOST_KEYS
    assert all(key.startswith(f"{kind}:") for key in keys)


def test_many_names_of_many_families_are_compared_in_their_blocks_alone() -> None:
    """Twice as many names cost twice the comparisons, not four times."""

    def compared(count: int) -> int:
        many = [
            Named(
                PERSON,
                f"ann{chr(97 + i % 7)} family{'bcdfgklmnp'[i // 10 % 10]}{'bcdfgklmnp'[i % 10]}{'bcdfgklmnp'[i // 100]}",
                "x",
            )
            for i in range(count)
        ]
        blocks: dict[str, int] = {}
        for name in many:
            for key in blocking_keys(name):
                blocks[key] = blocks.get(key, 0) + 1
        return sum(size * size for size in blocks.values())

    assert compared(800) <= 2.5 * compared(400)

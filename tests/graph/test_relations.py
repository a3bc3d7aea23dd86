"""What the sentences of a document say of its entities to each other."""

import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.entities.mentions import EntityType, Mention, Passage
from app.graph.parties import _TITLES
from app.graph.relations import MOST_EVIDENCE, Edge, Evidence, LinkedMention, RelationReader, RelationType, joined
from app.graph.rules import RULES

_MARK = re.compile(rf"\{{(?P<type>{'|'.join(EntityType)}):(?P<text>[^}}]+)\}}")


def marked(text: str, start: int = 0, page: int = 1) -> tuple[Passage, list[LinkedMention]]:
    """A passage and its mentions, each standing for the entity that has its name, spaces and capitals aside."""
    linked, plain, done = [], "", 0
    for mark in _MARK.finditer(text):
        plain += text[done : mark.start()]
        first, name = start + len(plain), mark["text"]
        plain += name
        form = " ".join(name.lower().split())
        mention = Mention(EntityType(mark["type"]), name, form, 0.9, "test", first, first + len(name))
        linked.append(LinkedMention(form, mention))
        done = mark.end()
    return Passage(plain + text[done:], start, page), linked


def read(text: str, case: str | None = "21-800") -> list[Edge]:
    passage, linked = marked(text)
    return RelationReader(case).read([passage], linked)


def said(text: str, relation: RelationType) -> set[tuple[str, str]]:
    return {(str(edge.source), str(edge.target)) for edge in read(text) if edge.type is relation}


@pytest.mark.parametrize(
    ("text", "relation", "edges"),
    [
        (
            "{person:Ann Roe},\nPlaintiff—Appellant,\nversus\n{organization:Acme Inc.}; {organization:Beta\nLLC},\nDefendants—Appellees.\n",
            RelationType.PARTY_TO,
            {("ann roe", "21-800"), ("acme inc.", "21-800"), ("beta llc", "21-800")},
        ),
        (
            "{person:Ann Roe}, ) Honorable {person:Deborah Alessi}\n ) \n Respondent. ) Filed: {date:May 1, 2020}",
            RelationType.PARTY_TO,
            {("ann roe", "21-800")},
        ),
        (
            "Defendants {person:Ann Roe} and {person:Bob Doe} object.",
            RelationType.PARTY_TO,
            {("ann roe", "21-800"), ("bob doe", "21-800")},
        ),
        ("In re: {person:Ann Roe}", RelationType.PARTY_TO, {("ann roe", "21-800")}),
        ("Defendant {person:Esteban Leon} objects.", RelationType.PARTY_TO, {("esteban leon", "21-800")}),
        (
            "{person:Daniel Hall} and {person:Brian Rife}, {place:Bristol}, for the employer-appellant, {organization:Acme Inc.}",
            RelationType.REPRESENTS,
            {("daniel hall", "acme inc."), ("brian rife", "acme inc.")},
        ),
        (
            "{organization:Port Lavell}, represented by {person:Victor Szabo}, agreed.",
            RelationType.REPRESENTS,
            {("victor szabo", "port lavell")},
        ),
        (
            "/s/ {person:Ann Roe}\n{address:12 Main St, Troy, NY 12180}\n{phone:404-815-6095}\nAttorney for Appellant\n{organization:Acme Inc.}\n",
            RelationType.REPRESENTS,
            {("ann roe", "acme inc.")},
        ),
        (
            "{organization:STATE OF OHIO},\n)\nHonorable {person:Bob Doe}\n)\n  \nFiled: {date:May 1, 2020}\nRespondent.\n)",
            RelationType.PARTY_TO,
            {("state of ohio", "21-800")},
        ),
        (
            "A notice of appeal filed by {organization:Acme Inc.} in this case was docketed.",
            RelationType.PARTY_TO,
            {("acme inc.", "21-800")},
        ),
        ("{person:Ann Roe} was hired by {organization:Acme} in May.", RelationType.EMPLOYED_BY, {("ann roe", "acme")}),
        (
            "{person:Ann Roe}, a loan officer at {organization:Acme}, knew.",
            RelationType.EMPLOYED_BY,
            {("ann roe", "acme")},
        ),
        ("{person:Ann Roe} works for {organization:Acme}.", RelationType.EMPLOYED_BY, {("ann roe", "acme")}),
        (
            "{person:Ann Roe} is the chief executive of {organization:Lumen}.",
            RelationType.EMPLOYED_BY,
            {("ann roe", "lumen")},
        ),
        (
            "Dr. {person:Ann Roe} of {organization:Acme, Inc.} spoke.",
            RelationType.EMPLOYED_BY,
            {("ann roe", "acme, inc.")},
        ),
        (
            "In May {person:Ann Roe} became an\nemployee for the {organization:Acme}.",
            RelationType.EMPLOYED_BY,
            {("ann roe", "acme")},
        ),
        (
            "{person:Ann Roe}, who was then employed as a night clerk at {organization:Acme}, saw it.",
            RelationType.EMPLOYED_BY,
            {("ann roe", "acme")},
        ),
        (
            "{person:Ann Roe}, an attorney with the law firm of {organization:Roe & Doe LLP}, spoke.",
            RelationType.EMPLOYED_BY,
            {("ann roe", "roe & doe llp")},
        ),
        (
            "{organization:Acme}’s former sales director, {person:Ann Roe}, and {organization:Beta} manager {person:Bob Doe} met.",
            RelationType.EMPLOYED_BY,
            {("ann roe", "acme"), ("bob doe", "beta")},
        ),
        (
            "{person:Ann Roe} complained to her former employer, {organization:Acme}.",
            RelationType.EMPLOYED_BY,
            {("ann roe", "acme")},
        ),
        (
            "{person:Ann Roe}, Esq.\n{place:Ohio} Bar No. 12345\n{organization:Roe & Doe LLP}\n{address:12 Main St, Troy, NY 12180}\n",
            RelationType.EMPLOYED_BY,
            {("ann roe", "roe & doe llp")},
        ),
        (
            "{organization:Roe & Doe LLP}\n{address:12 Main St, Troy, NY 12180}\n{phone:404-815-6095}\nFax: {phone:404-815-6096}\n/s/ {person:Ann Roe}\n",
            RelationType.EMPLOYED_BY,
            {("ann roe", "roe & doe llp")},
        ),
        (
            "Name:\n{person:Ann Roe}\n_____\nLaw firm:\n{organization:Roe & Doe}\n",
            RelationType.EMPLOYED_BY,
            {("ann roe", "roe & doe")},
        ),
        (
            "{organization:Harbour Board} (HB)\n{person:Ann Roe}, Contract Manager\n{address:12 Main St, Troy, NY 12180}",
            RelationType.EMPLOYED_BY,
            {("ann roe", "harbour board")},
        ),
        (
            "{organization:Harbour Board}\nAttn: {person:Ann Roe}\n{address:12 Main St, Troy, NY 12180}",
            RelationType.EMPLOYED_BY,
            {("ann roe", "harbour board")},
        ),
        ("{organization:Acme} is headquartered in {place:Troy}.", RelationType.LOCATED_IN, {("acme", "troy")}),
        (
            "{organization:Acme Inc.}\n{address:12 Main St, Troy, NY 12180}",
            RelationType.LOCATED_IN,
            {("acme inc.", "12 main st, troy, ny 12180")},
        ),
        ("Date Filed: {date:01/11/2021}", RelationType.DATED, {("21-800", "01/11/2021")}),
        ("On {date:May 1, 2020}, {person:Ann Roe} resigned.", RelationType.DATED, {("ann roe", "may 1, 2020")}),
        ("{person:Ann Roe} resigned on {date:May 1, 2020}.", RelationType.DATED, {("ann roe", "may 1, 2020")}),
        (
            "{organization:Acme} owes {person:Ann Roe} the sum of {money:$500}.",
            RelationType.AMOUNT_OF,
            {("$500", "ann roe")},
        ),
        ("It paid {money:$500} to {person:Ann Roe}.", RelationType.AMOUNT_OF, {("$500", "ann roe")}),
        (
            "It follows. {citation:Doe v. Roe, 1 U.S. 2 (1799)}.",
            RelationType.CITES,
            {("21-800", "doe v. roe, 1 u.s. 2 (1799)")},
        ),
        ("{person:Ann Roe} met {person:Bob Doe}.", RelationType.CO_OCCURS, {("ann roe", "bob doe")}),
    ],
)
def test_what_a_sentence_says(text: str, relation: RelationType, edges: set[tuple[str, str]]) -> None:
    assert said(text, relation) == edges


@pytest.mark.parametrize(
    ("text", "relation"),
    [
        ("{person:Ann Roe} met {person:Bob Doe}.", RelationType.EMPLOYED_BY),
        ("{person:Ann Roe} left. {person:Bob Doe} came.", RelationType.CO_OCCURS),
        ("{person:Ann Roe} has met a manager of {organization:Acme}.", RelationType.EMPLOYED_BY),
        ("{person:Ann Roe} was not an employee of {organization:Acme}.", RelationType.EMPLOYED_BY),
        ("{person:Ann Roe}, attorney for {organization:Acme}, spoke.", RelationType.EMPLOYED_BY),
        ("{person:Ann Roe} sued a man employed by {organization:Acme}.", RelationType.EMPLOYED_BY),
        ("Judge {person:Ann Roe} of the {organization:Fifth Circuit} wrote it.", RelationType.EMPLOYED_BY),
        ("The purchase by {person:Ann Roe} of {organization:Acme, Inc.} was made.", RelationType.EMPLOYED_BY),
        ("{organization:Acme} hired {person:Ann Roe} to represent it.", RelationType.EMPLOYED_BY),
        ("{person:Ann Roe}\n{organization:Acme Inc.}\n", RelationType.EMPLOYED_BY),
        # A list of those who were served: her firm is not the one above her.
        (
            "{organization:Roe & Doe LLP}\n{address:12 Main St, Troy, NY 12180}\n{person:Ann Roe}\n",
            RelationType.EMPLOYED_BY,
        ),
        # Who `his` is nobody knows: she is no party.
        (
            "{person:Ann Roe} heard it.\n\nIt was about his employment with {organization:Acme}.",
            RelationType.EMPLOYED_BY,
        ),
        ("Honorable {person:Bob Doe}\n)\nFiled: {date:May 1, 2020}\nRespondent.\n)", RelationType.PARTY_TO),
        ("{organization:Acme Inc.} v. {person:Ann Roe}\n", RelationType.PARTY_TO),
        ("Defendant objects. {person:Ann Roe} left.", RelationType.PARTY_TO),
        ("It moved against Appellees {person:Ann Roe} had met.", RelationType.PARTY_TO),
        ("{person:Ann Roe} waited for {person:Bob Doe}.", RelationType.REPRESENTS),
        ("{person:Ann Roe} said so. It was on {date:May 1, 2020}.", RelationType.DATED),
    ],
)
def test_what_a_sentence_does_not_say(text: str, relation: RelationType) -> None:
    assert said(text, relation) == set()


def test_the_side_of_a_party_is_where_the_case_stands_now() -> None:
    [party] = [edge for edge in read("{person:Ann Roe},\nPlaintiff—Appellant,\n") if edge.type is RelationType.PARTY_TO]
    assert party.role == "appellant"


def test_entities_with_a_relation_are_not_told_as_named_together() -> None:
    kinds = {edge.type for edge in read("{person:Ann Roe} works for {organization:Acme}.")}
    assert kinds == {RelationType.EMPLOYED_BY}


def test_evidence_is_the_sentence_on_its_page() -> None:
    passage, linked = marked(
        "It rained. {person:Ann Roe} works for {organization:Acme}. It stopped.", start=700, page=9
    )
    [edge] = RelationReader().read([passage], linked)
    [evidence] = edge.evidence
    assert passage.text[evidence.start - 700 : evidence.end - 700] == "Ann Roe works for Acme."
    assert (evidence.page, evidence.weight) == (9, edge.weight)


def test_evidence_has_the_words_that_say_so() -> None:
    """Also where they stand on another line than the names."""
    [party] = read("Attorney for Appellant\n{organization:Acme Inc.}\n")
    assert [each.text for each in party.evidence] == ["Attorney for Appellant Acme Inc."]


def test_evidence_is_whole_and_without_what_is_kept_apart() -> None:
    """The numbers of pleading paper are blanked in the passage: the sentence goes on after them."""
    passage, linked = marked(
        "It was then that the carrier's agent told {person:Ann Roe}\n  \n   that it was on a Friday when she had met\n \n{person:Bob Doe} there."
    )
    [edge] = RelationReader().read([passage], linked)
    assert (edge.source, edge.target) == ("ann roe", "bob doe")
    [evidence] = edge.evidence
    assert (
        evidence.text
        == "It was then that the carrier's agent told Ann Roe that it was on a Friday when she had met Bob Doe there."
    )


def test_evidence_is_of_the_column_that_it_stands_in() -> None:
    """Where two passages have the place in their range, it is the text of the one that isn't blanked there."""
    whole, linked = marked("The court sits\n{person:Ann Roe} met {person:Bob Doe}.\nin the town")
    left, right = whole.text.split("\n")[::2], whole.text.split("\n")[1]
    around = Passage(f"{left[0]}\n{' ' * len(right)}\n{left[1]}", 0, 1)
    inside = Passage(right, len(left[0]) + 1, 1)
    [edge] = RelationReader().read([around, inside], linked)
    assert [each.text for each in edge.evidence] == ["Ann Roe met Bob Doe."]


def test_parties_wait_for_the_number_of_their_case() -> None:
    """A caption names the parties first; the number may stand on the next page, which may be read by another process."""
    reader = RelationReader()
    first, those = marked("{person:Ann Roe},\nPlaintiff,\n")
    second, number = marked("Case No. {case_number:1:19-cv-04417}", start=500)
    assert [edge for edge in reader.read([first], those) if edge.type is RelationType.PARTY_TO] == []
    reader = pickle.loads(pickle.dumps(reader))
    [party] = reader.read([second], number)
    assert (party.source, party.target, party.role) == ("ann roe", "1:19-cv-04417", "plaintiff")


def test_a_caption_in_passages_of_its_own_is_read_as_one() -> None:
    first, those = marked("{person:Ann Roe},")
    second = Passage("Plaintiff,", len(first.text) + 1, 1)
    [party] = RelationReader("21-800").read([first, second], those)
    assert party.type is RelationType.PARTY_TO


@pytest.mark.parametrize(
    ("text", "parties"),
    [
        (
            "{person:Ann Roe} ) Docket No. {case_number:2017-03-1235}\nv. State File No. {case_number:80097-2017}\n{organization:Acme Inc.}, et al.\n",
            {("ann roe", None), ("acme inc.", None)},
        ),
        (
            "Docket #: {case_number:17-3510}\nShort Title: {organization:Widget League Manag} v. {organization:Widget\nLeague Playe}\n",
            {("widget league manag", None), ("widget league playe", None)},
        ),
        (
            "{organization:COURT OF APPEALS}\n{organization:Acme Inc.}\nv.\n{organization:DVA}\n_____\nNo.\n{case_number:14-1326}",
            {("acme inc.", None), ("dva", None)},
        ),
        # No caption: nothing is filed.
        ("{organization:Acme Inc.} v. {person:Ann Roe}\nA play. {case_number:14-1326}", set()),
        # A case that is spoken of.
        ("Case {case_number:14-1326}\nIn {organization:Acme Inc.} v. {person:Ann Roe} it was said.", set()),
        # Where lines say the sides, what stands beside `v.` may be of the other column.
        (
            "{person:Ann Roe},\nCase No. {case_number:14-1326}\nPlaintiff,\nORDER ON THE MOTION OF\n{organization:Beta}\nv.\n{organization:Acme Inc.}\n",
            {("ann roe", "plaintiff")},
        ),
    ],
)
def test_the_caption_at_the_beginning_says_who_the_parties_are(text: str, parties: set[tuple[str, str | None]]) -> None:
    passage, linked = marked(text)
    edges = [edge for edge in RelationReader().read([passage], linked) if edge.type is RelationType.PARTY_TO]
    assert {(edge.source, edge.role) for edge in edges} == parties


def test_a_caption_is_one_on_the_first_page_alone() -> None:
    first, those = marked("Case No. {case_number:14-1326}")
    second, others = marked("{organization:Acme Inc.} v. {person:Ann Roe}\n", start=400, page=2)
    reader = RelationReader()
    assert reader.read([first, second], [*those, *others])[0].type is RelationType.CO_OCCURS
    assert RelationType.PARTY_TO not in {edge.type for edge in reader.read([second], others)}


def test_the_columns_of_a_caption_are_read_together() -> None:
    """A party's name in a passage that is around the passage of its role."""
    whole, linked = marked(
        "No. {case_number:14-1326}\n{organization:STATE OF OHIO},\n)\nRespondent.\n)\nFiled: {date:May 1, 2020}\n"
    )
    lines = whole.text.split("\n")
    start = whole.text.index("Respondent")
    around = Passage(whole.text.replace(lines[3], " " * len(lines[3])), 0, 1)
    [party] = [
        edge
        for edge in RelationReader().read([around, Passage(lines[3], start, 1)], linked)
        if edge.type is RelationType.PARTY_TO
    ]
    assert (party.source, party.role) == ("state of ohio", "respondent")
    assert [each.text for each in party.evidence] == ["STATE OF OHIO, ) Respondent. )"]


def test_whose_employer_it_is_the_passages_before_may_say() -> None:
    """A party of whom alone the text is speaking, also where another process reads on."""
    reader = RelationReader("21-800")
    first, those = marked("Defendant {person:Ann Roe} must not:")
    second, others = marked("use keys given to her during her employment with {organization:Acme}.", start=300)
    reader.read([first], those)
    reader = pickle.loads(pickle.dumps(reader))
    [edge] = reader.read([second], others)
    assert (edge.type, edge.source, edge.target) == (RelationType.EMPLOYED_BY, "ann roe", "acme")
    third, more = marked("{person:Bob Doe} and {person:Ann Roe} left.", start=500)
    reader.read([third], more)
    assert reader.read([second], others) == []


def test_what_is_blanked_in_a_passage_is_not_of_it() -> None:
    passage, linked = marked("{person:Ann Roe} met {person:Bob Doe}.")
    blanked = Passage(passage.text.replace("Bob Doe", " " * 7), 0, 1)
    assert RelationReader("21-800").read([blanked], linked) == []


def test_many_names_in_a_sentence_are_told_with_their_neighbours_alone() -> None:
    """A list of a hundred names is no five thousand relations."""
    names = ", ".join(f"{{person:Ann Number{chr(97 + i // 26)}{chr(97 + i % 26)}}}" for i in range(100))
    assert len(read(f"They were {names}.")) == 99


EDGES = st.builds(
    lambda kind, target, page, weight: Edge(
        kind, "a", target, weight, None, (Evidence(page * 100, page * 100 + 50, page, weight, "It says so."),)
    ),
    st.sampled_from(RelationType),
    st.sampled_from(["b", "c"]),
    st.integers(1, 40),
    st.sampled_from([0.1, 0.6, 0.9]),
)


@given(st.lists(EDGES, max_size=60))
def test_joined_edges_are_one_for_each_pair(edges: list[Edge]) -> None:
    made = joined(edges)
    keys = [(edge.type, edge.source, edge.target) for edge in made]
    assert len(keys) == len(set(keys))
    assert set(keys) == {(edge.type, edge.source, edge.target) for edge in edges}
    for edge in made:
        strongest = max(
            each.weight
            for each in edges
            if (each.type, each.source, each.target) == (edge.type, edge.source, edge.target)
        )
        assert min(strongest, 0.5) <= edge.weight < 1
        assert len(edge.evidence) <= MOST_EVIDENCE
        assert [each.weight for each in edge.evidence] == sorted((each.weight for each in edge.evidence), reverse=True)


def test_more_witnesses_weigh_more_and_co_occurrence_stays_the_weakest() -> None:
    def edge(kind: RelationType, page: int) -> Edge:
        return Edge(kind, "a", "b", 0.1, None, (Evidence(0, 5, page, 0.1, "So."),))

    few, many = (
        [joined([edge(kind, page) for page in range(count)])[0].weight for kind in RelationType] for count in (2, 200)
    )
    assert all(one < other for one, other in zip(few, many, strict=True))
    assert joined([edge(RelationType.CO_OCCURS, page) for page in range(200)])[0].weight == 0.5


def test_one_sentence_is_one_witness_whatever_the_rules_that_match_it() -> None:
    one = Edge(RelationType.PARTY_TO, "a", "b", 0.9, "plaintiff", (Evidence(0, 5, 1, 0.9, "So."),))
    assert joined([one, one])[0].weight == 0.9


SAID = ["⟦p0⟧", "⟦o1⟧", "⟦d2⟧", "⟦l3⟧", "⟦a4⟧", "⟦m5⟧", "⟦n6⟧", " ", "\n", ", ", " and ", " Plaintiff", "DEFENDANTS", " Appellee-", "In re ",
        "IN RE: ", "Notice of Appeal filed by ", " attorney for ", "COUNSEL FOR ", " for the ", " represented by ", " appeared for ",
        " his employer, ", " was employed by ", " located in ", " residing at ", " citizen of ", "FILED ", "Dated: ", "entered on ",
        "issued ", "on ", " v. ", ")", ".", "x"]  # fmt: skip


@given(st.lists(st.sampled_from(SAID), max_size=12).map("".join))
def test_rules_hold_where_they_may_alone(text: str) -> None:
    """No rule is passed over that a search would find."""
    signs, small = frozenset(re.findall("⟦([a-z])", text)), text.lower()
    for rule in (*RULES, *_TITLES):
        assert rule.may_hold(signs, small) or rule.pattern.search(text) is None

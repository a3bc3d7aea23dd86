"""Everything that is found without asking anyone, with the real models."""

import pytest

from app.entities.mentions import EntityType, Passage
from app.entities.not_names import LONGEST_NAME
from app.entities.reading import read
from app.entities.resolution import named

Said = tuple[str, str]


def said(text: str, *kinds: EntityType, names: bool = True) -> list[Said]:
    """What a text mentions, of some types: as it reads, and its form."""
    [mentions] = read([Passage(text, 0, 1)], names=names)
    return [(mention.text, mention.normal) for mention in mentions if mention.type in kinds]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Case No. 8:16-cv-1261-DOC (KESx)", "8:16-cv-01261"),
        ("in 17-cv-6761 in the court", "17-cv-06761"),
        ("No. 21-50498", "21-50498"),
        ("Docket #: 17-3510", "17-3510"),
        ("Docket No. 2017-03-1235", "2017-03-1235"),
        ("No. ED108783", "ED108783"),
        ("Bankruptcy No. 14-bk-30972", "14-bk-30972"),
    ],
)
def test_case_numbers(text: str, form: str) -> None:
    assert [normal for _, normal in said(text, EntityType.CASE_NUMBER, names=False)] == [form]


@pytest.mark.parametrize(
    "text",
    [
        "Georgia Bar No. 462110",
        "under Rule 47.5.4 and Rule 29.12(c)",
        "Exhibit No. 14-22",
        "Document: 00516242060 Page: 1",
        "Contract No. 20-1234",
        "paragraphs 12-15",
    ],
)
def test_other_numbers_are_no_cases(text: str) -> None:
    assert said(text, EntityType.CASE_NUMBER, names=False) == []


def test_a_case_number_is_one_without_its_label_too() -> None:
    text = "Docket #: 17-3510. The appeal was docketed today as 17-3510, and not as 17-35101."
    assert [form for _, form in said(text, EntityType.CASE_NUMBER)] == ["17-3510", "17-3510"]


def test_citations_are_whole_and_hide_the_names_in_them() -> None:
    text = "See Strickland v. Washington, 466 U.S. 668, 687 (1984); 28 U.S.C. § 1331; Fed. R. Civ. P. 12(b)(6); FRAP 32(a)."
    found = said(text, EntityType.CITATION)
    assert found[0] == ("Strickland v. Washington, 466 U.S. 668, 687 (1984)", "466 U.S. 668")
    assert [form for _, form in found[2:]] == ["Fed. R. Civ. P. 12(b)(6)", "Fed. R. App. P. 32(a)"]
    assert said(text, EntityType.PERSON, EntityType.PLACE, EntityType.ORGANIZATION, EntityType.DATE) == []


def test_a_citation_ends_with_its_year() -> None:
    text = "(citing Strickland v. Washington, 466 U.S. 668, 687 (1984)). It holds. Zink v. State, 278 S.W.3d 170, 176 (Mo. banc 2009)."
    assert said(text, EntityType.CITATION) == [
        ("Strickland v. Washington, 466 U.S. 668, 687 (1984)", "466 U.S. 668"),
        ("Zink v. State, 278 S.W.3d 170, 176 (Mo. banc 2009)", "278 S.W.3d 170"),
    ]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("See FED. R. CIV. P. 12(b)(6); the motion", "Fed. R. Civ. P. 12(b)(6)"),
        ("under Federal rules of civil procedure 26(a)", "Fed. R. Civ. P. 26(a)"),
        ("an agent. TEX. INS. CODE § 4001.003(1)(B). It", "Tex. Ins. Code § 4001.003"),
        ("an agent. Tex. Ins. Code Ann. § 4001.003(1)(B). It", "Tex. Ins. Code § 4001.003"),
        ("by Cal. Lab. Code § 226(a) it", "Cal. Lab. Code § 226"),
        ("TEX. BUS. & COM. CODE § 17.46 says", "Tex. Bus. & Com. Code § 17.46"),
        ("MO. REV. STAT. § 565.021 says", "Mo. Rev. Stat. § 565.021"),
    ],
)
def test_rules_and_codes_in_any_casing(text: str, form: str) -> None:
    assert [normal for _, normal in said(text, EntityType.CITATION, names=False)] == [form]


def test_a_short_citation_is_told_as_the_case_that_was_cited_in_full() -> None:
    passages = [
        Passage("Orrin v. Pell, 556 U.S. 662, 678 (2009), controls.", 0, 1),
        Passage("Pell, 556 U.S. at 680, says so; Vane, 557 U.S. at 12, does not.", 4000, 2),
    ]
    found = [
        [each.normal for each in those if each.type is EntityType.CITATION] for those in read(passages, names=False)
    ]
    assert found == [["556 U.S. 662"], ["556 U.S. 662", "557 U.S. at 12"]]


@pytest.mark.parametrize("signal", ["See ", "See also ", "It held so. ", ""])
def test_a_cases_name_goes_on_before_a_short_word(signal: str) -> None:
    cited = "Marrow Hosp. Port Lavell, L.P. v. Gray Cross of Ga., Inc., 892 F.3d 719, 726 (5th Cir. 2018)"
    text = f"{signal}{cited}. So it is."
    assert said(text, EntityType.CITATION) == [(cited, "892 F.3d 719")]
    assert said(text, EntityType.PERSON, EntityType.PLACE, EntityType.ORGANIZATION) == []


def test_emails_phones_and_addresses() -> None:
    text = "815 Walnut Street, Floor 9\nPhiladelphia, PA 19107\nTel: (215) 922-4410\njo.roe@roelaw.example.com"
    assert [form for _, form in said(text, EntityType.ADDRESS, names=False)] == [
        "815 walnut st fl 9 philadelphia pa 19107"
    ]
    assert [form for _, form in said(text, EntityType.PHONE, names=False)] == ["+12159224410"]
    assert [form for _, form in said(text, EntityType.EMAIL, names=False)] == ["jo.roe@roelaw.example.com"]


def test_dates_and_amounts_as_scanners_leave_them() -> None:
    text = "on or about Novem-\nber 12, 2O13, for $75,OOO"
    assert said(text, EntityType.DATE, EntityType.MONEY, names=False) == [
        ("November 12, 2O13", "2013-11-12"),
        ("$75,OOO", "USD 75000.00"),
    ]


def test_a_caption_names_its_parties() -> None:
    text = (
        "MARGARET T. OYELARAN,\nPlaintiff,\nv.\nBRIGHTWATER FREIGHT SYSTEMS, INC.; and DESMOND\nR. KEARNEY,\nDefendants.\n"
        "Case No. 1:19-cv-04417"
    )
    assert [form for _, form in said(text, EntityType.PERSON)] == ["margaret t oyelaran", "desmond r kearney"]
    assert [form for _, form in said(text, EntityType.ORGANIZATION)] == ["brightwater freight systems"]


def test_a_caption_in_lines_of_its_own_is_read_as_one() -> None:
    """Structure may give each of a caption's lines as a passage."""
    lines = ["Naomi Castellano,", "Plaintiff,", "v.", "Tidewell Mutual,", "Defendant."]
    passages, start = [], 0
    for line in lines:
        passages.append(Passage(line, start, 1))
        start += len(line) + 1
    by_passage = read(passages)
    assert [mention.normal for mention in by_passage[0]] == ["naomi castellano"]
    assert all(passages[number].start <= each.start for number, found in enumerate(by_passage) for each in found)


def test_a_short_name_means_who_was_named_in_full() -> None:
    text = (
        "Defendant Esteban Arroyo (“Arroyo”) left Corvane Dynamics, Inc. (“Corvane” or “Plaintiff”). "
        "Later Corvane sued, and Arroyo answered. Plaintiff replied."
    )
    assert [form for _, form in said(text, EntityType.PERSON)] == ["esteban arroyo", "arroyo", "arroyo"]
    assert [form for _, form in said(text, EntityType.ORGANIZATION)] == ["corvane dynamics", "corvane", "corvane"]


def test_words_of_the_trade_name_nobody() -> None:
    text = "Plaintiff repeats paragraphs 1 through 22. The Motion to Compel is DENIED. Exhibit 14 is received."
    assert said(text, EntityType.PERSON, EntityType.ORGANIZATION, EntityType.PLACE) == []


def test_passages_without_words_mention_nothing() -> None:
    assert read([Passage("", 0, 1), Passage(" \n\f", 5, 2), Passage("____ 12", 20, 3)]) == [[], [], []]
    assert read([]) == []


NAMES = (EntityType.PERSON, EntityType.ORGANIZATION, EntityType.PLACE)


def test_a_form_to_fill_in_is_no_caption() -> None:
    text = (
        "Please enter my appearance (select one):\n_____Pro Se\n_____As counsel for:\n✔\nMarrow Contracting Group\n"
        "_______________________________\nName of party\nI am, or the party I represent is (select one):\n"
        "_____Petitioner _____Respondent _____Amicus curiae _____Cross Appellant\n_____Appellant _____Appellee\n✔\n"
        "_____Intervenor\n"
    )
    assert said(text, *NAMES) == [("Marrow Contracting Group", "marrow contracting group")]


def test_no_organization_is_as_long_as_several_lines() -> None:
    columns = "Marrow Harbor Supply Contracting Northern Counties Grand Harbor Supply Contracting Northern Counties Fishing Group"
    text = f"{columns},\nPlaintiff,\nv.\nAnn Roe,\nDefendant.\n"
    assert all(len(name) <= LONGEST_NAME for name, _ in said(text, EntityType.ORGANIZATION))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("told Ms. St. Clair that she", "St. Clair"),
        ("told Mr. van Dyke that he", "van Dyke"),
        ("told Mr. de la Cruz that he", "de la Cruz"),
        ("told Ms. Marrow that she", "Marrow"),
        ("told Mr. Paul Marrow that he", "Paul Marrow"),
    ],
)
def test_a_family_name_begins_with_its_particle(text: str, name: str) -> None:
    assert [written for written, _ in said(text, EntityType.PERSON)] == [name]


@pytest.mark.parametrize(
    "text",
    [
        "Id. Moreover, the motion court found that Movant knew of it.",
        "Standard of Review\nThe standard is known to all.",
        "B. Promissory Estoppel\nThe claim of promissory estoppel fails.",
        "DC Docket #: 17-cv-6761\nDC Judge: unknown",
        "ORDERED on this day.\nUNITED STATES DISTRICT JUDGE",
        "She entered a Pellworth plea to one charge.",
        "13. TAXES AND CONTRIBUTIONS. All taxes are paid by the seller, with all contributions that are due.",
        "22. REBATES, KICKBACKS OR OTHER UNLAWFUL CONSIDERATION. The Seller warrants it.",
        "YOU MUST REPORT IT\nIMMEDIATELY\nTO GUARANTEE\nPROPER COVERAGE AND CONTRIBUTIONS.\nIt is guaranteed, if properly covered; coverage is at once.",
        "IN WITNESS WHEREOF, the parties have signed it.",
        "a limit of two million for each case (CSL), and retentions by the insured (SIR) required.",
        "The Deceptive Trade Practices Act and the Labor Code apply.",
        "See the Acknowledgment and Notice of Appearance Form, and the Guide for Pro Se Petitioners.",
        "pursuant to 5th Circuit Rule 47.5, it holds.",
        "with which a [movant] pled guilty.” Cole v. State, 859 8.W.2d 715, 717 (Mo. App.\nE.D. 1993).",
        "Cole v. State, 859 S. W.Zd 715, 717 (Mo. App.",
    ],
)
def test_headings_laws_and_papers_name_nobody(text: str) -> None:
    assert said(text, *NAMES) == []


def test_a_case_by_one_partys_name_is_no_place() -> None:
    text = (
        "See Strickland v. Washington, 466 U.S. 668, 687 (1984). The claim fails either prong of Strickland, "
        "and the court in Strickland said no more. The office is in Georgia."
    )
    assert said(text, *NAMES) == [("Georgia", "georgia")]
    assert said("Wooden, 12 S.W.3d at 5, is another. The claim fails under Wooden too.", *NAMES) == []


def test_what_an_organization_owns_is_not_of_its_name() -> None:
    text = "Tidewell Mutual, Inc. (“Tidewell”) wrote it. He copied Tidewell’s Ledger, and Driver’s Services, Inc. paid."
    assert [form for _, form in said(text, EntityType.ORGANIZATION)] == [
        "tidewell mutual",
        "tidewell",
        "tidewell",
        "driver services",
    ]


def test_who_is_defined_at_once_is_somebody_whatever_the_words() -> None:
    text = "The lease is with Common Harbor Supply (“Harbor”). There is a common supply of boats in every harbor."
    assert ("Harbor", "harbor") in said(text, EntityType.ORGANIZATION)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (
            "between the GREY\nHARBOR COUNTY REGIONAL TRANSPORT COMMISSION, and",
            "grey harbor county regional transport commission",
        ),
        ("MARROW FREIGHT\nSERVICES,\nPlaintiff,\nv.\nAnn Roe,\nDefendant.", "marrow freight services"),
        ("Appeal from the Court of Workers’\nCompensation Claims", "court of workers compensation claims"),
        (
            "ORDER GRANTING\nMARROW FREIGHT\nSERVICES’ APPLICATION FOR A\nPRELIMINARY INJUNCTION",
            "marrow freight services",
        ),
        ("OHIO\nWORKERS' COMPENSATION\nAPPEALS BOARD", "ohio workers compensation appeals board"),
        ("from the Circuit Court of Alder County, Missouri, to", "circuit court of alder county missouri"),
        ("under U.S. General Service Administration rules", "united states general service administration"),
        ("a judge of the SDNY held", "sdny"),
    ],
)
def test_names_over_lines_and_with_their_places(text: str, form: str) -> None:
    assert [normal for _, normal in said(text, EntityType.ORGANIZATION)] == [form]


def test_a_courthouse_is_a_place_and_a_states_bar_is_none() -> None:
    text = "held at the Edna Marrow U.S. Courthouse today. Georgia Bar No. 462110 is hers."
    assert said(text, EntityType.PLACE) == [("Edna Marrow U.S. Courthouse", "edna marrow us courthouse")]


def test_an_address_stands_where_it_is_however_many_blanks_are_before_it() -> None:
    [mentions] = read(
        [Passage("(ADDRESS)  ____  ____  Fiscal Officer  ,\n47 Orchard Lane,  Concord,  NH 03301", 0, 1)], names=False
    )
    assert [each.text for each in mentions if each.type is EntityType.ADDRESS] == ["47 Orchard Lane, Concord, NH 03301"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It violates 17 C.F.R. § 240.10b-5(b), so she says.", [("17 C.F.R. § 240.10b-5(b)", "17 C.F.R. § 240.10b-5")]),
        ("under 42 U.S.C. § 2000e-5(f)(1).", [("42 U.S.C. § 2000e-5(f)(1)", "42 U.S.C. § 2000e-5")]),
        ("See Government Code Section 12990 and", [("Government Code Section 12990", "Government Code § 12990")]),
        (
            "of Title 2, California Administrative Code, Section 8103.",
            [
                (
                    "Title 2, California Administrative Code, Section 8103",
                    "Title 2, California Administrative Code § 8103",
                )
            ],
        ),
        ("with Public\nContract Code 10115, et seq.", [("Public Contract Code 10115", "Public Contract Code § 10115")]),
        (
            "Under Texas Insurance Code § 4001.003(1), the",
            [("Texas Insurance Code § 4001.003(1)", "Texas Insurance Code § 4001.003")],
        ),
        ("her Rule 24.035 motion", [("Rule 24.035", "Rule 24.035")]),
        ("under Rule 29.12(c) of 5th Circuit Rule 47.5", [("Rule 29.12(c)", "Rule 29.12(c)")]),
        ("in violation of § 565.253. There", [("§ 565.253", "§ 565.253")]),
        ("The Zip Code 10001 and Building Code 2019; as § 3.2 of this Agreement says", []),
    ],
)
def test_statutes_are_cited_in_many_ways(text: str, found: list[Said]) -> None:
    assert said(text, EntityType.CITATION) == found


def test_forms_address_somebody() -> None:
    """`Bill to` is nobody, who is asked for at an organisation's address is a person, and a desk there is none."""
    text = "Bill to:\nMarrow Freight, Inc.\nAttn: Yesenia Parra\n12 Main Street"
    assert said(text, EntityType.PERSON) == [("Yesenia Parra", "yesenia parra")]
    assert said("Bill Smith sent it to Bill.", EntityType.PERSON)[0] == ("Bill Smith", "bill smith")
    assert said("Marrow Freight, Inc.\nAttn: Accounts Payable\n12 Main Street", EntityType.PERSON) == []


def test_a_state_alone_is_a_place_and_the_head_of_a_row_nobody() -> None:
    text = "Ann Roe met OHIO and KANSAS in court."
    assert said(text, EntityType.PLACE) == [("OHIO", "ohio"), ("KANSAS", "kansas")]
    assert said(text, EntityType.ORGANIZATION) == []
    rows = "1.\nLabor (staff name, hours charged, hourly billing rate, current charges and"
    assert said(rows, EntityType.ORGANIZATION) == []
    assert said("the Department of Labor", EntityType.ORGANIZATION) == [("Department of Labor", "department of labor")]


def test_a_defined_short_name_means_who_it_is_defined_for() -> None:
    """However many others begin with the same word: what likeness alone can't tell, the text has said."""
    text = (
        "Plaintiff ConsumerInfo.com, Inc. dba Marrow Information Solutions’ (“Marrow” or “Plaintiff”) application is granted. "
        "Marrow Consumer Services objects. The court finds that Marrow is right, and Marrow says so."
    )
    found = said(text, EntityType.ORGANIZATION)
    assert [form for name, form in found if name == "Marrow"] == ["marrow information solutions"] * 3
    [mentions] = read([Passage(text, 0, 1)])
    assert "Marrow Information Solutions" in {name.text for name in named(mentions)}

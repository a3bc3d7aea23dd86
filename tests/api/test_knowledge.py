"""What documents say, over HTTP: chunks, names, relationships, the project's entities and their graph, and doing it anew."""

import re
from typing import Any

from app.config import Settings
from tests.documents import letter
from tests.service import Client, client_of, make_key

FIRST = (
    "Case No. 3:19-cv-02345\nPlaintiff Charles R. Goodwin sued\nAcme Widgets, Inc. on May 3, 2019.",
    "Mr. Goodwin relies on\nAshcroft v. Iqbal, 556 U.S. 662 (2009).\nWrite to clerk@example.com.",
)
WORKED = ["parse_validated", "chunking", "embedding", "embedded", "entities_extracted", "entities_resolved"]
MADE_FROM = {
    "chunking": "chunking",
    "embedding": "embedding",
    "entities": "embedded",
    "resolution": "entities_extracted",
}
"""Where a run begins that is told to begin there."""
SIDES = ("source", "target")
SECOND = ("Charles R. Goodwin asks for $25,000.\nAcme Widgets, Inc. denies it.",)


async def read(client: Client, pages: tuple[str, ...], **said: str) -> str:
    """Submit a document and wait for its end; its id."""
    submitted = await client.submit(letter(*pages), **said)
    job = await client.ended(submitted["job"]["id"])
    assert job["state"] == "done", job["error"]
    return str(submitted["document"]["id"])


async def listed(client: Client, path: str, **params: Any) -> list[dict[str, Any]]:
    """All items of a list, by way of its cursors, two at a time; fails the test where one comes twice."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        said = {**params, "limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = await client.get(path, params=said)
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        cursor = answer.json()["next"]
        if cursor is None:
            break
        assert len(answer.json()["items"]) == 2
    assert len({str(item) for item in items}) == len(items)
    return items


async def entity_named(client: Client, kind: str, part: str) -> dict[str, Any]:
    """The one entity of a type whose name has a word that begins so."""
    (found,) = await listed(client, "/v1/entities", type=kind, name=part)
    return found


async def problem(client: Client, method: str, path: str, **request: Any) -> tuple[int, str]:
    """The status and the code of a call that fails."""
    answer = await client.request(method, path, **request)
    return answer.status_code, str(answer.json().get("code"))


async def test_a_document_tells_what_it_says(client: Client, worker: str) -> None:
    """Chunks, names, mentions and relationships agree with the text, whole or filtered, by pages of a list or all at once."""
    document_id = await read(client, FIRST)
    path = f"/v1/documents/{document_id}"
    text = (await client.get(f"{path}/text")).text
    state = (await client.get(path)).json()["state"]
    assert {step: told["status"] for step, told in state.items() if step != "last_update"} == dict.fromkeys(
        ["ocr", "chunking", "embedding", "entities", "resolution", "relationships", "finalization"], "completed"
    )
    chunks = await listed(client, f"{path}/chunks")
    assert [chunk["number"] for chunk in chunks] == list(range(1, len(chunks) + 1))
    assert "Ashcroft v. Iqbal" in text[chunks[-1]["start"] : chunks[-1]["end"]]
    assert all(chunk["boxes"] and chunk["token_count"] for chunk in chunks)
    mentions = await listed(client, f"{path}/mentions")
    assert all(mention["boxes"][0]["page"] == mention["page"] for mention in mentions)
    named = await listed(client, f"{path}/entities")
    assert sum(each["mention_count"] for each in named) == len(mentions)
    (citation,) = await listed(client, f"{path}/entities", type="citation")
    (cited,) = await listed(client, f"{path}/mentions", entity_id=citation["entity_id"])
    assert text[cited["start"] : cited["end"]].startswith("Ashcroft")
    assert citation["pages"] == [cited["page"]] == [2]
    assert {each["page"] for each in await listed(client, f"{path}/mentions", page=2)} == {2}
    edges = await listed(client, f"{path}/relationships")
    ids = {each["entity_id"] for each in named}
    assert all({edge["source_id"], edge["target_id"]} <= ids and edge["evidence"] for edge in edges)
    sides = {(edge[f"{side}_id"], edge[f"{side}_type"], edge[f"{side}_name"]) for edge in edges for side in SIDES}
    for entity_id, kind, name in sides:
        entity = (await client.get(f"/v1/entities/{entity_id}")).json()
        assert (entity["type"], entity["name"]) == (kind, name)
    assert await listed(client, f"{path}/relationships", type="cites", entity_id=citation["entity_id"])
    assert not await listed(client, f"{path}/relationships", min_weight=1.0)


async def test_a_projects_entities_lead_to_its_documents(
    client: Client, worker: str, quick: Settings, address: str
) -> None:
    """Two documents speak of one person; another project sees nothing of it."""
    first, second = await read(client, FIRST), await read(client, SECOND)
    goodwin = await entity_named(client, "person", "goodw")
    assert goodwin["document_count"] == 2
    told = (await client.get(f"/v1/entities/{goodwin['id']}")).json()
    assert [each["document_id"] for each in told["documents"]] == [second, first]
    assert await listed(client, f"/v1/entities/{goodwin['id']}/documents") == told["documents"]
    assert sum(each["mention_count"] for each in told["names"]) == goodwin["mention_count"] == told["mention_count"]
    ids = [each["id"] for each in await listed(client, "/v1/entities")]
    assert ids == sorted(ids, reverse=True)
    only_second = {each["id"] for each in await listed(client, "/v1/entities", document_id=second)}
    assert goodwin["id"] in only_second < set(ids)
    async with client_of(address, await make_key(quick, "other")) as stranger:
        assert await listed(stranger, "/v1/entities") == []
        for path in (f"/v1/entities/{goodwin['id']}", f"/v1/graph?entity_id={goodwin['id']}"):
            assert await problem(stranger, "GET", path) == (404, "entity_not_found")


async def test_an_entity_is_found_by_the_name_that_it_is_listed_under(client: Client, worker: str) -> None:
    """Whatever signs there are in it: Postgres takes some of them for parts of a word."""
    said = """Judge Maeve O'Brien of Consumerinfo.com, Inc.
        wrote to clerk@example.com about $1,234.56 on 3/18/2013.
        She cited 42 U.S.C. § 1983, Rule 24.035 and
        Government Code Section 8546.7 in No. 8:16-cv-01261."""
    await read(client, ("\n".join(map(str.strip, said.splitlines())),))
    names = [each["name"] for each in await listed(client, "/v1/entities")]
    assert len(names) > 7
    for name in names:
        assert name in [each["name"] for each in await listed(client, "/v1/entities", name=name)], name
    for part in ("24.035", "24", "consumerinfo", "consumerinfo.com", "o'b", "clerk", "1,234.56", "8546", "3/18/2013"):
        assert await listed(client, "/v1/entities", name=part), part
    for odd in ("a'", "a\\", "'a' & b:*", "a | !b", "(a"):
        await listed(client, "/v1/entities", name=odd)


async def test_an_entity_is_found_by_any_of_its_names(client: Client, worker: str) -> None:
    """By what documents were found to call it, once for all of its names; by the name of none that was parted from it."""
    called = (
        "Case No. 3:19-cv-02345\nThe Santa Cruz County Regional Transportation Commission (SCCRTC) met.",
        "The SCCRTC voted on May 3, 2019.",
    )
    await read(client, called)
    await read(client, called)
    for number in ("02345", "3:19-cv-02345", "19-cv", "023"):
        assert (await entity_named(client, "case_number", number))["name"] == "3:19-cv-02345", number
    commission = await entity_named(client, "organization", "transportation commission")
    assert {each["name"] for each in (await client.get(f"/v1/entities/{commission['id']}")).json()["names"]} == {
        "Santa Cruz County Regional Transportation Commission",
        "SCCRTC",
    }
    for name in ("SCCRTC", "sccr", "santa", "s"):
        assert commission["id"] in [each["id"] for each in await listed(client, "/v1/entities", name=name)], name
    assert [each["id"] for each in await listed(client, "/v1/entities", name="sccrtc", type="person")] == []
    assert await listed(client, "/v1/entities", name="santa sccrtc") == []
    split = await client.post(f"/v1/entities/{commission['id']}/split", json={"normal_form": "sccrtc"})
    (parted,) = split.json()["items"]
    assert [each["id"] for each in await listed(client, "/v1/entities", name="sccrtc")] == [parted["id"]]


async def test_the_graph_around_an_entity(client: Client, worker: str) -> None:
    """Depth by depth, as many edges as are asked for, with documents and the project where they are wanted."""
    document_id = await read(client, FIRST)
    goodwin = await entity_named(client, "person", "goodw")
    near = (await client.get("/v1/graph", params={"entity_id": goodwin["id"]})).json()
    assert (near["nodes"][0]["id"], near["nodes"][0]["depth"]) == (goodwin["id"], 0)
    nodes = {node["id"]: node for node in near["nodes"]}
    assert all({edge["source_id"], edge["target_id"]} <= set(nodes) for edge in near["edges"])
    assert all(goodwin["id"] in (edge["source_id"], edge["target_id"]) for edge in near["edges"])
    far = (await client.get("/v1/graph", params={"entity_id": goodwin["id"], "depth": 3})).json()
    assert {node["id"] for node in far["nodes"]} >= set(nodes)
    weights = [edge["weight"] for edge in near["edges"]]
    assert weights == sorted(weights, reverse=True)
    one = (await client.get("/v1/graph", params={"entity_id": goodwin["id"], "limit": 1})).json()
    assert (len(one["edges"]), one["truncated"]) == (1, len(near["edges"]) > 1)
    told = (await client.get("/v1/graph", params={"entity_id": goodwin["id"], "documents": 10})).json()
    kinds = {node["kind"]: node["id"] for node in told["nodes"]}
    assert (kinds["document"], set(kinds)) == (document_id, {"entity", "document", "project"})
    belongs = [edge for edge in told["edges"] if edge["type"] == "belongs_to"]
    assert [(edge["source_id"], edge["target_id"]) for edge in belongs] == [(document_id, kinds["project"])]
    assert {node["name"] for node in told["nodes"] if node["kind"] == "project"} == {"default"}
    made = [await batch_with(client, document_id, **said) for said in ({"external_id": "case-7"}, {})]
    told = (await client.get("/v1/graph", params={"entity_id": goodwin["id"], "documents": 10})).json()
    names = {node["id"]: node["name"] for node in told["nodes"] if node["kind"] == "batch"}
    assert set(names) == set(made)
    assert names[made[0]] == "case-7"
    assert re.fullmatch(r"batch of \d{4}-\d\d-\d\d \d\d:\d\d UTC", names[made[1]])
    assert {(document_id, each, "belongs_to") for each in made} <= {
        (edge["source_id"], edge["target_id"], edge["type"]) for edge in told["edges"]
    }


async def batch_with(client: Client, document_id: str, **said: str) -> str:
    """Have a document read with a batch; returns the batch's id once it is done."""
    asked = {"documents": [{"document_id": document_id}], "options": {"stages": ["ocr"]}, **said}
    batch_id = str((await client.post("/v1/batches", json=asked)).json()["batch"]["id"])
    while (await client.get(f"/v1/batches/{batch_id}", params={"wait": 5})).json()["state"] != "done":
        pass
    return batch_id


async def test_entities_are_merged_and_parted_again(client: Client, worker: str) -> None:
    """One stands for the other, wherever it is asked about; undoing it gives both back as they were."""
    document_id = await read(client, FIRST)
    acme = await entity_named(client, "organization", "acme")
    others = [each for each in await listed(client, "/v1/entities", type="organization") if each["id"] != acme["id"]]
    second = await read(client, ("Globex Corporation and Initech, Inc. agree.",))
    globex = await entity_named(client, "organization", "globex")
    merged = (await client.post(f"/v1/entities/{acme['id']}/merge", json={"entity_ids": [globex["id"]]})).json()
    assert merged["mention_count"] == acme["mention_count"] + globex["mention_count"]
    assert {each["document_id"] for each in merged["documents"]} == {document_id, second}
    assert (await client.get(f"/v1/entities/{globex['id']}")).json()["id"] == acme["id"]
    assert [each["id"] for each in await listed(client, "/v1/entities", name="globex")] == [acme["id"]]
    (told,) = [
        each for each in await listed(client, f"/v1/documents/{second}/entities") if each["name"] == acme["name"]
    ]
    assert told["entity_id"] == acme["id"]
    (merge,) = [each for each in merged["merges"] if each["merged_id"] == globex["id"]]
    assert (merge["reason"], merge["score"]) == ("by_hand", 1.0)
    parted = (await client.post(f"/v1/entities/{acme['id']}/split", json={"merge_id": merge["id"]})).json()
    assert [each["id"] for each in parted["items"]] == [globex["id"]]
    assert [each["id"] for each in await listed(client, "/v1/entities", name="globex")] == [globex["id"]]
    for before in (acme, globex, *others):
        after = (await client.get(f"/v1/entities/{before['id']}")).json()
        assert (after["id"], after["mention_count"]) == (before["id"], before["mention_count"])
    again = {"merge_id": merge["id"]}
    assert await problem(client, "POST", f"/v1/entities/{acme['id']}/split", json=again) == (404, "merge_not_found")
    person = await entity_named(client, "person", "goodw")
    wrong = {"entity_ids": [person["id"]]}
    assert await problem(client, "POST", f"/v1/entities/{acme['id']}/merge", json=wrong) == (422, "entities_differ")
    refused = await client.post(f"/v1/entities/{acme['id']}/merge", json=wrong)
    assert "the type organization, the other person" in refused.json()["detail"]


async def test_edges_of_what_was_merged_are_one(client: Client, worker: str) -> None:
    """A document's edges, once their ends are one by hand, have the evidence of both, as the graph has one edge; parted, they are two."""
    document_id = await read(
        client,
        (
            "Ann Roe is employed by Globex Corporation since May 3, 2019.",
            "The witness Ann Roe works for Initech, Inc. in the same town.",
        ),
    )
    path = f"/v1/documents/{document_id}/relationships"
    before = await listed(client, path)
    globex, initech = [await entity_named(client, "organization", name) for name in ("globex", "initech")]
    ends = {globex["id"], initech["id"]}
    apart = [edge for edge in before if edge["type"] == "employed_by"]
    assert {edge["target_id"] for edge in apart} == ends
    merged = await client.post(f"/v1/entities/{globex['id']}/merge", json={"entity_ids": [initech["id"]]})
    assert merged.status_code == 200
    edges = await listed(client, path)
    (one,) = [edge for edge in edges if edge["type"] == "employed_by"]
    assert (one["target_id"], one["id"]) == (globex["id"], min(edge["id"] for edge in apart))
    assert {each["sentence"] for each in one["evidence"]} == {edge["evidence"][0]["sentence"] for edge in apart}
    assert {each["page"] for each in one["evidence"]} == {1, 2}
    assert one["weight"] == max(edge["weight"] for edge in apart)
    pairs = [(edge["type"], edge["role"], edge["source_id"], edge["target_id"]) for edge in edges]
    assert len(pairs) == len(set(pairs))
    assert await listed(client, path, entity_id=initech["id"], type="employed_by") == [one]
    assert await listed(client, path, min_weight=one["weight"], type="employed_by") == [one]
    (merge,) = [each for each in merged.json()["merges"] if each["merged_id"] == initech["id"]]
    assert (await client.post(f"/v1/entities/{globex['id']}/split", json={"merge_id": merge["id"]})).status_code == 200
    assert await listed(client, path) == before


async def test_a_name_is_parted_and_stays_so(client: Client, worker: str) -> None:
    """Mr. Goodwin, told apart from Charles R. Goodwin by hand, is told apart when the document is run again."""
    document_id = await read(client, FIRST)
    goodwin = (await client.get(f"/v1/entities/{(await entity_named(client, 'person', 'charles'))['id']}")).json()
    (merge,) = [each for each in goodwin["merges"] if each["document_id"] == document_id]
    said = {"normal_form": merge["normal_form"], "document_id": document_id}
    (parted,) = (await client.post(f"/v1/entities/{goodwin['id']}/split", json=said)).json()["items"]
    assert (parted["normal_form"], parted["mention_count"]) == (merge["normal_form"], 1)
    assert await problem(client, "POST", f"/v1/entities/{goodwin['id']}/split", json=said) == (422, "name_not_merged")
    again = await client.post(f"/v1/documents/{document_id}/reprocess", json={"from_stage": "entities"})
    assert (await client.ended(again.json()["job"]["id"]))["state"] == "done"
    after = (await client.get(f"/v1/entities/{parted['id']}")).json()
    assert (after["id"], after["mention_count"]) == (parted["id"], 1)


async def test_a_document_is_run_again_from_any_stage(client: Client, worker: str) -> None:
    """What came before is taken over, at no cost, what comes from there on is made anew, and it all reads as before."""
    document_id = await read(client, FIRST)
    path = f"/v1/documents/{document_id}"
    before = await told_of(client, path)
    edges = await listed(client, f"{path}/relationships")
    for stage in ("ocr", "chunking", "embedding", "entities", "resolution", "relationships", "finalization"):
        answer = await client.post(f"{path}/reprocess", json={"from_stage": stage})
        assert answer.status_code == 202, answer.text
        job = await client.ended(answer.json()["job"]["id"])
        assert (job["state"], job["cost_microdollars"]) == ("done", 0), (stage, job["error"])
        state = (await client.get(path)).json()["state"]
        assert {told["status"] for step, told in state.items() if step != "last_update"} == {"completed"}, stage
        assert await told_of(client, path) == before, stage
        assert len(await listed(client, f"{path}/relationships")) == len(edges), stage
        if stage in MADE_FROM:
            worked = set(job["stage_timings"]) & {"queued", *WORKED}
            assert worked == {"queued", *WORKED[WORKED.index(MADE_FROM[stage]) :]}, stage


async def told_of(client: Client, path: str) -> dict[str, list[dict[str, Any]]]:
    """What a document says, whatever the ids of its rows."""
    return {
        name: [{**row, "id": None} for row in await listed(client, f"{path}/{name}")]
        for name in ("chunks", "mentions", "entities")
    }


async def test_what_is_left_out_can_be_made_later(client: Client, worker: str) -> None:
    """A document that was read for its text alone says so, and is chunked when somebody wants it."""
    document_id = await read(client, FIRST, options='{"stages": ["ocr"]}')
    path = f"/v1/documents/{document_id}"
    state = (await client.get(path)).json()["state"]
    assert (state["ocr"]["status"], state["chunking"]["status"]) == ("completed", "skipped")
    assert await problem(client, "GET", f"{path}/chunks") == (409, "result_unavailable")
    late = {"from_stage": "embedding"}
    assert await problem(client, "POST", f"{path}/reprocess", json=late) == (422, "nothing_to_reuse")
    answer = await client.post(f"{path}/reprocess", json={"from_stage": "chunking"})
    assert (await client.ended(answer.json()["job"]["id"]))["state"] == "done"
    assert await listed(client, f"{path}/chunks")
    assert await listed(client, f"{path}/relationships")


async def test_reprocessing_that_makes_no_sense_is_refused(client: Client) -> None:
    """While a job is under way, with options that leave out where to begin, and with a key that was used for something else."""
    submitted = await client.submit(letter("Never read"))
    path = f"/v1/documents/{submitted['document']['id']}/reprocess"
    assert await problem(client, "POST", path, json={}) == (409, "state_conflict")
    left_out = {"from_stage": "chunking", "options": {"stages": ["ocr"]}}
    assert await problem(client, "POST", path, json=left_out) == (422, "request_invalid")
    unmet = {"options": {"stages": ["ocr", "embedding"]}}
    assert await problem(client, "POST", path, json=unmet) == (422, "request_invalid")
    await client.post(f"/v1/jobs/{submitted['job']['id']}/cancel")
    headers = {"Idempotency-Key": "again"}
    first = await client.post(path, json={}, headers=headers)
    second = await client.post(path, json={}, headers=headers)
    assert first.status_code == second.status_code == 202
    assert first.json()["job"]["id"] == second.json()["job"]["id"]
    other = {"priority": "high"}
    assert await problem(client, "POST", path, json=other, headers=headers) == (422, "idempotency_mismatch")

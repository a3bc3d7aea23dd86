"""`python -m app.cli.embeddings status|switch|forget`: the models that vectors are made by, and changing them."""

import argparse

from app.cli.connection import run
from app.cli.operating import told
from app.config import Settings
from app.embeddings.embedder import Embedder
from app.embeddings.models import Embedders
from app.knowledge.switching import Switching
from app.mistakes import settings_or_end
from app.resources import open_resources


def main() -> None:
    """Do what is asked for; an error ends it with its sentence."""
    parser = argparse.ArgumentParser(prog="quire embeddings", description=__doc__)
    parser.add_argument("what", choices=("status", "switch", "forget"))
    parser.add_argument("model", nargs="?", default="", help="the model to forget, as `status` names it")
    arguments = parser.parse_args()
    run(_run(settings_or_end(), arguments.what, arguments.model))


async def _run(settings: Settings, what: str, model: str) -> None:
    with told():
        await _do(settings, what, model)


async def _do(settings: Settings, what: str, model: str) -> None:
    async with open_resources(settings) as resources:
        switching = Switching(resources.sessions, resources.embedding, settings.database_url)
        embedders = resources.embedders
        if what == "switch":
            await _switch(switching, embedders.coming or embedders.current)
        elif what == "forget":
            print(f"{await switching.forget(model)} vectors forgotten")
        await _status(switching, embedders)


async def _switch(switching: Switching, embedder: Embedder) -> None:
    made = 0

    def count_made(count: int) -> None:
        nonlocal made
        made += count
        print(f"\r{made} vectors made", end="", flush=True)

    print(f"to {embedder.name}")
    await switching.switch(embedder, count_made)
    print(f"\r{made} vectors made; searches are made by {embedder.name} within seconds")


async def _status(switching: Switching, embedders: Embedders) -> None:
    chunks, models = await switching.models()
    print(f"{chunks} chunks to have vectors of")
    for model in models:
        marks = [
            *(["searched"] if model.searched else []),
            *(["written"] if model.name in {each.name for each in embedders.written} else []),
            *([] if embedders.named(model.name) else ["not in the settings"]),
        ]
        print(f"{model.name}  {model.vectors} vectors  {', '.join(marks)}")


if __name__ == "__main__":
    main()

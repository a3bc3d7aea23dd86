"""`python -m app.cli.embeddings status|switch|forget`: the models that vectors are made by, and changing them."""

import argparse
import asyncio
import sys

from app.config import Settings
from app.embeddings.embedder import Embedder
from app.embeddings.models import Embedders
from app.errors import QuireError
from app.knowledge.switching import Switching
from app.mistakes import settings_or_end
from app.resources import open_resources


def main() -> None:
    """Do what is asked for; an error of our tree ends it with its sentence."""
    parser = argparse.ArgumentParser(prog="quire embeddings", description=__doc__)
    parser.add_argument("what", choices=("status", "switch", "forget"))
    parser.add_argument("model", nargs="?", default="", help="the model to forget, as `status` names it")
    arguments = parser.parse_args()
    try:
        asyncio.run(_run(settings_or_end(), arguments.what, arguments.model))
    except QuireError as error:
        sys.exit(f"{error.detail} ({error.code})")


async def _run(settings: Settings, what: str, model: str) -> None:
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

    def told(count: int) -> None:
        nonlocal made
        made += count
        print(f"\r{made} vectors made", end="", flush=True)

    print(f"to {embedder.name}")
    await switching.switch(embedder, told)
    print(f"\r{made} vectors made; searches are made by {embedder.name} within seconds")


async def _status(switching: Switching, embedders: Embedders) -> None:
    chunks, models = await switching.models()
    print(f"{chunks} chunks")
    for model in models:
        marks = [
            *(["searched"] if model.searched else []),
            *(["written"] if model.name in {each.name for each in embedders.written} else []),
            *([] if embedders.named(model.name) else ["not in the settings"]),
        ]
        print(f"{model.name}  {model.vectors} vectors  {', '.join(marks)}")


if __name__ == "__main__":
    main()

"""(5) Resident memory of the idle stack, process by process: after it started, and after it has worked and rested."""

import asyncio
import io

import aiohttp
import psutil
from PIL import Image, ImageDraw

from benchmarks.figures import verdict
from benchmarks.running import RunningStack

MOST_MEGABYTES = 900
REST_SECONDS = 75


async def run(stack: RunningStack) -> None:
    """Look at an idle stack, have it read a few pages, let it rest, and look again."""
    print("\n(5) resident memory of the idle stack")
    await asyncio.sleep(5)
    _show(stack, "after start")
    await _read_something(stack)
    await asyncio.sleep(REST_SECONDS)
    _show(stack, f"{REST_SECONDS} s after it has read 8 pages")


def _show(stack: RunningStack, when: str) -> None:
    sums: dict[str, float] = {}
    for process in stack.processes().values():
        name = _name(process)
        sums[name] = sums.get(name, 0) + process.memory_info().rss / 1e6
    print(f"  {when}:")
    for name, megabytes in sorted(sums.items(), key=lambda each: -each[1]):
        print(f"    {name:28} {megabytes:7.1f} MB")
    print(f"    {'in all':28} {verdict(sum(sums.values()), MOST_MEGABYTES, ' MB')}")


def _name(process: psutil.Process) -> str:
    """What a process is, in a word or two: its title, or the program that it runs."""
    line = " ".join(process.cmdline()).strip()
    if line.startswith("quire"):
        return line
    if "anyio.to_process" in line:
        return "quire worker, opening files"
    return line.split(" ", 1)[0].rstrip(":").rsplit("/", 1)[-1]


async def _read_something(stack: RunningStack) -> None:
    picture = Image.new("L", (1240, 1754), 255)
    ImageDraw.Draw(picture).text((100, 100), "The quick brown fox", fill=0, font_size=40)
    file = io.BytesIO()
    picture.save(file, "TIFF", save_all=True, append_images=[picture] * 7)
    async with aiohttp.ClientSession(stack.address, headers=stack.authorization) as client:
        async with client.post("/v1/documents", data=file.getvalue()) as answer:
            job_id = (await answer.json())["job"]["id"]
        while True:
            async with client.get(f"/v1/jobs/{job_id}", params={"wait": "10"}) as answer:
                if (await answer.json())["state"] in {"done", "deadletter"}:
                    return

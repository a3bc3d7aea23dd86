"""The page that shows the API, out of files of our own: it works without a way out, and behind any proxy."""

from enum import StrEnum
from importlib.resources import files

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse

router = APIRouter(include_in_schema=False)

FILES = files("fastapi_swagger.resources")
"""Swagger UI as a package: scripts and styles that most such pages load from somebody else's servers."""


class Asset(StrEnum):
    """What the page loads."""

    SCRIPT = "swagger-ui-bundle.js"
    STYLE = "swagger-ui.css"
    ICON = "favicon-32x32.png"


@router.get("/")
async def go_to_docs(request: Request) -> RedirectResponse:
    """Whoever comes by hand wants the docs."""
    return RedirectResponse(f"{_root(request)}/docs")


@router.get("/docs")
async def show_docs(request: Request) -> HTMLResponse:
    """Every operation, to read and to try. Links are without a host: a proxy may have another, or speak TLS."""
    root = _root(request)
    return get_swagger_ui_html(
        title="Quire",
        openapi_url=f"{root}/openapi.json",
        swagger_js_url=f"{root}/docs/assets/{Asset.SCRIPT}",
        swagger_css_url=f"{root}/docs/assets/{Asset.STYLE}",
        swagger_favicon_url=f"{root}/docs/assets/{Asset.ICON}",
    )


@router.get("/docs/assets/{asset}")
async def get_docs_asset(asset: Asset) -> FileResponse:
    """A file of the page."""
    return FileResponse(str(FILES / asset), headers={"Cache-Control": "public, max-age=86400"})


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", "")).rstrip("/")

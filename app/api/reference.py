"""What a problem's `type` leads to: every error code, what it means, and whether trying again can help."""

from html import escape

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.errors import QuireError, all_errors

router = APIRouter(include_in_schema=False)

PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Quire: errors</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }}
td, th {{ text-align: left; vertical-align: top; padding: .4rem 1rem .4rem 0; border-bottom: 1px solid #ddd }}
tr:target {{ background: #fff3c4 }}
</style></head><body>
<h1>Errors</h1>
<p>Every error is a problem (RFC 9457) with a stable <code>code</code>; the same codes stand in the <code>error</code>
of a job that failed. Quote the <code>request_id</code> when you ask about one.</p>
<table><tr><th>code</th><th>status</th><th>meaning</th><th>try again?</th></tr>
{rows}
</table></body></html>
"""


@router.get("/docs/errors")
async def get_error_reference() -> HTMLResponse:
    """Every error code, as a page for people."""
    by_code = {error.code: error for error in all_errors()}
    return HTMLResponse(PAGE.format(rows="\n".join(map(_row, by_code.values()))))


def _row(error: type[QuireError]) -> str:
    again = "yes: it may pass by itself" if error.retryable else "not as it is"
    return (
        f'<tr id="{error.code}"><td><code>{error.code}</code></td><td>{error.status}</td>'
        f"<td>{escape(error.message)}</td><td>{again}</td></tr>"
    )

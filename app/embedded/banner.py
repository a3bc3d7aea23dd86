"""What a person is told once the stack is ready."""

from pathlib import Path

from app.config import Settings
from app.embedded.environment import Environment
from app.embedded.parts import Part


def banner(settings: Settings, environment: Environment, logs: Path, parts: frozenset[Part], seconds: float) -> str:
    """Say where everything is, with a line to copy."""
    if Part.API not in parts:
        return f"Ready after {seconds:.1f} s. Logs: {logs}"
    host = "127.0.0.1" if settings.quire_host in {"0.0.0.0", "::"} else settings.quire_host  # noqa: S104 - compared
    url = f"http://{host}:{settings.quire_port}"
    key = environment["QUIRE_API_KEY"]
    elsewhere = sorted({Part.POSTGRES, Part.VALKEY, Part.S3, Part.TEXTRACT} - parts)
    lines = [
        "",
        f"Quire is ready after {seconds:.1f} s.",
        "",
        f"  API      {url}",
        f"  Docs     {url}/docs",
        f"  API key  {key}",
        f"  Logs     {logs}",
        *([f"  Used from elsewhere, as set: {', '.join(elsewhere)}"] if elsewhere else []),
        "",
        "Have a document read:",
        "",
        f"  curl -H 'Authorization: Bearer {key}' -F file=@document.pdf {url}/v1/documents",
        "",
        "Ctrl-C stops everything.",
        "",
    ]
    return "\n".join(lines)

"""What a person is told once the stack is ready."""

from pathlib import Path

from app.config import Settings
from app.embedded.environment import Environment
from app.embedded.parts import Part


def local_url(settings: Settings) -> str:
    """Return where the API is reached from this machine."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound
    host = everywhere.get(settings.quire_host, settings.quire_host)
    return f"http://[{host}]:{settings.quire_port}" if ":" in host else f"http://{host}:{settings.quire_port}"


def banner(settings: Settings, environment: Environment, logs: Path, parts: frozenset[Part], seconds: float) -> str:
    """Say where everything is, with a line to copy."""
    if Part.API not in parts:
        return f"Ready after {seconds:.1f} s. Logs: {logs}"
    url = local_url(settings)
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

"""Where the wheels put their programs, found without importing what else is in them."""

import os.path
from importlib import metadata
from pathlib import Path

from app.embedded.errors import StackError


def is_installed(distribution: str) -> bool:
    """Say whether a package is there."""
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def binary_of(distribution: str, ending: str) -> Path:
    """Return the file of an installed package whose path ends so."""
    files = metadata.files(distribution) if is_installed(distribution) else None
    for file in files or []:
        if str(file).endswith(ending):
            return Path(os.path.normpath(str(file.locate())))
    raise StackError(f"The package {distribution} has no {ending} for this platform.")

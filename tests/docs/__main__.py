"""`python -m tests.docs`: write the generated parts of the docs anew."""

import sys

from tests.docs.generated import FILES, ROOT


def main() -> None:
    """Write what is out of date."""
    for file in FILES:
        if not file.is_current():
            file.bring_up_to_date()
            sys.stdout.write(f"{file.path.relative_to(ROOT)} written\n")


if __name__ == "__main__":
    main()

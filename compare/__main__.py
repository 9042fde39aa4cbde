"""``python -m compare``; installed, the console script ``engine-compare``."""

import sys

import typer


def main() -> None:
    """Run the command line; a mistake of the user is one sentence and exit code 2."""
    from compare.cli import app
    from compare.errors import UsageError

    try:
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        # The words before a type's own are pydantic's.
        sys.exit(_said(error.format_message().replace("Value error, ", "")))
    except UsageError as error:
        sys.exit(_said(str(error)))
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(_said("interrupted", code=130))
    sys.exit(code)


def _said(sentence: str, code: int = 2) -> int:
    print(f"engine-compare: {sentence}", file=sys.stderr)  # noqa: T201 - the console is not up
    return code


if __name__ == "__main__":
    main()

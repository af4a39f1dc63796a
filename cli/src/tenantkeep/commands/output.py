"""How results reach people and programs: tables or one JSON document on stdout, errors on stderr."""

import functools
import inspect
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ParamSpec, TypeVar

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from contracts.texts import Text, render
from tenantkeep.commands.errors import CommandError
from tenantkeep.exit_codes import ExitCode
from tenantkeep.stack.errors import StackError

P = ParamSpec("P")
R = TypeVar("R")
_WIDTH_OF_A_PIPE = 200


class Screen:
    """One command's output in one language."""

    def __init__(self, language: str = "en", *, as_json: bool = False) -> None:
        self.language = language
        self.as_json = as_json
        # With --json stdout belongs to the document; what people may watch meanwhile goes to stderr.
        self.console = Console(stderr=as_json, highlight=False)
        if not self.console.is_terminal:
            self.console.width = _WIDTH_OF_A_PIPE

    def text(self, text: Text) -> str:
        return render(text, self.language)

    def say(self, text: Text, *values: object) -> None:
        """A sentence; `{}` in it takes the values. Nothing with --json."""
        if not self.as_json:
            self.console.print(self.text(text).format(*values), markup=False)

    def table(self, headers: Sequence[Text], rows: Iterable[Sequence[str]], *, title: Text | None = None) -> None:
        table = Table(box=None, pad_edge=False, title_justify="left", title=None if title is None else self.text(title))
        for header in headers:
            table.add_column(self.text(header), overflow="fold")
        for row in rows:
            table.add_row(*(str(cell) for cell in row))
        self.console.print(table)

    def document(self, value: Any) -> None:
        """Print one JSON document."""
        json.dump(plain(value), sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")

    def notice(self, text: Text) -> None:
        """What somebody who waits should know; with --json only to a terminal, as stderr belongs to programs too."""
        if not self.as_json or sys.stderr.isatty():
            typer.echo(self.text(text), err=True)

    def error(self, error: CommandError) -> None:
        message, remedy = self.text(error.message), self.text(error.remedy)
        if self.as_json:
            json.dump(error.body(message, remedy), sys.stderr, ensure_ascii=False)
            sys.stderr.write("\n")
            return
        for line in (message, *(f"  {line}" for line in error.lines), remedy):
            typer.echo(line, err=True)


def plain(value: Any) -> Any:
    """The value as JSON knows it; secrets stay masked by their type."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def reported(command: Callable[P, R]) -> Callable[P, R]:
    """Turn errors of a command into a text with its next step and the exit code."""
    signature = inspect.signature(command)

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        given = signature.bind(*args, **kwargs).arguments
        screen = Screen(str(given.get("lang", "en")), as_json=bool(given.get("as_json", False)))
        try:
            return command(*args, **kwargs)
        except CommandError as error:
            screen.error(error)
            raise typer.Exit(error.exit_code) from None
        except StackError as error:
            screen.error(CommandError(Text(error.message, error.message), Text(error.remedy, error.remedy)))
            raise typer.Exit(ExitCode.FAILED) from None

    return run

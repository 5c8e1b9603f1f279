"""What every verb takes: which provider, as whom, and how much is told of the requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
FORMS = ("table", "json", "csv", "name")


@dataclass
class Options:
    """The options that were given, before the verb or after it; what was not given is None or False."""

    profile: str | None = None
    url: str | None = None
    user: str | None = None
    project: str | None = None
    xml: bool = False
    insecure: bool = False
    debug: bool = False
    curl: bool = False
    quiet: bool = False


def options() -> Options:
    """Return the options of the command that runs."""
    given: Options = click.get_current_context().ensure_object(Options)
    return given


def _keep(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
    """Put a common option into the Options; what stands nearer to the verb wins."""
    if value not in (None, False):
        setattr(ctx.ensure_object(Options), str(parameter.name), value)


class Verb(click.Command):
    """A verb, with the options that all have."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.params += self.common()

    @staticmethod
    def common() -> list[click.Parameter]:
        """Return new parameters for the common options."""

        def option(*names: str, **settings: Any) -> click.Option:
            return click.Option(names, expose_value=False, callback=_keep, **settings)

        return [
            option("--profile", metavar="NAME", help="The provider of this profile; or CIMI_PROFILE."),
            option("--url", metavar="URL", help="The Cloud Entry Point, without a profile; or CIMI_URL."),
            option("--user", metavar="NAME", help="The user there; or CIMI_USER, with CIMI_PASSWORD or CIMI_TOKEN."),
            option("--in", "project", metavar="PROJECT", help="The project to act in; or CIMI_PROJECT."),
            option("--xml", is_flag=True, help="Speak XML with the provider."),
            option("--insecure", is_flag=True, help="Send the password in the clear, where nobody listens."),
            option("--debug", is_flag=True, help="Print each request and its answer."),
            option("--curl", is_flag=True, help="Print each request as a line for curl."),
            option("--quiet", "-q", is_flag=True, help="Tell of no progress."),
        ]


class Family(click.Group):
    """A family of verbs about one kind of resources."""

    command_class = Verb

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs with the first sentence of their help."""
        rows = [(name, self.commands[name].get_short_help_str(80)) for name in self.list_commands(ctx)]
        with formatter.section("Verbs"):
            formatter.write_dl(rows)


def verb(name: str | None = None, **settings: Any) -> Callable[[Callable[..., Any]], Verb]:
    """Return the decorator of a verb."""
    return click.command(name, cls=Verb, **settings)


def output(function: F) -> F:
    """Let a verb take the form of its output."""
    form = click.option("-o", "--output", type=click.Choice(FORMS), default="table", help="The form of the output.")
    return form(function)


def waiting(function: F) -> F:
    """Let a verb say whether it waits for the end of what it asks for."""
    return click.option("--wait/--no-wait", default=True, help="Wait until it is done; the default.")(function)

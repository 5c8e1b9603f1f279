"""The verbs of ``cimi``, with the words that help says of them; their modules are loaded when they are called.

Modules of verbs import no more than click and asyncio, so that help and completion start fast.
"""

from __future__ import annotations

from importlib import import_module

import click

from cimi_command.options import Options, Verb

VERBS = {
    "login": ("cimi_command.login", "Log in at a provider, and keep it as a profile."),
    "logout": ("cimi_command.login", "Forget a profile."),
    "profile": ("cimi_command.login", "List the profiles, or choose one."),
    "launch": ("cimi_command.launch", "Make a Machine of an image, and start it."),
    "list": ("cimi_command.machines", "List the Machines with their addresses."),
    "show": ("cimi_command.machines", "Show a Machine."),
    "start": ("cimi_command.power", "Start Machines."),
    "stop": ("cimi_command.power", "Stop Machines."),
    "restart": ("cimi_command.power", "Stop and start Machines."),
    "pause": ("cimi_command.power", "Hold the CPUs of Machines."),
    "suspend": ("cimi_command.power", "Keep the state of Machines on disk, and power them off."),
    "delete": ("cimi_command.power", "Delete Machines."),
    "edit": ("cimi_command.machines", "Change a Machine in an editor."),
    "set": ("cimi_command.machines", "Change attributes of a Machine: cpu=2 memory=2GiB."),
    "console": ("cimi_command.console", "Show what the guest wrote to its serial console."),
    "ssh": ("cimi_command.ssh", "Log into the guest of a Machine."),
    "snapshot": ("cimi_command.snapshots", "Snapshots of a Machine: create, list, restore, delete."),
    "image": ("cimi_command.images", "Images: import, upload, download ..."),
    "volume": ("cimi_command.volumes", "Volumes: create, attach, detach ..."),
    "network": ("cimi_command.networks", "Networks: create, attach, detach ..."),
    "address": ("cimi_command.networks", "Addresses: create, list ..."),
    "credential": ("cimi_command.credentials", "Credentials: the first user of a new guest."),
    "config": ("cimi_command.configurations", "MachineConfigurations: the sizes of new Machines."),
    "system": ("cimi_command.systems", "Systems: import, export, start ..."),
    "project": ("cimi_command.projects", "Projects: create, list, members, grant, revoke."),
    "token": ("cimi_command.tokens", "Tokens of one's own: create, list, revoke."),
    "job": ("cimi_command.jobs", "Jobs: list, show, wait, stop, tail."),
    "event": ("cimi_command.events", "Events: tail."),
    "meter": ("cimi_command.meters", "Meters of a Machine: show, create, list."),
    "get": ("cimi_command.raw", "Read what is at a path."),
    "post": ("cimi_command.raw", "Send a document to a path."),
    "put": ("cimi_command.raw", "Replace what is at a path."),
    "api": ("cimi_command.raw", "Show what the provider offers."),
    "completion": ("cimi_command.completion", "Print the completion of a shell."),
}
"""Name to its module and its help. In the module it has the same name, or one with an underline behind it."""


class Tree(click.Group):
    """The verbs, of which only the one that is called is loaded."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help text."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a verb; None for an unknown name."""
        if cmd_name not in VERBS:
            return None
        module = import_module(VERBS[cmd_name][0])
        command: click.Command = getattr(module, f"{cmd_name}_", None) or getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the verb that is called. Raises UsageError, with the names that were perhaps meant."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], VERBS, 3, 0.6)
            hint = f" Did you mean {' or '.join(near)}?" if near else " cimi --help names them all."
            raise click.UsageError(f"There is no verb {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs with their help, without loading them."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, words) for name, (_module, words) in VERBS.items()])


@click.group(cls=Tree, context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": None})
@click.version_option(package_name="cimi-client", prog_name="cimi")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Drive the Machines, images, volumes and networks of a CIMI provider.

    Begin with `cimi login https://host/cimi/`. Names or ids are taken everywhere. Data goes to standard output, words
    to standard error.

    \b
    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 refused or not offered,
    5 conflict with the state of things, 6 the server is away, 130 interrupted.
    """
    ctx.ensure_object(Options)


main.params += Verb.common()

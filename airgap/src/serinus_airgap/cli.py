"""`serinus-airgap`: build what is stale, list what would be, print sizes, compile one tool."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from serinus_airgap import sizes, toolchain, tools
from serinus_airgap.build import REGISTRY, survey
from serinus_airgap.build import build as build_images
from serinus_airgap.build import push as push_images
from serinus_airgap.progress import Reporter
from serinus_airgap.reading import DescriptionError
from serinus_airgap.running import BuildError
from serinus_airgap.versions import load

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
Names = Annotated[
    list[str] | None, typer.Argument(help="folders of airgap/images; none means all but those of stories")
]


@app.command()
def build(
    names: Names = None,
    jobs: Annotated[
        int | None, typer.Option(help="compilers and builds at once; every core if not given")
    ] = None,
    push: Annotated[bool, typer.Option(help=f"then push into {REGISTRY}")] = False,
) -> None:
    """Build the images that are stale, and those they stand on."""
    console = Console()
    reporter = Reporter(console)
    built = build_images(names, load(), reporter=reporter, workers=jobs)
    console.print(f"{sum(image.rebuilt for image in built)} of {len(built)} images built anew")
    if push:
        console.print(f"{len(push_images(built, reporter=reporter))} pushed")


@app.command("list")
def list_(names: Names = None) -> None:
    """Say what `build` would rebuild, and why; changes nothing."""
    pins = load()
    seen = survey(names, pins, toolchain.version(pins))
    table = Table("image", "reference", "would be rebuilt because", box=None, pad_edge=False)
    for name, verdict in seen.verdicts.items():
        table.add_row(name, seen.images[name].recipe.image, verdict.reason or "(as it should be)")
    terminal = Console()
    # Elsewhere than on a terminal nothing is cut.
    (terminal if terminal.is_terminal else Console(width=220)).print(table)


@app.command("sizes")
def sizes_() -> None:
    """Print what the images weigh, and the disk that a build from nothing takes beside what is used."""
    pins = load()
    seen = survey(None, pins, toolchain.version(pins))
    images = Table("image", Column("MB", justify="right"), box=None, pad_edge=False)
    for name, held in sorted(seen.held.items(), key=lambda entry: -entry[1].size):
        images.add_row(name, f"{held.size / 1e6:.0f}")
    for name in sorted(seen.needed.keys() - seen.held.keys()):
        images.add_row(name, "not built")
    lines = sizes.shares(sizes.measure(pins))
    disk = Table(
        "disk",
        *(Column(head, justify="right") for head in ("GB used", "GB budget")),
        box=None,
        pad_edge=False,
    )
    for line in lines:
        disk.add_row(line.name, f"{line.used / sizes.GB:.1f}", f"{line.budget / sizes.GB:.0f}")
    console = Console()
    console.print(images, "", disk, "", sep="\n")
    needed, there = sizes.still_needed(lines), sizes.free()
    console.print(
        f"a build would still write up to {needed / sizes.GB:.1f} GB; {there / sizes.GB:.1f} GB are free"
    )
    if needed > there:
        raise BuildError(
            f"the disk is short by {(needed - there) / sizes.GB:.1f} GB; free some before `build`"
        )


@app.command()
def tool(name: Annotated[str, typer.Argument(help=f"one of {', '.join(tools.GROUP_OF)}")]) -> None:
    """Compile a program for this machine where it is missing or stale, and print where it lies."""
    if name not in tools.GROUP_OF:
        raise BuildError(f"no tool {name}: there are {', '.join(tools.GROUP_OF)}")
    console = Console(stderr=True)
    print(tools.ensure(load(), (name,), reporter=Reporter(console))[name])


def main() -> None:
    """Run the command line; an error that a user can mend is a line, no traceback."""
    try:
        app()
    except (DescriptionError, BuildError) as problem:
        Console(stderr=True).print(f"error: {problem}", style="red", highlight=False, soft_wrap=True)
        raise SystemExit(1) from None

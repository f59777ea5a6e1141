"""Simulates days in which nothing changed, and days with a change. Prints how often drift and the report see a change.

PYTHONPATH=. python tests/benchmarks/drift_nights.py [--nights 1400] [--seed 7]    (from the project's root)
"""

import argparse

import click

from tests.nights import CHANGES, UNCHANGED, false_alarms, false_pages, found_changes


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--nights", type=int, default=1400)
    options.add_argument("--seed", type=int, default=7)
    given = options.parse_args()
    click.echo(f"{'nothing changed':<50}nights with an alarm   pages with a bold change")
    for name, world in UNCHANGED.items():
        share, which = false_alarms(world, given.nights, given.seed)
        pages = false_pages(world, given.nights, given.seed)
        click.echo(f"{name:<50}{share:20.2%}{pages:27.2%}   {which}")
    click.echo(f"\n{'changed':<60}found after 29 days   after 8 days")
    for name, (before, after) in CHANGES.items():
        shares = [found_changes(before, after, given.nights // 14, given.seed, days) for days in (29, 8)]
        click.echo(f"{name:<60}{shares[0]:8.0%}{shares[1]:20.0%}")


if __name__ == "__main__":
    main()

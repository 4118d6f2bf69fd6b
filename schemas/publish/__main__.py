"""`python -m schemas.publish`: write what is published; with --check change nothing and say what is wrong.

Goal: `make check` stops a change of a model that was not published, or that breaks a release.
Method: see `releases` and `evolution`. Exit code 1 if a check found something.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from schemas.publish.json_schema import UndescribedFieldError
from schemas.publish.releases import PUBLISHED, breaking_differences, drift, publish, release, releases


def main() -> int:
    """Write, check or release."""
    parser = argparse.ArgumentParser(prog="python -m schemas.publish", description=__doc__)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="change nothing; exit code 1 if something is not as it should be")
    action.add_argument("--release", action="store_true", help="make the draft a release, which never changes any more")
    asked = parser.parse_args()
    try:
        return check() if asked.check else _publish(make_release=asked.release)
    except UndescribedFieldError as error:
        sys.stderr.write(f"schemas.publish: {error}\n")
        return 1


def _publish(*, make_release: bool) -> int:
    newest = publish()
    if make_release:
        if check():
            return 1
        made = release(datetime.now(UTC).date())
        sys.stderr.write(f"{newest.folder.name} is released{'' if made else ' already'}\n")
    else:
        sys.stderr.write(f"{newest.folder.name} is {'released, and as the models say' if newest.is_released else 'a draft'}\n")
    return 0


def check(published: Path = PUBLISHED) -> int:
    """Say on stderr what is wrong; 1 if anything is."""
    try:
        troubles = drift(published)
    except UndescribedFieldError as error:
        troubles = [str(error)]  # and whom the field breaks, below
    troubles += [f"against {one.folder.name}: {difference}" for one, difference in breaking_differences(published)]
    for trouble in troubles:
        sys.stderr.write(f"schemas.publish: {trouble}\n")
    if not any(one.is_released for one in releases(published)):
        sys.stderr.write(
            "schemas.publish: nothing is released yet, so no release can be broken (--release makes the draft one)\n"
        )
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())

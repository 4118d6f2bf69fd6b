"""Write the sample programme: `python -m samples.generate`.

Goal: the committed sample can be made again by anybody, to the byte.
Method: one seed, whole numbers and fractions only; see the other modules of this folder. The compressed file has no time
in it; if the one that is there already holds these events, it is left alone, because another build of zlib may pack the
same bytes otherwise.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import yaml

from samples.calibration import calibrated
from samples.cast import producers as all_producers
from samples.cycles import CYCLES, Returned, Statements
from samples.events import SaleEvent, published
from samples.faults import with_faults
from samples.lot import Lot
from samples.plan import plan
from samples.registry import accounts, registry
from samples.slots import World, slots
from samples.stories import dated_lots, told_lots

FOLDER: Final = Path(__file__).parent
COMPRESSION: Final = 9
YAML_WIDTH: Final = 140
HEADER: Final = "# Synthetic: every name, number, weight and account is invented. Written by `python -m samples.generate`.\n"


@dataclass(frozen=True, slots=True)
class Sample:
    """The whole sample, ready to be written."""

    lots: Sequence[Lot]
    events: Sequence[SaleEvent]
    world: World
    texts: Mapping[str, str]


def sample() -> Sample:
    """Make the sample. Takes about ten seconds; the same on every machine."""
    producers = all_producers()
    world = World({producer.organization_id: producer for producer in producers})
    ordinary, lot_ids = slots(producers, dated_lots(world.producers))
    told = told_lots(lot_ids)
    lots = sorted([*calibrated(ordinary, told, world), *told], key=lambda lot: lot.lot_id)
    events = with_faults(published(lots, world.status_on))
    texts = {
        "programme.yaml": _yaml(registry(producers, lots)),
        "accounts.yaml": _yaml(accounts(producers)),
        "cycles.yaml": _yaml(_cycles()),
        "planned.json": json.dumps(plan(producers, lots, events, world), indent=2, ensure_ascii=False) + "\n",
        "sales.jsonl": "".join(_line(event) for event in events),
    }
    return Sample(lots, events, world, texts)


def write(texts: Mapping[str, str], folder: Path) -> None:
    """Write all files into a folder."""
    for name, text in texts.items():
        content = text.encode()
        if name == "sales.jsonl":
            _write_compressed(folder / "sales.jsonl.gz", content)
        else:
            (folder / name).write_bytes(content)


def _write_compressed(path: Path, content: bytes) -> None:
    if path.exists() and gzip.decompress(path.read_bytes()) == content:
        return
    packed = io.BytesIO()
    # gzip.compress writes another header in Python 3.13 than in 3.11; GzipFile writes the same in both.
    with gzip.GzipFile(filename="", mode="wb", compresslevel=COMPRESSION, fileobj=packed, mtime=0) as archive:
        archive.write(content)
    path.write_bytes(packed.getvalue())


def _line(event: SaleEvent) -> str:
    record: dict[str, object] = {
        "synthetic": True,
        "at": event.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "id": event.event_id,
        "source": event.source,
        "key": event.key,
    }
    if event.raw is None:
        record["value"] = event.value
    else:
        record["raw"] = base64.b64encode(event.raw).decode()
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"


def _cycles() -> Mapping[str, object]:
    return {
        "synthetic": True,
        "cycles": [
            {"settles_on": cycle.settles_on, **_statements(cycle.statements), **_returned(cycle.returned)} for cycle in CYCLES
        ],
    }


def _statements(statements: Statements | None) -> Mapping[str, object]:
    if statements is None:
        return {}
    period = {"from": statements.period_from, "to": statements.period_to}
    return {"statements": {"period": period, "issued_on": statements.issued_on}}


def _returned(returned: Returned | None) -> Mapping[str, object]:
    return {} if returned is None else {"returned": asdict(returned)}


class _Dumper(yaml.SafeDumper):
    """Writes every value out, also where two entries share one: anchors are hard to read."""

    def ignore_aliases(self, data: object) -> bool:
        return True


# Whatever is all digits could be taken for a number, and is quoted where it is a text: YAML 1.1 leaves out accounts that begin
# with 0 and hold an 8 or 9, YAML 1.2 does not.
_Dumper.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[0-9]+$"), list("0123456789"))


def _yaml(content: Mapping[str, object]) -> str:
    # Only what the sample's own modules made comes here, so the dumper cannot meet an unknown type.
    text: str = yaml.dump(
        content, Dumper=_Dumper, allow_unicode=True, sort_keys=False, default_flow_style=None, width=YAML_WIDTH
    )
    return HEADER + text


if __name__ == "__main__":
    write(sample().texts, FOLDER)
    sys.stderr.write(f"wrote {FOLDER}\n")

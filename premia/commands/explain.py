"""`premia explain`: the calculation of one lot step by step in words, every number with its source.

Goal: "why this amount" is answered in es, en or fr, in the words of the statement, from what was stored and not from what would
be calculated today.
Method: the entitlement's bytes as the ledger took them, by the reader's login; the registry version that they name from
registry.v1, for names, citations and statuses.
Refuses: a lot or revision that never came, a bare lot id that several refiners use: exit 2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

import click
import orjson

from premia.commands.lot import UnknownLot
from premia.database import reader
from premia.kafka import kafka_servers, run
from premia.published_registry import published_registry
from schemas.entitlement import Entitlement
from schemas.explained_lot import ExplainedLot, explained_lot
from schemas.glossary import LANGUAGES
from schemas.locale_figures import LanguageUnknownError, LocaleFigures
from schemas.registry_snapshot import RegistrySnapshot
from services.ledger.use_cases.lot_story import find_lots

# A language alone does not say how numbers are written. Where none is named it is the country that the gold is from, as its
# treasurers read them (2.136,433 g in Colombia), if the language is written there; else these.
LOCALE_BY_LANGUAGE: Final = {"es": "es_PE", "en": "en_GB", "fr": "fr_FR"}
assert set(LOCALE_BY_LANGUAGE) == set(LANGUAGES), "every language has a country"
STORED: Final = """
    SELECT value FROM ledger.entitlement
    WHERE refiner_id = $1 AND lot_id = $2 AND ($3::bigint IS NULL OR revision = $3)
    ORDER BY revision DESC, calculation DESC LIMIT 1"""


class _Language(click.ParamType):
    name = "es|en|fr"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        # Also as BCP 47 writes it (es-BO), and as help shows it (ES).
        language, _, country = str(value).replace("-", "_").partition("_")
        asked = f"{language.lower()}_{country.upper()}" if country else language.lower()
        try:
            LocaleFigures(LOCALE_BY_LANGUAGE.get(asked, asked))
        except LanguageUnknownError as error:
            self.fail(str(error), param, ctx)
        return asked


@click.command()
@click.argument("name", metavar="[REFINER/]LOT")
@click.option(
    "--lang",
    "language",
    type=_Language(),
    default="en",
    help="Language, or language and country such as es_BO. Default: en. Without country: numbers as where the gold is from.",
)
@click.option("--revision", type=click.IntRange(min=1), help="Of this revision. Default: the one that counts.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def explain(name: str, language: str, *, revision: int | None, as_json: bool) -> None:
    """Tell the calculation of a lot step by step in words, every number with its source.

    The refiner may be left out where the lot's id is unique. It is the calculation that was stored, under the registry and the
    schemes of its time.
    """
    entitlement = asyncio.run(_stored(name, revision))
    registry = _registry_of(entitlement)
    text = figures_for(language, entitlement, registry)
    explained = explained_lot(entitlement, registry, text)
    if as_json:
        click.echo(orjson.dumps(_as_json(entitlement, explained, text)))
        return
    for line in _lines(explained):
        click.echo(line)


async def _stored(name: str, revision: int | None) -> Entitlement:
    refiner_id, _, lot_id = name.rpartition("/")
    async with reader() as conn:
        found = await find_lots(conn, lot_id, refiner_id or None)
        if not found:
            raise UnknownLot(f"no accepted sale of lot {name}; rejected ones are in `premia dlq list`")
        if len(found) > 1:
            several = ", ".join("/".join(key) for key in found)
            raise UnknownLot(f"several refiners have a lot {lot_id}: name one of {several}")
        value = await conn.fetchval(STORED, *found[0], revision)
    if value is None:
        raise UnknownLot(f"lot {name} has no revision {revision}: premia lot {name} shows those it has")
    return Entitlement.model_validate_json(value)


def _registry_of(entitlement: Entitlement) -> RegistrySnapshot | None:
    snapshot = run(published_registry(kafka_servers())).version(entitlement.registry_version)
    if snapshot is None:
        click.echo(f"registry {entitlement.registry_version} is not in registry.v1: told without names and citations", err=True)
    return snapshot


def figures_for(language: str, entitlement: Entitlement, registry: RegistrySnapshot | None) -> LocaleFigures:
    """How the lot's figures are written in a language, or in a language of a country."""
    if language not in LOCALE_BY_LANGUAGE:
        return LocaleFigures(language)
    countries = (
        {registry.organizations[source.organization_id].country for source in entitlement.sources} if registry else set()
    )
    if len(countries) == 1:
        try:
            return LocaleFigures(f"{language}_{countries.pop()}")
        except LanguageUnknownError:
            pass  # nobody writes that language there
    return LocaleFigures(LOCALE_BY_LANGUAGE[language])


def _lines(explained: ExplainedLot) -> Iterator[str]:
    yield from explained.head
    for number, step in enumerate(explained.steps, start=1):
        yield ""
        first, *more = step.sentences
        yield f"{number}. {first}"
        yield from (f"   {sentence}" for sentence in more)
        yield from (f"   ← {source}" for source in step.sources)


def _as_json(entitlement: Entitlement, explained: ExplainedLot, text: LocaleFigures) -> dict[str, Any]:
    return {
        "refiner_id": entitlement.refiner_id,
        "lot_id": entitlement.lot_id,
        "revision": entitlement.revision,
        "calculation": entitlement.calculation,
        "entitlement_id": str(entitlement.entitlement_id),
        "registry_version": entitlement.registry_version,
        "locale": text.locale,
        **asdict(explained),
    }

"""`premia simulate` on what was really published and applied."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.command import premia
from tests.integration.premium_calculator.programme import apply_registry, create_topics, message_of, sale_message, send
from tests.unit.premium_calculator import programme
from tests.unit.premium_calculator.programme import assays, scheme


async def test_published_sales_are_tried_under_a_proposal_with_the_published_registry(kafka: str, tmp_path: Path) -> None:
    await create_topics(kafka)
    proposal = tmp_path / "gram.json"
    terms = scheme(version="2", rate={"kind": "per_mass", "amount": "1.40", "unit": "GRM"})
    proposal.write_text(terms.model_dump_json(by_alias=True, exclude_none=True), encoding="utf-8")
    asked = ("simulate", "--scheme", str(proposal), "--from", "2025-03-14", "--to", "2025-03-14")
    nothing = await premia(kafka, *asked)
    assert (nothing.exit_code, "no registry was ever applied" in nothing.stderr) == (2, True)

    await apply_registry(kafka)
    without_headers = message_of(programme.encoded(programme.sale(lot_id="LOT-9")), key=b"REF/LOT-9", source="/refiners/OTHER")
    other_day = sale_message(lot_id="LOT-8", sold_on="2025-03-13")
    await send(kafka, [sale_message(revision=2), sale_message(assays=assays(agreed="500")), without_headers, other_day])
    done = await premia(kafka, *asked, "--json")
    assert done.exit_code == 0, done
    told = json.loads(done.stdout)
    assert (told["lots"], told["registry_version"]) == (1, programme.snapshot().version)
    (party,) = told["organizations"]
    assert (party["organization_id"], party["now"], party["proposed"]) == ("ORG-A", "1495.50", "2991.01")

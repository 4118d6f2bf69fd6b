"""From a sale as it was sent to a sale as it is calculated.

Method: texts become whole numbers once, here (`schemas.fixed_point`); the texts stay for the explanation.
"""

from __future__ import annotations

from schemas import gold_sale
from schemas.fixed_point import scaled_e12
from schemas.units import GRAMS_E7
from services.premium_calculator.domain.sale import Assay, Benchmark, Document, Sale, Source, Weight


def calculating_sale(sent: gold_sale.Sale) -> Sale:
    """The calculation's view of a valid sale."""
    benchmark, price_share = sent.benchmark, sent.price_share_of_benchmark
    return Sale(
        refiner_id=sent.refiner_id,
        lot_id=sent.lot_id,
        revision=sent.revision,
        stage=sent.stage,
        exporter_id=sent.exporter_id,
        payer_id=sent.payer_id,
        sold_on=sent.sold_on,
        melt_weight=_weight(sent.melt_weight),
        assays=tuple(
            [Assay(assay.party, assay.fineness_permille, scaled_e12(assay.fineness_permille)) for assay in sent.assays]
        ),
        sources=tuple([_source(source) for source in sent.sources]),
        schemes=sent.schemes,
        stated_fine_weight=None if sent.stated_fine_weight is None else _weight(sent.stated_fine_weight),
        benchmark=None if benchmark is None else _benchmark(benchmark),
        price_share=price_share,
        price_share_e12=None if price_share is None else scaled_e12(price_share),
        documents=tuple([Document(document.kind, document.number, document.issuer) for document in sent.documents]),
    )


def _weight(weight: gold_sale.Weight) -> Weight:
    return Weight(weight.value, weight.unit, scaled_e12(weight.value) * GRAMS_E7[weight.unit])


def _source(source: gold_sale.Source) -> Source:
    fineness = source.fineness_permille
    return Source(
        source.organization_id,
        _weight(source.melt_weight),
        None if fineness is None else scaled_e12(fineness),
    )


def _benchmark(benchmark: gold_sale.Benchmark) -> Benchmark:
    unit = benchmark.per
    return Benchmark(benchmark.price, scaled_e12(benchmark.price), benchmark.currency, unit, GRAMS_E7[unit])

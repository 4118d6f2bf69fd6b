"""The control of the crash tests: a worker that commits before it delivers, as one must not.

If killing this one lost nothing, the crash tests could not see loss.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from services.premium_calculator import __main__ as calculator
from services.premium_calculator.adapters.sale_answer import answer
from services.premium_calculator.batch_transport import RecordBatch
from services.premium_calculator.worker import Worker
from services.runtime.kafka import publish


class CommitsFirst(Worker):
    """As the worker, but for the order of two lines."""

    async def calculate(self, batch: RecordBatch) -> None:
        assert self._app is not None
        consumer = self._app.batch_consumer
        async with self._one_batch:
            if not consumer.is_current(batch):
                return
            consumer.delivered(batch)
            await consumer.commit()
            now = datetime.now(UTC)
            for records in batch.records.values():
                for record in records:
                    await asyncio.sleep(0)
                    await publish(self._producer, answer(record, self._feed.registry, now))


if __name__ == "__main__":
    setattr(calculator, "Worker", CommitsFirst)  # noqa: B010  the one line in which it differs from the real entrypoint
    calculator.run()

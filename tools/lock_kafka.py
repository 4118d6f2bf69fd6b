"""Write premia/local/kafka.jars.lock anew: run it after changing KAFKA_VERSION, and read the difference.

Goal: the broker's jars are the ones that a person looked at, whatever a repository serves later.
Method: jgo resolves Kafka's dependencies; what a broker never loads is left out, a small logger is added; each jar is fetched
from the repository into an empty folder and hashed. Its published SHA-1 is compared on the way (jgo warns of a difference).
Source of LEFT_OUT: java -Xlog:class+load while formatting, starting, serving and stopping; then the tests of the local stack.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext

from premia.local.jars import KAFKA_VERSION, LOCK_FILE, sha256_of

KAFKA: Final = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
LOGGER: Final = ("org.slf4j", "slf4j-simple", "1.7.36")  # the slf4j that Kafka brings is 1.7.36; log4j starts 0.3 s later
LEFT_OUT: Final = (
    "commons-beanutils",
    "commons-collections",
    "commons-digester",
    "jackson-dataformat-csv",
    "jackson-dataformat-yaml",
    "jose4j",
    "jspecify",
    "log4j-core",
    "scala-reflect",
    "snakeyaml",
)
HEAD: Final = f"""\
# What the broker of the local stack is made of: sha256, bytes, group:artifact:version, in class path order.
# Written by tools/lock_kafka.py from {KAFKA}; it says what was left out and why.
"""


def main() -> None:
    """Resolve, fetch, hash, write."""
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder), remote_repos={"central": MAVEN_CENTRAL_URL})
        inputs, transitive = context.resolver.resolve([context.create_dependency(KAFKA)])
        artifacts = [dependency.artifact for dependency in [*inputs, *transitive] if dependency.scope != "test"]
        kept = [artifact for artifact in artifacts if artifact.artifactId not in LEFT_OUT]
        group, name, version = LOGGER
        kept.append(context.project(group, name).at_version(version).artifact())
        lines = []
        for artifact in kept:
            jar = Path(artifact.resolve())
            coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
            lines.append(f"{sha256_of(jar)}  {jar.stat().st_size:>8}  {coordinate}\n")
    LOCK_FILE.write_text(HEAD + "".join(lines), encoding="utf-8")
    sys.stderr.write(f"{len(lines)} jars written to {LOCK_FILE}\n")


if __name__ == "__main__":
    main()

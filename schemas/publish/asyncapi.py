"""The AsyncAPI 3.1 document of a programme's topics.

Goal: one document from which tools draw pages, make clients and check messages.
Method: made from the table of contracts, the table of topics and the schemas. CloudEvents attributes are headers (binary mode).
All services stand in one document; each operation says whose it is.
Source: AsyncAPI 3.1.0, its Kafka bindings 0.5.0, CloudEvents' Kafka protocol binding 1.0.2.
"""

from __future__ import annotations

from typing import Any, Final

from schemas.cloudevents import ATTRIBUTE_CHARS_MAX, CONTENT_TYPE, ID_CHARS_MAX, SPEC_VERSION
from schemas.dead_letter import AT, CODE, FIELD, MESSAGE, ORIGIN, ORIGIN_PATTERN
from schemas.publish.contracts import CONTRACTS, TIME_PATTERN, PublishedContract, Service, Side
from schemas.publish.examples import Example
from schemas.publish.json_schema import module_words
from schemas.topics import DEAD_LETTER_TOPICS, TOPICS, Topic

BINDING_VERSION: Final = "0.5.0"
EVENTS: Final = tuple(contract for contract in CONTRACTS if contract.topic is not None)
DEAD_LETTER: Final = "dead-letter"
_DEAD_LETTER_HEADERS: Final = {
    CODE: "why it was refused: a code of docs/errors.md",
    FIELD: "path of the field at fault, or a header's name; may be empty",
    MESSAGE: "what is wrong and what to do, for people",
    ORIGIN: "topic/partition/offset where the record was first read; a redriven one keeps it",
    AT: "when it was refused",
}


def asyncapi_document(
    version: int, schemas: dict[str, dict[str, Any]], examples: dict[str, tuple[Example, ...]]
) -> dict[str, Any]:
    """The document of one release of the contracts."""
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "Premia",
            "version": f"{version}.0.0",
            "description": (
                "Gold sales become premiums, premiums become payments, and a ledger holds every cent in between. Messages are "
                "CloudEvents in Kafka's binary mode: attributes are headers, the value is the data alone. Delivery is at least "
                "once: (ce_source, ce_id) identifies an event. Skip a ce_type that you do not know."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "programme": {
                "host": "{bootstrapServers}",
                "protocol": "kafka-secure",
                "description": "The cluster of one programme; one deployment serves one programme.",
                "variables": {"bootstrapServers": {"description": "host:port of the brokers, as the operator gives them"}},
                "security": [{"$ref": "#/components/securitySchemes/scram"}, {"$ref": "#/components/securitySchemes/mtls"}],
            }
        },
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": dict(sorted({**_event_operations(), **_dead_letter_operations()}.items())),
        "components": {
            "securitySchemes": {
                "scram": {
                    "type": "scramSha512",
                    "description": "User and password from the operator; topics are opened to a user one by one.",
                },
                "mtls": {"type": "X509", "description": "A client certificate that the operator's authority signed."},
            },
            "messages": {
                **{contract.name: _message(contract, examples[contract.name]) for contract in EVENTS},
                DEAD_LETTER: _dead_letter(),
            },
            "schemas": _components(schemas),
        },
    }


def header_schema(contract: PublishedContract) -> dict[str, Any]:
    """JSON Schema of an event's headers, as texts."""
    text = {"type": "string", "minLength": 1, "maxLength": ATTRIBUTE_CHARS_MAX}
    extensions = {
        f"ce_{header.name}": {"type": "string", "pattern": header.pattern, "description": header.meaning}
        for header in contract.headers
    }
    return {
        "type": "object",
        "properties": {
            "ce_specversion": {"const": SPEC_VERSION, "description": "Version of CloudEvents."},
            "ce_id": text | {"maxLength": ID_CHARS_MAX, "description": "Id of the event, unique for its source."},
            "ce_source": text | {"description": f"Who says so: {contract.source}."},
            "ce_type": {"const": contract.name, "description": "Which contract the value keeps."},
            "ce_time": {"type": "string", "pattern": TIME_PATTERN, "description": "When it happened (RFC 3339)."},
            **extensions,
            "content-type": {"type": "string", "pattern": r"^application/json(;.*)?$", "description": "JSON in UTF-8."},
        },
        "required": [
            "ce_specversion",
            "ce_id",
            "ce_source",
            "ce_type",
            "ce_time",
            *(f"ce_{header.name}" for header in contract.headers if header.required),
        ],
    }


def _channel(topic: Topic) -> dict[str, Any]:
    dead = topic.name in DEAD_LETTER_TOPICS
    names = [DEAD_LETTER] if dead else [contract.name for contract in EVENTS if contract.topic == topic.name]
    about = "Records that could not be used, with their original bytes." if dead else _about(topic.name)
    config = topic.config()
    return {
        "address": topic.name,
        "description": about,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": [config["cleanup.policy"]],
                    "retention.ms": int(config["retention.ms"]),
                    "retention.bytes": int(config["retention.bytes"]),
                    "max.message.bytes": int(config["max.message.bytes"]),
                },
                "bindingVersion": BINDING_VERSION,
            }
        },
    }


def _about(topic: str) -> str:
    sentences = dict.fromkeys(module_words(contract).title for contract in EVENTS if contract.topic == topic)
    return ". ".join(sentences) + "."


def _message(contract: PublishedContract, examples: tuple[Example, ...]) -> dict[str, Any]:
    assert contract.key is not None, "an event has a key"
    key = {"type": "string", "description": contract.key}
    if contract.key_pattern is not None:
        key["pattern"] = contract.key_pattern
    words = module_words(contract)
    refused = (f"Refused: {words.refuses}",) if contract.side is Side.ONLY_WE_READ and words.refuses else ()
    return {
        "name": contract.name,
        "title": contract.name,
        "summary": words.goal,
        "description": " ".join((words.method, *contract.guarantees, *refused)).strip(),
        "contentType": CONTENT_TYPE,
        "headers": header_schema(contract),
        "payload": {"$ref": f"#/components/schemas/{contract.name}"},
        "bindings": {"kafka": {"key": key, "bindingVersion": BINDING_VERSION}},
        "examples": [
            {"name": example.name, "summary": example.about, "headers": example.headers, "payload": example.value}
            for example in examples
        ],
    }


def _dead_letter() -> dict[str, Any]:
    properties = {name: {"type": "string", "description": meaning} for name, meaning in _DEAD_LETTER_HEADERS.items()}
    properties[ORIGIN]["pattern"] = ORIGIN_PATTERN
    return {
        "name": DEAD_LETTER,
        "title": "Dead letter",
        "summary": "A record that could not be used: key, value and headers as they were, in further headers the reason.",
        "contentType": "application/octet-stream",
        "headers": {"type": "object", "properties": properties, "required": list(properties)},
        "payload": {"description": "The original bytes, whatever they are."},
    }


def _operation(service: Service, action: str, topic: str, messages: list[str]) -> dict[str, Any]:
    channel = f"#/channels/{topic}"
    return {
        "action": action,
        "summary": f"{service.value} {'writes to' if action == 'send' else 'reads'} {topic}.",
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in messages],
        "tags": [{"name": service.value}],
    }


def _event_operations() -> dict[str, Any]:
    names: dict[tuple[Service, str, str], list[str]] = {}
    for contract in EVENTS:
        assert contract.topic is not None, "an event has a topic"
        for action, services in (("send", contract.written_by), ("receive", contract.read_by)):
            for service in services:
                names.setdefault((service, action, contract.topic), []).append(contract.name)
    return {f"{key[0].value}.{key[1]}.{key[2]}": _operation(*key, messages) for key, messages in names.items()}


def _dead_letter_operations() -> dict[str, Any]:
    operations = {}
    for topic in DEAD_LETTER_TOPICS:
        service = Service(topic.removesuffix(".dlq").rpartition(".")[2])
        for owner, action in ((service, "send"), (Service.COMMAND_LINE, "receive")):
            operations[f"{owner.value}.{action}.{topic}"] = _operation(owner, action, topic, [DEAD_LETTER])
    return operations


def _components(schemas: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """All schemas side by side. Definitions are named after their contract, as two contracts may use one name."""
    components: dict[str, Any] = {}
    for contract in EVENTS:
        schema = schemas[contract.name]
        left_out = {"$schema", "$id", "$defs", "examples"}
        components[contract.name] = _referring({k: v for k, v in schema.items() if k not in left_out}, contract.name)
        for name, definition in schema.get("$defs", {}).items():
            components[f"{contract.name}.{name}"] = _referring(definition, contract.name)
    return dict(sorted(components.items()))


def _referring(part: Any, contract: str) -> Any:
    if isinstance(part, list):
        return [_referring(member, contract) for member in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        # What stands beside a $ref counts in JSON Schema 2020-12, but not in AsyncAPI's own dialect.
        target = {"$ref": f"#/components/schemas/{contract}.{part['$ref'].rpartition('/')[2]}"}
        beside = {name: _referring(value, contract) for name, value in part.items() if name != "$ref"}
        return beside | {"allOf": [target]} if beside else target
    return {name: _referring(value, contract) for name, value in part.items()}

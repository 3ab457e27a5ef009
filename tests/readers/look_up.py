"""What id confluent-kafka gets for a schema that it may not register, by the one-line text that printers
of Avro write.

Arguments: the registry's URL, and pairs of a subject and a schema's file. Prints an id a line.
"""

import json
import sys
from pathlib import Path

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

VALUES = {"null": None, "boolean": False, "int": 0, "long": 0, "float": 0.0, "double": 0.0, "string": ""}


def value(kind):
    """A value of a schema, the plainest."""
    if isinstance(kind, list):
        return value(kind[0])
    if isinstance(kind, str):
        return VALUES[kind]
    match kind["type"]:
        case "record":
            return {field["name"]: value(field["type"]) for field in kind["fields"]}
        case "enum":
            return kind["symbols"][0]
        case "array":
            return []
        case "map":
            return {}
        case other:
            return value(other)


def id_of(registry, subject, text):
    """The id in front of a value that is serialized without the right to register."""
    client = SchemaRegistryClient({"url": registry})
    rules = {"auto.register.schemas": False, "subject.name.strategy": lambda _context, _name: subject}
    serializer = AvroSerializer(client, text, conf=rules)
    context = SerializationContext("topic", MessageField.VALUE)
    framed = serializer(value(json.loads(text)), context)
    return int.from_bytes(framed[1:5], "big")


def main():
    registry, *pairs = sys.argv[1:]
    for subject, file in zip(pairs[::2], pairs[1::2]):
        schema = json.loads(Path(file).read_text())
        print(id_of(registry, subject, json.dumps(schema, separators=(",", ":"))))


main()

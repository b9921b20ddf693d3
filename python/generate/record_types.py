"""The types of events and records, from the field table."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

from esatls.extraction.fields import CONNECTION_FIELDS, DELIVERY_FIELDS, FIELDS, MESSAGE_FIELDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from esatls.extraction.fields import Field

HEAD = '''"""{title}

Made by python/generate; do not edit.
"""

from __future__ import annotations

from typing import TypedDict
'''

CLASS = '''

class {name}(TypedDict, total=False):
    """{doc}"""

'''

PYTHON = {
    "boolean": "bool",
    "date": "str",
    "integer": "int",
    "integers": "list[int]",
    "ip": "str",
    "keyword": "str",
    "keywords": "list[str]",
    "objects": "list[DeliveryRecord]",
}
"""Type of a field -> its type in Python."""


def files() -> dict[pathlib.Path, str]:
    """Return the generated files, by their path in the repository."""
    package = pathlib.Path("python/esatls")
    event = class_of("EventRecord", "The fields that one line states, and those of its header.", FIELDS)
    records = (
        class_of("ConnectionRecord", "One connection with its verdict.", CONNECTION_FIELDS),
        class_of("DeliveryRecord", "One attempt to deliver a message.", DELIVERY_FIELDS),
        class_of("MessageRecord", "One message with its verdicts.", MESSAGE_FIELDS),
    )
    return {
        package / "extraction" / "event_record.py": HEAD.format(title="What an event holds; a field without a value is absent.") + event,
        package / "verdicts" / "record_types.py": HEAD.format(title="What a record holds; a field without a value is absent.") + "".join(records),
    }


def class_of(name: str, doc: str, fields: Sequence[Field]) -> str:
    """Return the class with these fields."""
    return CLASS.format(name=name, doc=doc) + "".join(f"    {field.name}: {PYTHON[field.type]}\n" for field in fields)

"""The search command `esatlsmessages`."""

import json
import sys

import esatls_splunk  # first: it shows the way to lib/
from esatls import verdicts
from esatls.fields import DELIVERY_FIELDS, MESSAGE_FIELDS
from esatls_verdicts import VerdictCommand
from splunklib.searchcommands import Configuration, dispatch

DELIVERY_NAMES = tuple(field.name for field in DELIVERY_FIELDS)


@Configuration()
class EsatlsMessagesCommand(VerdictCommand):
    """One row per message of a Cisco ESA: received over TLS, delivered over TLS?

    ##Syntax
    esatlsmessages (field=<field>)?

    ##Description
    Joins ICID, MID and DCID of each appliance, follows messages that are rewritten, split, copied or released, and says of each message whether
    it was received (encrypted, cleartext, internal, unknown) and delivered (encrypted, cleartext, mixed, none, unknown) over TLS. The delivery
    attempts stand in aligned multi-valued fields delivery_*, and each as a whole, in JSON, in the multi-valued field deliveries.

    ##Example
    ``index=email sourcetype=cisco:esa:textmail | esatlsmessages | where delivered IN ("cleartext", "mixed")``
    """

    columns = ("_time", *(field.name for field in MESSAGE_FIELDS), *("delivery_" + name for name in DELIVERY_NAMES))

    # The SDK wants both in the command's own class; `chunk` takes the rows of both phases.
    @Configuration()
    def map(self, records):
        """Not called."""
        raise NotImplementedError

    def reduce(self, records):
        """Not called."""
        raise NotImplementedError

    def rows(self):
        """Yield a row per message."""
        for record in verdicts.messages(self.facts):
            row = dict(record)
            if "first_seen" in record:
                row["_time"] = esatls_splunk.epoch(record["first_seen"])
            attempts = record["deliveries"]
            row["deliveries"] = [json.dumps(attempt, separators=(",", ":"), ensure_ascii=False) for attempt in attempts]
            for name in DELIVERY_NAMES:
                values = [attempt.get(name, "") for attempt in attempts]
                if any(value != "" for value in values):
                    row["delivery_" + name] = [" ".join(map(str, value)) if isinstance(value, list) else value for value in values]
            yield row


if __name__ == "__main__":
    dispatch(EsatlsMessagesCommand, sys.argv, sys.stdin, sys.stdout, __name__)

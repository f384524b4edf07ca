"""Play a till of the demo chain: sign its sale as a real one would."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core import clock, security


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request ready to be sent: POST ``body`` to ``url`` with ``headers``."""

    url: str
    headers: Mapping[str, str]
    body: str

    def curl(self) -> str:
        """Return the request as a shell command that can be pasted."""
        lines = [f"curl -sS -X POST {shlex.quote(self.url)}"]
        lines += [f"  -H {shlex.quote(f'{name}: {value}')}" for name, value in self.headers.items()]
        lines.append(f"  --data-raw {shlex.quote(self.body)}")
        return " \\\n".join(lines)


def signed_request(
    base_url: str, source_code: str, secret: str, event: Mapping[str, Any]
) -> SignedRequest:
    """Sign an event by the Standard Webhooks scheme with the till's secret.

    The signature says when it was made; the service takes it for five minutes.
    """
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    message_id = str(event["event_id"])
    timestamp = str(int(clock.now().timestamp()))
    signature = security.sign(
        security.webhook_key(secret), f"{message_id}.{timestamp}.{body}".encode()
    )
    return SignedRequest(
        url=f"{base_url}/v1/pos/{source_code}/events",
        headers={
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{signature}",
        },
        body=body,
    )

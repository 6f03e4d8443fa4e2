"""Free JSON that travels with a call."""

from typing import Annotated, Any

import orjson
from pydantic import AfterValidator

LONGEST_METADATA_BYTES = 16_384
"""It travels through Redis and the event stream with the call."""


def _short_enough(metadata: dict[str, Any]) -> dict[str, Any]:
    if len(orjson.dumps(metadata)) > LONGEST_METADATA_BYTES:
        raise ValueError(f"at most {LONGEST_METADATA_BYTES} bytes of JSON")
    return metadata


Metadata = Annotated[dict[str, Any], AfterValidator(_short_enough)]

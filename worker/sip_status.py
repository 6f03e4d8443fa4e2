"""What a telephone caller's participant says about the leg, in livekit-sip's words."""

from typing import Final

CALL_STATUS: Final = "sip.callStatus"
"""Attribute of a SIP participant: `dialing`, `ringing`, `active`, `hangup`.

Source: livekit/protocol livekit/attrs.go (the names of all `sip.*` attributes)."""

CALL_RINGING: Final = "ringing"

CALL_ACTIVE: Final = "active"

CALL_HUNG_UP: Final = "hangup"
"""BYE, CANCEL or lost media. Source: livekit/sip v1.8.0 pkg/sip/participant.go (`Attribute`)."""

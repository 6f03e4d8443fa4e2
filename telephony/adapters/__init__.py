"""One adapter translates one vendor, its errors included, into `telephony.ports`."""

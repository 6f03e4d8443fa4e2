"""The bodies of requests and answers, one module for each module of `gateway.routes`."""

"""The bodies of requests and answers, as far as several APIs share them."""

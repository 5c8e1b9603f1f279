"""Files on other servers, by HTTP; nothing is trusted: neither addresses, nor redirects, nor lengths."""

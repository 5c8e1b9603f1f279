"""Networks and the addresses of guests (DSP0263 5.17, 5.19)."""
